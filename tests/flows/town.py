"""Two small municipalities whose sixty voters stand on every kind of list, and what happens there later."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from itertools import count

from register.law.events import (
    AnyData,
    CatchmentEntry,
    Citizen,
    Death,
    PersonalData,
    PollingStation,
    ReportedDeceased,
    Residence,
    VotingOption,
)
from register.law.personal_number import make
from register.store import Pending, Store

BIHAC, BANJA_LUKA = "10049", "20567"
#: Election day, and the instants of the story: called in February, concluded in the morning after E-45.
DAY = date(2026, 10, 4)
CALLED = datetime(2026, 4, 1, 9, tzinfo=UTC)
TOO_EARLY = datetime(2026, 8, 20, 21, 59, tzinfo=UTC)
CONCLUDED = datetime(2026, 8, 21, 6, tzinfo=UTC)
LATER = datetime(2026, 8, 23, 6, tzinfo=UTC)

SALT = "c2FtcGxlIHNhbHQgMTYgYg=="
#: Some names are recorded in Cyrillic.
SURNAMES = ("Čolić", "Ћатић", "Đurić", "Džinić", "Njegovan", "Ljubić", "Žunić", "Abdić", "Šarić", "Vasić")
GIVEN = ("Đenana", "Njegoš", "Ana", "Željko", "Ljilja", "Čedo")
PARIS = "Ambasada BiH u Parizu, odjeljenje za građane"


class Town:
    """Sends notices into an event store, each with the next id of its sender."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._numbers = count(1)
        self._sent: list[Pending] = []
        self.voters: list[str] = []

    def send(self, source: str, *data: AnyData, at: datetime) -> None:
        """Hand in notices of one sender; :meth:`arrive` has them recorded."""
        for each in data:
            number = next(self._numbers)
            time, name = at + timedelta(seconds=number), f"urn:cvr:authority:{source}"
            self._sent.append(Pending(source=name, id=f"n-{number}", time=time, data=each, salt=SALT))

    def arrive(self, at: datetime) -> None:
        receipts = self.store.append(self._sent, now=at)
        assert {receipt.status for receipt in receipts} == {"recorded"}
        self._sent.clear()

    def settle(self) -> None:
        """Stations, sixty people, their options: before the call."""
        self._stations()
        dice = random.Random(7)
        for serial in range(60):
            code = BIHAC if serial < 40 else BANJA_LUKA
            born = date(1950 + serial % 50, 1 + serial % 12, 1 + serial % 28)
            jmb = next(number for n in range(999) if (number := make(born, 10, (serial * 7 + n) % 500)))
            self.voters.append(jmb)
            citizen = Citizen(
                jmb=jmb, effective_on=born, surname=dice.choice(SURNAMES), given_name=dice.choice(GIVEN),
                parent_name=dice.choice(GIVEN), sex="F", born_on=born,
            )  # fmt: skip
            self.send(f"registry-office:{code}", citizen, at=CALLED - timedelta(days=30))
            home = "Nigdje" if serial == 39 else "Centar" if serial % 2 else "Predgrađe"
            self.send(f"residence-authority:{code}", self._lives(jmb, code, home, born), at=CALLED - timedelta(days=29))
        self._options()
        self.arrive(CALLED)

    def _stations(self) -> None:
        for code, prefix in ((BIHAC, "003A"), (BANJA_LUKA, "034B")):
            places = [("001", "Centar"), ("002", "Predgrađe"), ("003", "Napušteno selo")]
            stations = [
                PollingStation(
                    code=prefix + number, municipality=code, name=f"Škola {place}", address=f"{place} bb",
                    kind="regular", catchment=(CatchmentEntry(settlement=place),), effective_on=date(2020, 1, 1),
                )
                for number, place in places
            ]  # fmt: skip
            self.send(f"municipal-commission:{code}", *stations, at=CALLED - timedelta(days=40))

    @staticmethod
    def _lives(jmb: str, code: str, settlement: str, since: date) -> Residence:
        return Residence(
            jmb=jmb, effective_on=since, kind="permanent", municipality=code, settlement=settlement,
            street="Duga", house_number="7",
        )  # fmt: skip

    def _options(self) -> None:
        asked, voters = date(2026, 3, 1), self.voters
        options = [
            VotingOption(
                jmb=voters[0], effective_on=asked, option="mail", country="AT", foreign_address="Ring 1, Wien"
            ),
            VotingOption(jmb=voters[1], effective_on=asked, option="diplomatic-mission", mission=PARIS),
            VotingOption(jmb=voters[41], effective_on=asked, option="diplomatic-mission", mission=PARIS),
            VotingOption(jmb=voters[2], effective_on=asked, option="in-person-1991", municipality_1991=BANJA_LUKA),
            VotingOption(jmb=voters[42], effective_on=asked, option="absentee-1991", municipality_1991=BIHAC),
            VotingOption(jmb=voters[3], effective_on=asked, option="mobile-team"),
            VotingOption(jmb=voters[5], effective_on=asked, option="mobile-team"),
        ]
        dead = [ReportedDeceased(jmb=voters[n], effective_on=asked) for n in (5, 7)]
        self.send("cec", *options, *dead, at=CALLED - timedelta(days=1))

    def lives_on(self) -> None:
        """What comes after the conclusion: moves, deaths, names, a station that moves, a late first entry."""
        dead = [Death(jmb=jmb, effective_on=date(2026, 8, 1)) for jmb in self.voters[10:13]]
        renamed = [PersonalData(jmb=jmb, effective_on=date(2020, 1, 1), surname="Novak") for jmb in self.voters[13:16]]
        self.send(f"registry-office:{BIHAC}", *dead, *renamed, at=LATER)
        moved = [self._lives(jmb, BANJA_LUKA, "Centar", date(2026, 8, 19)) for jmb in self.voters[16:20]]
        self.send(f"residence-authority:{BANJA_LUKA}", *moved, at=LATER)
        station = PollingStation(
            code="003A001", municipality=BIHAC, name="Nova škola", address="Drugdje", kind="regular",
            catchment=(CatchmentEntry(),), effective_on=date(2026, 1, 1),
        )  # fmt: skip
        self.send(f"municipal-commission:{BIHAC}", station, at=LATER)
        self.arrive(LATER)
