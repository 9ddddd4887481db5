"""Questions drawn at random, each answered twice: by the register as callers ask it, and by the law from the events.

A question is a person, a day and a position. One answer is what ``GET /v1/voters/{person}`` gives, by the very queries
it asks. The other is folded from the events of that person's streams known at that position, with no help from the
register's tables: links and polling stations come from the event store too. Every member must be the same, the polling
station among them. A thousand questions of a nation take seconds, beside minutes for all of ``cvr verify``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg
import sqlalchemy as sa

from register.audit.reading import Connection, decoded, head, rows_about, rows_between, rows_of
from register.audit.replay.lines import COLUMNS, row
from register.audit.verify.findings import Findings, Report, concluded
from register.audit.verify.sealed import newest
from register.law.dossier import Stretch, live, timeline
from register.law.events import AboutPerson, Event, JmbReplaced, PollingStation, PollingStationAbolished
from register.law.persons import members, persons
from register.law.territory import Coverage, station_on
from register.projection import queries
from register.store.subjects import streams_of, streams_of_kind

#: So many events are looked at, at the most, to draw one person.
_TRIES: Final = 200
_FIRST_DAY: Final = date(1990, 1, 1)
#: So far ahead days are drawn.
_AHEAD: Final = timedelta(days=3 * 365)
_STATIONS: Final = (PollingStation, PollingStationAbolished)

Row = tuple[str, ...]


class Question(msgspec.Struct, frozen=True):
    """A stream of a personal number, a day, a position."""

    stream: UUID
    on: date
    known: int


def check_answers(
    engine: sa.Engine,
    *,
    questions: int,
    seed: int,
    today: date,
    progress: Callable[[str, int, int], None] = lambda _what, _done, _all: None,
) -> Report:
    """Draw so many questions and compare the answers; reads only, in one snapshot.

    Persons are drawn by their events: who has more of them is drawn more often. Half of the days and positions are
    drawn from all there are, half from those at which something changes for the person, or the one before. The same
    ``seed``, register and ``today`` draw the same questions. Raises ``OtherFormError``, psycopg errors.
    """
    findings, counted = Findings(), defaultdict[str, int](int)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        position = queries.position(connection)
        law = _Law(_beneath(connection), position)
        random = Random(seed)  # noqa: S311 - the same questions can be asked again; nothing secret hangs on them
        for number, (question, events) in enumerate(law.drawn(random, questions, today), 1):
            expected = law.answer(question, events)
            found = _found(connection, question)
            _compare(question, expected, found, findings)
            for what in _kinds(expected):
                counted[what] += 1
            progress("answers, beside those of the events", number, questions)
        last, sealed = head(_beneath(connection)), newest(_beneath(connection))
    what = "persons on random days as known at random positions: the register answers what their events give"
    told = ", ".join(f"{counted[name]:,} {name}" for name in ("entered", "not entered", "not known yet"))
    notes = [f"seed {seed}: {told}; {counted['station']:,} with a polling station"]
    check = concluded("answers", what, counted["all"], "answers", findings, notes=notes, detail=[dict(counted)])
    return Report(head=last, position=position, sealed=sealed[0] if sealed else 0, checks=[check])


class _Law:
    """Answers from events alone. What is about all persons (links, stations) is read once."""

    def __init__(self, connection: Connection, position: int) -> None:
        self._connection = connection
        self._position = position
        self._links = _links(connection, position)
        self._stations: defaultdict[str, list[Event]] = defaultdict(list)
        events = decoded(rows_of(connection, streams_of_kind(connection, "station"), position))
        home = {event.stream: event.data.municipality for event in events if isinstance(event.data, _STATIONS)}
        for event in events:
            self._stations[home[event.stream]].append(event)

    def drawn(self, random: Random, wanted: int, today: date) -> Iterator[tuple[Question, list[Event]]]:
        """Questions, each with the events of all streams that links may ever have connected with the person's."""
        for _ in range(wanted * _TRIES if self._position else 0):
            if not wanted:
                return
            ((_, stream, *_),) = rows_between(self._connection, at := random.randint(0, self._position - 1), at + 1)
            events = decoded(rows_of(self._connection, self._links.get(stream, {stream}), self._position))
            if any(isinstance(event.data, AboutPerson) for event in events):
                wanted -= 1
                yield self._question(random, stream, events, today), events

    def _question(self, random: Random, stream: UUID, events: Sequence[Event], today: date) -> Question:
        known = random.randint(0, self._position)
        if random.random() < 0.5:
            known = random.choice(events).position - random.randint(0, 1)
        on = _FIRST_DAY + timedelta(days=random.randrange((today + _AHEAD - _FIRST_DAY).days))
        changes = [stretch.from_ for stretch in _stretches(stream, _known(events, known))[1] if stretch.from_.year > 1]
        if changes and random.random() < 0.5:
            on = random.choice(changes) - timedelta(days=random.randint(0, 1))
        return Question(stream, on, known)

    def answer(self, question: Question, events: Iterable[Event]) -> Row | None:
        """What the events say; None when nothing of the person was known."""
        who, stretches = _stretches(question.stream, _known(events, question.known))
        for stretch in stretches:
            if stretch.from_ <= question.on < stretch.to:
                return row(who, stretch, self._station(stretch, question))
        return None

    def _station(self, stretch: Stretch, question: Question) -> str | None:
        address = stretch.answer.voting_address
        if address is None:
            return None
        stations = live(_known(self._stations[address.municipality], question.known))
        covering = station_on(Coverage(address.municipality, stations).resolve(address), question.on)
        return None if covering is None else covering.station


def _known(events: Iterable[Event], position: int) -> list[Event]:
    return [event for event in events if event.position <= position]


def _stretches(stream: UUID, events: Iterable[Event]) -> tuple[UUID, Sequence[Stretch]]:
    """Who the person of a stream is, and the timeline; an empty one when nothing is known of the stream."""
    streams: defaultdict[UUID, list[Event]] = defaultdict(list)
    for event in events:
        streams[event.stream].append(event)
    if stream not in streams:
        return stream, ()
    who = members(streams)[stream]
    return who, timeline(persons(streams)[who])


def _links(connection: Connection, position: int) -> dict[UUID, set[UUID]]:
    """Stream -> all streams that links between numbers, live or not, ever connected with it, itself among them."""
    links = decoded(rows_about(connection, [JmbReplaced.TOPIC], position))
    replaced = [(event.stream, event.data.new_jmb) for event in links if isinstance(event.data, JmbReplaced)]
    stream_of: Mapping[str, UUID] = streams_of(connection, sorted({f"jmb:{number}" for _, number in replaced}))
    groups: dict[UUID | str, set[UUID | str]] = {}
    for stream, number in replaced:
        # A number nothing was filed under yet can connect two streams all the same.
        other = stream_of.get(f"jmb:{number}", number)
        joined = groups.get(stream, {stream}) | groups.get(other, {other})
        groups.update(dict.fromkeys(joined, joined))
    return {
        stream: {each for each in group if isinstance(each, UUID)}
        for stream, group in groups.items()
        if isinstance(stream, UUID)
    }


def _found(connection: sa.Connection, question: Question) -> Row | None:
    """What the register says, as ``GET /v1/voters/{person}`` asks it."""
    who = queries.person_of(connection, question.stream, question.known)
    found = None if who is None else queries.voter(connection, who, question.on, question.known)
    if found is None:
        return None
    days = found["days"]
    values = {**found, "grounds": " ".join(found["grounds"]), "from": days.lower, "to": days.upper}
    return tuple(_text(values[name]) for name in COLUMNS)


def _text(value: Any) -> str:
    """A value of the register as a replay's line has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _compare(question: Question, expected: Row | None, found: Row | None, findings: Findings) -> None:
    if expected == found:
        return
    if expected is None or found is None:
        differing = "nothing is known of the person" if expected is None else "the register knows nothing"
    else:
        names = (name for name, mine, theirs in zip(COLUMNS, expected, found, strict=True) if mine != theirs)
        differing = ", ".join(names)
    findings.add(
        f"the answer for {question.on} as known here is otherwise: {differing}", question.known, question.stream
    )


def _kinds(expected: Row | None) -> Iterator[str]:
    yield "all"
    if expected is None:
        yield "not known yet"
        return
    told = dict(zip(COLUMNS, expected, strict=True))
    yield "entered" if told["entered"] == "true" else "not entered"
    if told["polling_station"]:
        yield "station"


def _beneath(connection: sa.Connection) -> psycopg.Connection[Any]:
    """The driver's connection, in the same transaction."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("not a connection of psycopg")
    return driver
