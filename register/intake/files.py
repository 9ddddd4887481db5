"""Files of notices, taken in as their sender: what is refused goes to a file beside, and an interrupted one goes on."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from register.intake import bookmark
from register.intake.answers import Answer
from register.intake.batch import Intake
from register.intake.lines import BrokenFeedError, Feed, Line
from register.intake.plain import VERIFIED
from register.law.competence import Caller
from register.law.provisions import Fault, Refusal

#: What stands for standard input.
STDIN: Final = Path("-")
_CHUNK: Final = 1 << 18

#: Hears after each batch how many bytes of the file were read, and how many notices this run has answered.
Told = Callable[[int, int], None]


class Taken(msgspec.Struct, frozen=True):
    """What became of a file: its notices by status, refused ones by kind of problem.

    ``before``: of all of them, those an interrupted run had answered. ``reasons``: where those of refused lines are.
    """

    file: Path
    counts: dict[str, int]
    kinds: dict[str, int]
    before: int
    reasons: Path | None

    @property
    def total(self) -> int:
        """Notices of the file."""
        return sum(self.counts.values())


def take(intake: Intake, file: Path, caller: Caller, told: Told, *, dry_run: bool = False, kept: bool = False) -> Taken:
    """Take in one file, ``-`` for standard input. Goes on where an interrupted run ended.

    With ``kept``, the bookmark stays, so that a file that was taken in whole is not read again. ``told`` hears how far
    it is. Raises :class:`BrokenFileError`, and ``OSError`` of the file.
    """
    run = _Run(intake, file, caller, dry_run=dry_run, kept=kept)
    with ExitStack() as stack:
        source = sys.stdin.buffer if file == STDIN else stack.enter_context(file.open("rb"))
        run.resume(source)
        out: IO[bytes] | None = None
        reading = _Reading(source, after=run.lines)
        for answered in intake.file(reading, caller, dry_run=dry_run):
            for line, answer in answered:
                run.count(answer)
                if answer.problem is not None:
                    if out is None:
                        out = stack.enter_context(run.open_reasons())
                    out.write(_reason(line, answer))
            run.mark(answered[-1][0].number, reading, out)
            told(reading.read, sum(run.counts.values()) - run.before)
    if not run.kinds:
        run.reasons.unlink(missing_ok=True)  # an earlier run's reasons, put right since
    if reading.broken is not None:
        raise BrokenFileError(run.refuse(reading.broken, reading.beginning), run.taken())
    run.finish()
    return run.taken()


class _Run:
    """One file's intake: what became of its lines, now and in runs before that were interrupted."""

    def __init__(self, intake: Intake, file: Path, caller: Caller, *, dry_run: bool, kept: bool) -> None:
        self.file = file
        self._intake, self._caller, self._dry_run, self._kept = intake, caller, dry_run, kept
        named = Path("stdin") if file == STDIN else file
        self.reasons = named.with_name(f"{named.name}.refused.ndjson")
        self._mark = None if file == STDIN or dry_run else bookmark.path_of(self.reasons)
        self.counts: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        #: Lines answered for good, and bytes of reasons that belong to them; notices among those lines.
        self.lines = self._reasons = self.before = 0
        self._last: str | None = None

    def resume(self, source: IO[bytes]) -> None:
        """Go on where an interrupted run of the same sender ended, if the file still begins as it did."""
        found = None if self._mark is None else bookmark.read(self._mark, source, self._authority)
        if found is not None and self._intake.holds(self._authority, found.last):
            self.counts, self.kinds = Counter(found.counts), Counter(found.kinds)
            self.lines, self._reasons, self._last = found.lines, found.reasons, found.last
            self.before = sum(found.counts.values())

    @property
    def _authority(self) -> str:
        return self._caller.authority or ""

    def count(self, answer: Answer) -> None:
        """Count an answer."""
        self.counts[answer.status] += 1
        if answer.problem is not None:
            self.kinds[answer.problem.type.rpartition(":")[2]] += 1
        else:
            self._last = answer.id

    def open_reasons(self) -> IO[bytes]:
        """The file of reasons, as long as it was when the run before was interrupted."""
        out = self.reasons.open("r+b" if self._reasons and self.reasons.exists() else "wb")
        out.truncate(self._reasons)
        out.seek(0, 2)
        return out

    def mark(self, lines: int, reading: _Reading, out: IO[bytes] | None) -> None:
        """Note that everything up to a line is durable."""
        if self._mark is None:
            return
        if out is not None:
            out.flush()
            self._reasons = out.tell()
        digest = reading.digest.hexdigest()
        counts, kinds = dict(self.counts), dict(self.kinds)
        new = bookmark.Bookmark(self._authority, lines, reading.read, digest, self._reasons, counts, kinds, self._last)
        bookmark.write(self._mark, new)

    def refuse(self, error: BrokenFeedError, beginning: bytes) -> str:
        """Keep in the journal that a file broke off, as a stream over HTTP is; what to say of it."""
        refusal = Refusal(error.kind, str(error), provision=VERIFIED, faults=(Fault("", str(error)),))
        problem = self._intake.refuse(refusal, beginning, self._caller, dry_run=self._dry_run)
        done = "nothing is" if self._dry_run else "what was answered before is"
        return f"{error}; {done} recorded ({problem.instance})"

    def finish(self) -> None:
        """The file was taken in whole: there is nothing to go on with."""
        if self._mark is not None and not self._kept:
            self._mark.unlink(missing_ok=True)

    def taken(self) -> Taken:
        """What became of the file."""
        return Taken(self.file, dict(self.counts), dict(self.kinds), self.before, self.reasons if self.kinds else None)


class BrokenFileError(Exception):
    """A packed file is damaged or ends too soon; the message says so, ``taken`` what came in before."""

    def __init__(self, message: str, taken: Taken) -> None:
        super().__init__(message)
        self.taken = taken


class _Reading:
    """The lines of a file after a number of them. What breaks it ends it, so that whole lines before are recorded."""

    def __init__(self, source: IO[bytes], *, after: int) -> None:
        self._source, self._after = source, after
        self.read = 0
        self.digest = hashlib.sha256()
        self.beginning = b""
        self.broken: BrokenFeedError | None = None

    def __iter__(self) -> Iterator[Line]:
        chunk = self._next()
        feed = Feed(_encoding(chunk))
        try:
            while chunk:
                for lines in feed.lines(chunk):
                    yield from (line for line in lines if line.number > self._after)
                chunk = self._next()
            yield from (line for line in feed.finish() if line.number > self._after)
        except BrokenFeedError as error:
            self.broken, self.beginning = error, feed.beginning

    def _next(self) -> bytes:
        chunk = self._source.read(_CHUNK)
        self.read += len(chunk)
        self.digest.update(chunk)
        return chunk


def _encoding(beginning: bytes) -> str:
    """By the first bytes, so that standard input may be packed too."""
    if beginning.startswith(b"\x1f\x8b"):
        return "gzip"
    return "zstd" if beginning.startswith(b"\x28\xb5\x2f\xfd") else "identity"


def _reason(line: Line, answer: Answer) -> bytes:
    """A refused line with its reasons; the notice itself as JSON where it is JSON, else as text."""
    notice: Any = line.content.decode("utf-8", "replace")
    try:
        msgspec.json.decode(line.content)
        notice = msgspec.Raw(line.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    told = {"line": answer.line, "id": answer.id, "problem": answer.problem, "notice": notice}
    return msgspec.json.encode(told) + b"\n"
