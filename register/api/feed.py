"""For the authorities: what they are told (Art. 3.5(4), 3.6 a), page by page or as server-sent events as it happens.

A stream waits for its reader: the next page is looked for when the last one has been sent, and nothing is kept for a
slow one. It ends when its token does, and is taken up again from the last id seen (``Last-Event-ID``).
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Annotated, Final

import anyio
import msgspec
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.types import Receive, Scope, Send

from register.access import Visit, current_visit
from register.api import problems
from register.api.knowledge import Limit, answers, following, impossible
from register.api.readers import TooManyStreamsError
from register.api.system import CurrentSystem, System
from register.intake.feed import BEGINNING, Place, read_place, write_place
from register.intake.messages import CloudEvent
from register.law.competence import may_look

STREAM: Final = "text/event-stream"
#: Seconds between two looks for what is new, and of silence after which a comment shows that the stream lives.
PAUSE: Final = 1.0
HEARTBEAT: Final = 15.0
#: Events looked for at once for a stream, and milliseconds after which its reader may connect again.
PIECE: Final = 100
RETRY: Final = 2_000

router = APIRouter(tags=["senders"])


class FeedPage(msgspec.Struct, frozen=True):
    """A part of the feed: CloudEvents 1.0 (contracts/asyncapi.yaml). ``after`` is what to go on from, at any time."""

    items: list[CloudEvent]
    next: str | None
    after: str


_ANSWERS: Final = answers(FeedPage)
_ANSWERS[200]["content"][STREAM] = {
    "schema": {"type": "string", "description": "Server-sent events: `id` to go on from, `data` a CloudEvent"}
}


@router.get("/v1/feed", responses={**problems.responses(401, 403, 422, 429, 503), **_ANSWERS})
def read_feed(
    request: Request,
    system: CurrentSystem,
    visit: Annotated[Visit, Depends(current_visit)],
    after: Annotated[str, Query(max_length=40, description="The id of the last event seen; none: the beginning")] = "",
    limit: Limit = 100,
    last_event_id: Annotated[str, Header(max_length=40, description="As `after`, for a stream taken up again")] = "",
) -> Response:
    """What the caller's authority is told: its refusals, deficiencies that concern it, elections, its keys.

    Each event is told at least once, in one order, under the same id whenever it is told again.
    """
    authority = may_look(visit.caller, "feed").authority or ""
    place = _place(after, "query", "after")
    if _wants_stream(request):
        place = _place(last_event_id, "header", "last-event-id") if last_event_id else place
        try:
            system.readers.check(authority)
        except TooManyStreamsError:
            sentence = "As many streams are open as may be at once"
            return problems.plain(429, sentence, headers={"Retry-After": "30"})
        return FeedStream(system, authority, place, visit.until)
    page = system.feed.page(authority, place, limit)
    onwards = write_place(page.place)
    more = following(request, after=onwards, limit=limit) if page.more else None
    return problems.json_answer(FeedPage(page.events, more, onwards))


class FeedStream(Response):
    """Server-sent events for an authority after a place, until ``until`` or until nobody listens."""

    media_type = STREAM

    def __init__(self, system: System, authority: str, after: Place, until: datetime) -> None:
        super().__init__(headers=problems.NO_STORE | {"X-Accel-Buffering": "no"})
        del self.headers["Content-Length"]
        self._system = system
        self._authority = authority
        self._place = after
        self._until = until
        self._begun = False

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send what there is and what comes, each time after the last of it has been taken."""
        gone = asyncio.create_task(_gone(receive))
        try:
            with self._system.readers.one_more(self._authority):
                # One who reads nothing would never be told that the token has ended: the stream is cut then.
                left = (self._until - self._system.clock()).total_seconds()
                async with asyncio.timeout(max(left, 0.0) + HEARTBEAT):
                    await self._tell(send, gone)
        except (TimeoutError, OSError):
            pass  # nobody reads any more; who comes again goes on from the last id seen
        finally:
            gone.cancel()

    async def _tell(self, send: Send, gone: asyncio.Task[None]) -> None:
        async def say(text: bytes, *, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": text, "more_body": more})

        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await say(b"retry: %d\n\n" % RETRY)
        said = time.monotonic()
        while not gone.done() and self._system.clock() < self._until:
            text, more = await anyio.to_thread.run_sync(self._next, limiter=self._system.readers.limiter)
            if text or time.monotonic() - said >= HEARTBEAT:
                await say(text or b":\n\n")
                said = time.monotonic()
            if not more:
                await asyncio.wait({gone}, timeout=PAUSE)
        if not gone.done():
            await say(b": the token has ended\n\n", more=False)

    def _next(self) -> tuple[bytes, bool]:
        """What is new, as it is sent, and whether there is more of it already."""
        upto = self._system.feed.settled(PAUSE if self._begun else 0.0)
        self._begun = True
        if upto <= self._place:
            return b"", False
        page = self._system.feed.page(self._authority, self._place, PIECE, upto)
        self._place = page.place
        return b"".join(map(_written, page.events)), page.more


def _written(event: CloudEvent) -> bytes:
    """An event as WHATWG HTML writes it (section 9.2.6): JSON has no line breaks, so one line holds it."""
    return b"id: %b\ndata: %b\n\n" % (event.id.encode(), msgspec.json.encode(event))


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _wants_stream(request: Request) -> bool:
    kinds = (part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(","))
    return STREAM in kinds


def _place(text: str, where: str, name: str) -> Place:
    if not text:
        return BEGINNING
    try:
        return read_place(text)
    except ValueError:
        if where == "query":
            raise impossible(name) from None
        raise RequestValidationError([{"loc": (where, name), "type": "value_error"}]) from None
