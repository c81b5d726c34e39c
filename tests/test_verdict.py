"""A claim is listed only when nothing speaks against it; each doubt makes it suspect, and says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from letters import (
    ALIAS,
    AMAZON,
    ORDER,
    REASON,
    SENTENCE,
    STRANGER,
    SUBJECT,
    forwarded,
    judge,
    mail,
    multipart,
    read,
    worth_reading,
)
from nosend import recognize
from nosend.letter import mime
from nosend.model import Authenticity, Kind, OptOut, Sender, Trust, Verdict
from nosend.verdict import JUDGES_VERSION, Worth

MARKER = "X-Space-Notification-Type"
OPTED_OUT = {"X_Space_Notification_Type": "BUYER_OPTED_OUT_BSM_MESSAGES"}
OTHER_ORDER = "999-4567890-1234567"
BY_MARKER = f"{MARKER}: BUYER_OPTED_OUT_BSM_MESSAGES"


def notice(**changes) -> Verdict:
    """Make the verdict about a true notice, with changes; the version is that of whoever spoke."""
    version = JUDGES_VERSION if changes.get("rule") == "marker" else 2
    values = {"kind": Kind.OPT_OUT, "rule": "en.opt-out", "version": version, "why": SENTENCE}
    told = Verdict(**values | {"orders": (ORDER,), "sender": Sender.AMAZON} | changes)
    opt_outs = (OptOut(*told.orders, told.buyer, told.marketplace),) if told.kind is Kind.OPT_OUT else ()
    return replace(told, opt_outs=opt_outs)


# One condition taken away at a time.


def test_a_notice_that_nothing_speaks_against_is_an_opt_out() -> None:
    assert recognize(mail()) == notice()
    assert recognize(mail(f"Other words, {ORDER}", **OPTED_OUT)) == notice(rule="marker", why=BY_MARKER)


@pytest.mark.parametrize(
    ("fields", "doubt", "changes"),
    [
        ({"From": STRANGER}, "the sender is not Amazon", {"sender": Sender.OTHER}),
        ({"From": None}, "the sender is not Amazon", {"sender": Sender.OTHER}),
        ({"From": [AMAZON, AMAZON]}, "the sender is not Amazon", {"sender": Sender.OTHER}),
        (
            {"Authentication_Results": "mx.example; spf=pass; dkim=fail"},
            "authentication failed",
            {"authenticity": Authenticity.FAIL},
        ),
        ({"From": "donotreply@amazon.com"}, "not from the address that sends notices", {}),
        ({"From": "do-not-reply@amazon.it"}, "not from the address that sends notices", {}),
        (
            {"From": STRANGER, "Authentication_Results": "mx.example; dmarc=fail"},
            "the sender is not Amazon, authentication failed",
            {"sender": Sender.OTHER, "authenticity": Authenticity.FAIL},
        ),
    ],
)
def test_one_condition_taken_away_makes_it_suspect(fields: dict, doubt: str, changes: dict) -> None:
    why = f"{SENTENCE} | but {doubt}"
    assert recognize(mail(**fields)) == notice(kind=Kind.SUSPECT, why=why, **changes)


@pytest.mark.parametrize(
    ("body", "doubt", "orders"),
    [
        ("No id.", "no order id", ()),
        (f"{ORDER}x, P03-4567890-1234567", "no order id", ()),
        (f"{ORDER} and {OTHER_ORDER}", "2 different order ids", (ORDER, OTHER_ORDER)),
        (f"> {ORDER}", "no order id", ()),
        (f"----- Forwarded Message -----\n{ORDER}", "no order id", ()),
    ],
)
def test_a_marker_without_exactly_one_own_order_is_suspect(body: str, doubt: str, orders: tuple[str, ...]) -> None:
    why = f"{BY_MARKER} | but {doubt}"
    assert recognize(mail(body, **OPTED_OUT)) == notice(kind=Kind.SUSPECT, rule="marker", why=why, orders=orders)


def test_an_id_twice_is_one_and_another_anywhere_in_the_letter_is_a_doubt() -> None:
    assert recognize(mail(f"{ORDER}\n\n{SENTENCE}")) == notice()
    told = recognize(mail(f"{OTHER_ORDER}\n\n{SENTENCE}"))
    why = f"{SENTENCE} | but 2 different order ids"
    assert told == notice(kind=Kind.SUSPECT, why=why, orders=(OTHER_ORDER, ORDER))


def test_a_letter_that_was_cut_is_suspect() -> None:
    raw = mail(SENTENCE + "\n\n" + "x" * 5_000)
    whole, cut = read(raw), read(raw, mime.Limits(size=1_000))
    assert judge(whole) == notice()
    why = f"{SENTENCE} | but not read: bytes after the first 1000"
    assert judge(cut) == notice(kind=Kind.SUSPECT, why=why)
    assert judge(cut).trials[0].answer == "bytes after the first 1000"


@pytest.mark.parametrize(
    ("values", "kind", "why"),
    [
        (["BUYER_OPTED_OUT_BSM_MESSAGES"], Kind.OPT_OUT, BY_MARKER),
        (["BUYER_OPTED_OUT_BSM_MESSAGES"] * 2, Kind.OPT_OUT, f"{BY_MARKER}, BUYER_OPTED_OUT_BSM_MESSAGES"),
        (
            ["BUYER_OPTED_OUT_BSM_MESSAGES", "REFUND_ISSUED"],
            Kind.SUSPECT,
            f"{BY_MARKER}, REFUND_ISSUED | but the markers contradict each other",
        ),
        (
            ["REFUND_ISSUED", "BUYER_OPTED_OUT_BSM_MESSAGES"],
            Kind.SUSPECT,
            f"{MARKER}: REFUND_ISSUED, BUYER_OPTED_OUT_BSM_MESSAGES | but the markers contradict each other",
        ),
        (["REFUND_ISSUED"], Kind.OTHER_NOTICE, f"{MARKER}: REFUND_ISSUED"),
        (['"buyer_opted_out_bsm_messages";'], Kind.OPT_OUT, f'{MARKER}: "buyer_opted_out_bsm_messages";'),
        (
            ["BUYER_OPTED_OUT_V2"],
            Kind.SUSPECT,
            f"{MARKER}: BUYER_OPTED_OUT_V2 | but this value of the marker is not known",
        ),
        ([""], Kind.OPT_OUT, SENTENCE),
    ],
)
def test_the_marker_speaks_before_the_sentence(values: list[str], kind: Kind, why: str) -> None:
    told = recognize(mail(X_Space_Notification_Type=values))
    assert (told.kind, told.why) == (kind, why)


# The order of the judges.


@pytest.mark.parametrize(
    ("raw", "kind", "rule"),
    [
        (mail(From=ALIAS, **OPTED_OUT), Kind.OTHER_NOTICE, "buyer-message"),
        (mail(X_Space_Notification_Type="OTHER"), Kind.OTHER_NOTICE, "marker-other"),
        (mail(X_Space_Notification_Type="OTHER", From=STRANGER), Kind.UNRELATED, "marker-other"),
        (mail(**OPTED_OUT), Kind.OPT_OUT, "marker"),
        (
            mail(SENTENCE + "\n\nYour account was restricted from sending proactive messages."),
            Kind.SUSPECT,  # another cause is named as well
            "en.opt-out",
        ),
        (mail("Your account was restricted from sending proactive messages."), Kind.OTHER_NOTICE, "en.restricted"),
        (
            mail("Your account was restricted from sending proactive messages.", From=STRANGER),
            Kind.UNRELATED,
            "not-amazon",
        ),
        (mail("New words."), Kind.SUSPECT, "failure-subject"),
        (mail("New words.", From=STRANGER), Kind.UNRELATED, "not-amazon"),
        (mail("https://x.example/?nt=BUYER_OPTED_OUT_BSM_MESSAGES", Subject="x"), Kind.SUSPECT, "link-marker"),
        (mail("> " + SENTENCE, Subject="x"), Kind.SUSPECT, "en.opt-out"),
        (mail("New words.", Subject="x"), Kind.OTHER_NOTICE, "amazon-other"),
        (mail("", Subject=None), Kind.OTHER_NOTICE, "amazon-other"),
        (b"", Kind.UNRELATED, "not-amazon"),
    ],
)
def test_the_first_judge_that_speaks_is_heard(raw: bytes, kind: Kind, rule: str) -> None:
    told = recognize(raw)
    assert (told.kind, told.rule) == (kind, rule)
    assert len(told.trials) >= 1


# What people can write.

TRICKS = [
    mail(From=f'"{AMAZON}" <{ALIAS}>'),
    mail(From=f"{ALIAS.partition('@')[0]}+0a1b@marketplace.amazon.it", Reply_To=AMAZON, Sender=AMAZON),
    mail(forwarded(), From=ALIAS),
    multipart("Content-Type: message/rfc822\n\n" + mail().decode(), From=ALIAS),
    mail(From=ALIAS, **OPTED_OUT),
    mail(f"Anna writes:\n\n------------- Message: -------------\n\n{SENTENCE}", Subject="Inquiry"),
    mail(f"> {SENTENCE}", Subject="Inquiry"),
    mail(f"Subject: {SENTENCE}", Subject=SENTENCE.replace("unable", "un-able"), From=STRANGER),
    multipart(f"Content-Type: text/plain\nContent-Disposition: attachment\n\n{SENTENCE}", Subject="Inquiry"),
    mail(f"<!-- {SENTENCE} --><p>hello", Content_Type="text/html", Subject="Inquiry"),
    mail("hello", Subject=SENTENCE),
    mail("hello", To=f'"{SENTENCE}" <{STRANGER}>', X_Note=SENTENCE, Subject="Inquiry"),
]


@pytest.mark.parametrize("raw", TRICKS)
def test_nothing_that_a_buyer_can_write_is_an_opt_out(raw: bytes) -> None:
    for trust in (Trust(), Trust(frozenset({STRANGER}))):
        assert recognize(raw, trust).kind is not Kind.OPT_OUT


# Forwards.

TRUST = Trust(frozenset({STRANGER}))
HTML_FORWARD = (
    "<p>Look.</p><div>---------- Forwarded message ---------<br>"
    f"From: Amazon &lt;{AMAZON}&gt;<br>Date: x<br>Subject: {SUBJECT}</div><p>{SENTENCE}</p>"
    f'<p><a href="mailto:{ALIAS}">write</a>'
)
ATTACHED = "Content-Type: message/rfc822\n\n" + mail().decode()
FORWARDS = {
    "inline": mail(forwarded(), From=STRANGER, Subject="Fwd: x"),
    "attached": multipart("\nLook.", ATTACHED, From=STRANGER, Subject="Fwd: x"),
    "html": mail(HTML_FORWARD, Content_Type="text/html", From=STRANGER, Subject="Fwd: x"),
}
HOW = {"inline": "forwarded", "attached": "attached", "html": "forwarded"}
BUYER = {"html": {"buyer": ALIAS, "marketplace": "IT"}}


@pytest.mark.parametrize("form", FORWARDS)
@pytest.mark.parametrize("forwarder", [STRANGER, "shop.example"])
def test_a_trusted_forwarders_notice_is_an_opt_out_and_anothers_is_not(form: str, forwarder: str) -> None:
    known = BUYER.get(form, {})
    assert recognize(FORWARDS[form], Trust(frozenset({forwarder}))) == notice(sender=Sender.FORWARDER, **known)
    why = f"{SENTENCE} | but {HOW[form]} by somebody who is not in trusted_forwarders"
    for others in (Trust(), Trust(frozenset({"x@shop.example", "example", "evil-shop.example", ""}))):
        assert recognize(FORWARDS[form], others) == notice(kind=Kind.SUSPECT, why=why, sender=Sender.OTHER, **known)


STRANGERS = forwarded("Hello.", sender="x@elsewhere.example")
SOMEBODY_ELSES = "the mail passes on somebody else's mail as well"
FORWARD_DOUBTS = {
    "attached to what is a stranger's": (multipart("\n" + STRANGERS, ATTACHED, From=STRANGER), SOMEBODY_ELSES),
    "beside what is a stranger's": (multipart("\n" + STRANGERS, "\n" + forwarded(), From=STRANGER), SOMEBODY_ELSES),
    "attached to what is quoted": (
        multipart("\nLook.\n\nOn Monday, X wrote:\n> Hello.", ATTACHED, From=STRANGER),
        SOMEBODY_ELSES,
    ),
    "attached to what an attached letter passes on": (
        multipart(
            "\nLook.",
            "Content-Type: message/rfc822\n\n"
            + multipart("\n" + STRANGERS, ATTACHED, boundary="i", From=STRANGER).decode(),
            From=STRANGER,
        ),
        SOMEBODY_ELSES,
    ),
    "below what the one forwards whom a trusted one forwards": (
        multipart("\n" + forwarded("\n" + STRANGERS, sender="x@trusted.example"), ATTACHED, From=STRANGER),
        SOMEBODY_ELSES,
    ),
    "below somebody's line that no pack knows": (
        mail(f"x@elsewhere.example 님이 작성:\n\n{forwarded()}", From=STRANGER),
        "the mail names somebody else's address",
    ),
    "quoted below what was said of it": (
        mail(
            "On Monday, X <x@elsewhere.example> wrote:\nSee below.\n"
            + "".join(f"> {line}\n" for line in forwarded().splitlines()[2:]),
            From=STRANGER,
        ),
        "the mail names somebody else's address",
    ),
    "in a block that a long subject parts": (
        mail(
            f"-------- Forwarded Message --------\nSubject: hello\nFrom: {AMAZON}\n{SENTENCE}\nDate: 2 Feb\n"
            "From: X <x@elsewhere.example>\n\nHi.",
            From=STRANGER,
        ),
        "the mail names somebody else's address",
    ),
    "beside a text that is not read": (
        multipart("Content-Type: text/enriched\n\n" + STRANGERS, ATTACHED, From=STRANGER),
        "not read: its text, which is text/enriched",
    ),
    "beside a text in winmail.dat": (
        multipart("Content-Type: application/ms-tnef\n\nx", ATTACHED, From=STRANGER),
        "not read: its text, which is application/ms-tnef",
    ),
    "attached to what is a stranger's in words that no pack knows": (
        multipart(
            f"\nFrá: X <x@elsewhere.example>\nSent: 2 Feb\nTil: Y <{STRANGER}>\nEfni: hello\n\nHi.",
            ATTACHED,
            From=STRANGER,
        ),
        SOMEBODY_ELSES,
    ),
    "its own authentication failed": (
        mail(forwarded(), From=STRANGER, Authentication_Results="mx; spf=fail"),
        "authentication failed",
    ),
    "the notice's authentication failed": (
        multipart(ATTACHED.replace("\n\nFrom", "\n\nAuthentication-Results: mx; dkim=fail\nFrom"), From=STRANGER),
        "authentication failed",
    ),
    "two notices of different orders in one text": (
        multipart("\n" + forwarded(), "\n" + forwarded(SENTENCE.replace(ORDER, OTHER_ORDER)), From=STRANGER),
        "2 different order ids",
    ),
    "not from Amazon": (mail(forwarded(sender="x@evil.example"), From=STRANGER), "the sender is not Amazon"),
    "no sender told": (
        mail("----- Forwarded Message -----\n\n" + SENTENCE, From=STRANGER),
        "the sender is not Amazon",
    ),
    "quoted only": (mail(f"> From: {AMAZON}\n>\n> {SENTENCE}", From=STRANGER), "the sender is not Amazon"),
    "in the forwarder's own words": (mail(SENTENCE, From=STRANGER), "the sender is not Amazon"),
    "two forwarders in From": (
        mail(forwarded(), From=f"{STRANGER}, {STRANGER}"),
        "forwarded by somebody who is not in trusted_forwarders",
    ),
    "forwarded first by somebody else": (
        mail(f"----- Forwarded Message -----\nFrom: x@elsewhere.example\n\n{forwarded()}", From=STRANGER),
        "forwarded by somebody who is not in trusted_forwarders",
    ),
    "forwarded first by somebody in words that no pack knows": (
        mail(
            f"Frá: X <x@elsewhere.example>\nSent: 2 Feb\nTil: Y <{STRANGER}>\nEfni: hello\n\n{forwarded()}",
            From=STRANGER,
        ),
        "forwarded by somebody who is not in trusted_forwarders",
    ),
}


@pytest.mark.parametrize(("raw", "doubt"), FORWARD_DOUBTS.values(), ids=FORWARD_DOUBTS.keys())
def test_a_doubt_makes_a_trusted_forward_suspect(raw: bytes, doubt: str) -> None:
    told = recognize(raw, TRUST)
    assert told.kind is Kind.SUSPECT
    assert doubt in told.why


def test_a_trusted_forward_that_was_cut_is_suspect() -> None:
    raw = mail(forwarded() + "\n\n" + "x" * 5_000, From=STRANGER)
    assert judge(read(raw), TRUST).kind is Kind.OPT_OUT
    told = judge(read(raw, mime.Limits(size=1_000)), TRUST)
    assert told.kind is Kind.SUSPECT
    assert "not read: bytes after the first 1000" in told.why


def test_plain_text_and_html_of_one_forward_are_one_notice() -> None:
    raw = multipart(
        "Content-Type: text/plain\n\n" + forwarded(),
        "Content-Type: text/html\n\n" + HTML_FORWARD,
        kind="alternative",
        From=STRANGER,
    )
    assert recognize(raw, TRUST) == notice(sender=Sender.FORWARDER, buyer=ALIAS, marketplace="IT")


def test_several_attached_notices_are_several_opt_outs() -> None:
    """A digest; with one of them doubted all of it is suspect."""
    first = ATTACHED.replace("\n\nFrom", "\n\nDate: Sat, 1 Mar 2025 13:00:00 +0100\nFrom", 1)
    second = ATTACHED.replace(ORDER, OTHER_ORDER)
    told = recognize(multipart(first, second, From=STRANGER), TRUST)
    written_at = datetime(2025, 3, 1, 12, tzinfo=UTC)
    assert told.opt_outs == (OptOut(ORDER, written_at=written_at), OptOut(OTHER_ORDER))
    assert (told.kind, told.orders) == (Kind.OPT_OUT, (ORDER, OTHER_ORDER))
    forged = second.replace(AMAZON, "x@evil.example")
    told = recognize(multipart(first, forged, From=STRANGER), TRUST)
    assert (told.kind, told.orders, told.opt_outs) == (Kind.SUSPECT, (ORDER, OTHER_ORDER), ())


def test_a_notice_that_is_redirected_unchanged_needs_no_trust() -> None:
    assert recognize(mail(Resent_From=STRANGER, Delivered_To=STRANGER)) == notice()


def test_where_one_part_of_a_strangers_letter_matters_all_of_it_is_read() -> None:
    """Found by fuzzing: the other part names other orders, which the suspect must tell."""
    raw = multipart("\n" + SENTENCE, f"\nInvoice for {OTHER_ORDER}.", From=STRANGER)
    told = recognize(raw)
    assert (told, told.orders) == (judge(read(raw)), (ORDER, OTHER_ORDER))


@pytest.mark.parametrize(
    "written",
    [
        ("@", "@\u200b"),
        ("@amazon", "<a>@</a>amazon"),
        ("unable", "un<a href='https://amazon.com'>able</a>"),
        ("4567890", "45\u00ad678<a>90</a>"),
        ("deliver", "deli\u200bver"),
    ],
)
def test_a_look_alikes_letter_is_read_however_its_words_are_written(written: tuple[str, str]) -> None:
    text = f"<p>{AMAZON}: {SENTENCE}</p>".replace(*written)
    told = recognize(mail(text, Content_Type="text/html; charset=utf-8", From=f'"{AMAZON}" <x@evil.example>'))
    assert (told.kind, told.orders) == (Kind.SUSPECT, (ORDER,))


def test_of_a_strangers_letter_with_another_attached_all_doubts_are_told() -> None:
    """Found by fuzzing: its own text matters, though it is none of a notice."""
    raw = multipart("\n" + forwarded("Hello.", sender="x@elsewhere.example"), ATTACHED, From=STRANGER)
    assert recognize(raw) == judge(read(raw))
    assert SOMEBODY_ELSES in recognize(raw).why


def test_an_address_is_read_without_what_cannot_be_seen_in_it() -> None:
    block = f"From: {AMAZON.replace('@', '@&#8203;')}<br>Date: 2 Feb 2023<br>Subject: {SUBJECT}<br>To: x@shop.example"
    raw = mail(f"<p>Look.<p>{block}<p>New words.", Content_Type="text/html", From=f'"{AMAZON}" <x@evil.example>')
    assert recognize(raw).kind is Kind.SUSPECT


# What is worth reading.


@pytest.mark.parametrize(
    ("fields", "worth"),
    [
        ({"From": AMAZON, "Subject": "anything"}, Worth.BODY),
        ({"From": AMAZON, **OPTED_OUT}, Worth.BODY),
        ({"From": STRANGER, "Subject": "x", **OPTED_OUT}, Worth.BODY),
        ({"From": AMAZON, "X_Space_Notification_Type": "OTHER"}, Worth.BODY),
        ({"From": AMAZON, "X_Space_Notification_Type": "OTHER", "Subject": "x"}, Worth.HEADER),
        ({"From": AMAZON, "X_Space_Notification_Type": ["OTHER", OPTED_OUT["X_Space_Notification_Type"]]}, Worth.BODY),
        ({"From": STRANGER, "X_Space_Notification_Type": "OTHER"}, Worth.NOTHING),
        ({"From": ALIAS}, Worth.HEADER),
        ({"From": ALIAS, **OPTED_OUT}, Worth.HEADER),
        ({"From": "x@trusted.example", "Subject": "x"}, Worth.BODY),
        ({"From": "x@amazon.com.evil.example", "Subject": "x"}, Worth.BODY),
        ({"From": f"{AMAZON}, {STRANGER}", "Subject": "x"}, Worth.BODY),
        ({"From": [STRANGER, AMAZON], "Subject": "x"}, Worth.BODY),
        ({"From": "AMAZON <x@y.example>", "Subject": "x"}, Worth.BODY),
        ({"From": STRANGER, "Subject": "hello"}, Worth.NOTHING),
        ({"From": STRANGER, "Subject": SUBJECT}, Worth.BODY),
        ({"From": STRANGER, "Subject": "FWD: hello"}, Worth.BODY),
        ({"From": STRANGER, "Subject": " Fw: hello"}, Worth.BODY),
        ({"From": STRANGER, "Subject": "TR : hello"}, Worth.BODY),
        ({"From": STRANGER, "Subject": "転送：hello"}, Worth.BODY),
        ({"From": STRANGER, "Subject": "Re: hello"}, Worth.NOTHING),
        ({"From": None, "Subject": None}, Worth.NOTHING),
    ],
)
def test_the_header_tells_how_much_has_to_be_read(fields: dict, worth: Worth) -> None:
    heading = read(mail("", **fields))
    assert worth_reading(heading, Trust(frozenset({"trusted.example"}))) is worth


# What is told.


def test_why_is_one_line_of_printable_characters() -> None:
    told = recognize(mail("New words.", Subject=f"{SUBJECT}\x1b[31m\u2028\u202e\x07 !" + "x" * 900))
    assert told.why.startswith(f"Subject: {SUBJECT} [31m !xxx")
    assert 500 <= len(told.why) < 600
    assert told.why.isprintable()


def test_the_buyer_and_the_marketplace_are_told_where_they_are_known() -> None:
    def told(*aliases: str, **fields: str) -> tuple[str | None, str | None]:
        links = "\n".join(f"mailto:{alias}" for alias in aliases)
        found = recognize(mail(f"{SENTENCE}\n\n{links}\n\nhttps://sellercentral.amazon.fr/x", **fields))
        assert found.kind is Kind.OPT_OUT
        return found.buyer, found.marketplace

    other = "zzz45678901234x@marketplace.amazon.de"
    assert told() == (None, "FR")
    assert told(ALIAS) == (ALIAS, "IT")
    assert told(ALIAS, ALIAS.upper()) == (ALIAS, "IT")
    assert told(ALIAS, other) == (None, "IT")
    assert told("no-reply-amazon-iba-buyer@marketplace.amazon.it") == (None, "FR")
    assert told(ALIAS, X_Marketplace_ID="A1VC38T7YXB528") == (ALIAS, "JP")
    assert told(ALIAS, X_Marketplace_ID="UNKNOWN") == (ALIAS, "IT")


def test_the_reason_is_needed_for_the_sentence() -> None:
    told = recognize(mail(SENTENCE.replace(REASON, "for a reason.")))
    assert (told.kind, told.rule) == (Kind.SUSPECT, "failure-subject")
