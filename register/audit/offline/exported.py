"""An auditor's export checked from its files alone: standard library only, one pass over each file, flat memory.

What is trusted is the log's key, got on another way than the files, and checkpoints that somebody kept. The rest must
fit: every record gives the public entry of its position; the entries give the root that was signed at every size; time
does not go back; the same records stand in their streams, numbered 1, 2, 3 …; every personal part is the one its record
vouches for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

from register.audit.offline.checks import check_records
from register.audit.offline.signed import check_quorum, check_signatures, retired, trusted_keys
from register.audit.offline.trust import Turn, turn_of
from register.audit.offline.verdict import DAMAGED, Check, NotAnExportError, Verdict, lines_of
from register.log.brackets import Span
from register.log.policy import Policy

__all__ = ["Check", "NotAnExportError", "Verdict", "check_export"]

_AT = slice(7, 34)
_AT_BEGINS = b'{"at":"'
_MODULUS = 2**256
_PIECE = 1 << 20

Progress = Callable[[str, int, int], None]


def check_export(
    folder: Path,
    key: str | None = None,
    seen: tuple[bytes, ...] = (),
    progress: Progress = lambda _what, _done, _all: None,
    policy: Policy | None = None,
) -> Verdict:
    """Check an export. ``key``: the log's verifier key line, of which one is sure; ``seen``: notes kept from elsewhere.

    Without ``key`` the logs of the ``policy`` count, else the export's own key, and the verdict says so. With a policy
    its witnesses must have cosigned the newest checkpoint, and no record may claim a time that their times rule out.
    Raises :class:`NotAnExportError`.
    """
    index = _index(folder)
    files, whole = _check_files(folder, index)
    trusted = trusted_keys(index, key, policy)
    signed, checkpoints, witnessed = check_signatures(folder, index, trusted, seen, policy)
    if key is None and (policy is None or not policy.logs):
        signed.notes.append("the key is the export's own: compare it with the one that was published elsewhere")
        signed.notes.append(index["key"])
    records = _Records(folder, index, [] if witnessed is None else witnessed.spans())
    compared = Check("every record is the one published, under every root that was signed")
    found = check_records(records.lines(progress), checkpoints, records.entries())
    for finding in found:
        compared.add(finding.what, finding.position)
    compared.count = records.count
    signed.findings += retired(folder, trusted, records.turns)
    streams, personal = _check_streams(folder, index, records.total, progress, whole=whole and compared.ok)
    checks = [files, signed, compared, records.order, streams, personal]
    if witnessed is not None:
        checks[2:2] = [check_quorum(witnessed, checkpoints[:1], index["size"])]
        checks[5:5] = [records.times]
    return Verdict(index["size"], index["origin"], checks)


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


class _Records:
    """The records by position: read once, on the way into the tree."""

    def __init__(self, folder: Path, index: dict[str, Any], spans: list[Span]) -> None:
        self._folder = folder
        self._index = index
        self._spans = iter(spans)
        self._span = Span(0, b"", b"")
        self.turns: list[Turn] = []
        self.times = Check("no record claims a time that the witnesses' times rule out")
        self.count = 0
        #: Sum of the hashes of (position, record), in whatever order they are added up.
        self.total = 0
        self.order = Check("every position is there, and time does not go back")

    def lines(self, progress: Progress) -> Iterator[bytes]:
        last = b""
        for described in self._index["records"]:
            begun = self.count
            try:
                for line in lines_of(self._folder, described):
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
        else:
            self._compare_times(line[_AT])
        turn = turn_of(self.count, line)
        if turn is not None:
            self.turns.append(turn)

    def _compare_times(self, at: bytes) -> None:
        """The record's time lies where the cosignatures before and after its position leave room."""
        while self.count > self._span.last:
            span = next(self._spans, None)
            if span is None:
                return
            self._span = span
        self.times.count += 1
        if at < self._span.not_before:
            self.times.add("claims to be recorded long before witnesses cosigned a log without it", self.count)
        elif at > self._span.not_after:
            self.times.add("claims to be recorded after witnesses had cosigned it", self.count)

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
                for line in lines_of(folder, part["streams"]):
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
                lines = lines_of(folder, described)
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
