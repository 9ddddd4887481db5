"""Whom an export's signatures must come from: the log's keys, one after another, and the witnesses of a policy.

The caller trusts one key of the log. When another took over, the history says so: the event that announces it stands
under a checkpoint that a trusted key signed, and from its position on the new key counts. From the position of the
event that retires it a key counts no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from register.audit.offline.ed25519 import verify
from register.audit.offline.form import read_json
from register.log.brackets import Span, spans
from register.log.note import (
    Checkpoint,
    Cosignature,
    NoteError,
    VerifierKey,
    cosignatures,
    parse_checkpoint,
    parse_key,
    parse_note,
    verify_note,
)
from register.log.policy import Policy

_ANNOUNCED: Final = "ba.cvr.log-key-announced.v1"
_RETIRED: Final = "ba.cvr.log-key-retired.v1"
_WORDS: Final = tuple(f'"topic":"{topic}"'.encode() for topic in (_ANNOUNCED, _RETIRED))
_SOURCE: Final = "urn:cvr:register"


@dataclass(frozen=True, slots=True)
class Turn:
    """A key of the log that the history announces, or retires, at a position."""

    position: int
    key: VerifierKey
    retired: bool


def turn_of(position: int, record: bytes) -> Turn | None:
    """What a record says about the keys of the log; None for nearly all, which say nothing about them."""
    # The topic is the last member but one, and follows the state, which may hold any text; so JSON decides.
    if _WORDS[0] not in record and _WORDS[1] not in record:
        return None
    try:
        read = read_json(record)
        topic, state = read["topic"], read["state"]
        if topic not in (_ANNOUNCED, _RETIRED) or state["source"] != _SOURCE:
            return None
        return Turn(position, parse_key(state["data"]["key"]), topic == _RETIRED)
    except (ValueError, KeyError, TypeError, AttributeError, NoteError):
        return None


class Keys:
    """The log's keys that count, each for a stretch of sizes."""

    def __init__(self, trusted: Sequence[VerifierKey]) -> None:
        self._since = dict.fromkeys(trusted, 0)
        self._until: dict[VerifierKey, int] = {}

    def follow(self, turns: Iterable[Turn], notes: Sequence[bytes]) -> None:
        """Go along the announcements and retirements of a history, in order, whose checkpoints these notes are.

        An announced key counts once a checkpoint that covers the announcement is signed by a key that counts already.
        """
        for turn in turns:
            if turn.retired:
                self._until.setdefault(turn.key, turn.position)
            elif turn.key not in self._since and self._vouched(turn, notes):
                self._since[turn.key] = turn.position

    def check(self, note: bytes) -> Checkpoint:
        """The checkpoint of a note that a key signed which counts for its size. Raises NoteError."""
        checkpoint = parse_checkpoint(parse_note(note).text)
        keys = [
            key
            for key, since in self._since.items()
            if since <= checkpoint.size < self._until.get(key, 1 << 63) and key.name == checkpoint.origin
        ]
        verify_note(note, keys, verify)
        return checkpoint

    def _vouched(self, turn: Turn, notes: Sequence[bytes]) -> bool:
        """Whether the first checkpoint over an announcement that a key signed which counts is in order."""
        for note in notes:
            try:
                if parse_checkpoint(parse_note(note).text).size >= turn.position:
                    self.check(note)
                    return True
            except NoteError:
                continue
        return False


class Witnessed:
    """What the witnesses of a policy said about the checkpoints of an export, and those kept from elsewhere."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._names = {key.name for key in policy.keys}
        self._heads: list[tuple[Checkpoint, tuple[Cosignature, ...]]] = []
        #: Cosignatures that are wrong: what was said about which size.
        self.wrong: list[tuple[str, int]] = []

    def take(self, note: bytes) -> None:
        """Note the cosignatures under a checkpoint; the log's own signature is judged elsewhere. Raises NoteError."""
        signed = parse_note(note)
        if not any(one.name in self._names for one in signed.signatures):
            return
        head = parse_checkpoint(signed.text)
        try:
            self._heads.append((head, cosignatures(note, self._policy.keys, verify)))
        except NoteError as error:
            self.wrong.append((str(error), head.size))

    def quorum(self, head: Checkpoint) -> tuple[bool, int]:
        """Whether enough witnesses cosigned this very head, and how many did."""
        present = {one.key for said, found in self._heads for one in found if said == head}
        return self._policy.satisfied(present), len(present)

    def spans(self) -> list[Span]:
        """Between which times each position's record must lie."""
        return spans(self._policy, ((head.size, found) for head, found in self._heads))
