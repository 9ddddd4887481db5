"""Where a file's intake got to, so that it can go on there after an interruption.

A bookmark stands beside the file of reasons and is written after each batch that is durable. It is a saving of time and
nothing else: a notice sent twice is a repeat. So when anything about it is doubtful, the file is read from its
beginning. It is in doubt as well when this event store does not hold the last notice it counts as recorded: then it was
taken into another one. The bookmark of a file that is one of a folder stays when the file is done, so that a folder,
too, can be gone on with.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO, Final

import msgspec

_STEP: Final = 1 << 20


class Bookmark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All lines up to ``lines`` are answered; ``counts`` says how, ``kinds`` why some were refused.

    ``prefix`` is the SHA-256 (hex) of the first ``read`` bytes of the file, among which those lines are; ``reasons``
    the length of the file of reasons by then. ``authority`` is who sent them; ``last`` the id of the last of them that
    is in the event store.
    """

    authority: str
    lines: int
    read: int
    prefix: str
    reasons: int
    counts: dict[str, int]
    kinds: dict[str, int]
    last: str | None = None


def path_of(reasons: Path) -> Path:
    """The bookmark's place: beside the file of reasons."""
    return reasons.with_name(reasons.name.removesuffix(".refused.ndjson") + ".intake-state.json")


def write(path: Path, bookmark: Bookmark) -> None:
    """Put a bookmark in place of the last one, whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(msgspec.json.encode(bookmark))
    new.replace(path)


def read(path: Path, source: IO[bytes], authority: str) -> Bookmark | None:
    """The bookmark, when it is of this sender and of this file as it still begins; leaves ``source`` at its beginning.

    None when there is none, or none that can be trusted.
    """
    try:
        bookmark = msgspec.json.decode(path.read_bytes(), type=Bookmark)
    except (OSError, msgspec.DecodeError):
        return None
    digest, left = hashlib.sha256(), bookmark.read
    while left > 0 and (piece := source.read(min(_STEP, left))):
        digest.update(piece)
        left -= len(piece)
    source.seek(0)
    same = left == 0 and digest.hexdigest() == bookmark.prefix and bookmark.authority == authority
    return bookmark if same else None
