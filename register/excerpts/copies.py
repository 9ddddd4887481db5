"""Numbered copies for political entities: drawn by jobs, each row with its code, the same bytes in any year (Art. 3.1).

What a copy is, is said by the event that granted it. Its files lie below the data folder; who takes one is journalled
and counted in one transaction.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import procrastinate
import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from register import jobs
from register.excerpts import from_roll, tables
from register.excerpts.codes import coded, key_of
from register.excerpts.draw import draw_list
from register.excerpts.fonts import LayoutError
from register.excerpts.formats import LASTING, Format, format_of
from register.excerpts.here import Here
from register.excerpts.manifest import ManifestEntry, check_folder, differing
from register.excerpts.political import political_head, political_rows, unit_of
from register.excerpts.printers import ListJob, Printers
from register.excerpts.render_pdf import MAX_ROWS
from register.excerpts.rows import ListHead, ListRow
from register.law.events import REGISTER, CopyDrawn, CopyGranted
from register.law.parties import Copy, copy_of
from register.law.territory import Municipality
from register.store import ConcurrencyError, Pending, Store
from register.store.subjects import streams_of_kind

TASK: Final = "excerpts.copy"
#: A job that fails for another reason than the copy itself is tried so often, and again after so many seconds.
ATTEMPTS: Final = 3
PAUSE: Final = 2


class ChangedCopyError(Exception):
    """A copy drawn again is not the one on record: it is not given out. Names no voter."""


class Progress(msgspec.Struct, frozen=True):
    """How far a copy is: its files once they are drawn, why they could not be, and how often one was taken."""

    files: tuple[ManifestEntry, ...] | None
    failure: str | None
    downloads: int


class Copies:
    """The copies of one register. ``data`` is the data folder; ``municipalities`` the reference table by code."""

    def __init__(
        self,
        engine: sa.Engine,
        store: Store,
        data: Path,
        municipalities: Mapping[str, Municipality],
        *,
        clock: Callable[[], datetime],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._engine = engine
        self._store = store
        self._data = data
        self._municipalities = municipalities
        self._clock = clock
        self._entropy = entropy

    def check_ready(self, election: str) -> None:
        """Raises ``from_roll.NotReadyError`` while roll or log of a concluded election are not there yet."""
        with self._engine.connect() as connection:
            from_roll.basis_of(connection, self._store, election)

    def begin(self, of: Copy) -> Progress:
        """Note that a granted copy is to be drawn, and make its folder; how far it is. Repeatable."""
        here = {"election": of.granted.election, "copy": of.granted.copy, "downloads": 0}
        with self._engine.begin() as connection:
            connection.execute(insert(tables.copy).values(**here).on_conflict_do_nothing())
            found = connection.execute(sa.select(tables.copy).where(*_is(of.granted.election, of.granted.copy))).one()
        self.folder(of).mkdir(mode=0o700, parents=True, exist_ok=True)
        files = None if found.files is None else tuple(msgspec.convert(found.files, list[ManifestEntry]))
        return Progress(files, found.failure, found.downloads)

    def folder(self, of: Copy) -> Path:
        """Where the files of a copy lie."""
        return self._data / "copies" / of.granted.election / str(of.granted.copy)

    def is_there(self, of: Copy, entry: ManifestEntry) -> bool:
        """Whether a file is on disk as it was drawn."""
        return not differing(self.folder(of), [entry])

    def count(self, connection: sa.Connection, of: Copy) -> None:
        """Count that one of the files is taken, in the transaction that journals it."""
        where = _is(of.granted.election, of.granted.copy)
        connection.execute(sa.update(tables.copy).where(*where).values(downloads=tables.copy.c.downloads + 1))

    def head(self, connection: sa.Connection, granted: CopyGranted) -> ListHead:
        """The head of a copy. Raises what ``from_roll.basis_of`` raises."""
        basis = from_roll.basis_of(connection, self._store, granted.election)
        unit = unit_of(granted.unit, self._municipalities)
        return political_head(basis, unit, granted.copy, granted.recipient, granted.script, self._municipalities)

    def rows(self, connection: sa.Connection, granted: CopyGranted) -> Iterator[ListRow]:
        """The rows of a copy, without codes: the same for all copies of the unit."""
        unit = unit_of(granted.unit, self._municipalities)
        return political_rows(connection, granted.election, unit, granted.script)

    def all(self, election: str | None = None) -> list[Copy]:
        """Every copy granted, of one election or of all, in the order of the grants."""
        kind = "copy" if election is None else f"copy:{election}"
        with self._engine.connect() as connection:
            raw = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
            streams = self._store.streams(streams_of_kind(raw, kind)).values()
        return sorted((c for events in streams if (c := copy_of(events)) is not None), key=lambda c: c.position)

    def by_rows(
        self, connection: sa.Connection, copies: Iterable[Copy]
    ) -> Iterator[tuple[list[CopyGranted], Iterator[ListRow]]]:
        """Copies of the same rows together, each time with these rows; to be traced."""
        together: dict[tuple[str, str, str], list[CopyGranted]] = {}
        for each in copies:
            granted = each.granted
            together.setdefault((granted.election, granted.unit, granted.script), []).append(granted)
        for same in together.values():
            yield same, self.rows(connection, same[0])

    def draw(self, election: str, number: int, printers: Printers) -> None:
        """Draw a copy and put that on record; one that is drawn, or withdrawn, is left. Repeatable.

        Raises :class:`ChangedCopyError`, ``LayoutError`` when it cannot be printed, ``from_roll.NotReadyError``, and
        ``FolderMissingError`` on a host that does not see the copy's folder.
        """
        of = self._find(election, number)
        if of is None or of.withdrawn is not None:
            return
        check_folder(self.folder(of))
        before = self.begin(of).files
        if before is not None and all(self.is_there(of, entry) for entry in before):
            return
        granted, folder = of.granted, self.folder(of)
        with self._engine.connect() as connection:
            head = self.head(connection, granted)
            rows = coded(self.rows(connection, granted), key_of(granted), granted.script)
            entries = _drawn(head, rows, cast("tuple[Format, ...]", granted.formats), folder, printers)
        if before is not None and _lasting(before) != _lasting(entries):
            raise ChangedCopyError("a copy drawn again no longer has the bytes on record")
        self._note(of, entries[0])
        where, files = _is(election, number), msgspec.to_builtins(entries)
        with self._engine.begin() as connection:
            connection.execute(sa.update(tables.copy).where(*where).values(files=files, failure=None))

    def fail(self, election: str, number: int, why: str) -> None:
        """Give a copy up; ``why`` names no voter."""
        with self._engine.begin() as connection:
            connection.execute(sa.update(tables.copy).where(*_is(election, number)).values(failure=why))

    def waiting(self) -> list[tuple[str, int]]:
        """Copies that are to be drawn: election and number."""
        query = sa.select(tables.copy.c.election, tables.copy.c.copy)
        query = query.where(tables.copy.c.files.is_(None), tables.copy.c.failure.is_(None))
        with self._engine.connect() as connection:
            found = [(row.election, row.copy) for row in connection.execute(query.order_by(*query.selected_columns))]
        return [(e, n) for e, n in found if (of := self._find(e, n)) is not None and of.withdrawn is None]

    def _find(self, election: str, number: int) -> Copy | None:
        stream = self._store.stream_of(f"copy:{election}:{number}")
        return None if stream is None else copy_of(self._store.stream(stream))

    def _note(self, of: Copy, entry: ManifestEntry) -> None:
        """Put the drawing on record; what is on record already must be the same rows."""
        granted = of.granted
        drawn = CopyDrawn(
            election=granted.election,
            copy=granted.copy,
            granted=of.position,
            rows=entry.rows,
            sha256=entry.rows_sha256,
        )
        while True:
            now = self._find(granted.election, granted.copy) or of
            if now.drawn is not None:
                if now.drawn != drawn:
                    raise ChangedCopyError("a copy drawn again no longer has the rows on record")
                return
            id_ = f"excerpt-copy-drawn:{granted.election}:{granted.copy}"
            salt = base64.b64encode(self._entropy(16)).decode()
            at = self._clock()
            pending = Pending(source=REGISTER, id=id_, time=at, data=drawn, salt=salt, expected_version=now.version)
            try:
                self._store.append([pending], now=at)
            except ConcurrencyError:  # it was withdrawn meanwhile, or drawn by another worker: look again
                continue


def enqueue(queue: jobs.Queue, election: str, number: int) -> None:
    """Queue the job of a copy. Raises what the queue raises; what is not queued then, a worker finds and queues."""
    queue.put(TASK, lock=f"{election}:{number}", election=election, number=number)


def add_task(app: procrastinate.App, copies: Copies, printers: Printers, here: Here) -> None:
    """Give a worker the task of drawing copies."""

    @app.task(name=TASK, queue=TASK, retry=here.again(ATTEMPTS, PAUSE))
    def draw(election: str, number: int) -> None:
        with here:
            take(copies, election, number, printers)


def take(copies: Copies, election: str, number: int, printers: Printers) -> None:
    """Do one job. What another try would not mend ends it."""
    try:
        copies.draw(election, number, printers)
    except (LayoutError, ChangedCopyError) as error:
        copies.fail(election, number, str(error))


def care(engine: sa.Engine, copies: Copies, queue: jobs.Queue) -> None:
    """Copies without a job, left by who died before queueing it, get it; those whose job failed are given up."""
    for election, number in copies.waiting():
        with engine.connect() as connection:
            found = jobs.states(connection, TASK, f"{election}:{number}")
        if found & {"todo", "doing"}:
            continue
        if "failed" in found:
            copies.fail(election, number, "the job of this copy failed more than once; the server's log says why")
        else:
            enqueue(queue, election, number)


def _drawn(
    head: ListHead, rows: Iterator[ListRow], formats: tuple[Format, ...], folder: Path, printers: Printers
) -> list[ManifestEntry]:
    """The files of one copy. The typesetter works in a process of its own; without PDF no more than a row is held."""
    if "pdf" not in formats:
        return draw_list(head, rows, formats, folder)
    kept = list(islice(rows, MAX_ROWS + 1))
    if len(kept) > MAX_ROWS:
        raise LayoutError(f"a copy of more than {MAX_ROWS} rows is not printed; ask for it without pdf")
    ((_, drawn),) = printers.draw([ListJob(0, head, kept)], formats, folder)
    if isinstance(drawn, LayoutError):
        raise drawn
    return drawn


def _is(election: str, number: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (tables.copy.c.election == election, tables.copy.c.copy == number)


def _lasting(entries: tuple[ManifestEntry, ...] | list[ManifestEntry]) -> list[ManifestEntry]:
    """Those files whose bytes are the same in any year."""
    return sorted(entry for entry in entries if format_of(entry.file) in LASTING)
