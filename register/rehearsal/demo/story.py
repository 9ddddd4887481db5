"""The main job as a story: each step asks the running server and shows what it answered."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from register.law.parameters import in_force
from register.rehearsal.demo.feeding import Taken, Written, send_feed, write_feed
from register.rehearsal.demo.server import Client, DemoError, environment_of, serving
from register.rehearsal.demo.teller import Teller
from register.settings import Settings

VOTERS: Final = 20_000
SEED: Final = 20_261_004
#: Bihać, Prijedor, Brčko: one municipality of each entity, and the District, where voters choose an entity.
MUNICIPALITIES: Final = ("10049", "20486", "30163")
#: The part of the generated voter who is followed, and the court that decides about him or her.
FOLLOWED: Final = "renamed"
COURT: Final = "court:basic-court-bihac"
_STATE: Final = "demo.json"
#: The files drawn and their SHA-256, by election, for a second run to compare with.
_DIGESTS: Final = "lists-{election}.json"
_KINDS: Final = ("polling-station", "in-person-1991", "absentee-1991", "mail", "diplomatic-mission", "mobile-team")


class Plan(msgspec.Struct):
    """What a first run settled, so that a second one in the same folder sends the same feed again."""

    voters: int
    seed: int
    until: date
    election: str
    day: date


def tell(settings: Settings, today: date, *, voters: int = VOTERS) -> int:
    """Tell the story in the folder the settings name; the exit code: 0 when all went as it should, else 1."""
    teller = Teller()
    if (settings.data / "postgres").exists() and not (settings.data / _STATE).exists():
        raise DemoError(f"{settings.data} holds a register that is no demo's; name another folder by CVR_DATA")
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    plan, again = _plan(settings.data / _STATE, today, voters)
    teller.say(f"Everything here is about people who do not exist. Folder: {settings.data}")
    if again:
        teller.say("A demo ran here before: the same notices are sent again, and none may count twice.")
        if plan.voters != voters:
            teller.say(f"It was about {plan.voters:,} people, and so is this one; for {voters:,}, name another folder.")
    feed = settings.data / "feed"
    with teller.step("Authorities write their notices"):
        written = write_feed(feed, MUNICIPALITIES, voters=plan.voters, seed=plan.seed, until=plan.until)
        _tell_feed(teller, written, plan)
    with serving(settings) as client:
        taken = _intake(teller, client, feed, written)
        _follow_one(teller, client, written, plan)
        _election(teller, client, plan, settings.data)
    verified = _verify(teller, settings)
    _summary(teller, settings)
    if taken.wrongly:
        teller.say(f"{len(taken.wrongly)} notices did not meet the fate they were made for, the first of them:")
        for line in taken.wrongly[:10]:
            teller.say(f"  {line}")
    return 0 if verified and not taken.wrongly else 1


def _plan(path: Path, today: date, voters: int) -> tuple[Plan, bool]:
    """The plan of this folder, and whether it was there before; an election whose day has come gives way to another."""
    again = path.exists()
    if again:
        plan = msgspec.json.decode(path.read_bytes(), type=Plan)
        if plan.day > today:
            return plan, True
        plan = msgspec.structs.replace(plan, day=_sunday_after(today + timedelta(days=30)))
    else:
        day = _sunday_after(today + timedelta(days=30))
        plan = Plan(voters, SEED, today, "", day)
    plan = msgspec.structs.replace(plan, election=f"general-{plan.day.isoformat()}")
    path.write_bytes(msgspec.json.encode(plan))
    return plan, again


def _sunday_after(day: date) -> date:
    """Elections are held on Sundays (Art. 1.14)."""
    return day + timedelta(days=6 - day.weekday())


def _tell_feed(teller: Teller, written: Written, plan: Plan) -> None:
    wrong = sum(len(lines) for lines in written.refused.values())
    teller.say(f"{written.total:,} notices of {len(written.lines)} authorities about {plan.voters:,} generated people:")
    teller.say(f"late, repeated, out of order, annulled; {wrong} of them wrong and to be refused.")


def _intake(teller: Teller, client: Client, feed: Path, written: Written) -> Taken:
    with teller.step("The notices come in over HTTP"):
        with teller.progress("notices", written.total) as progress:
            taken = send_feed(client, feed, written, progress)
        teller.say(", ".join(f"{count:,} {status}" for status, count in sorted(taken.statuses.items())))
        teller.say("Refused, each kept in the intake journal with its reason; one of each kind:")
        for kind, count in sorted(taken.kinds.items()):
            teller.say(f"  {count:4} {kind:16} {_told(taken.examples[kind])}")
    with teller.step("The register follows the event store"):
        token = client.token("auditor", authority="auditor:demo", name="an auditor")
        summary = _caught_up(client, token, taken.last_position)
        teller.say(f"The register rests on position {summary['position']:,}.")
        teller.table(
            ("municipality", "entity", "voters"),
            [
                (str(row["municipality"]), str(row["entity"] or "no option"), f"{row['count']:,}")
                for row in summary["items"]
                if row["count"] >= 100
            ],
        )
    return taken


def _told(problem: dict[str, Any]) -> str:
    """What the sender is told: the sentence, the place in the notice, the provision."""
    errors = problem.get("errors") or [{}]
    sentence = str(errors[0].get("detail") or problem.get("detail")).rstrip(".")
    return " · ".join(filter(None, (sentence, errors[0].get("pointer"), problem.get("provision"))))


def _caught_up(client: Client, token: str, position: int) -> Any:
    return client.get("/v1/register/summary", token, by="municipality,entity", at_least=position)


def _follow_one(teller: Teller, client: Client, written: Written, plan: Plan) -> None:
    """A court withdraws a voter's legal capacity and restores it (Art. 3.2): deleted, reinstated, both on record."""
    with teller.step("One person: legal capacity withdrawn, later restored"):
        jmb = written.showcase[FOLLOWED]
        cec = client.token("cec", authority="cec", name="a clerk of the CEC")
        (person,) = client.post("/v1/voters/query", cec, {"jmb": jmb})["persons"]
        before = _standing(teller, client, cec, person, "before")
        days = [plan.until - timedelta(days=60), plan.until - timedelta(days=20)]
        withdrawn = _decision(client, plan, "capacity-withdrawn", jmb, days[0], extent="full")
        _standing(teller, client, cec, person, "after the court's first decision", at_least=withdrawn)
        restored = _decision(client, plan, "capacity-restored", jmb, days[1])
        _standing(teller, client, cec, person, "after its second", at_least=restored)
        _standing(teller, client, cec, person, f"as known at position {before:,}", known_at=before)
        audit = client.get(f"/v1/voters/{person}/history", cec)["audit"]
        for a in audit:
            days_text = f"{a['from'] or '…'} to {a['to'] or '…'}"
            teller.say(
                f"  {a['position']:7,} {a['action']:10} {days_text:24} {a['ground'] or '':24} "
                f"{a['article'] or '':9} {a['authority']}"
            )
        if not {"deleted", "reinstated"} <= {a["action"] for a in audit}:
            raise DemoError("the deletion and the reinstatement are not both on record")


def _standing(teller: Teller, client: Client, token: str, person: str, when: str, **query: int) -> int:
    """Say whether the person is entered today, and give the position the answer rests on."""
    voter = client.get(f"/v1/voters/{person}", token, **query)
    grounds = ", ".join(voter["grounds"])
    where = f"in {voter['counts_in']}, polling station {voter['polling_station']}"
    teller.say(f"{when + ':':34} {'entered ' + where if voter['entered'] else 'not entered: ' + grounds}")
    return int(voter["position"])


def _decision(client: Client, plan: Plan, kind: str, jmb: str, day: date, **more: str) -> int:
    """Send one court's decision as a notice; its position."""
    paper = {
        "kind": "final decision",
        "number": f"demo-{kind}",
        "issued_by": "Osnovni sud",
        "issued_on": day.isoformat(),
    }
    notice = {
        "specversion": "1.0",
        "id": f"demo-{kind}",
        "source": f"urn:cvr:authority:{COURT}",
        "type": f"ba.cvr.{kind}.v1",
        "time": f"{plan.until - timedelta(days=1)}T08:00:00Z",
        "data": {"jmb": jmb, "effective_on": day.isoformat(), "document": paper, **more},
    }
    (answer, _) = client.send(COURT, [msgspec.json.encode(notice) + b"\n"])
    return int(answer["position"])


def _election(teller: Teller, client: Client, plan: Plan, folder: Path) -> None:
    cec = client.token("cec", authority="cec", name="a member of the CEC")
    path = f"/v1/elections/{plan.election}"
    with teller.step("An election is called and its roll concluded"):
        called = {
            "id": plan.election,
            "kind": "general",
            "early": False,
            "day": plan.day.isoformat(),
            "called_on": (plan.day - timedelta(days=151)).isoformat(),
        }
        client.post("/v1/elections", cec, called)
        state = client.get(path)
        if state["conclusion"] is None:
            client.post(f"{path}/conclusion", cec)
        concluded_after = plan.day - timedelta(days=in_force(plan.day).conclusion_days)
        teller.say(f"General election on {plan.day}; the roll as of {concluded_after}, 24:00 (Art. 3.6 e).")
        with teller.progress("roll", 1) as progress:
            for state in client.wait_for(path, cec, lambda answer: answer["roll"] is not None, seconds=300):
                progress(int(bool(state["roll"])))
        teller.say(f"Concluded at position {state['conclusion']:,}: {state['roll']['voters']:,} voters on the roll.")
    with teller.step("The lists are drawn"):
        files: dict[str, str] = {}
        runs = [(kind, _draw(client, cec, plan, kind)) for kind in _KINDS]
        for kind, run in runs:
            files |= _await_lists(teller, client, cec, kind, run)
        _tell_accounts(teller, client.get(f"{path}/accounts", cec))
        _compare(teller, folder / _DIGESTS.format(election=plan.election), files)
        for _ in client.wait_for("/readyz", cec, lambda answer: not any(answer["lag"].values()), seconds=60):
            pass  # until the last drawing is in the register and under a checkpoint too


def _draw(client: Client, cec: str, plan: Plan, kind: str) -> Any:
    wanted = {"election": plan.election, "kind": kind, "formats": ["csv", "pdf"], "scripts": ["latin"]}
    return client.post("/v1/excerpts", cec, wanted)


def _await_lists(teller: Teller, client: Client, cec: str, kind: str, run: Any) -> dict[str, str]:
    """Wait until the lists of a kind are drawn; file name -> SHA-256."""
    total, done = int(run["total"]), 0
    with teller.progress(kind, total) as progress:
        for state in client.wait_for(f"/v1/excerpts/{run['id']}", cec, _settled, seconds=600):
            if state["state"] == "failed":
                raise DemoError(f"the lists of kind {kind} could not be drawn: {state['failure']}")
            progress(int(state["done"]) - done)
            done = int(state["done"])
    voters = sum(file["rows"] for file in state["files"] if file["file"].endswith(".csv"))
    teller.say(f"{kind:18} {total:3} lists, {voters:6,} voters")
    return {file["file"]: file["sha256"] for file in state["files"]}


def _tell_accounts(teller: Teller, accounts: Any) -> None:
    """Every voter of the roll stands on exactly one list: say what the lists above leave, and the remainder."""
    lists: Counter[str] = Counter()
    for line in accounts["items"]:
        lists[line["list"]] += line["voters"]
    left = ", ".join(f"{lists[kind]:,} {kind}" for kind in ("unallocated", "no-entity-option"))
    total, remainder = accounts["total"], accounts["remainder"]
    teller.say("Voters of a mobile team stand on their station's list too, with a remark.")
    teller.say(f"On the roll and on no printed list, for the authorities to put right: {left}.")
    teller.say(f"Printed and not printed are the roll: {total:,} voters, remainder {remainder}.")


def _compare(teller: Teller, path: Path, files: dict[str, str]) -> None:
    """A list drawn again must have the bytes it had, however the register went on meanwhile (Art. 3.6; practice)."""
    if path.exists():
        before = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        if before != files:
            raise DemoError("the lists drawn again differ from those drawn before")
        teller.say(f"Drawn before in this folder: all {len(files)} files have the same bytes as then.")
    path.write_bytes(msgspec.json.encode(files))


def _settled(run: Any) -> bool:
    return run["drawn"] is not None or run["state"] == "failed"


def _verify(teller: Teller, settings: Settings) -> bool:
    with teller.step("The history is verified"):
        command = [sys.executable, "-m", "register", "verify"]
        environment = environment_of(settings)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        for line in (done.stdout if done.returncode in (0, 2) else done.stdout + done.stderr).splitlines():
            teller.say(line)
        return done.returncode == 0


def _summary(teller: Teller, settings: Settings) -> None:
    teller.times()
    lists = settings.data / "excerpts"
    teller.console.print()
    teller.say(f"Lists of the election   {lists}")
    teller.say(f"Notices as sent         {settings.data / 'feed'}")
    teller.say(f"Transparency log        {settings.data / 'log'}")
    teller.say(f"To look around: export CVR_DATA={settings.data}; .venv/bin/cvr serve, then http://127.0.0.1:8000/")
