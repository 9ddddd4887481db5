"""Papers that came, first loads, control totals: what the register counts, whatever the order and the batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from register.acts.receiving import Paper, declare_first_load, receive_papers
from register.database import Database
from register.intake.journal import Journal, Refused
from register.law.calendar import civil_day
from register.law.competence import Caller
from register.law.events import (
    SOURCE_PREFIX,
    Annulment,
    AnyData,
    ControlTotal,
    Death,
    WrittenNoticeReceived,
)
from register.law.provisions import Refusal
from register.law.timeliness import effective_day, paper_missing
from register.projection.projector import follow
from register.projection.timeliness import findings
from register.store import Pending, Receipt, Store

TECHNICIAN = Caller("a technician", "technical")
CEC = Caller("a member", "cec", "cec")
OFFICE = "registry-office:10049"
DEATHS = Death.TOPIC
TABLES = (
    "progress", "stretch", "person", "link", "joined", "coverage", "station", "audit_entry", "notice_lag",
    "written_lag", "annulled_notice", "received", "control_total", "first_load", "deficiency", "option",
)  # fmt: skip


def on(day: int, hour: int = 9) -> datetime:
    """An hour of a day of March 2026."""
    return datetime(2026, 3, 1, hour, tzinfo=UTC) + timedelta(days=day - 1)


class Office:
    """A registry office, the technicians and the CEC; each of their doings on a day of March 2026."""

    def __init__(self, database: Database, store: Store) -> None:
        self.database = database
        self.store = store
        self.count = itertools.count(1)

    def send(self, data: AnyData, day: int, *, id: str | None = None, sent: datetime | None = None) -> str:
        """A notice recorded on a day; its id."""
        name = id or f"n-{next(self.count)}"
        pending = Pending(source=SOURCE_PREFIX + OFFICE, id=name, time=sent or on(day), data=data, salt="cw==")
        (receipt,) = self.store.append([pending], now=on(day))
        assert receipt.status == "recorded"
        return name

    def death(self, died: int, recorded: int) -> str:
        """A death on a day, recorded on a day."""
        return self.send(Death(jmb=f"{next(self.count):013d}", effective_on=on(died).date()), recorded)

    def paper(self, id: str, day: int, *, told: int | None = None, caller: Caller = TECHNICIAN) -> Receipt:
        """The paper of a notice came on a day, told of on a day."""
        paper = Paper(source=SOURCE_PREFIX + OFFICE, id=id, received_on=on(day).date())
        return receive_papers(self.store, [paper], caller, now=on(told or day), salt=lambda: "cw==")[0]

    def total(self, about: int, sent: dict[str, int], day: int, *, at: datetime | None = None) -> str:
        """A control total about a day, recorded on another."""
        return self.send(ControlTotal(day=on(about).date(), sent=sent), day, sent=at)

    def refused(self, id: str, day: int, kind: str = DEATHS) -> None:
        """A notice refused on a day."""
        line = b'{"id":"%s","type":"%s","time":"%s"}' % (id.encode(), kind.encode(), on(day).isoformat().encode())
        entry = Refused(
            received_at=on(day),
            authority=OFFICE,
            sub="x",
            notice_id=id,
            instance=uuid4(),
            refusal=Refusal("schema", "no"),
            line=line,
        )
        Journal(self.database.engine).file([entry])

    def found(self, day: int, **chosen: Any) -> list[tuple[str, str, dict[str, int]]]:
        """What does not stand right on a day: kind, day, figures."""
        with self.database.psycopg() as connection:
            while follow(connection, self.store):
                pass
            each = list(findings(connection, on(day).date(), **chosen))
        return [(f.kind, f.key.removeprefix(f"{OFFICE}:2026-03-"), f.figures) for f in each]


@pytest.fixture
def office(database: Database) -> Iterator[Office]:
    with Store(database.psycopg) as store:
        yield Office(database, store)


def test_the_paper_of_a_notice_is_told_once_and_of_one_day(office: Office) -> None:
    notice = office.death(died=1, recorded=2)
    assert [office.paper(notice, 5).status for _ in range(2)] == ["recorded", "repeated"]
    assert office.paper(notice, 5, caller=CEC).status == "repeated"  # whoever tells it again
    other = office.paper(notice, 6)
    assert other.refusal is not None
    assert (other.status, other.refusal.kind, other.refusal.provision) == ("refused", "id-conflict", "Art. 3.5(5)")


def test_a_paper_is_that_of_a_notice_on_record_and_came_on_a_day_that_was(office: Office) -> None:
    notice, total = office.death(died=10, recorded=11), office.total(11, {DEATHS: 1}, 12)

    def refused(id: str, day: int, told: int) -> tuple[str, str]:
        refusal = office.paper(id, day, told=told).refusal
        assert refusal is not None
        return refusal.kind, refusal.faults[0].pointer

    assert refused("n-unknown", 12, 12) == ("schema", "/id")
    assert refused(total, 12, 12) == ("schema", "/id")
    assert refused(notice, 13, 12) == ("date", "/received_on")
    assert refused(notice, 10 - 367, 12) == ("date", "/received_on")
    assert office.paper(notice, 9, told=12).status == "recorded"  # the paper may be quicker than the change
    with pytest.raises(Refusal, match="technicians"):
        office.paper(notice, 12, caller=Caller("x", "registry-office", OFFICE))


def test_many_papers_are_told_at_once_each_with_its_own_answer(office: Office) -> None:
    notices = [office.death(died=1, recorded=2) for _ in range(3)]
    told = [
        Paper(source=SOURCE_PREFIX + OFFICE, id=each, received_on=date(2026, 3, 4)) for each in [*notices, notices[0]]
    ]
    told.append(Paper(source=SOURCE_PREFIX + OFFICE, id=notices[1], received_on=date(2026, 3, 5)))
    receipts = receive_papers(office.store, told, TECHNICIAN, now=on(6), salt=lambda: "cw==")
    assert [r.status for r in receipts] == ["recorded", "recorded", "recorded", "repeated", "refused"]


def test_a_first_load_is_declared_by_the_cec_and_the_last_declaration_holds(office: Office) -> None:
    def declare(day: int, caller: Caller = CEC, authority: str = OFFICE) -> str:
        until = on(day).date()
        return declare_first_load(office.store, authority, until, caller, now=on(1), salt=lambda: "cw==").status

    assert [declare(20), declare(20), declare(25), declare(20)] == ["recorded", "repeated", "recorded", "recorded"]
    for authority in ("auditor", "political-entity:7", "technical", "post office"):
        with pytest.raises(Refusal, match="sends notices"):
            declare(20, authority=authority)
    with pytest.raises(Refusal, match="The CEC declares"):
        declare(20, TECHNICIAN)
    with pytest.raises(Refusal, match="a year ahead"):
        declare(500)


def test_papers_are_missing_a_week_after_the_change_and_the_notice_until_they_come(office: Office) -> None:
    first, second = office.death(died=1, recorded=2), office.death(died=1, recorded=2)
    late = office.death(died=1, recorded=9)
    assert office.found(8) == []
    assert office.found(9) == [("written-notice-missing", "02", {"missing": 2})]
    office.paper(first, 10)
    assert office.found(15) == [("written-notice-missing", "02", {"missing": 1})]
    assert office.found(16)[1:] == [("written-notice-missing", "09", {"missing": 1})]
    office.send(Annulment(annuls=late, reason="another person"), 17)  # nobody waits for this paper any more
    assert office.found(17) == [("written-notice-missing", "02", {"missing": 1})]
    office.paper(second, 18)
    assert office.found(18) == []


def test_papers_of_a_first_load_are_not_waited_for(office: Office) -> None:
    office.death(died=1, recorded=5)
    office.death(died=1, recorded=6)
    declare_first_load(office.store, OFFICE, on(5).date(), CEC, now=on(7), salt=lambda: "cw==")
    assert office.found(20) == [("written-notice-missing", "06", {"missing": 1})]
    declare_first_load(office.store, OFFICE, on(6).date(), CEC, now=on(20), salt=lambda: "cw==")
    assert office.found(20) == []


def test_a_control_total_that_does_not_match_is_remedied_by_what_comes_later(office: Office) -> None:
    office.send(Death(jmb="1", effective_on=on(2).date()), 2)
    office.total(2, {DEATHS: 2}, 3)
    assert office.found(3) == [("control-total", "02", {"sent": 2, "received": 1, "types": 1})]
    assert office.found(3, authorities=["registry-office:10294"]) == office.found(3, days=[on(1).date()]) == []
    office.send(Death(jmb="2", effective_on=on(2).date()), 5, sent=on(2))  # sent on 2 March, here three days later
    assert office.found(5, days=[on(2).date()]) == []


def test_refused_notices_count_once_each_and_repeats_do_not(office: Office) -> None:
    office.refused("r-1", 2)
    office.refused("r-1", 2)  # sent again as it was
    office.refused("r-2", 2)
    office.send(Death(jmb="1", effective_on=on(2).date()), 2, id="r-2")  # put right on the same day
    office.refused("r-3", 3)
    office.send(Death(jmb="3", effective_on=on(2).date()), 4, id="r-3")  # put right on the day after
    for about, sent in ((2, 2), (3, 1), (4, 1)):
        office.total(about, {DEATHS: sent}, 4)
    assert office.found(4) == []
    office.total(3, {DEATHS: 0}, 5)  # sent later: this one decides
    assert office.found(5, days=[on(3).date()]) == [("control-total", "03", {"sent": 0, "received": 1, "types": 1})]


def test_of_two_totals_the_later_decides_and_an_annulled_one_never(office: Office) -> None:
    office.death(died=2, recorded=2)
    later = office.total(2, {DEATHS: 5}, 3, at=on(3, 12))
    office.total(2, {DEATHS: 1}, 4, at=on(3, 8))  # recorded later, sent earlier
    assert [kind for kind, *_ in office.found(4, days=[on(2).date()])] == ["control-total"]
    office.send(Annulment(annuls=later, reason="counted wrongly"), 4)
    assert office.found(4, days=[on(2).date()]) == []


def test_a_day_is_silent_when_neither_notice_nor_total_came_judged_two_days_later(office: Office) -> None:
    office.death(died=2, recorded=2)
    assert office.found(8) == []  # it has never sent a control total
    office.total(2, {DEATHS: 1}, 3)
    office.total(4, {}, 5)  # nothing on 4 March, and told so
    office.refused("r-1", 6)
    # A total speaks for the day it counts: on 3 and 5 March one was sent, and none came for them.
    silent = [("silent-day", "03"), ("silent-day", "05")]
    assert [(kind, day) for kind, day, _ in office.found(8)] == silent
    assert [(kind, day) for kind, day, _ in office.found(9)] == [*silent, ("silent-day", "07")]
    assert [(kind, day) for kind, day, _ in office.found(10)] == [
        *silent, ("silent-day", "07"), ("silent-day", "08"), *MISSING
    ]  # fmt: skip
    office.total(3, {}, 11)
    office.total(7, {}, 11)
    assert [(kind, day) for kind, day, _ in office.found(11)] == [
        ("silent-day", "05"), ("silent-day", "08"), ("silent-day", "09"), *MISSING
    ]  # fmt: skip


#: The paper of the death of 2 March, from 10 March on.
MISSING = [("written-notice-missing", "02")]
#: What may become of a notice, in every order.
DOINGS: tuple[tuple[str, ...], ...] = (
    (), ("paper",), ("annulled",), ("paper", "annulled"), ("annulled", "paper"), ("annulled", "annulled"),
    ("annulled", "paper", "annulled"),
)  # fmt: skip


def test_the_counts_are_those_of_the_events_whatever_the_batches(office: Office) -> None:
    """Given notices, papers and annulments in every order, then the tables say what a walk over the events does."""
    for n in range(24):
        notice = office.death(died=1 + n % 9, recorded=9 + n % 5)
        for doing in DOINGS[n % len(DOINGS)]:
            if doing == "paper":
                office.paper(notice, 16)
            else:
                office.send(Annulment(annuls=notice, reason="another person"), 16)
    declare_first_load(office.store, OFFICE, on(9).date(), CEC, now=on(17), salt=lambda: "cw==")
    tables = []
    for limit in (1, 7, 5_000):
        with office.database.psycopg() as connection:
            for table in TABLES:
                connection.execute(f"DELETE FROM projection.{table}".encode())
            connection.commit()
            while follow(connection, office.store, limit=limit):
                pass
            counted = [
                sorted(map(str, connection.execute(f"SELECT * FROM projection.{t}".encode()).fetchall()))
                for t in TABLES[8:]
            ]
            tables.append(counted)
        for day in range(14, 24):
            assert {key: figures["missing"] for _, key, figures in office.found(day)} == walked(office.store, day)
    assert tables[0] == tables[1] == tables[2]


def walked(store: Store, day: int) -> dict[str, int]:
    """Papers missing on a day of March, by day of recording, one notice after the other."""
    events = list(store.events())
    gone = {e.data.annuls for e in events if isinstance(e.data, Annulment)}
    there = {e.data.notice_id for e in events if isinstance(e.data, WrittenNoticeReceived)}
    missing: dict[str, int] = {}
    for event in events:
        effective_on, recorded_on = effective_day(event.data), civil_day(event.recorded_at)
        if effective_on is None or event.id in gone | there or recorded_on <= on(9).date():
            continue
        if paper_missing(recorded_on, effective_on, on(day).date()):
            missing[f"{recorded_on.day:02d}"] = missing.get(f"{recorded_on.day:02d}", 0) + 1
    return missing
