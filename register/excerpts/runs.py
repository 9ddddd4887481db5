"""Runs: a kind of list of an election, drawn list by list into a folder, by jobs or at once (Art. 3.6 b, c).

A list is done when its files are on disk under their names and recorded. A run that is taken up again passes over
those lists whose files are still there with the digests recorded, and draws the others. When all are done the manifest
is written and the drawing goes on record as an event, under an id of the run's own: once, whatever dies in between.
A list that cannot be drawn fails alone: the others are drawn, the run ends failed and names it, and whoever asks for
the same again takes that run up.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, cast, get_args
from uuid import UUID

import msgspec
import sqlalchemy as sa

from register.excerpts import from_roll
from register.excerpts.draw import Format
from register.excerpts.fonts import LayoutError
from register.excerpts.from_roll import DRAWN_KINDS, Basis, DrawnKind, ListScope
from register.excerpts.manifest import ManifestEntry, differing, write_manifest
from register.excerpts.printers import ListJob, Printers
from register.excerpts.render_csv import render_csv
from register.excerpts.roots import csv_on_disk, settle
from register.excerpts.rows import FORMAT_VERSION, Script
from register.excerpts.tables import item, run
from register.law.events import REGISTER, DrawnList, ExcerptDrawn
from register.law.provisions import Fault, Refusal
from register.law.territory import Municipality
from register.store import Pending, Store

#: Lists of one job.
BATCH: Final = 25
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
SCRIPTS: Final[tuple[Script, ...]] = get_args(Script)
PROVISION: Final = "Art. 3.6"
#: Failed lists that a run names; of more it says how many.
_NAMED: Final = 10


class ReissueError(Exception):
    """A list drawn again is not, byte for byte, the one on record: it is not issued again."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked for; see the contract, section 3, ``POST /v1/excerpts``."""

    election: str
    kind: str
    municipality: str | None = None
    polling_station: str | None = None
    formats: tuple[str, ...] = ("pdf", "csv")
    scripts: tuple[str, ...] = ("latin",)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run and how far it is. ``state`` is queued, drawing, drawn or failed; ``failure`` says why, naming no voter."""

    id: UUID
    election: str
    conclusion: int
    kind: DrawnKind
    municipality: str | None
    polling_station: str | None
    formats: tuple[Format, ...]
    scripts: tuple[Script, ...]
    format_version: int
    folder: Path
    requested_at: datetime
    state: str
    failure: str | None
    total: int
    done: int

    @property
    def batches(self) -> range:
        """The number of the first list of each job."""
        return range(0, self.total, BATCH)


class Runs:
    """The runs of one register. ``data`` is the data folder; ``municipalities`` the reference table by code."""

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
        self._names = {code: municipality.name for code, municipality in municipalities.items()}
        self._clock = clock
        self._entropy = entropy
        self._basis: Basis | None = None

    def begin(self, wanted: Wanted, folder: Path | None = None) -> Run:
        """Settle which lists a run has, and write it down; a run of the same terms in the same folder is taken up.

        So is, whatever its folder unless one is named, a run of the same terms of which lists failed.

        Without ``folder`` it is one of its own below the data folder. Raises ``Refusal``: ``schema`` for what cannot
        be drawn, ``calendar`` before the conclusion; ``LookupError`` for an unknown election;
        ``from_roll.NotReadyError`` while roll or log are not there yet.
        """
        kind, formats, scripts = _judged(wanted)
        if wanted.municipality is not None and wanted.municipality not in self._names:
            raise _refusal("/municipality", "There is no such municipality")
        with self._engine.begin() as connection:
            basis = from_roll.basis_of(connection, self._store, wanted.election)
            within = ListScope(municipality=wanted.municipality, station=wanted.polling_station)
            lists = from_roll.lists_of(connection, basis, kind, within)
            if wanted.polling_station is not None and not lists:
                raise _refusal("/polling_station", "There is no such polling station on the day of the conclusion")
            new = UUID(bytes=self._entropy(16), version=4)
            place = self._data / "excerpts" / wanted.election / str(new) if folder is None else folder
            terms = {
                "election": wanted.election,
                "conclusion": basis.conclusion,
                "kind": kind,
                "municipality": wanted.municipality,
                "polling_station": wanted.polling_station,
                "formats": list(formats),
                "scripts": list(scripts),
                "format_version": FORMAT_VERSION,
                "folder": self._kept(place),
            }
            earlier = connection.scalar(
                sa.select(run.c.run)
                .where(run.c.state != "failed", *(run.c[name].is_not_distinct_from(v) for name, v in terms.items()))
                .limit(1)
            )
            if earlier is None:
                terms_asked = terms if folder is not None else {n: v for n, v in terms.items() if n != "folder"}
                earlier = _taken_up(connection, terms_asked)
            if earlier is None:
                items = [
                    {"run": new, "no": no, "script": script, **msgspec.structs.asdict(scope)}
                    for no, (script, scope) in enumerate((script, scope) for script in scripts for scope in lists)
                ]
                asked = {"run": new, "requested_at": self._clock(), "state": "queued", "total": len(items)}
                connection.execute(sa.insert(run).values(**terms, **asked))
                if items:
                    connection.execute(sa.insert(item), items)
        found = self.find(new if earlier is None else earlier)
        if found is None:
            raise LookupError(str(new))
        return found

    def find(self, which: UUID) -> Run | None:
        """The run of this id, or None."""
        return next(iter(self._read(run.c.run == which)), None)

    def unfinished(self) -> list[Run]:
        """Runs that are neither drawn nor failed, the oldest first."""
        return self._read(run.c.state.in_(("queued", "drawing")))

    def files(self, which: UUID) -> list[ManifestEntry]:
        """The files of a run that are on disk so far, by name."""
        with self._engine.connect() as connection:
            return _entries(connection, [which])

    def file(self, which: UUID, name: str) -> ManifestEntry | None:
        """The entry of one file of a run, or None."""
        query = sa.select(item.c.files).where(item.c.run == which, item.c.files.contains([{"file": name}]))
        with self._engine.connect() as connection:
            found = connection.scalar(query)
        return next((entry for entry in _files(found or []) if entry.file == name), None)

    def changed(self, of: Run) -> tuple[str, ...]:
        """Names of the run's files that are missing or not what was drawn; nothing when all is well."""
        return differing(of.folder, self.files(of.id))

    def draw(
        self, of: Run, first: int, printers: Printers, told: Callable[[int], None] = lambda _: None
    ) -> tuple[str, ...]:
        """Draw the lists of one job, beginning with list number ``first``; ``told`` hears how many more are done.

        Passes over lists that are there. What is given back names the lists that could not be printed, and why.
        Raises what else drawing raises; the lists done by then are recorded.
        """
        with self._engine.begin() as connection:
            query = sa.select(item).where(item.c.run == of.id, item.c.no >= first, item.c.no < first + BATCH)
            items = list(connection.execute(query.order_by(item.c.no)).mappings())
            states = run.c.state.in_(("queued", "drawing"))
            connection.execute(sa.update(run).where(run.c.run == of.id, states).values(state="drawing"))
        of.folder.mkdir(parents=True, exist_ok=True)
        left = [each for each in items if not _is_there(each, of.folder)]
        told(len(items) - len(left))
        with self._engine.connect() as connection:
            jobs = [self._job(connection, of, each) for each in left]
        recorded, names = {each["no"]: each["files"] for each in left}, {job.no: job.head.name for job in jobs}
        failed = []
        for no, drawn in printers.draw(jobs, of.formats, of.folder):
            if isinstance(drawn, LayoutError):
                failed.append(f"{names[no]}: {drawn}")
                outcome: dict[str, Any] = {"failure": failed[-1]}
            elif recorded[no] is not None and sorted(_files(recorded[no])) != sorted(drawn):
                raise ReissueError(f"list {no} of the run no longer has the bytes on record")
            else:
                outcome = {"files": msgspec.to_builtins(drawn), "failure": None}
            with self._engine.begin() as connection:
                connection.execute(sa.update(item).where(item.c.run == of.id, item.c.no == no).values(**outcome))
            told(1)
        return tuple(failed)

    def finish(self, of: Run) -> bool:
        """Write the manifest and put the drawing on record once all lists are done; whether they are. Repeatable.

        Several runs into one folder have one manifest. A run of which lists failed ends ``failed`` and names them.
        """
        with self._engine.begin() as connection:
            connection.execute(sa.select(run.c.run).where(run.c.run == of.id).with_for_update())
            own_items = item.c.run == of.id
            untried = sa.select(sa.func.count()).where(own_items, item.c.files.is_(None), item.c.failure.is_(None))
            if connection.scalar(untried):
                return False
            unprinted = sa.select(item.c.failure).where(own_items, item.c.failure.is_not(None)).order_by(item.c.no)
            failed = list(connection.scalars(unprinted))
            if failed:
                self._end(connection, of, _named(failed, of.total))
                return True
            others = sa.select(run.c.run).where(run.c.folder == self._kept(of.folder), run.c.state == "drawn")
            beside = [e for e in _entries(connection, list(connection.scalars(others))) if _is_file(of.folder, e)]
            own = _entries(connection, [of.id])
            of.folder.mkdir(parents=True, exist_ok=True)
            write_manifest(of.folder, {entry.file: entry for entry in [*beside, *own]}.values())
            self._note(connection, of, own)
            connection.execute(sa.update(run).where(run.c.run == of.id).values(state="drawn"))
        return True

    def fail(self, of: Run, why: str) -> None:
        """Give a run up; ``why`` names no voter."""
        with self._engine.begin() as connection:
            self._end(connection, of, why)

    @staticmethod
    def _end(connection: sa.Connection, of: Run, why: str) -> None:
        here = sa.and_(run.c.run == of.id, run.c.state != "drawn")
        connection.execute(sa.update(run).where(here).values(state="failed", failure=why))

    def _job(self, connection: sa.Connection, of: Run, each: Mapping[Any, Any]) -> ListJob:
        basis = self._basis
        if basis is None or basis.conclusion != of.conclusion:
            basis = self._basis = from_roll.basis_of(connection, self._store, of.election)
        scope = ListScope(each["municipality"], each["station"], each["mission"])
        script = cast("Script", each["script"])
        rows = list(from_roll.rows_of(connection, of.election, of.kind, scope, script))
        return ListJob(each["no"], from_roll.head_of(basis, of.kind, scope, script, self._names), rows)

    def _note(self, connection: sa.Connection, of: Run, entries: Sequence[ManifestEntry]) -> None:
        """Put the drawing on record; what is on record already, from before a crash, must be the same lists."""
        lists = {e.list: DrawnList(name=e.list, rows=e.rows, sha256=e.rows_sha256) for e in entries}
        now, id_ = self._clock(), f"excerpt-drawn:{of.id}"
        drawn = ExcerptDrawn(
            excerpt=str(of.id),
            election=of.election,
            kind=of.kind,
            conclusion=of.conclusion,
            format_version=of.format_version,
            lists=tuple(lists[name] for name in sorted(lists)),
        )
        before = self._store.find(REGISTER, id_)
        if before is not None and _bare(before.data) == drawn:
            return
        drawn = settle(connection, self._store, drawn, self._csv_of(connection, of), self._entropy)
        salt = base64.b64encode(self._entropy(16)).decode()
        pending = Pending(source=REGISTER, id=id_, time=now, data=drawn, salt=salt)
        (receipt,) = self._store.append([pending], now=now)
        if receipt.refusal is not None:
            raise receipt.refusal

    def _csv_of(self, connection: sa.Connection, of: Run) -> Callable[[DrawnList], bytes]:
        """Gives the CSV file of a list: as it is on disk, or from the roll when only other formats were drawn."""
        items = {
            files[0].list: (each, files)
            for each in connection.execute(sa.select(item).where(item.c.run == of.id)).mappings()
            if (files := _files(each["files"]))
        }

        def csv(wanted: DrawnList) -> bytes:
            each, files = items[wanted.name]
            found = csv_on_disk(lambda name: (of.folder / name).read_bytes(), files)
            if found is None:
                job = self._job(connection, of, each)
                found = b"".join(render_csv(of.kind, job.head.script, job.rows))
            if sha256(found).hexdigest() != wanted.sha256:
                raise ReissueError(f"the list {wanted.name} no longer has the rows on record")
            return found

        return csv

    def _kept(self, folder: Path) -> str:
        """A folder as it is written down: relative to the data folder, so that this can be moved as a whole."""
        return str(folder.relative_to(self._data) if folder.is_relative_to(self._data) else folder)

    def _read(self, where: sa.ColumnElement[bool]) -> list[Run]:
        done = sa.select(sa.func.count()).where(item.c.run == run.c.run, item.c.files.is_not(None)).scalar_subquery()
        query = sa.select(run, done.label("done")).where(where).order_by(run.c.requested_at, run.c.run)
        with self._engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        return [_run(row, self._data) for row in rows]


def _bare(data: object) -> object:
    """A drawing without secrets and roots."""
    if not isinstance(data, ExcerptDrawn):
        return data
    lists = tuple(msgspec.structs.replace(each, secret=None) for each in data.lists)
    return msgspec.structs.replace(data, lists=lists, roots=None)


def _taken_up(connection: sa.Connection, terms: Mapping[str, Any]) -> UUID | None:
    """The newest failed run of these terms of which lists failed, made ready for another go at them, or None."""
    unprinted = sa.exists().where(item.c.run == run.c.run, item.c.files.is_(None), item.c.failure.is_not(None))
    found: UUID | None = connection.scalar(
        sa.select(run.c.run)
        .where(run.c.state == "failed", unprinted, *(run.c[name].is_not_distinct_from(v) for name, v in terms.items()))
        .order_by(run.c.requested_at.desc(), run.c.run)
        .limit(1)
        .with_for_update()
    )
    if found is not None:
        connection.execute(sa.update(item).where(item.c.run == found).values(failure=None))
        connection.execute(sa.update(run).where(run.c.run == found).values(state="queued", failure=None))
    return found


def _named(failed: Sequence[str], total: int) -> str:
    """How many lists of a run failed, and the first of them with the reason."""
    more = "; …" if len(failed) > _NAMED else ""
    return f"{len(failed)} of {total} lists could not be printed: {'; '.join(failed[:_NAMED])}{more}"


def _run(row: Mapping[str, Any], data: Path) -> Run:
    terms = {name: row[name] for name in Run.__struct_fields__ if name in row}
    terms |= {"formats": tuple(row["formats"]), "scripts": tuple(row["scripts"]), "folder": data / row["folder"]}
    return Run(id=row["run"], **terms)


def _judged(wanted: Wanted) -> tuple[DrawnKind, tuple[Format, ...], tuple[Script, ...]]:
    """Kind, formats and scripts, in a fixed order. Raises ``Refusal("schema")`` naming what can be drawn."""
    kind = next((kind for kind in DRAWN_KINDS if kind == wanted.kind), None)
    if kind is None:
        raise _refusal("/kind", f"From a concluded roll are drawn: {', '.join(DRAWN_KINDS)}")
    formats = tuple(each for each in FORMATS if each in wanted.formats)
    if not formats or len(formats) != len(set(wanted.formats)):
        raise _refusal("/formats", f"Lists are drawn as: {', '.join(FORMATS)}")
    scripts = tuple(each for each in SCRIPTS if each in wanted.scripts)
    if not scripts or len(scripts) != len(set(wanted.scripts)):
        raise _refusal("/scripts", f"Lists are drawn in: {', '.join(SCRIPTS)}")
    if wanted.polling_station is not None and (kind != "polling-station" or wanted.municipality is None):
        raise _refusal("/polling_station", "A polling station is named with its municipality, for its own list")
    return kind, formats, scripts


def _refusal(pointer: str, sentence: str) -> Refusal:
    return Refusal("schema", sentence, provision=PROVISION, faults=(Fault(pointer, sentence),))


def _entries(connection: sa.Connection, runs: Sequence[UUID]) -> list[ManifestEntry]:
    query = sa.select(item.c.files).where(item.c.run.in_(runs), item.c.files.is_not(None))
    return sorted(entry for files in connection.scalars(query) for entry in _files(files))


def _files(written: object) -> list[ManifestEntry]:
    return msgspec.convert(written, list[ManifestEntry])


def _is_file(folder: Path, entry: ManifestEntry) -> bool:
    return (folder / entry.file).is_file()


def _is_there(each: Mapping[Any, Any], folder: Path) -> bool:
    return each["files"] is not None and not differing(folder, _files(each["files"]))
