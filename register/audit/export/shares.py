"""The roll of an election made again from parts of an export: each part's share in a file, put together on the way out.

A share is sorted, and tells where each municipality's voters begin in it. A municipality is put together from its
pieces of all shares, so that no more than these are held, and no more than one file is open at a time.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from register.audit.export.elections import Concluded
from register.law.alphabet import sort_key
from register.law.dossier import live
from register.law.events import Event
from register.law.persons import persons
from register.law.rolls import Roll, RollEntry, residence_of, roll_of, stand
from register.law.runoffs import Runoff, runoff_of, stand_again
from register.law.territory import Coverage
from register.projection.rolls import LIST_ORDER
from register.projection.voters import ROLL_COLUMNS

_INDEX: Final = ".index"
_encoder: Final = msgspec.msgpack.Encoder()


class Voter(msgspec.Struct, array_like=True, gc=False):
    """A row of a roll with the key of its place; ``csv`` is as PostgreSQL writes it, without the number."""

    key: tuple[str, int, bool, str, bool, str, bytes, bytes]
    csv: bytes
    entry: RollEntry

    @property
    def person(self) -> UUID:
        """The person's least stream."""
        return UUID(bytes=self.key[-1])


class ShareMaker:
    """The share of one part in the roll of one election."""

    def __init__(self, election: Concluded, stations: Sequence[Event], municipalities: Collection[str]) -> None:
        first = election if election.first is None else election.first
        self._upto = election.conclusion - 1
        self._roll: Roll = roll_of(first.called, municipalities)
        self._runoff: Runoff | None = None
        if election.first is not None:
            self._runoff = runoff_of(self._roll, first.conclusion, election.called)
        self._stations = live(event for event in stations if event.position < first.conclusion)
        self._coverage: dict[str, Coverage] = {}
        self._voters: list[Voter] = []

    def take(self, person: UUID, events: Iterable[Event]) -> None:
        """Put a person on the roll, who stands on it."""
        known = [event for event in events if event.position <= self._upto]
        if self._runoff is not None:
            self._stand_again({person: known}, self._runoff)
            return
        municipality = residence_of(known, self._roll)
        entry = stand(known, self._roll, None if municipality is None else self._covering(municipality))
        if entry is not None:
            self._add(person, entry)

    def take_linked(self, streams: dict[UUID, list[Event]]) -> None:
        """Put those on the roll who have several numbers."""
        known = {
            stream: found
            for stream, events in streams.items()
            if (found := [event for event in events if event.position <= self._upto])
        }
        if self._runoff is not None:
            self._stand_again(known, self._runoff)
            return
        for person, events in persons(known).items():
            self.take(person, events)

    def _stand_again(self, streams: Mapping[UUID, list[Event]], runoff: Runoff) -> None:
        for person, entry in stand_again(streams, runoff, self._covering):
            self._add(person, entry)

    def _covering(self, municipality: str) -> Coverage:
        if municipality not in self._coverage:
            self._coverage[municipality] = Coverage(municipality, self._stations)
        return self._coverage[municipality]

    def _add(self, person: UUID, entry: RollEntry) -> None:
        self._voters.append(Voter(_place(person, entry), _csv(entry), entry))

    def write(self, folder: Path, part: int) -> None:
        """Write the share of the part into a folder of the roll's own, and begin the next one."""
        self._voters.sort(key=attrgetter("key"))
        pieces: dict[str, tuple[int, int]] = {}
        with (folder / f"{part:05d}").open("wb") as out:
            for voter in self._voters:
                begun = pieces.setdefault(voter.entry.municipality, (out.tell(), 0))[0]
                said = _encoder.encode(voter)
                out.write(len(said).to_bytes(4, "big") + said)
                pieces[voter.entry.municipality] = (begun, out.tell() - begun)
        (folder / f"{part:05d}{_INDEX}").write_bytes(_encoder.encode(pieces))
        self._voters.clear()


class Shares:
    """A roll by its shares, once all of them are written."""

    def __init__(self, folder: Path) -> None:
        self._pieces: defaultdict[str, list[tuple[Path, int, int]]] = defaultdict(list)
        decode = msgspec.msgpack.Decoder(dict[str, tuple[int, int]]).decode
        for index in sorted(folder.glob(f"*{_INDEX}")):
            for municipality, (begun, length) in decode(index.read_bytes()).items():
                self._pieces[municipality].append((index.with_suffix(""), begun, length))

    def municipalities(self) -> list[str]:
        """The codes of those with voters, in the order of the roll."""
        return sorted(self._pieces)

    def bytes_of(self, municipality: str) -> int:
        """How much is held of a municipality: a measure of its voters."""
        return sum(length for _, _, length in self._pieces[municipality])

    def voters(self, municipality: str) -> Iterator[Voter]:
        """The voters who count in a municipality, in the order of the roll."""
        pieces = [_voters(_read(*piece)) for piece in self._pieces[municipality]]
        return heapq.merge(*pieces, key=attrgetter("key"))

    def digest(self) -> tuple[int, str]:
        """Voters, and the SHA-256 over the rows of the roll, as it is put on record when a roll is frozen."""
        digest, rows = hashlib.sha256(), 0
        for municipality in self.municipalities():
            for voter in self.voters(municipality):
                rows += 1
                digest.update(b"%d," % rows + voter.csv)
        return rows, digest.hexdigest()


def _read(path: Path, begun: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(begun)
        return file.read(length)


def _voters(piece: bytes) -> Iterator[Voter]:
    decode, at = msgspec.msgpack.Decoder(Voter).decode, 0
    while at < len(piece):
        begun = at + 4
        at = begun + int.from_bytes(piece[at:begun], "big")
        yield decode(piece[begun:at])


def _place(person: UUID, entry: RollEntry) -> tuple[str, int, bool, str, bool, str, bytes, bytes]:
    """Where an entry stands: the order of ``projection.rolls.list_order``, in which nothing comes last."""
    return (
        entry.municipality,
        LIST_ORDER.index(entry.list_kind),
        entry.station is None,
        entry.station or "",
        entry.mission is None,
        entry.mission or "",
        sort_key(entry.surname, entry.given_name, entry.parent_name, entry.born_on),
        person.bytes,
    )


def _csv(entry: RollEntry) -> bytes:
    """An entry as ``COPY … (FORMAT csv)`` writes it: the digest on record is over these very bytes."""
    return ",".join(_value(getattr(entry, name)) for name, _ in ROLL_COLUMNS[1:]).encode() + b"\n"


def _value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "t" if value else "f"
    text = str(value)
    if not text or any(sign in text for sign in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text
