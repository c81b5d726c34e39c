"""May this message be sent? A table of every purpose, for a listed key and for one that is not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nosend.entry import Entry
from nosend.errors import UnknownKeyError
from nosend.identifiers import Key
from nosend.permission import PURPOSES, Decision, Permission, check_purpose, decide

KEY = Key("order", "123-4567890-1234567")
AT = datetime(2026, 9, 10, 12, tzinfo=UTC)
ENTRY = Entry("order", KEY.value, "shop", "IT", AT, AT, AT, 1, "notice", "the sentence")
REASON = "the buyer opted out on 2026-09-10: the sentence"
CRITICAL = ("product-customization", "delivery-scheduling", "shipping-address", "reply-to-buyer")
NOT_CRITICAL = (
    "feedback-request", "review-request", "order-confirmation", "shipment-confirmation", "delivery-confirmation",
    "proactive-service", "out-of-stock", "delay", "alternative-offer",
)  # fmt: skip


def test_these_are_all_the_purposes() -> None:
    assert PURPOSES == CRITICAL + NOT_CRITICAL


@pytest.mark.parametrize("purpose", [*PURPOSES, None])
def test_any_message_may_go_to_who_is_not_listed(purpose: str | None) -> None:
    told = decide(KEY, (), purpose)
    assert told == Decision(KEY, Permission.SEND, purpose, ())
    assert (told.reason, told.advice) == ("not on the blacklist", "")
    assert told.may_send is True


@pytest.mark.parametrize("purpose", CRITICAL)
def test_a_critical_message_may_go_to_who_is_listed_with_advice(purpose: str) -> None:
    told = decide(KEY, (ENTRY,), purpose)
    assert told == Decision(KEY, Permission.SEND_AS_CRITICAL, purpose, (ENTRY,))
    assert told.reason == REASON
    assert told.advice.startswith("allowed as critical (")
    assert told.may_send is True


@pytest.mark.parametrize(
    ("marketplace", "tag"),
    [("IT", "[Importante]"), ("DE", "[Wichtig]"), ("JP", "[重要]"), ("US", "[Important]"), (None, "[Important]")],
)
def test_the_tag_is_that_of_the_marketplace(marketplace: str | None, tag: str) -> None:
    told = decide(KEY, (ENTRY._replace(marketplace=marketplace),), "shipping-address")
    assert told.advice.endswith(f"the subject needs {tag}")


@pytest.mark.parametrize("purpose", NOT_CRITICAL)
def test_a_message_that_is_not_critical_must_not_go_to_who_is_listed(purpose: str) -> None:
    told = decide(KEY, (ENTRY,), purpose)
    assert told == Decision(KEY, Permission.DO_NOT_SEND, purpose, (ENTRY,))
    assert (told.reason, told.advice) == (REASON, f"{purpose} is not critical")
    assert told.may_send is False


def test_a_message_without_a_purpose_counts_as_not_critical() -> None:
    told = decide(KEY, (ENTRY, ENTRY), None)
    assert told == Decision(KEY, Permission.DO_NOT_SEND, None, (ENTRY, ENTRY))
    assert (told.reason, told.advice) == (REASON, "only critical messages may be sent")
    assert (told.reason, told.advice) == (REASON, "only critical messages may be sent")
    assert told.may_send is False


@pytest.mark.parametrize("purpose", ["", "Delay", "delay ", "critical", "important"])
def test_an_unknown_purpose_is_refused_listed_or_not(purpose: str) -> None:
    for ask in (
        lambda: check_purpose(purpose),
        lambda: decide(KEY, (), purpose),
        lambda: decide(KEY, (ENTRY,), purpose),
    ):
        with pytest.raises(UnknownKeyError) as told:
            ask()
        assert str(told.value) == f"unknown purpose {purpose!r}: choose one of {', '.join(PURPOSES)}"
