"""What is put on record of a run: that it was drawn, or issued again, with its lists."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256

import msgspec
import sqlalchemy as sa

from register.excerpts.manifest import ManifestEntry
from register.excerpts.render_csv import render_csv
from register.excerpts.roots import csv_on_disk, settle
from register.excerpts.sources import Sources
from register.excerpts.tables import item
from register.excerpts.terms import Run
from register.law.events import REGISTER, DrawnList, ExcerptDrawn, ExcerptReissued
from register.store import Pending, Store


class ReissueError(Exception):
    """A list drawn again is not, byte for byte, the one on record: it is not issued again. Says which and why."""


class Recorder:
    """Puts runs on record, each once under an id of its own, whatever dies in between."""

    def __init__(
        self, store: Store, sources: Sources, clock: Callable[[], datetime], entropy: Callable[[int], bytes]
    ) -> None:
        self._store = store
        self._sources = sources
        self._clock = clock
        self._entropy = entropy

    def drawn(self, connection: sa.Connection, of: Run, entries: Sequence[ManifestEntry]) -> None:
        """Put the drawing on record; what is on record already, from before a crash, must be the same lists."""
        lists = {e.list: DrawnList(name=e.list, rows=e.rows, sha256=e.rows_sha256) for e in entries}
        drawn = ExcerptDrawn(
            excerpt=str(of.id),
            election=of.election,
            kind=of.kind,
            conclusion=of.conclusion,
            format_version=of.format_version,
            lists=tuple(lists[name] for name in sorted(lists)),
        )
        id_ = f"excerpt-drawn:{of.id}"
        before = self._store.find(REGISTER, id_)
        if before is not None and _bare(before.data) == drawn:
            return
        drawn = settle(connection, self._store, drawn, self._csv_of(connection, of), self._entropy)
        self._append(id_, drawn)

    def reissued(self, of: Run, entries: Sequence[ManifestEntry]) -> None:
        """Put on record that an excerpt was issued again, for whom, and how many files it came to."""
        self._append(
            f"excerpt-reissued:{of.id}",
            ExcerptReissued(
                excerpt=str(of.reissue_of),
                election=of.election,
                issue=str(of.id),
                files=len(entries),
                reissued_by=of.asked_by or "",
            ),
        )

    def _append(self, id_: str, data: ExcerptDrawn | ExcerptReissued) -> None:
        now = self._clock()
        salt = base64.b64encode(self._entropy(16)).decode()
        (receipt,) = self._store.append([Pending(source=REGISTER, id=id_, time=now, data=data, salt=salt)], now=now)
        if receipt.refusal is not None:
            raise receipt.refusal

    def _csv_of(self, connection: sa.Connection, of: Run) -> Callable[[DrawnList], bytes]:
        """Gives the CSV file of a list: as it is on disk, or made again when only other formats were drawn."""
        items = {
            files[0].list: (each, files)
            for each in connection.execute(sa.select(item).where(item.c.run == of.id)).mappings()
            if (files := entries_of(each["files"]))
        }

        def csv(wanted: DrawnList) -> bytes:
            each, files = items[wanted.name]
            found = csv_on_disk(lambda name: (of.folder / name).read_bytes(), files)
            if found is None:
                (job,) = self._sources.jobs(connection, of, [each])
                found = b"".join(render_csv(of.kind, job.head.script, job.rows))
            if sha256(found).hexdigest() != wanted.sha256:
                raise ReissueError(f"the list {wanted.name} no longer has the rows on record")
            return found

        return csv


def entries_of(written: object) -> list[ManifestEntry]:
    """The files of a list as they are kept with it."""
    return msgspec.convert(written, list[ManifestEntry])


def _bare(data: object) -> object:
    """A drawing without secrets and roots."""
    if not isinstance(data, ExcerptDrawn):
        return data
    lists = tuple(msgspec.structs.replace(each, secret=None) for each in data.lists)
    return msgspec.structs.replace(data, lists=lists, roots=None)
