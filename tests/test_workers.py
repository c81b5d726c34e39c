"""Judging on all cores gives what judging one by one gives, in the same order, whatever a mail does to its process."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from conftest import MAILS, Shell
from nosend import workers
from nosend.judging import Judging
from nosend.model import Judged, Mail, Place, Trust
from nosend.verdict import rules
from samples import notice, order

JUDGING = Judging(Trust(), rules.builtin())


def mails(raws: list[bytes]) -> list[Mail]:
    return [Mail(raw, Place("shop", f"{n}.eml"), None, len(raw)) for n, raw in enumerate(raws)]


def test_all_cores_say_what_one_says_in_the_same_order() -> None:
    some = mails([mail.read_bytes() for mail in MAILS] * 2)
    assert len(some) > 600
    assert list(workers.judge_all(JUDGING, some)) == [JUDGING.judge(mail) for mail in some]


@dataclass(frozen=True, slots=True)
class Deadly(Judging):
    """Judges as a faulty C library would: at one mail the process is gone without a word."""

    def judge(self, mail: Mail) -> Judged:
        if b"deadly" in mail.raw and os.getpid() != FIRST:
            os._exit(9)
        return Judging.judge(self, mail)


FIRST = int(os.environ.setdefault("NOSEND_TEST_FIRST_PROCESS", str(os.getpid())))


def test_a_mail_that_kills_its_process_is_set_aside_and_the_others_are_judged() -> None:
    raws = [notice(n) for n in range(600)]
    raws[450] = notice(450, Subject="deadly")
    judged = list(workers.judge_all(Deadly(Trust(), rules.builtin()), mails(raws)))
    assert [one.mail.raw for one in judged] == raws
    assert [n for n, one in enumerate(judged) if one.verdict is None] == [450]
    assert judged[450].trouble == "the process died while it was judged"
    assert [one.verdict.orders for one in judged if one.verdict] == [(order(n),) for n in range(600) if n != 450]


WITHOUT_END = """
import itertools
from nosend import judging, model, workers
from nosend.verdict import rules
if __name__ == "__main__":
    raw = b"From: auto-communication@amazon.com\\n\\nHello."
    mails = (model.Mail(raw, model.Place("shop", str(n)), None, len(raw)) for n in itertools.count())
    by = judging.Judging(model.Trust(), rules.builtin())
    for n, _ in enumerate(workers.judge_all(by, mails)):
        if n == 2_000:
            print("well under way", flush=True)
"""


def test_a_killed_scan_leaves_no_process_behind(tmp_path: Path) -> None:
    """Its workers hold its output, too: it is at its end when all of them are gone."""
    script = tmp_path / "without_end.py"
    script.write_text(WITHOUT_END)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"well under way\n"
        running.kill()
        assert running.stdout.read() == b""


def test_a_scan_of_many_mails_records_each_once(nosend: Shell) -> None:
    lines = [b"From a@b Sat Jan  1 00:00:00 2025\n" + notice(n).replace(b"\r\n", b"\n") + b"\n" for n in range(900)]
    Path(nosend.folder / "many.mbox").write_bytes(b"".join(lines))
    for _ in range(2):
        done = nosend("scan", "--account", "shop", "--database", "nosend.db", "many.mbox")
        assert (done.stdout, done.stderr) == ("", "")
        assert nosend.rows("SELECT count(*), count(DISTINCT value), sum(notices) FROM blacklist") == [(900, 900, 900)]
