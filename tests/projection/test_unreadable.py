"""An event that cannot be read stops the register, says so without a name, and loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import httpx
import psycopg
import pytest

from register.app.http import build, create_app
from register.database import Database
from register.law.events import Death
from register.projection.following import Follower, Obstacle, StoppedError
from register.projection.projector import position_of
from register.projection.rebuild import rebuild
from register.settings import Settings
from register.store import Store
from tests.projection.test_projector import Authorities, citizen

NOW = datetime(2026, 5, 2, tzinfo=UTC)
PROBE = "the surname Probić must stand in no message"


def damage(database: Database, position: int) -> Callable[[], None]:
    """Make the state at a position unreadable; what is given back mends it."""
    with psycopg.connect(database.owner_dsn) as owner:
        query = "SELECT state FROM store.event WHERE notification_id = %s"
        (state,) = owner.execute(query, (position,)).fetchone() or (b"",)
        owner.execute("DROP INDEX IF EXISTS store.event_addressed")  # it reads states, and damaged ones not

    def write(what: bytes) -> None:
        with psycopg.connect(database.owner_dsn) as owner:
            owner.execute("ALTER TABLE store.event DISABLE TRIGGER USER")
            owner.execute("UPDATE store.event SET state = %s WHERE notification_id = %s", (what, position))
            owner.execute("ALTER TABLE store.event ENABLE TRIGGER USER")

    write(state.replace(b'"surname":', f'"{PROBE}":'.encode(), 1) + b"\x00")
    return lambda: write(state)


def history(store: Store) -> None:
    """Twelve citizens, and the first one's death."""
    out = Authorities(store)
    for n in range(12):
        out.send("registry-office:10049", citizen(f"N{n}", "Probić", date(1970, 1, 1)))
    out.send("registry-office:10049", Death(jmb="N0", effective_on=date(2026, 2, 1)))


def follow_all(follower: Follower) -> None:
    """Follow until there is nothing left."""
    while follower.turn():
        pass


@pytest.mark.parametrize(
    ("damaged", "followed_before", "stands_at", "needed_by"),
    [(8, 0, 7, 8), (1, 0, 0, 1), (1, 12, 12, 13), (13, 12, 12, 13)],
    ids=["in the middle of a batch", "the first", "an earlier one of its person", "the last"],
)
async def test_the_register_stands_before_what_it_cannot_read_and_goes_on_once_it_is_mended(
    settings: Settings, database: Database, damaged: int, followed_before: int, stands_at: int, needed_by: int
) -> None:
    """Given a damaged state, then all before it is followed, the reason told by its position; mended, nothing lacks."""
    with (
        build(settings, clock=lambda: NOW) as system,
        Store(database.psycopg) as store,
        database.psycopg() as connection,
    ):
        history(store)
        follower = Follower(connection, store)
        if followed_before:
            follower.size = followed_before
            assert follower.turn() == followed_before
        mend = damage(database, damaged)
        with pytest.raises(StoppedError) as stopped:
            follow_all(follower)
        assert stopped.value.obstacle == Obstacle(damaged, stopped.value.obstacle.topic, needed_by)
        assert "Probić" not in str(stopped.value)
        assert stopped.value.__cause__ is None
        assert stopped.value.__suppress_context__, "the log would show the state"
        assert position_of(connection) == stands_at
        connection.rollback()
        with pytest.raises(StoppedError):
            follower.turn()
        transport = httpx.ASGITransport(create_app(system))
        async with httpx.AsyncClient(transport=transport, base_url="http://register") as client:
            ready = await client.get("/readyz")
            assert ready.status_code == 503
            assert f"event at position {damaged} (ba.cvr." in ready.json()["detail"]
            assert "Probić" not in ready.text
            metric = 'cvr_stopped_at_position{of="projection"}'
            assert f"{metric} {damaged}.0" in (await client.get("/metrics")).text
            parts = {f'cvr_part_lag_events{{part="{part}"}} {13 - stands_at}.0' for part in range(17)}
            assert parts <= set((await client.get("/metrics")).text.splitlines())
            mend()
            follow_all(follower)
            assert f"{metric} 0.0" in (await client.get("/metrics")).text
        assert position_of(connection) == store.head() == 13
        connection.rollback()
        assert rebuild(database, store).differences == []


def test_a_batch_grows_while_it_is_quick(database: Database) -> None:
    """Given more events than a first batch takes, then the next one takes more."""
    with Store(database.psycopg) as store, database.psycopg() as connection:
        history(store)
        follower = Follower(connection, store)
        follower.size = 2
        taken = []
        while found := follower.turn():
            taken.append(found)
    assert taken == [2, 4, 7]
