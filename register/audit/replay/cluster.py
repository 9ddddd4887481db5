"""Work on the machines of a Dask cluster: results in the order of the tasks, whoever did them, whoever died meanwhile.

A worker holds what it is given to fold, personal parts included: it belongs on a machine that may hold what the mandate
allows. What goes over the scheduler are file names, numbers of parts, ids of persons and the events about polling
stations; the lines come from the workers directly. Nothing but keys and numbers stands in a cluster's logs. Whoever
reaches a scheduler can run anything on its workers: it belongs into a network of its own, or behind ``tls://``.

Dask is an optional part of the installation.
"""

from __future__ import annotations

import hashlib
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

import msgspec

import register
from register.audit.processes import Maker, Work

#: Seconds to wait for the scheduler, and for a first worker.
_PATIENCE: Final = 30
#: Tasks given out for each thread of the workers: while one is done the next waits, and results do not pile up.
_AHEAD: Final = 2


class ClusterError(Exception):
    """The cluster cannot do the work: not reached, no worker, workers that die of it, or another program on them."""


def why_not() -> str | None:
    """Why no cluster can be used from here; None where one can."""
    if find_spec("distributed") is None:
        return "a cluster needs the package distributed, which is not installed here (install register[cluster])"
    return None


class Cluster:
    """A connection to the scheduler at ``address`` (``tcp://host:port``). A context manager.

    Raises :class:`ClusterError`; ModuleNotFoundError where distributed is not installed.
    """

    def __init__(self, address: str) -> None:
        self._dask: Any = import_module("distributed")
        self._config: Any = import_module("dask").config
        self._address = address
        self._client: Any = None

    def __enter__(self) -> Self:
        try:
            self._client = self._dask.Client(
                self._address, timeout=_PATIENCE, set_as_default=False, direct_to_workers=True
            )
        except (OSError, ValueError) as error:
            raise ClusterError(f"no scheduler answers at {self._address}: {type(error).__name__}") from None
        try:
            self._client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError:
            self._client.close()
            raise ClusterError("the scheduler has no workers") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def spread(self, maker: Maker, tasks: Iterable[Any]) -> Iterator[Any]:
        """What ``maker`` makes, done on every task, in the order of the tasks. Raises what it raises, ClusterError.

        What a killed worker had, also what it had finished and nobody fetched, another one does again.
        """
        name = f"cvr-replay-{uuid4().hex}"
        with self._config.set({"distributed.admin.large-graph-warning-threshold": "1 GB"}):
            work = self._client.submit(_make, program(), _Untold(maker), key=name, pure=False)
        waiting: deque[Any] = deque()
        try:
            for number, task in enumerate(tasks):
                waiting.append(self._client.submit(_do, work, task, key=f"{name}-{number}", pure=False))
                while len(waiting) > _AHEAD * max(1, sum(self._client.nthreads().values())):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except (OSError, CancelledError, self._dask.KilledWorker) as error:
            raise ClusterError(f"the cluster gave up: {type(error).__name__}") from None
        finally:
            work.release()
            for future in waiting:
                future.release()


class _Untold(msgspec.Struct):
    """A maker whose arguments stand in no log: Dask writes down what a task that failed was called with."""

    maker: Maker

    def __repr__(self) -> str:
        return "maker"


def _make(wanted: str, untold: _Untold) -> Work:
    if program() != wanted:
        raise ClusterError("a worker runs another version of this program, or of Python")
    make, arguments = untold.maker
    return make(*arguments)


def _do(work: Work, task: Any) -> Any:
    return work(task)


@cache
def program() -> str:
    """A digest of what must be the same on all machines for the bytes to be: this program, and what runs it."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {msgspec.__version__}".encode())
    home = Path(register.__file__).parent
    for path in sorted(home.rglob("*.py")):
        digest.update(b"\0%b\0%b" % (str(path.relative_to(home)).encode(), path.read_bytes()))
    return digest.hexdigest()
