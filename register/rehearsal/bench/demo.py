"""``demo``: ``cvr demo`` from nothing, in seconds."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import Final

from register.rehearsal.bench.ground import Ground, stopwatch
from register.rehearsal.bench.result import BenchError, Goal, Result
from register.rehearsal.bench.serving import environment

#: Generated people.
SIZE: Final = 20_000
GOAL: Final = Goal(90, at_least=False)


def run(ground: Ground, size: int = SIZE) -> Result:
    """Tell the demo once about ``size`` people, in the bench's folder."""
    ground.settings.data.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "register", "demo", "--voters", str(size)]
    with (ground.settings.data / "demo.log").open("wb") as log, stopwatch() as taken:
        done = subprocess.run(
            command,
            env=environment(ground.settings),
            cwd=ground.settings.data,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != os.EX_OK:
        said = (ground.settings.data / "demo.log").read_text(encoding="utf-8").strip().splitlines()[-3:]
        raise BenchError(f"the demo ended with {done.returncode}: {' / '.join(said)}")
    return Result(
        name="demo",
        unit="s",
        value=taken[0],
        ceiling=None,
        goal=GOAL,
        size=size,
        peak_rss_mib=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    )
