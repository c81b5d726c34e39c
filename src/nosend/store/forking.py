"""Locks that a fork waits for.

SQLite has locks of its own, which a worker that is forked while another thread asks would find taken for ever; Python's
sqlite3 does nothing about it. Standard library only.
"""

from __future__ import annotations

import os
import threading
import weakref

_LONGEST_WAIT = 10.0  # seconds, after which a fork goes on without
# a thread that has one may take it again: it may fork, or collect garbage, at any moment
_forking = threading.RLock()
_locks: weakref.WeakSet[threading.RLock] = weakref.WeakSet()
_held: list[threading.RLock] = []


def lock() -> threading.RLock:
    """Give a new lock, to be held while SQLite is called: no other thread forks meanwhile."""
    made = threading.RLock()
    with _forking:
        _locks.add(made)
    return made


def _before() -> None:
    _forking.acquire()
    _held.extend(one for one in list(_locks) if one.acquire(timeout=_LONGEST_WAIT))


def _after() -> None:
    while _held:
        _held.pop().release()
    _forking.release()


os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after)
