"""The law folded again from an export that was written to deceive: what stands beside the signed events does not fit.

The check of the signed history says OK, as it must; folding names what is wrong, and ends in a verdict.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from register.audit.export.files import read_index
from register.audit.export.refolding import refold
from register.audit.export.writing import export
from register.audit.offline.exported import check_export
from register.audit.verify.findings import Report
from tests.audit.conftest import MUNICIPALITIES, NOW, ORIGIN, House


@pytest.fixture
def folder(house: House, tmp_path: Path) -> Path:
    """A true export."""
    export(house.parts.dsn, house.parts.log, str(house.parts.key), tmp_path / "export")
    return tmp_path / "export"


def folded(folder: Path) -> Report:
    return refold(folder, MUNICIPALITIES, processes=1, progress=lambda _what, _done, _all: None)


def rewritten(folder: Path, change: Callable[[Any], object] = lambda _: None) -> None:
    """Change the index, and write digests and numbers of lines anew."""
    index = json.loads((folder / "export.json").read_bytes())
    change(index)
    for part in index["parts"]:
        for described in (part["streams"], part["register"], *part["personal"].values()):
            content = (folder / described["file"]).read_bytes()
            described["bytes"], described["sha256"] = len(content), hashlib.sha256(content).hexdigest()
            described["lines"] = gzip.decompress(content).count(b"\n")
    (folder / "export.json").write_text(json.dumps(index), encoding="utf-8")


def moved(folder: Path, kind: str, source: str, target: str) -> None:
    """Put all lines of one file behind those of another, by stream or person where they have one."""
    one, other = (folder / kind / f"{name}.jsonl.gz" for name in (source, target))
    lines = [line for path in (one, other) if path.exists() for line in gzip.decompress(path.read_bytes()).splitlines()]
    other.write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines)))
    one.write_bytes(gzip.compress(b""))


def test_a_register_said_to_rest_on_nothing_is_not_the_register(house: House, folder: Path) -> None:
    """Given tables emptied, and an index by which the register knows no event yet, then it is found."""
    for path in folder.glob("register/*"):
        path.write_bytes(gzip.compress(b""))
    rewritten(folder, lambda index: index.update(position=0))
    assert check_export(folder, str(house.parts.key)).ok
    report = folded(folder)
    assert report.check("register").first_position == 1


@pytest.mark.parametrize(
    "line",
    [
        b"[",
        b"{}",
        b"[]",
        b'{"stretch":5}',
        b'{"stretch":[]}',
        b'{"stretch":["x"]}',
        b'{"other":["x"]}',
        b'{"audit":[1,2]}',
        b'{"stretch":["x"],"audit":["x"]}',
        b'{"audit":["x",{},1,1,1,1,1,1,1,1,1,1,1,1,1,1]}',
        b"[" * 100_000,
    ],
)
def test_a_row_that_is_none_is_found(line: bytes, house: House, folder: Path) -> None:
    path = folder / read_index(folder).parts[0].register.file
    path.write_bytes(gzip.compress(line + b"\n" + gzip.decompress(path.read_bytes())))
    rewritten(folder)
    assert check_export(folder, str(house.parts.key)).ok
    report = folded(folder)
    assert not report.ok
    assert "no row of the register" in report.check("register").findings[0].what


def test_an_event_that_this_program_cannot_read_is_named(house: House, tmp_path: Path) -> None:
    """Given an event of a type that nobody knows, signed like all others, then folding names its position."""
    with house.tampering() as owner:
        owner.execute("UPDATE store.event SET topic = 'ba.cvr.unheard-of.v1' WHERE notification_id = 18")
        owner.execute("DELETE FROM log.checkpoint")
    log = tmp_path / "log-of-lies"
    from register.log.keys import Signer
    from register.log.sealer import Sealer

    Sealer(
        source=house.store, engine=house.database.engine, folder=log, signer=Signer(ORIGIN, bytes(32)),
        clock=lambda: NOW,
    ).seal()  # fmt: skip
    folder = tmp_path / "export"
    export(house.parts.dsn, log, str(house.parts.key), folder)
    assert check_export(folder, str(house.parts.key)).ok
    report = folded(folder)
    assert report.check("events").first_position == 18
    assert "cannot be read" in report.check("events").findings[0].what


def test_linked_streams_folded_apart_are_found(house: House, folder: Path) -> None:
    """Given the streams that a link joins put among the others, so that each would be a person, then it is found."""
    index = read_index(folder)
    linked = index.parts[-1]
    assert linked.streams.lines

    def together(index: Any) -> None:
        range_of, last = index["parts"]
        for kind in [*last["personal"]]:
            name = f"personal/{kind}/00001.jsonl.gz"
            range_of["personal"].setdefault(kind, {**last["personal"][kind], "file": name})
        last["personal"] = {}

    for kind in ("streams", "register", *(f"personal/{kind}" for kind in linked.personal)):
        moved(folder, kind, "linked", "00001")
        path = folder / kind / "00001.jsonl.gz"
        path.write_bytes(gzip.compress(b"".join(by_stream(folder, gzip.decompress(path.read_bytes()), kind))))
    rewritten(folder, together)
    verdict = check_export(folder, str(house.parts.key))
    assert verdict.ok, verdict.lines()
    report = folded(folder)
    assert any("not among those that are linked" in found.what for found in report.check("events").findings)


def by_stream(folder: Path, content: bytes, kind: str) -> list[bytes]:
    """The lines of a file in the order of streams and versions, as an export has them."""
    place: dict[int, tuple[str, int]] = {}
    for path in folder.glob("records/*"):
        for position, line in enumerate(gzip.decompress(path.read_bytes()).splitlines(), 1):
            record = json.loads(line)
            place[position] = (record["id"], record["v"])

    def key(line: bytes) -> Any:
        told = json.loads(line)
        return place[told["position"]] if kind != "register" else next(iter(told.values()))[0]

    return [line + b"\n" for line in sorted(content.splitlines(), key=key)]
