"""What should have been reported and was not (Art. 3.2, 3.3, 3.5(3)1 and 2).

A missing notice may still be under way: each is waited for (``waiting_days``) from the day on which what makes it
necessary was recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from register.law import personal_number
from register.law.competence import municipality_of
from register.law.deficiencies.case import Case, finding, first_recorded, recorded_on, sender
from register.law.deficiencies.kinds import Finding
from register.law.events import BRCKO, Citizen, Event, RefugeeStatus, Residence, VotingOption
from register.law.franchise import ALWAYS, comes_of_age, grounds, permanent_residence, would_count_in
from register.law.provisions import Refusal

#: Who is informed where no authority of a municipality is known.
_CEC = "cec"


def residence_without_citizen(case: Case) -> Iterator[Finding]:
    """A permanent residence of one whom no registry office recorded as a citizen (Art. 3.2, 3.5(3)1).

    Registry offices report those of 18 years: as long as nothing else tells the age, the number does.
    """
    residence = permanent_residence(case.facts)
    if residence is None or case.of(Citizen) or case.facts.dead or case.facts.citizenship_ended:
        return
    since = first_recorded(event for event, data in case.of(Residence) if data.kind == "permanent")
    of_age = comes_of_age(case.facts.born_on or _birth_by_number(case.facts.jmb), case.rules.voting_age)
    if not case.waited(max(recorded_on(since), of_age)):
        return
    where = residence.municipality or ""
    yield finding(
        case, "residence-without-citizen", str(since.stream), f"registry-office:{where}", (case.carrying(residence),)
    )


def citizen_without_residence(case: Case) -> Iterator[Finding]:
    """A citizen of 18 years of whom no permanent residence was ever reported (Art. 3.3, 3.5(3)2).

    Not one who stays abroad, nor a refugee. It is for the residence authority of the registry office's municipality.
    """
    facts = case.facts
    if not facts.recorded or facts.born_on is None or facts.dead or facts.citizenship_ended or facts.refugee:
        return
    if any(data.kind == "permanent" for _, data in case.of(Residence)):
        return
    if facts.temporary is not None and facts.temporary.kind == "abroad" and not facts.temporary_ended:
        return
    since = first_recorded(event for event, _ in case.of(Citizen))
    if not case.waited(max(recorded_on(since), comes_of_age(facts.born_on, case.rules.voting_age))):
        return
    last = case.of(Citizen)[-1][0]
    where = municipality_of(sender(last))
    authority = _CEC if where is None else f"residence-authority:{where}"
    yield finding(case, "citizen-without-residence", str(since.stream), authority, (last,))


def no_entity_option(case: Case) -> Iterator[Finding]:
    """One entered today who counts in Brčko District and has no entity option (U4, Art. 3.5(3)2)."""
    facts = case.facts
    if facts.entity_option is not None or would_count_in(facts, facts.option) != BRCKO:
        return
    if facts.born_on is None or grounds(facts, case.today, case.rules):
        return
    since = first_recorded(_placing_in_brcko(case))
    if not case.waited(max(recorded_on(since), comes_of_age(facts.born_on, case.rules.voting_age))):
        return
    by_option = facts.option is not None and facts.option.municipality_1991 is not None
    deciding = facts.option if by_option else permanent_residence(facts) or facts.refugee
    evidence = () if deciding is None else (case.carrying(deciding),)
    yield finding(case, "no-entity-option", str(since.stream), f"residence-authority:{BRCKO}", evidence)


def _placing_in_brcko(case: Case) -> Iterator[Event]:
    """The events by which a person counts in Brčko today: U1, U2 (standing options), U3.

    Of residences those since the last one elsewhere: one who comes back is waited for anew.
    """
    facts = case.facts
    residence = permanent_residence(facts)
    if residence is not None and residence.municipality == BRCKO:
        stay: list[Event] = []
        for event, data in case.of(Residence):
            if data.kind == "permanent" and data.effective_on <= case.today:
                stay = [*stay, event] if data.municipality == BRCKO else []
        yield from stay
    if facts.option is not None and facts.option.municipality_1991 == BRCKO:
        yield from (e for e, d in case.of(VotingOption) if d.election is None and d.municipality_1991 == BRCKO)
    if facts.refugee is not None and facts.refugee.municipality_1991 == BRCKO:
        yield from (event for event, data in case.of(RefugeeStatus) if data.municipality_1991 == BRCKO)


def _birth_by_number(jmb: str) -> date:
    """The date of birth that a number states; of what is no possible number, which is refused at the door, none."""
    try:
        return personal_number.birth_date(jmb)
    except Refusal:
        return ALWAYS
