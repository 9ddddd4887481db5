"""``replay``: the register folded again from the event store alone, beside reading and decoding it."""

from __future__ import annotations

import hashlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final

from register.audit.processes import cores
from register.audit.replay import replay
from register.rehearsal.bench.ground import UNTIL, Ground, fill, stopwatch
from register.rehearsal.bench.result import ROUNDS, Goal, Result, forget_peak, median, peak_rss_mib
from register.settings import Settings

SIZE: Final = 60_000
GOAL: Final = Goal(0.3)


def _record(settings: Settings, size: int) -> int:
    with Ground(settings, print).register() as (_, store):
        return fill(store, size)


class _Digest:
    """Takes the lines of a replay and keeps their digest alone, so that memory tells of the replay."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        self._sha256.update(piece)

    def hex(self) -> str:
        return self._sha256.hexdigest()


def run(ground: Ground, size: int = SIZE) -> Result:
    """Fold ``size`` events in one process, and read and decode them in one process.

    Beside it: what all cores come to, the starting of their processes included, which counts for much at such sizes.
    """
    values, ceilings, together, digests = [], [], [], set()
    with ground.register() as (database, store):
        ground.say(f"recording {size:,} events")
        # Recorded by another process: the notices it makes would stay in this one's memory and count as the replay's.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            events = pool.submit(_record, ground.settings, size).result()
        forget_peak()
        for number in range(ROUNDS):
            out = _Digest()
            with stopwatch() as taken:
                replay(database.dsn, on=UNTIL, out=out, processes=1)
            digests.add(out.hex())
            values.append(events / taken[0])
            with stopwatch() as taken:
                for _ in store.events():
                    pass
            ceilings.append(events / taken[0])
            ground.say(f"round {number + 1}: {values[-1]:,.0f} beside {ceilings[-1]:,.0f} events/s")
            out = _Digest()
            with stopwatch() as taken:
                replay(database.dsn, on=UNTIL, out=out, processes=cores())
            digests.add(out.hex())
            together.append(events / taken[0])
        peak = peak_rss_mib()
    if len(digests) != 1:
        raise RuntimeError("the same replay gave other bytes")
    return Result(
        name="replay",
        unit="events/s",
        value=median(values),
        ceiling=median(ceilings),
        goal=GOAL,
        size=events,
        peak_rss_mib=peak,
        beside={"all_cores": median(together), "processes": cores()},
    )
