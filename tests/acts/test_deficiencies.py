"""What people do about a deficiency (Art. 3.6 a): who may, in which order, and once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from register.acts import deficiencies
from register.database import Database
from register.law.competence import Caller
from register.law.deficiencies import Finding
from register.law.provisions import Refusal
from register.store import ConcurrencyError, Store

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
CEC, OTHER = Caller("a member", "cec", "cec"), Caller("another member", "cec", "cec")
OFFICE = Caller("a clerk", "registry-office", "registry-office:10049")
ELSEWHERE = Caller("a clerk", "registry-office", "registry-office:10294")
FINDING = Finding("over-110", "a key", "registry-office:10049", "10049", (), (1,), {"age": 116})
NUMBERS = [UUID(int=n) for n in range(9)]


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with Store(database.psycopg) as store:
        yield store


@pytest.fixture
def found(store: Store) -> UUID:
    return established(store, 0)


def established(store: Store, number: int, finding: Finding = FINDING) -> UUID:
    stream = store.stream_of(f"deficiency:{finding.kind}:{finding.key}")
    state = None if stream is None else deficiencies.load(store, stream)
    pending = deficiencies.to_establish(finding, state, number=NUMBERS[number], now=NOW, salt="cw==")
    store.append([pending], now=NOW)
    stream = store.stream_of(f"deficiency:{finding.kind}:{finding.key}")
    assert stream is not None
    return stream


def remedied(store: Store, which: UUID) -> None:
    state = deficiencies.load(store, which)
    assert state is not None
    store.append([deficiencies.to_remedy(state, position=9, number=uuid4(), now=NOW, salt="cw==")], now=NOW)


def take(store: Store, step: str, which: UUID, caller: Caller) -> str:
    acts: dict[str, Callable[[], str]] = {
        "notify": lambda: deficiencies.notify(store, which, caller, now=NOW, salt="cw==").status,
        "acknowledge": lambda: deficiencies.acknowledge(store, which, caller, now=NOW, salt="cw==").status,
        "dismiss": lambda: deficiencies.dismiss(store, which, caller, "none", now=NOW, salt="cw==").status,
    }
    try:
        return acts[step]()
    except Refusal as refusal:
        return refusal.kind if refusal.provision == "Art. 3.6 a" else "without the provision"
    except LookupError:
        return "unknown"


def test_each_step_is_its_own_authority_s(store: Store, found: UUID) -> None:
    auditor = Caller("an auditor", "auditor")
    assert take(store, "notify", found, OFFICE) == "not-competent"
    assert take(store, "dismiss", found, OFFICE) == "not-competent"
    assert take(store, "acknowledge", found, ELSEWHERE) == "unknown"
    assert take(store, "acknowledge", found, CEC) == "unknown", "the CEC takes note of its own"
    assert [take(store, step, found, auditor) for step in ("notify", "acknowledge", "dismiss")] == ["not-competent"] * 3
    assert take(store, "notify", NUMBERS[8], CEC) == "unknown"


def test_steps_in_their_order_and_the_same_person_again(store: Store, found: UUID) -> None:
    steps = [("notify", CEC), ("acknowledge", OFFICE), ("dismiss", CEC)]
    for step, caller in steps:
        assert (take(store, step, found, caller), take(store, step, found, caller)) == ("recorded", "repeated")
        assert take(store, "notify", found, OTHER) == "conflict"
    assert take(store, "dismiss", found, OTHER) == "conflict"
    assert take(store, "acknowledge", found, Caller("another", OFFICE.role, OFFICE.authority)) == "conflict"
    state = deficiencies.load(store, found)
    assert state is not None
    assert (state.state, state.reason, state.established) == ("dismissed", "none", 1)
    assert [state.notified, state.acknowledged, state.dismissed] == [2, 3, 4]


def test_an_authority_may_take_note_before_it_is_informed(store: Store, found: UUID) -> None:
    assert take(store, "acknowledge", found, OFFICE) == "recorded"
    assert take(store, "notify", found, CEC) == "conflict"


@pytest.mark.parametrize("step", ["notify", "acknowledge", "dismiss"])
def test_nothing_becomes_of_one_that_was_remedied_until_it_is_established_again(
    store: Store, found: UUID, step: str
) -> None:
    caller = OFFICE if step == "acknowledge" else CEC
    assert take(store, "notify", found, CEC) == "recorded"
    remedied(store, found)
    assert take(store, step, found, caller) == ("repeated" if step == "notify" else "conflict")
    assert established(store, 1) == found
    assert take(store, step, found, caller) == "recorded"


def test_what_the_register_notes_is_refused_when_the_history_went_on(store: Store, found: UUID) -> None:
    state = deficiencies.load(store, found)
    assert state is not None
    assert take(store, "dismiss", found, CEC) == "recorded"
    with pytest.raises(ConcurrencyError):
        store.append([deficiencies.to_remedy(state, position=9, number=uuid4(), now=NOW, salt="cw==")], now=NOW)
    again = deficiencies.to_establish(FINDING, None, number=NUMBERS[2], now=NOW, salt="cw==")
    with pytest.raises(ConcurrencyError):
        store.append([again], now=NOW)


def test_of_several_at_once_one_informs(store: Store, found: UUID) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def one(number: int) -> None:
        start.wait()
        outcomes.append(take(store, "notify", found, Caller(f"member {number}", "cec", "cec")))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict", "conflict", "conflict", "recorded"]
