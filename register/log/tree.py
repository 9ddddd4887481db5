"""The Merkle tree of RFC 6962 / RFC 9162, pure: roots, inclusion and consistency proofs, and their verification.

Every hash is 32 bytes (SHA-256). A leaf is ``SHA-256(0x00 || entry)``, a node ``SHA-256(0x01 || left || right)``. The
functions that make proofs read the tree through a :data:`Node` reader, so that they know nothing of files. Standard
library only: the offline verification imports this module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
#: Root of the tree without leaves: the hash of nothing (RFC 6962, 2.1).
EMPTY_ROOT: Final = sha256(b"").digest()

#: Leaves that :meth:`Stack.extend` takes at once.
_BLOCK: Final = 256

#: ``node(level, index)`` is the root of the perfect subtree over leaves ``[index << level, (index + 1) << level)``.
Node = Callable[[int, int], bytes]


class ProofError(Exception):
    """A proof does not prove what it claims, or is not a proof at all."""


def leaf_hash(entry: bytes) -> bytes:
    """The leaf of an entry (RFC 6962, 2.1)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The node over two subtrees (RFC 6962, 2.1)."""
    return sha256(b"\x01" + left + right).digest()


class Stack:
    """The roots of the perfect subtrees a growing tree consists of: all that is needed to know its root.

    One pass, memory of ``log2(size)`` hashes. The root at any intermediate size costs ``log2(size)`` hashes more.
    """

    __slots__ = ("_roots", "size")

    def __init__(self) -> None:
        self._roots: list[bytes] = []
        self.size = 0

    def push(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        self.size = carry = self.size + 1
        roots = self._roots
        while not carry & 1:
            leaf = sha256(b"\x01" + roots.pop() + leaf).digest()
            carry >>= 1
        roots.append(leaf)

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Append leaf hashes; whole blocks of them go in as one subtree, which is faster than one by one."""
        start, count = 0, len(leaves)
        while start < count:
            if self.size % _BLOCK or count - start < _BLOCK:
                self.push(leaves[start])
                start += 1
            else:
                self._push_block(perfect_root(leaves[start : start + _BLOCK]))
                start += _BLOCK

    def _push_block(self, node: bytes) -> None:
        self.size += _BLOCK
        carry = self.size // _BLOCK
        while not carry & 1:
            node = sha256(b"\x01" + self._roots.pop() + node).digest()
            carry >>= 1
        self._roots.append(node)

    def copy(self) -> Stack:
        """A stack of the same tree that grows on its own."""
        other = Stack()
        other._roots, other.size = self._roots.copy(), self.size
        return other

    def root(self) -> bytes:
        """Root of the tree over the leaves pushed so far."""
        return _fold(self._roots) if self._roots else EMPTY_ROOT


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """Root over a power of two of subtree roots of the same height.

    Raises ValueError when their number is not a power of two.
    """
    count = len(hashes)
    if count == 0 or count & (count - 1):
        raise ValueError("a perfect subtree has a power of two of leaves")
    hashed = sha256
    while count > 1:
        hashes = [
            hashed(b"\x01" + left + right).digest() for left, right in zip(hashes[::2], hashes[1::2], strict=True)
        ]
        count >>= 1
    return hashes[0]


def root(size: int, node: Node) -> bytes:
    """Root of the tree over the first ``size`` leaves."""
    return _range_root(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """The audit path of leaf ``index`` in the tree of ``size`` leaves, from the sibling upwards (RFC 6962, 2.1.1).

    Raises ValueError unless ``0 <= index < size``.
    """
    if not 0 <= index < size:
        raise ValueError("the index lies outside the tree")
    low, high, path = 0, size, []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range_root(middle, high, node))
            high = middle
        else:
            path.append(_range_root(low, middle, node))
            low = middle
    return path[::-1]


def consistency_proof(old: int, new: int, node: Node) -> list[bytes]:
    """The proof that the tree of ``old`` leaves is a prefix of the one of ``new`` leaves (RFC 6962, 2.1.2).

    Empty for equal sizes, and for ``old == 0`` (C2SP tlog-witness). Raises ValueError unless ``0 <= old <= new``.
    """
    if not 0 <= old <= new:
        raise ValueError("the older tree cannot be larger than the newer one")
    if old == 0:
        return []
    low, high, path = 0, new, []
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_range_root(middle, high, node))
            high = middle
        else:
            path.append(_range_root(low, middle, node))
            low = middle
    if low:  # else the remaining subtree is the old tree itself, whose root the verifier has
        path.append(_range_root(low, high, node))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> None:
    """Check that ``leaf`` stands at ``index`` in the tree of ``size`` leaves with this root (RFC 9162, 2.1.3.2).

    Raises ProofError otherwise, also for anything that is not a 32-byte hash.
    """
    _require_hashes(leaf, expected_root, *proof)
    if not 0 <= index < size:
        raise ProofError("the index lies outside the tree")
    first, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        if first & 1 or first == last:
            found = node_hash(sibling, found)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        first, last = first >> 1, last >> 1
    if last:
        raise ProofError("the proof is too short")
    if found != expected_root:
        raise ProofError("the proof leads to another root")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that the tree (old, old_root) is a prefix of the tree (new, new_root) (RFC 9162, 2.1.4.2).

    ``old == 0`` is consistent with everything under an empty proof (C2SP tlog-witness), provided its root is the empty
    one. Raises ProofError otherwise, also for anything that is not a 32-byte hash.
    """
    _require_hashes(old_root, new_root, *proof)
    if not 0 <= old <= new:
        raise ProofError("the older tree is larger than the newer one")
    if old in {0, new}:
        _verify_trivial(old, new, proof, old_root, new_root)
        return
    rest = list(proof)
    if not old & (old - 1):
        rest.insert(0, old_root)
    if not rest:
        raise ProofError("the proof is too short")
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    found_old = found_new = rest[0]
    for sibling in rest[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if first & 1 or first == last:
            found_old, found_new = node_hash(sibling, found_old), node_hash(sibling, found_new)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            found_new = node_hash(found_new, sibling)
        first, last = first >> 1, last >> 1
    if last:
        raise ProofError("the proof is too short")
    if found_old != old_root or found_new != new_root:
        raise ProofError("the proof leads to another root")


def _verify_trivial(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    if proof:
        raise ProofError("the proof must be empty")
    if old == 0 and old_root != EMPTY_ROOT:
        raise ProofError("an empty tree has the empty root")
    if old == new and old_root != new_root:
        raise ProofError("two roots for one size")


def _require_hashes(*hashes: bytes) -> None:
    if any(len(one) != HASH_BYTES for one in hashes):
        raise ProofError("a hash has 32 bytes")


def _split(count: int) -> int:
    """Largest power of two below ``count`` (``count >= 2``)."""
    return 1 << ((count - 1).bit_length() - 1)


def _range_root(low: int, high: int, node: Node) -> bytes:
    """Root over leaves ``[low, high)``; ``low`` is a multiple of the largest perfect subtree that fits the range."""
    roots = []
    while low < high:
        level = (high - low).bit_length() - 1
        roots.append(node(level, low >> level))
        low += 1 << level
    return _fold(roots)


def _fold(roots: Sequence[bytes]) -> bytes:
    """Join the roots of perfect subtrees of falling size, from the right."""
    found = roots[-1]
    for left in reversed(roots[:-1]):
        found = node_hash(left, found)
    return found
