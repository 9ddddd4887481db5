"""Signed requests at the door of notices (RFC 9421): who signed, the body as it was sent, and what is put on record.

The signature is judged by the request's head, before anything of its body counts; that the body is the one signed
shows at its end. The body is kept by its digest: without it, a signature over a digest would prove nothing.
"""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable
from typing import Final

from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.types import Message, Receive

from register.access.signed import PROVISION, Head, Signed, authenticate
from register.acts.keys import Span, request_signed
from register.api import problems
from register.api.system import System
from register.intake.answers import Answer
from register.intake.documents import Arrival, KeepingError
from register.intake.lines import Feed
from register.law.competence import Caller
from register.law.provisions import Refusal

_log: Final = logging.getLogger("register.api")
OTHER_BODY: Final = "The body is not the one that was signed: its digest is another"


class Vouched:
    """A request whose head is signed by its sender. ``close`` lets go of what was not kept."""

    def __init__(self, system: System, authority: str, signed: Signed, digest: bytes, arrival: Arrival) -> None:
        self._system = system
        self._authority = authority
        self._signed = signed
        self._digest = digest
        self._arrival = arrival
        self._span = Span()
        self._held = False
        #: Whether the body has come to its end.
        self.whole = False

    async def watch(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The chunks of the body as they come, each kept on its way."""
        async for chunk in chunks:
            await run_in_threadpool(self._write, chunk)
            yield chunk
        self.whole = True

    def check(self) -> None:
        """Raise ``Refusal`` when the body came whole and is not the one that was signed."""
        if self.whole and not self.fits:
            raise Refusal("not-competent", OTHER_BODY, provision=PROVISION)

    @property
    def fits(self) -> bool:
        """Whether what has come is the body that was signed."""
        return self._arrival.sha256 == self._digest.hex()

    async def hold(self, chunks: AsyncIterator[bytes], feed: Feed) -> None:
        """Wait for the whole body, so that nothing of it counts before its digest fits; it is then read from disk.

        Raises ``Refusal`` when it does not fit; ``feed`` then has its beginning, for the journal.
        """
        async for _ in self.watch(chunks):
            pass
        if not self.fits:
            feed.keep(await run_in_threadpool(lambda: next(self._arrival.pieces(), b"")))
            self.check()
        self._held = True

    def receiving(self, receive: Receive) -> Receive:
        """What a stream is read by instead: the chunks kept on their way, or those that were held."""
        pieces = iterate_in_threadpool(self._arrival.pieces())

        async def held() -> Message:
            piece = await anext(pieces, None)
            return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

        async def kept() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                await run_in_threadpool(self._write, message.get("body", b""))
                self.whole = not message.get("more_body", False)
            return message

        return held if self._held else kept

    def count(self, answers: Iterable[Answer]) -> None:
        """Note where the notices of the request are on record."""
        self._span.add(answer.position for answer in answers)

    def conclude(self) -> bool:
        """Keep the body and put the signature on record, if the body is the one signed; whether it is.

        Of a request from which nothing is on record nothing is kept. Raises ``NotReadyError`` when it cannot be kept:
        what was recorded stays so, and sending again gives the same positions.
        """
        if not (self.whole and self.fits):
            return False
        salt = b64encode(self._system.entropy(16)).decode()
        noted = request_signed(self._signed, self._authority, self._span, now=self._system.clock(), salt=salt)
        if noted is not None:
            try:
                self._arrival.keep()
            except KeepingError as error:
                raise _unkept(error) from None
            refusal = self._system.together.append(noted).refusal
            if refusal is not None:
                raise refusal
        return True

    def close(self) -> None:
        """Let go of what was not kept."""
        self._arrival.discard()

    def _write(self, chunk: bytes) -> None:
        try:
            self._arrival.write(chunk)
        except KeepingError as error:
            raise _unkept(error) from None


async def vouched_for(request: Request, system: System, caller: Caller) -> Vouched | None:
    """The signature of a request by its sender; None for one that is not signed and need not be.

    Raises ``Refusal``: ``malformed``, or ``not-competent`` with what is wrong with the signature, or that there is none
    and the sender must sign.
    """
    authority = caller.authority or ""
    if "signature" in request.headers or "signature-input" in request.headers:
        return await run_in_threadpool(_vouched, head_of(request), system, authority)
    required = system.keys.remembered(authority)
    if required is None:
        required = await run_in_threadpool(system.keys.required, authority)
    if required:
        raise Refusal("not-competent", "The requests of this sender must be signed (RFC 9421)", provision=PROVISION)
    return None


def head_of(request: Request) -> Head:
    """What of a request can be signed, as it was sent."""
    scope = request.scope
    path = scope.get("raw_path") or scope["path"].encode()
    return Head(
        method=scope["method"],
        scheme=scope["scheme"],
        host=request.headers.get("host", ""),
        path=path.decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]),
    )


def _vouched(head: Head, system: System, authority: str) -> Vouched:
    signed, digest = authenticate(head, system.keys.public(authority), system.clock())
    try:
        arrival = system.documents.requests.arrival()
    except KeepingError as error:
        raise _unkept(error) from None
    return Vouched(system, authority, signed, digest, arrival)


def _unkept(error: KeepingError) -> problems.NotReadyError:
    _log.error("the body of a signed request could not be kept: %s", error)
    return problems.NotReadyError("A signed request cannot be kept right now: send it again", retry_after=60)
