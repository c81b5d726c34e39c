"""`check` as mailers start it, before each message: without click, which takes longer to load than all of the answer.

The same answers by the same functions. Whatever needs a word beside them (an unknown key, a suspect mail, trouble of
any kind), any other verb or option, and a person at a terminal are left to `command`, which begins anew.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple


class _Asked(NamedTuple):
    keys: list[str]
    database: str
    purpose: str | None
    as_json: bool


def check(words: list[str]) -> int | None:
    """Answer a plain `check` on standard output; gives the exit code, None when nothing was done."""
    try:
        if words[:1] != ["check"] or sys.stdout is None or sys.stdout.isatty():
            return None
        asked = _asked(words[1:])
        return asked and _answer(asked)
    except Exception:  # noqa: BLE001 - `command` comes upon it too, and tells
        return None


def _asked(words: list[str]) -> _Asked | None:
    keys, given = [], {"--database": os.environ.get("NOSEND_DATABASE"), "--purpose": None}
    rest = iter(words)
    for word in rest:
        if word in given:
            given[word] = next(rest)
        elif word.startswith("-") and word != "--json":
            return None
        elif word != "--json":
            keys.append(word)
    database = given["--database"] or _configured()
    return _Asked(keys, database, given["--purpose"], "--json" in words) if keys and database else None


def _configured() -> str | None:
    from nosend import places  # noqa: PLC0415 - not with --database

    path = places.find(None, os.environ)
    return places.database(path, places.read(path))


def _answer(asked: _Asked) -> int | None:
    from nosend.cli import answer  # noqa: PLC0415 - no other verb gets here
    from nosend.store.beside import Beside  # noqa: PLC0415

    with Beside(asked.database) as blacklist:
        answers = [answer.ask(blacklist, key, asked.purpose) for key in asked.keys]
        if blacklist.never_read() or any(one.suspected for one in answers):
            return None
    write = answer.as_json if asked.as_json else answer.as_text
    text = "".join(f"{write(one)}\n" for one in answers)
    raw = memoryview(text.encode(sys.stdout.encoding, "backslashreplace"))
    while raw:
        raw = raw[os.write(sys.stdout.fileno(), raw) :]
    return 0 if all(one.decision.may_send for one in answers) else 1
