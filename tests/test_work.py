"""What a change of the list costs does not grow with the list: counted in steps of SQLite's machine, not in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest

from nosend.identifiers import Key
from nosend.model import Action
from nosend.reports.lists import Listed
from nosend.store.ledger import Ledger
from nosend.store.lists import Lists
from nosend.store.outbox import Outbox
from nosend.store.privacy import Privacy
from samples import DAY, NOW, buyer, judged, order

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Store = TypeVar("Store", bound=Ledger)
SMALL, LARGE = 100, 2_000
NEW = 9_000_000  # a number that no other order or buyer has

ACTS: dict[str, Callable[[Lists], object]] = {
    "a notice": lambda lists: lists.record([judged(NEW, alias=buyer(NEW))], NOW),
    "a notice again": lambda lists: lists.record([judged(7, alias=buyer(7), day=9)], NOW),
    "an order of a listed buyer": lambda lists: lists.know([(order(NEW), buyer(7))], "shop", "reports", NOW),
    "an order of nobody known": lambda lists: lists.know([(order(NEW), buyer(NEW))], "shop", "reports", NOW),
    "an order that is known": lambda lists: lists.know([(order(7), buyer(7))], "shop", "reports", NOW),
    "add": lambda lists: lists.say(Action.ADD, [Key("buyer", buyer(NEW))], "shop", "by me", NOW),
    "remove": lambda lists: lists.say(Action.REMOVE, [Key("buyer", buyer(7))], "shop", "by me", NOW),
    "allow": lambda lists: lists.say(Action.ALLOW, [Key("order", order(7))], "shop", "by me", NOW),
    "import of one": lambda lists: take_in(lists, [NEW]),
    "import of one, undone": lambda lists: (take_in(lists, [NEW]), lists.undo(NOW)),
    "import of what was imported": lambda lists: take_in(lists, [7]),
    "nothing ends": lambda lists: lists.end_entries(NOW, 0),
}


WHOLE: dict[str, Callable[[Lists], object]] = {
    "rebuild": lambda lists: lists.rebuild(NOW),
    "expire": lambda lists: lists.end_entries(NOW, 365),
    "undo": lambda lists: lists.undo(NOW + DAY),
    "hash": lambda lists: lists.keep_hashes(NOW + DAY),
}


def take_in(lists: Lists, numbers: list[int]) -> None:
    listed = [Listed(line, (Key("buyer", buyer(number)),)) for line, number in enumerate(numbers)]
    lists.take_in(listed, "shop", "othertool", NOW)


def fill(lists: Lists, size: int) -> None:
    """Let there be so many orders and buyers, all of them imported and half of them in notices."""
    numbers = range(1, size + 1)
    lists.know([(order(number), buyer(number)) for number in numbers], "shop", "reports", NOW)
    take_in(lists, list(numbers))
    lists.record([judged(number, alias=buyer(number)) for number in numbers if number % 2], NOW)


def steps(store: Store, act: Callable[[Store], object]) -> int:
    """Count what SQLite does."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    store._db.set_progress_handler(step, 1)
    act(store)
    store._db.set_progress_handler(None, 1)
    return count


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[int]]:
    """Count the steps of each act on a small and on a large list."""
    found: dict[str, list[int]] = {name: [] for name in ACTS}
    for size in (SMALL, LARGE):
        path = tmp_path_factory.mktemp("lists") / "nosend.db"
        with Lists(path) as lists:
            fill(lists, size)
        whole = path.read_bytes()
        for name, act in ACTS.items():
            path.write_bytes(whole)
            with Lists(path) as lists:
                found[name].append(steps(lists, act))
    return found


@pytest.mark.parametrize("name", ACTS)
def test_a_change_costs_the_same_however_long_the_list_is(costs: dict[str, list[int]], name: str) -> None:
    small, large = costs[name]
    assert small > 10
    assert large < 1.5 * small


def test_what_bears_on_the_whole_list_costs_as_much_as_it_is_long(tmp_path: Path) -> None:
    costs = []
    for size in (500, 1_000):
        with Lists(tmp_path / f"{size}.db") as lists:
            told = steps(lists, lambda lists, size=size: fill(lists, size))
            ends = [steps(lists, act) for act in WHOLE.values()]
            costs.append((told, *ends))
    for name, small, large in zip(("fill", *WHOLE), *costs, strict=True):
        assert large < 2.2 * small, name


def test_what_is_taken_out_costs_as_much_as_the_list_is_long(tmp_path: Path) -> None:
    costs = []
    for size in (500, 1_000):
        path = tmp_path / f"{size}.db"
        with Lists(path) as lists:
            fill(lists, size)
        with Privacy(path) as privacy:
            key = Key("buyer", buyer(7))
            forget = steps(privacy, lambda _, privacy=privacy, key=key: privacy.forget(key, NOW))
            costs.append((forget, steps(privacy, lambda _, privacy=privacy: privacy.purge(NOW + 900 * DAY, NOW))))
    for small, large in zip(*costs, strict=True):
        assert large < 2.2 * small


def test_a_parcel_costs_the_same_however_many_wait(tmp_path: Path) -> None:
    costs = []
    for size in (SMALL, LARGE):
        path = tmp_path / f"{size}.db"
        with Outbox(path) as outbox:
            outbox.know(["sink"])
        with Lists(path) as lists:
            fill(lists, size)
        with Outbox(path) as outbox:

            def send(outbox: Outbox = outbox) -> None:
                parcel = outbox.claim("sink", "me", NOW, NOW + DAY)
                assert parcel
                outbox.delivered(parcel)

            costs.append(steps(outbox, lambda _, send=send: send()))
    small, large = costs
    assert large < 1.5 * small
