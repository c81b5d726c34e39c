"""A matrix of mails made by rule: true notices, near misses of each, and notices in languages nobody has seen.

A mail is a `Draft` (words, sender, header fields), changed by a forward or a twist, and written down: charset,
transfer encoding, MIME shape, line ends. Every such choice is a dimension. The full product would be some 10^10
mails; `cover` deals them so that each pair of values of two dimensions that can stand in one mail (`fits`) occurs,
and takes for the rest the values that met each other least. Nothing is left to chance: the same mails come in the
same order, and each has an order id and a buyer of its own.

What is expected follows the intent, not the program: where a mail must not be listed and two other answers are
equally right, both are allowed.
"""

from __future__ import annotations

import re
import textwrap
import tomllib
import unicodedata
from base64 import b64encode, encodebytes
from binascii import b2a_qp
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from itertools import combinations, count, product, repeat
from typing import Any

from nosend.model import Kind, Trust

ANNA = "Anna Bell <anna@shop.example>"  # the one trusted forwarder
BOB = "Bob Stone <bob@elsewhere.example>"
TRUST = Trust(frozenset({"anna@shop.example"}))
MARKER = "X-Space-Notification-Type: {}"
OPTED_OUT = MARKER.format("BUYER_OPTED_OUT_BSM_MESSAGES")
RESULT = "Authentication-Results: mx.shop.example; {}"
OTHER_ORDER = "999-0000000-0000001"  # a second id, beside the mail's own
DAY = "2026-09-10"


@dataclass(frozen=True, slots=True)
class Sample:
    """A mail and what must be said of it: one of `kinds`, and `orders` if it is to be listed.

    `confirmed`: a real notice in this language was seen. `values` are the choices it is made of, by dimension.
    """

    name: str
    language: str
    raw: bytes
    kinds: tuple[Kind, ...]
    orders: tuple[str, ...]
    trust: Trust
    confirmed: bool
    values: Mapping[str, str]


def mails() -> Iterator[Sample]:
    """Give the whole matrix, the same mails in the same order each time."""
    numbers = count()
    yield from notices(numbers)
    yield from near_misses(numbers)
    yield from unconfirmed(numbers)


# The words. Only the key sentences of SENTENCES were seen in real notices; all else is ours.


@dataclass(frozen=True, slots=True)
class Language:
    """What a notice, and a mail about the rule (`heading`, `policy`), say in one language. `unknown` is invented."""

    domain: str
    marketplace: str
    subject: str
    hello: str
    unknown: str
    important: str
    trap: str
    bye: str
    heading: str
    policy: str


LANGUAGES = {
    "en": Language(
        "amazon.com", "ATVPDKIKX0DER", "Your message to a buyer could not be delivered", "Hello,",
        "The buyer of order {order} does not wish to hear from sellers, so your message stayed with us.",
        "If the order cannot be completed without it, write once more with [Important] in the subject.",
        "If you tried to respond to a buyer and received a message that the buyer has opted out of unsolicited seller "
        "messages, answer in the buyer's own thread.",
        "The seller messaging team", "A reminder about messages to buyers",
        "Buyers can choose to opt out of receiving unsolicited messages from sellers. Such messages are not delivered.",
    ),
    "fr": Language(
        "amazon.fr", "A13V1IB3VIYZZH",
        "Votre message qui était adressé à un acheteur n'a pas pu être transmis", "Bonjour,",
        "L'acheteur de la commande {order} ne souhaite pas de messages des vendeurs : le vôtre est resté chez nous.",
        "Si la commande en dépend, écrivez de nouveau avec la mention [Important] dans l'objet.",
        "Si vous avez répondu à un acheteur et reçu un message indiquant que l'acheteur a choisi de ne pas recevoir de "
        "messages non sollicités, répondez dans sa conversation.",
        "Le service des vendeurs", "Rappel sur les messages aux acheteurs",
        "L'acheteur peut choisir de ne pas recevoir de messages spontanés de la part des vendeurs.",
    ),
    "it": Language(
        "amazon.it", "APJ6JRA9NG5V4", "Il tuo messaggio all'acquirente non è stato consegnato.", "Ciao,",
        "L'acquirente dell'ordine {order} non desidera messaggi dai venditori: il tuo è rimasto da noi.",
        "Se l'ordine ne dipende, scrivi di nuovo con [Importante] nell'oggetto.",
        "Se hai provato a rispondere a un acquirente e hai ricevuto un messaggio secondo cui l'acquirente ha scelto di "
        "non ricevere messaggi non richiesti, rispondi nella sua conversazione.",
        "Il servizio venditori", "Promemoria sui messaggi agli acquirenti",
        "L'acquirente può scegliere di non ricevere messaggi non richiesti dai venditori.",
    ),
    "ja": Language(
        "amazon.co.jp", "A1VC38T7YXB528", "購入者へのメッセージを送信できませんでした", "出品者様",
        "注文 {order} の購入者は出品者からの連絡を希望していないため、お預かりしたままになっています。",
        "注文に欠かせない連絡の場合は、件名に[重要]と入れてもう一度お送りください。",
        "購入者に返信した際に、購入者が未承諾広告メールを受信しない設定にしているという連絡を受け取った場合は、"
        "購入者のスレッドから返信してください。",
        "出品者サポート", "購入者への連絡に関するご案内",
        "購入者は、出品者からの未承諾広告メールを受信しないように設定することができます。",
    ),
    "de": Language(
        "amazon.de", "A1PA6795UKMFR9", "Ihre Nachricht an den Käufer konnte nicht zugestellt werden", "Guten Tag,",
        "Ihre Nachricht zur Bestellung {order} haben wir zurückgehalten: Der Käufer möchte keine nicht wichtigen "
        "Nachrichten von Verkäufern erhalten.",
        "Ist sie für die Bestellung nötig, schreiben Sie noch einmal mit [Wichtig] im Betreff.",
        "Wenn Sie einem Käufer antworten wollten und erfahren haben, dass er keine nicht wichtigen Nachrichten von "
        "Verkäufern erhalten möchte, antworten Sie in seinem Verlauf.",
        "Ihr Verkäuferservice", "Hinweis zu Nachrichten an Käufer",
        "Käufer können festlegen, dass sie keine nicht wichtigen Nachrichten von Verkäufern erhalten.",
    ),
    "es": Language(
        "amazon.es", "A1RKKUPIHCS9HS", "Tu mensaje para el comprador no se ha podido entregar", "Hola:",
        "Hemos retenido tu mensaje sobre el pedido {order}, ya que el comprador decidió desactivar la recepción de "
        "mensajes no solicitados por parte de los vendedores.",
        "Si el pedido depende de él, escribe de nuevo con [Importante] en el asunto.",
        "Si respondiste a un comprador y recibiste un aviso de que ha decidido desactivar la recepción de mensajes no "
        "solicitados por parte de los vendedores, responde en su conversación.",
        "El servicio para vendedores", "Recordatorio sobre los mensajes a compradores",
        "El comprador puede desactivar la recepción de mensajes no solicitados por parte de los vendedores.",
    ),
    "es-mx": Language(
        "amazon.com.mx", "A1AM78C64UM0Y8", "Tu mensaje para el comprador no se pudo entregar", "Hola:",
        "Guardamos tu mensaje sobre el pedido {order}: el comprador prefiere no recibir mensajes no solicitados de los "
        "vendedores.",
        "Si el pedido depende de él, escribe otra vez con [Importante] en el asunto.",
        "Si le respondiste a un comprador y recibiste un aviso de que no desea mensajes no solicitados, responde en su "
        "conversación.",
        "El equipo de vendedores", "Recordatorio sobre los mensajes a compradores",
        "El comprador puede elegir no recibir mensajes no solicitados de los vendedores.",
    ),
    "pt-br": Language(
        "amazon.com.br", "A2Q3Y263D00KWC", "Sua mensagem para o comprador não pôde ser entregue", "Olá,",
        "Retivemos sua mensagem sobre o pedido {order}, pois o comprador optou por não receber mensagens não "
        "solicitadas de vendedores.",
        "Se o pedido depender dela, escreva de novo com [Importante] no assunto.",
        "Se você respondeu a um comprador e foi avisado de que ele optou por não receber mensagens não solicitadas, "
        "responda na conversa dele.",
        "A equipe de vendedores", "Lembrete sobre mensagens a compradores",
        "O comprador pode optar por não receber mensagens não solicitadas de vendedores.",
    ),
    "nl": Language(
        "amazon.nl", "A1805IZSGTT6HS", "Je bericht aan de koper kon niet worden bezorgd", "Hallo,",
        "We hebben je bericht over bestelling {order} niet doorgegeven, omdat de koper geen ongevraagde berichten van "
        "verkopers wil ontvangen.",
        "Hangt de bestelling ervan af, schrijf dan opnieuw met [Belangrijk] in het onderwerp.",
        "Heb je een koper geantwoord en gehoord dat die geen ongevraagde berichten wil ontvangen, antwoord dan in het "
        "gesprek van de koper.",
        "Het verkopersteam", "Herinnering over berichten aan kopers",
        "Kopers kunnen ervoor kiezen geen ongevraagde berichten van verkopers te ontvangen.",
    ),
    "sv": Language(
        "amazon.se", "A2NODRKZP88ZB9", "Ditt meddelande till köparen kunde inte levereras", "Hej!",
        "Vi har behållit ditt meddelande om beställning {order}, eftersom köparen har valt att inte ta emot oönskade "
        "meddelanden från säljare.",
        "Om beställningen hänger på det, skriv igen med [Viktigt] i ämnesraden.",
        "Om du svarade en köpare och fick veta att köparen inte vill ha oönskade meddelanden, svara i köparens tråd.",
        "Säljarsupporten", "Påminnelse om meddelanden till köpare",
        "Köpare kan välja att inte ta emot oönskade meddelanden från säljare.",
    ),
    "pl": Language(
        "amazon.pl", "A1C3SOZRARQ6R3", "Twoja wiadomość do kupującego nie mogła zostać dostarczona", "Dzień dobry,",
        "Zatrzymaliśmy wiadomość o zamówieniu {order}, ponieważ kupujący zrezygnował z niechcianych wiadomości od "
        "sprzedawców.",
        "Jeśli zamówienie od niej zależy, napisz jeszcze raz, dodając [Ważne] w temacie.",
        "Jeśli po odpowiedzi kupującemu pojawiła się informacja, że nie chce on niechcianych wiadomości, odpowiedz w "
        "jego wątku.",
        "Zespół obsługi sprzedawców", "Przypomnienie o wiadomościach do kupujących",
        "Kupujący może zrezygnować z niechcianych wiadomości od sprzedawców.",
    ),
    "tr": Language(
        "amazon.com.tr", "A33AVAJ2PDY3EV", "Alıcıya gönderdiğiniz mesaj teslim edilemedi", "Merhaba,",
        "{order} numaralı siparişle ilgili mesajınızı beklettik: alıcı, satıcılardan istenmeyen mesaj almamayı seçti.",
        "Sipariş buna bağlıysa konuya [Önemli] yazarak yeniden gönderin.",
        "Bir alıcıya yanıt verdiyseniz ve istenmeyen mesaj almak istemediği bildirildiyse, onun yazışmasından yanıt "
        "verin.",
        "Satıcı ekibi", "Alıcılara mesajlar hakkında hatırlatma",
        "Alıcılar, satıcılardan istenmeyen mesaj almamayı seçebilir.",
    ),
    "ar": Language(
        "amazon.sa", "A17E79C6D8DWNP", "تعذر تسليم رسالتك إلى المشتري", "مرحبا،",
        "احتفظنا برسالتك بشأن الطلب {order} لأن المشتري اختار عدم تلقي رسائل غير مرغوب فيها من البائعين.",
        "إذا كان الطلب يتوقف عليها، فاكتب مرة أخرى مع [هام] في الموضوع.",
        "إذا رددت على مشتر وعلمت أنه لا يريد رسائل غير مرغوب فيها، فأجب في محادثته.",
        "فريق البائعين", "تذكير بشأن الرسائل إلى المشترين",
        "يمكن للمشتري اختيار عدم تلقي رسائل غير مرغوب فيها من البائعين.",
    ),
    "zh": Language(
        "amazon.com", "ATVPDKIKX0DER", "您发送给买家的消息无法送达", "您好：",
        "您关于订单 {order} 的消息仍在我们这里，因为买家可以选择不接收所有卖家主动发送的消息。",
        "如果订单离不开这条消息，请在主题中加上[重要]再写一次。",
        "如果您回复买家时得知买家选择不接收卖家主动发送的消息，请在买家的会话中回复。",
        "卖家服务团队", "关于给买家发送消息的提醒",
        "买家可以选择不接收所有卖家主动发送的消息。",
    ),
}  # fmt: skip
CONFIRMED = frozenset({"en", "fr", "it", "ja"})

_EN = "We were unable to deliver the message you sent{} for order {{order}} because the buyer has chosen to opt out of "
_EN += "receiving unsolicited messages from sellers."
_JA = "購入者が出品者からの未承諾広告メールを受信しないように設定しているため、"
_JA += "注文{}に関するメッセージを送信できませんでした。"
SENTENCES = {
    "en 2017": _EN.format(""),
    "en name and date": _EN.format(f" to {{name}} on {DAY}"),
    "en name": _EN.format(" to {name}"),
    "fr": "Nous ne sommes pas parvenus à transmettre votre message au sujet de la commande {order}, car l'acheteur a "
    "choisi de ne pas recevoir de messages non sollicités de la part des vendeurs.",
    "it name and date": f"non siamo stati in grado di recapitare il messaggio che hai inviato a {{name}} il {DAY} per "
    "l'ordine {order} perché l'acquirente ha scelto di non ricevere messaggi non richiesti dai venditori.",
    "ja space before": _JA.format(" {order}"),
    "ja space around": _JA.format(" {order} "),
    "ja no space": _JA.format("{order}"),
    "ja in brackets": _JA.format("「{order}」"),
}
WORDINGS = SENTENCES | {f"{code} unknown": language.unknown for code, language in LANGUAGES.items()}

OTHER_CAUSES = {  # what else Amazon says under the same subject; only in English was it seen
    "en": (
        (
            "We were unable to deliver the message you sent for order {order} because it did not meet the Buyer-Seller "
            "Messaging communication guidelines."
        ),
        "Your account was restricted from sending proactive messages.",
        (
            "We were unable to deliver the message you sent for order {order} because the conversation with the "
            "buyer has been closed."
        ),
    ),
    "fr": (
        (
            "Nous ne sommes pas parvenus à transmettre votre message au sujet de la commande {order}, car il ne "
            "respecte pas les directives de communication de la messagerie entre acheteurs et vendeurs."
        ),
        "Votre compte n'est plus autorisé à envoyer des messages proactifs aux acheteurs.",
        (
            "Nous ne sommes pas parvenus à transmettre votre message au sujet de la commande {order}, car la "
            "conversation avec l'acheteur a été clôturée."
        ),
    ),
    "it": (
        (
            "Non siamo stati in grado di recapitare il messaggio per l'ordine {order} perché non rispetta le linee "
            "guida di comunicazione del servizio di messaggi tra acquirente e venditore."
        ),
        "Il tuo account non è più autorizzato a inviare messaggi proattivi agli acquirenti.",
        (
            "Non siamo stati in grado di recapitare il messaggio per l'ordine {order} perché la conversazione con "
            "l'acquirente è stata chiusa."
        ),
    ),
    "ja": (
        "コミュニケーションガイドラインに準拠していないため、注文 {order}に関するメッセージを送信できませんでした。",
        "購入者への自発的なメッセージの送信が制限されているため、送信できませんでした。",
        "購入者とのやり取りが終了しているため、注文 {order}に関するメッセージを送信できませんでした。",
    ),
}


def language_of(wording: str) -> str:
    return wording.split(maxsplit=1)[0]


# How a text and an id are spelt, and what they become in HTML.

TYPOGRAPHIES: dict[str, Callable[[str], str]] = {
    "typewriter": lambda text: text,
    "curly": lambda text: text.replace("'", "’"),
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "narrow no-break spaces": lambda text: text.replace(" ", "\u202f"),
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
}
NAMES = (
    "", "Anna", "T. Rossi", "J.R. Smith", "Mary-Ann O.", "DE LA CRUZ", "Pat O'Neil", "Zoë", "É. Dupont", "J.-P. Gérôme",
    "Łucja Ż.", "山田 太郎",
)  # fmt: skip
FRAMES = {"bare": "{order}", "brackets": "[{order}]"}

_FULL_WIDTH = str.maketrans("0123456789-", "０１２３４５６７８９－")
_ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
SPELLINGS: dict[str, Callable[[str], str]] = {
    "ascii": lambda order: order,
    "U+2010": lambda order: order.replace("-", "\u2010"),
    "U+2011": lambda order: order.replace("-", "\u2011"),
    "U+2012": lambda order: order.replace("-", "\u2012"),
    "U+2013": lambda order: order.replace("-", "\u2013"),
    "U+2014": lambda order: order.replace("-", "\u2014"),
    "U+2015": lambda order: order.replace("-", "\u2015"),
    "U+FF0D": lambda order: order.replace("-", "\uff0d"),
    "full-width": lambda order: order.translate(_FULL_WIDTH),
    "arabic digits": lambda order: order.translate(_ARABIC),
    "zero-width": "\u200b".join,
    "soft hyphens": lambda order: order.replace("-", "-\u00ad"),
    "directional marks": "\u2066{}\u2069".format,
    "span": lambda order: f"{order[:6]}<span>{order[6:9]}</span><b>{order[9:]}</b>",
    "wbr": lambda order: order.replace("-", "-<wbr>"),
}
IN_MARKUP = frozenset({"span", "wbr"})


@dataclass(frozen=True, slots=True)
class Text:
    """A text in both of its forms."""

    plain: str
    html: str

    def __add__(self, other: Text) -> Text:
        return Text(self.plain + other.plain, self.html + other.html)


def _tables(paragraphs: Sequence[str], preheader: str) -> str:
    """Lay out as the real specimen does: a hidden preheader with the bare id, a table in a table."""
    rows = "".join(f"<tr><td>{text}</td></tr>" for text in (f"{paragraphs[0]}<br>\n{paragraphs[1]}", *paragraphs[2:]))
    return (
        f'<html><head><style>td {{padding:6px}}</style></head><body><div style="display:none">{preheader}</div>\n'
        f'<table><tr><td align="center"><table width="600">{rows}</table></td></tr></table></body></html>\n'
    )


def _paragraphs(paragraphs: Sequence[str], _: str) -> str:
    return "".join(f"<p>{text}</p>\n" for text in paragraphs)


LOOKS: dict[str, Callable[[Sequence[str], str], str]] = {
    "none": lambda _, __: "",  # no HTML at all
    "paragraphs": _paragraphs,
    "references": lambda *words: _paragraphs(*words).encode("ascii", "xmlcharrefreplace").decode(),
    "lines": lambda paragraphs, _: f"<div>{'<br><br>'.join(paragraphs)}</div>\n",
    "tables": _tables,
}


# From text to bytes.

CHARSETS = {  # name: codec and label
    "unlabelled utf-8": ("utf-8", ""),
    "utf-8 as us-ascii": ("utf-8", "us-ascii"),
    "windows-1252 as iso-8859-1": ("windows-1252", "iso-8859-1"),
    "windows-31j": ("cp932", "windows-31j"),
    **{
        name: (name, name)
        for name in (
            "us-ascii utf-8 utf-16 iso-8859-1 iso-8859-15 windows-1252 iso-8859-2 windows-1250 iso-8859-9 windows-1254 "
            "iso-8859-6 windows-1256 shift_jis euc-jp iso-2022-jp gb18030"
        ).split()
    },
}
TRANSFERS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": bytes,
    "quoted-printable": b2a_qp,
    "base64": encodebytes,
}


def leaf(kind: str, text: str, charset: str, transfer: str, more: str = "") -> bytes:
    """Write a part of text, under the label of its charset."""
    codec, label = CHARSETS[charset]
    data = text.encode(codec)
    encoding = transfer if transfer != "as it is" else "7bit" if data.isascii() else "8bit"
    labelled = f"; charset={label}" if label else ""
    header = f"Content-Type: text/{kind}{labelled}{more}\nContent-Transfer-Encoding: {encoding}\n\n"
    return header.encode() + TRANSFERS[transfer](data)


def multipart(kind: str, *parts: bytes) -> bytes:
    """Write a multipart; its boundary counts the multiparts inside, so that no two of a mail have the same."""
    boundary = f"=_{kind}_{sum(part.count(b'Content-Type: multipart/') for part in parts)}".encode()
    pieces = b"".join(b"--%b\n%b\n" % (boundary, part) for part in parts)
    return b'Content-Type: multipart/%b; boundary="%b"\n\n%b--%b--\n' % (kind.encode(), boundary, pieces, boundary)


def attachment(media: str, name: str, data: bytes) -> bytes:
    header = f'Content-Type: {media}; name="{name}"\nContent-Disposition: attachment; filename="{name}"\n'
    return f"{header}Content-Transfer-Encoding: base64\n\n".encode() + encodebytes(data)


PDF = attachment("application/pdf", "guide.pdf", b"%PDF-1.4 nothing to see\n%%EOF\n")
PICTURE = b"Content-Type: image/gif\nContent-ID: <logo>\nContent-Transfer-Encoding: base64\n\nR0lGODlhAQABAAAAACw=\n"


def wrapped(text: str, soft: str = "\n") -> str:
    """Break long lines, quoted ones as well, where a mail program would: at spaces, behind a Japanese comma."""
    lines = []
    for line in text.split("\n"):
        mark = line[: len(line) - len(line.lstrip("> "))]
        body = line[len(mark) :]
        pieces = re.findall(".+?(?:[、。，]+|$)", body) if re.search("[、。，]", body) else textwrap.wrap(body, **_WRAP)
        lines.append(soft.join(mark + piece for piece in pieces or [""]))
    return "\n".join(lines)


_WRAP: dict[str, Any] = {"width": 72, "break_long_words": False, "break_on_hyphens": False}
Leaf = Callable[..., bytes]
SHAPES: dict[str, Callable[[Text, Leaf], bytes]] = {
    "plain": lambda text, part: part("plain", text.plain),
    "wrapped": lambda text, part: part("plain", wrapped(text.plain)),
    "flowed": lambda text, part: part("plain", wrapped(text.plain, " \n"), more="; format=flowed"),
    "html": lambda text, part: part("html", text.html),
    "alternative of one": lambda text, part: multipart("alternative", part("html", text.html)),
    "alternative": lambda text, part: multipart("alternative", part("plain", text.plain), part("html", text.html)),
    "mixed": lambda text, part: multipart("mixed", part("html", text.html), PDF),
    "related": lambda text, part: multipart("related", part("html", text.html), PICTURE),
    "nested": lambda text, part: multipart(
        "mixed", multipart("related", SHAPES["alternative"](text, part), PICTURE), PDF
    ),
}
PLAIN = frozenset({"plain", "wrapped", "flowed"})
LINE_ENDS = {"LF": b"\n", "CRLF": b"\r\n"}


def encoded(text: str, charset: str) -> str:
    """Write a header value, in encoded words where it needs them (RFC 2047)."""
    if text.isascii():
        return text
    codec, label = CHARSETS["utf-8" if charset.startswith("u") else charset]
    pieces = (text[at : at + 10] for at in range(0, len(text), 10))
    return "\n ".join(f"=?{label}?B?{b64encode(piece.encode(codec)).decode()}?=" for piece in pieces)


# A mail before it is written.


@dataclass(frozen=True, slots=True)
class Draft:
    """All that a forward or a twist may change.

    In `paragraphs`, `preheader` and `markup`, {order} stands for the id; the second paragraph is the key sentence.
    `around` puts the text into something else: a forward, a quotation.
    """

    language: Language
    order: str
    alias: str
    subject: str
    paragraphs: tuple[str, ...]
    senders: tuple[str, ...]
    fields: tuple[str, ...]
    values: Mapping[str, str]
    markup: str
    preheader: str = "{order}"
    around: Callable[[Text], Text] = lambda text: text
    attachments: tuple[bytes, ...] = ()
    multipart: str = "mixed"
    forwarder: str = ANNA

    @property
    def sentence(self) -> str:
        return self.paragraphs[1]

    def text(self) -> Text:
        spelling, look = self.values["spelling"], self.values["look"]
        spelt = SPELLINGS[spelling](self.order)
        marked = [escape(text, quote=False).replace("{order}", spelt) for text in self.paragraphs]
        plain = "\n\n".join(self.paragraphs).replace("{order}", self.order if spelling in IN_MARKUP else spelt)
        html = LOOKS[look](marked, self.preheader.replace("{order}", self.order))
        return Text(f"{plain}\n", html + self.markup.replace("{order}", self.order))

    def raw(self) -> bytes:
        """Write the mail, with LF at the ends of its lines."""
        charset, transfer = self.values["charset"], self.values["transfer"]

        def part(kind: str, text: str, more: str = "") -> bytes:
            return leaf(kind, text, charset, transfer, more)

        body = SHAPES[self.values["shape"]](self.around(self.text()), part)
        body = multipart(self.multipart, body, *self.attachments) if self.attachments else body
        header = (
            *self.fields,
            *(f"From: {sender}" for sender in self.senders),
            "To: orders@shop.example",
            f"Subject: {encoded(self.subject, charset)}",
            f"Message-ID: <{self.alias}@mailer.example>",
            "MIME-Version: 1.0",
        )
        return "\n".join(header).encode() + b"\n" + body


Change = Callable[[Draft], Draft]

MARKERS: dict[str, tuple[str, ...]] = {
    "absent": (),
    "present": (OPTED_OUT,),
    "odd case": (OPTED_OUT.swapcase().replace(": ", ":"),),
    "with marketplace": (OPTED_OUT, "X-Marketplace-ID: {}"),
}
RESULTS = {"none": (), "pass": (RESULT.format("dkim=pass header.d=amazon.com; spf=pass; dmarc=pass"),)}
SENDERS = {
    "named": '"{name}" <auto-communication@amazon.com>',
    "bare": "auto-communication@amazon.com",
    "national": "{name} <auto-communication@{domain}>",
}


def draft(values: Mapping[str, str], number: int) -> Draft:
    """Make the draft of a notice. Each number has an order id and a buyer of its own; each sixteenth is digital."""
    language = LANGUAGES[language_of(values["wording"])]
    framed = WORDINGS[values["wording"]].replace("{order}", FRAMES[values["frame"]])
    sentence = TYPOGRAPHIES[values["typography"]](framed.replace("{name}", values["name"]))
    first = "D01" if number % 16 == 15 else f"{100 + number % 899}"
    alias = sha256(str(number).encode()).hexdigest()[:15]
    domain = language.domain
    return Draft(
        language=language,
        order=f"{first}-{number * 7_919 % 10**7:07}-{number * 104_729 % 10**7:07}",
        alias=alias,
        subject=language.subject,
        paragraphs=(language.hello, sentence, language.important, language.trap, language.bye),
        senders=(SENDERS[values["sender"]].format(name=domain.capitalize(), domain=domain),),
        fields=(
            *(line.format(language.marketplace) for line in MARKERS[values["marker"]]),
            *RESULTS[values["results"]],
        ),
        values=values,
        markup=f'<a href="mailto:{alias}@marketplace.{domain}?subject=%20[Important]">*</a>\n',
    )


# How a mail is handed on.


def redirected(notice: Draft) -> Draft:
    resent = ("Resent-From: anna@shop.example", "Resent-To: list@shop.example", "Delivered-To: list@shop.example")
    return replace(notice, fields=(*resent, *notice.fields))


def enclosing(notice: Draft, *attachments: bytes) -> Draft:
    """Write the mail that a notice is attached to."""
    look = "none" if notice.values["look"] == "none" else "lines"
    return replace(
        notice,
        alias=f"outer-{notice.alias}",
        subject=f"Fwd: {notice.subject}",
        paragraphs=("Hello,", "one more for the list.", "Anna"),
        senders=(notice.forwarder,),
        fields=(),
        values={**notice.values, "look": look},
        markup="",
        around=lambda text: text,
        attachments=attachments,
        multipart="mixed",
    )


def as_message(notice: Draft) -> bytes:
    return b"Content-Type: message/rfc822\n\n" + notice.raw()


def as_file(notice: Draft) -> bytes:
    return attachment("application/octet-stream", "notice.eml", notice.raw().replace(b"\n", b"\r\n"))


def inline(program: Callable[[Draft, Text], Text]) -> Change:
    """Hand on the text alone: the header, and the marker with it, is lost."""

    def change(notice: Draft) -> Draft:
        return replace(
            notice,
            alias=f"outer-{notice.alias}",
            subject=f"Fwd: {notice.subject}",
            senders=(notice.forwarder,),
            fields=(),
            around=lambda text: Text("Look.\n\n", "<p>Look.</p>\n") + program(notice, notice.around(text)),
        )

    return change


FORWARD_WORDS = {  # from, sent, to, subject; what Apple Mail says for "sent", and above a forward
    "en": ("From:", "Sent:", "To:", "Subject:", "Date:", "Begin forwarded message:"),
    "fr": ("De :", "Envoyé :", "À :", "Objet :", "Date :", "Début du message réexpédié :"),
    "it": ("Da:", "Inviato:", "A:", "Oggetto:", "Data:", "Inizio messaggio inoltrato:"),
    "ja": ("差出人:", "送信日時:", "宛先:", "件名:", "日付:", "転送されたメッセージ:"),
    "de": ("Von:", "Gesendet:", "An:", "Betreff:", "Datum:", "Anfang der weitergeleiteten Nachricht:"),
    "es": ("De:", "Enviado:", "Para:", "Asunto:", "Fecha:", "Inicio del mensaje reenviado:"),
    "es-mx": ("De:", "Enviado el:", "Para:", "Asunto:", "Fecha:", "Inicio del mensaje reenviado:"),
    "pt-br": ("De:", "Enviada em:", "Para:", "Assunto:", "Data:", "Início da mensagem encaminhada:"),
    "nl": ("Van:", "Verzonden:", "Aan:", "Onderwerp:", "Datum:", "Begin doorgestuurd bericht:"),
    "sv": ("Från:", "Skickat:", "Till:", "Ämne:", "Datum:", "Vidarebefordrat mejl:"),
    "pl": ("Od:", "Wysłano:", "Do:", "Temat:", "Data:", "Początek przekazywanej wiadomości:"),
    "tr": ("Kimden:", "Gönderildi:", "Kime:", "Konu:", "Tarih:", "İleti başlangıcı:"),
    "ar": ("من:", "تم الإرسال:", "إلى:", "الموضوع:", "التاريخ:", "بداية الرسالة المعاد توجيهها:"),
    "zh": ("发件人:", "发送时间:", "收件人:", "主题:", "日期:", "开始转发的邮件:"),
}


def _words(notice: Draft) -> tuple[str, ...]:
    return FORWARD_WORDS[language_of(notice.values["wording"])]


def _block(notice: Draft, sender: str, date: str, to: str, subject: str) -> tuple[Text, ...]:
    """Show the four fields of what is forwarded, under these names."""
    senders = ", ".join(notice.senders).replace('"', "")
    fields = ((sender, senders), (date, f"{DAY} 08:15"), (to, "orders@shop.example"), (subject, notice.subject))
    return tuple(Text(f"{name} {value}\n", f"<div><b>{name}</b> {escape(value)}<br></div>\n") for name, value in fields)


EMPTY = Text("\n", "<br>\n")


def gmail(notice: Draft, text: Text) -> Text:
    line = "---------- Forwarded message ---------"
    sender, date, to, subject = _block(notice, "From:", "Date:", "To:", "Subject:")
    return Text(f"{line}\n", f'<div class="gmail_attr">{line}<br></div>') + sender + date + subject + to + EMPTY + text


def outlook(notice: Draft, text: Text) -> Text:
    sender, sent, to, subject = _block(notice, *_words(notice)[:4])
    return sender + sent + to + subject + EMPTY + text


def _apple(notice: Draft, text: Text) -> tuple[Text, Text]:
    from_, _, to_, subject_, date_, begin = _words(notice)
    sender, date, to, subject = _block(notice, from_, date_, to_, subject_)
    return Text(f"{begin}\n\n", f"<div>{begin}</div><br>\n"), sender + subject + date + to + EMPTY + text


def apple(notice: Draft, text: Text) -> Text:
    """Quote what is forwarded, as the telephone's Mail does."""
    begin, forwarded = _apple(notice, text)
    return begin + quote(forwarded)


def apple_all(notice: Draft, text: Text) -> Text:
    """Quote the line above it as well, as the computer's Mail does."""
    begin, forwarded = _apple(notice, text)
    return quote(begin + forwarded)


ATTRIBUTIONS = {  # above what somebody answers to; Thunderbird names no address, Gmail breaks long lines
    "Thunderbird": "On 10/09/2026 08:15, Bob Stone wrote:",
    "Thunderbird in German": "Am 10.09.26 um 08:15 schrieb Bob Stone:",
    "Gmail": "On Thu, Sep 10, 2026 at 8:15 AM Bob Stone <bob@elsewhere.example>\nwrote:",
}


def answer(attribution: str, program: Callable[[Draft, Text], Text]) -> Callable[[Draft, Text], Text]:
    """Answer somebody else's forward: who is quoted is not who answers."""
    above = Text(f"{attribution}\n", f"<div>{escape(attribution)}</div>\n")
    return lambda notice, text: above + quote(program(notice, text))


def quote(text: Text) -> Text:
    plain = "".join(f"> {line}".rstrip() + "\n" for line in text.plain.splitlines())
    return Text(plain, f'<blockquote type="cite">{text.html}</blockquote>\n')


INLINE: dict[str, Change] = {
    "Gmail": inline(gmail),
    "Outlook": inline(outlook),
    "Apple Mail": inline(apple),
    "Apple Mail, all quoted": inline(apple_all),
}
HANDED_ON: dict[str, Change] = {
    **INLINE,
    "attached": lambda notice: enclosing(notice, as_message(notice)),
    "attached as a file": lambda notice: enclosing(notice, as_file(notice)),
}
FORWARDS: dict[str, Change] = {"none": lambda notice: notice, "redirected": redirected, **HANDED_ON}


# Near misses: each twist takes a true notice and spoils one thing.

SUSPECT = (Kind.SUSPECT,)
OTHER = (Kind.OTHER_NOTICE,)
NOT_SETTLED = (Kind.OTHER_NOTICE, Kind.SUSPECT)  # from Amazon
STRANGE = (Kind.UNRELATED, Kind.SUSPECT)  # from somebody else

SAYING = tuple(SENTENCES)  # without the marker
MARKED = tuple(name for name in WORDINGS if name not in SENTENCES)  # with the marker: their words are unknown
CLAIMING = tuple(WORDINGS)


@dataclass(frozen=True, slots=True)
class Twist:
    """A change that makes something else of a notice, what it then is, and the wordings it can be done to."""

    kinds: tuple[Kind, ...]
    change: Change
    wordings: tuple[str, ...] = CLAIMING
    in_html: bool = False


AUTO = "auto-communication@amazon.com"
EVIL = "x@evil.example"
FORGED = {
    "domain goes on": ("Amazon <auto-communication@amazon.com.evil.example>",),
    "digit for a letter": ("auto-communication@amaz0n.com",),
    "domain begins before": ("auto-communication@evil-amazon.com",),
    "below Amazon's domain": ("auto-communication@mail.amazon.com",),
    "Amazon below a domain": ("auto-communication@amazon.evil.example",),
    "top level not Amazon's": ("auto-communication@amazon.zz",),
    "Cyrillic letter": ("auto-communication@\u0430mazon.com",),
    "buyer's domain goes on": ("abcdefghijk1234@marketplace.amazon.com.evil.example",),
    "Amazon Pay's twin": ("auto-communicator@amazonpay.amazon.co.jp",),
    "address as a name": (f'"{AUTO}" <{EVIL}>',),
    "address as a bare name": (f"{AUTO} <{EVIL}>",),
    "encoded name": (f"=?utf-8?q?auto-communication=40amazon.com?= <{EVIL}>",),
    "address in a comment": (f"{EVIL} ({AUTO})",),
    "comments hide a second": (f'(") <{EVIL}> (") <{AUTO}>',),
    "two addresses": (f"{AUTO}, {EVIL}",),
    "group": (f"Amazon: {AUTO};",),
    "two From, Amazon first": (AUTO, EVIL),
    "two From, Amazon last": (EVIL, AUTO),
    "From twice": (AUTO, AUTO),
    "no From": (),
    "stranger": (BOB,),
    "trusted person in own words": (ANNA,),
}
FAILED = {
    "dkim": (RESULT.format("dkim=fail"),),
    "spf": (RESULT.format("spf=fail smtp.mailfrom=amazon.com"),),
    "dmarc": (RESULT.format("dkim=pass; dmarc=fail (p=REJECT) header.from=amazon.com"),),
    "hard": (RESULT.format("spf=hardfail"),),
    "second of two": (RESULT.format("dkim=pass"), RESULT.format("dkim=fail").replace("mx.", "mx2.")),
}
ORDER_MAILS = {  # marker, sender, subject
    "A-to-z": ("A_Z_CLAIM_OPENED", "atoz-guarantee-no-reply@amazon.com", "Claim for order {}"),
    "return": ("RETURN_REQUEST", AUTO, "Return requested for order {}"),
    "refund": ("REFUND_ISSUED", AUTO, "Refund issued for order {}"),
    "cancelled": ("BRC_SELLER_NOTIFICATION", AUTO, "Order {} was cancelled"),
    "sold": ("", "seller-notification@amazon.com", "Sold, ship now: {}"),
}
WRONG_IDS = ("P03-{}", "S01-{}", "1{}", "{}9", "{}-1")  # another's, a longer number, a compound
UNREAD = {  # where in HTML nobody reads
    "comment": "<!-- {} -->",
    "style": "<style>/* {} */</style>",
    "script": "<script>'{}'</script>",
    "title": "<head><title>{}</title></head>",
    "attribute": '<img alt="{}">',
}


def but(**changes: Any) -> Change:
    return lambda notice: replace(notice, **changes)


def beside(*fields: str) -> Change:
    """Put fields beside those of the header."""
    return lambda notice: replace(notice, fields=(*notice.fields, *fields))


def also(*paragraphs: str) -> Change:
    return lambda notice: replace(notice, paragraphs=(*notice.paragraphs, *paragraphs))


def spoken(notice: Draft, sentence: str) -> Draft:
    """Change the key sentence."""
    return replace(notice, paragraphs=(notice.paragraphs[0], sentence, *notice.paragraphs[2:]))


def first(*changes: Change) -> Change:
    """Do one change after the other."""

    def change(notice: Draft) -> Draft:
        for one in changes:
            notice = one(notice)
        return notice

    return change


def spoilt(form: str) -> Change:
    """Make the id another kind of number."""
    wrong = form.format("{order}")
    return lambda notice: replace(spoken(notice, notice.sentence.replace("{order}", wrong)), preheader=wrong)


def without_id(notice: Draft) -> Draft:
    said = notice.sentence.replace("[{order}]", "").replace("{order}", "")
    return replace(spoken(notice, said), preheader="")


def two_ids(notice: Draft) -> Draft:
    return spoken(notice, notice.sentence.replace("{order}", f"{{order}}, {OTHER_ORDER}"))


def cut_in_two(notice: Draft) -> Draft:
    """Part the key sentence behind the id: two paragraphs, two sentences."""
    before, order, after = re.split(r"(\{order\}[]」]?)", notice.sentence)
    return replace(notice, paragraphs=(notice.paragraphs[0], f"{before}{order}", after, *notice.paragraphs[2:]))


def policy(notice: Draft) -> Draft:
    """Write about the rule, with the same words and no order."""
    words = notice.language
    told = (words.hello, words.policy, words.important, words.trap, words.bye)
    return replace(notice, subject=words.heading, paragraphs=told, fields=(), preheader="", markup="")


def another_subject(notice: Draft) -> Draft:
    return replace(notice, subject=notice.language.heading)


def in_the_subject(notice: Draft) -> Draft:
    return replace(policy(notice), subject=notice.sentence.replace("{order}", notice.order))


def id_in_the_subject(notice: Draft) -> Draft:
    return replace(without_id(notice), subject=f"{notice.subject} ({notice.order})")


def unread(markup: str) -> Change:
    """Say nothing of it in the text, but where nobody reads."""
    return lambda notice: replace(policy(notice), markup=markup.format(escape(notice.sentence)))


def in_a_file(media: str, name: str) -> Change:
    """Say it in an attachment only."""

    def change(notice: Draft) -> Draft:
        said = notice.sentence.replace("{order}", notice.order).encode()
        return replace(policy(notice), attachments=(attachment(media, name, said),))

    return change


def other_cause(number: int) -> Change:
    def change(notice: Draft) -> Draft:
        told = OTHER_CAUSES[language_of(notice.values["wording"])][number]
        return replace(spoken(notice, told), fields=(), markup="")

    return change


def order_mail(marker: str, sender: str, subject: str) -> Change:
    """Write one of Amazon's many mails about an order: the id in the subject, a marker of its own."""
    return lambda notice: replace(
        notice,
        subject=subject.format(notice.order),
        paragraphs=("Hello,", "please see order {order} in your account.", "The seller team"),
        senders=(sender,),
        fields=(MARKER.format(marker),) if marker else (),
    )


def marked_part(notice: Draft) -> Draft:
    part = f"Content-Type: text/plain\n{OPTED_OUT}\n\nOrder {notice.order}\n"
    return replace(policy(notice), attachments=(part.encode(),))


def fenced(notice: Draft) -> Draft:
    """Write what Amazon passes on from a buyer: the sentence stands in the block of the buyer's words."""
    begin, end = "------------- Message: -------------", "------------- End message -------------"
    said = ("You have received a message.", begin, notice.sentence, end)
    return replace(notice, subject=f"Inquiry about order {notice.order}", paragraphs=said, markup="")


def by_buyer(notice: Draft, more: str = "") -> Draft:
    return replace(notice, senders=(f'"Anna" <{notice.alias}{more}@marketplace.{notice.language.domain}>',))


def bounced(notice: Draft) -> Draft:
    """Come back undelivered: the seller's own mail to the buyer, not Amazon's notice."""
    alias = f"{notice.alias}@marketplace.{notice.language.domain}"
    status = f"Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; {alias}\nAction: failed\n"
    sent = f"From: orders@shop.example\nTo: {alias}\nSubject: Your order {notice.order}\n\nThank you.\n"
    return replace(
        notice,
        subject="Undelivered Mail Returned to Sender",
        paragraphs=("This is the mail system.", f"<{alias}>: no such mailbox"),
        senders=("Mail Delivery System <mailer-daemon@mx.shop.example>",),
        fields=(),
        markup="",
        attachments=(status.encode(), b"Content-Type: message/rfc822\n\n" + sent.encode()),
        multipart="report",
    )


def both_attached(notice: Draft) -> Draft:
    other = replace(notice, order=OTHER_ORDER, alias=f"other-{notice.alias}")
    return enclosing(notice, as_message(notice), as_message(other))


def _twists() -> Iterator[tuple[str, Twist]]:
    own_copy = but(senders=("Amazon <donotreply@amazon.com>",))
    newsletter = but(
        order="111-1111111-1111111",
        subject="What the opt-out notice means",
        senders=("Sellerpilot <news@sellerpilot.example>",),
        markup="",
    )
    linked = but(markup='<p>{order} <a href="https://sellercentral.amazon.com/?nt=BUYER_OPTED_OUT_BSM_MESSAGES">*</a>')

    # who says so?
    for name, senders in FORGED.items():
        yield f"forged: {name}", Twist(SUSPECT, but(senders=senders))
    for name, fields in FAILED.items():
        yield f"failed: {name}", Twist(SUSPECT, beside(*fields))
    for local in ("seller-notification", "do-not-reply", "seller-forums"):
        yield f"Amazon's {local}", Twist(SUSPECT, but(senders=(f"Amazon <{local}@amazon.com>",)), SAYING)
    yield "no field above From", Twist(SUSPECT, beside("this line is no header field"))
    yield "NUL in the header", Twist(SUSPECT, beside("X-Note: a\0b"))

    # what does the marker say?
    for value in (
        "BBC_MESSAGE_SENT_TO_MERCHANT", "BBC_MESSAGE_CONFIRMATION_TO_MERCHANT", "A_Z_CLAIM_OPENED", "RETURN_REQUEST",
        "BSM_MESSAGE_BLOCKED",
    ):  # fmt: skip
        yield f"marker {value}", Twist(OTHER, but(fields=(MARKER.format(value),)))
    for value in ("BUYER_OPTED_OUT_BSM_MESSAGES_V2", "BSM_OPT_OUT"):
        yield f"marker {value}", Twist(SUSPECT, but(fields=(MARKER.format(value),)))
    refund = MARKER.format("REFUND_ISSUED")
    yield "two markers", Twist(SUSPECT, but(fields=(OPTED_OUT, refund)))
    yield "another marker from a stranger", Twist(STRANGE, but(fields=(refund,), senders=(BOB,)))
    yield "marker in a part", Twist(NOT_SETTLED, marked_part, MARKED)
    yield "marker in the text", Twist(NOT_SETTLED, first(policy, also(OPTED_OUT, "{order}")), MARKED)
    yield (
        "marker in another field",
        Twist(NOT_SETTLED, first(policy, also("{order}"), beside(f"X-Note: {OPTED_OUT}")), MARKED),
    )
    yield "marker in a link", Twist(SUSPECT, first(policy, linked), MARKED, in_html=True)

    # which order?
    yield "no id", Twist(SUSPECT, without_id, MARKED)
    yield "no id, no marker", Twist(NOT_SETTLED, without_id, SAYING)
    yield "id in the subject only", Twist(SUSPECT, id_in_the_subject)
    yield "id in another paragraph", Twist(SUSPECT, first(without_id, also("{order}")), SAYING)
    yield "two ids in the sentence", Twist(SUSPECT, two_ids)
    yield "second id elsewhere", Twist(SUSPECT, also(f"See {OTHER_ORDER}."))
    yield (
        "hidden preheader differs",
        Twist(SUSPECT, but(markup=f'<div style="display:none">{OTHER_ORDER}</div>'), in_html=True),
    )
    for form in WRONG_IDS:
        yield f"id {form}", Twist(SUSPECT, spoilt(form), MARKED)
        yield f"id {form}, no marker", Twist(NOT_SETTLED, spoilt(form), SAYING)

    # what do the words say?
    english, others = ("en unknown",), ("fr unknown", "it unknown", "ja unknown")
    yield "two paragraphs", Twist(SUSPECT, cut_in_two, SAYING)
    yield "content filter", Twist(OTHER, other_cause(0), english)
    yield "restricted account", Twist(OTHER, other_cause(1), english)
    yield "closed thread", Twist(NOT_SETTLED, other_cause(2), english)  # our own words
    for number, cause in enumerate(("content filter", "restricted account", "closed thread")):
        yield f"{cause}, not confirmed", Twist(NOT_SETTLED, other_cause(number), others)
    yield "trap alone", Twist(OTHER, policy, MARKED)
    yield "trap alone, an id", Twist(OTHER, first(policy, also("{order}")), MARKED)
    yield (
        "trap alone, failure subject",
        Twist(SUSPECT, lambda notice: replace(policy(notice), subject=notice.subject), MARKED),
    )
    yield (
        "trap alone from seller-notification",
        Twist(OTHER, first(policy, but(senders=("seller-notification@amazon.com",))), MARKED),
    )
    yield "sentence without an id, another subject", Twist(OTHER, first(without_id, another_subject), SAYING)
    for name, told in ORDER_MAILS.items():
        yield f"order mail: {name}", Twist(OTHER, order_mail(*told), english)
    yield "bounce", Twist((Kind.UNRELATED,), bounced, english)

    # whose words are they?
    quoted = but(around=quote)
    yield "quoted", Twist(SUSPECT, quoted, SAYING)
    yield "quoted, another subject", Twist(NOT_SETTLED, first(another_subject, quoted), SAYING)
    yield "quoted by a stranger", Twist(STRANGE, first(another_subject, quoted, but(senders=(BOB,))), SAYING)
    yield "quoted by a trusted person", Twist(STRANGE, first(another_subject, quoted, but(senders=(ANNA,))), SAYING)
    yield "buyer", Twist(OTHER, first(fenced, by_buyer))
    yield "buyer with a uuid", Twist(OTHER, lambda notice: by_buyer(fenced(notice), "+0a1b2c3d-44"))
    yield "buyer without a fence", Twist(OTHER, by_buyer)
    yield "buyer's words from Amazon", Twist(NOT_SETTLED, fenced, SAYING)
    copy = MARKER.format("BBC_MESSAGE_CONFIRMATION_TO_MERCHANT")
    yield "own copy", Twist(OTHER, first(own_copy, but(fields=(copy,))))
    yield "own copy, no marker", Twist(NOT_SETTLED, own_copy, SAYING)
    yield "newsletter", Twist(STRANGE, newsletter, SAYING)

    # does anybody read it?
    for place, markup in UNREAD.items():
        yield f"in a {place}", Twist(OTHER, unread(markup), SAYING, in_html=True)
    for media in ("text/plain", "text/html", "application/pdf"):
        yield f"in a file, {media}", Twist(OTHER, in_a_file(media, f"notice.{media[-4:]}"), SAYING)
    yield "in the subject", Twist(NOT_SETTLED, in_the_subject, SAYING)

    # who handed it on, and what?
    stranger, look_alike = but(forwarder=BOB), but(senders=("Amazon <auto-communication@amaz0n.com>",))
    for name, forward in HANDED_ON.items():
        wordings = SAYING if name in INLINE else CLAIMING
        yield f"{name}, by a stranger", Twist(SUSPECT, first(stranger, forward), wordings)
        yield f"{name}, failed", Twist(SUSPECT, first(forward, beside(*FAILED["spf"])), wordings)
        yield f"{name}, of a forged notice", Twist(SUSPECT, first(look_alike, forward), wordings)
        yield f"{name}, of a buyer's message", Twist(STRANGE, first(fenced, by_buyer, forward), wordings)
    yield "Gmail, of an own copy", Twist(STRANGE, first(own_copy, HANDED_ON["Gmail"]), SAYING)
    yield "attached, of a policy mail", Twist(STRANGE, first(policy, HANDED_ON["attached"]), MARKED)
    for name, attribution in ATTRIBUTIONS.items():
        for program in (gmail, apple_all):
            answered = inline(answer(attribution, program))
            yield f"answer in {name} to a stranger's {program.__name__}", Twist(SUSPECT, answered, SAYING)
    yield "two attached by a stranger", Twist(SUSPECT, first(stranger, both_attached))
    yield "two forwarders", Twist(SUSPECT, first(HANDED_ON["attached"], but(senders=(f"{ANNA}, {BOB}",))))


TWISTS = dict(_twists())


# What can stand in one mail, and the dealing.


def failure_subjects() -> tuple[str, ...]:
    """Give `language subject` for each language without a confirmed wording: ours, and all that its pack names."""
    packs = files("nosend.verdict").joinpath("packs")

    def named(code: str) -> list[str]:
        pack: dict[str, list[str]] = tomllib.loads(packs.joinpath(f"{code}.toml").read_text(encoding="utf-8"))
        return pack["failure_subjects"]

    return tuple(
        f"{code} {subject}"
        for code, language in LANGUAGES.items()
        if code not in CONFIRMED
        for subject in dict.fromkeys((language.subject, *named(code)))
    )


_WRITING = {
    "spelling": tuple(SPELLINGS),
    "charset": tuple(CHARSETS),
    "transfer": tuple(TRANSFERS),
    "shape": tuple(SHAPES),
    "look": tuple(LOOKS),
    "line ends": tuple(LINE_ENDS),
}
_SENDING = {"sender": tuple(SENDERS), "results": tuple(RESULTS), "forward": tuple(FORWARDS)}
NOTICES = {
    "wording": tuple(WORDINGS),
    "name": NAMES,
    "typography": tuple(TYPOGRAPHIES),
    "frame": tuple(FRAMES),
    "marker": tuple(MARKERS),
    **_SENDING,
    **_WRITING,
}
NEAR_MISSES = {
    "twist": tuple(TWISTS),
    "wording": tuple(WORDINGS),
    **_WRITING,
    "spelling": ("ascii", "U+2011", "U+FF0D", "full-width", "zero-width", "span"),
    "charset": (
        "us-ascii",
        "unlabelled utf-8",
        "utf-8",
        "utf-16",
        "iso-8859-1",
        "windows-1252",
        "iso-8859-2",
        "windows-1254",
        "windows-1256",
        "shift_jis",
        "euc-jp",
        "iso-2022-jp",
        "gb18030",
    ),
}
UNCONFIRMED = {"subject": failure_subjects(), **_SENDING, **_WRITING}
_USUAL = {
    "name": "T. Rossi", "typography": "typewriter", "frame": "brackets", "marker": "absent", "sender": "named",
    "results": "none", "forward": "none",
}  # fmt: skip


def fits(values: Mapping[str, str]) -> bool:
    """Tell whether some values can stand in one mail. Each rule is about two of them."""
    wording, charset, look = values.get("wording"), values.get("charset"), values.get("look")
    shape, spelling, twist = values.get("shape"), values.get("spelling"), TWISTS.get(values.get("twist", ""))
    unknown = wording in MARKED
    plain = look == "none" or shape in PLAIN
    inline_only = values.get("forward") in INLINE  # the marker is lost
    return not (
        (look and shape and (look == "none") != (shape in PLAIN))
        or (plain and (spelling in IN_MARKUP or (twist and twist.in_html)))
        or (charset == "utf-16" and values.get("transfer", "base64") != "base64")
        or (charset and not all(_holds(charset, *pair) for pair in values.items()))
        or (wording and "name" in values and bool(values["name"]) != ("{name}" in WORDINGS[wording]))
        or (unknown and (inline_only or values.get("marker") == "absent"))
        or (inline_only and values.get("marker", "absent") != "absent")
        or (twist and wording and wording not in twist.wordings)
        or (twist and charset and not any(_holds(charset, "wording", one) for one in twist.wordings))
    )


@cache
def _holds(charset: str, dimension: str, value: str) -> bool:
    """Tell whether a charset has the characters that a value brings into a mail."""
    try:
        _letters(dimension, value).encode(CHARSETS[charset][0])
    except UnicodeEncodeError:
        return False
    return True


def _letters(dimension: str, value: str) -> str:
    if dimension in {"wording", "subject"}:
        code = language_of(value)
        words = LANGUAGES[code]
        told = (words.subject, words.hello, words.important, words.trap, words.bye, words.heading, words.policy)
        return "".join(
            [value, WORDINGS.get(value, words.unknown), *told, *OTHER_CAUSES.get(code, ()), *FORWARD_WORDS[code]]
        )
    if dimension == "typography":
        return TYPOGRAPHIES[value]("' é").replace("é", "")
    if dimension == "spelling":
        return SPELLINGS[value]("0-0")
    return value if dimension == "name" else ""


Value = tuple[str, str]  # a dimension and one of its values
Pair = tuple[Value, Value]  # of two dimensions, in their order


def pairs(values: Mapping[str, str]) -> Iterator[Pair]:
    yield from combinations(values.items(), 2)


def possible_pairs(dimensions: Mapping[str, Sequence[str]]) -> Iterator[Pair]:
    """Give each two values of different dimensions that can stand in one mail."""
    for one, two in combinations(dimensions, 2):
        for pair in product(product([one], dimensions[one]), product([two], dimensions[two])):
            if fits(dict(pair)):
                yield pair


def cover(dimensions: Mapping[str, Sequence[str]], times: int) -> Iterator[dict[str, str]]:
    """Give choices of one value a dimension, so that each possible pair of values occurs `times` times at least."""
    possible = tuple(possible_pairs(dimensions))
    met: dict[Value, dict[Value, int]] = {(name, value): {} for name in dimensions for value in dimensions[name]}
    for one, two in possible:
        met[one][two] = met[two][one] = 0

    def completed(chosen: dict[str, str]) -> dict[str, str]:
        """Add for each dimension the value that met the others least; two that are not in `met` cannot meet."""
        for name, values in dimensions.items():
            if name not in chosen:
                known = tuple(chosen.items())
                meetings = [sum(map(met[name, value].get, known, repeat(10**9))) for value in values]
                chosen[name] = values[meetings.index(min(meetings))]
        return {name: chosen[name] for name in dimensions}

    for one, two in possible:
        while met[one][two] < times:
            values = completed(dict([one, two]))
            for this, other in pairs(values):
                met[this][other] += 1
                met[other][this] += 1
            yield values


# The three kinds of mails.


def notices(numbers: Iterator[int]) -> Iterator[Sample]:
    """Give true notices: to be listed."""
    for values, number in zip(cover(NOTICES, times=5), numbers, strict=False):
        made = FORWARDS[values["forward"]](draft(values, number))
        yield _sample(f"notice {number}", made, (Kind.OPT_OUT,), values)


def near_misses(numbers: Iterator[int]) -> Iterator[Sample]:
    """Give what must not be listed by itself. The wordings that nobody has seen come with the marker."""
    for values, number in zip(cover(NEAR_MISSES, times=1), numbers, strict=False):
        marker = "absent" if values["wording"] in SENTENCES else "present"
        twist = TWISTS[values["twist"]]
        made = twist.change(draft({**_USUAL, "marker": marker, **values}, number))
        yield _sample(f"near miss {number}", made, twist.kinds, values)


def unconfirmed(numbers: Iterator[int]) -> Iterator[Sample]:
    """Give notices whose words nobody has seen, without the marker: never listed, never thrown away."""
    for values, number in zip(cover(UNCONFIRMED, times=1), numbers, strict=False):
        code, _, subject = values["subject"].partition(" ")
        notice = replace(draft({**_USUAL, "wording": f"{code} unknown", **values}, number), subject=subject)
        yield _sample(f"unconfirmed {number}", FORWARDS[values["forward"]](notice), SUSPECT, values)


def _sample(name: str, made: Draft, kinds: tuple[Kind, ...], values: Mapping[str, str]) -> Sample:
    code = language_of(made.values["wording"])
    return Sample(
        name=f"{name}: {', '.join(filter(None, values.values()))}",
        language=code,
        raw=made.raw().replace(b"\n", LINE_ENDS[made.values["line ends"]]),
        kinds=kinds,
        orders=(made.order,) if kinds == (Kind.OPT_OUT,) else (),
        trust=TRUST,
        confirmed=code in CONFIRMED,
        values=values,
    )
