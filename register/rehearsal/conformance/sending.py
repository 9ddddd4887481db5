"""Checks with notices that are recorded: for a rehearsal only."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any, Final

import zstandard

from register.rehearsal.conformance.checks import Check, accepted, expect, fail, refused, told
from register.rehearsal.conformance.notices import JSON, Notices
from register.rehearsal.conformance.server import BATCH, Server


def _line(notice: JSON) -> bytes:
    return json.dumps(notice, ensure_ascii=False).encode() + b"\n"


def _recorded(server: Server, notice: JSON) -> JSON:
    receipt = accepted(server.post(notice, dry=False), 201)
    wanted = {name: notice[name] for name in ("id", "source", "type")} | {"status": "recorded"}
    expect({name: receipt.get(name) for name in wanted}, wanted, "the receipt")
    return receipt


def _receipt(server: Server, notices: Notices) -> None:
    for kind in notices.competent:
        notice = notices.one(kind)
        receipt = _recorded(server, notice)
        again = accepted(server.get(f"/v1/notices/{notice['id']}"), 200)
        expect(again["position"], receipt["position"], "the position of the receipt read again")


def _repeated(server: Server, notices: Notices) -> None:
    notice = notices.one()
    position = _recorded(server, notice)["position"]
    later = notice | {"time": notice["time"].replace("Z", ".5Z")}
    for same in (notice, later):
        answer = accepted(server.post(same, dry=False), 200)
        expect((answer["status"], answer["position"]), ("repeated", position), "the same content again")


def _conflict(server: Server, notices: Notices) -> None:
    notice = notices.one()
    _recorded(server, notice)
    other = notices.one() | {"id": notice["id"]}
    refused(server.post(other, dry=False), "id-conflict")


def _id_is_free(server: Server, notices: Notices) -> None:
    bad = notices.one(unheard=1)
    problem = refused(server.post(bad, dry=False), "schema", "/data/unheard")
    kept = accepted(server.get(f"/v1/notices/{bad['id']}"), 200)
    expect((kept["status"], kept["problem"]["instance"]), ("refused", problem["instance"]), "the intake journal")
    _recorded(server, notices.one() | {"id": bad["id"]})


def _batch(server: Server, notices: Notices) -> None:
    first = notices.one()
    answers = accepted(server.post([first, notices.one(), first], BATCH, dry=False), 200)["answers"]
    expect([a.get("status") for a in answers[:3]], ["recorded", "recorded", "repeated"], "the answers")
    expect(answers[2]["position"], answers[0]["position"], "the position of the repeat")
    expect(answers[-1].get("end"), True, "the end")


def _lines(server: Server, notices: Notices) -> None:
    plain = [b"".join(_line(notices.one()) for _ in range(20)) for _ in range(3)]
    packed: list[tuple[str | None, bytes]] = [
        (None, plain[0]),
        ("gzip", gzip.compress(plain[1])),
        ("zstd", zstandard.compress(plain[2])),
    ]
    for encoding, body in packed:
        answers = server.lines(_chunks(body), encoding)
        expect([a.get("line") for a in answers[:-1]], list(range(1, 21)), f"the answers ({encoding or 'plain'})")
        expect(answers[-1], {"recorded": 20, "repeated": 0, "refused": 0, "end": True}, f"the end ({encoding})")


def _chunks(body: bytes) -> Iterator[bytes]:
    """A body in pieces that end in the middle of lines and of characters."""
    for at in range(0, len(body), 997):
        yield body[at : at + 997]


def _cut(server: Server, notices: Notices) -> None:
    whole, cut = notices.one(), _line(notices.one())
    answers = server.lines(_line(whole) + cut[: len(cut) // 2])
    expect([a.get("status") for a in answers[:-1]], ["recorded", "refused"], "a line that breaks off")
    expect(answers[1]["problem"]["type"], "urn:cvr:problem:malformed", "a line that breaks off")
    packed = gzip.compress(_line(whole) + _line(notices.one()))
    answers = server.lines(packed[:-12], "gzip")
    if any(answer.get("end") for answer in answers):
        fail("a packed stream that breaks off is answered with an end, as if all of it had come")
    answers = server.lines(_line(whole))
    expect(answers[0]["status"], "repeated", "what was recorded before it broke off, sent again")


def _annulments(server: Server, notices: Notices) -> None:
    notice = notices.one()
    _recorded(server, notice)
    annulment = notices.annulment(notice["id"])
    _recorded(server, annulment)
    for wrong in (notices.new_id(), annulment["id"]):
        refused(server.post(notices.annulment(wrong), dry=False), "annulment", "/data/annuls")


def _control_total(server: Server, notices: Notices) -> None:
    _recorded(server, notices.control_total())


def _journal(server: Server, notices: Notices) -> None:
    bad = notices.one(unheard=1)
    refused(server.post(bad, dry=False), "schema")
    path: str | None = "/v1/notices?status=refused&limit=1000"
    found: list[Any] = []
    while path:
        page = accepted(server.get(path), 200)
        found += [entry for entry in page["items"] if entry["id"] == bad["id"]]
        path = page["next"]
    expect(len(found), 1, "entries of the intake journal for a refused notice")
    if told(server.get("/v1/notices/conformance-never-sent")) != "404 not-found":
        fail("an id never sent is not unknown")


SENT: Final = (
    Check("a recorded notice has a receipt", "Art. 3.5(4)", _receipt),
    Check("the same content again is a repeat, with its position", "contract, section 2", _repeated),
    Check("other content under the same id is refused", "contract, section 2", _conflict),
    Check("a refused notice is kept, and leaves its id free", "Art. 3.5(6)", _id_is_free),
    Check("what was refused is listed", "Art. 3.5(4)", _journal),
    Check("a batch tells repeats", "CloudEvents JSON format, 4", _batch),
    Check("lines: plain, gzip and zstd", "RFC 1952; RFC 8878", _lines),
    Check("a line or stream that breaks off is told", "contract, section 3", _cut),
    Check("an own notice is annulled, and only once", "later law 3.13", _annulments),
    Check("a control total is taken", "Art. 3.5(4)", _control_total),
)
