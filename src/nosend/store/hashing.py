"""Buyers' aliases kept as keyed hashes: HMAC-SHA-256 (RFC 2104) under a key in a file beside the database.

An alias that is kept is written `hmac-sha256:` and 64 hex digits; docs/privacy.md tells others how to compute it. The
database holds the fingerprint of its key, or none while aliases are kept as they are. Standard library only, loaded
when a buyer is asked for.
"""

from __future__ import annotations

import contextlib
import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from nosend import identifiers
from nosend.errors import StoreRefusedError, StoreUnavailableError, UnknownKeyError

if TYPE_CHECKING:
    from pathlib import Path

_BYTES = 32
_KEY = re.compile(rb"\s*([0-9a-fA-F]{64})\s*")


class Names:
    """By which name the buyers of one database are kept: by their alias, or by its hash.

    `fingerprint` tells the key; "": aliases are kept as they are; None: the tables are too old for anything else.
    """

    def __init__(self, path: str | Path, fingerprint: str | None) -> None:
        self.path, self.fingerprint = os.fspath(path), fingerprint

    @property
    def are_hashes(self) -> bool:
        """Tell whether aliases are kept as hashes."""
        return bool(self.fingerprint)

    def must_be_known(self) -> None:
        """Raise what `kept` raises for a buyer, if the key is not at hand."""
        if self.fingerprint:
            _key(self.path, self.fingerprint)

    def kept(self, value: str) -> str:
        """Give the name by which an order id or a normalised alias is kept. A name that is a hash stays.

        Raises UnknownKeyError for a hash where aliases are kept as they are, StoreRefusedError when the key is not the
        one of this database, or not there.
        """
        is_hash = value.startswith(identifiers.HASHED)
        if is_hash and not self.fingerprint:
            raise UnknownKeyError(f"{value} is a hash, and database {self.path!r} keeps aliases: ask for the alias")
        if not self.fingerprint or is_hash or "@" not in value:
            return value
        return hashed(_key(self.path, self.fingerprint), value)

    def text(self, said: str) -> str:
        """Give a text with each buyer's alias in it as it is kept."""
        return identifiers.replace_aliases(said, self._of_address) if self.fingerprint and "@" in said else said

    def _of_address(self, address: str) -> str:
        return self.kept(identifiers.alias(address) or address)


def hashed(key: bytes, alias: str) -> str:
    """Give the hash of a normalised alias."""
    import hmac  # noqa: PLC0415 - of no use to most readers

    return identifiers.HASHED + hmac.digest(key, alias.encode(), "sha256").hex()


def fingerprint(key: bytes) -> str:
    """Give what tells one key from another, and nothing of it: half of the hash of a text that is no alias."""
    return hashed(key, "nosend").removeprefix(identifiers.HASHED)[:32]


def key_file(path: str | Path) -> str:
    """Give the file of a database's key, whatever links lead to the database."""
    return f"{os.path.realpath(path)}.key"


def make_key(path: str | Path) -> bytes:
    """Make the key of a database, with mode 0600, or give the one that is there.

    Raises StoreRefusedError for a file that holds no key, StoreUnavailableError when it cannot be written.
    """
    name = key_file(path)
    with contextlib.suppress(FileNotFoundError):
        return _read(name)
    temporary = f"{name}.{os.urandom(8).hex()}"
    key = os.urandom(_BYTES)
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w") as stream:
                stream.write(f"{key.hex()}\n")
                stream.flush()
                os.fsync(handle)
            os.link(temporary, name)  # of two at once one is the first, and its key is whole
        finally:
            os.unlink(temporary)  # noqa: PTH108 - pathlib takes long to load
        folder = os.open(os.path.dirname(name), os.O_RDONLY)  # noqa: PTH120
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        return _read(name)
    except OSError as error:
        raise StoreUnavailableError(f"key {name!r} cannot be written ({error.strerror}): nothing changed") from error
    return key


@lru_cache(maxsize=16)
def _key(path: str, expected: str) -> bytes:
    """Read the key of a database, and see that it is the one its names were made with."""
    name = key_file(path)
    try:
        key = _read(name)
    except FileNotFoundError as error:
        raise StoreRefusedError(
            f"key {name!r} does not exist, and database {path!r} keeps buyers as hashes under it: put the key there "
            "that stood beside the database"
        ) from error
    if fingerprint(key) != expected:
        raise StoreRefusedError(
            f"key {name!r} is not the one of database {path!r}: put the key there that stood beside the database"
        )
    return key


def _read(name: str) -> bytes:
    try:
        with open(name, "rb") as stream:  # noqa: PTH123
            found = _KEY.fullmatch(stream.read(1_000))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreRefusedError(
            f"key {name!r} cannot be read ({error.strerror}): who asks for buyers needs it; order ids can be asked for "
            "without"
        ) from error
    if not found:
        raise StoreRefusedError(f"key {name!r} holds no key: 64 hex digits")
    return bytes.fromhex(found[1].decode())
