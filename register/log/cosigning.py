"""The register's side of witnessing: it asks witnesses for cosignatures, keeps them for ever, and publishes them.

It works beside the sealer and never in its way: publishing waits for nobody, a witness that refuses or does not answer
stops nothing. With one exception that is the point of it: when a witness has cosigned more than the database holds,
the database was restored, and the sealer must not sign a second history.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as StopEvent
from typing import Final

import httpx
import msgspec
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError

from register.log.brackets import LAG, SKEW
from register.log.files import FilesError, LogFiles, replace_file
from register.log.keys import check_signature
from register.log.note import Cosignature, NoteError, cosignatures, parse_checkpoint, parse_note, parse_number
from register.log.policy import Policy, Witness
from register.log.receipts import consistency
from register.log.sealer import Sealed, SealError, newest_sealed, published_note, sealed_at
from register.log.tables import COSIGNATURE
from register.log.tree import ProofError

#: The newest checkpoint that enough witnesses cosigned for the quorum, and the newest that any cosigned.
COSIGNED: Final = "checkpoint.cosigned"
WITNESSED: Final = "checkpoint.witnessed"
#: What each witness said last.
STATUS: Final = "witnesses.json"
#: Seconds between two rounds, and that one witness may take for an answer.
INTERVAL: Final = 60.0
PATIENCE: Final = 5.0
#: Content type of the size that a 409 names (C2SP tlog-witness).
SIZE_TYPE: Final = "text/x.tlog.size"

#: Publishing of cosigned checkpoints is done by one at a time ("cvr cosi" in ASCII).
_LOCK: Final = 0x63767220636F7369
_LARGEST_ANSWER: Final = 1 << 16
#: Checkpoints with cosignatures among which the newest with a quorum is looked for.
_LOOK_BACK: Final = 500
#: A witness may have gone on between two questions; then it is asked once more.
_TRIES: Final = 3
_RECORDED_AT: Final = text("SELECT recorded_at FROM store.event WHERE notification_id = :position")
_log: Final = logging.getLogger("register.witnesses")


class CosignatureError(Exception):
    """The cosignatures are not kept; says why."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a witness said last. ``size``: of the head it has, when it said so. ``fork``: it knows another history."""

    name: str
    at: datetime
    said: str
    size: int | None = None
    fork: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """Names (in the policy) of the witnesses whose cosignature is new, and of those whose was here before."""

    size: int
    new: tuple[str, ...]
    known: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What a witness has of the log; ``contradicts``: more than the database holds, or another history."""

    name: str
    size: int | None
    contradicts: bool


class Cosigning:
    """Cosignatures of one log under one policy. ``transport`` stands in for the network in tests."""

    def __init__(
        self,
        *,
        engine: Engine,
        folder: Path,
        policy: Policy,
        clock: Callable[[], datetime],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._policy = policy
        self._clock = clock
        self._transport = transport
        self._names = {witness.key: witness.name for witness in policy.witnesses}
        self._sizes: dict[str, int] = {}
        self._asked = False

    # --- keeping ----------------------------------------------------------------------------------------------------

    def keep(self, raw: bytes) -> Kept:
        """Keep the cosignatures under a checkpoint of ours, and publish them.

        Raises NoteError when the text or a witness's cosignature is wrong, CosignatureError when it is no checkpoint
        of ours, no witness of the policy cosigned it, or its time cannot be.
        """
        note = parse_note(raw)
        head = parse_checkpoint(note.text)
        found = cosignatures(raw, self._policy.keys, check_signature)
        if not found:
            raise CosignatureError("No witness that the policy names cosigned this checkpoint")
        with self._engine.begin() as connection:
            sealed = sealed_at(connection, head.size)
            if sealed is None or parse_note(sealed.note).text != note.text:
                raise CosignatureError("This is no checkpoint of this log")
            self._check_times(connection, head.size, found)
            kept = Kept(head.size, *self._insert(connection, head.size, found))
        self.publish()
        return kept

    def publish(self) -> None:
        """Write the newest cosigned checkpoints beside the published one."""
        with self._engine.begin() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            query = select(COSIGNATURE.c.size).distinct().order_by(COSIGNATURE.c.size.desc()).limit(_LOOK_BACK)
            name = WITNESSED
            for size in connection.scalars(query).all():
                lines = lines_of(connection, size)
                sealed = sealed_at(connection, size)
                if sealed is None:
                    continue
                whole = sealed.note + "".join(lines.values()).encode()
                if name == WITNESSED:
                    replace_file(self._folder / WITNESSED, whole)
                    name = COSIGNED
                if self._policy.satisfied([key for key in self._policy.keys if str(key) in lines]):
                    replace_file(self._folder / COSIGNED, whole)
                    return

    def _check_times(self, connection: Connection, size: int, found: Iterable[Cosignature]) -> None:
        """Times that would speak against events that are in order are not taken: see ``brackets``."""
        last, following = (
            connection.execute(_RECORDED_AT, {"position": position}).scalar() for position in (size, size + 1)
        )
        latest = self._clock().timestamp() + SKEW
        if following is not None:
            latest = min(latest, following.timestamp() + LAG)
        earliest = 0.0 if last is None else last.timestamp() - SKEW
        for one in found:
            if not earliest <= one.time <= latest:
                raise CosignatureError(
                    "The cosignature's time lies in the future, before the newest event of its checkpoint, or more"
                    f" than {LAG // 60} minutes after the first event beyond it: let the witness sign the newest"
                )

    def _insert(
        self, connection: Connection, size: int, found: Iterable[Cosignature]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        new: list[str] = []
        known: list[str] = []
        for one in found:
            row = {
                "size": size,
                "witness": str(one.key),
                "cosigned_at": datetime.fromtimestamp(one.time, UTC),
                "line": str(one.line),
                "received_at": self._clock(),
            }
            kept = insert(COSIGNATURE).values(row).on_conflict_do_nothing().returning(COSIGNATURE.c.size)
            (known if connection.execute(kept).first() is None else new).append(self._names[one.key])
        return tuple(new), tuple(known)

    # --- asking -----------------------------------------------------------------------------------------------------

    def run(self, stop: StopEvent, interval: float = INTERVAL) -> None:
        """Ask every witness once in ``interval`` seconds until told to stop; without a database, later."""
        while not stop.is_set():
            try:
                self.ask()
            except (OperationalError, OSError) as error:
                _log.warning("witnesses are asked later: %s", type(error).__name__)
            stop.wait(interval)

    def ask(self) -> Mapping[str, Said]:
        """Ask every witness that has a URL to cosign the newest checkpoint; what each said, by its key line."""
        with self._engine.connect() as connection:
            sealed = newest_sealed(connection)
        if sealed is None:
            return {}
        return self._round(lambda client, witness: self._ask(client, witness, sealed))

    def guard(self, last: Sealed) -> None:
        """Ask every witness, the first time, whether it has seen more than ``last``; a sealer's ``guard``.

        Raises SealError when one has, or knows another history.
        """
        if not self._asked:
            self._round(lambda client, witness: self._compare(client, witness, last))
            self._asked = True
        held = statuses(self._folder)
        for key in map(str, self._policy.keys):
            said = held.get(key)
            if said is None:
                continue
            if said.fork:
                raise SealError(f"witness {said.name} has cosigned another history: {said.said}")
            if said.size is not None and said.size > last.size:
                raise SealError(
                    f"witness {said.name} has cosigned size {said.size}, the database ends its log at {last.size}:"
                    " was it restored?"
                )

    def told(self) -> list[Told]:
        """What each witness of the policy has of the log, as far as it said."""
        held = statuses(self._folder)
        with self._engine.connect() as connection:
            newest = newest_sealed(connection)
        size = 0 if newest is None else newest.size
        known = [
            (witness.name, held[str(witness.key)]) for witness in self._policy.witnesses if str(witness.key) in held
        ]
        return [Told(name, said.size, said.fork or (said.size or 0) > size) for name, said in known]

    def _round(self, question: Callable[[httpx.Client, Witness], Said]) -> Mapping[str, Said]:
        asked = [witness for witness in self._policy.witnesses if witness.url is not None]
        if not asked:
            return {}
        with (
            httpx.Client(timeout=PATIENCE, transport=self._transport, follow_redirects=False) as client,
            ThreadPoolExecutor(max_workers=min(8, len(asked))) as pool,
        ):
            said = dict(
                zip(
                    (str(witness.key) for witness in asked),
                    pool.map(lambda witness: question(client, witness), asked),
                    strict=True,
                )
            )
        for one in said.values():
            level = logging.ERROR if one.fork else logging.INFO
            _log.log(level, "witness %s: %s", one.name, one.said)
        held = statuses(self._folder)
        for key, one in said.items():  # who does not say what it has is taken to have what it said before
            if one.size is None and key in held:
                one = msgspec.structs.replace(one, size=held[key].size, fork=held[key].fork)  # noqa: PLW2901
            held[key] = one
        replace_file(self._folder / STATUS, msgspec.json.encode(held))
        return said

    def _compare(self, client: httpx.Client, witness: Witness, last: Sealed) -> Said:
        """Show the last checkpoint as it stands, without a proof: the answer says what the witness has."""
        body = b"old %d\n\n" % last.size + last.note
        return self._answered(witness, last, last.size, *_post(client, witness, body))

    def _ask(self, client: httpx.Client, witness: Witness, sealed: Sealed) -> Said:
        old = self._sizes.get(str(witness.key), sealed.size)
        said = self._said(witness, "was not asked")
        for _ in range(_TRIES):
            try:
                with LogFiles(self._folder) as files:
                    body = consistency(old, sealed.note, files.node)
            except (FilesError, FileNotFoundError, ProofError, ValueError):
                return self._said(witness, "was not asked: the log's files give no proof now")
            said = self._answered(witness, sealed, old, *_post(client, witness, body))
            if said.size is None or said.fork or said.size in {old, sealed.size} or said.size > sealed.size:
                break
            old = said.size
        if said.size is not None and said.size <= sealed.size:
            self._sizes[str(witness.key)] = said.size
        return said

    def _answered(self, witness: Witness, sealed: Sealed, old: int, status: int | None, kind: str, body: bytes) -> Said:
        match status:
            case None:
                return self._said(witness, "does not answer")
            case 200:
                return self._cosigned(witness, sealed, body)
            case 409 if kind.partition(";")[0].strip() == SIZE_TYPE:
                return self._conflict(witness, sealed, old, body)
            case 422:
                return self._said(witness, "finds that the newest checkpoint does not continue the one it has")
            case _:
                return self._said(witness, f"refused with status {status}")

    def _cosigned(self, witness: Witness, sealed: Sealed, body: bytes) -> Said:
        try:
            self.keep(sealed.note + body)
        except (NoteError, CosignatureError) as error:
            return self._said(witness, f"its cosignature was not kept: {error}")
        return self._said(witness, "cosigned", size=sealed.size)

    def _conflict(self, witness: Witness, sealed: Sealed, old: int, body: bytes) -> Said:
        try:
            size = parse_number(body.decode("ascii").removesuffix("\n"))
        except (UnicodeDecodeError, NoteError):
            return self._said(witness, "answered with a size that is none")
        if size == old == sealed.size:
            return self._said(witness, f"it has another root for size {size}", size=size, fork=True)
        if size > sealed.size:
            with self._engine.connect() as connection:
                newest = newest_sealed(connection)
            if newest is None or size > newest.size:
                return self._said(witness, "it is ahead of the database", size=size)
        return self._said(witness, "it has another size", size=min(size, sealed.size))

    def _said(self, witness: Witness, what: str, *, size: int | None = None, fork: bool = False) -> Said:
        return Said(name=witness.name, at=self._clock(), said=what, size=size, fork=fork)


def statuses(folder: Path) -> dict[str, Said]:
    """What each witness said last, by its key line; empty before the first was asked."""
    try:
        return msgspec.json.decode((folder / STATUS).read_bytes(), type=dict[str, Said])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def lines_of(connection: Connection, size: int) -> dict[str, str]:
    """The cosignature lines under the checkpoint of a size, by the witness's key line."""
    query = select(COSIGNATURE.c.witness, COSIGNATURE.c.line).where(COSIGNATURE.c.size == size)
    return {row.witness: row.line for row in connection.execute(query.order_by(COSIGNATURE.c.witness))}


def shown_note(folder: Path) -> bytes | None:
    """The published checkpoint with the cosignatures it has; None when the log has none yet."""
    note = published_note(folder)
    witnessed = _read(folder / WITNESSED)
    if note is None or witnessed is None or parse_note(note).text != parse_note(witnessed).text:
        return note
    return witnessed


def cosigned_note(folder: Path) -> bytes | None:
    """The newest checkpoint whose cosignatures make the quorum; None while there is none."""
    return _read(folder / COSIGNED)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _post(client: httpx.Client, witness: Witness, body: bytes) -> tuple[int | None, str, bytes]:
    """Status (None: no answer), content type and body of ``add-checkpoint``."""
    url = f"{(witness.url or '').rstrip('/')}/add-checkpoint"
    try:
        with client.stream("POST", url, content=body) as answer:
            held = bytearray()
            for piece in answer.iter_bytes():
                held += piece
                if len(held) > _LARGEST_ANSWER:
                    return None, "", b""
            return answer.status_code, answer.headers.get("content-type", ""), bytes(held)
    except (httpx.HTTPError, httpx.InvalidURL):
        return None, "", b""
