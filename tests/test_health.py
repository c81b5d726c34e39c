"""`status` tells the seller what matters beside the list; `doctor` checks everything and says how to mend it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

import letters
from conftest import Shell
from nosend import health
from nosend.model import Authenticity, Judged, Kind, Place, Sender
from nosend.store.ledger import Ledger
from nosend.store.overview import BytesKept, Overview, Sighting
from nosend.store.review import Review
from nosend.verdict import rules
from samples import DAY, NOW, judged, notice, order
from servers import Dovecot
from test_cli import RAW, control_characters, on_terminal

LIST = ("--database", "nosend.db")
TODAY = datetime.now(UTC).replace(microsecond=0)
RESTRICTED = "Your account was restricted from sending proactive messages to buyers."
BLOCKED = "Your message was not sent because it did not meet the Buyer-Seller Messaging communication guidelines."


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nosend.db"


# What was seen of Amazon.


def seen(number: int, days_ago: float, kind: Kind | None = Kind.OPT_OUT, place: Place | None = None, **verdict):
    """Make a judged mail that was received some days before NOW."""
    mail = judged(number, kind=kind, place=place)
    told = replace(mail.verdict, **verdict) if mail.verdict else None
    return replace(mail, mail=replace(mail.mail, received_at=NOW - days_ago * DAY), verdict=told)


def sightings(path: Path, days: int, *mails: Judged) -> tuple[Sighting, ...]:
    with Ledger(path) as ledger:
        ledger.record(mails, NOW)
    with Overview(path) as overview:
        return overview.sightings(NOW - days * DAY)


@pytest.mark.parametrize(("days", "count"), [(7, 2), (30, 4)])
def test_mails_of_seven_and_thirty_days_are_counted(path: Path, days: int, count: int) -> None:
    mails = [seen(n, ago) for n, ago in enumerate((0, 7, 7.1, 30, 30.1, 400))]
    assert sightings(path, days, *mails) == (Sighting("shop", count, count, 0, 0, 0, 0, 0),)


def test_a_mail_without_a_time_counts_from_its_own_date_or_when_it_was_read(path: Path) -> None:
    undated = [seen(n, 0) for n in range(2)]
    undated = [replace(mail, mail=replace(mail.mail, received_at=None)) for mail in undated]
    mails = [replace(undated[0], written_at=NOW - 8 * DAY), replace(undated[1], written_at=None)]
    assert [one.amazon for one in sightings(path, 7, *mails)] == [1]


def test_each_mail_is_counted_by_what_it_is(path: Path) -> None:
    mails = [
        *(seen(n, 1) for n in range(5)),
        *(seen(n, 1, Kind.OTHER_NOTICE) for n in range(10, 13)),
        seen(20, 1, Kind.SUSPECT),
        seen(21, 1, Kind.OTHER_NOTICE, rule="en.restricted"),
        seen(22, 1, Kind.SUSPECT, rule="it.restricted"),
        seen(23, 1, Kind.OTHER_NOTICE, rule="en.content-filter"),
    ]
    assert sightings(path, 7, *mails) == (
        Sighting("shop", amazon=12, opt_outs=5, other_notices=5, unknown=2, waiting=2, restricted=2, blocked=1),
    )


NOT_AMAZONS = {
    "a buyer's message": seen(1, 1, Kind.OTHER_NOTICE, rule="buyer-message", sender=Sender.OTHER),
    "a stranger's forward": seen(1, 1, Kind.SUSPECT, sender=Sender.OTHER),
    "a forgery": seen(1, 1, Kind.SUSPECT, authenticity=Authenticity.FAIL),
    "somebody's mail": seen(1, 1, Kind.UNRELATED, sender=Sender.OTHER),
    "a forwarder's letter": seen(1, 1, Kind.UNRELATED, sender=Sender.FORWARDER),
    "what was set aside": seen(1, 1, None),
}


@pytest.mark.parametrize("name", NOT_AMAZONS)
def test_what_is_not_amazons_is_not_counted(path: Path, name: str) -> None:
    assert sightings(path, 7, NOT_AMAZONS[name]) == ()


def test_a_trusted_forwarders_notices_are_counted_and_a_failure_that_does_not_matter(path: Path) -> None:
    """With authenticity = "off" a notice is listed though it failed."""
    mails = [seen(1, 1, sender=Sender.FORWARDER), seen(2, 1, authenticity=Authenticity.FAIL)]
    assert sightings(path, 7, *mails) == (Sighting("shop", 2, 2, 0, 0, 0, 0, 0),)


@pytest.mark.parametrize("kind", [Kind.OPT_OUT, Kind.OTHER_NOTICE, Kind.SUSPECT])
def test_a_mail_in_two_folders_is_one_mail(path: Path, kind: Kind) -> None:
    """Also when nosend could believe only one of the copies."""
    copies = [seen(1, 1, kind), seen(1, 1, Kind.SUSPECT, Place("shop", "Archive", 7, 1))]
    (one,) = sightings(path, 7, *copies)
    assert one.amazon == 1
    assert (one.opt_outs, one.other_notices, one.unknown) == tuple(
        int(kind is k) for k in (Kind.OPT_OUT, Kind.OTHER_NOTICE, Kind.SUSPECT)
    )


def test_mails_are_counted_for_the_seller_they_were_sent_to(path: Path) -> None:
    """Several sellers share a mailbox, and one of them two."""
    mails = [replace(seen(1, 1), account="shop-de"), replace(seen(2, 1), account="shop-us"), seen(3, 1)]
    mails.append(replace(seen(4, 1, place=Place("other", "INBOX", 7, 4)), account="shop-de"))
    assert [(one.account, one.amazon) for one in sightings(path, 7, *mails)] == [
        ("shop", 1), ("shop-de", 2), ("shop-us", 1),
    ]  # fmt: skip


def test_a_suspect_that_a_person_reviewed_is_unknown_but_waits_no_more(path: Path) -> None:
    assert sightings(path, 7, seen(1, 1, Kind.SUSPECT), seen(2, 1, Kind.SUSPECT))[0].waiting == 2
    with Review(path) as ledger:
        ledger.accept([1], NOW)
        ledger.reject([2], NOW)
    assert sightings(path, 7) == (Sighting("shop", 2, 0, 0, 2, 0, 0, 0),)


# Warnings.

NONE = Sighting("shop", 0, 0, 0, 0, 0, 0, 0)
UNKNOWN = replace(NONE, amazon=3, unknown=3, waiting=3)
KNOWN = replace(UNKNOWN, amazon=4, opt_outs=1)
CHANGED = "Amazon sent 3 delivery failures that no rule knows for certain, and no opt-out was recognised"


@pytest.mark.parametrize(
    ("week", "month", "warned"),
    [
        (UNKNOWN, UNKNOWN, "shop: in 7 days "),
        (UNKNOWN, KNOWN, "shop: in 7 days "),
        (NONE, UNKNOWN, "shop: in 30 days "),
        (KNOWN, KNOWN, ""),
        (NONE, NONE, ""),
        (replace(NONE, amazon=9, other_notices=9), replace(NONE, amazon=9, other_notices=9), ""),
        (replace(UNKNOWN, waiting=0), replace(UNKNOWN, waiting=0), ""),
    ],
    ids=["never known", "falls to none", "few mails", "known", "silence", "other notices", "reviewed"],
)
def test_it_is_told_when_recognised_falls_to_none_while_unknown_ones_arrive(
    week: Sighting, month: Sighting, warned: str
) -> None:
    told = health.of_template({7: [week], 30: [month]})
    assert [one.startswith(f"{warned}{CHANGED}: Amazon may have changed its text.") for one in told] == [True] * bool(
        warned
    )


def test_the_template_is_judged_for_each_account_by_itself() -> None:
    others = [replace(KNOWN, account="a"), replace(UNKNOWN, account="b"), replace(UNKNOWN, account="c")]
    assert [told.partition(":")[0] for told in health.of_template({7: others, 30: others})] == ["b", "c"]


def test_restricted_accounts_and_blocked_messages_are_told_for_each_account() -> None:
    counts = [replace(NONE, account="a", restricted=2), NONE, replace(NONE, account="c", blocked=3)]
    restricted, blocked = health.of_account(counts, 30)
    assert restricted.startswith(
        "a: Amazon restricted the account from sending proactive messages (2 notices in 30 days)"
    )
    assert blocked.startswith("c: Amazon blocked 3 messages for their contents in 30 days: change the template")


@pytest.mark.parametrize(
    ("kept", "warned"),
    [
        (BytesKept(100, 80, 0, 0), []),
        (BytesKept(100, 81, 0, 0), ["mails that wait for a person fill 81 of 100 MB"]),
        (BytesKept(100, 10, 2, 0), ["the bytes of 2 mails that wait for a person expire within 30 days"]),
        (BytesKept(100, 10, 0, 3), ["the bytes of 3 mails that wait for a person are not kept any more"]),
    ],
    ids=["room", "nearly full", "old", "gone"],
)
def test_lost_bytes_are_told_before_and_after(kept: BytesKept, warned: list[str]) -> None:
    megabytes = replace(kept, size=kept.size * 1_000_000, waiting=kept.waiting * 1_000_000)
    told = health.of_bytes(megabytes, 100_000_000)
    assert [one.startswith(start) for one, start in zip(told, warned, strict=True)] == [True] * len(warned)


def test_without_a_configuration_nobody_knows_how_much_may_be_kept() -> None:
    assert health.of_bytes(BytesKept(10**12, 10**12, 0, 0), None) == ()


# status, as a seller sees it.


def mail(number: int, text: str, days_ago: int = 1, **fields: str) -> bytes:
    date = format_datetime(TODAY - timedelta(days=days_ago))
    return letters.mail(text, Date=date, Message_ID=f"<{number}@x>", **fields)


def fresh(number: int, days_ago: int = 1) -> bytes:
    return notice(number, Date=format_datetime(TODAY - timedelta(days=days_ago)))


def put(shell: Shell, folder: str, *mails: bytes) -> None:
    (shell.folder / folder).mkdir(exist_ok=True)
    for number, raw in enumerate(mails):
        (shell.folder / folder / f"{number}.eml").write_bytes(raw)


def scan(shell: Shell, *mails: bytes) -> None:
    put(shell, "mails", *mails)
    shell("scan", "--account", "shop", *LIST, "mails")


def status(shell: Shell, *words: str) -> dict:
    return json.loads(shell("status", "--json", *words).stdout)


def warnings(shell: Shell, *words: str) -> list[str]:
    """Give the warnings of `status`, which must be the same in its two forms."""
    told = status(shell, *words)["warnings"]
    lines = shell("status", *words).stdout.splitlines()
    assert [line for line in lines if line.startswith("warning: ")] == [f"warning: {one}" for one in told]
    return told


def test_status_tells_counts_and_warnings_as_text_and_json(nosend: Shell) -> None:
    buyers = mail(5, letters.SENTENCE, From="abc123def456@marketplace.amazon.it")
    mails = [fresh(1), fresh(2, 20), mail(3, BLOCKED), mail(4, "Whatever happened, no.", 9), buyers, fresh(6, 40)]
    put(nosend, "twice", fresh(1))
    scan(nosend, *mails)
    nosend("scan", "--account", "shop", *LIST, "twice")
    week = {"account": "shop", "amazon": 2, "opt_outs": 1, "other_notices": 1, "unknown": 0, "waiting": 0}
    month = {"account": "shop", "amazon": 4, "opt_outs": 2, "other_notices": 1, "unknown": 1, "waiting": 1}
    rest = {"restricted": 0, "blocked": 1}
    size = len(mails[3])
    blocked = "shop: Amazon blocked 1 messages for their contents in 30 days: change the template of your mailer"
    assert status(nosend, *LIST) == {
        "mailboxes": [],
        "folders": [],
        "mails": {"shop": {"opt_out": 3, "other_notice": 2, "suspect": 1}},
        "waiting": {"shop": 1},
        "entries": {"order": 3, "buyer": 0},
        "amazon_mails": {"7": [week | rest], "30": [month | rest]},
        "kept": {"size": size, "waiting": size, "expiring": 0, "expired": 0},
        "warnings": [blocked],
        "exports": [],
        "sinks": [],
    }
    assert nosend("status", *LIST).stdout == (
        "shop: 3 opt_out, 2 other_notice, 1 suspect\n"
        "  for a person to look at: 1; `nosend review` lists them\n"
        "blacklist: 3 orders, 0 buyers\n"
        "shop: Amazon's mails of 7 days: 2: 1 opt-outs, 1 other notices, 0 not known for certain\n"
        "shop: Amazon's mails of 30 days: 4: 2 opt-outs, 1 other notices, 1 not known for certain\n"
        f"warning: {blocked}\n"
    )


def test_status_warns_of_a_restricted_account(nosend: Shell) -> None:
    scan(nosend, mail(1, RESTRICTED), mail(2, RESTRICTED, 20), mail(3, RESTRICTED, 40), fresh(4))
    (told,) = warnings(nosend, *LIST)
    assert told == (
        "shop: Amazon restricted the account from sending proactive messages (2 notices in 30 days): "
        "see Seller Central, Account Health"
    )


def test_status_warns_of_a_changed_text_until_somebody_looked(nosend: Shell) -> None:
    scan(nosend, fresh(1, 20), *(mail(n, f"Sorry, not for order {order(n)}.") for n in (2, 3)))
    (told,) = warnings(nosend, *LIST)
    assert told.startswith("shop: in 7 days Amazon sent 2 delivery failures that no rule knows for certain, and no ")
    nosend("review", *LIST, "accept", "2")
    (told,) = warnings(nosend, *LIST)
    assert told.startswith("shop: in 7 days Amazon sent 1 delivery failures ")
    nosend("review", *LIST, "reject", "3")
    assert warnings(nosend, *LIST) == []


def test_known_words_that_wait_for_a_proof_do_not_say_that_the_text_changed(nosend: Shell) -> None:
    nosend.configure("me", 1, authenticity="require")
    (nosend.folder / "mail.eml").write_bytes(fresh(1))
    nosend("scan", "mail.eml")
    assert nosend.rows("SELECT verdict, rule FROM ledger") == [("suspect", "marker")]
    assert warnings(nosend) == []


def test_a_forger_cannot_make_status_say_that_the_text_changed(nosend: Shell) -> None:
    forged = mail(1, "Sorry.", Authentication_Results="mx.shop.example; dmarc=fail header.from=amazon.com")
    scan(nosend, forged)
    assert nosend.rows("SELECT verdict, rule FROM ledger") == [("suspect", "failure-subject")]
    assert warnings(nosend, *LIST) == []


def age(shell: Shell, days: int) -> None:
    """Let what is kept have been kept for so many days."""
    db = sqlite3.connect(shell.folder / "nosend.db")
    with db:
        db.execute("UPDATE kept SET kept_at = ?", (f"{TODAY - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}",))
    db.close()


def forward(number: int, size: int = 0) -> bytes:
    """Write a suspect that no other warning is about, of some size."""
    text = letters.forwarded(letters.SENTENCE.replace(letters.ORDER, order(number)))
    filling = f"\n{'x' * 70}" * (size // 71)
    return letters.mail(text + filling, From=letters.STRANGER, Subject="Fwd: x", Message_ID=f"<{number}@x>")


def test_status_warns_before_and_after_waiting_mails_lose_their_bytes_by_age(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("old", [forward(1), forward(2)])
    nosend.configure("old", dovecot.port)
    config = nosend.folder / "config.toml"
    config.write_text("keep_days = 100\n" + config.read_text())
    nosend("sync")
    age(nosend, 69)
    assert warnings(nosend) == []
    age(nosend, 71)
    soon = "the bytes of {} mails that wait for a person expire within 30 days: `nosend review`"
    assert warnings(nosend) == [soon.format(2)]
    nosend("review", "reject", "1")
    assert warnings(nosend) == [soon.format(1)], "who was reviewed may go"
    nosend("sync")
    assert nosend.rows("SELECT count(*) FROM kept") == [(2,)], "and nothing went before its time"
    age(nosend, 101)
    nosend("sync")
    assert nosend.rows("SELECT count(*) FROM kept") == [(0,)]
    assert warnings(nosend) == ["the bytes of 1 mails that wait for a person are not kept any more"]
    nosend("review", "reject", "2")
    assert warnings(nosend) == []


def test_status_warns_before_and_after_waiting_mails_lose_their_bytes_by_size(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("large", [forward(n, size=410_000) for n in (1, 2)])
    nosend.configure("large", dovecot.port)
    config = nosend.folder / "config.toml"
    config.write_text("keep_megabytes = 1\n" + config.read_text())
    nosend("sync")
    full = (
        "mails that wait for a person fill 0 of 1 MB, and the oldest lose their bytes when it is full: `nosend review`"
    )
    assert warnings(nosend) == [full]
    dovecot.fill("large", [forward(3, size=410_000)])
    nosend("sync")
    assert warnings(nosend) == [full, "the bytes of 1 mails that wait for a person are not kept any more"]
    nosend("review", "reject", "1", "2")
    assert warnings(nosend) == []
    dovecot.fill("large", [forward(4, size=410_000)])
    nosend("sync")
    assert nosend.rows("SELECT count(*) FROM kept") == [(2,)]
    assert warnings(nosend) == [full], "the reviewed one made room"


# doctor

MINE, OTHER = "mx.shop.example", "mx.elsewhere.example"
RESULTS = f"{MINE}; dkim=pass header.d=amazon.com"
PACKS = f"{len(rules.builtin().packs)} language packs, of your own: none"


MISSING = ("warning", "database nosend.db does not exist yet: `nosend sync` makes it")


def doctor(shell: Shell, code: int = 0, **env: str) -> list[tuple[str, str]]:
    """Give the lines of `doctor`, each as its state and what it says; nothing is said elsewhere."""
    done = shell("doctor", code=code, env=env)
    assert done.stderr == ""
    return [(line[:8].rstrip(), line[8:]) for line in done.stdout.splitlines()]


def told_of_results(shell: Shell, code: int = 0) -> list[tuple[str, str]]:
    """Give the lines that follow the one about the clock, or that no mail is there: who wrote the field."""
    lines = doctor(shell, code)
    begins = max(n for n, (_, line) in enumerate(lines) if line.startswith(("shop: clock: ", "shop: no mail is there")))
    assert [line for line in lines[:begins] if line[0] != "ok"] == [MISSING]
    return lines[begins + 1 :]


def test_doctor_tells_who_wrote_the_field_and_what_to_trust(nosend: Shell, dovecot: Dovecot) -> None:
    """Once it is trusted nothing is left to say; and neither mailbox nor list was touched."""
    topmost = [fresh(n) for n in range(2)] + [
        notice(n, Authentication_Results=f"{results}\nAuthentication-Results: spam.example; spf=pass")
        for n, results in enumerate([RESULTS, RESULTS.upper(), f"{OTHER}; none"], 10)
    ]
    dovecot.fill("doctor", topmost)
    before = dovecot.snapshot("doctor")
    nosend.configure("doctor", dovecot.port)
    says = "shop: topmost Authentication-Results of {} of the newest mails: {!r}"
    assert told_of_results(nosend) == [
        ("ok", says.format(2, MINE)),
        ("ok", says.format(1, OTHER)),
        ("warning", f"shop: if that is your provider's server, set trusted_authserv_id = {MINE!r}"),
    ]
    nosend.configure("doctor", dovecot.port, trusted_authserv_id=MINE.upper())
    assert told_of_results(nosend) == [
        ("ok", says.format(2, MINE) + " (trusted_authserv_id)"), ("ok", says.format(1, OTHER)),
    ]  # fmt: skip
    assert dovecot.snapshot("doctor") == before
    assert sorted(path.name for path in nosend.folder.iterdir()) == ["config.toml"]


def test_doctor_looks_at_the_newest_mails_of_every_folder(nosend: Shell, dovecot: Dovecot) -> None:
    old, new = (notice(1, Authentication_Results=f"{name}; spf=pass") for name in (OTHER, MINE))
    dovecot.fill("newest", [old] * 30 + [new] * 50)
    dovecot.fill("newest", [old] * 3, folder="Archive")
    nosend.configure("newest", dovecot.port, folders=["INBOX", "Archive"], trusted_authserv_id=MINE)
    lines = [line for state, line in doctor(nosend) if "topmost" in line]
    says = "shop: topmost Authentication-Results of {} of the newest mails: {!r}"
    assert lines == [says.format(50, MINE) + " (trusted_authserv_id)", says.format(3, OTHER)]


def test_doctor_finds_a_server_that_writes_no_id(nosend: Shell, dovecot: Dovecot) -> None:
    """Microsoft 365 does so."""
    dovecot.fill("none", [notice(1, Authentication_Results="spf=pass smtp.mailfrom=amazon.com; dmarc=pass")])
    nosend.configure("none", dovecot.port)
    assert doctor(nosend)[-1] == (
        "warning",
        "shop: if that is your provider's server, set trusted_authserv_id = '(none)'",
    )
    nosend.configure("none", dovecot.port, trusted_authserv_id="(none)")
    assert [state for state, _ in told_of_results(nosend)] == ["ok"]


@pytest.mark.parametrize(
    ("mails", "hint"),
    [
        ([notice(1, Authentication_Results=RESULTS)], "is it spelled as above?"),
        ([notice(1)], "it proves nothing there"),
    ],
    ids=["another server", "no field"],
)
def test_doctor_warns_of_a_trusted_server_that_matches_nothing(
    nosend: Shell, dovecot: Dovecot, mails: list[bytes], hint: str
) -> None:
    user = f"nothing-{len(mails[0])}"
    dovecot.fill(user, mails)
    nosend.configure(user, dovecot.port, trusted_authserv_id="mx.shop.exampel")
    assert doctor(nosend)[-1] == ("warning", f"shop: none is of trusted_authserv_id = 'mx.shop.exampel': {hint}")


def test_doctor_says_so_when_there_is_nothing_to_go_by(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("empty", [])
    nosend.configure("empty", dovecot.port)
    assert told_of_results(nosend) == [("ok", "shop: none of the newest mails has Authentication-Results on top")]


WITHOUT_DKIM = "import sys; sys.modules['dkim'] = None; from nosend import cli; cli.run()"


@pytest.mark.parametrize(
    ("keys", "warned"),
    [
        ({"authenticity": "require"}, True),
        ({"authenticity": "require", "trusted_authserv_id": MINE}, False),
        ({}, False),
    ],
    ids=["require", "with a server", "prefer"],
)
def test_doctor_warns_when_a_proof_is_asked_for_and_none_can_come(
    nosend: Shell, dovecot: Dovecot, keys: dict, warned: bool
) -> None:
    """Where the extra that verifies DKIM is not installed; with it nothing is wrong."""
    dovecot.fill("proof", [notice(1, Authentication_Results=RESULTS)])
    nosend.configure("proof", dovecot.port, **keys)
    words = [sys.executable, "-c", WITHOUT_DKIM, "doctor"]
    done = subprocess.run(words, cwd=nosend.folder, env=nosend.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    proof = 'warning shop: authenticity = "require", and nothing can prove it: every notice will be suspect. '
    assert (proof in done.stdout) == warned
    assert proof not in nosend("doctor").stdout


@pytest.mark.parametrize(
    ("keys", "env", "code", "told"),
    [
        ({}, {"NOSEND_PASSWORD": "wrong"}, 2, "refused the log-in of 'ill'"),
        ({"password_env": "NOT_SET"}, {}, 2, "NOT_SET"),
        ({"port": 1}, {}, 75, "cannot be reached"),
        ({"folders": ["INBOX", "Archiv"]}, {}, 2, "has no folder 'Archiv'"),
        ({"host": "localhost", "tls": "implicit"}, {}, 2, "its certificate is not trusted"),
    ],
    ids=["password", "no password", "down", "folder", "certificate"],
)
def test_doctor_tells_what_is_wrong_with_a_mailbox_and_goes_on(
    nosend: Shell, dovecot: Dovecot, keys: dict, env: dict, code: int, told: str
) -> None:
    dovecot.fill("well", [notice(1, Authentication_Results=RESULTS)])
    port = dovecot.tls_port if "tls" in keys else dovecot.port
    nosend.configure("ill", account="ill", **{"port": port} | keys)
    first = (nosend.folder / "config.toml").read_text()
    (nosend.folder / "secret").write_text("secret\n")
    (nosend.folder / "secret").chmod(0o600)
    nosend.configure("well", dovecot.port, password_env=None, password_file="secret", trusted_authserv_id=MINE)
    (nosend.folder / "config.toml").write_text(first + (nosend.folder / "config.toml").read_text())
    lines = doctor(nosend, code=code, **env)
    (number,) = [n for n, (state, _) in enumerate(lines) if state == "failed"]
    assert told in lines[number][1]
    assert "'ill'" in lines[number][1]
    assert "shop: DNS: 127.0.0.1 is 127.0.0.1" in lines[number + 1][1], "the steps after it are not made"
    assert lines[-1][1].endswith(f"of the newest mails: {MINE!r} (trusted_authserv_id)")


def test_doctor_ends_with_the_code_of_the_first_failure(nosend: Shell) -> None:
    nosend.configure("away", 1)
    (nosend.folder / "nosend.db").write_bytes(b"no database, but a long text " * 100)
    failed = [line for state, line in doctor(nosend, code=2) if state == "failed"]
    assert [line.partition(":")[0] for line in failed] == [
        "database 'nosend.db' is no SQLite database (file is not a database)", "account 'shop'",
    ]  # fmt: skip
    (nosend.folder / "nosend.db").unlink()
    assert [line for state, line in doctor(nosend, code=75) if state == "failed"] == failed[1:]


def test_doctor_tells_every_mistake_in_a_pack_with_its_line(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("packs", [])
    nosend.configure("packs", dovecot.port)
    config = nosend.folder / "config.toml"
    config.write_text('packs = "packs"\n' + config.read_text())
    (nosend.folder / "packs").mkdir()
    (nosend.folder / "packs" / "a.toml").write_text('name = "a"\nversion = 0\n')
    (nosend.folder / "packs" / "b.toml").write_text('name = "b"\nversion = 1\nfailure_subject = []\n')
    lines = [line for state, line in doctor(nosend, code=2) if state == "failed"]
    assert [line.partition(": ")[0] for line in lines] == ["packs/a.toml:2", "packs/b.toml:3"]
    (nosend.folder / "packs" / "a.toml").unlink()
    (nosend.folder / "packs" / "b.toml").write_text('name = "b"\nversion = 1\n')
    assert (
        "ok",
        PACKS.replace("none", "b").replace(str(len(rules.builtin().packs)), str(len(rules.builtin().packs) + 1)),
    ) in doctor(nosend)


def _foreign(path: Path) -> None:
    db = sqlite3.connect(path)
    with db:
        db.execute("CREATE TABLE invoices (id INTEGER PRIMARY KEY)")
    db.close()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (_foreign, "database 'nosend.db' is not nosend's"),
        (lambda path: path.write_bytes(b"no database, but a long text " * 100), "database 'nosend.db' is no SQLite"),
        (Path.mkdir, "database 'nosend.db' is not a file"),
    ],
    ids=["foreign", "garbage", "folder"],
)
def test_doctor_tells_that_the_database_is_none(nosend: Shell, make, told: str) -> None:
    make(nosend.folder / "nosend.db")
    (nosend.folder / "config.toml").write_text("")
    lines = doctor(nosend, code=2)
    (failed,) = [line for state, line in lines if state == "failed"]
    assert failed.startswith(told)
    assert "name" in failed, "with the remedy"
    assert lines[-1][1] == "no [[mailbox]], nothing to read: add one, as `nosend init` shows"


def test_doctor_warns_of_a_changed_text(nosend: Shell) -> None:
    scan(nosend, *(mail(n, f"Sorry, not for order {order(n)}.") for n in (2, 3)), forward(4))
    nosend("review", *LIST, "accept", "3")
    (nosend.folder / "config.toml").write_text("")
    before = nosend.dump()
    ok, warning, written = doctor(nosend)[2:5]
    assert ok == ("ok", "database nosend.db: 1 orders, 0 buyers")
    assert written == ("ok", "database nosend.db can be written (tried and rolled back)")
    assert warning[0] == "warning"
    assert "delivery failures that no rule knows for certain, and no opt-out was recognised" in warning[1]
    assert nosend.dump() == before


def test_doctor_without_a_right_configuration_says_what_is_wrong(nosend: Shell) -> None:
    done = nosend("doctor", code=2)
    assert (done.stdout, done.stderr.startswith("nosend: no configuration: ")) == ("", True)
    nosend.configure("me", 0, authenticty="off", tls="ssl")
    done = nosend("doctor", code=2)
    assert (done.stdout, done.stderr.count("\n")) == ("", 2)


def test_names_of_hostile_servers_say_nothing_to_the_terminal(nosend: Shell, dovecot: Dovecot) -> None:
    for n, name in enumerate((RAW, "x" * 5_000, f"=?utf-8?q?{RAW}?=")):
        dovecot.fill("hostile", [notice(n, Authentication_Results=f"{name.replace(' ', '')}; dkim=pass")])
    nosend.configure("hostile", dovecot.port)
    code, shown = on_terminal(nosend, "doctor", NO_COLOR="1")
    assert code == 0
    assert "topmost" in shown
    assert control_characters(shown.replace("\r\n", "\n")) == set()
    assert max(map(len, shown.splitlines())) < 300
