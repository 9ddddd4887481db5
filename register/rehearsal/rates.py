"""How well deficiencies are found: what the inspector establishes beside what the feed was made to hold.

The feed is recorded whole, an election is called whose last day for options and whose conclusion lie around the feed's
end, and the register is inspected on that day and forty days later, when what was missing has been waited for.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from register.acts.inspection import Inspector, inspect_all
from register.database import Database
from register.intake.parse import Message, parse
from register.law.alphabet import fold
from register.law.deficiencies import KINDS
from register.law.deficiencies.history import Deficiency
from register.law.events import REGISTER, SOURCE_PREFIX, ElectionCalled
from register.law.franchise import comes_of_age
from register.law.parameters import in_force
from register.law.personal_number import birth_date
from register.projection.deficiencies import by_id
from register.projection.projector import follow
from register.rehearsal.generate import Line
from register.store import Pending, Store
from register.store.subjects import subjects_of

#: Days from the feed's end to election day: the last day for options is 15 days before that end.
ELECTION: Final = 60
OPTIONS_BEFORE: Final = 15
WAITED: Final = timedelta(days=40)
#: What else is rightly found about somebody with a fault of a kind: one wrong date shows in several ways.
FOLLOWS: Final[Mapping[str, frozenset[str]]] = {
    "two-under-one-number": frozenset({"number-disagrees", "before-birth"}),
    "one-under-two-numbers": frozenset({"citizen-without-residence"}),
    "number-disagrees": frozenset({"before-birth"}),
}
#: What only the living do.
_OF_THE_LIVING: Final = frozenset({"residence", "citizenship", "voting-option", "entity-option"})
#: Addresses: what is found is compared by settlement.
_UNCOVERED: Final = "address-uncovered"
_CROWDED: Final = "crowded-address"
#: There is nothing to compare these with: the feed ends, and nobody says what should have come after it, or on paper.
UNMEASURED: Final = frozenset(
    {
        "address-ambiguous",
        "ahead-of-time",
        "control-total",
        "silent-day",
        "station-size",
        "written-notice-missing",
    }
)


class Rate(msgspec.Struct, frozen=True):
    """Of one kind: faults made, deficiencies found; of these true, following from another fault, and false; missed."""

    kind: str
    made: int
    found: int
    true: int
    following: int
    false: int
    missed: int


class Truth:
    """What a feed was made to hold: by kind, the personal numbers (or settlements, or days) it is about."""

    def __init__(self, until: date) -> None:
        self._options_until = until - timedelta(days=OPTIONS_BEFORE)
        self._election = until + timedelta(days=ELECTION)
        self.about: defaultdict[str, set[str]] = defaultdict(set)
        self.with_entity: set[str] = set()
        self._deaths: dict[tuple[str, str], tuple[str, str]] = {}
        self._alive: defaultdict[str, str] = defaultdict(str)
        self._options: defaultdict[str, tuple[str, str]] = defaultdict(lambda: ("", ""))
        self._homes: defaultdict[str, tuple[str, str]] = defaultdict(lambda: ("", ""))

    def learn(self, line: Line) -> None:
        """Take note of a recorded line."""
        data = json.loads(line.body)["data"]
        if line.kind == "entity-option":
            self.with_entity.add(data["jmb"])
        if line.mark in KINDS:
            self.about[line.mark].add(data["jmb"])
        elif line.kind == "voting-option" and data["option"] != "mobile-team":
            self._note_option(data)
        if line.kind == "voting-option" and data["option"] != "mobile-team":
            self._options[data["jmb"]] = max(self._options[data["jmb"]], (data["effective_on"], line.mark or ""))
        if line.kind == "residence" and data["kind"] == "permanent":
            uncovered = f"{data['municipality']}:{fold(data['settlement'])}" if line.mark == "uncovered" else None
            self._homes[data["jmb"]] = max(self._homes[data["jmb"]], (data["effective_on"], uncovered or ""))
        if line.kind == "death":
            self._deaths[line.source, line.id] = (data["jmb"], data["effective_on"])
        elif line.kind == "annulment":
            self._deaths.pop((line.source, data["annuls"]), None)
        elif line.kind in _OF_THE_LIVING:
            self._alive[data["jmb"]] = max(self._alive[data["jmb"]], data["effective_on"])

    def _note_option(self, data: dict[str, Any]) -> None:
        votes = comes_of_age(birth_date(data["jmb"]), in_force(self._election).voting_age) <= self._election
        if votes and data["effective_on"] > self._options_until.isoformat():
            self.about["late-option"].add(data["jmb"])

    def conclude(self) -> None:
        """Take note of what shows only in the end.

        Who moved after a death reported late, who lives at no station's; who left a crowd for another way to vote.
        """
        self.about[_UNCOVERED] = {uncovered for _, uncovered in self._homes.values() if uncovered}
        self.about[_CROWDED] = {jmb for jmb in self.about[_CROWDED] if self._options[jmb][1] == _CROWDED}
        self.about["after-death"] |= {jmb for jmb, died in self._deaths.values() if self._alive[jmb] > died}

    def says(self, kind: str, about: set[str]) -> str:
        """Of what was found: ``true``, ``following`` from another fault, or ``false``."""
        if kind == "no-entity-option":
            return "false" if about & self.with_entity else "true"
        if about & self.about[kind]:
            return "true"
        causes = (cause for cause, others in FOLLOWS.items() if kind in others)
        return "following" if any(about & self.about[cause] for cause in causes) else "false"


def measure(database: Database, store: Store, lines: Iterable[Line], until: date) -> list[Rate]:
    """Record the lines of a feed that ends before ``until``, inspect, and compare; a rate for each kind measured."""
    truth = Truth(until)
    now = datetime.combine(until, time(8), UTC)
    _record(store, lines, truth, now)
    truth.conclude()
    day = until + timedelta(days=ELECTION)
    called = ElectionCalled(
        election="measured", kind="general", early=False, day=day, called_on=day - timedelta(days=200)
    )
    store.append([Pending(source=REGISTER, id="called", time=now, data=called, salt="cw==")], now=now)
    for moment in (now, now + WAITED):
        _inspect(database, store, moment)
    return _compared(database, truth)


def _record(store: Store, lines: Iterable[Line], truth: Truth, now: datetime) -> None:
    pending: list[Pending] = []
    for number, line in enumerate(lines):
        if line.expect != "recorded":
            continue
        truth.learn(line)
        message = parse(line.body)
        if not isinstance(message, Message):
            raise TypeError("a generated notice cannot be read")
        salt = f"{number:022d}=="
        pending.append(Pending(source=message.source, id=message.id, time=message.time, data=message.data, salt=salt))
        if len(pending) == 5_000:
            store.append(pending, now=now)
            pending.clear()
    store.append(pending, now=now)


def _inspect(database: Database, store: Store, now: datetime) -> None:
    inspector = Inspector(database.psycopg, store, clock=lambda: now, entropy=os.urandom)
    with database.psycopg() as connection, database.psycopg() as projecting:

        def project() -> None:
            while follow(projecting, store):
                pass

        inspect_all(inspector, connection, project)


def _compared(database: Database, truth: Truth) -> list[Rate]:
    with database.psycopg() as connection:
        ids = [which for (which,) in connection.execute("SELECT id FROM projection.deficiency").fetchall()]
        found = [each for each in by_id(connection, ids) if each.stands]
        streams = {UUID(person) for each in found for person in each.persons}
        numbers = {s: name.removeprefix("jmb:") for s, name in subjects_of(connection, streams).items()}
    rates = []
    for kind in KINDS:
        if kind in UNMEASURED:
            continue
        ours = [_about(each, numbers) for each in found if each.kind == kind]
        said = [truth.says(kind, about) for about in ours]
        made = truth.about[kind]
        missed = made - set[str]().union(*ours)
        rates.append(
            Rate(
                kind,
                len(made),
                len(ours),
                said.count("true"),
                said.count("following"),
                said.count("false"),
                len(missed),
            )
        )
    return rates


def _about(found: Deficiency, numbers: Mapping[UUID, str]) -> set[str]:
    """Whom or what a deficiency is about, as the feed names it."""
    if found.persons:
        return {numbers[UUID(person)] for person in found.persons}
    return {found.key.rstrip("\x1f").removeprefix(SOURCE_PREFIX)}
