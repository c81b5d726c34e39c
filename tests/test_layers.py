"""The direction in which imports point. The order is read from the map in `nosend/__init__.py` itself."""

from __future__ import annotations

import ast
import re

import pytest

import nosend
from conftest import ROOT

SOURCE = ROOT / "src" / "nosend"
FILES = {file.relative_to(SOURCE).as_posix(): file.read_text(encoding="utf-8") for file in SOURCE.rglob("*.py")}
TESTS = {file.name: file.read_text(encoding="utf-8") for file in (ROOT / "tests").glob("*.py")}
MAP = [line.split("  ")[0] for line in re.findall(r"^    (\S.*)$", nosend.__doc__ or "", re.MULTILINE)]
FLOOR = {name: number for number, name in enumerate(", ".join(MAP).split(", "))}  # a line from left to right
ROOMS = {name.partition("/")[0].removesuffix(".py") for name in FILES} - {"__init__", "__main__"}

OWNERS = {  # who may load what, as the beginnings of file names
    "imapclient": ("mailbox/connection.py", "mailbox/imap.py", "mailbox/sasl.py", "demo/"),
    "imaplib": ("mailbox/connection.py", "mailbox/imap.py", "mailbox/sasl.py"),
    "bs4": ("letter/html.py",),
    "sqlite_utils": ("store/",),
    "sqlite3": ("store/",),
    "click": ("cli/",),
    "dkim": ("mailbox/dkim.py",),
    "dns": ("mailbox/dkim.py",),
    "keyring": ("mailbox/secret.py",),
    "urllib.request": ("web.py",),
    "http": ("web.py", "oauth/", "export/sinks.py", "monitor/endpoint.py"),
}
PURE = ("model.py", "entry.py", "errors.py", "identifiers.py", "standing.py", "permission.py", "letter/", "verdict/")
IMPURE = ("os", "sys", "socket", "ssl", "sqlite3", "logging", "time", "subprocess", "tempfile", "random")


def imported(source: str) -> list[str]:
    """Give the dotted names of all imports, also those inside functions and for type checkers only."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names]
    return names


def room(name: str) -> str:
    """Give the room of a file or of a dotted name below nosend, "nosend" for the house itself."""
    first = re.split(r"[./]", name.removeprefix("nosend."))[0]
    return first if first in ROOMS else "nosend"


def loads(source: str, package: str) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for name in imported(source))


def wrong_arrows(files: dict[str, str]) -> list[str]:
    """Tell the imports that point down the map. The house itself is above its rooms only for its version."""
    wrong = []
    for file, source in sorted(files.items()):
        here = room(file)
        for name in imported(source):
            if name.startswith("."):
                wrong.append(f"{file}: {name} (relative)")
            if not name.startswith("nosend.") or here in {"nosend", room(name)}:
                continue
            allowed = name == "nosend.__version__" or FLOOR.get(room(name), 99) < FLOOR.get(here, 99)
            if not allowed:
                wrong.append(f"{file}: {name}")
    return wrong


def test_map_shows_every_room_once() -> None:
    """The demo stands outside: it runs the command, and only the command knows of it."""
    assert set(FLOOR) == ROOMS - {"demo"}
    assert len(FLOOR) == len(", ".join(MAP).split(", "))


def test_imports_only_point_up_the_map() -> None:
    arrows = [name for file, source in FILES.items() for name in imported(source) if name.startswith("nosend.")]
    assert len(arrows) > 50, "the house was seen"
    demo = "cli/intake.py: nosend.demo.show"
    assert [arrow for arrow in wrong_arrows(FILES) if arrow != demo] == []


@pytest.mark.parametrize(
    ("file", "source", "wrong"),
    [
        ("letter/mime.py", "from nosend.verdict import judge", ["nosend.verdict.judge"]),
        ("letter/mime.py", "def f():\n    from nosend import service", ["nosend.service"]),
        ("verdict/x.py", "if TYPE_CHECKING:\n    from nosend.config import Settings", ["nosend.config.Settings"]),
        ("store/x.py", "import nosend.cli.terminal", ["nosend.cli.terminal"]),
        ("store/x.py", "from nosend import recognize", ["nosend.recognize"]),
        ("standing.py", "from nosend.permission import decide", ["nosend.permission.decide"]),
        ("store/x.py", "from . import rows", [". (relative)"]),
        ("verdict/x.py", "from nosend import letter, verdict\nfrom nosend.letter import mime", []),
        ("cli/x.py", "from nosend import __version__, service\nimport bs4", []),
    ],
)  # fmt: skip
def test_reversed_arrow_would_be_seen(file: str, source: str, wrong: list[str]) -> None:
    assert [arrow.split(": ")[1].replace("..rows", ".") for arrow in wrong_arrows({file: source})] == wrong


@pytest.mark.parametrize("package", OWNERS)
def test_only_its_owner_loads_a_package(package: str) -> None:
    loading = {file for file, source in FILES.items() if loads(source, package)}
    assert loading, "the owner loads it"
    assert {file for file in loading if not file.startswith(OWNERS[package])} == set()


def test_every_outside_package_has_an_owner() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = project.partition("\ndependencies = [")[2].partition("]")[0]
    names = {"beautifulsoup4": "bs4"}
    needed = {names.get(n, n).replace("-", "_") for n in re.findall(r'^    "([a-z0-9-]+)', block, re.MULTILINE)}
    assert needed == {"imapclient", "bs4", "lxml", "sqlite_utils", "click"}
    assert needed - {"lxml"} <= set(OWNERS), "lxml is bs4's parser and has no other user"


def calls(source: str) -> set[str]:
    """Give what is called, as it is written: `print`, `sys.exit`, `datetime.now`."""
    return {ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}


def test_only_the_command_prints_and_exits() -> None:
    talking = {"print", "sys.exit", "exit", "quit", "os._exit", "click.echo", "sys.stdout.write", "sys.stderr.write"}
    found = {file: calls(source) & talking for file, source in FILES.items() if calls(source) & talking}
    assert {file for file in found if not file.startswith("cli/")} == set()
    assert found["cli/__init__.py"] == {"sys.exit"}


def test_pure_rooms_reach_for_nothing() -> None:
    """No socket, no file, no SQL, no clock, no configuration, no log: values in, values out."""
    pure = {file: source for file, source in FILES.items() if file.startswith(PURE)}
    assert {room(file) for file in pure} == {
        "model", "entry", "errors", "identifiers", "letter", "verdict", "standing", "permission",
    }  # fmt: skip
    found = [
        f"{file}: {name}"
        for file, source in pure.items()
        for name in imported(source)
        if name.split(".")[0] in IMPURE or name.startswith(("nosend.config", "urllib.request"))
    ]
    assert found == []
    clocks = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.monotonic", "open"}
    assert {file: calls(source) & clocks for file, source in pure.items() if calls(source) & clocks} == {}


def test_only_intake_and_command_look_at_a_clock() -> None:
    looking = {file for file, source in FILES.items() if calls(source) & {"datetime.now", "time.time"}}
    assert looking == {"judging.py", "oauth/client.py", "oauth/kept.py"}, "a token runs out by the clock"


def test_pure_rooms_and_the_store_do_not_log() -> None:
    """Who logs can be counted: what is logged must be looked at for secrets and for what mails say."""
    loading = {file for file, source in FILES.items() if "logging" in imported(source)}
    allowed = ("log.py", "delivery", "monitor/", "service", "watch/", "mailbox/", "cli/")
    assert {file for file in loading if not file.startswith(allowed)} == set()


def test_only_the_store_speaks_sql() -> None:
    words = re.compile(r"\b(SELECT .+ FROM|INSERT (OR \w+ )?INTO|DELETE FROM|CREATE (TABLE|VIEW)|UPDATE \w+ SET)\b")
    speaking = {
        file
        for file, source in FILES.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and words.search(node.value)
    }
    assert {room(file) for file in speaking} == {"store"}


def test_nothing_is_mocked_in_the_tests() -> None:
    assert len(TESTS) >= 8
    mocking = {
        name
        for name, source in TESTS.items()
        if {"unittest.mock", "mock"} & set(imported(source))
        or any(one.startswith(("unittest.mock.", "mock.", "pytest_mock", "unittest.mock")) for one in imported(source))
        or {"monkeypatch.setattr", "monkeypatch.setitem", "mocker.patch"} & calls(source)
    }
    assert mocking == set()
