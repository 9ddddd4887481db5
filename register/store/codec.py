"""How an event is written down, and read again: one codec for everything the event store holds.

The state of an event is canonical JSON (RFC 8785: members sorted, no white space, nothing escaped that need not be)::

    {"data":{public members},"id":…,"personal":{personal members,"salt":…},"source":…,"time":…}

Which members are personal is read from the marker ``PERSONAL`` in the type hints of ``register.law.events``; a member
of struct type goes whole to the side its own hint names. ``personal`` is absent when no personal member is set. From
each type of ``BY_TOPIC`` two structs (public and personal) and three functions (write, read, read with salt) are made
once, at import; the functions are generated source, since a constructor call spelled out is three times as fast as one
from a dictionary.

Reading does not judge again what was judged at the door: patterns and lengths are left out of the derived structs, so
that a rule made stricter tomorrow cannot make the history of yesterday unreadable.

The caller guarantees that no text holds NUL or a lone surrogate: ``register.law.events`` and the JSON parser at the
door refuse both. (Lone surrogates would raise ``UnicodeEncodeError`` here; NUL in a subject or id would be refused by
PostgreSQL.)
"""

from __future__ import annotations

import functools
import hashlib
import json
import operator
import types
import typing
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final, Union
from uuid import UUID

import msgspec

from register.law.events import BY_TOPIC, PERSONAL, AnyData, Data, Event

_ENCODER: Final = msgspec.json.Encoder(order="sorted")
#: Largest integer every JSON reader keeps exactly (RFC 8785, section 3.2.2.3; RFC 7493).
_MAX_INT: Final = 2**53 - 1


class UnknownTopicError(LookupError):
    """The event store holds, or is asked to hold, a topic this version of the register does not know."""


class Filed(msgspec.Struct, frozen=True):
    """An event with its place in a stream, before it has a position; what the library's Mapper works on.

    ``salt`` is the base64 text mixed into the digest of the personal members, empty when none is stored. ``state`` is
    the encoded state if it was already made, so that encoding need not be done under the append lock.
    """

    originator_id: UUID
    originator_version: int
    source: str
    id: str
    time: datetime
    data: AnyData
    salt: str = ""
    state: bytes = b""


class _Coding(typing.NamedTuple):
    """The generated functions of one topic."""

    write: Callable[[Any, str, str, datetime, str], bytes]
    read: Callable[[int, UUID, int, datetime, bytes], Event]
    read_filed: Callable[[UUID, int, bytes], Filed]


class _Codings(dict[str, _Coding]):
    def __missing__(self, topic: str) -> _Coding:
        raise UnknownTopicError(f"unknown topic {topic!r}")


def is_personal(hint: Any) -> bool:
    """Whether a type hint of a member carries the marker ``PERSONAL``."""
    return typing.get_origin(hint) is Annotated and PERSONAL in hint.__metadata__


class _Deriver:
    """Derives structs without constraints, and the source text that turns their values into the declared types."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}

    def plain(self, hint: Any) -> Any:
        """The hint without ``Meta``; nested structs replaced by their derived ones."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is Annotated:
            return self.plain(arguments[0])
        if origin in (Union, types.UnionType):
            return functools.reduce(operator.or_, (self.plain(a) for a in arguments))
        if origin in (tuple, dict):
            return origin[tuple(a if a is Ellipsis else self.plain(a) for a in arguments)]
        if isinstance(hint, type) and issubclass(hint, Data):
            return self.nested(hint)
        return hint

    def nested(self, struct: type[Data]) -> Any:
        """The derived struct of a nested one; makes ``make_<name>`` that turns it into the declared type."""
        key = f"Plain{struct.__name__}"
        if key not in self.names:
            hints = typing.get_type_hints(struct, include_extras=True)
            if any(is_personal(hint) for hint in hints.values()):
                raise TypeError(f"{struct.__name__}: a nested struct is personal as a whole or not at all")
            self.names[key] = self.struct(key, struct, list(struct.__struct_fields__))
            self.names[struct.__name__] = struct
            call = self.call(struct, {name: f"v.{name}" for name in struct.__struct_fields__})
            self.names[f"make_{struct.__name__}"] = self.function(f"lambda v: {call}")
        return self.names[key]

    def struct(self, name: str, declared: type[Data], members: list[str], *, salt: bool = False) -> type[Any]:
        """A struct of some members of a declared one, under the names they have in JSON, with the same defaults."""
        hints = typing.get_type_hints(declared, include_extras=True)
        by_name = {field.name: field for field in msgspec.structs.fields(declared)}
        fields: list[Any] = []
        for member in members:
            field, hint = by_name[member], self.plain(hints[member])
            required = field.default is msgspec.NODEFAULT
            fields.append((member, hint) if required else (member, hint, field.default))
        if salt:
            fields.append(("salt", str))
        return msgspec.defstruct(
            name,
            fields,
            frozen=True,
            kw_only=True,
            omit_defaults=True,
            forbid_unknown_fields=True,
            gc=False,
            rename={by_name[m].name: by_name[m].encode_name for m in members},
        )

    def call(self, struct: type[Data], values: dict[str, str]) -> str:
        """Source text of the constructor call of a declared struct from the source text of plain values."""
        hints = typing.get_type_hints(struct, include_extras=True)
        parts = [f"{name}={self.converted(hints[name], value)}" for name, value in values.items()]
        return f"{struct.__name__}({', '.join(parts)})"

    def converted(self, hint: Any, value: str) -> str:
        """Source text that turns a plain value into the declared type; the value itself where nothing is nested."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is Annotated:
            return self.converted(arguments[0], value)
        if isinstance(hint, type) and issubclass(hint, Data):
            self.nested(hint)
            return f"make_{hint.__name__}({value})"
        if origin in (Union, types.UnionType) and type(None) in arguments:
            (inner, *more) = [a for a in arguments if a is not type(None)]
            text = value if more else self.converted(inner, value)
            return text if text == value else f"None if {value} is None else {text}"
        if origin is tuple and arguments[-1] is Ellipsis:
            text = self.converted(arguments[0], "i")
            return value if text == "i" else f"tuple([{text} for i in {value}])"
        return value

    def function(self, source: str) -> Any:
        """The function that a generated expression stands for; the text is made of declared names alone."""
        return eval(source, self.names)  # noqa: S307


def _derive(declared: type[AnyData]) -> _Coding:
    """The coding of one topic."""
    deriver = _Deriver()
    name = declared.__name__
    hints = typing.get_type_hints(declared, include_extras=True)
    members = list(declared.__struct_fields__)
    personal = [m for m in members if is_personal(hints[m])]
    public = [m for m in members if m not in personal]
    if "salt" in members:
        raise TypeError(f"{name}: 'salt' is a name of the codec's own")
    public_struct = deriver.struct(f"{name}Public", declared, public)
    personal_struct = deriver.struct(f"{name}Personal", declared, personal, salt=True) if personal else None
    state_fields: list[Any] = [("data", public_struct), ("id", str)]
    if personal_struct is not None:
        state_fields.append(("personal", personal_struct | None, None))
    state_fields += [("source", str), ("time", datetime)]
    state_struct = msgspec.defstruct(
        f"{name}State",
        state_fields,
        frozen=True,
        kw_only=True,
        omit_defaults=True,
        forbid_unknown_fields=True,
        gc=False,
    )
    deriver.names |= {
        name: declared,
        "Public": public_struct,
        "Personal": personal_struct,
        "State": state_struct,
        "Event": Event,
        "Filed": Filed,
        "encode": _canonical if _holds_dict(declared) else _ENCODER.encode,
        "no_salt": _no_salt,
        "parse": msgspec.json.Decoder(state_struct).decode,
    }
    personal_fields = [f for f in msgspec.structs.fields(declared) if f.name in personal]
    if any(not f.required and f.default is not None for f in personal_fields):
        raise TypeError(f"{name}: a personal member that may be left out must have the default None")
    required = any(f.required for f in personal_fields)
    return _generate(deriver, declared, public, personal, required)


def _generate(
    deriver: _Deriver, declared: type[AnyData], public: list[str], personal: list[str], required: bool
) -> _Coding:
    """Write, read and read_filed of one topic, as functions spelled out member by member."""
    public_call = f"Public({', '.join(f'{m}=d.{m}' for m in public)})"
    personal_call = f"Personal({', '.join(f'{m}=d.{m}' for m in personal)}, salt=salt or no_salt())"
    if personal and not required:
        personal_call = f"({personal_call} if {' or '.join(f'd.{m} is not None' for m in personal)} else None)"
    personal_part = f", personal={personal_call}" if personal else ""
    state_call = f"State(data={public_call}, id=id, source=source, time=time{personal_part})"
    write = f"lambda d, source, id, time, salt: encode({state_call})"

    values = {m: f"d.{m}" for m in public}
    data = deriver.call(declared, values | {m: f"p.{m}" for m in personal})
    if personal and not required:
        data = f"({data} if p is not None else {deriver.call(declared, values)})"
    unpack = "s = parse(state)\n    d = s.data" + ("\n    p = s.personal" if personal else "")
    salt = "''" if not personal else "p.salt" if required else "'' if p is None else p.salt"
    source = f"""
def read(position, stream, version, recorded_at, state):
    {unpack}
    return Event(position, stream, version, recorded_at, s.source, s.id, s.time, {data})

def read_filed(stream, version, state):
    {unpack}
    return Filed(stream, version, s.source, s.id, s.time, {data}, {salt})
"""
    exec(source, deriver.names)  # noqa: S102
    return _Coding(deriver.function(write), deriver.names["read"], deriver.names["read_filed"])


def _no_salt() -> str:
    raise ValueError("personal members are stored with a salt only")


def _holds_dict(declared: type[AnyData]) -> bool:
    hints = typing.get_type_hints(declared)
    return any(typing.get_origin(hint) is dict for hint in hints.values())


def _canonical(value: object) -> bytes:
    """RFC 8785 of a struct or plain value whose member names may be any text.

    The fast encoder sorts names by their UTF-8 bytes, RFC 8785 by UTF-16 units: the two differ beyond U+FFFF.
    """
    return _dumps(_sorted(msgspec.to_builtins(value), _same))


def _dumps(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _same(text: str) -> str:
    return text


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _sorted(value: Any, text: Callable[[str], str]) -> Any:
    """The value with every text passed through ``text`` and every object's members in the order of RFC 8785."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        pairs = [(text(name), _sorted(inner, text)) for name, inner in value.items()]
        return dict(sorted(pairs, key=lambda pair: pair[0].encode("utf-16-be", "surrogatepass")))
    if isinstance(value, list | tuple):
        return [_sorted(inner, text) for inner in value]
    if isinstance(value, int) and abs(value) > _MAX_INT:
        raise ValueError("an integer beyond 2^53 - 1 has no canonical JSON form")
    return value


_CODINGS: Final = _Codings({topic: _derive(declared) for topic, declared in BY_TOPIC.items()})
#: Functions by topic, for loops that decode millions of rows; unknown topics raise :class:`UnknownTopicError`.
READERS: Final = _CODINGS


def encode(data: AnyData, *, source: str, id: str, time: datetime, salt: str) -> bytes:
    """The state of an event: canonical JSON in UTF-8, public and personal members apart.

    ``salt`` is the base64 text of 16 random bytes; it is stored only beside personal members. Raises
    :class:`UnknownTopicError` for a type that is not in ``BY_TOPIC``, ValueError for a time without an offset from UTC
    or personal members without a salt.
    """
    if time.tzinfo is None:
        raise ValueError("the time of an event needs an offset from UTC")
    coding = _CODINGS[data.TOPIC]
    return coding.write(data, source, id, time, salt)


def decode(topic: str, state: bytes, *, position: int, stream: UUID, version: int, recorded_at: datetime) -> Event:
    """The event that a stored row holds. Raises UnknownTopicError, or msgspec.DecodeError for a damaged state."""
    return _CODINGS[topic].read(position, stream, version, recorded_at, state)


def decode_filed(topic: str, state: bytes, *, stream: UUID, version: int) -> Filed:
    """A stored row with its salt, from which the same state can be encoded again."""
    return _CODINGS[topic].read_filed(stream, version, state)


def written(data: AnyData) -> bytes:
    """The data of an event as JSON with sorted members; canonical but for texts not in NFC and names beyond U+FFFF."""
    return _ENCODER.encode(data)


def content_digest(data: AnyData, in_nfc: bytes | None = None) -> bytes:
    """What makes a notice the same notice: SHA-256 (32 bytes) of RFC 8785 ``{"data":…,"type":…}`` after NFC.

    All members count, ``time`` does not (contract, section 2). NFC is applied to each text, not to the JSON text, where
    an escape and a combining mark after it could melt together. ``in_nfc``: what :func:`written` gives, from a caller
    who knows that every text of it is in NFC.
    """
    encoded = _ENCODER.encode(data) if in_nfc is None else in_nfc
    if (in_nfc is None and not encoded.isascii()) or _holds_dict_by_topic[data.TOPIC]:
        text = encoded.decode()
        if _holds_dict_by_topic[data.TOPIC] or not unicodedata.is_normalized("NFC", text):
            encoded = _dumps(_sorted(msgspec.to_builtins(data), _nfc))
    return hashlib.sha256(b'{"data":%b,"type":"%b"}' % (encoded, data.TOPIC.encode())).digest()


_holds_dict_by_topic: Final = {topic: _holds_dict(declared) for topic, declared in BY_TOPIC.items()}
