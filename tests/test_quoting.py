"""What is quoted or forwarded is told apart from the letter's own text; what merely looks similar is not."""

from __future__ import annotations

import pytest

from letters import AMAZON, SUBJECT
from nosend.letter import html, layers
from nosend.letter.lines import from_plain
from nosend.model import How, Letter
from nosend.verdict import rules
from nosend.verdict.packfile import Pack

MARKS = rules.builtin().marks
FROM = f"Amazon <{AMAZON}>"


def plain(text: str) -> Letter:
    return layers.letter(from_plain(text), MARKS)


def block(sender: str, date: str, to: str, subject: str) -> str:
    return f"{sender} {FROM}\n{date} 2 Feb 2023\n{to} me@shop.example\n{subject} {SUBJECT}\n"


def inner(*names: str, body: tuple[str, ...] = ("Body.",), **more) -> Letter:
    values = {"from": FROM, "date": "2 Feb 2023", "to": "me@shop.example", "subject": SUBJECT}
    fields = tuple((name, values[name]) for name in names or values)
    return Letter(How.FORWARDED, fields, SUBJECT if "subject" in dict(fields) else "", body, **more)


BLOCKS = {
    "en Outlook": ("From:", "Sent:", "To:", "Subject:"),
    "en Gmail": ("From:", "Date:", "To:", "Subject:"),
    "en bold": ("*From:*", "*Sent:*", "*To:*", "*Subject:*"),
    "de": ("Von:", "Gesendet:", "An:", "Betreff:"),
    "de Thunderbird": ("Von: ", "Datum: ", "An: ", "Betreff: "),
    "fr Outlook": ("De :", "Envoyé :", "À :", "Objet :"),
    "fr no-break": ("De\xa0:", "Envoyé\xa0:", "À\xa0:", "Objet\xa0:"),
    "fr Thunderbird": ("De : \t", "Date : \t", "Pour : \t", "Sujet : \t"),
    "it": ("Da:", "Inviato:", "A:", "Oggetto:"),
    "it Mittente": ("Mittente:", "Data:", "Destinatario:", "Oggetto:"),
    "es": ("De:", "Enviado:", "Para:", "Asunto:"),
    "es Outlook": ("De:", "Enviado el:", "Para:", "Asunto:"),
    "pt": ("De:", "Data:", "Para:", "Assunto:"),
    "pt Outlook": ("De:", "Enviada em:", "Para:", "Assunto:"),
    "nl": ("Van:", "Verzonden:", "Aan:", "Onderwerp:"),
    "ja": ("差出人:", "送信日時:", "宛先:", "件名:"),
    "ja full-width": ("差出人：", "日時：", "宛先：", "件名："),
    "zh": ("发件人:", "发送时间:", "收件人:", "主题:"),
}


@pytest.mark.parametrize("names", BLOCKS.values(), ids=BLOCKS.keys())
def test_a_header_block_begins_a_forward(names: tuple[str, str, str, str]) -> None:
    assert plain(f"Look.\n\n{block(*names)}\nBody.") == Letter(paragraphs=("Look.",), inside=(inner(),))


@pytest.mark.parametrize("names", BLOCKS.values(), ids=BLOCKS.keys())
def test_a_header_block_in_any_order_follows_a_marker(names: tuple[str, str, str, str]) -> None:
    lines = block(*names).splitlines()[::-1]
    told = plain("\n".join(["-------- Forwarded Message --------", *lines, "", "Body."]))
    assert told == Letter(inside=(inner("subject", "to", "date", "from"),))


MARKERS = """
    Begin forwarded message:
    ---------- Forwarded message ---------
    ----- Forwarded Message -----
    -------- Forwarded Message --------
    -----Original Message-----
    --- Original message ---
    ========== Forwarded message ==========
    ______ Original Message ______
    Anfang der weitergeleiteten Nachricht:
    -------- Weitergeleitete Nachricht --------
    -----Ursprüngliche Nachricht-----
    Début du message transféré :
    Début du message réexpédié :
    -------- Message transféré --------
    -----Message d'origine-----
    -----Message d’origine-----
    Inizio messaggio inoltrato:
    -------- Messaggio Inoltrato --------
    -----Messaggio originale-----
    Inicio del mensaje reenviado:
    -------- Mensaje reenviado --------
    -----Mensaje original-----
    -------- Mensagem encaminhada --------
    -----Mensagem original-----
    Begin doorgestuurd bericht:
    -----Oorspronkelijk bericht-----
    -------- 転送メッセージ --------
    転送されたメッセージ：
    -----元のメッセージ-----
""".strip().splitlines()


@pytest.mark.parametrize("marker", [marker.strip() for marker in MARKERS])
def test_a_marker_begins_a_forward(marker: str) -> None:
    assert plain(f"Look.\n\n{marker}\nFrom: {FROM}\nSubject: {SUBJECT}\n\nBody.") == Letter(
        paragraphs=("Look.",), inside=(inner("from", "subject"),)
    )
    assert plain(f"{marker}\n\nBody.").inside == (Letter(How.FORWARDED, paragraphs=("Body.",)),)


def test_a_line_above_a_marker_that_ends_with_a_colon_is_no_label() -> None:
    told = plain(
        f"Please list her:\n\n----- Forwarded Message -----\nFrom: {FROM}\nDate: 2 Feb 2026, 12:00\nTo: x\n\nBody."
    )
    assert (told.paragraphs, told.inside[0].header("from")) == (("Please list her:",), (FROM,))


def test_all_after_a_marker_is_the_forward() -> None:
    told = plain("Own.\n\n----- Forwarded Message -----\nA.\n\nB.\n\nC.")
    assert told == Letter(paragraphs=("Own.",), inside=(Letter(How.FORWARDED, paragraphs=("A.", "B.", "C.")),))


@pytest.mark.parametrize(
    "line",
    [
        "----- see below -----",
        "------------- Message -------------",
        "------------- Begin message -------------",
        "----- Forwarded by Anna Smith/SHOP on 09/14/2026 10:00 AM -----",
        "----- Forwarded message from Bob <bob@elsewhere.example> -----",
        "====== Anfang der Nachricht ======",
        "---- On Mon, 14 Sep 2026 Bob <bob@elsewhere.example> wrote ----",
    ],
)
def test_what_stands_below_words_between_dashes_is_somebodys(line: str) -> None:
    told = plain(f"Look.\n\n{line}\n\nAfter.")
    assert told == Letter(paragraphs=("Look.",), inside=(Letter(How.QUOTED, paragraphs=("After.",)),))


@pytest.mark.parametrize(
    "text",
    [
        "Forwarded message",
        "This is the original message: it was short.",
        "I saw the forwarded message.",
        "-----",
        "--",
        "Original message",
        "From: the team",
        "From: Monday\nTo: Friday",
        "From: Anna\nSubject: greetings",
        "From: Berlin\nTo: Paris\nDate: 3 May",
        "Dear Anna: hello",
        "From: you\nSent: never\nTo: us",
        "-- Message: --",
        "10 > 5",
    ],
)
def test_text_that_looks_similar_stays_own(text: str) -> None:
    told = plain(f"{text}\n\nAfter.")
    assert told == Letter(paragraphs=(" ".join(text.split("\n")), "After."))


def test_quoted_lines_are_letters_of_their_own() -> None:
    assert plain("A.\n\n> Q.\n> R.\n\nB.\n> S.") == Letter(
        paragraphs=("A.", "B."),
        inside=(Letter(How.QUOTED, paragraphs=("Q. R.",)), Letter(How.QUOTED, paragraphs=("S.",))),
    )
    assert plain("> Q.\n>> R.").inside == (
        Letter(How.QUOTED, paragraphs=("Q.",), inside=(Letter(How.QUOTED, paragraphs=("R.",)),)),
    )


def test_apple_mail_quotes_what_it_forwards() -> None:
    text = f"Look.\n\nBegin forwarded message:\n\n> From: {FROM}\n> Subject: {SUBJECT}\n>\n> Body.\n>> Older."
    older = Letter(How.QUOTED, paragraphs=("Older.",))
    assert plain(text) == Letter(paragraphs=("Look.",), inside=(inner("from", "subject", inside=(older,)),))


def test_a_forward_of_a_forward_lies_inside_it() -> None:
    outlook = block("Von:", "Gesendet:", "An:", "Betreff:")
    text = f"A.\n\n----- Forwarded Message -----\nFrom: me@shop.example\n\nB.\n\n{outlook}\nBody."
    middle = Letter(How.FORWARDED, (("from", "me@shop.example"),), "", ("B.",), inside=(inner(),))
    assert plain(text) == Letter(paragraphs=("A.",), inside=(middle,))


@pytest.mark.parametrize(
    "fence",
    [
        "------------- Message: -------------",
        "------------- Nachricht: -------------",
        "------------- メッセージ： -------------",
    ],
)
def test_all_behind_a_buyers_fence_is_quoted(fence: str) -> None:
    text = f"Anna writes:\n\n{fence}\n\nBuyer.\n\n------------- End message -------------\n\nFooter."
    told = plain(text)
    assert told.paragraphs == ("Anna writes:",)
    assert [(letter.how, letter.paragraphs[0]) for letter in told.inside] == [(How.QUOTED, "Buyer.")]


@pytest.mark.parametrize(
    "markup",
    [
        "<div>---- Forwarded message ----<br>From: <b>Amazon</b> &lt;{0}&gt;<br>Subject: {1}<br><br>Body.</div>",
        "---- Original Message ----<table><tr><th>From:<td>Amazon &lt;{0}&gt;<tr><th>Subject:<td>{1}</table><p>Body.",
        "Begin forwarded message:<blockquote><div>From: Amazon &lt;{0}&gt;</div>Subject: {1}<p>Body.</blockquote>",
        "<p>Begin forwarded message:<div>From: Amazon [mailto:{0}]</div><div>Subject: {1}</div><p>Body.",
    ],
)
def test_a_forward_in_html_is_found(markup: str) -> None:
    told = layers.letter(html.lines("<p>Look.</p>" + markup.format(AMAZON, SUBJECT)), MARKS)
    assert told == Letter(paragraphs=("Look.",), inside=(inner("from", "subject"),))


def test_links_belong_to_the_letter_they_stand_in() -> None:
    told = layers.letter(html.lines("<a href=1>A</a><blockquote><a href=2>B</a></blockquote><p>C<a href=3></a>"), MARKS)
    quoted = Letter(How.QUOTED, paragraphs=("B",), links=("2",))
    assert told == Letter(paragraphs=("A", "C"), links=("1", "3"), inside=(quoted,))


@pytest.mark.timeout(20)
def test_forwards_of_forwards_and_many_quotes_are_bounded() -> None:
    def depth(letter: Letter) -> int:
        return 1 + max(map(depth, letter.inside), default=0)

    assert depth(plain("----- Forwarded Message -----\nx\n" * 5_000)) == 6
    assert depth(plain(">" * 40 + "x")) == 6
    assert len(plain("> x\n\ny\n\n" * 50_000).inside) == 20


PACKS = rules.builtin().packs


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_the_line_above_a_forward_is_known_in_every_language(pack: Pack) -> None:
    for line in pack.forward_lines:
        told = plain(f"Look.\n\n----- {line} -----\n\nBody.")
        assert (told.paragraphs, [inner.paragraphs for inner in told.inside]) == (("Look.",), [("Body.",)]), line


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_every_word_of_a_header_block_is_read_in_every_language(pack: Pack) -> None:
    for name, words in pack.forward_fields:
        for word in words:
            told = plain(f"-----Original Message-----\n{word}: {FROM}\n\nBody.")
            assert told.inside[0].headers == ((name, FROM),), word


ON_ONE_LINE = "----- Forwarded Message ----- From: {} To: <a@shop.example> Cc: <b@shop.example> Sent: today Subject: y"


@pytest.mark.parametrize(
    ("line", "known"),
    [
        (ON_ONE_LINE.format(FROM), True),
        (ON_ONE_LINE.format(FROM).replace("Cc: <b@shop.example> ", ""), True),
        (ON_ONE_LINE.format(FROM).replace(" To:", "To:").replace(" Sent", "Sent").replace(" Subject", "Subject"), True),
        (ON_ONE_LINE.format(f"{FROM} Cc: <c@evil.example>").replace("Cc: <b@shop.example> ", ""), False),
        (ON_ONE_LINE.format(f"{FROM} Cc: <c@evil.example>"), False),
        (ON_ONE_LINE.format(f"{FROM} Reply-To: <c@evil.example>"), False),
        (ON_ONE_LINE.format(f"{FROM} Sent: <c@evil.example>").replace(" Sent: today", ""), False),
        (ON_ONE_LINE.format(f"{FROM} To: <c@evil.example>"), False),
        (ON_ONE_LINE.format(FROM).replace("Sent: today ", ""), False),
    ],
)
def test_a_block_on_one_line_tells_a_sender_only_in_the_order_that_yahoo_writes(line: str, known: bool) -> None:
    """A display name may hold a label."""
    (inner,) = plain(f"{line}\n\nBody.").inside
    assert inner.header("from") == ((FROM,) if known else ())
    assert inner.paragraphs[-1].endswith("Body.")


def test_a_label_with_a_letter_that_only_looks_the_same_is_none() -> None:
    """A dotless i is found as an i where case does not matter, and is another letter all the same."""
    told = plain(f"----- Forwarded Message ----- From: {FROM} Recıpıent: x Subject: y\n\nBody.")
    assert told.inside[0].paragraphs[-1] == "Body."
