"""Policies, cosignatures, and what their times allow: the C2SP texts, and that what breaks a rule is refused."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from register.audit.offline import ed25519
from register.log.brackets import LAG, SKEW, spans
from register.log.keys import Cosigner, Signer, check_signature
from register.log.note import (
    COSIGNATURE,
    Checkpoint,
    Cosignature,
    NoteError,
    VerifierKey,
    cosignatures,
    parse_key,
    parse_note,
    verify_checkpoint,
)
from register.log.policy import Policy, PolicyError, parse_policy

LOG = Signer("log.example/register", bytes(range(32)))
WITNESSES = [Cosigner(f"witness.example/w{n}", bytes([n]) * 32) for n in range(4)]
KEYS = [witness.key for witness in WITNESSES]
NOW = 1_795_248_000
HEAD = Checkpoint(LOG.key.name, 7, bytes(range(32)))

#: A checkpoint with one log signature and two cosignatures, as the public formats write them, and the cosigners' keys.
COSIGNED = """log.example/cbs-bih
7
3VVsdquiMB9TGtZuG2WpEA2zRiwyAHlX/TKYYDS5gRM=

— log.example/cbs-bih xZSxd3uqikUm93Rv7cM2oprz/uyEw8519F5+4sR5IiBX9Wp46lXPpThDuNpe+oi/gBC8OdV9kd0n8+9eeIcy1x/icAw=
— party-a.example/w RejSuwAAAABrAU+Aq60p2cEi3szbR/Y51zDqrOcK/v8cWd0R4JtFd2VuwY4Qw709HhqrYa5ibIBzt/q2+dK8rslUMUAvZbDjFyFVCQ==
— observer.example/w XKOKvQAAAABrAU+Ae3AjWcphhIcnDa8XLRA9GjWo47U4f2v6oGD870nWqwWkizh3n5HFPEQ/BEJXwet2Mj5cktNaQjKVg7DJVlnDAA==
"""  # noqa: E501


def policy(*lines: str) -> Policy:
    """A policy of the log and the four witnesses a, b, c, d."""
    named = [f"witness {name} {key}" for name, key in zip("abcd", KEYS, strict=True)]
    return parse_policy("\n".join([f"log {LOG.key}", *named, *lines, ""]).encode())


def cosigned(*times: tuple[int, int], head: Checkpoint = HEAD) -> bytes:
    """A checkpoint cosigned by witnesses (their number) at these seconds after NOW."""
    lines = "".join(str(WITNESSES[number].cosign(str(head), NOW + time)) for number, time in times)
    return LOG.sign(head) + lines.encode()


def test_a_cosignature_is_over_the_time_and_the_whole_text() -> None:
    note = cosigned((0, 0), (2, 60))
    for check in (check_signature, ed25519.verify):
        found = cosignatures(note, KEYS, check)
        assert [(one.key, one.time) for one in found] == [(KEYS[0], NOW), (KEYS[2], NOW + 60)]
    assert verify_checkpoint(note, [LOG.key], check_signature) == HEAD
    assert cosignatures(note, [KEYS[1]], check_signature) == ()
    with pytest.raises(NoteError, match="no trusted key"):
        verify_checkpoint(note, KEYS, check_signature)  # a witness's key is none of the log's


def test_one_changed_byte_of_a_cosignature_refuses_the_note_or_makes_it_a_strangers() -> None:
    note = cosigned((0, 0))
    begin = note.rindex("\N{EM DASH}".encode())
    for place in range(begin, len(note)):
        for bit in (1, 0x80):
            raw = note[:place] + bytes([note[place] ^ bit]) + note[place + 1 :]
            try:
                assert cosignatures(raw, KEYS, check_signature) == ()
            except NoteError:
                continue


def test_the_public_example_has_the_times_it_says() -> None:
    """The key ids and times of others are read as they wrote them (signed bytes: type 4, eight bytes of time)."""
    names = {"party-a.example/w": "45e8d2bb", "observer.example/w": "5ca38abd"}
    for one in parse_note(COSIGNED.encode()).signatures[1:]:
        assert one.key_id.hex() == names[one.name]
        assert int.from_bytes(one.signature[:8], "big") == NOW
        assert len(one.signature) == 72


def test_a_witness_key_is_of_its_own_kind() -> None:
    assert parse_key(str(KEYS[0]), COSIGNATURE) == KEYS[0]
    with pytest.raises(NoteError):
        parse_key(str(KEYS[0]))
    with pytest.raises(NoteError):
        parse_key(str(LOG.key), COSIGNATURE)
    same = VerifierKey(KEYS[0].name, KEYS[0].public)
    assert same.key_id != KEYS[0].key_id


@pytest.mark.parametrize(
    ("lines", "enough"),
    [
        (["quorum none"], lambda _: True),
        (["quorum b"], lambda present: "b" in present),
        (["group g any a b", "quorum g"], lambda present: bool({"a", "b"} & present)),
        (["group g all a b c", "quorum g"], lambda present: {"a", "b", "c"} <= present),
        (["group g 2 a b c", "quorum g"], lambda present: len({"a", "b", "c"} & present) >= 2),
        (
            ["group p any a b", "\tgroup  q all c d ", "group r all p q", "# a remark", "quorum r"],
            lambda present: bool({"a", "b"} & present) and {"c", "d"} <= present,
        ),
    ],
)
def test_the_quorum_is_what_the_groups_say(lines: list[str], enough: object) -> None:
    found = policy(*lines)
    for count in range(5):
        for present in itertools.combinations("abcd", count):
            keys = {KEYS["abcd".index(name)] for name in present}
            assert callable(enough)
            assert found.satisfied(keys) == enough(set(present)), present


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["quorum none", "quorum none"],
        ["quorum e"],
        ["quorum g", "group g any a b"],
        ["group g any", "quorum g"],
        ["group g 0 a b", "quorum g"],
        ["group g 3 a b", "quorum g"],
        ["group g 02 a b", "quorum g"],
        ["group g most a b", "quorum g"],
        ["group g any a a", "quorum g"],
        ["group g any a b", "group h any b c", "quorum h"],
        ["group g any none", "quorum g"],
        ["group none any a", "quorum a"],
        ["group a any b", "quorum a"],
        ["witness a2 not-a-key", "quorum a"],
        [f"witness again {KEYS[0]}", "quorum a"],
        [f"log {LOG.key} https://log.example", "quorum a"],
        [f"witness e {LOG.key}", "quorum a"],
        [f"log {KEYS[0]}", "quorum a"],
        ["quorum a b"],
        ["allow a", "quorum a"],
        ["quorum a\r"],
        ["# \x7f", "quorum a"],
    ],
)
def test_a_policy_that_breaks_a_rule_is_refused(lines: list[str]) -> None:
    with pytest.raises(PolicyError):
        policy(*lines)


def test_addresses_of_witnesses_are_read_and_names_may_be_any_letters() -> None:
    text = f"witness opozicija-čć {KEYS[0]}  https://witness.example/a \n\nquorum opozicija-čć"
    found = parse_policy(text.encode())
    assert (found.witnesses[0].url, found.satisfied([KEYS[0]])) == ("https://witness.example/a", True)


Said = list[tuple[int, int, int]]


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3), st.integers(-9, 9)), max_size=8),
    st.sampled_from(["quorum a", "quorum none", "group g any a b\nquorum g", "group g 2 a b c\nquorum g"]),
)
def test_a_position_lies_between_what_a_quorum_had_and_had_not_seen(said: Said, lines: str) -> None:
    """Against the words of the rule: T counts when those who cosigned by it (or from it on) make the quorum."""
    rule = policy(*lines.split("\n"))
    heads = [(size, [cosignature(witness, time)]) for size, witness, time in said]
    found = spans(rule, heads, skew=0, lag=0)
    assert [span.last for span in found] == [*sorted({size for size, _, _ in said}), 1 << 63]
    for position in range(1, 8):
        span = next(span for span in found if span.last >= position)
        for time in range(-10, 11):
            covered = {KEYS[w] for size, w, at in said if size >= position and at <= time}
            lacking = {KEYS[w] for size, w, at in said if size < position and at >= time}
            if lines == "quorum none":
                covered, lacking = set(), set()
                assert (span.not_before, span.not_after) == (b"0000", b"9999")
                continue
            written = instant(time)
            assert (span.not_after <= written) == rule.satisfied(covered)
            assert (span.not_before >= written) == rule.satisfied(lacking)


def test_clocks_may_differ_and_a_witness_may_be_shown_the_log_late() -> None:
    (first, last) = spans(policy("quorum a"), [(7, [cosignature(0, 0)])])
    assert (first.last, first.not_before, first.not_after) == (7, b"0000", instant(SKEW))
    assert (last.not_before, last.not_after) == (instant(-LAG), b"9999")


def cosignature(witness: int, time: int) -> Cosignature:
    line = WITNESSES[witness].cosign(str(HEAD), NOW + time)
    return Cosignature(KEYS[witness], NOW + time, line)


def instant(time: int) -> bytes:
    return datetime.fromtimestamp(NOW + time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
