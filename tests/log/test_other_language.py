"""What the log says is checked by programs of others: Go's own packages for notes and transparency logs."""

from __future__ import annotations

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from register.log.keys import Cosigner, Signer
from register.log.note import Checkpoint, parse_note
from register.log.receipts import consistency, receipt
from register.log.tree import Stack, leaf_hash, perfect_root

SIGNER = Signer("log.example/register", bytes(range(32)))
#: Where Debian's package golang-golang-x-mod-dev puts its source, unless GOPATH says otherwise.
GOPATH = os.environ.get("GOPATH", "/usr/share/gocode")
SOURCE = Path(__file__).with_name("go") / "main.go"
ENTRIES = [sha256(b"record %d" % number).digest() for number in range(13)]


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program, compiled without a network."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("there is no go here: the check in another language is not run")
    if not (Path(GOPATH) / "src/golang.org/x/mod/sumdb/note").is_dir():
        pytest.skip("golang.org/x/mod is not here (Debian: golang-golang-x-mod-dev)")
    folder = tmp_path_factory.mktemp("go")
    environ = {
        "GOPATH": GOPATH,
        "GO111MODULE": "off",
        "CGO_ENABLED": "0",
        "GOCACHE": str(folder / "cache"),
        "PATH": os.environ["PATH"],
    }
    environ |= {name: os.environ[name] for name in ("GOROOT", "HOME") if name in os.environ}
    subprocess.run([go, "build", "-o", str(folder / "check"), str(SOURCE)], env=environ, check=True)
    return folder / "check"


def node(level: int, index: int) -> bytes:
    return perfect_root([leaf_hash(entry) for entry in ENTRIES[index << level : (index + 1) << level]])


def signed(size: int) -> bytes:
    """A checkpoint, with a cosignature that the other program does not know."""
    stack = Stack()
    for entry in ENTRIES[:size]:
        stack.push(leaf_hash(entry))
    note = SIGNER.sign(Checkpoint(SIGNER.key.name, size, stack.root()))
    cosigner = Cosigner("witness.example/w1", bytes(32))
    return note + str(cosigner.cosign(parse_note(note).text, 1_795_248_000)).encode()


def root(size: int) -> bytes:
    stack = Stack()
    for entry in ENTRIES[:size]:
        stack.push(leaf_hash(entry))
    return stack.root()


@pytest.mark.parametrize("what", ["checkpoint", "receipt", "consistency"])
def test_another_program_accepts_what_is_right_and_refuses_one_changed_byte(
    what: str, check: Path, tmp_path: Path
) -> None:
    note = signed(len(ENTRIES))
    content, given = {
        "checkpoint": (note, []),
        "receipt": (receipt(6, note, node), [ENTRIES[5].hex()]),
        "consistency": (consistency(6, note, node), [root(6).hex()]),
    }[what]
    file = tmp_path / what

    def verdict(raw: bytes, *words: str) -> int:
        file.write_bytes(raw)
        command = [str(check), str(SIGNER.key), what, str(file), *words]
        return subprocess.run(command, capture_output=True, check=False).returncode

    assert verdict(content, *given) == 0
    # every byte up to the log's own signature; the cosignature below it is a stranger's there
    end = content.index(b"witness.example") - len("\N{EM DASH} ".encode())
    for place in range(0, end, 7):
        changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        assert verdict(changed, *given) == 2, place
    if given:
        wrong = bytes([bytes.fromhex(given[0])[0] ^ 1]) + bytes.fromhex(given[0])[1:]
        assert verdict(content, wrong.hex()) == 2
