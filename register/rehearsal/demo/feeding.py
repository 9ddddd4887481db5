"""The demo's feed: written to a file for each authority, as authorities would have it, and sent over HTTP."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import msgspec

from register.intake.folder import name_of
from register.rehearsal.demo.server import Client
from register.rehearsal.generate import Feed, Folder

_CHUNK: Final = 1 << 16


class Written(msgspec.Struct):
    """A feed written to files: how many lines each authority sends, what must be refused, and who plays a part."""

    lines: dict[str, int]
    #: authority -> line numbers (from 1) that must be refused -> the kind of problem.
    refused: dict[str, dict[int, str]]
    showcase: dict[str, str]
    expected: dict[str, int]

    @property
    def total(self) -> int:
        """All lines."""
        return sum(self.lines.values())


class Taken(msgspec.Struct):
    """What became of a feed. ``wrongly`` lists lines whose fate was not the one they were made for."""

    statuses: Counter[str] = msgspec.field(default_factory=Counter)
    kinds: Counter[str] = msgspec.field(default_factory=Counter)
    examples: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    wrongly: list[str] = msgspec.field(default_factory=list)
    last_position: int = 0


def write_feed(folder: Path, municipalities: Sequence[str], *, voters: int, seed: int, until: date) -> Written:
    """Write a messy synthetic feed about some municipalities, a file for each authority, in place of an earlier one."""
    feed = Feed(voters, seed=seed, municipalities=municipalities, messy=True, until=until)
    refused: defaultdict[str, dict[int, str]] = defaultdict(dict)
    if folder.exists():
        shutil.rmtree(folder)
    with Folder(folder, packed=False) as files:
        for line in feed:
            files.add(line)
            if line.expect not in ("recorded", "repeated"):
                refused[line.source][files.lines[line.source]] = line.expect
    return Written(dict(files.lines), dict(refused), dict(feed.summary.showcase), dict(feed.summary.expected))


def send_feed(client: Client, folder: Path, written: Written, progress: Callable[[int], None]) -> Taken:
    """Send every authority's file; check that exactly the lines made wrong are refused, each for its reason."""
    taken = Taken()
    for authority in written.lines:
        must = written.refused.get(authority, {})
        for answer in client.send(authority, _chunks(folder / name_of(authority), progress)):
            if "end" not in answer:
                _count(taken, authority, answer, must.get(answer["line"]))
    return taken


def _chunks(path: Path, progress: Callable[[int], None]) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
            progress(chunk.count(b"\n"))


def _count(taken: Taken, authority: str, answer: dict[str, Any], must: str | None) -> None:
    status = answer["status"]
    taken.statuses[status] += 1
    taken.last_position = max(taken.last_position, answer.get("position") or 0)
    kind = None
    if status == "refused":
        problem = answer["problem"]
        kind = problem["type"].removeprefix("urn:cvr:problem:")
        taken.kinds[kind] += 1
        taken.examples.setdefault(kind, problem)
    if kind != must:
        taken.wrongly.append(f"{authority}, line {answer['line']}: {kind or status} instead of {must or 'recorded'}")
