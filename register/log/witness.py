"""A witness as an outside institution runs it: it remembers the largest head it saw, and cosigns what continues it.

Two files in one folder, its key and its state; no database. What it is going to say is on disk before it says it, and
only one process at a time compares and stores, so that no two of its cosignatures can contradict each other, whatever
dies at whatever moment (C2SP tlog-witness).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from register.log.files import replace_file
from register.log.keys import Cosigner, check_signature, open_cosigner
from register.log.note import (
    Checkpoint,
    NoteError,
    Signature,
    VerifierKey,
    encode64,
    parse_checkpoint,
    parse_hash,
    parse_key,
    parse_note,
    verify_checkpoint,
)
from register.log.receipts import parse_consistency
from register.log.tree import EMPTY_ROOT, ProofError, verify_consistency

KEY: Final = "key"
STATE: Final = "state"
_LOCK: Final = "lock"


class WitnessError(Exception):
    """The witness does not cosign. ``status`` is what C2SP tlog-witness answers; ``size`` stands in a 409 about sizes.

    ``evidence``: two notes that the log signed and that contradict each other, when it is that.
    """

    def __init__(
        self, status: int, what: str, *, size: int | None = None, evidence: tuple[bytes, bytes] | None = None
    ) -> None:
        super().__init__(what)
        self.status, self.size, self.evidence = status, size, evidence


class StateError(Exception):
    """The witness's own file cannot be read: it must not cosign, for it no longer knows what it said."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the witness knows of a log: its keys, and the largest head it cosigned, with the note as it was shown."""

    keys: tuple[str, ...]
    size: int = 0
    root: str = encode64(EMPTY_ROOT)
    note: str = ""


class Opinion(msgspec.Struct, frozen=True):
    """A checkpoint that was cosigned, and the line that says so."""

    checkpoint: Checkpoint
    line: Signature


class OutsideWitness:
    """The witness whose files stand in ``folder``. ``clock`` gives the time that a cosignature bears."""

    def __init__(
        self, folder: Path, name: str | None, *, clock: Callable[[], datetime], random: Callable[[int], bytes]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._clock = clock
        self._signer: Cosigner = open_cosigner(folder / KEY, name, random)

    @property
    def key(self) -> VerifierKey:
        """Its public key."""
        return self._signer.key

    def trust(self, keys: Collection[VerifierKey]) -> None:
        """Know these keys of logs from now on, beside those it knew. Raises StateError, OSError."""
        with self._alone():
            state = self._read()
            for key in keys:
                seen = state.get(key.name, Seen(keys=()))
                if str(key) not in seen.keys:
                    state[key.name] = msgspec.structs.replace(seen, keys=(*seen.keys, str(key)))
            self._write(state)

    def seen(self, origin: str) -> Seen | None:
        """What it knows of a log; None for one whose key it was never given. Raises StateError."""
        return self._read().get(origin)

    def cosign(self, old: int, proof: Sequence[bytes], note: bytes) -> Opinion:
        """Cosign the checkpoint of a note that continues the head of size ``old`` by this proof; stored, then signed.

        Raises WitnessError, and StateError, OSError when its own files fail it: it then says nothing.
        """
        origin = _origin(note)
        with self._alone():
            state = self._read()
            seen = state.get(origin)
            if seen is None:
                raise WitnessError(404, "This witness does not know this log")
            head = _verified(note, seen)
            _compare(seen, head, old, proof, note)
            text = parse_note(note).text
            if (head.size, encode64(head.root)) != (seen.size, seen.root) or not seen.note:
                state[origin] = msgspec.structs.replace(
                    seen, size=head.size, root=encode64(head.root), note=note.decode()
                )
                self._write(state)
            return Opinion(head, self._signer.cosign(text, int(self._clock().timestamp())))

    def add_checkpoint(self, body: bytes) -> Opinion:
        """Cosign what a log sends (C2SP tlog-witness, add-checkpoint). Raises as :meth:`cosign` does."""
        try:
            asked = parse_consistency(body)
        except NoteError as error:
            raise WitnessError(400, str(error)) from None
        return self.cosign(asked.old, asked.hashes, asked.checkpoint)

    # --- its files --------------------------------------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        handle = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _read(self) -> dict[str, Seen]:
        try:
            return msgspec.json.decode((self._folder / STATE).read_bytes(), type=dict[str, Seen])
        except FileNotFoundError:
            return {}
        except (msgspec.DecodeError, msgspec.ValidationError):
            raise StateError("the witness's state cannot be read: it cosigns nothing") from None

    def _write(self, state: dict[str, Seen]) -> None:
        replace_file(self._folder / STATE, msgspec.json.format(msgspec.json.encode(state), indent=1) + b"\n")


def _origin(note: bytes) -> str:
    try:
        return parse_checkpoint(parse_note(note).text).origin
    except NoteError as error:
        raise WitnessError(400, str(error)) from None


def _verified(note: bytes, seen: Seen) -> Checkpoint:
    try:
        return verify_checkpoint(note, [parse_key(key) for key in seen.keys], check_signature)
    except NoteError as error:
        raise WitnessError(403, str(error)) from None


def _compare(seen: Seen, head: Checkpoint, old: int, proof: Sequence[bytes], note: bytes) -> None:
    """C2SP tlog-witness's checks, in its order. Raises WitnessError."""
    if old > head.size:
        raise WitnessError(400, "The old size is larger than the checkpoint's")
    if old != seen.size:
        raise WitnessError(409, "This witness has seen another size", size=seen.size)
    held = parse_hash(seen.root)
    if old == head.size and held != head.root:
        evidence = (seen.note.encode(), note)
        raise WitnessError(409, "The log signed two roots for one size", size=seen.size, evidence=evidence)
    try:
        verify_consistency(old, head.size, proof, held, head.root)
    except ProofError as error:
        raise WitnessError(422, str(error)) from None
