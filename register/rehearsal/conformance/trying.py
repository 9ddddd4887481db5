"""Checks by dry runs: what is taken, what is refused and how it is said. Nothing is recorded by them."""

from __future__ import annotations

from typing import Final

from register.law.competence import COMPETENCES
from register.law.events import AboutPerson
from register.rehearsal.conformance.checks import Check, NotHere, accepted, expect, fail, refused
from register.rehearsal.conformance.notices import JSON, Notices
from register.rehearsal.conformance.server import BATCH, ONE, Server

_MORE_THAN_A_NOTICE: Final = 65_537


def _dry(server: Server, notice: JSON) -> None:
    answer = accepted(server.post(notice, dry=True), 200)
    expect((answer.get("status"), answer.get("dry_run")), ("recorded", True), notice["type"])


def _good(server: Server, notices: Notices) -> None:
    for kind in notices.competent:
        for notice in notices.examples(kind):
            _dry(server, notice)
    _dry(server, notices.control_total())


def _extensions(server: Server, notices: Notices) -> None:
    _dry(server, notices.one() | {"subject": "17/26", "sequence": "7", "sampledrate": 3})
    _dry(server, notices.one() | {"datacontenttype": "application/json; charset=utf-8"})


def _no_trace(server: Server, notices: Notices) -> None:
    notice = notices.one()
    _dry(server, notice)
    expect(server.get(f"/v1/notices/{notice['id']}").status_code, 404, "a notice sent as a dry run")


def _unknown_member(server: Server, notices: Notices) -> None:
    for kind in notices.competent:
        refused(server.post(notices.one(kind, unheard=1), dry=True), "schema", "/data/unheard")


def _missing_member(server: Server, notices: Notices) -> None:
    for kind in notices.competent:
        notice = notices.one(kind)
        del notice["data"]["effective_on"]
        refused(server.post(notice, dry=True), "schema", "/data/effective_on")


def _bad_number(server: Server, notices: Notices) -> None:
    about = [kind for kind in notices.competent if issubclass(kind, AboutPerson)]
    for kind in about:
        good = notices.number()
        bad = good[:-1] + str((int(good[-1]) + 5) % 10)
        refused(server.post(notices.one(kind, jmb=bad), dry=True), "jmb", "/data/jmb", secret=bad)
    if not about:
        raise NotHere


def _bad_date(server: Server, notices: Notices) -> None:
    for day in ("2026-02-30", "1879-12-31", f"{notices.today.year + 2}-01-01"):
        refused(server.post(notices.one(effective_on=day), dry=True), "date", "/data/effective_on")


def _document(server: Server, notices: Notices) -> None:
    kinds = notices.documented()
    for kind in kinds:
        notice = notices.one(kind)
        del notice["data"]["document"]
        refused(server.post(notice, dry=True), "document-missing", "/data/document")
    if not kinds:
        raise NotHere


def _foreign_type(server: Server, notices: Notices) -> None:
    problem = refused(server.post(notices.one(notices.foreign), dry=True), "not-competent", "/type")
    expect(problem["provision"], COMPETENCES[notices.foreign].provision, "the provision")


def _foreign_source(server: Server, notices: Notices) -> None:
    notice = notices.one() | {"source": "urn:cvr:authority:registry-office:99999"}
    refused(server.post(notice, dry=True), "not-competent", "/source")


def _foreign_municipality(server: Server, notices: Notices) -> None:
    kind = notices.placed()
    if kind is None:
        raise NotHere
    elsewhere = "10294" if notices.municipality != "10294" else "10049"
    answer = server.post(notices.one(kind, municipality=elsewhere), dry=True)
    refused(answer, "not-competent", "/data/municipality")


def _not_json(server: Server, _: Notices) -> None:
    for body in (b"{", b"\xff\xfe", b'{"id":"1","id":"2"}', b"[" * 5_000):
        refused(server.post(body, dry=True), "malformed", "")
    refused(server.post(b"[]", dry=True), "schema", "")


def _media_types(server: Server, notices: Notices) -> None:
    notice = notices.one()
    refused(server.post(notice, "text/plain", dry=True), "media-type")
    binary = {f"ce-{name}": notice[name] for name in ("specversion", "id", "source", "type", "time")}
    refused(server.post(notice["data"], "application/json", dry=True, headers=binary), "media-type")
    refused(server.post(notice, ONE, dry=True, headers={"Content-Encoding": "br"}), "media-type")


def _too_large(server: Server, notices: Notices) -> None:
    notice = notices.one() | {"extension": "x" * _MORE_THAN_A_NOTICE}
    refused(server.post(notice, dry=True), "too-large")


def _batch(server: Server, notices: Notices) -> None:
    body = [notices.one(), notices.one(unheard=1), notices.one()]
    answers = accepted(server.post(body, BATCH, dry=True), 200)["answers"]
    expect([a.get("status") for a in answers], ["recorded", "refused", "recorded", None], "the answers")
    expect([a["id"] for a in answers[:3]], [notice["id"] for notice in body], "the ids")
    expect(answers[-1], {"recorded": 2, "repeated": 0, "refused": 1, "end": True}, "the end")


def _no_token(server: Server, _: Notices) -> None:
    answer = server.anonymous("/v1/notices?status=refused")
    expect(answer.status_code, 401, "without a token")
    if not answer.headers.get("www-authenticate", "").startswith("Bearer"):
        fail("a 401 answer does not name its scheme (RFC 6750, section 3)")


DRY: Final = (
    Check("every type of ours, by its examples", "Art. 3.5(3)", _good),
    Check("extension attributes are passed over", "CloudEvents 1.0, 3.1", _extensions),
    Check("a dry run leaves no trace", "contract, section 3", _no_trace),
    Check("a batch is answered notice by notice", "CloudEvents JSON format, 4", _batch),
    Check("an unknown member is refused", "Art. 3.5(6)", _unknown_member),
    Check("a missing member is refused", "Art. 3.5(6)", _missing_member),
    Check("a wrong personal number is refused, and not repeated", "Art. 3.5", _bad_number),
    Check("a day that cannot be is refused", "Art. 3.5(6)", _bad_date),
    Check("a decision without its document is refused", "Art. 3.5(7)", _document),
    Check("another authority's type is refused", "Art. 3.5(3)", _foreign_type),
    Check("another authority's name is refused", "Art. 3.5(4)", _foreign_source),
    Check("another municipality is refused", "Art. 3.5(3)", _foreign_municipality),
    Check("what is not JSON is refused", "RFC 8259; RFC 9457", _not_json),
    Check("other media types and binary mode are refused", "RFC 9110, 15.5.16", _media_types),
    Check("a notice beyond 64 KiB is refused", "contract, section 3", _too_large),
    Check("without a token nothing is shown", "RFC 6750, 3", _no_token),
)
