"""Small bodies of requests are read as strictly as notices are."""

from __future__ import annotations

import msgspec
import pytest

from register.api.bodies import decode
from register.law.provisions import Refusal


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    surname: str
    aliases: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("body", "kind", "pointers"),
    [
        (b"{", "malformed", ("",)),
        (b"\xff", "malformed", ("",)),
        (rb'{"surname":"\ud800"}', "malformed", ("",)),
        (b'{"surname":"a","surname":"b"}', "malformed", ("",)),
        (b'{"surname":' + b"[" * 20_000 + b"]" * 20_000 + b"}", "malformed", ("",)),
        (b'{"surname":"a' + "\u0316\u0301".encode() * 15_000 + b'"}', "malformed", ("",)),
        (rb'{"surname":"a\u0000"}', "schema", ("/surname",)),
        (b'{"surname":"a\x7f"}', "schema", ("/surname",)),
        (rb'{"surname":"a","aliases":["b","\n"]}', "schema", ("/aliases/1",)),
        (b'{"surname":5}', "schema", ("/surname",)),
        (b'{"surname":"a","x":1}', "schema", ("",)),
        (b"{}", "schema", ("/surname",)),
        (b'{"surname":' + b"9" * 30 + b"}", "schema", ("/surname",)),
    ],
)
def test_what_a_body_may_not_say_is_refused_with_kind_and_pointer(
    body: bytes, kind: str, pointers: tuple[str, ...]
) -> None:
    with pytest.raises(Refusal) as refused:
        decode(body, Person)
    assert refused.value.kind == kind
    assert tuple(fault.pointer for fault in refused.value.faults) == pointers


def test_texts_of_a_body_are_in_nfc_however_they_were_written() -> None:
    assert decode('{"surname":"C\u030cajic\u0301"}'.encode(), Person) == Person("Čajić")
    assert decode(rb'{"surname":"C\u030cajic\u0301"}', Person) == Person("Čajić")
