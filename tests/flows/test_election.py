"""An election from its call to its certified lists, told in the order in which the law has it happen."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from register.acts import elections
from register.excerpts.from_roll import DRAWN_KINDS
from register.excerpts.manifest import differing_files, read_manifest
from register.excerpts.printers import Printers
from register.excerpts.runs import Run, Wanted
from register.law.competence import Caller
from register.law.events import ElectionCalled, ExcerptDrawn, RollFrozen
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
    whole = await client.post("/v1/excerpts", json=wanted, headers=hands.bearer("cec", "Ana"))
    assert (await client.get(whole.headers["Location"], headers=commission)).status_code == 404
    assert (await client.post(f"{own.headers['Location']}/verification", headers=commission)).status_code == 403
    nobody = {"election": ELECTION, "kind": "marked-deceased", "municipality": BANJA_LUKA, "formats": ["csv"]}
    empty = (await client.post("/v1/excerpts", json=nobody, headers=hands.bearer("cec", "Ana"))).json()
    assert (empty["state"], empty["total"], empty["files"]) == ("drawn", 0, [])
    auditor = hands.bearer("auditor", "Auditor", "auditor:x")
    assert (await client.post("/v1/excerpts", json=wanted, headers=auditor)).status_code == 403


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"kind": "postal"}, "/kind"),
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
    if pointer == "/kind":
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
