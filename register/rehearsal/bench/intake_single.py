"""``intake-single``: one notice a request from 32 clients at once, beside the same answered without writing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from register.law.competence import role_of
from register.rehearsal.bench.ground import Ground, batches, feed, stopwatch
from register.rehearsal.bench.intake import MUNICIPALITY, REFUSED
from register.rehearsal.bench.result import ROUNDS, Goal, Result, forget_peak, median, p95, peak_rss_mib
from register.rehearsal.bench.serving import Server, request, token, whole_server
from register.rehearsal.generate import Line

SIZE: Final = 4_000
GOAL: Final = Goal(0.5)
CLIENTS: Final = 32
_PATH: Final = "/v1/notices"


def run(ground: Ground, size: int = SIZE) -> Result:
    """Send ``size`` notices in each round, first to be judged only (``dry_run``), then to be recorded."""
    values, ceilings, slowest = [], [], []
    lines = list(feed(ROUNDS * size, [MUNICIPALITY]))
    with whole_server(ground) as server:
        tokens = {source: token(ground.settings, role_of(source), source) for source in {line.source for line in lines}}
        forget_peak(server.process)
        for number, share in enumerate(batches(lines, -(-len(lines) // ROUNDS))):
            dry, _ = _send(server, tokens, share, f"{_PATH}?dry_run=true")
            real, latency = _send(server, tokens, share, _PATH)
            ceilings.append(dry)
            values.append(real)
            slowest.append(latency)
            server.caught_up()
            ground.say(f"round {number + 1}: {values[-1]:,.0f} beside {ceilings[-1]:,.0f} requests/s")
        peak = peak_rss_mib(server.process)
    return Result(
        name="intake-single",
        unit="requests/s",
        value=median(values),
        ceiling=median(ceilings),
        goal=GOAL,
        size=len(lines) // ROUNDS,
        peak_rss_mib=peak,
        beside={"p95_seconds": median(slowest)},
    )


def _send(server: Server, tokens: dict[str, str], lines: Sequence[Line], path: str) -> tuple[float, float]:
    """Requests a second, and the 95th percentile of their seconds."""
    kind = "application/cloudevents+json"
    requests = [request("POST", path, tokens[line.source], kind, line.body) for line in lines]
    with stopwatch() as taken:
        seconds = server.ask(requests, CLIENTS, refused=REFUSED)
    return len(requests) / taken[0], p95(seconds)
