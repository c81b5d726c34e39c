"""What is logged, and how it is written: text or JSON, a line each.

Logged are the place of a mail, its verdict and the rule that spoke. Never a secret, nothing that a mail says (body,
subject, sender, alias, order id), and nothing of other packages: imapclient and dkimpy tell whole lines of both.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nosend.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nosend.model import Judged

FIELDS = ("account", "folder", "uid", "verdict", "rule")  # beside the message; what is not known is left out

_house = logging.getLogger("nosend")
_log = logging.getLogger(__name__)


def set_up(handler: logging.Handler, level: int) -> None:
    """Let one handler write what nosend logs from `level` up; again: another one instead."""
    if not logging.getLogger().handlers:
        logging.getLogger().addHandler(logging.NullHandler())  # else Python writes others' warnings to stderr by itself
    _house.handlers = [handler]
    _house.setLevel(level)


def recorded(mails: Iterable[Judged]) -> None:
    """Log mails that were written to the database: what matters as INFO, unrelated mails as DEBUG."""
    for one in mails:
        place, verdict = one.mail.place, one.verdict
        known = {"account": place.account, "folder": place.folder, "uid": place.uid}
        if verdict is None:
            _log.warning("set aside: %s", one.trouble, extra=known | {"verdict": "set_aside"})
            continue
        level = logging.DEBUG if verdict.kind is Kind.UNRELATED else logging.INFO
        _log.log(level, "read", extra=known | {"verdict": str(verdict.kind), "rule": verdict.rule})


class Text(logging.Formatter):
    """A line for a person: prefix, time if it is wanted, message, and the fields as name=value."""

    def __init__(self, prefix: str = "nosend: ", *, times: bool = False) -> None:
        super().__init__()
        self._prefix, self._times = prefix, times

    def format(self, record: logging.LogRecord) -> str:
        """Write one line; what cannot be printed is a space."""
        words = [record.getMessage(), *(f"{name}={_quoted(value)}" for name, value in _fields(record).items())]
        if self._times:
            words.insert(0, f"{_at(record)} {record.levelname.lower()}:")
        line = "".join(char if char.isprintable() else " " for char in " ".join(words))
        trace = "\n" + self.formatException(record.exc_info) if record.exc_info else ""
        return f"{self._prefix}{line}{trace}"


class Json(logging.Formatter):
    """A JSON object a line, ASCII only: at, level, message, the fields that are known, and the trace of a fault."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        told = {"at": _at(record), "level": record.levelname.lower(), "message": record.getMessage()}
        trace = {"trace": self.formatException(record.exc_info)} if record.exc_info else {}
        return json.dumps(told | _fields(record) | trace)


def _fields(record: logging.LogRecord) -> dict[str, str]:
    return {name: vars(record)[name] for name in FIELDS if vars(record).get(name) not in {None, ""}}


def _quoted(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and not set(text) & set(' "=') else json.dumps(text, ensure_ascii=False)


def _at(record: logging.LogRecord) -> str:
    """Write when it was logged, as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
