"""Kinds about what did not arrive, by authority and day: control totals, silent days, written notices.

They are looked at once a day: within a day, what is missing is still under way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from register.acts.inspection.looking import Examined, Sight
from register.projection.deficiencies import standing_with
from register.projection.timeliness import findings

KINDS: Final = ("control-total", "silent-day", "written-notice-missing")
_AUTHORITIES: Final = """
    SELECT authority FROM projection.received UNION SELECT authority FROM projection.control_total
    UNION SELECT authority FROM projection.deficiency WHERE kind = ANY(%s) AND state NOT IN ('remedied', 'dismissed')
"""


def examine(sight: Sight) -> Iterator[Examined]:
    """What did not arrive, and what stands of it, one authority after the other."""
    rows = sight.connection.execute(_AUTHORITIES, (list(KINDS),)).fetchall()
    for authority in sorted(name for (name,) in rows):
        found = list(findings(sight.connection, sight.today, authorities=[authority]))
        yield Examined(found, standing_with(sight.connection, KINDS, authority))
