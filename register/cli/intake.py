"""``cvr intake``: files of notices, taken in as their sender."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Annotated, Any, Final, Self

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from register.app.http import build
from register.app.parts import calm_collector
from register.cli.clock import current_clock
from register.intake.answers import Answer
from register.intake.batch import Intake
from register.intake.lines import BrokenFeedError, Feed, Line
from register.law.competence import Caller, caller_for
from register.settings import read_settings

_CHUNK: Final = 1 << 18
_STDIN: Final = Path("-")
#: Seconds between two plain lines of progress.
_PACE: Final = 5.0


def intake(
    files: Annotated[list[Path], typer.Argument(help="NDJSON, optionally gzip or zstd; - is standard input")],
    authority: Annotated[str, typer.Option("--as", help="The authority whose notices these are")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge, and record nothing")] = False,
) -> None:
    """Take in files of notices. Refused lines go to FILE.refused.ndjson with their reasons; exit 2 if there are any."""
    caller = caller_for(authority, f"cvr intake as {authority}")
    settings = read_settings()
    refused = False
    with build(settings, clock=current_clock(settings)) as system:
        calm_collector()
        for file in files:
            try:
                refused |= _take(system.intake, file, caller, dry_run=dry_run)
            except BrokenFeedError as error:
                sys.exit(f"cvr: {file}: {error}; what was answered before is recorded")
            except OSError as error:
                sys.exit(f"cvr: {file}: {error.strerror}")
    if refused:
        raise typer.Exit(2)


def _take(intake: Intake, file: Path, caller: Caller, *, dry_run: bool) -> bool:
    """Take in one file, and report; whether something was refused."""
    counts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    reasons = (Path("stdin") if file == _STDIN else file).with_name(
        f"{'stdin' if file == _STDIN else file.name}.refused.ndjson"
    )
    begun = time.monotonic()
    with ExitStack() as stack:
        source = sys.stdin.buffer if file == _STDIN else stack.enter_context(file.open("rb"))
        shown = stack.enter_context(_Shown(file))
        out: IO[bytes] | None = None
        for answered in intake.file(_lines(source), caller, dry_run=dry_run):
            for line, answer in answered:
                counts[answer.status] += 1
                if answer.problem is not None:
                    kinds[answer.problem.type.rpartition(":")[2]] += 1
                    if out is None:
                        out = stack.enter_context(reasons.open("wb"))
                    out.write(_reason(line, answer))
            shown.advance(None if file == _STDIN else source.tell(), sum(counts.values()))
    if not kinds:
        reasons.unlink(missing_ok=True)  # an earlier run's reasons, put right since
    _report(file, counts, kinds, reasons, time.monotonic() - begun)
    return bool(kinds)


def _lines(source: IO[bytes]) -> Iterator[Line]:
    chunk = source.read(_CHUNK)
    feed = Feed(_encoding(chunk))
    while chunk:
        for lines in feed.lines(chunk):
            yield from lines
        chunk = source.read(_CHUNK)
    yield from feed.finish()


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


def _report(file: Path, counts: Counter[str], kinds: Counter[str], reasons: Path, seconds: float) -> None:
    total = sum(counts.values())
    print(
        f"{file}: {total} notices in {seconds:.1f} s: "
        f"{counts['recorded']} recorded, {counts['repeated']} repeated, {counts['refused']} refused"
    )
    for kind, count in kinds.most_common():
        print(f"  {count} {kind}")
    if kinds:
        print(f"  reasons: {reasons}")


class _Shown:
    """Progress: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._console = Console(stderr=True)
        self._said = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal and self._file != _STDIN:
            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console)
            self._bar.add_task(self._file.name, total=self._file.stat().st_size)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, read: int | None, notices: int) -> None:
        """Say how far it is: bytes of the file read, notices answered."""
        if self._bar is not None and read is not None:
            self._bar.update(self._bar.task_ids[0], completed=read)
        elif time.monotonic() - self._said > _PACE:
            self._said = time.monotonic()
            self._console.print(f"{self._file}: {notices} notices", highlight=False)
