"""DKIM: what holds, what does not, and what hostile mails and a silent DNS may cost. Real keys, a real DNS server."""

from __future__ import annotations

import base64
import functools
import logging
import os
import re
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections import Counter

import dkim
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from dkim.canonicalization import Relaxed
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nacl.encoding import Base64Encoder
from nacl.signing import SigningKey

from conftest import ROOT
from letters import AMAZON, STRANGER, mail
from nosend.mailbox import dkim as checking
from nosend.mailbox.dkim import Verifier, installed

bounded = settings(derandomize=True, max_examples=400, deadline=None)
SERVFAIL, SILENT, SLOW = "SERVFAIL", "SILENT", "SLOW"
TEXT = "Two  spaces, a tab\there.  \r\n\r\nAnd the end.\r\n"


class NameServer:
    """A DNS server on loopback. `zone` has the TXT records of a name, or how it fails; `asked` counts the questions.

    A record is a string, or a tuple of the strings it is cut into. Answers that are larger than the asker
    takes are truncated (RFC 6891, 6.2.3); nobody listens on TCP.
    """

    def __init__(self, zone: dict[str, object]) -> None:
        self.zone, self.asked, outer = zone, Counter[str](), self
        self.troubles: list[BaseException | None] = []

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, line = self.request
                if (answer := outer.answer(dns.message.from_wire(data))) is not None:
                    line.sendto(answer, self.client_address)

        class Server(socketserver.ThreadingUDPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: object) -> None:
                outer.troubles.append(sys.exception())

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = self._server.server_address
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def answer(self, query: dns.message.Message) -> bytes | None:
        name = query.question[0].name.to_text(omit_final_dot=True)
        self.asked[name] += 1
        found = self.zone.get(name)
        if found == SILENT:
            return None
        if found == SLOW:
            time.sleep(1.1)
        reply = dns.message.make_response(query)
        if found == SERVFAIL:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif not isinstance(found, list):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        else:
            cut = [one if isinstance(one, tuple) else re.findall(".{1,255}", one) or [""] for one in found]
            texts = [" ".join(f'"{piece}"' for piece in pieces) for pieces in cut]
            reply.answer += [dns.rrset.from_text(name + ".", 60, "IN", "TXT", *texts)] if texts else []
        try:
            return reply.to_wire(max_size=query.payload or 512)
        except dns.exception.TooBig:
            reply.answer.clear()
            reply.flags |= dns.flags.TC
            return reply.to_wire()

    def __enter__(self) -> NameServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        assert self.troubles == []


def key(bits: int = 2048, name: str = "") -> tuple[bytes, str]:
    """Give an RSA key: its private half as PEM, its public half as a record has it. Another name, another key."""
    return _made(bits, name)


@functools.cache
def _made(bits: int, name: str) -> tuple[bytes, str]:
    assert name is not None, "it only tells keys apart"
    private = subprocess.run(["openssl", "genrsa", str(bits)], capture_output=True, check=True).stdout
    public = ["openssl", "rsa", "-pubout", "-outform", "DER"]
    der = subprocess.run(public, input=private, capture_output=True, check=True).stdout
    return private, base64.b64encode(der).decode()


def record(bits: int = 2048, name: str = "", tags: str = "v=DKIM1; k=rsa") -> str:
    return f"{tags}; p={key(bits, name)[1]}"


def crlf(raw: bytes) -> bytes:
    return re.sub(rb"\r?\n", b"\r\n", raw)


LETTER = crlf(mail(TEXT, From=AMAZON, To=STRANGER, Subject="About  your order"))


def signed(raw: bytes = LETTER, domain: str = "amazon.com", bits: int = 2048, private: bytes = b"", **options) -> bytes:
    """Put dkimpy's signature on top of a mail. Options are those of `dkim.DKIM.sign`, and `selector`."""
    selector = options.pop("selector", "sel")
    signer = dkim.DKIM(raw, signature_algorithm=options.pop("algorithm", b"rsa-sha256"))
    options.setdefault("include_headers", [name for name in (b"from", b"to", b"subject") if name in raw.lower()])
    return signer.sign(selector.encode(), domain.encode(), private or key(bits)[0], **options) + raw


class Forge(dkim.DKIM):
    """Signs what dkimpy's own signer refuses to, or has no option for: `tags` are added, None takes one out."""

    tags: dict[bytes, bytes | None]

    def gen_header(self, fields, include_headers, canon_policy, header_name, pk, standardize=False):
        kept = [pair for pair in fields if pair[0] not in self.tags]
        added = [(name, value) for name, value in self.tags.items() if value is not None]
        names = self.tags.get(b"h")
        covered = names.lower().split(b":") if names else include_headers
        return super().gen_header(added + kept, covered, canon_policy, header_name, pk, standardize)


def forged(raw: bytes = LETTER, **tags: str | None) -> bytes:
    """Sign a mail with a true key and with these tags in the signature."""
    signer = Forge(raw)
    signer.tags = {name.encode(): value and value.encode() for name, value in tags.items()}
    return signer.sign(b"sel", b"amazon.com", key()[0], include_headers=[b"from", b"to", b"subject"]) + raw


@pytest.fixture
def resolver():
    with NameServer({"sel._domainkey.amazon.com": [record()]}) as server:
        yield server


def verdict(raw: bytes, server: NameServer) -> tuple[str, ...]:
    return Verifier([server.address]).signed_by(raw)


# What holds


@pytest.mark.parametrize("header", [b"simple", b"relaxed"])
@pytest.mark.parametrize("body", [b"simple", b"relaxed"])
def test_true_signature_holds(resolver: NameServer, header: bytes, body: bytes) -> None:
    raw = signed(canonicalize=(header, body))
    assert verdict(raw, resolver) == ("amazon.com",)
    assert resolver.asked == {"sel._domainkey.amazon.com": 1}


def test_relaxed_forgives_what_simple_does_not(resolver: NameServer) -> None:
    """Spaces at line ends, and several for one; a folded field, another case of its name (RFC 6376, 3.4)."""

    def worn(raw: bytes) -> bytes:
        return raw.replace(b"tab\there.  \r\n", b"tab here.\r\n").replace(b"About  your", b"About\r\n your")

    assert verdict(worn(signed(canonicalize=(b"relaxed", b"relaxed"))), resolver) == ("amazon.com",)
    assert verdict(worn(signed(canonicalize=(b"relaxed", b"simple"))), resolver) == ()
    assert verdict(worn(signed(canonicalize=(b"simple", b"relaxed"))), resolver) == ()


@pytest.mark.parametrize("body", [b"simple", b"relaxed"])
def test_line_ends_and_the_line_of_an_mbox_do_not_matter(resolver: NameServer, body: bytes) -> None:
    raw = signed(canonicalize=(b"simple", body))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    bare = raw.replace(b"\r\n", b"\n")
    mixed = raw.replace(b"\r\n", b"\n", 4)
    top = b"From auto@amazon.com Thu Feb  2 10:00:00 2023"
    for one in (raw, bare, mixed, top + b"\r\n" + raw, top + b"\n" + bare):
        assert verdict(one, resolver) == ("amazon.com",)


def test_mail_without_a_body_holds(resolver: NameServer) -> None:
    for body in (b"simple", b"relaxed"):
        raw = signed(crlf(mail("", From=AMAZON, Subject="x")), canonicalize=(b"relaxed", body))
        assert verdict(raw, resolver) == ("amazon.com",)


def test_domain_is_given_in_lower_case_and_once(resolver: NameServer) -> None:
    raw = signed(signed(domain="Amazon.COM"), domain="amazon.com")
    assert verdict(raw, resolver) == ("amazon.com",)
    assert verdict(signed(domain="Amazon.COM", selector="Sel"), resolver) == ("amazon.com",)
    assert resolver.asked == {"sel._domainkey.amazon.com": 2}, "once for each round"


def test_good_signature_holds_beside_bad_ones(resolver: NameServer) -> None:
    """A wrong one, one of a domain without a key, one that dkimpy cannot read, one whose i= breaks it."""
    resolver.zone["sel._domainkey.relay.example"] = [record(name="another")]
    bad = signed(domain="relay.example")[: -len(LETTER)] + signed(domain="nowhere.example")[: -len(LETTER)]
    broken = b"DKIM-Signature: ;;=\r\n" + forged(i="amazon.com")[: -len(LETTER)]
    for raw in (bad + signed(), broken + signed(), broken + bad + signed()):
        assert verdict(raw, resolver) == ("amazon.com",)
    assert verdict(bad + broken + LETTER, resolver) == ()


def test_all_that_hold_are_given_in_order(resolver: NameServer) -> None:
    resolver.zone["sel._domainkey.ses.example"] = [record(name="another")]
    raw = signed(signed(), domain="ses.example", private=key(name="another")[0])
    assert verdict(raw, resolver) == ("ses.example", "amazon.com")


def test_each_signature_is_reckoned_over_the_mail_as_it_came(resolver: NameServer) -> None:
    resolver.zone["sel._domainkey.ses.example"] = [record()]
    for one in (b"simple", b"relaxed"):
        for other in (b"simple", b"relaxed"):
            raw = signed(signed(canonicalize=(one, one)), domain="ses.example", canonicalize=(other, other))
            assert verdict(raw, resolver) == ("ses.example", "amazon.com")


def test_key_record_in_several_strings_is_joined(resolver: NameServer) -> None:
    whole = record()
    resolver.zone["sel._domainkey.amazon.com"] = [(whole[:10], whole[10:11], whole[11:200], whole[200:])]
    assert verdict(signed(), resolver) == ("amazon.com",)


def test_long_key_comes_in_one_packet(resolver: NameServer) -> None:
    """RSA 4096 does not fit into 512 bytes, and there is no TCP here: the resolver says that it takes more."""
    resolver.zone["sel._domainkey.amazon.com"] = [record(4096)]
    assert len(record(4096)) > 700
    assert verdict(signed(bits=4096), resolver) == ("amazon.com",)


def test_key_of_1024_bits_holds_and_shorter_ones_do_not(resolver: NameServer) -> None:
    """RFC 8301, 3.2."""
    for bits, holds in ((1024, ("amazon.com",)), (1016, ()), (512, ())):
        resolver.zone["sel._domainkey.amazon.com"] = [record(bits)]
        assert verdict(signed(bits=bits), resolver) == holds, bits


def ed25519() -> tuple[bytes, str]:
    private = SigningKey.generate()
    return private.encode(Base64Encoder), f"v=DKIM1; k=ed25519; p={private.verify_key.encode(Base64Encoder).decode()}"


def test_ed25519_holds(resolver: NameServer) -> None:
    """RFC 8463; the extra needs PyNaCl for it."""
    private, public = ed25519()
    resolver.zone["sel._domainkey.amazon.com"] = [public]
    raw = signed(private=private, algorithm=b"ed25519-sha256")
    assert verdict(raw, resolver) == ("amazon.com",)
    assert verdict(raw.replace(b"the end", b"the End"), resolver) == ()
    assert verdict(raw.replace(b"your order", b"your Order"), resolver) == ()


# What does not


@pytest.mark.parametrize("canonical", [b"simple", b"relaxed"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"the end", b"the End"), (b"the end", b"theend"), (b"end.\r\n", b"end.\r\nMore.\r\n"), (b"\there", b"here"),
        (b"your order", b"your Order"), (b"About", b"Re: About"), (b"To: s", b"To: S"),
        (b"From: auto", b"From: Auto"), (b"@amazon.com\r\nS", b"@amazon.co\r\nS"), (b"From: ", b"From: x "),
        (b"d=amazon.com", b"d=amazon.de"), (b"c=", b"z=x; c="), (b"v=1", b"v=2"), (b" s=sel", b" s=none"),
        (b"About  your", b"About  yo\rur"), (b"About  your", b"About\0your"), (b"From: a", b"Fron: a"),
    ],
)  # fmt: skip
def test_nothing_may_be_changed(resolver: NameServer, canonical: bytes, old: bytes, new: bytes) -> None:
    raw = signed(canonicalize=(canonical, canonical))
    resolver.zone["sel._domainkey.amazon.de"] = [record()]
    assert raw.count(old) >= 1
    assert verdict(raw, resolver) == ("amazon.com",)
    assert verdict(raw.replace(old, new), resolver) == ()


def test_every_byte_counts(resolver: NameServer) -> None:
    """One bit of each byte of the mail below the signature is turned, in the plainest canonicalisation."""
    raw = signed(canonicalize=(b"simple", b"simple"))
    below = len(raw) - len(LETTER)
    verifier = Verifier([resolver.address])
    assert verifier.signed_by(raw) == ("amazon.com",)
    for place in range(below, len(raw)):
        turned = raw[:place] + bytes([raw[place] ^ 4]) + raw[place + 1 :]
        assert verifier.signed_by(turned) == (), turned


def test_body_encoded_anew_by_a_relay_does_not_hold(resolver: NameServer) -> None:
    raw = signed(crlf(mail("Größe\n", From=AMAZON, Subject="x")))
    assert verdict(raw, resolver) == ("amazon.com",)
    assert verdict(raw.replace("ö".encode(), b"=C3=B6"), resolver) == ()


def test_body_length_does_not_count(resolver: NameServer) -> None:
    """What is added below `l=` octets is not signed (RFC 6376, 8.2); when nothing was added, all is."""
    for canonical in ((b"simple", b"simple"), (b"relaxed", b"relaxed")):
        raw = signed(length=True, canonicalize=canonical)
        assert b" l=" in raw
        assert dkim.verify(raw + b"More.\r\n", dnsfunc=lambda *_, **__: record().encode()), "dkimpy lets it pass"
        assert verdict(raw, resolver) == ("amazon.com",)
        assert verdict(raw + b"More.\r\n", resolver) == ()


@pytest.mark.parametrize(("hours", "holds"), [(-11, ()), (-9, ("amazon.com",)), (1, ("amazon.com",))])
def test_expired_signature_does_not_hold(resolver: NameServer, hours: int, holds: tuple[str, ...]) -> None:
    """Ten hours are forgiven, for clocks that are wrong (RFC 6376, 3.5)."""
    assert verdict(forged(t=None, x=str(int(time.time()) + hours * 3600)), resolver) == holds


@pytest.mark.parametrize(("hours", "holds"), [(11, ()), (-11, ("amazon.com",))])
def test_signature_of_the_future_does_not_hold(resolver: NameServer, hours: int, holds: tuple[str, ...]) -> None:
    assert verdict(forged(t=str(int(time.time()) + hours * 3600)), resolver) == holds


def test_sha1_does_not_count(resolver: NameServer) -> None:
    """RFC 8301, 3.1; nor is its key asked for."""
    raw = signed(algorithm=b"rsa-sha1")
    assert dkim.verify(raw, dnsfunc=lambda *_, **__: record().encode()), "dkimpy lets it pass"
    assert verdict(raw, resolver) == ()
    assert resolver.asked == {}


def test_from_must_be_covered(resolver: NameServer) -> None:
    """RFC 6376, 5.4 and 6.1.1."""
    raw = forged(h="to:subject")
    assert dkim.verify(raw, dnsfunc=lambda *_, **__: record().encode()), "dkimpy lets it pass"
    assert verdict(raw, resolver) == ()
    assert verdict(forged(h="subject:FROM"), resolver) == ("amazon.com",)


@pytest.mark.parametrize(
    "second",
    [
        b"From: x@evil.example\r\n", b"FROM: x@evil.example\r\n", b"From : x@evil.example\r\n",
        b"From\t: x@evil.example\r\n", b"From: auto-communication@amazon.com\r\n",
    ],
)  # fmt: skip
def test_second_from_spoils_all(resolver: NameServer, second: bytes) -> None:
    """RFC 6376, 8.15: a mail program may show the one that is not signed."""
    raw = signed(include_headers=[b"from", b"subject"])
    for cut in (raw.index(b"\r\nFrom: ") + 2, raw.index(b"To: ")):
        assert verdict(raw[:cut] + raw[cut:], resolver) == ("amazon.com",)
        assert verdict(raw[:cut] + second + raw[cut:], resolver) == ()
    assert verdict(second + raw, resolver) == ()


def test_two_from_fields_do_not_hold_though_both_are_signed(resolver: NameServer) -> None:
    raw = signed(crlf(mail(TEXT, From=[AMAZON, STRANGER])), include_headers=[b"from", b"from", b"subject"])
    assert dkim.verify(raw, dnsfunc=lambda *_, **__: record().encode()), "dkimpy lets it pass"
    assert verdict(raw, resolver) == ()


def test_mail_without_from_does_not_hold(resolver: NameServer) -> None:
    """Neither none at all, nor one that dkimpy does not see."""
    raw = signed(crlf(mail(TEXT, From=None, Subject="x")), include_headers=[b"from", b"subject"])
    assert dkim.verify(raw, dnsfunc=lambda *_, **__: record().encode()), "dkimpy lets it pass"
    assert verdict(raw, resolver) == ()
    assert verdict(raw.replace(b"Subject: ", b"From : auto-communication@amazon.com\r\nSubject: "), resolver) == ()


def test_every_subject_must_be_covered(resolver: NameServer) -> None:
    """A second one above is what is shown, and what nosend reads."""
    raw = signed()
    assert dkim.verify(b"Subject: Other\r\n" + raw, dnsfunc=lambda *_, **__: record().encode()), "dkimpy lets it pass"
    assert verdict(b"Subject: Other\r\n" + raw, resolver) == ()
    assert verdict(signed(include_headers=[b"from"]), resolver) == ()


def test_line_that_dkimpy_passes_over_spoils_all(resolver: NameServer) -> None:
    """Between a field and its continuation it would cut the Subject off for other readers."""
    raw = signed(LETTER.replace(b"About  your", b"About\r\n your"))
    torn = raw.replace(b"About\r\n your", b"About\r\nFrom here\r\n your")
    assert verdict(raw, resolver) == ("amazon.com",)
    assert dkim.verify(torn, dnsfunc=lambda *_, **__: record().encode()), "dkimpy lets it pass"
    assert verdict(torn, resolver) == ()
    raw = signed(LETTER + b"From here on\r\n\r\nFrom there\r\n")
    assert verdict(raw, resolver) == ("amazon.com",), "in the body it is text"


@pytest.mark.parametrize("odd", [b"X: a\rFrom: x@evil.example", b"X: a\0b", b"X a", b"X: a\r\n: b"])
def test_header_that_programs_read_in_two_ways_does_not_hold(resolver: NameServer, odd: bytes) -> None:
    """Though no signed field is touched."""
    assert verdict(b"X: a b\r\n" + signed(), resolver) == ("amazon.com",)
    assert verdict(odd + b"\r\n" + signed(), resolver) == ()


@pytest.mark.parametrize(
    "published",
    [
        [record(name="another")], None, [], ["v=DKIM1; k=rsa; p="], ["v=DKIM1; k=rsa"], ["nonsense"], [""],
        ["v=DKIM1; p=!!!"], ["v=DKIM1; p=AAAA"], ["v=DKIM1; k=ed25519; p=AAAA"], ["v=DKIM1; k=other; p=AAAA"],
        [record(tags="v=DKIM2")], [record(tags="v=DKIM1; s=other")], [record(tags="v=DKIM1; t=y")],
        [record(tags="v=DKIM1; t=s:y")], [record(tags="v=DKIM1; t = s : y ")], [record(), "v=spf1 -all"],
        [record(), record(name="another")], SERVFAIL,
    ],
)  # fmt: skip
def test_no_key_wrong_key_revoked_testing_ambiguous(resolver: NameServer, published: object) -> None:
    """RFC 6376, 3.6; a testing domain's signature is as good as none (3.6.1, t=y)."""
    raw = signed()
    assert verdict(raw, resolver) == ("amazon.com",)
    resolver.zone["sel._domainkey.amazon.com"] = published
    assert verdict(raw, resolver) == ()


def test_flags_that_do_not_forbid(resolver: NameServer) -> None:
    for tags in ("v=DKIM1; t=s", "n=y; t=", "v=DKIM1; t=yes", "v=DKIM1; s=email", "h=sha256"):
        resolver.zone["sel._domainkey.amazon.com"] = [record(tags=tags)]
        assert verdict(signed(), resolver) == ("amazon.com",), tags


@pytest.mark.parametrize("domain", ["amazon.com.", ".com", "amazon..com", "amäzon.com", "a b", "*.com", "x" * 64])
def test_what_is_no_domain_is_not_given(resolver: NameServer, domain: str) -> None:
    """Whatever DNS says."""
    with NameServer({}) as willing:
        willing.answer = lambda query: Always(record()).reply(query)
        assert verdict(signed(), willing) == ("amazon.com",)
        assert verdict(forged(d=domain, i=None), willing) == ()


class Always:
    """Answers every question with one record."""

    def __init__(self, text: str) -> None:
        self.text = " ".join(f'"{piece}"' for piece in re.findall(".{1,255}", text))

    def reply(self, query: dns.message.Message) -> bytes:
        answer = dns.message.make_response(query)
        answer.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "TXT", self.text))
        return answer.to_wire()


# DNS: asked once, and never waited for long


@pytest.mark.parametrize("published", [[record()], None, [], SERVFAIL, ["nonsense"]])
def test_answers_are_remembered_also_negative_ones(resolver: NameServer, published: object) -> None:
    resolver.zone["sel._domainkey.amazon.com"] = published
    verifier = Verifier([resolver.address])
    first = verifier.signed_by(signed())
    asked = sum(resolver.asked.values())
    assert 1 <= asked <= 2
    for _ in range(20):
        assert verifier.signed_by(signed()) == first
    assert sum(resolver.asked.values()) == asked


def test_silent_dns_is_waited_for_once(resolver: NameServer) -> None:
    resolver.zone["sel._domainkey.amazon.com"] = SILENT
    verifier, raw = Verifier([resolver.address]), signed()
    start = time.monotonic()
    assert verifier.signed_by(raw) == ()
    assert 1 < time.monotonic() - start < 4
    start = time.monotonic()
    assert [verifier.signed_by(raw) for _ in range(100)] == [()] * 100
    assert time.monotonic() - start < 1
    resolver.zone["sel._domainkey.amazon.com"] = [record()]
    assert Verifier([resolver.address]).signed_by(raw) == ("amazon.com",), "the next round asks again"


def test_one_mail_waits_five_seconds_and_what_was_cut_short_is_asked_again(resolver: NameServer) -> None:
    """Else a mail could spoil another domain's key for the whole round with silent ones above it."""
    silent = [f"silent{number}.example" for number in range(3)]
    resolver.zone |= {f"sel._domainkey.{name}": SILENT for name in silent}
    raw = b"".join(signed(domain=name)[: -len(LETTER)] for name in silent) + signed()
    verifier = Verifier([resolver.address])
    start = time.monotonic()
    assert verifier.signed_by(raw) == ()
    assert 4 < time.monotonic() - start < 7
    assert verifier.signed_by(signed()) == ("amazon.com",)


@pytest.mark.parametrize("how", [SILENT, SLOW])
def test_a_round_does_not_wait_for_ever(resolver: NameServer, how: str) -> None:
    """Each mail names another key that does not come, or comes late; keys that are known go on to count."""
    resolver.zone |= {f"s{number}._domainkey.evil.example": how for number in range(50)}
    verifier = Verifier([resolver.address])
    verifier._patience = 3.0  # for a minute, so that the test is short
    assert verifier.signed_by(signed()) == ("amazon.com",)
    mails = [signed(domain="evil.example", selector=f"s{number}") for number in range(50)]
    start = time.monotonic()
    assert [verifier.signed_by(raw) for raw in mails] == [()] * 50
    assert time.monotonic() - start < 6
    assert 1 <= len(resolver.asked) < 6
    assert verifier.signed_by(signed()) == ("amazon.com",)


def test_nobody_at_the_dns_port() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    start = time.monotonic()
    assert Verifier([address]).signed_by(signed()) == ()
    assert Verifier([]).signed_by(signed()) == ()
    assert time.monotonic() - start < 6


def test_second_nameserver_is_asked_when_the_first_fails(resolver: NameServer) -> None:
    with NameServer({"sel._domainkey.amazon.com": SERVFAIL}) as broken:
        assert Verifier([broken.address, resolver.address]).signed_by(signed()) == ("amazon.com",)


def test_system_s_own_resolver_is_the_default() -> None:
    """Only that it is taken, and that it does not raise: what it answers depends on the machine."""
    assert Verifier().signed_by(signed(domain="nosend.invalid")) == ()


# What a mail may cost


def unsigned(number: int) -> bytes:
    """Write the field of a signature whose key is nowhere."""
    return BROKEN.replace(b"s=sel;", b"s=s%d;" % number)


BROKEN = signed(domain="nowhere.example")[: -len(LETTER)]


def test_first_five_signatures_are_looked_at(resolver: NameServer) -> None:
    assert verdict(b"".join(map(unsigned, range(4))) + signed(), resolver) == ("amazon.com",)
    resolver.asked.clear()
    assert verdict(b"".join(map(unsigned, range(5))) + signed(), resolver) == ()
    assert resolver.asked == {f"s{number}._domainkey.nowhere.example": 1 for number in range(5)}


@pytest.mark.parametrize("many", [400, 900, 20_000])
def test_thousands_of_signatures_take_no_time(resolver: NameServer, many: int) -> None:
    raw = signed()
    start = time.monotonic()
    assert verdict(b"".join(map(unsigned, range(many))) + raw, resolver) == ()
    assert len(resolver.asked) <= 5
    assert time.monotonic() - start < 3


SPACES = b" " * (9 * 1024 * 1024)
SECONDS = 30  # generous, for busy machines: what it stands against are minutes and hours


@pytest.mark.parametrize(
    ("name", "added"),
    [
        ("spaces", SPACES), ("tabs before a line end", SPACES.replace(b" ", b"\t") + b"\r\n"),
        ("lines", b"\n" * len(SPACES)), ("carriage returns", b"\r" * len(SPACES)),
        ("words", b"ab " * (len(SPACES) // 3)),
    ],
)  # fmt: skip
def test_large_body_takes_seconds(resolver: NameServer, name: str, added: bytes) -> None:
    """dkimpy alone takes 4 s over 40,000 spaces, and the square of it over more."""
    raw = signed(canonicalize=(b"relaxed", b"simple")).replace(b"c=relaxed/simple", b"c=relaxed/relaxed") + added + b"x"
    assert len(raw) < 10 * 1024 * 1024
    start = time.monotonic()
    assert verdict(raw, resolver) == ()
    assert time.monotonic() - start < SECONDS, name


def test_mail_of_nine_megabytes_holds_and_one_of_eleven_does_not(resolver: NameServer) -> None:
    line = b"The quick brown fox jumps over the lazy dog.\r\n"
    for megabytes, holds in ((9, ("amazon.com",)), (11, ())):
        raw = signed(LETTER + line * (megabytes * 1024 * 1024 // len(line)))
        start = time.monotonic()
        assert verdict(raw, resolver) == holds
        assert time.monotonic() - start < SECONDS


@pytest.mark.parametrize(
    "hostile",
    [
        b"DKIM-Signature: v=1; a=rsa-sha256; b" + b"\r\n " * 30_000 + b"x\r\n",  # dkimpy's expressions backtrack
        b"DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s; bh=AAAA; b=AAAA; h=" + b"x\r\n " * 30_000 + b"\r\n",
        b"X-Folded: x" + b"\r\n " * 80_000 + b"\r\n",
        b"X: y\r\n" * 40_000,
        b"X: y\r\n" * 900_000,
        b"DKIM-Signature: " + b"v=1; " * 500_000 + b"\r\n",
    ],
)  # fmt: skip
def test_hostile_header_takes_seconds(resolver: NameServer, hostile: bytes) -> None:
    for raw in (hostile + signed(), signed()[: -len(LETTER)] + hostile + LETTER):
        start = time.monotonic()
        assert verdict(raw, resolver) in {(), ("amazon.com",)}
        assert time.monotonic() - start < SECONDS


def test_many_signed_names_of_many_fields_take_seconds(resolver: NameServer) -> None:
    """Each name is looked for among all fields, and the hostile domain has a key."""
    names = "from:to:subject:" + ":".join(f"{number:x}" for number in range(800))
    signature = forged(h=names)[: -len(LETTER)]
    start = time.monotonic()
    for many, holds in ((900, ("amazon.com",)), (45_000, ())):
        raw = signature * 5 + LETTER.replace(b"\r\nTo:", b"\r\nX:" * many + b"\r\nTo:")
        assert verdict(raw, resolver) == holds
    assert time.monotonic() - start < SECONDS


def test_long_signature_is_passed_over(resolver: NameServer) -> None:
    assert verdict(forged(n="x" * 3_000), resolver) == ("amazon.com",)
    assert verdict(forged(n="x" * 4_000), resolver) == ()


def test_long_key_record_is_not_reckoned_with(resolver: NameServer) -> None:
    """An exponent as long as a modulus of 12,000 bits, which comes over TCP, would take 5 s a signature."""
    for length, holds in ((1_024, ("amazon.com",)), (1_025, ())):
        published = record(tags="v=DKIM1; n=")
        published = published.replace("n=", "n=" + "x" * (length - len(published)))
        resolver.zone["sel._domainkey.amazon.com"] = [published]
        assert verdict(signed(), resolver) == holds


# Never raises, tells nobody


PIECES = st.sampled_from(
    [
        b"", b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b";", b"=", b"b=", b"; b=", b":", b"From ", b"From: ",
        b"l=", b"; l=;", b"; i=", b"x=1;", b"t=" + b"9" * 5000, b"\xff", b"\xc3\xa9", b"DKIM-Signature: ",
        b"\r\n\r\n", b"a=ed25519-sha256", b"; c=/", b"i=amazon.com",
        b"c=relaxed/relaxed/x", b"d=..", b"s=\\000", b"bh==", b"h=", b"\r\n ", b"(" * 50,
    ]
)  # fmt: skip
SIGNED = signed()


@bounded
@given(st.lists(st.tuples(st.integers(0, len(SIGNED)), st.integers(0, 30), st.one_of(PIECES, st.binary(max_size=5)))))
@example([(SIGNED.index(b" i="), 15, b"; i=amazon.com")])
def test_mutated_mails_never_raise(edits: list[tuple[int, int, bytes]]) -> None:
    raw = SIGNED
    for place, cut, piece in edits:
        raw = raw[:place] + piece + raw[place + cut :]
    verifier = Verifier([])
    verifier._records["sel._domainkey.amazon.com."] = record().encode()
    assert verifier.signed_by(raw) in {(), ("amazon.com",)}


@bounded
@given(st.one_of(st.binary(max_size=60), st.lists(st.one_of(PIECES, st.binary(max_size=9))).map(b"".join)))
@example(b"v=DKIM1; p=MAA=")
@example(b"v=DKIM1; k=ed25519")
@example(b"v=DKIM1; p=" + base64.b64encode(b"\x30\x06\x02\x01\x00\x02\x01\x03"))
def test_mutated_keys_never_raise(published: bytes) -> None:
    verifier = Verifier([])
    verifier._records["sel._domainkey.amazon.com."] = published
    assert verifier.signed_by(SIGNED) == ()


@bounded
@given(st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"\r", b"\n", b"a", b"  ", b"\x0b"]), max_size=30).map(b"".join))
def test_relaxing_beforehand_changes_nothing(body: bytes) -> None:
    assert Relaxed.canonicalize_body(checking._relaxed(body)) == Relaxed.canonicalize_body(body)


def test_nothing_is_told(resolver: NameServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture) -> None:
    """dkimpy tells its own logger the domain, the selector and the signature."""
    with caplog.at_level(logging.DEBUG):
        resolver.zone["sel._domainkey.short.example"] = [record(512)]
        for domain in ("amazon.com", "nowhere.example", "short.example"):
            raw = signed(domain=domain)
            caplog.clear()  # what signing it told
            verdict(raw, resolver)
            verdict(raw.replace(b"the end", b"the End"), resolver)
            assert [told for told in caplog.records if told.name != "asyncio"] == []
    assert capfd.readouterr() == ("", "")


# The extra


def run(code: str, *options: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, *options, "-c", code]
    return subprocess.run(command, env=env, input=signed(), capture_output=True, check=True).stdout.decode().strip()


@pytest.mark.parametrize("missing", ["dkim", "dns"])
def test_without_the_extra_nothing_holds(missing: str) -> None:
    """The module loads, says that it is missing, and does not raise."""
    code = f"import sys; sys.modules[{missing!r}] = None; from nosend.mailbox.dkim import *\nprint(installed(), "
    assert run(code + "Verifier().signed_by(sys.stdin.buffer.read()))") == "False ()"
    assert installed()


def test_dkimpy_is_loaded_with_the_first_mail_only() -> None:
    loaded = "{'dkim', 'dns'} & set(sys.modules)"
    code = f"import sys, nosend.mailbox.dkim as d; d.Verifier([]); d.installed(); print({loaded})"
    assert run(code) == "set()"
    assert run(code + f"\nd.Verifier([]).signed_by(sys.stdin.buffer.read()); print(sorted({loaded}))").endswith(
        "['dkim', 'dns']"
    )


def test_ed25519_without_pynacl_does_not_hold() -> None:
    _, public = ed25519()
    code = (
        "import sys; sys.modules['nacl'] = None\nfrom nosend.mailbox.dkim import *\nimport dkim\nv = Verifier([])\n"
        f"v._records['sel._domainkey.amazon.com.'] = {public.encode()!r}\nprint(v.signed_by(sys.stdin.buffer.read()))"
    )
    assert run(code) == "()"
