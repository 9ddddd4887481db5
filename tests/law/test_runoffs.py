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
    AMRA_IN_BIHAC,
    BIHAC,
    CEC,
    TUZLA,
    Sent,
    barred,
    citizen,
    citizenship_ended,
    death,
    left,
    lives_in,
    personal_data,
    recorded,
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
]  # fmt: skip


@pytest.mark.parametrize("case", SITUATIONS, ids=lambda case: case.situation)
def test_what_becomes_of_a_voter_between_two_rounds(case: Between) -> None:
    stands, told = between(case.known, case.since)
    assert stands == case.stands
    expected = [] if case.change is None else [case.change]
    assert [(each.kind, each.grounds, each.events) for each in told] == expected
    assert all(each.entry.municipality == BIHAC for each in told), "she stands where she stood"
