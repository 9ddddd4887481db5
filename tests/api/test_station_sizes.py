"""A commission whose station has grown too large is shown how it could be divided (Art. 5.1, later law)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import chain

import httpx

from register.acts import elections
from register.app.parts import make_freezer
from register.law.competence import caller_for
from register.law.events import CatchmentEntry, Citizen, ElectionCalled, PollingStation, Residence
from register.law.personal_number import make
from tests.api.conftest import BIHAC, KLJUC, World

PATH = f"/v1/elections/general-2026/station-sizes?municipality={BIHAC}"
CALL = ElectionCalled(
    election="general-2026", kind="general", early=False, day=date(2026, 10, 4), called_on=date(2026, 3, 1)
)
#: Voters in each street of the large station, who come to the three that the register has there (Glavna 5).
STREETS = {"Alipašina": 480, "Bosanska": 360, "Cazinska": 240}
COMMISSION = f"municipal-commission:{BIHAC}"


def settle(world: World) -> None:
    """A station of more than a thousand voters; the one of all other settlements is left with nobody."""
    station = PollingStation(
        code="003A001", municipality=BIHAC, name="Škola Centar", address="Trg 1", kind="regular",
        catchment=(CatchmentEntry(settlement="Centar"),), effective_on=date(2020, 1, 1),
    )  # fmt: skip
    world.send(COMMISSION, station, follow=False)
    days = (date(1981, 1, 1), date(1982, 1, 1))
    people = ((number, born) for born in days for n in range(1000) if (number := make(born, 10, n)) is not None)
    homes = chain.from_iterable([street] * voters for street, voters in STREETS.items())
    citizens, residences = [], []
    for street, (jmb, born) in zip(homes, people, strict=False):
        names = {"surname": "Uzorak", "given_name": "Ana", "parent_name": "Test", "sex": "F"}
        citizens.append(Citizen(jmb=jmb, effective_on=born, born_on=born, **names))  # type: ignore[arg-type]
        residences.append(
            Residence(
                jmb=jmb, effective_on=born, kind="permanent", municipality=BIHAC, settlement="Centar", street=street,
                house_number="1",
            )
        )  # fmt: skip
    world.send(f"registry-office:{BIHAC}", *citizens, follow=False)
    world.send(f"residence-authority:{BIHAC}", *residences)


async def test_a_large_station_is_shown_with_its_proposed_split_before_and_after_the_conclusion(
    world: World, client: httpx.AsyncClient
) -> None:
    settle(world)
    system, cec = world.system, caller_for("cec", "a member")
    elections.call(system.store, CALL, cec, system.municipalities, now=world.clock(), salt="cw==")
    world.follow()
    own = world.headers(COMMISSION)
    told = (await client.get(PATH, headers=own)).json()
    assert (told["rests_on"], told["day"], told["least"], told["most"]) == ("register", "2026-08-20", 300, 1_000)
    large, empty = told["items"]
    assert (large["station"], large["voters"], large["size"]) == ("003A001", 1_083, "too-many")
    assert [part["voters"] for part in large["proposal"]] == [480, 603]
    streets = [street for part in large["proposal"] for street in part["streets"]]
    assert streets == [
        {"settlement": "Centar", "street": street, "voters": voters}
        for street, voters in [*STREETS.items(), ("Glavna", 3)]
    ]
    assert (empty["station"], empty["voters"], empty["size"], empty["proposal"]) == ("049A001", 0, "too-few", None)

    # The roll is what it was concluded to be, whoever moves away later; the commission reads it all the same.
    world.clock.now = datetime(2026, 8, 21, 6, tzinfo=UTC)
    elections.conclude(system.store, "general-2026", cec, reference="1", now=world.clock.now, salt="cw==")
    world.follow()
    make_freezer(system.database, system.store, world.clock, system.entropy).freeze_waiting()
    frozen = (await client.get(PATH, headers=world.headers("cec"))).json()
    assert frozen["rests_on"] == "roll"
    assert frozen["items"] == told["items"]


async def test_sizes_by_street_are_for_the_commission_of_the_municipality_the_cec_and_auditors(
    world: World, client: httpx.AsyncClient
) -> None:
    system = world.system
    assert (await client.get(PATH, headers=world.headers("cec"))).status_code == 404
    elections.call(
        system.store, CALL, caller_for("cec", "a member"), system.municipalities, now=world.clock(), salt="cw=="
    )
    world.follow()
    for who, status in (
        ("cec", 200), ("auditor", 200), (COMMISSION, 200), (f"municipal-commission:{KLJUC}", 404),
        (f"registry-office:{BIHAC}", 403), ("political-entity:7", 403),
    ):  # fmt: skip
        assert (await client.get(PATH, headers=world.headers(who))).status_code == status, who
    assert (await client.get(PATH)).status_code == 401
    with system.database.psycopg() as connection:
        looks = connection.execute("SELECT municipality FROM access.journal WHERE what = 'station-sizes'").fetchall()
    assert looks == [(BIHAC,)] * 3
