"""Group commit: appends that wait together are written together.

A commit costs a flush of the disk, whether it holds one event or a thousand. One writer thread takes all that has
gathered while it wrote the last batch, and writes it as one append.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from queue import SimpleQueue
from typing import Final, Self

from register.store.judging import Pending, Prepared, Receipt
from register.store.store import Store

#: At most so many events in one append.
BATCH: Final = 1_000

_Waiting = tuple[Pending | Prepared, Future[Receipt]]


class Together:
    """Takes single appends from many threads or tasks, and answers each after the commit that holds it.

    ``clock`` gives the instant of each append. An error of an append (the database is gone, for example) goes to all
    who waited for it. A pending event with an ``expected_version`` is written by itself, so that its
    ConcurrencyError hits nobody else.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="event-store-writer", daemon=True)
        self._thread.start()

    def submit(self, pending: Pending | Prepared) -> Future[Receipt]:
        """Hand in one event; the future gives its receipt after the commit. Raises RuntimeError once closed."""
        future: Future[Receipt] = Future()
        with self._closing:
            if self._closed:
                raise RuntimeError("the event store is being closed")
            self._queue.put((pending, future))
        return future

    def append(self, pending: Pending | Prepared) -> Receipt:
        """Hand in one event and wait for its receipt, in a thread."""
        return self.submit(pending).result()

    async def append_async(self, pending: Pending | Prepared) -> Receipt:
        """Hand in one event and wait for its receipt, in a task. Cancelling the wait does not undo the append."""
        return await asyncio.shield(asyncio.wrap_future(self.submit(pending)))

    def close(self) -> None:
        """Write what was handed in, then stop. What is handed in later is refused."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        held: _Waiting | None = None
        while True:
            first = held if held is not None else self._queue.get()
            if first is None:
                return
            batch, held, end = self._gather(first)
            self._write(batch)
            if end:
                return

    def _gather(self, first: _Waiting) -> tuple[list[_Waiting], _Waiting | None, bool]:
        """All that waits behind the first, up to one that must go alone; that one; whether nothing comes after."""
        batch = [first]
        if first[0].expected_version is not None:
            return batch, None, False
        while len(batch) < BATCH and not self._queue.empty():
            waiting = self._queue.get()
            if waiting is None:
                return batch, None, True
            if waiting[0].expected_version is not None:
                return batch, waiting, False
            batch.append(waiting)
        return batch, None, False

    def _write(self, batch: list[_Waiting]) -> None:
        batch = [waiting for waiting in batch if waiting[1].set_running_or_notify_cancel()]
        if not batch:
            return
        try:
            receipts = self._store.append([pending for pending, _ in batch], now=self._clock())
        except BaseException as error:  # noqa: BLE001
            # Not to carry on: each who waits for this append raises it, and would otherwise wait for ever.
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), receipt in zip(batch, receipts, strict=True):
            future.set_result(receipt)
