"""What every answer passes through: the mark of a rehearsal, the clock of the metrics, and the last resort, a 500.

Nothing here looks at paths or queries: logs and metrics know the template of a route, never what was put into it.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from register.api import problems
from register.intake.failures import places

if TYPE_CHECKING:
    from register.api.system import System

_log: Final = logging.getLogger("register.api")
CLOCK_HEADER: Final = b"cvr-clock"


class Edge:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, system: System) -> None:
        self._app = app
        self._system = system

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; turn what nobody expected into a problem, told in the log without any value."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 0

        async def marking(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._system.settings.rehearsal:
                    now = self._system.clock().isoformat(timespec="seconds").encode()
                    message["headers"] = [*message.get("headers", []), (CLOCK_HEADER, now)]
            await send(message)

        try:
            await self._app(scope, receive, marking)
        except ClientDisconnect:
            pass  # nobody is left to be told
        except AnswerCutError:
            raise
        except Exception as error:  # noqa: BLE001 - the one place where a bug becomes an answer
            _log.error("unexpected %s in %s\n%s", type(error).__name__, _route(scope), places(error))
            if status:
                raise AnswerCutError from None
            await problems.plain(500)(scope, receive, marking)
        finally:
            self._system.metrics.request(scope["method"], _route(scope), status, time.perf_counter() - begun)


class AnswerCutError(Exception):
    """An answer could not be brought to its end; the connection is closed, so that the reader knows."""


def _route(scope: Scope) -> str:
    """The template of the route that was found, such as ``/v1/notices/{id}``."""
    return str(getattr(scope.get("route"), "path", "none"))
