"""Notes, checkpoints, keys and receipts: the C2SP texts, and that one changed byte is one refusal."""

from __future__ import annotations

import base64
import os
import stat
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from register.audit.offline import checks, ed25519
from register.log.keys import KeyFileError, Signer, check_signature, open_key
from register.log.note import (
    Checkpoint,
    NoteError,
    Signature,
    parse_checkpoint,
    parse_key,
    parse_note,
    verify_checkpoint,
    verify_note,
)
from register.log.receipts import (
    consistency,
    parse_consistency,
    parse_receipt,
    receipt,
    verify_consistent,
    verify_receipt,
)
from register.log.tree import (
    Node,
    ProofError,
    Stack,
    leaf_hash,
    node_hash,
    perfect_root,
    verify_consistency,
    verify_inclusion,
)

ORIGIN = "log.example/register"
SIGNER = Signer(ORIGIN, bytes(range(32)))
KEY = str(SIGNER.key)

#: A receipt and a consistency proof over the same seven leaves, and the record at index 3, all in the public formats.
RECORD = (
    b'{"id":"c4ca4238-a0b9-4382-8dcc-509a6f75849b","state":{"at":"2026-11-09T09:12:44Z","by":"municipality-034","data":'
    b'{"ground":"deceased","source":"sha256:5c1cb43fd1d66226291dc058c12532420150845f1058560548ec01f3ee846d15"},"salt":'
    b'"0EPXXO5S6EADFYeQ+Snlyg=="},"topic":"voter.removed/v1","v":2}'
)
CHECKPOINT_7 = """log.example/cbs-bih
7
3VVsdquiMB9TGtZuG2WpEA2zRiwyAHlX/TKYYDS5gRM=

— log.example/cbs-bih xZSxd3uqikUm93Rv7cM2oprz/uyEw8519F5+4sR5IiBX9Wp46lXPpThDuNpe+oi/gBC8OdV9kd0n8+9eeIcy1x/icAw=
"""
RECEIPT_3 = f"""c2sp.org/tlog-proof@v1
index 3
kpSLx4tsJYxVNSL5TMNenLlfmMLarblkIkYI8crmDlY=
a0LiNOUyThAhEsp/OtXOfrPUj/bJYH15K2iY9rh2/3U=
8pDK9JsqcbamozR+OJ2T8zJnXkFq/DVO402BfFNq6Rk=

{CHECKPOINT_7}""".encode()
FROM_3 = f"""old 3
kpSLx4tsJYxVNSL5TMNenLlfmMLarblkIkYI8crmDlY=
Y3+wZtzrRmDAW/o8qTXucj5N4u7IcXv0iKuSGIyCDmo=
a0LiNOUyThAhEsp/OtXOfrPUj/bJYH15K2iY9rh2/3U=
8pDK9JsqcbamozR+OJ2T8zJnXkFq/DVO402BfFNq6Rk=

{CHECKPOINT_7}""".encode()

#: RFC 8032, 7.1, tests 1 to 3 and SHA(abc): seed, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe2465"
            "5141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb0"
            "0d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc0"
            "27beceea1ec40a"
        ),
    ),
]


def tree_of(count: int) -> list[bytes]:
    return [leaf_hash(str(i).encode()) for i in range(count)]


def node(leaves: list[bytes]) -> Node:
    return lambda level, index: perfect_root(leaves[index << level : (index + 1) << level])


def signed(leaves: list[bytes]) -> bytes:
    stack = Stack()
    for leaf in leaves:
        stack.push(leaf)
    return SIGNER.sign(Checkpoint(ORIGIN, len(leaves), stack.root()))


def changed(raw: bytes) -> list[bytes]:
    """One byte changed at each place, by a bit of the letter and by its highest bit."""
    return [raw[:i] + bytes([raw[i] ^ bit]) + raw[i + 1 :] for i in range(len(raw)) for bit in (0x01, 0x20, 0x80)]


def test_the_public_example_of_a_receipt_holds() -> None:
    found = parse_receipt(RECEIPT_3)
    head = parse_checkpoint(parse_note(found.checkpoint).text)
    assert (found.index, head.size, head.origin) == (3, 7, "log.example/cbs-bih")
    verify_inclusion(leaf_hash(sha256(RECORD).digest()), found.index, head.size, found.hashes, head.root)


def test_the_public_example_of_a_consistency_proof_holds() -> None:
    found = parse_consistency(FROM_3)
    head = parse_checkpoint(parse_note(found.checkpoint).text)
    left, third = parse_receipt(RECEIPT_3).hashes[1], parse_receipt(RECEIPT_3).hashes[0]
    verify_consistency(3, 7, found.hashes, node_hash(left, third), head.root)


def test_a_key_line_carries_its_own_check() -> None:
    public = bytes.fromhex(RFC_8032[0][1])
    key_id = sha256(b"log.example/register\n\x01" + public).hexdigest()[:8]
    line = f"log.example/register+{key_id}+{base64.b64encode(bytes([1]) + public).decode()}"
    assert str(parse_key(line)) == line
    assert parse_key(line).public == public
    for raw in changed(line.encode()):
        with pytest.raises((NoteError, UnicodeDecodeError)):
            parse_key(raw.decode())


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_both_verifiers_agree_with_rfc_8032(seed: str, public: str, message: str, signature: str) -> None:
    key, text, good = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    assert Signer(ORIGIN, bytes.fromhex(seed)).key.public == key
    for check in (check_signature, ed25519.verify):
        assert check(key, text, good)
        assert not check(key, text + b"x", good)
        assert not any(check(key, text, good[:i] + bytes([good[i] ^ 1]) + good[i + 1 :]) for i in range(0, 64, 7))


def test_the_pure_verifier_takes_one_spelling_of_a_signature_only() -> None:
    _, public, message, signature = RFC_8032[1]
    key, text, good = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    order = 2**252 + 27742317777372353535851937790883648493
    again = good[:32] + (int.from_bytes(good[32:], "little") + order).to_bytes(32, "little")
    off_curve = b"\x02" + bytes(31)
    not_reduced = (2**255 - 19 + 1).to_bytes(32, "little")
    assert not ed25519.verify(key, text, again)
    assert not ed25519.verify(off_curve, text, good)
    assert not ed25519.verify(not_reduced, text, good)
    assert not ed25519.verify(key[:31], text, good)
    assert not ed25519.verify(key, text, good[:63])


@given(st.binary(max_size=200), st.binary(min_size=32, max_size=32))
def test_what_the_log_signs_both_verifiers_accept(message: bytes, seed: bytes) -> None:
    signer = Signer(ORIGIN, seed)
    note = signer.sign(Checkpoint(ORIGIN, len(message), sha256(message).digest()))
    assert verify_checkpoint(note, [signer.key], check_signature) == verify_checkpoint(
        note, [signer.key], ed25519.verify
    )


def test_a_checkpoint_with_one_byte_changed_is_refused() -> None:
    note = signed(tree_of(7))
    assert checks.check_checkpoint(note, KEY).size == 7
    for raw in changed(note):
        with pytest.raises(NoteError):
            verify_checkpoint(raw, [SIGNER.key], check_signature)


def test_signatures_of_strangers_count_for_nothing() -> None:
    note = signed(tree_of(7))
    stranger = Signer("witness.example/w", bytes(32))
    line = Signature(stranger.key.name, stranger.key.key_id, bytes(72))
    assert verify_checkpoint(note + str(line).encode(), [SIGNER.key], check_signature).size == 7
    with pytest.raises(NoteError, match="no trusted key"):
        verify_note(note, [stranger.key], check_signature)
    with pytest.raises(NoteError, match="another log"):
        SIGNER.sign(Checkpoint("other.example/log", 0, bytes(32)))


@pytest.mark.parametrize(
    "text",
    ["o\n07\n", "o\n-1\n", "o\n7\n", "o\n7\nAAAA\n", "o\n\u0667\n" + "A" * 43 + "=\n", "\n7\n" + "A" * 43 + "=\n"],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_checkpoint(text)


def test_a_receipt_proves_its_own_record_only() -> None:
    leaves = tree_of(11)
    note, reader = signed(leaves), node(leaves)
    good = receipt(6, note, reader)
    assert verify_receipt(good, b"5", [SIGNER.key], check_signature)[0] == 6
    with pytest.raises(ProofError):
        verify_receipt(good, b"4", [SIGNER.key], check_signature)
    for raw in changed(good):
        with pytest.raises((NoteError, ProofError)):
            verify_receipt(raw, b"5", [SIGNER.key], check_signature)
    for position in (0, 12):
        with pytest.raises(ValueError, match="outside"):
            receipt(position, note, reader)


def test_a_consistency_proof_holds_between_its_own_checkpoints_only() -> None:
    leaves = tree_of(11)
    older = checks.check_checkpoint(signed(leaves[:6]), KEY)
    good = consistency(6, signed(leaves), node(leaves))
    assert checks.check_consistency(good, older, KEY).size == 11
    forked = checks.check_checkpoint(signed([*leaves[:5], leaf_hash(b"other")]), KEY)
    for wrong in (forked, checks.check_checkpoint(signed(leaves[:5]), KEY)):
        with pytest.raises(ProofError):
            checks.check_consistency(good, wrong, KEY)
    for raw in changed(good):
        with pytest.raises((NoteError, ProofError)):
            verify_consistent(raw, older, [SIGNER.key], check_signature)


def test_the_key_is_made_once_and_kept_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "log" / "key"
    signer = open_key(path, ORIGIN, lambda count: bytes(range(count)))
    assert signer.key == SIGNER.key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["key"]
    assert open_key(path, ORIGIN, os.urandom).key == signer.key

    with pytest.raises(KeyFileError, match="another origin"):
        open_key(path, "other.example/log", os.urandom)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="0600"):
        open_key(path, ORIGIN, os.urandom)
    path.chmod(0o600)
    good = path.read_bytes()
    for place in range(len(good) - 1):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(KeyFileError):
            open_key(path, ORIGIN, os.urandom)
