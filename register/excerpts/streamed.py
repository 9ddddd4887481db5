"""Lists of the frozen roll to CSV files as one stream: their text is PostgreSQL's, and becomes no Python object.

The roll is kept in list order, so a list is a run of its rows and its CSV is what COPY says of them. Only where a line
holds letters outside the first two Latin blocks of Unicode (seen by its bytes: Cyrillic, one-character digraphs, marks
that NFC would join) is it taken apart and written as ``from_roll`` and ``render_csv`` write it. The bytes are the same.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Final
from unicodedata import normalize

import psycopg
from psycopg import sql

from register.excerpts.formats import ENDING
from register.excerpts.from_roll import DrawnKind, ListScope
from register.excerpts.manifest import ManifestEntry
from register.excerpts.render_csv import header, line_of
from register.excerpts.rows import ListHead, columns_of
from register.excerpts.together import Together
from register.law.alphabet import to_latin

#: Kinds whose lists are runs of the frozen roll.
RUNS_OF_THE_ROLL: Final[frozenset[DrawnKind]] = frozenset(
    {"polling-station", "in-person-1991", "absentee-1991", "mail"}
)
#: A byte that begins a letter from U+0180 on. Below, Latin letters are their own NFC and their own Latin.
_OTHER: Final = re.compile(rb"[\xc6-\xff]")
_NAMES: Final = slice(1, 4)
_REMARK: Final = """
    CASE WHEN marked_deceased AND mobile_team THEN '*M' WHEN mobile_team THEN 'M' WHEN marked_deceased THEN '*' END
"""
#: In one pass over the municipalities' rows: a join would read them again for each of their stations.
_FOUND: Final = """
    SELECT municipality, station, count(*), min(no), max(no) FROM projection.roll
    WHERE election = %s AND list_kind = %s AND municipality = ANY(%s::text[])
        AND (station IS NULL OR station = ANY(%s::text[]))
    GROUP BY municipality, station
"""


def draw_streamed(
    connection: psycopg.Connection[Any],
    election: str,
    kind: DrawnKind,
    lists: Sequence[tuple[int, ListHead, ListScope]],
    together: Together,
    folder: Path,
) -> Iterator[tuple[int, list[ManifestEntry]]]:
    """Write the CSV file of each list (number within the run, head, scope), in Latin; numbers and manifest entries.

    ``kind`` is one of :data:`RUNS_OF_THE_ROLL`. Raises RuntimeError when the roll is not in list order.
    """
    columns = columns_of(kind)
    first_line = header(columns)
    found = _found(connection, election, kind, [scope for _, _, scope in lists])
    ranges = [found[at][1:] for at in range(len(lists)) if at in found]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL datestyle = 'ISO, YMD'")
        with cursor.copy(_copy(election, columns, ranges)) as out:
            stream = iter(out)
            for at, (no, head, _) in enumerate(lists):
                count = found[at][0] if at in found else 0
                body = _body(list(islice(stream, count)), count)
                file = head.name + ENDING["csv"]
                with together.whole(folder / file) as part:
                    part.write(first_line)
                    part.write(body)
                sha256 = part.sha256
                yield no, [ManifestEntry(file=file, list=head.name, rows=count, sha256=sha256, rows_sha256=sha256)]
            if next(stream, None) is not None:  # also lets the server end the stream
                raise RuntimeError("the rows of a list did not come in its order")


def _found(
    connection: psycopg.Connection[Any], election: str, kind: str, scopes: Sequence[ListScope]
) -> dict[int, tuple[int, int, int]]:
    """By place in ``scopes``: how many rows, and the numbers of the first and the last."""
    places = {(scope.municipality, scope.station): at for at, scope in enumerate(scopes)}
    towns, stations = ({place[n] for place in places} - {None} for n in (0, 1))
    rows = connection.execute(_FOUND, (election, kind, list(towns), list(stations)))
    found = {
        places[town, station]: (count, first, last)
        for town, station, count, first, last in rows
        if (town, station) in places
    }
    if any(last - first + 1 != count for count, first, last in found.values()):
        raise RuntimeError("the frozen roll is not in list order")
    return found


def _copy(election: str, columns: Sequence[str], ranges: Sequence[tuple[int, int]]) -> sql.Composed:
    """COPY of the rows of these ranges, range by range, each numbered from 1; empty texts as NULL, without quotes."""
    said = [
        sql.SQL(_REMARK)
        if name == "remark"
        else sql.SQL("{}::text" if name == "born_on" else "nullif({}, '')").format(sql.Identifier(name))
        for name in columns[1:]
    ]
    return sql.SQL(
        "COPY (SELECT r.* FROM unnest({}::bigint[], {}::bigint[]) AS l (first, last), LATERAL"
        " (SELECT no - l.first + 1, {} FROM projection.roll"
        " WHERE election = {} AND no BETWEEN l.first AND l.last ORDER BY no) r) TO STDOUT (FORMAT csv)"
    ).format(
        sql.Literal([first for first, _ in ranges]),
        sql.Literal([last for _, last in ranges]),
        sql.SQL(", ").join(said),
        sql.Literal(election),
    )


def _body(lines: list[Any], count: int) -> bytes:
    """The lines of one list together. Raises RuntimeError unless they are its own, 1 to ``count``."""
    if len(lines) != count or (
        count and not (bytes(lines[0]).startswith(b"1,") and bytes(lines[-1]).startswith(b"%d," % count))
    ):
        raise RuntimeError("the rows of a list did not come in its order")
    body = b"".join(lines)
    if _OTHER.search(body) is None:
        return body
    return b"".join(line if _OTHER.search(line) is None else _said_again(bytes(line)) for line in lines)


def _said_again(line: bytes) -> bytes:
    """A line with its names in Latin letters and everything in NFC."""
    if b'"' not in line:
        no, surname, given_name, parent_name, rest = line.split(b",", 4)
        if _OTHER.search(rest) is None:
            return b",".join((no, _latin(surname), _latin(given_name), _latin(parent_name), rest))
    fields = next(csv.reader([line.decode()], strict=True))
    fields[_NAMES] = map(to_latin, fields[_NAMES])
    return line_of([normalize("NFC", field) for field in fields])


@lru_cache(maxsize=1 << 16)
def _latin(name: bytes) -> bytes:
    """A name in Latin letters; names are few, voters many."""
    return to_latin(name.decode()).encode()
