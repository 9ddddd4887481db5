"""An election from its call to its certified lists, told in the order in which the law has it happen."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID

import httpx
import msgspec
import pytest

from register.acts import elections
from register.excerpts.from_roll import DRAWN_KINDS, basis_of
from register.excerpts.manifest import differing_files, read_manifest
from register.excerpts.political import draw_political, unit_of
from register.excerpts.printers import Printers
from register.excerpts.runs import Run, Wanted
from register.excerpts.worker import take
from register.law.competence import Caller
from register.law.events import Death, ElectionCalled, ExcerptDrawn, ExcerptReissued, RollFrozen
from register.law.provisions import Refusal
from register.log.keys import check_signature
from register.log.note import parse_key, verify_checkpoint
from register.projection.roll_accounts import roll_accounts, sums
from tests.flows.conftest import Hands
from tests.flows.town import BANJA_LUKA, BIHAC, CALLED, CONCLUDED, DAY, LATER, PARIS, TOO_EARLY

ELECTION = "general-2026"
CEC = Caller("a member", "cec", "cec")


def concluded(hands: Hands) -> int:
    """The election called and concluded, its roll frozen, the log sealed: the position of the conclusion."""
    system = hands.system
    called = ElectionCalled(election=ELECTION, kind="general", early=False, day=DAY, called_on=CALLED.date())
    elections.call(system.store, called, CEC, system.municipalities, now=CALLED, salt="cw==")
    hands.now = CONCLUDED
    election, _ = elections.conclude(
        system.store, ELECTION, CEC, reference=system.reference, now=CONCLUDED, salt="cw=="
    )
    hands.work()
    assert election.conclusion is not None
    return election.conclusion


def drawn(hands: Hands, folder: Path, printers: Printers, **wanted: Any) -> Run:
    """A run drawn at once."""
    runs = hands.system.runs
    run = runs.begin(Wanted(election=ELECTION, **wanted), folder)
    for first in run.batches:
        runs.draw(run, first, printers)
    assert runs.finish(run)
    return run


def rows(folder: Path, pattern: str) -> list[dict[str, str]]:
    """The rows of the CSV files whose names match, file after file."""
    return [
        row
        for path in sorted(folder.glob(pattern))
        for row in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    ]


async def test_from_the_call_to_the_certified_lists(  # noqa: PLR0915 - one story, told in one go
    hands: Hands, client: httpx.AsyncClient, the_call: dict[str, object]
) -> None:
    path = f"/v1/elections/{ELECTION}"
    ana, boris = hands.bearer("cec", "Ana"), hands.bearer("cec", "Boris")

    # Given the CEC calls a general election, then everyone sees its calendar, and a repeat changes nothing.
    answer = await client.post("/v1/elections", json=the_call, headers=ana)
    assert answer.status_code == 201, answer.text
    assert (await client.post("/v1/elections", json=the_call, headers=boris)).status_code == 200
    called = (await client.get(path)).json()
    assert called["state"] == "called"
    assert called["conclusion"] is None
    assert called["roll"] is None
    assert called["calendar"]["conclusion_day"] == "2026-08-20"
    assert called["calendar"]["options_until"] == "2026-07-21"
    assert (await client.get("/v1/elections")).json()["items"] == [called]

    # When somebody would conclude its roll a minute before the end of E-45, then it is refused and the article quoted.
    hands.now = TOO_EARLY
    early = await client.post(f"{path}/conclusion", headers=hands.bearer("cec", "Ana"))
    assert (early.status_code, early.json()["provision"]) == (409, "Art. 3.6 e")
    wanted = {"election": ELECTION, "kind": "polling-station", "formats": ["csv", "pdf"], "scripts": ["latin"]}
    unconcluded = await client.post("/v1/excerpts", json=wanted, headers=hands.bearer("cec", "Ana"))
    assert (unconcluded.status_code, unconcluded.json()["provision"]) == (409, "Art. 3.6 e")

    # When it is concluded the next morning, then the position is fixed, and excerpts wait for roll and log.
    hands.now = CONCLUDED
    ana, boris = hands.bearer("cec", "Ana"), hands.bearer("cec", "Boris")
    conclusion = await client.post(f"{path}/conclusion", headers=ana)
    assert conclusion.status_code == 201
    position = conclusion.json()["position"]
    assert (await client.post(f"{path}/conclusion", headers=boris)).status_code == 409
    waiting = await client.post("/v1/excerpts", json=wanted, headers=ana)
    assert waiting.status_code == 503
    assert int(waiting.headers["Retry-After"]) > 0
    hands.work()
    roll = (await client.get(path)).json()["roll"]
    assert roll["voters"] == 60
    assert len(roll["sha256"]) == 64

    # When the lists are asked for, then a worker draws them, and each file is what the manifest says.
    asked = await client.post("/v1/excerpts", json=wanted, headers=ana)
    assert asked.status_code == 202, asked.text
    excerpt = asked.headers["Location"]
    assert asked.json()["state"] == "queued"
    assert asked.json()["total"] == 6
    state: dict[str, Any] = {}
    with hands.drawing():
        for _ in range(600):
            state = (await client.get(excerpt, headers=ana)).json()
            if state["drawn"]:
                break
            await asyncio.sleep(0.1)
    assert (state["state"], state["done"], state["position"]) == ("drawn", 6, position)
    assert state["checkpoint"].split("\n")[1] == str(position)
    assert len(state["files"]) == 12
    for entry in state["files"]:
        file = await client.get(f"{excerpt}/files/{entry['file']}", headers=ana)
        assert hashlib.sha256(file.content).hexdigest() == entry["sha256"]
        assert file.headers["cache-control"] == "no-store"
    with hands.system.database.psycopg() as connection:
        (taken,) = (
            connection.execute("SELECT count(*) FROM access.journal WHERE what = 'excerpt-file'").fetchone() or ()
        )
    assert taken == 12

    # When one person verifies, then another certifies, and never the same.
    assert (await client.post(f"{excerpt}/certification", headers=ana)).status_code == 409
    assert (await client.post(f"{excerpt}/verification", headers=ana)).status_code == 201
    assert (await client.post(f"{excerpt}/verification", headers=ana)).status_code == 200
    same = await client.post(f"{excerpt}/certification", headers=ana)
    assert (same.status_code, same.json()["provision"]) == (403, "Art. 3.6 e")
    assert (await client.post(f"{excerpt}/certification", headers=boris)).status_code == 201
    assert (await client.get(excerpt, headers=boris)).json()["state"] == "certified"
    events = [e.data for e in hands.system.store.events(after=position)]
    assert [type(data).__name__ for data in events] == [
        "RollFrozen", "ExcerptDrawn", "ExcerptVerified", "ExcerptCertified",
    ]  # fmt: skip
    frozen, drawing = events[:2]
    assert isinstance(frozen, RollFrozen)
    assert frozen.sha256 == roll["sha256"]
    assert isinstance(drawing, ExcerptDrawn)
    assert len(drawing.lists) == 6


async def test_a_commission_draws_for_its_own_municipality_only(hands: Hands, client: httpx.AsyncClient) -> None:
    concluded(hands)
    commission = hands.bearer("municipal-commission", "Commission", f"municipal-commission:{BIHAC}")
    wanted = {"election": ELECTION, "kind": "mail", "formats": ["csv"]}
    own = await client.post("/v1/excerpts", json=wanted, headers=commission)
    assert (own.status_code, own.json()["municipality"], own.json()["total"]) == (202, BIHAC, 1)
    others = await client.post("/v1/excerpts", json={**wanted, "municipality": BANJA_LUKA}, headers=commission)
    assert (others.status_code, others.json()["provision"]) == (403, "Art. 3.6")
    hands.now = CONCLUDED + timedelta(minutes=1)
    whole = await client.post("/v1/excerpts", json=wanted, headers=hands.bearer("cec", "Ana"))
    assert (await client.get(whole.headers["Location"], headers=commission)).status_code == 404
    assert (await client.post(f"{own.headers['Location']}/verification", headers=commission)).status_code == 403

    # Both find what was asked for again, each within the own mandate, the newest first.
    async def listed(who: dict[str, str], place: str = f"/v1/excerpts?election={ELECTION}") -> Any:
        return (await client.get(place, headers=who)).json()

    ana = hands.bearer("cec", "Ana")
    assert [each["id"] for each in (await listed(commission))["items"]] == [own.json()["id"]]
    first = await listed(ana, f"/v1/excerpts?election={ELECTION}&limit=1")
    assert [each["id"] for each in first["items"]] == [whole.json()["id"]]
    rest = await listed(ana, first["next"])
    assert ([each["id"] for each in rest["items"]], rest["next"]) == ([own.json()["id"]], None)
    assert (await listed(ana, "/v1/excerpts"))["items"] == []
    assert (await client.get("/v1/excerpts", headers=hands.bearer("auditor", "x", "auditor:x"))).status_code == 403
    nobody = {"election": ELECTION, "kind": "marked-deceased", "municipality": BANJA_LUKA, "formats": ["csv"]}
    empty = (await client.post("/v1/excerpts", json=nobody, headers=hands.bearer("cec", "Ana"))).json()
    assert (empty["state"], empty["total"], empty["files"]) == ("drawn", 0, [])
    auditor = hands.bearer("auditor", "Auditor", "auditor:x")
    assert (await client.post("/v1/excerpts", json=wanted, headers=auditor)).status_code == 403


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"kind": "postal"}, "/kind"),
        ({"kind": "political-entity"}, "/kind"),
        ({"formats": ["docx"]}, "/formats"),
        ({"kind": "statistics", "formats": ["vri"]}, "/formats"),
        ({"as_of": "2026-05-01"}, "/as_of"),
        ({"formats": []}, "/formats"),
        ({"scripts": ["glagolitic"]}, "/scripts"),
        ({"municipality": "99999"}, "/municipality"),
        ({"polling_station": "003A001"}, "/polling_station"),
        ({"municipality": BIHAC, "polling_station": "none"}, "/polling_station"),
        ({"stations": 3}, ""),
    ],
)
async def test_what_is_not_drawn_is_refused_by_name(
    hands: Hands, client: httpx.AsyncClient, changed: dict[str, object], pointer: str
) -> None:
    concluded(hands)
    wanted = {"election": ELECTION, "kind": "polling-station", "formats": ["csv"], "scripts": ["latin"], **changed}
    answer = await client.post("/v1/excerpts", json=wanted, headers=hands.bearer("cec", "Ana"))
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    if changed == {"kind": "political-entity"}:
        assert (answer.json()["provision"], "excerpt-requests" in error["detail"]) == ("Art. 3.1", True)
    elif pointer == "/kind":
        assert all(kind in error["detail"] for kind in DRAWN_KINDS)


async def test_the_accounts_add_up_to_the_roll_and_the_public_reads_nobody_out_of_them(
    hands: Hands, client: httpx.AsyncClient
) -> None:
    concluded(hands)
    path = f"/v1/elections/{ELECTION}"
    exact = (await client.get(f"{path}/accounts", headers=hands.bearer("auditor", "Auditor", "auditor:x"))).json()
    assert exact["total"] == sum(cell["voters"] for cell in exact["items"]) == 60
    assert exact["remainder"] == 0
    public = (await client.get(f"{path}/accounts")).json()
    assert (public["total"], public["remainder"]) == (60, 0)
    shown = [(cell["voters"], true["voters"]) for cell, true in zip(public["items"], exact["items"], strict=True)]
    assert {cell for cell, true in shown if true < 5} == {"<5"}
    hidden = [true for cell, true in shown if not isinstance(cell, int)]
    least = sum(1 if true < 5 else 5 for true in hidden)
    assert any(cell is None for cell, _ in shown)
    assert sum(hidden) > least
    # By unit, each level adds up; what is hidden of a cell is hidden of each sum it is part of.
    auditor = hands.bearer("auditor", "Auditor", "auditor:x")
    units = (await client.get(f"{path}/accounts?by=unit", headers=auditor)).json()
    assert (units["total"], units["remainder"]) == (60, 0)
    federation = [
        sum(each["voters"] for each in units["items"] if each["level"] == level and str(each["unit"])[:2] in begins)
        for level, begins in (("hor-bih", ("51",)), ("hor-fbih", ("40", "41")))
    ]
    assert federation[0] == federation[1] > 0
    seen_by_all = (await client.get(f"{path}/accounts?by=unit")).json()["items"]
    assert [(each["level"], each["unit"], each["option"]) for each in seen_by_all] == [
        (each["level"], each["unit"], each["option"]) for each in units["items"]
    ]
    pairs = zip(seen_by_all, units["items"], strict=True)
    assert all(shown["voters"] in (true["voters"], None, "<5") for shown, true in pairs)
    assert all(true["voters"] >= 5 for shown, true in zip(seen_by_all, units["items"], strict=True)
               if isinstance(shown["voters"], int))  # fmt: skip

    # The roll itself is for the CEC and auditors, page by page, and each look is on record.
    seen: list[dict[str, Any]] = []
    url: str | None = f"{path}/roll?municipality={BIHAC}&limit=17"
    while url:
        page = (await client.get(url, headers=hands.bearer("auditor", "Auditor", "auditor:x"))).json()
        seen, url = seen + page["items"], page["next"]
    assert len(seen) == sum(cell["voters"] for cell in exact["items"] if cell["municipality"] == BIHAC)
    assert [row["no"] for row in seen] == sorted(row["no"] for row in seen)
    commission = hands.bearer("municipal-commission", "Commission", f"municipal-commission:{BIHAC}")
    assert (await client.get(f"{path}/roll", headers=commission)).status_code == 403
    with hands.system.database.psycopg() as connection:
        looks = connection.execute("SELECT detail->>'after' FROM access.journal WHERE what = 'roll'").fetchall()
    assert len(looks) == -(-len(seen) // 17)


def test_each_voter_stands_on_one_list_and_mobile_teams_and_marks_are_shown(hands: Hands, tmp_path: Path) -> None:
    concluded(hands)
    with Printers() as printers:
        for kind in DRAWN_KINDS:
            formats = ("csv",) if kind == "statistics" else ("csv", "internal-csv")
            drawn(hands, tmp_path, printers, kind=kind, formats=formats)
    lists = [kind for kind in DRAWN_KINDS if kind not in ("mobile-team", "marked-deceased", "statistics")]
    jmbs = [row["jmb"] for kind in lists for row in rows(tmp_path, f"{kind}_*.internal.csv")]
    assert len(jmbs) == len(set(jmbs)) == 59, "one voter of sixty lives where no station is"
    assert differing_files(tmp_path) == ()
    # An empty station has its list; a mission's is one for the whole country, under a name that fits a file's.
    assert rows(tmp_path, "polling-station_10049_003A003.csv") == []
    (mission,) = (path for path in tmp_path.glob("diplomatic-mission_*.csv") if ".internal" not in path.name)
    assert [row["mission"] for row in rows(tmp_path, mission.name)] == [PARIS, PARIS]
    # The mobile team's voters stay on their station's list with the remark, and have a list of their own.
    team = rows(tmp_path, f"mobile-team_{BIHAC}.csv")
    assert sorted(row["remark"] for row in team) == ["*M", "M"]
    assert all(row["street"] == "Duga" for row in team)
    remarks = [row["remark"] for row in rows(tmp_path, f"polling-station_{BIHAC}_003A00?.csv")]
    assert sorted(remark for remark in remarks if remark) == ["*", "*M", "M"]
    assert len(rows(tmp_path, f"marked-deceased_{BIHAC}.csv")) == 2


def test_lists_drawn_after_later_events_have_the_same_bytes(hands: Hands, tmp_path: Path) -> None:
    concluded(hands)
    terms = {"formats": ("csv", "pdf"), "scripts": ("latin", "cyrillic")}
    before, after = tmp_path / "before", tmp_path / "after"
    with Printers() as printers:
        for kind in ("polling-station", "diplomatic-mission"):
            drawn(hands, before, printers, kind=kind, **terms)
        hands.now = LATER
        hands.town.lives_on()
        hands.work()
        for kind in ("polling-station", "diplomatic-mission"):
            drawn(hands, after, printers, kind=kind, **terms)
    names = sorted(path.name for path in before.iterdir())
    assert len(names) == 2 * 2 * (6 + 1) + 1
    assert names == sorted(path.name for path in after.iterdir())
    for name in names:
        assert (before / name).read_bytes() == (after / name).read_bytes(), name
    assert {entry.file for entry in read_manifest(after)} == set(names) - {"manifest.json"}
    # Each script has its own order of the same voters.
    latin = rows(before, f"polling-station_{BIHAC}_003A001.csv")
    cyrillic = rows(before, f"polling-station_{BIHAC}_003A001_cyrillic.csv")
    assert [row["surname"] for row in latin] != [row["surname"] for row in cyrillic]
    assert sorted(row["born_on"] for row in latin) == sorted(row["born_on"] for row in cyrillic)
    # A Latin list prints in Latin what was recorded in Cyrillic; a Cyrillic one guesses nothing.
    assert {"Ćatić", "Čolić"} <= {row["surname"] for row in latin}
    assert {"Ћатић", "Čolić"} <= {row["surname"] for row in cyrillic}
    assert not any("Ћ" in row["surname"] for row in latin)


def test_a_run_taken_up_again_draws_what_is_missing_and_is_on_record_once(hands: Hands, tmp_path: Path) -> None:
    concluded(hands)
    runs, tmp_path = hands.system.runs, tmp_path / "lists"
    with Printers() as printers:
        run = drawn(hands, tmp_path, printers, kind="polling-station", formats=("csv",))
        kept = {path.name: (path.stat().st_ino, path.read_bytes()) for path in tmp_path.iterdir()}
        lost = tmp_path / f"polling-station_{BIHAC}_003A002.csv"
        lost.write_text("half a fi", encoding="utf-8")
        assert runs.changed(run) == (lost.name,)
        again = drawn(hands, tmp_path, printers, kind="polling-station", formats=("csv",))
    assert again.id == run.id
    assert runs.changed(run) == ()
    for path in tmp_path.iterdir():
        inode, content = kept[path.name]
        assert path.read_bytes() == content
        assert (path.stat().st_ino == inode) == (path not in (lost, tmp_path / "manifest.json"))
    (on_record,) = (event.data for event in hands.system.store.events(topics=[ExcerptDrawn.TOPIC]))
    assert isinstance(on_record, ExcerptDrawn)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert [entry["rows"] for entry in manifest["files"]] == [each.rows for each in on_record.lists]


def test_a_provisional_excerpt_shows_the_register_before_the_call_on_the_days_of_display(
    hands: Hands, tmp_path: Path
) -> None:
    """E-120 .. E-90, as of the day before the call; what comes later changes nothing; no number, no address."""
    system = hands.system
    called = ElectionCalled(election=ELECTION, kind="general", early=False, day=DAY, called_on=CALLED.date())
    elections.call(system.store, called, CEC, system.municipalities, now=CALLED, salt="cw==")
    wanted = Wanted(election=ELECTION, kind="provisional", formats=("csv", "pdf"), scripts=("latin", "cyrillic"))
    hands.work()
    for day, accepted in (("2026-06-05", False), ("2026-06-06", True), ("2026-07-06", True), ("2026-07-07", False)):
        hands.now = datetime.fromisoformat(f"{day}T10:00:00Z")
        if accepted:
            system.runs.begin(wanted, tmp_path / "asked")
            continue
        with pytest.raises(Refusal) as refused:
            system.runs.begin(wanted, tmp_path / "asked")
        assert (refused.value.kind, "E-120" in (refused.value.provision or "")) == ("calendar", True)
    hands.now = datetime(2026, 6, 6, 10, tzinfo=UTC)
    with Printers() as printers:
        before = drawn(hands, tmp_path / "before", printers, kind="provisional", scripts=("latin", "cyrillic"))
        hands.now = datetime(2026, 6, 7, 10, tzinfo=UTC)
        dead = Death(jmb=hands.town.voters[10], effective_on=date(2026, 1, 5))
        hands.town.send(f"registry-office:{BIHAC}", dead, at=CALLED)
        hands.town.arrive(hands.now)
        hands.work()
        drawn(hands, tmp_path / "after", printers, kind="provisional", scripts=("latin", "cyrillic"))
    assert (before.as_of, before.election) == (date(2026, 3, 31), ELECTION)
    names = sorted(path.name for path in (tmp_path / "before").glob("provisional_*"))
    assert names == sorted(path.name for path in (tmp_path / "after").glob("provisional_*"))
    for name in names:
        assert (tmp_path / "before" / name).read_bytes() == (tmp_path / "after" / name).read_bytes(), name
    shown = rows(tmp_path / "before", "provisional_*[0-9].csv")
    assert len(shown) == 60, "everyone entered then, whichever way he or she votes"
    assert set(shown[0]) == {
        "no", "surname", "given_name", "parent_name", "born_on", "municipality", "polling_station",
    }  # fmt: skip
    assert len(rows(tmp_path / "before", "provisional_20567.csv")) == 2, "at a mission, and elsewhere by choice"


def test_without_an_election_the_register_is_shown_as_of_two_days_of_a_year(hands: Hands) -> None:
    hands.work()
    runs = hands.system.runs
    for day in (date(2026, 3, 1), date(2026, 3, 31), date(2026, 3, 1)):
        run = runs.begin(Wanted(as_of=day, kind="provisional", formats=("csv",)))
        assert (run.election, run.as_of) == ("", day)
        assert f"register-{day}/provisional_" in str(run.folder)
    for day in (date(2026, 3, 2), date(2026, 4, 2)):
        with pytest.raises(Refusal, match=r"two days of a year|has come"):
            runs.begin(Wanted(as_of=day, kind="provisional", formats=("csv",)))


def test_statistics_tell_no_more_than_the_accounts_of_the_roll(hands: Hands, tmp_path: Path) -> None:
    concluded(hands)
    with Printers() as printers:
        drawn(hands, tmp_path, printers, kind="statistics", formats=("csv", "pdf"), scripts=("latin", "cyrillic"))
    lines = rows(tmp_path, "statistics.csv")
    assert {line["level"] for line in lines} == {"country", "unit", "municipality", "list"}
    with hands.system.database.engine.connect() as connection:
        accounts = roll_accounts(connection, ELECTION)
    assert accounts is not None
    assert accounts.shown is not None
    shown = sums(accounts.shown, lambda cell: (cell.municipality, cell.station or "", cell.list))
    told = {
        (line["municipality"], line["polling_station"], line["list"]): line for line in lines if line["level"] == "list"
    }
    assert {place: line["voters"] for place, line in told.items()} == {
        place: "" if count is None else str(count) for place, count in shown.items()
    }
    for line in lines:
        if not line["voters"].isdigit():
            assert line["women"] == line["men"] == "", "of a withheld sum no part is told"
        for part in (line["women"], line["men"]):
            assert not part.isdigit() or int(part) == 0 or int(part) >= 5
        parts = [part for part in (line["women"], line["men"]) if part.isdigit()]
        assert len(parts) != 1, "one part and the whole would tell the other"


def test_a_political_entity_gets_its_unit_and_no_other_in_a_numbered_copy(hands: Hands, tmp_path: Path) -> None:
    concluded(hands)
    system = hands.system
    with system.database.engine.connect() as connection:
        basis = basis_of(connection, system.store, ELECTION)
        drawn_of = {}
        for code in ("511", "523", "BiH", BIHAC, "201"):
            entries = draw_political(
                connection, basis, unit_of(code, system.municipalities), copy=7, recipient="Stranka",
                formats=["csv", "json"], script="latin", municipalities=system.municipalities, folder=tmp_path,
            )  # fmt: skip
            drawn_of[code] = {entry.rows for entry in entries}
            head = json.loads((tmp_path / f"political-entity_{code}_copy7.json").read_bytes())["head"]
            assert (head["copy"], head["recipient"]) == (7, "Stranka")
        with pytest.raises(ValueError, match="no internal copy"):
            draw_political(
                connection, basis, unit_of("511", system.municipalities), copy=7, recipient="Stranka",
                formats=["internal-csv"], script="latin", municipalities=system.municipalities, folder=tmp_path,
            )  # fmt: skip
    with pytest.raises(LookupError):
        unit_of("599", system.municipalities)
    assert drawn_of["511"] == drawn_of[BIHAC] == drawn_of["201"], "the unit's only municipality with voters"
    (small,), (other,), (whole,) = drawn_of["511"], drawn_of["523"], drawn_of["BiH"]
    assert small + other == whole == 59, "one voter of sixty is on no list"
    text = (tmp_path / "political-entity_BiH_copy7.csv").read_text(encoding="utf-8")
    assert not any(jmb in text for jmb in hands.town.voters)
    assert "Duga" not in text


async def test_a_certified_excerpt_is_issued_again_byte_for_byte_or_refused(
    hands: Hands, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    concluded(hands)
    runs = hands.system.runs
    ana, boris = hands.bearer("cec", "Ana"), hands.bearer("cec", "Boris")
    run = runs.begin(Wanted(election=ELECTION, kind="polling-station", formats=("csv", "json", "vri")))
    assert run.folder.name.startswith("polling-station_")
    path = f"/v1/excerpts/{run.id}"

    def draw(which: Run) -> Run:
        with Printers() as printers:
            for first in which.batches:
                take(runs, which.id, first, printers)
        found = runs.find(which.id)
        assert found is not None
        return found

    assert draw(run).state == "drawn"
    assert (await client.post(f"{path}/reissue", headers=ana)).status_code == 409
    await client.post(f"{path}/verification", headers=ana)
    await client.post(f"{path}/certification", headers=boris)
    hands.now = LATER
    hands.town.lives_on()
    hands.work()
    ana = hands.bearer("cec", "Ana")

    # Who asks for the same again gets what was certified, and no other excerpt of the same lists beside it.
    terms = {"election": ELECTION, "kind": "polling-station", "formats": ["csv", "json", "vri"]}
    same = await client.post("/v1/excerpts", json=terms, headers=ana)
    assert (same.status_code, same.json()["id"], same.json()["state"]) == (202, str(run.id), "certified")

    asked = await client.post(f"{path}/reissue", headers=ana)
    assert (asked.status_code, asked.json()["reissue_of"]) == (202, str(run.id))
    again = runs.find(UUID(asked.json()["id"]))
    assert again is not None
    assert draw(again).state == "reissued"
    assert again.folder != run.folder
    assert [e.sha256 for e in runs.files(again.id)] == [e.sha256 for e in runs.files(run.id)]
    note = min(again.folder.glob("*.note")).read_bytes()
    key = parse_key(asked.json()["sidecar_key"])
    sidecar = min(again.folder.glob("*.sidecar.json")).read_bytes()
    assert verify_checkpoint(note, [key], check_signature).root == hashlib.sha256(sidecar).digest()
    (event,) = (event.data for event in hands.system.store.events(topics=[ExcerptReissued.TOPIC]))
    assert (event.excerpt, event.issue, event.files) == (str(run.id), str(again.id), 6 * 5)  # type: ignore[union-attr]

    # When the bytes would differ, then nothing is issued, and the list and the reason are named.
    monkeypatch.setattr("register.excerpts.render_json._COUNTS", frozenset({"surname"}))
    monkeypatch.setattr("register.excerpts.render_json._ENCODER", msgspec.json.Encoder(order="deterministic"))
    monkeypatch.setattr("register.excerpts.rows.normalize", lambda _, text: text.upper())
    other = draw(runs.reissue(run, "Ana"))
    assert other.state == "failed"
    assert "no longer has the rows on record" in (other.failure or "")
    assert "polling-station_" in (other.failure or "")
    assert len(list(hands.system.store.events(topics=[ExcerptReissued.TOPIC]))) == 1


async def test_a_run_under_way_is_cancelled_and_draws_no_further_list(hands: Hands, client: httpx.AsyncClient) -> None:
    concluded(hands)
    runs, ana = hands.system.runs, hands.bearer("cec", "Ana")
    run = runs.begin(Wanted(election=ELECTION, kind="polling-station", formats=("csv", "json")))
    path = f"/v1/excerpts/{run.id}/cancellation"
    other = hands.bearer("municipal-commission", "Commission", f"municipal-commission:{BIHAC}")
    assert (await client.post(path, headers=other)).status_code == 404

    def told(_: int) -> None:
        runs.cancel(run)

    with mock.patch("register.excerpts.drawing.TOGETHER", 2), Printers() as printers:
        runs.draw(run, 0, printers, told)
        take(runs, run.id, 0, printers)
    found = runs.find(run.id)
    assert found is not None
    assert (found.state, found.done) == ("cancelled", 2)
    assert not (run.folder / "manifest.json").exists()
    assert runs.unfinished() == []
    answer = await client.post(path, headers=ana)
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    drawn_now = drawn(hands, run.folder, Printers(), kind="polling-station", formats=("csv", "json"))
    assert drawn_now.id != run.id
    finished = await client.post(f"/v1/excerpts/{drawn_now.id}/cancellation", headers=ana)
    assert (finished.status_code, finished.json()["provision"]) == (409, "Art. 3.6")
