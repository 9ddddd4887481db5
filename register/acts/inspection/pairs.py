"""Two numbers that are likely one person: found by a digest of who somebody is, which the inspector keeps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Any
from uuid import UUID

from register.acts.inspection.looking import Connection, Examined, Sight
from register.law.deficiencies.between import Candidate, identity_key, one_under_two_numbers
from register.law.dossier import live
from register.law.events import SOURCE_PREFIX, Citizen
from register.law.persons import persons
from register.projection.copying import array
from register.projection.deficiencies import standing_about
from register.projection.links import linked_streams

_KIND = "one-under-two-numbers"
_SHOWN = """
    SELECT person, jmb, surname, given_name, parent_name, born_on, sex, municipality
    FROM projection.stretch
    WHERE person = ANY(%s::uuid[]) AND known @> %s::int8 AND days @> %s::date AND surname IS NOT NULL
        AND given_name IS NOT NULL AND parent_name IS NOT NULL AND born_on IS NOT NULL AND sex IS NOT NULL
        AND NOT 'deceased' = ANY(grounds)
"""


def examine(sight: Sight, streams: Collection[UUID]) -> Examined:
    """Who shares an identity with any of these people, and what stands about them."""
    if not streams:
        return Examined()
    streams = linked_streams(sight.connection, streams)
    shown = _shown(sight, streams)
    digests = {person: _digest(*names) for person, names in shown.items()}
    _remember(sight.connection, streams, digests)
    alike = _alike(sight.connection, set(digests.values()))
    found = one_under_two_numbers(_candidates(sight, alike)) if alike else []
    return Examined(found, standing_about(sight.connection, [_KIND], streams))


def _shown(sight: Sight, people: Collection[UUID]) -> dict[UUID, tuple[Any, ...]]:
    """What the register shows today of those who live: number, names, birth, sex, residence."""
    rows = sight.connection.execute(_SHOWN, (array(people), sight.position, sight.today))
    return {person: tuple(rest) for person, *rest in rows}


def _digest(_: str, surname: str, given_name: str, parent_name: str, born_on: Any, *__: object) -> UUID:
    key = identity_key(surname, given_name, parent_name, born_on)
    return UUID(bytes=blake2b(key.encode(), digest_size=16).digest())


def _remember(connection: Connection, streams: Collection[UUID], digests: Mapping[UUID, UUID]) -> None:
    """Who is who now; who died, or goes on under another stream, is no candidate any more."""
    gone = set(streams) - digests.keys()
    if gone:
        connection.execute("DELETE FROM inspection.identity WHERE person = ANY(%s::uuid[])", (array(gone),))
    if digests:
        connection.execute(
            """
            INSERT INTO inspection.identity SELECT * FROM unnest(%s::uuid[], %s::uuid[])
            ON CONFLICT (person) DO UPDATE SET digest = excluded.digest WHERE identity.digest <> excluded.digest
            """,
            (array(digests), array(digests.values())),
        )


def _alike(connection: Connection, digests: Collection[UUID]) -> set[UUID]:
    """All who share one of these digests with somebody else."""
    if not digests:
        return set()
    rows = connection.execute(
        """
        SELECT unnest(array_agg(person)) FROM inspection.identity WHERE digest = ANY(%s::uuid[])
        GROUP BY digest HAVING count(*) > 1
        """,
        (array(digests),),
    )
    return {person for (person,) in rows}


def _candidates(sight: Sight, people: Collection[UUID]) -> list[Candidate]:
    shown = _shown(sight, people)
    candidates = []
    linked = linked_streams(sight.connection, shown)
    joined = persons(sight.store.streams(linked, upto=sight.position))
    for person, (jmb, surname, given_name, parent_name, born_on, sex, municipality) in shown.items():
        recorded = [e for e in live(joined.get(person, ())) if isinstance(e.data, Citizen)]
        if not recorded:
            continue
        last = max(recorded, key=lambda event: (event.data.effective_on, event.weight))  # type: ignore[union-attr]
        candidates.append(
            Candidate(
                person=person,
                jmb=jmb,
                surname=surname,
                given_name=given_name,
                parent_name=parent_name,
                born_on=born_on,
                sex=sex,
                municipality=municipality,
                authority=last.source.removeprefix(SOURCE_PREFIX),
                evidence=tuple(event.position for event in recorded),
            )
        )
    return candidates
