"""Witnesses: what they cosign and refuse; how the register asks, keeps and publishes; when it must not sign."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
import sqlalchemy as sa

from register.audit.offline import checks
from register.cli import app_for
from register.cli.witness import asgi
from register.database import Database
from register.log.brackets import LAG, SKEW
from register.log.cosigning import CosignatureError, Cosigning, cosigned_note, shown_note, statuses
from register.log.files import LogFiles
from register.log.keys import Cosigner, Signer, check_signature
from register.log.note import Checkpoint, NoteError, cosignatures, decode64, parse_note, parse_signatures
from register.log.policy import parse_policy
from register.log.pulling import Folder, Tiles, UnreadableError
from register.log.receipts import consistency
from register.log.record import record_of
from register.log.sealer import PUBLISHED, Sealed, Sealer, SealError, published_note
from register.log.tables import COSIGNATURE
from register.log.tree import EMPTY_ROOT
from register.log.witness import OutsideWitness, StateError, WitnessError

from .conftest import START

if TYPE_CHECKING:
    from .conftest import Events

SIGNER = Signer("log.example/register", bytes(range(32)))
OTHER = Signer("log.example/register", bytes(32))
LATER = START + timedelta(minutes=10)


@dataclass
class Log:
    """A log in a folder, its events and its sealer; the time it is."""

    events: Events
    database: Database
    folder: Path
    now: datetime = LATER
    guard: Callable[[Sealed], None] = lambda _: None

    def seal(self, count: int = 0) -> Sealed:
        """Record that many events and seal them."""
        if count:
            self.events.record(count)
        return self.sealer().seal()

    def sealer(self, **changed: Any) -> Sealer:
        given: dict[str, Any] = {
            "source": self.events, "engine": self.database.engine, "folder": self.folder, "signer": SIGNER,
            "clock": lambda: self.now, "guard": self.guard,
        }  # fmt: skip
        return Sealer(**given | changed)

    def body(self, old: int, note: bytes) -> bytes:
        """What ``add-checkpoint`` is sent."""
        with LogFiles(self.folder) as files:
            return consistency(old, note, files.node)


@pytest.fixture
def log(events: Events, database: Database, tmp_path: Path) -> Log:
    folder = tmp_path / "log"
    folder.mkdir()
    return Log(events, database, folder)


def witness(folder: Path, name: str = "witness.example/w1", seed: int = 7) -> OutsideWitness:
    own = OutsideWitness(folder, name, clock=lambda: LATER, random=lambda count: bytes([seed]) * count)
    own.trust([SIGNER.key])
    return own


@dataclass
class Network:
    """Witnesses by host name, asked without a network; ``broken`` ones answer nothing."""

    witnesses: dict[str, OutsideWitness]
    broken: set[str] = field(default_factory=set)
    asked: int = 0

    def transport(self) -> httpx.MockTransport:
        from register.cli.witness import _answered

        def answer(request: httpx.Request) -> httpx.Response:
            self.asked += 1
            if request.url.host in self.broken:
                raise httpx.ConnectError("nobody there")
            assert request.url.path == "/w/add-checkpoint"
            status, kind, body = _answered(self.witnesses[request.url.host], request.content)
            return httpx.Response(status, headers={"content-type": kind}, content=body)

        return httpx.MockTransport(answer)


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return Network({f"w{n}": witness(tmp_path / f"w{n}", f"witness.example/w{n}", n) for n in (1, 2)})


def cosigning(log: Log, network: Network, quorum: str = "group g all w1 w2\nquorum g") -> Cosigning:
    lines = [f"witness {name} {own.key} https://{name}/w" for name, own in network.witnesses.items()]
    policy = parse_policy("\n".join([f"log {SIGNER.key}", *lines, quorum]).encode())
    return Cosigning(
        engine=log.database.engine, folder=log.folder, policy=policy, clock=lambda: log.now,
        transport=network.transport(),
    )  # fmt: skip


# --- the witness ----------------------------------------------------------------------------------------------------


def test_a_witness_cosigns_what_continues_what_it_saw(log: Log, tmp_path: Path) -> None:
    own = witness(tmp_path / "w")
    old = 0
    for count in (1, 1, 254, 300):
        note = log.seal(count).note
        opinion = own.add_checkpoint(log.body(old, note))
        old = opinion.checkpoint.size
        (found,) = cosignatures(note + str(opinion.line).encode(), [own.key], check_signature)
        assert found.time == int(LATER.timestamp())
        assert own.add_checkpoint(log.body(old, note)).line == opinion.line  # the same again
    assert witness(tmp_path / "w").seen(SIGNER.key.name) == own.seen(SIGNER.key.name)


async def test_each_refusal_has_the_status_of_the_specification(log: Log, tmp_path: Path) -> None:
    own = witness(tmp_path / "w")
    small, large = log.seal(5).note, log.seal(6).note
    own.add_checkpoint(log.body(0, small))
    forked = SIGNER.sign(Checkpoint(SIGNER.key.name, 5, bytes(32)))
    foreign = Signer("other.example/log", bytes(32))
    good = log.body(5, large)
    cases = [
        (b"", 400, None),
        (b"old 05\n\n" + large, 400, None),
        (b"old 12\n\n" + large, 400, None),
        (good.replace(b"\n\n", b"\n", 1), 400, None),
        (b"old 0\n\n" + foreign.sign(Checkpoint("other.example/log", 0, bytes(32))), 404, None),
        (b"old 5\n\n" + OTHER.sign(Checkpoint(SIGNER.key.name, 5, bytes(32))), 403, None),
        (b"old 0\n\n" + large, 409, b"5\n"),
        (b"old 7\n\n" + large, 409, b"5\n"),
        (b"old 5\n\n" + forked, 409, b"5\n"),
        (b"old 5\n\n" + large, 422, None),
        (good.replace(good.split(b"\n")[1], good.split(b"\n")[2]), 422, None),
        (b"old 5\n" + b"A" * (1 << 17) + b"\n\n" + large, 400, None),
    ]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(asgi(own)), base_url="https://w") as client:
        for body, status, size in cases:
            answer = await client.post("/any/add-checkpoint", content=body)
            assert answer.status_code == status, body
            assert (answer.headers["content-type"] == "text/x.tlog.size") == (size is not None)
            assert size is None or answer.content == size
        seen = own.seen(SIGNER.key.name)
        assert seen is not None
        assert seen.size == 5
        answer = await client.post("/add-checkpoint", content=good)
        assert answer.status_code == 200
        (line,) = parse_signatures(answer.content)
        assert (line.name, line.key_id) == (own.key.name, own.key.key_id)
        assert (await client.get("/add-checkpoint")).status_code == 405
        assert (await client.post("/other", content=good)).status_code == 404


def test_two_roots_for_one_size_are_kept_as_evidence(log: Log, tmp_path: Path) -> None:
    own = witness(tmp_path / "w")
    note = log.seal(5).note
    own.add_checkpoint(log.body(0, note))
    forked = SIGNER.sign(Checkpoint(SIGNER.key.name, 5, bytes(32)))
    with pytest.raises(WitnessError) as refused:
        own.add_checkpoint(b"old 5\n\n" + forked)
    assert refused.value.evidence == (note, forked)


def test_a_witness_whose_state_is_damaged_says_nothing(log: Log, tmp_path: Path) -> None:
    own = witness(tmp_path / "w")
    body = log.body(0, log.seal(5).note)
    own.add_checkpoint(body)
    (tmp_path / "w" / "state").write_bytes(b"{")
    with pytest.raises(StateError):
        own.add_checkpoint(body)


class Ran(NamedTuple):
    """What a command did."""

    returncode: int
    stdout: str
    stderr: str


class BrokenError(Exception):
    """The process died here."""


@pytest.mark.parametrize("step", ["open", "write", "fsync", "replace"])
def test_a_witness_killed_at_any_step_never_contradicts_itself(
    step: str, log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two histories are shown in turn, and each call of each kind fails once: no two cosignatures speak of both."""
    history = [log.seal(5), log.seal(6), log.seal(7)]
    bodies = [log.body(a, b.note) for a, b in zip((0, 5, 11), history, strict=True)]
    fork = [Checkpoint(SIGNER.key.name, sealed.size, bytes([9]) * 32) for sealed in history]
    for number in range(40):
        own, said, broken = witness(tmp_path / f"{step}{number}"), set(), False
        for body, head in zip(bodies, fork, strict=True):
            with monkeypatch.context() as patch:
                calls = iter(range(number))
                real = getattr(os, step)

                def counting(*args: Any, calls: Iterator[int] = calls, real: Any = real, **kwargs: Any) -> Any:
                    if next(calls, None) is None:
                        raise OSError(errno.EIO, "broken")
                    return real(*args, **kwargs)

                patch.setattr(f"register.log.files.os.{step}", counting)
                try:
                    said.add(own.add_checkpoint(body).checkpoint)
                except (OSError, WitnessError):
                    broken = True
            own = witness(tmp_path / f"{step}{number}")
            for old in (0, *(sealed.size for sealed in history)):
                try:
                    said.add(own.cosign(old, [], SIGNER.sign(head)).checkpoint)
                except WitnessError:
                    continue
        roots = {one.root for one in said}
        assert len({one.size for one in said}) == len(said)
        assert not (roots & {head.root for head in fork}) or roots <= {head.root for head in fork}
        if not broken:
            break
    assert number


# --- looking from outside -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["folder", "entries", "tiles"])
def test_a_proof_is_made_from_tiles_or_from_files(way: str, log: Log, tmp_path: Path) -> None:
    own = witness(tmp_path / "w")
    old = 0
    for count in (3, 254, 1, 66_000):
        note = log.seal(count).note
        size = log.events.head()
        source: Folder | Tiles = Folder(log.folder)
        if way == "entries":
            export = tmp_path / f"export{size}"
            export.mkdir()
            for name in (PUBLISHED, "entries.bin"):
                (export / name).write_bytes((log.folder / name).read_bytes())
            source = Folder(export)
        elif way == "tiles":
            source = Tiles(lambda path, size=size: tile(log.folder, path, size))  # type: ignore[misc]
        assert source.checkpoint() == note
        assert own.cosign(old, source.proof(old, size) if old else [], note).checkpoint.size == size
        old = size


def tile(folder: Path, path: str, size: int) -> bytes:
    from register.log.files import parse_tile

    if path == "checkpoint":
        return (folder / PUBLISHED).read_bytes()
    with LogFiles(folder) as files:
        return files.tile(parse_tile(path.removeprefix("tile/")), size)


def test_the_command_pulls_compares_and_prints_one_line(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "own"
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Ran:
        command = ["witness", *words, "--state", str(state)]
        status = app_for(command)(command, standalone_mode=False)
        said = capsys.readouterr()
        return Ran(status or 0, said.out, said.err)

    first = log.seal(9)
    assert run("once", str(log.folder)).returncode == 1  # whose log it is, nobody said
    done = run("once", str(log.folder), "--log", str(SIGNER.key))
    assert done.returncode == 0, done.stderr
    key = run("key").stdout.strip()
    from register.log.note import COSIGNATURE, parse_key

    lines = done.stdout.splitlines(keepends=True)
    assert len(lines) == 1
    assert cosignatures(first.note + done.stdout.encode(), [parse_key(key, COSIGNATURE)], check_signature)
    log.seal(9)
    assert run("once", str(log.folder)).returncode == 0
    (log.folder / PUBLISHED).write_bytes(first.note)
    shown = run("once", str(log.folder))
    assert (shown.returncode, shown.stdout) == (2, "")
    assert "after it showed 18" in shown.stderr
    assert (state / "evidence-18-9").exists()


# --- the register's side --------------------------------------------------------------------------------------------


def test_witnesses_are_asked_and_their_cosignatures_published_and_kept(log: Log, network: Network) -> None:
    part = cosigning(log, network)
    first = log.seal(5)
    assert shown_note(log.folder) == first.note
    network.broken = {"w2"}
    part.ask()
    assert cosigned_note(log.folder) is None  # one is too few
    shown = shown_note(log.folder)
    assert shown is not None
    keys = [own.key for own in network.witnesses.values()]
    assert [one.key.name for one in cosignatures(shown, keys, check_signature)] == ["witness.example/w1"]
    network.broken = set()
    part.ask()
    assert cosigned_note(log.folder) == shown_note(log.folder)
    second = log.seal(300)
    assert shown_note(log.folder) == second.note  # publishing waited for nobody
    held = cosigned_note(log.folder)
    assert held is not None
    assert checks.check_checkpoint(held, str(SIGNER.key)) == first.checkpoint
    part.ask()
    held = cosigned_note(log.folder)
    assert held is not None
    assert checks.check_checkpoint(held, str(SIGNER.key)) == second.checkpoint
    assert len(cosignatures(held, keys, check_signature)) == 2
    assert {said.size for said in statuses(log.folder).values()} == {305}


def test_a_cosignature_that_travelled_is_kept_only_when_it_is_good(log: Log, network: Network, tmp_path: Path) -> None:
    part = cosigning(log, network)
    sealed = log.seal(5)
    own, stranger = network.witnesses["w1"], witness(tmp_path / "x", "witness.example/x", 9)
    line = str(own.add_checkpoint(log.body(0, sealed.note)).line).encode()
    strange = str(stranger.add_checkpoint(log.body(0, sealed.note)).line).encode()
    with pytest.raises(CosignatureError, match="No witness"):
        part.keep(sealed.note + strange)
    with pytest.raises(NoteError):
        part.keep(sealed.note + line[:-6] + b"AAA=\n")
    forged = SIGNER.sign(Checkpoint(SIGNER.key.name, 5, bytes(32)))
    cosigner = Cosigner("witness.example/w1", bytes([1]) * 32)
    assert cosigner.key == own.key
    other = str(cosigner.cosign(parse_note(forged).text, int(LATER.timestamp()))).encode()
    with pytest.raises(CosignatureError, match="no checkpoint of this log"):
        part.keep(forged + other)
    assert part.keep(sealed.note + line + strange).new == ("w1",)
    assert part.keep(sealed.note + line).known == ("w1",)
    future = int((log.now + timedelta(seconds=SKEW + 1)).timestamp())
    late = str(Cosigner("witness.example/w2", bytes([2]) * 32).cosign(parse_note(sealed.note).text, future)).encode()
    with pytest.raises(CosignatureError, match="future"):
        part.keep(sealed.note + late)
    refused = (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.InternalError)
    for statement in (sa.update(COSIGNATURE).values(size=6), sa.delete(COSIGNATURE)):
        with log.database.engine.connect() as connection, pytest.raises(refused):
            connection.execute(statement)


def test_a_witness_that_lies_about_its_size_or_answers_nonsense_stops_nothing_for_ever(
    log: Log, network: Network
) -> None:
    part = cosigning(log, network)
    log.seal(5)
    answers = [(200, b"no lines"), (200, b"\xff\n"), (409, b"many\n"), (500, b""), (422, b""), (200, b"x" * 70_000)]
    for status, body in answers:
        answer = httpx.Response(status, headers={"content-type": "text/x.tlog.size"}, content=body)
        part._transport = httpx.MockTransport(lambda _, answer=answer: answer)
        part.ask()
        assert log.seal(1).size == log.events.head()
    part._transport = network.transport()
    part.ask()
    assert cosigned_note(log.folder) == shown_note(log.folder)


def test_a_restored_database_is_not_sealed_when_a_witness_has_seen_more(
    log: Log, network: Network, tmp_path: Path
) -> None:
    """Database and files are those of an older backup, so that nothing here knows better; the witness does."""
    log.seal(5)
    backup = {path.name: path.read_bytes() for path in log.folder.iterdir()}
    with log.database.owner_engine() as owner, owner.begin() as connection:
        connection.execute(sa.text("CREATE TABLE kept AS TABLE log.checkpoint"))
    rows = list(log.events.rows)
    log.seal(7)
    cosigning(log, network).ask()

    for path in log.folder.iterdir():
        path.unlink()
    for name, content in backup.items():
        (log.folder / name).write_bytes(content)
    with log.database.owner_engine() as owner, owner.begin() as connection:
        for table in ("checkpoint", "cosignature"):
            connection.execute(sa.text(f"ALTER TABLE log.{table} DISABLE TRIGGER USER"))
            connection.execute(sa.text(f"TRUNCATE log.{table}"))
        connection.execute(sa.text("INSERT INTO log.checkpoint SELECT * FROM kept"))
    log.events.rows = rows
    log.events.record(3, salt="BB==")  # what came after the backup, again and otherwise

    published = published_note(log.folder)
    part = cosigning(log, network)
    log.guard = part.guard
    with pytest.raises(SealError, match="witness w1 has cosigned size 12, the database ends its log at 5"):
        log.seal()
    assert published_note(log.folder) == published
    assert {(told.size, told.contradicts) for told in part.told()} == {(12, True)}
    network.broken = {"w1", "w2"}
    log.guard = cosigning(log, network).guard
    with pytest.raises(SealError, match="has cosigned size 12"):  # it is not forgotten when nobody answers
        log.seal()


def test_a_witness_that_does_not_answer_stops_no_sealing(log: Log, network: Network) -> None:
    network.broken = {"w1", "w2"}
    log.guard = cosigning(log, network).guard
    assert log.seal(5).size == 5
    assert network.asked == 2
    log.seal(1)
    assert network.asked == 2  # asked once, not before every checkpoint


def test_no_cosignature_is_kept_that_would_speak_against_honest_times(
    events: Events, log: Log, network: Network
) -> None:
    """The first event beyond a checkpoint bounds the time at which somebody may still cosign it."""
    part = cosigning(log, network)
    sealed = log.seal(5)
    text = parse_note(sealed.note).text
    cosigner = Cosigner("witness.example/w1", bytes([1]) * 32)
    with log.database.owner_engine() as owner, owner.begin() as connection:
        connection.execute(sa.text("ALTER TABLE store.event DISABLE TRIGGER USER"))
        for position in (5, 6):
            connection.execute(
                sa.text(
                    "INSERT INTO store.event (originator_id, originator_version, topic, state, notification_id,"
                    " recorded_at) VALUES (gen_random_uuid(), 1, 't', 's', :position, :at)"
                ),
                {"position": position, "at": START + timedelta(seconds=position)},
            )
    log.now = START + timedelta(days=2)
    last, following = (START + timedelta(seconds=position) for position in (5, 6))
    for at, good in (
        (last - timedelta(seconds=SKEW + 1), False),
        (following + timedelta(seconds=LAG + 1), False),
        (following + timedelta(seconds=LAG), True),
    ):
        note = sealed.note + str(cosigner.cosign(text, int(at.timestamp()))).encode()
        if good:
            assert part.keep(note).new == ("w1",)
        else:
            with pytest.raises(CosignatureError, match="time lies"):
                part.keep(note)


# --- power cuts -----------------------------------------------------------------------------------------------------


def test_a_log_and_its_witness_killed_again_and_again_hold_one_history(log: Log, tmp_path: Path) -> None:
    """SIGKILL in the middle of sealing and cosigning: each size has one root, and the witness goes on with it."""
    script = Path(__file__).with_name("sealing_for_ever.py")
    seen: dict[int, str] = {0: EMPTY_ROOT.hex()}
    for turn in range(4):
        command = [sys.executable, str(script), log.database.dsn, str(log.folder), str(tmp_path / "w")]
        environ = os.environ | {"PYTHONPATH": str(Path.cwd())}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ) as process:
            assert process.stdout is not None
            said = [process.stdout.readline(), process.stdout.readline()]
            time.sleep(0.05 + 0.07 * turn)
            process.send_signal(signal.SIGKILL)
            for line in (*said, *process.stdout.read().splitlines(keepends=True)):
                for size, root in json.loads(line if line.endswith(b"}\n") else b"{}").items():
                    assert seen.setdefault(int(size), root) == root
    log.events.record(max(seen))
    own = witness(tmp_path / "w")
    held = own.seen(SIGNER.key.name)
    assert held is not None
    # Killed between sealing and cosigning it lags by a step; what it cosigned is what was sealed.
    assert seen[held.size] == decode64(held.root).hex()
    log.events.record(50)
    sealed = log.seal()
    assert sealed.checkpoint.root == checks.root_of(record_of(row) for row in log.events.rows)[1]
    assert own.add_checkpoint(log.body(held.size, sealed.note)).checkpoint == sealed.checkpoint


def test_a_log_that_cannot_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError):
        Folder(tmp_path).checkpoint()
