"""A real ``cvr serve`` that dies, or whose sender goes: what was acknowledged is there, once."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from register.cli.worker import Work
from register.database import Database
from register.settings import Settings

from .serving import SOURCE, Sending, notice, open_store, served, wait_for


def test_a_killed_server_loses_nothing_it_acknowledged_and_doubles_nothing_sent_again(
    settings: Settings, database: Database
) -> None:
    lines = [notice(number) for number in range(5_000)]
    acknowledged: dict[str, int] = {}
    with served(settings) as server:
        sending = Sending(settings, server.port)

        def feed() -> None:
            try:
                for start in range(0, len(lines), 200):
                    sending.send(b"".join(lines[start : start + 200]))
                    time.sleep(0.03)
            except OSError:
                pass  # the server is dead

        feeder = threading.Thread(target=feed)
        feeder.start()
        assert wait_for(lambda: len(server.workers()) == len(Work))
        workers = server.workers()
        for answer in sending.answers():
            assert answer["status"] == "recorded"
            acknowledged[answer["id"]] = answer["position"]
            if len(acknowledged) == 1_200:
                server.process.kill()
        feeder.join()
        sending.close()
        assert wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers)), (
            "workers outlived the server"
        )

    assert 1_200 <= len(acknowledged) < 5_000
    with open_store(database) as store:
        for notice_id, position in acknowledged.items():
            event = store.find(SOURCE, notice_id)
            assert event is not None
            assert event.position == position

        with served(settings) as server:
            again = Sending(settings, server.port)
            again.send(b"".join(lines))
            again.end()
            *answers, end = list(again.answers())
            again.close()
        assert [answer["id"] for answer in answers] == [f"n-{number}" for number in range(5_000)]
        assert (end["end"], end["recorded"] + end["repeated"], end["refused"]) == (True, 5_000, 0)
        by_id = {answer["id"]: answer["position"] for answer in answers}
        assert {i: by_id[i] for i in acknowledged} == acknowledged
        assert store.head() == 5_000
        assert len({(event.source, event.id) for event in store.events()}) == 5_000


def test_a_dead_worker_is_started_again_and_a_cut_connection_records_no_half_line(
    settings: Settings, database: Database
) -> None:
    with served(settings) as server, open_store(database) as store:
        assert wait_for(lambda: len(server.workers()) == len(Work))
        killed = server.workers()[0]
        os.kill(killed, signal.SIGKILL)

        # Meanwhile the server serves on: after a sender that goes, and for one that reads no answers until all is sent.
        cut = Sending(settings, server.port)
        cut.send(notice(1) + notice(2)[:-20])
        assert next(cut.answers())["id"] == "n-1"
        cut.close()

        patient = Sending(settings, server.port)
        refused = 20_000  # more answers than sockets hold
        patient.send(notice(1))
        for _ in range(refused // 1_000):
            patient.send(b"x\n" * 1_000)
        patient.end()
        *answers, end = list(patient.answers())
        patient.close()
        assert [answer["line"] for answer in answers] == list(range(1, refused + 2))
        assert end == {"recorded": 0, "repeated": 1, "refused": refused, "end": True}
        assert [event.id for event in store.events()] == ["n-1"]

        assert wait_for(lambda: killed not in server.workers() and len(server.workers()) == len(Work))
