"""Words for the situations of tests/law: what an authority sends, by day, and what the register then says.

A situation is a list of notices in the order recorded. Unless it says otherwise it is about Amra, born on 1 May 1980,
whom the registry office of Bihać recorded at birth and who lives there since she came of age.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from register.law.dossier import Answer, on_day, timeline
from register.law.events import (
    Annulment,
    AnyData,
    CapacityRestored,
    CapacityWithdrawn,
    Citizen,
    Citizenship,
    CitizenshipEnded,
    Death,
    EntityOption,
    Event,
    JmbReplaced,
    PersonalData,
    RefugeeStatus,
    RefugeeStatusEnded,
    ReportedDeceased,
    Residence,
    ResidenceEnded,
    VotingBarEnded,
    VotingBarred,
    VotingOption,
)

BIHAC, BANJA_LUKA, TUZLA, BRCKO = "10049", "20010", "11762", "30163"
AMRA, NEW_NUMBER, THIRD_NUMBER = "0105980167506", "0105980167514", "0105980167522"

REGISTRY = "registry-office:10049"
MINISTRY = "ministry:civil-affairs"
COURT = "court:basic-court-bihac"
OTHER_COURT = "court:basic-court-brcko"
CEC = "cec"


def day(text: str) -> date:
    """A day as it is written in BiH: 1.5.1998."""
    d, m, y = text.rstrip(".").split(".")
    return date(int(y), int(m), int(d))


@dataclass(frozen=True)
class Sent:
    """A notice: who sent it, under which id (its place in the situation unless said), when, and what it says."""

    sender: str
    data: AnyData
    id: str | None = None
    at: str = "09:00"

    def under(self, id: str) -> Sent:
        """The same, under an id that others can name."""
        return Sent(self.sender, self.data, id, self.at)

    def sent_at(self, at: str) -> Sent:
        """The same, sent at an hour of the day (R-tie)."""
        return Sent(self.sender, self.data, self.id, at)


def citizen(
    on: str = "1.5.1980", *, born: str = "1.5.1980", jmb: str = AMRA, sex: str = "F", by: str = REGISTRY
) -> Sent:
    named = {"surname": "Begić", "given_name": "Amra", "parent_name": "Ivan", "sex": sex}
    return Sent(by, Citizen(jmb=jmb, effective_on=day(on), born_on=day(born), **named))  # type: ignore[arg-type]


def personal_data(on: str, *, surname: str | None = None, born: str | None = None, by: str = REGISTRY) -> Sent:
    born_on = None if born is None else day(born)
    return Sent(by, PersonalData(jmb=AMRA, effective_on=day(on), surname=surname, born_on=born_on))


def death(on: str) -> Sent:
    return Sent(REGISTRY, Death(jmb=AMRA, effective_on=day(on)))


def lives_in(code: str, since: str, *, kind: str = "permanent", jmb: str = AMRA) -> Sent:
    home = Residence(jmb=jmb, effective_on=day(since), kind=kind, municipality=code, settlement="Grad")  # type: ignore[arg-type]
    return Sent(f"residence-authority:{code}", home)


def abroad(since: str, country: str = "AT") -> Sent:
    stay = Residence(jmb=AMRA, effective_on=day(since), kind="abroad", country=country, foreign_address="Ring 1, Wien")
    return Sent(f"residence-authority:{BIHAC}", stay)


def left(code: str, on: str, *, kind: str = "permanent") -> Sent:
    end = ResidenceEnded(jmb=AMRA, effective_on=day(on), kind=kind, municipality=code)  # type: ignore[arg-type]
    return Sent(f"residence-authority:{code}", end)


def replaced_by(new_jmb: str, on: str, *, jmb: str = AMRA) -> Sent:
    return Sent(f"residence-authority:{BIHAC}", JmbReplaced(jmb=jmb, effective_on=day(on), new_jmb=new_jmb))


def entity_option(entity: str, on: str) -> Sent:
    option = EntityOption(jmb=AMRA, effective_on=day(on), entity=entity)  # type: ignore[arg-type]
    return Sent(f"residence-authority:{BRCKO}", option)


def citizen_of_bih_and(*others: str, on: str) -> Sent:
    return Sent(MINISTRY, Citizenship(jmb=AMRA, effective_on=day(on), other_citizenships=others))


def citizenship_ended(on: str) -> Sent:
    return Sent(MINISTRY, CitizenshipEnded(jmb=AMRA, effective_on=day(on)))


def refugee_of(code: str, on: str) -> Sent:
    return Sent(MINISTRY, RefugeeStatus(jmb=AMRA, effective_on=day(on), municipality_1991=code))


def refugee_no_more(on: str) -> Sent:
    return Sent(MINISTRY, RefugeeStatusEnded(jmb=AMRA, effective_on=day(on)))


def capacity_withdrawn(on: str, extent: str = "full") -> Sent:
    return Sent(COURT, CapacityWithdrawn(jmb=AMRA, effective_on=day(on), extent=extent))  # type: ignore[arg-type]


def capacity_restored(on: str, *, by: str = COURT) -> Sent:
    return Sent(by, CapacityRestored(jmb=AMRA, effective_on=day(on)))


def barred(ground: str, on: str, *, by: str = COURT) -> Sent:
    bar = VotingBarred(jmb=AMRA, effective_on=day(on), ground=ground, cause="sentence")  # type: ignore[arg-type]
    return Sent(by, bar)


def bar_ended(ends: str, on: str, *, by: str = COURT, of_court: str | None = None) -> Sent:
    source = None if of_court is None else f"urn:cvr:authority:{of_court}"
    return Sent(by, VotingBarEnded(jmb=AMRA, effective_on=day(on), ends=ends, ends_source=source))


def option(name: str, on: str, *, by: str = CEC, of_1991: str | None = None, election: str | None = None) -> Sent:
    mission = "Beč" if name == "diplomatic-mission" else None
    by_mail = name == "mail"
    chosen = VotingOption(
        jmb=AMRA,
        effective_on=day(on),
        option=name,  # type: ignore[arg-type]
        municipality_1991=of_1991,
        mission=mission,
        election=election,
        country="AT" if by_mail else None,
        foreign_address="Ring 1, Wien" if by_mail else None,
    )
    return Sent(by, chosen)


def commission(code: str) -> str:
    return f"municipal-commission:{code}"


def reported_deceased(on: str, *, by: str = CEC) -> Sent:
    return Sent(by, ReportedDeceased(jmb=AMRA, effective_on=day(on)))


def taken_back(id: str, *, by: str) -> Sent:
    return Sent(by, Annulment(annuls=id, reason="entered by mistake"))


AMRA_IN_BIHAC: tuple[Sent, ...] = (citizen().under("birth"), lives_in(BIHAC, "1.5.1998").under("home"))


def recorded(sent: Sequence[Sent], *, about: dict[str, UUID] | None = None) -> list[Event]:
    """The notices as the event store holds them; ``about`` gives the stream of each number, else one for all."""
    events: list[Event] = []
    filed: dict[tuple[str, str], UUID] = {}
    for position, notice in enumerate(sent, start=1):
        hour, _, minute = notice.at.partition(":")
        source = f"urn:cvr:authority:{notice.sender}"
        number = notice.id or f"notice-{position}"
        stream = UUID(int=1)
        if isinstance(notice.data, Annulment):
            stream = filed[source, notice.data.annuls]
        elif about is not None:
            stream = about[notice.data.jmb]  # type: ignore[union-attr]
        filed[source, number] = stream
        time = datetime(2026, 3, 1, int(hour), int(minute), tzinfo=UTC)
        recorded_at = datetime(2026, 4, 1, tzinfo=UTC) + timedelta(minutes=position)
        events.append(Event(position, stream, position, recorded_at, source, number, time, notice.data))
    return events


@dataclass(frozen=True)
class Case:
    """A situation in words, what was sent, what the register says on some days, and the provision it rests on."""

    situation: str
    sent: Sequence[Sent]
    expected: dict[str, object]
    article: str
    asked: str = "grounds"
    about: dict[str, UUID] | None = field(default=None)

    def __str__(self) -> str:
        return f"{self.article}: {self.situation}"


def answer_on(sent: Sequence[Sent], on: str) -> Answer:
    """What the register says on a day."""
    answer = on_day(timeline(recorded(sent)), day(on))
    assert answer is not None
    return answer


def check(case: Case) -> None:
    """The register says what the case expects, on each of its days, whatever the order in which the notices came."""
    events = recorded(case.sent)
    for arrived in (events, list(reversed(events))):
        stretches = timeline(arrived)
        said = {on: getattr(on_day(stretches, day(on)), case.asked) for on in case.expected}
        assert said == case.expected
