"""What the inspector finds in a messy feed is what was made wrong in it."""

from __future__ import annotations

from datetime import date

from register.database import Database
from register.rehearsal.generate import Feed
from register.rehearsal.rates import measure
from register.store import Store

UNTIL = date(2026, 6, 1)


def test_what_is_found_is_what_was_made_wrong(database: Database) -> None:
    """Given 3,000 voters, when inspected, then each kind finds all that was made wrong, and hardly anything else."""
    feed = Feed(3_000, seed=12, messy=True, until=UNTIL)
    with Store(database.psycopg) as store:
        rates = {rate.kind: rate for rate in measure(database, store, feed, UNTIL)}
    assert {kind: rate for kind, rate in rates.items() if rate.false or rate.missed} == {}
    made = [kind for kind, rate in rates.items() if rate.made]
    assert len(made) > 12
    assert all(rates[kind].true for kind in made)
    assert rates["no-entity-option"].true > 50
