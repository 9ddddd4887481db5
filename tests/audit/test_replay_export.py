"""The register made again from an export's files alone, here or on many machines: the bytes are those of the store."""

from __future__ import annotations

import csv
import gc
import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from register.audit.export.files import read_index
from register.audit.export.reading import MissingMandateError
from register.audit.export.writing import export
from register.audit.offline.form import NotAnExportError
from register.audit.replay import ExportError, PositionError, Replayed, on_cores, replay, replay_export
from register.cli import app_for
from tests.audit.conftest import NOW, House

DAYS = [date(1990, 1, 1), date(2025, 6, 1), date(2026, 2, 15), date(2026, 3, 15), date(2026, 5, 1), date(2027, 1, 1)]


@pytest.fixture
def folder(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An export in many ranges of streams."""
    monkeypatch.setattr("register.audit.reading._EVENTS_IN_RANGE", 4)
    export(house.parts.dsn, house.parts.log, str(house.parts.key), tmp_path / "export")
    assert len(read_index(tmp_path / "export").parts) > 4
    return tmp_path / "export"


def from_store(house: House, known_at: int | datetime | None, on: date) -> tuple[bytes, Replayed]:
    out = io.BytesIO()
    done = replay(house.parts.dsn, known_at=known_at, on=on, out=out)
    return out.getvalue(), done


def from_export(folder: Path, known_at: int | datetime | None, on: date, processes: int = 1) -> tuple[bytes, Replayed]:
    out = io.BytesIO()
    done = replay_export(folder, known_at=known_at, on=on, out=out, spread=on_cores(processes))
    return out.getvalue(), done


def test_an_export_gives_the_bytes_that_the_store_gives(house: House, folder: Path) -> None:
    """Given positions and days all over, links made and taken back among them, then not a byte differs."""
    told = set()
    for known in range(0, house.store.head() + 1, 3):
        for day in DAYS[1:5]:
            one = from_store(house, known, day)
            assert from_export(folder, known, day) == one, (known, day)
            told.add(one[0])
    assert len(told) > 15
    whole = from_store(house, None, DAYS[4])
    assert from_export(folder, None, DAYS[4]) == from_export(folder, None, DAYS[4], processes=2) == whole


def test_an_instant_means_the_same_position(house: House, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given instants at, between, before and behind the events, and records in several chunks, then as in the store."""
    monkeypatch.setattr("register.audit.export.writing.CHUNK", 7)
    chunks = folder.with_name("chunks")
    export(house.parts.dsn, house.parts.log, str(house.parts.key), chunks)
    for seconds in (-5.0, 0.0, 1.0, 6.5, 7.0, 8.0, 14.000001, 20.5, 1000.0):
        at = NOW + timedelta(seconds=seconds)
        assert from_export(chunks, at, DAYS[4]) == from_store(house, at, DAYS[4])
    with pytest.raises(PositionError, match="offset"):
        from_export(folder, NOW.replace(tzinfo=None), DAYS[4])
    with pytest.raises(PositionError, match="no position"):
        from_export(folder, house.store.head() + 1, DAYS[4])


def test_what_is_not_within_the_mandate_is_said_before_anything_is_folded(folder: Path) -> None:
    """Given that two kinds of personal parts were not handed out, then both are named, and nothing is written."""
    for kind in ("court", "residence-authority"):
        for path in (folder / "personal" / kind).iterdir():
            path.unlink()
    with pytest.raises(MissingMandateError, match="court, residence-authority"):
        from_export(folder, None, DAYS[4])


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


def linked_among_the_others(folder: Path) -> None:
    """The streams that links join in a range like any other; nothing is said to be linked."""

    def change(index: Any) -> None:
        parts = index["parts"]
        empty = gzip.compress(b"")
        for kind, described in [("streams", parts[-1]["streams"]), *parts[-1]["personal"].items()]:
            own = "streams" if kind == "streams" else f"personal/{kind}"
            (folder / own / "99999.jsonl.gz").write_bytes((folder / described["file"]).read_bytes())
            (folder / described["file"]).write_bytes(empty)
        (folder / "register" / "99999.jsonl.gz").write_bytes(empty)
        moved = {kind: dict(d, file=f"personal/{kind}/99999.jsonl.gz") for kind, d in parts[-1]["personal"].items()}
        last = dict(parts[-1]["streams"], file="streams/99999.jsonl.gz")
        register = dict(parts[-1]["register"], file="register/99999.jsonl.gz")
        parts.insert(-1, {"streams": last, "personal": moved, "register": register})

    rewritten(folder, change)


def streams_twice(folder: Path) -> None:
    """A range whose streams stand in it twice."""
    part = max(read_index(folder).parts[:-1], key=lambda part: part.streams.lines)
    for described in (part.streams, *part.personal.values()):
        path = folder / described.file
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) * 2))
    rewritten(folder)


def event_twice(folder: Path) -> None:
    """A stream in which an event stands twice."""
    part = read_index(folder).parts[0]
    for described in (part.streams, *part.personal.values()):
        path = folder / described.file
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        path.write_bytes(gzip.compress(b"".join([*lines, lines[-1]])))
    rewritten(folder)


def garbage(folder: Path) -> None:
    path = folder / read_index(folder).parts[1].streams.file
    path.write_bytes(gzip.compress(b'{"position":1,"record":{}}\n'))
    rewritten(folder)


def flipped(folder: Path) -> None:
    path = folder / read_index(folder).parts[1].streams.file
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (linked_among_the_others, r"^(position \d+: its stream is not among|the ranges of streams do not follow)"),
        (streams_twice, "out of order, or twice"),
        (event_twice, "number 1, 2, 3"),
        (garbage, "cannot be read"),
        (flipped, "not the file that was exported"),
    ],
)
def test_files_that_are_not_what_was_exported_give_no_register(
    folder: Path, harm: Callable[[Path], None], said: str
) -> None:
    """Given files changed by accident or on purpose, then the place is named, and no other register comes of them."""
    harm(folder)
    with pytest.raises(ExportError, match=said) as caught:
        from_export(folder, None, DAYS[4])
    assert "Čolić" not in str(caught.value)


def test_nothing_outside_the_folder_is_opened(folder: Path) -> None:
    """Given an index that names a file elsewhere, then it is no export."""
    rewritten(folder, lambda index: index["parts"][0]["streams"])
    index = json.loads((folder / "export.json").read_bytes())
    index["parts"][0]["streams"]["file"] = "../../../etc/passwd"
    (folder / "export.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(NotAnExportError):
        from_export(folder, None, DAYS[4])


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``cvr replay --export`` on a machine without data, database or settings: any look at a setting would fail."""
    environment = os.environ | {"CVR_NO_SUCH_SETTING": "1", "PYTHONPATH": str(Path.cwd())}
    return subprocess.run(
        [sys.executable, "-m", "register", "replay", "--export", str(folder), *arguments],
        capture_output=True, text=True, check=False, cwd=folder.parent, env=environment,
    )  # fmt: skip


def test_the_command_needs_the_files_and_nothing_else(house: House, folder: Path, tmp_path: Path) -> None:
    """Given the folder alone, then a file whole or none, and in words what is missing."""
    out = tmp_path / "register.csv"
    done = command(folder, "--known-at", "16", "--on", "2026-05-01", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == from_store(house, 16, date(2026, 5, 1))[0]
    for path in (folder / "personal" / "court").iterdir():
        path.unlink()
    refused = command(folder, "--out", str(tmp_path / "none.csv"))
    assert refused.returncode == 1
    assert "without what was sent by: court" in " ".join(refused.stderr.replace("│", " ").split())
    assert not (tmp_path / "none.csv").exists()
    assert not (tmp_path / "data").exists()


def test_parquet_holds_the_rows_of_the_csv_however_they_were_made(
    house: House, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given groups of four rows, then the same values with types, and the same bytes from store and export."""
    arrow = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: no Parquet to try")
    from register.audit.replay import parquet

    monkeypatch.setattr(parquet, "GROUP", 4)
    monkeypatch.setattr(parquet, "_PIECE", 1_000)
    stored, exported = io.BytesIO(), io.BytesIO()
    with parquet.ParquetSink(stored) as sink:
        done = replay(house.parts.dsn, on=DAYS[4], out=sink)
        sink.end(done)
    with parquet.ParquetSink(exported) as sink:
        sink.end(replay_export(folder, on=DAYS[4], out=sink, spread=on_cores(1)))
    assert stored.getvalue() == exported.getvalue()
    content, _ = from_store(house, None, DAYS[4])
    read = arrow.ParquetFile(io.BytesIO(stored.getvalue()))
    told = read.read().to_pylist()
    assert [{name: _text(value) for name, value in row.items()} for row in told] == list(
        csv.DictReader(io.StringIO(content.decode()))
    )
    assert {type(row["born_on"]) for row in told} == {date}
    assert {type(row["entered"]) for row in told} == {bool}
    sizes = [read.metadata.row_group(n).num_rows for n in range(read.metadata.num_row_groups)]
    assert set(sizes[:-1]) == {4}
    assert sum(sizes) == done.persons
    metadata = read.metadata.metadata
    assert metadata[b"csv_sha256"].decode() == hashlib.sha256(content).hexdigest()
    assert (metadata[b"position"], metadata[b"on"]) == (str(done.position).encode(), b"2026-05-01")


@pytest.fixture
def collected() -> Iterator[None]:
    """The command line calms the collector of the process it runs in; afterwards it is as before."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("collected")
def test_a_parquet_file_is_there_whole_or_not_at_all(folder: Path, tmp_path: Path) -> None:
    """Given an export of which a file is damaged, when Parquet is asked for, then no file is there."""
    pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: no Parquet to try")
    assert CliRunner().invoke(
        app_for([]), ["replay", "--export", str(folder), "--out", str(tmp_path / "well.parquet")]
    ).exit_code == 0  # fmt: skip
    flipped(folder)
    done = CliRunner().invoke(app_for([]), ["replay", "--export", str(folder), "--out", str(tmp_path / "not.parquet")])
    assert done.exit_code == 1
    assert sorted(path.name for path in tmp_path.glob("*.parquet")) == ["well.parquet"]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def test_a_cluster_gives_the_same_bytes_when_a_worker_is_killed_midway(house: House, folder: Path) -> None:
    """Given two workers in processes of their own, one killed after the first results, then not a byte differs."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed: no cluster to try")
    from register.audit.replay.cluster import Cluster

    killed: list[int] = []
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=50
        ) as local,
        Cluster(local.scheduler_address) as machines,
    ):

        def kill(_done: int, _all: int) -> None:
            if not killed:
                killed.append(local.workers[0].process.process.pid)
                os.kill(killed[0], signal.SIGKILL)

        out = io.BytesIO()
        done = replay_export(folder, on=DAYS[4], out=out, spread=machines.spread, progress=kill)
        assert killed
        assert (out.getvalue(), done) == from_store(house, None, DAYS[4])
        flipped(folder)
        with pytest.raises(ExportError, match="not the file that was exported"):
            replay_export(folder, on=DAYS[4], out=io.BytesIO(), spread=machines.spread)
