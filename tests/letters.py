"""Mails that the tests of the pure middle make up: a true notice without the marker, and what is put around it."""

from __future__ import annotations

from nosend import letter, verdict
from nosend.letter import mime
from nosend.model import Letter, Trust, Verdict

ORDER = "123-4567890-1234567"
ALIAS = "buyer12345678xy@marketplace.amazon.it"
AMAZON = "auto-communication@amazon.com"
STRANGER = "somebody@shop.example"
SUBJECT = "Your message to a buyer could not be delivered"
REASON = "because the buyer has chosen to opt out of receiving unsolicited messages from sellers."
SENTENCE = f"We were unable to deliver the message you sent for order [{ORDER}] {REASON}"


def mail(body: str | bytes = SENTENCE, **fields: str | list[str] | None) -> bytes:
    """Write a mail: by default a true English notice. A list repeats a field, None leaves it out."""
    known: dict[str, str | list[str] | None] = {"From": AMAZON, "Subject": SUBJECT}
    known |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [
        f"{name}: {value}"
        for name, values in known.items()
        if values is not None
        for value in (values if isinstance(values, list) else [values])
    ]
    return "\n".join(lines).encode() + b"\n\n" + (body if isinstance(body, bytes) else body.encode())


def forwarded(sentence: str = SENTENCE, sender: str = AMAZON) -> str:
    """Write the text of an inline forward, as Gmail does it."""
    return (
        f"Please look.\n\n---------- Forwarded message ---------\nFrom: {sender}\nDate: Thu, 2 Feb 2023\n"
        f"Subject: {SUBJECT}\nTo: <{STRANGER}>\n\n{sentence}\n"
    )


def multipart(*parts: str, kind: str = "mixed", boundary: str = "=_b", closed: bool = True, **fields) -> bytes:
    """Write a multipart mail; each part is its header section, an empty line, and its body."""
    body = "".join(f"--{boundary}\n{part}\n" for part in parts) + (f"--{boundary}--\n" if closed else "")
    return mail(body, Content_Type=f'multipart/{kind}; boundary="{boundary}"', **fields)


def read(raw: bytes, limits: mime.Limits = mime.LIMITS) -> Letter:
    """Read a mail, with the words of nosend's own packs."""
    return letter.read(raw, verdict.rules.builtin().marks, limits=limits)


def judge(told: Letter, trust: Trust | None = None) -> Verdict:
    """Judge a letter by nosend's own packs."""
    return verdict.judge(told, trust or Trust(), verdict.rules.builtin())


def worth_reading(heading: Letter, trust: Trust | None = None) -> verdict.Worth:
    return verdict.worth_reading(heading, trust or Trust(), verdict.rules.builtin())
