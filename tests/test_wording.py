"""The key sentence is found however it is spelled and whoever the buyer is; near misses are not."""

from __future__ import annotations

import pytest

from letters import ORDER, REASON, SENTENCE
from nosend.verdict import rules, wording
from nosend.verdict.wording import Match, sentences

OPT_OUTS = rules.builtin().opt_outs
NAMED = "We were unable to deliver the message you sent to {} on 2026-09-10 for order [" + ORDER + "] " + REASON
FRENCH = (
    f"Nous ne sommes pas parvenus à transmettre votre message au sujet de la commande {ORDER}, car l'acheteur a choisi "
    "de ne pas recevoir de messages non sollicités de la part des vendeurs."
)
JAPANESE = (
    "購入者が出品者からの未承諾広告メールを受信しないように設定しているため、"
    f"注文 {ORDER}に関するメッセージを送信できませんでした。"
)


def found(*paragraphs: str) -> tuple[Match, ...]:
    return wording.find(OPT_OUTS, paragraphs)


@pytest.mark.parametrize(
    ("sentence", "rule"),
    [
        (SENTENCE, "en.opt-out"),
        (SENTENCE.upper(), "en.opt-out"),
        (SENTENCE.replace(" ", "\xa0"), "en.opt-out"),
        (SENTENCE.replace("[", "").replace("]", ""), "en.opt-out"),
        (SENTENCE.replace(".", ""), "en.opt-out"),
        (SENTENCE.replace("deliver", "de\u00adli\u200bver"), "en.opt-out"),
        (SENTENCE.replace("the message", "“the message”,"), "en.opt-out"),
        (SENTENCE.replace(ORDER, "１２３－４５６７８９０－１２３４５６７"), "en.opt-out"),
        (SENTENCE.replace("-", "\u2011"), "en.opt-out"),
        (SENTENCE.replace(ORDER, "1\u200b23-456\u20607890-12\u00ad34567"), "en.opt-out"),
        (FRENCH, "fr.opt-out"),
        (FRENCH.replace("'", "’").replace(" ", "\u202f"), "fr.opt-out"),
        (FRENCH.replace(ORDER, f"[{ORDER}]"), "fr.opt-out"),
        (FRENCH.replace("é", "e\u0301"), "fr.opt-out"),
        (JAPANESE, "ja.opt-out"),
        (JAPANESE.replace(" ", ""), "ja.opt-out"),
        (JAPANESE.replace(" ", "\u3000"), "ja.opt-out"),
        (JAPANESE.replace(f" {ORDER}", f"「{ORDER}」 "), "ja.opt-out"),
        (" ".join(JAPANESE), None),
    ],
)
def test_the_sentence_is_found_in_any_spelling(sentence: str, rule: str | None) -> None:
    if rule is None:  # an id in pieces is no id
        assert found(sentence) == ()
        return
    (match,) = found(f"Hello. {sentence} Goodbye.")
    assert (match.wording.rule, match.is_one_sentence) == (rule, True)


NAMES = """
    Anna|Anna B.|T. Rossi|J. R. R. Tolkien|Sig. Rossi|Dr. Who|Mrs. Ann O'Neil|Prof. X|Mary-Ann O.|Sammy Davis Jr.
    |É. Dupont|山田 太郎|(nobody)|“Bob”|a buyer|Anna, of Rome|von Berg|St. John|Company Inc.|No. 5 Shop|X|DE LA CRUZ
    |anna|李雷|J.R. Smith|J.-P. Dupont|MR. JOHN SMITH|Ł. Nowak|S.p.A. Milano|A.B.C. Trading|dott. Rossi|Ph.D. Brown
    |5. Hansen
"""


@pytest.mark.parametrize("name", [name.strip() for name in NAMES.split("|")])
def test_the_buyers_name_parts_no_sentence(name: str) -> None:
    """Names are of many shapes; a dot in one must not cost the notice."""
    sentence = NAMED.format(name)
    assert found(f"Hello. {sentence} Goodbye.") == (Match(OPT_OUTS[0], sentence),)


def test_a_gap_is_at_most_200_characters() -> None:
    gap = "{} ".format("x" * 198)
    assert len(found(SENTENCE.replace("sent for", f"sent {gap}for"))) == 1
    assert len(found(SENTENCE.replace("sent for", f"sent {gap}xx for"))) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        SENTENCE.replace(f"[{ORDER}]", "[]"),
        SENTENCE.replace(f"[{ORDER}]", ""),
        SENTENCE.replace(ORDER, "\ue000"),
        SENTENCE.replace(ORDER, f"{ORDER}x"),
        SENTENCE.replace(ORDER, "P03-4567890-1234567"),
        SENTENCE.replace(f"[{ORDER}]", f"[{ORDER}] [999-4567890-1234567]"),
        SENTENCE.replace(f"[{ORDER}]", f"[{ORDER}] and [999-4567890-1234567]"),
        SENTENCE.replace("unable", "able"),
        SENTENCE.replace("because", "although"),
        SENTENCE.replace("has chosen", "has not chosen"),
        SENTENCE.replace("sent for", "sent. It was meant for"),
        SENTENCE.replace(" because", ". Because"),
        SENTENCE.replace("the message you sent", "the message. You sent"),
        SENTENCE.replace("sent", "sent!? Really. It was"),
        "The buyer has opted out of unsolicited seller messages for order " + ORDER,
        f"If you tried to respond for order {ORDER} and received a message that the buyer has opted out",
        JAPANESE.replace("、", "。"),
        JAPANESE.replace("設定している", "設定していない"),
        FRENCH.replace("l'acheteur", "le vendeur"),
        FRENCH.replace(", car", ". Car"),
        NAMED.format("Barbara. He lives"),
        NAMED.format("who? Me"),
    ],
)
def test_a_near_miss_is_never_found_as_one_sentence(text: str) -> None:
    assert not [match for match in found(text) if match.is_one_sentence]


def test_a_sentence_is_looked_for_in_one_paragraph() -> None:
    half = len(SENTENCE) // 2
    assert found(SENTENCE[:half], SENTENCE[half:]) == ()
    assert len(found(SENTENCE, SENTENCE)) == 2


def test_a_private_use_character_stands_for_no_order() -> None:
    injected = SENTENCE.replace(f"[{ORDER}]", "\ue000") + f" {ORDER}"
    assert found(injected) == ()
    assert len(found(SENTENCE.replace("you sent", "you\ue000 sent"))) == 1


@pytest.mark.parametrize(
    ("paragraph", "told"),
    [
        ("A. B", ["A. B"]),
        ("First. Second! Third? Last", ["First.", "Second!", "Third?", "Last"]),
        ("First... Second?! Third.", ["First...", "Second?!", "Third."]),
        ('He said "no." Then he left.', ['He said "no."', "Then he left."]),
        ("See [1.] Then", ["See [1.]", "Then"]),
        ("e.g. this stays. That goes", ["e.g. this stays.", "That goes"]),
        ("version 1.5 of it", ["version 1.5 of it"]),
        ("送信できません。でした！ はい", ["送信できません。", "でした！", "はい"]),
        ("", []),
        ("x" * 2_001, ["x" * 2_000]),
    ],
)
def test_a_paragraph_is_cut_into_sentences(paragraph: str, told: list[str]) -> None:
    assert list(sentences(paragraph)) == told


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "filling", ["!", ".", "?!", "。", ".'", "... ", "a. ", "A. ", "(", "\ue000", "sent for order "]
)
def test_a_hostile_paragraph_is_read_in_bounded_time(filling: str) -> None:
    start = f"{ORDER} unable to deliver the message you sent "
    assert found(start + filling * (500_000 // len(filling))) == ()
    assert found(start * 20_000) == ()
