"""``log``: sealing from the event store, verifying records offline, a receipt; beside hashlib over the same records."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from register.app.parts import make_sealer
from register.audit.offline.checks import check_records
from register.log.files import LogFiles
from register.log.receipts import receipt
from register.log.record import record_of
from register.log.sealer import Sealed
from register.rehearsal.bench.ground import NOW, Ground, fill, stopwatch
from register.rehearsal.bench.result import ROUNDS, BenchError, Goal, Result, forget_peak, median, p95, peak_rss_mib

SIZE: Final = 60_000
SEAL: Final = Goal(0.15)
VERIFY: Final = Goal(0.35)
#: Seconds a receipt may take, 95th percentile.
PROOF: Final = Goal(0.005, at_least=False)
_RECEIPTS: Final = 300


def run(ground: Ground, size: int = SIZE) -> Result:
    """Seal ``size`` events in as many shares as rounds; then verify all of them, and make receipts."""
    seals, hashes = [], []
    with ground.register() as (database, store):
        ground.say(f"recording {size:,} events")
        events = fill(store, size)
        sealer = make_sealer(ground.settings, database, store, lambda: NOW, os.urandom)
        sealed = sealer.seal(0)
        forget_peak()
        for number in range(ROUNDS):
            after, upto = sealed.size, events * (number + 1) // ROUNDS
            with stopwatch() as taken:
                sealed = sealer.seal(upto)
            seals.append((upto - after) / taken[0])
            records = [record_of(stored) for stored in store.records(after, upto)]
            hashes.append(len(records) / _hashed(records))
            ground.say(f"round {number + 1}: {seals[-1]:,.0f} beside {hashes[-1]:,.0f} records/s")
        peak = peak_rss_mib()
        lines = [record_of(stored) + b"\n" for stored in store.records(0, events)]
        parts = (_verify(lines, sealed), _prove(ground, sealed))
    return Result(
        name="log",
        unit="records/s",
        value=median(seals),
        ceiling=median(hashes),
        goal=SEAL,
        size=events,
        peak_rss_mib=peak,
        parts=parts,
    )


def _verify(lines: Sequence[bytes], sealed: Sealed) -> Result:
    """The check anybody can make of an export's records against a signed checkpoint, hashes only."""
    values, ceilings = [], []
    for _ in range(ROUNDS):
        with stopwatch() as taken:
            if check_records(lines, [sealed.checkpoint]):
                raise BenchError("the records are not those that were sealed")
        values.append(len(lines) / taken[0])
        ceilings.append(len(lines) / _hashed(lines))
    return Result(
        name="log-verify",
        unit="records/s",
        value=median(values),
        ceiling=median(ceilings),
        goal=VERIFY,
        size=len(lines),
        peak_rss_mib=peak_rss_mib(),
    )


def _prove(ground: Ground, sealed: Sealed) -> Result:
    """Receipts of events all over the log, from its files."""
    seconds = []
    dice = random.Random(1)  # noqa: S311 - which events: any will do
    with LogFiles(ground.settings.data / "log") as files:
        for _ in range(_RECEIPTS):
            with stopwatch() as taken:
                receipt(dice.randint(1, sealed.size), sealed.note, files.node)
            seconds.append(taken[0])
    return Result(
        name="log-proof",
        unit="s",
        value=p95(seconds),
        ceiling=None,
        goal=PROOF,
        size=sealed.size,
        peak_rss_mib=peak_rss_mib(),
    )


def _hashed(records: Sequence[bytes]) -> float:
    """Seconds that hashing each record once takes, and nothing else."""
    with stopwatch() as taken:
        for record in records:
            sha256(record).digest()
    return taken[0]
