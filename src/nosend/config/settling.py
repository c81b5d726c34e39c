"""What is to be done with recognised notices in their mailbox: the keys, and what is wrong with them."""

from __future__ import annotations

import re
from typing import Any

from nosend.config.key import Key


def _no_flag(value: str) -> str:
    if value.lower() == "\\deleted":
        return "would have notices expunged: nosend deletes no mail; move_notices_to moves them"
    fits = re.fullmatch(r'((?![(){%*"\\\]])[!-~]){0,50}|\\(answered|flagged|seen|draft)', value, re.IGNORECASE)
    return "" if fits else 'must be a keyword like "$NosendOptOut", or one of "\\\\Flagged", "\\\\Seen", "\\\\Answered"'


def _no_target(value: str) -> str:
    if value != value.strip():
        return "begins or ends with a space"
    if value.startswith("\\") or "*" in value:
        return "must be the whole name of one folder, like Opt-outs: uses and patterns are for folders"
    return "must not end with a delimiter" if value.endswith(("/", ".")) else ""


SETTLING_KEYS = (
    Key(
        "mark_notices",
        str,
        "",
        'mark recognised notices, once recorded, with a keyword like "$NosendOptOut" or a flag like "\\\\Flagged";\n'
        "# neither this nor the next: the mailbox is only read",
        wrong=_no_flag,
    ),
    Key(
        "move_notices_to",
        str,
        "",
        "or move them to this folder, by its whole name on the server, like INBOX.Opt-outs; made if missing",
        wrong=_no_target,
    ),
)


def contradictions(box: dict[str, Any]) -> list[str]:
    """Say what is wrong between what is to be done with notices and the other keys of a mailbox."""
    problems = []
    target = box.get("move_notices_to", "")
    if target and box.get("mark_notices"):
        problems.append("mark_notices and move_notices_to are given: give one of them")
    if target and _same_case(target) in map(_same_case, box.get("folders", ())):
        problems.append(f"move_notices_to = {target!r} is one of folders: name a folder that is not read")
    return problems


def _same_case(folder: str) -> str:
    return "INBOX" if folder.upper() == "INBOX" else folder  # RFC 3501, 5.1
