"""Documents behind events: filed by senders under their digest, kept whole or not at all (Art. 3.5(7))."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import hashlib
import io
import logging
import os
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from register.access import looks
from register.api import documents as routes
from register.api.system import System
from register.app.http import build, create_app
from register.app.parts import open_documents
from register.audit.reading import held_still
from register.audit.verify.documents import check_documents
from register.database import Database
from register.intake.documents import FORGOTTEN, Shelf
from register.settings import Settings, SettingsError, read_settings

from .conftest import NOW, REGISTRY, enveloped, example

Bearer = Callable[[str], dict[str, str]]
OTHER = "registry-office:20486"
PAPER = b"%PDF-1.7\n" + b"a certificate of one line\n" * 4
ONE = {"Content-Type": "application/cloudevents+json"}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def address(data: bytes) -> str:
    return f"/v1/documents/{digest(data)}"


def files(folder: Path) -> list[Path]:
    """All files below a folder, those being written included."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def container(first: str, content: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(first, content)
        archive.writestr("document.xml", "<a/>")
    return packed.getvalue()


@pytest.fixture
def folder(system: System) -> Path:
    return system.settings.data / "documents"


def entries(system: System, what: str) -> list[tuple[str | None, dict[str, Any]]]:
    with system.database.engine.connect() as connection:
        return [(look.authority, look.detail) for look in looks(connection, what=what)]


async def test_a_document_is_kept_once_and_given_back_to_who_may_have_it(
    client: httpx.AsyncClient, bearer: Bearer, system: System, folder: Path
) -> None:
    first = await client.put(address(PAPER), content=PAPER, headers=bearer(REGISTRY))
    again = await client.put(address(PAPER), content=PAPER, headers=bearer(REGISTRY))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == {
        "sha256": digest(PAPER),
        "size": len(PAPER),
        "type": "application/pdf",
        "filed_at": "2026-03-03T08:00:00Z",
        "status": "recorded",
    }
    assert again.json() == first.json() | {"status": "repeated"}
    assert [path.read_bytes() for path in files(folder)] == [PAPER]

    for who in (REGISTRY, "cec", "technical"):
        got = await client.get(address(PAPER), headers=bearer(who))
        assert (got.status_code, got.content) == (200, PAPER)
        assert got.headers["content-type"] == "application/pdf"
        assert got.headers["content-disposition"] == 'attachment; filename="document.pdf"'
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["cache-control"] == "no-store"
    unknown = await client.get(address(b"never filed"), headers=bearer(OTHER))
    others = await client.get(address(PAPER), headers=bearer(OTHER))
    same = {"instance": ""}
    assert (others.status_code, others.json() | same) == (404, unknown.json() | same)
    assert (await client.get(address(PAPER), headers=bearer("political-entity:1"))).status_code == 403
    assert (await client.put(address(PAPER), content=PAPER, headers=bearer("technical"))).status_code == 403

    filed = entries(system, "document-filing")
    assert [(who, detail["new"]) for who, detail in filed] == [(REGISTRY, True), (REGISTRY, False)]
    filing = filed[0][1]["filing"]
    assert entries(system, "document") == [(who, {"filing": filing}) for who in (REGISTRY, "cec", "technical")]


async def test_another_authority_files_the_same_document_anew_and_learns_nothing_of_the_first(
    client: httpx.AsyncClient, bearer: Bearer, folder: Path
) -> None:
    for who in (REGISTRY, OTHER):
        assert (await client.put(address(PAPER), content=PAPER, headers=bearer(who))).status_code == 201
        assert (await client.get(address(PAPER), headers=bearer(who))).status_code == 200
    assert len(files(folder)) == 1


BEGINNINGS: list[tuple[bytes, str | None]] = [
    (b"%PDF-2.0\n", "application/pdf"),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n\x00", "image/png"),
    (b"II*\x00\x08", "image/tiff"),
    (b"MM\x00*\x00", "image/tiff"),
    (container("mimetype", "application/vnd.etsi.asic-e+zip"), "application/vnd.etsi.asic-e+zip"),
    (container("mimetype", "application/vnd.etsi.asic-s+zip"), "application/vnd.etsi.asic-s+zip"),
    (container("mimetype", "application/epub+zip"), None),
    (container("a.txt", "application/vnd.etsi.asic-e+zip"), None),
    (b"<html><script>", None),
    (b" %PDF-1.7", None),
    (b"MZ\x90\x00", None),
    (b"", None),
]


async def test_the_first_bytes_say_what_a_file_is_whatever_its_sender_says(
    client: httpx.AsyncClient, bearer: Bearer, folder: Path
) -> None:
    headers = bearer(REGISTRY) | {"Content-Type": "application/pdf"}
    for beginning, kind in BEGINNINGS:
        before = len(files(folder))
        answer = await client.put(address(beginning), content=beginning, headers=headers)
        if kind is None:
            assert (answer.status_code, answer.json()["type"]) == (415, "urn:cvr:problem:media-type")
        else:
            assert (answer.status_code, answer.json()["type"]) == (201, kind)
        assert len(files(folder)) == before + (kind is not None)


@pytest.mark.parametrize("announced", [True, False])
async def test_a_document_too_large_is_refused_as_soon_as_that_shows(
    system: System, bearer: Bearer, folder: Path, announced: bool
) -> None:
    small = dataclasses.replace(system, settings=dataclasses.replace(system.settings, document_limit=len(PAPER)))
    taken = 0

    async def body(size: int) -> AsyncIterator[bytes]:
        nonlocal taken
        for at in range(0, size, 10):
            taken = at
            yield PAPER[at : at + 10] or b"x" * 10

    transport = httpx.ASGITransport(create_app(small))
    async with httpx.AsyncClient(transport=transport, base_url="http://register") as client:
        assert (await client.put(address(PAPER), content=PAPER, headers=bearer(REGISTRY))).status_code == 201
        length = {"Content-Length": "100000"} if announced else {}
        over = await client.put(address(b"x"), content=body(100_000), headers=bearer(REGISTRY) | length)
    assert (over.status_code, over.json()["provision"]) == (413, "Art. 3.5(7)")
    assert taken == (0 if announced else 120)  # the first ten bytes beyond the limit
    assert len(files(folder)) == 1


async def test_only_a_digest_names_a_document(client: httpx.AsyncClient, bearer: Bearer, folder: Path) -> None:
    for name in ("0" * 63, "0" * 65, "A" * 64, "g" * 64, "..%2f" * 12 + "0000", "%2e%2e", "0" * 63 + "%0a"):
        for send in (client.put, client.get):
            assert (await send(f"/v1/documents/{name}", headers=bearer(REGISTRY))).status_code in {404, 422}
    assert files(folder) == []
    with pytest.raises(ValueError, match="hexadecimal"):
        Shelf(str(folder), folder).check("../../x")


async def test_what_is_not_the_file_its_address_names_or_ends_early_leaves_nothing(
    client: httpx.AsyncClient, bearer: Bearer, system: System, folder: Path
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield PAPER
        raise ConnectionError

    for content in (PAPER + b"!", PAPER[:-1]):
        answer = await client.put(address(PAPER), content=content, headers=bearer(REGISTRY))
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:cvr:problem:malformed")
        assert digest(PAPER) not in answer.text
    await client.put(address(PAPER), content=broken(), headers=bearer(REGISTRY))
    assert files(folder) == []
    assert system.documents.find(digest(PAPER), None) is None
    packed = bearer(REGISTRY) | {"Content-Encoding": "gzip"}
    assert (await client.put(address(PAPER), content=PAPER, headers=packed)).status_code == 415


async def test_a_sender_who_stops_sending_is_cut_off(
    client: httpx.AsyncClient, bearer: Bearer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stalling() -> AsyncIterator[bytes]:
        yield PAPER
        await asyncio.sleep(60)

    async def dripping() -> AsyncIterator[bytes]:
        yield PAPER
        while True:
            await asyncio.sleep(0.01)
            yield b"x"

    monkeypatch.setattr(routes, "IDLE", 0.05)
    monkeypatch.setattr(routes, "PATIENCE", 0.2)
    for body in (stalling, dripping):
        begun = time.monotonic()
        answer = await client.put(address(PAPER), content=body(), headers=bearer(REGISTRY))
        assert (answer.status_code, answer.headers["connection"]) == (408, "close")
        assert time.monotonic() - begun < 5
    assert files(folder) == []


async def test_many_who_file_the_same_at_once_leave_one_file_and_one_filing(
    client: httpx.AsyncClient, bearer: Bearer, system: System, folder: Path
) -> None:
    sending = [client.put(address(PAPER), content=PAPER, headers=bearer(REGISTRY)) for _ in range(8)]
    statuses = [answer.status_code for answer in await asyncio.gather(*sending)]
    assert sorted(statuses) == [200] * 7 + [201]
    assert [path.read_bytes() for path in files(folder)] == [PAPER]
    with system.database.psycopg() as connection:
        assert connection.execute("SELECT count(*) FROM intake.document").fetchone() == (1,)


@pytest.mark.parametrize(("of", "step"), [(os, "fsync"), (Path, "replace")])
async def test_on_a_full_disk_nothing_is_left_and_the_sender_may_try_again(
    client: httpx.AsyncClient,
    bearer: Bearer,
    system: System,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    of: object,
    step: str,
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    headers = bearer(REGISTRY)
    with monkeypatch.context() as patched:
        patched.setattr(of, step, full)
        answer = await client.put(address(PAPER), content=PAPER, headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert files(folder) == []
    assert system.documents.find(digest(PAPER), None) is None
    assert (await client.put(address(PAPER), content=PAPER, headers=bearer(REGISTRY))).status_code == 201


async def test_a_file_that_is_no_longer_the_one_filed_is_never_given_out_and_filing_it_again_heals_it(
    client: httpx.AsyncClient,
    bearer: Bearer,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await client.put(address(PAPER), content=PAPER, headers=bearer(REGISTRY))
    (kept,) = files(folder)
    for spoil in (lambda: kept.write_bytes(PAPER.replace(b"one", b"two")), kept.unlink):
        spoil()
        caplog.clear()
        answer = await client.get(address(PAPER), headers=bearer("cec"))
        assert (answer.status_code, answer.json()["type"]) == (500, "urn:cvr:problem:internal")
        assert b"line" not in answer.content
        assert "filing 1 is not given out" in caplog.text
        await client.put(address(PAPER), content=PAPER, headers=bearer(REGISTRY))
        assert (await client.get(address(PAPER), headers=bearer("cec"))).content == PAPER


async def test_no_log_line_and_no_metric_holds_a_digest(
    client: httpx.AsyncClient, bearer: Bearer, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="register"):
        await client.put(address(PAPER), content=PAPER, headers=bearer(REGISTRY))
        files(folder)[0].unlink()
        await client.get(address(PAPER), headers=bearer(REGISTRY))
        metrics = (await client.get("/metrics")).text
    assert digest(PAPER) not in caplog.text + metrics
    assert 'route="/v1/documents/{sha256}"' in metrics


async def test_a_look_that_cannot_be_journalled_is_not_answered(
    client: httpx.AsyncClient, bearer: Bearer, system: System
) -> None:
    await client.put(address(PAPER), content=PAPER, headers=bearer(REGISTRY))
    with psycopg.connect(system.database.owner_dsn) as connection:
        connection.execute("REVOKE INSERT ON access.journal FROM cvr_app")
    answer = await client.get(address(PAPER), headers=bearer("cec"))
    assert answer.status_code == 503
    assert PAPER not in answer.content


async def test_who_filed_what_is_never_changed(client: httpx.AsyncClient, bearer: Bearer, system: System) -> None:
    await client.put(address(PAPER), content=PAPER, headers=bearer(REGISTRY))
    for change in ("UPDATE intake.document SET authority = 'cec'", "DELETE FROM intake.document"):
        for dsn in (system.database.dsn, system.database.owner_dsn):
            with psycopg.connect(dsn) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(change.encode())


async def test_a_notice_tells_whether_its_document_is_here(client: httpx.AsyncClient, bearer: Bearer) -> None:
    paper = {"kind": "certificate", "number": "1", "issued_by": "Sample office", "issued_on": "2026-03-01"}
    named = example("death", document=paper | {"sha256": digest(PAPER)})
    unnamed = enveloped(example("death", document=paper), id="unnamed")
    states = []
    for notice in (named, unnamed):
        sent = await client.post("/v1/notices", json=notice, headers=bearer(REGISTRY) | ONE)
        assert sent.status_code == 201  # a document need not come before its notice
        states.append((await client.get(f"/v1/notices/{notice['id']}", headers=bearer(REGISTRY))).json()["document"])
    assert states == ["missing", "none"]
    await client.put(address(PAPER), content=PAPER, headers=bearer(OTHER))
    here = f"/v1/notices/{named['id']}"
    assert (await client.get(here, headers=bearer(REGISTRY))).json()["document"] == "missing"
    await client.put(address(PAPER), content=PAPER, headers=bearer(REGISTRY))
    assert (await client.get(here, headers=bearer(REGISTRY))).json()["document"] == "kept"
    of_cec = await client.get(f"{here}?source={named['source']}", headers=bearer("cec"))
    assert of_cec.json()["document"] == "kept"


@pytest.fixture
def elsewhere(settings: Settings) -> Iterator[System]:
    place = f"memory://documents-{settings.data.parent.name}"
    with build(dataclasses.replace(settings, documents=place), clock=lambda: NOW) as system:
        yield system


async def test_documents_may_be_kept_in_any_place_that_fsspec_knows(elsewhere: System, bearer: Bearer) -> None:
    transport = httpx.ASGITransport(create_app(elsewhere))
    async with httpx.AsyncClient(transport=transport, base_url="http://register") as client:
        for status in (201, 200):
            answer = await client.put(address(PAPER), content=PAPER, headers=bearer(REGISTRY))
            assert answer.status_code == status
        assert (await client.get(address(PAPER), headers=bearer(REGISTRY))).content == PAPER
    assert files(elsewhere.settings.data / "incoming") == []


def test_the_settings_say_where_documents_are_kept(database: Database, tmp_path: Path) -> None:
    assert read_settings({}, tmp_path).documents_place == str(tmp_path / "data" / "documents")
    assert read_settings({"CVR_DOCUMENTS": "papers"}, tmp_path).documents_place == str(tmp_path / "papers")
    assert read_settings({"CVR_DOCUMENTS": "s3://papers/cvr"}, tmp_path).documents_place == "s3://papers/cvr"
    assert read_settings({"CVR_DOCUMENT_LIMIT": "1000"}, tmp_path).document_limit == 1000
    with pytest.raises(SettingsError, match="CVR_DOCUMENT_LIMIT"):
        read_settings({"CVR_DOCUMENT_LIMIT": "20 MB"}, tmp_path)
    with pytest.raises(SettingsError, match="CVR_DOCUMENTS"):
        open_documents(read_settings({"CVR_DOCUMENTS": "nowhere://x"}, tmp_path), database)


def test_what_a_killed_process_left_is_cleared_away_after_a_day(tmp_path: Path) -> None:
    shelf = Shelf(str(tmp_path), tmp_path)
    left, busy = shelf.arrival(), shelf.arrival()
    for arrival in (left, busy):
        arrival.write(PAPER)
    old, new = files(tmp_path)
    now = time.time()
    os.utime(old, (now - FORGOTTEN - 1,) * 2)
    shelf.sweep(now)
    assert files(tmp_path) == [new]
    for arrival in (left, busy):
        arrival.discard()


async def test_verification_finds_a_document_that_was_changed_or_lost(
    client: httpx.AsyncClient, bearer: Bearer, system: System, folder: Path
) -> None:
    def found() -> list[str]:
        with held_still(system.database.dsn) as (_, connection):
            check = check_documents(connection, system.documents)
        assert (check.count, check.verdict) == (2, "found" if check.findings else "ok")
        return [finding.what for finding in check.findings]

    for who in (REGISTRY, OTHER):
        await client.put(address(PAPER), content=PAPER, headers=bearer(who))
    second = PAPER + b"%"
    await client.put(address(second), content=second, headers=bearer(REGISTRY))
    assert found() == []
    first = next(path for path in files(folder) if path.read_bytes() == PAPER)
    first.write_bytes(PAPER.swapcase())
    assert found() == ["document of filing 1: the file is not the one that was kept"]
    first.unlink()
    assert found() == ["document of filing 1: the file is missing"]
