"""``cvr intake`` and ``cvr token``: what an authority's or an operator's shell sees (contract: section 1)."""

from __future__ import annotations

import gzip
import io
import json
import random
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard

from register.__main__ import main
from register.access import Verifier
from register.cli.clock import current_clock, server_clock
from register.database import Database
from register.intake.batch import Intake
from register.intake.journal import Journal
from register.intake.lines import PIECE, RATIO, UNQUESTIONED, Feed, Splitter, SwollenFeedError
from register.intake.parse import MAX_BYTES
from register.law.events import SOURCE_PREFIX
from register.settings import Settings, read_settings
from register.store import Store

from .conftest import REGISTRY, enveloped, example

RESIDENCE = "residence-authority:10049"

Run = Callable[..., int]


@pytest.fixture
def cvr(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs the command line in a folder of its own, and gives its exit status."""
    monkeypatch.setenv("CVR_DATA", str(settings.data))
    monkeypatch.setenv("CVR_DATABASE_URL", settings.database_url or "")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["cvr", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code if isinstance(ended.value.code, int) else int(ended.value.code is not None)

    return run


def file_of(path: Path, *lines: object) -> Path:
    content = b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
    pack: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".zst": zstandard.compress}
    path.write_bytes(pack.get(path.suffix, bytes)(content))
    return path


@pytest.mark.parametrize("name", ["day.ndjson", "day.ndjson.gz", "day.ndjson.zst"])
def test_a_file_is_taken_in_and_its_refused_lines_are_put_beside_it_with_reasons(
    cvr: Run, tmp_path: Path, database: Database, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    wrong = enveloped(example("death", jmb="1"), id="wrong")
    path = file_of(tmp_path / name, example("citizen"), wrong, example("citizen"), b"{half\n")

    assert cvr("intake", name, "--as", REGISTRY) == 2
    assert "4 notices" in (said := capsys.readouterr().out)
    assert "1 recorded, 1 repeated, 2 refused" in said

    reasons = path.with_name(f"{name}.refused.ndjson")
    first, second = map(json.loads, reasons.read_text().splitlines())
    assert (first["line"], first["id"], first["problem"]["type"]) == (2, "wrong", "urn:cvr:problem:jmb")
    assert first["notice"] == wrong
    assert (second["line"], second["problem"]["type"], second["notice"]) == (4, "urn:cvr:problem:malformed", "{half")

    with Store(database.psycopg) as store:
        assert store.head() == 1

    file_of(path, example("citizen"), example("death"))
    assert cvr("intake", name, "--as", REGISTRY) == 0
    assert not reasons.exists()


def test_an_interrupted_file_goes_on_where_it_ended_unless_it_was_changed(
    cvr: Run, tmp_path: Path, database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("register.intake.batch.BATCH", 2)
    notices = [enveloped(example("citizen", parent_name=f"Otac {n}"), id=f"n-{n}") for n in range(9)]
    lines = [notices[0], b"{half\n", *notices[1:]]
    path = file_of(tmp_path / "day.ndjson", *lines)
    record, batches = Intake.record, iter(range(2))

    def dying(*arguments: Any) -> Any:
        if next(batches, None) is None:
            raise OSError(28, "No space left on device")
        return record(*arguments)

    monkeypatch.setattr(Intake, "record", dying)
    assert cvr("intake", "day.ndjson", "--as", REGISTRY) == 1
    monkeypatch.setattr(Intake, "record", record)
    assert (tmp_path / "day.ndjson.intake-state.json").exists()

    capsys.readouterr()
    assert cvr("intake", "day.ndjson", "--as", REGISTRY) == 2
    assert "10 notices (4 of them by the run before)" in (said := capsys.readouterr().out)
    assert "9 recorded, 0 repeated, 1 refused" in said
    (reason,) = (tmp_path / "day.ndjson.refused.ndjson").read_text().splitlines()
    assert json.loads(reason)["line"] == 2
    assert not (tmp_path / "day.ndjson.intake-state.json").exists()

    # Given a state of a file that begins otherwise by now, it is read from its beginning.
    batches = iter(range(2))
    monkeypatch.setattr(Intake, "record", dying)
    assert cvr("intake", "day.ndjson", "--as", REGISTRY) == 1
    monkeypatch.setattr(Intake, "record", record)
    file_of(path, *notices)
    assert cvr("intake", "day.ndjson", "--as", REGISTRY) == 0
    assert "9 notices in" in (said := capsys.readouterr().out)
    assert "0 recorded, 9 repeated, 0 refused" in said
    with Store(database.psycopg) as store:
        assert store.head() == 9


def test_a_folder_is_taken_in_as_those_its_files_are_named_after_and_gone_on_with(
    cvr: Run, tmp_path: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was taken in is not read again, what came since is, and into another register all of it goes."""
    folder = tmp_path / "first-load"
    folder.mkdir()
    births = [enveloped(example("citizen", parent_name=f"Otac {n}"), id=f"n-{n}") for n in range(3)]
    theirs = file_of(folder / f"{REGISTRY.replace(':', '_')}.ndjson.zst", *births, b"{half\n")
    file_of(folder / f"{RESIDENCE.replace(':', '_')}.ndjson", example("residence"), births[0])

    assert cvr("intake", "--each", "first-load") == 2
    assert "2 files, 6 notices in" in (said := capsys.readouterr().out)
    assert "4 recorded, 0 repeated, 2 refused" in said
    with Store(database.psycopg) as store:
        assert [event.source for event in store.events(after=0)] == [SOURCE_PREFIX + REGISTRY] * 3 + [
            SOURCE_PREFIX + RESIDENCE
        ]

    with theirs.open("ab") as file:
        file.write(zstandard.compress(json.dumps(example("death")).encode() + b"\n"))
    assert cvr("intake", "--each", "first-load") == 2
    assert "2 files, 7 notices (6 of them by the run before) in" in (said := capsys.readouterr().out)
    assert "5 recorded, 0 repeated, 2 refused" in said

    # The same folder into a register that holds nothing of it.
    (mark,) = folder.glob("registry*intake-state.json")
    mark.write_text(mark.read_text().replace('"last":"', '"last":"elsewhere-'))
    assert cvr("intake", "--each", "first-load") == 2
    assert "4 repeated" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "pack"), [("day.gz", gzip.compress), ("day.zst", zstandard.compress)])
def test_a_packed_file_that_breaks_off_is_taken_in_so_far_and_is_in_the_journal(
    cvr: Run, tmp_path: Path, database: Database, name: str, pack: Callable[[bytes], bytes]
) -> None:
    whole = pack(json.dumps(example("citizen")).encode() + b"\n") + pack(
        random.Random(1).randbytes(4_000).hex().encode()
    )
    (tmp_path / name).write_bytes(whole[:-200])
    assert cvr("intake", name, "--as", REGISTRY) == 1
    with Store(database.psycopg) as store:
        assert store.head() == 1
    entries = Journal(database.engine).page(authority=REGISTRY)
    assert {entry.refusal.kind for entry in entries} == {"malformed"}
    assert entries[-1].line == whole[:-200]


def test_a_dry_run_of_standard_input_records_nothing(
    cvr: Run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(json.dumps(example("citizen")).encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert cvr("intake", "-", "--as", REGISTRY, "--dry-run") == 0
    with Store(database.psycopg) as store:
        assert store.head() == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("intake", "nowhere.ndjson", "--as", REGISTRY),
        ("intake", "nowhere.ndjson", "--as", "nobody:1"),
        ("intake", "--as", REGISTRY),
        ("intake", "day.ndjson"),
        ("intake", "--each", "nowhere"),
        ("intake", "--each", ".", "--as", REGISTRY),
        ("generate", "--voters", "10", "--zst"),
        ("rehearse",),
        ("rehearse", "--voters", "10", "--data", "d", "--steps", "sleep"),
        ("rehearse", "--draw", "nowhere.jsonl", "--to", "picture.svg"),
        ("rehearse", "--draw", "nowhere.jsonl", "--to", "picture.png"),
        ("takein",),
        ("token", "--role", "king"),
    ],
)
def test_what_cannot_be_done_ends_with_1(cvr: Run, arguments: tuple[str, ...]) -> None:
    assert cvr(*arguments) == 1


def test_a_token_is_the_only_line_and_tells_who_it_is(
    cvr: Run, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cvr("token", "--role", "municipal-commission", "--municipality", "10049", "--name", "Amra") == 0
    (line,) = capsys.readouterr().out.splitlines()
    caller = Verifier(settings).caller(line, datetime.now(UTC))
    assert (caller.sub, caller.authority) == ("Amra", "municipal-commission:10049")


def test_in_a_rehearsal_others_ask_the_clock_of_the_server_that_runs(tmp_path: Path) -> None:
    starts = datetime(2026, 8, 1, 8, tzinfo=UTC)
    settings = read_settings({"CVR_DATA": str(tmp_path), "CVR_CLOCK": "2026-08-01T08:00:00Z"}, tmp_path)
    with server_clock(settings):
        path = tmp_path / "clock"
        instant, seconds = path.read_text().split()
        path.write_text(f"{instant} {float(seconds) - 3600}\n")  # the server has run for an hour
        assert current_clock(settings)() - starts >= timedelta(hours=1)
    assert current_clock(settings)() - starts < timedelta(minutes=1)


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_a_bomb_comes_out_in_pieces_and_no_further_than_notices_would(
    encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    bomb = pack(b"0" * (200 << 20))
    feed = Feed(encoding)
    pieces: list[int] = []
    with pytest.raises(SwollenFeedError):
        pieces.extend(len(piece) for piece in feed.unpack(bomb))
    assert max(pieces) <= PIECE
    assert sum(pieces) <= max(UNQUESTIONED, RATIO * len(bomb))


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_lines_are_the_same_however_the_bytes_come(size: int) -> None:
    long = b" " * MAX_BYTES + b"  x"
    sent = [b"a", b"", b" b ", b"\r", b"", b"", long, b" " * (MAX_BYTES + 2), b"c", b"\xff"]
    data = b"\n".join(sent)
    splitter = Splitter()
    lines = [line for start in range(0, len(data), size) for line in splitter.feed(data[start : start + size])]
    lines += splitter.finish()
    kept = {1: b"a", 3: b" b ", 7: long[: MAX_BYTES + 1], 9: b"c", 10: b"\xff"}
    assert {line.number: line.content for line in lines} == kept
    assert splitter.number == len(sent)
