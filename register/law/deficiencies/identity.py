"""Who somebody is: numbers, names, dates of birth and sex that contradict each other (Art. 3.5(6), 3.5(3)1, 2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import combinations
from uuid import UUID

from register.law import personal_number
from register.law.competence import municipality_of
from register.law.deficiencies.case import Case, about_notice, finding, first_recorded, key_of, sender
from register.law.deficiencies.kinds import Finding
from register.law.deficiencies.names import words
from register.law.dossier import live
from register.law.events import AboutPerson, Citizen, Event, JmbReplaced, PersonalData, Sex
from register.law.franchise import comes_of_age, grounds
from register.law.provisions import Refusal

_Citizens = list[tuple[Event, Citizen]]


def two_under_one_number(case: Case) -> Iterator[Finding]:
    """Citizen notices under one number that name two dates of birth, or names without a word in common (Art. 3.5(6)).

    A date or a name that a notice of personal data also states was changed or corrected, and counts for nothing here.
    """
    if len(case.of(Citizen)) < 2:
        return
    for number in {event.stream for event, _ in case.of(Citizen)}:
        citizens = [pair for pair in case.of(Citizen) if pair[0].stream == number]
        changes = [data for event, data in case.of(PersonalData) if event.stream == number]
        contradict = {e.position for e in (*_two_births(citizens, changes), *_two_names(citizens, changes))}
        if contradict:
            evidence = [event for event, _ in citizens if event.position in contradict]
            yield finding(case, "two-under-one-number", str(number), sender(evidence[-1]), evidence)


def _two_births(citizens: _Citizens, changes: Iterable[PersonalData]) -> list[Event]:
    """The citizen notices that name different dates of birth."""
    corrected = {change.born_on for change in changes}
    naming = [(event, data.born_on) for event, data in citizens if data.born_on not in corrected]
    return [event for event, _ in naming] if len({born_on for _, born_on in naming}) > 1 else []


def _two_names(citizens: _Citizens, changes: Iterable[PersonalData]) -> list[Event]:
    """The citizen notices whose surname and given name have no word in common with those of another."""
    changed = {word for change in changes for word in words(f"{change.surname or ''} {change.given_name or ''}")}
    naming: dict[frozenset[str], list[Event]] = {}
    for event, data in citizens:
        name = frozenset(words(data.surname) + words(data.given_name))
        if name and not name & changed:
            naming.setdefault(name, []).append(event)
    apart = {name for pair in combinations(naming, 2) if not pair[0] & pair[1] for name in pair}
    return [event for name in apart for event in naming[name]]


def number_disagrees(case: Case) -> Iterator[Finding]:
    """The number shown today states another date of birth or sex than was decided (Art. 3.5(6)).

    Where a replacement gave the number, the fault is that replacement's; a number replaced is not looked at any more.
    """
    stated = _stated(case.facts.jmb)
    if stated is None:
        return
    if case.facts.born_on not in (None, stated[0]):
        deciding = _last_word(case, "born_on")
    elif case.facts.sex not in (None, stated[1]):
        deciding = _last_word(case, "sex")
    else:
        return
    links = [event for event, data in case.of(JmbReplaced) if data.effective_on <= case.today]
    under = next((event for event, data in case.notices if data.jmb == case.facts.jmb), None)
    key = key_of(links[-1]) if links else "" if under is None else str(under.stream)
    yield finding(case, "number-disagrees", key, sender(deciding), (deciding, *links[-1:]))


def _stated(jmb: str) -> tuple[date, Sex] | None:
    """Date of birth and sex in a number; None for what is no possible number, which is refused at the door."""
    try:
        return personal_number.birth_date(jmb), personal_number.sex(jmb)
    except Refusal:
        return None


def _last_word(case: Case, member: str) -> Event:
    """The event that decides the date of birth (which is not dated), or the sex on ``today`` (R-tie)."""
    return next(
        event
        for event, data in reversed(case.notices)
        if isinstance(data, Citizen | PersonalData)
        and getattr(data, member) is not None
        and (member == "born_on" or data.effective_on <= case.today)
    )


def numbers_disagree(streams: Mapping[UUID, Sequence[Event]], joined: Mapping[UUID, list[Event]]) -> Iterator[Finding]:
    """Replacements that link nothing, as the numbers disagree on date of birth or sex (Art. 3.5(3)2, linked numbers).

    ``joined``: what :func:`register.law.persons.persons` made of ``streams``.
    """
    if not any(isinstance(event.data, JmbReplaced) for events in streams.values() for event in events):
        return
    alive = [event for events in streams.values() for event in live(events)]
    linking = {event.position for events in joined.values() for event in live(events)}
    person_of = {e.data.jmb: p for p, events in joined.items() for e in events if isinstance(e.data, AboutPerson)}
    for event in alive:
        if not isinstance(event.data, JmbReplaced) or event.position in linking:
            continue
        numbers = (event.data.jmb, event.data.new_jmb)
        said = [e.position for e in alive if isinstance(e.data, Citizen) and e.data.jmb in numbers]
        person = person_of.get(event.data.jmb, event.stream)
        concerned = {person, person_of.get(event.data.new_jmb, person)}
        yield Finding(
            "numbers-disagree",
            key_of(event),
            sender(event),
            municipality_of(sender(event)),
            tuple(sorted(concerned)),
            tuple(sorted({event.position, *said})),
        )


def over_110(case: Case) -> Iterator[Finding]:
    """Somebody entered today who would be more than 110 completed years old (Art. 3.5(6), practice)."""
    born_on, today = case.facts.born_on, case.today
    if born_on is None or today.year - born_on.year <= case.rules.age_most:
        return
    age = today.year - born_on.year
    if comes_of_age(born_on, age) > today:
        age -= 1
    if age <= case.rules.age_most or grounds(case.facts, today, case.rules):
        return
    key = str(first_recorded(event for event, _ in case.of(Citizen)).stream)
    deciding = _last_word(case, "born_on")
    yield finding(case, "over-110", key, sender(deciding), (deciding,), figures={"age": age})


def before_birth(case: Case) -> Iterator[Finding]:
    """Notices whose day of effect lies before the date of birth decided (Art. 3.5(6))."""
    born_on = case.facts.born_on
    if born_on is None:
        return
    for event, data in case.notices:
        if data.effective_on >= born_on:
            return
        yield about_notice(case, "before-birth", event)
