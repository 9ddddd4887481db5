"""Group commit: those who wait together are written together, and each gets an answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime

import pytest

from register.store import ConcurrencyError, Pending, Receipt, Store, Together

Make = Callable[..., Pending]


class Gate:
    """A store that counts its appends, and waits before the first until it may."""

    def __init__(self, store: Store) -> None:
        self.store, self.sizes, self.open = store, list[int](), threading.Event()
        self.begun = threading.Event()
        self.error: Exception | None = None

    def append(self, pending: Sequence[Pending], *, now: datetime) -> list[Receipt]:
        self.sizes.append(len(pending))
        if len(self.sizes) == 1:
            self.begun.set()
            assert self.open.wait(10)
        elif self.error is not None:
            raise self.error
        return self.store.append(pending, now=now)


@pytest.fixture
def gate(store: Store) -> Gate:
    return Gate(store)


def submit(together: Together, gate: Gate, pending: Sequence[Pending]) -> list[Future[Receipt]]:
    """Hand in the first, wait until it is being written, hand in the rest, and let the writing go on."""
    first = together.submit(pending[0])
    assert gate.begun.wait(10)
    rest = [together.submit(item) for item in pending[1:]]
    gate.open.set()
    return [first, *rest]


def test_what_gathers_behind_an_append_is_written_as_one(gate: Gate, notice: Make, now: datetime) -> None:
    with Together(gate, lambda: now) as together:  # type: ignore[arg-type]
        pending = [notice(f"n-{i}", i) for i in range(2501)]
        futures = submit(together, gate, [*pending, notice("n-5", 5)])
        receipts = [future.result(10) for future in futures]
    assert gate.sizes == [1, 1000, 1000, 501]
    assert [receipt.position for receipt in receipts[:-1]] == list(range(1, 2502))
    assert (receipts[-1].status, receipts[-1].position) == ("repeated", 6)


def test_the_error_of_an_append_goes_to_all_who_waited_for_it(gate: Gate, notice: Make, now: datetime) -> None:
    gate.error = OSError("sample")
    with Together(gate, lambda: now) as together:  # type: ignore[arg-type]
        futures = submit(together, gate, [notice(f"n-{i}", i) for i in range(20)])
        assert [future.exception(10) for future in futures] == [None] + [gate.error] * 19
        gate.error = None
        assert together.append(notice("after", 1)).status == "recorded"


def test_an_unexpected_version_is_nobody_elses_error(gate: Gate, notice: Make, now: datetime) -> None:
    with Together(gate, lambda: now) as together:  # type: ignore[arg-type]
        pending = [notice(f"n-{i}", i, expected_version=7 if i == 5 else None) for i in range(10)]
        futures = submit(together, gate, pending)
        errors = [future.exception(10) for future in futures]
    assert gate.sizes == [1, 4, 1, 4]
    assert [type(error) for error in errors] == [ConcurrencyError if i == 5 else type(None) for i in range(10)]


def test_closing_writes_what_was_handed_in_and_refuses_the_rest(gate: Gate, notice: Make, now: datetime) -> None:
    together = Together(gate, lambda: now)  # type: ignore[arg-type]
    futures = submit(together, gate, [notice(f"n-{i}", i) for i in range(10)])
    together.close()
    assert [future.result(0).position for future in futures] == list(range(1, 11))
    with pytest.raises(RuntimeError):
        together.submit(notice("late"))


async def test_tasks_wait_as_threads_do(store: Store, notice: Make, now: datetime) -> None:
    with Together(store, lambda: now) as together:
        receipts = await asyncio.gather(*(together.append_async(notice(f"n-{i}", i)) for i in range(50)))
    assert sorted(receipt.position or 0 for receipt in receipts) == list(range(1, 51))
