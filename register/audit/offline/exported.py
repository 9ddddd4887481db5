"""An auditor's export checked from its files alone: standard library only, one pass over each file, flat memory.

What is trusted is the log's key, got on another way than the files, and checkpoints that somebody kept. The rest must
fit: every record gives the public entry of its position; the entries give the root that was signed at every size; time
does not go back; the same records stand in their streams, numbered 1, 2, 3 …; every personal part is the one its record
vouches for.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from register.audit.offline.checks import Finding, check_checkpoint, check_records
from register.log.note import Checkpoint, NoteError, parse_checkpoint, parse_note

#: What a damaged gzip file raises while it is read.
DAMAGED = (OSError, EOFError, zlib.error)
_AT = slice(7, 34)
_AT_BEGINS = b'{"at":"'
_MODULUS = 2**256
_PIECE = 1 << 20
#: Findings kept of each check; of more only the number.
_KEPT = 20

Progress = Callable[[str, int, int], None]


@dataclass
class Check:
    """One check: what was to be so, of how many, what was found, and how much more."""

    what: str
    count: int = 0
    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, what: str, position: int | None = None) -> None:
        """Note a finding."""
        if len(self.findings) < _KEPT:
            self.findings.append(Finding(what, position))
        else:
            self.more += 1

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


@dataclass
class Verdict:
    """All checks of an export; ``size`` is that of its newest checkpoint."""

    size: int
    origin: str
    checks: list[Check]

    @property
    def ok(self) -> bool:
        """Whether no check found anything."""
        return all(check.ok for check in self.checks)

    @property
    def first_position(self) -> int | None:
        """The first bad position, if one can be named."""
        return min((f.position for c in self.checks for f in c.findings if f.position is not None), default=None)

    def lines(self) -> list[str]:
        """The verdict for people."""
        said = []
        for check in self.checks:
            said.append(f"{'ok   ' if check.ok else 'WRONG'}  {check.what} ({check.count:,})")
            said += [f"         {note}" for note in check.notes]
            for found in check.findings:
                place = "" if found.position is None else f"position {found.position}: "
                said.append(f"         {place}{found.what}")
            if check.more:
                said.append(f"         and {check.more:,} more")
        if self.ok:
            said.append(f"OK: all {self.size:,} events of {self.origin} are those that were signed.")
        elif self.first_position is not None:
            said.append(f"NOT OK: the first bad position is {self.first_position}.")
        else:
            said.append("NOT OK.")
        return said


class NotAnExportError(Exception):
    """The folder holds no export that this program can read."""


def check_export(
    folder: Path,
    key: str | None = None,
    seen: tuple[bytes, ...] = (),
    progress: Progress = lambda _what, _done, _all: None,
) -> Verdict:
    """Check an export. ``key``: the log's verifier key line, of which one is sure; ``seen``: notes kept from elsewhere.

    Without ``key`` the export's own is taken, and the verdict says so. Raises :class:`NotAnExportError`.
    """
    index = _index(folder)
    trusted = index["key"] if key is None else key
    files, whole = _check_files(folder, index)
    signed, checkpoints = _check_signatures(folder, index, trusted, seen)
    if key is None:
        signed.notes.append("the key is the export's own: compare it with the one that was published elsewhere")
        signed.notes.append(trusted)
    records = _Records(folder, index)
    compared = Check("every record is the one published, under every root that was signed")
    found = check_records(records.lines(progress), checkpoints, records.entries())
    for finding in found:
        compared.add(finding.what, finding.position)
    compared.count = records.count
    streams, personal = _check_streams(folder, index, records.total, progress, whole=whole and compared.ok)
    return Verdict(index["size"], index["origin"], [files, signed, compared, records.order, streams, personal])


def _index(folder: Path) -> dict[str, Any]:
    try:
        index: dict[str, Any] = json.loads((folder / "export.json").read_bytes())
        if index["format"] != 1:
            raise NotAnExportError("this export has a form of its own time: take the check that came with it")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotAnExportError(f"no export: {type(error).__name__} in export.json") from None
    return index


def _check_files(folder: Path, index: dict[str, Any]) -> tuple[Check, bool]:
    """Each file is there and has its digest: a damaged disk, told from a changed history."""
    check = Check("every file is there, and whole")
    for described in _files(index):
        check.count += 1
        digest = sha256()
        try:
            with (folder / described["file"]).open("rb") as file:
                while piece := file.read(_PIECE):
                    digest.update(piece)
        except OSError:
            check.add(f"{described['file']}: not there, or cannot be read")
            continue
        if digest.hexdigest() != described["sha256"]:
            check.add(f"{described['file']}: not the file that was exported")
    return check, check.ok


def _files(index: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from index["records"]
    yield index["entries"]
    yield index["checkpoints"]
    for part in index["parts"]:
        yield part["streams"]
        yield from part["personal"].values()
        yield part["register"]


def _check_signatures(
    folder: Path, index: dict[str, Any], key: str, seen: tuple[bytes, ...]
) -> tuple[Check, list[Checkpoint]]:
    """The newest checkpoint and those kept elsewhere bear the log's signature; the others are read."""
    check = Check("the newest checkpoint, and those kept elsewhere, are signed by the log")
    checkpoints = []
    try:
        newest = (folder / "checkpoint").read_bytes()
    except OSError:
        newest = b""
    for note in (newest, *seen):
        check.count += 1
        try:
            checkpoints.append(check_checkpoint(note, key))
        except NoteError as error:
            check.add(f"a checkpoint that the log did not sign: {error}")
    if checkpoints and checkpoints[0].size != index["size"]:
        check.add("the newest checkpoint is of another size than the export says")
    try:
        notes = (json.loads(line)["note"].encode() for line in _lines(folder, index["checkpoints"]))
        checkpoints.extend(parse_checkpoint(parse_note(note).text) for note in notes)
    except (*DAMAGED, ValueError, KeyError, TypeError, NoteError):
        check.add("the list of checkpoints cannot be read")
    return check, checkpoints


class _Records:
    """The records by position: read once, on the way into the tree."""

    def __init__(self, folder: Path, index: dict[str, Any]) -> None:
        self._folder = folder
        self._index = index
        self.count = 0
        #: Sum of the hashes of (position, record), in whatever order they are added up.
        self.total = 0
        self.order = Check("every position is there, and time does not go back")

    def lines(self, progress: Progress) -> Iterator[bytes]:
        last = b""
        for described in self._index["records"]:
            begun = self.count
            try:
                for line in _lines(self._folder, described):
                    self.count += 1
                    self._take(line, last)
                    last = max(last, line[_AT])
                    if self.count % 50_000 == 0:
                        progress("records", self.count, self._index["size"])
                    yield line
            except DAMAGED:
                self.order.add(f"{described['file']} cannot be read to its end", self.count + 1)
                for _ in range(described["lines"] - (self.count - begun)):
                    self.count += 1
                    yield b""
        self.order.count = self.count

    def _take(self, line: bytes, last: bytes) -> None:
        self.total += _place_of(self.count, line)
        if not line:
            self.order.add("the record is missing", self.count)
        elif not line.startswith(_AT_BEGINS):
            self.order.add("what stands here is no record", self.count)
        elif line[_AT] < last:
            self.order.add("recorded earlier than the event before it", self.count)

    def entries(self) -> Iterator[bytes]:
        """The public entries; none where the file ends."""
        try:
            with (self._folder / "entries.bin").open("rb") as file:
                while piece := file.read(32 * 4096):
                    for start in range(0, len(piece), 32):
                        yield piece[start : start + 32]
        except OSError:
            return


def _check_streams(
    folder: Path, index: dict[str, Any], total: int, progress: Progress, *, whole: bool
) -> tuple[Check, Check]:
    """The same records by stream, each stream numbered 1, 2, 3 …, and their personal parts."""
    streams = Check("the same records stand in their streams, numbered 1, 2, 3 …")
    personal = Check("every personal part is the one its record vouches for")
    found = 0
    absent: set[str] = set()
    for part in index["parts"]:
        with ExitStack() as stack:
            held = _Personal(folder, part, personal, stack, absent)
            stream, version = "", 0
            try:
                for line in _lines(folder, part["streams"]):
                    streams.count += 1
                    position, record = _placed(line, b',"record":')
                    found += _place_of(position, record)
                    state = _read(record)
                    if state is None:
                        continue
                    version = version + 1 if state["id"] == stream else 1
                    stream = state["id"]
                    if state["v"] != version:
                        streams.add(f"stands as number {state['v']} of its stream, not {version}", position)
                        version = state["v"]
                    held.compare(position, state["state"])
                held.finish()
            except (*DAMAGED, ValueError, KeyError, TypeError):
                streams.add(f"{part['streams']['file']} cannot be read to its end")
        progress("streams", streams.count, index["size"])
    if whole and found % _MODULUS != total % _MODULUS:
        streams.add("the records by stream are not those by position")
    if absent:
        personal.notes.append(f"not in this export, and not checked: what was sent by {', '.join(sorted(absent))}")
    return streams, personal


class _Personal:
    """The personal parts of a range of streams, by kind of sender, each read along with the records."""

    def __init__(self, folder: Path, part: dict[str, Any], check: Check, stack: ExitStack, absent: set[str]) -> None:
        self._check = check
        self._absent = absent
        self._sources = {}
        for kind, described in part["personal"].items():
            if (folder / described["file"]).exists():
                lines = _lines(folder, described)
                stack.callback(lines.close)
                self._sources[kind] = lines
            else:
                absent.add(kind)

    def compare(self, position: int, state: dict[str, Any]) -> None:
        """Compare the next personal part of the record's sender, if it has one."""
        vouched = state.get("personal")
        if vouched is None:
            return
        kind = kind_of(state["source"])
        if kind in self._absent:
            return
        self._check.count += 1
        line = next(self._sources[kind], None) if kind in self._sources else None
        if line is None:
            self._check.add("the personal part is missing", position)
            return
        at, part = _placed(line, b',"personal":')
        if at != position:
            self._check.add("the personal part is missing, or another stands in its place", position)
        elif vouched != f"sha256:{sha256(part).hexdigest()}":
            self._check.add("the personal part is not the one the record vouches for", position)

    def finish(self) -> None:
        """What is left over belongs to no record."""
        for lines in self._sources.values():
            line = next(lines, None)
            if line is not None:
                self._check.add("a personal part that belongs to no record", _placed(line, b',"personal":')[0])


def kind_of(source: str) -> str:
    """The kind of sender under which a personal part is filed; ``register`` for the register's own notes."""
    prefix = "urn:cvr:authority:"
    return source.removeprefix(prefix).partition(":")[0] if source.startswith(prefix) else "register"


def _lines(folder: Path, described: dict[str, Any]) -> Generator[bytes, None, None]:
    """The lines of a file, without their ends. Raises what is in :data:`DAMAGED`."""
    with gzip.open(folder / described["file"], "rb") as lines:
        for line in lines:
            yield line.removesuffix(b"\n")


def _placed(line: bytes, between: bytes) -> tuple[int, bytes]:
    """``{"position":N,"…":X}`` as N and the bytes of X. Raises ValueError."""
    at = line.index(between)
    return int(line[len(b'{"position":') : at]), line[at + len(between) : -1]


def _place_of(position: int, record: bytes) -> int:
    return int.from_bytes(sha256(position.to_bytes(8, "big") + sha256(record).digest()).digest(), "big")


def _read(record: bytes) -> dict[str, Any] | None:
    """A record as JSON; None for what is none, which the comparison by position names."""
    try:
        read = json.loads(record)
    except ValueError:
        return None
    return read if isinstance(read, dict) and {"id", "v", "state"} <= read.keys() else None
