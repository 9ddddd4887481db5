"""How lists are drawn: as one stream of the roll, many files at a time, or list by list by the typesetters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import psycopg
import sqlalchemy as sa

from register.excerpts.fonts import LayoutError
from register.excerpts.formats import NOTE_ENDING, SIDECAR_ENDING
from register.excerpts.manifest import ManifestEntry, whole_file
from register.excerpts.printers import Printers
from register.excerpts.sources import Sources, scope_of
from register.excerpts.streamed import RUNS_OF_THE_ROLL, draw_streamed
from register.excerpts.terms import BATCH, Run
from register.excerpts.together import Together
from register.log.keys import Signer
from register.log.note import Checkpoint

#: Lists that are brought to disk, renamed and recorded together where they are not streamed.
TOGETHER: Final = BATCH


class Outcome(msgspec.Struct, frozen=True):
    """How a list (by its number within the run) came out: its files on disk, or why it could not be printed."""

    no: int
    files: Sequence[ManifestEntry] = ()
    failure: str | None = None


class Drawer:
    """Draws the lists of runs; each group it gives is on disk under its names. ``signer``: see ``Runs``."""

    def __init__(self, engine: sa.Engine, sources: Sources, signer: Signer | None) -> None:
        self._engine = engine
        self._sources = sources
        self._signer = signer

    def draw(self, of: Run, items: Sequence[Mapping[Any, Any]], printers: Printers) -> Iterator[list[Outcome]]:
        """Draw these lists, group by group."""
        if "pdf" in of.formats:
            yield from self._printed(of, items, printers)
        elif of.formats == ("csv",) and of.scripts == ("latin",) and of.kind in RUNS_OF_THE_ROLL:
            yield from self._streamed(of, items)
        else:
            yield from self._together(of, items, printers)

    def _streamed(self, of: Run, items: Sequence[Mapping[Any, Any]]) -> Iterator[list[Outcome]]:
        kind: Any = of.kind
        with self._engine.begin() as connection, Together(of.folder) as together:
            raw = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
            heads = self._sources.heads(connection, of, items)
            lists = [(each["no"], head, scope_of(each)) for each, head in zip(items, heads, strict=True)]
            drawn = [
                Outcome(no, files) for no, files in draw_streamed(raw, of.election, kind, lists, together, of.folder)
            ]
            together.settle()
        yield drawn

    def _together(self, of: Run, items: Sequence[Mapping[Any, Any]], printers: Printers) -> Iterator[list[Outcome]]:
        with self._engine.connect() as connection:
            jobs = self._sources.jobs(connection, of, items)
            while some := list(islice(jobs, TOGETHER)):
                with Together(of.folder) as together:
                    drawn = [
                        self._outcome(job.head.name, no, files)
                        for job, (no, files) in zip(
                            some, printers.draw(some, of.formats, of.folder, together.whole), strict=True
                        )
                    ]
                    together.settle()
                yield [self._signed(each, of.folder) for each in drawn]

    def _printed(self, of: Run, items: Sequence[Mapping[Any, Any]], printers: Printers) -> Iterator[list[Outcome]]:
        with self._engine.connect() as connection:
            jobs = list(self._sources.jobs(connection, of, items))
        names = {job.no: job.head.name for job in jobs}
        for no, files in printers.draw(jobs, of.formats, of.folder):
            yield [self._signed(self._outcome(names[no], no, files), of.folder)]

    @staticmethod
    def _outcome(name: str, no: int, files: list[ManifestEntry] | LayoutError) -> Outcome:
        if isinstance(files, LayoutError):
            return Outcome(no, failure=f"{name}: {files}")
        return Outcome(no, files)

    def _signed(self, drawn: Outcome, folder: Path) -> Outcome:
        """The same with the signed note over a VRI sidecar, where there is one.

        The note's three lines are those of a tree head, under a key and a name of its own so that it can be mistaken
        for none: the key's name, the number of voters, the SHA-256 of the sidecar in base64 (C2SP signed-note).
        """
        sidecar = next((each for each in drawn.files if each.file.endswith(SIDECAR_ENDING)), None)
        if sidecar is None or self._signer is None:
            return drawn
        signed = Checkpoint(self._signer.key.name, sidecar.rows, bytes.fromhex(sidecar.sha256))
        note = self._signer.sign(signed)
        file = sidecar.list + NOTE_ENDING
        with whole_file(folder / file) as part:
            part.write(note)
        entry = msgspec.structs.replace(sidecar, file=file, sha256=sha256(note).hexdigest())
        return Outcome(drawn.no, sorted([*drawn.files, entry]))
