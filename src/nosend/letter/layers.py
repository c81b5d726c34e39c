"""Which lines are the letter's own, and which are somebody else's: quoted or forwarded.

Reads the marks that the common mail programs leave: `>` and <blockquote>, the "Forwarded message" line, the
From/Sent/To/Subject block of Outlook, and Amazon's "------------- Message: -------------" fence around what a
buyer wrote.
"""

from __future__ import annotations

import re
from dataclasses import replace

from nosend.letter.lines import Line, links, paragraphs
from nosend.model import How, Letter

_DEEPEST = 5  # forwards of forwards of forwards
_MOST = 20  # letters inside one letter

# The line above a forward, without its dashes, in the words of Gmail, Outlook, Apple Mail, Thunderbird, Yahoo.
_FORWARD_WORDS = frozenset(
    """
    begin forwarded message / forwarded message / forwarded mail / original message / original email
    anfang der weitergeleiteten nachricht / weitergeleitete nachricht / ursprüngliche nachricht / originalnachricht
    début du message transféré / début du message réexpédié / message transféré / message d'origine
    message original / mail transféré
    inizio messaggio inoltrato / inizio del messaggio inoltrato / messaggio inoltrato / messaggio originale
    inicio del mensaje reenviado / mensaje reenviado / mensaje original
    mensagem encaminhada / mensagem original
    doorgestuurd bericht / oorspronkelijk bericht / begin doorgestuurd bericht
    転送メッセージ / 転送されたメッセージ / 元のメッセージ / オリジナルメッセージ
    """.strip()
    .replace("\n    ", " / ")
    .split(" / ")  # room for the next mail program
)
_FIELD_WORDS = {
    "from": "from/von/de/da/expéditeur/mittente/remitente/remetente/van/från/fra/od/kimden/差出人/送信者/送信元/发件人",
    "date": "date/sent/datum/gesendet/envoyé/data/inviato/fecha/enviado/enviado el/enviada em/enviado em/verzonden"
    "/skickat/sendt/wysłano/gönderilme/gönderme tarihi/日付/送信日時/日時/发送时间",
    "to": "to/an/à/pour/a/para/aan/destinataire/destinatario/destinatário/till/til/do/kime/宛先/收件人",
    "cc": "cc/kopie/kopie an/copie/copie à/copia/copia a/per conoscenza",
    "subject": "subject/betreff/objet/sujet/oggetto/asunto/assunto/onderwerp/ämne/emne/temat/konu/件名/主题",
    "reply-to": "reply-to/antwort an/répondre à/rispondi a/responder a/返信先",
}
_FIELD_OF_WORD = {word: field for field, words in _FIELD_WORDS.items() for word in words.split("/")}
_FIELD_LINE = re.compile(r"\*?([^\s:：*][^:：*]{0,24})\*?\s?[:：]\*?\s*(.*)", re.DOTALL)
_BUYER_FENCE = re.compile(r"-{6,}\s*[^\s-][^-]{0,40}[:：]?\s*-{6,}")
_FENCE_COLON = (":", "：")


def letter(lines: list[Line], how: How = How.SENT, level: int = 0) -> Letter:
    """Make a letter of lines: its own paragraphs and links, the quoted and forwarded letters inside it."""
    own: list[Line] = []
    enclosed: list[tuple[How, list[Line]]] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.depth > 0:
            end = next((n for n in range(at, len(lines)) if lines[n].depth == 0), len(lines))
            enclosed.append((How.QUOTED, [replace(quoted, depth=quoted.depth - 1) for quoted in lines[at:end]]))
            at = end
        elif _is_buyer_fence(line.text):
            enclosed.append((How.QUOTED, lines[at + 1 :]))
            break
        elif (is_marker := _is_forward_marker(line.text)) or _is_field_block(lines, at):
            enclosed.append((How.FORWARDED, lines[at + is_marker :]))
            break
        else:
            own.append(line)
            at += 1
    allowed = enclosed[:_MOST] if level < _DEEPEST else []
    inside = tuple(_inner(inner, inner_how, level + 1) for inner_how, inner in allowed)
    cuts = tuple(cut for inner in inside for cut in inner.cuts)
    if len(inside) < len(enclosed):
        cuts = (*cuts, f"quoted and forwarded letters after the first {_MOST}, or nested deeper than {_DEEPEST}")
    return Letter(how=how, paragraphs=paragraphs(own), links=links(own), inside=inside, cuts=cuts)


def _inner(lines: list[Line], how: How, level: int) -> Letter:
    if how is not How.FORWARDED:
        return letter(lines, how, level)
    if lines and (base := lines[0].depth):  # Apple Mail quotes what it forwards
        lines = [replace(line, depth=max(0, line.depth - base)) for line in lines]
    fields, rest = _field_block(lines)
    subject = next((value for name, value in fields if name == "subject"), "")
    return replace(letter(rest, how, level), headers=fields, subject=subject)


def _is_forward_marker(text: str) -> bool:
    bare = text.strip("-_=*> \t:：").replace("’", "'").casefold()
    return bare in _FORWARD_WORDS and (text[:2] in {"--", "__", "=="} or text.rstrip()[-1:] in _FENCE_COLON)


def _is_buyer_fence(text: str) -> bool:
    return bool(_BUYER_FENCE.fullmatch(text.strip())) and text.strip("- \t").endswith(_FENCE_COLON)


def _is_field_block(lines: list[Line], at: int) -> bool:
    """Tell whether Outlook's unmarked header block begins here: sender first, three fields at least."""
    if _field(lines[at].text)[0] != "from":
        return False
    names = {name for name, _ in _field_block(lines[at : at + 12])[0]}
    return len(names) >= 3 and "subject" in names


def _field_block(lines: list[Line]) -> tuple[tuple[tuple[str, str], ...], list[Line]]:
    """Read the fields at the head of a forward; a value may stand in the line after its name (tables)."""
    fields: list[tuple[str, str]] = []
    at = 0
    while at < len(lines) and len(fields) < 12:
        if not lines[at].text:  # only a link
            at += 1
            continue
        name, value = _field(lines[at].text)
        if not name:
            break
        at += 1
        if not value and at < len(lines) and not _field(lines[at].text)[0]:
            value = lines[at].text
            at += 1
        fields.append((name, value.replace("[mailto:", "<").replace("]", ">") if "[mailto:" in value else value))
    return tuple(fields), lines[at:]


def _field(text: str) -> tuple[str, str]:
    found = _FIELD_LINE.fullmatch(text)
    if not found:
        return "", ""
    return _FIELD_OF_WORD.get(found[1].strip().casefold(), ""), found[2].strip()
