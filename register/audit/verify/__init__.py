"""Event store, log, register and audit log against each other: everything recomputed, nothing taken on trust.

Whoever changes one of them must change all the others in the same way; the log's signed checkpoints, which others
keep, are what nobody can change afterwards. Reading only, in one snapshot, streamed, on all cores.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import psycopg

from register.audit.processes import Maker, Workers
from register.audit.reading import Connection, decoded, head, held_still, linked_streams, ranges, rows_about
from register.audit.verify.documents import check_documents, check_signed
from register.audit.verify.excerpts import check_excerpts
from register.audit.verify.findings import Check, Finding, Findings, Report, Verdict, concluded
from register.audit.verify.positions import SPAN, Positions, stray_keys
from register.audit.verify.rolls import check_rolls
from register.audit.verify.sealed import SealedLog, check_signatures, newest
from register.audit.verify.streams import Compared, Reached, Streams, compare_linked
from register.audit.verify.tables import check_accounts, check_coverage, check_joined, check_overlaps
from register.intake.documents import Documents
from register.law.events import ElectionCalled
from register.log.note import VerifierKey
from register.projection.parts import positions_of
from register.store import Store

__all__ = ["Check", "Finding", "Parts", "Report", "Verdict", "verify"]

#: (what is being done, how much of it is done, how much there is; 0 when that is not known)
Progress = Callable[[str, int, int], None]


class Parts(msgspec.Struct, frozen=True):
    """What is verified. ``dsn`` connects as ``cvr_app``; ``key`` None when the log's public key is not to be had."""

    dsn: str
    store: Store
    log: Path
    key: VerifierKey | None
    municipalities: Collection[str]
    excerpts: Path
    documents: Documents | None = None


def verify(
    parts: Parts, *, today: date, processes: int = 1, progress: Progress = lambda _what, _done, _all: None
) -> Report:
    """Check everything and report; reads only. The report does not depend on ``processes``.

    ``today`` is one of the days the accounts are drawn up for. Raises psycopg errors; never because of what it finds.
    """
    with held_still(parts.dsn) as (source, connection):
        last = head(connection)
        reached = Reached({part: min(at, last) for part, at in positions_of(connection).items()})
        position = reached.position
        sealed = newest(connection)
        linked = linked_streams(connection, reached.furthest, [])
        work: dict[str, Maker] = {
            "positions": (Positions, (source,)),
            "streams": (Streams, (source, last, reached, linked)),
        }
        with Workers(processes, work) as workers:
            checks = _by_position(parts, connection, last, workers, progress)
            with psycopg.connect(parts.dsn, autocommit=True) as live:
                checks.append(check_signatures(live, parts.log, sealed, parts.key))
            checks += _by_stream(connection, last, reached, linked, workers, progress)
        progress("coverage by polling stations", 0, 0)
        checks.append(check_coverage(connection, position))
        progress("accounts", 0, 0)
        checks.append(check_accounts(connection, position, _days(connection, position, today)))
        progress("frozen rolls and excerpts", 0, 0)
        checks.append(check_rolls(parts.dsn, connection, parts.store, position, parts.municipalities))
        checks.append(check_excerpts(connection, last, parts.excerpts))
        if parts.documents is not None:
            progress("documents and signed requests", 0, 0)
            checks.append(check_documents(connection, parts.documents))
            checks.append(check_signed(connection, last, parts.documents))
    return Report(head=last, position=position, sealed=sealed[0] if sealed else 0, checks=checks)


def _by_position(parts: Parts, connection: Connection, last: int, workers: Workers, progress: Progress) -> list[Check]:
    """The event store in order, its keys, and the log."""
    tasks = [(after, min(after + SPAN, last)) for after in range(0, last, SPAN)]
    in_order, readable, keyed, events = Findings(), Findings(), Findings(), 0
    sealed = newest(connection)
    last_at = None
    with closing(SealedLog(parts.log, connection, sealed[0] if sealed else 0)) as log:
        for span in workers.each("positions", tasks):
            if last_at is not None and span.first_at is not None and span.first_at < last_at:
                in_order.add("recorded earlier than the event before it", span.after + 1)
            last_at = span.last_at or last_at
            for mine, theirs in ((in_order, span.in_order), (readable, span.readable), (keyed, span.keyed)):
                mine.extend(theirs)
            events += span.events
            log.take(span.after, span.entries)
            progress("event store and log, by position", span.upto, last)
        log.finish(last)
        of_log = log.checks(last)
    keys = stray_keys(connection, events, keyed)
    what = "positions 1 to the last without a hole, and no instant before the one before it"
    readable_what = "every state is one its type can have, and would be written the same way again"
    return [
        concluded("positions", what, events, "events", in_order),
        concluded("states", readable_what, events, "events", readable),
        concluded("keys", "every event has its key with the digest of its content, every key its event",
                  keys, "keys", keyed),
        *of_log,
    ]  # fmt: skip


def _by_stream(
    connection: Connection, last: int, reached: Reached, linked: Collection[UUID], workers: Workers, progress: Progress
) -> list[Check]:
    """The event store by stream; the register and the audit log made again from it, beside the tables."""
    position = reached.position
    compared = Compared()
    for part in workers.each("streams", ranges(connection, last)):
        compared.add(part)
        progress("register and audit log, by stream", compared.events, last)
    folded = compare_linked(connection, linked, reached, compared)
    behind = [] if position == last else [f"rests on position {position}; {last - position} events are not in it yet"]
    same = [*behind, *compared.tallies.said("stretches")]
    same_entries = [*behind, *compared.audit_tallies.said("entries")]
    filed_what = "versions 1 to n in every stream, every event in the stream of its subject"
    return [
        concluded("streams", filed_what, compared.events, "events", compared.filed),
        concluded("register", "the register's tables are what the events give, on all days, at every position",
                  compared.stretches, "stretches", compared.register, notes=same, detail=compared.tallies.plain()),
        check_overlaps(connection, compared.stretches),
        check_joined(connection, folded.joined),
        concluded("audit-log", "deletions and reinstatements on record are those the events give",
                  compared.entries, "entries", compared.audit, notes=same_entries,
                  detail=compared.audit_tallies.plain()),
    ]  # fmt: skip


def _days(connection: Connection, position: int, today: date) -> Sequence[date]:
    """The days for accounts: today, a year to either side, and every election day."""
    called = decoded(rows_about(connection, [ElectionCalled.TOPIC], position), [])
    elections = {event.data.day for event in called if isinstance(event.data, ElectionCalled)}
    year = timedelta(days=365)
    return sorted({today - year, today, today + year, *elections})
