"""Language packs: every mistake is refused with file, line and reason; a user's pack is heard as nosend's are."""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

from conftest import Shell
from letters import AMAZON, ORDER, STRANGER, mail
from nosend import letter, recognize, verdict
from nosend.config import packs
from nosend.errors import ConfigError
from nosend.letter.marks import FIELDS
from nosend.model import How, Kind, Trust
from nosend.verdict import packfile, rules, wording

# A language that nosend does not know; each line of it can be wrong
FINNISH = f"""\
name = "fi"
version = 1
failure_subjects = ["viestiäsi ei toimitettu"]
forward_prefixes = ["VL:"]
forward_lines = ["Välitetty viesti"]

[forward_fields]
from = ["Lähettäjä"]
date = ["Päiväys"]
subject = ["Aihe"]

[[opt_out]]
rule = "opt-out"
confirmed = true
seen = "a notice of amazon.fi, November 2026"
wording = "lähettämääsi viestiä{{gap}}tilaukseen {{order}} ei voitu toimittaa, koska ostaja ei halua viestejä"
samples = ["Lähettämääsi viestiä Matille tilaukseen {ORDER} ei voitu toimittaa, koska ostaja ei halua viestejä."]

[[other]]
rule = "closed-thread"
wording = "keskustelu ostajan kanssa on suljettu"
samples = ["Keskustelu ostajan kanssa on suljettu."]
"""
SENTENCE = f"Lähettämääsi viestiä Liisalle tilaukseen {ORDER} ei voitu toimittaa, koska ostaja ei halua viestejä."
CLOSED = "Viestiä ei lähetetty: keskustelu ostajan kanssa on suljettu."
CONFIRMED = {
    "en.opt-out", "en.content-filter", "en.restricted", "fr.opt-out", "it.opt-out", "ja.opt-out"
}  # fmt: skip


def known(*texts: str) -> rules.Rules:
    return rules.load((f"{number}.toml", text) for number, text in enumerate(texts))


def changed(**lines: str) -> str:
    """Give FINNISH with the first line of these keys written otherwise; "" leaves a line out."""
    text = FINNISH
    for key, line in lines.items():
        (old,) = re.findall(rf"^{key} = .*\n", text, re.MULTILINE)[:1]
        text = text.replace(old, line + "\n" if line else "", 1)
    return text


def refused(text: str) -> list[str]:
    """Give what is told about a wrong pack, without the name of its file."""
    with pytest.raises(ConfigError) as caught:
        rules.load([("my/fi.toml", text)])
    assert all(problem.startswith("my/fi.toml:") for problem in caught.value.problems), caught.value.problems
    return [problem.removeprefix("my/fi.toml:") for problem in caught.value.problems]


def test_the_pack_that_the_mistakes_are_made_in_is_right() -> None:
    (pack,) = (one for one in known(FINNISH).packs if one.name == "fi")
    assert [(one.rule, one.version, one.confirmed) for one in pack.wordings] == [
        ("fi.opt-out", 1, True),
        ("fi.closed-thread", 1, False),
    ]
    assert (pack.failure_subjects, pack.forward_prefixes) == (("viestiasi ei toimitettu",), ("vl:",))
    assert pack.forward_lines == ("välitetty viesti",)
    assert {key: words for key, words in pack.forward_fields if words} == {
        "from": ("lähettäjä",), "date": ("päiväys",), "subject": ("aihe",)
    }  # fmt: skip


A_WORD = 'must be a word like "de" or "pt-br", in small letters'
NO_LABEL = "is no label: 25 characters at most, no digit or colon in it"
KEYS = "name, version, opt_out, other, forward_fields, failure_subjects, forward_prefixes, forward_lines"
A_RULE = 'must be a word like "opt-out", in small letters'


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ({"name": ""}, '1: name is missing: name = "de", or another word for this pack'),
        ({"name": "name = 7"}, f"1: name = 7 {A_WORD}"),
        ({"name": 'name = "Suomi"'}, f"1: name = 'Suomi' {A_WORD}"),
        ({"name": r'name = "fi\u001b"'}, rf"1: name = 'fi\x1b' {A_WORD}"),
        ({"name": f'name = "{"f" * 41}"'}, f"1: name = '{'f' * 41}' {A_WORD}"),
        ({"version": ""}, "1: version is missing: version = 1, and one more with each change"),
        ({"version": "version = 0"}, "2: version = 0 must be a whole number from 1 to 1000000"),
        ({"version": "version = true"}, "2: version = True must be a whole number from 1 to 1000000"),
        ({"version": 'version = "1"'}, "2: version = '1' must be a whole number from 1 to 1000000"),
        ({"version": "version = 1000001"}, "2: version = 1000001 must be a whole number from 1 to 1000000"),
        ({"forward_lines": 'forward_lines = "one"'}, '5: forward_lines must be a list of texts like ["one", "two"]'),
        ({"forward_lines": "forward_lines = [7]"}, '5: forward_lines: 7 is no text: write ["one", "two"]'),
        ({"forward_lines": 'forward_lines = [" "]'}, "5: forward_lines: ' ' is no text: write [\"one\", \"two\"]"),
        ({"forward_lines": 'forward_lines = ["---"]'}, "5: forward_lines: '---' has too few letters to tell anything"),
        ({"forward_prefixes": 'forward_prefixes = [":"]'},
         "4: forward_prefixes: ':' has too few letters to tell anything"),
        ({"failure_subjects": 'failure_subjects = ["..."]'},
         "3: failure_subjects: '...' has too few letters to tell anything"),
        ({"failure_subjects": r'failure_subjects = ["ei toimitettu\u0007"]'},
         r"3: failure_subjects: '\x07' is a character that no mail writes"),
        ({"failure_subjects": 'failure_subject = ["x"]'},
         "3: unknown key 'failure_subject': did you mean 'failure_subjects'?"),
        ({"failure_subjects": "quux = 1"},
         f"3: unknown key 'quux': known are {KEYS}"),
        ({"from": 'from = "Lähettäjä"'}, '8: from must be a list of texts like ["one", "two"]'),
        ({"from": 'form = ["Lähettäjä"]'}, "8: unknown key 'form': did you mean 'from'?"),
        ({"from": 'from = ["Aihe"]'}, "10: subject: 'aihe' is a word for 'from' already"),
        ({"from": 'from = ["klo 12"]'}, f"8: from: 'klo 12' {NO_LABEL}"),
        ({"from": 'from = [":"]'}, f"8: from: '' {NO_LABEL}"),
        ({"rule": ""}, '12: rule is missing: rule = "opt-out", or another name for this wording'),
        ({"rule": 'rule = "Opt Out"'}, f"13: rule = 'Opt Out' {A_RULE}"),
        ({"rule": 'rule = ["a"]'}, f"13: rule = ['a'] {A_RULE}"),
        ({"confirmed": 'confirmed = "yes"'}, "14: confirmed = 'yes' must be true or false"),
        ({"seen": ""}, "12: seen: say where the wording of a confirmed rule was seen"),
        ({"seen": 'seen = " "'}, "15: seen: say where the wording of a confirmed rule was seen"),
        ({"seen": "seen = 2026"}, '15: seen = 2026 must be a text in "quotes"'),
        ({"seen": r'seen = "here\u0000"'}, r"15: seen: '\x00' is a character that no mail writes"),
        ({"wording": ""}, "12: wording is missing: one sentence in quotes, with {order} where the order id stands"),
        ({"wording": "wording = 7"},
         "16: wording is missing: one sentence in quotes, with {order} where the order id stands"),
        ({"wording": r'wording = "ei voitu toimittaa {order}\uE000"'},
         "16: wording: '\\ue000' is a character that no mail writes"),
        ({"samples": ""}, "12: samples is missing: give at least one sentence that the rule must find"),
        ({"samples": "samples = []"}, "17: samples is missing: give at least one sentence that the rule must find"),
        ({"samples": 'samples = ["yksi", 2]'}, '17: samples: 2 is no text: write ["one", "two"]'),
        ({"samples": 'sample = ["x"]\nsamples = ["y"]'}, "17: unknown key 'sample': did you mean 'samples'?"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_its_line_and_what_would_be_right(lines: dict[str, str], told: str) -> None:
    assert refused(changed(**lines)) == [told]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tilaukseen ei voitu toimittaa", "an opt-out names exactly one {order}"),
        ("{order} {order} ei voitu toimittaa", "an opt-out names exactly one {order}"),
        ("{name} tilaukseen {order} ei voitu", "'{name}' is no place: there are {order} and {gap}"),
        ("{Order} ei voitu toimittaa", "'{Order}' is no place: there are {order} and {gap}"),
        ("{order ei voitu toimittaa", "'{' is no place: there are {order} and {gap}"),
        (f"tilaukseen {ORDER} ei voitu toimittaa", f"{ORDER} is the id of one order: write {{order}}"),
        ("{order}", "fewer than 12 letters beside the places would fit too many mails"),
        ("order {order}", "fewer than 12 letters beside the places would fit too many mails"),
        ("注文 {order} です", "fewer than 12 letters beside the places would fit too many mails"),
        ("--- 123 ... {order} !!! 45678901234", "fewer than 12 letters beside the places would fit too many mails"),
        ("{gap}{order} ei voitu toimittaa", "a {gap} without words on both sides of it"),
        ("{order} ei voitu toimittaa{gap}.", "a {gap} without words on both sides of it"),
        ("{order} ei voitu{gap} , {gap}toimittaa", "a {gap} without words on both sides of it"),
        ("{order} ei voitu" + "{gap}toimittaa" * 6, "longer than 1000 characters, or more than 5 times {gap}"),
        ("{order} ei voitu" + " toimittaa" * 100, "longer than 1000 characters, or more than 5 times {gap}"),
    ],
)
def test_a_wording_that_would_fit_nothing_or_everything_is_refused(text: str, told: str) -> None:
    assert refused(changed(wording=f'wording = "{text}"')) == [f"16: wording: {told}"]


def test_two_rules_of_one_name_are_told_both() -> None:
    told = "rule = 'opt-out' is the name of two rules: rename one"
    text = FINNISH.replace('"closed-thread"', '"opt-out"')
    assert refused(text) == [f"13: {told}", f"20: {told}"]


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines() -> None:
    text = changed(name='name = ""', date='dtae = ["Päiväys"]', rule="rule = 1", samples="samples = 1")
    assert [int(problem.partition(":")[0]) for problem in refused(text)] == [1, 9, 13, 17]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = 'fi'\nversion = ", "2: no TOML: Invalid value"),
        ("name = 'fi'\nname = 'fi'\n", "2: no TOML: Cannot overwrite a value"),
        ("[forward_fields]\n[[other]]\n[forward_fields]\n", "3: no TOML: Cannot declare ('forward_fields',) twice"),
        ("[[other]]\n[[other]]\n[other]\n", "3: no TOML: Cannot"),
        ("name = 'fi'\nversion = 1\nseen = 'Matti's'", "3: no TOML: Expected newline"),
        ("name = 'fi'\nwording = \"one\ntwo\"\n", "2: no TOML: Illegal character '\\n'"),
        ("name = 'fi'\nname = \"a\x07\"\n", "2: no TOML: Illegal character '\\x07'"),
        ("name = 'fi'\n\nsamples = [\n  'one',\n  'two',\n\n", "3: no TOML: "),
        ("name = 'fi'\nwording = '''one\ntwo\n", "2: no TOML: Expected \"'''\" (at end of document)"),
        ("name = 'fi'\n\nname = 'two\n\n\n", "3: no TOML: "),
        ("name = 'fi'\nversion = " + "9" * 5_000, "2: no TOML: Exceeds the limit"),
        ("name = 'fi'\nx = " + "[" * 5_000, "2: no TOML: brackets nested too deeply"),
        ("name = 'fi'\nx = " + "[" * 4_000 + "]" * 4_000, "2: no TOML: brackets nested too deeply"),
        ("name = 'fi'\n" + "a." * 50_000 + "a = 1", "2: a line of more than 10000 characters: break it into several"),
    ],
    ids=lambda value: value[:30],
)
def test_what_is_no_toml_is_told_with_the_line_where_it_begins(text: str, told: str) -> None:
    (problem,) = refused(text)
    assert problem.startswith(told)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("name='fi'\nversion=1\nother = [{rule='a'}, # one\n\n {wording='x'}]\n", [3, 3, 5, 5, 5]),
        ("name='fi'\nversion=1\n[[ other ]]\nrule='A'\n[['other']]\n'rule'='A'\nsamples=['x']\n", [3, 3, 4, 5, 6]),
        ("\"name\" = 'A'\nversion=1\nforward_fields.from = 1\nforward_fields . 'date' = ['1']\n", [1, 3, 4]),
        ("name='fi'\nversion=1\nforward_fields = {from = 1, date = [ 'a',\n '2'], cc = 3}\n", [3, 4, 4]),
        ("name='fi'\nversion=1\nforward_lines = ['one', '''\n[[other]]\nrule = 1\n''',\n 7]\n", [7]),
        ("name='fi'\nversion=1\nforward_lines = ['''''',\n\"\"\"\\\"\"\"\"\"\", 'x#[', # [\n 7]\n", [3, 4, 4, 5]),
        ("name='fi'\r\nversion=1\r\nquux=1\r\n", [3]),
        ("name='fi'\nversion=1\n[opt_out]\nrule = 'a'\n", [3]),
        ("name='fi'\nversion=1\nopt_out = ['a']\nother = 3\nforward_fields = 2\n", [3, 4, 5]),
        ("name='fi'\nversion=1\nquux = 1979-05-27 07:32:32\nquuz = 2\n[quix.a.b]\nc = 1\n", [3, 4, 5]),
        ("", [1, 1]),
    ],
)
def test_the_line_is_right_however_the_toml_is_written(text: str, lines: list[int]) -> None:
    assert [int(problem.partition(":")[0]) for problem in refused(text)] == lines


def test_words_may_be_written_as_they_are_seen() -> None:
    """A label with its colon, the line above a forward with its dashes, a wording over several lines."""
    text = changed(
        forward_lines='forward_lines = ["---------- Välitetty viesti ---------"]',
        wording='wording = """lähettämääsi viestiä{gap}tilaukseen [{order}]\nei voitu toimittaa,\nkoska ostaja"""',
        **{"from": 'from = ["*Lähettäjä*:"]'},
    )
    (pack,) = (one for one in known(text).packs if one.name == "fi")
    assert pack.forward_lines == ("välitetty viesti",)
    assert dict(pack.forward_fields)["from"] == ("lähettäjä",)
    assert wording.find(pack.opt_outs, (SENTENCE,)) != ()


# The folder.


def written(folder: Path, **texts: str | bytes) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def folder_problems(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        rules.load(packs.sources(folder))
    return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_packs_of_a_folder_are_read_by_name_hidden_and_other_files_are_not(tmp_path: Path) -> None:
    written(tmp_path, b=FINNISH)
    (tmp_path / "a.TOML").write_bytes(b"\xef\xbb\xbf" + FINNISH.replace('"fi"', '"aa"').encode())  # Notepad's
    (tmp_path / ".#b.toml").symlink_to("nowhere")  # Emacs writes one beside an open file
    (tmp_path / "._b.toml").write_bytes(b"\x00\x05\x16\x07")  # macOS writes one on foreign disks
    (tmp_path / "notes.txt").write_text("no pack")
    found = packs.sources(tmp_path)
    assert [Path(name).name for name, _ in found] == ["a.TOML", "b.toml"]
    assert {pack.name for pack in rules.load(found).packs} >= {"aa", "fi"}
    assert packs.sources(None) == ()


def test_mistakes_of_all_files_are_told_at_once_each_with_its_file(tmp_path: Path) -> None:
    written(tmp_path, a=changed(version=""), b=b'name = "fi"\nversion = 1\n# \xe4\n', d="name = 'fi'\nx", e=FINNISH)
    (tmp_path / "c.toml").mkdir()
    assert sorted(folder_problems(tmp_path)) == [
        "a.toml:1: version is missing: version = 1, and one more with each change",
        "b.toml:3: not UTF-8: save it as UTF-8",
        "c.toml: no file that can be read",
        "d.toml:2: no TOML: Expected '=' after a key in a key/value pair (at end of document)",
    ]


def test_two_packs_of_one_name_are_told_with_both_files(tmp_path: Path) -> None:
    written(tmp_path, a=FINNISH, b="# mine\n" + FINNISH)
    assert folder_problems(tmp_path) == [f"b.toml:2: 'fi' is also the name of {tmp_path}/a.toml: rename one"]


@pytest.mark.timeout(20)
def test_what_is_no_pack_of_any_size_is_refused_at_once(tmp_path: Path) -> None:
    """A pipe would never end, a file of a terabyte would not fit."""
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    with (tmp_path / "sparse.toml").open("wb") as stream:
        stream.truncate(1 << 40)
    assert folder_problems(tmp_path) == [
        "loop.toml: cannot be read: Too many levels of symbolic links",
        "pipe.toml: no file that can be read",
        "sparse.toml: more than 200000 bytes: no pack is as large",
        "zero.toml: no file that can be read",
    ]


@pytest.mark.parametrize(("name", "why"), [("nowhere", "No such file or directory"), ("file", "Not a directory")])
def test_a_folder_that_cannot_be_read_is_told(nosend: Shell, name: str, why: str) -> None:
    (nosend.folder / "file").touch()
    (nosend.folder / "config.toml").write_text(f'packs = "{name}"\n')
    (nosend.folder / "1.eml").write_bytes(mail())
    told = f"nosend: packs = '{name}': that folder cannot be read: {why}: make it, or mend the key packs\n"
    for words in (("rules", "list"), ("rules", "test"), ("explain", "1.eml"), ("scan", "--account", "a", "1.eml")):
        done = nosend(*words, code=2)
        assert (done.stdout, done.stderr) == ("", told)


def test_every_verb_that_judges_refuses_a_broken_pack_with_every_mistake(nosend: Shell) -> None:
    (nosend.folder / "mine").mkdir()
    written(nosend.folder / "mine", fi=changed(version="", seen=""))
    (nosend.folder / "1.eml").write_bytes(mail())
    nosend.configure("me", 1)
    config = nosend.folder / "config.toml"
    config.write_text('packs = "mine"\n' + config.read_text())
    for words in (("sync",), ("explain", "1.eml"), ("scan", "1.eml"), ("rules", "list"), ("doctor",)):
        done = nosend(*words, code=2)
        told = (done.stdout + done.stderr).replace("failed  ", "nosend: ")
        assert "nosend: mine/fi.toml:1: version is missing: version = 1, and one more with each change\n" in told
        assert "nosend: mine/fi.toml:11: seen: say where the wording of a confirmed rule was seen\n" in told
    assert nosend.rows("SELECT count(*) FROM ledger") == [(0,)]


def test_a_broken_pack_is_a_trouble_that_status_tells(nosend: Shell) -> None:
    (nosend.folder / "mine").mkdir()
    written(nosend.folder / "mine", fi=changed(version="", seen=""))
    nosend.configure("me", 1)
    config = nosend.folder / "config.toml"
    config.write_text('packs = "mine"\n' + config.read_text())
    nosend("sync", code=2)
    assert "mine/fi.toml:1: version is missing" in nosend("status").stdout


# What a pack does.


def test_a_pack_of_the_same_name_goes_for_nosends_as_a_whole_and_another_adds() -> None:
    builtin = {pack.name for pack in rules.builtin().packs}
    added = known(FINNISH)
    assert {pack.name for pack in added.packs} == builtin | {"fi"}
    assert "en.opt-out" in {one.rule for one in added.opt_outs}
    mine = known(FINNISH.replace('"fi"', '"en"'))
    assert {pack.name for pack in mine.packs} == builtin
    assert [one.rule for one in mine.opt_outs if one.rule.startswith("en.")] == ["en.opt-out"]
    assert recognize(mail(SENTENCE), rules=mine).rule == "en.opt-out"
    assert recognize(mail(), rules=mine).kind is Kind.OTHER_NOTICE, "nosend's English words are gone"
    assert known() is rules.builtin()


def test_who_replaces_a_pack_of_nosends_is_told(nosend: Shell) -> None:
    (nosend.folder / "mine").mkdir()
    (nosend.folder / "mine" / "en.toml").write_text(FINNISH.replace('"fi"', '"en"'))
    (nosend.folder / "config.toml").write_text('packs = "mine"\n')
    told = nosend("rules", "test", "en").stderr
    assert "en goes for nosend's pack of that name, whose en.opt-out, en.content-filter, " in told
    assert "these go for nosend's own packs of the same name: en; rename them to add" in nosend("doctor").stdout
    assert "goes for" not in nosend("rules", "test", "fr").stderr


def with_one_value_changed(text: str) -> list[str]:
    """Give a pack with each of its values changed a little, one at a time."""
    found = []
    for line in text.splitlines():
        key, equals, value = line.partition(" = ")
        if equals:
            other = {"1": "2", "true": "false"}.get(value) or re.sub(r'^(\[?"\w\w?)', r"\1x", value)
            assert other != value
            found.append(text.replace(line, f"{key} = {other}", 1))
    return found


def test_the_fingerprint_changes_with_anything_in_a_pack() -> None:
    others = [FINNISH, *with_one_value_changed(FINNISH), FINNISH.partition("[[other]]")[0]]
    marks = [known(text).fingerprint for text in others]
    assert len(marks) > 14
    assert Counter(marks).most_common(1)[0][1] == 1
    assert known().fingerprint not in marks


def test_the_fingerprint_changes_with_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else all that waits would be judged again, whenever the folder moves or a comment is written."""
    mark = known(FINNISH).fingerprint
    moved = "\n# a comment\n" + FINNISH.replace(" = ", "=").replace("\n[", "\n\n[")
    assert known(moved).fingerprint == mark
    assert rules.load([("elsewhere/x.toml", FINNISH)]).fingerprint == mark
    second = FINNISH.replace('"fi"', '"ab"')
    assert known(FINNISH, second).fingerprint == known(second, FINNISH).fingerprint != mark
    written(tmp_path, fi=FINNISH)
    monkeypatch.chdir(tmp_path)
    assert rules.load(packs.sources(Path())).fingerprint == mark


@pytest.mark.parametrize(
    ("text", "body", "kind", "rule", "why"),
    [
        (FINNISH, SENTENCE, Kind.OPT_OUT, "fi.opt-out", SENTENCE),
        (changed(confirmed="confirmed = false"), SENTENCE, Kind.SUSPECT, "fi.opt-out",
         f"{SENTENCE} | but this wording is not confirmed"),
        (changed(confirmed=""), SENTENCE, Kind.SUSPECT, "fi.opt-out",
         f"{SENTENCE} | but this wording is not confirmed"),
        (FINNISH, CLOSED, Kind.SUSPECT, "fi.closed-thread",
         f"{CLOSED} | but this wording of another cause is not confirmed"),
        (FINNISH.replace('"closed-thread"', '"closed-thread"\nconfirmed = true\nseen = "x"'), CLOSED,
         Kind.OTHER_NOTICE, "fi.closed-thread", CLOSED),
        (FINNISH, SENTENCE[:-1] + ", ja keskustelu ostajan kanssa on suljettu.", Kind.SUSPECT, "fi.opt-out",
         SENTENCE[:-1] + ", ja keskustelu ostajan kanssa on suljettu. | but another cause is named as well"),
        ("", SENTENCE, Kind.OTHER_NOTICE, "amazon-other", "from Amazon, no word of an opt-out"),
    ],
    ids=["confirmed", "unconfirmed", "unsaid", "unconfirmed other", "confirmed other", "both", "no pack"],
)  # fmt: skip
def test_only_a_confirmed_wording_settles_anything(text: str, body: str, kind: Kind, rule: str, why: str) -> None:
    told = recognize(mail(body, Subject="Viesti"), rules=known(*filter(None, [text])))
    assert (told.kind, told.rule, told.why) == (kind, rule, why)
    assert [one.order_id for one in told.opt_outs] == ([ORDER] if kind is Kind.OPT_OUT else [])


def test_a_strangers_words_are_heard_only_when_the_wording_is_confirmed() -> None:
    raw = mail(SENTENCE, From=STRANGER, Subject="Viesti")
    assert recognize(raw, rules=known(FINNISH)).kind is Kind.SUSPECT
    assert recognize(raw, rules=known(changed(confirmed=""))).kind is Kind.UNRELATED


def test_a_failure_subject_of_a_users_pack_brings_unknown_words_before_a_person() -> None:
    raw = mail("Jotain muuta", Subject="Viestiäsi ei toimitettu.")
    assert recognize(raw, rules=known(FINNISH)).rule == "failure-subject"
    assert recognize(raw).rule == "amazon-other"


def test_a_forward_prefix_of_a_users_pack_makes_a_mail_worth_reading() -> None:
    heading = letter.heading(mail(From=STRANGER, Subject="vl: Amazon"))
    assert verdict.worth_reading(heading, Trust(), known(FINNISH)) is verdict.Worth.BODY
    assert verdict.worth_reading(heading, Trust(), rules.builtin()) is verdict.Worth.NOTHING


@pytest.mark.parametrize(
    ("block", "key"),
    [
        (f"---------- Välitetty viesti ---------\nLähettäjä: {AMAZON}\n", "forward_lines"),
        (f"---------- Välitetty viesti ---------\nLähettäjä: {AMAZON}\n", "from"),
        (f"Lähettäjä: {AMAZON}\nPäiväys: 2.2.2023\nAihe: Viesti\n", "from"),
        (f"Lähettäjä: {AMAZON}\nPäiväys: 2.2.2023\nAihe: Viesti\n", "date"),
        (f"Lähettäjä: {AMAZON}\nPäiväys: 2.2.2023\nAihe: Viesti\n", "subject"),
    ],
)
def test_marks_of_a_forward_of_a_users_pack_are_heard(block: str, key: str) -> None:
    """With each word the forward is read and believed; without it nobody is known to have written the sentence."""
    raw = mail(f"Katso.\n\n{block}\n{SENTENCE}\n", From=STRANGER)
    trust = Trust(frozenset({STRANGER}))
    (inner,) = letter.read(raw, known(FINNISH).marks).inside
    assert (inner.how, inner.header("from"), inner.paragraphs) == (How.FORWARDED, (AMAZON,), (SENTENCE,))
    assert recognize(raw, trust, known(FINNISH)).kind is Kind.OPT_OUT
    assert recognize(raw, Trust(), known(FINNISH)).kind is Kind.SUSPECT, "nobody is trusted"
    without = known(changed(**{key: f'{key} = ["muu"]'}))
    assert recognize(raw, trust, without).kind is Kind.SUSPECT


def test_packs_of_the_configuration_change_what_explain_says(nosend: Shell) -> None:
    """The folder is relative to the configuration, wherever the command runs."""
    (nosend.folder / "conf" / "mine").mkdir(parents=True)
    written(nosend.folder / "conf" / "mine", fi=FINNISH)
    (nosend.folder / "conf" / "config.toml").write_text('packs = "mine"\n')
    (nosend.folder / "1.eml").write_bytes(mail(SENTENCE, Subject="Viesti", Content_Type="text/plain; charset=utf-8"))
    without = json.loads(nosend("explain", "--json", "1.eml").stdout)
    with_it = json.loads(nosend("--config", "conf/config.toml", "explain", "--json", "1.eml").stdout)
    assert (without["verdict"], with_it["verdict"], with_it["rule"]) == ("other_notice", "opt_out", "fi.opt-out")
    assert "conf/mine/fi.toml: a notice of" in nosend("--config", "conf/config.toml", "rules", "list").stdout


# nosend's own.

OWN = sorted(one.name for one in files(verdict).joinpath("packs").iterdir() if one.name.endswith(".toml"))


def test_all_languages_are_there_and_four_have_a_confirmed_opt_out() -> None:
    own = rules.builtin().packs
    assert {pack.name for pack in own} >= set("en fr it ja de es es-mx pt-br nl sv pl tr ar zh".split())
    assert {one.rule for pack in own for one in pack.wordings if one.confirmed} == CONFIRMED
    for pack in own:
        assert pack.failure_subjects, pack.name
        assert pack.opt_outs or pack.name == "es-mx", pack.name
        assert any(words for _, words in pack.forward_fields) or pack.name == "es-mx", pack.name


@pytest.mark.parametrize("name", OWN)
def test_each_own_pack_loads_and_bears_the_name_of_its_file(name: str) -> None:
    text = files(verdict).joinpath("packs", name).read_text(encoding="utf-8")
    pack = packfile.read(text, name, "built in")
    assert f"{pack.name}.toml" == name
    assert pack.version >= 1
    assert all(one.seen for one in pack.wordings)
    assert not [one.rule for one in pack.wordings if one.seen.startswith("nowhere") and one.confirmed]


def test_no_word_of_a_forward_means_two_fields() -> None:
    told: dict[str, set[str]] = {}
    for pack in rules.builtin().packs:
        for key, words in pack.forward_fields:
            assert key in FIELDS
            for word in words:
                told.setdefault(word, set()).add(key)
    assert {word: keys for word, keys in told.items() if len(keys) > 1} == {}


# Time.

ALIKE = ("a" * 990, ("a" * 150 + "{gap}") * 5 + "a" * 100, ("ab " * 40 + "{gap}") * 5 + "x")
TEXTS = ("a", "ab ", "a. ", "。", f"a {ORDER} ", "b" + "a" * 150)


def seconds(made: wording.Wording, text: str) -> float:
    began = time.process_time()
    wording.find((made,), (text,))
    return time.process_time() - began


@pytest.mark.timeout(120)
@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:4])
@pytest.mark.parametrize("end", ["b", "{order}b", "{gap}b"])
def test_no_wording_can_be_made_to_backtrack(end: str, text: str) -> None:
    """Four times the text takes about four times the time, whatever the wording; backtracking would take 16 times."""
    for alike in ALIKE:
        pieces = wording.compile_wording((alike + end)[-1_000:])
        made = wording.Wording("x.x", 1, pieces)
        times = [seconds(made, f"{ORDER} {text * 120_000}"[:size]) for size in (30_000, 120_000)]
        assert times[1] < 8 * times[0] + 0.1, (alike[:4], times)
        assert times[1] < 2, (alike[:4], times)
