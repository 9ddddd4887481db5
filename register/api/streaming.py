"""The streamed intake: notices are read, recorded and answered line by line while they come.

Four things go on at once: reading and judging the request, recording batches, and sending answers, joined by a short
queue and a spool. Reading waits for recording (so that memory stays flat), but never for answers to be read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from register.api.edge import AnswerCutError
from register.api.rates import steady
from register.api.signing import Vouched
from register.api.spool import Spool
from register.api.system import System
from register.intake.answers import Answer, End
from register.intake.batch import Tally, answer_lines, is_full
from register.intake.lines import BrokenFeedError, Feed, Line, SlowFeedError
from register.intake.plain import VERIFIED
from register.intake.verdicts import Judged
from register.law.competence import Caller
from register.law.provisions import Fault, Refusal

MEDIA_TYPE: Final = "application/x-ndjson"
#: A batch that is not full is recorded when no more has come for so long, in seconds.
IDLE: Final = 0.05
#: Batches being judged, in the order of their lines; at the end None, or the last answer to a feed that broke.
Batches = asyncio.Queue[asyncio.Task[list[Judged]] | Answer | None]


class _CutError(Exception):
    """The sender is gone."""


class StreamedIntake(Response):
    """An answer that takes in its request's body while it is being sent."""

    media_type = MEDIA_TYPE

    def __init__(
        self, system: System, caller: Caller, feed: Feed, *, dry_run: bool = False, vouched: Vouched | None = None
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["Content-Length"]
        self._system = system
        self._intake = system.intake
        self._caller = caller
        self._feed = feed
        self._trial = system.intake.trial() if dry_run else None
        self._vouched = vouched
        self._closing = False

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Run the three tasks; an error of one ends the others, and leaves the answer without its end."""
        queue: Batches = asyncio.Queue(1)
        spool = Spool()
        receive = steady(receive)
        receive = receive if self._vouched is None else self._vouched.receiving(receive)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._gather(receive, queue, tasks))
                tasks.create_task(self._record(queue, spool))
                tasks.create_task(self._send(spool, send))
        except* _CutError:
            self._closing = False  # what was answered is recorded, and nobody is left to tell
        finally:
            spool.close()
            if self._vouched is not None:
                self._vouched.close()
        if self._closing:
            raise AnswerCutError  # closes the connection: nobody waits for its sender any more

    async def _gather(self, receive: Receive, queue: Batches, tasks: asyncio.TaskGroup) -> None:
        lines: list[Line] = []
        size = 0

        async def flush() -> None:
            nonlocal lines, size
            if lines:
                await queue.put(tasks.create_task(run_in_threadpool(self._intake.judge, lines, self._caller)))
                lines, size = [], 0

        try:
            async for chunk in _body(receive):
                if chunk is None:
                    await flush()
                    continue
                # In a thread, step by step: what a few bytes unpack to keeps nobody else waiting.
                async for some in iterate_in_threadpool(self._feed.lines(chunk)):
                    for line in some:
                        lines.append(line)
                        size += len(line.content)
                        if is_full(len(lines), size):
                            await flush()
            lines.extend(self._feed.finish())
        except BrokenFeedError as error:
            self._closing = isinstance(error, SlowFeedError)
            await flush()
            await queue.put(await run_in_threadpool(self._broken, error))
            return
        await flush()
        await queue.put(None)

    def _broken(self, error: BrokenFeedError) -> Answer:
        """The last answer to a feed that cannot be read further: it has no end, so the sender sends again."""
        refusal = Refusal(error.kind, str(error), provision=VERIFIED, faults=(Fault("", str(error)),))
        problem = self._intake.refuse(refusal, self._feed.beginning, self._caller, dry_run=self._trial is not None)
        return Answer(self._feed.number + 1, None, "refused", problem=problem)

    async def _record(self, queue: Batches, spool: Spool) -> None:
        tally = Tally()
        while isinstance(judging := await queue.get(), asyncio.Task):
            judged = await judging
            if self._trial is None:
                answers = await run_in_threadpool(self._intake.record, judged, self._caller)
                self._system.metrics.notices(answers)
            else:
                answers = await run_in_threadpool(self._intake.rehearse, judged, self._trial, self._caller)
            tally.add(answers)
            if self._vouched is not None and self._trial is None:
                self._vouched.count(answers)
            spool.write(answer_lines(answers))
        spool.write(answer_lines([(await self._end(tally)) if judging is None else judging]))
        spool.end()

    async def _end(self, tally: Tally) -> End:
        """The last answer; of a signed feed it tells whether it was the one signed, once that is on record."""
        end = tally.end()
        if self._vouched is None:
            return end
        return msgspec.structs.replace(end, signed=await run_in_threadpool(self._vouched.conclude))

    async def _send(self, spool: Spool, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            while chunk := await spool.read():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if not self._closing:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError:
            raise _CutError from None


async def _body(receive: Receive) -> AsyncIterator[bytes | None]:
    """The chunks of a request's body as they come; None whenever none has come for a moment.

    Raises :class:`_CutError` when the sender is gone before its end.
    """
    more = True
    while more:
        waiting = asyncio.ensure_future(receive())
        try:
            if not (await asyncio.wait({waiting}, timeout=IDLE))[0]:
                yield None
            message = await waiting
        finally:
            waiting.cancel()
        if message["type"] == "http.disconnect":
            raise _CutError
        more = message.get("more_body", False)
        if chunk := message.get("body", b""):
            yield chunk
