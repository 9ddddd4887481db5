"""The audit log of the register: who was deleted and reinstated, for which days, on which ground, by which notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

import msgspec

from register.law.deletions import AuditEntry, entered_days
from register.law.dossier import timeline
from register.law.events import Document
from register.law.franchise import FOREVER
from register.projection.chronicle import Chronicle
from tests.law.situations import (
    AMRA,
    AMRA_IN_BIHAC,
    BIHAC,
    COURT,
    NEW_NUMBER,
    REGISTRY,
    THIRD_NUMBER,
    Sent,
    bar_ended,
    barred,
    capacity_restored,
    capacity_withdrawn,
    citizen,
    day,
    death,
    left,
    lives_in,
    option,
    personal_data,
    recorded,
    replaced_by,
    reported_deceased,
    taken_back,
)

OLD, NEW = UUID(int=10), UUID(int=20)
STREAMS = {AMRA: OLD, NEW_NUMBER: NEW, THIRD_NUMBER: UUID(int=30)}
Line = tuple[str, str, str | None, str | None, str | None]


def audit(sent: Sequence[Sent]) -> list[AuditEntry]:
    """All audit entries of a situation, position by position."""
    events = recorded(sent, about=STREAMS)
    chronicle = Chronicle({}, events, {})
    return [entry for event in events for entry in chronicle.feed(event).audit]


def written(on: date) -> str | None:
    return None if on == FOREVER else f"{on.day}.{on.month}.{on.year}"


def lines(sent: Sequence[Sent]) -> list[Line]:
    """(action, from, to, ground, remark) of each entry."""
    return [(a.action, written(a.from_) or "", written(a.to), a.ground, a.remark) for a in audit(sent)]


ENTERED: Line = ("entered", "1.5.1998", None, None, None)


def test_she_is_entered_by_the_notice_that_completes_the_conditions_from_her_birthday_on() -> None:
    assert lines(AMRA_IN_BIHAC) == [ENTERED]


def test_a_death_deletes_from_its_day_on() -> None:
    assert lines([*AMRA_IN_BIHAC, death("3.2.2024")]) == [ENTERED, ("deleted", "3.2.2024", None, "deceased", None)]


def test_an_entry_names_notice_authority_document_article_and_place() -> None:
    paper = Document(kind="death certificate", number="17/26", issued_by="Matični ured", issued_on=date(2024, 2, 4))
    notice = death("3.2.2024").under("d-17")
    notice = replace(notice, data=msgspec.structs.replace(notice.data, document=paper))
    entry = audit([*AMRA_IN_BIHAC, notice])[-1]
    assert (entry.person, entry.position, entry.id) == (OLD, 3, "d-17")
    assert (entry.source, entry.type) == (f"urn:cvr:authority:{REGISTRY}", "ba.cvr.death.v1")
    assert (entry.document, entry.article, entry.municipality) == (paper, "Art. 3.5(3)1 c", BIHAC)
    assert entry.recorded_at == recorded([*AMRA_IN_BIHAC, notice])[-1].recorded_at


def test_taking_the_death_back_reinstates() -> None:
    sent = [*AMRA_IN_BIHAC, death("3.2.2024").under("d"), taken_back("d", by=REGISTRY)]
    assert lines(sent)[2:] == [("reinstated", "3.2.2024", None, "deceased", None)]


def test_withdrawn_capacity_deletes_and_its_restoration_reinstates() -> None:
    sent = [*AMRA_IN_BIHAC, capacity_withdrawn("1.2.2010"), capacity_restored("1.2.2012")]
    assert lines(sent)[1:] == [
        ("deleted", "1.2.2010", None, "legal-capacity-withdrawn", None),
        ("reinstated", "1.2.2012", None, "legal-capacity-withdrawn", None),
    ]


def test_the_end_of_a_bar_that_comes_first_leaves_nothing_to_delete() -> None:
    sent = [*AMRA_IN_BIHAC, bar_ended("bar", "1.2.2005"), barred("1.7", "1.3.2005").under("bar")]
    assert lines(sent) == [ENTERED]


def test_a_bar_known_with_its_end_deletes_only_the_days_between() -> None:
    sent = [*AMRA_IN_BIHAC, bar_ended("bar", "1.3.2015"), barred("1.7", "1.3.2005").under("bar")]
    assert lines(sent)[1:] == [("deleted", "1.3.2005", "1.3.2015", "barred-1.7", None)]


def test_a_second_ground_makes_no_entry_and_the_first_in_the_table_names_the_deletion() -> None:
    sent = [*AMRA_IN_BIHAC, barred("1.7", "1.3.2005").under("bar"), death("1.3.2004")]
    assert lines(sent)[1:] == [
        ("deleted", "1.3.2005", None, "barred-1.7", None),
        ("deleted", "1.3.2004", "1.3.2005", "deceased", None),
    ]
    both = [*sent, bar_ended("bar", "1.3.2010")]
    assert lines(both) == lines(sent)


def test_days_already_lost_on_another_ground_are_not_lost_again() -> None:
    """Her residence ends in 2010, her capacity was withdrawn from 2015 on: only the days between are deleted anew."""
    sent = [
        *AMRA_IN_BIHAC,
        capacity_withdrawn("1.1.2015").under("w"),
        left(BIHAC, "1.1.2010").under("end"),
        taken_back("w", by=COURT),
        taken_back("end", by=f"residence-authority:{BIHAC}"),
    ]
    assert lines(sent)[1:] == [
        ("deleted", "1.1.2015", None, "legal-capacity-withdrawn", None),
        ("deleted", "1.1.2010", "1.1.2015", "no-residence", None),
        ("reinstated", "1.1.2010", None, "no-residence", None),
    ]


def test_days_never_held_before_are_reinstated_as_extended() -> None:
    """An earlier residence becomes known: the days before the known one are new."""
    sent = [citizen(), lives_in(BIHAC, "1.5.2005"), lives_in(BIHAC, "1.5.1998")]
    assert lines(sent) == [
        ("entered", "1.5.2005", None, None, None),
        ("reinstated", "1.5.1998", "1.5.2005", "no-residence", "extended"),
    ]


def test_days_held_before_and_days_never_held_are_two_entries_though_they_adjoin() -> None:
    gone = [citizen(), lives_in(BIHAC, "1.5.2005").under("late"), taken_back("late", by=f"residence-authority:{BIHAC}")]
    assert lines([*gone, lives_in(BIHAC, "1.5.1998")])[2:] == [
        ("reinstated", "1.5.1998", "1.5.2005", "no-residence", "extended"),
        ("reinstated", "1.5.2005", None, "no-residence", None),
    ]


def test_a_corrected_date_of_birth_deletes_the_days_she_was_too_young() -> None:
    sent = [*AMRA_IN_BIHAC, personal_data("1.6.2010", born="1.5.1981")]
    assert lines(sent)[1:] == [("deleted", "1.5.1998", "1.5.1999", "under-age", None)]


def test_the_citizen_notice_taken_back_deletes_as_not_recorded() -> None:
    sent = [*AMRA_IN_BIHAC, taken_back("birth", by=REGISTRY)]
    assert lines(sent)[1:] == [("deleted", "1.5.1998", None, "not-recorded", None)]


def test_birthdays_moves_options_and_reports_of_death_delete_nobody() -> None:
    quiet = [
        lives_in("11762", "1.1.2010"),
        option("mail", "1.1.2011"),
        option("mobile-team", "1.1.2011"),
        reported_deceased("1.1.2012"),
        personal_data("1.1.2013", surname="Kovač"),
    ]
    assert lines([*AMRA_IN_BIHAC, *quiet]) == [ENTERED]


BOTH = [
    *AMRA_IN_BIHAC,
    citizen(jmb=NEW_NUMBER),
    lives_in(BIHAC, "1.6.2010", jmb=NEW_NUMBER),
    replaced_by(NEW_NUMBER, "1.6.2010").under("link"),
]


def test_joining_two_entered_numbers_deletes_the_one_of_the_greater_stream() -> None:
    entry = audit(BOTH)[-1]
    assert len(audit(BOTH)) == 3
    assert (entry.person, entry.action, entry.ground) == (NEW, "deleted", "joined-number")
    assert (entry.from_, entry.to) == (day("1.6.2010"), FOREVER)


def test_parting_them_reinstates_it() -> None:
    entries = audit([*BOTH, taken_back("link", by=f"residence-authority:{BIHAC}")])
    assert [(e.person, e.action, e.ground, e.remark) for e in entries[3:]] == [
        (NEW, "reinstated", "joined-number", None)
    ]


def test_a_death_under_the_joined_number_deletes_the_one_person_once() -> None:
    deceased = Sent(REGISTRY, msgspec.structs.replace(death("3.2.2024").data, jmb=NEW_NUMBER))
    entries = audit([*BOTH, deceased])
    assert [(e.person, e.action, e.ground) for e in entries[3:]] == [(OLD, "deleted", "deceased")]


def test_a_replacement_by_a_number_nobody_reported_on_makes_no_entry() -> None:
    assert lines([*AMRA_IN_BIHAC, replaced_by(NEW_NUMBER, "1.6.2010")]) == [ENTERED]


def test_two_entered_numbers_replaced_by_one_nobody_reported_on_are_joined_too() -> None:
    meeting = [replaced_by(THIRD_NUMBER, "1.6.2010"), replaced_by(THIRD_NUMBER, "1.6.2010", jmb=NEW_NUMBER)]
    entries = audit([*BOTH[:-1], *meeting])
    assert [(e.person, e.action, e.ground) for e in entries[2:]] == [(NEW, "deleted", "joined-number")]


def test_a_change_of_name_among_the_days_lost_makes_no_second_entry() -> None:
    names = [personal_data("1.6.2010", surname="Kovač"), personal_data("1.6.2012", surname="Šarić")]
    sent = [*AMRA_IN_BIHAC, *names, death("3.2.2005").under("d")]
    assert lines(sent)[1:] == [("deleted", "3.2.2005", None, "deceased", None)]
    back = [*sent, taken_back("d", by=REGISTRY)]
    assert lines(back)[2:] == [("reinstated", "3.2.2005", None, "deceased", None)]
    assert entered_days(timeline(recorded(back))) == ((day("1.5.1998"), FOREVER),)


def test_days_that_adjoin_those_held_before_were_never_held() -> None:
    sent = [death("3.2.2020").under("d"), *AMRA_IN_BIHAC, taken_back("d", by=REGISTRY)]
    assert lines(sent) == [
        ("entered", "1.5.1998", "3.2.2020", None, None),
        ("reinstated", "3.2.2020", None, "deceased", "extended"),
    ]


def test_an_entry_names_where_the_person_counts_or_counted() -> None:
    sent = [*AMRA_IN_BIHAC, death("3.2.2024").under("d"), taken_back("d", by=REGISTRY)]
    assert [(a.action, a.municipality) for a in audit(sent)] == [
        ("entered", BIHAC),
        ("deleted", BIHAC),
        ("reinstated", BIHAC),
    ]
