"""Between two rounds nobody comes on a roll or goes off it without an event that explains it (Art. 3.6 e)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import msgspec
import pytest

from register.law.rolls import roll_of
from register.law.runoffs import Change, changes, runoff_of, stand_again
from tests.law.situations import (
    AMRA as NUMBER,
)
from tests.law.situations import (
    AMRA_IN_BIHAC,
    BIHAC,
    CEC,
    NEW_NUMBER,
    TUZLA,
    Sent,
    bar_ended,
    barred,
    capacity_restored,
    capacity_withdrawn,
    citizen,
    citizenship_ended,
    death,
    left,
    lives_in,
    personal_data,
    recorded,
    replaced_by,
    reported_deceased,
    taken_back,
)
from tests.law.test_rolls import COVERAGE, GENERAL

#: Of the election of 6 October 2024, concluded for 22 August; its second round is on the 27th.
SECOND = msgspec.structs.replace(
    GENERAL, election="second", day=date(2024, 10, 27), called_on=date(2024, 10, 8), options_until=date(2024, 7, 23),
    runoff_of=GENERAL.election, judged_on=date(2024, 8, 22),
)  # fmt: skip
AMRA = UUID(int=1)
REGISTRY = "registry-office:10049"


def between(known: Sequence[Sent], since: Sequence[Sent]) -> tuple[bool, list[Change]]:
    """Whether she stands on the roll of the second round, and what became of her since the first conclusion.

    The notices ``since`` come after it; its own position lies between.
    """
    events = recorded([*known, *since])
    conclusion = len(known) + 1
    events = [msgspec.structs.replace(e, position=e.position + (e.position >= conclusion)) for e in events]
    terms = runoff_of(roll_of(GENERAL, COVERAGE), conclusion, SECOND)
    standing = list(stand_again({AMRA: events}, terms, COVERAGE.__getitem__))
    told = list(changes({AMRA: events}, terms, COVERAGE.__getitem__))
    backwards = {AMRA: events[::-1]}
    assert list(stand_again(backwards, terms, COVERAGE.__getitem__)) == standing, "the order of arrival plays no part"
    assert list(changes(backwards, terms, COVERAGE.__getitem__)) == told
    return bool(standing), told


@dataclass(frozen=True)
class Between:
    """What was known at the first conclusion, what came later, and what becomes of her: (kind, grounds, events)."""

    situation: str
    known: Sequence[Sent]
    since: Sequence[Sent]
    stands: bool
    change: tuple[str, tuple[str, ...], tuple[int, ...]] | None = None


SITUATIONS = [
    Between("nothing came", AMRA_IN_BIHAC, [], stands=True),
    Between("she died", AMRA_IN_BIHAC, [death("10.10.2024")], False, ("removed", ("deceased",), (4,))),
    Between(
        "two notices of her death: neither alone decides",
        AMRA_IN_BIHAC, [death("10.10.2024"), death("11.10.2024")], False, ("removed", ("deceased",), (4, 5)),
    ),
    Between("she dies after the second round", AMRA_IN_BIHAC, [death("28.10.2024")], stands=True),
    Between(
        "a death before the first round that was reported late",
        AMRA_IN_BIHAC, [death("1.9.2024")], False, ("removed", ("deceased",), (4,)),
    ),
    Between(
        "a bar known before begins between the rounds",
        [*AMRA_IN_BIHAC, barred("1.7", "15.10.2024")], [], False, ("removed", ("barred-1.7",), (3,)),
    ),
    Between("citizenship ended", AMRA_IN_BIHAC, [citizenship_ended("9.10.2024")], False,
            ("removed", ("citizenship-ended",), (4,))),
    Between(
        "a death that was another person's is taken back",
        [*AMRA_IN_BIHAC, death("1.8.2024").under("wrong")], [taken_back("wrong", by=REGISTRY)], True,
        ("added", (), (5,)),
    ),
    Between("she moved away before the first conclusion, and it was reported late",
            AMRA_IN_BIHAC, [lives_in(TUZLA, "1.8.2024")], stands=True),
    Between("her residence ended", AMRA_IN_BIHAC, [left(BIHAC, "9.10.2024")], stands=True),
    Between("her name changed", AMRA_IN_BIHAC, [personal_data("9.10.2024", surname="Novak")], stands=True),
    Between("a commission reported her dead: the mark, and nothing else",
            AMRA_IN_BIHAC, [reported_deceased("9.10.2024", by=CEC)], True, ("marked", (), (4,))),
    Between(
        "she comes of age between the rounds: no event says so",
        [citizen("10.10.2006", born="10.10.2006"), lives_in(BIHAC, "10.10.2006")], [], stands=False,
    ),
    Between("a resident of whom the registry office reports too late that she is a citizen",
            [lives_in(BIHAC, "1.5.1998")], [citizen()], True, ("added", (), (3,))),
    Between(
        "her capacity is restored between the rounds: she is recorded again (Art. 3.2)",
        [*AMRA_IN_BIHAC, capacity_withdrawn("1.2.2024")], [capacity_restored("9.10.2024")], True, ("added", (), (5,)),
    ),
    Between(
        "a bar ends between the rounds, as was known before",
        [*AMRA_IN_BIHAC, barred("1.7", "1.2.2024").under("bar"), bar_ended("bar", "15.10.2024")], [], True,
        ("added", (), (4,)),
    ),
    Between(
        "a bar ends after the second round",
        [*AMRA_IN_BIHAC, barred("1.7", "1.2.2024").under("bar")], [bar_ended("bar", "28.10.2024")], stands=False,
    ),
    Between(
        "she turns out to have come of age between the rounds only",
        AMRA_IN_BIHAC, [personal_data("9.10.2024", born="10.10.2006")], False, ("removed", ("under-age",), (4,)),
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", SITUATIONS, ids=lambda case: case.situation)
def test_what_becomes_of_a_voter_between_two_rounds(case: Between) -> None:
    stands, told = between(case.known, case.since)
    assert stands == case.stands
    expected = [] if case.change is None else [case.change]
    assert [(each.kind, each.grounds, each.events) for each in told] == expected
    assert all(each.entry.municipality == BIHAC for each in told), "she stands where she stood"


#: Her two numbers; the stream of the one is less, or that of the other.
LEAST_FIRST = {NUMBER: UUID(int=1), NEW_NUMBER: UUID(int=2)}
LEAST_LAST = {NUMBER: UUID(int=2), NEW_NUMBER: UUID(int=1)}
AUTHORITY = f"residence-authority:{BIHAC}"
LINK = replaced_by(NEW_NUMBER, "1.6.2010").under("link")
OTHER_IN_BIHAC = (citizen(jmb=NEW_NUMBER).under("other"), lives_in(BIHAC, "1.5.1998", jmb=NEW_NUMBER))
#: Known before, come since, and the rolls of the two rounds: how many stand on each.
NUMBERS = {
    "two voters are found to be one": ([*AMRA_IN_BIHAC, *OTHER_IN_BIHAC], [LINK], 2, 1),
    "one voter is found to be two": (
        [*AMRA_IN_BIHAC, *OTHER_IN_BIHAC, LINK], [taken_back("link", by=AUTHORITY)], 1, 2,
    ),
    "one voter is found to be two, of whom one has another day of birth": (
        [*AMRA_IN_BIHAC, *OTHER_IN_BIHAC, LINK], [citizen(jmb=NEW_NUMBER, born="2.5.1980")], 1, 2,
    ),
    "a link that linked nothing until a record was corrected": (
        [*AMRA_IN_BIHAC, citizen(jmb=NEW_NUMBER, born="2.5.1980").under("wrong"), *OTHER_IN_BIHAC[1:], LINK],
        [citizen(jmb=NEW_NUMBER).under("right"), taken_back("wrong", by=REGISTRY)], 2, 1,
    ),
    "a number of which nothing else was known is another person's": (
        [*AMRA_IN_BIHAC, LINK], [taken_back("link", by=AUTHORITY)], 1, 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("about", [LEAST_FIRST, LEAST_LAST], ids=["least first", "least last"])
@pytest.mark.parametrize("situation", NUMBERS)
def test_numbers_that_are_joined_or_parted_between_two_rounds(situation: str, about: dict[str, UUID]) -> None:
    known, since, before, after = NUMBERS[situation]
    events = [
        msgspec.structs.replace(e, position=e.position + (e.position > len(known)))
        for e in recorded([*known, *since], about=about)
    ]
    conclusion = len(known) + 1
    terms = runoff_of(roll_of(GENERAL, COVERAGE), conclusion, SECOND)
    streams = {stream: [e for e in events if e.stream == stream] for stream in sorted(about.values())}
    streams = {stream: its for stream, its in streams.items() if its}
    earlier = {s: [e for e in its if e.position < conclusion] for s, its in streams.items()}
    # With nothing come since, the second roll is the first.
    first = dict(stand_again({s: its for s, its in earlier.items() if its}, terms, COVERAGE.__getitem__))
    second = dict(stand_again(streams, terms, COVERAGE.__getitem__))
    assert (len(first), len(second)) == (before, after)
    told = list(changes(streams, terms, COVERAGE.__getitem__))
    assert {each.person for each in told if each.kind == "removed"} == first.keys() - second.keys()
    assert {each.person for each in told if each.kind == "added"} == second.keys() - first.keys()
    for each in told:
        assert each.events, f"{each.kind} without an event that explains it"
        assert all(position > conclusion for position in each.events)
