"""What operators measure. Labels are templates of routes and kinds of answers, never anything of a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from register.database.replication import KINDS
from register.intake.answers import Answer


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "cvr_http_request_seconds",
            "Time from the head of a request to the end of its answer",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._notices = Counter(
            "cvr_notices", "Notices answered, by what became of them", ("status",), registry=self.registry
        )
        self._refusals = Counter("cvr_refusals", "Notices refused, by kind", ("problem",), registry=self.registry)
        self._lag = Gauge(
            "cvr_lag_events", "Events a follower is behind the event store", ("of",), registry=self.registry
        )
        self._part_lag = Gauge(
            "cvr_part_lag_events",
            "Events a part of the register is behind the event store; 0: what belongs to no person, and what is shown",
            ("part",),
            registry=self.registry,
        )
        self._reads = Counter(
            "cvr_register_reads",
            "Readings of the register, by the server they came from",
            ("server",),
            registry=self.registry,
        )
        self._replicas = Gauge(
            "cvr_replicas",
            "Standbys that follow the database, by what they are to it",
            ("sync",),
            registry=self.registry,
        )
        self._behind = Gauge(
            "cvr_standby_behind_events",
            "Events a standby's register is behind the primary's",
            ("standby",),
            registry=self.registry,
        )
        self._fit = Gauge(
            "cvr_standby_fit",
            "1 when a standby is read from; 0 when it is passed over",
            ("standby",),
            registry=self.registry,
        )
        self._witnessed = Gauge(
            "cvr_witness_size", "Size of the log's head that a witness has", ("witness",), registry=self.registry
        )
        self._contradicted = Gauge(
            "cvr_witness_contradicts",
            "1 when a witness has seen more than the database holds, or another history: the sealer signs nothing",
            ("witness",),
            registry=self.registry,
        )
        self._stopped = Gauge(
            "cvr_stopped_at_position",
            "Position of the event that a follower cannot read and stands before; 0 when it goes on",
            ("of",),
            registry=self.registry,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note an answered request; ``route`` is its template."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def notices(self, answers: Iterable[Answer]) -> None:
        """Note what became of notices."""
        counts: dict[str, int] = {}
        for answer in answers:
            counts[answer.status] = counts.get(answer.status, 0) + 1
            if answer.problem is not None:
                self._refusals.labels(answer.problem.type.rpartition(":")[2]).inc()
        for status, count in counts.items():
            self._notices.labels(status).inc(count)

    def lag(self, of: str, events: int) -> None:
        """Note by how many events a follower is behind."""
        self._lag.labels(of).set(events)

    def part_lag(self, part: int, events: int) -> None:
        """Note by how many events a part of the register is behind."""
        self._part_lag.labels(str(part)).set(events)

    def replicas(self, standbys: Mapping[str, int]) -> None:
        """Note how many standbys follow the database, by what they are to it."""
        for kind in KINDS:
            self._replicas.labels(kind).set(standbys.get(kind, 0))

    def read(self, server: str) -> None:
        """Note which server the register was read from: ``primary``, or ``standby-`` and its ordinal."""
        self._reads.labels(server).inc()

    def standby(self, ordinal: int, behind: int, *, fit: bool) -> None:
        """Note how far a standby is behind, and whether it is read from."""
        self._behind.labels(str(ordinal)).set(behind)
        self._fit.labels(str(ordinal)).set(fit)

    def witness(self, name: str, size: int | None, *, contradicts: bool) -> None:
        """Note what a witness, by its name in the policy, has of the log."""
        if size is not None:
            self._witnessed.labels(name).set(size)
        self._contradicted.labels(name).set(contradicts)

    def stopped(self, of: str, position: int) -> None:
        """Note before which position a follower stands that it cannot read; 0: none."""
        self._stopped.labels(of).set(position)

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
