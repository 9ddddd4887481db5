"""Histories for Hypothesis: what authorities might send about one to three numbers, in any order, with annulments.

Days lie close together, so that several events fall on one day, and the persons come of age among them: whoever asks
every day of ``WINDOW`` and one far on either side has asked them all.
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
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
    """Settings of a property: the same histories in every run, unless a number of them is asked for."""
    return settings(
        max_examples=EXAMPLES or usual,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )


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
#: Births whose 18th birthday lies in the window, on and beside 29 February (2006 has none; 2024 has one), and long ago.
BIRTHS = [date(1970, 1, 1), date(2006, 2, 28), date(2006, 3, 1), date(2006, 3, 4)]

_TIMES = [datetime(2024, 3, 1, hour, tzinfo=UTC) for hour in (8, 8, 9)]
days = st.sampled_from(DAYS)
municipalities = st.sampled_from(MUNICIPALITIES)
_registry = st.sampled_from(["registry-office:10049", "registry-office:20010"])
_court = st.sampled_from(["court:basic-court-bihac", "court:basic-court-brcko"])
_ministry = st.just("ministry:civil-affairs")


def _build(type_: type[AnyData], sender: st.SearchStrategy[str], /, **members: st.SearchStrategy[Any]) -> Any:
    return st.tuples(sender, st.fixed_dictionaries(members).map(lambda m: (type_, m)))


def _local(prefix: str) -> st.SearchStrategy[str]:
    return municipalities.map(lambda code: f"{prefix}:{code}")


_names = st.sampled_from(["Hadžić", "Kovač", "Šarić"])
_option = st.one_of(
    st.fixed_dictionaries({"option": st.sampled_from(["regular", "mail", "mobile-team"])}),
    st.fixed_dictionaries(
        {"option": st.sampled_from(["in-person-1991", "absentee-1991"]), "municipality_1991": municipalities}
    ),
    st.fixed_dictionaries({"option": st.just("diplomatic-mission"), "mission": st.just("Wien")}),
)
_options = st.tuples(_option, st.sampled_from([None, None, ELECTION, "another"])).map(
    lambda pair: (VotingOption, {**pair[0], "election": pair[1]})
)
_commission = st.one_of(st.just("cec"), _local("municipal-commission"), _local("municipal-commission"))

_permanent = st.sampled_from(["permanent", "permanent", "permanent", "temporary"])

#: (authority, (type, members without number and day)), by chapter, so that each has its share; a bar's end gets the
#: bar it names when the history is known.
_registry_offices = st.one_of(
    _build(
        Citizen,
        _registry,
        surname=_names,
        given_name=st.just("Amra"),
        parent_name=st.just("Ivan"),
        sex=st.sampled_from(["F", "F", "F", "M"]),
        born_on=st.sampled_from(BIRTHS),
    ),
    _build(PersonalData, _registry, surname=st.none() | _names, born_on=st.none() | st.sampled_from(BIRTHS)),
    _build(Death, _registry),
)
_residence_authorities = st.one_of(
    _build(Residence, _local("residence-authority"), kind=_permanent),
    _build(ResidenceEnded, _local("residence-authority"), kind=_permanent),
)
_ministries = st.one_of(
    _build(Citizenship, _ministry, other_citizenships=st.sampled_from([(), ("AT",)])),
    _build(CitizenshipEnded, _ministry),
    _build(RefugeeStatus, _ministry, municipality_1991=municipalities),
    _build(RefugeeStatusEnded, _ministry),
)
_courts = st.one_of(
    _build(CapacityWithdrawn, _court, extent=st.sampled_from(["full", "full", "partial"])),
    _build(CapacityRestored, _court),
    _build(VotingBarred, _court, ground=st.sampled_from(["1.6", "1.7", "1.7a"]), cause=st.just("sentence")),
    _build(VotingBarEnded, _court),
)
_statements: list[st.SearchStrategy[Any]] = [
    _registry_offices,
    _residence_authorities,
    _ministries,
    _courts,
    st.tuples(_commission, _options),
    st.tuples(_commission, _options),
    _build(ReportedDeceased, _commission),
    _build(JmbReplaced, _local("residence-authority"), new_jmb=st.sampled_from(NUMBERS)),
    _build(EntityOption, st.just("residence-authority:30163"), entity=st.sampled_from(["FBiH", "RS"])),
]


@st.composite
def histories(draw: st.DrawFn, *, most: int = 25, numbers: int = 3, of_options: bool = False) -> list[Event]:
    """Events in the order recorded: positions 1, 2, 3 …; most histories begin with persons who are entered.

    ``of_options``: voters of one place, who move and choose how to vote, and little else.
    """
    statements = [*_statements, *_statements[4:6] * 5, _statements[-1]] if of_options else _statements
    known = NUMBERS[: draw(st.integers(1, numbers))]
    events: list[Event] = []
    versions: dict[UUID, int] = {}

    def record(authority: str, data: AnyData, stream: UUID, time: datetime) -> None:
        position = len(events) + 1
        versions[stream] = versions.get(stream, 0) + 1
        source = f"urn:cvr:authority:{authority}"
        recorded_at = datetime(2024, 4, 1, tzinfo=UTC) + timedelta(minutes=position)
        # Ids are not in the order of arrival, so that R-tie cannot follow it by chance.
        number = f"n{(position * 37) % 101:03}"
        events.append(Event(position, stream, versions[stream], recorded_at, source, number, time, data))

    if of_options or draw(st.sampled_from([True, True, True, False])):
        for number in known:
            born_on = draw(st.sampled_from(BIRTHS[:2]))
            named = {"surname": "Begić", "given_name": "Amra", "parent_name": "Ivan", "sex": "F", "born_on": born_on}
            citizen = Citizen(jmb=number, effective_on=FIRST, **named)  # type: ignore[arg-type]
            record("registry-office:10049", citizen, STREAMS[number], _TIMES[0])
            home, settlement = (BIHAC, "Selo") if of_options else (draw(municipalities), "Grad")
            lives = Residence(
                jmb=number, effective_on=FIRST, kind="permanent", municipality=home, settlement=settlement
            )
            record(f"residence-authority:{home}", lives, STREAMS[number], _TIMES[0])
    for _ in range(draw(st.integers(0, most - len(events)) | st.just(most - len(events)))):
        if events and draw(st.sampled_from([False] * 5 + [True])):
            target = draw(st.sampled_from(events))
            if not isinstance(target.data, Annulment):
                authority = target.source.removeprefix("urn:cvr:authority:")
                taken_back = Annulment(annuls=target.id, reason="error")
                record(authority, taken_back, target.stream, draw(st.sampled_from(_TIMES)))
            continue
        authority, (kind, members) = draw(draw(st.sampled_from(statements)))
        jmb = draw(st.sampled_from(known))
        if kind is JmbReplaced and members["new_jmb"] == jmb:
            continue
        if kind in (Residence, ResidenceEnded):
            members = {**members, "municipality": authority.partition(":")[2]}
            if kind is Residence:
                members["settlement"] = draw(st.sampled_from(["Grad", "Selo"]))
        if kind is VotingBarEnded:
            bars = [e for e in events if isinstance(e.data, VotingBarred | VotingBarEnded)]
            # A bar that came before, or one that will or may come.
            candidates: list[tuple[str, str | None]] = [(e.id, e.source) for e in bars]
            ends, source = draw(st.sampled_from(candidates or [("n074", None)]))
            members = {"ends": ends, "ends_source": draw(st.sampled_from([source, None]))}
        data = kind(jmb=jmb, effective_on=draw(days), **members)
        record(authority, data, STREAMS[jmb], draw(st.sampled_from(_TIMES)))
    return events


def streams_of(events: list[Event]) -> dict[UUID, list[Event]]:
    """Events by stream."""
    streams: dict[UUID, list[Event]] = {}
    for event in events:
        streams.setdefault(event.stream, []).append(event)
    return streams


def numbers_of(events: list[Event]) -> set[str]:
    """The numbers events are about."""
    return {e.data.jmb for e in events if isinstance(e.data, AboutPerson)}
