"""The record of an event: the stored bytes, but for the personal part, of which a salted digest remains."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from register.audit.offline import checks
from register.log.record import RecordError, entry_of, record_of


@dataclass(frozen=True)
class Stored:
    position: int
    stream: UUID
    version: int
    topic: str
    recorded_at: datetime
    state: bytes


PERSONAL = '{"jmb":"0101990150007","salt":"AAECAwQFBgcICQoLDA0ODw==","surname":"Hadžić"}'
STORED = Stored(
    7,
    UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
    2,
    "ba.cvr.death.v1",
    datetime(2026, 8, 1, 8, 0, 0, 500, UTC),
    (
        '{"data":{"effective_on":"2026-07-30"},"id":"n-1","personal":'
        + PERSONAL
        + ',"source":"urn:cvr:authority:x","time":"2026-08-01T07:59:00Z"}'
    ).encode(),
)


def test_the_record_is_one_exact_line() -> None:
    digest = sha256(PERSONAL.encode()).hexdigest()
    expected = (
        '{"at":"2026-08-01T08:00:00.000500Z","id":"01890a5d-ac96-774b-bcce-b302099a8057","state":{"data":'
        f'{{"effective_on":"2026-07-30"}},"id":"n-1","personal":"sha256:{digest}","source":"urn:cvr:authority:x",'
        '"time":"2026-08-01T07:59:00Z"},"topic":"ba.cvr.death.v1","v":2}'
    ).encode()
    assert record_of(STORED) == expected
    assert entry_of(expected) == sha256(expected).digest()
    assert (
        json.dumps(json.loads(expected), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == expected
    )
    assert checks.check_personal(expected, PERSONAL.encode())
    assert not checks.check_personal(expected, PERSONAL.replace("0007", "0008").encode())


def test_an_event_without_personal_part_is_kept_as_it_is() -> None:
    state = b'{"data":{},"id":"n-1","source":"urn:cvr:register","time":"2026-08-01T07:59:00Z"}'
    assert b'"state":' + state + b',"topic"' in record_of(replace(STORED, state=state))


def test_the_time_is_written_in_one_way() -> None:
    for zone in (UTC, timezone(timedelta(hours=2))):
        stored = replace(STORED, recorded_at=datetime(2026, 8, 1, 8, tzinfo=UTC).astimezone(zone))
        assert record_of(stored).startswith(b'{"at":"2026-08-01T08:00:00.000000Z",')
    with pytest.raises(ValueError, match="zone"):
        record_of(replace(STORED, recorded_at=STORED.recorded_at.replace(tzinfo=None)))


@given(
    st.dictionaries(st.text("abcdefg", min_size=1), st.text() | st.integers() | st.lists(st.text()), min_size=1),
    st.dictionaries(st.text("abcdefg", min_size=1), st.text(), min_size=1),
)
def test_nothing_personal_is_left_whatever_it_looks_like(data: dict[str, object], personal: dict[str, str]) -> None:
    """Also when the public part holds a copy of the very text that surrounds the personal one."""
    personal = personal | {"salt": "AAECAwQFBgcICQoLDA0ODw=="}
    lookalike = msgspec.json.encode({"personal": personal}, order="sorted").decode()
    state = {"data": data | {"z": lookalike}, "id": "n", "personal": personal, "source": "s", "time": "t"}
    stored = replace(STORED, state=msgspec.json.encode(state, order="sorted"))
    found = json.loads(record_of(stored))["state"]
    digest = sha256(msgspec.json.encode(personal, order="sorted")).hexdigest()
    assert found == state | {"personal": f"sha256:{digest}"}


@pytest.mark.parametrize(
    "state",
    [
        b'{"data":{},"id":"n","source":"s","time":"t" }',
        b'{"id":"n","data":{},"source":"s","time":"t"}',
        b'{"data":{},"id":"n","id":"n","source":"s","time":"t"}',
        b'{"data":{},"id":"n","source":"s"}',
        b'{"data":{},"id":"n","more":1,"source":"s","time":"t"}',
        b"not json",
    ],
)
def test_a_state_that_is_not_canonical_is_refused_by_position_only(state: bytes) -> None:
    with pytest.raises(RecordError, match="position 7 is not canonical") as refused:
        record_of(replace(STORED, state=state))
    assert refused.value.position == 7
