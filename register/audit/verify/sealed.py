"""The transparency log against the event store: entries, tree files, every checkpoint, signatures.

Three things must agree on each position: the row of the event store, ``entries.bin`` and ``level0.bin``. Where one of
them differs from the other two, that one is named; the roots then tell which history was signed.
"""

from __future__ import annotations

from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

from register.audit.reading import Connection, streamed
from register.audit.verify.findings import Check, Findings, concluded, not_checked
from register.audit.verify.positions import NO_ENTRY
from register.log.files import LEVELS, TILE
from register.log.keys import check_signature
from register.log.note import Checkpoint, NoteError, VerifierKey, parse_checkpoint, parse_note, verify_checkpoint
from register.log.sealer import published_note
from register.log.tree import HASH_BYTES, Stack, perfect_root

_NEWEST: Final = "SELECT size, root, note FROM log.checkpoint ORDER BY size DESC LIMIT 1"
_ALL: Final = "SELECT size, root, note FROM log.checkpoint ORDER BY size"
_OF_SIZE: Final = "SELECT root FROM log.checkpoint WHERE size = %s"

ENTRIES: Final = "what each event says is what the log vouches for (entries.bin)"
TREE: Final = "the tree files hold the hashes that belong there (level0.bin … level3.bin)"
CHECKPOINTS: Final = "every checkpoint ever signed is the root of the events up to its size"
SIGNATURES: Final = "the newest checkpoint and the published one are signed by the log's key"


def newest(connection: Connection) -> tuple[int, bytes, bytes] | None:
    """Size, root and note of the largest checkpoint; None before the first one."""
    row = connection.execute(_NEWEST).fetchone()
    return None if row is None else (int(row[0]), bytes(row[1]), str(row[2]).encode())


class SealedLog:
    """Walks along the positions with the entries that the event store gives, up to the newest checkpoint's size."""

    def __init__(self, folder: Path, connection: Connection, size: int) -> None:
        self.size = size
        self._files = ExitStack()
        names = ("entries.bin", *(f"level{level}.bin" for level in range(LEVELS)))
        self._held = [_open(self._files, folder / name) for name in names]
        self._checkpoints = streamed(connection, _ALL)
        self._next = next(self._checkpoints, None)
        self._checked = 0
        self._hashes = 0
        #: The tree over what the files vouch for; the one over the rows parts from it where they differ.
        self._published = Stack()
        self._rows: Stack | None = None
        self._pending: list[list[bytes]] = [[] for _ in range(LEVELS)]
        self.entries, self.tree, self.checkpoints = Findings(), Findings(), Findings()
        self._at_size()

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def take(self, after: int, entries: bytes) -> None:
        """Take the entries of the positions behind ``after``; those beyond the newest checkpoint are passed over."""
        count = min(len(entries) // HASH_BYTES, self.size - after)
        if count <= 0:
            return
        length = count * HASH_BYTES
        kept, leaves = (_read(file, length) for file in self._held[:2])
        for offset in range(0, length, HASH_BYTES):
            end = offset + HASH_BYTES
            entry, held, leaf_held = entries[offset:end], kept[offset:end], leaves[offset:end]
            leaf = sha256(b"\x00" + entry).digest()
            if entry == held and leaf == leaf_held:
                published = leaf
            else:
                published = self._judge(after + offset // HASH_BYTES + 1, entry, leaf, held, leaf_held)
            if published != leaf and self._rows is None:
                self._rows = self._published.copy()
            if self._rows is not None:
                self._rows.push(leaf)
            self._push(published)
            if self._next is not None and self._published.size >= self._next[0]:
                self._at_size()

    def finish(self, head: int) -> None:
        """Go on to the newest checkpoint's size when the event store ends before it."""
        for after in range(head, self.size, TILE * TILE):
            self.take(after, NO_ENTRY * min(TILE * TILE, self.size - after))

    def checks(self, head: int) -> list[Check]:
        """What was found in entries, tree and checkpoints."""
        notes = [] if head <= self.size else [f"positions {self.size + 1} to {head} are not yet sealed"]
        return [
            concluded("log-entries", ENTRIES, self._published.size, "entries", self.entries, notes=notes),
            concluded("log-tree", TREE, self._hashes, "hashes", self.tree),
            concluded("log-checkpoints", CHECKPOINTS, self._checked, "checkpoints", self.checkpoints),
        ]

    def _judge(self, position: int, entry: bytes, leaf: bytes, held: bytes, leaf_held: bytes) -> bytes:
        """Name what differs from the two others; the leaf that counts as published."""
        published = sha256(b"\x00" + held).digest()
        if entry != held and leaf_held not in (leaf, published):
            self.tree.add("level0.bin holds another hash than entries.bin gives", position)
        elif leaf != leaf_held and entry == held:
            self.tree.add("level0.bin holds another hash than event and entries.bin give", position)
            return leaf
        if entry != held and leaf == leaf_held:
            self.entries.add("entries.bin holds another entry than event and level0.bin give", position)
            return leaf
        if entry == NO_ENTRY:
            self.entries.add("the event that the log vouches for is gone, or cannot be read", position)
        else:
            self.entries.add("the event is not the one that the log vouches for", position)
        return published

    def _push(self, leaf: bytes) -> None:
        self._published.push(leaf)
        self._hashes += 1
        self._pending[0].append(leaf)
        level = 0
        while len(self._pending[level]) == TILE and level + 1 < LEVELS:
            above = perfect_root(self._pending[level])
            self._pending[level].clear()
            level += 1
            self._pending[level].append(above)
            self._hashes += 1
            if _read(self._held[level + 1], HASH_BYTES) != above:
                first = self._published.size - TILE**level + 1
                self.tree.add(f"level{level}.bin holds another hash than the entries give", first)

    def _at_size(self) -> None:
        """Compare the checkpoints of the size the tree has."""
        while self._next is not None and self._next[0] <= self._published.size:
            size, root, note = self._next
            self._next = next(self._checkpoints, None)
            self._checked += 1
            self._compare(size, bytes(root), note)

    def _compare(self, size: int, root: bytes, note: str) -> None:
        try:
            said = parse_checkpoint(parse_note(note.encode()).text)
        except NoteError:
            self.checkpoints.add(f"the note of size {size} cannot be read", size)
        else:
            if (said.size, said.root) != (size, root):
                self.checkpoints.add(f"the note of size {size} says another thing than its row", size)
        if root != self._published.root():
            self.checkpoints.add(f"the root kept for size {size} is not that of the log's entries", size)
        elif self._rows is not None and root != self._rows.root():
            self.checkpoints.add(f"the events no longer give the root signed for size {size}; the log's files do", size)


def check_signatures(
    live: Connection, folder: Path, last: tuple[int, bytes, bytes] | None, key: VerifierKey | None
) -> Check:
    """The newest checkpoint and the published one. ``live`` sees what was sealed since the snapshot, too."""
    if key is None:
        return not_checked("log-signatures", SIGNATURES, "signatures", "the log's key is not here")
    findings, count = Findings(), 0
    if last is not None:
        size, root, note = last
        count += 1
        try:
            if verify_checkpoint(note, [key], check_signature) != Checkpoint(key.name, size, root):
                findings.add(f"the newest checkpoint (size {size}) signs another thing than its row says", size)
        except NoteError as error:
            findings.add(f"the newest checkpoint (size {size}): {error}", size)
    raw = published_note(folder)
    if raw is None:
        if last is not None:
            findings.add("checkpoints were signed, but none is published")
        return concluded("log-signatures", SIGNATURES, count, "signatures", findings)
    count += 1
    try:
        published = verify_checkpoint(raw, [key], check_signature)
    except NoteError as error:
        findings.add(f"the published checkpoint: {error}")
    else:
        row = live.execute(_OF_SIZE, (published.size,)).fetchone()
        if row is None:
            findings.add("the published checkpoint is unknown to the database", published.size)
        elif bytes(row[0]) != published.root:
            findings.add("another root was published than the database holds for the size", published.size)
    return concluded("log-signatures", SIGNATURES, count, "signatures", findings)


def _open(files: ExitStack, path: Path) -> BinaryIO | None:
    return files.enter_context(path.open("rb")) if path.exists() else None


def _read(file: BinaryIO | None, length: int) -> bytes:
    """The next bytes of a file; zeroes for what is not there, which no hash equals."""
    held = b"" if file is None else file.read(length)
    return held.ljust(length, b"\0")
