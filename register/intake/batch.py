"""The way of notices into the event store, the same for a file, a request and a stream: read, judge, record, answer.

Lines come in batches. Reading and judging a batch needs no database; recording it is one append. What is refused is
in the journal, and what is recorded in the event store, before an answer is given; answers keep the order of lines.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from functools import cache
from typing import Final
from uuid import UUID

import msgspec

from register.intake.answers import Answer, End, Problem, problem_of
from register.intake.crew import Crew, default_helpers
from register.intake.failures import Failure
from register.intake.journal import Journal, Refused
from register.intake.judge import with_provision
from register.intake.lines import Line
from register.intake.parse import MAX_BYTES
from register.intake.trial import Trial
from register.intake.verdicts import SALT, Judged
from register.law.calendar import civil_day
from register.law.competence import Caller
from register.law.events import SOURCE_PREFIX
from register.law.provisions import Refusal
from register.law.timeliness import days_late
from register.store import Prepared, Receipt, Store

#: Notices in a batch, and bytes of them: enough that a commit hardly counts, little enough to be answered soon.
BATCH: Final = 4_000
BATCH_BYTES: Final = 8 << 20


class Tally:
    """Counts answers by status, for the end of an answer."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, answers: Iterable[Answer]) -> None:
        """Count answers."""
        self._counts.update(answer.status for answer in answers)

    def end(self) -> End:
        """Return the last answer."""
        return End(self._counts["recorded"], self._counts["repeated"], self._counts["refused"])


class Intake:
    """Takes notices in. ``municipalities`` are the codes of the reference data; ``entropy(n)`` gives n random bytes.

    ``helpers``: at most so many processes judge beside this one (default: :func:`default_helpers`).
    """

    def __init__(
        self,
        *,
        store: Store,
        journal: Journal,
        municipalities: Collection[str],
        clock: Callable[[], datetime],
        entropy: Callable[[int], bytes],
        helpers: int | None = None,
    ) -> None:
        self._store = store
        self._journal = journal
        self._crew = Crew(municipalities, default_helpers() if helpers is None else helpers)
        self._clock = clock
        self._entropy = entropy

    def judge(self, lines: Sequence[Line], caller: Caller) -> list[Judged]:
        """Read and judge lines, without the database. A bug that shows in one of them is that line's alone."""
        salts = self._entropy(SALT * len(lines))
        return self._crew.judge(lines, caller, received=civil_day(self._clock()), salts=salts)

    def record(self, judged: Sequence[Judged], caller: Caller) -> list[Answer]:
        """Record what may be recorded, in one append; keep the rest in the journal; then answer.

        Database errors pass through: then nothing of the batch was answered, and all of it may be sent again.
        """
        pending = [item.verdict for item in judged if isinstance(item.verdict, Prepared)]
        return self.settle(judged, self._store.append(pending, now=self._clock()), caller)

    def settle(self, judged: Sequence[Judged], receipts: Sequence[Receipt], caller: Caller) -> list[Answer]:
        """Answer lines whose recording gave ``receipts``, one for each that was not refused before, in order.

        What is refused is kept in the journal first.
        """
        answers, refused = self._answers(judged, receipts, caller)
        self._journal.file(refused)
        return answers

    def refuse(self, refusal: Refusal, beginning: bytes, caller: Caller, *, dry_run: bool = False) -> Problem:
        """Refuse a whole request or feed, for what can be said of no one notice; return the problem.

        One entry of the journal keeps its first 64 KiB as they came (unless in a dry run).
        """
        refused = self._refused(Line(1, beginning), None, with_provision(refusal), caller)
        if not dry_run:
            self._journal.file([refused])
        return problem_of(refused.refusal, refused.instance)

    def rehearse(self, judged: Sequence[Judged], trial: Trial, caller: Caller) -> list[Answer]:
        """Answer as :meth:`record` would, with nothing recorded and nothing kept (a dry run)."""
        pending = [item.verdict for item in judged if isinstance(item.verdict, Prepared)]
        answers = self._answers(judged, trial.receipts(pending), caller)[0]
        return [msgspec.structs.replace(answer, dry_run=True) for answer in answers]

    def holds(self, authority: str, notice_id: str | None) -> bool:
        """Whether a notice of an authority is in the event store; None is no notice, which none can lack."""
        return notice_id is None or bool(self._store.known([(SOURCE_PREFIX + authority, notice_id)]))

    def trial(self) -> Trial:
        """Begin a dry run."""
        return Trial(self._store)

    def file(
        self, lines: Iterable[Line], caller: Caller, *, dry_run: bool = False
    ) -> Iterator[list[tuple[Line, Answer]]]:
        """Take in lines of any number, in flat memory; each batch with its answers as soon as it is durable.

        The next batch is judged while one is recorded. What reading
        the lines raises ends it at once: a reader that may break off ends instead, and what came before is recorded.
        """
        trial = self.trial() if dry_run else None
        with ThreadPoolExecutor(1, "judge") as pool:
            judging: deque[Future[list[Judged]]] = deque()
            for batch in batches(lines):
                judging.append(pool.submit(self.judge, batch, caller))
                if len(judging) > 1:
                    yield self._answered(judging.popleft().result(), trial, caller)
            while judging:
                yield self._answered(judging.popleft().result(), trial, caller)

    def _answered(self, judged: list[Judged], trial: Trial | None, caller: Caller) -> list[tuple[Line, Answer]]:
        answers = self.record(judged, caller) if trial is None else self.rehearse(judged, trial, caller)
        return [(item.line, answer) for item, answer in zip(judged, answers, strict=True)]

    def _answers(
        self, judged: Sequence[Judged], receipts: Sequence[Receipt], caller: Caller
    ) -> tuple[list[Answer], list[Refused]]:
        answers: list[Answer] = []
        refused: list[Refused] = []
        each = iter(receipts)
        late = cache(days_late)  # a batch has few days, and one instant
        for item in judged:
            refusal: Refusal | Failure
            if isinstance(item.verdict, Prepared):
                receipt = next(each)
                if receipt.refusal is None:
                    days = late(item.effective_on, receipt.recorded_at or self._clock())
                    answers.append(Answer(item.line.number, item.id, receipt.status, receipt.position, days))
                    continue
                refusal = with_provision(receipt.refusal)
            else:
                refusal = item.verdict if isinstance(item.verdict, Failure) else with_provision(item.verdict)
            entry = self._refused(item.line, item.id, refusal, caller)
            problem = problem_of(refusal, entry.instance)
            answers.append(Answer(item.line.number, item.id, "refused", problem=problem))
            refused.append(entry)
        return answers, refused

    def _refused(self, line: Line, notice_id: str | None, refusal: Refusal | Failure, caller: Caller) -> Refused:
        return Refused(
            received_at=self._clock(),
            authority=caller.authority or caller.role,
            sub=caller.sub,
            notice_id=notice_id,
            instance=UUID(bytes=self._entropy(16), version=4),
            refusal=refusal,
            line=line.content[:MAX_BYTES],
        )


def batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Gather lines into batches of at most ``BATCH`` lines, ended as well by ``BATCH_BYTES``."""
    batch: list[Line] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line.content)
        if is_full(len(batch), size):
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def is_full(lines: int, size: int) -> bool:
    """Tell whether so many lines of so many bytes make a batch."""
    return lines >= BATCH or size >= BATCH_BYTES


_encoder: Final = msgspec.json.Encoder()


def answer_lines(answers: Sequence[Answer | End]) -> bytes:
    """Return answers as NDJSON."""
    return _encoder.encode_lines(answers)
