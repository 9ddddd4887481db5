"""What a worker does whose host does not see the folders that lists are drawn into: it leaves them to others."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Final

import procrastinate
import procrastinate.jobs

from register.excerpts.manifest import FolderMissingError

#: A job that came to hosts that do not see its folder goes back so often: time for others, and an end to it.
_SENT_BACK: Final = 30

_log: Final = logging.getLogger("register.excerpts")


class Here:
    """A context manager around a job: on a host without the folder it says so, and has the worker end.

    The worker is started again by what keeps it alive, more and more rarely, and meanwhile others have taken the job.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, FolderMissingError):
            _log.error("%s", error)
            self._stop.set()

    @staticmethod
    def again(attempts: int, pause: int) -> procrastinate.BaseRetryStrategy:
        """How a failed job is tried again: so often, after so many seconds; one without its folder, elsewhere."""
        return _Again(attempts, pause)


class _Again(procrastinate.BaseRetryStrategy):
    def __init__(self, attempts: int, pause: int) -> None:
        self._attempts = attempts
        self._pause = pause

    def get_retry_decision(
        self, *, exception: BaseException, job: procrastinate.jobs.Job
    ) -> procrastinate.RetryDecision | None:
        most = _SENT_BACK if isinstance(exception, FolderMissingError) else self._attempts
        return procrastinate.RetryDecision(retry_in={"seconds": self._pause}) if job.attempts < most else None
