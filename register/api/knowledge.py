"""On which day and on which knowledge an answer rests: ``on``, ``known_at``, ``at_least`` (contract: section 3).

One answer is one transaction and one position. Who asks for a position the register has not reached yet waits a little
without holding a thread or a connection.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import msgspec
import sqlalchemy as sa
from fastapi import Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator
from starlette.concurrency import run_in_threadpool

from register.access import PersonalNumberError, journal_look
from register.api import problems
from register.api.system import System
from register.database import written_with
from register.law.competence import Caller
from register.projection import queries
from register.projection.forms import OtherFormError
from register.settings import CIVIL_ZONE, today

#: Seconds an answer waits for the register to reach a position, and between two looks.
PATIENCE: Final = 5.0
PAUSE: Final = 0.05
#: The greatest position PostgreSQL could hold.
LAST: Final = 2**63 - 1
#: What may not be cached, nor told to another site (contract: answers about people).
PRIVATE: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: RFC 3339; a plus sign that came unescaped in a query is a space by now.
_INSTANT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,6})?[0-9]*([Zz]|[ +-][0-9]{2}:[0-9]{2})"
)

T = TypeVar("T")
Work = Callable[[sa.Connection, int], T]
Noted = str | int | bool | date | None


def _day(value: object) -> object:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError
    return value


#: A day as ``YYYY-MM-DD`` and in no other spelling.
Day = Annotated[date, BeforeValidator(_day)]
On = Annotated[Day | None, Query(description="The day asked about (default: today)")]
AtLeast = Annotated[int, Query(ge=0, le=LAST, description="Answer once the register rests on this position")]
KnownAt = Annotated[
    str | None,
    Query(max_length=64, description="Answer from what was known at this position, or instant (RFC 3339)"),
]
Limit = Annotated[int, Query(ge=1, le=1_000, description="Items of a page, at most")]
MunicipalityCode = Annotated[str, Query(pattern=r"^[0-9]{5}$", description="The municipality's statistical code")]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller asked for: the day (None: today), and the knowledge (None: all there is)."""

    on: date | None
    known_at: int | datetime | None
    at_least: int

    def day(self, now: datetime) -> date:
        """The day asked about, at the instant ``now``."""
        return self.on or today(now)


async def asked(on: On = None, known_at: KnownAt = None, at_least: AtLeast = 0) -> Asked:
    """Dependency: day and knowledge of a read. Raises ``RequestValidationError`` for what cannot be meant."""
    return Asked(on, None if known_at is None else read_known_at(known_at), at_least)


AskedFor = Annotated[Asked, Depends(asked)]


def read_known_at(text: str, parameter: str = "known_at") -> int | datetime:
    """A position or an instant. Raises ``RequestValidationError`` for anything else."""
    if text.isascii() and text.isdigit():
        return min(int(text), LAST)
    return read_instant(text, parameter)


def read_instant(text: str, parameter: str) -> datetime:
    """An RFC 3339 instant. Raises ``RequestValidationError`` that points to the query parameter."""
    found = _INSTANT.fullmatch(text)
    if found is None:
        raise impossible(parameter)
    day, clock, fraction, zone = found.groups()
    try:
        return datetime.fromisoformat(f"{day}T{clock}{fraction or ''}{zone.replace(' ', '+').upper()}")
    except ValueError:
        raise impossible(parameter) from None


def read_moment(text: str | None, parameter: str) -> datetime | None:
    """An RFC 3339 instant, or a day, which means its beginning in Bosnia and Herzegovina. Raises as above."""
    if text is None:
        return None
    if not _DAY.fullmatch(text):
        return read_instant(text, parameter)
    try:
        return start_of(date.fromisoformat(text))
    except ValueError:
        raise impossible(parameter) from None


def start_of(day: date) -> datetime:
    """The instant at which a civil day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=CIVIL_ZONE)


def day_before(day: date, days: int = 1) -> date:
    """The day so many days earlier; the first day there is has none before it."""
    return day - timedelta(days=min(days, day.toordinal() - 1))


def impossible(parameter: str, kind: str = "value_error") -> RequestValidationError:
    """The error for a query parameter that cannot be meant; its value is not repeated."""
    return RequestValidationError([{"loc": ("query", parameter), "type": kind}])


async def resting_on(system: System, asked: Asked, work: Work[T], *, may_lag: bool = False) -> T:
    """What ``work(connection, position)`` gives, in one transaction that sees one state and is committed.

    ``position`` is what ``known_at`` means, else the one the tables rest on. Waits for ``at_least`` and for
    ``known_at`` up to :data:`PATIENCE`; raises ``NotReadyError`` after it, and when the database does not answer, so
    that nothing is shown whose look could not be journalled.

    What ``may_lag`` by a moment is read from a standby that has reached ``at_least``, if there is one that is fit:
    ``work`` then writes nothing but by :func:`journal`.
    """
    read = _from_standby if may_lag and system.standbys else _once
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return await run_in_threadpool(read, system, asked, work)
        except queries.BehindError:
            if time.monotonic() >= deadline:
                raise problems.NotReadyError("The register has not reached this position yet") from None
        await asyncio.sleep(PAUSE)


def _once(system: System, asked: Asked, work: Work[T]) -> T:
    try:
        with system.database.readings.begin() as connection:
            return work(connection, position_for(system, connection, asked))
    except (sa.exc.OperationalError, sa.exc.TimeoutError) as error:
        raise problems.NotReadyError("The register does not answer right now") from error


def _from_standby(system: System, asked: Asked, work: Work[T]) -> T:
    """From the first standby that can, else from the primary."""
    for standby in system.standbys.reached(asked.at_least):
        try:
            with standby.reading() as connection:
                found = work(connection, position_for(system, connection, asked))
        except (queries.BehindError, OtherFormError):
            continue
        except (sa.exc.OperationalError, sa.exc.TimeoutError):
            standby.failed()
            continue
        system.metrics.read(f"standby-{standby.ordinal}")
        return found
    found = _once(system, asked, work)
    system.metrics.read("primary")
    return found


def journal(
    connection: sa.Connection, system: System, caller: Caller, what: str, *, person: UUID | None = None, **detail: Noted
) -> None:
    """Write down a look; it is committed with the transaction, before the answer leaves. Always on the primary.

    ``municipality`` goes into a column of its own, everything else into the detail. Raises ``NotReadyError`` when it
    cannot be written, so that the look is not answered, and ``RequestValidationError`` for a parameter that could be
    a personal number, which must stand nowhere.
    """
    municipality = detail.pop("municipality", None)
    noted = {name: value.isoformat() if isinstance(value, date) else value for name, value in detail.items()}
    try:
        journal_look(
            written_with(connection),
            caller,
            what,
            now=system.clock(),
            person=person,
            municipality=municipality if isinstance(municipality, str) else None,
            detail={name: value for name, value in noted.items() if value is not None},
        )
    except PersonalNumberError as error:
        raise impossible(error.member) from None
    except sa.exc.DBAPIError as error:
        raise problems.NotReadyError("This look cannot be journalled right now") from error


def position_for(system: System, connection: sa.Connection, asked: Asked) -> int:
    """The position an answer rests on. Raises ``queries.BehindError`` while the tables are not there yet."""
    here = queries.position(connection)
    if here < asked.at_least:
        raise queries.BehindError(here)
    if asked.known_at is None:
        return here
    if isinstance(asked.known_at, datetime):
        wanted = system.store.position_at(asked.known_at)
    elif asked.known_at <= here:
        return asked.known_at
    else:
        wanted = min(asked.known_at, system.store.head())
    if wanted > here:
        raise queries.BehindError(here)
    return wanted


# --- answers --------------------------------------------------------------------------------------------------------


Item = TypeVar("Item")


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """A list, or a part of it: ``next`` is where the rest is to be had, None when there is none."""

    items: list[Item]
    next: str | None
    position: int


def answers(kind: type) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's ``responses`` for an answer of this form; structs within it are written out in place."""
    (whole,), components = msgspec.json.schema_components((kind,), ref_template="{name}")

    def written_out(part: Any) -> Any:
        if isinstance(part, list):
            return [written_out(each) for each in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return written_out(components[part["$ref"]])
        return {name: written_out(each) for name, each in part.items()}

    schema = written_out(whole)
    return {200: {"description": "The answer", "content": {"application/json": {"schema": schema}}}}


def private(value: Any) -> Response:
    """An answer about people."""
    return Response(msgspec.json.encode(value), headers=PRIVATE, media_type="application/json")


def following(request: Request, **parameters: object) -> str:
    """The relative URL of the next page: the same question, with these parameters instead; None leaves one out."""
    query = {name: value for name, value in request.query_params.items() if name not in parameters}
    query |= {name: str(value) for name, value in parameters.items() if value is not None}
    return f"{request.url.path}?{urlencode(query)}"
