"""The server as an authority's program meets it: HTTP under one token, and whether it says that it is a rehearsal."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

import httpx

from register.law.competence import SENDERS, Caller, role_of
from register.law.events import SOURCE_PREFIX
from register.law.provisions import Refusal

ONE: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
LINES: Final = "application/x-ndjson"
#: Seconds for an answer, and for what the server does behind it (the log is signed once a second).
_SECONDS: Final = 30.0


class ConformanceError(Exception):
    """The checks cannot be made at all; the message says why, and names no token."""


def who_is(token: str) -> Caller:
    """Return whose token it is, by its claims; the server checks its signature. Raises :class:`ConformanceError`."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        authority = claims["authority"]
        codes = claims.get("municipality", [])
        role = role_of(authority)
    except (IndexError, ValueError, binascii.Error, KeyError, TypeError, AttributeError, Refusal):
        raise ConformanceError("This is not the token of an authority") from None
    if role not in SENDERS:
        raise ConformanceError(f"A {role} sends no notices; a token of an authority that does is needed")
    return Caller(str(claims.get("sub", "")), role, authority, tuple([codes] if isinstance(codes, str) else codes))


def greet(url: str) -> tuple[bool, datetime]:
    """Return whether a server says that it is a rehearsal, and the instant its clock shows.

    Raises :class:`ConformanceError` when it does not answer as a register does.
    """
    try:
        answer = httpx.get(f"{url.rstrip('/')}/healthz", timeout=_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ConformanceError(f"The server does not answer ({type(error).__name__})") from None
    if answer.status_code != httpx.codes.OK:
        raise ConformanceError(f"The server answers {answer.status_code} to /healthz: is this a register?")
    clock = answer.headers.get("CVR-Clock")
    return clock is not None, datetime.fromisoformat(clock) if clock else datetime.now(UTC)


class Server:
    """One server under one token. A context manager. Transport errors of httpx pass through."""

    def __init__(self, url: str, token: str) -> None:
        self.caller = who_is(token)
        self.source = f"{SOURCE_PREFIX}{self.caller.authority}"
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def post(
        self, body: object, kind: str = ONE, *, dry: bool, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """POST to ``/v1/notices``: a notice or a batch as JSON, or bytes (an iterator: in chunks) as they are."""
        plain = body if isinstance(body, bytes | Iterator) else json.dumps(body, ensure_ascii=False).encode()
        sent = {"Content-Type": kind} | (headers or {})
        return self._http.post("/v1/notices", content=plain, headers=sent, params={"dry_run": "true"} if dry else {})

    def lines(self, body: bytes | Iterable[bytes], encoding: str | None = None) -> list[dict[str, Any]]:
        """POST NDJSON; the answers, the last one its end unless the answer is incomplete."""
        headers = {"Content-Type": LINES} | ({} if encoding is None else {"Content-Encoding": encoding})
        with self._http.stream("POST", "/v1/notices", content=body, headers=headers) as answer:
            return [json.loads(line) for line in answer.iter_lines()]

    def get(self, path: str, **parameters: str) -> httpx.Response:
        """GET; without parameters the path keeps the query it has."""
        return self._http.get(path, params=parameters or None)

    def ask(self, path: str, body: object, **parameters: str) -> httpx.Response:
        """POST JSON to another route."""
        return self._http.post(path, json=body, params=parameters)

    def anonymous(self, path: str) -> httpx.Response:
        """GET without a token."""
        request = self._http.build_request("GET", path)
        del request.headers["Authorization"]
        return self._http.send(request)

    def listen(self, after: str, count: int) -> list[tuple[str, dict[str, Any]]]:
        """The first ``count`` server-sent events of the feed after a place: (id, CloudEvent)."""
        found: list[tuple[str, dict[str, Any]]] = []
        fields: dict[str, str] = {}
        headers = {"Accept": "text/event-stream", "Last-Event-ID": after}
        with self._http.stream("GET", "/v1/feed", headers=headers) as answer:
            if answer.status_code != httpx.codes.OK:
                raise ConformanceError(f"The server answers {answer.status_code} to a stream of the feed")
            for line in answer.iter_lines():
                name, _, value = line.partition(":")
                if line:
                    fields[name] = value.removeprefix(" ")
                    continue
                if "data" in fields:
                    found.append((fields["id"], json.loads(fields["data"])))
                fields = {}
                if len(found) == count:
                    break
        return found
