"""``cvr bench``: the measured targets, each beside its ceiling, in one run."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from register.rehearsal import bench as benches


def bench(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(benches.NAMES)}; default all")] = None,
    size: Annotated[int | None, typer.Option(min=100, help="How much a round is made of; each has its usual")] = None,
    json: Annotated[bool, typer.Option("--json", help="At the end, one line of JSON for each bench")] = False,
) -> None:
    """Measure targets beside their ceilings, in temporary data folders. Exit 1 when a goal is missed."""
    unknown = [name for name in names or () if name not in benches.NAMES]
    if unknown:
        raise typer.BadParameter(f"there is no bench {unknown[0]}; there are {', '.join(benches.NAMES)}")
    results = []
    for name in names or benches.NAMES:
        print(f"{name} …", flush=True)
        try:
            results.append(benches.alone(name, size))
        except benches.BenchError as error:
            sys.exit(f"cvr: bench {name}: {error}")
        print("\n".join(results[-1].lines()), flush=True)
    if json:
        for result in results:
            print(result.json())
    if not all(result.met for result in results):
        raise typer.Exit(1)
