"""Elections as the store holds them: called once, concluded once, their rolls noted once, whoever asks at once."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime

import msgspec
import psycopg
import pytest

from register.acts import elections, excerpts
from register.acts.freezing import Freezer
from register.app.parts import read_reference
from register.database import Database
from register.law.competence import Caller
from register.law.events import REGISTER, DrawnList, ElectionCalled, ElectionConcluded, ExcerptDrawn, RollFrozen
from register.law.provisions import Refusal
from register.projection import projector, rolls
from register.store import Pending, Receipt, Store

CEC = Caller("a member", "cec", "cec")
OTHER = Caller("another member", "cec", "cec")
CODES = read_reference()
CALL = ElectionCalled(
    election="local-2028", kind="local", early=False, day=date(2028, 10, 1), called_on=date(2028, 4, 1),
    municipalities=("10049",),
)  # fmt: skip
CALLED = datetime(2028, 4, 1, 8, tzinfo=UTC)
CONCLUDED = datetime(2028, 8, 18, 8, tzinfo=UTC)


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with Store(database.psycopg) as store:
        yield store


def call(store: Store, called: ElectionCalled = CALL, caller: Caller = CEC) -> Receipt:
    return elections.call(store, called, caller, CODES, now=CALLED, salt="cw==")


def conclude(store: Store, caller: Caller = CEC, now: datetime = CONCLUDED) -> Receipt:
    return elections.conclude(store, "local-2028", caller, reference="digest", now=now, salt="cw==")[1]


def freezer(database: Database, store: Store) -> Freezer:
    return Freezer(database.psycopg, store, CODES, clock=lambda: CONCLUDED, entropy=secrets.token_bytes)


def follow(database: Database, store: Store) -> None:
    with database.psycopg() as connection:
        while projector.follow(connection, store):
            pass


def test_a_call_is_recorded_once_and_another_one_under_its_id_is_refused(store: Store) -> None:
    assert (call(store).status, call(store).status) == ("recorded", "repeated")
    with pytest.raises(Refusal) as refused:
        call(
            store, ElectionCalled(election="local-2028", kind="general", early=False, day=CALL.day, called_on=CALL.day)
        )
    assert refused.value.kind == "id-conflict"
    with pytest.raises(Refusal) as refused:
        call(store, caller=Caller("x", "auditor", "auditor:x"))
    assert (refused.value.kind, refused.value.provision) == ("not-competent", "Art. 1.14")
    late = msgspec.structs.replace(CALL, election="late", day=date(2028, 5, 1))
    with pytest.raises(Refusal) as refused:
        call(store, late)
    assert (refused.value.kind, refused.value.provision) == ("calendar", "Art. 1.14")
    nowhere = msgspec.structs.replace(CALL, election="nowhere", municipalities=("10049", "99999", "10049"))
    with pytest.raises(Refusal) as refused:
        call(store, nowhere)
    assert [fault.pointer for fault in refused.value.faults] == ["/municipalities/1", "/municipalities/2"]


def test_of_two_conclusions_at_once_one_stands(store: Store) -> None:
    call(store)
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def one(number: int) -> None:
        start.wait()
        try:
            outcomes.append(conclude(store, Caller(f"member {number}", "cec", "cec")).status)
        except Refusal as refusal:
            outcomes.append(str(refusal.provision))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["Art. 3.6 e", "Art. 3.6 e", "Art. 3.6 e", "recorded"]
    assert len(list(store.events(topics=[ElectionConcluded.TOPIC]))) == 1


def test_an_election_that_was_never_called_cannot_be_concluded(store: Store) -> None:
    with pytest.raises(LookupError):
        conclude(store)
    call(store)
    with pytest.raises(Refusal) as refused:
        conclude(store, now=datetime(2028, 10, 1, 6, tzinfo=UTC))
    assert refused.value.provision == "Art. 3.6 e"


def test_a_frozen_roll_is_noted_once_also_after_a_crash_in_between(database: Database, store: Store) -> None:
    call(store)
    conclude(store)
    assert freezer(database, store).freeze_waiting() == [], "the tables do not know of the conclusion yet"
    follow(database, store)
    # Given a process that died after freezing the roll and before noting it,
    with database.psycopg() as connection:
        rolls.freeze(connection, store, "local-2028", CODES)
    # when the next one takes its turn, then it is noted, and only once, by whomever.
    again = freezer(database, store)
    assert [frozen.election for frozen in again.freeze_waiting()] == ["local-2028"]
    assert again.freeze_waiting() == freezer(database, store).freeze_waiting() == []
    (noted,) = store.events(topics=[RollFrozen.TOPIC])
    assert (noted.source, noted.id) == (REGISTER, "roll-frozen:local-2028")
    state = elections.load(store, "local-2028")
    assert state is not None
    assert state.roll == noted.data
    assert state.position == noted.position


def test_a_roll_that_comes_out_otherwise_than_noted_is_not_noted_again(database: Database, store: Store) -> None:
    call(store)
    conclude(store)
    follow(database, store)
    freezer(database, store).freeze_waiting()
    with psycopg.connect(database.dsn) as connection:
        connection.execute("UPDATE projection.frozen_roll SET sha256 = %s", ("0" * 64,))
    with pytest.raises(Refusal) as refused:
        freezer(database, store).freeze_waiting()
    assert refused.value.kind == "id-conflict"


def test_an_excerpt_is_verified_and_certified_by_two_people_in_this_order(store: Store) -> None:
    def refused(step: str, caller: Caller) -> tuple[str, str | None]:
        with pytest.raises(Refusal) as refusal:
            take(step, caller)
        return refusal.value.kind, refusal.value.provision

    def take(step: str, caller: Caller) -> str:
        act = excerpts.verify if step == "verify" else excerpts.certify
        return act(store, "run", caller, now=CONCLUDED, salt="cw==").status

    assert refused("verify", CEC) == ("calendar", "Art. 3.6 e")
    lists = (DrawnList(name="x", rows=1, sha256="0" * 64),)
    drawn = ExcerptDrawn(excerpt="run", election="local-2028", kind="mail", conclusion=2, format_version=1, lists=lists)
    noted = Pending(source=REGISTER, id="excerpt-drawn:run", time=CONCLUDED, data=drawn, salt="cw==")
    store.append([noted], now=CONCLUDED)
    assert refused("certify", CEC) == ("calendar", "Art. 3.6 e")
    assert refused("verify", Caller("x", "municipal-commission", "municipal-commission:10049"))[0] == "not-competent"
    assert (take("verify", CEC), take("verify", CEC)) == ("recorded", "repeated")
    assert refused("verify", OTHER) == ("calendar", "Art. 3.6 e")
    assert refused("certify", CEC) == ("not-competent", "Art. 3.6 e")
    assert (take("certify", OTHER), take("certify", OTHER)) == ("recorded", "repeated")
    state = excerpts.load(store, "run")
    assert state is not None
    assert (state.drawn, state.verified, state.certified, state.certified_by) == (1, 2, 3, "another member")
