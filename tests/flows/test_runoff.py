"""A second round is held by the first one's roll, and by changes that events explain (Art. 3.6 e)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import httpx

from register.app.parts import read_reference
from register.audit.export.drawing import draw
from register.audit.export.lists import Asked
from register.audit.export.refolding import refold
from register.audit.verify.rolls import check_rolls
from register.excerpts.from_roll import DrawnKind
from register.excerpts.printers import Printers
from register.excerpts.runs import Wanted
from register.law.events import (
    Annulment,
    Citizen,
    Death,
    Document,
    JmbReplaced,
    PersonalData,
    ReportedDeceased,
    Residence,
    VotingBarred,
)
from register.law.personal_number import make
from tests.flows.conftest import Hands
from tests.flows.test_election import ELECTION, concluded
from tests.flows.test_elsewhere import exported, files_of
from tests.flows.town import BANJA_LUKA, BIHAC, CALLED, DAY, TOO_EARLY

SECOND = "general-2026-2"
PAPER = Document(kind="final decision", number="1/26", issued_by="Court", issued_on=date(2026, 1, 1))
RUNOFF_DAY = date(2026, 10, 25)
AFTER = datetime(2026, 10, 6, 8, tzinfo=UTC)
PATH = f"/v1/elections/{SECOND}"


def a_number(born: date) -> str:
    """A valid number that nobody has."""
    return next(jmb for serial in range(900, 1000) if (jmb := make(born, 10, serial)) is not None)


#: Born like the fifth voter, and sent under another number: one person, who stands on the roll twice.
BORN = date(1954, 5, 5)
TWIN = a_number(BORN)


def lives(hands: Hands, jmb: str, born: date, at: datetime) -> None:
    """A citizen who lives in Bihać from birth."""
    citizen = Citizen(
        jmb=jmb, effective_on=born, surname="Novi", given_name="Ana", parent_name="Ana", sex="F", born_on=born
    )
    home = Residence(
        jmb=jmb, effective_on=born, kind="permanent", municipality=BIHAC, settlement="Centar", street="Duga",
        house_number="7",
    )  # fmt: skip
    hands.town.send(f"registry-office:{BIHAC}", citizen, at=at)
    hands.town.send(f"residence-authority:{BIHAC}", home, at=at)


def send_before(hands: Hands) -> str:
    """Before the first conclusion: a bar that begins between the rounds, and a death notice of a living person."""
    town, voters = hands.town, hands.town.voters
    bar = VotingBarred(jmb=voters[20], ground="1.7", cause="sentence", effective_on=date(2026, 10, 15), document=PAPER)
    town.send("court:x", bar, at=TOO_EARLY)
    wrong = Death(jmb=voters[21], effective_on=date(2026, 8, 1))
    town.send(f"registry-office:{BIHAC}", wrong, at=TOO_EARLY)
    notice = town._sent[-1].id
    lives(hands, TWIN, BORN, at=TOO_EARLY)
    town.arrive(TOO_EARLY)
    return str(notice)


def send_between(hands: Hands, wrong: str) -> None:
    """Between the rounds: what changes the roll, and what changes nothing of it."""
    town, voters = hands.town, hands.town.voters
    town.send(
        f"registry-office:{BIHAC}",
        Death(jmb=voters[10], effective_on=date(2026, 10, 5)),
        Annulment(annuls=wrong, reason="another person"),
        PersonalData(jmb=voters[11], effective_on=date(2026, 10, 5), surname="Novak"),
        at=AFTER,
    )
    moved = Residence(
        jmb=voters[12], effective_on=date(2026, 8, 1), kind="permanent", municipality=BANJA_LUKA,
        settlement="Centar", street="Duga", house_number="7",
    )  # fmt: skip
    young_born = date(2008, 10, 20)  # comes of age between the rounds
    lives(hands, a_number(young_born), young_born, at=AFTER)
    joined = JmbReplaced(jmb=voters[4], new_jmb=TWIN, effective_on=date(2026, 10, 5), document=PAPER)
    town.send(f"residence-authority:{BANJA_LUKA}", moved, at=AFTER)
    town.send(f"residence-authority:{BIHAC}", joined, at=AFTER)
    town.send("cec", ReportedDeceased(jmb=voters[13], effective_on=date(2026, 10, 5)), at=AFTER)
    town.arrive(AFTER)


async def test_a_runoff_is_the_first_roll_and_explained_changes(  # noqa: PLR0915 - one story, told in one go
    hands: Hands, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    system, voters = hands.system, hands.town.voters
    call = {"id": SECOND, "day": str(RUNOFF_DAY), "called_on": "2026-10-06"}
    cec = hands.bearer("cec", "Ana")
    assert (await client.post(f"/v1/elections/{ELECTION}/runoff", json=call, headers=cec)).status_code == 404
    hands.now = TOO_EARLY
    wrong = send_before(hands)
    concluded(hands)
    # Given a concluded election, a second conclusion of it is refused, and so is a run-off before the vote.
    cec = hands.bearer("cec", "Ana")
    assert (await client.post(f"/v1/elections/{ELECTION}/conclusion", headers=cec)).status_code == 409
    early = await client.post(f"/v1/elections/{ELECTION}/runoff", json=call | {"called_on": "2026-08-21"}, headers=cec)
    assert (early.status_code, early.json()["errors"][0]["pointer"]) == (409, "/called_on")

    # When the CEC calls one after the vote, then it has the first round's days for residence and options.
    hands.now = AFTER
    cec = hands.bearer("cec", "Ana")
    answer = await client.post(f"/v1/elections/{ELECTION}/runoff", json=call, headers=cec)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["runoff_of"], told["kind"], told["calendar"]["conclusion_day"]) == (ELECTION, "general", "2026-08-20")
    assert (told["calendar"]["options_until"], told["calendar"]["conclusion_to"]) == ("2026-07-21", "2026-10-24")
    assert (await client.post(f"/v1/elections/{ELECTION}/runoff", json=call, headers=cec)).status_code == 200
    second = await client.post(f"{PATH}/runoff", json=call | {"id": "third"}, headers=cec)
    assert second.status_code == 409

    # When life goes on and the run-off is concluded, then its roll is the first one's with changes, each explained.
    send_between(hands, wrong)
    assert (await client.post(f"{PATH}/conclusion", headers=cec)).status_code == 201
    hands.work()
    assert (await client.get(f"/v1/elections/{ELECTION}")).json()["roll"]["voters"] == 60
    assert (await client.get(PATH)).json()["roll"]["voters"] == 58
    changes = (await client.get(f"{PATH}/changes", headers=cec)).json()
    streams = {str(system.store.stream_of(f"jmb:{jmb}")): jmb for jmb in (*voters, TWIN)}
    found = {
        (streams[each["person"]], each["change"], tuple(each["grounds"])): [
            event["type"].split(".")[2] for event in each["events"]
        ]
        for each in changes["items"]
    }
    joined = streams[max(stream for stream, jmb in streams.items() if jmb in (voters[4], TWIN))]
    assert found == {
        (voters[10], "removed", ("deceased",)): ["death"],
        (voters[20], "removed", ("barred-1.7",)): ["voting-barred"],
        (voters[21], "added", ()): ["annulment"],
        (voters[13], "marked", ()): ["reported-deceased"],
        (joined, "removed", ("joined-number",)): ["jmb-replaced"],
    }
    assert changes["total"] == 5
    paged = (await client.get(f"{PATH}/changes?limit=2", headers=cec)).json()
    rest = (await client.get(paged["next"], headers=cec)).json()
    assert [*paged["items"], *rest["items"]] == changes["items"][:4]
    assert (await client.get(f"{PATH}/changes", headers=hands.bearer("auditor", "Iva"))).status_code == 200
    assert (await client.get(f"{PATH}/changes")).status_code == 401
    assert (await client.get(f"/v1/elections/{ELECTION}/changes", headers=cec)).status_code == 409
    assert (await client.get(f"{PATH}/counterfactual", headers=cec)).status_code == 409

    # The public, which knows the first round's counts, is told nothing that beside them would tell of one voter.
    for by in ("list", "unit"):
        public = (await client.get(f"{PATH}/accounts?by={by}")).json()
        exact = (await client.get(f"{PATH}/accounts?by={by}", headers=hands.bearer("auditor", "Iva"))).json()
        assert (public["items"], public["total"], public["remainder"]) == ([], 58, 0)
        assert (bool(exact["items"]), exact["total"], exact["remainder"]) == (True, 58, 0)
    page = await client.get(f"/elections/{SECOND}")
    assert page.status_code == 200
    assert "<table" not in page.text.partition('id="roll"')[2]

    # Its lists are drawn like others; verification makes its roll again, and so does an export, elsewhere.
    kinds: tuple[DrawnKind, ...] = ("polling-station", "statistics")
    with Printers() as printers:
        for kind in kinds:
            run = system.runs.begin(Wanted(election=SECOND, kind=kind, formats=("csv", "pdf")), tmp_path / "a")
            for first in run.batches:
                system.runs.draw(run, first, printers)
            assert system.runs.finish(run)
    hands.work()
    roots = (await client.get(f"{PATH}/lists")).json()["items"]
    assert roots
    assert {each["rows"] for each in roots} == {None}
    (counts,) = (tmp_path / "a").glob("statistics*.csv")
    assert counts.read_text().splitlines()[1:] == ["1,country,,,,,,,58"]
    with system.database.psycopg() as connection:
        head = system.store.head()
        checked = check_rolls(system.database.dsn, connection, system.store, head, system.municipalities)
    assert (checked.verdict, checked.count) == ("ok", 60 + 58)
    folder = exported(hands, tmp_path / "export")
    quiet = {"processes": 1, "progress": lambda _what, _done, _all: None}
    report = refold(folder, system.municipalities, **quiet)  # type: ignore[arg-type]
    assert report.ok, report
    drawn = draw(
        folder, SECOND, Asked(kinds, ("csv", "pdf"), ("latin",)), tmp_path / "b", read_reference(),
        reference="", **quiet,  # type: ignore[arg-type]
    )  # fmt: skip
    assert not drawn.findings
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    assert CALLED.date() < DAY < RUNOFF_DAY
