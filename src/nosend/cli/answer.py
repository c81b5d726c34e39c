"""What `check` answers, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from nosend.entry import Entry
    from nosend.permission import Decision
    from nosend.store.beside import Beside


class Answer(NamedTuple):
    """The decision on a key as it was written; what made it leave the list; whether a mail that waits names it."""

    key: str
    decision: Decision
    why_off: str = ""
    suspected: bool = False

    @property
    def reason(self) -> str:
        """Tell what the answer rests on; of a key that is not listed any more, why."""
        return f"{self.decision.reason}: {self.why_off}" if self.why_off else self.decision.reason


def ask(list_: Beside, key: str, purpose: str | None = None) -> Answer:
    """Ask the list of one key. Raises UnknownKeyError."""
    decision = list_.check(key, purpose)
    if decision.entries:
        return Answer(key, decision)
    return Answer(key, decision, list_.why_off(decision.key), list_.is_suspected(decision.key))


def as_json(answer: Answer) -> str:
    """Write an answer as one JSON object."""
    import json  # noqa: PLC0415 - who asks for text needs none

    from nosend.store import rows  # noqa: PLC0415 - beside its use

    decision = answer.decision
    told = {
        "key": answer.key,
        "kind": decision.key.kind,
        "value": decision.key.value,
        "permission": decision.permission,
        "reason": answer.reason,
        "advice": decision.advice,
        "entries": [rows.values(entry) for entry in decision.entries],
    }
    return json.dumps(told, ensure_ascii=False)


def as_text(answer: Answer, styled: Callable[[str, bool], str] = lambda said, _: said) -> str:
    """Write an answer for a person; `styled` marks the answer itself, by whether the message may be sent."""
    decision = answer.decision
    said = styled(decision.permission.replace("-", " "), decision.may_send)
    entries = "".join(f"\n  listed {_listing(entry)}" for entry in decision.entries)
    advice = f"\n  {decision.advice}" if decision.advice else ""
    return f"{answer.key}: {said}: {answer.reason}{entries}{advice}"


def _listing(entry: Entry) -> str:
    notices = {0: "no notice", 1: "1 notice"}.get(entry.notices, f"{entry.notices} notices")
    last = f"the last of {entry.last_notice_at:%Y-%m-%d}"
    ends = f", until {entry.expires_at:%Y-%m-%d}" if entry.expires_at else ""
    return f"{entry.listed_at:%Y-%m-%d} for {entry.account}, {notices}, {last}, source: {entry.source}{ends}"
