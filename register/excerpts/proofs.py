"""A list as a small Merkle tree over its salted lines, so that one line can be proved without showing another.

Leaf of line ``no`` (1, 2, 3 …): ``SHA-256(0x00 || SHA-256(salt || line))``; ``line`` is the list's CSV line without its
end; ``salt`` the first 16 bytes of ``HMAC-SHA-256(secret, no in decimal digits)``; tree and proofs as in RFC 6962.
``secret`` (32 random bytes) is the list's own. Who knows it can check the whole list; who has a line, its salt and its
proof can check that line alone, and can guess no other: 128 bits stand before every guess.

Standard library only: the offline verification imports this module.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from register.log.tree import Stack, inclusion_proof, leaf_hash, node_hash, verify_inclusion

SECRET_BYTES: Final = 32
SALT_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class LineProof:
    """That ``line`` stands at ``index`` (0, 1, 2 …) of a list of ``size`` lines: ``hashes`` lead to the list's root."""

    line: bytes
    salt: bytes
    index: int
    size: int
    hashes: tuple[bytes, ...]


def line_salt(secret: bytes, no: int) -> bytes:
    """The salt of line ``no`` (1, 2, 3 …)."""
    return hmac.digest(secret, b"%d" % no, "sha256")[:SALT_BYTES]


def leaf_of(salt: bytes, line: bytes) -> bytes:
    """The leaf of a line (without its end)."""
    return leaf_hash(sha256(salt + line).digest())


def lines_of(csv: bytes) -> list[bytes]:
    r"""The lines of a list's CSV file without header and line ends. Raises ValueError unless each ends in ``\n``.

    No field of a list holds a line's end: control characters are refused where data comes in.
    """
    header, *lines = csv.split(b"\n")
    if not header or not lines or lines.pop():
        raise ValueError("this is not the CSV file of a list")
    return lines


def tree_of(secret: bytes, lines: Iterable[bytes]) -> tuple[int, bytes]:
    """Number of lines, and root over them, in one pass."""
    stack = Stack()
    for leaf in _leaves(secret, lines):
        stack.push(leaf)
    return stack.size, stack.root()


def prove(secret: bytes, lines: Sequence[bytes], no: int) -> LineProof:
    """The proof of line ``no`` (1, 2, 3 …). Raises ValueError when the list has no such line."""
    if not 1 <= no <= len(lines):
        raise ValueError("the list has no such line")
    levels = [list(_leaves(secret, lines))]
    while len(below := levels[-1]) > 1:
        levels.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
    hashes = inclusion_proof(no - 1, len(lines), lambda level, index: levels[level][index])
    return LineProof(lines[no - 1], line_salt(secret, no), no - 1, len(lines), tuple(hashes))


def verify_line(proof: LineProof, root: bytes) -> None:
    """Check that the line stands on the list with this root. Raises ``ProofError`` otherwise."""
    verify_inclusion(leaf_of(proof.salt, proof.line), proof.index, proof.size, proof.hashes, root)


def _leaves(secret: bytes, lines: Iterable[bytes]) -> Iterator[bytes]:
    for no, line in enumerate(lines, 1):
        yield leaf_of(line_salt(secret, no), line)
