"""Mails out of files: the same mail, whether it lies in an .eml, an mbox, a Maildir or comes through a pipe."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import pytest

from nosend.errors import ConfigError
from nosend.letter.mime import LIMITS
from nosend.mailbox import archive
from nosend.model import Mail, Place
from samples import notice

ONE, TWO = notice(1), notice(2)
SEPARATOR = b"From sender@x Sat Mar  1 12:00:00 2025\n"


def read(*paths: Path) -> list[Mail]:
    return [mail for name in archive.files(tuple(map(str, paths))) for mail in archive.mails(name, "shop")]


def raws(*paths: Path) -> list[bytes]:
    return [mail.raw for mail in read(*paths)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mails.mbox"


# One file.


def test_eml_is_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "one.eml"
    path.write_bytes(b"Subject: \xff\x00\r\n\r\nfrom nobody\r\n")
    assert read(path) == [Mail(path.read_bytes(), Place("shop", str(path)), None, path.stat().st_size)]


def test_empty_file_is_an_empty_mail(path: Path) -> None:
    path.touch()
    assert read(path) == [Mail(b"", Place("shop", str(path)), None, 0)]


def test_mbox_gives_the_bytes_that_were_put_in(path: Path) -> None:
    """The empty line before the next "From " line is the mbox's, not the mail's (RFC 4155, appendix A)."""
    path.write_bytes(SEPARATOR + ONE + b"\n" + SEPARATOR + TWO + b"\n")
    assert read(path) == [
        Mail(ONE, Place("shop", f"{path}:1"), None, len(ONE)),
        Mail(TWO, Place("shop", f"{path}:2"), None, len(TWO)),
    ]


def test_mbox_of_windows_gives_the_bytes_that_were_put_in(path: Path) -> None:
    one, two, separator = (text.replace(b"\n", b"\r\n") for text in (ONE, TWO, SEPARATOR))
    path.write_bytes(separator + one + b"\r\n" + separator + two + b"\r\n")
    assert raws(path) == [one, two]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_mbox_without_an_empty_line_at_its_end_is_whole(path: Path, end: bytes) -> None:
    path.write_bytes(SEPARATOR + ONE + b"\n" + SEPARATOR + b"Subject: x\n\nlast words" + end)
    assert raws(path)[1].rstrip(b"\n") == b"Subject: x\n\nlast words"
    assert len(raws(path)) == 2


def test_only_after_an_empty_line_from_begins_a_mail(path: Path) -> None:
    """ "From " elsewhere is text; quoted after an empty line it is text as well and loses one ">" (mboxrd)."""
    text = b"Subject: x\n\nFrom me\nto you\nFrom here\n\n>From there\n>>From far\n> From\n>FROM\n\n"
    path.write_bytes(SEPARATOR + text.replace(b"\n\nFrom me", b"\n\n>From me") + SEPARATOR + TWO)
    first, second = raws(path)
    assert first.rstrip(b"\n") == (b"Subject: x\n\nFrom me\nto you\nFrom here\n\nFrom there\n>From far\n> From\n>FROM")
    assert second == TWO


def test_mbox_with_one_empty_mail_has_one_mail(path: Path) -> None:
    path.write_bytes(SEPARATOR)
    assert raws(path) == [b""]


def test_mbox_without_a_line_end_at_all_is_one_mail(path: Path) -> None:
    path.write_bytes(b"From ")
    assert raws(path) == [b"From "]


def test_word_from_at_the_beginning_of_a_header_is_no_mbox(path: Path) -> None:
    path.write_bytes(b"From: me\n\nFrom \n\nFrom here\n")
    assert raws(path) == [path.read_bytes()]


# What is too big.


def test_big_mail_is_read_to_its_cap_and_its_true_size_told(tmp_path: Path) -> None:
    path = tmp_path / "big.eml"
    with path.open("wb") as file:
        file.write(ONE)
        file.truncate(3 * LIMITS.size)
    (mail,) = read(path)
    assert mail.raw == path.read_bytes()[: LIMITS.size + 1]
    assert mail.size == 3 * LIMITS.size, "model.Mail: `size` is the mail's true size"


def test_big_mail_in_an_mbox_is_cut_and_the_next_is_whole(path: Path) -> None:
    line = b"x" * 99 + b"\n"
    big = ONE + line * 150_000
    path.write_bytes(SEPARATOR + big + b"\n" + SEPARATOR + TWO + b"\n")
    first, second = read(path)
    assert big.startswith(first.raw)
    assert LIMITS.size < len(first.raw) <= LIMITS.size + 1024 * 1024
    assert abs(first.size - len(big)) <= 1
    assert second.raw.rstrip(b"\n") == TWO.rstrip(b"\n")


def test_line_without_end_needs_no_memory_for_it(tmp_path: Path) -> None:
    """200 MB in one line."""
    path = tmp_path / "hole.mbox"
    with path.open("wb") as file:
        file.write(SEPARATOR)
        file.truncate(200_000_000)
    tracemalloc.start()
    try:
        told = [(len(mail.raw), mail.size) for mail in read(path)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert told == [(LIMITS.size + 1024 * 1024, 200_000_000 - len(SEPARATOR))]
    assert peak < 5 * LIMITS.size


def test_device_without_end_is_read_to_the_cap() -> None:
    (mail,) = read(Path("/dev/zero"))
    assert mail.raw == bytes(LIMITS.size + 1)


# Folders.


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder of mails in every form, with other files beside them."""
    for name in ("Maildir/cur", "Maildir/new", "Maildir/tmp", "Maildir/.Archive/cur", "other"):
        (tmp_path / name).mkdir(parents=True)
    for name in (
        "Maildir/cur/1700000000.M1.host:2,S", "Maildir/new/1700000001.M2.host", "Maildir/tmp/1700000002.M3.host",
        "Maildir/cur/.hidden", "Maildir/.Archive/cur/1700000003.M4.host:2,", "Maildir/dovecot.index",
        "b.eml", "a.EML", "other/c.mbox", "other/d.mbx", "other/e.txt", "other/f.eml.bak",
    ):  # fmt: skip
        (tmp_path / name).write_bytes(ONE)
    (tmp_path / "folder.eml").mkdir()
    return tmp_path


def test_folder_gives_its_mails_and_only_those(tree: Path) -> None:
    found = [str(Path(name).relative_to(tree)) for name in archive.files((str(tree),))]
    assert found == [
        "Maildir/.Archive/cur/1700000003.M4.host:2,",
        "Maildir/cur/1700000000.M1.host:2,S",
        "Maildir/new/1700000001.M2.host",
        "a.EML",
        "b.eml",
        "other/c.mbox",
        "other/d.mbx",
    ]
    assert raws(tree) == [ONE] * 7


def test_file_that_is_named_is_read_whatever_its_name(tree: Path) -> None:
    assert archive.files((str(tree / "other/e.txt"), str(tree / "b.eml"))) == [
        str(tree / "other/e.txt"),
        str(tree / "b.eml"),
    ]


def test_part_of_a_maildir_is_a_folder_of_mails(tree: Path) -> None:
    assert len(raws(tree / "Maildir" / "cur")) == 1


def test_maildir_without_mail_is_empty_and_no_mistake(tmp_path: Path) -> None:
    for name in ("cur", "new", "tmp"):
        (tmp_path / name).mkdir()
    assert archive.files((str(tmp_path),)) == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere.eml", "'nowhere.eml' does not exist: name .eml, mbox or Maildir, or - for standard input"),
        ("empty", "'empty' holds no mail: neither a Maildir (cur, new) nor .eml or .mbox files"),
    ],
)
def test_path_without_mail_is_told_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "one.eml").write_bytes(ONE)
    assert archive.files(("one.eml",)) == ["one.eml"]
    with pytest.raises(ConfigError) as caught:
        archive.files(("one.eml", name))
    assert str(caught.value) == told


def test_file_that_goes_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        list(archive.mails(str(tmp_path / "gone.eml"), "shop"))


# Pipes.

_STDIN = """
from nosend.mailbox import archive
for mail in archive.mails(*archive.files(("-",)), "shop"):
    print(mail.place.folder, mail.size, mail.raw)
"""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (ONE, [("-", ONE)]),
        (SEPARATOR + ONE + b"\n" + SEPARATOR + TWO + b"\n", [("-:1", ONE), ("-:2", TWO)]),
        (b"", [("-", b"")]),
    ],
    ids=["mail", "mbox", "nothing"],
)
def test_standard_input_is_a_mail_or_an_mbox(given: bytes, expected: list[tuple[str, bytes]]) -> None:
    done = subprocess.run([sys.executable, "-c", _STDIN], input=given, capture_output=True, check=True)
    told = "".join(f"{folder} {len(raw)} {raw}\n" for folder, raw in expected)
    assert done.stdout.decode() == told


def test_named_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(ONE,))
    writer.start()
    assert read(pipe) == [Mail(ONE, Place("shop", str(pipe)), None, len(ONE))]
    writer.join()
