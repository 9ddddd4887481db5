"""Reading a notice: bytes of one CloudEvents 1.0 JSON message in, a typed message or a refusal out. Pure.

There are three ways, each taken only when the one before could not say that all is well:

1. straight into the struct of the type, when there are no escapes, no text out of NFC and nothing beside the members
   that are known: a count of quotation marks proves that none was named twice or left unread;
2. into plain JSON values, checked for what JSON decoders let pass (a member named twice, a control character), and
   converted into the struct of its type, which knows every member there may be;
3. the members one by one, so that a refusal names all that is wrong.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from register.intake.plain import VERIFIED, below, control_characters, read_json
from register.law.calendar import civil_day
from register.law.events import NOTICE_BY_TYPE, Notice, NoticeId
from register.law.provisions import Fault, ProblemKind, Refusal
from register.store import written

#: Longest message, in bytes (contract: section 3).
MAX_BYTES: Final = 65_536


#: What ``datacontenttype`` may say: JSON in UTF-8, however it is written.
JSON_TYPE: Final = r"""application/json(\s*;\s*charset="?utf-8"?)?"""


class Message(msgspec.Struct, frozen=True, gc=False):
    """A notice that could be read: envelope and typed data. ``time`` is in UTC; all text is in NFC.

    ``written`` is ``register.store.written`` of the data.
    """

    id: str
    source: str
    time: datetime
    data: Notice
    written: bytes


class Unreadable(msgspec.Struct, frozen=True):
    """A notice that could not be read, and why. ``id`` is None where not even that could be read."""

    id: str | None
    refusal: Refusal


class Envelope(msgspec.Struct, frozen=True):
    """The context attributes of a notice (CloudEvents 1.0, section 3.1); extension attributes are passed over."""

    specversion: Literal["1.0"]
    id: NoticeId
    source: Annotated[str, Meta(min_length=1, max_length=200)]
    type: Annotated[str, Meta(max_length=200)]
    time: Annotated[datetime, Meta(tz=True)]
    data: dict[str, Any]
    datacontenttype: str | None = None


_JSON: Final = re.compile(JSON_TYPE, re.IGNORECASE)
_NOTICE_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def parse(line: bytes) -> Message | Unreadable:
    """Read one message of at most 64 KiB (contract: section 2).

    What cannot be read comes back with its refusal: ``too-large``; ``malformed`` (not UTF-8, not JSON, nested too
    deeply, a member twice); ``media-type`` (data that is not JSON); ``schema``; ``jmb``; ``date`` (a day the calendar
    has not). Faults carry RFC 6901 pointers into the message and never a value.
    """
    if len(line) > MAX_BYTES:
        return Unreadable(None, _refusal("too-large", "A notice has at most 64 KiB"))
    return _straight(line) or _by_values(line)


def _by_values(line: bytes) -> Message | Unreadable:
    """The second way, and the third where it fails."""
    try:
        document = read_json(line)
    except Refusal as refusal:
        return Unreadable(None, refusal)
    try:
        envelope = msgspec.convert(document, Envelope)
        time = envelope.time.astimezone(UTC)
        civil_day(time)  # at either end of the calendar an instant may have a day in UTC and none in Sarajevo
        data = msgspec.convert(envelope.data, NOTICE_BY_TYPE[envelope.type])
    except (msgspec.ValidationError, KeyError, OverflowError):
        return _unreadable(document)
    plain_json = _is_json(envelope.datacontenttype) and "data_base64" not in document
    controlled = b"\\" in line and next(control_characters(document, ""), None) is not None
    if not plain_json or controlled:
        return _unreadable(document)
    return Message(envelope.id, envelope.source, time, data, written(data))


# --- the quick way --------------------------------------------------------------------------------------------------

#: The first member named ``type`` in the bytes. Should it not be the envelope's, the decoder it leads to says no.
_TYPE: Final = re.compile(rb'"type"\s*:\s*"([a-z0-9.-]+)"')
#: Quotation marks around the six names and five texts of an envelope, and around its optional content type.
_ENVELOPE_QUOTES: Final = 2 * (6 + 5)
_CONTENT_TYPE_QUOTES: Final = 2 * (1 + 1)


def _decoder(kind: type[Notice]) -> Callable[[bytes], Any]:
    """Decodes a whole message of one type; that it is of this type, it checks."""
    members: list[Any] = [
        ("specversion", Literal["1.0"]),
        ("id", NoticeId),
        ("source", Annotated[str, Meta(min_length=1, max_length=200)]),
        ("type", Literal[kind.TOPIC]),
        ("time", Annotated[datetime, Meta(tz=True)]),
        ("data", kind),
        ("datacontenttype", Literal["application/json"] | None, None),
    ]
    return msgspec.json.Decoder(msgspec.defstruct(f"{kind.__name__}Message", members, frozen=True, gc=False)).decode


_DECODERS: Final = {name.encode(): _decoder(kind) for name, kind in NOTICE_BY_TYPE.items()}


def _straight(line: bytes) -> Message | None:
    """A message that is well, read in one go; None where it must be looked at more closely.

    Without escapes every quotation mark is one end of a name or a text. When the line has as many as what was read
    of it, nothing was passed over: no member named twice, no extension attribute, no member that says nothing.
    """
    found = _TYPE.search(line)
    decode = None if found is None else _DECODERS.get(found[1])
    if decode is None or b"\\" in line:
        return None
    try:
        if not line.isascii() and not unicodedata.is_normalized("NFC", line.decode()):
            return None
        read = decode(line)
        time = read.time if read.time.tzinfo is UTC else read.time.astimezone(UTC)
        civil_day(time)  # see _by_values
    except (msgspec.DecodeError, UnicodeDecodeError, OverflowError, RecursionError):
        return None
    data = written(read.data)
    quotes = data.count(b'"') + _ENVELOPE_QUOTES + (0 if read.datacontenttype is None else _CONTENT_TYPE_QUOTES)
    return Message(read.id, read.source, time, read.data, data) if line.count(b'"') == quotes else None


# --- why it could not be read ---------------------------------------------------------------------------------------

#: Which kind a refusal has when its faults are of several kinds: the first of these.
_PRECEDENCE: Final[tuple[ProblemKind, ...]] = ("media-type", "schema", "jmb", "date")
_DETAILS: Final[dict[ProblemKind, str]] = {
    "media-type": "The data of a notice is JSON",
    "schema": "The notice does not have the form agreed for its type",
    "jmb": "The personal number is not a possible one",
    "date": "The notice names a day or an instant that the calendar has not",
}


def _is_json(content_type: str | None) -> bool:
    """Whether data of this media type is JSON in UTF-8 (RFC 2045, section 5.1); none given: it is (CloudEvents 1.0)."""
    return content_type in (None, "application/json") or _JSON.fullmatch(content_type or "") is not None


def _unreadable(document: Any) -> Unreadable:
    """All that is wrong with the form of a JSON value that should be a notice."""
    first: dict[str, tuple[ProblemKind, Fault]] = {}
    for kind, fault in _all_faults(document):
        first.setdefault(fault.pointer, (kind, fault))
    kinds = {kind for kind, _ in first.values()}
    weightiest = next(kind for kind in _PRECEDENCE if kind in kinds)
    notice_id = document.get("id") if isinstance(document, dict) else None
    readable = isinstance(notice_id, str) and _NOTICE_ID.fullmatch(notice_id) is not None
    return Unreadable(
        notice_id if readable else None,
        Refusal(weightiest, _DETAILS[weightiest], provision=VERIFIED, faults=[fault for _, fault in first.values()]),
    )


def _all_faults(document: Any) -> Iterator[tuple[ProblemKind, Fault]]:
    if not isinstance(document, dict):
        yield "schema", Fault("", "A notice is a JSON object")
        return
    yield from _member_faults(document, Envelope, "", closed=False)
    if "data_base64" in document:
        yield "schema", Fault("/data_base64", "The data of a notice stands in `data`, as JSON")
    content_type = document.get("datacontenttype")
    if isinstance(content_type, str) and not _is_json(content_type):
        yield "media-type", Fault("/datacontenttype", "The data of a notice is application/json")
    yield from control_characters(document, "")
    name = document.get("type")
    if not isinstance(name, str):
        return
    if (cls := NOTICE_BY_TYPE.get(name)) is None:
        yield "schema", Fault("/type", "There is no such type of notice")
        return
    if isinstance(data := document.get("data"), dict):
        yield from _member_faults(data, cls, "/data", closed=True)


def _member_faults(
    members: dict[str, Any], cls: type[msgspec.Struct], pointer: str, *, closed: bool
) -> Iterator[tuple[ProblemKind, Fault]]:
    """What is wrong with each member of an object: those declared in their order, then the unknown ones if closed."""
    fields = msgspec.structs.fields(cls)
    for field in fields:
        name = field.encode_name
        if name not in members:
            if field.required:
                yield "schema", Fault(f"{pointer}/{name}", "This member is missing")
            continue
        try:
            value = msgspec.convert(members[name], field.type)
            if isinstance(value, datetime):
                civil_day(value.astimezone(UTC))
        except msgspec.ValidationError as error:
            yield _fault(str(error), f"{pointer}/{name}", members[name], field.type)
        except OverflowError:
            yield "date", Fault(f"{pointer}/{name}", "This instant lies outside the calendar")
    if closed:
        known = {field.encode_name for field in fields}
        for name in sorted(members.keys() - known):
            yield "schema", Fault(below(pointer, name), "This type of notice has no such member")


_PATH: Final = re.compile(r"(?: - at `(?:key in )?\$([^`]*)`)?\Z")
_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_ABOUT_MEMBER: Final = re.compile(r"Object (missing required|contains unknown) field `(.*)`", re.DOTALL)
_EXPECTED: Final = re.compile(r"Expected `[^`]*`(?:, got `[^`]*`| (?:of length )?[<>=]+ -?\d+)\Z")


#: How msgspec's sentence begins, the kind of problem, and what a sender is told instead.
_SENTENCES: Final[tuple[tuple[str, ProblemKind, str], ...]] = (
    ("Invalid RFC3339 encoded datetime", "date", "This is not an instant of the calendar, as in 2026-03-02T09:15:00Z"),
    ("Invalid RFC3339 encoded date", "date", "This is not a day of the calendar, as in 2026-03-02"),
    ("Expected `datetime` with a timezone", "schema", "An instant needs its zone, as in 2026-03-02T09:15:00Z"),
    ("Expected `str` matching regex", "schema", "The text does not have the agreed form"),
)


def _fault(error: str, pointer: str, value: Any, declared: Any) -> tuple[ProblemKind, Fault]:
    """The fault behind a msgspec error about the member at ``pointer``; the error's own path leads on from there."""
    path = _PATH.search(error)
    sentence = error[: path.start()] if path else error
    for name, index in _STEP.findall((path[1] or "").partition("[...]")[0] if path else ""):
        pointer = f"{pointer}/{name or index}"
    if about := _ABOUT_MEMBER.fullmatch(sentence):
        missing = about[1] == "missing required"
        return "schema", Fault(below(pointer, about[2]), "This member is missing" if missing else "No such member")
    if pointer in ("/data/jmb", "/data/new_jmb") and isinstance(value, str):
        return "jmb", Fault(pointer, "The personal number must have 13 digits")
    for beginning, kind, told in _SENTENCES:
        if sentence.startswith(beginning):
            return kind, Fault(pointer, told)
    if _EXPECTED.match(sentence):
        return "schema", Fault(pointer, sentence.replace("`", ""))
    choices = ", ".join(_choices(declared))  # what msgspec says of a wrong choice repeats it
    return "schema", Fault(pointer, f"Expected one of {choices}" if choices else "Not a value agreed for this member")


def _choices(declared: Any) -> list[str]:
    """The texts a member's type allows, where it is one of a few."""
    if get_origin(declared) is Literal:
        return [str(choice) for choice in get_args(declared)]
    return [choice for part in get_args(declared) for choice in _choices(part)]


def _refusal(kind: ProblemKind, sentence: str) -> Refusal:
    return Refusal(kind, sentence, provision=VERIFIED, faults=(Fault("", sentence),))
