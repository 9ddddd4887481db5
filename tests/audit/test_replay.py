"""The register made again from the events alone is the register of the tables, on every day, at every position."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from register.audit.reading import ranges
from register.audit.replay import COLUMNS, Replayed, replay
from register.audit.replay.lines import csv_line
from register.law.parameters import PARAMETERS, SINCE_EVER, Dated, law_of, under
from register.projection import queries
from tests.audit.conftest import NOW, House

_COUNT = "SELECT count(*) FROM projection.stretch WHERE entered AND days @> %s::date AND known @> %s::int8"
DAYS = [date(1990, 1, 1), date(2025, 6, 1), date(2026, 2, 15), date(2026, 3, 15), date(2026, 5, 1), date(2027, 1, 1)]


def replayed(house: House, known_at: int | datetime | None, on: date, processes: int = 1) -> tuple[bytes, Replayed]:
    """The bytes of a replay, and what it says of itself."""
    out = io.BytesIO()
    done = replay(house.parts.dsn, known_at=known_at, on=on, out=out, processes=processes)
    return out.getvalue(), done


def rows(content: bytes) -> list[dict[str, str]]:
    """The rows of a replay."""
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_the_replay_is_what_the_tables_say_on_every_day_and_at_every_position(house: House) -> None:
    """Given positions and days all over, when both are asked, then every member of every voter's answer agrees."""
    compared = 0
    with house.database.engine.connect() as connection:
        for known in range(0, house.store.head() + 1, 3):
            for day in DAYS:
                content, done = replayed(house, known, day)
                found = rows(content)
                assert (done.position, done.persons) == (known, len(found))
                for row in found:
                    answer = queries.voter(connection, UUID(row["person"]), day, known)
                    assert answer is not None
                    assert row == _as_csv(answer)
                    compared += 1
    assert compared > 300


def test_who_is_in_the_tables_is_in_the_replay(house: House) -> None:
    """Given a position, then the replay has as many entered as the tables, in order, each once, and says so."""
    head = house.store.head()
    for day in DAYS:
        content, done = replayed(house, None, day)
        with house.database.psycopg() as connection:
            (counted,) = connection.execute(_COUNT, (day, head)).fetchone() or (None,)
        assert counted == done.entered == sum(row["entered"] == "true" for row in rows(content))
        persons = [row["person"] for row in rows(content)]
        assert persons == sorted(persons)
        assert len(set(persons)) == len(persons)


def test_an_instant_stands_for_the_last_position_recorded_by_then(house: House) -> None:
    """Given that position n was recorded n seconds after noon, then an instant between two means the earlier one."""
    at = NOW + timedelta(seconds=20, milliseconds=500)
    assert replayed(house, at, DAYS[4])[0] == replayed(house, 20, DAYS[4])[0]
    assert replayed(house, NOW, DAYS[4])[1].position == 0
    with pytest.raises(ValueError, match="offset"):
        replayed(house, at.replace(tzinfo=None), DAYS[4])


def test_a_position_beyond_the_last_is_refused(house: House) -> None:
    """Given that nothing is known yet of the next position, then it is refused."""
    with pytest.raises(ValueError, match="no position"):
        replayed(house, house.store.head() + 1, DAYS[4])


def test_the_tables_play_no_part(house: House) -> None:
    """Given that every table of the projection is emptied, then the replay is the same bytes."""
    before = replayed(house, None, DAYS[4])[0]
    with house.tampering() as owner:
        owner.execute("TRUNCATE projection.stretch, projection.link, projection.joined, projection.station")
        owner.execute("TRUNCATE projection.coverage, projection.progress, projection.person")
    assert replayed(house, None, DAYS[4])[0] == before


def test_ranges_and_processes_do_not_change_a_byte(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the same history, cut into many ranges and folded by two processes, then the bytes are the same."""
    whole = replayed(house, None, DAYS[4])
    monkeypatch.setattr("register.audit.reading._EVENTS_IN_RANGE", 4)
    with house.database.psycopg() as connection:
        cut = ranges(connection, house.store.head())
    assert len(cut) > 4
    assert all(one[1].int + 1 == other[0].int for one, other in pairwise(cut))
    assert replayed(house, None, DAYS[4]) == whole
    assert replayed(house, None, DAYS[4], processes=2) == whole


def test_the_replay_reads_a_day_again_under_another_law(house: House) -> None:
    """Given one law since ever, then any law gives the same bytes; given an age nobody has, nobody is entered."""
    same = io.BytesIO()
    replay(house.parts.dsn, on=DAYS[4], out=same, law=under(date(2001, 9, 1)))
    assert same.getvalue() == replayed(house, None, DAYS[4])[0]
    law = law_of({**PARAMETERS, "voting_age": (Dated(SINCE_EVER, 200, "nowhere"),)})
    for processes in (1, 2):
        nobody = io.BytesIO()
        assert replay(house.parts.dsn, on=DAYS[4], out=nobody, law=law, processes=processes).entered == 0
        assert "under-age" in {row["grounds"] for row in rows(nobody.getvalue())}


@given(st.lists(st.text(st.sampled_from('aš ,"\n\r;')), min_size=2))
def test_a_line_is_what_a_writer_of_csv_makes_of_it(values: list[str]) -> None:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(values)
    assert csv_line(values) == written.getvalue().encode()


def _as_csv(answer: queries.Row) -> dict[str, str]:
    """An answer of the tables as a row of the replay shows it."""
    days = answer["days"]
    values = {**answer, "grounds": " ".join(answer["grounds"]), "from": days.lower, "to": days.upper}
    return {name: _text(values[name]) for name in COLUMNS}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
