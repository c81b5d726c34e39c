"""Judges many mails on all cores, for `scan`; the order stays."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from nosend.judging import Judging
    from nosend.model import Judged, Mail

_PORTION = 50  # mails handed over at a time, and
_PORTION_BYTES = 4 * 1024 * 1024  # bytes of them
_AHEAD = 4  # portions a core that are under way
_ALONE = 300  # mails that are judged before it is worth starting other processes

_DIED = "the process died while it was judged"


def judge_all(judging: Judging, mails: Iterable[Mail]) -> Generator[Judged]:
    """Judge mails in their order, on as many cores as there are for us.

    A mail that kills the process that judges it is set aside. Memory holds a few portions, never all the mails.
    """
    rest = iter(mails)
    yield from map(judging.judge, islice(rest, _ALONE))
    cores = _cores()
    if cores == 1:
        yield from map(judging.judge, rest)
        return
    portions = _portions(rest)
    pool: ProcessPoolExecutor | None = None
    try:
        while window := list(islice(portions, cores * _AHEAD)):
            pool = pool or _pool(judging, cores)
            pending = [(portion, _submitted(pool, portion)) for portion in window]
            torn: list[Mail] = []  # of portions without an answer, which follow each other
            for portion, future in pending:
                try:
                    judged = future.result()
                except BrokenProcessPool:
                    pool = None  # it is of no use any more; the next window gets another
                    torn += portion
                    continue
                yield from _one_by_one(judging, torn)
                torn = []
                yield from (replace(one, mail=mail) for one, mail in zip(judged, portion, strict=True))
            yield from _one_by_one(judging, torn)
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, portion: list[Mail]) -> Future[list[Judged]]:
    try:
        return pool.submit(_judge, portion)
    except BrokenProcessPool as error:  # by a mail that was handed over before
        broken: Future[list[Judged]] = Future()
        broken.set_exception(error)
        return broken


def _one_by_one(judging: Judging, mails: list[Mail]) -> Iterator[Judged]:
    """Judge the mails of a broken portion in one other process; one that kills it is set aside."""
    if not mails:
        return
    pool = _pool(judging, 1)
    try:
        for mail in mails:
            try:
                yield replace(pool.submit(_judge, [mail]).result()[0], mail=mail)
            except BrokenProcessPool:
                yield judging.set_aside(mail, _DIED)
                pool = _pool(judging, 1)
    finally:
        pool.shutdown()


def _pool(judging: Judging, cores: int) -> ProcessPoolExecutor:
    spawned = multiprocessing.get_context("spawn")  # a forked process may hold locks that nobody ever frees
    return ProcessPoolExecutor(cores, spawned, _begin, (judging,))


_judging: list[Judging] = []  # in a worker: the one it judges by


def _begin(judging: Judging) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's business
    threading.Thread(target=_end_with_the_first_process, daemon=True).start()
    _judging.append(judging)


def _end_with_the_first_process() -> None:
    """End at once when the process is gone for which mails are judged; a pool would wait for it for ever."""
    first = multiprocessing.parent_process()
    if first:
        first.join()
        signal.raise_signal(signal.SIGTERM)


def _judge(mails: list[Mail]) -> list[Judged]:
    """Judge mails in a worker; the bytes do not travel back."""
    (judging,) = _judging
    return [replace(judged, mail=replace(judged.mail, raw=b"")) for judged in map(judging.judge, mails)]


def _portions(mails: Iterator[Mail]) -> Iterator[list[Mail]]:
    portion: list[Mail] = []
    size = 0
    for mail in mails:
        portion.append(mail)
        size += len(mail.raw)
        if len(portion) >= _PORTION or size >= _PORTION_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _cores() -> int:
    """Count the cores that this process may use; 3.13 has os.process_cpu_count for it."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
