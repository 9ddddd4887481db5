"""The register inspects itself (Art. 3.5(6), 3.6 a): what is wrong is established, and remedied by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import get_args

import pytest

from register.acts.deficiencies import dismiss
from register.acts.inspection import Inspector
from register.database import Database
from register.law.competence import Caller
from register.law.deficiencies import Kind
from register.law.events import (
    BRCKO,
    AboutDeficiency,
    Annulment,
    Citizen,
    ControlTotal,
    Death,
    DeficiencyEstablished,
    DeficiencyRemedied,
    ElectionCalled,
    EntityOption,
    FirstLoadDeclared,
    JmbReplaced,
    PersonalData,
    PollingStationAbolished,
    ReportedDeceased,
    Residence,
    ResidenceEnded,
    VotingOption,
    WrittenNoticeReceived,
)
from register.projection.projector import follow
from register.store import Store
from tests.flows.inspected import BIHAC, BORN, CALL, KLJUC, PAPER, TODAY, Book, numbers, station

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
    return taken_back(book, REGISTRY, book.citizen(A, "Marić", born=date(1980, 5, 18))[0])


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


def control_total(book: Book) -> Remedy:
    book.voter(A)
    day = TODAY - timedelta(days=1)
    total = ControlTotal(day=day, sent={"ba.cvr.death.v1": 3})
    return taken_back(book, REGISTRY, book.send(REGISTRY, total)[0], days=1)


def silent_day(book: Book) -> Remedy:
    book.voter(A)
    yesterday = TODAY - timedelta(days=1)
    book.send(REGISTRY, ControlTotal(day=yesterday, sent={}))
    book.inspect(days=4)
    silent = [date.fromisoformat(each.key.rpartition(":")[2]) for each in book.standing("silent-day")]
    assert silent

    def remedy() -> int:
        for day in silent:
            book.send(REGISTRY, ControlTotal(day=day, sent={}))
        return 0

    return remedy


def written_notice_missing(book: Book) -> Remedy:
    book.voter(A)
    (death,) = book.send(REGISTRY, Death(jmb=A, effective_on=TODAY))
    book.inspect(days=12)
    position = book.store.head()
    with Store(book.database.psycopg) as store:
        found = [e for e in store.events(upto=position) if isinstance(e.data, Citizen | Residence | Death)]

    def remedy() -> int:
        for event in found:
            authority = event.source.removeprefix("urn:cvr:authority:")
            book.send(
                "cec",
                WrittenNoticeReceived(
                    authority=authority, notice_id=event.id, notice_position=event.position,
                    received_on=book.now.date(), received_by="a technician",
                ),
            )  # fmt: skip
        return 1

    del death
    return remedy


HISTORIES: dict[str, Callable[[Book], Remedy]] = {kind: globals()[kind.replace("-", "_")] for kind in get_args(Kind)}
AUTHORITIES = {
    "end-of-another-residence": f"residence-authority:{KLJUC}", "option-without-residence": "cec",
    "late-option": "cec", "foreign-commission": f"municipal-commission:{KLJUC}", "crowded-address": "cec",
    "no-entity-option": f"residence-authority:{BRCKO}", "address-uncovered": "municipal-commission:10014",
    "address-ambiguous": COMMISSION, "numbers-disagree": RESIDENCE, "before-birth": RESIDENCE,
    "after-death": RESIDENCE, "citizen-without-residence": RESIDENCE, "many-arrivals": RESIDENCE,
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
    assert book.standing(kind) == []
    assert {each.state for each in book.all() if each.kind == kind} == {"remedied"}
    before = book.store.head()
    book.inspect()
    assert book.store.head() == before, "nothing new, nothing to say"
