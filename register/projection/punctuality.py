"""How quickly notices came and what did not arrive (Art. 3.5(4)-(5)), counted by the projector as it follows.

A batch is added to daily counts in the projector's own transaction, so that no question walks the event store:
:mod:`register.projection.timeliness` reads them. A notice counts under the civil day on which it was recorded, for
control totals under that of its ``time``. Whatever the size of a batch, the counts are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

import msgspec
import psycopg

from register.law.calendar import civil_day
from register.law.events import (
    NOTICE_TYPES,
    SOURCE_PREFIX,
    Annulment,
    ControlTotal,
    Event,
    FirstLoadDeclared,
    WrittenNoticeReceived,
)
from register.law.parameters import in_force
from register.law.timeliness import effective_day, electronic_days_late, lag_class, written_days_late, written_lag
from register.store import Store

Connection = psycopg.Connection[Any]

#: Under whose name, and under which id, the register keeps that the paper of a notice came.
PAPERS: Final = f"{SOURCE_PREFIX}cec"
#: Types of notices, and whether they report a change whose lag is measured.
_NOTICES: Final = {kind: not issubclass(kind, Annulment | ControlTotal) for kind in NOTICE_TYPES}

_ADD_LAGS: Final = """
    INSERT INTO projection.notice_lag AS l SELECT * FROM json_populate_recordset(NULL::projection.notice_lag, %s::json)
    ON CONFLICT (day, authority, type, lag)
    DO UPDATE SET notices = l.notices + excluded.notices, excused = l.excused + excluded.excused
"""
_ADD_PAPERS: Final = """
    INSERT INTO projection.written_lag AS w
    SELECT * FROM json_populate_recordset(NULL::projection.written_lag, %s::json)
    ON CONFLICT (day, authority, type, lag, written) DO UPDATE SET papers = w.papers + excluded.papers
"""
_ADD_RECEIVED: Final = """
    INSERT INTO projection.received AS r SELECT * FROM json_populate_recordset(NULL::projection.received, %s::json)
    ON CONFLICT (day, authority, type) DO UPDATE SET notices = r.notices + excluded.notices
"""
_ADD_TOTALS: Final = """
    INSERT INTO projection.control_total
    SELECT * FROM json_populate_recordset(NULL::projection.control_total, %s::json)
"""
_ADD_FIRST_LOADS: Final = """
    INSERT INTO projection.first_load SELECT * FROM json_populate_recordset(NULL::projection.first_load, %s::json)
"""
_ADD_ANNULLED: Final = """
    INSERT INTO projection.annulled_notice
    SELECT * FROM json_populate_recordset(NULL::projection.annulled_notice, %s::json)
    ON CONFLICT DO NOTHING RETURNING position
"""

#: (day of recording, authority, type, lag as the law classes it)
_Lag = tuple[date, str, str, int]


def paper_id(authority: str, notice_id: str) -> str:
    """The id under which :data:`PAPERS` keeps that the paper of a notice came; one for each notice."""
    return f"written-notice:{authority}:{notice_id}"


def follow_timeliness(connection: Connection, store: Store, events: Sequence[Event]) -> None:
    """Add a batch (positions rising) to the counts, in the caller's transaction."""
    count_notices(connection, events)
    settle_notices(connection, store, events)


def settle_notices(connection: Connection, store: Store, events: Sequence[Event]) -> None:
    """What the annulments, papers and first loads among some events (positions rising) change in the counts.

    The events that are taken back must be counted already (:func:`count_notices`), or be among the same batch.
    """
    annulled = _take_annulments(connection, store, [e for e in events if isinstance(e.data, Annulment)])
    papers = [(e.position, e.data) for e in events if isinstance(e.data, WrittenNoticeReceived)]
    if papers:
        _take_papers(connection, store, papers)
    loads = [(e.position, e.data) for e in events if isinstance(e.data, FirstLoadDeclared)]
    _write(
        connection, _ADD_FIRST_LOADS, [{"position": p, "authority": d.authority, "until": d.until} for p, d in loads]
    )
    if annulled:
        connection.execute("UPDATE projection.control_total SET annulled = true WHERE position = ANY(%s)", (annulled,))


def count_notices(connection: Connection, events: Iterable[Event]) -> None:
    """Count the notices among some events, in any order; what is counted together is written in one order by all."""
    recorded_on: dict[datetime, date] = {}
    received: Counter[tuple[date, str, str]] = Counter()
    lags = _Lags()
    totals = []
    for event in events:
        data = event.data
        measured = _NOTICES.get(type(data))  # type: ignore[arg-type]
        if measured is None:
            continue
        day = recorded_on.get(event.recorded_at)
        if day is None:
            day = recorded_on[event.recorded_at] = civil_day(event.recorded_at)
        received[civil_day(event.time), event.source, data.TOPIC] += 1
        if measured:
            lags.add(day, event.source, data.TOPIC, data.effective_on)  # type: ignore[union-attr]
        elif isinstance(data, ControlTotal):
            totals.append(_total(event, data, day))
    _write(connection, _ADD_RECEIVED, [_received(*key, count) for key, count in sorted(received.items())])
    _write(connection, _ADD_LAGS, lags.rows("notices"))
    _write(connection, _ADD_TOTALS, totals)


def _received(day: date, source: str, kind: str, count: int) -> dict[str, Any]:
    return {"day": day, "authority": source.removeprefix(SOURCE_PREFIX), "type": kind, "notices": count}


class _Lags:
    """Counts notices by day of recording, source, type and lag. A first load brings thousands of a day: it is quick."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[date, str, str, int]] = Counter()
        #: (day of recording, day of effect) -> the lag, and of each lag one day of effect
        self._lags: dict[tuple[date, date], int] = {}
        self._effective: dict[tuple[date, int], date] = {}

    def add(self, day: date, source: str, kind: str, effective_on: date) -> None:
        """Count a notice."""
        lag = self._lags.get((day, effective_on))
        if lag is None:
            lag = self._lags[day, effective_on] = lag_class((day - effective_on).days)
            self._effective.setdefault((day, lag), effective_on)
        self._counts[day, source, kind, lag] += 1

    def rows(self, counted: str) -> list[dict[str, Any]]:
        """The rows to be added, the counts in the column ``counted``."""
        return [
            _lag_row(day, source.removeprefix(SOURCE_PREFIX), kind, self._effective[day, lag]) | {counted: count}
            for (day, source, kind, lag), count in sorted(self._counts.items())
        ]


def _lag_row(day: date, authority: str, kind: str, effective_on: date) -> dict[str, Any]:
    lag = (day - effective_on).days
    return {
        "day": day,
        "authority": authority,
        "type": kind,
        "lag": lag_class(lag),
        "late": electronic_days_late(lag, effective_on) > 0,
        "paper_days": in_force(effective_on).written_notice_days,
        "notices": 0,
        "excused": 0,
    }


def _total(event: Event, data: ControlTotal, day: date) -> dict[str, Any]:
    return {
        "position": event.position,
        "authority": event.source.removeprefix(SOURCE_PREFIX),
        "day": data.day,
        "time": event.time,
        "id": event.id,
        "sent": data.sent,
        "recorded_on": day,
        "annulled": False,
    }


def _take_annulments(connection: Connection, store: Store, annulments: Sequence[Event]) -> list[int]:
    """Note what is taken back for the first time, and wait for its paper no longer; the positions of what it was."""
    first: dict[int, int] = {}
    if not annulments:
        return []
    names = {(e.source, e.data.annuls) for e in annulments if isinstance(e.data, Annulment)}
    known = store.known(names)
    for event in annulments:
        found = known.get((event.source, event.data.annuls)) if isinstance(event.data, Annulment) else None
        if found is not None and found.position is not None:
            first.setdefault(found.position, event.position)
    rows = [{"position": notice, "annulled_at": position} for notice, position in first.items()]
    new = [position for (position,) in _write(connection, _ADD_ANNULLED, rows)]
    notices = store.at(new)
    papers = _papers_of(store, notices)
    excused = _Lags()
    for position, notice in notices.items():
        effective_on = effective_day(notice.data)
        if effective_on is not None and papers.get(position, first[position] + 1) > first[position]:
            excused.add(civil_day(notice.recorded_at), notice.source, notice.data.TOPIC, effective_on)
    _write(connection, _ADD_LAGS, excused.rows("excused"))
    return new


def _papers_of(store: Store, notices: Mapping[int, Event]) -> dict[int, int]:
    """Position of a notice -> the position at which its paper was received."""
    ids = {paper_id(e.source.removeprefix(SOURCE_PREFIX), e.id): position for position, e in notices.items()}
    known = store.known([(PAPERS, paper) for paper in ids])
    return {ids[key[1]]: found.position for key, found in known.items() if found.position is not None}


def _take_papers(connection: Connection, store: Store, papers: Sequence[tuple[int, WrittenNoticeReceived]]) -> None:
    """Count papers under their notices; the paper of what was taken back before it came counts no more."""
    positions = [paper.notice_position for _, paper in papers]
    notices = store.at(positions)
    query = "SELECT position, annulled_at FROM projection.annulled_notice WHERE position = ANY(%s)"
    annulled = dict(connection.execute(query, (positions,)).fetchall())
    rows: dict[tuple[_Lag, int], dict[str, Any]] = {}
    for position, paper in papers:
        notice = notices[paper.notice_position]
        effective_on = effective_day(notice.data)
        if effective_on is None or annulled.get(paper.notice_position, position) < position:
            continue
        day, kind = civil_day(notice.recorded_at), notice.data.TOPIC
        lag, written = lag_class((day - effective_on).days), written_lag(effective_on, paper.received_on)
        row = {"day": day, "authority": paper.authority, "type": kind, "lag": lag, "written": lag_class(written)}
        row |= {"late": written_days_late(written, effective_on) > 0, "papers": 0}
        row = rows.setdefault(((day, paper.authority, kind, lag), row["written"]), row)  # type: ignore[arg-type]
        row["papers"] += 1  # type: ignore[operator]
    _write(connection, _ADD_PAPERS, list(rows.values()))


def _write(connection: Connection, statement: str, rows: Collection[dict[str, Any]]) -> list[Any]:
    """Hand rows to a statement as one JSON text; what it returns."""
    if not rows:
        return []
    cursor = connection.execute(statement.encode(), (msgspec.json.encode(rows).decode(),))
    return cursor.fetchall() if cursor.description else []
