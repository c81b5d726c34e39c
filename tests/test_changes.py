"""A command is told each change of state once: down, up, template_changed, account_restricted."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from conftest import Shell
from nosend import config, monitor
from nosend.model import Kind
from nosend.monitor import changes
from nosend.monitor.changes import Change, untold
from nosend.store.ledger import Ledger
from nosend.store.told import Condition
from samples import DAY, NOW, notice
from servers import PASSWORD, Dovecot
from test_health import RESTRICTED, fresh, mail, seen

DOWN = Condition("shop", "down", "2025-03-01T00:00:00Z", "no answer")
TEXT = Condition("shop", "template_changed", "2025-03-01T00:00:00Z", "changed")
BACK = replace(DOWN, since="2025-03-09T00:00:00Z", why="it is read again; it was down since 2025-03-01T00:00:00Z")
IS_UP = {"shop": "2025-03-09T00:00:00Z"}

# What must be told.


@pytest.mark.parametrize(
    ("now_so", "was_told", "are_up", "told"),
    [
        ([], [], IS_UP, []),
        ([DOWN], [], {}, [Change("down", DOWN)]),
        ([replace(DOWN, since="2025-03-02T00:00:00Z", why="another")], [DOWN], {}, []),
        ([], [DOWN], IS_UP, [Change("up", BACK)]),
        ([], [DOWN], {}, []),
        ([TEXT], [], IS_UP, [Change("template_changed", TEXT)]),
        ([TEXT], [TEXT], IS_UP, []),
        ([], [TEXT], IS_UP, [Change("", TEXT)]),
        (
            [TEXT, DOWN],
            [replace(TEXT, account="b")],
            {},
            [Change("", replace(TEXT, account="b")), Change("down", DOWN), Change("template_changed", TEXT)],
        ),
    ],
    ids=["well", "down", "still down", "up", "trouble again", "changed", "still", "over", "other accounts"],
)
def test_what_must_be_told(now_so: list, was_told: list, are_up: dict, told: list) -> None:
    assert list(untold(now_so, was_told, are_up)) == told


def test_order_is_that_of_the_accounts() -> None:
    so = [replace(one, account=name) for name in "cab" for one in (TEXT, DOWN)]
    assert [(one.condition.account, one.event) for one in untold(so, [], {})] == [
        (name, event) for name in "abc" for event in ("down", "template_changed")
    ]


# With a real command and a real database.

RECEIVER = """
import json, os, sys, time
told = json.load(sys.stdin)
with open(sys.argv[1], "a") as file:
    print(json.dumps([told, sorted(name for name in os.environ if name.startswith("NOSEND_"))]), file=file)
sys.exit(int(open("code").read()) if os.path.exists("code") else 0)
"""


class Shop:
    """A database, and a command that writes down what it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "receiver.py").write_text(RECEIVER)
        self.command((sys.executable, str(folder / "receiver.py"), str(folder / "heard")))
        self.code = folder / "code"

    def command(self, words: tuple[str, ...]) -> None:
        box = 'host = "localhost"\ntls = "none"\nusername = "me"\npassword_env = "NOSEND_PASSWORD"\n'
        boxes = "".join(f'[[mailbox]]\naccount = "{name}"\n{box}' for name in ("shop", "other"))
        path = self.folder / "config.toml"
        path.write_text(f"on_change_command = {json.dumps(words)}\n{boxes}")
        self.settings = config.load(path)

    def after(self, minutes: float = 0, patience: float = 0) -> list[str]:
        """Tell what is to be told some minutes after NOW; give the troubles."""
        environment = {"NOSEND_PASSWORD": PASSWORD, "NOSEND_OTHER": "1"}
        now, waits = NOW + timedelta(minutes=minutes), timedelta(minutes=patience)
        with Ledger(self.settings.database) as ledger:
            return [str(one) for one in monitor.after_round(self.settings, ledger, environment, now, waits)]

    def round(self, account: str, trouble: str = "", minutes: float = 0) -> None:
        with Ledger(self.settings.database) as ledger:
            ledger.round_done(account, NOW + timedelta(minutes=minutes), trouble)

    def heard(self) -> list[dict[str, str]]:
        """Give what the command was told since this was asked last."""
        file = self.folder / "heard"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        told = [json.loads(line) for line in lines]
        assert all(names == ["NOSEND_OTHER"] for _, names in told), "the password is not handed on"
        return [one for one, _ in told]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.chdir(tmp_path)
    return Shop(tmp_path)


def test_down_and_up_are_told_once_also_after_a_restart(shop: Shop) -> None:
    shop.round("shop")
    shop.round("other", "refused")
    assert (shop.after(), shop.heard()) == (
        [],
        [{"event": "down", "account": "other", "since": "2025-03-09T08:00:00Z", "why": "refused"}],
    )
    shop.round("other", "refused again", minutes=1)
    assert (shop.after(1), shop.heard()) == ([], [])
    shop.round("other", minutes=2)
    assert (shop.after(2), shop.heard()) == (
        [],
        [
            {
                "event": "up", "account": "other", "since": "2025-03-09T08:02:00Z",
                "why": "it is read again; it was down since 2025-03-09T08:00:00Z",
            }
        ],
    )  # fmt: skip
    assert (shop.after(3), shop.heard()) == ([], [])


def test_a_short_trouble_is_not_told_to_the_patient(shop: Shop) -> None:
    shop.round("shop", "cut")
    assert (shop.after(4, patience=5), shop.heard()) == ([], [])
    assert (shop.after(5, patience=5), [one["event"] for one in shop.heard()]) == ([], ["down"])
    shop.round("shop", minutes=6)
    shop.round("shop", "cut", minutes=7)
    assert (shop.after(8, patience=5), shop.heard()) == ([], []), "it was up and is in trouble again"
    assert (shop.after(20, patience=5), shop.heard()) == ([], []), "down, as it was told"
    shop.round("shop", minutes=21)
    assert (shop.after(22, patience=5), [one["event"] for one in shop.heard()]) == ([], ["up"])


def test_a_changed_text_and_a_restricted_account_are_told_once_and_again_when_they_come_back(shop: Shop) -> None:
    with Ledger(shop.settings.database) as ledger:
        ledger.record([seen(1, 1, Kind.SUSPECT), seen(2, 1, Kind.OTHER_NOTICE, rule="en.restricted")], NOW)
    assert shop.after() == []
    heard = shop.heard()
    assert [(one["event"], one["account"], one["since"]) for one in heard] == [
        ("account_restricted", "shop", "2025-03-09T08:00:00Z"),
        ("template_changed", "shop", "2025-03-09T08:00:00Z"),
    ]
    assert "Amazon restricted the account" in heard[0]["why"]
    assert (shop.after(60), shop.heard()) == ([], [])
    month = 31 * DAY / timedelta(minutes=1)
    assert (shop.after(month), shop.heard()) == ([], []), "that it is over is not told"
    assert len(changes.EVENTS) == 4
    assert (shop.after(), len(shop.heard())) == ([], 2)


def test_a_command_that_fails_is_told_and_run_again_after_the_next_round(shop: Shop) -> None:
    shop.round("other", "refused")
    shop.round("shop", "refused")
    shop.code.write_text("3")
    (trouble,) = shop.after()
    assert trouble.endswith("for 'down' of account 'other' ended with 3: it is run again after the next round")
    assert len(shop.heard()) == 1
    shop.code.write_text("0")
    assert (shop.after(1), [one["account"] for one in shop.heard()]) == ([], ["other", "shop"])


def test_a_command_that_cannot_be_run_is_told(shop: Shop) -> None:
    shop.round("shop", "refused")
    shop.command(("nowhere/mail-me",))
    (trouble,) = shop.after()
    assert trouble == (
        "on_change_command 'nowhere/mail-me' for 'down' of account 'shop' cannot be run "
        "(No such file or directory): name a program by its whole path"
    )


def test_a_command_that_reads_nothing_and_writes_a_lot_is_run(shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    shop.round("shop", "x" * 300_000)
    shop.command((sys.executable, "-c", "print('x' * 300_000)"))
    assert shop.after() == []
    assert capfd.readouterr() == ("", "")


def test_a_mailbox_that_is_not_configured_any_more_is_not_down(shop: Shop) -> None:
    shop.round("old", "refused")
    assert (shop.after(), shop.heard()) == ([], [])


def test_sync_tells_changes_for_cron(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("changes", [mail(1, RESTRICTED), fresh(2)])
    nosend.configure("changes", dovecot.port)
    (nosend.folder / "receiver.py").write_text(RECEIVER)
    path = nosend.folder / "config.toml"
    path.write_text(f"on_change_command = {json.dumps([sys.executable, 'receiver.py', 'heard'])}\n{path.read_text()}")
    for _ in range(2):
        assert nosend("sync").stderr == ""
    nosend("sync", code=2, env={"NOSEND_PASSWORD": "wrong"})
    dovecot.fill("changes", [notice(3)])
    (nosend.folder / "code").write_text("1")
    assert "on_change_command" in nosend("sync", code=75).stderr
    assert nosend.rows("SELECT count(*) FROM blacklist") == [(2,)], "the round stands"
    (nosend.folder / "code").unlink()
    nosend("sync")
    heard = [json.loads(line)[0]["event"] for line in (nosend.folder / "heard").read_text().splitlines()]
    assert heard == ["account_restricted", "down", "up", "up"]
