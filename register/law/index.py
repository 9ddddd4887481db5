"""The law's index: rule or article -> the functions that carry it out.

A test keeps it complete both ways: every function named here cites the provision in its docstring, and every public
function of ``register.law`` that cites one stands here. ``docs/law-index.md`` prints it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from register.law import (
    calendar,
    competence,
    deletions,
    dossier,
    effects,
    franchise,
    parties,
    personal_number,
    persons,
    rolls,
    runoffs,
    territory,
    timeliness,
    withdrawals,
)
from register.law.deficiencies import addresses, between, gaps, identity, notices, stations
from register.law.deficiencies import persons as deficient


class Provision(msgspec.Struct, frozen=True):
    """A rule (``R1`` … ``U4``, ``R-tie``) or an article of the Election Law, and the functions that carry it out."""

    cite: str
    says: str
    functions: tuple[Callable[..., Any], ...]


_WHOLE: Final = (dossier.timeline, rolls.stand)

INDEX: Final[tuple[Provision, ...]] = (
    Provision("R1", "recorded as a citizen", (franchise.not_recorded, franchise.under_age, franchise.grounds, *_WHOLE)),
    Provision("R2", "18 on the day", (franchise.comes_of_age, franchise.under_age, franchise.grounds, *_WHOLE)),
    Provision("R3", "not deceased", (franchise.deceased, franchise.grounds, *_WHOLE)),
    Provision("R4", "citizenship not ended", (franchise.citizenship_ended, franchise.grounds, *_WHOLE)),
    Provision(
        "R5",
        "full legal capacity not withdrawn",
        (franchise.legal_capacity_withdrawn, franchise.grounds, withdrawals.withdrawals, *_WHOLE),
    ),
    Provision("R6", "no bar in force", (franchise.bars_in_force, franchise.grounds, withdrawals.withdrawals, *_WHOLE)),
    Provision(
        "R7",
        "permanent residence, or refugee status",
        (
            franchise.permanent_residence,
            franchise.residence_suffices,
            franchise.grounds,
            effects.take,
            notices.end_of_another_residence,
            notices.residence_ended_at_once,
            *_WHOLE,
        ),
    ),
    Provision("R8", "a dual citizen needs the residence", (franchise.residence_suffices, franchise.grounds, *_WHOLE)),
    Provision(
        "R-tie", "which of several events decides", (dossier.in_order, territory.stations_on, notices.ahead_of_time)
    ),
    Provision("U1", "counts where the residence is", (franchise.would_count_in, *_WHOLE)),
    Provision("U2", "counts in the municipality of 1991 of the option", (franchise.would_count_in, *_WHOLE)),
    Provision("U3", "a refugee counts in the municipality of the status", (franchise.would_count_in, *_WHOLE)),
    Provision(
        "U4",
        "Brčko: the entity of the option",
        (franchise.entity, territory.electoral_units, gaps.no_entity_option, *_WHOLE),
    ),
    Provision(
        "Art. 1.1a",
        "electoral units",
        (territory.electoral_units, territory.unit_at, parties.units_voted_in, parties.units_of),
    ),
    Provision("Art. 1.4", "the right to vote at 18", (franchise.comes_of_age, franchise.under_age)),
    Provision(
        "Art. 1.5",
        "where one votes; voters abroad; dual citizens",
        (
            franchise.permanent_residence,
            franchise.residence_suffices,
            franchise.would_count_in,
            franchise.option_takes_effect,
            notices.option_without_residence,
        ),
    ),
    Provision("Art. 1.6", "barred: the International Tribunal", (franchise.bars_in_force,)),
    Provision("Art. 1.7", "barred: courts of BiH", (franchise.bars_in_force,)),
    Provision("Art. 1.7a", "barred: courts of other countries", (franchise.bars_in_force,)),
    Provision(
        "Art. 1.14", "election day, the call (E-150)", (calendar.calendar_of, calendar.check_call, rolls.roll_of)
    ),
    Provision("Art. 2.9", "political entities are certified", (parties.certification_of, parties.check_units)),
    Provision(
        "Art. 3.1",
        "who may see what",
        (competence.may_look, parties.copy_of, parties.check_request),
    ),
    Provision(
        "Art. 3.2",
        "who is recorded, deleted and recorded again",
        (
            franchise.not_recorded,
            franchise.under_age,
            franchise.legal_capacity_withdrawn,
            franchise.residence_suffices,
            deletions.audit_entries,
            gaps.residence_without_citizen,
        ),
    ),
    Provision(
        "Art. 3.3",
        "made from records of residence",
        (franchise.permanent_residence, franchise.residence_suffices, gaps.citizen_without_residence),
    ),
    Provision(
        "Art. 3.5",
        "who reports what, and what it is worth",
        (
            competence.role_of,
            competence.check_sender,
            personal_number.check,
            persons.persons,
            persons.members,
            franchise.not_recorded,
            franchise.deceased,
            franchise.citizenship_ended,
            franchise.concerns,
            franchise.option_takes_effect,
            territory.covering,
            territory.stations_on,
            timeliness.electronic_lag,
            timeliness.written_lag,
            timeliness.electronic_days_late,
            timeliness.written_days_late,
            timeliness.paper_overdue,
            timeliness.paper_missing,
            timeliness.in_time_by,
            deficient.about_person,
            identity.two_under_one_number,
            identity.number_disagrees,
            identity.numbers_disagree,
            identity.over_110,
            identity.before_birth,
            notices.after_death,
            notices.ahead_of_time,
            notices.end_of_another_residence,
            notices.residence_ended_at_once,
            notices.foreign_commission,
            gaps.residence_without_citizen,
            gaps.citizen_without_residence,
            gaps.no_entity_option,
            between.identity_key,
            between.one_under_two_numbers,
            addresses.crowded,
            addresses.arrivals_from,
            addresses.many_arrivals,
            addresses.uncovered,
            addresses.ambiguous,
        ),
    ),
    Provision(
        "Art. 3.6",
        "deficiencies, conclusion (E-45, early E-20), excerpts, special records",
        (
            calendar.conclusion_day_of,
            calendar.calendar_of,
            calendar.check_conclusion,
            competence.may_look,
            deletions.audit_entries,
            withdrawals.withdrawals,
            franchise.would_count_in,
            rolls.stand,
            runoffs.runoff_of,
            runoffs.stand_again,
            runoffs.changes,
            calendar.check_runoff,
            deficient.about_person,
            notices.late_options,
        ),
    ),
    Provision("Art. 3.13", "the source corrects (later law): annulments", (dossier.live,)),
    Provision(
        "Art. 5.1",
        "how many voters a polling station has (later law: 300 to 1,000)",
        (stations.outside, stations.proposed_split),
    ),
    Provision(
        "Art. 20.8",
        "displaced persons and refugees",
        (
            franchise.residence_suffices,
            franchise.would_count_in,
            franchise.option_takes_effect,
            notices.option_without_residence,
        ),
    ),
)


def as_markdown() -> str:
    """The index as the table of ``docs/law-index.md``."""
    head = ["| provision | says | carried out by |", "|---|---|---|"]
    rows = [f"| {p.cite} | {p.says} | {', '.join(f'`{name_of(f)}`' for f in p.functions)} |" for p in INDEX]
    return "\n".join([*head, *rows]) + "\n"


def name_of(function: Callable[..., Any]) -> str:
    """A function as the index names it: ``franchise.grounds``."""
    return f"{function.__module__.removeprefix('register.law.')}.{function.__name__}"
