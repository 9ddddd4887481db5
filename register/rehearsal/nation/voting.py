"""The steps of a nation's election: called and concluded, its roll frozen and counted, its lists drawn."""

from __future__ import annotations

import base64
from collections import Counter
from datetime import timedelta
from typing import Final

from register.acts import elections
from register.api.system import System
from register.app.parts import make_freezer
from register.excerpts.formats import Format
from register.excerpts.from_roll import DRAWN_KINDS
from register.excerpts.printers import Printers
from register.excerpts.runs import Run, Wanted
from register.law.competence import caller_for
from register.law.events import ElectionCalled
from register.projection import projector
from register.projection.roll_accounts import RollAccounts, roll_accounts

from .outcome import Done, Site, StepError, sealer_of

#: An election is called at least 150 days before its day (Art. 1.14).
_CALLED_BEFORE: Final = timedelta(days=151)
#: On these lists of the accounts stand those for whom nothing is printed until an authority puts something right.
_UNPRINTED: Final = frozenset({"unallocated", "no-entity-option"})


def election(site: Site) -> Done:
    """The CEC calls a general election, and concludes its roll."""
    plan, cec = site.plan, caller_for("cec", "cvr rehearse")
    called = ElectionCalled(
        election=plan.election, kind="general", early=False, day=plan.day, called_on=plan.day - _CALLED_BEFORE
    )
    with site.system() as system:
        known = system.municipalities
        elections.call(system.store, called, cec, known, now=plan.now, salt=_salt(system))
        found = elections.load(system.store, plan.election)
        if found is None or found.conclusion is None:
            elections.conclude(
                system.store, plan.election, cec, reference=system.reference, now=plan.now, salt=_salt(system)
            )
    return Done("acts", 2)


def _salt(system: System) -> str:
    return base64.b64encode(system.entropy(16)).decode()


def roll(site: Site) -> Done:
    """The register comes up to the conclusion, the roll is frozen, the log sealed at the conclusion."""
    with site.system() as system:
        with system.database.psycopg() as connection:
            while projector.follow(connection, system.store):
                pass
        make_freezer(system.database, system.store, system.clock, system.entropy).freeze_waiting()
        found = elections.load(system.store, site.plan.election)
        if found is None or found.conclusion is None or found.roll is None:
            raise StepError("the roll was not frozen")
        sealer_of(system).seal(at=[found.conclusion])
        return Done("voters", found.roll.voters)


def accounts(site: Site) -> Done:
    """Every voter of the roll stands in one cell of the accounts: the remainder is 0."""
    with site.system() as system:
        found = _accounts(system, site.plan.election)
    remainder = found.voters - sum(found.cells.values())
    if remainder:
        raise StepError(f"the accounts of the roll leave a remainder of {remainder}")
    return Done("voters", found.voters, {"cells": len(found.cells), "remainder": remainder})


def _accounts(system: System, which: str) -> RollAccounts:
    with system.database.engine.connect() as connection:
        found = roll_accounts(connection, which)
    if found is None:
        raise StepError("the roll was not frozen")
    return found


def lists_csv(site: Site) -> Done:
    """All lists of the election as CSV (``cvr excerpts``)."""
    return _lists(site, "csv")


def lists_pdf(site: Site) -> Done:
    """All lists of the election as PDF."""
    return _lists(site, "pdf")


def _lists(site: Site, form: Format) -> Done:
    folder = site.settings.data / "excerpts" / site.plan.election / form
    lists, rows = 0, Counter[str]()
    with site.system() as system, Printers() as printers:
        for kind in DRAWN_KINDS:
            wanted = Wanted(election=site.plan.election, kind=kind, formats=(form,), scripts=("latin",))
            run = system.runs.begin(wanted, folder)
            _draw(system, run, printers)
            rows[kind] = sum(file.rows for file in system.runs.files(run.id))
            lists += run.total
        found = _accounts(system, site.plan.election)
    must = Counter[str]()
    for cell, voters in found.cells.items():
        must[cell.list] += voters
    unprinted = sum(must.pop(kind, 0) for kind in _UNPRINTED)
    if any(rows[kind] != voters for kind, voters in must.items()):
        raise StepError(f"the lists do not hold whom the accounts count: {dict(rows)}, {dict(must)}")
    return Done("rows", rows.total(), {"lists": lists, "unprinted": unprinted})


def _draw(system: System, run: Run, printers: Printers) -> None:
    failed = [each for first in run.batches for each in system.runs.draw(run, first, printers)]
    if failed:
        raise StepError(f"lists could not be printed: {'; '.join(failed)}")
    system.runs.finish(run)
