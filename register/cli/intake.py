"""``cvr intake``: files of notices, taken in as their sender."""

from __future__ import annotations

import hashlib
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Annotated, Any, Final

import msgspec
import typer

from register.app.http import build
from register.app.parts import calm_collector
from register.cli.clock import current_clock
from register.cli.progress import Shown
from register.intake import bookmark
from register.intake.answers import Answer
from register.intake.batch import Intake
from register.intake.lines import BrokenFeedError, Feed, Line
from register.intake.plain import VERIFIED
from register.law.competence import Caller, caller_for
from register.law.provisions import Fault, Refusal
from register.settings import read_settings

_CHUNK: Final = 1 << 18
_STDIN: Final = Path("-")


def intake(
    files: Annotated[list[Path], typer.Argument(help="NDJSON, optionally gzip or zstd; - is standard input")],
    authority: Annotated[str, typer.Option("--as", help="The authority whose notices these are")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge, and record nothing")] = False,
) -> None:
    """Take in files of notices. Refused lines go to FILE.refused.ndjson with their reasons; exit 2 if there are any.

    An interrupted run goes on where it ended when the same command is given again.
    """
    caller = caller_for(authority, f"cvr intake as {authority}")
    settings = read_settings()
    refused = False
    with build(settings, clock=current_clock(settings)) as system:
        calm_collector()
        for file in files:
            try:
                refused |= _take(system.intake, file, caller, dry_run=dry_run)
            except BrokenFileError as error:
                sys.exit(f"cvr: {file}: {error}")
            except OSError as error:
                sys.exit(f"cvr: {file}: {error.strerror}")
    if refused:
        raise typer.Exit(2)


def _take(intake: Intake, file: Path, caller: Caller, *, dry_run: bool) -> bool:
    """Take in one file, and report; whether something was refused. Goes on where an interrupted run ended."""
    begun = time.monotonic()
    run = _Run(intake, file, caller, dry_run)
    with ExitStack() as stack:
        source = sys.stdin.buffer if file == _STDIN else stack.enter_context(file.open("rb"))
        run.resume(source)
        shown = stack.enter_context(Shown(file, None if file == _STDIN else file.stat().st_size))
        out: IO[bytes] | None = None
        reading = _Reading(source, after=run.lines)
        for answered in intake.file(reading, caller, dry_run=dry_run):
            for line, answer in answered:
                run.counts[answer.status] += 1
                if answer.problem is not None:
                    run.kinds[answer.problem.type.rpartition(":")[2]] += 1
                    if out is None:
                        out = stack.enter_context(run.open_reasons())
                    out.write(_reason(line, answer))
            run.mark(answered[-1][0].number, reading, out)
            shown.advance(reading.read, sum(run.counts.values()) - run.before)
    if not run.kinds:
        run.reasons.unlink(missing_ok=True)  # an earlier run's reasons, put right since
    _report(run, time.monotonic() - begun)
    if reading.broken is not None:
        raise BrokenFileError(run.refuse(reading.broken, reading.beginning))
    run.finish()
    return bool(run.kinds)


class _Run:
    """One file's intake: what became of its lines, now and in runs before that were interrupted."""

    def __init__(self, intake: Intake, file: Path, caller: Caller, dry_run: bool) -> None:
        self.file = file
        self._intake, self._caller, self._dry_run = intake, caller, dry_run
        named = Path("stdin") if file == _STDIN else file
        self.reasons = named.with_name(f"{named.name}.refused.ndjson")
        self._mark = None if file == _STDIN or dry_run else bookmark.path_of(self.reasons)
        self.counts: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        #: Lines answered for good, and bytes of reasons that belong to them; notices among those lines.
        self.lines = self._kept = self.before = 0

    def resume(self, source: IO[bytes]) -> None:
        """Go on where an interrupted run of the same sender ended, if the file still begins as it did."""
        found = None if self._mark is None else bookmark.read(self._mark, source, self._authority)
        if found is not None:
            self.counts, self.kinds = Counter(found.counts), Counter(found.kinds)
            self.lines, self._kept = found.lines, found.reasons
            self.before = sum(found.counts.values())

    @property
    def _authority(self) -> str:
        return self._caller.authority or ""

    def open_reasons(self) -> IO[bytes]:
        """The file of reasons, as long as it was when the run before was interrupted."""
        out = self.reasons.open("r+b" if self._kept and self.reasons.exists() else "wb")
        out.truncate(self._kept)
        out.seek(0, 2)
        return out

    def mark(self, lines: int, reading: _Reading, out: IO[bytes] | None) -> None:
        """Note that everything up to a line is durable."""
        if self._mark is None:
            return
        if out is not None:
            out.flush()
            self._kept = out.tell()
        digest = reading.digest.hexdigest()
        counts, kinds = dict(self.counts), dict(self.kinds)
        bookmark.write(
            self._mark, bookmark.Bookmark(self._authority, lines, reading.read, digest, self._kept, counts, kinds)
        )

    def refuse(self, error: BrokenFeedError, beginning: bytes) -> str:
        """Keep in the journal that a file broke off, as a stream over HTTP is; what to say of it."""
        refusal = Refusal(error.kind, str(error), provision=VERIFIED, faults=(Fault("", str(error)),))
        problem = self._intake.refuse(refusal, beginning, self._caller, dry_run=self._dry_run)
        done = "nothing is" if self._dry_run else "what was answered before is"
        return f"{error}; {done} recorded ({problem.instance})"

    def finish(self) -> None:
        """The file was taken in whole: there is nothing to go on with."""
        if self._mark is not None:
            self._mark.unlink(missing_ok=True)


class BrokenFileError(Exception):
    """A packed file is damaged or ends too soon; the message says so, and what became of it."""


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


def _report(run: _Run, seconds: float) -> None:
    total = sum(run.counts.values())
    earlier = f" ({run.before} of them by the run before)" if run.before else ""
    rate = (total - run.before) / max(seconds, 1e-6)
    print(
        f"{run.file}: {total} notices{earlier} in {seconds:.1f} s, {rate:,.0f}/s: "
        f"{run.counts['recorded']} recorded, {run.counts['repeated']} repeated, {run.counts['refused']} refused"
    )
    for kind, count in run.kinds.most_common():
        print(f"  {count} {kind}")
    if run.kinds:
        print(f"  reasons: {run.reasons}")
