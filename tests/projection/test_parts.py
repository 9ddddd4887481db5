"""The register followed by several projectors at once: the same tables, and every answer on one position."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import date
from typing import Any, cast
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from register.database import Database
from register.law.events import Annulment, AnyData, Death, Event
from register.projection import rebuild as building
from register.projection.comparing import AS_OF, AT_ONCE
from register.projection.following import Follower, Obstacle, StoppedError
from register.projection.parts import (
    ALL,
    COMMON,
    PERSONS,
    Step,
    deal,
    is_level,
    lock,
    part_of,
    position_of,
    positions_of,
)
from register.projection.projector import follow
from register.projection.rebuild import bring_to_form, rebuild
from register.projection.seats import SEATS, Seat
from register.projection.tables import metadata
from register.rehearsal.bench.ground import fill
from register.store import Store
from tests.flows.conftest import until
from tests.projection.test_projector import NOW, Authorities, citizen, lives, replaced
from tests.projection.test_rebuild import held
from tests.projection.test_unreadable import damage
from tests.properties.histories import tried
from tests.properties.mixed import mixed
from tests.properties.tables import record, recorded, step

#: What must be the same at the position the register rests on, however far some parts are ahead.
OF_NOBODY = [name for name in AT_ONCE if name != "person"]


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    """An empty event store."""
    with Store(database.psycopg) as store:
        yield store


def test_each_part_is_one_projectors_whatever_their_number() -> None:
    for projectors in range(1, SEATS + 1):
        shares = [deal(projectors, mine) for mine in range(projectors)]
        assert sorted(part for share in shares for part in share) == sorted(ALL)
        assert COMMON in shares[0]
        assert all(shares)


def as_known(connection: psycopg.Connection[Any], position: int) -> dict[str, list[str]]:
    """What the tables tell of a position: two-axis tables as of it, and those of nobody as they stand."""
    known = f"lower(known), CASE WHEN upper(known) <= {position} THEN upper(known) END"
    found = {}
    for name in (*AS_OF, *OF_NOBODY):
        columns = metadata.tables[f"projection.{name}"].columns.keys()
        values = ", ".join(known if column == "known" else column for column in columns)
        condition = "true"
        if name in AS_OF:
            condition = f"{'lower(known)' if 'known' in columns else 'position'} <= {position}"
        rows = connection.execute(f"SELECT ROW({values})::text FROM projection.{name} WHERE {condition} ORDER BY 1")
        found[name] = [row for (row,) in rows]
    return found


def test_any_number_of_projectors_in_any_order_make_the_same_tables(database: Database) -> None:
    """Given stations, links, annulments of links, then at every moment the tables tell of one position, and all of it.

    Projectors come and go meanwhile: the parts are dealt out anew.
    """
    ahead = 0
    with recorded(database) as register:

        def raw(connection: sa.Connection) -> psycopg.Connection[Any]:
            return cast("psycopg.Connection[Any]", connection.connection.driver_connection)

        @tried(60)
        @given(mixed(), st.randoms(use_true_random=False))
        def compare(events: list[Event], chance: random.Random) -> None:
            nonlocal ahead
            alone = raw(register(events, None))
            expected = {0: as_known(alone, 0)}
            while step(alone, limit=1):
                expected[position_of(alone)] = as_known(alone, position_of(alone))
            whole = held(alone)
            assert len(expected) == len(events) + 1

            shared = raw(register(events, None))
            idle, projectors = 0, chance.choice((1, 2, 5))
            while idle < 40:
                if chance.random() < 0.05:
                    projectors = chance.choice((1, 2, 5))
                parts = deal(projectors, chance.randrange(projectors))
                if not step(shared, chance.choice((1, 7, 5_000)), parts):
                    idle += 1
                    continue
                idle = 0
                positions = positions_of(shared)
                assert positions[COMMON] == min(positions.values())
                ahead += not is_level(positions)
                assert as_known(shared, position_of(shared)) == expected[position_of(shared)]
            assert set(positions_of(shared).values()) == {len(events)}
            assert held(shared) == whole

        compare()
    assert ahead > 100, "no part was ever ahead of another"


def country(store: Store, size: int = 600) -> None:
    """People at many addresses, with numbers that replace others, some of them before they are heard of."""
    out, chance = Authorities(store), random.Random(5)
    for n in range(size):
        out.send("registry-office:10049", citizen(f"N{n}", f"Probić{n % 7}", date(1970, 1, 1)))
        out.send("residence-authority:10049", lives(f"N{n}", "10049", "Nova", str(n % 50), date(2020, 1, 1)))
        if n % 60 == 59:
            old, new = chance.randrange(n), chance.choice((chance.randrange(n), n + 5))
            if old != new:
                out.send("residence-authority:10049", replaced(f"N{old}", f"N{new}", date(2026, 1, 1)))
                if chance.random() < 0.5:
                    out.send("residence-authority:10049", Annulment(annuls=out.sent[-1], reason="error"))
        if n % 9 == 0:
            out.send("registry-office:10049", Death(jmb=f"N{n}", effective_on=date(2026, 2, 1)))


@pytest.mark.parametrize("projectors", [2, 5])
def test_projectors_at_the_same_time_make_what_a_rebuild_makes(
    database: Database, store: Store, projectors: int
) -> None:
    """Given several projectors side by side while events come, then all is followed, by each a share of it."""
    taken, begun, done = [0] * projectors, threading.Barrier(projectors + 1), threading.Event()
    failed: list[BaseException] = []

    def run(number: int) -> None:
        try:
            with database.psycopg() as connection:
                seat, follower = Seat(connection), Follower(connection, store)
                begun.wait()
                while True:
                    follower.parts = seat.parts()
                    follower.size = min(follower.size, 50)
                    moved = follower.turn()
                    taken[number] += moved
                    if not moved:
                        if done.is_set() and min(positions_of(connection).values()) == store.head():
                            return
                        connection.rollback()
                        follower.wait()
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=run, args=(number,)) for number in range(projectors)]
    for thread in threads:
        thread.start()
    begun.wait()
    country(store)
    done.set()
    for thread in threads:
        thread.join()
    assert not failed
    assert sum(amount > 0 for amount in taken) >= 2
    with database.psycopg() as connection:
        assert connection.execute("SELECT count(*) FROM projection.link").fetchone() != (0,)
        assert connection.execute("SELECT count(*) FROM projection.new_address").fetchone() == (0,)
    found = rebuild(database, store)
    assert (found.position, found.differences, found.switched) == (store.head(), [], True)


def test_a_rebuild_beside_parts_that_stand_apart_brings_them_to_one_position(database: Database, store: Store) -> None:
    """Given parts ahead of others, when the register is built anew, then nothing differs and nothing is lost."""
    country(store, 59)
    with database.psycopg() as connection:
        follow(connection, store, limit=20)
        for share in range(1, 5):
            while follow(connection, store, limit=30, parts=deal(5, share)):
                pass
        assert position_of(connection) == 20
        assert set(positions_of(connection).values()) == {20, store.head()}
        connection.rollback()
        found = rebuild(database, store)
        assert (found.differences, found.switched, found.position) == ([], True, store.head())
        assert is_level(positions_of(connection))


def test_who_finds_its_parts_moved_holds_no_row_while_it_waits_for_other_parts(database: Database) -> None:
    """Given one who waits for a part that then goes ahead, then whoever has the parts it wants next can have that one.

    Otherwise each would wait for the other when all parts are wanted together, and one of them would be ended.
    """
    wanted = "SELECT FROM projection.progress WHERE part = %s FOR UPDATE"
    with (
        database.psycopg() as onlooker, database.psycopg() as first,
        database.psycopg() as second, database.psycopg() as third,
    ):  # fmt: skip
        onlooker.execute(
            "INSERT INTO projection.progress SELECT n, CASE n WHEN 9 THEN 3 ELSE 5 END FROM generate_series(0, 16) n"
            " ON CONFLICT (part) DO UPDATE SET position = excluded.position"
        )
        onlooker.commit()
        second.execute(wanted, (8,))
        third.execute(wanted, (9,))
        found: list[Step | None] = []
        waiter = threading.Thread(target=lambda: found.append(lock(first, PERSONS)))
        waiter.start()
        until(lambda: _waits_for(onlooker, first, third))
        third.execute("UPDATE projection.progress SET position = 6 WHERE part = 9")
        third.commit()
        until(lambda: _waits_for(onlooker, first, second))
        second.execute(f"{wanted} NOWAIT", (9,))
        second.rollback()
        waiter.join(30)
        assert found == [Step(frozenset(PERSONS) - {9}, 5, 6)]


def _waits_for(onlooker: psycopg.Connection[Any], one: psycopg.Connection[Any], other: psycopg.Connection[Any]) -> bool:
    query = "SELECT %s = ANY(pg_blocking_pids(%s))"
    with onlooker.transaction():
        return onlooker.execute(query, (other.info.backend_pid, one.info.backend_pid)).fetchone() == (True,)


def take_turns(*followers: Follower) -> None:
    """Until none has anything left."""
    while sum(follower.turn() for follower in followers):
        pass


def test_what_one_part_cannot_read_leaves_the_others_going(database: Database, store: Store) -> None:
    """Given a damaged event, then its projector stops and says where, the others go on, and nothing is lost."""
    out = Authorities(store)
    for n in range(60):
        out.send("registry-office:10049", citizen(f"N{n}", "Probić", date(1970, 1, 1)))
    with database.psycopg() as connection:
        share = deal(2, 1)
        damaged = next(e.position for e in store.events() if e.position > 20 and part_of(e.stream) in share)
        mend = damage(database, damaged)
        one, other = (Follower(connection, store, deal(2, mine)) for mine in (0, 1))
        with pytest.raises(StoppedError) as stopped:
            take_turns(one, other)
        assert stopped.value.obstacle == Obstacle(damaged, stopped.value.obstacle.topic, damaged)
        for _ in range(10):
            one.turn()
        positions = positions_of(connection)
        assert {positions[part] for part in deal(2, 0) if part != COMMON} == {store.head()}
        assert {positions[part] for part in share} == {damaged - 1}
        assert position_of(connection) == damaged - 1
        connection.rollback()
        mend()
        take_turns(one, other)
        assert set(positions_of(connection).values()) == {store.head()}
        connection.rollback()
        assert rebuild(database, store).differences == []


def test_seats_are_dealt_anew_when_a_projector_comes_or_goes(database: Database) -> None:
    """Given three projectors, when one ends, however, then the two others have its parts."""
    now = [0.0]

    def seat() -> tuple[psycopg.Connection[Any], Seat]:
        connection = database.psycopg()
        return connection, Seat(connection, clock=lambda: now[0])

    three = [seat() for _ in range(3)]
    for _, each in three:
        each.parts()
    now[0] += 1
    shares = [each.parts() for _, each in three]
    assert sorted(part for share in shares for part in share) == sorted(ALL)
    assert all(shares)
    ended = three[0][0].info.backend_pid
    three[0][0].close()
    while three[1][0].execute("SELECT FROM pg_stat_activity WHERE pid = %s", (ended,)).rowcount:  # it ends soon
        three[1][0].commit()
    now[0] += 1
    shares = [each.parts() for _, each in three[1:]]
    assert sorted(part for share in shares for part in share) == sorted(ALL)
    last, newcomer = seat()
    assert newcomer.parts() == deal(3, 0)
    for connection in (last, three[1][0], three[2][0]):
        connection.close()


def test_an_empty_register_far_behind_is_built_by_whole_streams(
    database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a first load and empty tables, then they are loaded at once, and are what following makes."""
    fill(store, 400)
    assert bring_to_form(database, store) is None, "a few events are followed"
    monkeypatch.setattr(building, "WORTH_LOADING", 400)
    built = bring_to_form(database, store)
    assert built is not None
    assert (built.position, built.differences, built.switched) == (400, [], True)
    assert bring_to_form(database, store) is None
    with database.psycopg() as connection:
        assert not follow(connection, store)
        loaded = held(connection)
        for table in metadata.sorted_tables:
            if table.name != "form":
                connection.execute(f"DELETE FROM {table}".encode())
        while follow(connection, store):
            pass
        assert held(connection) == loaded
        connection.rollback()


def test_a_person_has_the_part_of_the_last_digit_of_the_stream(database: Database, store: Store) -> None:
    """Given many streams, then the database names the same part, and each part has some of them."""
    fill(store, 400)
    with database.psycopg() as connection:
        rows = connection.execute(
            "SELECT originator_id, get_byte(uuid_send(originator_id), 15) & 15 FROM store.event"
        ).fetchall()
    assert all(part_of(stream) == digit + 1 for stream, digit in rows)
    assert {part_of(stream) for stream, _ in rows} == set(PERSONS)


def test_who_is_heard_of_under_a_new_number_later_changes_nobodys_part(database: Database) -> None:
    """Given a number replaced by an unreported one whose stream comes later and is less, then no event is lost."""
    events = [
        _filed(1, 20, citizen("A", "Čolić", date(1970, 1, 1))),
        _filed(2, 20, replaced("A", "X", date(2020, 1, 1))),
        _filed(3, 20, lives("A", "10049", "Nova", "1", date(2021, 1, 1))),
        _filed(4, 10, citizen("X", "Čolić", date(1970, 1, 1))),
        _filed(5, 20, Death(jmb="A", effective_on=date(2026, 1, 1))),
    ]
    first, second = deal(2, 0), deal(2, 1)
    assert part_of(UUID(int=20)) in first
    assert part_of(UUID(int=10)) in second
    with recorded(database) as register:
        raw = cast("psycopg.Connection[Any]", register(events).connection.driver_connection)
        whole = held(raw)
        shared = cast("psycopg.Connection[Any]", register(events[:3], None).connection.driver_connection)
        while step(shared, 1, second) or (positions_of(shared)[5] < 2 and step(shared, 1, first)):
            pass
        assert (positions_of(shared)[5], positions_of(shared)[11]) == (2, 3)
        record(shared, events[3:])
        while step(shared, 1, second) or step(shared, 1, first):
            pass
        assert held(shared) == whole


def _filed(position: int, stream: int, data: AnyData) -> Event:
    """An event as the store gives it: the first of its stream, or one more."""
    source = "urn:cvr:authority:registry-office:10049"
    version = {4: 1, 5: 4}.get(position, position)
    return Event(position, UUID(int=stream), version, NOW, source, f"n-{position}", NOW, data)
