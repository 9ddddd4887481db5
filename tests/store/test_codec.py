"""What is written down can be read for decades, in one canonical form, personal members apart."""

from __future__ import annotations

import hashlib
import json
import typing
import unicodedata
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from register.law import events
from register.law.events import (
    BY_TOPIC,
    AnyData,
    CatchmentEntry,
    Citizen,
    ControlTotal,
    Death,
    Document,
    PollingStation,
    ReportedDeceased,
)
from register.store import UnknownTopicError, codec, content_digest

FROZEN = Path(__file__).parents[2] / "contracts" / "events"
STREAM = UUID("019cadd4-5620-774d-b6e0-c860ff10cea5")
TIME = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
#: Any text there is: lone surrogates are not text.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SALT = "c2FtcGxlIHNhbHQgMTYgYg=="


def encode(data: AnyData) -> bytes:
    return codec.encode(data, source="urn:cvr:authority:cec", id="x-1", time=TIME, salt=SALT)


def rfc8785(value: object) -> str:
    """RFC 8785 for texts, integers and what holds them, written from the text of the RFC alone."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{rfc8785(name)}:{rfc8785(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(rfc8785, value)) + "]"
    if isinstance(value, str):
        short = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
        return '"' + "".join(short.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in value) + '"'
    if isinstance(value, bool):
        return str(value).lower()
    assert isinstance(value, int)
    return str(value)


def test_every_topic_has_a_frozen_example_and_no_example_is_without_topic() -> None:
    assert {path.stem for path in FROZEN.glob("*.json")} == set(BY_TOPIC)


@pytest.mark.parametrize("topic", sorted(BY_TOPIC))
def test_a_frozen_example_is_read_and_written_again_byte_for_byte(topic: str) -> None:
    state = (FROZEN / f"{topic}.json").read_bytes().rstrip(b"\n")
    filed = codec.decode_filed(topic, state, stream=STREAM, version=3)
    event = codec.decode(topic, state, position=7, stream=STREAM, version=3, recorded_at=TIME)
    assert type(event.data) is BY_TOPIC[topic]
    assert (event.source, event.id, event.time, event.data) == (filed.source, filed.id, filed.time, filed.data)
    assert (event.position, event.stream, event.version, event.recorded_at) == (7, STREAM, 3, TIME)
    again = codec.encode(filed.data, source=filed.source, id=filed.id, time=filed.time, salt=filed.salt)
    assert again == state
    assert state.decode() == rfc8785(json.loads(state))


@pytest.mark.parametrize("topic", sorted(BY_TOPIC))
def test_the_personal_members_are_those_the_law_marks_and_no_other(topic: str) -> None:
    hints = typing.get_type_hints(BY_TOPIC[topic], include_extras=True)
    marked = {name for name, hint in hints.items() if "Annotated" in str(hint) and events.PERSONAL in str(hint)}
    state = json.loads((FROZEN / f"{topic}.json").read_bytes())
    assert set(state["data"]).isdisjoint(marked)
    assert set(state.get("personal", {})) - {"salt"} <= marked


def test_a_document_goes_whole_to_the_personal_part() -> None:
    document = Document(kind="decision", number="1", issued_by="Sample office", issued_on=date(2026, 3, 1))
    state = json.loads(encode(Death(jmb="0101970100017", effective_on=date(2026, 3, 1), document=document)))
    assert state["data"] == {"effective_on": "2026-03-01"}
    assert state["personal"]["document"]["issued_by"] == "Sample office"
    assert state["personal"]["salt"] == SALT


def test_without_personal_members_there_is_no_personal_part_and_no_salt() -> None:
    station = PollingStation(
        code="1", municipality="10049", name="S", address="S", kind="regular",
        catchment=(CatchmentEntry(from_=1, to=9),), effective_on=date(2026, 3, 1),
    )  # fmt: skip
    state = encode(station)
    assert set(json.loads(state)) == {"data", "id", "source", "time"}
    event = codec.decode(PollingStation.TOPIC, state, position=1, stream=STREAM, version=1, recorded_at=TIME)
    assert event.data == station


def test_personal_members_without_a_salt_are_not_written() -> None:
    with pytest.raises(ValueError, match="salt"):
        codec.encode(Death(jmb="1", effective_on=date(2026, 3, 1)), source="s", id="i", time=TIME, salt="")


def test_an_unknown_topic_is_an_error() -> None:
    with pytest.raises(UnknownTopicError):
        codec.decode("ba.cvr.death.v99", b"{}", position=1, stream=STREAM, version=1, recorded_at=TIME)


@given(
    TEXTS,
    st.dictionaries(TEXTS, st.integers(0, 2**53 - 1)),
)
def test_whatever_the_texts_the_state_is_the_form_of_rfc_8785(text: str, sent: dict[str, int]) -> None:
    for data in (
        ReportedDeceased(jmb="0101970100017", effective_on=date(2026, 3, 1), remark=text),
        ControlTotal(day=date(2026, 3, 2), sent=sent),
    ):
        state = encode(data)
        assert state.decode() == rfc8785(json.loads(state))
        assert codec.decode(data.TOPIC, state, position=1, stream=STREAM, version=1, recorded_at=TIME).data == data


@given(
    TEXTS,
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), st.just(1), max_size=3),
)
def test_the_content_digest_is_that_of_the_whole_content_after_nfc(text: str, sent: dict[str, int]) -> None:
    def nfc(value: object) -> object:
        if isinstance(value, dict):
            return {nfc(name): nfc(inner) for name, inner in value.items()}
        return unicodedata.normalize("NFC", value) if isinstance(value, str) else value

    remark = ReportedDeceased(jmb="0101970100017", effective_on=date(2026, 3, 1), remark=text)
    content = {"effective_on": "2026-03-01", "jmb": "0101970100017", "remark": text}
    for data, plain in (
        (remark, content),
        (ControlTotal(day=date(2026, 3, 2), sent=sent), {"day": "2026-03-02", "sent": sent}),
    ):
        expected = rfc8785(nfc({"data": plain, "type": data.TOPIC}))
        assert content_digest(data) == hashlib.sha256(expected.encode()).digest()


def test_composed_and_decomposed_letters_are_the_same_content() -> None:
    def citizen(surname: str) -> Citizen:
        return Citizen(
            jmb="0101970100017", effective_on=date(2026, 3, 1), surname=surname, given_name="A", parent_name="B",
            sex="F", born_on=date(1970, 1, 1),
        )  # fmt: skip

    assert content_digest(citizen("Uzorkovi\u0107")) == content_digest(citizen("Uzorkovic\u0301"))
    assert content_digest(citizen("Uzorkovi\u0107")) != content_digest(citizen("Uzorkovic"))
