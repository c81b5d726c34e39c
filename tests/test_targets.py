"""The configured exports: whole at any moment, fitting their manifests, untouched when nothing changed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from conftest import UNTRUSTING, Shell, expected
from nosend import Blacklist
from nosend.config.exports import Content, Export
from nosend.errors import ConfigError, StoreUnavailableError
from nosend.export import targets
from nosend.model import Place
from nosend.store.ledger import Ledger
from nosend.store.lock import one_exporter
from samples import DAY, NOW, buyer, judged, notice, order, rows
from servers import Dovecot, free_port
from test_watch import add_mailbox, configure, watch  # noqa: F401 - a fixture


class Shop:
    """A database and one target beside it."""

    def __init__(self, folder: Path, content: Content | None = None, name: str = "list.txt") -> None:
        self.folder, self.database = folder, folder / "nosend.db"
        self.target = Export(folder / name, content or Content("txt"))

    def list_orders(self, numbers: Iterable[int], **options) -> None:
        with Ledger(self.database) as ledger:
            ledger.record([judged(number, **options) for number in numbers], NOW)

    def rewrite(self, now=NOW) -> None:
        assert targets.rewrite([self.target], self.database, now) == ()

    def manifest(self) -> dict:
        return json.loads(self.target.manifest.read_bytes())

    def fits(self) -> bool:
        return hashlib.sha256(self.target.file.read_bytes()).hexdigest() == self.manifest()["sha256"]

    def stands(self) -> list[tuple]:
        """Give what tells whether one of both files was touched."""
        found = (self.target.file, self.target.manifest)
        return [(one.stat().st_ino, one.stat().st_mtime_ns, one.read_bytes()) for one in found]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path)
    made.list_orders(range(1, 4))
    return made


def text(upto: int) -> bytes:
    """Give the list of orders 1 ... upto as txt."""
    return "".join(f"{order(number)}\n" for number in range(1, upto + 1)).encode()


def left_over(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


# What is written


def test_target_is_the_list_and_its_manifest_tells_what_is_in_it(shop: Shop) -> None:
    shop.rewrite()
    assert shop.target.file.read_bytes() == text(3)
    assert shop.manifest() == {
        "schema": 1, "file": "list.txt", "format": "txt", "kind": "both", "columns": [], "account": "",
        "count": 3, "bytes": len(text(3)), "sha256": hashlib.sha256(text(3)).hexdigest(),
        "seq": 3, "changed_at": "2025-03-09T08:00:00Z", "generated_at": "2025-03-09T08:00:00Z",
    }  # fmt: skip


def test_columns_kind_and_account_are_those_of_the_target(tmp_path: Path) -> None:
    content = Content("csv", "order", (("order_id", "Order-ID"), ("opted_out_at", "Date")), "shop")
    shop = Shop(tmp_path, content, "list.csv")
    shop.list_orders([1, 2], alias=buyer())
    shop.list_orders([3], place=Place("else", "INBOX", 7, 3))
    shop.rewrite()
    lines = [f"{order(number)},2025-03-01T12:00:00Z\r\n" for number in (1, 2)]
    assert shop.target.file.read_bytes().decode() == "Order-ID,Date\r\n" + "".join(lines)
    assert [shop.manifest()[name] for name in ("count", "columns", "account")] == [
        2, [["order_id", "Order-ID"], ["opted_out_at", "Date"]], "shop",
    ]  # fmt: skip


def test_new_manifest_gets_the_mode_of_the_file_and_old_ones_keep_theirs(shop: Shop) -> None:
    shop.target.file.touch(0o640)
    shop.target.file.chmod(0o640)
    shop.rewrite()
    assert [path.stat().st_mode & 0o777 for path in (shop.target.file, shop.target.manifest)] == [0o640, 0o640]
    shop.target.manifest.chmod(0o604)
    shop.list_orders([4])
    shop.rewrite()
    assert [path.stat().st_mode & 0o777 for path in (shop.target.file, shop.target.manifest)] == [0o640, 0o604]


# When it is written


def test_nothing_is_touched_when_nothing_changed(shop: Shop) -> None:
    shop.rewrite()
    before = shop.stands()
    shop.list_orders(range(1, 4))  # known already
    shop.rewrite(NOW + DAY)
    assert shop.stands() == before
    shop.list_orders([4])
    shop.rewrite(NOW + DAY)
    assert shop.target.file.read_bytes() == text(4)
    assert shop.manifest()["generated_at"] == "2025-03-10T08:00:00Z"


def _restored(shop: Shop) -> None:
    """Go back to an old state of the list, from which it counts up to the same number."""
    shutil.rmtree(shop.folder / "old", ignore_errors=True)
    for path in shop.folder.glob("nosend.db*"):
        path.unlink()
    with Ledger(shop.database) as ledger:
        ledger.record([judged(number) for number in (1, 2, 9)], NOW + timedelta(hours=1))


DAMAGES: dict[str, Callable[[Shop], object]] = {
    "file gone": lambda shop: shop.target.file.unlink(),
    "file cut": lambda shop: os.truncate(shop.target.file, 5),
    "file changed in place": lambda shop: shop.target.file.write_bytes(text(3).replace(b"1", b"2")),
    "another of that size in its place": lambda shop: _put_in_its_place(shop, text(3).replace(b"1", b"2")),
    "manifest gone": lambda shop: shop.target.manifest.unlink(),
    "manifest cut": lambda shop: os.truncate(shop.target.manifest, 50),
    "manifest of another kind": lambda shop: shop.target.manifest.write_text("[]"),
    "manifest of another schema": lambda shop: shop.target.manifest.write_text(
        json.dumps(shop.manifest() | {"schema": 0})
    ),
    "database restored": _restored,
}


def _put_in_its_place(shop: Shop, text: bytes) -> None:
    """As `cp -p` and `mv` do, with an old time."""
    other = shop.folder / "other"
    other.write_bytes(text)
    os.utime(other, (0, 0))
    other.replace(shop.target.file)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_is_not_what_it_should_be_is_written_again(shop: Shop, damage: Callable[[Shop], object]) -> None:
    shop.rewrite()
    damage(shop)
    shop.rewrite()
    listed = [value for (value,) in rows(shop.database, "SELECT value FROM blacklist ORDER BY 1")]
    assert shop.target.file.read_text().split() == listed
    assert (shop.fits(), shop.manifest()["schema"], shop.manifest()["count"]) == (True, 1, 3)


def test_other_columns_in_the_configuration_write_it_anew(shop: Shop) -> None:
    shop.rewrite()
    shop.target = Export(shop.target.file, Content("csv", columns=(("value", "Key"),)))
    shop.rewrite()
    assert shop.target.file.read_text().startswith("Key\n")
    assert shop.manifest()["columns"] == [["value", "Key"]]


def test_list_into_which_nothing_was_read_is_not_exported(tmp_path: Path) -> None:
    """An empty file would say that nobody opted out."""
    shop = Shop(tmp_path)
    Ledger(shop.database).close()
    (trouble,) = targets.rewrite([shop.target], shop.database, NOW)
    assert "no mail was ever read" in str(trouble)
    assert not shop.target.file.exists()


# What goes wrong


def test_a_crash_between_both_leaves_a_manifest_that_does_not_fit_and_is_mended(shop: Shop) -> None:
    """The file is new then, and seq is old: whoever asks for the changes since misses none."""
    shop.rewrite()
    old = shop.target.manifest.read_bytes()
    shop.list_orders([4])
    shop.rewrite()
    new = shop.stands()
    shop.target.manifest.write_bytes(old)
    assert not shop.fits()
    shop.rewrite()
    assert (shop.fits(), shop.manifest()["seq"], shop.target.file.read_bytes()) == (True, 4, new[0][2])


def test_the_manifest_is_never_put_in_place_before_its_file(shop: Shop) -> None:
    """It cannot be written here: the file is new, the manifest still the old one."""
    shop.rewrite()
    shop.target.manifest.unlink()
    shop.target.manifest.mkdir()
    shop.list_orders([4])
    (trouble,) = targets.rewrite([shop.target], shop.database, NOW)
    assert isinstance(trouble, ConfigError)
    assert str(shop.target.manifest) in str(trouble)
    assert shop.target.file.read_bytes() == text(4)


def test_a_target_in_trouble_does_not_hold_up_the_others(shop: Shop) -> None:
    lost = Export(shop.folder / "nowhere" / "list.txt", Content("txt"))
    os.mkfifo(shop.folder / "pipe")
    pipe = Export(shop.folder / "pipe", Content("txt"))
    troubles = targets.rewrite([lost, pipe, shop.target], shop.database, NOW)
    assert [type(trouble) for trouble in troubles] == [ConfigError, ConfigError]
    assert shop.target.file.read_bytes() == text(3)
    assert [state.trouble for state in targets.states([lost, pipe, shop.target], shop.database)] == [
        "its folder is not there, or this user may not write in it", "never written", "",
    ]  # fmt: skip


_REWRITE = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from nosend import Blacklist
from nosend.config.exports import Content, Export
from nosend.export import targets
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
target = Export(Path(sys.argv[2]), Content("txt"))
print(*targets.rewrite([target], Path(sys.argv[1]), datetime.now(UTC)))
"""


def test_full_disk_leaves_both_files_as_they_were(shop: Shop) -> None:
    shop.rewrite()
    before = shop.stands()
    shop.list_orders(range(4, 6_000))
    words = [sys.executable, "-c", _REWRITE, shop.database, shop.target.file]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert (
        done.stdout == f"{str(shop.target.file)!r} cannot be written (File too large): what stood there is untouched\n"
    )
    assert (shop.stands(), left_over(shop.folder)) == (before, [])
    (state,) = targets.states([shop.target], shop.database)
    assert state.trouble == "not up to date: the last change is 5999"
    shop.rewrite()
    assert shop.target.file.read_bytes() == text(5_999)


def test_one_process_at_a_time_writes_the_exports(shop: Shop) -> None:
    told = f"process {os.getpid()}\\) writes the exports"
    with one_exporter(shop.database), pytest.raises(StoreUnavailableError, match=told):
        one_exporter(shop.database, wait=0.0).__enter__()
    shop.rewrite()


# A reader at any moment


def read_while_rewritten(shop: Shop, reads: int, rewrites: int) -> None:
    """Read the export as often while the list grows by one order at a time; each look is a version, whole.

    The reader takes the manifest first, then the file, and begins again when they do not fit: as docs/exports.md says.
    """
    begun = 200
    shop.list_orders(range(1, begun))
    shop.rewrite()
    versions = {hashlib.sha256(text(upto)).hexdigest(): upto for upto in range(begun - 1, begun + rewrites)}
    seen: set[int] = set()
    fitting: set[int] = set()
    wrong: list[object] = []
    looks = 0

    def read() -> None:
        nonlocal looks
        while looks < reads or rewriting:
            looks += 1
            manifest, found = shop.manifest(), shop.target.file.read_bytes()
            digest = hashlib.sha256(found).hexdigest()
            if digest not in versions:
                wrong.append(found)
                return
            seen.add(versions[digest])
            if digest == manifest["sha256"]:
                fitting.add(versions[digest])
                if (manifest["count"], manifest["seq"]) != (versions[digest],) * 2:
                    wrong.append(manifest)
            elif manifest["seq"] > versions[digest]:
                wrong.append((manifest["seq"], versions[digest]))

    rewriting = True
    reader = threading.Thread(target=read)
    reader.start()
    with Ledger(shop.database) as ledger:
        for number in range(begun, begun + rewrites):
            ledger.record([judged(number)], NOW)
            shop.rewrite()
    rewriting = False
    reader.join()
    assert wrong == []
    assert looks >= reads
    assert len(seen) > rewrites / 10, "it looked while it was rewritten"
    assert fitting, "and found manifests that fit"
    assert left_over(shop.folder) == []


def test_reader_always_sees_a_whole_version_that_the_manifest_tells_apart(tmp_path: Path) -> None:
    read_while_rewritten(Shop(tmp_path), reads=1_000, rewrites=100)


@pytest.mark.soak
def test_reader_of_ten_thousand_looks_while_it_is_rewritten_a_thousand_times(tmp_path: Path) -> None:
    read_while_rewritten(Shop(tmp_path), reads=10_000, rewrites=1_000)


def test_entries_and_seq_are_of_the_same_moment(shop: Shop) -> None:
    """Another process adds to the list all the time; what the log says up to `seq` is what is in the file."""
    grower = subprocess.Popen([sys.executable, "-c", _GROW, shop.database], stdout=subprocess.PIPE)
    try:
        assert grower.stdout
        grower.stdout.readline()
        exported = set()
        while len(exported) < 20:
            shop.rewrite()
            seq = shop.manifest()["seq"]
            logged = rows(shop.database, "SELECT value FROM changes WHERE seq <= ? ORDER BY 1", seq)
            assert shop.target.file.read_text().split() == [value for (value,) in logged]
            exported.add(seq)
    finally:
        grower.kill()
        grower.wait()
        grower.stdout.close()


_LIST = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from nosend import Blacklist
from nosend.config.exports import Content, Export
from nosend.export import targets
from nosend.store.ledger import Ledger
from samples import NOW, judged
database = Path(sys.argv[1])
ledger = Ledger(database)
((first,),) = ledger._db.execute("SELECT count(*) + 1 FROM blacklist").fetchall()
"""
_GROW = f"""{_LIST}
print(first, flush=True)
for number in range(first, 10**6):
    ledger.record([judged(number)], NOW)
"""
_GROW_AND_WRITE = f"""{_LIST}
target = Export(Path(sys.argv[2]), Content("txt"))
print(first, flush=True)
for number in range(first, 10**6):
    ledger.record([judged(number)], NOW)
    assert targets.rewrite([target], database, NOW) == ()
"""


def killed_writers(shop: Shop, kills: int) -> None:
    """Kill a process that rewrites the export again and again; each time a whole version stands there."""
    shop.list_orders(range(1, 3_000))
    shop.rewrite()
    dice = random.Random(5)
    found_left_over = 0
    for _ in range(kills):
        words = [sys.executable, "-c", _GROW_AND_WRITE, shop.database, shop.target.file]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as writer:
            assert writer.stdout
            writer.stdout.readline()
            time.sleep(dice.uniform(0.0, 0.15))
            writer.send_signal(signal.SIGKILL)
        assert writer.returncode == -signal.SIGKILL
        found_left_over += bool(left_over(shop.folder))
        stands = shop.target.file.read_bytes()
        assert stands == text(stands.count(b"\n"))
        assert shop.manifest()["seq"] <= stands.count(b"\n")
        ((listed,),) = rows(shop.database, "SELECT count(*) FROM blacklist")
        shop.list_orders([listed + 1])
        shop.rewrite()
        assert (shop.target.file.read_bytes(), shop.fits()) == (text(listed + 1), True)
        assert left_over(shop.folder) == []
    assert found_left_over, "some were killed in the middle of a file"


def test_killed_writers_leave_a_whole_file_and_the_next_cleans_up(tmp_path: Path) -> None:
    killed_writers(Shop(tmp_path), kills=8)


@pytest.mark.soak
def test_two_hundred_killed_writers_leave_a_whole_file(tmp_path: Path) -> None:
    killed_writers(Shop(tmp_path), kills=200)


# The verbs that change the list


def add_export(nosend: Shell, file: str = "list.txt", **keys: object) -> None:
    lines = [f"{name} = {json.dumps(value)}" for name, value in {"file": file, **keys}.items()]
    with (nosend.folder / "config.toml").open("a") as config:
        config.write("\n".join(["[[export]]", *lines, ""]))


def exported(nosend: Shell, file: str = "list.txt") -> list[str]:
    """Give the lines of an export whose manifest fits."""
    found = (nosend.folder / file).read_bytes()
    manifest = json.loads((nosend.folder / f"{file}.manifest.json").read_bytes())
    assert hashlib.sha256(found).hexdigest() == manifest["sha256"]
    return found.decode().split()


def test_sync_writes_what_is_known_though_a_mailbox_and_a_target_are_in_trouble(
    nosend: Shell, dovecot: Dovecot
) -> None:
    dovecot.fill("targets", [notice(1), notice(2)])
    nosend.configure("targets", free_port(), account="dead")
    add_mailbox(nosend, "shop", "targets", dovecot.port)
    add_export(nosend, "nowhere/list.csv")
    add_export(nosend)
    done = nosend("sync", code=2)
    assert "nowhere/list.csv' is no file that can be made" in done.stderr
    assert exported(nosend) == [order(1), order(2)]
    stands = (nosend.folder / "list.txt").stat()
    (nosend.folder / "nowhere").mkdir()
    assert "is no file" not in nosend("sync", code=75).stderr
    assert (nosend.folder / "nowhere" / "list.csv").exists()
    assert (nosend.folder / "list.txt").stat() == stands, "nothing has changed for this one"


def test_scan_review_and_rebuild_bring_the_exports_up_to_date(nosend: Shell) -> None:
    nosend.configure("nobody", free_port())
    add_export(nosend, kind="order")
    suspect = next(one for one in UNTRUSTING if expected(one)["verdict"] == "suspect" and expected(one)["orders"])
    (nosend.folder / "notice.eml").write_bytes(notice(1))
    nosend("scan", "notice.eml", suspect)
    assert exported(nosend) == [order(1)]
    number = nosend("review").stdout.split()[0]
    one = expected(suspect)["orders"][0]
    nosend("review", "accept", number, *(("--order", one) if len(expected(suspect)["orders"]) > 1 else ()))
    assert exported(nosend) == sorted([order(1), one])
    nosend("review", "reject", number)
    assert exported(nosend) == [order(1)]
    with Ledger(nosend.folder / "nosend.db") as ledger:
        ledger._db.execute("DELETE FROM entries")
    nosend("rebuild")
    assert exported(nosend) == [order(1)]
    assert json.loads((nosend.folder / "list.txt.manifest.json").read_bytes())["seq"] == 4


def test_another_database_does_not_get_into_the_exports(nosend: Shell) -> None:
    nosend.configure("nobody", free_port())
    add_export(nosend)
    (nosend.folder / "notice.eml").write_bytes(notice(1))
    nosend("scan", "--database", "other.db", "notice.eml")
    assert not (nosend.folder / "list.txt").exists()
    nosend("scan", "--database", str(nosend.folder / "nosend.db"), "notice.eml")
    assert exported(nosend) == [order(1)]


def test_scan_by_database_is_done_though_the_configuration_is_wrong_and_says_so(nosend: Shell) -> None:
    (nosend.folder / "notice.eml").write_bytes(notice(1))
    nosend("scan", "--database", "nosend.db", "--account", "shop", "notice.eml")
    (nosend.folder / "config.toml").write_text("[[export]]\n")
    done = nosend("rebuild", "--database", "nosend.db", code=2)
    assert "1 entries" in done.stderr
    assert "export 1: file is missing" in done.stderr


def test_status_tells_the_last_write_of_each_export_and_its_trouble(nosend: Shell) -> None:
    nosend.configure("nobody", free_port())
    add_export(nosend)
    add_export(nosend, "list.csv")
    Ledger(nosend.folder / "nosend.db").close()
    assert nosend("status").stdout.count("no mail was ever read") == 2, "and not an error of `status`"
    (nosend.folder / "notice.eml").write_bytes(notice(1))
    nosend("scan", "notice.eml")
    (nosend.folder / "list.csv").unlink()
    told = json.loads(nosend("status", "--json").stdout)["exports"]
    assert [(one["file"], one["count"], one["seq"], one["trouble"]) for one in told] == [
        ("list.txt", 1, 1, ""), ("list.csv", 1, 1, "is gone"),
    ]  # fmt: skip
    text = nosend("status").stdout
    assert f"export list.txt: written {told[0]['generated_at']}, 1 entries, change 1\n" in text
    assert "export list.csv: " in text
    assert "in trouble: is gone" in text


def test_doctor_warns_of_an_export_that_cannot_be_written(nosend: Shell) -> None:
    nosend.configure("nobody", free_port())
    add_export(nosend, "nowhere/list.csv")
    assert "export = 'nowhere/list.csv': its folder is not there" in nosend("doctor", code=None).stdout


def test_watch_writes_after_rounds_and_tells_a_trouble_once(nosend: Shell, dovecot: Dovecot, watch) -> None:  # noqa: F811
    dovecot.fill("exports", [notice(1)])
    configure(nosend, "exports", dovecot.port, {"poll_seconds": 290})
    add_export(nosend, "nowhere/list.txt")
    add_export(nosend)
    running = watch()
    running.until_told("nowhere/list.txt' is no file")
    running.until((nosend.folder / "list.txt.manifest.json").exists)
    assert exported(nosend) == [order(1)]
    for number in (2, 3):
        dovecot.fill("exports", [notice(number)])
        running.poll_now()
        running.until(lambda n=number: (nosend.folder / "list.txt").read_text().count("\n") == n)
    assert running.told().count("is no file") == 1
    assert "its folder is not there" in nosend("status").stdout
    (nosend.folder / "nowhere").mkdir()
    running.poll_now()
    running.until_told("the exports are written again")
    running.end()
    assert exported(nosend) == exported(nosend, "nowhere/list.txt") == [order(1), order(2), order(3)]


def test_watch_takes_other_exports_with_a_new_configuration(nosend: Shell, dovecot: Dovecot, watch) -> None:  # noqa: F811
    dovecot.fill("more-exports", [notice(1)])
    configure(nosend, "more-exports", dovecot.port, {"poll_seconds": 290})
    running = watch()
    running.until_listed(order(1))
    add_export(nosend, "late.txt")
    running.process.send_signal(signal.SIGHUP)
    running.until((nosend.folder / "late.txt.manifest.json").exists)
    running.end()
    assert exported(nosend, "late.txt") == [order(1)]


def test_what_a_person_adds_meanwhile_is_in_the_file_and_told(nosend: Shell, dovecot: Dovecot, watch) -> None:  # noqa: F811
    """All ways out at once: the file, the sink, and `Blacklist`; also of what another process wrote."""
    dovecot.fill("all-ways", [notice(1)])
    configure(nosend, "all-ways", dovecot.port, {"poll_seconds": 290})
    add_export(nosend)
    told = nosend.folder / "told"
    told.write_text("")
    with (nosend.folder / "config.toml").open("a") as file:
        file.write('\n[[sink]]\nname = "told"\ncommand = ["sh", "-c", "cat >> told; echo >> told"]\n')
    running = watch()
    running.until_listed(order(1))
    with Blacklist(nosend.folder / "nosend.db") as blacklist:
        assert order(5) not in blacklist
        nosend("add", order(5), "--reason", "by phone", "--account", "shop")
        assert order(5) in blacklist
        assert exported(nosend) == [order(1), order(5)]
        running.until(lambda: told.read_text().count("\n{") == 1)
        nosend("remove", order(5), "--reason", "a mistake")
        assert order(5) not in blacklist
        assert exported(nosend) == [order(1)]
        running.until(lambda: told.read_text().count("\n{") == 2)
    running.end()
    events = [json.loads(line)["data"] for line in told.read_text().splitlines() if line]
    assert [(one["action"], one["value"]) for one in events] == [
        ("added", order(1)), ("added", order(5)), ("removed", order(5)),
    ]  # fmt: skip
