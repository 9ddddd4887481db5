"""The log's own key: kept in one file that only its owner reads, and used to sign checkpoints.

The file holds one line in the form of Go's sumdb/note, ``PRIVATE+KEY+<name>+<key id>+<base64(type || seed)>``, so that
other tools of this family can use it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from register.log.files import sync_folder
from register.log.note import ED25519, Checkpoint, NoteError, Signature, VerifierKey, check_name, decode64, encode64

_SEED_BYTES: Final = 32
_PREFIX: Final = "PRIVATE+KEY+"


class KeyFileError(Exception):
    """The key file cannot be used. Never carries any of its content."""


class Signer:
    """Signs notes under one name with one Ed25519 key (RFC 8032; C2SP signed-note)."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.key: Final = VerifierKey(check_name(name), self._private.public_key().public_bytes_raw())

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """The checkpoint as a signed note. Raises NoteError when it is of another log."""
        if checkpoint.origin != self.key.name:
            raise NoteError("the checkpoint is of another log")
        text = str(checkpoint)
        line = Signature(self.key.name, self.key.key_id, self._private.sign(text.encode()))
        return f"{text}\n{line}".encode()


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
    try:
        return _read_key(path, origin)
    except FileNotFoundError:
        _make_key(path, origin, random(_SEED_BYTES))
        return _read_key(path, origin)


def _read_key(path: Path, origin: str) -> Signer:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode) or mode & 0o077:
            raise KeyFileError("the log's key must be a file that only its owner may read (mode 0600)")
        line = file.read(4096)
    try:
        name, key_id, encoded = line.decode().removesuffix("\n").removeprefix(_PREFIX).split("+", 2)
        material = decode64(encoded)
        if not line.startswith(_PREFIX.encode()) or len(material) != 1 + _SEED_BYTES or material[0] != ED25519:
            raise KeyFileError("the log's key file holds no Ed25519 key")
        signer = Signer(name, material[1:])
    except (ValueError, NoteError):
        raise KeyFileError("the log's key file cannot be read") from None
    if key_id != signer.key.key_id.hex():
        raise KeyFileError("the log's key file names another key id")
    if name != origin:
        raise KeyFileError("the log's key belongs to another origin")
    return signer


def _make_key(path: Path, origin: str, seed: bytes) -> None:
    """Write a new key; when another process was faster, leave its key in place."""
    key_id = Signer(origin, seed).key.key_id.hex()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, f"{_PREFIX}{origin}+{key_id}+{encode64(bytes([ED25519]) + seed)}\n".encode())
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
