"""Where the interface answers an error to a browser, the browser's reader gets a page with the same status instead."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from register.web.layout import render
from register.web.sources import Sources

#: Below these addresses programs ask, and get the problem (RFC 9457) itself.
_PROGRAMS: Final = ("/v1/", "/log/", "/assets/")
_PROBLEM: Final = b"application/problem+json"
#: Headers of the problem that hold for the page too.
_KEPT: Final = (b"retry-after", b"allow", b"cvr-clock")


class ErrorPages:
    """ASGI middleware, outside of everything that answers with problems."""

    def __init__(self, app: ASGIApp, sources: Sources) -> None:
        self._app = app
        self._sources = sources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and exchange a problem in the answer for a page when a person reads it."""
        if not _read_by_a_person(scope):
            await self._app(scope, receive, send)
            return
        exchanged = False

        async def exchanging(message: Message) -> None:
            nonlocal exchanged
            if message["type"] == "http.response.start":
                headers = dict(message.get("headers", []))
                if headers.get(b"content-type", b"").startswith(_PROBLEM):
                    exchanged = True
                    await self._page(scope, receive, send, message["status"], headers)
            if not exchanged:
                await send(message)

        await self._app(scope, receive, exchanging)

    async def _page(self, scope: Scope, receive: Receive, send: Send, status: int, headers: dict[bytes, bytes]) -> None:
        page = render(Request(scope), self._sources, "error.html", status=status, private=True, status_code=status)
        page.raw_headers.extend((name, headers[name]) for name in _KEPT if name in headers)
        await page(scope, receive, send)


def _read_by_a_person(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["path"].startswith(_PROGRAMS):
        return False
    accepted: bytes = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    return b"text/html" in accepted
