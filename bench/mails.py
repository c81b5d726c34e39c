"""The mails that are measured: made up by us around the facts of real ones, the same ones on every run."""

# ruff: noqa: INP001, S311 - a folder of scripts; chance that repeats itself is what is wanted

from __future__ import annotations

import quopri
import random
from base64 import encodebytes
from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Language(NamedTuple):
    """What Amazon writes in one language; without a sentence only the marker is known there."""

    marketplace: str
    tld: str
    subject: str
    sentence: str
    more: str


LANGUAGES = {
    "en": Language(
        marketplace="ATVPDKIKX0DER",
        tld="com",
        subject="Your message to a buyer could not be delivered",
        sentence="We were unable to deliver the message you sent to {name} on {date} for order [{order}] because the "
        "buyer has chosen to opt out of receiving unsolicited messages from sellers.",
        more="You may write again and put [Important] into the subject if the order cannot be completed "
        "otherwise. Messages about customization, delivery appointments and shipping addresses get through.",
    ),
    "fr": Language(
        marketplace="A13V1IB3VIYZZH",
        tld="fr",
        subject="Votre message qui était adressé à un acheteur n'a pas pu être transmis",
        sentence="Nous ne sommes pas parvenus à transmettre votre message au sujet de la commande {order}, car "
        "l'acheteur a choisi de ne pas recevoir de messages non sollicités de la part des vendeurs.",
        more="Si la commande ne peut être menée à bien sans réponse, écrivez à nouveau en ajoutant [Important] à "
        "l'objet. Les demandes d'évaluation et les confirmations d'expédition ne sont pas transmises à cet "
        "acheteur.",
    ),
    "it": Language(
        marketplace="APJ6JRA9NG5V4",
        tld="it",
        subject="Il tuo messaggio all'acquirente non è stato consegnato.",
        sentence="Non siamo stati in grado di recapitare il messaggio che hai inviato a {name} il {date} per l'ordine "
        "[{order}] perché l'acquirente ha scelto di non ricevere messaggi non richiesti dai venditori.",
        more="Se senza risposta l'ordine non può essere evaso, scrivi di nuovo con [Importante] nell'oggetto. "
        "Richieste di recensioni, conferme di spedizione e suggerimenti non vengono recapitati a questo "
        "acquirente.",
    ),
    "ja": Language(
        marketplace="A1VC38T7YXB528",
        tld="co.jp",
        subject="購入者へのメッセージを送信できませんでした",
        sentence="購入者が出品者からの未承諾広告メールを受信しないように設定しているため、"
        "注文 {order}に関するメッセージを送信できませんでした。",
        more="注文の処理に返事が必要なときは、"
        "件名に[重要]と書いてもう一度お送りください。"
        "評価の依頼や発送の連絡は届きません。",
    ),
    "de": Language(
        marketplace="A1PA6795UKMFR9",
        tld="de",
        subject="Ihre Nachricht konnte nicht zugestellt werden",
        sentence="",
        more="Ihre Nachricht an {name} vom {date} zur Bestellung [{order}] wurde nicht übermittelt. Der Käufer "
        "möchte nur noch wichtige Nachrichten bekommen; schreiben Sie [Wichtig] in den Betreff, wenn es "
        "nicht anders geht.",
    ),
    "es": Language(
        marketplace="A1RKKUPIHCS9HS",
        tld="es",
        subject="Tu mensaje no se ha podido entregar",
        sentence="",
        more="El mensaje que escribiste a {name} el {date} sobre el pedido [{order}] no ha llegado. El comprador "
        "solo quiere recibir lo imprescindible; añade [Importante] al asunto cuando no haya otro remedio.",
    ),
}
NAMES = "Ada Bruno Carla Dario Elsa Fabio Gina Hugo Ines Jonas Klara Luca Mara Nils Olga Paolo Rosa Sven Tilda".split()
WORDS = (
    "order parcel label week offer discount store season account listing stock report upload carrier price bundle "
    "review return address colour size quantity warehouse invoice customer message question answer today summer autumn "
    "your the and with for from about until again only each most better faster easy save learn open start now free new"
).split()


class Maker:
    """Makes mails; one seed always gives the same ones."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def digits(self, count: int) -> str:
        """Give so many digits."""
        return "".join(self.chance.choices("0123456789", k=count))

    def letters(self, count: int) -> str:
        """Give so many lower-case letters and digits."""
        return "".join(self.chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=count))

    def order(self) -> str:
        """Give an order id."""
        return f"{self.digits(3)}-{self.digits(7)}-{self.digits(7)}"

    def words(self, count: int) -> str:
        """Give a sentence of so many words."""
        return " ".join(self.chance.choices(WORDS, k=count)).capitalize() + "."

    def css(self, size: int) -> str:
        """Write style rules of about so many characters."""
        rules = [
            "@media only screen and (max-width:600px) {.w {width:100% !important} .hide {display:none !important}}"
        ]
        while sum(map(len, rules)) < size:
            colour, side, name = self.digits(6), self.chance.randint(1, 40), self.letters(5)
            rules.append(
                f".c{name}, td.c{name} a {{font-family:Arial,Helvetica,sans-serif; font-size:{side}px; "
                f"line-height:{side + 6}px; color:#{colour}; padding:{side}px 18px 0 18px; border-collapse:collapse}}"
            )
        return "\n".join(rules)

    def page(self, rows: list[str], css: int, preheader: str = "") -> str:
        """Write a page of nested tables, as mails have them: a row a table of its own."""
        table = '<table width="100%" cellpadding="0" cellspacing="0" border="0" role="presentation"'
        style = "padding:6px 18px;font-family:Arial,sans-serif;font-size:14px;line-height:20px;color:#111111"
        inner = "\n".join(
            f'<tr><td>{table}><tr>\n<td style="{style}">{row}</td></tr></table></td></tr>' for row in rows
        )
        hidden = f'<div style="display:none;max-height:0;overflow:hidden">{preheader}</div>' if preheader else ""
        return (
            f'<!DOCTYPE html>\n<html>\n<head><meta charset="UTF-8">\n<style>{self.css(css)}</style></head>\n'
            f'<body style="margin:0;background-color:#f3f3f3">\n{hidden}\n{table} class="w"><tr><td align="center">\n'
            f"{table}>\n{inner}\n</table></td></tr></table>\n</body>\n</html>\n"
        )

    def mail(self, sender: str, subject: str, body: bytes, **fields: str) -> bytes:
        """Put the header fields of a delivered mail before a body."""
        host = sender.rpartition("@")[2].strip("> ")
        word = quopri.encodestring(subject.encode(), header=True).decode().replace("=\n", "").replace("?", "=3F")
        head = {
            "Return-Path": f"<{self.letters(20)}@bounces.{host}>",
            "Received": f"from mx.{host} (mx.{host} [203.0.113.{self.chance.randint(1, 254)}])\n"
            f"\tby mail.shop.example with ESMTPS id {self.letters(10)}\n\tfor <orders@shop.example>; "
            "Thu, 27 Aug 2026 22:02:38 +0000",
            "Authentication-Results": f"mail.shop.example; dkim=pass header.d={host}; spf=pass; dmarc=pass",
            "Date": "Thu, 27 Aug 2026 22:02:30 +0000",
            "From": sender,
            "To": "orders@shop.example",
            "Message-ID": f"<{self.letters(24)}@{host}>",
            "Subject": subject if subject.isascii() else f"=?utf-8?q?{word}?=",
            "MIME-Version": "1.0",
        } | {name.replace("_", "-"): value for name, value in fields.items()}
        return "".join(f"{name}: {value}\n" for name, value in head.items()).encode() + b"\n" + body

    def parts(self, *parts: tuple[str, bytes], kind: str = "alternative") -> tuple[bytes, str]:
        """Join parts (Content-Type, body) into a multipart body; give it and its own Content-Type."""
        boundary = f"----=_Part_{self.digits(7)}_{self.digits(10)}.{self.digits(13)}"
        body = b"".join(f"--{boundary}\nContent-Type: {label}\n".encode() + data + b"\n" for label, data in parts)
        return body + f"--{boundary}--\n".encode(), f'multipart/{kind}; \n\tboundary="{boundary}"'

    def html_mail(self, sender: str, subject: str, page: str, plain: str = "", **fields: str) -> bytes:
        """Write a multipart/alternative with a quoted-printable page, and with a plain part if there is a text."""
        both = [("text/plain; charset=UTF-8", plain)] if plain else []
        both.append(("text/html; charset=UTF-8", page))
        body, label = self.parts(*((kind, printable(text)) for kind, text in both))
        return self.mail(sender, subject, body, Content_Type=label, **fields)

    def notice(self, language: str, *, marked: bool) -> bytes:
        """Write an opt-out notice like the real one: hidden preheader, alias link, lists, a trap or two."""
        ident, tld, subject, sentence, more = LANGUAGES[language]
        order, name = self.order(), self.chance.choice(NAMES)
        known = {
            "order": order,
            "name": name,
            "date": f"2026-0{self.chance.randint(1, 9)}-{self.chance.randint(10, 28)}",
        }
        alias = f"{self.letters(14)}a@marketplace.amazon.{tld}"
        items = "".join(f"<li>{self.words(9)}</li>" for _ in range(4))
        button = '<table cellpadding="0"><tr><td style="background-color:#ffd814"><a href="{}">{}</a></td></tr></table>'
        footer = f"https://sellercentral.amazon.{tld}/notifications/preferences?ref=pe_{self.digits(7)}"
        rows = [
            f"{name},<br>\n{escape(sentence.format(**known), quote=False)}" if sentence else "",
            escape(more.format(**known), quote=False),
            button.format(f"mailto:{alias}?subject=%20[Important]", self.words(3)),
            self.words(30),
            f"<strong>{self.words(5)}</strong><ul>{items}</ul>",
            f"<strong>{self.words(5)}</strong><ul>{items}</ul>",
            button.format(footer, self.words(3)),
            f'<span style="font-size:11px">{self.words(12)}</span>',
        ]
        page = self.page([row for row in rows if row], self.chance.randint(2_300, 8_300), order)
        fields = (
            {"X-Space-Notification-Type": "BUYER_OPTED_OUT_BSM_MESSAGES", "X-Marketplace-ID": ident} if marked else {}
        )
        return self.html_mail(f'"Amazon.{tld}" <auto-communication@amazon.com>', subject, page, **fields)

    def newsletter(self) -> bytes:
        """Write 10 to 40 KB of CSS, tracking links and little to say."""
        size = self.chance.randint(10_000, 36_000)
        rows: list[str] = []
        while sum(map(len, rows)) < size // 3:
            link = f"https://click.news.example/ls/click?upn={self.letters(120)}&amp;u={self.digits(9)}"
            rows.append(
                f'<a href="{link}" style="color:#007185;text-decoration:none"><img src="https://img.news.example/'
                f'{self.letters(30)}.png" width="560" alt="{self.words(4)}"></a><h2>{self.words(6)}</h2>'
                f"<p>{self.words(25)}</p>"
            )
        plain = "\n\n".join(self.words(25) for _ in rows)
        return self.html_mail("News <hello@news.example>", self.words(6), self.page(rows, size // 3), plain)

    def reply(self) -> bytes:
        """Write a plain answer with the question quoted below it."""
        own = "\n\n".join(self.words(30) for _ in range(3))
        quoted = "\n".join(f"> {self.words(9)}" for _ in range(20))
        text = f"{own}\n\nOn Mon, 24 Aug 2026 at 10:00, Shop <orders@shop.example> wrote:\n{quoted}\n"
        label = "text/plain; charset=UTF-8"
        return self.mail("Ada <ada@home.example>", f"Re: {self.words(5)}", text.encode(), Content_Type=label)

    def buyer_message(self) -> bytes:
        """Write what a buyer sends through Amazon."""
        order = self.order()
        text = f"------------- Message: -------------\n\n{self.words(40)}\n\n------------- End message -------------\n"
        rows = [
            self.words(12),
            f"Order {order}",
            "------------- Message: -------------",
            self.words(40),
            self.words(40),
        ]
        return self.html_mail(
            f"Ada <{self.letters(14)}a@marketplace.amazon.com>",
            f"Question about order {order}",
            self.page(rows, 3_000),
            text,
            X_Space_Notification_Type="BBC_MESSAGE_SENT_TO_MERCHANT",
        )

    def amazon_notice(self) -> bytes:
        """Write another notice of Amazon's: sold, refunded, claimed; with its own marker."""
        order = self.order()
        subject, marker = self.chance.choice(
            [
                ("Sold, ship now: {}", "ORDER_SHIP_NOW"),
                ("Refund initiated for order {}", "REFUND_ISSUED"),
                ("A claim was filed for order {}", "A_Z_CLAIM_CREATED"),
            ]
        )
        rows = [f"<strong>Order {order}</strong> {self.words(20)}" for _ in range(self.chance.randint(8, 16))]
        fields = {"X-Space-Notification-Type": marker, "X-AMAZON-MAIL-RELAY-TYPE": "notification"}
        page = self.page(rows, self.chance.randint(4_000, 9_000))
        return self.html_mail('"Amazon" <auto-communication@amazon.com>', subject.format(order), page, **fields)

    def invoice(self) -> bytes:
        """Write a short text with a PDF of 100 KB."""
        pdf = b"%PDF-1.4\n" + self.chance.randbytes(100_000)
        label = 'application/pdf; name="invoice.pdf"\nContent-Disposition: attachment; filename="invoice.pdf"'
        body, kind = self.parts(
            ("text/plain; charset=UTF-8", f"\n{self.words(40)}\n".encode()),
            (f"{label}\nContent-Transfer-Encoding: base64", b"\n" + encodebytes(pdf)),
            kind="mixed",
        )
        return self.mail("Billing <billing@carrier.example>", f"Invoice {self.digits(8)}", body, Content_Type=kind)

    def bounce(self) -> bytes:
        """Write a delivery status notification (RFC 3464) about a mail to a buyer's alias."""
        alias = f"{self.letters(14)}a@marketplace.amazon.com"
        status = (
            f"\nReporting-MTA: dns; mx.shop.example\nArrival-Date: Thu, 27 Aug 2026 22:02:30 +0000\n\n"
            f"Final-Recipient: rfc822; {alias}\nAction: failed\nStatus: 5.1.1\n"
            "Diagnostic-Code: smtp; 550 5.1.1 user unknown\n"
        )
        text = f"\nThe mail system: <{alias}>: host mx.amazon.example said: 550 5.1.1 user unknown\n"
        sent = b"\n" + self.mail("orders@shop.example", self.words(5), self.words(60).encode(), To=alias)
        body, kind = self.parts(
            ("text/plain; charset=us-ascii", text.encode()),
            ("message/delivery-status", status.encode()),
            ("message/rfc822", sent),
            kind='report; report-type="delivery-status"',
        )
        sender = "Mail Delivery System <mailer-daemon@mx.shop.example>"
        return self.mail(sender, "Undelivered Mail Returned to Sender", body, Content_Type=kind)

    def report(self) -> bytes:
        """Write an order report of a shop's software: 150 rows, an order id in each."""
        rows = "\n".join(f"{self.order()}\t{self.words(4)}\t{self.digits(2)}.{self.digits(2)}" for _ in range(150))
        text = f"Orders of the day\n\norder-id\tproduct\tprice\n{rows}\n"
        label = "text/plain; charset=UTF-8"
        return self.mail("Reports <reports@software.example>", "Order report", text.encode(), Content_Type=label)


def printable(text: str) -> bytes:
    """Encode a text as quoted-printable, with the field that says so before it."""
    return b"Content-Transfer-Encoding: quoted-printable\n\n" + quopri.encodestring(text.encode())


def notices(count: int) -> dict[str, list[bytes]]:
    """Give notices by kind: with the marker in all languages, without it in those whose sentence is known."""
    maker = Maker(1)
    worded = [language for language, facts in LANGUAGES.items() if facts.sentence]
    return {
        "with the marker": [maker.notice(list(LANGUAGES)[n % len(LANGUAGES)], marked=True) for n in range(count // 2)],
        "by the sentence alone": [
            maker.notice(worded[n % len(worded)], marked=False) for n in range(count - count // 2)
        ],
    }


def others(count: int) -> dict[str, list[bytes]]:
    """Give what else lies in a seller's inbox, by kind, about as many of each."""
    maker = Maker(2)
    kinds: dict[str, Callable[[], bytes]] = {
        "newsletter": maker.newsletter,
        "plain reply": maker.reply,
        "buyer's message": maker.buyer_message,
        "Amazon's other notices": maker.amazon_notice,
        "invoice with a PDF": maker.invoice,
        "bounce": maker.bounce,
        "order report": maker.report,
    }
    return {kind: [make() for _ in range(-(-count // len(kinds)))] for kind, make in kinds.items()}
