"""Histories for Hypothesis: what authorities might send about one to three numbers, in any order, with annulments.

Days lie close together, so that several events fall on one day, and the persons come of age among them: whoever asks
every day of ``WINDOW`` and one far on either side has asked them all.

A history is decoded from a few bytes for each event, one after the other: drawing every choice by itself would cost
five times as much as putting both readings to it. Fewer and smaller bytes make a shorter and simpler history, so that
what fails is shrunk as ever. ``PROPERTY_EXAMPLES`` and ``--hypothesis-seed`` say how many, and which.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from register.law.events import (
    AboutPerson,
    Annulment,
    AnyData,
    CapacityRestored,
    CapacityWithdrawn,
    Citizen,
    Citizenship,
    CitizenshipEnded,
    Death,
    EntityOption,
    Event,
    JmbReplaced,
    PersonalData,
    RefugeeStatus,
    RefugeeStatusEnded,
    ReportedDeceased,
    Residence,
    ResidenceEnded,
    VotingBarEnded,
    VotingBarred,
    VotingOption,
)

#: How many histories each property tries; the nightly run and a release ask for 100,000.
EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "0"))


def tried(usual: int) -> settings:
    """Settings of a property: no other histories from run to run, unless a number of them is asked for.

    Hypothesis mixes in constants of the modules loaded: with other tests beside it, a property sees other histories.
    """
    return settings(
        max_examples=EXAMPLES or usual,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )


def run_until(
    enough: Callable[[], bool], look: Callable[..., None], usual: int, *strategies: st.SearchStrategy[Any]
) -> None:
    """Put so many examples to ``look``, and so many others, until it has seen enough; eight runs at most.

    One run alone may hold too little of something: the examples of a run are much like each other.
    """
    for which in range(8):
        if not which or not enough():
            seed(which)(settings(tried(usual), derandomize=False)(given(*strategies)(look)))()


FIRST, LAST = date(2024, 2, 25), date(2024, 3, 10)
DAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
FAR = (date(1950, 1, 1), date(2090, 1, 1))
#: All days on which anything can change, one before and one after, and far off on both sides.
WINDOW = [FAR[0], FIRST - timedelta(days=1), *DAYS, LAST + timedelta(days=1), FAR[1]]

BIHAC, BANJA_LUKA, BRCKO = "10049", "20010", "30163"
MUNICIPALITIES = [BIHAC, BANJA_LUKA, BRCKO]
ELECTION = "general-2024"

NUMBERS = ["0101970100001", "0101970100002", "0101970100003"]
#: The order of the stream ids is not that of the numbers.
STREAMS = dict(zip(NUMBERS, [UUID(int=20), UUID(int=10), UUID(int=30)], strict=True))
#: Births whose 18th birthday lies in the window, on and beside 29 February (2006 has none; 2024 has one), long ago, and
#: on 29 February.
BIRTHS = [date(1970, 1, 1), date(2006, 2, 28), date(2006, 3, 1), date(2006, 3, 4), date(2004, 2, 29)]

_TIMES = [datetime(2024, 3, 1, hour, tzinfo=UTC) for hour in (8, 8, 9)]

Option = TypeVar("Option")


class Choices:
    """The choices of one event, out of its bytes."""

    #: Bytes of an event; enough for every choice of every type.
    SIZE = 10

    def __init__(self, drawn: bytes) -> None:
        self._left = int.from_bytes(drawn, "big")

    def of(self, options: Sequence[Option], /) -> Option:
        """One of these."""
        self._left, which = divmod(self._left, len(options))
        return options[which]


#: What makes (authority, data) about a number, effective on a day, out of choices and the events so far.
Statement = Callable[[Choices, str, date, list[Event]], tuple[str, AnyData]]

_REGISTRIES = ["registry-office:10049", "registry-office:20010"]
_COURTS = ["court:basic-court-bihac", "court:basic-court-brcko"]
_MINISTRY = "ministry:civil-affairs"
_SURNAMES = ["Hadžić", "Kovač", "Šarić"]
_GIVEN = ["Amra", "Sanja"]
_STREETS = [None, "Bosanska", "Krupska"]
_HOUSES = [None, "1", "2a", "bb"]


def _registry_office(c: Choices, jmb: str, on: date, events: list[Event]) -> tuple[str, AnyData]:
    sender = c.of(_REGISTRIES)
    match c.of(("citizen", "personal-data", "death")):
        case "citizen":
            return sender, Citizen(
                jmb=jmb,
                effective_on=on,
                surname=c.of(_SURNAMES),
                given_name=c.of(_GIVEN),
                parent_name="Ivan",
                sex=c.of("FFFM"),  # type: ignore[arg-type]
                born_on=c.of(BIRTHS),
                script=c.of((None, "Latn", "Cyrl")),
            )
        case "personal-data":
            return sender, PersonalData(
                jmb=jmb,
                effective_on=on,
                surname=c.of((None, *_SURNAMES)),
                given_name=c.of((None, *_GIVEN)),
                parent_name=c.of((None, "Marko")),
                sex=c.of((None, "F", "M")),
                born_on=c.of((None, None, *BIRTHS)),
            )
        case _:
            return sender, Death(jmb=jmb, effective_on=on)


def _residence_authority(c: Choices, jmb: str, on: date, events: list[Event]) -> tuple[str, AnyData]:
    here = c.of(MUNICIPALITIES)
    sender, kind = f"residence-authority:{here}", c.of(("permanent", "permanent", "permanent", "temporary", "abroad"))
    begins = c.of((True, False))
    if kind == "abroad":
        if not begins:
            return sender, ResidenceEnded(jmb=jmb, effective_on=on, kind="abroad")
        return sender, Residence(jmb=jmb, effective_on=on, kind="abroad", country="AT", foreign_address="Ring 1, Wien")
    if not begins:
        return sender, ResidenceEnded(jmb=jmb, effective_on=on, kind=kind, municipality=here)  # type: ignore[arg-type]
    return sender, Residence(
        jmb=jmb,
        effective_on=on,
        kind=kind,  # type: ignore[arg-type]
        municipality=here,
        settlement=c.of(("Grad", "Selo")),
        street=c.of(_STREETS),
        house_number=c.of(_HOUSES),
    )


def _ministry(c: Choices, jmb: str, on: date, events: list[Event]) -> tuple[str, AnyData]:
    match c.of(("citizenship", "citizenship-ended", "refugee-status", "refugee-status-ended")):
        case "citizenship":
            others = c.of(((), ("AT",)))
            return _MINISTRY, Citizenship(jmb=jmb, effective_on=on, other_citizenships=others)
        case "citizenship-ended":
            return _MINISTRY, CitizenshipEnded(jmb=jmb, effective_on=on)
        case "refugee-status":
            return _MINISTRY, RefugeeStatus(jmb=jmb, effective_on=on, municipality_1991=c.of(MUNICIPALITIES))
        case _:
            return _MINISTRY, RefugeeStatusEnded(jmb=jmb, effective_on=on)


def _court(c: Choices, jmb: str, on: date, events: list[Event]) -> tuple[str, AnyData]:
    sender = c.of(_COURTS)
    match c.of(("withdrawn", "restored", "barred", "ended")):
        case "withdrawn":
            extent = c.of(("full", "full", "partial"))
            return sender, CapacityWithdrawn(jmb=jmb, effective_on=on, extent=extent)  # type: ignore[arg-type]
        case "restored":
            return sender, CapacityRestored(jmb=jmb, effective_on=on)
        case "barred":
            ground = c.of(("1.6", "1.7", "1.7a"))
            return sender, VotingBarred(jmb=jmb, effective_on=on, ground=ground, cause="sentence")  # type: ignore[arg-type]
        case _:
            # A bar that came before, or one that will or may come.
            bars = [(e.id, e.source) for e in events if isinstance(e.data, VotingBarred | VotingBarEnded)]
            ends, source = c.of(bars) if bars else (_id(len(events) + 2), None)
            return sender, VotingBarEnded(jmb=jmb, effective_on=on, ends=ends, ends_source=c.of((source, None)))


def _commission_of(c: Choices) -> str:
    kind = c.of(("cec", "municipal-commission", "municipal-commission"))
    return kind if kind == "cec" else f"{kind}:{c.of(MUNICIPALITIES)}"


def _option(c: Choices, jmb: str, on: date, events: list[Event]) -> tuple[str, AnyData]:
    name = c.of(("regular", "mail", "mobile-team", "in-person-1991", "absentee-1991", "diplomatic-mission"))
    return _commission_of(c), VotingOption(
        jmb=jmb,
        effective_on=on,
        option=name,  # type: ignore[arg-type]
        municipality_1991=c.of(MUNICIPALITIES) if name.endswith("-1991") else None,
        mission="Wien" if name == "diplomatic-mission" else None,
        election=c.of((None, None, ELECTION, "another")),
    )


def _report(c: Choices, jmb: str, on: date, events: list[Event]) -> tuple[str, AnyData]:
    return _commission_of(c), ReportedDeceased(jmb=jmb, effective_on=on)


def _replacement(c: Choices, jmb: str, on: date, events: list[Event]) -> tuple[str, AnyData]:
    another = c.of([number for number in NUMBERS if number != jmb])
    return f"residence-authority:{c.of(MUNICIPALITIES)}", JmbReplaced(jmb=jmb, effective_on=on, new_jmb=another)


def _entity_option(c: Choices, jmb: str, on: date, events: list[Event]) -> tuple[str, AnyData]:
    entity = c.of(("FBiH", "RS"))
    return f"residence-authority:{BRCKO}", EntityOption(jmb=jmb, effective_on=on, entity=entity)  # type: ignore[arg-type]


#: By chapter, so that each has its share.
_STATEMENTS: Sequence[Statement] = (
    _registry_office,
    _residence_authority,
    _ministry,
    _court,
    _option,
    _option,
    _report,
    _replacement,
    _entity_option,
)
#: Voters of one place, who move and choose how to vote, and little else.
_OF_OPTIONS: Sequence[Statement] = (*_STATEMENTS, *[_option] * 10, _entity_option)


def _id(position: int) -> str:
    """Ids are not in the order of arrival, so that R-tie cannot follow it by chance."""
    return f"n{(position * 37) % 101:03}"


class _Recorder:
    """The events in the order recorded: positions 1, 2, 3 …"""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._versions: dict[UUID, int] = {}

    def record(self, authority: str, data: AnyData, stream: UUID, time: datetime) -> None:
        position = len(self.events) + 1
        version = self._versions[stream] = self._versions.get(stream, 0) + 1
        source = f"urn:cvr:authority:{authority}"
        recorded_at = datetime(2024, 4, 1, tzinfo=UTC) + timedelta(minutes=position)
        self.events.append(Event(position, stream, version, recorded_at, source, _id(position), time, data))

    def begin(self, c: Choices, jmb: str, of_options: bool) -> None:
        """One who is entered, or will be."""
        born_on = c.of(BIRTHS[:2])
        named = {"surname": "Begić", "given_name": "Amra", "parent_name": "Ivan", "sex": "F", "born_on": born_on}
        citizen = Citizen(jmb=jmb, effective_on=FIRST, **named)  # type: ignore[arg-type]
        self.record("registry-office:10049", citizen, STREAMS[jmb], _TIMES[0])
        home, settlement = (BIHAC, "Selo") if of_options else (c.of(MUNICIPALITIES), "Grad")
        lives = Residence(jmb=jmb, effective_on=FIRST, kind="permanent", municipality=home, settlement=settlement)
        self.record(f"residence-authority:{home}", lives, STREAMS[jmb], _TIMES[0])

    def go_on(self, c: Choices, known: Sequence[str], statements: Sequence[Statement]) -> None:
        """One more notice, or the annulment of one before."""
        time = c.of(_TIMES)
        taken_back = c.of((False, False, False, False, False, True)) if self.events else False
        if taken_back:
            target = c.of(self.events)
            if not isinstance(target.data, Annulment):
                authority = target.source.removeprefix("urn:cvr:authority:")
                self.record(authority, Annulment(annuls=target.id, reason="error"), target.stream, time)
            return
        jmb, on = c.of(known), c.of(DAYS)
        authority, data = c.of(statements)(c, jmb, on, self.events)
        self.record(authority, data, STREAMS[jmb], time)


@st.composite
def histories(draw: st.DrawFn, *, most: int = 40, numbers: int = 3, of_options: bool = False) -> list[Event]:
    """Events in the order recorded; most histories begin with persons who are entered.

    ``most``: so many events at most; ``of_options``: voters of one place, who move and choose how to vote.
    """
    statements = _OF_OPTIONS if of_options else _STATEMENTS
    recorder = _Recorder()
    c = Choices(draw(st.binary(min_size=4, max_size=4)))
    known = NUMBERS[: c.of(range(numbers)) + 1]
    if of_options or c.of((True, True, True, False)):
        for number in known:
            recorder.begin(c, number, of_options)
    left = most - len(recorder.events)
    # One in five is as long as it may be.
    size = min(left, draw(st.integers(0, left + left // 4)))
    for drawn in draw(drawn_choices(size)):
        recorder.go_on(Choices(drawn), known, statements)
    return recorder.events


@cache
def drawn_choices(size: int) -> st.SearchStrategy[list[bytes]]:
    """The bytes of so many events."""
    return st.lists(st.binary(min_size=Choices.SIZE, max_size=Choices.SIZE), min_size=size, max_size=size)


def streams_of(events: list[Event]) -> dict[UUID, list[Event]]:
    """Events by stream."""
    streams: dict[UUID, list[Event]] = {}
    for event in events:
        streams.setdefault(event.stream, []).append(event)
    return streams


def numbers_of(events: list[Event]) -> set[str]:
    """The numbers events are about."""
    return {e.data.jmb for e in events if isinstance(e.data, AboutPerson)}
