"""An export whose files were written to deceive: whoever has disk, index and database, and not the auditor's key line.

Every digest in the index fits. The check says that it is not so (2) or that it cannot be checked (1); it never says OK,
never ends in a traceback, opens nothing outside the folder and keeps its memory flat.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from register.audit.export.files import read_index
from register.audit.export.writing import export
from register.audit.offline.checks import check_records
from register.audit.offline.exported import check_export
from register.audit.offline.form import read_record
from register.log.note import Checkpoint
from register.log.tree import Stack, leaf_hash
from tests.audit.conftest import ORIGIN, House

Index = dict[str, Any]
#: Bytes that the check may take in all: an interpreter, and a few records at a time.
MEMORY = 400 << 20


@pytest.fixture
def folder(house: House, tmp_path: Path) -> Path:
    """A true export."""
    export(house.parts.dsn, house.parts.log, str(house.parts.key), tmp_path / "export")
    return tmp_path / "export"


def plainly(folder: Path, key: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The check as an auditor runs it, with little memory."""
    command = [sys.executable, "-I", "-S", str(folder / "verify.pyz"), str(folder), "--key", key, *arguments]

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", timeout=60, preexec_fn=limited)


def rewritten(folder: Path, change: Callable[[Index], object]) -> None:
    """Change the index, and write the digests anew."""
    index = json.loads((folder / "export.json").read_bytes())
    change(index)
    try:
        parts = index["parts"]
        all_of = [*index["records"], index["entries"], index["checkpoints"], *(part["streams"] for part in parts)]
        all_of += [each for part in parts for each in (part["register"], *part["personal"].values())]
        for described in all_of:
            content = (folder / described["file"]).read_bytes()
            described["bytes"], described["sha256"] = len(content), hashlib.sha256(content).hexdigest()
    except (OSError, KeyError, TypeError, AttributeError, ValueError):
        pass
    (folder / "export.json").write_text(json.dumps(index), encoding="utf-8")


def lines_in(path: Path, change: Callable[[list[bytes]], object]) -> None:
    lines = gzip.decompress(path.read_bytes()).splitlines()
    change(lines)
    path.write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines)))


def streams(folder: Path) -> Path:
    return folder / read_index(folder).parts[0].streams.file


# --- the index --------------------------------------------------------------------------------------------------------


def _set(*path: Any, to: Any) -> Callable[[Path], None]:
    def change(index: Any) -> None:
        for name in path[:-1]:
            index = index[name]
        index[path[-1]] = to

    return lambda folder: rewritten(folder, change)


def _nested(folder: Path) -> None:
    (folder / "export.json").write_text("[" * 100_000)


INDEX: dict[str, Callable[[Path], None]] = {
    "a path to elsewhere": _set("records", 0, "file", to="records/../../../../../etc/passwd"),
    "a path from the root": _set("entries", "file", to="/etc/passwd"),
    "a path with NUL": _set("records", 0, "file", to="records/\0"),
    "a path that says OK": _set("records", 0, "file", to="x\nOK: all events are those that were signed.\n"),
    "a path that is a number": _set("records", 0, "file", to=7),
    "a size that is text": _set("size", to="27"),
    "a size below nothing": _set("size", to=-1),
    "a register beyond the log": _set("position", to=10**6),
    "more lines than can be": _set("records", 0, "lines", to=10**30),
    "records that are none": _set("records", to=5),
    "parts that are none": _set("parts", to=[None]),
    "no part of linked streams": _set("parts", to=[]),
    "a kind that cannot be written": _set("parts", 0, "personal", to={"\ud800": {}}),
    "an origin with an end of line": _set("origin", to="x\nOK"),
    "a key that is none": _set("key", to=None),
    "no object": _nested,
}


@pytest.mark.parametrize("what", INDEX)
def test_an_index_that_is_none_cannot_be_checked(what: str, house: House, folder: Path) -> None:
    INDEX[what](folder)
    done = plainly(folder, str(house.parts.key))
    assert (done.returncode, "OK" in done.stdout) == (1, False), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("cannot be checked: ")


@pytest.mark.parametrize("name", ["checkpoint", "entries.bin", "records/00001.jsonl.gz", "records"])
@pytest.mark.parametrize("made", ["link", "pipe"])
def test_nothing_but_plain_files_of_the_folder_is_opened(
    made: str, name: str, house: House, folder: Path, tmp_path: Path
) -> None:
    (folder / name).rename(tmp_path / "elsewhere")
    if made == "link":
        (folder / name).symlink_to(tmp_path / "elsewhere")
    else:
        os.mkfifo(folder / name)
    done = plainly(folder, str(house.parts.key))
    assert done.returncode in {1, 2}, done.stdout + done.stderr
    assert "\nOK:" not in done.stdout
    assert "Traceback" not in done.stderr


# --- what the files hold ----------------------------------------------------------------------------------------------


def _streams(change: Callable[[list[bytes]], object]) -> Callable[[Path], None]:
    return lambda folder: lines_in(streams(folder), change)


def _swap(before: bytes, after: bytes) -> Callable[[list[bytes]], object]:
    def change(lines: list[bytes]) -> None:
        assert before in lines[0]
        lines[0] = lines[0].replace(before, after, 1)

    return change


def _beyond(folder: Path) -> None:
    with (folder / "entries.bin").open("ab") as out:
        out.write(bytes(32))


def _checkpoints(line: bytes) -> Callable[[Path], None]:
    return lambda folder: lines_in(folder / "checkpoints.jsonl.gz", lambda lines: lines.append(line))


def _another_log(folder: Path) -> None:
    note = json.loads(gzip.decompress((folder / "checkpoints.jsonl.gz").read_bytes()).splitlines()[-1])
    note["note"] = note["note"].replace(ORIGIN, "other.example/log")
    lines_in(folder / "checkpoints.jsonl.gz", lambda lines: lines.insert(0, json.dumps(note).encode()))


FILES: dict[str, Callable[[Path], None]] = {
    "a record in two streams, another in none": _streams(lambda lines: lines.__setitem__(1, lines[0])),
    "a record in no stream": _streams(lambda lines: lines.pop()),
    "streams in another order": _streams(lambda lines: lines.sort(reverse=True)),
    "a position below nothing": _streams(_swap(b'"position":', b'"position":-')),
    "a position beyond all numbers": _streams(_swap(b'"position":', b'"position":99999999999999999999')),
    "a position in another spelling": _streams(_swap(b'"position":', b'"position":0')),
    "another member for the position": _streams(_swap(b'{"position"', b'{"POSITION"')),
    "a line that does not end": _streams(lambda lines: lines.__setitem__(0, lines[0][:-1] + b"]")),
    "a line nested too deeply": _streams(
        lambda lines: lines.__setitem__(0, b'{"position":1,"record":' + b"[" * 200_000 + b"}")
    ),
    "entries beyond the records": _beyond,
    "a checkpoint that is a number": _checkpoints(b'{"size":1,"note":7}'),
    "a checkpoint nested too deeply": _checkpoints(b"[" * 200_000),
    "a checkpoint of another log": _another_log,
}


@pytest.mark.parametrize("what", FILES)
def test_files_that_fit_their_digests_and_not_the_history(what: str, house: House, folder: Path) -> None:
    FILES[what](folder)
    rewritten(folder, lambda _: None)
    done = plainly(folder, str(house.parts.key))
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout.splitlines()[0].startswith("ok"), done.stdout
    assert "NOT OK" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["records/00001.jsonl.gz", "checkpoints.jsonl.gz", "streams"])
@pytest.mark.parametrize("piece", [b"\n" * 65_536, b" " * 65_536])
def test_files_that_grow_a_thousandfold_end_in_a_verdict(piece: bytes, name: str, house: House, folder: Path) -> None:
    """Half a gigabyte of nothing in half a megabyte, in lines without end or without content."""
    path = streams(folder) if name == "streams" else folder / name
    with path.open("ab") as raw, gzip.open(raw, "ab", compresslevel=9) as out:
        for _ in range(8_192):
            out.write(piece)
    rewritten(folder, lambda _: None)
    done = plainly(folder, str(house.parts.key))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_sums_of_two_checks_have_nothing_in_common(folder: Path) -> None:
    """With a sum that is known beforehand, other records could be found that have the same: it has a key each time."""
    drawn: list[int] = []

    def draw(size: int) -> bytes:
        drawn.append(size)
        return bytes([len(drawn)]) * size

    assert all(check_export(folder, draw=draw).ok for _ in range(2))
    assert drawn == [32, 32]


# --- records that read otherwise than they hash -----------------------------------------------------------------------

RECORD = (
    b'{"at":"2026-05-01T12:00:01.000000Z","id":"01a20129-71d6-7495-8c23-620e688014d4","state":{"data":{},"id":"n-1",'
    b'"personal":"sha256:%b","source":"urn:cvr:register","time":"2026-05-01T12:00:01Z"},"topic":"t","v":1}'
    % (b"0" * 64)
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"v":1}', b'"v":1} '),
        (b'"v":1}', b'"v": 1}'),
        (b'"v":1}', b'"v":1,"v":1}'),
        (b'"v":1}', b'"v":true}'),
        (b'"v":1}', b'"v":1.0}'),
        (b'"v":1}', b'"v":1,"w":1}'),
        (b'"topic":"t",', b""),
        (b'"data":{}', b'"data":{"a":NaN}'),
        (b'"data":{}', b'"data":{"b":1,"a":1}'),
        (b'"n-1"', b'"n\\u002d1"'),
        (b'"n-1"', b'"n\0"'),
        (b'"n-1"', b'"\\ud800"'),
        (b'"n-1"', b'"\xff"'),
        (b'"n-1"', b"1"),
        (b'"sha256:' + b"0" * 64 + b'"', b"null"),
        (b'"sha256:' + b"0" * 64 + b'"', b'"sha256:0"'),
        (b"12:00:01.000000Z", b"12:00:01.000+09Z"),
        (b"01a20129", b"01A20129"),
        (RECORD, b"[" * 200_000),
    ],
)
def test_a_record_has_one_form(before: bytes, after: bytes) -> None:
    assert read_record(RECORD)["v"] == 1
    assert before in RECORD
    with pytest.raises(ValueError):  # noqa: PT011 - several say it in their own words
        read_record(RECORD.replace(before, after, 1))


# --- what was not handed out ------------------------------------------------------------------------------------------


def test_what_was_not_handed_out_is_left_out_only_when_the_auditor_says_so(house: House, folder: Path) -> None:
    key = str(house.parts.key)
    for path in [*folder.glob("personal/*/*"), *folder.glob("register/*")]:
        path.unlink()
    assert plainly(folder, key).returncode == 2
    done = plainly(folder, key, "--without", "personal", "--without", "register")
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("Not looked for, as it was asked: personal, register.\n")
    lines_in(streams(folder), lambda lines: lines.pop())
    rewritten(folder, lambda _: None)
    done = plainly(folder, key)
    assert "the records by stream are not those by position" in done.stdout


def test_many_checkpoints_take_no_longer_than_their_number() -> None:
    """One checkpoint a record, as in a busy second after second."""
    stack, heads, records = Stack(), [], [b"%d" % n for n in range(20_000)]
    for record in records:
        stack.push(leaf_hash(hashlib.sha256(record).digest()))
        heads.append(Checkpoint(ORIGIN, stack.size, stack.root()))
    looked = 0

    class Sizes(dict[int, list[bytes]]):
        def __iter__(self) -> Any:
            nonlocal looked
            looked += 1
            return super().__iter__()

    from register.audit.offline.checks import _Pass

    one = _Pass(heads)
    one.roots = Sizes(one.roots)
    assert not list(one.findings(iter(records), None))
    assert looked < 10
    assert not check_records(records[:99], heads[:99])
