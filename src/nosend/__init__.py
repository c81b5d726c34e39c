"""nosend keeps the list of Amazon buyers who must not be messaged.

The map of the house; a mail travels down this list, and imports only ever point up it:

    model, entry                 the nouns
    errors, identifiers          the ways a run can stop; order ids and aliases
    letter                       mail bytes -> Letter                 (pure, never raises)
    verdict                      Letter -> Verdict                    (pure, never raises)
    standing, permission         events -> entry; entry -> may this message be sent?  (pure)
    log                          what is logged, as text or JSON
    places                       where the configuration and the database are
    config                       TOML -> settings
    web                          one HTTP POST, with a deadline for all of it
    oauth                        access tokens: asked for, kept, renewed
    mailbox                      IMAP, .eml, mbox, Maildir -> Mail; DKIM
    judging                      Mail -> Judged: the one boundary around whatever breaks in a mail
    workers                      many mails judged on all cores
    reports                      order reports and other tools' lists -> orders, buyers, keys
    store                        the SQLite file: ledger (writes), blacklist (reads)
    filter                       another tool's rows -> those that may be sent
    export                       the blacklist as csv, json, jsonl, txt; files replaced whole; one change sent to a sink
    health                       what a seller should be told beside the list
    checkup                      what `doctor` looks at
    monitor                      metrics, heartbeat, systemd: tells the outside how it is
    delivery                     changes of the list -> sinks, from the outbox
    visit                        one mailbox's part of a round
    service                      the route from a mailbox to the list: sync() and scan()
    watch                        the daemon: that route again and again
    cli                          one small function a verb; the only place that prints

The public names are `recognize`, `Blacklist` and `__version__`. Importing the package loads none of the
outside packages, so that a mailer can ask `Blacklist` before each message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nosend.store.blacklist import Blacklist

if TYPE_CHECKING:
    from nosend.model import Trust, Verdict
    from nosend.verdict.rules import Rules

__all__ = ["Blacklist", "__version__", "recognize"]
__version__ = "0.1.0"


def recognize(raw: bytes, trust: Trust | None = None, rules: Rules | None = None) -> Verdict:
    """Say what one mail is.

    `raw` is the mail as it came over the wire (RFC 5322), any bytes at all. `trust` says whose forwards and which
    server's Authentication-Results are believed; without it nobody's are. `rules` are language packs put together
    (`nosend.verdict.rules.load`), else nosend's own. The same bytes always give the same verdict. Nothing is stored
    or logged, no socket is opened, and no bytes make it raise.
    """
    from nosend import verdict  # noqa: PLC0415 - bs4 is loaded by those who read mails, not by `Blacklist`
    from nosend.model import Trust  # noqa: PLC0415 - beside the others

    known, whose = rules or verdict.rules.builtin(), trust or Trust()
    return verdict.judge(verdict.read(raw, whose, known), whose, known)
