"""The files of excerpts against what is on record of them: from the events to the files, never the other way.

A CSV file is the very bytes whose digest its event holds. Of the other files, which hold the same rows, the digest was
kept beside the run when they were drawn. What a folder says of itself (its manifest) is compared, and proves nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg

from register.audit.reading import decoded, rows_about
from register.audit.verify.findings import Check, Findings, concluded
from register.excerpts.draw import ENDING, Format
from register.excerpts.manifest import MANIFEST, ManifestEntry, differing, read_manifest
from register.law.events import DrawnList, ExcerptDrawn

Connection = psycopg.Connection[Any]

_WHAT: Final = "excerpt files on disk are those drawn, their lists those put on record"
_RUNS: Final = """
    SELECT run, folder, formats, state,
           coalesce((SELECT jsonb_agg(files ORDER BY no) FROM excerpts.item i
                     WHERE i.run = r.run AND files IS NOT NULL), '[]')
    FROM excerpts.run r ORDER BY requested_at, run
"""


class _Run(msgspec.Struct):
    """A run as it is kept: where it drew to, what was asked for, and its files with the digests they were drawn with.

    ``position`` and ``lists`` are those of its event, if it is on record.
    """

    id: UUID
    folder: str
    formats: tuple[Format, ...]
    state: str
    files: tuple[ManifestEntry, ...]
    position: int | None = None
    lists: tuple[DrawnList, ...] = ()


def check_excerpts(connection: Connection, upto: int, folder: Path) -> Check:
    """Every list on record and every file kept with a run, beside the files. ``folder``: the data folder's excerpts.

    Folders elsewhere, which lists may be drawn into too, are not visited, and files that no run drew are only named.
    """
    findings, files, notes = Findings(), 0, []
    runs = _runs(connection, findings)
    for position, event in _recorded(connection, upto):
        run = runs.get(UUID(event.excerpt)) if _is_id(event.excerpt) else None
        if run is None:
            findings.add(
                f"excerpt {event.excerpt}: it is on record, and which files it has is no longer kept", position
            )
        else:
            run.position, run.lists = position, event.lists
    together: defaultdict[Path, list[_Run]] = defaultdict(list)
    for run in runs.values():
        if run.state == "drawn" and run.position is None:
            findings.add(f"excerpt {run.id}: it is kept as drawn, and no event says so")
        place = folder.parent / run.folder
        if place.is_relative_to(folder):
            together[place].append(run)
        elif run.position is not None:
            notes.append(f"excerpt {run.id} was drawn into a folder elsewhere, which was not visited")
    for place, here in together.items():
        name = f"excerpts {place.relative_to(folder)}"
        files += sum(_check_files(name, place, run, findings) for run in here)
        _check_manifest(name, place, here, findings, notes)
    unknown = {path.parent for path in folder.rglob(MANIFEST)} - together.keys()
    notes += [f"excerpts {place.relative_to(folder)}: no run drew there; not compared" for place in sorted(unknown)]
    return concluded("excerpts", _WHAT, files, "files", findings, notes=notes)


def _check_files(name: str, place: Path, run: _Run, findings: Findings) -> int:
    """Compare the files of one run; how many there are to be."""
    expected = {entry.file: entry for entry in run.files}
    if run.position is not None:
        _check_lists(name, run, expected, findings)
    if expected and not place.is_dir():
        findings.add(f"{name}: the folder is missing, with its {len(expected)} files", run.position)
        return len(expected)
    for file in differing(place, expected.values()):
        what = "is not the file drawn" if (place / file).is_file() else "is missing"
        findings.add(f"{name}: {file} {what}", run.position)
    return len(expected)


def _check_lists(name: str, run: _Run, expected: dict[str, ManifestEntry], findings: Findings) -> None:
    """Compare the entries kept with a run with its event, which decides what a CSV file is to be."""
    recorded = {each.name: each for each in run.lists}
    for file, entry in list(expected.items()):
        held = recorded.get(entry.list)
        if held is None or (held.rows, held.sha256) != (entry.rows, entry.rows_sha256):
            findings.add(f"{name}: {file} is not kept as the list that was put on record", run.position)
    for each in run.lists:
        for format_ in run.formats:
            file = each.name + ENDING[format_]
            if file not in expected:
                findings.add(f"{name}: {file} is on record, and its digest is no longer kept", run.position)
        file = each.name + ENDING["csv"]
        if "csv" in run.formats or file in expected:
            expected[file] = ManifestEntry(
                file=file, list=each.name, rows=each.rows, sha256=each.sha256, rows_sha256=each.sha256
            )


def _check_manifest(name: str, place: Path, runs: Iterable[_Run], findings: Findings, notes: list[str]) -> None:
    """Compare a folder's manifest with the runs that drew there."""
    known = {entry.file: entry for run in runs for entry in run.files}
    ours: dict[str, int] = {}
    for run in runs:
        if run.position is not None:
            ours |= dict.fromkeys((entry.file for entry in run.files), run.position)
    if not ours or not place.is_dir():
        return
    position = max(ours.values())
    try:
        told = {entry.file: entry for entry in read_manifest(place)}
    except FileNotFoundError:
        findings.add(f"{name}: the manifest is missing", position)
        return
    except (msgspec.MsgspecError, KeyError):
        findings.add(f"{name}: the manifest cannot be read", position)
        return
    for file, since in ours.items():
        if told.get(file) != known[file]:
            findings.add(f"{name}: the manifest does not name {file} as it was drawn", since)
    others = (told.keys() | {path.name for path in place.iterdir() if _is_list(path)}) - known.keys()
    if others:
        notes.append(f"{name}: {len(others)} files that no run drew, not compared; the first is {min(others)}")


def _is_list(path: Path) -> bool:
    return path.is_file() and path.name != MANIFEST and not path.name.startswith(".")


def _recorded(connection: Connection, upto: int) -> list[tuple[int, ExcerptDrawn]]:
    """The excerpts on record, each with its position."""
    events = decoded(rows_about(connection, [ExcerptDrawn.TOPIC], upto), [])
    return [(event.position, event.data) for event in events if isinstance(event.data, ExcerptDrawn)]


def _runs(connection: Connection, findings: Findings) -> dict[UUID, _Run]:
    """All runs, as they are kept."""
    runs = {}
    for which, folder, formats, state, files in connection.execute(_RUNS):
        terms = {"id": which, "folder": folder, "formats": formats, "state": state}
        try:
            listed = [entry for each in msgspec.convert(files, list[list[ManifestEntry]]) for entry in each]
            runs[which] = msgspec.convert({**terms, "files": ()}, _Run)
        except msgspec.ValidationError:
            findings.add(f"excerpt {which}: what is kept of it cannot be read")
        else:
            runs[which].files = tuple(listed)
    return runs


def _is_id(excerpt: str) -> bool:
    try:
        UUID(excerpt)
    except ValueError:
        return False
    return True
