"""A register built anew is the one the projector made, byte for byte, and takes its place without a reader noticing."""

from __future__ import annotations

import pickle
import random
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from register.acts.inspection import Inspector, inspect_all
from register.app.parts import read_reference
from register.database import Database
from register.intake.parse import Message, parse
from register.law.events import (
    AnyData,
    ElectionCalled,
    ElectionConcluded,
    Event,
    FirstLoadDeclared,
    WrittenNoticeReceived,
)
from register.projection import counting, loading, queries
from register.projection import rebuild as building
from register.projection.forms import OtherFormError, form_of, look_into, make_tables
from register.projection.loading import BARE, Alone, Loader, linked_streams, ranges, shares
from register.projection.projector import follow, position_of
from register.projection.punctuality import PAPERS, paper_id
from register.projection.rebuild import NEXT, RebuildRunningError, bring_to_form, discard, rebuild
from register.projection.rolls import freeze
from register.projection.tables import VERSION, metadata
from register.rehearsal.generate import Feed
from register.store import Pending, Store
from register.store.reading import Reader
from tests.projection.test_projector import Authorities, citizen, lives
from tests.properties.histories import tried
from tests.properties.mixed import mixed
from tests.properties.tables import recorded

UNTIL = date(2026, 6, 1)
NOW = datetime(2026, 6, 1, 8, tzinfo=UTC)
TABLES = sorted(table.name for table in metadata.sorted_tables)
Tables = dict[str, list[str]]


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    """An empty event store."""
    with Store(database.psycopg) as store:
        yield store


def held(connection: psycopg.Connection[Any], schema: str = "projection") -> Tables:
    """Every row of every table, as text, in order."""
    found = {}
    for name in TABLES:
        rows = connection.execute(f"SELECT t::text FROM {schema}.{name} t ORDER BY 1")
        found[name] = [row for (row,) in rows]
    return found


def project(database: Database, store: Store, upto: int | None = None) -> Tables:
    """The tables after the projector has followed."""
    with database.psycopg() as connection:
        while follow(connection, store, upto=upto):
            pass
        return held(connection)


def record(store: Store, source: str, data: AnyData, id: str, now: datetime = NOW) -> int:
    """Append one event; its position."""
    salt = b64encode(random.Random(id).randbytes(16)).decode()
    (receipt,) = store.append([Pending(source=source, id=id, time=now, data=data, salt=salt)], now=now)
    assert receipt.position is not None
    return receipt.position


def country(database: Database, store: Store, voters: int = 150) -> None:
    """A messy feed of some municipalities; papers, a first load, an election with its roll, deficiencies."""
    pending: list[Pending] = []
    for line in Feed(voters, seed=11, until=UNTIL, messy=True):
        message = parse(line.body)
        if line.expect == "recorded" and isinstance(message, Message):
            salt = b64encode(random.Random(len(pending)).randbytes(16)).decode()
            pending.append(
                Pending(source=message.source, id=message.id, time=message.time, data=message.data, salt=salt)
            )
    for at in range(0, len(pending), 300):
        store.append(pending[at : at + 300], now=NOW - timedelta(days=10) + timedelta(hours=at // 300))
    called = ElectionCalled(
        election="o-26", kind="general", early=False, day=date(2026, 10, 4), called_on=date(2026, 5, 1)
    )
    record(store, PAPERS, called, "called")
    loads = FirstLoadDeclared(authority="registry-office:10049", until=date(2026, 5, 23), declared_by="X")
    record(store, PAPERS, loads, "load")
    for event in list(store.events(limit=60)):
        authority = event.source.rpartition("authority:")[2]
        paper = WrittenNoticeReceived(
            authority=authority, notice_id=event.id, notice_position=event.position, received_on=UNTIL, received_by="X"
        )
        if event.position % 3 == 0:
            record(store, PAPERS, paper, paper_id(authority, event.id))
    record(store, PAPERS, ElectionConcluded(election="o-26", concluded_by="x", rules="1", reference="1"), "concluded")
    project(database, store)
    inspector = Inspector(database.psycopg, store, clock=lambda: NOW, entropy=random.Random(1).randbytes)
    with database.psycopg() as connection:
        inspect_all(inspector, connection, lambda: project(database, store))
        freeze(connection, store, "o-26", read_reference())


def test_a_country_built_anew_is_the_same_row_by_row(
    database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a messy feed with an election, papers and deficiencies, when built anew, then every table is the same."""
    monkeypatch.setattr(loading, "_EVENTS_IN_RANGE", 100)
    country(database, store)
    before = project(database, store)
    empty = {name for name in TABLES if not before[name]}
    assert empty <= {"joined", "new_address"}, f"nothing to compare in {empty}"
    assert rebuild(database, store).switched
    with database.psycopg() as connection:
        assert held(connection) == before
        assert _shape(connection, "projection") == _migrated(database)
    monkeypatch.setattr(building, "WORTH_SPREADING", 0)
    built = rebuild(database, store, processes=2)
    assert (built.position, built.differences, built.switched) == (store.head(), [], True)
    out = Authorities(store)
    out.send("registry-office:10049", citizen("A", "Čolić", date(1970, 1, 1)))
    after = project(database, store)
    assert len(after["person"]) == len(before["person"]) + 1
    assert after["roll"] == before["roll"] != []


def _shape(connection: psycopg.Connection[Any], schema: str) -> set[tuple[str, ...]]:
    """Columns and indexes."""
    columns = connection.execute(
        "SELECT table_name, column_name, udt_name, is_nullable FROM information_schema.columns WHERE table_schema = %s",
        (schema,),
    )
    indexes = connection.execute(
        "SELECT tablename, indexname, replace(indexdef, %s, 'projection') FROM pg_indexes WHERE schemaname = %s",
        (schema, schema),
    )
    return {*columns.fetchall(), *indexes.fetchall()}


def _migrated(database: Database) -> set[tuple[str, ...]]:
    """The shape that today's form has, made in one piece."""
    with database.psycopg() as connection:
        look_into(connection, "plain")
        connection.execute("CREATE SCHEMA plain")
        make_tables(connection, ())
        found = _shape(connection, "plain")
        connection.rollback()
        return found


def test_any_history_loaded_by_whole_streams_is_what_the_projector_makes_of_it(database: Database) -> None:
    """Given any history with links, stations and annulments, followed by some events at a time, then both agree."""
    with recorded(database) as register:

        @tried(30)
        @given(mixed(most=14, more=12), st.sampled_from([1, 4, 5_000]))
        def property_(events: list[Event], batch: int) -> None:
            connection = register(events, batch)
            raw = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
            reader = Reader(lambda: raw, _Pool(raw))  # type: ignore[arg-type]
            try:
                _load(raw, cast("Store", reader), len(events))
                raw.cursor_factory = psycopg.Cursor
                live, loaded = held(raw), held(raw, NEXT)
            finally:
                raw.cursor_factory = psycopg.Cursor
            del live["progress"], loaded["progress"]
            assert loaded == live

        property_()


class _Pool:
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def connection(self) -> Any:
        return nullcontext(self._connection)


def _load(raw: psycopg.Connection[Any], store: Store, upto: int) -> None:
    loader = Loader(raw, store, NEXT, upto, linked_streams(raw, store, upto))
    raw.execute(f"CREATE SCHEMA {NEXT}")
    make_tables(raw, BARE)
    raw.execute("CREATE TABLE projection.loaded (step text PRIMARY KEY)")
    loader.linked()
    for part in ranges(raw, upto):
        loader.range(part)
    loader.aside()
    for share in shares():
        loader.share(share)


def test_a_broken_rebuild_goes_on_where_it_was(
    database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a rebuild that dies in the middle, when begun again, then no range is folded twice, and all is there."""
    monkeypatch.setattr(loading, "_EVENTS_IN_RANGE", 4)
    people(store, 40)
    before = project(database, store)
    folded: list[int] = []
    fold = Alone._fold

    def dying(self: Alone, person: UUID, events: Any) -> Any:
        if len(folded) == 15:
            raise ConnectionAbortedError
        folded.append(len(events))
        return fold(self, person, events)

    monkeypatch.setattr(Alone, "_fold", dying)
    with pytest.raises(ConnectionAbortedError):
        rebuild(database, store)
    people(store, 3, since=40)  # life goes on
    counted: list[int] = []

    def counting(self: Alone, person: UUID, events: Any) -> Any:
        counted.append(len(events))
        return fold(self, person, events)

    monkeypatch.setattr(Alone, "_fold", counting)
    assert rebuild(database, store).switched
    assert 0 <= sum(folded) + sum(counted) - 80 <= 8, "at most the range in which it died is folded again"
    after = project(database, store)
    assert len(after["person"]) == len(before["person"]) + 3
    assert not discard(database), "nothing is left"


def people(store: Store, number: int, since: int = 0) -> None:
    """Citizens who live in Bihać, one event after the other."""
    out = Authorities(store)
    out.sent = [""] * (2 * since)
    for n in range(since, since + number):
        out.send("registry-office:10049", citizen(f"N{n}", "Čolić", date(1970, 1, 1)))
        out.send("residence-authority:10049", lives(f"N{n}", "10049", "Duga", str(n), date(2000, 1, 1)))


def test_what_was_begun_is_thrown_away_and_only_one_may_build(database: Database, store: Store) -> None:
    """Given a rebuild at work, then no second one begins; what one left behind is thrown away when asked."""
    people(store, 3)
    with building._alone(database) as live, database.psycopg() as new:
        look_into(new, NEXT)
        building._begun(live, new, store)
        with pytest.raises(RebuildRunningError):
            rebuild(database, store)
        with pytest.raises(RebuildRunningError):
            discard(database)
    assert discard(database)
    assert not discard(database)


def test_tables_that_were_tampered_with_are_told_and_mended_when_asked(database: Database, store: Store) -> None:
    """Given a stretch somebody changed, then a rebuild names table and municipality, and switches only with leave."""
    people(store, 3)
    before = project(database, store)
    with database.psycopg() as connection:
        connection.execute("UPDATE projection.stretch SET surname = 'Hodžić' WHERE jmb = 'N1' AND entered")
    found = rebuild(database, store)
    assert ([(d.table, d.municipality) for d in found.differences], found.switched) == ([("stretch", "10049")], False)
    with database.psycopg() as connection:
        connection.execute("DELETE FROM projection.received")
    found = rebuild(database, store, accept=True)
    assert ({d.table for d in found.differences}, found.switched) == ({"stretch", "received"}, True)
    assert project(database, store) == before


def test_tables_of_another_form_answer_nothing_until_they_are_built_anew(
    database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given tables of an older form, then they answer only where the program says so, and a rebuild brings today's."""
    people(store, 3)
    before = project(database, store)
    with database.psycopg() as connection:
        connection.execute("UPDATE projection.form SET version = 1")
        connection.execute("ALTER TABLE projection.stretch DROP COLUMN script")
    with database.engine.connect() as connection, pytest.raises(OtherFormError):
        queries.position(connection)
    monkeypatch.setattr("register.projection.forms.ANSWERS_FROM", {1})
    with database.engine.connect() as connection:
        assert queries.position(connection) == 6
    assert rebuild(database, store).switched
    with database.psycopg() as connection:
        assert (form_of(connection), held(connection)) == (VERSION, before)


def test_readers_notice_nothing(database: Database, store: Store) -> None:
    """Given clients that ask all the time, when the register is built anew again and again, then all answers hold."""
    people(store, 30)
    project(database, store)
    stop = threading.Event()
    wrong: list[str] = []
    asked = [0, 0]

    def keep(work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            while not stop.is_set():
                work()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def reader(number: int, isolation: Any) -> Callable[[], None]:
        engine = database.engine.execution_options(isolation_level=isolation)
        last = 0

        def ask() -> None:
            nonlocal last
            with engine.connect() as connection:
                position = queries.position(connection)
                time.sleep(0.001 * (asked[number] % 5))
                (counted,) = counting.counts(connection, date(2026, 5, 1), position)
                known = connection.scalar(
                    sa.text("SELECT count(*) FROM projection.person WHERE first_position <= :p"), {"p": position}
                )
            if position < last or known != (position + 1) // 2 or counted != {"10049": position // 2}:
                wrong.append(f"{isolation}: {last} {position} {known} {counted}")
            last = position
            asked[number] += 1

        return ask

    follower = database.psycopg()
    written = [30]

    def live_on() -> None:
        people(store, 1, since=written[0])
        written[0] += 1
        while follow(follower, store):
            pass
        time.sleep(0.02)

    threads = [keep(reader(0, "REPEATABLE READ")), keep(reader(1, "READ COMMITTED")), keep(live_on)]
    try:
        for _ in range(4):
            assert rebuild(database, store).switched
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        follower.close()
    assert wrong == []
    assert min(asked) > 20
    with database.psycopg() as connection:
        assert position_of(connection) <= store.head()


def test_who_has_begun_to_read_reads_to_the_end_and_others_beside(database: Database, store: Store) -> None:
    """Given a reader with a position, when the register is built anew, then the switch waits; others go on asking."""
    people(store, 5)
    project(database, store)
    waiting = threading.Event()
    done: list[bool] = []

    def build() -> None:
        def progress(what: str, *_: int) -> None:
            if what == "waiting for readers":
                waiting.set()

        done.append(rebuild(database, store, progress=progress).switched)

    engine = database.engine.execution_options(isolation_level="REPEATABLE READ")
    builder = threading.Thread(target=build)
    with engine.connect() as reading:
        position = queries.position(reading)
        builder.start()
        assert waiting.wait(30), "switched under a reader"
        with engine.connect() as other:
            begun = time.monotonic()
            assert counting.counts(other, date(2026, 5, 1), queries.position(other)) == [{"10049": 5}]
            assert time.monotonic() - begun < 5
        assert counting.counts(reading, date(2026, 5, 1), position) == [{"10049": 5}]
    builder.join()
    assert done == [True]


def test_tables_of_a_newer_form_are_neither_followed_nor_taken_back(database: Database, store: Store) -> None:
    """Given that another host's newer program put its tables in place, then an older projector leaves them alone."""
    country(database, store)
    with database.psycopg() as connection:
        follow(connection, store, limit=1)
        connection.execute("UPDATE projection.form SET version = version + 1")
        before = held(connection)
        connection.commit()
        with pytest.raises(OtherFormError, match="this program is older"):
            follow(connection, store)
        with pytest.raises(OtherFormError, match="this program is older"):
            bring_to_form(database, store)
        assert held(connection) == before
    told = pickle.loads(pickle.dumps(OtherFormError(99)))
    assert (told.version, str(told)) == (99, str(OtherFormError(99)))
