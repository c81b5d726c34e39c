"""Bytes become the text that was written, whatever the label says; and right text is left alone."""

from __future__ import annotations

import pytest

from letters import read
from nosend.letter import charset

JAPANESE = "購入者が出品者からの未承諾広告メールを受信しないように設定しているため、注文に関するメッセージ"
LATIN = "Dépêche-toi : l’été à l’hôtel coûte 20 €… « où ? » – voilà"

# Words whose letters could be the bytes of something else: capitals, ß, umlauts, accents beside punctuation.
FRENCH = """
    café|été|où|à|çà et là|garçon|Noël|maïs|cœur|l’acheteur|l’œuvre|É|ÉTÉ|À BIENTÔT|ÇA|HÔTEL|MAÎTRE|« été »
    |«\xa0été\xa0»|QUALITÉ\xa0!|NOUVEAUTÉ\xa0: le guide|santé\xa0– infos|CAFÉ»
    |L’ÉTÉ’|Réf.\xa0: n°\xa012|été…|déjà vu”|prix\xa0: 20\xa0€
"""
ITALIAN = """
    perché|è|È|città|CITTÀ|l’acquirente|più|però|così|sarà|«perché»|“è”|Perché…|LIBERTÀ!|virtù\xa0–|caffè®
    |COSÌ FAN TUTTE
"""
GERMAN = """
    Grüße|Straße|schön|Äpfel|Übergröße|„Gruß“|»Größe«|Spaß…|Viel Spaß…|Gruß”|Strauß™|heiß\xa0– kalt
    |MÜLLER|WEIß®|Fußball|ß
"""
SPANISH = """
    año|niño|¿qué?|¡Hola!|mañana|SEÑOR|AÑO®|lingüística|«sí»|corazón…|Ñ|ESPAÑA™|n.º 5|envío\xa0– aviso|ÁÉÍÓÚ|pingüino
"""
WORDS = [word.strip() for text in (FRENCH, ITALIAN, GERMAN, SPANISH) for word in text.split("|")]


@pytest.mark.parametrize("word", WORDS)
def test_right_utf_8_is_never_repaired(word: str) -> None:
    assert charset.decode(word.encode(), "utf-8") == word


# Of so few bytes nobody can tell one from the other: they are valid UTF-8 of another character.
AMBIGUOUS = {word for word in WORDS if not word.isascii() and charset._strict(word.encode("cp1252"), "utf-8")}


@pytest.mark.parametrize("label", ["windows-1252", "iso-8859-1", "us-ascii", "utf-8", "", "nobody-knows"])
@pytest.mark.parametrize("word", [word for word in WORDS if word not in AMBIGUOUS])
def test_windows_1252_is_read_under_any_western_or_missing_label(word: str, label: str) -> None:
    assert charset.decode(word.encode("cp1252"), label) == word


def test_a_text_of_windows_1252_is_never_taken_for_japanese() -> None:
    for text in ("‚était", "5 ƒa", LATIN, " ".join(WORDS), " ".join(reversed(WORDS)), "ƒ‚ƒ¥¤ 5 ¥ ou 7 ¤, « ‚‘’“”’ »"):
        assert charset.decode(text.encode("cp1252")) == text
        assert charset.decode(text.encode("cp1252"), "iso-8859-1") == text
        assert charset.decode(text.encode(), "iso-8859-1") == text


@pytest.mark.parametrize("codec", ["utf-8", "cp932", "euc_jp", "iso2022_jp"])
@pytest.mark.parametrize("label", ["utf-8", "iso-8859-1", "windows-1252", "us-ascii", "", "nobody-knows", "shift_jis"])
def test_japanese_is_read_under_a_wrong_label(codec: str, label: str) -> None:
    assert charset.decode(JAPANESE.encode(codec), label) == JAPANESE


@pytest.mark.parametrize(
    ("label", "data", "text"),
    [
        ("utf-8", b"caf\xc3\xa9", "café"),
        ("UTF-8", b"caf\xc3\xa9", "café"),
        (' "utf-8" ', b"caf\xc3\xa9", "café"),
        ("utf-16-le", "né".encode("utf-16-le"), "né"),
        ("utf-16", "né".encode("utf-16"), "né"),
        ("koi8-r", "привет".encode("koi8-r"), "привет"),
        ("windows-1251", "привет".encode("cp1251"), "привет"),
        ("iso-8859-2", "łódź".encode("iso-8859-2"), "łódź"),
        ("iso-8859-15", b"20 \xa4", "20 €"),
        ("iso-8859-1", b"20 \x80", "20 €"),
        ("iso-8859-1", b"a\x81b\xe9", "a\x81bé"),
        ("gb2312", "订单".encode("gb2312"), "订单"),
        ("big5", "訂單".encode("big5"), "訂單"),
        ("windows-31j", "①髙".encode("cp932"), "①髙"),
        ("shift_jis", "①髙".encode("cp932"), "①髙"),
        ("x-sjis", "①髙".encode("cp932"), "①髙"),
        ("iso-2022-jp", "注文".encode("iso2022_jp"), "注文"),
    ],
)
def test_a_true_label_is_believed(label: str, data: bytes, text: str) -> None:
    assert charset.decode(data, label) == text


def test_utf_8_with_a_few_broken_bytes_stays_utf_8() -> None:
    assert charset.decode(LATIN.encode() * 2 + b"\xe9 !", "utf-8") == LATIN * 2 + "\ufffd !"
    assert charset.decode(JAPANESE.encode()[:-1], "utf-8") == JAPANESE[:-1] + "\ufffd"


@pytest.mark.parametrize("text", [JAPANESE, LATIN, "perché l’acquirente ha scelto", "für Übergrößen", "1 200 € – été"])
@pytest.mark.parametrize("misread", ["cp1252", "latin-1"])
def test_utf_8_encoded_twice_is_undone(text: str, misread: str) -> None:
    if misread == "latin-1":
        twice = text.encode().decode("latin-1").encode()
    else:  # as browsers do it: the five undefined bytes stay control characters
        twice = "".join(charset._windows_1252(bytes([byte])) for byte in text.encode()).encode()
    assert charset.decode(twice, "utf-8") == text


NOT_CHARSETS = """
    rot13 rot_13 base64 base64_codec hex uu quopri zip zlib bz2 utf-7 idna punycode unicode_escape
    raw_unicode_escape undefined aliases mbcs oem string_escape ../../etc
""".split()


@pytest.mark.parametrize("label", [*NOT_CHARSETS, "\x00", "utf-8\x00", "\udc80", "a" * 5000, "İ", "é"])
def test_a_label_that_is_no_charset_of_mail_counts_as_none(label: str) -> None:
    for data in (b"+AOk-\\xe9", b"caf\xc3\xa9", b"caf\xe9", JAPANESE.encode("cp932"), b"\xff\x81", b"\xe9 \\ud800"):
        assert charset.decode(data, label) == charset.decode(data)


@pytest.mark.parametrize("label", ["rot13", "base64", "hex"])
def test_a_mail_with_such_a_label_is_read(label: str) -> None:
    raw = b"Content-Type: text/plain; charset=" + label.encode() + b"\n\nl'\xe9t\xe9"
    assert read(raw).paragraphs == ("l'été",)


@pytest.mark.parametrize(
    ("header", "meta", "codec"),
    [("", "shift_jis", "cp932"), ("", "windows-1251", "cp1251"), ("charset=koi8-r", "utf-8", "koi8-r")],
)
def test_the_meta_element_speaks_only_where_the_header_does_not(header: str, meta: str, codec: str) -> None:
    text = "注文です" if codec == "cp932" else "привет"
    raw = f'Content-Type: text/html; {header}\n\n<meta http-equiv=x content="text/html; charset={meta}"><p>{text}'
    assert read(raw.encode(codec)).paragraphs == (text,)


@pytest.mark.parametrize("label", ["", "iso-2022-jp", "iso-2022-jp-2", "utf-8"])
def test_escapes_that_break_the_decoder_itself_are_read_all_the_same(label: str) -> None:
    """The ISO-2022 decoders of Python 3.11.2 raise RuntimeError, "internal codec error", on these bytes."""
    assert "end" in charset.decode(b"\x1b$B\x1b(B begin \x1b.J\x1bN\xed end", label)
