"""Where the lists of a run come from: the frozen roll of an election, or the register on a day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa

from register.excerpts import from_register, from_roll
from register.excerpts.from_register import Standing
from register.excerpts.from_roll import Basis, ListScope
from register.excerpts.printers import ListJob
from register.excerpts.rows import ListHead, Row, Script
from register.excerpts.statistics import statistics_rows
from register.excerpts.tables import item, run
from register.excerpts.terms import Run, RunKind, Wanted, refusal
from register.law.provisions import Refusal
from register.law.territory import Municipality
from register.projection.keeping import BusyError
from register.store import Store

Item = Mapping[Any, Any]


class Sources:
    """The lists of runs. Keeps what all lists of an election rest on, so that it is looked up once."""

    def __init__(self, store: Store, municipalities: Mapping[str, Municipality]) -> None:
        self._store = store
        self._municipalities = municipalities
        self.names = {code: municipality.name for code, municipality in municipalities.items()}
        self._basis: Basis | None = None

    def settle(
        self, connection: sa.Connection, wanted: Wanted, kind: RunKind, today: date
    ) -> tuple[int, date | None, list[ListScope]]:
        """The position a new run rests on, the day it shows (provisional only), and its lists.

        Raises what ``from_roll.basis_of`` and ``from_register.settle`` raise, and ``Refusal("schema")`` for a polling
        station that is not there.
        """
        within = ListScope(municipality=wanted.municipality, station=wanted.polling_station)
        as_of: date | None = None
        if kind == "provisional":
            as_of, position = from_register.settle(connection, self._store, wanted.election, wanted.as_of, today)
            if wanted.election is None:
                _check_days(connection, as_of)
            from_register.standing_of(connection, self._store, wanted.election or "", as_of, position)
            lists = from_register.lists_of(connection, as_of, position, within)
        else:
            basis = self._roll(connection, wanted.election or "")
            position = basis.conclusion
            lists = from_roll.lists_of(connection, basis, kind, within)
        if wanted.polling_station is not None and not lists:
            raise refusal("/polling_station", "There is no such polling station on the day the excerpt shows")
        return position, as_of, lists

    def heads(self, connection: sa.Connection, of: Run, items: Sequence[Item]) -> list[ListHead]:
        """The identities of these lists."""
        if of.kind == "provisional":
            standing = self._standing(connection, of)
            return [from_register.head_of(standing, scope_of(each), script_of(each), self.names) for each in items]
        basis = self._roll(connection, of.election)
        return [from_roll.head_of(basis, of.kind, scope_of(each), script_of(each), self.names) for each in items]

    def jobs(self, connection: sa.Connection, of: Run, items: Sequence[Item]) -> Iterator[ListJob]:
        """These lists with their rows, one after the other."""
        heads = self.heads(connection, of, items)
        if of.kind != "provisional":
            for each, head in zip(items, heads, strict=True):
                yield ListJob(each["no"], head, self._rows(connection, of, each))
            return
        standing = self._standing(connection, of)
        together = groupby(zip(items, heads, strict=True), key=lambda pair: (pair[0]["municipality"], pair[1].script))
        for (municipality, script), pairs in together:
            lists = list(pairs)
            stations = [each["station"] for each, _ in lists]
            rows = from_register.rows_of(connection, standing, municipality, stations, script)
            for each, head in lists:
                yield ListJob(each["no"], head, rows[each["station"]])

    def _rows(self, connection: sa.Connection, of: Run, each: Item) -> list[Row]:
        if of.kind == "statistics":
            called = self._roll(connection, of.election).called
            try:
                return list(statistics_rows(connection, called, self._municipalities, each["municipality"]))
            except BusyError as error:
                raise from_roll.NotReadyError("the accounts of the roll are being counted") from error
        kind: Any = of.kind
        return list(from_roll.rows_of(connection, of.election, kind, scope_of(each), script_of(each)))

    def _roll(self, connection: sa.Connection, election: str) -> Basis:
        basis = self._basis
        if basis is None or basis.called.election != election:
            basis = self._basis = from_roll.basis_of(connection, self._store, election)
        return basis

    def _standing(self, connection: sa.Connection, of: Run) -> Standing:
        if of.as_of is None:
            raise LookupError("a provisional excerpt shows a day")
        return from_register.standing_of(connection, self._store, of.election, of.as_of, of.conclusion)


def scope_of(each: Item) -> ListScope:
    """What a list covers."""
    return ListScope(each["municipality"], each["station"], each["mission"])


def script_of(each: Item) -> Script:
    """The script of a list."""
    return cast("Script", each["script"])


def _check_days(connection: sa.Connection, as_of: date) -> None:
    """Accept a day that is shown already, or one of the first so many of its year."""
    shown = sa.select(run.c.as_of).where(
        run.c.election == "", run.c.state.not_in(("failed", "cancelled")), sa.extract("year", run.c.as_of) == as_of.year
    )
    days = set(connection.scalars(shown.distinct())) | {as_of}
    if len(days) > from_register.DAYS_A_YEAR:
        sentence = "Without an election the register is shown as of two days of a year"
        raise Refusal("calendar", sentence, provision=from_register.PROVISION)


def items_of(which: UUID, lists: Sequence[ListScope], scripts: Sequence[Script]) -> list[dict[str, Any]]:
    """The lists of a new run, numbered in the order of drawing."""
    pairs = [(script, scope) for script in scripts for scope in lists]
    return [
        {
            "run": which,
            item.c.no.name: no,
            "script": script,
            "municipality": scope.municipality,
            "station": scope.station,
            "mission": scope.mission,
        }
        for no, (script, scope) in enumerate(pairs)
    ]
