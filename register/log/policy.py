"""Who must have cosigned a checkpoint: C2SP tlog-policy files, and what their quorum says. Standard library only.

A policy names the log's keys, the witnesses with their keys (and where they take checkpoints), groups of them, and the
quorum. Verifiers enforce it; the register never waits for it. The file is read octet by octet (as Latin-1 for names
outside ASCII, which are opaque), and one that breaks a rule of the specification is refused as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from register.log.note import COSIGNATURE, ED25519, Cosignature, NoteError, VerifierKey, parse_key

_NONE: Final = "none"
_LARGEST: Final = 1 << 20
_ALLOWED: Final = re.compile(rb"[\t\n\x20-\x7e\x80-\xff]*\Z")
_THRESHOLD: Final = re.compile(r"[1-9][0-9]{0,3}\Z")


class PolicyError(Exception):
    """The text is not a policy. Names the line."""

    def __init__(self, what: str, line: int | None = None) -> None:
        super().__init__(what if line is None else f"policy, line {line}: {what}")


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness under its name in the policy; ``url`` is its submission prefix, None when none is named."""

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses and other groups by name, of which ``threshold`` must have witnessed."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as read. ``quorum`` is the name of a witness or group, or ``none``."""

    logs: tuple[VerifierKey, ...]
    witnesses: tuple[Witness, ...]
    groups: Mapping[str, Group]
    quorum: str

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """The keys of all witnesses."""
        return tuple(witness.key for witness in self.witnesses)

    def satisfied(self, cosigners: Collection[VerifierKey]) -> bool:
        """Whether these witnesses together make the quorum."""
        present = {witness.name for witness in self.witnesses if witness.key in cosigners}
        return self.quorum == _NONE or self._witnessed(self.quorum, present)

    def reached(self, times: Mapping[VerifierKey, int]) -> int | None:
        """The earliest time by which those who had cosigned made the quorum; None when they never do, or none need."""
        return self._first(times, sorted(set(times.values())), later=False)

    def stood(self, times: Mapping[VerifierKey, int]) -> int | None:
        """The latest time from which on those who cosigned still make the quorum; None as for :meth:`reached`."""
        return self._first(times, sorted(set(times.values()), reverse=True), later=True)

    def _first(self, times: Mapping[VerifierKey, int], order: Iterable[int], *, later: bool) -> int | None:
        if self.quorum == _NONE:
            return None
        for limit in order:
            if self.satisfied({key for key, time in times.items() if (time >= limit if later else time <= limit)}):
                return limit
        return None

    def _witnessed(self, name: str, present: Collection[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in present
        return sum(self._witnessed(member, present) for member in group.members) >= group.threshold


def parse_policy(raw: bytes) -> Policy:
    """Read a policy file (C2SP tlog-policy). Raises PolicyError, naming the line."""
    if len(raw) > _LARGEST or not _ALLOWED.match(raw):
        raise PolicyError("a policy holds no control characters, and is no larger than a megabyte")
    reading = _Reading()
    for number, line in enumerate(raw.decode("latin-1").split("\n"), 1):
        words = [word for word in re.split(r"[ \t]+", line) if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            reading.take(words)
        except (PolicyError, NoteError) as error:
            raise PolicyError(str(error), number) from None
    if reading.quorum is None:
        raise PolicyError("a policy has exactly one quorum line")
    return Policy(tuple(reading.logs), tuple(reading.witnesses), reading.groups, reading.quorum)


class _Reading:
    """A policy being read, line after line: what a line names must stand above it."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: list[Witness] = []
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self._names: set[str] = set()
        self._members: set[str] = set()

    def take(self, words: list[str]) -> None:
        """One line. Raises PolicyError, NoteError."""
        match words:
            case ["log", key] | ["log", key, _]:
                self._log(_key(key, ED25519))
            case ["witness", name, key]:
                self._witness(name, _key(key, COSIGNATURE), None)
            case ["witness", name, key, url]:
                self._witness(name, _key(key, COSIGNATURE), url)
            case ["group", name, threshold, *members] if members:
                self._group(name, threshold, members)
            case ["quorum", name]:
                self._quorum(name)
            case _:
                raise PolicyError("this line is none of log, witness, group, quorum")

    def _log(self, key: VerifierKey) -> None:
        if any(key.public == other.public for other in self.logs):
            raise PolicyError("this log's key stands here twice")
        self.logs.append(key)

    def _witness(self, name: str, key: VerifierKey, url: str | None) -> None:
        if any(key.public == other.key.public for other in self.witnesses):
            raise PolicyError("this witness's key stands here twice")
        self._new(name)
        self.witnesses.append(Witness(name, key, url))

    def _group(self, name: str, threshold: str, members: list[str]) -> None:
        for member in members:
            if member not in self._names:
                raise PolicyError("a group's member is not defined above it")
            if member in self._members:
                raise PolicyError("a name is a member of one group at most, and once")
            self._members.add(member)
        needed = {"any": 1, "all": len(members)}.get(threshold)
        if needed is None:
            if not _THRESHOLD.match(threshold) or int(threshold) > len(members):
                raise PolicyError("a group's threshold is any, all, or a number from 1 to that of its members")
            needed = int(threshold)
        self._new(name)
        self.groups[name] = Group(needed, tuple(members))

    def _quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise PolicyError("a policy has exactly one quorum line")
        if name != _NONE and name not in self._names:
            raise PolicyError("the quorum is not defined above it")
        self.quorum = name

    def _new(self, name: str) -> None:
        if name == _NONE or name in self._names:
            raise PolicyError("this name is taken")
        self._names.add(name)


def _key(text: str, kind: int) -> VerifierKey:
    """A key line; names outside ASCII are UTF-8 there."""
    try:
        return parse_key(text.encode("latin-1").decode(), kind)
    except UnicodeDecodeError:
        raise NoteError("the verifier key is not UTF-8") from None


def earliest(found: Iterable[Cosignature]) -> dict[VerifierKey, int]:
    """Each witness's earliest time among these cosignatures."""
    times: dict[VerifierKey, int] = {}
    for one in found:
        times[one.key] = min(one.time, times.get(one.key, one.time))
    return times
