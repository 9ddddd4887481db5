"""``cvr excerpts --export``: an election's lists drawn from an auditor's export, with no database."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import typer

from register.app.parts import calm_collector, read_reference, reference_version
from register.audit.export.drawing import Drawn, NotThereError, draw
from register.audit.export.files import read_index
from register.audit.export.lists import Asked
from register.audit.export.reading import MissingMandateError
from register.audit.processes import cores
from register.cli.steps import Steps
from register.cli.verify import WORTH_SPREADING
from register.excerpts.from_roll import DRAWN_KINDS
from register.excerpts.terms import Wanted, judged

#: Findings that are named; of more it is said how many.
_NAMED: Final = 20


def draw_elsewhere(export: Path, wanted: Wanted, kinds: Sequence[str], out: Path) -> int:
    """The exit status: 0, 1 when lists could not be printed, 2 when they are not those on record.

    ``wanted``: the terms of each of ``kinds``. Raises typer.BadParameter for what is no export or cannot be drawn,
    ``Refusal("schema")``.
    """
    asked = _asked(wanted, kinds)
    begun = time.monotonic()
    calm_collector()
    with Steps() as steps:
        try:
            spread = "pdf" in asked.formats or read_index(export).size >= WORTH_SPREADING
            drawn = draw(
                export,
                wanted.election or "",
                asked,
                out.absolute(),
                read_reference(),
                reference=reference_version(),
                processes=cores() if spread else 1,
                progress=steps.advance,
            )
        except MissingMandateError as error:
            raise typer.BadParameter(f"lists cannot be drawn without what was sent by: {error}") from None
        except (NotThereError, ValueError, OSError, msgspec.MsgspecError) as error:
            raise typer.BadParameter(str(error), param_hint="--export") from None
    return _tell(drawn, out, time.monotonic() - begun)


def _asked(wanted: Wanted, kinds: Sequence[str]) -> Asked:
    terms = [judged(msgspec.structs.replace(wanted, kind=kind)) for kind in kinds]
    _, formats, scripts = terms[0]
    if "vri" in formats:
        raise typer.BadParameter("beside VRI stands a signature, whose key no export holds", param_hint="--format")
    chosen = tuple(each for each in DRAWN_KINDS if each in kinds)
    if len(chosen) != len(terms):
        raise typer.BadParameter(
            "of a concluded roll only; a provisional excerpt shows the register", param_hint="--kind"
        )
    if wanted.municipality is not None and wanted.municipality not in read_reference():
        raise typer.BadParameter("there is no such municipality", param_hint="--municipality")
    return Asked(chosen, formats, scripts, wanted.municipality)


def _tell(drawn: Drawn, out: Path, seconds: float) -> int:
    for note in drawn.notes:
        print(f"cvr: {note}", file=sys.stderr)
    lists = len({entry.list for entry in drawn.entries})
    print(f"{lists:,} lists of a roll of {drawn.voters:,} voters in {out}, in {seconds:.1f} s")
    if drawn.failures:
        print(
            "\n".join(["cvr: these lists could not be printed; the others are drawn:", *drawn.failures]),
            file=sys.stderr,
        )
    if drawn.findings:
        print("NOT the lists on record:")
        for finding in drawn.findings.first()[:_NAMED]:
            print(f"  {finding.what} (position {finding.position})")
        return 2
    print(f"{drawn.compared:,} times a list of these was put on record, and each time it was this one, byte for byte.")
    return 1 if drawn.failures else 0
