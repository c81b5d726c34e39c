"""`nosend filter`: rows of another tool, only those that may be sent, byte for byte as they came."""

from __future__ import annotations

import csv
import io
import os
import random
import re
import resource
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Shell
from nosend import Blacklist
from nosend.errors import UnknownKeyError
from nosend.filter import Wanted, sift, table
from nosend.store.ledger import Ledger
from samples import NOW, buyer, judged, order

LISTED, FREE = order(3), order(9)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of three orders and the buyer of two of them."""
    path = tmp_path_factory.mktemp("list") / "nosend.db"
    with Ledger(path) as ledger:
        why = "l'acheteur a choisi de ne pas re\u00e7evoir \u2014 \u8cfc\u5165\u8005"
        ledger.record([judged(1, alias=buyer()), judged(2, alias=buyer()), judged(3, why=why)], NOW)
    return path


def run(path: Path, data: bytes | str, *words: str, code: int = 0) -> tuple[bytes, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("NOSEND_")} | {"NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "nosend", "filter", "--database", path, *words],
        input=data.encode() if isinstance(data, str) else data, capture_output=True, env=env, check=False,
    )  # fmt: skip
    assert done.returncode == code, done
    assert b"Traceback" not in done.stderr
    return done.stdout, done.stderr.decode()


def sifted(path: Path, data: bytes, column: str | None = None, **wanted: object) -> bytes:
    """Filter within this process; rows without a key are left out and not told."""
    pieces = []
    with Blacklist(path) as blacklist:
        rows = table.read(io.BufferedReader(io.BytesIO(data)), column)
        try:
            for piece in sift(rows, blacklist, Wanted(**wanted)):
                pieces.append(piece.encode("latin-1"))  # noqa: PERF401 - what came before the end counts
        except UnknownKeyError:
            pass
    return b"".join(pieces)


def test_only_rows_that_may_be_sent_pass_and_the_others_with_blocked(path: Path) -> None:
    header, kept, left = "name,order-id,city\r\n", f'"Ann ""B""",{FREE},Rome\r\n', f"Eve,{LISTED},Paris\r\n"
    assert run(path, header + left + kept) == ((header + kept).encode(), "")
    assert run(path, header + left + kept, "--blocked") == ((header + left).encode(), "")


def test_plain_lines_need_no_header(path: Path) -> None:
    lines = f"{LISTED}\n{FREE}\n\n {buyer().upper()}\r\n{buyer(9)}"
    assert run(path, lines) == (f"{FREE}\n{buyer(9)}".encode(), "")
    assert run(path, lines, "--blocked") == (f"{LISTED}\n {buyer().upper()}\r\n".encode(), "")
    assert run(path, "") == (b"", "")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("begin", "encoding"), [(b"", "utf-8"), (b"\xef\xbb\xbf", "utf-8"), (b"", "windows-1252")], ids=["", "bom", "1252"]
)
def test_delimiter_line_ends_bom_and_encoding_are_kept(
    path: Path, delimiter: str, end: str, begin: bytes, encoding: str
) -> None:
    def row(*cells: str) -> bytes:
        return (delimiter.join(cells) + end).encode(encoding)

    header, left = row("Order ID", "größe"), row(LISTED, "Zoë")
    quoted = f'"Jürgen{end}€ ""5"" {delimiter} Straße"' if delimiter != "\t" else '€ 5" Straße'
    kept = row(f'"{FREE}"', quoted) + row(f" {order(8)} ", "’")
    assert sifted(path, begin + header + left + kept) == begin + header + kept
    assert sifted(path, begin + header + kept + left, blocked=True) == begin + header + left


def test_keys_are_found_in_any_spelling_and_encoding(path: Path) -> None:
    odd = LISTED.replace("-", "\u2011")
    assert sifted(path, f"order\n{odd}\n#{LISTED}\n{FREE}\n".encode()) == f"order\n{FREE}\n".encode()
    nbsp = f"order,x\n\xa0{LISTED},é\n\xa0{FREE},é\n"
    assert sifted(path, nbsp.encode("windows-1252")) == f"order,x\n\xa0{FREE},é\n".encode("windows-1252")


def test_row_without_a_key_never_passes_and_is_told(path: Path) -> None:
    """Neither here nor there: it must not be sent, and it is not known to be blocked."""
    data = f'order-id,x\n{FREE},1\nn/a,2\n,3\n{LISTED},4\n\n{LISTED[:-1]},"5\n6"\n{order(8)}\nanna@gmail.com,\n'
    out, told = run(path, data, code=2)
    assert out.decode() == f"order-id,x\n{FREE},1\n{order(8)}\n"
    assert told == (
        "nosend: 4 rows have neither an order id nor a buyer alias where the key should be, "
        "so may not be sent: line 3, 4, 7, 10\n"
    )
    assert run(path, data, "--blocked", code=2) == (f"order-id,x\n{LISTED},4\n".encode(), told)
    many = "x,order\n" + "1\n" * 5000
    assert "5,000 rows have neither" in run(path, many, code=2)[1]
    assert run(path, many, code=2)[1].endswith("line 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 ...\n")


def test_purpose_opens_listed_rows_as_check_does(path: Path) -> None:
    data = f"order\n{FREE}\n{LISTED}\n".encode()
    assert run(path, data, "--purpose", "shipping-address")[0] == data
    assert run(path, data, "--purpose", "shipping-address", "--blocked")[0] == b"order\n"
    assert run(path, data, "--purpose", "delay")[0] == f"order\n{FREE}\n".encode()
    out, told = run(path, data, "--purpose", "newsletter", code=2)
    assert (out, "unknown purpose 'newsletter': choose one of" in told) == (b"", True)


def test_quotation_marks_between_tabs_are_text_as_in_amazons_flat_files(path: Path) -> None:
    """An inch mark at the beginning of a cell would else take the rows up to the next one for its text."""
    rows = f'order-id\tproduct\n{FREE}\t"Deluxe edition\n{LISTED}\tlamp\n"{order(8)}"\tmodel 5"\n'
    first, *_, last = rows.splitlines(keepends=True)[1:]
    header = "order-id\tproduct\n"
    assert sifted(path, rows.encode()) == f"{header}{first}{last}".encode()
    assert sifted(path, rows.encode(), blocked=True) == f"{header}{LISTED}\tlamp\n".encode()
    annotated = sifted(path, rows.encode(), annotate=True).decode().splitlines()
    assert [line.count("\t") for line in annotated] == [2] * 4


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252"])
def test_annotate_adds_answer_and_reason_to_every_row(path: Path, encoding: str) -> None:
    data = f'é,order\r\n1,{FREE}\r\n"ü\r\n",{LISTED}\r\n3,x\r\n4,{buyer()}'.encode(encoding)
    out = sifted(path, data, annotate=True)
    rows = list(csv.reader(io.StringIO(out.decode(encoding), newline="")))
    assert [row[:2] for row in rows] == list(csv.reader(io.StringIO(data.decode(encoding), newline="")))
    why = "l'acheteur a choisi de ne pas re\u00e7evoir \u2014 \u8cfc\u5165\u8005".encode(encoding, "replace").decode(
        encoding
    )
    opted_out = "do-not-send: the buyer opted out on 2025-03-01: marker:"
    assert [row[2] for row in rows] == [
        "nosend",
        "send: not on the blacklist",
        f"{opted_out} {why}",
        "no-key: neither an order id nor a buyer alias",
        f"{opted_out} the buyer has chosen to opt out",
    ]
    assert out.count(b"\r\n") == data.count(b"\r\n")
    blocked = sifted(path, data, annotate=True, blocked=True)
    assert blocked == b"".join(out.splitlines(keepends=True)[n] for n in (0, 2, 3, 5))


def test_annotated_plain_lines_get_a_tab(path: Path) -> None:
    assert sifted(path, f"{FREE}\n".encode(), annotate=True) == f"{FREE}\tsend: not on the blacklist\n".encode()


@pytest.mark.parametrize(
    ("data", "words", "message"),
    [
        (b"name,city\n", (), "aliases: choose one with --column, the columns are 'name', 'city'"),
        (b"order," + b"x" * 200_000 + b"\n", (), "the first line is no header of a CSV"),
        (b"\xff\xfe\0\0o\0\0\0", (), "UTF-32"),
        (b"name,city\nx,y\n", (), "no column is known to hold order ids or aliases: choose one"),
        ("名前,市\nx,y\n".encode(), (), "choose one with --column, the columns are '名前', '市'"),
        (b"order-id,buyer-email\n", (), "more than one column may hold order ids or aliases: choose one with --column"),
        (b"name,city\n", ("--column", "order"), "no column has the name 'order': the columns are 'name', 'city'"),
        (b"a,a\n", ("--column", "a"), "more than one column has the name 'a'"),
        (f"x,{FREE}\n".encode(), (), "must name the columns"),
        (f"{FREE}\n".encode(), ("--column", "order"), "no column has the name 'order'"),
        ("order\n".encode("utf-16"), (), "UTF-16"),
        (f'order,x\n{FREE},"a"b\n'.encode(), (), "line 2 is no CSV with the delimiter ','"),
        (f'order,x\n{FREE},"a\n{FREE},b\n'.encode(), (), "line 2 is no CSV with the delimiter ','"),
        (f'order,x\n{FREE},"{"a" * 140_000}"\n'.encode(), (), "line 2 is no CSV with the delimiter ','"),
    ],
)  # fmt: skip
def test_file_that_cannot_be_understood_is_an_error(path: Path, data: bytes, words: tuple, message: str) -> None:
    out, told = run(path, data, *words, code=2)
    assert message in told
    assert FREE.encode() not in out


@pytest.mark.parametrize("name", table.USUAL_NAMES)
def test_columns_of_usual_names_are_found_by_themselves(path: Path, name: str) -> None:
    for written in (name, name.upper().replace("-", "_"), name.replace("-", " ").title()):
        assert sifted(path, f"x;{written};y\n1;{LISTED};2\n".encode()) == f"x;{written};y\n".encode()


def test_named_column_is_taken_though_another_is_usual(path: Path) -> None:
    data = f"order-id,Käufer\n{FREE},{buyer()}\n{LISTED},{buyer(9)}\n".encode()
    assert sifted(path, data, "Käufer") == f"order-id,Käufer\n{LISTED},{buyer(9)}\n".encode()


def test_list_that_was_never_read_is_an_error(tmp_path: Path) -> None:
    Ledger(tmp_path / "nosend.db").close()
    out, told = run(tmp_path / "nosend.db", f"{FREE}\n", code=75)
    assert (out, "no mail was ever read into it" in told) == (b"", True)
    out, told = run(tmp_path / "other.db", f"{FREE}\n", code=2)
    assert (out, "does not exist" in told) == (b"", True)


def test_mailbox_that_was_never_read_to_its_end_is_told(nosend: Shell) -> None:
    with Ledger(nosend.folder / "nosend.db") as ledger:
        ledger.record([judged(1)], NOW)
        ledger.round_done("shop", NOW, "cannot be reached")
    assert "never read to its end: shop" in run(nosend.folder / "nosend.db", f"{FREE}\n")[1]


def test_reader_that_has_had_enough_ends_it_with_141(path: Path) -> None:
    asked = f"{sys.executable} -m nosend filter --database '{path}'"
    command = f"yes {FREE} | head -200000 | ({asked}; echo $? >&2) | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"{FREE}\n", "141\n")


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=8) | st.sampled_from(
    ["a\nb", "a\r\nb", '"', ",", ";", "\t"]
)
KEYS = st.sampled_from(
    [order(1), order(9), buyer().upper(), buyer(9), f"[{order(2)}]", order(3).replace("-", "\u2011")]
)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(CELLS, KEYS, CELLS), max_size=8),
    delimiter=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    purpose=st.sampled_from([None, "delay", "shipping-address"]),
)
def test_what_passes_is_what_check_allows(rows, delimiter: str, end: str, quoting: int, purpose: str | None) -> None:
    """Both halves together are all rows; each row stands in the half that `check` names, unchanged."""

    def written(rows) -> str:
        if delimiter == "\t":  # as Amazon writes: a row is a line, quotation marks are text
            return "".join("\t".join(re.sub(r"[\t\r\n]", " ", cell) for cell in row) + end for row in rows)
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
        return text.getvalue()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nosend.db"
        with Ledger(path) as ledger:
            ledger.record([judged(1, alias=buyer()), judged(2), judged(3)], NOW)
        with Blacklist(path) as blacklist:
            allowed = [row for row in rows if blacklist.check(row[1], purpose).may_send]
            refused = [row for row in rows if not blacklist.check(row[1], purpose).may_send]
        data = written([("a", "order", "b"), *rows]).encode()
        assert sifted(path, data, purpose=purpose) == written([("a", "order", "b"), *allowed]).encode()
        assert sifted(path, data, purpose=purpose, blocked=True) == written([("a", "order", "b"), *refused]).encode()


def big(folder: Path, entries: int, rows: int) -> tuple[Path, Path]:
    """Make a list and a CSV of which every third row is listed."""
    path, file = folder / "nosend.db", folder / "rows.csv"
    with Ledger(path) as ledger:
        ledger.record([judged(1)], NOW)
    chance = random.Random(5)
    db = sqlite3.connect(path)
    values = ((f"222-{n // 10**7:07}-{n % 10**7:07}",) for n in chance.sample(range(10**12), entries))
    db.executemany(
        "INSERT INTO entries SELECT kind, ?, account, marketplace, opted_out_at, listed_at, last_notice_at, notices,"
        f" source, why, expires_at FROM entries WHERE value = '{order(1)}'",
        values,
    )  # fmt: skip
    db.commit()
    listed = [value for (value,) in db.execute("SELECT value FROM blacklist")]
    db.close()
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["row", "order-id", "note"])
        for row in range(rows):
            key = chance.choice(listed) if row % 3 == 0 else f"333-{chance.randrange(10**7):07}-{row % 10**7:07}"
            writer.writerow([row, key, 'Größe "5"\n, zwei' if row % 7 == 0 else "plain"])
    return path, file


def joined(path: Path, file: Path) -> list[tuple[str, ...]]:
    """Give the rows that may be sent, by an SQL join over the same file."""
    db = sqlite3.connect(path)
    db.execute("CREATE TEMP TABLE rows (row TEXT, key TEXT, note TEXT)")
    with file.open(newline="") as data:
        db.executemany("INSERT INTO rows VALUES (?, ?, ?)", list(csv.reader(data))[1:])
    found = db.execute(
        "SELECT row, key, note FROM rows LEFT JOIN blacklist ON value = key WHERE value IS NULL ORDER BY rows.rowid"
    ).fetchall()
    db.close()
    return found


def filtered(path: Path, file: Path, out: Path) -> float:
    """Run the command over a file; give the most memory it took, in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with file.open("rb") as data, out.open("wb") as to:
        process = subprocess.Popen(
            [sys.executable, "-m", "nosend", "filter", "--database", path], stdin=data, stdout=to
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = status
    assert (status, before >= 0) == (0, True)
    return used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def test_many_rows_are_those_of_an_sql_join(tmp_path: Path) -> None:
    path, file = big(tmp_path, 20_000, 100_000)
    filtered(path, file, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as out:
        assert [tuple(row) for row in csv.reader(out)][1:] == joined(path, file)


@pytest.mark.soak
def test_five_million_rows_take_no_more_memory_than_a_few(tmp_path: Path) -> None:
    path, file = big(tmp_path, 200_000, 5_000_000)
    with file.open("rb") as data:
        (tmp_path / "few.csv").write_bytes(b"".join(data.readline() for _ in range(100_000)))
    few = filtered(path, tmp_path / "few.csv", tmp_path / "out")
    assert filtered(path, file, tmp_path / "out.csv") < few + 16
    with (tmp_path / "out.csv").open(newline="") as out:
        assert sum(1 for _ in csv.reader(out)) == len(joined(path, file)) + 1
