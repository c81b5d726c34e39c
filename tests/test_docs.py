"""The docs say what is so: every verb, key, column, exit code and trouble stands there, and nothing is stale."""

from __future__ import annotations

import re
import tomllib

from conftest import ROOT, Shell
from generate import (
    EXAMPLE,
    METRICS,
    README,
    RECOGNITION,
    metrics_with_table,
    readme_with_help,
    recognition_with_corpus,
    verbs,
)  # fmt: skip
from nosend import config, errors, log
from nosend.config.oauth import GRANTS, OAUTH_KEYS, PROVIDERS
from nosend.config.secret import PLACES, SECRETS
from nosend.monitor import changes, metrics
from nosend.store import rows

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
TEXT = README.read_text(encoding="utf-8")


def test_generated_parts_are_not_stale() -> None:
    assert readme_with_help(TEXT) == TEXT, "make docs"
    recognition = RECOGNITION.read_text(encoding="utf-8")
    assert recognition_with_corpus(recognition) == recognition, "make docs"
    shown = METRICS.read_text(encoding="utf-8")
    assert metrics_with_table(shown) == shown, "make docs"
    assert config.example() == EXAMPLE.read_text(encoding="utf-8"), "make docs"


def test_every_verb_stands_in_the_readme_with_its_help() -> None:
    for words in verbs():
        assert f"Usage: nosend {' '.join(words)}" in TEXT


def test_every_key_and_provider_of_the_login_stands_in_its_page() -> None:
    page = (ROOT / "docs" / "login.md").read_text(encoding="utf-8")
    for name in (*SECRETS, *(key.name for key in OAUTH_KEYS), *PROVIDERS, *GRANTS, *PLACES):
        assert re.search(rf"\b{name}\b", page), name
    for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL):
        assert tomllib.loads(block)["mailbox"][0].keys() <= {key.name for key in config.TABLES["mailbox"]}


def test_exit_codes_stand_in_help_and_readme(nosend: Shell) -> None:
    shown = nosend("--help").stdout
    codes = {
        one.exit_code for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.NosendError)
    }
    for code in codes | {0, 1}:
        assert re.search(rf"^ +{code}  ", shown, re.MULTILINE)
        assert re.search(rf"\b{code} ", TEXT)


def test_operations_name_what_there_is() -> None:
    """Every metric and key it names exists; every event and way to tell how it is stands there."""
    named = set(re.findall(r"\bnosend_[a-z_]+", OPERATIONS))
    assert named <= {metric.name for metric in metrics.METRICS}
    assert len(named) >= 5
    table = re.findall(r"^\| `(\w+)` \|", OPERATIONS[OPERATIONS.index("| event |") :], re.MULTILINE)
    assert table == list(changes.EVENTS)
    keys = ("heartbeat_file", "metrics_file", "metrics_listen", "on_change_command")
    assert [key for key in keys if f"`{key}`" not in OPERATIONS and f"{key} =" not in OPERATIONS] == []
    fields = OPERATIONS[OPERATIONS.index("## The log") :].partition("\n## ")[0]
    assert [name for name in log.FIELDS if f"`{name}`" not in fields] == []


def test_columns_of_the_views_stand_in_the_readme() -> None:
    assert f"blacklist({', '.join(rows.COLUMNS)})" in TEXT
    assert "changes(seq, at, action, kind, value, account)" in TEXT


# each trouble of the README's table, and the test that shows it
TROUBLES = {
    "a mail breaks the parser": "test_a_mail_that_breaks_the_reader_is_set_aside_at_once",
    "suspects after the rules, a pack or the trust changed": "test_a_suspect_is_judged_again_when_this_changes",
    "a mail kills the process": "test_a_mail_that_kills_the_process_is_set_aside_and_the_round_goes_on",
    "an Amazon mail no rule knows, with a delivery-failure subject": "test_mail_is_judged_as_its_json_says",
    "the connection drops at any byte": "test_a_cut_at_any_byte_of_the_conversation_leaves_what_was_committed",
    "kill -9 at any line": "test_killed_syncs_end_in_the_same_blacklist",
    "kill -9 while notices are marked or moved": "test_killed_at_a_step_the_next_run_finishes_and_doubles_nothing",
    "the server cannot move, mark, or make the folder": "test_without_move_and_uidplus_nothing_is_moved_and_it_says_so",
    "UIDVALIDITY changes": "test_uidvalidity_change_reads_again_and_doubles_nothing",
    "another process holds the database": "test_sync_waits_for_another_and_then_says_whose_turn_it_is",
    "the disk is full": "test_full_disk_leaves_the_old_database_whole",
    "SIGTERM": "test_sigterm_rolls_the_batch_back_and_ends_with_zero",
    "a server that says nothing, or drips": "test_an_answer_that_drips_ends_with_its_deadline",
    "one of many mailboxes is in trouble": "test_a_mailbox_in_trouble_slows_no_other",
    "wrong password, untrusted certificate, no such folder": "test_wrong_password",
    "wrong configuration": "test_wrong_configuration_ends_before_it_begins",
    "an access token runs out, or ends before its time": "test_token_that_ended_early_is_renewed_once_without_a_word",
    "the grant is revoked": "test_revoked_grant_is_told_with_the_command_that_mends_it",
    "the provider of tokens is down": "test_trouble_at_the_provider_is_transient_and_costs_no_grant",
    "a receiver of changes is slow, refuses or is away": "test_every_change_arrives_in_order_over_all_troubles",
}


def test_each_trouble_of_the_table_has_a_test() -> None:
    table = TEXT[TEXT.index("| trouble |") :].partition("\n\n")[0].splitlines()[2:]
    assert [line.split("|")[1].strip() for line in table] == list(TROUBLES)
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    for name in TROUBLES.values():
        assert f"def {name}(" in tests


def test_rooms_of_contributing_are_the_rooms_of_the_house() -> None:
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = {
        room.rstrip("/") for room in re.findall(r"`([a-z]+/?)`", table[table.index("| room |") :].partition("\n\n")[0])
    }
    house = {path.stem for path in (ROOT / "src/nosend").iterdir() if path.suffix in {".py", ""}}
    assert house - named == {"__init__", "__main__", "__pycache__", "py", "demo"} & house
