"""Runs: a kind of list drawn list by list into a folder, by jobs or at once (Art. 3.6 b, c).

A list is done when its files are on disk under their names and recorded. A run that is taken up again passes over
those lists whose files are still there with the digests recorded, and draws the others. When all are done the manifest
is written and the drawing goes on record as an event, under an id of the run's own: once, whatever dies in between.
A list that cannot be drawn fails alone: the others are drawn, the run ends failed and names it, and whoever asks for
the same again takes that run up. A certified run can be issued again: drawn into another folder and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa

from register.excerpts.drawing import Drawer, Outcome
from register.excerpts.formats import FORMATS, format_of
from register.excerpts.manifest import ManifestEntry, check_folder, differing, write_manifest
from register.excerpts.printers import Printers
from register.excerpts.recording import Recorder, ReissueError, entries_of
from register.excerpts.rows import FORMAT_VERSION
from register.excerpts.sources import Sources, items_of
from register.excerpts.tables import item, run
from register.excerpts.terms import BATCH, SCRIPTS, Run, Wanted, folder_name, judged, refusal
from register.law.calendar import civil_day
from register.law.territory import Municipality
from register.log.keys import Signer
from register.store import Store

__all__ = ["BATCH", "FORMATS", "SCRIPTS", "ReissueError", "Run", "Runs", "Wanted"]

#: Failed lists that a run names; of more it says how many.
_NAMED: Final = 10
#: States in which lists are still to be drawn.
_UNDER_WAY: Final = ("queued", "drawing")


class Runs:
    """The runs of one register. ``data`` is the data folder; ``municipalities`` the reference table by code.

    ``signer`` signs what stands beside VRI files; without one these carry no signature.
    """

    def __init__(
        self,
        engine: sa.Engine,
        store: Store,
        data: Path,
        municipalities: Mapping[str, Municipality],
        *,
        clock: Callable[[], datetime],
        entropy: Callable[[int], bytes],
        signer: Signer | None = None,
    ) -> None:
        self._engine = engine
        self._data = data
        self._clock = clock
        self._entropy = entropy
        self._sources = Sources(store, municipalities)
        self._recorder = Recorder(store, self._sources, clock, entropy)
        self._drawer = Drawer(engine, self._sources, signer)
        self.sidecar_key: str | None = None if signer is None else str(signer.key)

    def begin(self, wanted: Wanted, folder: Path | None = None) -> Run:
        """Settle which lists a run has, and write it down; a run of the same terms is taken up, a failed one too.

        Without ``folder`` that is one anywhere below the data folder, so that what was certified is not drawn beside
        itself (Art. 3.6 e), and a new one gets a folder of its own there; with it, one in this folder.

        Raises ``Refusal``: ``schema`` for what cannot be drawn, ``calendar`` before the conclusion or outside the days
        of display; ``LookupError`` for an unknown election; ``from_roll.NotReadyError`` while roll or log are missing.
        """
        kind, formats, scripts = judged(wanted)
        if wanted.municipality is not None and wanted.municipality not in self._sources.names:
            raise refusal("/municipality", "There is no such municipality")
        with self._engine.begin() as connection:
            position, as_of, lists = self._sources.settle(connection, wanted, kind, civil_day(self._clock()))
            new = UUID(bytes=self._entropy(16), version=4)
            above = wanted.election or f"register-{as_of}"
            own = self._data / "excerpts" / above / folder_name(wanted, kind, self._sources.names, new)
            terms = {
                "election": wanted.election or "",
                "as_of": as_of,
                "conclusion": position,
                "kind": kind,
                "municipality": wanted.municipality,
                "polling_station": wanted.polling_station,
                "formats": list(formats),
                "scripts": list(scripts),
                "format_version": FORMAT_VERSION,
                "reissue_of": None,
                "folder": self._kept(own if folder is None else folder),
            }
            same = _same({n: v for n, v in terms.items() if folder is not None or n != "folder"})
            if folder is None:
                same.append(~run.c.folder.startswith("/"))
            kept = sa.select(run.c.run).where(run.c.state.not_in(("failed", "cancelled")), *same)
            earlier = connection.scalar(kept.order_by(run.c.requested_at, run.c.run).limit(1))
            if earlier is None:
                earlier = _taken_up(connection, same)
            if earlier is None:
                self._write_down(connection, new, terms, items_of(new, lists, scripts))
        return self._made(new if earlier is None else earlier)

    def reissue(self, of: Run, asked_by: str) -> Run:
        """A run that draws a certified one's lists again, into a new folder, and compares them with what is on record.

        That the run is certified is for the caller to see to. One under way is taken up.
        """
        with self._engine.begin() as connection:
            under_way = sa.and_(run.c.reissue_of == of.id, run.c.state.in_(_UNDER_WAY))
            connection.execute(sa.select(run.c.run).where(run.c.run == of.id).with_for_update())
            found: UUID | None = connection.scalar(sa.select(run.c.run).where(under_way))
            if found is None:
                found = UUID(bytes=self._entropy(16), version=4)
                wanted = Wanted(kind=of.kind, municipality=of.municipality, polling_station=of.polling_station)
                name = f"{folder_name(wanted, of.kind, self._sources.names, of.id)}_reissue-{found.hex[:8]}"
                place = self._data / "excerpts" / (of.election or f"register-{of.as_of}") / name
                (before,) = connection.execute(sa.select(run).where(run.c.run == of.id)).mappings()
                terms = {name: before[name] for name in _TERMS}
                terms |= {"reissue_of": of.id, "asked_by": asked_by, "folder": self._kept(place)}
                kept = connection.execute(sa.select(item).where(item.c.run == of.id)).mappings()
                again = [
                    {**each, "run": found, "expected": each["files"], "files": None, "failure": None} for each in kept
                ]
                self._write_down(connection, found, terms, again)
        return self._made(found)

    def cancel(self, of: Run) -> bool:
        """End a run that is under way: no further list is drawn; whether it was. What is drawn stays on disk."""
        with self._engine.begin() as connection:
            here = sa.and_(run.c.run == of.id, run.c.state.in_(_UNDER_WAY))
            return connection.execute(sa.update(run).where(here).values(state="cancelled")).rowcount == 1

    def find(self, which: UUID) -> Run | None:
        """The run of this id, or None."""
        return next(iter(self._read(run.c.run == which)), None)

    def of(self, election: str) -> list[Run]:
        """The runs of an election (empty: those without one), the newest first."""
        return self._read(run.c.election == election)[::-1]

    def unfinished(self) -> list[Run]:
        """Runs that are under way, the oldest first."""
        return self._read(run.c.state.in_(_UNDER_WAY))

    def files(self, which: UUID) -> list[ManifestEntry]:
        """The files of a run that are on disk so far, by name."""
        with self._engine.connect() as connection:
            return _entries(connection, [which])

    def file(self, which: UUID, name: str) -> ManifestEntry | None:
        """The entry of one file of a run, or None."""
        query = sa.select(item.c.files).where(item.c.run == which, item.c.files.contains([{"file": name}]))
        with self._engine.connect() as connection:
            found = connection.scalar(query)
        return next((entry for entry in entries_of(found or []) if entry.file == name), None)

    def changed(self, of: Run) -> tuple[str, ...]:
        """Names of the run's files that are missing or not what was drawn; nothing when all is well."""
        return differing(of.folder, self.files(of.id))

    def draw(
        self, of: Run, first: int, printers: Printers, told: Callable[[int], None] = lambda _: None
    ) -> tuple[str, ...]:
        """Draw the lists of one job, beginning with list number ``first``; ``told`` hears how many more are done.

        Passes over lists that are there, and stops when the run is cancelled. What is given back names the lists that
        could not be printed, and why. Raises ``FolderMissingError`` on a host that does not see the run's folder, and
        what else drawing raises; the lists done by then are recorded.
        """
        with self._engine.begin() as connection:
            query = sa.select(item).where(item.c.run == of.id, item.c.no >= first, item.c.no < first + of.batch)
            items = [dict(each) for each in connection.execute(query.order_by(item.c.no)).mappings()]
            states = sa.and_(run.c.run == of.id, run.c.state.in_(_UNDER_WAY))
            connection.execute(sa.update(run).where(states).values(state="drawing"))
            if connection.scalar(sa.select(run.c.state).where(run.c.run == of.id)) == "cancelled":
                return ()
        check_folder(of.folder)
        left = [each for each in items if not _is_there(each, of.folder)]
        told(len(items) - len(left))
        on_record = {each["no"]: each["expected"] or each["files"] for each in left}
        failed: list[str] = []
        for outcomes in self._stopping(of, self._drawer.draw(of, left, printers)):
            for outcome in outcomes:
                before = on_record[outcome.no]
                if outcome.failure is not None:
                    failed.append(outcome.failure)
                elif before is not None:
                    _compare(entries_of(before), outcome.files, of.folder, reissued=of.reissue_of is not None)
            self._record(of, outcomes)
            told(len(outcomes))
        return tuple(failed)

    def finish(self, of: Run) -> bool:
        """Write the manifest and put the drawing on record once all lists are done; whether they are. Repeatable.

        Several runs into one folder have one manifest. A run of which lists failed ends ``failed`` and names them.
        """
        with self._engine.begin() as connection:
            state = connection.scalar(sa.select(run.c.state).where(run.c.run == of.id).with_for_update())
            if state == "cancelled":
                return True
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
            write_manifest(of.folder, {entry.file: entry for entry in [*beside, *own]}.values())
            if of.reissue_of is None:
                self._recorder.drawn(connection, of, own)
            else:
                self._recorder.reissued(of, own)
            done = "drawn" if of.reissue_of is None else "reissued"
            connection.execute(sa.update(run).where(run.c.run == of.id).values(state=done))
        return True

    def fail(self, of: Run, why: str) -> None:
        """Give a run up; ``why`` names no voter."""
        with self._engine.begin() as connection:
            self._end(connection, of, why)

    @staticmethod
    def _end(connection: sa.Connection, of: Run, why: str) -> None:
        here = sa.and_(run.c.run == of.id, run.c.state.not_in(("drawn", "reissued", "cancelled")))
        connection.execute(sa.update(run).where(here).values(state="failed", failure=why))

    def _stopping(self, of: Run, drawn: Iterator[list[Outcome]]) -> Iterator[list[Outcome]]:
        """The same, to its end or until the run is cancelled."""
        for outcomes in drawn:
            yield outcomes
            with self._engine.connect() as connection:
                if connection.scalar(sa.select(run.c.state).where(run.c.run == of.id)) == "cancelled":
                    return

    def _record(self, of: Run, outcomes: Sequence[Outcome]) -> None:
        """Write down how lists came out: one transaction for all of them."""
        written = [
            {
                "no": outcome.no,
                "files": None if outcome.failure else msgspec.to_builtins(outcome.files),
                "failure": outcome.failure,
            }
            for outcome in outcomes
        ]
        with self._engine.begin() as connection:
            connection.execute(_RECORD, {"run": of.id, "outcomes": msgspec.json.encode(written).decode()})

    def _write_down(
        self, connection: sa.Connection, new: UUID, terms: Mapping[str, Any], items: list[dict[str, Any]]
    ) -> None:
        asked = {"run": new, "requested_at": self._clock(), "state": "queued", "total": len(items)}
        connection.execute(sa.insert(run).values(**terms, **asked))
        if items:
            connection.execute(sa.insert(item), items)

    def _made(self, which: UUID) -> Run:
        """A run, its folder made: by that every worker knows whether it sees the folders of this host."""
        begun = self._known(which)
        begun.folder.mkdir(parents=True, exist_ok=True)
        return begun

    def _known(self, which: UUID) -> Run:
        found = self.find(which)
        if found is None:
            raise LookupError(str(which))
        return found

    def _kept(self, folder: Path) -> str:
        """A folder as it is written down: relative to the data folder, so that this can be moved as a whole."""
        return str(folder.relative_to(self._data) if folder.is_relative_to(self._data) else folder)

    def _read(self, where: sa.ColumnElement[bool]) -> list[Run]:
        done = sa.select(sa.func.count()).where(item.c.run == run.c.run, item.c.files.is_not(None)).scalar_subquery()
        query = sa.select(run, done.label("done")).where(where).order_by(run.c.requested_at, run.c.run)
        with self._engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        return [_run(row, self._data) for row in rows]


#: What a run issued again takes over from the one it is of.
_TERMS: Final = (
    "election", "as_of", "conclusion", "kind", "municipality", "polling_station", "formats", "scripts",
    "format_version",
)  # fmt: skip
_RECORD: Final = sa.text(
    """
    UPDATE excerpts.item i SET files = coalesce(o.files, i.files), failure = o.failure
    FROM jsonb_to_recordset(CAST(:outcomes AS jsonb)) AS o (no int, files jsonb, failure text)
    WHERE i.run = :run AND i.no = o.no
    """
)


def _same(terms: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
    return [run.c[name].is_not_distinct_from(value) for name, value in terms.items()]


def _taken_up(connection: sa.Connection, same: Sequence[sa.ColumnElement[bool]]) -> UUID | None:
    """The newest failed run of the same terms of which lists failed, made ready for another go at them, or None."""
    unprinted = sa.exists().where(item.c.run == run.c.run, item.c.files.is_(None), item.c.failure.is_not(None))
    found: UUID | None = connection.scalar(
        sa.select(run.c.run)
        .where(run.c.state == "failed", unprinted, *same)
        .order_by(run.c.requested_at.desc(), run.c.run)
        .limit(1)
        .with_for_update()
    )
    if found is not None:
        connection.execute(sa.update(item).where(item.c.run == found).values(failure=None))
        connection.execute(sa.update(run).where(run.c.run == found).values(state="queued", failure=None))
    return found


def _compare(
    expected: Sequence[ManifestEntry], drawn: Sequence[ManifestEntry], folder: Path, *, reissued: bool
) -> None:
    """Accept a list drawn again that has the bytes on record; of one issued again nothing else may stay on disk.

    Raises :class:`ReissueError` naming the list, the format, and what differs.
    """
    if sorted(expected) == sorted(drawn):
        return
    was = {entry.file: entry for entry in expected}
    wrong = next((entry for entry in sorted(drawn) if was.get(entry.file) != entry), None)
    if reissued:
        for entry in drawn:
            (folder / entry.file).unlink(missing_ok=True)
    if wrong is None or wrong.file not in was:
        raise ReissueError(f"the list {drawn[0].list} no longer has the files on record")
    if was[wrong.file].rows_sha256 != wrong.rows_sha256:
        raise ReissueError(f"the list {wrong.list} no longer has the rows on record: {wrong.rows} now")
    why = f"the same rows, but its {format_of(wrong.file) or 'sidecar'} file is written differently now"
    raise ReissueError(f"the list {wrong.list} no longer has the bytes on record: {why}")


def _named(failed: Sequence[str], total: int) -> str:
    """How many lists of a run failed, and the first of them with the reason."""
    more = "; …" if len(failed) > _NAMED else ""
    return f"{len(failed)} of {total} lists could not be printed: {'; '.join(failed[:_NAMED])}{more}"


def _run(row: Mapping[str, Any], data: Path) -> Run:
    terms = {name: row[name] for name in Run.__struct_fields__ if name in row}
    terms |= {"formats": tuple(row["formats"]), "scripts": tuple(row["scripts"]), "folder": data / row["folder"]}
    return Run(id=row["run"], **terms)


def _entries(connection: sa.Connection, runs: Sequence[UUID]) -> list[ManifestEntry]:
    query = sa.select(item.c.files).where(item.c.run.in_(runs), item.c.files.is_not(None))
    return sorted(entry for files in connection.scalars(query) for entry in entries_of(files))


def _is_file(folder: Path, entry: ManifestEntry) -> bool:
    return (folder / entry.file).is_file()


def _is_there(each: Mapping[Any, Any], folder: Path) -> bool:
    return each["files"] is not None and not differing(folder, entries_of(each["files"]))
