"""No question about one person, one page or one difference reads the nation: asked of the planner itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa

from register.database import Database
from register.excerpts.standing import place_of
from register.projection import counting, differences, queries
from register.projection.projector import follow
from register.rehearsal.bench.ground import NOW, fill
from register.store import Store

ON = date(2026, 6, 1)
#: What a nation fills.
LARGE = {"stretch", "person", "audit_entry", "coverage", "event", "subject", "roll"}

#: A roll of everybody entered.
_ROLL = """
    INSERT INTO projection.roll (election, no, person, list_kind, municipality, jmb, surname, given_name, parent_name,
        sex, born_on, voting_option, mobile_team, marked_deceased)
    SELECT 'o-26', row_number() OVER (ORDER BY counts_in, sort_key), person, 'polling-station', counts_in, jmb, surname,
        given_name, parent_name, sex, born_on, 'regular', false, false
    FROM projection.stretch WHERE entered AND days @> date '2026-06-01' AND upper_inf(known)
"""


class Asked:
    """Statements as they were asked, the tables that their plans read from one end to the other, and the indexes."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.statements = 0
        self.whole: set[str] = set()
        self.indexes: set[tuple[str, str]] = set()
        sa.event.listen(connection, "before_cursor_execute", self._explain)

    def _explain(self, _: Any, cursor: psycopg.Cursor[Any], statement: str, parameters: Any, *__: Any) -> None:
        explained = cursor.connection.execute(f"EXPLAIN (FORMAT JSON) {statement}".encode(), parameters).fetchone()
        assert explained is not None
        plan = explained[0] if isinstance(explained[0], list) else json.loads(explained[0])
        nodes = list(_nodes(plan[0]["Plan"]))
        self.whole |= {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"} & LARGE
        self.indexes |= {(node["Node Type"], node["Index Name"]) for node in nodes if "Index Name" in node}
        self.statements += 1


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for beneath in plan.get("Plans", ()):
        yield from _nodes(beneath)


@pytest.fixture
def register(database: Database) -> Iterator[Asked]:
    """Some thousand people, their tables analysed as the server does by itself, asked as the program asks."""
    with Store(database.psycopg) as store, database.psycopg() as connection:
        fill(store, 8_000)
        while follow(connection, store):
            pass
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        owner.execute(_ROLL)
        owner.execute("VACUUM ANALYZE")
    with database.engine.connect() as connection:
        yield Asked(connection)


def test_no_read_goes_through_the_nation(register: Asked) -> None:
    """Given thousands of people, when one is asked for, a page or a difference, then only indexes are gone through."""
    connection = register.connection
    known = queries.position(connection)
    query = sa.text(
        "SELECT person, counts_in, jmb, surname, given_name, born_on FROM projection.stretch WHERE entered"
        " ORDER BY person LIMIT 1 OFFSET 500"
    )
    person, municipality, jmb, surname, given_name, born_on = connection.execute(query).one()
    query = sa.text("SELECT station FROM projection.coverage WHERE municipality = :m AND station IS NOT NULL LIMIT 1")
    station = connection.scalar(query, {"m": municipality})
    source = connection.scalar(sa.text("SELECT source FROM projection.audit_entry WHERE action = 'deleted' LIMIT 1"))
    register.statements, register.whole = 0, set()
    who = UUID(str(person))

    def page(**asked: Any) -> Any:
        terms: dict[str, Any] = {"municipality": municipality, "polling_station": None, "after": None, "limit": 100}
        return queries.register_page(connection, ON, known, **(terms | asked))

    def audit(**asked: Any) -> Any:
        return queries.audit_page(connection, known, after=None, limit=100, **asked)

    span = differences.Span(known - 50, known, ON)
    asked: dict[str, Any] = {
        "voter": lambda: queries.voter(connection, who, ON, known),
        "person and voter": lambda: queries.person_and_voter(connection, who, ON, known)[1],
        "history": lambda: queries.stretches(connection, who, known),
        "person of a stream": lambda: queries.person_of(connection, who, known),
        "streams of a person": lambda: queries.streams_of(connection, who, known),
        "bearers of a number": lambda: queries.bearers(connection, jmb, who, known),
        "where a person counts": lambda: queries.municipalities_of(connection, [who], [ON], known),
        "by name": lambda: queries.find_by_name(connection, surname, given_name, born_on, known),
        "page": page,
        "page of the country": lambda: page(municipality=None),
        "next page": lambda: page(after=str(page()[0][0]["person"])),
        "page of a station": lambda: page(polling_station=station),
        "audit by person": lambda: audit(who=[who]),
        "audit": audit,
        "audit of a municipality": lambda: audit(municipality=municipality),
        "audit of an authority": lambda: audit(source=source),
        "audit of what was deleted": lambda: audit(action="deleted"),
        "audit of an hour": lambda: audit(recorded_from=NOW, recorded_to=NOW + timedelta(hours=1)),
        "place on a roll": lambda: place_of(connection, "o-26", who),
        "moves of a while": lambda: counting.moves(connection, ON, known // 2, known),
        "difference": lambda: differences.differences(connection, span, municipality=None, after=None, limit=10),
    }
    read_whole = {}
    for name, ask in asked.items():
        register.whole = set()
        assert ask() or name == "audit by person", f"{name}: nothing to ask for"
        read_whole[name] = register.whole
    assert register.statements > len(asked)
    assert {name: tables for name, tables in read_whole.items() if tables} == {}


def test_who_is_not_on_a_page_is_passed_over_in_the_index(register: Asked) -> None:
    """Given a page of a municipality or station, then of others' entries nothing is fetched from the table.

    A page as known long ago, or of one station among many, would otherwise fetch a municipality.
    """
    connection = register.connection
    known = queries.position(connection)
    query = sa.text("SELECT municipality, station FROM projection.coverage WHERE station IS NOT NULL LIMIT 1")
    municipality, station = connection.execute(query).one()
    terms: dict[str, Any] = {"municipality": municipality, "after": None, "limit": 100}
    register.indexes = set()
    queries.register_page(connection, ON, known, polling_station=None, **terms)
    assert ("Index Only Scan", "stretch_page") in register.indexes
    register.indexes = set()
    queries.register_page(connection, ON, known, polling_station=station, **terms)
    assert "stretch_address" in {name for _, name in register.indexes}


def test_what_goes_through_the_nation_is_seen(register: Asked) -> None:
    """Given a question that no index answers, then it is found."""
    register.connection.execute(sa.text("SELECT count(*) FROM projection.stretch WHERE house_number = '7'"))
    assert register.whole == {"stretch"}
