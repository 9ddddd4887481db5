"""Certifying political entities and granting copies, as the store holds it: for units of their own alone."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime

import msgspec
import psycopg
import pytest

from register.acts import elections, parties
from register.acts.parties import Wish
from register.app.parts import read_reference
from register.database import Database
from register.excerpts.political import unit_of
from register.law.competence import Caller
from register.law.events import CertificationWithdrawn, ElectionCalled, PoliticalEntityCertified
from register.law.parties import Certification, Copy, units_of
from register.law.provisions import Refusal
from register.log.record import record_of
from register.store import Store

CEC = Caller("a member", "cec", "cec")
SEVEN = Caller("an observer", "political-entity", "political-entity:7")
EIGHT = Caller("another", "political-entity", "political-entity:8")
CODES = read_reference()
UNITS = units_of(CODES)
CALLED, CONCLUDED = datetime(2028, 4, 1, 8, tzinfo=UTC), datetime(2028, 8, 18, 8, tzinfo=UTC)


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with Store(database.psycopg) as store:
        call = ElectionCalled(
            election="local-2028", kind="local", early=False, day=date(2028, 10, 1), called_on=CALLED.date()
        )
        elections.call(store, call, CEC, CODES, now=CALLED, salt="cw==")
        yield store


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection[object]]:
    with database.psycopg() as connection:
        yield connection


def conclude(store: Store) -> None:
    elections.conclude(store, "local-2028", CEC, reference="digest", now=CONCLUDED, salt="cw==")


def certify(
    connection: psycopg.Connection[object], store: Store, *units: str, entity: str = "7", caller: Caller = CEC
) -> tuple[Certification, bool]:
    wanted = PoliticalEntityCertified(
        election="local-2028", entity=entity, name=f"Stranka {entity}", units=units, certified_by=caller.sub
    )
    return parties.certify(connection, store, wanted, caller, UNITS, now=CALLED, salt="cw==")


def withdraw(connection: psycopg.Connection[object], store: Store, *units: str) -> tuple[Certification, bool]:
    wanted = CertificationWithdrawn(
        election="local-2028", entity="7", units=units, reason="gave up", withdrawn_by=CEC.sub
    )
    return parties.withdraw_certification(connection, store, wanted, CEC, now=CALLED, salt="cw==")


def grant(
    connection: psycopg.Connection[object], store: Store, unit: str, caller: Caller = SEVEN, **wish: object
) -> tuple[Copy, bool]:
    return parties.grant(
        connection, store, "local-2028", Wish(unit=unit, **wish), caller,  # type: ignore[arg-type] # as it comes
        format_version=1, now=CONCLUDED, entropy=secrets.token_bytes, salt="cw==",
    )  # fmt: skip


def test_every_unit_of_the_reference_data_can_be_certified_and_drawn_and_none_besides() -> None:
    for group in (range(511, 516), range(521, 524), range(401, 413), range(301, 310), range(201, 211)):
        assert {str(unit) for unit in group} <= UNITS
    assert {"BiH", "FBiH", "RS", "701", "703", "5"} | set(CODES) <= UNITS
    assert all(unit_of(unit, CODES).places for unit in UNITS)
    assert not UNITS & {"516", "524", "413", "310", "211", "99999", ""}


def test_units_add_up_are_repeated_and_are_withdrawn_one_by_one_or_all(
    connection: psycopg.Connection[object], store: Store
) -> None:
    assert certify(connection, store, "511")[1]
    assert not certify(connection, store, "511")[1]
    state, new = certify(connection, store, "10049", "511")
    assert new
    assert state.units == {"10049", "511"}
    assert withdraw(connection, store, "511")[0].units == {"10049"}
    assert not withdraw(connection, store, "511")[1]
    assert certify(connection, store, "511")[1]
    assert withdraw(connection, store)[0].units == frozenset()
    assert parties.certifications(connection, store, "local-2028")[0].units == frozenset()


@pytest.mark.parametrize(
    ("units", "pointer"), [((), "/units"), (("511", "599"), "/units/1"), (("511", "511"), "/units/1")]
)
def test_units_that_do_not_exist_are_refused_by_place(
    connection: psycopg.Connection[object], store: Store, units: tuple[str, ...], pointer: str
) -> None:
    with pytest.raises(Refusal) as refused:
        certify(connection, store, *units)
    assert (refused.value.kind, refused.value.provision) == ("schema", "Art. 2.9(1)5")
    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_only_the_cec_certifies_and_an_id_stands_for_one_name(
    connection: psycopg.Connection[object], store: Store
) -> None:
    with pytest.raises(Refusal) as refused:
        certify(connection, store, "511", caller=SEVEN)
    assert (refused.value.kind, refused.value.provision) == ("not-competent", "Art. 2.9(5)")
    certify(connection, store, "511")
    other = PoliticalEntityCertified(election="local-2028", entity="7", name="Druga", units=("511",), certified_by="x")
    with pytest.raises(Refusal) as refused:
        parties.certify(connection, store, other, CEC, UNITS, now=CALLED, salt="cw==")
    assert refused.value.kind == "id-conflict"
    with pytest.raises(LookupError):
        parties.certify(
            connection, store, msgspec.structs.replace(other, election="none"), CEC, UNITS, now=CALLED, salt="cw=="
        )


def test_a_copy_is_granted_after_the_conclusion_for_a_certified_unit_alone(
    connection: psycopg.Connection[object], store: Store
) -> None:
    certify(connection, store, "511")
    with pytest.raises(Refusal) as refused:
        grant(connection, store, "511")
    assert (refused.value.kind, refused.value.provision) == ("calendar", "Art. 3.6 e")
    conclude(store)
    for unit, caller in (("512", SEVEN), ("BiH", SEVEN), ("nothing", SEVEN), ("511", EIGHT)):
        with pytest.raises(Refusal) as refused:
            grant(connection, store, unit, caller)
        assert (refused.value.kind, refused.value.provision) == ("not-competent", "Art. 3.1")
    with pytest.raises(Refusal) as refused:
        grant(connection, store, "511", CEC)
    assert refused.value.provision == "Art. 3.1"

    granted, new = grant(connection, store, "511", formats=("pdf", "csv"))
    assert new
    assert (granted.granted.provision, granted.granted.formats) == ("Art. 3.1", ("csv", "pdf"))
    assert grant(connection, store, "511", formats=("csv", "pdf")) == (granted, False)
    assert grant(connection, store, "511")[1]
    with pytest.raises(Refusal) as refused:
        grant(connection, store, "511", formats=("internal-csv",))
    assert [fault.pointer for fault in refused.value.faults] == ["/formats"]
    withdraw(connection, store)
    with pytest.raises(Refusal) as refused:
        parties.check_taking(store, granted)
    assert refused.value.provision == "Art. 3.1"


def test_a_withdrawn_copy_is_not_taken_again_and_another_one_may_be_asked_for(
    connection: psycopg.Connection[object], store: Store
) -> None:
    certify(connection, store, "511")
    conclude(store)
    first, _ = grant(connection, store, "511")
    number = first.granted.copy

    def away(reason: str) -> tuple[Copy, bool]:
        return parties.withdraw_copy(store, "local-2028", number, reason, CEC, now=CONCLUDED, salt="cw==")

    assert [away("leaked")[1], away("leaked")[1]] == [True, False]
    with pytest.raises(Refusal) as refused:
        away("another reason")
    assert refused.value.kind == "conflict"
    with pytest.raises(Refusal) as refused:
        parties.check_taking(store, parties.own_copy(store, "local-2028", number, SEVEN))
    assert (refused.value.kind, refused.value.provision) == ("not-competent", "Art. 3.1")
    second, new = grant(connection, store, "511")
    assert new
    assert second.granted.copy != number
    assert second.granted.secret != first.granted.secret


def test_the_public_record_of_a_copy_tells_its_number_and_nothing_of_whose_it_is(
    connection: psycopg.Connection[object], store: Store
) -> None:
    certify(connection, store, "FBiH")
    conclude(store)
    granted, _ = grant(connection, store, "FBiH")
    with pytest.raises(LookupError):
        parties.own_copy(store, "local-2028", granted.granted.copy, EIGHT)
    (record,) = store.records(granted.position - 1, granted.position)
    public = record_of(record).decode()
    assert str(granted.granted.copy) in public
    for hidden in ("Stranka", "political-entity", "observer", "FBiH", granted.granted.secret):
        assert hidden not in public


def test_two_who_ask_at_once_for_the_same_are_given_one_copy(database: Database, store: Store) -> None:
    with database.psycopg() as connection:
        certify(connection, store, "511")
    conclude(store)
    found: list[tuple[Copy, bool]] = []

    def ask() -> None:
        with database.psycopg() as connection:
            found.append(grant(connection, store, "511"))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(new for _, new in found) == [False, False, True]
    assert len({copy.granted.copy for copy, _ in found}) == 1


def test_numbers_that_are_taken_are_not_given_twice(connection: psycopg.Connection[object], store: Store) -> None:
    """Given a source of numbers that repeats itself, then the second copy has another number all the same."""
    certify(connection, store, "511")
    certify(connection, store, "511", entity="8")
    conclude(store)
    numbers = iter([1, 1, 1, 2])

    def entropy(size: int) -> bytes:
        return next(numbers).to_bytes(size) if size == 8 else secrets.token_bytes(size)

    given = [
        parties.grant(
            connection, store, "local-2028", Wish(unit="511"), caller,
            format_version=1, now=CONCLUDED, entropy=entropy, salt="cw==",
        )[0].granted.copy
        for caller in (SEVEN, EIGHT)
    ]  # fmt: skip
    assert given == [100_001, 100_002]
