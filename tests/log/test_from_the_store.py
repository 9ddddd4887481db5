"""From the real event store to the public files: what is recorded is vouched for, and nothing of a person is public."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from register.audit.offline import checks
from register.database import Database
from register.law.events import Citizen, Document, Residence
from register.log.files import LogFiles, tiles_of
from register.log.keys import Signer
from register.log.receipts import receipt
from register.log.record import record_of
from register.log.sealer import Sealer, published_note
from register.store import Pending, Store

SIGNER = Signer("log.example/register", bytes(range(32)))
WHEN = datetime(2026, 8, 1, 8, tzinfo=UTC)
PERSONAL = ["0101990150007", "Hadžić", "Amra", "Mehmed", "1990-01-01", "Titova", "14/IV", "LK-0042", "2008-01-01"]


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with Store(database.psycopg) as opened:
        yield opened


def test_what_the_store_holds_is_sealed_and_no_name_leaves(
    store: Store, database: Database, tmp_path: Path, clock: Callable[[], datetime]
) -> None:
    document = Document(kind="LK", number="LK-0042", issued_by="MUP", issued_on=date(2026, 7, 1))
    citizen = Citizen(
        jmb="0101990150007",
        effective_on=date(2008, 1, 1),
        surname="Hadžić",
        given_name="Amra",
        parent_name="Mehmed",
        sex="F",
        born_on=date(1990, 1, 1),
    )
    residence = Residence(
        jmb="0101990150007",
        effective_on=date(2026, 7, 30),
        document=document,
        kind="permanent",
        municipality="11568",
        street="Titova",
        house_number="14/IV",
    )
    salts = [base64.b64encode(os.urandom(16)).decode() for _ in range(2)]
    pending = [
        Pending(source="urn:cvr:authority:x", id="n-1", time=WHEN, data=citizen, salt=salts[0]),
        Pending(source="urn:cvr:authority:x", id="n-2", time=WHEN, data=residence, salt=salts[1]),
    ]
    assert [done.position for done in store.append(pending, now=WHEN)] == [1, 2]

    sealed = Sealer(source=store, engine=database.engine, folder=tmp_path, signer=SIGNER, clock=clock).seal()
    rows = list(store.records(after=0))
    records = [record_of(row) for row in rows]
    assert checks.root_of(records) == (2, sealed.checkpoint.root)
    with LogFiles(tmp_path) as files:
        note = published_note(tmp_path)
        assert note is not None
        receipts = [receipt(position, note, files.node) for position in (1, 2)]
        tiles = [files.tile(tile, 2) for tile in tiles_of(2)]
    for position, (record, proof) in enumerate(zip(records, receipts, strict=True), 1):
        assert checks.check_receipt(record, proof, str(SIGNER.key))[0] == position

    public = b"".join([*records, *receipts, *tiles, *(path.read_bytes() for path in tmp_path.glob("*"))])
    assert b"11568" in records[1]  # what is not personal stands there
    for text in (*PERSONAL, *salts):
        raw = text.encode()
        assert any(raw in row.state for row in rows), text
        assert raw not in public, text
        for guess in (raw, b'"' + raw + b'"'):
            digest = sha256(guess)
            assert digest.digest() not in public
            assert digest.hexdigest().encode() not in public
