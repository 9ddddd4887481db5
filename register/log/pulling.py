"""Looks at a log from outside: its checkpoint, and a proof from what one saw before, made from its tiles or its files.

Nothing read here is believed: a proof that fits the signed root can only come from the tree that was signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import httpx

from register.log.files import LEVELS, TILE, FilesError, LogFiles, Tile
from register.log.note import parse_checkpoint, parse_note
from register.log.tree import HASH_BYTES, Node, Stack, consistency_proof, leaf_hash, perfect_root

#: Seconds one answer may take.
PATIENCE: Final = 30.0
_LARGEST: Final = 1 << 20


class UnreadableError(Exception):
    """The log cannot be read there."""


class Log(Protocol):
    """A log as an outsider finds it."""

    def checkpoint(self) -> bytes:
        """The newest checkpoint, a signed note. Raises UnreadableError."""

    def key(self) -> str | None:
        """The verifier key line that stands beside it, which proves nothing; None where there is none."""

    def proof(self, old: int, new: int) -> list[bytes]:
        """The consistency proof between two sizes. Raises UnreadableError, ProofError."""


class Tiles:
    """A log in C2SP tlog-tiles; ``fetch`` gives what stands under a path below its prefix."""

    def __init__(self, fetch: Callable[[str], bytes]) -> None:
        self._fetch = fetch
        self._held: dict[str, bytes] = {}

    def checkpoint(self) -> bytes:
        """The newest checkpoint, a signed note."""
        return self._fetch("checkpoint")

    def key(self) -> str | None:
        """The verifier key line that stands beside it; None where there is none."""
        try:
            return self._fetch("key").decode().strip()
        except (UnreadableError, UnicodeDecodeError):
            return None

    def proof(self, old: int, new: int) -> list[bytes]:
        """The consistency proof between two sizes, from the tiles of the newer tree."""
        return consistency_proof(old, new, self._node(new))

    def _node(self, size: int) -> Node:
        def node(level: int, index: int) -> bytes:
            step = min(level // 8, LEVELS - 1)
            width = 1 << (level - 8 * step)
            first = index * width
            return perfect_root([self._hash(step, size, at) for at in range(first, first + width)])

        return node

    def _hash(self, level: int, size: int, index: int) -> bytes:
        number = index // TILE
        width = min(TILE, (size >> 8 * level) - number * TILE)
        path = f"tile/{Tile(level, number, width)}"
        if path not in self._held:
            self._held[path] = self._fetch(path)
        start = index % TILE * HASH_BYTES
        found = self._held[path][start : start + HASH_BYTES]
        if len(found) != HASH_BYTES:
            raise UnreadableError("a tile of the log is too short")
        return found


class Folder:
    """A log's own folder, or an export: checkpoint and entries, the levels of the tree where they are there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def checkpoint(self) -> bytes:
        """The newest checkpoint, a signed note."""
        try:
            return (self._folder / "checkpoint").read_bytes()
        except OSError as error:
            raise UnreadableError(f"no checkpoint there: {type(error).__name__}") from None

    def key(self) -> str | None:
        """The verifier key line that stands beside it; None where there is none."""
        try:
            return (self._folder / "key").read_text(encoding="utf-8").strip()
        except OSError:
            return None

    def proof(self, old: int, new: int) -> list[bytes]:
        """The consistency proof between two sizes: from the levels, else from all entries."""
        try:
            with LogFiles(self._folder) as files:
                return consistency_proof(old, new, files.node)
        except FileNotFoundError:
            return consistency_proof(old, new, self._from_entries(old, new))
        except FilesError as error:
            raise UnreadableError(str(error)) from None

    def _from_entries(self, old: int, new: int) -> Node:
        """The nodes that the proof is made of, in one pass over the entries."""
        wanted: set[tuple[int, int]] = set()

        def note(level: int, index: int) -> bytes:
            wanted.add((level, index))
            return bytes(HASH_BYTES)

        consistency_proof(old, new, note)
        found: dict[tuple[int, int], bytes] = {}
        spans = {(index << level, (index + 1) << level): (level, index) for level, index in wanted}
        stacks = {span: Stack() for span in spans}
        try:
            with (self._folder / "entries.bin").open("rb") as entries:
                for (low, high), stack in sorted(stacks.items()):
                    entries.seek(low * HASH_BYTES)
                    for _ in range(low, high):
                        stack.push(leaf_hash(entries.read(HASH_BYTES)))
                    found[spans[low, high]] = stack.root()
        except OSError as error:
            raise UnreadableError(f"no entries there: {type(error).__name__}") from None
        return lambda level, index: found[level, index]


@contextmanager
def open_log(place: str, transport: httpx.BaseTransport | None = None) -> Iterator[Log]:
    """The log at a URL (its prefix; the register's is ``…/log``, which may be left out) or in a folder."""
    if "://" not in place:
        folder = Path(place)
        if (folder / "tile").is_dir():
            yield Tiles(lambda path: _read(folder / path))
        else:
            yield Folder(folder)
        return
    base = prefix(place)
    with httpx.Client(timeout=PATIENCE, transport=transport, follow_redirects=False) as client:
        yield Tiles(lambda path: _get(client, f"{base}/{path}"))


def send(place: str, note: bytes, transport: httpx.BaseTransport | None = None) -> str:
    """Post a cosigned checkpoint to the register at a URL; what it answers. Raises UnreadableError."""
    with httpx.Client(timeout=PATIENCE, transport=transport, follow_redirects=False) as client:
        try:
            answer = client.post(f"{prefix(place)}/cosignatures", content=note)
        except httpx.HTTPError as error:
            raise UnreadableError(f"the register does not answer: {type(error).__name__}") from None
    if answer.status_code not in {200, 201}:
        raise UnreadableError(f"the register answers {answer.status_code}: {answer.text[:500]}")
    return answer.text


def prefix(url: str) -> str:
    """The prefix of a log's URL: a bare host stands for its ``/log``."""
    return url.rstrip("/") if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/log"


def head_size(note: bytes) -> tuple[str, int]:
    """Origin and size that an unverified note speaks of. Raises NoteError."""
    head = parse_checkpoint(parse_note(note).text)
    return head.origin, head.size


def _get(client: httpx.Client, url: str) -> bytes:
    try:
        with client.stream("GET", url) as answer:
            if answer.status_code != 200:
                raise UnreadableError(f"the log answers {answer.status_code}")
            held = bytearray()
            for piece in answer.iter_bytes():
                held += piece
                if len(held) > _LARGEST:
                    raise UnreadableError("the log's answer is too large")
            return bytes(held)
    except httpx.HTTPError as error:
        raise UnreadableError(f"the log does not answer: {type(error).__name__}") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableError(f"the log cannot be read: {type(error).__name__}") from None
