"""The step in which the register is built anew under load: who asks meanwhile gets the answers from before, in time.

A server answers; two clients ask it the same questions again and again; a feed comes in and the live tables follow it.
All questions name a position that is reached, so that each has one right answer, whichever tables it is read from.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from hashlib import sha256
from itertools import cycle
from typing import Final
from uuid import UUID

from register.api.system import System
from register.audit.processes import cores
from register.projection.forms import form_of
from register.projection.projector import RivalProjectorError, follow, position_of
from register.projection.rebuild import rebuild
from register.projection.tables import VERSION
from register.rehearsal.bench.ground import Connection, Ground
from register.rehearsal.bench.result import p95
from register.rehearsal.bench.serving import reading_server, token

from .outcome import Done, Site, StepError

#: Questions of each kind, and clients that ask them.
_OF_A_KIND: Final = 25
_CLIENTS: Final = 2
#: Each client asks all of its questions so many times before the rebuild begins: once to learn the answers.
_BEFORE: Final = 3
#: Entries on a page of the register.
_PAGE: Final = 100
_YEARS: Final = timedelta(days=4 * 365)
#: Seconds between two looks at whether there is anything to follow.
_PACE: Final = 0.1


class _Client:
    """Asks its questions in turn, and remembers what was answered first."""

    def __init__(self, port: int, bearer: str, paths: Sequence[str]) -> None:
        self._port, self._bearer, self.paths = port, bearer, paths
        self._answers: dict[str, bytes] = {}
        self.seconds: list[float] = []
        self.refused = 0
        self.differing = 0

    def ask(self, paths: Iterator[str], going_on: Callable[[], bool]) -> None:
        """Ask until there are no more questions, or it is not to go on."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        try:
            for path in paths:
                if not going_on():
                    return
                begun = time.perf_counter()
                connection.request("GET", path, headers={"Authorization": f"Bearer {self._bearer}"})
                answer = connection.getresponse()
                digest = sha256(answer.read()).digest()
                self.seconds.append(time.perf_counter() - begun)
                self.refused += answer.status != http.client.OK
                self.differing += self._answers.setdefault(path, digest) != digest
        finally:
            connection.close()


def rebuild_under_load(site: Site, take_in: Callable[[System], int]) -> Done:
    """Build the register anew (``cvr rebuild``) while it is asked, and while ``take_in`` records notices.

    Raises :class:`StepError` when an answer failed or was another than before, or nothing was put in place.
    """
    ground = Ground(site.settings, lambda _said: None)
    with site.system() as system, reading_server(ground) as server, system.database.psycopg(autocommit=True) as live:
        # Tables of an older form answer until the new ones are there, and follow no longer.
        followed = form_of(live) == VERSION
        while followed and follow(live, system.store):
            pass
        paths = _questions(live, site, position_of(live))
        bearer = token(site.settings, "auditor", "auditor:rehearsal")
        clients = [_Client(server.port, bearer, paths[number::_CLIENTS]) for number in range(_CLIENTS)]
        quiet = _all_ask(clients, _BEFORE)
        following = _following(live, system) if followed else nullcontext()
        with _asking(clients), following, ThreadPoolExecutor(1) as recorder:
            notices = recorder.submit(take_in, system)
            built = rebuild(system.database, system.store, processes=cores())
            recorded = notices.result()
    asked = [seconds for client in clients for seconds in client.seconds]
    refused, differing = sum(each.refused for each in clients), sum(each.differing for each in clients)
    if refused or differing or not built.switched:
        raise StepError(f"{refused} answers failed, {differing} were others than before; switched: {built.switched}")
    told = {"answers": len(asked), "notices": recorded, "refused": refused, "differing": differing}
    return Done(
        "events",
        built.position,
        told | {"p95_ms_before": _ms(p95(quiet)), "p95_ms": _ms(p95(asked)), "longest_ms": _ms(max(asked))},
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1e3)


def _questions(connection: Connection, site: Site, head: int) -> list[str]:
    """What clients ask: of people and municipalities at random, on days and at positions at random up to ``head``."""
    dice = random.Random(site.plan.seed)  # noqa: S311 - which person and day: any will do
    places = [
        place for (place,) in connection.execute("SELECT DISTINCT municipality FROM projection.station ORDER BY 1")
    ]
    paths = []
    for _ in range(_OF_A_KIND):
        person, first = _person(connection, UUID(int=dice.getrandbits(128)))
        as_of = f"on={site.plan.until - timedelta(days=dice.randrange(_YEARS.days))}"
        known, page = f"known_at={dice.randint(first, head)}", f"known_at={dice.randint(head // 2, head)}"
        place = f"municipality={dice.choice(places)}"
        paths += [
            f"/v1/voters/{person}?{as_of}&{known}",
            f"/v1/voters/{person}/history?{known}",
            f"/v1/register?{place}&limit={_PAGE}&{as_of}&{page}",
        ]
    return paths


def _person(connection: Connection, behind: UUID) -> tuple[UUID, int]:
    """The first person from an id on, or the first of all; and the position of the first event."""
    query = "SELECT person, first_position FROM projection.person WHERE person >= %s ORDER BY person LIMIT 1"
    for least in (behind, UUID(int=0)):
        for person, first in connection.execute(query, (least,)):
            return person, first
    raise StepError("nobody is in the register")


def _all_ask(clients: Sequence[_Client], rounds: int) -> list[float]:
    """Let each client ask all of its questions so many times, all at once; how long the answers of the last took."""
    with ThreadPoolExecutor(len(clients)) as threads:
        for _ in threads.map(lambda each: each.ask(iter([*each.paths] * rounds), lambda: True), clients):
            pass
    last = [seconds for each in clients for seconds in each.seconds[-len(each.paths) :]]
    for each in clients:
        each.seconds.clear()
    return last


@contextmanager
def _asking(clients: Sequence[_Client]) -> Iterator[None]:
    """Let the clients ask on while the block lasts. Raises what stopped one of them."""
    ended = threading.Event()
    with ThreadPoolExecutor(len(clients)) as threads:
        asking = [threads.submit(each.ask, cycle(each.paths), lambda: not ended.is_set()) for each in clients]
        try:
            yield
        finally:
            ended.set()
    for each in asking:
        each.result()


@contextmanager
def _following(connection: Connection, system: System) -> Iterator[None]:
    """Let the live tables follow the event store while the block lasts, as the server's projector does."""
    ended = threading.Event()

    def keep() -> None:
        while not ended.is_set():
            with suppress(RivalProjectorError):  # the rebuild brings them up as well, before it compares
                if not follow(connection, system.store):
                    ended.wait(_PACE)

    with ThreadPoolExecutor(1) as thread:
        keeping = thread.submit(keep)
        try:
            yield
        finally:
            ended.set()
    keeping.result()
