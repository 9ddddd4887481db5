"""A citizen asks for the own entry (Art. 3.3): in words, with the polling station, without number or address.

Every mismatch gets one and the same answer after one and the same time: nobody learns whether the number, the surname
or the day was wrong, or whether there is such a person at all.
"""

from __future__ import annotations

import asyncio
import math
import time
from datetime import date
from typing import Annotated, Final

import msgspec
import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool

from register.access.self_check import (
    FAILURES,
    QUESTIONS,
    LimitReachedError,
    address_hash,
    give_back,
    identity_hash,
    limits_key,
    take,
)
from register.api import problems
from register.api.system import System
from register.law.alphabet import fold
from register.law.dossier import live
from register.law.events import Name, PollingStation
from register.law.provisions import Refusal
from register.projection import queries
from register.settings import today

#: Every answer leaves at a whole number of these after the question came (seconds).
BEAT: Final = 0.4


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What citizens know of themselves."""

    jmb: Annotated[str, msgspec.Meta(max_length=64)]
    surname: Name
    born_on: date


class Station(msgspec.Struct, frozen=True):
    """Where the voter votes."""

    code: str
    name: str
    address: str


class OwnEntry(msgspec.Struct, frozen=True):
    """The own entry in words; ``matched`` False: nothing is said. ``position``: what the answer rests on."""

    matched: bool
    entry: str
    entered: bool | None = None
    municipality: str | None = None
    voting_option: str | None = None
    polling_station: Station | None = None
    position: int | None = None


MISMATCH: Final = OwnEntry(
    False, "These details match no entry. Check them, or ask the municipal election commission of your residence."
)
_OPTIONS: Final = {
    "in-person-1991": "in person in the municipality of 1991",
    "absentee-1991": "in absence, for the municipality of 1991",
    "mail": "by mail",
    "diplomatic-mission": "at a diplomatic mission",
}


async def own_entry(system: System, question: Question, address: str) -> OwnEntry:
    """The own entry, or :data:`MISMATCH`. ``address``: where the question comes from.

    Raises ``Refusal("rate")`` beyond the limits, and ``NotReadyError`` when the register does not answer.
    """
    begun = time.monotonic()
    try:
        return await run_in_threadpool(_asked, system, question, address)
    finally:
        spent = time.monotonic() - begun
        await asyncio.sleep(BEAT * math.ceil(spent / BEAT) - spent)


def _asked(system: System, question: Question, address: str) -> OwnEntry:
    """Counts the question as a failure first, of the person and of the address, and takes that back where it was none.

    A household that shares one address may so ask as often as it is right.
    """
    day = today(system.clock())
    key = limits_key(system.settings.data, system.entropy)
    identity = identity_hash(key, day, question.surname, question.born_on)
    origin = address_hash(key, day, address)
    engine = system.database.engine
    try:
        with engine.begin() as connection:
            take(connection, day, "address", origin, QUESTIONS)
            take(connection, day, "identity", identity, FAILURES)
        with engine.begin() as connection:
            found = _look_up(system, connection, question, day)
            if found.matched:
                give_back(connection, day, "address", origin)
                give_back(connection, day, "identity", identity)
            return found
    except LimitReachedError:
        sentence = "This has been asked too often today; your municipal election commission tells you in person"
        raise Refusal("rate", sentence) from None
    except (sa.exc.OperationalError, sa.exc.TimeoutError) as error:
        raise problems.NotReadyError("The register does not answer right now") from error


def _look_up(system: System, connection: sa.Connection, question: Question, day: date) -> OwnEntry:
    position = queries.position(connection)
    stream = system.store.stream_of(f"jmb:{question.jmb}")
    who = None if stream is None else queries.person_of(connection, stream, position)
    row = None if who is None else queries.voter(connection, who, day, position)
    if (
        row is None
        or row["surname"] is None
        or row["jmb"] != question.jmb
        or fold(row["surname"]) != fold(question.surname.strip())
        or row["born_on"] != question.born_on
    ):
        return MISMATCH
    if not row["entered"]:
        sentence = "You are not entered in the Central Voters Register today; your municipal commission tells you why."
        return OwnEntry(True, sentence, entered=False, position=position)
    known = system.municipalities.get(row["counts_in"])
    municipality = row["counts_in"] if known is None else known.name
    station = _station(system, row, position, day)
    return OwnEntry(
        True,
        _in_words(municipality, row["voting_option"], station),
        entered=True,
        municipality=municipality,
        voting_option=row["voting_option"],
        polling_station=station,
        position=position,
    )


def _in_words(municipality: str, option: str, station: Station | None) -> str:
    words = f"You are entered in the Central Voters Register and counted in {municipality}."
    if option in _OPTIONS:
        return f"{words} You vote {_OPTIONS[option]}."
    if station is None:
        return f"{words} No polling station covers your address yet; ask your municipal election commission."
    return f"{words} You vote at polling station {station.code}, {station.name}, {station.address}."


def _station(system: System, row: queries.Row, position: int, day: date) -> Station | None:
    """The station as it was last described with effect up to the day (R-tie)."""
    code = row["polling_station"]
    stream = None if code is None else system.store.stream_of(f"station:{row['municipality']}:{code}")
    if stream is None:
        return None
    described = [
        (event.data.effective_on, event.weight, event.data)
        for event in live(system.store.stream(stream, upto=position))
        if isinstance(event.data, PollingStation) and event.data.effective_on <= day
    ]
    if not described:
        return None
    station = max(described, key=lambda found: found[:2])[2]
    return Station(station.code, station.name, station.address)
