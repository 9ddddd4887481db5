"""The rules of deficiencies about persons against a second, naive reading, on histories full of faults."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from random import Random
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from register.law.deficiencies.kinds import Finding
from register.law.deficiencies.persons import PERSONAL_KINDS, about_person
from register.law.events import Annulment, Citizen, ElectionCalled, Event, PersonalData, Residence
from tests.naive_deficiencies import Found, findings
from tests.properties.histories import BIHAC, ELECTION, NUMBERS, histories, run_until, streams_of, tried

#: Numbers of a woman and of a man born on 1 January 1970, and of a woman born on 28 February 2006.
VALID = dict(zip(NUMBERS, ["0101970105000", "0101970100009", "2802006105005"], strict=True))
#: One whose options end within the days of the histories, and an early one in one municipality.
ELECTIONS = [
    ElectionCalled(election=ELECTION, kind="general", early=False, day=date(2024, 5, 17), called_on=date(2023, 12, 1)),
    ElectionCalled(
        election="another",
        kind="local",
        early=True,
        day=date(2024, 3, 25),
        called_on=date(2024, 2, 1),
        options_until=date(2024, 2, 28),
        municipalities=(BIHAC,),
    ),
]
#: All is recorded on 1 April 2024: the last day of waiting, the first after it, and days long before and after.
TODAYS = [date(2024, 3, 4), date(2024, 4, 30), date(2024, 5, 1), date(2024, 5, 1), date(2060, 1, 1)]
_BIRTHS = [date(1970, 1, 1), date(2006, 2, 28), date(1912, 2, 29), date(2024, 3, 2)]


@st.composite
def faulty(draw: st.DrawFn, /, **terms: Any) -> list[Event]:
    """Histories with real numbers in which names, births, addresses and clocks go wrong now and then."""
    events: list[Event] = []
    for event in draw(histories(**terms)):
        data: Any = event.data
        changes: dict[str, Any] = {m: VALID[getattr(data, m)] for m in ("jmb", "new_jmb") if hasattr(data, m)}
        if isinstance(data, Citizen | PersonalData) and draw(st.booleans()):
            changes["born_on"] = draw(st.sampled_from(_BIRTHS))
        if isinstance(data, Citizen) and draw(st.booleans()):
            changes["given_name"] = draw(st.sampled_from(["Lejla", "АМРА", "Begic"]))
            changes["surname"] = draw(st.sampled_from(["Бегић", "Kovač-Begić", "Šarić", "Djurić"]))
        if isinstance(data, Residence) and data.kind == "temporary" and draw(st.booleans()):
            changes |= {"kind": "abroad", "municipality": None, "settlement": None, "country": "AT"}
        time = event.time
        if draw(st.integers(0, 19)) == 0:
            time = event.recorded_at + timedelta(seconds=draw(st.sampled_from([299, 300, 301, 90_000])))
        if not isinstance(data, Annulment):
            data = msgspec.structs.replace(data, **changes)
        events.append(msgspec.structs.replace(event, data=data, time=time))
    return events


def product(events: list[Event], today: date) -> list[Finding]:
    return about_person(streams_of(events), today, ELECTIONS)


def as_found(found: list[Finding], events: list[Event]) -> set[Found]:
    names = {e.position: (e.source, e.id) for e in events}
    return {
        Found(
            f.kind,
            f.key,
            f.authority,
            f.municipality,
            frozenset(f.persons),
            frozenset(names[position] for position in f.evidence),
            tuple(sorted(f.figures.items())),
        )
        for f in found
    }


def test_both_readings_find_the_same() -> None:
    """On histories which together hold every kind of fault."""
    seen: set[str] = set()

    def same(events: list[Event], today: date) -> None:
        found = product(events, today)
        assert as_found(found, events) == findings(events, today, ELECTIONS)
        assert max(Counter((f.kind, f.key) for f in found).values(), default=1) == 1
        assert all(list(f.evidence) == sorted(f.evidence) for f in found)
        seen.update(f.kind for f in found)

    examples = st.one_of(faulty(), faulty(of_options=True)), st.sampled_from(TODAYS)
    run_until(lambda: seen == PERSONAL_KINDS, same, 200, *examples)
    assert seen == PERSONAL_KINDS


@tried(40)
@given(faulty(), st.sampled_from(TODAYS), st.randoms(use_true_random=False))
def test_order_of_arrival_plays_no_part(events: list[Event], today: date, random: Random) -> None:
    """Also when the store gives them other positions; the key of what is about a person of several numbers may then
    name another of them."""
    shuffled = list(events)
    random.shuffle(shuffled)
    assert product(shuffled, today) == product(events, today)
    assert told(arrived(shuffled), today) == told(arrived(events), today)


def arrived(events: list[Event]) -> list[Event]:
    """The same, all recorded in one instant, in this order."""
    at = max((e.recorded_at for e in events), default=None)
    return [msgspec.structs.replace(e, position=n, recorded_at=at) for n, e in enumerate(events, start=1)]


def told(events: list[Event], today: date) -> list[Any]:
    found = as_found(product(events, today), events)
    return sorted((f.kind, f.authority, sorted(f.persons), sorted(f.evidence), f.figures) for f in found)


@tried(40)
@given(faulty(most=15), st.sampled_from(TODAYS))
def test_what_is_annulled_is_found_no_more(events: list[Event], today: date) -> None:
    """Annulling all that shows a fault removes it; what then is found is found as if it had never been sent."""
    for wrong in product(events, today)[:3]:
        shown = [e for e in events if e.position in wrong.evidence]
        end = max(e.position for e in events)
        taken_back = [
            msgspec.structs.replace(e, position=end + n, id=f"back-{n}", data=Annulment(annuls=e.id, reason="error"))
            for n, e in enumerate(shown, start=1)
        ]
        after = product([*events, *taken_back], today)
        never = product([e for e in events if e not in shown], today)
        assert [(f.kind, f.key, f.authority, f.evidence) for f in after] == [
            (f.kind, f.key, f.authority, f.evidence) for f in never
        ]
        assert (wrong.kind, wrong.evidence) not in [(f.kind, f.evidence) for f in after]
