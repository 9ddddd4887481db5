"""Notices over HTTP: one, a batch, a stream; receipts and the journal (contract: section 3)."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import psycopg
import pytest
import zstandard

from register.access import looks
from register.api.system import System
from register.intake.judge import judge
from register.intake.parse import MAX_BYTES

from .conftest import REGISTRY, Notice, enveloped, example

ONE = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
Bearer = Callable[[str], dict[str, str]]
OTHER = "registry-office:20486"


def people(count: int, **envelope: Any) -> list[Notice]:
    """So many different notices of the registry office."""
    return [enveloped(example("citizen", parent_name=f"Otac {n}"), id=f"n-{n}", **envelope) for n in range(count)]


def ndjson(notices: list[Any]) -> bytes:
    return b"".join(json.dumps(notice, ensure_ascii=False).encode() + b"\n" for notice in notices)


def read(response: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in response.text.splitlines()]


async def test_a_notice_is_recorded_once_and_its_id_stands_for_it_for_ever(
    client: httpx.AsyncClient, bearer: Bearer, system: System
) -> None:
    notice = example("death")

    first = await client.post("/v1/notices", json=notice, headers=bearer(REGISTRY) | ONE)
    assert first.status_code == 201
    assert first.json() | {"recorded_at": ""} == {
        "id": notice["id"],
        "source": notice["source"],
        "type": notice["type"],
        "time": notice["time"],
        "status": "recorded",
        "position": 1,
        "recorded_at": "",
    }

    later = enveloped(notice, time="2026-03-09T09:00:00Z")  # another time is not other content
    again = await client.post("/v1/notices", json=later, headers=bearer(REGISTRY) | ONE)
    assert (again.status_code, again.json()["status"], again.json()["position"]) == (200, "repeated", 1)

    other = enveloped(example("death", jmb="0101970105019"), id=notice["id"])
    conflict = await client.post("/v1/notices", json=other, headers=bearer(REGISTRY) | ONE)
    assert (conflict.status_code, conflict.json()["type"]) == (409, "urn:cvr:problem:id-conflict")
    assert conflict.headers["content-type"] == "application/problem+json"
    assert system.store.head() == 1


async def test_a_late_notice_is_recorded_and_told_so(client: httpx.AsyncClient, bearer: Bearer) -> None:
    late = enveloped(example("death", effective_on="2026-02-27"), time="2026-03-02T09:00:00Z")
    answer = await client.post("/v1/notices", json=late, headers=bearer(REGISTRY) | ONE)
    assert (answer.status_code, answer.json()["days_late"]) == (201, 2)  # it came on 3 March, whatever it says


async def test_a_refused_notice_is_kept_with_its_reasons_and_leaves_its_id_free(
    client: httpx.AsyncClient, bearer: Bearer
) -> None:
    wrong = example("death", jmb="0101970100018")
    refused = await client.post("/v1/notices", json=wrong, headers=bearer(REGISTRY) | ONE)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/data/jmb"

    kept = await client.get(f"/v1/notices/{wrong['id']}", headers=bearer(REGISTRY))
    assert kept.json()["status"] == "refused"
    assert kept.json()["problem"] == refused.json()
    assert json.loads(kept.json()["notice"]) == wrong

    right = await client.post("/v1/notices", json=example("death"), headers=bearer(REGISTRY) | ONE)
    assert right.status_code == 201
    receipt = await client.get(f"/v1/notices/{wrong['id']}", headers=bearer(REGISTRY))
    assert receipt.json() == right.json() | {"document": "none"}


async def test_the_journal_is_read_by_the_sender_and_the_cec_alone_and_each_look_is_written_down(
    client: httpx.AsyncClient, bearer: Bearer, system: System
) -> None:
    for number in range(3):
        wrong = enveloped(example("death", jmb="1"), id=f"wrong-{number}")
        await client.post("/v1/notices", json=wrong, headers=bearer(REGISTRY) | ONE)

    page = (await client.get("/v1/notices?status=refused&limit=2", headers=bearer(REGISTRY))).json()
    rest = (await client.get(page["next"], headers=bearer(REGISTRY))).json()
    assert [item["id"] for item in page["items"] + rest["items"]] == ["wrong-0", "wrong-1", "wrong-2"]
    assert rest["next"] is None

    cec = (await client.get("/v1/notices?status=refused", headers=bearer("cec"))).json()
    with system.database.engine.connect() as connection:
        shown = [(look.authority, look.what, look.detail) for look in looks(connection)]
    assert ("cec", "refused-notices", {"first": 1, "last": 3}) in shown
    assert [item["authority"] for item in cec["items"]] == [REGISTRY] * 3
    assert (await client.get("/v1/notices?status=refused", headers=bearer(OTHER))).json()["items"] == []
    assert (
        await client.get(f"/v1/notices/wrong-0?source=urn:cvr:authority:{REGISTRY}", headers=bearer(OTHER))
    ).status_code == 404
    assert (
        await client.get(f"/v1/notices/wrong-0?source=urn:cvr:authority:{REGISTRY}", headers=bearer("cec"))
    ).status_code == 200
    assert (await client.get("/v1/notices?status=refused", headers=bearer("technical"))).status_code == 403


def test_the_journal_can_be_added_to_and_nothing_else(system: System) -> None:
    for change in ("UPDATE intake.refused SET detail = ''", "DELETE FROM intake.refused", "TRUNCATE intake.refused"):
        with system.database.psycopg() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(change)


async def test_a_batch_is_answered_notice_by_notice(client: httpx.AsyncClient, bearer: Bearer) -> None:
    first, second = people(2)
    batch = [first, second, first, {**second, "id": "n 2"}, "nothing"]
    answer = await client.post("/v1/notices", json=batch, headers=bearer(REGISTRY) | BATCH)
    assert answer.status_code == 200
    *answers, end = answer.json()
    assert [(a["line"], a["id"], a["status"], a.get("position")) for a in answers] == [
        (1, "n-0", "recorded", 1),
        (2, "n-1", "recorded", 2),
        (3, "n-0", "repeated", 1),
        (4, None, "refused", None),
        (5, None, "refused", None),
    ]
    assert end == {"recorded": 2, "repeated": 1, "refused": 2, "end": True}


async def test_a_batch_has_at_most_ten_thousand_notices(client: httpx.AsyncClient, bearer: Bearer) -> None:
    body = b"[" + b",".join([b"1"] * 10_001) + b"]"
    answer = await client.post("/v1/notices", content=body, headers=bearer(REGISTRY) | BATCH)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:cvr:problem:too-large")
    answer = await client.post("/v1/notices", content=b"{}", headers=bearer(REGISTRY) | BATCH)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:cvr:problem:malformed")


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
async def test_a_stream_is_answered_line_by_line_whatever_it_is_packed_in(
    client: httpx.AsyncClient, bearer: Bearer, encoding: str
) -> None:
    notices = people(5)
    body = ndjson(notices[:3]) + b"\r\n" + ndjson([*notices[3:], notices[0]]).rstrip(b"\n")
    packed = {
        "identity": lambda: body,
        "gzip": lambda: gzip.compress(body[:700]) + gzip.compress(body[700:]),
        "zstd": lambda: zstandard.compress(body[:700]) + zstandard.compress(body[700:]),
    }[encoding]()

    async def dribble() -> AsyncIterator[bytes]:
        for start in range(0, len(packed), 97):
            yield packed[start : start + 97]

    headers = bearer(REGISTRY) | NDJSON | {"Content-Encoding": encoding}
    answer = await client.post("/v1/notices", content=dribble(), headers=headers)
    assert answer.headers["content-type"] == "application/x-ndjson"
    *answers, end = read(answer)
    assert [(a["line"], a["id"], a["status"]) for a in answers] == [
        (1, "n-0", "recorded"),
        (2, "n-1", "recorded"),
        (3, "n-2", "recorded"),
        (5, "n-3", "recorded"),
        (6, "n-4", "recorded"),
        (7, "n-0", "repeated"),
    ]
    assert end == {"recorded": 5, "repeated": 1, "refused": 0, "end": True}


async def test_a_bad_line_does_not_stop_a_stream(client: httpx.AsyncClient, bearer: Bearer) -> None:
    first, second = people(2)
    body = ndjson([first]) + b"x" * (3 * MAX_BYTES) + b"\n\xff\n{\n" + ndjson([second])
    *answers, end = read(await client.post("/v1/notices", content=body, headers=bearer(REGISTRY) | NDJSON))
    kinds = [a["problem"]["type"].rpartition(":")[2] if "problem" in a else a["status"] for a in answers]
    assert kinds == ["recorded", "too-large", "malformed", "malformed", "recorded"]
    assert end["refused"] == 3


async def test_a_damaged_stream_has_no_end(client: httpx.AsyncClient, bearer: Bearer) -> None:
    packed = gzip.compress(ndjson(people(3)))
    headers = bearer(REGISTRY) | NDJSON | {"Content-Encoding": "gzip"}
    answers = read(await client.post("/v1/notices", content=packed[:-9], headers=headers))
    assert answers[-1]["problem"]["type"] == "urn:cvr:problem:malformed"
    assert not any("end" in answer for answer in answers)


async def test_an_annulment_may_follow_what_it_annuls_in_one_stream(client: httpx.AsyncClient, bearer: Bearer) -> None:
    death, annulment = example("death"), example("annulment")
    unknown = enveloped(example("annulment", annuls="never-sent"), id="a-1")
    again = enveloped(example("annulment", annuls=annulment["id"]), id="a-2")
    body = ndjson([death, annulment, unknown, again])
    *answers, _ = read(await client.post("/v1/notices", content=body, headers=bearer(REGISTRY) | NDJSON))
    assert [a["status"] for a in answers] == ["recorded", "recorded", "refused", "refused"]
    assert answers[2]["problem"]["type"] == "urn:cvr:problem:annulment"
    assert answers[2]["problem"]["errors"][0]["pointer"] == "/data/annuls"


@pytest.mark.parametrize("media", [ONE, BATCH, NDJSON], ids=["one", "batch", "stream"])
async def test_a_dry_run_judges_as_ever_and_records_nothing(
    client: httpx.AsyncClient, bearer: Bearer, system: System, media: dict[str, str]
) -> None:
    await client.post("/v1/notices", json=example("death"), headers=bearer(REGISTRY) | ONE)
    wrong = enveloped(example("death", jmb="1"), id="wrong")
    notices = [example("death"), people(1)[0], people(1)[0], example("annulment"), wrong]
    for notice, expected in zip(notices, ["repeated", "recorded", "repeated", "recorded", "refused"], strict=True):
        if media is not ONE:
            break
        if expected != "repeated" or notice["type"] == "ba.cvr.death.v1":
            answer = await client.post("/v1/notices?dry_run=true", json=notice, headers=bearer(REGISTRY) | ONE)
            assert answer.json()["status"] == (expected if expected != "refused" else 422)
    if media is not ONE:
        body = ndjson(notices) if media is NDJSON else json.dumps(notices).encode()
        answer = await client.post("/v1/notices?dry_run=true", content=body, headers=bearer(REGISTRY) | media)
        *answers, _ = read(answer) if media is NDJSON else answer.json()
        assert [a["status"] for a in answers] == ["repeated", "recorded", "repeated", "recorded", "refused"]
    assert system.store.head() == 1
    assert system.journal.page(authority=None) == []


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({"Content-Type": "application/json"}, 415, "media-type"),
        ({"Content-Type": "application/json", "ce-id": "1", "ce-type": "ba.cvr.death.v1"}, 415, "media-type"),
        (ONE | {"Content-Encoding": "br"}, 415, "media-type"),
        (ONE | {"Content-Type": "application/cloudevents+json; charset=latin-1"}, 415, "media-type"),
        (NDJSON | {"Authorization": "Bearer nonsense"}, 401, "unauthenticated"),
    ],
)
async def test_what_is_not_accepted_is_said_before_reading(
    client: httpx.AsyncClient, bearer: Bearer, headers: dict[str, str], status: int, kind: str
) -> None:
    answer = await client.post("/v1/notices", json=example("death"), headers=bearer(REGISTRY) | headers)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:cvr:problem:{kind}")


async def test_a_body_beyond_64_kib_is_refused_and_kept_as_far_as_it_was_read(
    client: httpx.AsyncClient, bearer: Bearer, system: System
) -> None:
    answer = await client.post("/v1/notices", content=b"x" * 200_000, headers=bearer(REGISTRY) | ONE)
    assert answer.status_code == 413
    assert [len(entry.line) for entry in system.journal.page(authority=REGISTRY)] == [MAX_BYTES]


async def test_only_authorities_send_notices(client: httpx.AsyncClient, bearer: Bearer) -> None:
    answer = await client.post("/v1/notices", json=example("death"), headers=bearer("technical") | ONE)
    assert (answer.status_code, answer.json()["provision"]) == (403, "Art. 3.5(3)")
    nobody = await client.post("/v1/notices", json=example("death"), headers=ONE)
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, 'Bearer realm="cvr"')


@pytest.mark.parametrize("sent", ["9999-12-31T23:30:00Z", "0001-01-01T00:30:00+02:00"])
async def test_an_instant_at_an_end_of_the_calendar_is_refused_and_stops_nothing(
    client: httpx.AsyncClient, bearer: Bearer, system: System, sent: str
) -> None:
    good, wrong = people(1)[0], enveloped(example("death"), id="wrong", time=sent)
    alone = await client.post("/v1/notices", json=wrong, headers=bearer(REGISTRY) | ONE)
    assert (alone.status_code, alone.json()["errors"][0]["pointer"]) == (422, "/time")
    batch = await client.post("/v1/notices", json=[wrong, good], headers=bearer(REGISTRY) | BATCH)
    stream = await client.post("/v1/notices", content=ndjson([wrong, good]), headers=bearer(REGISTRY) | NDJSON)
    assert [a.get("status") for a in batch.json()] == ["refused", "recorded", None]
    assert [a.get("status") for a in read(stream)] == ["refused", "repeated", None]
    assert [entry.refusal.kind for entry in system.journal.page(authority=REGISTRY)] == ["date"] * 3


async def test_a_bug_in_judging_one_notice_is_a_500_for_that_notice_alone_and_is_in_the_journal(
    client: httpx.AsyncClient,
    bearer: Bearer,
    system: System,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def judging(message: Any, *args: Any, **named: Any) -> Any:
        if message.id == "n-1":
            raise KeyError(message.data.jmb)
        return judge(message, *args, **named)

    monkeypatch.setattr("register.intake.verdicts.judge", judging)
    notices = people(3)
    alone = await client.post("/v1/notices", json=notices[1], headers=bearer(REGISTRY) | ONE)
    assert (alone.status_code, alone.json()["type"]) == (500, "urn:cvr:problem:internal")
    batch = (await client.post("/v1/notices", json=notices, headers=bearer(REGISTRY) | BATCH)).json()
    stream = read(await client.post("/v1/notices", content=ndjson(notices), headers=bearer(REGISTRY) | NDJSON))
    assert [a["status"] for a in batch[:-1]] == ["recorded", "refused", "recorded"]
    assert [a["status"] for a in stream[:-1]] == ["repeated", "refused", "repeated"]
    assert batch[1]["problem"]["status"] == 500
    assert stream[-1]["end"]

    kept = (await client.get("/v1/notices?status=refused", headers=bearer(REGISTRY))).json()["items"]
    assert [(entry["id"], json.loads(entry["notice"])["id"]) for entry in kept] == [("n-1", "n-1")] * 3
    assert kept[0]["problem"] == alone.json()
    assert "test_http.py" in caplog.text
    assert notices[1]["data"]["jmb"] not in caplog.text + alone.text


@pytest.mark.parametrize("media", [ONE, BATCH, NDJSON], ids=["one", "batch", "stream"])
@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
async def test_while_a_bomb_is_read_everybody_else_is_answered(
    client: httpx.AsyncClient, bearer: Bearer, media: dict[str, str], encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    headers = bearer(REGISTRY) | media | {"Content-Encoding": encoding}
    sending = asyncio.create_task(client.post("/v1/notices", content=pack(b"\n" * (256 << 20)), headers=headers))
    slowest, begun = 0.0, time.perf_counter()
    while not sending.done():
        asked = time.perf_counter()
        assert (await client.get("/healthz")).status_code == 200
        slowest = max(slowest, time.perf_counter() - asked)
        await asyncio.sleep(0.001)
    answer = await sending
    assert slowest < 0.5
    assert time.perf_counter() - begun < 5
    told = read(answer)[-1]["problem"] if media is NDJSON else answer.json()
    assert told["type"] == "urn:cvr:problem:too-large"


GZIP = {"Content-Encoding": "gzip"}
DAMAGED = gzip.compress(b"[" + b"1," * 100_000)[:-9]


@pytest.mark.parametrize(
    ("headers", "body", "kind"),
    [
        ({"Content-Type": "application/json"}, b"{}", "media-type"),
        (ONE | {"Content-Encoding": "br"}, b"x" * 200_000, "media-type"),
        (ONE | GZIP, b"\x1f\x8bnot gzip", "malformed"),
        (BATCH | GZIP, DAMAGED, "malformed"),
        (NDJSON | GZIP, DAMAGED, "malformed"),
        (BATCH, b"[1,", "malformed"),
        (BATCH, b"[" + b",".join([b"1"] * 10_001) + b"]", "too-large"),
        (BATCH | GZIP, gzip.compress(b" " * (65 << 20)), "too-large"),
    ],
    ids=["type", "encoding", "one", "packed-batch", "packed-stream", "no-array", "long-array", "bomb"],
)
async def test_a_request_refused_whole_leaves_one_entry_with_its_beginning_as_it_came(
    client: httpx.AsyncClient, bearer: Bearer, system: System, headers: dict[str, str], body: bytes, kind: str
) -> None:
    rehearsed = await client.post("/v1/notices?dry_run=true", content=body, headers=bearer(REGISTRY) | headers)
    assert system.journal.page(authority=REGISTRY) == []
    answer = await client.post("/v1/notices", content=body, headers=bearer(REGISTRY) | headers)
    told, also = [
        a.json() if "problem" in a.headers["content-type"] else read(a)[-1]["problem"] for a in (answer, rehearsed)
    ]
    assert told["type"] == also["type"] == f"urn:cvr:problem:{kind}"
    (entry,) = system.journal.page(authority=REGISTRY)
    assert (entry.instance.urn, entry.refusal.kind, entry.notice_id) == (told["instance"], kind, None)
    assert entry.line == body[:MAX_BYTES]
