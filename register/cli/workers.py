"""Keeps worker processes alive beside a server, and never alive without it."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final, Self

_log: Final = logging.getLogger("register.workers")

#: Seconds before a dead worker is started again: doubled each time, up to a bound.
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
#: A worker that lived so long was well; the next pause is the first again.
WELL_AFTER: Final = 60.0
#: A worker that ended so often without having been well in between is unwell.
UNWELL_AFTER: Final = 2
_GRACE: Final = 12.0


class Workers:
    """Starts one process a command, starts again what dies, and ends all at the end of the block.

    A worker's standard input is a pipe whose other end only this process holds: when this process dies, however
    suddenly, the pipe ends, and the worker with it.
    """

    def __init__(self, commands: Sequence[Sequence[str]]) -> None:
        self._stop = threading.Event()
        self._names = [command[-1] for command in commands]
        self._ended = [0] * len(commands)
        self._threads = [
            threading.Thread(target=self._keep, args=(number, list(command))) for number, command in enumerate(commands)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def unwell(self) -> list[str]:
        """The workers, by the last word of their commands, that end again and again."""
        ended = zip(self._names, self._ended, strict=True)
        return sorted({name for name, times in ended if times >= UNWELL_AFTER})

    def _keep(self, number: int, command: list[str]) -> None:
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            begun = time.monotonic()
            with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
                while process.poll() is None and not self._stop.wait(0.2):
                    if time.monotonic() - begun > WELL_AFTER:
                        self._ended[number] = 0
                if self._stop.is_set():
                    _end(process)
                    return
            pause = FIRST_PAUSE if time.monotonic() - begun > WELL_AFTER else pause
            self._ended[number] += 1
            _log.warning("%s ended with %s; started again in %.1f s", command[-1], process.returncode, pause)
            self._stop.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def register_command(*arguments: str) -> list[str]:
    """Return the command line that runs this program with other arguments."""
    return [sys.executable, "-m", "register", *arguments]


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
