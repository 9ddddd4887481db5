"""Checks of what comes back: the proof in the log, reading one's own writes, and the feed. For a rehearsal only."""

from __future__ import annotations

import time
from typing import Any, Final

from register.intake.messages import NoticeRefused
from register.rehearsal.conformance.checks import Check, NotHere, accepted, expect, fail, refused, told
from register.rehearsal.conformance.notices import Notices
from register.rehearsal.conformance.server import Server

#: Seconds within which the log must have taken in what was recorded.
_SEALED: Final = 20.0
#: Who may look up a voter, and so can read its own writes.
_READERS: Final = frozenset({"municipal-commission", "cec"})


def _proof(server: Server, notices: Notices) -> None:
    position = accepted(server.post(notices.one(), dry=False), 201)["position"]
    deadline = time.monotonic() + _SEALED
    while True:
        answer = server.get(f"/log/receipt/{position}")
        if answer.status_code == 200:
            break
        if time.monotonic() > deadline:
            fail(f"no proof after {_SEALED:.0f} seconds: {told(answer)}")
        time.sleep(0.2)
    first, index, *_ = answer.text.splitlines()
    expect(first, "c2sp.org/tlog-proof@v1", "the form of the proof")
    expect(index, f"index {position - 1}", "its place in the log")


def _at_least(server: Server, notices: Notices) -> None:
    if notices.caller.role not in _READERS:
        raise NotHere
    position = accepted(server.post(notices.one(), dry=False), 201)["position"]
    answer = server.ask("/v1/voters/query", {"jmb": notices.number()}, at_least=str(position))
    if answer.status_code != 503:
        accepted(answer, 200)
    elif "retry-after" not in answer.headers:
        fail("503 without Retry-After (RFC 9110, 10.2.3)")
    late = server.ask("/v1/voters/query", {"jmb": notices.number()}, at_least=str(position + 10**9))
    expect((late.status_code, "retry-after" in late.headers), (503, True), "a position not reached yet")


def _end(server: Server) -> str:
    """The place at which the feed ends now."""
    after = "0"
    while True:
        page = accepted(server.get("/v1/feed", after=after, limit="1000"), 200)
        after = str(page["after"])
        if page["next"] is None:
            return after


def _feed(server: Server, notices: Notices) -> None:
    before = _end(server)
    sent = [notices.one(unheard=1) for _ in range(3)]
    problems = [refused(server.post(notice, dry=False), "schema") for notice in sent]
    events: list[Any] = []
    after = before
    for _ in sent:
        page = accepted(server.get("/v1/feed", after=after, limit="1"), 200)
        events += page["items"]
        after = page["after"]
    own = [event["data"] for event in events if event["type"] == NoticeRefused.TYPE]
    expect([data["notice_id"] for data in own], [notice["id"] for notice in sent], "the refusals told")
    expect([data["problem"] for data in own], problems, "the problems told")
    streamed = server.listen(before, len(events))
    expect([place for place, _ in streamed], [event["id"] for event in events], "the ids of the stream")
    expect([event for _, event in streamed], events, "what is streamed")
    expect(server.listen(events[0]["id"], 1)[0][1], events[1], "a stream taken up again")


HEARD: Final = (
    Check("a recorded notice is proved by the log", "C2SP tlog-proof", _proof),
    Check("own writes are read with at_least", "contract, section 3", _at_least),
    Check("refusals are told by the feed, paged and streamed", "Art. 3.6 a; WHATWG HTML, 9.2", _feed),
)
