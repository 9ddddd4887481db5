"""Signed notes, checkpoints, cosignatures: C2SP signed-note, tlog-checkpoint, tlog-cosignature. Standard library only.

Signing and checking signatures are passed in, so that the register uses a compiled library and the offline
verification a pure one, over this same reading of the text. Base64 is read strictly: one value has one spelling.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from register.log.tree import HASH_BYTES

#: Signature type of an Ed25519 signature over the note's text (C2SP signed-note).
ED25519: Final = 0x01
#: Signature type of a witness's Ed25519 cosignature with its time (C2SP tlog-cosignature, cosignature/v1).
COSIGNATURE: Final = 0x04
#: Largest note read, in bytes; far above sixteen signatures, which every reader must accept.
LARGEST_NOTE: Final = 1 << 20
#: ``check(public_key, message, signature)``: is this Ed25519 signature (RFC 8032) a good one?
Check = Callable[[bytes, bytes, bytes], bool]

_DASH: Final = "\N{EM DASH} "
_NUMBER: Final = re.compile(r"(0|[1-9][0-9]{0,18})\Z")
_SIGNATURE_BYTES: Final = 64
_TIME_BYTES: Final = 8
_PUBLIC_BYTES: Final = 32


class NoteError(Exception):
    """The text is not a signed note or checkpoint, or no trusted key signed it."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under a name, as a verifier is given it: ``name+keyid+base64(type || public key)``."""

    name: str
    public: bytes
    kind: int = ED25519

    @property
    def key_id(self) -> bytes:
        """First four bytes of ``SHA-256(name || 0x0A || type || public key)``."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode64(bytes([self.kind]) + self.public)}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who, and the bytes after the key id."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {encode64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text ending in a newline, and the signatures under it."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(map(str, self.signatures))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree's head: whose log, how many leaves, which root (C2SP tlog-checkpoint, without extension lines)."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{encode64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class Cosignature:
    """What a witness says: at ``time`` (POSIX seconds) this was the largest head it had seen of the log."""

    key: VerifierKey
    time: int
    line: Signature


def check_name(name: str) -> str:
    """A key name: not empty, no spaces, no plus, nothing unprintable. Raises NoteError."""
    if not name or "+" in name or not name.isprintable() or any(c.isspace() for c in name):
        raise NoteError("a key name must be printable and have no space and no plus")
    return name


def parse_key(line: str, kind: int = ED25519) -> VerifierKey:
    """Read a verifier key line; ``kind`` is ED25519 for a log's key, COSIGNATURE for a witness's.

    Raises NoteError when it is malformed, of another type, or its id is not its own.
    """
    parts = line.split("+", 2)
    if len(parts) != 3:
        raise NoteError("a verifier key has three parts")
    material = decode64(parts[2])
    if len(material) != 1 + _PUBLIC_BYTES or material[0] != kind:
        raise NoteError(f"the verifier key is not an Ed25519 key of type {kind}")
    key = VerifierKey(check_name(parts[0]), material[1:], kind)
    if parts[1] != key.key_id.hex():
        raise NoteError("the verifier key has another key id")
    return key


def parse_note(raw: bytes) -> Note:
    """Split a signed note into text and signatures, verifying nothing yet. Raises NoteError when it is malformed."""
    if len(raw) > LARGEST_NOTE:
        raise NoteError("the note is too large")
    try:
        whole = raw.decode()
    except UnicodeDecodeError:
        raise NoteError("the note is not UTF-8") from None
    if any(c < " " and c != "\n" for c in whole):
        raise NoteError("the note holds control characters")
    body, blank, tail = whole.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise NoteError("the note has no signatures")
    return Note(body + "\n", tuple(_parse_signature(line) for line in tail[:-1].split("\n")))


def verify_note(raw: bytes, keys: Collection[VerifierKey], check: Check) -> tuple[Note, tuple[VerifierKey, ...]]:
    """The note and the trusted keys that signed it (at least one).

    Signatures of other keys are ignored, as the specification demands; a bad one of a trusted key refuses the whole
    note. Raises NoteError.
    """
    note = parse_note(raw)
    known = {(key.name, key.key_id): key for key in keys if key.kind == ED25519}
    message = note.text.encode()
    signers = []
    for one in note.signatures:
        key = known.get((one.name, one.key_id))
        if key is None:
            continue
        if len(one.signature) != _SIGNATURE_BYTES or not check(key.public, message, one.signature):
            raise NoteError("a trusted key's signature is wrong")
        signers.append(key)
    if not signers:
        raise NoteError("no trusted key signed this note")
    return note, tuple(signers)


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a note's text as a checkpoint; extension lines are let pass unread. Raises NoteError."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] != "" or "" in lines[:-1]:
        raise NoteError("a checkpoint has at least three lines, none of them empty")
    return Checkpoint(lines[0], parse_number(lines[1]), parse_hash(lines[2]))


def verify_checkpoint(raw: bytes, keys: Collection[VerifierKey], check: Check) -> Checkpoint:
    """The checkpoint of a note signed by one of these keys of the log, whose name is the log's origin.

    Raises NoteError when the text, a signature or the origin is wrong.
    """
    note, signers = verify_note(raw, keys, check)
    checkpoint = parse_checkpoint(note.text)
    if all(key.name != checkpoint.origin for key in signers):
        raise NoteError("the checkpoint is of another log")
    return checkpoint


def cosigned_text(text: str, time: int) -> bytes:
    """The bytes a witness signs at ``time`` (POSIX seconds): two lines, then the whole text of the note."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def cosignatures(raw: bytes, keys: Collection[VerifierKey], check: Check) -> tuple[Cosignature, ...]:
    """The good cosignatures of these witnesses under a checkpoint; whose checkpoint it is, is not judged here.

    Signatures of other keys are ignored; a bad one of a trusted witness refuses the whole note. Raises NoteError.
    """
    note = parse_note(raw)
    known = {(key.name, key.key_id): key for key in keys if key.kind == COSIGNATURE}
    found = []
    for one in note.signatures:
        key = known.get((one.name, one.key_id))
        if key is None:
            continue
        time = int.from_bytes(one.signature[:_TIME_BYTES], "big")
        signature = one.signature[_TIME_BYTES:]
        if len(signature) != _SIGNATURE_BYTES or time >= 1 << 63:
            raise NoteError("a trusted witness's cosignature is malformed")
        if not check(key.public, cosigned_text(note.text, time), signature):
            raise NoteError("a trusted witness's cosignature is wrong")
        found.append(Cosignature(key, time, one))
    return tuple(found)


def parse_signatures(raw: bytes) -> tuple[Signature, ...]:
    """Read signature lines that stand alone, as a witness answers. Raises NoteError when one is malformed."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise NoteError("the signature lines are not UTF-8") from None
    if len(raw) > LARGEST_NOTE or not text.endswith("\n"):
        raise NoteError("these are no signature lines")
    return tuple(_parse_signature(line) for line in text[:-1].split("\n"))


def parse_number(text: str) -> int:
    """An ASCII decimal without leading zeroes, below 2^63. Raises NoteError."""
    if not _NUMBER.match(text) or int(text) >= 1 << 63:
        raise NoteError("a size or index is a plain decimal number")
    return int(text)


def parse_hash(text: str) -> bytes:
    """A 32-byte hash in base64. Raises NoteError."""
    decoded = decode64(text)
    if len(decoded) != HASH_BYTES:
        raise NoteError("a hash has 32 bytes")
    return decoded


def encode64(raw: bytes) -> str:
    """Standard base64 (RFC 4648, section 4)."""
    return base64.b64encode(raw).decode()


def decode64(text: str) -> bytes:
    """Standard base64, accepting only the spelling that :func:`encode64` gives. Raises NoteError."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise NoteError("this is not base64") from None
    if encode64(raw) != text:
        raise NoteError("this base64 has more than one spelling")
    return raw


def _parse_signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise NoteError("a signature line is malformed")
    blob = decode64(encoded)
    if len(blob) < 5:
        raise NoteError("a signature is too short")
    return Signature(check_name(name), blob[:4], blob[4:])
