"""How many voters the polling stations of a municipality have, and how a large one could be divided (Art. 5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal, cast

import msgspec
import psycopg
import sqlalchemy as sa
from fastapi import APIRouter, Query, Response

from register.acts import elections
from register.api import problems
from register.api.elections import CurrentCaller, journal
from register.api.knowledge import Asked, AtLeast, answers, private, resting_on
from register.api.system import CurrentSystem, System
from register.law.calendar import calendar_of
from register.law.competence import may_look
from register.law.deficiencies.stations import StreetCount, gathered, proposed_split
from register.law.dossier import live
from register.law.events import PollingStation
from register.law.parameters import RuleSet, in_force
from register.law.territory import stations_on
from register.projection.station_sizes import streets_of_roll, streets_on
from register.projection.tables import frozen_roll
from register.store.subjects import streams_of_kind

router = APIRouter(tags=["elections"])

Verdict = Literal["too-few", "usual", "too-many"]


class Street(msgspec.Struct, frozen=True):
    """How many voters live in a street; ``street`` null: in the settlement, at addresses without one."""

    settlement: str | None
    street: str | None
    voters: int


class Part(msgspec.Struct, frozen=True):
    """One of the stations that a large one could become."""

    voters: int
    streets: list[Street]


class Station(msgspec.Struct, frozen=True):
    """A polling station in force, its voters, and for one with too many how it could be divided by streets."""

    station: str
    name: str | None
    voters: int
    size: Verdict
    proposal: list[Part] | None


class Sizes(msgspec.Struct, frozen=True):
    """The stations of a municipality by code. ``rests_on``: the frozen roll, or the register on ``day`` as known now.

    ``least`` and ``most``: how many voters a station generally has.
    """

    items: list[Station]
    municipality: str
    least: int
    most: int
    day: date
    rests_on: Literal["roll", "register"]
    position: int


@router.get(
    "/v1/elections/{id}/station-sizes",
    responses=problems.responses(401, 403, 404, 422, 503) | answers(Sizes),
)
async def read_station_sizes(
    id: str,
    system: CurrentSystem,
    caller: CurrentCaller,
    municipality: Annotated[str, Query(pattern=r"^[0-9]{5}$", description="The municipality's statistical code")],
    at_least: AtLeast = 0,
) -> Response:
    """Polling stations of a municipality with their voters and, for large ones, a proposed split by street.

    For the CEC, auditors and the municipality's own commission. Each look is journalled: a street may be one house.
    """
    scope = may_look(caller, "station-sizes")
    election = elections.load(system.store, id)
    if election is None or not scope.covers(municipality) or municipality not in system.municipalities:
        raise problems.NotFoundError

    def work(connection: sa.Connection, position: int) -> Sizes:
        frozen = connection.scalar(sa.select(frozen_roll.c.conclusion).where(frozen_roll.c.election == id))
        journal(connection, system, caller, "station-sizes", election=id, municipality=municipality)
        upto = position if frozen is None else int(frozen) - 1
        return _sizes(connection, system, election, municipality, upto, frozen=frozen is not None)

    return private(await resting_on(system, Asked(None, None, at_least), work))


def _sizes(
    connection: sa.Connection,
    system: System,
    election: elections.Election,
    municipality: str,
    position: int,
    *,
    frozen: bool,
) -> Sizes:
    day = calendar_of(election.called).conclusion_day
    raw = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    streams = system.store.streams(streams_of_kind(raw, "station"), upto=position)
    known = stations_on((event for events in streams.values() for event in live(events)), day)
    if frozen:
        streets = streets_of_roll(raw, election.called.election, municipality)
    else:
        streets = streets_on(raw, day, municipality)
    rules = in_force(day)
    here = {code: data for (town, code), data in known.items() if town == municipality}
    items = [_station(code, here.get(code), streets.get(code, ()), rules) for code in sorted({*here, *streets})]
    return Sizes(
        items=items,
        municipality=municipality,
        least=rules.station_voters_least,
        most=rules.station_voters_most,
        day=day,
        rests_on="roll" if frozen else "register",
        position=position,
    )


def _station(code: str, data: PollingStation | None, streets: Sequence[StreetCount], rules: RuleSet) -> Station:
    voters = sum(one.voters for one in streets)
    size: Verdict = "usual"
    if voters < rules.station_voters_least:
        size = "too-few"
    elif voters > rules.station_voters_most:
        size = "too-many"
    split = proposed_split(gathered(streets), rules)
    return Station(code, None if data is None else data.name, voters, size, None if split is None else _parts(split))


def _parts(split: Sequence[Any]) -> list[Part]:
    return [Part(each.voters, [Street(*msgspec.structs.astuple(one)) for one in each.streets]) for each in split]
