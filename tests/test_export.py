"""The list for other tools: the same bytes each time, a file whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nosend.config.exports import FORMATS, Content, format_of
from nosend.entry import Entry
from nosend.errors import ConfigError, DestinationError, StoreUnavailableError
from nosend.export import files, formats
from nosend.store import rows
from samples import AT, NOW, buyer, order

WHY = 'marker: "N\u00e3o", said Amazon, \u304a\u8a2b\u306d'
ENTRIES = (
    Entry("order", order(1), "shop-it", "IT", AT, NOW, AT, 1, "notice", WHY),
    Entry("order", order(1), "shop-us", None, AT, NOW, AT, 2, "forward", WHY, expires_at=NOW),
    Entry("buyer", buyer(), "shop-it", "IT", AT, NOW, AT, 1, "notice", WHY),
)
TIMES = "2025-03-01T12:00:00Z,2025-03-09T08:00:00Z,2025-03-01T12:00:00Z"
QUOTED_WHY = '"marker: ""N\u00e3o"", said Amazon, \u304a\u8a2b\u306d"'


def written(form: str, entries: tuple[Entry, ...] = ENTRIES) -> str:
    content = Content(form)
    return "".join(
        formats.text(formats.chosen([(*rows.values(entry).values(),) for entry in entries], content), content)
    )


# The formats.


def test_csv_is_as_rfc_4180_says() -> None:
    """Lines end in CRLF, a cell with comma or quote is quoted, quotes inside are doubled."""
    assert written("csv") == (
        "kind,value,account,marketplace,opted_out_at,listed_at,last_notice_at,notices,source,why,expires_at\r\n"
        f"order,{order(1)},shop-it,IT,{TIMES},1,notice,{QUOTED_WHY},\r\n"
        f"order,{order(1)},shop-us,,{TIMES},2,forward,{QUOTED_WHY},2025-03-09T08:00:00Z\r\n"
        f"buyer,{buyer()},shop-it,IT,{TIMES},1,notice,{QUOTED_WHY},\r\n"
    )
    read = list(csv.DictReader(io.StringIO(written("csv"), newline="")))
    assert [line["why"] for line in read] == [WHY] * 3


def test_json_is_one_array_and_jsonl_an_object_a_line() -> None:
    objects = [rows.values(entry) for entry in ENTRIES]
    assert objects[1]["marketplace"] is None
    assert objects[1]["notices"] == 2
    assert json.loads(written("json")) == objects
    assert [json.loads(line) for line in written("jsonl").splitlines()] == objects
    assert list(json.loads(written("jsonl").splitlines()[0])) == list(rows.COLUMNS)
    assert "\u304a\u8a2b\u306d" in written("json")


def test_txt_is_each_value_once() -> None:
    assert written("txt") == f"{order(1)}\n{buyer()}\n"


def test_empty_list_is_valid_in_every_format() -> None:
    header = "kind,value,account,marketplace,opted_out_at,listed_at,last_notice_at,notices,source,why,expires_at\r\n"
    empty = {form: written(form, ()) for form in FORMATS}
    assert empty == {"csv": header, "json": "[]\n", "jsonl": "", "txt": ""}


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "\t", "\r"])
def test_only_in_csv_a_cell_never_begins_like_a_formula(beginning: str) -> None:
    """A spreadsheet runs `=HYPERLINK(...)` (OWASP, CSV injection); programs that read JSON want the text itself."""
    text = f"{beginning}cmd|' /C calc'!A0"
    hostile = (Entry("order", order(1), text, "IT", AT, NOW, AT, 1, "notice", text),)
    (line,) = csv.DictReader(io.StringIO(written("csv", hostile), newline=""))
    assert (line["account"], line["why"]) == (f"'{text}", f"'{text}")
    assert (line["value"], line["notices"]) == (order(1), "1"), "nothing else is touched"
    assert json.loads(written("json", hostile))[0]["why"] == text


@pytest.mark.parametrize(
    ("name", "form"),
    [("list.json", "json"), ("a.JSONL", "jsonl"), ("x.txt", "txt"), ("x.csv", "csv"), ("x", "csv"), ("json", "csv")],
)
def test_format_follows_the_files_ending(name: str, form: str) -> None:
    assert format_of(name) == form


# The files.


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_new_file_is_the_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files.replace(tmp_path / "list.txt", ["one\n", "tw\u00f6\r\n"])
    finally:
        os.umask(before)
    assert (tmp_path / "list.txt").read_bytes() == "one\ntw\u00f6\r\n".encode()
    assert mode(tmp_path / "list.txt") == 0o600


@pytest.mark.parametrize("bits", [0o640, 0o644, 0o400])
def test_old_file_keeps_its_mode(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "list.txt"
    path.write_text("old")
    path.chmod(bits)
    files.replace(path, ["new"])
    assert (path.read_text(), mode(path)) == ("new", bits)
    assert list(tmp_path.iterdir()) == [path]


def test_old_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("old")
    if os.geteuid() == 0:  # only root gives files away
        os.chown(path, 65_534, 65_534)
    before = path.stat()
    files.replace(path, ["new"])
    after = path.stat()
    assert (after.st_uid, after.st_gid, after.st_ino == before.st_ino) == (before.st_uid, before.st_gid, False)


def test_another_name_of_the_old_file_keeps_the_old_text(tmp_path: Path) -> None:
    """The file is exchanged, not written over: whoever has the old one open reads it to its end."""
    path = tmp_path / "list.txt"
    path.write_text("old")
    (tmp_path / "hard link").hardlink_to(path)
    with path.open() as reader:
        files.replace(path, ["new"])
        assert reader.read() == "old"
    assert ((tmp_path / "hard link").read_text(), path.read_text()) == ("old", "new")


def _torn(error: Exception):
    yield "new, and "
    raise error


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), StoreUnavailableError("held"), KeyError()])
@pytest.mark.parametrize("old", ["old", None])
def test_failing_write_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, error: Exception, old: str | None
) -> None:
    path = tmp_path / "list.txt"
    if old:
        path.write_text(old)
    before = {one: one.read_text() for one in tmp_path.iterdir()}
    with pytest.raises(DestinationError if isinstance(error, OSError) else type(error)):
        files.replace(path, _torn(error))
    assert {one: one.read_text() for one in tmp_path.iterdir()} == before


_FULL = """
import resource, sys
from pathlib import Path
from nosend.config.exports import FORMATS, Content, format_of
from nosend.errors import ConfigError, DestinationError
from nosend.export import files
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    files.replace(Path(sys.argv[1]), ("a line of the list\\n" for _ in range(100_000)))
except DestinationError as error:
    print(error)
"""


def test_full_disk_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", _FULL, path], capture_output=True, text=True, check=True)
    assert done.stdout == f"{str(path)!r} cannot be written (File too large): what stood there is untouched\n"
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {"list.txt": "old"}


def test_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "list.txt", tmp_path / "link.txt"
    target.write_text("old")
    link.symlink_to(target)
    files.replace(link, ["new"])
    assert (link.readlink(), target.read_text(), target.is_symlink()) == (target, "new", False)
    assert list((tmp_path / "elsewhere").iterdir()) == [target]


def test_link_to_nothing_yet_makes_its_target(tmp_path: Path) -> None:
    (tmp_path / "link.txt").symlink_to("list.txt")
    files.replace(tmp_path / "link.txt", ["new"])
    assert (tmp_path / "list.txt").read_text() == "new"
    assert (tmp_path / "link.txt").is_symlink()


@pytest.mark.parametrize("name", ["folder", "nowhere/list.txt", "file/list.txt"])
def test_place_that_cannot_be_written_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("old")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError) as caught:
        files.replace(tmp_path / name, ["new"])
    assert str(caught.value).startswith(f"{str(tmp_path / name)!r} is no file that can be made (")
    assert sorted(tmp_path.rglob("*")) == before


def test_pipe_is_written_to_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    files.replace(pipe, ["one\n", "two\n"])
    reader.join(10)
    assert read == ["one\ntwo\n"]
    assert pipe.is_fifo()


def test_device_is_written_to_as_it_is() -> None:
    files.replace(Path("/dev/null"), ["gone"])
    assert Path("/dev/null").is_char_device()
    with pytest.raises(DestinationError, match="No space left on device"):
        files.replace(Path("/dev/full"), ["too much"])


def test_open_descriptor_that_is_a_pipe_is_written_to_as_it_is() -> None:
    """`--output /dev/stdout | ...` and `--output >(gzip > list.gz)` name a pipe through /dev/fd."""
    reading, writing = os.pipe()
    try:
        files.replace(Path(f"/dev/fd/{writing}"), ["one\n"])
        os.close(writing)
        assert os.read(reading, 100) == b"one\n"
    finally:
        os.close(reading)


def test_reader_never_sees_half_a_file_while_it_is_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    versions = {(f"{number:03}\n" * 5_000).encode() for number in range(200)}
    seen: set[bytes] = set()
    done = threading.Event()

    def poll() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    files.replace(path, ["000\n"] * 5_000)
    reader = threading.Thread(target=poll)
    reader.start()
    try:
        for number in range(200):
            files.replace(path, [f"{number:03}\n"] * 5_000)
    finally:
        done.set()
        reader.join()
    assert seen <= versions
    assert len(seen) > 10, "the reader looked while the file was rewritten"
    assert list(tmp_path.iterdir()) == [path]
