"""The register inspects itself (Art. 3.5(6), 3.6 a): what is wrong is established, and remedied by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import get_args
from uuid import UUID

import pytest

from register.acts.deficiencies import dismiss
from register.acts.inspection import Inspector
from register.database import Database, open_database
from register.intake.parse import Message, parse
from register.law.competence import Caller
from register.law.deficiencies import Kind
from register.law.deficiencies.history import fold
from register.law.events import (
    BRCKO,
    AboutDeficiency,
    Annulment,
    ControlTotal,
    Death,
    DeficiencyEstablished,
    DeficiencyRemedied,
    EntityOption,
    FirstLoadDeclared,
    JmbReplaced,
    PersonalData,
    PollingStationAbolished,
    ReportedDeceased,
    ResidenceEnded,
    VotingOption,
    WrittenNoticeReceived,
)
from register.projection.projector import follow
from register.projection.tables import metadata
from register.rehearsal.generate import Feed, Line, shuffle
from register.settings import Settings
from register.store import Pending, Store
from tests.flows.inspected import BIHAC, BORN, CALL, KLJUC, PAPER, TODAY, Book, numbers, station

TABLES = [table.name for table in metadata.sorted_tables if table.name != "form"]
CEC = Caller("a member", "cec", "cec")
#: What a history of a kind gives back: how it is put right, and after how many more days that shows.
Remedy = Callable[[], int]
A, B = numbers()[:2]
REGISTRY, RESIDENCE, COMMISSION = (
    f"{kind}:{BIHAC}" for kind in ("registry-office", "residence-authority", "municipal-commission")
)


@pytest.fixture
def book(database: Database) -> Iterator[Book]:
    with Store(database.psycopg) as store:
        yield Book(database, store)


# --- every kind, from what is sent to what stands and how it ends ---------------------------------------------------


def taken_back(book: Book, authority: str, notice: str, days: int = 0) -> Remedy:
    def remedy() -> int:
        book.send(authority, Annulment(annuls=notice, reason="poslano greškom"))
        return days

    return remedy


def two_under_one_number(book: Book) -> Remedy:
    book.voter(A, "Hadžić")
    return taken_back(book, REGISTRY, book.citizen(A, "Marić", given_name="Ivana")[0])


def one_under_two_numbers(book: Book) -> Remedy:
    book.voter(A, "Čolić")
    book.voter(B, "Colic")

    def remedy() -> int:
        book.send(RESIDENCE, JmbReplaced(jmb=A, new_jmb=B, effective_on=TODAY, document=PAPER))
        return 0

    return remedy


def number_disagrees(book: Book) -> Remedy:
    book.voter(A, born=date(1981, 1, 1))

    def remedy() -> int:
        book.send(REGISTRY, PersonalData(jmb=A, effective_on=TODAY, born_on=BORN))
        return 0

    return remedy


def numbers_disagree(book: Book) -> Remedy:
    other = numbers(date(1990, 3, 3))[0]
    book.voter(A, "Babić")
    book.voter(other, "Đurić", born=date(1990, 3, 3))
    (link,) = book.send(RESIDENCE, JmbReplaced(jmb=A, new_jmb=other, effective_on=TODAY, document=PAPER))
    return taken_back(book, RESIDENCE, link)


def over_110(book: Book) -> Remedy:
    born = date(1910, 2, 3)
    book.voter(numbers(born)[0], born=born)

    def remedy() -> int:
        book.send(REGISTRY, Death(jmb=numbers(born)[0], effective_on=date(1990, 1, 1)))
        return 0

    return remedy


def before_birth(book: Book) -> Remedy:
    book.citizen(A)
    return taken_back(book, RESIDENCE, book.lives(A, since=date(1979, 1, 1))[0])


def after_death(book: Book) -> Remedy:
    book.voter(A)
    book.send(REGISTRY, Death(jmb=A, effective_on=date(2020, 1, 1)))
    return taken_back(book, RESIDENCE, book.lives(A, street="Nova", since=date(2021, 1, 1))[0])


def ahead_of_time(book: Book) -> Remedy:
    book.voter(A)
    data = PersonalData(jmb=A, effective_on=TODAY, surname="Novak")
    return taken_back(book, REGISTRY, book.send(REGISTRY, data, at=book.now + timedelta(hours=3))[0])


def residence_without_citizen(book: Book) -> Remedy:
    book.lives(A)
    book.inspect()
    assert not book.standing("residence-without-citizen"), "it may still be under way"
    book.inspect(days=31)

    def remedy() -> int:
        book.citizen(A)
        return 0

    return remedy


def citizen_without_residence(book: Book) -> Remedy:
    book.citizen(A)
    book.inspect()
    assert not book.standing("citizen-without-residence"), "it may still be under way"
    book.inspect(days=31)

    def remedy() -> int:
        book.lives(A)
        return 0

    return remedy


def end_of_another_residence(book: Book) -> Remedy:
    book.voter(A)
    end = ResidenceEnded(jmb=A, effective_on=TODAY, kind="permanent", municipality=KLJUC)
    return taken_back(book, f"residence-authority:{KLJUC}", book.send(f"residence-authority:{KLJUC}", end)[0])


def residence_ended_at_once(book: Book) -> Remedy:
    book.voter(A)
    book.lives(A, street="Nova", since=TODAY)
    end = ResidenceEnded(jmb=A, effective_on=TODAY, kind="permanent", municipality=BIHAC)
    return taken_back(book, RESIDENCE, book.send(RESIDENCE, end)[0])


def option_without_residence(book: Book) -> Remedy:
    book.citizen(A)
    option = VotingOption(jmb=A, effective_on=TODAY, option="mail", country="AT", foreign_address="Ring 1, Wien")
    return taken_back(book, "cec", book.send("cec", option)[0])


def late_option(book: Book) -> Remedy:
    """The option came before the election was even called to the register's knowledge."""
    book.voter(A)
    day = date(2026, 8, 1)
    option = VotingOption(jmb=A, effective_on=day, option="mail", country="AT", foreign_address="Ring 1, Wien")
    (late,) = book.send("cec", option)
    book.inspect()
    assert not book.standing("late-option")
    book.send("register", CALL)
    return taken_back(book, "cec", late)


def foreign_commission(book: Book) -> Remedy:
    book.voter(A)
    report = ReportedDeceased(jmb=A, effective_on=TODAY)
    (notice,) = book.send(f"municipal-commission:{KLJUC}", report)
    return taken_back(book, f"municipal-commission:{KLJUC}", notice)


def no_entity_option(book: Book) -> Remedy:
    book.voter(A, at=BRCKO)
    book.inspect(days=31)

    def remedy() -> int:
        book.send(f"residence-authority:{BRCKO}", EntityOption(jmb=A, effective_on=TODAY, entity="RS"))
        return 0

    return remedy


def crowded_address(book: Book) -> Remedy:
    last = ""
    for n, jmb in enumerate(numbers()[:7]):
        book.voter(jmb, f"Uzorak{'abcdefg'[n]}")
        text = "Zmaj Jovina 4, Loznica" if n % 2 else "ZMAJ JOVINA 4 LOZNICA"
        (last,) = book.send(
            "cec", VotingOption(jmb=jmb, effective_on=TODAY, option="mail", country="RS", foreign_address=text)
        )
    return taken_back(book, "cec", last)


def many_arrivals(book: Book) -> Remedy:
    book.send("register", CALL)
    book.now += timedelta(days=110)  # 22 August: the conclusion is on the 20th
    moved = []
    for n, jmb in enumerate(numbers()[:11]):
        book.voter(jmb, f"Uzorak{'abcdefghijk'[n]}", at=KLJUC)
        moved += book.lives(jmb, street="Prazna", since=date(2026, 8, 1 + n))
    return taken_back(book, RESIDENCE, moved[0], days=1)


def address_uncovered(book: Book) -> Remedy:
    book.voter(A, at="10014")

    def remedy() -> int:
        book.send("municipal-commission:10014", station("10014", "014A001"))
        return 0

    return remedy


def address_ambiguous(book: Book) -> Remedy:
    book.voter(A)
    book.send(COMMISSION, station(BIHAC, "002"))

    def remedy() -> int:
        abolished = PollingStationAbolished(code="002", municipality=BIHAC, effective_on=date(2020, 1, 1))
        # Of the same day: the later notice decides.
        book.send(COMMISSION, abolished)
        return 0

    return remedy


def station_size(book: Book) -> Remedy:
    """Two voters are too few for a station of its own, once an election is called."""
    book.voter(A)
    book.inspect(days=1)
    assert not book.standing("station-size"), "no election is coming"
    book.send("register", CALL)

    def remedy() -> int:
        for town in (BIHAC, BRCKO, KLJUC):
            abolished = PollingStationAbolished(code="001", municipality=town, effective_on=TODAY)
            book.send(f"municipal-commission:{town}", abolished)
        return 0

    return remedy


def control_total(book: Book) -> Remedy:
    book.voter(A)
    day = TODAY - timedelta(days=1)
    total = ControlTotal(day=day, sent={"ba.cvr.death.v1": 3})
    return taken_back(book, REGISTRY, book.send(REGISTRY, total)[0], days=1)


def silent_day(book: Book) -> Remedy:
    book.voter(A)
    book.send(REGISTRY, ControlTotal(day=TODAY - timedelta(days=1), sent={}))
    book.inspect(days=4)
    silent = [date.fromisoformat(each.key.rpartition(":")[2]) for each in book.standing("silent-day")]

    def remedy() -> int:
        for day in silent:
            book.send(REGISTRY, ControlTotal(day=day, sent={}))
        return 1

    return remedy


def written_notice_missing(book: Book) -> Remedy:
    book.voter(A)
    book.send(REGISTRY, Death(jmb=A, effective_on=TODAY))
    notices = list(book.store.events())
    book.inspect(days=12)

    def remedy() -> int:
        papers = [
            WrittenNoticeReceived(
                authority=event.source.removeprefix("urn:cvr:authority:"), notice_id=event.id,
                notice_position=event.position, received_on=book.now.date(), received_by="a technician",
            )
            for event in notices
        ]  # fmt: skip
        book.send("cec", *papers)
        return 1

    return remedy


HISTORIES: dict[str, Callable[[Book], Remedy]] = {kind: globals()[kind.replace("-", "_")] for kind in get_args(Kind)}
AUTHORITIES = {
    "end-of-another-residence": f"residence-authority:{KLJUC}", "option-without-residence": "cec",
    "late-option": "cec", "foreign-commission": f"municipal-commission:{KLJUC}", "crowded-address": "cec",
    "no-entity-option": f"residence-authority:{BRCKO}", "address-uncovered": "municipal-commission:10014",
    "address-ambiguous": COMMISSION, "station-size": COMMISSION, "numbers-disagree": RESIDENCE,
    "before-birth": RESIDENCE, "after-death": RESIDENCE, "citizen-without-residence": RESIDENCE,
    "many-arrivals": RESIDENCE, "residence-ended-at-once": RESIDENCE,
}  # fmt: skip


@pytest.mark.parametrize("kind", get_args(Kind))
def test_what_is_wrong_is_established_and_remedied_by_itself(book: Book, kind: str) -> None:
    """Given what is wrong, when the register is inspected, it stands; when it is put right, it is remedied."""
    book.stations()
    remedy = HISTORIES[kind](book)
    book.inspect()
    found = book.standing(kind)
    assert found, book.standing()
    assert AUTHORITIES.get(kind, REGISTRY) in {each.authority for each in found}
    book.inspect(days=remedy())
    ids = {each.id for each in found}
    assert {each.state for each in book.all() if each.id in ids} == {"remedied"}
    before = book.store.head()
    book.inspect()
    assert book.store.head() == before, "nothing new, nothing to say"


# --- what only the passing of days brings ---------------------------------------------------------------------------


def mail_from(book: Book, on: date, election: str | None = None) -> None:
    """Seven voters apply by mail from one address."""
    for n, jmb in enumerate(numbers()[:7]):
        book.voter(jmb, f"Uzorak{'abcdefg'[n]}")
        option = VotingOption(
            jmb=jmb, effective_on=on, option="mail", country="RS", foreign_address="Duga 4", election=election
        )
        book.send("cec", option)


def test_applications_that_take_effect_later_crowd_an_address_then(book: Book) -> None:
    book.stations()
    mail_from(book, TODAY + timedelta(days=3))
    book.inspect()
    assert book.standing("crowded-address") == []
    book.inspect(days=3)
    assert len(book.standing("crowded-address")) == 1


def test_applications_for_an_election_crowd_no_address_once_it_is_over(book: Book) -> None:
    book.stations()
    book.send("register", CALL)
    mail_from(book, TODAY, CALL.election)
    book.inspect()
    assert len(book.standing("crowded-address")) == 1
    book.inspect(days=(CALL.day - TODAY).days)
    assert len(book.standing("crowded-address")) == 1
    book.inspect(days=1)
    assert book.standing("crowded-address") == []


def test_two_numbers_are_no_longer_one_person_s_when_a_death_known_before_takes_effect(book: Book) -> None:
    book.stations()
    book.voter(A)
    book.voter(B)
    book.send(REGISTRY, Death(jmb=A, effective_on=TODAY + timedelta(days=2)))
    book.inspect()
    assert len(book.standing("one-under-two-numbers")) == 1
    book.inspect(days=2)
    assert book.standing("one-under-two-numbers") == []


def test_two_numbers_are_likely_one_person_s_once_a_name_takes_effect(book: Book) -> None:
    book.stations()
    book.voter(A)
    book.voter(B, "Marić")
    book.send(REGISTRY, PersonalData(jmb=B, effective_on=TODAY + timedelta(days=2), surname="Uzorak"))
    book.inspect()
    assert book.standing("one-under-two-numbers") == []
    book.inspect(days=2)
    assert len(book.standing("one-under-two-numbers")) == 1


def test_a_residence_without_citizen_is_waited_for_also_where_a_name_was_reported(book: Book) -> None:
    book.lives(A)
    book.send(REGISTRY, PersonalData(jmb=A, effective_on=TODAY, surname="Novak"))
    book.inspect()
    assert book.standing("residence-without-citizen") == []
    book.inspect(days=31)
    assert len(book.standing("residence-without-citizen")) == 1


# --- what may become of one -----------------------------------------------------------------------------------------


def ended_elsewhere(book: Book, jmb: str = A) -> str:
    """An end of a residence where the person never resided: a fault of its sender's; its id."""
    end = ResidenceEnded(jmb=jmb, effective_on=TODAY, kind="permanent", municipality=KLJUC)
    return book.send(f"residence-authority:{KLJUC}", end)[0]


def steps(book: Book) -> list[str]:
    """What became of deficiencies, in order."""
    events = [e for e in book.store.events() if isinstance(e.data, AboutDeficiency)]
    return [e.data.TOPIC.removeprefix("ba.cvr.deficiency-").removesuffix(".v1") for e in events]


def test_one_dismissed_is_established_again_on_other_evidence_only(book: Book) -> None:
    """Given one the CEC dismissed, when only its authority writes more, it stays; with other evidence it is new."""
    book.stations()
    book.voter(A, "Hadžić")
    book.citizen(A, "Marić", born=date(1980, 5, 18))
    book.inspect()
    (found,) = book.standing("two-under-one-number")
    dismiss(book.store, found.id, CEC, "twins, both recorded rightly", now=book.now, salt="cw==")
    book.send(REGISTRY, PersonalData(jmb=A, effective_on=TODAY, given_name="Anja"))
    book.inspect()
    assert book.standing("two-under-one-number") == []
    book.citizen(A, "Petrović", born=date(1980, 5, 19))
    book.inspect()
    (again,) = book.standing("two-under-one-number")
    assert again.id == found.id, "the same history goes on"
    assert again.evidence != found.evidence
    assert again.dismissed is None


def test_one_remedied_comes_again_in_the_same_history(book: Book) -> None:
    book.stations()
    for _ in range(2):
        remedy = two_under_one_number(book)
        book.inspect()
        remedy()
        book.inspect()
    assert steps(book) == ["established", "remedied"] * 2
    (found,) = book.all()
    assert found.first_established < found.established < (found.remedied or 0)


def test_what_a_first_load_has_not_brought_yet_is_no_deficiency(book: Book) -> None:
    """Given a declared first load of the residence authority, what it sent lacks nothing until its last day is over."""
    book.stations()
    until = TODAY + timedelta(days=60)
    load = FirstLoadDeclared(authority=RESIDENCE, until=until, declared_by="a member")
    book.send("cec", load)
    book.lives(A)
    book.citizen(B)
    book.inspect(days=40)
    assert {each.kind for each in book.standing()} >= {"citizen-without-residence"}
    assert not book.standing("residence-without-citizen")
    book.inspect(days=21)
    assert len(book.standing("residence-without-citizen")) == 1


# --- whatever happens on the way ------------------------------------------------------------------------------------


class DiedError(Exception):
    """The inspector's process ended here."""


def test_killed_between_its_append_and_its_position_it_doubles_nothing(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an inspector that dies right after an append, when another takes over, before or after the projector."""
    book.stations()
    book.voter(A)
    ended_elsewhere(book)
    book.project()
    with book.connection() as connection, monkeypatch.context() as patch:
        patch.setattr("register.acts.inspection.progress.write", dying)
        with pytest.raises(DiedError):
            book.inspector.turn(connection)
    assert steps(book) == ["established"]
    book.inspector = Inspector(book.database.psycopg, book.store, clock=lambda: book.now, entropy=book.dice.randbytes)
    with book.connection() as connection:
        assert not book.inspector.turn(connection), "its history went on; the register must follow first"
    book.inspect()
    assert steps(book) == ["established"]


def test_killed_after_it_noted_a_remedy_it_goes_on_with_a_register_that_knows_more_but_not_that(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given one that dies right after an append, when the next looks from further on, but before that append."""
    book.stations()
    book.voter(A)
    wrong = ended_elsewhere(book)
    book.inspect()
    taken_back(book, f"residence-authority:{KLJUC}", wrong)()
    book.project()
    book.voter(B, "Marić")  # recorded while the inspector is at it
    further = book.store.head()
    with book.connection() as connection, monkeypatch.context() as patch:
        patch.setattr("register.acts.inspection.progress.write", dying)
        with pytest.raises(DiedError):
            book.inspector.turn(connection)
    book.inspector = Inspector(book.database.psycopg, book.store, clock=lambda: book.now, entropy=book.dice.randbytes)
    with book.connection() as connection:
        follow(connection, book.store, upto=further)
        assert not book.inspector.turn(connection), "its history went on; the register must follow first"
    book.inspect()
    assert steps(book) == ["established", "remedied"]


def dying(*_: object) -> None:
    raise DiedError


def test_two_inspectors_at_once_establish_once(book: Book) -> None:
    book.stations()
    for jmb in numbers()[:40]:
        book.voter(jmb, f"U{jmb[-5:-1]}".translate(str.maketrans("0123456789", "abcdefghij")))
        ended_elsewhere(book, jmb)
    stop = threading.Event()
    others = [
        Inspector(book.database.psycopg, book.store, clock=lambda: book.now, entropy=book.dice.randbytes)
        for _ in range(2)
    ]
    threads = [threading.Thread(target=each.run, args=(stop,)) for each in others]
    for thread in threads:
        thread.start()
    with book.database.psycopg() as connection:
        for _ in range(200):
            follow(connection, book.store)
            done = len([step for step in steps(book) if step == "established"])
            if done >= 40 or stop.wait(0.05):
                break
    stop.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    book.inspect()
    assert steps(book).count("established") == 40


def test_the_order_of_arrival_and_of_inspection_changes_nothing_of_what_stands(
    book: Book, other_settings: Settings
) -> None:
    """Given the same notices in another order and inspected now and then, the same deficiencies stand at the end."""

    def said(book: Book) -> set[tuple[str, str, str | None, tuple[str, ...]]]:
        with book.connection() as connection:
            # Which stream a person of several numbers is known by depends on arrival; the number shown does not.
            shown = "SELECT person, jmb FROM projection.stretch WHERE upper_inf(known) AND upper_inf(days)"
            names = dict(connection.execute(shown).fetchall())
        return {
            (each.kind, each.authority, each.municipality, tuple(sorted(names[UUID(p)] for p in each.persons)))
            for each in book.standing()
        }

    lines = [line for line in Feed(150, seed=5, messy=True, until=TODAY) if line.expect == "recorded"]
    register_of(book, lines, every=10_000)
    with open_database(other_settings) as database, Store(database.psycopg) as store:
        other = Book(database, store, seed=9)
        register_of(other, shuffle(lines, seed=3), every=150)
        assert said(other) == said(book)
        assert len({kind for kind, *_ in said(book)}) > 3


def register_of(book: Book, lines: list[Line], every: int) -> None:
    """Record lines, and inspect after every so many."""
    for start in range(0, len(lines), every):
        pending = []
        for number, line in enumerate(lines[start : start + every]):
            message = parse(line.body)
            assert isinstance(message, Message)
            salt = f"{start + number:022d}=="
            pending.append(
                Pending(source=message.source, id=message.id, time=message.time, data=message.data, salt=salt)
            )
        book.store.append(pending, now=book.now)
        book.inspect()
    book.inspect(days=40)


def test_the_table_made_again_from_the_event_store_is_the_same(book: Book) -> None:
    book.stations()
    crowded_address(book)
    book.inspect()
    remedy = two_under_one_number(book)
    book.inspect()
    remedy()
    book.inspect()
    ended_elsewhere(book)
    book.inspect()
    before = sorted(book.all(), key=lambda each: each.position)
    assert {each.state for each in before} == {"established", "remedied"}
    with book.connection() as connection:
        for table in TABLES:
            connection.execute(f"TRUNCATE projection.{table}".encode())
    with book.connection() as connection:
        while follow(connection, book.store, limit=3):
            pass
    assert sorted(book.all(), key=lambda each: each.position) == before
    for each in before:
        assert fold(book.store.stream(each.id)) == each
    assert {e.data.kind for e in book.store.events() if isinstance(e.data, DeficiencyEstablished)} >= {
        "crowded-address"
    }
    assert any(isinstance(e.data, DeficiencyRemedied) for e in book.store.events())
