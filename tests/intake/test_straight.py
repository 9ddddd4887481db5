"""The quick way of reading a notice and the thorough one never say different things."""

from __future__ import annotations

import json
import random
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from register.intake.examples import EXAMPLES
from register.intake.parse import _by_values, _straight

NOTICES = [notice for notices in EXAMPLES.values() for notice in notices]


def compact(notice: Any) -> bytes:
    return json.dumps(notice, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: str(notice["type"]))
def test_every_example_is_read_the_quick_way(notice: dict[str, Any]) -> None:
    assert _straight(compact(notice)) is not None


def _twice(line: bytes, chance: random.Random) -> bytes:
    """A member named twice, in the envelope or in the data, the second time with another value."""
    name = chance.choice([b"jmb", b"id", b"type", b"effective_on", b"surname", b"data", b"document", b"sent"])
    at = chance.choice([n for n, byte in enumerate(line) if byte == ord("{")])
    value = chance.choice([b'"x"', b"1", b"null", b'"0101970100017"', b"{}"])
    return line[: at + 1] + b'"' + name + b'":' + value + b"," + line[at + 1 :]


def _member(line: bytes, chance: random.Random) -> bytes:
    """A member replaced, dropped or added, at some depth."""
    notice = json.loads(line)
    where = chance.choice([notice, notice.get("data", notice)])
    if not isinstance(where, dict) or not where:
        return line
    name = chance.choice([*where, "extension", "data_base64", "datacontenttype", "script", "document"])
    value: Any = chance.choice([None, "", "x", 1, 1.0, True, [], {}, "type", "Č", "C\u030c", "\u0001", "text/xml", -1])
    if value == "x" and name in where:
        del where[name]
    else:
        where[name] = value
    return compact(notice)


def _escaped(line: bytes, _: random.Random) -> bytes:
    return json.dumps(json.loads(line)).encode()


def _decomposed(line: bytes, _: random.Random) -> bytes:
    return unicodedata.normalize("NFD", line.decode()).encode()


def _damaged(line: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(line))
    return line[:at] + chance.choice([b"", b'"', b"\\", b"\x00", b"\xff", b" ", b"{", b"0"]) + line[at + 1 :]


CHANGES = (_twice, _member, _escaped, _decomposed, _damaged)


@given(st.sampled_from(NOTICES), st.lists(st.sampled_from(CHANGES), max_size=3), st.randoms(use_true_random=False))
def test_whatever_was_done_to_a_notice_both_ways_agree_or_the_quick_one_passes_it_on(
    notice: dict[str, Any], changes: list[Any], chance: random.Random
) -> None:
    line = compact(notice)
    for change in changes:
        try:
            line = change(line, chance)
        except ValueError:
            break  # no JSON any more: there is nothing further to change in it
    quick = _straight(line)
    if quick is not None:
        assert quick == _by_values(line)
