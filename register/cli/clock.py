"""One clock for a rehearsal: other processes beside a running server ask its clock, not one of their own.

``CVR_CLOCK`` is the instant at which the clock starts. A server that runs in a rehearsal says in its data folder when
that was, and holds a lock on the file as long as it lives.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from register.settings import Clock, Settings, make_clock

_FILE: Final = "clock"


@contextmanager
def server_clock(settings: Settings) -> Iterator[Clock]:
    """The clock of a server, for as long as the block lasts; in a rehearsal others find it in the data folder."""
    clock = make_clock(settings.clock_starts)
    if settings.clock_starts is None:
        yield clock
        return
    settings.data.mkdir(parents=True, exist_ok=True)
    with (settings.data / _FILE).open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        file.truncate()
        file.write(f"{settings.clock_starts.isoformat()} {time.time()}\n")
        file.flush()
        yield clock


def current_clock(settings: Settings) -> Clock:
    """The clock of the server that runs on the data folder in the same rehearsal; without one, a clock of its own."""
    begun = None if settings.clock_starts is None else _begun(settings.data / _FILE, settings.clock_starts)
    if begun is None or settings.clock_starts is None:
        return make_clock(settings.clock_starts)
    return make_clock(settings.clock_starts + (datetime.now(UTC) - begun))


def _begun(path: Path, starts: datetime) -> datetime | None:
    """When the server's clock began, in real time; None when no server runs or its rehearsal is another."""
    try:
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                instant, _, seconds = file.read().strip().partition(" ")
                return (
                    datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(seconds))
                    if instant == starts.isoformat()
                    else None
                )
            return None
    except FileNotFoundError:
        return None
