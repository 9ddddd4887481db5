"""An auditor's export checked from its files alone: standard library only, one pass over each file, flat memory.

What is trusted is the log's key, got on another way than the files, and checkpoints that somebody kept. The rest must
fit: every record gives the public entry of its position; the entries give the root that was signed at every size; time
does not go back; the same records stand in their streams, each stream once and numbered 1, 2, 3 …, in their one form;
every personal part is the one its record vouches for.

That two files hold the same records is seen by sums of hashes, one for each layout. The hashes have a key that is drawn
anew for each check, after the files were made: without it, other records with the same sum could be found.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from register.audit.offline.checks import check_records
from register.audit.offline.form import (
    NotAnExportError,
    files_of,
    lines_of,
    placed,
    read_index,
    read_record,
)
from register.audit.offline.signed import check_quorum, check_signatures, retired, trusted_keys
from register.audit.offline.trust import Turn, turn_of
from register.audit.offline.verdict import DAMAGED, Check, Verdict
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
    *,
    without: Collection[str] = (),
    draw: Callable[[int], bytes] = os.urandom,
) -> Verdict:
    """Check an export. ``key``: the log's verifier key line, of which one is sure; ``seen``: notes kept from elsewhere.

    Without ``key`` the logs of the ``policy`` count, else the export's own key, and the verdict says so. With a policy
    its witnesses must have cosigned the newest checkpoint, and no record may claim a time that their times rule out.
    ``without``: folders that were not handed out (``court`` of ``personal/``, ``personal``, ``register``): they are not
    looked for, and the verdict says so. ``draw`` gives random bytes. Raises :class:`NotAnExportError`.
    """
    index = read_index(folder)
    files = _check_files(folder, index, without)
    trusted = trusted_keys(index, key, policy)
    signed, checkpoints, witnessed = check_signatures(folder, index, trusted, seen, policy)
    if key is None and (policy is None or not policy.logs):
        signed.notes.append("the key is the export's own: compare it with the one that was published elsewhere")
        signed.notes.append(index["key"])
    secret = draw(32)
    # what was signed, or else what there are public entries for, says where reading ends
    size = checkpoints[0].size if signed.ok and checkpoints else index["entries"]["bytes"] // 32
    records = _Records(folder, index, [] if witnessed is None else witnessed.spans(), min(size, index["size"]), secret)
    compared = Check("every record is the one published, under every root that was signed")
    found = check_records(records.lines(progress), checkpoints, records.entries())
    for finding in found:
        compared.add(finding.what, finding.position)
    compared.count = records.count
    signed.findings += retired(folder, trusted, records.turns)
    by_stream = _Streams(folder, index, without, secret)
    streams, personal = by_stream.check(records.total if compared.ok else None, progress)
    checks = [files, signed, compared, records.order, streams, personal]
    if witnessed is not None:
        checks[2:2] = [check_quorum(witnessed, checkpoints[:1], index["size"])]
        checks[5:5] = [records.times]
    return Verdict(index["size"], index["origin"], checks, tuple(sorted(without)))


def _left_out(described: dict[str, Any], without: Collection[str]) -> bool:
    return not set(without).isdisjoint(described["file"].split("/")[:-1])


def _check_files(folder: Path, index: dict[str, Any], without: Collection[str]) -> Check:
    """Each file is there and has its digest: a damaged disk, told from a changed history."""
    check = Check("every file is there, and whole")
    for described in files_of(index):
        if _left_out(described, without):
            continue
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
    return check


class _Records:
    """The records by position: read once, on the way into the tree."""

    def __init__(self, folder: Path, index: dict[str, Any], spans: list[Span], size: int, secret: bytes) -> None:
        self._folder = folder
        self._index = index
        self._size = size
        self._secret = secret
        self._spans = iter(spans)
        self._span = Span(0, b"", b"")
        self.turns: list[Turn] = []
        self.times = Check("no record claims a time that the witnesses' times rule out")
        bounds = [0, *(span.last for span in spans if span.last < 1 << 62)]
        if len(bounds) > 1:
            apart = max(later - earlier for earlier, later in pairwise(bounds))
            self.times.notes.append(f"cosigned checkpoints: {len(bounds) - 1:,}, at most {apart:,} events apart")
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
                    if self.count > self._size:  # one too many is enough to know
                        self.order.count = self.count
                        return
            except DAMAGED:
                self.order.add(f"{described['file']} cannot be read to its end", self.count + 1)
                for _ in range(min(described["lines"] - (self.count - begun), self._size - self.count)):
                    self.count += 1
                    yield b""
        self.order.count = self.count

    def _take(self, line: bytes, last: bytes) -> None:
        self.total += _place_of(self._secret, self.count, line)
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


class _Streams:
    """The same records by stream, each stream once and numbered 1, 2, 3 …, and their personal parts."""

    def __init__(self, folder: Path, index: dict[str, Any], without: Collection[str], secret: bytes) -> None:
        self._folder = folder
        self._index = index
        self._without = without
        self._secret = secret
        self._streams = Check("the same records stand in their streams, numbered 1, 2, 3 …")
        self._personal = Check("every personal part is the one its record vouches for")
        self._absent: set[str] = set()
        self._found = 0
        self._linked: set[str] = set()
        self._last = ("", 0, 0)

    def check(self, total: int | None, progress: Progress) -> tuple[Check, Check]:
        """Read all parts. ``total``: of the records by position; None when those are wrong already."""
        *ranges, linked = self._index["parts"]
        for part in (linked, *ranges):  # the few streams of the last part stand in no other
            self._part(part, apart=part is linked)
            if part is linked:
                self._last = ("", 0, 0)
            progress("streams", self._streams.count, self._index["size"])
        if total is not None and self._found % _MODULUS != total % _MODULUS:
            self._streams.add("the records by stream are not those by position")
        if self._absent:
            kinds = ", ".join(sorted(self._absent))
            self._personal.notes.append(f"not in this export, and not checked: what was sent by {kinds}")
        return self._streams, self._personal

    def _part(self, part: dict[str, Any], *, apart: bool) -> None:
        with ExitStack() as stack:
            held = _Personal(self._folder, part, self._personal, stack, self._absent, self._without)
            try:
                for line in lines_of(self._folder, part["streams"]):
                    self._streams.count += 1
                    if self._streams.count > self._index["size"]:
                        self._streams.add("there are more records by stream than by position")
                        return
                    position, record = placed(line, b',"record":')
                    self._found += _place_of(self._secret, position, record)
                    try:
                        read = read_record(record)
                    except ValueError:
                        self._streams.add("not a record in its one form", position)
                        continue
                    self._place(read, position, apart=apart)
                    held.compare(position, read["state"])
                held.finish()
            except (*DAMAGED, ValueError):
                self._streams.add(f"{part['streams']['file']}, or what is personal in it, cannot be read to its end")

    def _place(self, read: dict[str, Any], position: int, *, apart: bool) -> None:
        """Compare a record's place with that of the record before it."""
        stream, version, before = self._last
        if read["id"] == stream:
            if read["v"] != version + 1:
                self._streams.add(f"stands as number {read['v']} of its stream, not {version + 1}", position)
            elif position <= before:
                self._streams.add("stands in its stream behind a later event", position)
        else:
            if read["v"] != 1:
                self._streams.add(f"stands as number {read['v']} of its stream, not 1", position)
            if read["id"] < stream or (not apart and read["id"] in self._linked):
                self._streams.add("its stream stands in two places, or out of order", position)
            if apart:
                self._linked.add(read["id"])
        self._last = (read["id"], read["v"], position)


class _Personal:
    """The personal parts of a range of streams, by kind of sender, each read along with the records."""

    def __init__(
        self,
        folder: Path,
        part: dict[str, Any],
        check: Check,
        stack: ExitStack,
        absent: set[str],
        without: Collection[str],
    ) -> None:
        self._check = check
        self._absent = absent
        self._sources = {}
        for kind, described in part["personal"].items():
            if (folder / described["file"]).exists() and not _left_out(described, without):
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
        at, part = placed(line, b',"personal":')
        if at != position:
            self._check.add("the personal part is missing, or another stands in its place", position)
        elif vouched != f"sha256:{sha256(part).hexdigest()}":
            self._check.add("the personal part is not the one the record vouches for", position)

    def finish(self) -> None:
        """What is left over belongs to no record."""
        for lines in self._sources.values():
            line = next(lines, None)
            if line is not None:
                self._check.add("a personal part that belongs to no record", placed(line, b',"personal":')[0])


def kind_of(source: str) -> str:
    """The kind of sender under which a personal part is filed; ``register`` for the register's own notes."""
    prefix = "urn:cvr:authority:"
    return source.removeprefix(prefix).partition(":")[0] if source.startswith(prefix) else "register"


def _place_of(secret: bytes, position: int, record: bytes) -> int:
    return int.from_bytes(sha256(secret + position.to_bytes(8, "big") + sha256(record).digest()).digest(), "big")
