"""The demo: a throw-away IMAP server with sample mail, and the real command run against it.

Nothing of it is used elsewhere. The server is pymap, which needs neither root nor a system package.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from imapclient import IMAPClient

from nosend.demo.server import PASSWORD, USER, ImapServer

if TYPE_CHECKING:
    from collections.abc import Callable

_CONFIGURATION = """database = "nosend.db"

[[mailbox]]
account = "demo-shop"
host = "127.0.0.1"
port = {port}
tls = "none"            # allowed to this machine only
username = "{user}"
password_env = "NOSEND_PASSWORD"
"""
_LISTED = "405-2816094-7731536"  # the order of one of the sample notices
_COMMANDS = (
    (0, "sync"),
    (0, "list"),
    (1, "check", _LISTED),
    (0, "check", _LISTED, "--purpose", "shipping-address"),
    (0, "check", "405-0000001-0000001"),
    (0, "review"),
    (0, "export", "--output", "blacklist.csv"),
    (0, "status"),
)


def show(say: Callable[[str], None]) -> int:
    """Run the demo, a line at a time to `say`; gives 0 when each command answered as it should, else 70."""
    with tempfile.TemporaryDirectory(prefix="nosend-demo-") as folder, ImapServer() as server:
        count = _deliver(server.port)
        say(f"A throw-away IMAP server at 127.0.0.1:{server.port} holds {count} mails: notices, a forward, other mail.")
        Path(folder, "config.toml").write_text(_CONFIGURATION.format(port=server.port, user=USER), encoding="utf-8")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NOSEND_")} | {
            "NOSEND_PASSWORD": PASSWORD
        }
        wrong = 0
        for expected, *words in _COMMANDS:
            say(f"\n$ nosend {' '.join(words)}")
            done = subprocess.run(
                [sys.executable, "-m", "nosend", *words],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                check=False,
            )
            say(done.stdout.rstrip() + ("\n" if done.stdout else "") + f"(exit {done.returncode})")
            wrong += done.returncode != expected
        say("\n$ cat blacklist.csv")
        say(Path(folder, "blacklist.csv").read_text(encoding="utf-8").rstrip())
    return 70 if wrong else 0


def _deliver(port: int) -> int:
    with IMAPClient("127.0.0.1", port, ssl=False, timeout=30) as client:
        client.login(USER, PASSWORD)
        mails = sorted(
            (m for m in files(__package__).joinpath("mails").iterdir() if m.name.endswith(".eml")),
            key=lambda m: m.name,
        )
        for mail in mails:
            client.append("INBOX", mail.read_bytes())
        return len(mails)
