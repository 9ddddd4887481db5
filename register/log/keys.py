"""Keys that sign: the log's own, and a witness's. Each is kept in one file that only its owner reads.

The file holds one line in the form of Go's sumdb/note, ``PRIVATE+KEY+<name>+<key id>+<base64(type || seed)>``, so that
other tools of this family can use it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from register.log.files import sync_folder
from register.log.note import (
    COSIGNATURE,
    ED25519,
    Checkpoint,
    NoteError,
    Signature,
    VerifierKey,
    check_name,
    cosigned_text,
    decode64,
    encode64,
)

_SEED_BYTES: Final = 32
_PREFIX: Final = "PRIVATE+KEY+"


class KeyFileError(Exception):
    """The key file cannot be used. Never carries any of its content."""


class Signing(Protocol):
    """Whoever knows with which keys the log signs now: the oldest first, several while one takes over from another."""

    def signers(self) -> Sequence[Signer]:
        """The keys as they stand now; at least one."""


class Signer:
    """Signs notes under one name with one Ed25519 key (RFC 8032; C2SP signed-note)."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.key: Final = VerifierKey(check_name(name), self._private.public_key().public_bytes_raw())

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """The checkpoint as a signed note. Raises NoteError when it is of another log."""
        text = str(checkpoint)
        return f"{text}\n{self.line(checkpoint)}".encode()

    def line(self, checkpoint: Checkpoint) -> Signature:
        """The signature line under a checkpoint. Raises NoteError when it is of another log."""
        if checkpoint.origin != self.key.name:
            raise NoteError("the checkpoint is of another log")
        return Signature(self.key.name, self.key.key_id, self._private.sign(str(checkpoint).encode()))

    def signers(self) -> Sequence[Signer]:
        """This one key: a ``Signing``."""
        return (self,)


class Cosigner:
    """Cosigns the checkpoints of logs under a witness's name with one Ed25519 key (C2SP tlog-cosignature, v1)."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.key: Final = VerifierKey(check_name(name), self._private.public_key().public_bytes_raw(), COSIGNATURE)

    def cosign(self, text: str, time: int) -> Signature:
        """The cosignature line under the text of a checkpoint at ``time`` (POSIX seconds, not negative)."""
        signature = self._private.sign(cosigned_text(text, time))
        return Signature(self.key.name, self.key.key_id, time.to_bytes(8, "big") + signature)


class KeyRing:
    """The log's keys in their files: the one at ``path`` and, once announced, its successor beside it (``.next``)."""

    def __init__(self, path: Path, origin: str, random: Callable[[int], bytes]) -> None:
        self._path = path
        self._origin = origin
        self._random = random

    @property
    def successor(self) -> Path:
        """The file of the key that is to take over."""
        return self._path.with_name(f"{self._path.name}.next")

    def signers(self) -> Sequence[Signer]:
        """The keys that sign now; the first is made when there is none. Raises KeyFileError."""
        first = open_key(self._path, self._origin, self._random)
        try:
            return (first, Signer(self._origin, _read_seed(self.successor, self._origin, ED25519)))
        except FileNotFoundError:
            return (first,)

    def make_successor(self) -> Signer:
        """The key that is to take over; made on first use. Raises KeyFileError."""
        return open_key(self.successor, self._origin, self._random)

    def succeed(self) -> None:
        """Put the successor in the first one's place, whose file stays beside it under its key id. One atomic step.

        Raises KeyFileError when there is no successor.
        """
        first, *others = self.signers()
        if not others:
            raise KeyFileError("no key was announced that could take over")
        kept = self._path.with_name(f"{self._path.name}.retired-{first.key.key_id.hex()}")
        if not kept.exists():
            os.link(self._path, kept)
        self.successor.replace(self._path)
        sync_folder(self._path.parent)


def check_signature(public: bytes, message: bytes, signature: bytes) -> bool:
    """Is this a good Ed25519 signature (RFC 8032)? A ``note.Check``."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def open_key(path: Path, origin: str, random: Callable[[int], bytes]) -> Signer:
    """The signer of this log; its key is made from ``random(32)`` when there is no file yet (mode 0600).

    Raises KeyFileError when others may read the file, or it holds no key, or the key of another origin.
    """
    return Signer(origin, _seed(path, origin, ED25519, random))


def open_cosigner(path: Path, name: str | None, random: Callable[[int], bytes]) -> Cosigner:
    """The witness whose key stands in ``path``; made under ``name`` from ``random(32)`` when there is no file yet.

    Without ``name`` the file says it. Raises KeyFileError, FileNotFoundError without both.
    """
    if name is None:
        name = _read_key(path, COSIGNATURE)[0]
    return Cosigner(name, _seed(path, name, COSIGNATURE, random))


def _seed(path: Path, name: str, kind: int, random: Callable[[int], bytes]) -> bytes:
    try:
        return _read_seed(path, name, kind)
    except FileNotFoundError:
        _make_key(path, name, kind, random(_SEED_BYTES))
        return _read_seed(path, name, kind)


def _read_seed(path: Path, name: str, kind: int) -> bytes:
    found, seed = _read_key(path, kind)
    if found != name:
        raise KeyFileError("the log's key belongs to another origin")
    return seed


def _read_key(path: Path, kind: int) -> tuple[str, bytes]:
    """Name and seed in a key file."""
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode) or mode & 0o077:
            raise KeyFileError("the log's key must be a file that only its owner may read (mode 0600)")
        line = file.read(4096)
    try:
        name, key_id, encoded = line.decode().removesuffix("\n").removeprefix(_PREFIX).split("+", 2)
        material = decode64(encoded)
        if not line.startswith(_PREFIX.encode()) or len(material) != 1 + _SEED_BYTES or material[0] != kind:
            raise KeyFileError("the log's key file holds no Ed25519 key of its kind")
        key = _verifier(name, kind, material[1:])
    except (ValueError, NoteError):
        raise KeyFileError("the log's key file cannot be read") from None
    if key_id != key.key_id.hex():
        raise KeyFileError("the log's key file names another key id")
    return name, material[1:]


def _verifier(name: str, kind: int, seed: bytes) -> VerifierKey:
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return VerifierKey(check_name(name), public, kind)


def _make_key(path: Path, name: str, kind: int, seed: bytes) -> None:
    """Write a new key; when another process was faster, leave its key in place."""
    key_id = _verifier(name, kind, seed).key_id.hex()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, f"{_PREFIX}{name}+{key_id}+{encode64(bytes([kind]) + seed)}\n".encode())
        os.fsync(file)
    finally:
        os.close(file)
    try:
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        beside.unlink()
    sync_folder(path.parent)
