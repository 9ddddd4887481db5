"""What anybody can check with an export, a checkpoint and a receipt, without the register, a network or a database.

The caller says whom to trust by the log's verifier key line (``origin+keyid+base64``), got on another way than the
files. Every check reads its input once, as a stream.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Final

from register.audit.offline.ed25519 import verify
from register.log.note import Checkpoint, parse_key, verify_checkpoint
from register.log.receipts import verify_consistent, verify_receipt
from register.log.tree import Stack

#: Records hashed at once.
_BATCH: Final = 1_024


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be; ``position`` (1, 2, 3 …) when one event can be named."""

    what: str
    position: int | None = None


def check_checkpoint(note: bytes, key: str) -> Checkpoint:
    """The head of the log that ``key`` signed. Raises NoteError."""
    return verify_checkpoint(note, [parse_key(key)], verify)


def check_receipt(record: bytes, receipt: bytes, key: str) -> tuple[int, Checkpoint]:
    """The position of a record (its line without the newline), proved by its tlog-proof.

    Raises NoteError when the text or signature is wrong, ProofError when the proof is.
    """
    return verify_receipt(receipt, sha256(record).digest(), [parse_key(key)], verify)


def check_consistency(proof: bytes, older: Checkpoint, key: str) -> Checkpoint:
    """The newer checkpoint, proved to continue ``older``. Raises NoteError, ProofError."""
    return verify_consistent(proof, older, [parse_key(key)], verify)


def check_personal(record: bytes, personal: bytes) -> bool:
    """Is this the personal part (canonical JSON, salt included) that the record vouches for?"""
    held = json.loads(record)["state"].get("personal")
    return bool(held == f"sha256:{sha256(personal).hexdigest()}")


def root_of(lines: Iterable[bytes]) -> tuple[int, bytes]:
    """Size and root of the log whose records these lines are (with or without their newline)."""
    hashed, stack = sha256, Stack()
    push = stack.push
    for line in lines:
        push(hashed(b"\0" + hashed(line.removesuffix(b"\n")).digest()).digest())
    return stack.size, stack.root()


def check_records(
    lines: Iterable[bytes], checkpoints: Sequence[Checkpoint], entries: Iterable[bytes] | None = None
) -> list[Finding]:
    """Compare the records 1, 2, 3 … with every checkpoint of the log that was ever seen, in one pass.

    ``entries`` are the published 32-byte entries in order; with them a changed record is named by its position, else
    only the checkpoints between which it lies. No findings: the records are exactly those of the largest checkpoint.
    """
    return list(_Pass(checkpoints).findings(lines, entries))


class _Pass:
    """One pass over the records. ``published`` parts from ``records`` at the first entry that differs."""

    def __init__(self, checkpoints: Sequence[Checkpoint]) -> None:
        self.roots: dict[int, list[bytes]] = {}
        for one in checkpoints:
            self.roots.setdefault(one.size, []).append(one.root)
        self._sizes = sorted(self.roots)
        self.records = Stack()
        self.published: Stack | None = None
        self.last_good = 0

    def findings(self, lines: Iterable[bytes], entries: Iterable[bytes] | None) -> Iterator[Finding]:
        for size, roots in self.roots.items():
            if len(set(roots)) > 1:
                yield Finding(f"two roots were signed for size {size}")
        yield from self._at_size()
        rest, source = iter(lines), None if entries is None else iter(entries)
        hashed = sha256
        # no line is kept: a thousand long ones would not be flat
        while found := [hashed(line.removesuffix(b"\n")).digest() for line in islice(rest, self._room())]:
            leaves = [hashed(b"\0" + entry).digest() for entry in found]
            if source is None:
                self.records.extend(leaves)
            else:
                published = list(islice(source, len(found)))
                if self.published is None and published == found:
                    self.records.extend(leaves)
                else:
                    yield from self._one_by_one(found, leaves, published)
            if self.records.size in self.roots:
                yield from self._at_size()
        largest = max(self.roots, default=self.records.size)
        if self.records.size < largest:
            yield Finding("records are missing at the end", self.records.size + 1)
        elif self.records.size > largest:
            yield Finding("records beyond the largest checkpoint", largest + 1)
        elif source is not None and next(source, None) is not None:
            yield Finding("entries are published beyond the records", largest + 1)

    def _room(self) -> int:
        """How many records come before the next size at which a root is compared, at most a batch."""
        size = self.records.size
        at = bisect_right(self._sizes, size)
        return _BATCH if at == len(self._sizes) else min(self._sizes[at] - size, _BATCH)

    def _one_by_one(self, found: list[bytes], leaves: list[bytes], published: list[bytes]) -> Iterator[Finding]:
        for number, (entry, leaf) in enumerate(zip(found, leaves, strict=True)):
            yield from self._compare(entry, published[number] if number < len(published) else None)
            self.records.push(leaf)

    def _compare(self, entry: bytes, published: bytes | None) -> Iterator[Finding]:
        if published is None:
            published = b""
        if self.published is None and published != entry:
            self.published = self.records.copy()
            yield Finding("the record is not the one published", self.records.size + 1)
        if self.published is not None:
            self.published.push(sha256(b"\0" + published).digest())

    def _at_size(self) -> Iterator[Finding]:
        size = self.records.size
        for root in self.roots.get(size, ()):
            if self.records.root() == root:
                self.last_good = size
            elif self.published is not None and self.published.root() == root:
                yield Finding(f"the published entries, not these records, give the root signed for size {size}")
            else:
                yield Finding(f"another root was signed for size {size}; up to size {self.last_good} all is well")
