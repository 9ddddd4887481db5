"""Who is entered in the register on a day, and why not: rules R1 to R8, and where the entry counts: U1 to U4.

A :class:`Facts` is what the events with effect up to a day say about one person. The functions below read it and
nothing else. Each names its rule and its article; ``law/index.py`` is the list of them.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Final, Literal

from register.law.events import (
    BRCKO,
    SOURCE_PREFIX,
    BarGround,
    CapacityRestored,
    CapacityWithdrawn,
    Entity,
    Event,
    RefugeeStatus,
    Residence,
    VotingOption,
)
from register.law.parameters import RuleSet
from register.law.territory import entity_of

Ground = Literal[
    "not-recorded",
    "under-age",
    "deceased",
    "citizenship-ended",
    "legal-capacity-withdrawn",
    "barred-1.6",
    "barred-1.7",
    "barred-1.7a",
    "no-residence",
]
#: The grounds in the order in which they are reported together.
GROUNDS: Final[tuple[Ground, ...]] = (
    "not-recorded",
    "under-age",
    "deceased",
    "citizenship-ended",
    "legal-capacity-withdrawn",
    "barred-1.6",
    "barred-1.7",
    "barred-1.7a",
    "no-residence",
)
#: A ground of no rule: the number was joined to another one of the same person (rules: linked numbers).
JOINED_NUMBER: Final = "joined-number"
#: The article behind each ground, for the audit log and the decision letter.
ARTICLES: Final[dict[str, str]] = {
    "not-recorded": "Art. 3.2, 3.5(3)1",
    "under-age": "Art. 1.4, 3.2 a, b",
    "deceased": "Art. 3.5(3)1 c",
    "citizenship-ended": "Art. 3.5(3)3",
    "legal-capacity-withdrawn": "Art. 3.2",
    "barred-1.6": "Art. 1.6",
    "barred-1.7": "Art. 1.7",
    "barred-1.7a": "Art. 1.7a",
    "no-residence": "Art. 1.5, 3.3, 3.2 c, d",
    JOINED_NUMBER: "Art. 3.2",
}
_BARS: Final[tuple[tuple[BarGround, Ground], ...]] = (
    ("1.6", "barred-1.6"),
    ("1.7", "barred-1.7"),
    ("1.7a", "barred-1.7a"),
)

#: Days before all and after all; an interval that begins or ends there is open.
ALWAYS: Final = date.min
FOREVER: Final = date.max


class Facts:
    """What the live events with effect up to a day say about a person; filled in order by ``law/effects``."""

    __slots__ = (
        "bar_ends",
        "bars",
        "born_on",
        "capacity",
        "citizenship_ended",
        "counted_option",
        "dead",
        "election_option",
        "entity_option",
        "given_name",
        "jmb",
        "marked_deceased",
        "mobile_for_election",
        "mobile_standing",
        "other_citizenships",
        "parent_name",
        "recorded",
        "refugee",
        "residence",
        "residence_ended",
        "script",
        "sex",
        "standing_option",
        "surname",
        "temporary",
        "temporary_ended",
    )

    def __init__(self, born_on: date | None, jmb: str) -> None:
        self.born_on = born_on
        self.jmb = jmb
        self.recorded = False
        self.dead = False
        self.surname: str | None = None
        self.given_name: str | None = None
        self.parent_name: str | None = None
        self.sex: str | None = None
        self.script: str | None = None
        self.citizenship_ended = False
        self.other_citizenships: tuple[str, ...] = ()
        self.capacity: CapacityWithdrawn | CapacityRestored | None = None
        self.bars: list[tuple[str, str, BarGround]] = []
        self.bar_ends: set[tuple[str, str]] = set()
        self.residence: Residence | None = None
        self.residence_ended = False
        self.temporary: Residence | None = None
        self.temporary_ended = False
        self.refugee: RefugeeStatus | None = None
        self.entity_option: Entity | None = None
        #: The standing option of the register; the one that counts for the roll; the one that names the election.
        self.standing_option: VotingOption | None = None
        self.counted_option: VotingOption | None = None
        self.election_option: VotingOption | None = None
        self.mobile_standing = False
        self.mobile_for_election: bool | None = None
        self.marked_deceased = False

    @property
    def option(self) -> VotingOption | None:
        """The option that decides: one that names the election goes before a standing one."""
        return self.counted_option if self.election_option is None else self.election_option

    @property
    def mobile_team(self) -> bool:
        """Whether a mobile team is to come; one that names the election goes before a standing one."""
        return self.mobile_standing if self.mobile_for_election is None else self.mobile_for_election


@lru_cache(1 << 12)  # asked for each of the days on which one person's facts change
def comes_of_age(born_on: date, voting_age: int) -> date:
    """The birthday on which one reaches the voting age, 18 completed years (Art. 1.4, R2).

    One born on 29 February reaches it on 28 February in a year without one.
    """
    try:
        return born_on.replace(year=born_on.year + voting_age)
    except ValueError:
        return date(born_on.year + voting_age, 2, 28)


def not_recorded(facts: Facts) -> bool:
    """R1 does not hold (Art. 3.2, 3.5(3)1): no registry office recorded the person as a citizen."""
    return not facts.recorded


def under_age(facts: Facts, day: date, rules: RuleSet) -> bool:
    """R2 does not hold on ``day`` under the rules in force then (Art. 1.4, 3.2 a, b); judged once R1 holds."""
    return facts.recorded and facts.born_on is not None and comes_of_age(facts.born_on, rules.voting_age) > day


def deceased(facts: Facts) -> bool:
    """R3 does not hold (Art. 3.5(3)1 c): a death has taken effect."""
    return facts.dead


def citizenship_ended(facts: Facts) -> bool:
    """R4 does not hold (Art. 3.5(3)3): of citizenship and its end, the last one with effect is an end."""
    return facts.citizenship_ended


def legal_capacity_withdrawn(facts: Facts) -> bool:
    """R5 does not hold (Art. 3.2): the last *full* withdrawal or restoration decides, and it withdrew."""
    return facts.capacity is not None and isinstance(facts.capacity, CapacityWithdrawn)


def bars_in_force(facts: Facts) -> set[BarGround]:
    """The grounds of R6 (Art. 1.6, 1.7, 1.7a) under which a bar has effect and no end that names it has."""
    if not facts.bars:
        return set()
    return {ground for source, notice, ground in facts.bars if (source, notice) not in facts.bar_ends}


def permanent_residence(facts: Facts) -> Residence | None:
    """The permanent residence of R7 (Art. 1.5(1), 3.3), or None."""
    return None if facts.residence_ended else facts.residence


def residence_suffices(facts: Facts) -> bool:
    """R7 and R8: a permanent residence (Art. 1.5, 3.3), or refugee status (Art. 3.2 d, 20.8(6)).

    The status does not do for one who holds another citizenship (Art. 1.5(3)).
    """
    if permanent_residence(facts) is not None:
        return True
    return facts.refugee is not None and not facts.other_citizenships


def grounds(facts: Facts, day: date, rules: RuleSet) -> tuple[Ground, ...]:
    """Every ground on which the person is not entered on ``day``, in the order of the table; empty: entered (R1-R8).

    ``rules``: those in force on ``day``, or those under which it is read again.
    """
    found: list[Ground] = []
    if not_recorded(facts):
        found.append("not-recorded")
    elif under_age(facts, day, rules):
        found.append("under-age")
    if deceased(facts):
        found.append("deceased")
    if citizenship_ended(facts):
        found.append("citizenship-ended")
    if legal_capacity_withdrawn(facts):
        found.append("legal-capacity-withdrawn")
    if facts.bars:
        in_force = bars_in_force(facts)
        found.extend(ground for bar, ground in _BARS if bar in in_force)
    if not residence_suffices(facts):
        found.append("no-residence")
    return tuple(found)


def would_count_in(facts: Facts, option: VotingOption | None) -> str | None:
    """The municipality an entry counts in under an option: U2 (20.8, 3.6 b) before U1 (1.5) before U3 (20.8(6))."""
    if option is not None and option.municipality_1991 is not None:
        return option.municipality_1991
    residence = permanent_residence(facts)
    if residence is not None:
        return residence.municipality
    return None if facts.refugee is None else facts.refugee.municipality_1991


def entity(facts: Facts, counts_in: str | None) -> Entity | None:
    """The entity an entry counts for: that of its municipality, in Brčko the voter's entity option (U4)."""
    if counts_in is None:
        return None
    return facts.entity_option if counts_in == BRCKO else entity_of(counts_in)


def concerns(facts: Facts, municipality: str) -> bool:
    """Whether the person resides or counts in a commission's municipality; if not, its notice has no effect (Art. 3.5).

    Residence is permanent or temporary. Where the person counts is asked of the register, by the standing option: the
    same notice has effect, or has none, whichever roll is drawn up.
    """
    residence = permanent_residence(facts)
    if residence is not None and residence.municipality == municipality:
        return True
    if facts.temporary is not None and not facts.temporary_ended and facts.temporary.municipality == municipality:
        return True
    return would_count_in(facts, facts.standing_option) == municipality


def commission_of(event: Event) -> str | None:
    """The municipality of the municipal commission that sent the event, or None for another sender."""
    prefix = f"{SOURCE_PREFIX}municipal-commission:"
    return event.source[len(prefix) :] if event.source.startswith(prefix) else None


def option_takes_effect(facts: Facts, event: Event, option: VotingOption) -> bool:
    """Whether a voting option counts as made, judged on the day of the application (Art. 3.5(3)5, 1.5(2), 20.8(6)).

    A commission decides for those who reside or count in its municipality; ``mail`` and ``diplomatic-mission`` need a
    permanent residence or refugee status.
    """
    municipality = commission_of(event)
    if municipality is not None and not concerns(facts, municipality):
        return False
    if option.option in ("mail", "diplomatic-mission"):
        return permanent_residence(facts) is not None or facts.refugee is not None
    return True
