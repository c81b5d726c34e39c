"""Coverage-guided fuzzing of the pure middle: whatever bytes come, some things must hold.

    python tests/fuzz/judge.py --minutes 20      # needs atheris (pip install atheris)
    python tests/fuzz/judge.py FILE...           # replays findings; needs nothing but nosend and the tests' packages

libFuzzer, through atheris, breeds mails out of the fixtures and a dictionary, and keeps those that reach new code in
letter/, verdict/ and identifiers. Each finding is written to tests/fuzz/findings/, one file a kind of failure, and the
run goes on; only a mail that takes too long or too much memory ends it. The exit code is 1 when anything was found.
"""

from __future__ import annotations

import argparse
import email
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import traceback
from email.utils import getaddresses
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nosend.model import Verdict

TESTS = Path(__file__).resolve().parent.parent
FINDINGS = TESTS / "fuzz" / "findings"
sys.path.insert(0, str(TESTS))

LIMITS = ("-max_len=32768", "-rss_limit_mb=1000", "-timeout=10", "-print_final_stats=1")
INSTRUMENTED = ["nosend.letter", "nosend.verdict", "nosend.identifiers"]
LONGEST_WORD = 64  # bytes; libFuzzer leaves longer words out without a word

# What the parsers and judges ask about; the sentences and subjects are taken from the packs.
WORDS = [
    "From: ", "\nFrom: ", "Subject: ", "To: ", "Sent: ", "Date: ", "Von: ", "Gesendet: ", "Betreff: ", "差出人: ",
    "Authentication-Results: x; dkim=fail", "dmarc=fail", "spf=pass", "X-Space-Notification-Type: ",
    "BUYER_OPTED_OUT_BSM_MESSAGES", "X-Marketplace-ID: APJ6JRA9NG5V4", "auto-communication@amazon.com",
    "abcdefgh12345@marketplace.amazon.it", "somebody@shop.example", "no-reply-amazon-iba-buyer@marketplace.amazon.it",
    "mailto:", "123-4567890-1234567", "D01-2345678-1234567",
    "Content-Type: text/html; charset=", "Content-Type: text/plain; charset=", "Content-Type: message/rfc822\n",
    "Content-Type: multipart/mixed; boundary=x\n", "multipart/digest", "multipart/alternative", '; boundary="x"',
    "--x\n", "--x--\n", "boundary*0=", "format=flowed", "delsp=yes", "name=n.eml", "Content-Disposition: attachment\n",
    "Content-Transfer-Encoding: base64\n", "Content-Transfer-Encoding: quoted-printable\n",
    "Content-Transfer-Encoding: x-uuencode\n", "begin 644 a\n", "=\n", "=3D", "=E2=80=8B", "=?utf-8?b?", "=?utf-8?q?",
    "?=", "utf-8", "utf-16", "utf-7", "iso-2022-jp", "shift_jis", "euc-jp", "windows-1252", "hz", "\x1b$B", "\x1b(B",
    "<html>", "<blockquote>", "</blockquote>", "<pre>", "<div>", "<td>", "<br>", "<wbr>", "<style>", "<script>",
    "<title>", "<!--", "-->", "<![CDATA[", '<a href="mailto:', "<meta charset=", "&#8203;", "&nbsp;", "&#xD800;",
    "\n\n", "\r\n", "\r", "\0", "> ", "\n> ", "-- \n", "\u200b", "\u00ad", "\ufb01", "\u2011", "\uff11", "\u00a0",
    "[", "]", ". ", "。", "------------- Message: -------------", "---------- Forwarded message ---------\n",
    "Begin forwarded message:\n", "-----Original Message-----\n", "________________________________\n",
]  # fmt: skip
_BUYER_FROM = re.compile(
    rb"^From:[ \t]*[a-z0-9]{8,32}(\+[\w-]{1,40})?@marketplace\.amazon\.[a-z]{2,3}[ \t]*\r?$",
    re.MULTILINE | re.IGNORECASE,
)
_HEADER_END = re.compile(rb"\n\r?\n|\A\r?\n")
_ORDER = re.compile(r"([0-9]{3}|D[0-9]{2})-[0-9]{7}-[0-9]{7}")
_ALIAS = re.compile(r"[a-z0-9]{8,32}@marketplace\.amazon\.[a-z.]{2,6}")


def check(raw: bytes, *, thoroughly: bool) -> None:
    """Assert what holds for every mail. A quick check leaves the costly half out for most, by a hash of the mail."""
    from nosend import recognize  # noqa: PLC0415 - imported by breed(), instrumented
    from nosend.model import Kind  # noqa: PLC0415
    from test_properties import TRUST, wrapped  # noqa: PLC0415
    from test_properties import check as check_twice  # noqa: PLC0415

    told = recognize(raw, TRUST)
    assert told.why.isprintable(), told
    assert (told.kind is not Kind.OPT_OUT) or is_listable(raw, told), told
    turn = hashlib.sha256(raw).digest()[0]
    if thoroughly or turn % 8 == 0:  # the same again, text that can be stored, the header alone
        assert check_twice(raw) == told
    strangers = [*wrapped(raw), b"From: abcdefgh12345@marketplace.amazon.it\n" + raw]
    chosen = [turn // 4 % len(strangers)] if turn % 4 == 1 else []
    for number in range(len(strangers)) if thoroughly else chosen:
        assert recognize(strangers[number], TRUST).kind is not Kind.OPT_OUT, f"from a stranger, {number}"


def is_listable(raw: bytes, told: Verdict) -> bool:
    """Tell whether an opt-out has what it must: well-formed ids, not from a buyer, one sender to other readers, too."""
    from nosend.identifiers import AMAZON_DOMAINS  # noqa: PLC0415 - imported by breed(), instrumented
    from test_properties import STRANGER  # noqa: PLC0415

    head = raw[: end.start()] if (end := _HEADER_END.search(raw)) else raw
    assert not _BUYER_FROM.search(head), "From is a buyer's address"
    domains = {address.rpartition("@")[2].lower() for address in senders(raw)}
    assert domains <= AMAZON_DOMAINS | {STRANGER.rpartition("@")[2]}, f"another reader sees another sender: {domains}"
    buyers = [told.buyer, *(one.buyer for one in told.opt_outs)]
    assert all(buyer is None or _ALIAS.fullmatch(buyer) for buyer in buyers), told
    orders = [*told.orders, *(one.order_id for one in told.opt_outs)]
    return bool(told.orders and told.opt_outs) and all(map(_ORDER.fullmatch, orders))


def senders(raw: bytes) -> list[str]:
    """Give the From addresses as the standard library reads them: a second opinion on who sent a mail."""
    fields = email.message_from_bytes(raw).get_all("from", [])
    return [address for _, address in getaddresses([str(field) for field in fields])]


def dictionary() -> Iterator[bytes]:
    """Give the words to breed with, long ones in pieces."""
    packs = (TESTS.parent / "src" / "nosend" / "verdict" / "packs").glob("*.toml")
    told = [text for pack in sorted(packs) for text in strings(tomllib.loads(pack.read_text(encoding="utf-8")))]
    for word in dict.fromkeys([*WORDS, *(piece for text in told for piece in re.split(r" *\{\w+\} *", text))]):
        data = word.encode()
        yield from (data[at : at + LONGEST_WORD] for at in range(0, len(data), LONGEST_WORD))


def strings(value: object) -> Iterator[str]:
    """Give every text in a table, however deep."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


def breed(arguments: list[str]) -> None:
    """Run libFuzzer in this process, which ends with it."""
    import atheris  # noqa: PLC0415 - replays do without

    with atheris.instrument_imports(include=INSTRUMENTED):
        import test_properties  # noqa: F401, PLC0415 - with it all that `check` needs
    seen: set[str] = set()

    def one(raw: bytes) -> None:
        try:
            check(raw, thoroughly=False)
        except Exception as error:  # noqa: BLE001 - whatever is raised is a finding
            if (kind := kind_of(error)) not in seen:
                seen.add(kind)
                keep(raw, error, kind)

    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


def kind_of(error: Exception) -> str:
    """Tell failures apart: what was raised where."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}-{Path(frame.filename).stem}-{frame.lineno}-{str(error)[:30]}"


def keep(raw: bytes, error: Exception, kind: str) -> None:
    """Write a finding, and say how to see it again."""
    FINDINGS.mkdir(exist_ok=True)
    path = FINDINGS / f"{re.sub('[^A-Za-z0-9]+', '-', kind).strip('-')}-{hashlib.sha256(raw).hexdigest()[:8]}.eml"
    path.write_bytes(raw)
    lines = [*traceback.format_exception(error), f"FINDING: python tests/fuzz/judge.py {os.path.relpath(path)}", ""]
    sys.stderr.write("\n" + "".join(lines[:-2]) + "\n".join(lines[-2:]))


def fuzz(minutes: float) -> int:
    """Breed for so many minutes in a process of its own; tell what came of it in one line."""
    from conftest import MAILS  # noqa: PLC0415 - the breeding process imports it instrumented

    FINDINGS.mkdir(exist_ok=True)
    before = set(FINDINGS.iterdir())
    with tempfile.TemporaryDirectory() as folder:
        corpus, words = Path(folder, "corpus"), Path(folder, "words")
        corpus.mkdir()
        for mail in MAILS:
            (corpus / f"{mail.parent.name}-{mail.name}").write_bytes(mail.read_bytes())
        quoted = ('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in dictionary())
        words.write_text("".join(quoted), encoding="ascii")
        flags = [*LIMITS, f"-max_total_time={round(minutes * 60)}", f"-dict={words}", f"-artifact_prefix={FINDINGS}/"]
        stats = "".join(run([sys.executable, __file__, "--breed", *flags, str(corpus)]))
    findings = sorted(set(FINDINGS.iterdir()) - before)
    executions = re.findall(r"number_of_executed_units: *(\d+)", stats)[-1:] or ["?"]
    reached = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)/", stats)[-1:] or [("?", "?", "?")]
    for path in findings:
        sys.stdout.write(f"replay: python tests/fuzz/judge.py {os.path.relpath(path)}\n")
    sys.stdout.write(
        f"executions {executions[0]}, coverage {reached[0][0]} edges and {reached[0][1]} features, "
        f"corpus {reached[0][2]} mails, findings {len(findings)}\n"
    )
    return 1 if findings or executions == ["?"] else 0


def run(command: list[str]) -> Iterator[str]:
    """Run a command, pass on its lines as they come."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as child:
        assert child.stdout
        for line in child.stdout:
            sys.stderr.write(line)
            yield line


def main() -> int:
    if sys.argv[1:2] == ["--breed"]:
        breed(sys.argv[2:])
    parser = argparse.ArgumentParser(description="Fuzz the reading and judging of mails, or replay findings.")
    parser.add_argument("--minutes", type=float, default=20, help="how long to fuzz (20)")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="findings to replay instead")
    given = parser.parse_args()
    for path in given.files:
        check(path.read_bytes(), thoroughly=True)
        sys.stdout.write(f"{path}: all holds\n")
    return 0 if given.files else fuzz(given.minutes)


if __name__ == "__main__":
    sys.exit(main())
