"""``cvr bench``: the measured targets, each beside its ceiling, in one run."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from register.rehearsal import bench as benches


def bench(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(benches.NAMES)}; default all")] = None,
    size: Annotated[int | None, typer.Option(min=100, help="How much a round is made of; each has its usual")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help=f"Ask the register in this data folder, as it stands ({', '.join(benches.READING)} only)"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="At the end, one line of JSON for each bench")] = False,
) -> None:
    """Measure targets beside their ceilings, in temporary data folders. Exit 1 when a goal is missed.

    With --data nothing is written there but the journal of looks, and those of the bench are among them.
    """
    unknown = [name for name in names or () if name not in benches.NAMES]
    if unknown:
        raise typer.BadParameter(f"there is no bench {unknown[0]}; there are {', '.join(benches.NAMES)}")
    if data is not None:
        _check_existing(names or (), data)
    results = []
    for name in names or benches.NAMES:
        print(f"{name} …", flush=True)
        try:
            results.append(benches.alone(name, size, None if data is None else data.absolute()))
        except benches.BenchError as error:
            sys.exit(f"cvr: bench {name}: {error}")
        print("\n".join(results[-1].lines()), flush=True)
    if json:
        for result in results:
            print(result.json())
    if not all(result.met for result in results):
        raise typer.Exit(1)


def _check_existing(names: Collection[str], data: Path) -> None:
    """Raise BadParameter unless the benches named only read, and the folder holds a database they can read."""
    writing = [name for name in names if name not in benches.READING]
    if writing or not names:
        raise typer.BadParameter(f"--data goes with {', '.join(benches.READING)}")
    if not (data / "postgres" / "PG_VERSION").exists():
        raise typer.BadParameter(f"there is no embedded database in {data}")
