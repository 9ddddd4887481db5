"""Which notices are taken, and which are refused, with what kind, pointer and provision (contract: section 2)."""

from __future__ import annotations

import json
from datetime import date
from typing import Any, NamedTuple

import pytest

from register.app.parts import read_reference
from register.intake.examples import EXAMPLES
from register.intake.judge import judge
from register.intake.parse import MAX_BYTES, Message, Unreadable, parse
from register.law.competence import caller_for
from register.law.events import SOURCE_PREFIX
from register.law.provisions import Refusal
from register.law.timeliness import days_late, effective_day

from .conftest import REGISTRY, enveloped, example

RECEIVED = date(2026, 3, 3)
MUNICIPALITIES = frozenset(read_reference())


def received(line: bytes, authority: str = REGISTRY) -> Message | Refusal:
    """What becomes of a line that an authority sent, before the event store is asked."""
    message = parse(line)
    if isinstance(message, Unreadable):
        return message.refusal
    caller = caller_for(authority, "clerk")
    return judge(message, caller, received=RECEIVED, municipalities=MUNICIPALITIES) or message


def written(notice: Any) -> bytes:
    return json.dumps(notice, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "notice", [n for kind in EXAMPLES.values() for n in kind], ids=lambda n: f"{n['type']}-{n['id']}"
)
def test_every_example_of_the_contract_is_taken(notice: dict[str, Any]) -> None:
    taken = received(written(notice), notice["source"].removeprefix(SOURCE_PREFIX))
    assert isinstance(taken, Message), taken
    assert (taken.id, taken.source, taken.data.TOPIC) == (notice["id"], notice["source"], notice["type"])


class Case(NamedTuple):
    given: str
    notice: Any
    kind: str
    pointers: tuple[str, ...]
    provision: str = "Art. 3.5(6)"
    sender: str = REGISTRY


DEATH = example("death")
RESIDENCE = "residence-authority:10049"
COURT = "court:basic-court-bihac"
COMMISSION = "municipal-commission:10049"

CASES = [
    Case("nothing but a number", 5, "schema", ("",)),
    Case("no members", {}, "schema", ("/specversion", "/id", "/source", "/type", "/time", "/data")),
    Case("an unknown type", enveloped(DEATH, type="ba.cvr.birth.v1"), "schema", ("/type",)),
    Case("an act of the register's own", enveloped(DEATH, type="ba.cvr.election-called.v1"), "schema", ("/type",)),
    Case("another version of CloudEvents", enveloped(DEATH, specversion="0.3"), "schema", ("/specversion",)),
    Case("an id with a space", enveloped(DEATH, id="2026 1"), "schema", ("/id",)),
    Case("an id of 129 characters", enveloped(DEATH, id="x" * 129), "schema", ("/id",)),
    Case("an id with a line break", enveloped(DEATH, id="2026\n"), "schema", ("/id",)),
    Case("a time without zone", enveloped(DEATH, time="2026-03-02T09:15:00"), "schema", ("/time",)),
    Case("a time that never was", enveloped(DEATH, time="2026-02-30T09:15:00Z"), "date", ("/time",)),
    Case("a time before the calendar", enveloped(DEATH, time="0001-01-01T00:00:00+02:00"), "date", ("/time",)),
    Case("a time after the calendar of Sarajevo", enveloped(DEATH, time="9999-12-31T23:30:00Z"), "date", ("/time",)),
    Case("a time after it in Sarajevo alone", enveloped(DEATH, time="9999-12-31T23:00:00Z"), "date", ("/time",)),
    Case("data in another form", enveloped(DEATH, datacontenttype="text/xml"), "media-type", ("/datacontenttype",)),
    Case("data in base 64", enveloped(DEATH, data_base64="e30="), "schema", ("/data_base64",)),
    Case("no data", enveloped(DEATH, data=None), "schema", ("/data",)),
    Case("an unknown member", example("death", cause="unknown"), "schema", ("/data/cause",)),
    Case(
        "an unknown member of the document",
        example("death", document={**DEATH["data"]["document"], "pages/~": 2}),
        "schema",
        ("/data/document/pages~1~0",),
    ),
    Case("several faults at once", example("death", jmb=None, cause="x"), "schema", ("/data/jmb", "/data/cause")),
    Case("a name of blanks", example("citizen", surname="  "), "schema", ("/data/surname",)),
    Case("a name with a control character", example("citizen", surname="Had\u0007žić"), "schema", ("/data/surname",)),
    Case("a sex that is none", example("citizen", sex="X"), "schema", ("/data/sex",)),
    Case("a number of the wrong kind", example("death", jmb=101970100017), "schema", ("/data/jmb",)),
    Case("changed data without a change", example("personal-data", surname=None), "schema", ("/data",)),
    Case(
        "a count beyond what JSON readers keep",
        example("control-total", sent={"ba.cvr.death.v1": 2**53}),
        "schema",
        ("/data/sent",),
    ),
    Case("a negative count", example("control-total", sent={"ba.cvr.death.v1": -1}), "schema", ("/data/sent",)),
    Case("a count of an unknown type", example("control-total", sent={"x": 1}), "schema", ("/data/sent/x",)),
    Case("a personal number too short", example("death", jmb="010197010001"), "jmb", ("/data/jmb",)),
    Case("a personal number far too long", example("death", jmb="0" * 65), "jmb", ("/data/jmb",)),
    Case("a wrong control digit", example("death", jmb="0101970100018"), "jmb", ("/data/jmb",)),
    Case("an impossible birthday in it", example("death", jmb="3102970100017"), "jmb", ("/data/jmb",)),
    Case("a day not in the calendar", example("death", effective_on="2026-02-30"), "date", ("/data/effective_on",)),
    Case("a day before 1880", example("death", effective_on="1879-12-31"), "date", ("/data/effective_on",)),
    Case("a day 367 days ahead", example("death", effective_on="2027-03-05"), "date", ("/data/effective_on",)),
    Case("a birth after the notice", example("citizen", born_on="2026-03-03"), "date", ("/data/born_on",)),
    Case(
        "a document issued after the notice",
        example("death", document={**DEATH["data"]["document"], "issued_on": "2026-03-03"}),
        "date",
        ("/data/document/issued_on",),
    ),
    Case(
        "a decision without its document",
        example("capacity-withdrawn", document=None),
        "document-missing",
        ("/data/document",),
        "Art. 3.5(7)",
        COURT,
    ),
    Case("a death from a residence authority", DEATH, "not-competent", ("/source",), "Art. 3.5(4)", RESIDENCE),
    Case(
        "a death from a court",
        enveloped(DEATH, source=SOURCE_PREFIX + COURT),
        "not-competent",
        ("/type",),
        "Art. 3.5(3)1",
        COURT,
    ),
    Case(
        "a residence in another municipality",
        example("residence", municipality="20486"),
        "not-competent",
        ("/data/municipality",),
        "Art. 3.5(3)2",
        RESIDENCE,
    ),
    Case(
        "a 1991 option for no municipality there is",
        example("voting-option", municipality_1991="99999"),
        "schema",
        ("/data/municipality_1991",),
        "Art. 3.5(6)",
        COMMISSION,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.given)
def test_given_a_wrong_notice_it_is_refused_with_kind_pointer_and_provision(case: Case) -> None:
    refusal = received(written(case.notice), case.sender)
    assert isinstance(refusal, Refusal)
    assert (refusal.kind, tuple(fault.pointer for fault in refusal.faults)) == (case.kind, case.pointers)
    assert refusal.provision == case.provision


@pytest.mark.parametrize(
    ("given", "line", "kind"),
    [
        ("half a message", b'{"id":"1"', "malformed"),
        ("two messages", b"{} {}", "malformed"),
        ("not UTF-8", written(DEATH).replace("ć".encode(), b"\xe6"), "malformed"),
        ("a lone surrogate", written(DEATH).replace(b"17/26", b"\\ud800"), "malformed"),
        ("a number that is none", b'{"data":NaN}', "malformed"),
        ("a member twice", b'{"id":"1","id":"2"}', "malformed"),
        ("a member twice, once escaped", b'{"data":{"jmb":"1","\\u006amb":"2"}}', "malformed"),
        ("a member twice, in two normal forms", '{"sent":{"\u00e9":1,"e\u0301":2}}'.encode(), "malformed"),
        ("nested without end", b"[" * MAX_BYTES, "malformed"),
        ("nested in an extension", b'{"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}", "malformed"),
        ("marks heaped upon a letter", b'{"x":"a' + "\u0316\u0301".encode() * 16_000 + b'"}', "malformed"),
        ("the same, escaped", b'{"x":"a' + rb"\u0316\u0301" * 5_000 + b'"}', "malformed"),
        ("more than 64 KiB", b" " * (MAX_BYTES + 1), "too-large"),
    ],
)
def test_given_what_cannot_be_read_it_is_refused_whole(given: str, line: bytes, kind: str) -> None:
    unreadable = parse(line)
    assert isinstance(unreadable, Unreadable), given
    assert (unreadable.id, unreadable.refusal.kind) == (None, kind)


def test_a_refusal_repeats_nothing_that_could_be_personal() -> None:
    wrong = example("citizen", surname=["Hadžić"], sex="Đenana", born_on="Čedomir", jmb="0101970100018", script="Žutić")
    refusal = received(written(wrong))
    assert isinstance(refusal, Refusal)
    told = refusal.detail + "".join(fault.detail for fault in refusal.faults)
    assert len(refusal.faults) == 4
    assert not any(value in told for value in ("Hadžić", "Đenana", "Čedomir", "0101970100018", "Žutić"))


def test_text_is_kept_in_nfc_however_it_was_written() -> None:
    composed = example("citizen", surname="Čajić")
    decomposed = example("citizen", surname="C\u030cajic\u0301")
    escaped = json.dumps(decomposed).encode()
    assert received(written(composed)) == received(written(decomposed)) == received(escaped)


def test_extension_attributes_are_accepted_and_ignored() -> None:
    extended = enveloped(DEATH, traceparent="00-ab", partitionkey=5, dataschema="urn:x")
    assert received(written(extended)) == received(written(DEATH))


@pytest.mark.parametrize(
    ("sent", "late"),
    [("2026-03-03T22:59:59Z", None), ("2026-03-03T23:00:00Z", 1), ("2026-03-13T12:00:00Z", 10)],
)
def test_an_electronic_notice_is_due_within_two_days_of_sarajevo(sent: str, late: int | None) -> None:
    message = parse(written(enveloped(DEATH, time=sent)))
    assert isinstance(message, Message)
    assert days_late(effective_day(message.data), message.time) == late
