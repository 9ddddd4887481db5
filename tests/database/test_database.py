"""The database as the program opens it."""

from __future__ import annotations

import psycopg
import pytest

from register.database import Database, DatabaseError, open_database
from register.settings import Settings


def test_every_connection_acts_as_the_application(database: Database) -> None:
    with database.psycopg() as direct, database.engine.connect() as pooled, psycopg.connect(database.dsn) as child:
        for connection in (direct, pooled.connection, child):
            cursor = connection.cursor()
            cursor.execute("SELECT current_user")
            assert cursor.fetchone() == ("cvr_app",)
    with database.owner_engine() as engine, engine.connect() as owner:
        assert owner.exec_driver_sql("SELECT current_user").scalar() == "cvr_owner"


def test_a_database_by_address_must_have_been_migrated(empty_database_url: str, settings: Settings) -> None:
    behind = Settings(data=settings.data, database_url=empty_database_url)
    with pytest.raises(DatabaseError, match="cvr migrate"), open_database(behind):
        pass


def test_a_setting_that_makes_readers_miss_events_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", "true")
    with pytest.raises(DatabaseError, match="POSTGRES_ENABLE_DB_FUNCTIONS"), open_database(settings):
        pass


@pytest.mark.parametrize("durability", ["synchronous_commit"])
def test_a_server_that_may_lose_what_it_acknowledged_is_refused(settings: Settings, durability: str) -> None:
    careless = Settings(data=settings.data, database_url=f"{settings.database_url}&options=-c%20{durability}%3Doff")
    with pytest.raises(DatabaseError, match=durability), open_database(careless):
        pass


def test_the_application_may_add_to_the_event_store_and_no_more(database: Database) -> None:
    with database.owner_engine() as engine, engine.begin() as owner:
        owner.exec_driver_sql("CREATE TABLE store.probe (n int)")
        owner.exec_driver_sql("INSERT INTO store.probe VALUES (1)")
    with database.psycopg(autocommit=True) as app:
        app.execute("INSERT INTO store.probe VALUES (2)")
        assert app.execute("SELECT count(*) FROM store.probe").fetchone() == (2,)
        for forbidden in (
            "UPDATE store.probe SET n = 3",
            "DELETE FROM store.probe",
            "TRUNCATE store.probe",
            "DROP TABLE store.probe",
            "CREATE TABLE store.other (n int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(forbidden)


def test_the_application_may_build_the_register_beside_itself_and_switch(database: Database) -> None:
    with database.psycopg(autocommit=True) as app:
        app.execute("CREATE SCHEMA projection_next")
        app.execute("CREATE TABLE projection_next.t (n int)")
        app.execute("ALTER SCHEMA projection RENAME TO projection_old")
        app.execute("ALTER SCHEMA projection_next RENAME TO projection")
        app.execute("DROP SCHEMA projection_old CASCADE")
        app.execute("INSERT INTO projection.t VALUES (1)")
    with database.owner_engine() as engine, engine.begin() as owner:
        owner.exec_driver_sql("GRANT cvr_read TO CURRENT_USER")
        owner.exec_driver_sql("SET LOCAL ROLE cvr_read")
        assert owner.exec_driver_sql("SELECT n FROM projection.t").scalar() == 1
