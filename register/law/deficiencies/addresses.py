"""What shows only when many entries are laid side by side: addresses (Art. 3.5(6), 3.5(3)4).

The structs are what a query over the register's tables gives, one row each. The rules compare and explain; they change
nobody's entry, and a finding says nothing about any single person at the address.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import Final
from uuid import UUID

import msgspec

from register.law.calendar import Calendar
from register.law.competence import municipality_of
from register.law.deficiencies.kinds import Finding, Kind
from register.law.deficiencies.names import alike
from register.law.parameters import PARAMETERS, in_force

#: How many arrivals at one address before a conclusion are no more than a large family's, or two; by day.
ARRIVALS_AN_ADDRESS: Final = PARAMETERS["arrivals_an_address"]


class Application(msgspec.Struct, frozen=True, gc=False):
    """An out-of-country application (an option by mail) that counts, of a ``person``; ``authority`` sent it."""

    person: UUID
    country: str
    foreign_address: str
    position: int
    authority: str


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A ``person`` whose permanent residence at an address begins on ``arrived_on``, and was another before.

    ``address_key`` is the folded address within the municipality (``projection.stretch``), ``residents`` how many
    resided there on the day before the first of the days looked at (:func:`arrivals_from`); the same at each arrival.
    """

    person: UUID
    municipality: str
    address_key: str
    arrived_on: date
    residents: int
    position: int


class Inhabited(msgspec.Struct, frozen=True, gc=False):
    """An address at which ``voters`` reside, and the polling station that covers it, if any does (the coverage)."""

    municipality: str
    address_key: str
    voters: int
    station: str | None = None
    ambiguous: bool = False


def foreign_key(country: str, foreign_address: str) -> str:
    """What two ways of writing one foreign address share: the country, and its words. Personal."""
    return f"{country}\x1f{alike(foreign_address)}"


def crowded(applications: Iterable[Application], limit: int) -> list[Finding]:
    """Foreign addresses that more than ``limit`` people apply from, by key (Art. 3.5(6), practice: more than six).

    ``applications``: those that count, any order. It is for the commission that sent all of them, else for the CEC.
    """
    groups: dict[str, list[Application]] = {}
    for one in applications:
        groups.setdefault(foreign_key(one.country, one.foreign_address), []).append(one)
    found = []
    for key, group in groups.items():
        people = {one.person for one in group}
        if len(people) > limit:
            senders = {one.authority for one in group}
            figures = {"applications": len(people), "limit": limit}
            evidence = tuple(sorted({one.position for one in group}))
            authority = senders.pop() if len(senders) == 1 else "cec"
            municipality = municipality_of(authority)
            found.append(
                Finding("crowded-address", key, authority, municipality, tuple(sorted(people)), evidence, figures)
            )
    return _by_key(found)


def arrivals_from(calendar: Calendar) -> date:
    """The first of the days before a conclusion on which arrivals are counted (Art. 3.5(6), practice: 60 days)."""
    days = in_force(calendar.conclusion_day).arrivals_days
    return calendar.conclusion_day - timedelta(days=days)


def many_arrivals(arrivals: Iterable[Arrival], calendar: Calendar) -> list[Finding]:
    """Addresses at which too many people arrived shortly before a conclusion, by key (Art. 3.5(6), practice).

    More than ten, and more than resided there before: a large family, or a few who move into a large house, are
    neither. Counted from :func:`arrivals_from` to the conclusion day. For the municipality's residence authority.
    """
    first, last = arrivals_from(calendar), calendar.conclusion_day
    groups: dict[tuple[str, str], list[Arrival]] = {}
    for one in arrivals:
        if first <= one.arrived_on <= last:
            groups.setdefault((one.municipality, one.address_key), []).append(one)
    usual = in_force(last).arrivals_an_address
    found = []
    for (municipality, address_key), group in groups.items():
        people = {one.person for one in group}
        residents = max(one.residents for one in group)
        if len(people) > max(usual, residents):
            key = f"{calendar.election}:{municipality}:{address_key}"
            figures = {"arrivals": len(people), "residents": residents, "days": (last - first).days}
            evidence = tuple(sorted({one.position for one in group}))
            authority = f"residence-authority:{municipality}"
            found.append(
                Finding("many-arrivals", key, authority, municipality, tuple(sorted(people)), evidence, figures)
            )
    return _by_key(found)


def uncovered(addresses: Iterable[Inhabited], without_stations: Collection[str] = ()) -> list[Finding]:
    """Addresses with voters that no polling station covers, by key (Art. 3.5(3)4). For the municipal commission.

    Of a municipality in ``without_stations`` no polling station was ever reported: that is one fault, not one at each
    of its addresses; the key is then the municipality.
    """
    voters: dict[tuple[str, str], int] = {}
    for one in addresses:
        if one.station is None and one.voters > 0:
            place = (one.municipality, "" if one.municipality in without_stations else one.address_key)
            voters[place] = voters.get(place, 0) + one.voters
    return _by_key(_about_address("address-uncovered", *place, count) for place, count in voters.items())


def ambiguous(addresses: Iterable[Inhabited]) -> list[Finding]:
    """Addresses with voters that several polling stations cover as specifically, by key (Art. 3.5(3)4).

    The lowest code has decided. For the municipal commission.
    """
    return _by_key(
        _about_address("address-ambiguous", one.municipality, one.address_key, one.voters)
        for one in addresses
        if one.ambiguous and one.voters > 0
    )


def _about_address(kind: Kind, municipality: str, address_key: str, voters: int) -> Finding:
    key = f"{municipality}:{address_key}" if address_key else municipality
    return Finding(kind, key, f"municipal-commission:{municipality}", municipality, figures={"voters": voters})


def _by_key(found: Iterable[Finding]) -> list[Finding]:
    return sorted(found, key=lambda finding: finding.key)
