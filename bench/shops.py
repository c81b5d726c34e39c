"""A shop whose daemon is measured, and the faults that happen to it."""

# ruff: noqa: INP001 - a folder of scripts

from __future__ import annotations

import contextlib
import json
import os
import resource
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon import Daemon, Post, mailbox, order

import faults
from oauth import CLIENT_ID, CLIENT_SECRET, Provider
from proxy import Proxy
from servers import PASSWORD, Dovecot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POLL, TIMEOUT = 10, 5  # seconds
PATIENCE = 400.0  # seconds for the last mails: more than the longest delay


class Shop:
    """A mailbox, its Dovecot, the line to it, and a folder for secrets. `keys` of the mailbox and `top` ones add."""

    def __init__(self, dovecot: Dovecot, user: str, folder: Path) -> None:
        self.dovecot, self.user, self.folder = dovecot, user, folder
        self.proxy = Proxy(dovecot.port)
        self.keys: dict[str, object] = {}
        self.top: dict[str, object] = {"poll_seconds": POLL}
        self.daemon: Daemon
        self.delivered = 0
        self._post = Post(5)
        dovecot.maildir(user)

    def start(self) -> None:
        """Start the daemon."""
        box = mailbox("shop", self.user, self.proxy.port, timeout=TIMEOUT, **self.keys)
        self.daemon = Daemon([{name: value for name, value in box.items() if value is not None}], **self.top)

    def deliver(self) -> None:
        """Deliver a notice and something else."""
        known = order(self.delivered)
        other = f"From: News <news@shop.example>\nMessage-ID: <{known}@shop.example>\nSubject: {known}\n\nHello\n"
        self.dovecot.fill(self.user, [self._post.notice_of(known), other.encode()])
        self.delivered += 1

    def until_all_are_listed(self) -> float:
        """Give the seconds until every order is listed."""
        begun_at = time.perf_counter()
        while len(self.daemon.rows("SELECT value FROM blacklist WHERE kind = 'order'")) < self.delivered:
            self.daemon.check()
            if time.perf_counter() > begun_at + PATIENCE:
                raise SystemExit(f"{self.user}: not all is listed:\n{self.daemon.log.read_text(encoding='utf-8')}")
            time.sleep(0.02)
        return time.perf_counter() - begun_at

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database of an undisturbed run over the same mailbox, which is made for the first question."""
        config = self.folder / "config.toml"
        if not config.exists():
            box = mailbox("shop", self.user, self.dovecot.port)
            config.write_text("[[mailbox]]\n" + "".join(f"{key} = {json.dumps(box[key])}\n" for key in box))
            sync = [sys.executable, "-m", "nosend", "--config", str(config), "sync"]
            subprocess.run(sync, check=True, env=os.environ | {"NOSEND_PASSWORD": PASSWORD})
        with contextlib.closing(sqlite3.connect(self.folder / "nosend.db")) as db:
            return db.execute(query).fetchall()


@dataclass(frozen=True)
class Fault:
    """A fault: its name in the table, the block in which it lasts, what must stand in the configuration for it."""

    name: str
    block: Callable[[Shop], contextlib.AbstractContextManager[None]]
    prepare: Callable[[Shop], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
    is_short: bool = False  # over at once
    seconds: float = 0.0  # that it lasts, if that is given


def line(name: str, block: Callable[[Proxy], contextlib.AbstractContextManager[None]], **more: Any) -> Fault:
    """Make a fault of one of the line."""
    return Fault(name, lambda shop: block(shop.proxy), **more)


@contextlib.contextmanager
def kicked(shop: Shop) -> Iterator[None]:
    """Cut the connection as an administrator does."""
    shop.dovecot.kick(shop.user)
    yield


@contextlib.contextmanager
def own_server(shop: Shop) -> Iterator[None]:
    """Give it a Dovecot that may be stopped."""
    shop.dovecot = own = Dovecot()
    shop.proxy = Proxy(own.port)
    own.maildir(shop.user)
    try:
        yield
    finally:
        own.remove()


@contextlib.contextmanager
def stopped(shop: Shop) -> Iterator[None]:
    """Stop the server, and start it again."""
    shop.dovecot.stop()
    yield
    shop.dovecot.start()


@contextlib.contextmanager
def password_in_a_file(shop: Shop) -> Iterator[None]:
    """Let the password stand in a file."""
    file = shop.folder / "password"
    file.write_text(PASSWORD)
    file.chmod(0o600)
    shop.keys |= {"password_env": None, "password_file": str(file)}
    yield


@contextlib.contextmanager
def wrong_password(shop: Shop) -> Iterator[None]:
    """Have the password be another, with the connection cut."""
    file = shop.folder / "password"
    file.write_text("another")
    shop.proxy.cut()
    yield
    file.write_text(PASSWORD)


class Tokens:
    """Tokens of a provider on this machine, which the Dovecot of the shop asks about each of them."""

    provider: Provider

    @contextlib.contextmanager
    def prepare(self, shop: Shop) -> Iterator[None]:
        """Configure the shop for them."""
        self.provider = Provider()
        self.provider.knobs.user = shop.user
        shop.dovecot = own = Dovecot(f"{self.provider.url}/introspect")
        shop.proxy = Proxy(own.port)
        own.maildir(shop.user)
        file = shop.folder / "client-secret"
        file.write_text(CLIENT_SECRET)
        file.chmod(0o600)
        shop.keys |= {
            "password_env": None, "oauth": "custom", "oauth_grant": "client_credentials", "oauth_scope": "mail",
            "oauth_client_id": CLIENT_ID, "oauth_client_secret.file": str(file),
            "oauth_endpoints.token": self.provider.endpoints["token"],
        }  # fmt: skip
        try:
            yield
        finally:
            self.provider.close()
            own.remove()

    @contextlib.contextmanager
    def expired(self, shop: Shop) -> Iterator[None]:
        """Let the token end before its time, with the connection cut: the provider gives another."""
        self.provider.expire(shop.user)
        shop.proxy.cut()
        yield

    @contextlib.contextmanager
    def none(self, shop: Shop) -> Iterator[None]:
        """Let the token end while the provider is away."""
        self.provider.knobs.script = [(503, b"away")] * 10_000
        with self.expired(shop):
            yield
        self.provider.knobs.script = []


@contextlib.contextmanager
def small_disk(shop: Shop) -> Iterator[None]:
    """Put the database on a small disk of its own, if we may."""
    if os.getuid():
        yield
        return
    disk = shop.folder / "disk"
    disk.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk], check=True)
    shop.top["database"] = str(disk / "nosend.db")
    try:
        yield
    finally:
        subprocess.run(["/bin/umount", disk], check=True)


@contextlib.contextmanager
def full(shop: Shop) -> Iterator[None]:
    """Fill the disk to its last byte, or let no file grow."""
    pid, disk = shop.daemon.process.pid, shop.folder / "disk"
    if os.getuid():
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        yield
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        return
    with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))
    yield
    (disk / "filler").unlink()


@contextlib.contextmanager
def held(shop: Shop) -> Iterator[None]:
    """Hold the database as another program may."""
    with contextlib.closing(sqlite3.connect(shop.daemon.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


TOKENS, NO_TOKENS = Tokens(), Tokens()
FAULTS = (
    line("refused", faults.refused),
    line("accepted, nothing said", faults.silent),
    line("FIN", faults.fin, is_short=True),
    line("RST", faults.rst, is_short=True),
    line("blackhole: the connection dies in silence", faults.blackhole, is_short=True),
    line("unplugged: nothing passes at all", faults.unplugged),
    line("garbage", faults.garbage),
    line("slow: 3,000 bytes a second", faults.slow),
    line("dripping: 3 bytes a second", faults.dripping, seconds=60),
    line("far: each answer half a second late", faults.far),
    line("BYE instead of every answer", faults.bye),
    Fault("kick by an administrator", kicked, is_short=True),
    Fault("server stopped and started", stopped, own_server),
    Fault("wrong password for a minute", wrong_password, password_in_a_file, seconds=60),
    Fault("access token ended", TOKENS.expired, TOKENS.prepare, is_short=True),
    Fault("the same, the provider away", NO_TOKENS.none, NO_TOKENS.prepare),
    Fault("full disk", full, small_disk),
    Fault("database held by another program for 30 s", held, seconds=30),
)
