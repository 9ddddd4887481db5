"""Whether standbys follow this database, and whether what it acknowledges waits for one of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

#: What PostgreSQL calls a standby (``pg_stat_replication.sync_state``); ``unknown`` where we may not be told.
KINDS: Final = ("sync", "quorum", "potential", "async", "unknown")
_ACKNOWLEDGING: Final = ("sync", "quorum", "unknown")

_STATE: Final = sa.text(
    "SELECT current_setting('synchronous_standby_names'),"
    " ARRAY(SELECT coalesce(sync_state, 'unknown') FROM pg_stat_replication WHERE coalesce(state, '') <> 'backup')"
)


@dataclass(frozen=True, slots=True)
class Replication:
    """Standbys that follow, by kind; ``awaited``: nothing is acknowledged before standbys have it."""

    awaited: bool
    standbys: Counter[str]

    @property
    def waits(self) -> bool:
        """Whether what is sent waits for standbys of which none is there."""
        return self.awaited and not any(self.standbys[kind] for kind in _ACKNOWLEDGING)


def replication(connection: sa.Connection) -> Replication:
    """How things stand with the standbys of the database of a connection.

    Of which kind a standby is, PostgreSQL tells those alone who have ``pg_read_all_stats``.
    """
    names, kinds = connection.execute(_STATE).one()
    return Replication(awaited=bool(names.strip()), standbys=Counter(kinds))
