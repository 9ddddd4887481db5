"""JSON as it came, and what its decoders let pass: members named twice, texts not in NFC, control characters. Pure."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from register.law.provisions import Fault, ProblemKind, Refusal

#: The changes received are recorded and appropriately verified.
VERIFIED: Final = "Art. 3.5(6)"
#: A member name longer than this is not repeated in a pointer; the pointer then ends at its parent.
_MAX_MEMBER: Final = 100
#: Most marks in a row that are put into NFC (stream-safe text, UAX #15, section 13): ordering them takes time that
#: grows with their square, half a second for 64 KiB of them.
_MAX_MARKS: Final = 30
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_TWICE: Final = "An object of the message names a member twice"


def read_json(line: bytes) -> Any:
    """The JSON value of a line, in NFC. Raises ``Refusal("malformed")`` for what is not JSON or has a member twice."""
    escapes = b"\\" in line
    try:
        if not line.isascii():
            text = line.decode()
            if not escapes and (normal := normalised(text)) is not text:
                # No structural character of JSON composes with what follows it, and there are no escapes.
                line = normal.encode()
        value = _decode(line)
        if escapes:
            return json.loads(line, object_pairs_hook=_members)
        # Without escapes, every quotation mark is one end of a name or text: a member that was lost takes some away.
        if line.count(b'"') != _encode(value).count(b'"'):
            raise _malformed(_TWICE)
    except UnicodeError:
        raise _malformed("The message is not valid UTF-8") from None
    except msgspec.DecodeError as error:
        place = re.search(r"\(byte \d+\)$", str(error))
        raise _malformed(f"The message is not valid JSON{f' {place[0]}' if place else ''}") from None
    except RecursionError:
        raise _malformed("The message is nested too deeply") from None
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = {normalised(name): normalised(value) if type(value) is str else _nfc(value) for name, value in pairs}
    if len(members) != len(pairs):
        raise _malformed(_TWICE)
    return members


def _nfc(value: Any) -> Any:
    """The texts of an array in NFC; objects inside it have been through :func:`_members` already."""
    if type(value) is list:
        return [normalised(item) if type(item) is str else _nfc(item) for item in value]
    return value


def control_characters(value: Any, pointer: str) -> Iterator[tuple[ProblemKind, Fault]]:
    """Texts with control characters, which no member allows and which no list could print."""
    if isinstance(value, str):
        if _CONTROL.search(value):
            yield "schema", Fault(pointer, "A text has no control characters")
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from control_characters(member, below(pointer, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from control_characters(item, f"{pointer}/{index}")


def below(pointer: str, name: str) -> str:
    """A pointer to a member of what a pointer points to (RFC 6901)."""
    if len(name) > _MAX_MEMBER:
        return pointer
    return f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"


def normalised(text: str) -> str:
    """A text in NFC. Raises ``Refusal("malformed")`` for one in which marks are heaped up without end."""
    if unicodedata.is_normalized("NFC", text):
        return text
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks > _MAX_MARKS:
            raise _malformed(f"A text of the message has more than {_MAX_MARKS} marks upon one letter")
    return unicodedata.normalize("NFC", text)


def _malformed(sentence: str) -> Refusal:
    return Refusal("malformed", sentence, provision=VERIFIED, faults=(Fault("", sentence),))
