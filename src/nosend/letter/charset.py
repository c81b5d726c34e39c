"""Bytes and a label -> text, whatever the label says.

Amazon's notices arrive with lying labels: some Japanese sellers get them as mojibake. The order is: what the
bytes themselves prove (ISO-2022-JP escapes, valid UTF-8), the declared charset, the Japanese ones where the
result reads as Japanese, windows-1252. Nothing here raises.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

# Labels that are written where nothing is known of the bytes: valid UTF-8 beats them.
_SINGLE_BYTE = frozenset({"ascii", "cp1252", "iso8859-15"})
# What mail programs mean by a label (WHATWG Encoding): the larger set that contains it.
_MEANT = {
    "iso8859-1": "cp1252",
    "shift_jis": "cp932",
    "iso2022_jp": "iso2022_jp_2",
    "windows-31j": "cp932",
    "x-sjis": "cp932",
    "x-euc-jp": "euc_jp",
}
# Encodings of something else than mail text, and UTF-7, which makes text out of what looks like markup.
_REFUSED = frozenset(
    {
        "idna",
        "punycode",
        "raw-unicode-escape",
        "raw_unicode_escape",
        "undefined",
        "unicode-escape",
        "unicode_escape",
        "utf-7",
    }
)
_ASCII_BYTES = frozenset({"hz", "utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-32-be", "utf-32-le"})
_EAST_ASIAN = frozenset(
    {"big5", "big5hkscs", "cp932", "cp949", "cp950", "euc_jp", "euc_kr", "gb18030", "gb2312", "gbk"}
)
_JAPANESE = ("cp932", "euc_jp")
_ISO_2022_JP = re.compile(rb"\x1b\$[@B(]")
_LABEL = re.compile(r"[a-z0-9_.:+-]{1,40}")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa\u30fc]")


def decode(data: bytes, declared: str = "") -> str:
    """Decode bytes. `declared` is the charset label of the mail, or empty; it is a hint, no more."""
    codec = _codec(declared)
    if _ISO_2022_JP.search(data):
        return _replacing(data, "iso2022_jp_2")
    if data.isascii() and codec not in _ASCII_BYTES:
        return data.decode("ascii")
    return _unmangle(_decode(data, codec))


def _decode(data: bytes, codec: str) -> str:
    utf_8 = _strict(data, "utf-8") if codec not in _ASCII_BYTES else None
    # what is valid UTF-8 is hardly ever anything else; a few bytes in an East Asian encoding may be
    if utf_8 is not None and (codec not in _EAST_ASIAN or sum(not c.isascii() for c in utf_8) >= 4):
        return utf_8
    text = _strict(data, codec) if codec and codec not in _SINGLE_BYTE else None
    if text is not None:
        return text
    for name in _JAPANESE:
        text = _strict(data, name)
        if text is not None and _reads_as_japanese(text):
            return text
    if codec == "utf-8" and _damaged_utf8(data):
        return data.decode("utf-8", "replace")
    if codec in {"", "ascii", "cp1252", "utf-8"}:
        return _windows_1252(data)
    return _replacing(data, codec)


@lru_cache(maxsize=256)
def _codec(label: str) -> str:
    """Give Python's name of a charset label, empty when there is none."""
    label = label.strip("\"' \t").lower()
    if not _LABEL.fullmatch(label):
        return ""
    try:
        name = codecs.lookup(_MEANT.get(label, label)).name
        b"a".decode(name, "replace")  # rot13 and base64 are codecs, too, but not of text
    except (LookupError, ValueError):  # ValueError: a NUL or a surrogate in the label
        return ""
    return "" if name in _REFUSED else _MEANT.get(name, name)


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except (UnicodeError, RuntimeError):  # RuntimeError: ISO-2022 decoders of Python 3.11.2, "internal codec error"
        return None


def _replacing(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec, "replace")
    except RuntimeError:
        return _windows_1252(data)


def _reads_as_japanese(text: str) -> bool:
    foreign = sum(not c.isascii() for c in text)
    return foreign >= 4 and len(_KANA.findall(text)) * 4 >= foreign


def _damaged_utf8(data: bytes) -> bool:
    """Tell UTF-8 with a few broken bytes (a cut, a bad transfer) from text that never was UTF-8."""
    broken = data.decode("utf-8", "replace").count("\ufffd")
    return broken * 10 <= sum(byte >= 0xC2 for byte in data)


def _windows_1252(data: bytes) -> str:
    """Decode windows-1252; the five bytes it leaves undefined stay C1 controls, as browsers read them."""
    try:
        return data.decode("cp1252")  # a tenth of the time of str.translate
    except UnicodeDecodeError:
        return data.decode("latin-1").translate(_OF_1252)


# The characters of windows-1252 that Latin-1 lacks, by the C1 control that has their byte, and back. Translating takes
# time linear in the text; an error handler for the five undefined bytes takes the square.
_OF_1252 = {n: char for n in range(0x80, 0xA0) if (char := bytes([n]).decode("cp1252", "ignore"))}
_TO_LATIN_1 = {ord(char): n for n, char in _OF_1252.items()}


def _as_windows_1252(text: str) -> bytes:
    """Undo `_windows_1252`. Raises UnicodeEncodeError for a text that does not come from there."""
    try:
        return text.encode("cp1252")
    except UnicodeEncodeError as error:
        if ord(text[error.start]) > 0x9F:
            raise
        return text.translate(_TO_LATIN_1).encode("latin-1")


# What undoing it may bring to light: Latin letters, the signs of windows-1252, Japanese.
_MEANT_TEXT = re.compile("[\x00-\x7f\u00a0-\u017f\u2010-\u2026\u20ac\u2122\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]*")


def _unmangle(text: str) -> str:
    """Undo UTF-8 that was read as windows-1252 and written again as UTF-8.

    Only when every character of the text fits, the bytes are valid UTF-8, which real Latin text rarely is (a
    lone accented letter makes an invalid sequence), and they are letters that somebody may have meant.
    """
    try:
        data = _as_windows_1252(text)
    except UnicodeEncodeError:
        return text
    undone = _strict(data, "utf-8")
    if not undone or not _MEANT_TEXT.fullmatch(undone):
        return text
    return undone if max(undone) < "\u3000" or _reads_as_japanese(undone) else text
