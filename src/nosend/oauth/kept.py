"""The tokens between two runs: a file for each account, mode 0600, replaced whole.

A provider may give a new refresh token with each answer and forget the old one (RFC 6749, 6), so an answer is
written down at once: the file is opened before the provider is asked, SIGTERM waits meanwhile, and what a run
wrote that was killed before it could rename is taken up by the next one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import signal
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nosend.config.oauth import CLIENT
from nosend.errors import ConfigError, MailboxUnreachableError
from nosend.oauth.client import Tokens
from nosend.oauth.endpoint import SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nosend.oauth.client import Client

_MARGIN = timedelta(seconds=60)  # a token must outlast the log-in
_WAIT_SECONDS = 2 * SECONDS  # for another process that asks for a token
_ROOM = 65_536  # bytes put aside before the provider is asked: a full disk must not cost the answer


def tokens(client: Client, refused: str = "") -> tuple[Tokens, bool]:
    """Give tokens that last, and whether they are new. `refused` is an access token that must not be given again.

    Of several processes one asks the provider, the others get what it was given. Raises ConfigError,
    MailboxRefusedError (with the command that mends it) or MailboxUnreachableError.
    """
    old = _read(client)
    if old and _lasts(old, refused):
        return old, False
    with _replacing(client) as put:
        old = _read(client)  # another process may have been first
        if old and _lasts(old, refused):
            return old, True
        new = client.renewed(old)
        put(new)
    return new, True


def keep(client: Client, new: Tokens) -> None:
    """Write down what a person granted."""
    with _replacing(client) as put:
        put(new)


def check(client: Client) -> None:
    """Raise what `keep` would raise, before a person is asked."""
    with _replacing(client):
        pass


def _lasts(held: Tokens, refused: str) -> bool:
    return held.access_token != refused and held.expires_at - datetime.now(UTC) > _MARGIN


class _File:
    """The open file that will replace the token file."""

    def __init__(self, client: Client, handle: int, path: Path) -> None:
        self._client, self._handle, self._path = client, handle, path

    def __call__(self, new: Tokens) -> None:
        """Put the tokens in its place."""
        whose = {"username": self._client.username, "client_id": self._client.oauth.client_id}
        told = whose | asdict(new) | {"expires_at": new.expires_at.isoformat()}
        data = json.dumps(told, indent=2).encode()
        os.pwrite(self._handle, data + b"\n", 0)
        os.ftruncate(self._handle, len(data) + 1)
        os.fsync(self._handle)
        _new_name(self._path).replace(self._path)


def _new_name(path: Path) -> Path:
    return path.with_name(path.name + ".new")


@contextlib.contextmanager
def _replacing(client: Client) -> Iterator[_File]:
    """Hold the lock of the token file and a new file to replace it; what was not put is dropped."""
    path = client.oauth.token_file
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _lock(client, stack)
            stack.enter_context(_undisturbed())
            _finish(client)
            handle = os.open(_new_name(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            stack.callback(os.close, handle)
            stack.callback(_new_name(path).unlink, missing_ok=True)
            os.fchmod(handle, 0o600)
            os.pwrite(handle, b" " * _ROOM, 0)
            yield _File(client, handle, path)
        except OSError as error:
            told = f"{client.who}: the token file {str(path)!r} cannot be written ({error.strerror})"
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE}:
                raise MailboxUnreachableError(f"{told}: is the disk full?") from error
            raise ConfigError(f"{told}: the folder of the database must be writable") from error


def _finish(client: Client) -> None:
    """Take up what a killed run was given and wrote, but did not rename any more."""
    path = client.oauth.token_file
    with contextlib.suppress(OSError, ValueError):
        if isinstance(json.loads(_new_name(path).read_bytes()), dict):
            _new_name(path).replace(path)


def _lock(client: Client, stack: contextlib.ExitStack) -> None:
    path = client.oauth.token_file.with_name(client.oauth.token_file.name + ".lock")
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    stack.callback(os.close, handle)
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise MailboxUnreachableError(
                    f"{client.who}: another nosend is asking for a token ({path}): try again later"
                ) from None
            time.sleep(0.05)
        else:
            return


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let SIGTERM and Ctrl-C wait until what the provider answered is written down."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _read(client: Client) -> Tokens | None:
    """Read the token file; None when there is none, or when it was granted to another user or client."""
    path = client.oauth.token_file
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{client.who}: others can read the token file {str(path)!r}: chmod 600 {path}")
        told = json.loads(path.read_bytes())
        if (told["username"], told["client_id"]) != (client.username, client.oauth.client_id):
            return None
        access, refresh, scope, end = (
            str(told[key]) for key in ("access_token", "refresh_token", "scope", "expires_at")
        )
        return Tokens(access, datetime.fromisoformat(end).astimezone(UTC), refresh, scope)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{client.who}: the token file {str(path)!r} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        mend = "delete it" if client.oauth.grant == CLIENT else f"run {client.command}"
        raise ConfigError(f"{client.who}: the token file {str(path)!r} is damaged: {mend}") from error
