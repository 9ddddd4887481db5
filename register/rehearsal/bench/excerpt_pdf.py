"""``excerpt-pdf``: whole lists from data to PDF on disk, all cores, beside typesetting of what is prepared."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from datetime import date
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from register.audit.processes import cores
from register.excerpts.draw import draw_list
from register.excerpts.render_csv import rows_sha256
from register.excerpts.render_pdf import prepare, typeset
from register.excerpts.rows import ListHead, ListRow
from register.law.events import Citizen
from register.rehearsal.bench.ground import UNTIL, Ground, notices, stopwatch
from register.rehearsal.bench.result import ROUNDS, BenchError, Goal, Result, median, peak_rss_mib

#: Voters, in lists of 600, the size of a polling station's.
SIZE: Final = 2_400
GOAL: Final = Goal(0.8)
_VOTERS: Final = 600
List = tuple[ListHead, list[ListRow]]


def run(ground: Ground, size: int = SIZE) -> Result:
    """Draw ``size`` voters in each round; the processes are there beforehand and know their fonts.

    No voter is drawn twice: the typesetter remembers what it has set.
    """
    people = _people((2 * ROUNDS + 1) * size)
    shares = [people[at : at + size] for at in range(0, len(people), size)]
    values, ceilings = [], []
    with ProcessPoolExecutor(cores(), get_context("spawn")) as pool, tempfile.TemporaryDirectory() as folder:
        _all(pool, _typeset, _prepared(_lists(shares.pop(), _VOTERS // 10)))
        for number in range(ROUNDS):
            lists = _lists(shares.pop())
            values.append(size / _all(pool, _draw, [(head, rows, Path(folder)) for head, rows in lists]))
            ceilings.append(size / _all(pool, _typeset, _prepared(_lists(shares.pop()))))
            ground.say(f"round {number + 1}: {values[-1]:,.0f} beside {ceilings[-1]:,.0f} voters/s")
        peak = max(pool.map(_peak, range(4 * cores())))
    return Result(
        name="excerpt-pdf",
        unit="voters/s",
        value=median(values),
        ceiling=median(ceilings),
        goal=GOAL,
        size=size,
        peak_rss_mib=peak,
        beside={"processes": cores(), "lists": -(-size // _VOTERS)},
    )


def _all(pool: Executor, work: Callable[..., int], tasks: Sequence[object]) -> float:
    """Seconds that the tasks took together."""
    with stopwatch() as taken:
        for written in pool.map(work, tasks):
            if not written:
                raise BenchError("a list came out empty")
    return taken[0]


def _draw(task: tuple[ListHead, list[ListRow], Path]) -> int:
    head, rows, folder = task
    return sum(entry.rows for entry in draw_list(head, rows, ["pdf"], folder)) or len(rows)


def _typeset(prepared: str) -> int:
    return len(typeset(prepared, UNTIL, _VOTERS))


def _peak(_: int) -> float:
    return peak_rss_mib()


def _prepared(lists: Sequence[List]) -> list[str]:
    return [prepare(head, rows, rows_sha256(head.kind, head.script, rows)) for head, rows in lists]


def _people(count: int) -> list[Citizen]:
    """So many generated people; about every third generated notice is a citizen's."""
    found = [notice.data for notice in notices(4 * count) if isinstance(notice.data, Citizen)]
    return found[:count]


def _lists(people: Sequence[Citizen], length: int = _VOTERS) -> list[List]:
    """Lists of so many people each."""
    return [
        (
            _head(at // length),
            [
                ListRow(no=no, surname=p.surname, given_name=p.given_name, parent_name=p.parent_name, born_on=p.born_on)
                for no, p in enumerate(people[at : at + length], 1)
            ],
        )
        for at in range(0, len(people), length)
    ]


def _head(number: int) -> ListHead:
    return ListHead(
        election="bench",
        title="Opći izbori 4. 10. 2026.",
        day=date(2026, 10, 4),
        kind="polling-station",
        script="latin",
        position=1_234_567,
        log_size=1_234_567,
        log_root=base64.b64encode(sha256(b"bench").digest()).decode(),
        log_origin="cvr.localhost/register",
        municipality="10049",
        municipality_name="Bihać",
        station_code=f"{number:03d}A049",
        station_name="Osnovna škola Harmani I",
        station_address="Bihać bb",
        concluded_on=date(2026, 8, 21),
    )
