"""Proofs as texts that travel: C2SP tlog-proof receipts, tlog-witness bodies. Standard library only.

A receipt says: this entry stands at this index of the log whose head this checkpoint signs. Who holds the record and
the receipt checks both without asking anybody.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from register.log.note import (
    Check,
    Checkpoint,
    NoteError,
    VerifierKey,
    encode64,
    parse_checkpoint,
    parse_hash,
    parse_note,
    parse_number,
    verify_checkpoint,
)
from register.log.tree import (
    Node,
    ProofError,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

HEADER: Final = "c2sp.org/tlog-proof@v1"
#: More hashes than any tree below 2^63 leaves needs.
_MOST_HASHES: Final = 63


@dataclass(frozen=True, slots=True)
class Receipt:
    """A tlog-proof taken apart: nothing in it is verified yet."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class Consistency:
    """A tlog-witness ``add-checkpoint`` body taken apart: nothing in it is verified yet."""

    old: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes


def receipt(position: int, checkpoint: bytes, node: Node) -> bytes:
    """The tlog-proof of the event at ``position`` (1, 2, 3 …) against a checkpoint of ours, as a signed note.

    Raises ValueError when the checkpoint does not cover the position, ProofError when the tree that ``node`` reads is
    not the checkpoint's: nobody is handed a receipt that would not hold.
    """
    head_of = parse_checkpoint(parse_note(checkpoint).text)
    hashes = inclusion_proof(position - 1, head_of.size, node)
    verify_inclusion(node(0, position - 1), position - 1, head_of.size, hashes, head_of.root)
    head = "".join(f"{line}\n" for line in (HEADER, f"index {position - 1}", *map(encode64, hashes)))
    return head.encode() + b"\n" + checkpoint


def parse_receipt(raw: bytes) -> Receipt:
    """Read a tlog-proof; an ``extra`` line is let pass unread. Raises NoteError when it is malformed."""
    lines, checkpoint = _head(raw)
    if lines[0] != HEADER:
        raise NoteError("this is not a tlog-proof")
    rest = lines[2:] if len(lines) > 1 and lines[1].startswith("extra ") else lines[1:]
    index, hashes = _numbered(rest, "index ")
    return Receipt(index, hashes, checkpoint)


def verify_receipt(raw: bytes, entry: bytes, keys: Collection[VerifierKey], check: Check) -> tuple[int, Checkpoint]:
    """The position at which ``entry`` (32 bytes) stands, and the checkpoint that proves it.

    Raises NoteError when the text or the signature is wrong, ProofError when the proof is.
    """
    found = parse_receipt(raw)
    checkpoint = verify_checkpoint(found.checkpoint, keys, check)
    verify_inclusion(leaf_hash(entry), found.index, checkpoint.size, found.hashes, checkpoint.root)
    return found.index + 1, checkpoint


def consistency(old: int, checkpoint: bytes, node: Node) -> bytes:
    """The body a witness is sent: proof that the tree of size ``old`` is a prefix of this checkpoint's.

    Raises ValueError when the checkpoint is smaller than ``old``, ProofError when the tree that ``node`` reads is not
    the checkpoint's.
    """
    head_of = parse_checkpoint(parse_note(checkpoint).text)
    hashes = consistency_proof(old, head_of.size, node)
    verify_consistency(old, head_of.size, hashes, root(old, node), head_of.root)
    head = "".join(f"{line}\n" for line in (f"old {old}", *map(encode64, hashes)))
    return head.encode() + b"\n" + checkpoint


def parse_consistency(raw: bytes) -> Consistency:
    """Read a tlog-witness ``add-checkpoint`` body. Raises NoteError when it is malformed."""
    lines, checkpoint = _head(raw)
    old, hashes = _numbered(lines, "old ")
    return Consistency(old, hashes, checkpoint)


def verify_consistent(raw: bytes, older: Checkpoint, keys: Collection[VerifierKey], check: Check) -> Checkpoint:
    """The newer checkpoint, once it is proved to continue ``older``.

    Raises NoteError when the text or the signature is wrong, ProofError when the proof is, or speaks of another size.
    """
    found = parse_consistency(raw)
    newer = verify_checkpoint(found.checkpoint, keys, check)
    if newer.origin != older.origin or found.old != older.size:
        raise ProofError("the proof starts from another checkpoint")
    verify_consistency(older.size, newer.size, found.hashes, older.root, newer.root)
    return newer


def _head(raw: bytes) -> tuple[list[str], bytes]:
    """The lines above the first blank line, and the signed note below it."""
    head, blank, checkpoint = raw.partition(b"\n\n")
    if not blank:
        raise NoteError("the proof has no checkpoint")
    try:
        return head.decode("ascii").split("\n"), checkpoint
    except UnicodeDecodeError:
        raise NoteError("the proof is not ASCII") from None


def _numbered(lines: list[str], word: str) -> tuple[int, tuple[bytes, ...]]:
    """A line of a word and a number, then one hash a line."""
    if not lines or not lines[0].startswith(word):
        raise NoteError("the proof does not say where it starts")
    if len(lines) - 1 > _MOST_HASHES:
        raise NoteError("the proof is too long")
    return parse_number(lines[0].removeprefix(word)), tuple(map(parse_hash, lines[1:]))
