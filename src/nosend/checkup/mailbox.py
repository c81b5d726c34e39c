"""The way to one mailbox, step by step: from its name in DNS to the judgement of its newest mail."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from nosend import letter
from nosend.checkup import Finding, in_turn, ok, warning
from nosend.identifiers import one_line
from nosend.judging import Judging, now
from nosend.mailbox import dkim, folders, login, probe
from nosend.mailbox.imap import ImapMailbox
from nosend.mailbox.reading import newest, newest_uid, one_mail
from nosend.model import Place, Policy
from nosend.verdict import authenticity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nosend.config import Mailbox
    from nosend.mailbox.imap import Folder
    from nosend.model import Mail
    from nosend.verdict.rules import Rules

_SOON = timedelta(days=14)  # a certificate that expires sooner is warned of
_SLACK = timedelta(minutes=5)  # between two clocks
_USES = {  # what a server may lack, and what follows
    "IDLE": "`nosend watch` asks at intervals",
    "MOVE": "mails are copied and expunged, not moved",
    "UIDPLUS": "without MOVE no mail can be moved",
    "CONDSTORE": "each look costs a few round trips more",
}


@dataclass(slots=True)
class _Way:
    """How far we came on the way to a mailbox."""

    mailbox: Mailbox
    environment: Mapping[str, str]
    judging: Judging
    inbox: ImapMailbox | None = None
    newest: tuple[Folder, int] | None = None  # the first folder that holds a mail, and its newest UID
    mail: Mail | None = None
    servers: Counter[str] = field(default_factory=Counter)

    @property
    def open(self) -> ImapMailbox:
        """Give the connection; `_logged_in` comes before whoever asks."""
        assert self.inbox is not None  # noqa: S101 - by the order of STEPS
        return self.inbox


def findings(mailbox: Mailbox, environment: Mapping[str, str], known: Rules) -> Iterator[Finding]:
    """Walk the way to a mailbox; where a step fails it ends. The mailbox is opened read-only."""
    verifier = dkim.Verifier() if dkim.installed() else None
    way = _Way(mailbox, environment, Judging(mailbox.trust, known, verifier))
    try:
        for found in in_turn(STEPS, way):
            yield Finding(found.state, _named(mailbox, found.text), found.code)
    finally:
        if way.inbox:
            way.inbox.close()


def _named(mailbox: Mailbox, text: str) -> str:
    """Let each line begin with the account; a trouble names it itself."""
    return text if text.startswith("account ") else f"{mailbox.account}: {text}"


def _name(way: _Way) -> Iterator[Finding]:
    found = probe.addresses(way.mailbox)
    yield ok(f"DNS: {way.mailbox.host} is {', '.join(found[:4])}{' ...' if len(found) > 4 else ''}")


def _connection(way: _Way) -> Iterator[Finding]:
    yield ok(f"TCP: {probe.reached(way.mailbox)} port {way.mailbox.port} answers")


def _certificate(way: _Way) -> Iterator[Finding]:
    shown = probe.certificate(way.mailbox)
    if shown is None:
        yield ok("TLS: none, and the password goes to this machine only")
        return
    left = shown.expires_at - now()
    told = f"TLS: {shown.version}, the certificate expires in {left.days} days ({shown.expires_at:%Y-%m-%d})"
    yield ok(told) if left >= _SOON else warning(f"{told}: its server's keeper must renew it, or no mail is read then")


def _logged_in(way: _Way) -> Iterator[Finding]:
    way.inbox = ImapMailbox(way.mailbox, login.credentials(way.mailbox, way.environment))
    yield ok(f"logged in to {way.mailbox.host} as {way.mailbox.username!r}")


def _capabilities(way: _Way) -> Iterator[Finding]:
    known = way.open.capabilities()
    has = [name for name in _USES if name in known]
    lacks = [f"{name} ({use})" for name, use in _USES.items() if name not in known]
    told = [f"has {', '.join(has)}"] * bool(has) + [f"lacks {', '.join(lacks)}"] * bool(lacks)
    yield ok(f"the server {'; it '.join(told)}")


def _folders(way: _Way) -> Iterator[Finding]:
    names, troubles = folders.chosen(way.open, way.mailbox.folders, (way.mailbox.move_notices_to,))
    for name in names:
        folder = way.open.open_folder(name)
        yield ok(f"folder {name!r} holds {folder.exists} mails")
        way.servers += _servers(way.open, folder)
        if folder.exists and not way.newest:
            way.newest = folder, 0
    if troubles:
        raise troubles[0]


def _searched(way: _Way) -> Iterator[Finding]:
    if not way.newest:
        yield ok("no mail is there that could be searched, fetched and judged")
        return
    folder = way.open.open_folder(way.newest[0].name)
    way.newest = folder, newest_uid(way.open, folder)
    uid = way.newest[1]
    yield (
        ok(f"searched: the newest mail has UID {uid}")
        if uid
        else warning(f"searched, and no mail was found of the {folder.exists} in {folder.name!r}: try again later")
    )


def _fetched(way: _Way) -> Iterator[Finding]:
    if way.newest and way.newest[1]:
        folder, uid = way.newest
        way.mail = one_mail(way.open, Place(way.mailbox.account, folder.name, folder.uidvalidity, uid))
        yield ok(f"fetched: UID {uid} has {way.mail.size} bytes")


def _judged(way: _Way) -> Iterator[Finding]:
    if way.mail:
        verdict = way.judging.judge(way.mail)
        told = f"judged: UID {way.mail.place.uid} is"
        if verdict.verdict:
            yield ok(f"{told} {verdict.verdict.kind} ({verdict.verdict.rule})")
        else:
            yield warning(f"{told} set aside ({one_line(verdict.trouble)}): `nosend review` shows it after a `sync`")


def _clock(way: _Way) -> Iterator[Finding]:
    """Compare the clocks as far as IMAP lets us: no mail came in the future. A clock that is fast stays unseen."""
    if way.mail and way.mail.received_at:
        ahead = way.mail.received_at - now()
        if ahead > _SLACK:
            yield warning(
                f"clock: the newest mail was received {_minutes(ahead)} from now: this machine's clock is slow, or the "
                "server's fast: let NTP set it (timedatectl set-ntp true)"
            )
        else:
            yield ok(f"clock: the newest mail was received {_minutes(-ahead)} ago, not in the future")


def _minutes(span: timedelta) -> str:
    minutes = max(0, int(span.total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 2880 else f"{span.days} days"


def _servers(inbox: ImapMailbox, folder: Folder) -> Counter[str]:
    """Count which server wrote the topmost Authentication-Results of the newest mails of an open folder."""
    headings = (letter.heading(raw) for raw in newest(inbox, folder, authenticity.RESULTS))
    tops = (heading.header(authenticity.RESULTS)[:1] for heading in headings)
    return Counter(authenticity.server(value) for top in tops for value in top)


def _authenticity(way: _Way) -> Iterator[Finding]:
    """Tell who wrote Authentication-Results, and whether what the configuration trusts is among them."""
    servers, trust = way.servers, way.mailbox.trust
    for name, count in servers.most_common(5):
        mark = " (trusted_authserv_id)" if name == trust.authserv_id else ""
        yield ok(f"topmost Authentication-Results of {count} of the newest mails: {name[:100]!r}{mark}")
    if not servers:
        yield ok("none of the newest mails has Authentication-Results on top")
    if trust.authserv_id and not servers[trust.authserv_id]:
        spelled = "is it spelled as above?" if servers else "it proves nothing there"
        yield warning(f"none is of trusted_authserv_id = {trust.authserv_id!r}: {spelled}")
    elif not trust.authserv_id and servers:
        best = servers.most_common(1)[0][0]
        yield warning(f"if that is your provider's server, set trusted_authserv_id = {best!r}")
    if trust.policy is Policy.REQUIRE and not trust.authserv_id and not dkim.installed():
        yield warning(
            'authenticity = "require", and nothing can prove it: every notice will be suspect. '
            "Set trusted_authserv_id, or pip install 'nosend[dkim]'"
        )


STEPS = (
    _name,
    _connection,
    _certificate,
    _logged_in,
    _capabilities,
    _folders,
    _searched,
    _fetched,
    _judged,
    _clock,
    _authenticity,
)
