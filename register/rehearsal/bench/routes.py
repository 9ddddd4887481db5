"""``routes``: every question asked over HTTP, about random persons, places, days, positions; the slowest is judged.

Meant for a register that is there (``--data``): what a question costs shows in a large one. What is asked for stands in
:func:`questions`, one line a question; those about an election only where one is concluded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from random import Random
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec

from register.law.competence import Role
from register.rehearsal.bench.ground import UNTIL, Connection, Ground
from register.rehearsal.bench.reads import YEARS, opened
from register.rehearsal.bench.result import Goal, Result, forget_peak, p95, peak_rss_mib
from register.rehearsal.bench.serving import NOTHING, Server, reading_server, request, token

SIZE: Final = 20_000
#: A second is what a person waits without losing the thread.
GOAL: Final = Goal(1, at_least=False)
#: A round of requests for each question; another round while they took no more seconds than this.
_ROUND: Final = 8
_ROUNDS: Final = 5
_SECONDS: Final = 6.0
#: Persons that are drawn from the whole register beforehand.
_PERSONS: Final = 2_000


class Ask(NamedTuple):
    """One request: a GET of ``path`` with this query, or a POST of ``body``."""

    path: str
    query: Mapping[str, object] = MappingProxyType({})
    body: object = None


class Question(NamedTuple):
    """What is asked again and again, by whom; ``ask`` draws one request."""

    name: str
    ask: Callable[[Random], Ask]
    role: Role = "auditor"
    authority: str = "auditor:bench"


class Person(NamedTuple):
    """Somebody of the register."""

    id: str
    jmb: str
    surname: str
    given_name: str
    born_on: date


class Known(NamedTuple):
    """What there is to ask about: ``head`` events, ``last`` of them in the register and ``sealed`` in the log, recorded
    until ``recorded_on``; ``rolls``: elections whose roll is frozen.
    """

    head: int
    last: int
    sealed: int
    recorded_on: date
    persons: list[Person]
    places: list[str]
    stations: list[tuple[str, str]]
    rolls: list[str]
    senders: list[str]


def run(ground: Ground, size: int = SIZE) -> Result:
    """Ask all questions of a register of ``size`` events, or of an existing one."""
    taken: dict[str, float] = {}
    with opened(ground, size) as (database, events):
        with database.psycopg() as connection:
            known = _known(connection, events)
        with reading_server(ground) as server:
            forget_peak(server.process)
            for question in questions(known):
                taken[question.name] = p95(list(_times(ground, server, question)))
                ground.say(f"{taken[question.name] * 1e3:9.1f} ms  {question.name}")
            peak = peak_rss_mib(server.process)
    return Result(
        name="routes",
        unit="s",
        value=max(taken.values()),
        ceiling=None,
        goal=GOAL,
        size=events,
        peak_rss_mib=peak,
        beside=taken,
    )


def _times(ground: Ground, server: Server, question: Question) -> Iterator[float]:
    """Seconds of each request, one client; the first one, which opens connections and makes plans, apart."""
    dice = Random(2)  # noqa: S311 - which day and person: any will do
    bearer = token(ground.settings, question.role, question.authority)
    server.ask([request("GET", NOTHING, bearer), _written(question.ask(dice), bearer)])
    spent = 0.0
    for _ in range(_ROUNDS):
        times = server.ask([_written(question.ask(dice), bearer) for _ in range(_ROUND)])
        yield from times
        spent += sum(times)
        if spent > _SECONDS:
            return


def _written(ask: Ask, bearer: str) -> bytes:
    path = f"{ask.path}?{urlencode(ask.query)}" if ask.query else ask.path
    if ask.body is None:
        return request("GET", path, bearer)
    return request("POST", path, bearer, "application/json", msgspec.json.encode(ask.body))


def _known(connection: Connection, head: int) -> Known:
    def column(query: str) -> list[Any]:
        return [value for (value,) in connection.execute(query.encode())]

    drawn = f"SELECT person FROM projection.person ORDER BY md5(person::text) LIMIT {_PERSONS}"
    persons = f"""
        SELECT DISTINCT ON (person) person::text, jmb, surname, given_name, born_on FROM projection.stretch
        WHERE person IN ({drawn}) AND upper_inf(known) AND entered AND surname IS NOT NULL ORDER BY person
    """
    return Known(
        head=head,
        last=column("SELECT coalesce(max(position), 0) FROM projection.progress WHERE part = 0")[0],
        sealed=column("SELECT coalesce(max(size), 0) FROM log.checkpoint")[0],
        recorded_on=column("SELECT coalesce(max(day), current_date) FROM projection.notice_lag")[0],
        persons=[Person(*row) for row in connection.execute(persons.encode())],
        places=column("SELECT DISTINCT municipality FROM projection.station ORDER BY 1"),
        stations=list(connection.execute(b"SELECT municipality, code FROM projection.station ORDER BY 1, 2")),
        rolls=column("SELECT election FROM projection.frozen_roll ORDER BY 1"),
        senders=column("SELECT DISTINCT authority FROM projection.notice_lag ORDER BY 1"),
    )


def questions(known: Known) -> Iterator[Question]:
    """All that is asked, in the order of the contract."""
    yield from _of_persons(known)
    yield from _of_the_register(known)
    yield from _of_the_history(known)
    yield from _of_authorities(known)
    if known.rolls:
        yield from _of_rolls(known)


def _of_persons(known: Known) -> Iterator[Question]:
    def person(dice: Random) -> str:
        return f"/v1/voters/{dice.choice(known.persons).id}"

    def by_name(dice: Random) -> object:
        asked = dice.choice(known.persons)
        return {"surname": asked.surname, "given_name": asked.given_name, "born_on": asked.born_on}

    query = "/v1/voters/query"
    yield Question("voters/query by number", lambda d: Ask(query, body={"jmb": d.choice(known.persons).jmb}))
    yield Question("voters/query by name", lambda d: Ask(query, body=by_name(d)))
    yield Question("voters/{person}, now", lambda d: Ask(person(d)))
    yield Question("voters/{person}, a day under today's law", lambda d: Ask(person(d), {"under_law": UNTIL}))
    yield Question("voters/{person}/history", lambda d: Ask(f"{person(d)}/history"))
    if known.sealed == known.head:
        yield Question("voters/{person}/receipts", lambda d: Ask(f"{person(d)}/receipts"))


def _of_the_register(known: Known) -> Iterator[Question]:
    def place(dice: Random) -> str:
        return dice.choice(known.places)

    def then(dice: Random) -> dict[str, object]:
        return {"on": day(dice), "known_at": dice.randint(known.head // 2, known.last)}

    def station(dice: Random) -> dict[str, object]:
        municipality, code = dice.choice(known.stations)
        return {"municipality": municipality, "polling_station": code}

    def month(dice: Random) -> dict[str, object]:
        first = dice.randint(known.last // 2, known.last * 9 // 10)
        return {"from": first, "to": first + known.last // 1_000, "on": day(dice)}

    page, summary, accounts, diff = (f"/v1/register{name}" for name in ("", "/summary", "/accounts", "/diff"))
    yield Question("register, a municipality, now", lambda d: Ask(page, {"municipality": place(d)}))
    yield Question("register, a municipality, then", lambda d: Ask(page, {"municipality": place(d)} | then(d)))
    yield Question("register, a polling station, now", lambda d: Ask(page, station(d)))
    yield Question("register, the country, now", lambda _: Ask(page))
    yield Question("register/summary by municipality, now", lambda _: Ask(summary, {"by": "municipality"}))
    yield Question("register/summary by all, then", lambda d: Ask(summary, {"by": "municipality,sex,age"} | then(d)))
    yield Question("register/accounts over a thousandth", lambda d: Ask(accounts, month(d)))
    yield Question("register/accounts from nothing", lambda _: Ask(accounts, {"from": 0, "to": known.last}))
    yield Question("register/diff over a thousandth", lambda d: Ask(diff, month(d)))
    yield Question("register/diff of a municipality", lambda d: Ask(diff, month(d) | {"municipality": place(d)}))


def _of_the_history(known: Known) -> Iterator[Question]:
    def behind(dice: Random) -> dict[str, object]:
        return {"after": dice.randrange(known.last)}

    def sender(dice: Random) -> str:
        return dice.choice(known.senders)

    audit, events = "/v1/audit", "/v1/events"
    yield Question("events", lambda d: Ask(events, behind(d)))
    yield Question("events of a municipality", lambda d: Ask(events, {"municipality": d.choice(known.places)}))
    yield Question("events of a rare type", lambda _: Ask(events, {"type": "ba.cvr.voting-bar-ended.v1"}))
    yield Question("audit", lambda d: Ask(audit, behind(d)))
    yield Question("audit by action", lambda d: Ask(audit, {"action": "reinstated"} | behind(d)))
    yield Question(
        "audit by ground and action",
        lambda _: Ask(audit, {"ground": "legal-capacity-withdrawn", "action": "reinstated"}),
    )
    yield Question("audit of a municipality", lambda d: Ask(audit, {"municipality": d.choice(known.places)}))
    yield Question("audit of an authority", lambda d: Ask(audit, {"authority": sender(d)}))
    yield Question(
        "audit of an authority's reinstatements", lambda d: Ask(audit, {"authority": sender(d), "action": "reinstated"})
    )
    yield Question("audit of a person", lambda d: Ask(audit, {"person": d.choice(known.persons).id}))
    yield Question("special-records", lambda _: Ask("/v1/special-records"))
    yield Question("access-journal", lambda _: Ask("/v1/access-journal"))
    yield Question(
        "access-journal of a person", lambda d: Ask("/v1/access-journal", {"person": d.choice(known.persons).id})
    )
    if known.sealed:
        yield Question("log/receipt", lambda d: Ask(f"/log/receipt/{d.randint(1, known.sealed)}"))
        yield Question("log/consistency", lambda d: Ask(f"/log/consistency/{d.randint(1, known.sealed)}"))


def _of_authorities(known: Known) -> Iterator[Question]:
    to = known.recorded_on
    year: Mapping[str, object] = {"from": to - timedelta(days=360), "to": to}
    yield Question("timeliness, 30 days", lambda _: Ask("/v1/timeliness", {"to": to}))
    yield Question("timeliness, a year", lambda _: Ask("/v1/timeliness", year))
    yield Question("deficiencies", lambda _: Ask("/v1/deficiencies"), "cec", "cec:bench")
    yield Question("first-loads", lambda _: Ask("/v1/first-loads"), "cec", "cec:bench")
    yield Question("sender-keys", lambda _: Ask("/v1/sender-keys"), "cec", "cec:bench")
    yield Question("notices refused", lambda _: Ask("/v1/notices", {"status": "refused"}), "cec", "cec:bench")
    for sender in known.senders[:1]:
        role: Any = sender.partition(":")[0]
        yield Question("feed of an authority", lambda _: Ask("/v1/feed"), role, sender)


def _of_rolls(known: Known) -> Iterator[Question]:
    election = f"/v1/elections/{known.rolls[0]}"
    yield Question("elections", lambda _: Ask("/v1/elections"))
    yield Question("elections/{id}", lambda _: Ask(election))
    yield Question(
        "roll of a municipality", lambda d: Ask(f"{election}/roll", {"municipality": d.choice(known.places)})
    )
    yield Question(
        "roll by station",
        lambda d: Ask(
            f"{election}/roll", dict(zip(("municipality", "station"), d.choice(known.stations), strict=True))
        ),
    )
    yield Question("roll by kind of list", lambda _: Ask(f"{election}/roll", {"list": "diplomatic-mission"}))
    yield Question("roll accounts", lambda _: Ask(f"{election}/accounts"))
    yield Question("roll accounts by unit", lambda _: Ask(f"{election}/accounts", {"by": "unit"}))
    yield Question(
        "station-sizes", lambda d: Ask(f"{election}/station-sizes", {"municipality": d.choice(known.places)})
    )
    yield Question("lists", lambda _: Ask(f"{election}/lists"))
    yield Question("counterfactual", lambda _: Ask(f"{election}/counterfactual"))


def day(dice: Random) -> date:
    """A random day of the last years."""
    return UNTIL - timedelta(days=dice.randrange(YEARS.days))
