"""A mailbox with 30 forged, 30 forwarded and 30 true notices: under each policy exactly the right ones are listed.

What a mail is listed under is said by intent: ALWAYS; UNPROVEN, which only `require` minds; FAILED, which only `off`
lets pass, since there authenticity does not matter; NEVER.
"""

from __future__ import annotations

from base64 import b64encode
from itertools import count
from typing import NamedTuple

import pytest

import letters
from conftest import Shell
from samples import order
from servers import Dovecot

POLICIES = ("require", "prefer", "off")
ALWAYS, UNPROVEN, FAILED, NEVER = POLICIES, ("prefer", "off"), ("off",), ()
MINE, ELSEWHERE = "mx.shop.example", "mx.elsewhere.example"
OWNER, AGENCY = "owner@shop.example", "anna@agency.example"
TRUST = {"trusted_authserv_id": MINE, "trusted_forwarders": [OWNER, "agency.example"]}
MARKER = "BUYER_OPTED_OUT_BSM_MESSAGES"
UTF_8 = "text/plain; charset=utf-8"

PASS = "dkim=pass header.d=amazon.com; spf=pass smtp.mailfrom=bounces.amazon.com; dmarc=pass header.from=amazon.com"
FAIL = "spf=fail smtp.mailfrom=evil.example; dkim=none; dmarc=fail (p=quarantine) header.from=amazon.com"
OWNERS = f"dkim=pass header.d=shop.example; dmarc=pass header.from={OWNER.partition('@')[2]}"
AGENCYS = "spf=pass smtp.mailfrom=agency.example"

TEXTS = {
    "en": letters.SENTENCE,
    "en-name": "We were unable to deliver the message you sent to Maria on 2026-09-10 for order [{}] " + letters.REASON,
    "it": "Non siamo stati in grado di recapitare il messaggio che hai inviato a Maria il 2026-09-10 per l'ordine [{}] "
    "perché l'acquirente ha scelto di non ricevere messaggi non richiesti dai venditori.",
    "fr": "Nous ne sommes pas parvenus à transmettre votre message au sujet de la commande {}, car l'acheteur a choisi "
    "de ne pas recevoir de messages non sollicités de la part des vendeurs.",
    "ja": "購入者が出品者からの未承諾広告メールを受信しないように設定しているため、"
    "注文 {}に関するメッセージを送信できませんでした。",
}
NUMBERS = count(1)


class Sent(NamedTuple):
    """One mail, the orders it claims, and the policies under which they are listed.

    `ignored`: not even a suspect, for nobody would take it for a notice.
    """

    name: str
    raw: bytes
    orders: tuple[str, ...]
    under: tuple[str, ...]
    ignored: bool = False


def says(*results: str, by: str = MINE) -> list[str]:
    """Write Authentication-Results, the topmost first; by that server, unless one names another."""
    return [one if one.startswith(("mx.", "spam.")) else f"{by}; {one}" for one in results]


def sentence(language: str, number: int) -> str:
    return TEXTS[language].replace(letters.ORDER, order(number)).replace("{}", order(number))


def true(name: str, under: tuple[str, ...], *results: str, language: str = "en", **fields) -> Sent:
    """Write a notice in words: From Amazon, unless `fields` say otherwise."""
    n = next(NUMBERS)
    known = {"Content_Type": UTF_8, "Message_ID": f"<{n}@x>", "Authentication_Results": says(*results) or None}
    return Sent(name, letters.mail(f"Hello,\n\n{sentence(language, n)}\n", **known | fields), (order(n),), under)


def marked(name: str, under: tuple[str, ...], *results: str, **fields) -> Sent:
    """Write a notice in a language nobody knows, with Amazon's marker."""
    n = next(NUMBERS)
    known = {"Content_Type": UTF_8, "Message_ID": f"<{n}@x>", "Authentication_Results": says(*results) or None}
    body = f"Tellimus {order(n)}: ostja ei soovi kirju.\n"
    return Sent(name, letters.mail(body, **known | {"X_Space_Notification_Type": MARKER} | fields), (order(n),), under)


BLOCKS = {
    "gmail": "---------- Forwarded message ---------\nFrom: {0}\nDate: Thu, 2 Feb 2023\nSubject: {1}\nTo: <{2}>\n",
    "outlook en": "From: {0}\nSent: Thursday, February 2, 2023 10:00 AM\nTo: <{2}>\nSubject: {1}\n",
    "outlook de": "Von: {0}\nGesendet: Donnerstag, 2. Februar 2023 10:00\nAn: <{2}>\nBetreff: {1}\n",
    "outlook fr": "De : {0}\nEnvoyé : jeudi 2 février 2023 10:00\nÀ : <{2}>\nObjet : {1}\n",
    "outlook it": "Da: {0}\nInviato: giovedì 2 febbraio 2023 10:00\nA: <{2}>\nOggetto: {1}\n",
    "outlook ja": "差出人: {0}\n送信日時: 2023年2月2日 10:00\n宛先: <{2}>\n件名: {1}\n",
    "thunderbird": "-------- Forwarded Message --------\nSubject: {1}\nDate: Thu, 2 Feb 2023\nFrom: {0}\nTo: <{2}>\n",
    "yahoo": "----- Forwarded Message -----\nFrom: {0}\nTo: <{2}>\nSent: Thursday, February 2, 2023\nSubject: {1}\n",
}
AMAZONS = f"Amazon <{letters.AMAZON}>"


def inline(program: str, text: str, sender: str = AMAZONS) -> str:
    """Write the text of a forward as a mail program does."""
    if program == "apple":
        block = f"From: {sender}\nSubject: {letters.SUBJECT}\nDate: 2 February 2023\nTo: <{OWNER}>\n\n{text}"
        return "Begin forwarded message:\n\n" + "\n".join(f"> {line}" for line in block.splitlines())
    return BLOCKS[program].format(sender, letters.SUBJECT, OWNER) + f"\n{text}"


def forward(name: str, under: tuple[str, ...], *results: str, program: str = "gmail", **options) -> Sent:
    """Write somebody's inline forward. Options: the language, who sent it, `told` by whom the notice is, `orders`."""
    n = next(NUMBERS)
    orders = [n, *(next(NUMBERS) for _ in range(options.get("orders", 1) - 1))]
    text = "\n\n".join(sentence(options.get("language", "en"), one) for one in orders)
    body = inline(program, text, options.get("told", AMAZONS))
    if via := options.get("via"):  # a forward of a forward
        body = inline(options.get("around", "outlook en"), body, via)
    return Sent(name, _from(options.get("who", OWNER), n, body, *results), tuple(map(order, orders)), under)


def _from(who: str, n: int, body: str, *results: str, **fields) -> bytes:
    known = {"From": f"Somebody <{who}>", "Subject": "Fwd: please look", "Message_ID": f"<{n}@x>"}
    known |= {"Content_Type": UTF_8, "Authentication_Results": says(*results) or None}
    return letters.mail(f"Please look.\n\n{body}\n", **known | fields)


def attached(name: str, under: tuple[str, ...], *results: str, who: str = OWNER, kind: str = "eml", **inner) -> Sent:
    """Write a mail with notices attached: one, or three (`kind="digest"`), whose fields `inner` changes."""
    count_of = 3 if kind == "digest" else 1
    numbers = [next(NUMBERS) for _ in range(count_of)]
    fields = {"Content_Type": UTF_8} | inner
    raws = [letters.mail(sentence("en", n), **(fields if n == numbers[-1] else {})) for n in numbers]
    parts = [f"Content-Type: message/rfc822\n\n{raw.decode()}" for raw in raws]
    if kind == "base64":
        head = 'Content-Type: application/octet-stream; name="notice.eml"\nContent-Transfer-Encoding: base64'
        parts = [f"{head}\n\n{b64encode(raw).decode()}" for raw in raws]
    if kind == "twice":
        inside = letters.multipart(*parts, boundary="=_in", From=AGENCY, Subject="Fwd: x")
        parts = [f"Content-Type: message/rfc822\n\n{inside.decode()}"]
    raw = letters.multipart(
        f"Content-Type: {UTF_8}\n\nPlease look.", *parts, From=who, Subject="Fwd: please look",
        Message_ID=f"<{numbers[0]}@x>", Authentication_Results=says(*results) or None,
    )  # fmt: skip
    return Sent(name, raw, tuple(map(order, numbers)), under)


TRUE = [
    marked("DMARC passes", ALWAYS, PASS),
    marked("DKIM passes for Amazon", ALWAYS, "dkim=pass header.d=amazon.com"),
    marked("DKIM passes, told by its identity", ALWAYS, "dkim=pass header.i=@amazon.com"),
    marked("SPF passes below Amazon's domain", ALWAYS, "spf=pass smtp.mailfrom=x@bounces.amazon.com"),
    marked("DMARC passes though one signature fails", ALWAYS, f"dkim=fail header.d=ses.example; {PASS}"),
    marked("the field is folded and commented", ALWAYS, f"{MINE} (mine) 1;\n dmarc=pass (p=none)"),
    marked("the field is in capitals", ALWAYS, PASS.upper()),
    marked("SPF fails in the field below", ALWAYS, PASS, f"{MINE}; spf=fail smtp.mailfrom=x.example"),
    marked("another server's pass below", ALWAYS, PASS, f"{ELSEWHERE}; spf=fail smtp.mailfrom=x.example"),
    marked("a spam filter writes above", ALWAYS, "spam.example; none", PASS),
    true("in English", ALWAYS, PASS),
    true("in English with a name", ALWAYS, PASS, language="en-name"),
    true("in Italian", ALWAYS, PASS, language="it"),
    true("in French", ALWAYS, PASS, language="fr"),
    true("in Japanese", ALWAYS, PASS, language="ja"),
    true(
        "from amazon.co.jp", ALWAYS, PASS.replace("amazon.com", "amazon.co.jp"), language="ja",
        From="auto-communication@amazon.co.jp",
    ),
    marked("nobody wrote the field", UNPROVEN),
    true("in English, no field", UNPROVEN),
    true("in Italian, no field", UNPROVEN, language="it"),
    true("in French, no field", UNPROVEN, language="fr"),
    true("in Japanese, no field", UNPROVEN, language="ja"),
    marked("only another server's pass", UNPROVEN, f"{ELSEWHERE}; {PASS}"),
    marked("my server found nothing", UNPROVEN, "none"),
    marked("my server had trouble with DNS", UNPROVEN, "dkim=temperror header.d=amazon.com; spf=temperror"),
    marked("neutral and soft", UNPROVEN, "spf=softfail smtp.mailfrom=amazon.com; dkim=neutral"),
    marked("DKIM passes for a mail service alone", UNPROVEN, "dkim=pass header.d=amazonses.com"),
    marked("my server's name is longer by a word", UNPROVEN, f"mx.{MINE}; {PASS}"),
    marked("a gateway broke the signature", FAILED, "dkim=fail header.d=amazon.com; spf=none"),
    marked("a gateway broke it, and DMARC fails", FAILED, FAIL),
    true("in English, a failure of no known server", FAILED, f"{ELSEWHERE}; {FAIL}"),
]  # fmt: skip

EVILS = "dkim=pass header.d=evil.example; spf=pass smtp.mailfrom=evil.example; dmarc=pass header.from=evil.example"
FORGED = [
    *(
        marked(domain, NEVER, EVILS.replace("evil.example", domain), From=f"auto-communication@{domain}")
        for domain in (
            "amaz0n.com", "notamazon.com", "amazon.com.evil.example", "marketplace.amazon.com.evil.example",
            "amazon.example", "аmazon.com",
        )
    ),
    marked("a display name", NEVER, EVILS, From=f'"{letters.AMAZON}" <x@evil.example>'),
    marked("an encoded display name", NEVER, EVILS, From="=?utf-8?q?a=40amazon.com?= <a@evil.example>"),
    marked("two addresses in From", NEVER, PASS, From=f"{letters.AMAZON}, x@evil.example"),
    marked("two From", NEVER, PASS, From=[letters.AMAZON, "x@evil.example"]),
    marked("two From, Amazon's below", NEVER, EVILS, From=["x@evil.example", letters.AMAZON]),
    marked("From below a broken line", NEVER, PASS, From=None, X_Note=f"x\n???\nFrom: {letters.AMAZON}"),
    marked("DMARC fails", FAILED, FAIL),
    marked("SPF fails", FAILED, "spf=fail smtp.mailfrom=evil.example"),
    marked("DKIM fails", FAILED, "dkim=fail header.d=amazon.com"),
    marked("DMARC fails, the forger's own DKIM passes", FAILED, f"dkim=pass header.d=evil.example; {FAIL}"),
    marked("a forged pass of my server below its failure", FAILED, FAIL, PASS),
    marked("a pass in a comment", FAILED, FAIL.replace("(p=quarantine)", "(dmarc=pass header.from=amazon.com)")),
    true("DMARC fails, in words", FAILED, FAIL),
    marked("without any field", UNPROVEN),
    marked("a pass of the forger's own server", UNPROVEN, f"mx.evil.example; {PASS}"),
    marked("a pass for the forger's domain alone", UNPROVEN, EVILS),
    forward("a stranger's forward", NEVER, EVILS, who="x@evil.example"),
    forward("a stranger who resembles the owner", NEVER, EVILS, who=f"{OWNER}.evil.example"),
    attached("a stranger's attachment", NEVER, EVILS, who="x@evil.example"),
    forward("the owner's name is forged", FAILED, FAIL.replace("amazon.com", "shop.example")),
    forward("the owner passes on a stranger's forgery", NEVER, OWNERS, told="Amazon <x@evil.example>"),
    attached("the owner attaches a stranger's forgery", NEVER, OWNERS, From="x@amaz0n.com"),
    true("a buyer writes the sentence", NEVER, PASS, From="abc123def456@marketplace.amazon.com")._replace(ignored=True),
    true("a copy of what the seller wrote", NEVER, PASS, From="donotreply@amazon.com"),
]  # fmt: skip

SEAL = {
    "ARC_Seal": "i=1; a=rsa-sha256; d=agency.example; s=k; cv=none; b=x",
    "ARC_Authentication_Results": f"i=1; mx.agency.example; {PASS}",
}
STRANGERS_SEAL = {name: value.replace("agency", "evil") for name, value in SEAL.items()}
BROKEN = (
    "arc=pass; dkim=fail header.d=amazon.com; spf=fail smtp.mailfrom=agency.example; dmarc=fail header.from=amazon.com"
)
BY_RULE = "spf=fail smtp.mailfrom=owner+caf_=x@gmail.com; dkim=pass header.d=amazon.com"
FORWARDED = [
    marked("a rule: SPF fails, DKIM and DMARC pass", ALWAYS, f"{BY_RULE}; dmarc=pass header.from=amazon.com"),
    marked("a rule: SPF fails, DKIM passes", ALWAYS, BY_RULE, X_Forwarded_To=OWNER, X_Forwarded_For=OWNER),
    true("a rule, in words: SPF fails, DKIM passes", ALWAYS, BY_RULE, language="it"),
    marked("a rule: an earlier server saw it fail", ALWAYS, BY_RULE, f"{ELSEWHERE}; {FAIL}"),
    marked("a rule that breaks the signature", FAILED, "spf=fail smtp.mailfrom=x.example; dkim=fail"),
    marked("a rule, sealed by the agency", ALWAYS, BROKEN, **SEAL),
    marked("a rule, sealed by a stranger", FAILED, BROKEN, **STRANGERS_SEAL),
    marked("redirected, and passes", ALWAYS, PASS, Resent_From=OWNER, Resent_To="orders@shop.example"),
    marked("redirected, no field", UNPROVEN, Resent_From=OWNER, Resent_To="orders@shop.example"),
    forward("Gmail", ALWAYS, OWNERS),
    forward("Outlook in English", ALWAYS, OWNERS, program="outlook en"),
    forward("Outlook in German", ALWAYS, OWNERS, program="outlook de"),
    forward("Outlook in French", ALWAYS, OWNERS, program="outlook fr", language="fr"),
    forward("Outlook in Italian", ALWAYS, OWNERS, program="outlook it", language="it"),
    forward("Outlook in Japanese", ALWAYS, OWNERS, program="outlook ja", language="ja"),
    forward("Apple Mail, with quote marks", ALWAYS, OWNERS, program="apple"),
    forward("Thunderbird", ALWAYS, OWNERS, program="thunderbird"),
    forward("Yahoo", ALWAYS, OWNERS, program="yahoo"),
    forward("by somebody of the agency", ALWAYS, AGENCYS, who=AGENCY),
    forward("by somebody below the agency's domain", NEVER, AGENCYS, who="x@mail.agency.example"),
    forward("nobody says that it is the owner", UNPROVEN),
    forward("a forward of the agency's forward", ALWAYS, OWNERS, via=f"Anna <{AGENCY}>"),
    forward("a forward of a stranger's forward", NEVER, OWNERS, via="Eve <x@evil.example>"),
    forward("two orders in one forward", NEVER, OWNERS, orders=2),
    attached("attached", ALWAYS, OWNERS),
    attached("attached as a file in base64", ALWAYS, OWNERS, kind="base64"),
    attached("attached, nobody says that it is the owner", UNPROVEN),
    attached("attached, and it failed when it came", FAILED, OWNERS, Authentication_Results=f"{ELSEWHERE}; {FAIL}"),
    attached("a digest of three", ALWAYS, OWNERS, kind="digest"),
    attached("attached to what the agency had forwarded", ALWAYS, OWNERS, kind="twice"),
]  # fmt: skip

MAILS = [*FORGED, *FORWARDED, *TRUE]


def configure(nosend: Shell, dovecot: Dovecot, user: str, policy: str) -> None:
    nosend.configure(user, dovecot.port, authenticity=policy, **TRUST)


def listed(nosend: Shell) -> dict[str, bool]:
    """Tell of each mail whether its orders are listed: all, or none, of them."""
    there = {value for (value,) in nosend.rows("SELECT value FROM blacklist WHERE kind = 'order'")}
    assert there <= {one for mail in MAILS for one in mail.orders}, "an order that no mail is about"
    assert [mail.name for mail in MAILS if 0 < len(there & set(mail.orders)) < len(mail.orders)] == []
    return {mail.name: set(mail.orders) <= there for mail in MAILS}


def wanted(policy: str) -> dict[str, bool]:
    return {mail.name: policy in mail.under for mail in MAILS}


def test_there_are_thirty_of_each_and_each_policy_has_its_own() -> None:
    assert [len(FORGED), len(FORWARDED), len(TRUE)] == [30, 30, 30]
    assert len({mail.name for mail in MAILS}) == len({mail.raw for mail in MAILS}) == 90
    assert len({one for mail in MAILS for one in mail.orders}) == sum(len(mail.orders) for mail in MAILS)
    for kind in (FORGED, FORWARDED, TRUE):
        assert {mail.under for mail in kind} >= {UNPROVEN, FAILED}
    assert {mail.under for mail in [*FORWARDED, *TRUE]} >= {ALWAYS}
    assert ALWAYS not in {mail.under for mail in FORGED}, "with a proof asked for no forgery is listed"


@pytest.mark.parametrize("policy", POLICIES)
def test_exactly_the_right_ones_are_listed_and_the_others_wait(nosend: Shell, dovecot: Dovecot, policy: str) -> None:
    dovecot.fill(f"policy-{policy}", [mail.raw for mail in MAILS])
    configure(nosend, dovecot, f"policy-{policy}", policy)
    nosend("sync")
    assert listed(nosend) == wanted(policy)
    verdicts = dict(nosend.rows("SELECT uid, verdict FROM ledger"))
    told = {mail.name: verdicts.get(uid) for uid, mail in enumerate(MAILS, 1)}
    assert told == {
        mail.name: "opt_out" if policy in mail.under else "other_notice" if mail.ignored else "suspect"
        for mail in MAILS
    }


def test_a_policy_that_is_loosened_lists_more_of_what_waits_and_a_stricter_one_takes_nothing_back(
    nosend: Shell, dovecot: Dovecot
) -> None:
    dovecot.fill("loosened", [mail.raw for mail in MAILS])
    for policy in POLICIES:
        configure(nosend, dovecot, "loosened", policy)
        nosend("sync")
        assert listed(nosend) == wanted(policy)
    configure(nosend, dovecot, "loosened", "require")
    nosend("sync")
    assert listed(nosend) == wanted("off")
