"""Looking up streams by what they are about."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

import psycopg


def streams_of(connection: psycopg.Connection[Any], subjects: Collection[str]) -> dict[str, UUID]:
    """Subject -> stream, of the subjects that have one; e.g. ``jmb:…``, ``station:10049:003``."""
    query = "SELECT subject, stream FROM store.subject WHERE subject = ANY(%s)"
    return dict(connection.execute(query, (list(subjects),)).fetchall()) if subjects else {}


def streams_of_kind(connection: psycopg.Connection[Any], kind: str) -> list[UUID]:
    """The streams of all subjects of a kind, such as ``station`` or ``election``, by subject."""
    rows = connection.execute(
        'SELECT stream FROM store.subject WHERE subject >= %s AND subject < %s ORDER BY subject COLLATE "C"',
        (f"{kind}:", f"{kind};"),
    )
    return [row[0] for row in rows]


def subjects_of(connection: psycopg.Connection[Any], streams: Collection[UUID]) -> dict[UUID, str]:
    """Stream -> subject, the way back from :func:`streams_of`."""
    query = "SELECT stream, subject FROM store.subject WHERE stream = ANY(%s)"
    return dict(connection.execute(query, (list(streams),)).fetchall()) if streams else {}
