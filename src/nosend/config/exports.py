"""What an export holds and where it goes: the keys of [[export]], the names of columns, and what is wrong with them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nosend.config.key import Key, no_choice, required
from nosend.entry import Entry
from nosend.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMATS = ("csv", "json", "jsonl", "txt")
KINDS = ("order", "buyer", "both")
OF_A_KIND = {"order_id": "order", "buyer": "buyer"}  # columns that hold the value of an entry of this kind alone
COLUMNS = (*Entry._fields, *OF_A_KIND)
MANIFEST = ".manifest.json"  # what follows the file's name in that of its manifest


@dataclass(frozen=True, slots=True)
class Content:
    """What is in an export: entries of a kind and an account ("": of all), written in a format.

    `columns` are those of a csv, each as our name and the name in the file; none: the full record.
    """

    format: str
    kind: str = "both"
    columns: tuple[tuple[str, str], ...] = ()
    account: str = ""

    @property
    def kinds(self) -> frozenset[str]:
        """Give the kinds of entries that are in it.

        Where columns of a kind are chosen (`order_id`, `buyer`) and `value` is not, the other kind is left out.
        """
        names = {name for name, _ in self.columns}
        shown = {OF_A_KIND[name] for name in names & OF_A_KIND.keys()}
        asked = {*OF_A_KIND.values()} if self.kind == "both" else {self.kind}
        return frozenset(asked & shown if shown and "value" not in names else asked)


@dataclass(frozen=True, slots=True)
class Export:
    """One [[export]] of the configuration, checked."""

    file: Path
    content: Content

    @property
    def manifest(self) -> Path:
        """Give the file that tells what is in the other one."""
        return self.file.with_name(self.file.name + MANIFEST)


def format_of(name: str) -> str:
    """Give the format that a file's ending names, csv without one. Raises ConfigError for an ending of another kind."""
    ending = Path(name).suffix.lower().removeprefix(".")
    if ending and ending not in FORMATS:
        raise ConfigError(f"{name!r}: no such format {ending!r}: end it in {', '.join(FORMATS)}, or name the format")
    return ending or "csv"


def columns_of(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Read columns, each as `name` or `name=Name in the file`. Raises ConfigError."""
    found = []
    for text in texts:
        name, equals, shown = (part.strip() for part in text.partition("="))
        if name not in COLUMNS:
            raise ConfigError(f"no such column {name!r}: there are {', '.join(COLUMNS)}")
        if equals and not shown:
            raise ConfigError(f"column {text!r} has no name in the file: write {name}=Name, or {name} alone")
        found.append((name, shown or name))
    names = [shown for _, shown in found]
    if twice := [shown for shown in names if names.count(shown) > 1]:
        raise ConfigError(f"two columns are named {twice[0]!r} in the file: name them apart")
    return tuple(found)


def content_of(name: str, form: str | None, kind: str, columns: Sequence[str]) -> Content:
    """Say what a file of this name shall hold; its format by the ending when there is no `form`. Raises ConfigError."""
    content = Content(form or format_of(name), kind, columns_of(columns))
    if columns and content.format != "csv":
        raise ConfigError(f"columns are for csv, not for {content.format}: leave them out, or choose csv")
    if not content.kinds:
        raise ConfigError(f"kind {kind!r} leaves nothing in these columns: choose the column of that kind, or value")
    return content


def _no_name(value: str) -> str:
    return "" if Path(value).name else "must be the name of a file"


def _no_columns(value: list[str]) -> str:
    try:
        columns_of(value)
    except ConfigError as mistake:
        return f": {mistake}"
    return ""


EXPORT_KEYS = (
    Key(
        "file",
        str,
        required,
        "a file that is rewritten after each round that changed the list, with FILE.manifest.json beside it",
        "blacklist.csv",
        _no_name,
    ),
    Key(
        "format",
        str,
        "",
        "csv, json, jsonl, txt (a value a line); else by the ending",
        wrong=no_choice("", *FORMATS),
    ),
    Key("kind", str, "both", '"order", "buyer" or "both"', wrong=no_choice(*KINDS)),
    Key(
        "columns",
        list,
        [],
        'the columns of a csv and their names in it, like ["order_id=Order-ID", "opted_out_at"]; else the full record',
        wrong=_no_columns,
    ),
    Key("account", str, "", "only the entries of this account; else of all"),
)


def exports_of(
    exports: Sequence[dict[str, Any]], path: Path, taken: dict[str, Path | None], problems: list[str]
) -> tuple[Export, ...]:
    """Give the exports of a configuration; what is wrong between them, and with files that are `taken`, is told.

    Keys that are wrong themselves are missing in what is given, and told already.
    """
    used = {_real(place): name for name, place in taken.items() if place}
    found = []
    for number, one in enumerate(exports, 1):
        if one.keys() < {key.name for key in EXPORT_KEYS}:
            continue
        try:
            content = content_of(one["file"], one["format"], one["kind"], one["columns"])
        except ConfigError as mistake:
            problems.append(f"export {number}: {mistake}")
            continue
        file = path.parent / Path(one["file"]).expanduser()
        export = Export(file, Content(content.format, content.kind, content.columns, one["account"]))
        for place, name in ((export.file, "the file"), (export.manifest, "the manifest")):
            if other := used.get(_real(place)):
                problems.append(f"export {number}: {name} {str(place)!r} is {other}: name another file")
            used[_real(place)] = f"{name} of export {number}"
        found.append(export)
    return tuple(found)


def of_unknown_accounts(exports: Sequence[Export], boxes: Sequence[dict[str, Any]]) -> list[str]:
    """Say which exports are of accounts that no mailbox lists under: such a file would stay empty."""
    if any(box.get("plus_accounts", True) for box in boxes):
        return []  # any account may be
    known = {name for box in boxes for name in (box.get("account"), *box.get("accounts", {}).values()) if name}
    return [
        f"export of {str(export.file)!r}: account = {export.content.account!r} is none of {', '.join(sorted(known))}"
        for export in exports
        if export.content.account and export.content.account not in known
    ]


def _real(place: Path) -> str:
    return os.path.realpath(place)
