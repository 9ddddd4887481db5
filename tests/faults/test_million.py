"""Many notices over HTTP, the same again, and shuffled into another register: the registers are the same.

With ``SOAK_NOTICES`` in the environment there are that many (the promise is made for 1,000,000), each register has a
PostgreSQL of its own on disk, and the figures are printed (``pytest -s``).
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from register.cli.worker import Work
from register.database import open_database
from register.rehearsal.generate import Feed, Line, shuffle
from register.settings import Settings

from .serving import Sending, Served, peak_mib, served, wait_for

SOAK = int(os.environ.get("SOAK_NOTICES", "0"))
NOTICES = SOAK or 3_000
MUNICIPALITIES = ["10049", "20486", "30163"]
UNTIL = date(2026, 6, 1)
#: Of notices about generated lives, very rarely one is impossible.
REFUSED = 0.001
#: Server and projector: the bound of each (MiB).
MEMORY = 400
_REGISTER = """
    SELECT count(*), sum(hashtextextended(r::text, 0)) FROM (
        SELECT s.jmb, s.days::text, s.entered, s.grounds, s.surname, s.given_name, s.parent_name, s.sex, s.born_on,
               s.municipality, s.settlement, s.street, s.house_number, s.counts_in, s.entity, s.voting_option,
               s.mobile_team, s.marked_deceased, c.days::text AS covered, c.station
        FROM projection.stretch s
        LEFT JOIN projection.coverage c ON c.municipality = s.municipality AND c.address_key = s.address_key
             AND upper_inf(c.known)
        WHERE upper_inf(s.known)
    ) r
"""


def by_sender(lines: Iterable[Line]) -> dict[str, bytes]:
    bodies: defaultdict[str, list[bytes]] = defaultdict(list)
    for line in lines:
        bodies[line.source.removeprefix("urn:cvr:authority:")].append(line.written)
    return {authority: b"".join(body) for authority, body in bodies.items()}


def send(settings: Settings, server: Served, bodies: dict[str, bytes], what: str) -> dict[str, int]:
    """Send a stream for each sender; the sum of the ends of the answers."""
    totals = {"recorded": 0, "repeated": 0, "refused": 0}
    begun = time.monotonic()
    for authority, body in bodies.items():
        sending = Sending(settings, server.port, authority)
        for start in range(0, len(body), 1 << 20):
            sending.send(body[start : start + (1 << 20)])
        sending.end()
        end = last(sending)
        assert end.pop("end")
        for status, count in end.items():
            totals[status] += count
    seconds = time.monotonic() - begun
    say(f"{what}: {totals} in {seconds:.0f} s, {sum(totals.values()) / seconds:,.0f} notices/s")
    return totals


def last(sending: Sending) -> dict[str, Any]:
    """The last answer; the server need not wait for the others to be read, and they are as many as the notices."""
    end: dict[str, Any] = {}
    for end in sending.answers():  # noqa: B007 - only the last one counts
        pass
    sending.close()
    return end


def followed(server: Served) -> bool:
    lag = server.get("/readyz")[1].get("lag", {})
    return bool(lag.get("projection") == lag.get("log") == 0)


def register_of(settings: Settings, server: Served, what: str) -> Any:
    """The register once it has followed, whatever the order: every stretch known at the end, by number and station."""
    begun = time.monotonic()
    assert wait_for(lambda: followed(server), 120 + NOTICES / 500)
    projector = peak_mib(server.follower(Work.PROJECTOR))
    serving = peak_mib(server.process.pid)
    say(f"{what}: followed {time.monotonic() - begun:.0f} s later; peak MiB: server {serving:.0f}, {projector=:.0f}")
    assert max(serving, projector) < MEMORY
    with open_database(settings) as database, database.psycopg() as connection:
        return connection.execute(_REGISTER).fetchone()


def say(text: str) -> None:
    if SOAK:
        print(f"\n{text}", end="", flush=True)  # noqa: T201


def test_a_load_sent_twice_and_a_shuffled_load_make_the_same_register(
    settings: Settings, other_settings: Settings, tmp_path: Path
) -> None:
    if SOAK:
        settings, other_settings = Settings(data=tmp_path / "one"), Settings(data=tmp_path / "two")
    feed = Feed(
        max(300, int(NOTICES / 2.5)), seed=7, municipalities=MUNICIPALITIES if SOAK else MUNICIPALITIES[:1], until=UNTIL
    )
    lines = list(islice(feed, NOTICES))
    bodies = by_sender(lines)
    with served(settings) as server:
        first = send(settings, server, bodies, "first")
        again = send(settings, server, bodies, "again")
        register = register_of(settings, server, "first register")
    assert first["recorded"] >= NOTICES * (1 - REFUSED)
    assert (first["repeated"], again["recorded"]) == (0, 0)
    assert (again["repeated"], again["refused"]) == (first["recorded"], first["refused"])

    shuffled = list(by_sender(shuffle(lines, seed=11)).items())
    Random(13).shuffle(shuffled)
    with served(other_settings) as server:
        assert send(other_settings, server, dict(shuffled), "shuffled") == first
        assert register_of(other_settings, server, "shuffled register") == register
    assert register[0] > NOTICES / 4
