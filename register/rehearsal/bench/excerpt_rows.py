"""``excerpt-rows``: a frozen roll to the CSV files of all its lists with their digests, beside COPY to nowhere."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from register.acts import elections
from register.api.system import System
from register.app.http import build
from register.app.parts import make_sealer
from register.excerpts.printers import Printers
from register.excerpts.runs import Wanted
from register.law.calendar import calendar_of
from register.law.competence import caller_for
from register.law.events import ElectionCalled
from register.projection import rolls
from register.projection.projector import follow
from register.projection.rebuild import bring_to_form
from register.rehearsal.bench.ground import NOW, Connection, Ground, fill, stopwatch
from register.rehearsal.bench.result import ROUNDS, Goal, Result, forget_peak, median, peak_rss_mib

SIZE: Final = 60_000
GOAL: Final = Goal(0.5)
_ELECTION: Final = "general-2026"
_DAY: Final = date(2026, 10, 4)
#: The roll is made so many times larger, and has so many times more polling stations: lists of a station's usual size.
_TIMES: Final = 20
_STATIONS: Final = 4
#: The kinds that between them hold every voter of the roll who is on a list, once.
_KINDS: Final = ("polling-station", "in-person-1991", "absentee-1991", "mail", "diplomatic-mission")


def run(ground: Ground, size: int = SIZE) -> Result:
    """Draw every list of the roll that ``size`` events come to, grown to lists of usual size, again in each round."""
    values, ceilings, rows, lists = [], [], 0, 0
    with build(ground.settings, clock=lambda: NOW) as system, system.database.psycopg() as connection:
        ground.say(f"recording {size:,} events, freezing the roll")
        bring_to_form(system.database, system.store)
        events = fill(system.store, size)
        _freeze(system, connection)
        forget_peak()
        for number in range(ROUNDS):
            folder = ground.settings.data / f"lists-{number}"
            with stopwatch() as taken:
                rows = _draw(system, folder)
            values.append(rows / taken[0])
            lists = sum(1 for _ in folder.rglob("*.csv"))
            ceilings.append(rows / _copied(connection))
            ground.say(f"round {number + 1}: {values[-1]:,.0f} beside {ceilings[-1]:,.0f} rows/s")
        peak = peak_rss_mib()
    return Result(
        name="excerpt-rows",
        unit="rows/s",
        value=median(values),
        ceiling=median(ceilings),
        goal=GOAL,
        size=events,
        peak_rss_mib=peak,
        beside={"rows": rows, "lists": lists},
    )


def _freeze(system: System, connection: Connection) -> None:
    """Call an election, conclude it on its day, freeze the roll, and seal the log at the conclusion."""
    store, cec = system.store, caller_for("cec", "bench")
    called = ElectionCalled(election=_ELECTION, kind="general", early=False, day=_DAY, called_on=_called_on())
    elections.call(store, called, cec, system.municipalities, now=NOW, salt="A" * 22 + "==")
    day = calendar_of(called).conclusion_day + timedelta(days=1)
    then = datetime(day.year, day.month, day.day, 8, tzinfo=UTC)
    concluded, _ = elections.conclude(store, _ELECTION, cec, reference=system.reference, now=then, salt="B" * 22 + "==")
    while follow(connection, store):
        pass
    rolls.freeze(connection, store, _ELECTION, system.municipalities)
    connection.commit()
    with connection.transaction():
        for statement in _GROWN:
            connection.execute(statement)
    sealer = make_sealer(system.settings, system.database, store, lambda: then, os.urandom)
    sealer.seal(at=[concluded.conclusion or 0])


#: Every voter many times, each time with the next of the station's copies, in list order.
_GROWN: Final = (
    "CREATE TEMP TABLE once ON COMMIT DROP AS SELECT * FROM projection.roll",
    "DELETE FROM projection.roll",
    f"""
    INSERT INTO projection.roll
    SELECT election,
           row_number() OVER (ORDER BY municipality COLLATE "C", list_kind, station COLLATE "C", mission COLLATE "C",
                              k % {_STATIONS}, no, k),
           person, list_kind, municipality, entity, station || chr(65 + k % {_STATIONS}), mission, jmb, surname,
           given_name, parent_name, sex, born_on, script, residence, settlement, street, house_number, country,
           foreign_address, voting_option, mobile_team, marked_deceased
    FROM once, generate_series(0, {_TIMES - 1}) k ORDER BY 2
    """,
    "ANALYZE projection.roll",
)


def _called_on() -> date:
    """The day of the call: 151 days before election day."""
    return _DAY - timedelta(days=151)


def _draw(system: System, folder: Path) -> int:
    """How many rows the lists of all kinds came to."""
    rows = 0
    with Printers() as printers:
        for kind in _KINDS:
            run = system.runs.begin(Wanted(election=_ELECTION, kind=kind, formats=("csv",)), folder / kind)
            for first in run.batches:
                system.runs.draw(run, first, printers)
            rows += sum(entry.rows for entry in system.runs.files(run.id))
    return rows


def _copied(connection: Connection) -> float:
    """Seconds that COPY of the same rows of the frozen table to nowhere takes."""
    kinds = ", ".join(f"'{kind}'" for kind in _KINDS)
    query = f"COPY (SELECT * FROM projection.roll WHERE list_kind IN ({kinds}) ORDER BY no) TO STDOUT"
    with stopwatch() as taken, connection.cursor().copy(query.encode()) as out:
        for _ in out:
            pass
    connection.commit()
    return taken[0]
