"""The roll of an election: who is on it, on which one list, as dated situations.

The election of 6 October 2024: options up to 23 July (E-75), conclusion on 22 August (E-45).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

import msgspec
import pytest

from register.law.events import CatchmentEntry, ElectionCalled, Event, PollingStation
from register.law.rolls import RollEntry, residence_of, roll_of, stand
from register.law.territory import Coverage
from tests.law.situations import (
    AMRA_IN_BIHAC,
    BANJA_LUKA,
    BIHAC,
    BRCKO,
    TUZLA,
    Sent,
    barred,
    capacity_restored,
    capacity_withdrawn,
    citizen,
    citizen_of_bih_and,
    citizenship_ended,
    commission,
    death,
    entity_option,
    left,
    lives_in,
    option,
    recorded,
    refugee_of,
    reported_deceased,
)

E24 = "general-2024"
GENERAL = ElectionCalled(election=E24, kind="general", early=False, day=date(2024, 10, 6), called_on=date(2024, 5, 7))
LOCAL = msgspec.structs.replace(GENERAL, kind="local")
EARLY = msgspec.structs.replace(
    GENERAL, early=True, day=date(2025, 11, 23), called_on=date(2025, 8, 27), options_until=date(2025, 9, 30)
)
BIRTH, HOME = AMRA_IN_BIHAC


def station(municipality: str, code: str, since: date) -> Event:
    """One polling station for a whole municipality."""
    place = PollingStation(
        code=code,
        municipality=municipality,
        name="Osnovna škola",
        address="Grad bb",
        kind="regular",
        catchment=(CatchmentEntry(),),
        effective_on=since,
    )
    at = datetime(2020, 1, 1, tzinfo=UTC)
    return Event(1, UUID(int=9), 1, at, f"urn:cvr:authority:municipal-commission:{municipality}", code, at, place)


STATIONS = [
    station(BIHAC, "003A001", date(2020, 1, 1)),
    station(BIHAC, "003A000", date(2024, 8, 23)),
    station(TUZLA, "050A001", date(2020, 1, 1)),
    station(BRCKO, "200C001", date(2020, 1, 1)),
    station(BANJA_LUKA, "034B001", date(2024, 8, 23)),
]
COVERAGE = {code: Coverage(code, STATIONS) for code in (BIHAC, TUZLA, BRCKO, BANJA_LUKA)}


def entry_on(sent: Sequence[Sent], called: ElectionCalled = GENERAL) -> RollEntry | None:
    """Where she stands on the roll."""
    roll = roll_of(called, COVERAGE)
    events = recorded(sent)
    home = residence_of(events, roll)
    return stand(events, roll, None if home is None else COVERAGE[home])


@dataclass(frozen=True)
class OnRoll:
    """A situation, the list she stands on (None: not on the roll), with its station, municipality or mission."""

    situation: str
    sent: Sequence[Sent]
    expected: tuple[str, str | None] | None
    called: ElectionCalled = GENERAL

    def __str__(self) -> str:
        return self.situation


AT_HOME = ("polling-station", "003A001")

DAYS = [
    OnRoll("at home, covered by the station in force on the day of the conclusion", AMRA_IN_BIHAC, AT_HOME),
    OnRoll("18 on election day", [citizen(born="6.10.2006"), HOME], AT_HOME),
    OnRoll("18 the day after", [citizen(born="7.10.2006"), HOME], None),
    OnRoll("recorded between conclusion and election, known in time", [citizen("1.9.2024"), HOME], AT_HOME),
    OnRoll("recorded after election day", [citizen("7.10.2024"), HOME], None),
    OnRoll(
        "a death between conclusion and election that was known in time", [*AMRA_IN_BIHAC, death("6.10.2024")], None
    ),
    OnRoll("a death after election day", [*AMRA_IN_BIHAC, death("7.10.2024")], AT_HOME),
    OnRoll(
        "capacity restored by election day",
        [*AMRA_IN_BIHAC, capacity_withdrawn("1.1.2020"), capacity_restored("6.10.2024")],
        AT_HOME,
    ),
    OnRoll("barred on election day", [*AMRA_IN_BIHAC, barred("1.7", "6.10.2024")], None),
    OnRoll("citizenship ended by election day", [*AMRA_IN_BIHAC, citizenship_ended("6.10.2024")], None),
    OnRoll(
        "a move by the end of E-45 counts",
        [*AMRA_IN_BIHAC, lives_in(TUZLA, "22.8.2024")],
        ("polling-station", "050A001"),
    ),
    OnRoll("a move after it leaves her on the old list", [*AMRA_IN_BIHAC, lives_in(TUZLA, "23.8.2024")], AT_HOME),
    OnRoll("residence ended after the conclusion", [*AMRA_IN_BIHAC, left(BIHAC, "23.8.2024")], AT_HOME),
    OnRoll("residence ended by the conclusion", [*AMRA_IN_BIHAC, left(BIHAC, "22.8.2024")], None),
    OnRoll("moved in after the conclusion, from nowhere", [BIRTH, lives_in(BIHAC, "23.8.2024")], None),
    OnRoll(
        "her municipality has no station on the day of the conclusion",
        [BIRTH, lives_in(BANJA_LUKA, "1.1.2000")],
        ("unallocated", BANJA_LUKA),
    ),
    OnRoll("a refugee without an option", [BIRTH, refugee_of(TUZLA, "1.1.2000")], ("unallocated", TUZLA)),
    OnRoll(
        "a refugee with another citizenship on E-45",
        [BIRTH, refugee_of(TUZLA, "1.1.2000"), citizen_of_bih_and("AT", on="22.8.2024")],
        None,
    ),
    OnRoll(
        "a refugee with another citizenship from E-44 on",
        [BIRTH, refugee_of(TUZLA, "1.1.2000"), citizen_of_bih_and("AT", on="23.8.2024")],
        ("unallocated", TUZLA),
    ),
    OnRoll(
        "not held in her municipality", AMRA_IN_BIHAC, None, msgspec.structs.replace(LOCAL, municipalities=(TUZLA,))
    ),
]

OPTIONS = [
    OnRoll("mail, applied for on E-75", [*AMRA_IN_BIHAC, option("mail", "23.7.2024")], ("mail", None)),
    OnRoll("mail, a day late, does not count", [*AMRA_IN_BIHAC, option("mail", "24.7.2024")], AT_HOME),
    OnRoll("a mission", [*AMRA_IN_BIHAC, option("diplomatic-mission", "23.7.2024")], ("diplomatic-mission", "Beč")),
    OnRoll(
        "in person in 1991's",
        [*AMRA_IN_BIHAC, option("in-person-1991", "1.3.2020", of_1991=TUZLA)],
        ("in-person-1991", TUZLA),
    ),
    OnRoll("absentee", [*AMRA_IN_BIHAC, option("absentee-1991", "1.3.2020", of_1991=TUZLA)], ("absentee-1991", TUZLA)),
    OnRoll(
        "regular ends a standing option up to E-75",
        [*AMRA_IN_BIHAC, option("mail", "1.3.2020"), option("regular", "23.7.2024")],
        AT_HOME,
    ),
    OnRoll(
        "a later regular does not",
        [*AMRA_IN_BIHAC, option("mail", "1.3.2020"), option("regular", "24.7.2024")],
        ("mail", None),
    ),
    OnRoll(
        "an option for this election goes before a later standing one",
        [*AMRA_IN_BIHAC, option("mail", "1.6.2024", election=E24), option("regular", "1.7.2024")],
        ("mail", None),
    ),
    OnRoll("one for this election, too late", [*AMRA_IN_BIHAC, option("mail", "24.7.2024", election=E24)], AT_HOME),
    OnRoll("one for another election", [*AMRA_IN_BIHAC, option("mail", "1.6.2024", election="local-2024")], AT_HOME),
    OnRoll(
        "regular for this election over standing mail",
        [*AMRA_IN_BIHAC, option("mail", "1.6.2024"), option("regular", "1.5.2024", election=E24)],
        AT_HOME,
    ),
    OnRoll(
        "early election: the call sets the last day",
        [*AMRA_IN_BIHAC, option("mail", "30.9.2025")],
        ("mail", None),
        EARLY,
    ),
    OnRoll(
        "early election: too late", [*AMRA_IN_BIHAC, option("mail", "1.10.2025")], ("polling-station", "003A000"), EARLY
    ),
    OnRoll(
        "early election: a move by E-20",
        [*AMRA_IN_BIHAC, lives_in(TUZLA, "3.11.2025")],
        ("polling-station", "050A001"),
        EARLY,
    ),
]

IN_BRCKO = [BIRTH, lives_in(BRCKO, "1.5.1998")]
BRCKO_CASES = [
    OnRoll("in Brčko without an entity option: on no excerpt", IN_BRCKO, ("no-entity-option", BRCKO)),
    OnRoll("with one by the conclusion", [*IN_BRCKO, entity_option("RS", "22.8.2024")], ("polling-station", "200C001")),
    OnRoll("with one too late", [*IN_BRCKO, entity_option("RS", "23.8.2024")], ("no-entity-option", BRCKO)),
    OnRoll("in a local election nobody asks", IN_BRCKO, ("polling-station", "200C001"), LOCAL),
    OnRoll("it goes before vote by mail", [*IN_BRCKO, option("mail", "1.3.2024")], ("no-entity-option", BRCKO)),
    OnRoll(
        "and holds for one who counts there by option",
        [*AMRA_IN_BIHAC, option("absentee-1991", "1.3.2020", of_1991=BRCKO)],
        ("no-entity-option", BRCKO),
    ),
]


@pytest.mark.parametrize("case", [*DAYS, *OPTIONS, *BRCKO_CASES], ids=str)
def test_every_voter_of_the_roll_stands_on_exactly_one_list(case: OnRoll) -> None:
    entry = entry_on(case.sent, case.called)
    if entry is None or case.expected is None:
        assert entry is None
        assert case.expected is None
        return
    of_a_municipality = entry.list_kind in ("in-person-1991", "absentee-1991", "unallocated", "no-entity-option")
    where = entry.municipality if of_a_municipality else entry.station or entry.mission
    assert (entry.list_kind, where) == case.expected


@pytest.mark.parametrize(
    ("situation", "sent", "expected"),
    [
        ("up to the conclusion", [option("mobile-team", "22.8.2024")], True),
        ("not after it", [option("mobile-team", "23.8.2024")], False),
        (
            "ended by regular, up to the conclusion",
            [option("mobile-team", "1.3.2024"), option("regular", "22.8.2024")],
            False,
        ),
        (
            "ended for this election, whatever standing wish comes later",
            [option("regular", "1.2.2024", election=E24), option("mobile-team", "1.3.2024")],
            False,
        ),
        ("for this election only", [option("mobile-team", "1.3.2024", election=E24)], True),
        (
            "ended for this election only",
            [option("mobile-team", "1.3.2024"), option("regular", "1.3.2024", election=E24)],
            False,
        ),
        (
            "asked for by the commission where she counts in the register, by an option too late for this roll",
            [
                option("absentee-1991", "24.7.2024", of_1991=TUZLA),
                option("mobile-team", "10.8.2024", by=commission(TUZLA)),
            ],
            True,
        ),
        ("only on a station's list", [option("mobile-team", "1.3.2024"), option("mail", "1.3.2024")], False),
    ],
)
def test_the_mobile_team_is_an_overlay_on_a_stations_list(situation: str, sent: list[Sent], expected: bool) -> None:
    entry = entry_on([*AMRA_IN_BIHAC, *sent])
    assert entry is not None
    assert entry.mobile_team == expected


def test_a_report_of_a_death_leaves_her_on_the_list_with_a_mark() -> None:
    entry = entry_on([*AMRA_IN_BIHAC, reported_deceased("1.3.2024")])
    assert entry is not None
    assert (entry.list_kind, entry.marked_deceased) == ("polling-station", True)


def test_the_mail_list_carries_where_the_ballot_goes() -> None:
    entry = entry_on([*AMRA_IN_BIHAC, option("mail", "1.3.2024")])
    assert entry is not None
    assert (entry.country, entry.foreign_address, entry.municipality) == ("AT", "Ring 1, Wien", BIHAC)


def test_the_order_in_which_notices_came_plays_no_part() -> None:
    sent = [*AMRA_IN_BIHAC, option("mail", "1.3.2020"), option("regular", "23.7.2024"), lives_in(TUZLA, "22.8.2024")]
    roll = roll_of(GENERAL, COVERAGE)
    events = recorded(sent)
    assert stand(events, roll, COVERAGE[TUZLA]) == stand(list(reversed(events)), roll, COVERAGE[TUZLA])
