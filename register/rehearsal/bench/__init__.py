"""The measured targets, each beside a ceiling that is measured in the same run on the same machine.

One module a bench, with its default ``SIZE`` and ``run(ground, size) -> Result``.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from register.app.parts import calm_collector
from register.rehearsal.bench.ground import Ground
from register.rehearsal.bench.result import BenchError, Result, Say
from register.settings import Settings

__all__ = ["NAMES", "READING", "BenchError", "Ground", "Result", "alone", "run"]

#: The benches in the order in which they run when none is named.
NAMES: Final = (
    "store",
    "store-read",
    "intake",
    "intake-single",
    "projection",
    "inspection",
    "replay",
    "rebuild",
    "asof",
    "register-page",
    "routes",
    "log",
    "excerpt-rows",
    "excerpt-pdf",
    "demo",
)
#: Those that can ask a register that is there already.
READING: Final = ("asof", "register-page", "routes")


def run(name: str, ground: Ground, size: int | None = None) -> Result:
    """Run one bench on a ground of its own; ``size`` None: its usual one. Raises LookupError for an unknown name."""
    if name not in NAMES:
        raise LookupError(f"there is no bench {name!r}; there are {', '.join(NAMES)}")
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    bench: Callable[[Ground, int], Result] = module.run
    return bench(ground, module.SIZE if size is None else size)


def alone(name: str, size: int | None = None, data: Path | None = None) -> Result:
    """Run one bench in a process and a temporary data folder of its own: no bench inherits another's memory.

    ``data``: the data folder of a register that is there already, and is asked as it stands (:data:`READING`). Raises
    :class:`BenchError` when it could not measure.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_in_folder, name, size, data, print).result()


def _in_folder(name: str, size: int | None, data: Path | None, say: Say) -> Result:
    calm_collector()  # as every process of the register does that takes in or reads many events
    if data is not None:
        return run(name, Ground(Settings(data=data), say, existing=True), size)
    with _folder() as folder:
        return run(name, Ground(Settings(data=folder / "data"), say), size)


@contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder. Processes that were told to end may write into it for a moment longer."""
    folder = Path(tempfile.mkdtemp(prefix="cvr-bench-"))
    try:
        yield folder
    finally:
        deadline = time.monotonic() + 30
        while folder.exists():
            shutil.rmtree(folder, ignore_errors=time.monotonic() < deadline)
            time.sleep(0.1)
