"""A party, an observer, a voter: who holds a list or a line and its proof needs nothing but Python to check it."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from register.audit.export.bundle import write_verifier
from register.audit.offline.lists import ListError, check_file
from register.cli import app_for
from register.excerpts.proofs import lines_of, prove, tree_of
from register.law.events import DrawnList, ExcerptDrawn, ListRoot
from register.log.keys import Signer
from register.log.note import Checkpoint, NoteError, encode64
from register.log.receipts import receipt
from register.log.record import entry_of, record_of
from register.log.tree import Stack, leaf_hash
from register.store import StoredRecord, codec

SECRET = bytes(range(32))
NAME = "polling-station_10049_003A001"
CSV = "no,surname\n1,Uzorak\n2,Uzorković\n3,Uzor\n".encode()
AT = datetime(2026, 8, 21, 6, tzinfo=UTC)


class Proofs:
    """The files that are handed out about one list, made without a register. ``rows``: what the record tells."""

    def __init__(self, rows: int | None = 3, roots: tuple[ListRoot, ...] | None = None, origin: str = "log") -> None:
        _, root = tree_of(SECRET, lines_of(CSV))
        drawn = ExcerptDrawn(
            excerpt="x", election="general-2026", kind="polling-station", conclusion=7, format_version=1,
            lists=(DrawnList(name=NAME, rows=3, sha256="0" * 64, secret=SECRET.hex()),),
            roots=(ListRoot(name=NAME, root=root.hex(), rows=rows),) if roots is None else roots,
        )  # fmt: skip
        state = codec.encode(drawn, source="urn:cvr:register", id="1", time=AT, salt="c2FtcGxlIHNhbHQgMTYgYg==")
        record = record_of(StoredRecord(2, UUID(int=7), 1, drawn.TOPIC, AT, state))
        leaves = [leaf_hash(b"\1" * 32), leaf_hash(entry_of(record)), leaf_hash(b"\2" * 32)]
        stack = Stack()
        for leaf in leaves:
            stack.push(leaf)
        signer = Signer(origin, secrets.token_bytes(32))
        note = signer.sign(Checkpoint(origin, 3, stack.root()))
        nodes = {(0, n): leaf for n, leaf in enumerate(leaves)}
        two = Stack()
        for leaf in leaves[:2]:
            two.push(leaf)
        nodes[1, 0] = two.root()
        proof = receipt(2, note, lambda level, index: nodes[level, index])
        self.key = str(signer.key)
        common = {"election": "general-2026", "list": NAME, "position": 2}
        common |= {"record": record.decode(), "receipt": proof.decode()}
        self.list: dict[str, Any] = {"format": "cvr-list/1", "secret": SECRET.hex(), **common}

    def line(self, no: int) -> dict[str, Any]:
        made = prove(SECRET, lines_of(CSV), no)
        own = {"line": made.line.decode(), "salt": encode64(made.salt), "index": made.index, "size": made.size}
        shared = {name: value for name, value in self.list.items() if name != "secret"}
        return shared | own | {"format": "cvr-line/1", "hashes": [encode64(each) for each in made.hashes]}


def packed(proof: dict[str, Any]) -> bytes:
    return json.dumps(proof).encode()


def test_a_copy_with_its_proof_and_each_line_with_its_own_are_what_was_put_on_record() -> None:
    proofs = Proofs()
    whole = check_file(packed(proofs.list), proofs.key, CSV)
    assert (whole.election, whole.name, whole.rows, whole.position) == ("general-2026", NAME, 3, 2)
    assert (whole.checkpoint.origin, whole.checkpoint.size, whole.line) == ("log", 3, None)
    for no, line in enumerate(CSV.decode().splitlines()[1:], 1):
        assert check_file(packed(proofs.line(no)), proofs.key).line == line


@pytest.mark.parametrize(
    "changed",
    [
        CSV.replace(b"Uzor\n", b"Uzon\n"),
        CSV.replace(b"3,Uzor\n", b""),
        CSV + b"4,Uzor\n",
        b"".join(sorted(CSV.splitlines(keepends=True), reverse=True)),
        CSV.removesuffix(b"\n"),
        b"",
        b"no,surname\n",
    ],
)
def test_a_copy_with_a_line_changed_added_taken_away_or_moved_is_found(changed: bytes) -> None:
    proofs = Proofs()
    with pytest.raises(ListError):
        check_file(packed(proofs.list), proofs.key, changed)


def test_another_secret_list_record_or_key_proves_nothing() -> None:
    proofs, other = Proofs(), Proofs()
    for changed in (
        {"secret": "00" * 32},
        {"secret": "00"},
        {"list": "polling-station_10049_003A002"},
        {"format": "cvr-list/2"},
        {"record": 7},
    ):
        with pytest.raises(ListError):
            check_file(packed(proofs.list | changed), proofs.key, CSV)
    with pytest.raises(NoteError):
        check_file(packed(proofs.list), other.key, CSV)
    with pytest.raises(NoteError):
        check_file(packed(proofs.list | {"receipt": other.list["receipt"]}), proofs.key, CSV)


def test_what_is_told_of_the_number_of_lines_must_be_so_and_need_not_be_told() -> None:
    untold, false, before = Proofs(rows=None), Proofs(rows=2), Proofs(roots=())
    assert check_file(packed(untold.list), untold.key, CSV).rows == 3
    for proofs in (false, before):
        with pytest.raises(ListError):
            check_file(packed(proofs.list), proofs.key, CSV)
        with pytest.raises(ListError):
            check_file(packed(proofs.line(1)), proofs.key)


def test_one_line_is_not_taken_for_a_list_nor_a_list_for_a_line() -> None:
    proofs = Proofs()
    with pytest.raises(ListError, match="name the list's CSV file"):
        check_file(packed(proofs.list), proofs.key)
    with pytest.raises(ListError, match="proves one line"):
        check_file(packed(proofs.line(1)), proofs.key, CSV)


@pytest.mark.parametrize("whole", [True, False])
def test_the_same_from_the_command_line_with_the_program_and_with_python_alone(tmp_path: Path, whole: bool) -> None:
    proofs = Proofs(origin="log.example/register")
    (tmp_path / "list.csv").write_bytes(CSV)
    (tmp_path / "wrong.csv").write_bytes(CSV.replace(b"Uzor\n", b"Uzon\n"))
    (tmp_path / "proof.json").write_bytes(packed(proofs.list if whole else proofs.line(2)))
    (tmp_path / "key").write_text(proofs.key + "\n")
    write_verifier(tmp_path / "verify.pyz")

    def alone(*files: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-S", "verify.pyz", "list", *files, "proof.json", "--key", "key"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    def within(*options: str) -> Any:
        proof = ["--proof", str(tmp_path / "proof.json"), "--key", proofs.key]
        return CliRunner().invoke(app_for([]), ["verify", *options, *proof])

    good, bad = ("list.csv", "wrong.csv")
    for done in (alone(good), within("--list", str(tmp_path / good))) if whole else (alone(), within()):
        assert (done.returncode if isinstance(done, subprocess.CompletedProcess) else done.exit_code) == 0
        assert f"list {NAME} of general-2026" in done.stdout
        assert "position 2 of log.example/register, size 3" in done.stdout
    for done in (alone(bad), within("--list", str(tmp_path / bad))):
        assert (done.returncode if isinstance(done, subprocess.CompletedProcess) else done.exit_code) == 2
        assert done.stdout.startswith("NOT OK")


@pytest.mark.parametrize(
    "roots", [None, 5, "x", [None], [{}], [{"name": NAME, "root": 7}], [{"name": NAME, "root": "00"}], [[NAME]]]
)
def test_a_signed_record_whose_roots_are_none_proves_nothing(roots: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever signs may sign anything: what is no root of a list is said to be none, and ends nothing else."""
    proofs = Proofs()
    told = json.loads(proofs.list["record"])
    told["state"]["data"]["roots"] = roots
    monkeypatch.setattr("register.audit.offline.lists.check_receipt", lambda *_: (2, Checkpoint("log", 3, bytes(32))))
    for proof in (proofs.list, proofs.line(1)):
        changed = packed(proof | {"record": json.dumps(told)})
        with pytest.raises(ListError):
            check_file(changed, proofs.key, CSV if proof is proofs.list else None)
    with pytest.raises(ListError):
        check_file(b"[" * 100_000, proofs.key)
