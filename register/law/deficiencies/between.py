"""Two personal numbers that are likely one person: the same names, parent's name and date of birth.

The finding explains and merges nothing: only a replacement of one number by the other joins two numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import combinations
from uuid import UUID

import msgspec

from register.law.competence import municipality_of
from register.law.deficiencies.kinds import Finding
from register.law.deficiencies.names import alike


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A living person as the register shows it: ``person`` is its least stream id, ``jmb`` the number shown.

    ``authority`` is the id of the registry office that sent the last citizen notice, ``evidence`` the positions of the
    citizen notices.
    """

    person: UUID
    jmb: str
    surname: str
    given_name: str
    parent_name: str
    born_on: date
    sex: str
    municipality: str | None
    authority: str
    evidence: tuple[int, ...] = ()
    deceased: bool = False


def identity_key(surname: str, given_name: str, parent_name: str, born_on: date) -> str:
    """What two numbers of one person would share: names without script, case, diacritics and signs, and the birth.

    Personal. Equal for candidates between whom :func:`one_under_two_numbers` looks, so that a table can be grouped by
    it (Art. 3.5(6)).
    """
    return f"{alike(surname, given_name, parent_name)}\x1f{born_on.isoformat()}"


def one_under_two_numbers(candidates: Sequence[Candidate]) -> list[Finding]:
    """Every pair of different living persons whose identity is the same, by key (Art. 3.5(6)).

    A finding about each pair of itself: that two were found to be two people says nothing about a third. It is for the
    registry office of the one with the greater stream id, which is the one that a replacement would join to the other.
    ``candidates``: any, in any order; one person (linked numbers) may stand there more than once.
    """
    groups: dict[str, dict[UUID, Candidate]] = {}
    for one in candidates:
        if not one.deceased:
            key = identity_key(one.surname, one.given_name, one.parent_name, one.born_on)
            groups.setdefault(key, {}).setdefault(one.person, one)
    found = [_pair(*pair) for group in groups.values() for pair in combinations(_in_order(group.values()), 2)]
    return sorted(found, key=lambda finding: finding.key)


def _in_order(group: Iterable[Candidate]) -> list[Candidate]:
    return sorted(group, key=lambda candidate: candidate.person)


def _pair(one: Candidate, other: Candidate) -> Finding:
    return Finding(
        "one-under-two-numbers",
        f"{one.person}:{other.person}",
        other.authority,
        other.municipality or municipality_of(other.authority),
        (one.person, other.person),
        tuple(sorted({*one.evidence, *other.evidence})),
    )
