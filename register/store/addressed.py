"""The few events that an authority is told of: which topics, and how one authority's are found among all others.

The index ``event_addressed`` (migration 0009) holds these events alone, by whom they are addressed to (the member
``authority`` of their data; elections have none and concern everyone) and position. So what is new for a quiet
authority costs two looks into an index, whatever the number of events, and is there with the append that made it.
"""

from __future__ import annotations

from typing import Final

from register.law.events import (
    Act,
    DeficiencyDismissed,
    DeficiencyEstablished,
    DeficiencyNotified,
    DeficiencyRemedied,
    ElectionCalled,
    ElectionConcluded,
    FirstLoadDeclared,
    SenderKeyRegistered,
    SenderKeyRevoked,
)

#: What is told; the index of migration 0009 names the same topics. Another topic needs another index.
ADDRESSED: Final[tuple[type[Act], ...]] = (
    DeficiencyEstablished,
    DeficiencyNotified,
    DeficiencyDismissed,
    DeficiencyRemedied,
    ElectionCalled,
    ElectionConcluded,
    FirstLoadDeclared,
    SenderKeyRegistered,
    SenderKeyRevoked,
)
_TOPICS: Final = ", ".join(f"'{kind.TOPIC}'" for kind in ADDRESSED)


def addressed_query(columns: str) -> str:
    """Return SQL for a page of what is told to an authority; parameters ``authority``, ``after``, ``upto``, ``limit``.

    One part for what names the authority, one for what concerns everyone; each is a range of the index.
    """
    parts = (
        f"(SELECT {columns} FROM store.event WHERE store.addressee(state) = {whom} AND topic IN ({_TOPICS})"
        " AND notification_id > %(after)s AND notification_id <= %(upto)s ORDER BY notification_id LIMIT %(limit)s)"
        for whom in ("%(authority)s", "'*'")
    )
    return f"{' UNION ALL '.join(parts)} ORDER BY notification_id LIMIT %(limit)s"
