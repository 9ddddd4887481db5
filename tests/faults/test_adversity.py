"""Whatever breaks while notices come in: what was acknowledged is there once, and the rest may be sent again.

A soak is longer: ``SOAK_KILLS`` servers are killed, ``SOAK_MIB`` of garbage are sent.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zstandard

from register.database import open_database
from register.intake.journal import Journal
from register.settings import Settings

from .serving import REGISTRY, SOURCE, Sending, Served, notice, open_store, peak_mib, served, wait_for

KILLS = int(os.environ.get("SOAK_KILLS", "2"))
GARBAGE_MIB = int(os.environ.get("SOAK_MIB", "64"))
#: What a server process may hold (MiB).
MEMORY = 400
LINES = [notice(number) for number in range(4_000)]
PIECE = 200


class Sent:
    """A stream being sent, a piece at a time, while its answers are read."""

    def __init__(self, settings: Settings, port: int, lines: list[bytes], *, pause: float = 0.0) -> None:
        self.answers: dict[str, int] = {}
        self.refused: list[dict[str, Any]] = []
        self.end: dict[str, Any] | None = None
        self._sending = Sending(settings, port)
        self._lines, self._pause = lines, pause
        self._threads = [threading.Thread(target=self._send), threading.Thread(target=self._read)]
        for thread in self._threads:
            thread.start()

    def wait(self) -> Sent:
        for thread in self._threads:
            thread.join(120)
        self._sending.close()
        return self

    def _send(self) -> None:
        with suppress(OSError):  # the server is gone, or has cut this off
            for start in range(0, len(self._lines), PIECE):
                self._sending.send(b"".join(self._lines[start : start + PIECE]))
                time.sleep(self._pause)
            self._sending.end()

    def _read(self) -> None:
        with suppress(OSError):
            for answer in self._sending.answers():
                if "end" in answer:
                    self.end = answer
                elif answer["status"] == "refused":
                    self.refused.append(answer)
                else:
                    self.answers[answer["id"]] = answer["position"]


def sent_again_until_whole(settings: Settings, server: Served, acknowledged: dict[str, int]) -> None:
    """Send everything again until it is answered to the end; each answer names the place it named before."""
    for _ in range(20):
        assert wait_for(lambda: _ready(server), 60)
        again = Sent(settings, server.port, LINES).wait()
        assert {name: again.answers[name] for name in acknowledged.keys() & again.answers.keys()}.items() <= (
            acknowledged.items()
        )
        if again.end is not None:
            assert (len(again.answers), again.refused) == (len(LINES), [])
            return
        time.sleep(0.5)
    raise AssertionError("never answered to the end")


def _got(sent: Sent, enough: int) -> bool:
    return len(sent.answers) >= enough or sent.end is not None


def _ready(server: Served) -> bool:
    with suppress(OSError, ValueError):
        return server.get("/healthz")[0] == 200
    return False


def check_once(settings: Settings, acknowledged: dict[str, int]) -> None:
    """Every notice is there exactly once, those acknowledged at the place they were told, and no place is empty."""
    with open_database(settings) as database, open_store(database) as store:
        found = {event.id: event.position for event in store.events() if event.source == SOURCE}
        assert sorted(found.values()) == list(range(1, len(LINES) + 1))
    assert len(found) == len(LINES)
    assert acknowledged.items() <= found.items()


def test_a_server_killed_at_any_point_again_and_again(settings: Settings) -> None:
    chance = random.Random(5)
    acknowledged: dict[str, int] = {}
    for _ in range(KILLS):
        with served(settings) as server:
            sent = Sent(settings, server.port, LINES, pause=0.02)
            enough = chance.randrange(1, len(LINES) // 2)
            assert wait_for(partial(_got, sent, enough))
            time.sleep(chance.random() / 10)
            server.process.kill()
            sent.wait()
            assert all(acknowledged.get(name, place) == place for name, place in sent.answers.items())
            acknowledged |= sent.answers
    assert acknowledged
    with served(settings) as server:
        sent_again_until_whole(settings, server, acknowledged)
    check_once(settings, acknowledged)


def test_the_database_server_killed_while_notices_come_is_started_again(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    with served(settings) as server:
        sent = Sent(settings, server.port, LINES, pause=0.05)
        assert wait_for(lambda: len(sent.answers) >= 400)
        os.kill(_postmaster(settings), signal.SIGKILL)
        acknowledged = sent.wait().answers
        assert len(acknowledged) >= 400
        sent_again_until_whole(settings, server, acknowledged)
        assert server.process.poll() is None
        check_once(settings, acknowledged)


def _postmaster(settings: Settings) -> int:
    return int((settings.data / "postgres" / "postmaster.pid").read_text().split()[0])


@contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[Path]:
    """A file system of that size, where the system lets one be mounted."""
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system can be mounted by root alone")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_loses_nothing_and_once_there_is_room_all_goes_on(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 400) as disk:
        settings = Settings(data=disk / "data")
        filler = disk / "filler"
        with served(settings) as server:
            begun = Sent(settings, server.port, LINES[:400]).wait()
            assert begun.end is not None
            with suppress(OSError), filler.open("wb") as file:
                while True:
                    file.write(bytes(1 << 16))
            full = Sent(settings, server.port, LINES).wait()
            acknowledged = begun.answers | full.answers
            assert len(acknowledged) < len(LINES), "the disk was not full"
            filler.unlink()
            sent_again_until_whole(settings, server, acknowledged)
            check_once(settings, acknowledged)


def test_the_same_file_from_two_senders_at_once_and_from_one_that_breaks_off_in_a_line(settings: Settings) -> None:
    with served(settings) as server:
        cut = Sending(settings, server.port)
        cut.send(b"".join(LINES[:700])[:-40])
        at_once = [Sent(settings, server.port, LINES) for _ in range(2)]
        cut.close()
        one, other = [sent.wait() for sent in at_once]
        assert one.end is not None
        assert other.end is not None
        assert one.answers == other.answers
        assert one.end["recorded"] + other.end["recorded"] <= len(LINES)
    check_once(settings, one.answers)


def _whole(settings: Settings, port: int, body: list[bytes], **headers: str) -> list[dict[str, Any]]:
    sending = Sending(settings, port, **headers)

    def send() -> None:
        with suppress(OSError):
            for piece in body:
                sending.send(piece)
            sending.end()

    sender = threading.Thread(target=send)
    sender.start()
    answers = list(sending.answers())
    sending.close()
    sender.join()
    return answers


def test_whatever_is_thrown_at_it_is_answered_clearly_in_bounded_memory(settings: Settings) -> None:
    chance = random.Random(7)
    noise = [chance.randbytes(1 << 14).replace(b"\n", b"x") + b"\n" for _ in range(64)]
    double = LINES[1].replace(b'"id"', b'"id": "x", "id"', 1)
    deep = b'{"data":' + b"[" * 30_000 + b"]" * 30_000 + b"}\n"
    bombs: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstandard.compress}
    with served(settings) as server:
        body = [LINES[0], *(noise[n % 64] * 64 for n in range(GARBAGE_MIB)), LINES[1]]
        first, *refused, last, end = _whole(settings, server.port, body)
        assert (first["status"], last["status"], end["recorded"]) == ("recorded", "recorded", 2)
        assert len(refused) == 64 * GARBAGE_MIB
        assert {answer["problem"]["type"] for answer in refused} == {"urn:cvr:problem:malformed"}

        body = [*[b"x" * (1 << 20)] * 100, b"\n", b'{"id":"\xff"}\n', double, deep, LINES[2]]
        *refused, good, _ = _whole(settings, server.port, body)
        kinds = [answer["problem"]["type"].rpartition(":")[2] for answer in refused]
        assert kinds == ["too-large", "malformed", "malformed", "malformed"]
        assert (good["line"], good["status"]) == (5, "recorded")

        for encoding, pack in bombs.items():
            answers = _whole(settings, server.port, [pack(bytes(300 << 20))], content_encoding=encoding)
            assert [answer["problem"]["type"] for answer in answers] == ["urn:cvr:problem:too-large"]
        for kind in ("text/plain", "application/json", "application/x-ndjson; charset=latin-1"):
            (answer,) = _problems(settings, server.port, kind)
            assert answer["type"] == "urn:cvr:problem:media-type"
        assert peak_mib(server.process.pid) < MEMORY
        assert all(peak_mib(pid) < MEMORY for pid, word in server.children().items() if word == "register.intake.crew")
    with open_database(settings) as database, open_store(database) as store:
        assert [event.id for event in store.events()] == ["n-0", "n-1", "n-2"]
        assert len(Journal(database.engine).page(authority=REGISTRY, limit=100_000)) == 64 * GARBAGE_MIB + 4 + 2 + 3


def _problems(settings: Settings, port: int, kind: str) -> Iterator[dict[str, Any]]:
    sending = Sending(settings, port, **{"content-type": kind})
    sending.send(LINES[0])
    sending.end()
    # A problem ends without a line break.
    sending.response = sending.connection.getresponse()
    assert sending.response.status == 415
    yield json.loads(sending.response.read())
    sending.close()
