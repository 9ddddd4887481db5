"""The tree is RFC 6962's, and a proof proves its own claim only."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from register.log.tree import (
    EMPTY_ROOT,
    ProofError,
    Stack,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    perfect_root,
    root,
    verify_consistency,
    verify_inclusion,
)

VECTORS = Path(__file__).parents[3] / "shared" / "vectors"


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def leaves_of(count: int) -> list[bytes]:
    return [leaf_hash(str(i).encode()) for i in range(count)]


def reader(leaves: Sequence[bytes]) -> Any:
    return lambda level, index: perfect_root(leaves[index << level : (index + 1) << level])


def flips(raw: bytes) -> list[bytes]:
    """The same bytes with one byte changed, for each byte."""
    return [raw[:i] + bytes([raw[i] ^ 0x40]) + raw[i + 1 :] for i in range(len(raw))]


@given(st.integers(0, 600))
@settings(deadline=None, max_examples=60)
def test_the_root_is_the_same_however_it_is_computed(size: int) -> None:
    leaves = leaves_of(size)
    stack = Stack()
    for leaf in leaves:
        stack.push(leaf)
    assert stack.root() == root(size, reader(leaves)) == naive_root(leaves)
    assert size or stack.root() == EMPTY_ROOT


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_every_inclusion_is_proved_and_nothing_else(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    good, proof = naive_root(leaves), inclusion_proof(index, size, reader(leaves))
    verify_inclusion(leaves[index], index, size, proof, good)

    def refused(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
        with pytest.raises(ProofError):
            verify_inclusion(leaf, index, size, proof, root)

    for place in range(len(proof)):
        for bad in flips(proof[place]):
            refused(leaves[index], index, size, [*proof[:place], bad, *proof[place + 1 :]], good)
    for bad in flips(good):
        refused(leaves[index], index, size, proof, bad)
    for bad in flips(leaves[index]):
        refused(bad, index, size, proof, good)
    refused(leaves[index], index, size, [*proof, good], good)
    refused(leaves[index], size, size, proof, good)
    refused(leaves[index], index - size, size, proof, good)
    if proof:
        refused(leaves[index], index, size, proof[:-1], good)
        refused(leaves[index], index ^ 1, size, proof, good)


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_every_prefix_is_proved_consistent_and_nothing_else(data: st.DataObject) -> None:
    new = data.draw(st.integers(0, 300))
    old = data.draw(st.integers(0, new))
    leaves = leaves_of(new)
    before, after = naive_root(leaves[:old]), naive_root(leaves)
    proof = consistency_proof(old, new, reader(leaves))
    verify_consistency(old, new, proof, before, after)

    def refused(old: int, new: int, proof: Sequence[bytes], before: bytes, after: bytes) -> None:
        with pytest.raises(ProofError):
            verify_consistency(old, new, proof, before, after)

    for place in range(len(proof)):
        for bad in flips(proof[place]):
            refused(old, new, [*proof[:place], bad, *proof[place + 1 :]], before, after)
    for bad in flips(before):
        refused(old, new, proof, bad, after)
    if old:  # every tree continues the empty one
        for bad in flips(after):
            refused(old, new, proof, before, bad)
    refused(old, new, [*proof, after], before, after)
    refused(new + 1, new, proof, before, after)
    if proof:
        refused(old, new, proof[:-1], before, after)


def test_a_proof_goes_no_deeper_than_the_tree() -> None:
    """Even where the hashes would fit: a root over two leaves says nothing of a tree of one (RFC 9162, 2.1.3.2)."""
    leaf, other = leaves_of(2)
    with pytest.raises(ProofError, match="too long"):
        verify_inclusion(leaf, 0, 1, [other], node_hash(other, leaf))
    with pytest.raises(ProofError, match="too long"):
        verify_consistency(1, 2, [other, other], node_hash(other, leaf), node_hash(other, node_hash(leaf, other)))


def test_nothing_is_proved_outside_the_tree() -> None:
    node = reader(leaves_of(4))
    for index, size in ((4, 4), (-1, 4), (0, 0)):
        with pytest.raises(ValueError, match="outside"):
            inclusion_proof(index, size, node)
    for old, new in ((5, 4), (-1, 4)):
        with pytest.raises(ValueError, match="older"):
            consistency_proof(old, new, node)
    with pytest.raises(ValueError, match="power of two"):
        perfect_root(leaves_of(3))


def vectors(name: str) -> list[dict[str, Any]]:
    path = VECTORS / name
    if not path.exists():
        pytest.skip(f"the public test vectors ({name}) are not here")
    return [json.loads(line) for line in path.read_text().splitlines()]


def decoded(one: dict[str, Any], *names: str) -> list[bytes]:
    return [base64.b64decode(one[name]) for name in names]


def test_our_verdict_is_that_of_the_public_inclusion_vectors() -> None:
    cases = vectors("merkle-inclusion.jsonl")
    for one in cases:
        leaf, expected = decoded(one, "leafHash", "root")
        proof = [base64.b64decode(h) for h in one["proof"] or ()]
        try:
            verify_inclusion(leaf, one["leafIdx"], one["treeSize"], proof, expected)
            accepted = True
        except ProofError:
            accepted = False
        assert accepted is not one["wantErr"], one["name"]
    assert len(cases) == 98


def test_our_verdict_is_that_of_the_public_consistency_vectors() -> None:
    """But for one that is accepted there with roots of twelve bytes: those are no hashes, and we refuse them."""
    cases = vectors("merkle-consistency.jsonl")
    stricter = []
    for one in cases:
        before, after = decoded(one, "root1", "root2")
        proof = [base64.b64decode(h) for h in one["proof"] or ()]
        try:
            verify_consistency(one["size1"], one["size2"], proof, before, after)
            accepted = True
        except ProofError:
            accepted = False
        if accepted is one["wantErr"]:
            stricter.append(one["name"])
            assert not accepted, one["name"]
            assert len(before) != 32
    assert len(cases) == 98
    assert stricter == ["consistency/additional/sizes-are-equal-one-and-proof-is-empty"]
