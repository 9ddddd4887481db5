"""One person's events as the rules of deficiencies look at them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, TypeVar
from uuid import UUID

from register.law.calendar import civil_day
from register.law.competence import municipality_of
from register.law.deficiencies.kinds import Finding, Kind
from register.law.dossier import facts_on, in_order, live
from register.law.effects import PersonNotice
from register.law.events import SOURCE_PREFIX, AboutPerson, Event
from register.law.franchise import Facts
from register.law.parameters import RuleSet

OfType = TypeVar("OfType", bound=AboutPerson)


class Case:
    """A person: the live events about it by day of effect and R-tie, and the facts on ``today``."""

    __slots__ = ("_by_type", "facts", "notices", "person", "rules", "today")

    def __init__(
        self, person: UUID, notices: list[tuple[Event, PersonNotice]], facts: Facts, today: date, rules: RuleSet
    ) -> None:
        self.person = person
        self.notices = notices
        self.facts = facts
        self.today = today
        self.rules = rules
        self._by_type: dict[type[Any], list[tuple[Event, Any]]] = {}
        for pair in notices:
            self._by_type.setdefault(type(pair[1]), []).append(pair)

    @property
    def events(self) -> list[Event]:
        """The events themselves, in order."""
        return [event for event, _ in self.notices]

    def of(self, type_: type[OfType]) -> list[tuple[Event, OfType]]:
        """The events of a type with what they say, in order."""
        return self._by_type.get(type_, [])

    def carrying(self, data: AboutPerson) -> Event:
        """The event that carries what the facts hold."""
        return next(event for event, carried in self.notices if carried is data)

    def waited(self, since: date) -> bool:
        """Whether a missing notice has been waited for long enough."""
        return self.today >= since + timedelta(days=self.rules.waiting_days)


def case_of(person: UUID, events: Iterable[Event], today: date, rules: RuleSet) -> Case | None:
    """The case of a person whose events are these (any order, annulled ones too); None when nobody is spoken of."""
    alive = live(events)
    facts = facts_on(alive, today)
    return None if facts is None else Case(person, in_order(alive), facts, today, rules)


def sender(event: Event) -> str:
    """The authority id of who sent an event."""
    return event.source.removeprefix(SOURCE_PREFIX)


def first_recorded(events: Iterable[Event]) -> Event:
    """The one recorded first: what comes later does not change it, so that a key made from it stays."""
    return min(events, key=lambda event: event.position)


def recorded_on(event: Event) -> date:
    """The day (Europe/Sarajevo) on which an event was recorded."""
    return civil_day(event.recorded_at)


def key_of(notice: Event) -> str:
    """The key of what is about one notice."""
    return f"{notice.stream}:{notice.source} {notice.id}"


def about_notice(
    case: Case, kind: Kind, notice: Event, *evidence: Event, figures: dict[str, int] | None = None
) -> Finding:
    """A finding about one notice, which its sender must put right; ``evidence``: what else shows it."""
    return finding(case, kind, key_of(notice), sender(notice), (notice, *evidence), figures=figures)


def finding(
    case: Case,
    kind: Kind,
    key: str,
    authority: str,
    evidence: Iterable[Event],
    *,
    municipality: str | None = None,
    figures: dict[str, int] | None = None,
) -> Finding:
    """A finding about the person of a case; ``municipality`` unless said otherwise is the authority's own."""
    positions = tuple(sorted({event.position for event in evidence}))
    where = municipality or municipality_of(authority)
    return Finding(kind, key, authority, where, (case.person,), positions, figures or {})
