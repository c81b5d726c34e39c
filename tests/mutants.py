"""Each rule and each negative pattern switched off in turn: some mail must notice.

`make mutants` runs it; it writes the table into docs/recognition.md and exits with 1 when a switch is not noticed.
Rules, judges and doubts are taken out of their lists; what is no list is changed in a copy of the source.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

from conftest import MAILS, ROOT, expected
from matrix import mails
from nosend import recognize, verdict
from nosend.cli.intake import _as_json
from nosend.judging import Judging
from nosend.model import Mail, Place
from nosend.verdict import doubts, wording
from nosend.verdict.rules import Rules, builtin
from test_corpus import trust_of


class Change(NamedTuple):
    """One place of the source, and what stands there when a pattern is switched off."""

    what: str
    file: str
    old: str
    new: str


CHANGES = tuple(Change(**row) for row in tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["change"])


def failing(rules: Rules, stop: bool = True) -> int:
    """Count the fixtures that are judged otherwise than their JSON says, and samples and words that are not found.

    Where there are none, or not to `stop` there, the mails of the matrix that are not what they should be.
    """
    wrong = sum(not _is_as_told(mail, rules) for mail in MAILS)
    everything = (*rules.opt_outs, *rules.others)
    for one in (one for pack in builtin().packs for one in pack.wordings):
        found = [[w.rule for w in everything if wording.find((w,), (sample,))] for sample in one.samples]
        wrong += sum(rule != [one.rule] for rule in found)
    for pack in builtin().packs:  # their tests: test_quoting.py
        wrong += sum(not rules.marks.is_line(f"----- {line} -----") for line in pack.forward_lines)
        wrong += sum(rules.marks.fields.get(word) != name for name, words in pack.forward_fields for word in words)
    if wrong or not stop:
        return wrong
    return sum(recognize(one.raw, one.trust, rules).kind not in one.kinds for one in mails())


def _is_as_told(path: Path, rules: Rules) -> bool:
    wanted = expected(path)
    mail = Mail(path.read_bytes(), Place("", path.relative_to(ROOT).as_posix()), None, 0)
    told = json.loads(_as_json(Judging(trust_of(wanted), rules).judge(mail)))
    return told == {name: value for name, value in wanted.items() if name != "trust"}


def switched() -> Iterator[tuple[str, str, int]]:
    """Switch off one thing after another; give its sort, its name, and how many mails noticed."""
    known = builtin()
    for pack in known.packs:
        others = [one for one in known.packs if one is not pack]
        for one in pack.wordings:
            less = replace(
                pack,
                opt_outs=tuple(w for w in pack.opt_outs if w is not one),
                others=tuple(w for w in pack.others if w is not one),
            )
            yield "rule", one.rule, failing(Rules.of([*others, less]))
        fields = {
            "failure_subjects": pack.failure_subjects,
            "forward_lines": pack.forward_lines,
            "forward_fields": [word for _, words in pack.forward_fields for word in words],
        }  # prefixes only tell what is worth reading
        for field in (field for field, words in fields.items() if words):
            yield "words", f"{pack.name}: {field}", failing(Rules.of([*others, replace(pack, **{field: ()})]))
    lists = ((verdict, "JUDGES", "judge"), (doubts, "DOUBTS", "doubt"), (doubts, "DOUBTS_INSIDE", "doubt"))
    for module, name, sort in lists:
        whole = getattr(module, name)
        for one in whole[:-1] if name == "JUDGES" else whole:  # the last judge always speaks
            setattr(module, name, tuple(other for other in whole if other is not one))
            yield sort, one.__name__.strip("_").replace("_", "-"), failing(known)
        setattr(module, name, whole)
    for change in CHANGES:
        yield "pattern", change.what, _with(change)


def _with(change: Change) -> int:
    """Count what fails with a changed copy of the source; a program that breaks fails as well."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "src", Path(folder) / "src")
        path = Path(folder) / "src" / "nosend" / change.file
        text = path.read_text(encoding="utf-8")
        assert text.count(change.old) == 1, f"{change.what}: {change.file} does not hold {change.old!r} once"
        path.write_text(text.replace(change.old, change.new), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, __file__, "--count"], env=os.environ | {"PYTHONPATH": f"{folder}/src"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, (change.what, done.stderr[-2_000:])
    return int(done.stdout)


def table(rows: list[tuple[str, str, int]]) -> str:
    """Write the table for the docs."""
    lines = ["| what is switched off | | mails that notice |", "|---|---|--:|"]
    return "\n".join([*lines, *(f"| {sort} | {name} | {count} |" for sort, name, count in rows)])


if __name__ == "__main__":
    if "--count" in sys.argv:
        print(failing(builtin()))
        sys.exit()
    assert failing(builtin(), stop=False) == 0, "the corpus must be right to begin with"
    found = []
    for row in switched():
        print(*row, sep="\t", flush=True)
        found.append(row)
    from generate import RECOGNITION, between

    RECOGNITION.write_text(between(RECOGNITION.read_text(encoding="utf-8"), "mutants", table(found)), encoding="utf-8")
    unnoticed = [f"{sort} {name}" for sort, name, count in found if not count]
    print(f"{len(found)} switched off, {len(unnoticed)} not noticed: {', '.join(unnoticed) or 'none'}")
    sys.exit(bool(unnoticed))
