"""Nobody changes the history, the log or the register unseen: each attack is found, and named by its position.

The attacker here is the owner of the database, who can take off every guard the database has.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from register.audit.verify import Report
from register.excerpts.manifest import read_manifest, write_manifest
from register.law.events import Citizen, Death, JmbReplaced, Residence
from register.log.files import LogFiles
from register.log.keys import Signer
from register.projection.parts import COMMON, PERSONS, deal, position_of, positions_of
from register.projection.projector import follow
from register.store import codec
from tests.audit.conftest import ORIGIN, PAPER, House, drawn

PAST = date(2026, 2, 2)
Owner = psycopg.Connection[tuple[Any, ...]]


def found(report: Report) -> dict[str, int | None]:
    """The checks that found something, each with its first position."""
    return {check.name: check.first_position for check in report.checks if check.verdict == "found"}


def positions(report: Report, check: str) -> list[int | None]:
    """The positions a check names."""
    return [finding.position for finding in report.check(check).findings]


def test_an_untouched_history_is_well(house: House) -> None:
    """Given a history with everything in it, then every check counts something and finds nothing."""
    report = house.verify()
    assert found(report) == {}
    assert report.ok
    assert report.head == report.position == report.sealed == house.store.head()
    counted = {check.name: check.count for check in report.checks}
    assert counted["positions"] == counted["states"] == counted["keys"] == counted["streams"] == report.head
    assert counted["log-entries"] == report.head
    assert counted["log-checkpoints"] >= 4
    assert all(counted[name] for name in counted.keys() - {"excerpts"}), counted
    assert {row["municipality"] for row in report.check("register").detail} == {"", "10049", "10189"}


def test_the_report_does_not_depend_on_the_number_of_processes(house: House) -> None:
    """Given one history, when one process verifies it and when two do, then the reports are the same bytes."""
    assert msgspec.json.encode(house.verify(processes=2)) == msgspec.json.encode(house.verify())


def test_an_empty_register_is_well(empty: House) -> None:
    """Given that nothing has happened and nothing was sealed, then nothing is found."""
    report = empty.verify()
    assert report.ok
    assert report.head == report.sealed == 0


def test_what_is_not_sealed_or_not_followed_yet_is_said_and_is_no_fault(house: House) -> None:
    """Given two more events since the last checkpoint and the last step of the projector, then that is said."""
    head = house.store.head()
    house.send("registry-office:10049", Death(jmb="D", effective_on=PAST))
    house.send("registry-office:10049", Death(jmb="E", effective_on=PAST))
    report = house.verify()
    assert report.ok
    assert (report.head, report.position, report.sealed) == (head + 2, head, head)
    assert report.check("log-entries").notes == [f"positions {head + 1} to {head + 2} are not yet sealed"]
    assert "2 events are not in it yet" in report.check("register").notes[0]


def test_parts_of_the_register_that_stand_apart_are_each_held_against_their_own_position(empty: House) -> None:
    """Given parts ahead of others, also behind a replaced number, then nothing is found; a changed row still is."""
    born = date(1970, 1, 1)
    for n in range(40):
        citizen = Citizen(jmb=f"N{n}", effective_on=born, surname="Čolić", given_name="Uzorak", parent_name="Test",
                          sex="F", born_on=born)  # fmt: skip
        lives = Residence(jmb=f"N{n}", effective_on=PAST, kind="permanent", municipality="10049", settlement="Centar",
                          street="Nova", house_number=str(n % 7))  # fmt: skip
        empty.send("registry-office:10049", citizen)
        empty.send("residence-authority:10049", lives)
        if n == 9:
            on = JmbReplaced(jmb=f"N{n}", new_jmb=f"N{n - 5}", effective_on=PAST, document=PAPER)
            empty.send("residence-authority:10049", on)
    with empty.database.psycopg() as connection:
        persons = frozenset(PERSONS)
        while positions_of(connection)[1] < 30:
            follow(connection, empty.store, limit=6, parts=persons)
        while any(follow(connection, empty.store, limit=6, parts=deal(5, share)) for share in (1, 3)):
            pass
        at = positions_of(connection)
        assert (at[COMMON], at[1] > 21, at[5], at[1] > at[5]) == (0, True, at[16], True)
        follow(connection, empty.store, limit=25, parts={COMMON})
        assert position_of(connection) == 25
    report = empty.verify()
    assert found(report) == {}
    assert report.position == 25
    with empty.tampering() as owner:
        changed = owner.execute(
            "UPDATE projection.stretch SET surname = 'Drugić' WHERE lower(known) > 45 AND surname IS NOT NULL"
        )
        assert changed.rowcount > 0
    assert "register" in found(empty.verify())


# --- the event store --------------------------------------------------------------------------------------------------


def test_a_changed_state_is_named(house: House) -> None:
    """Given another municipality written into event 13, then log, key, register and audit log each name event 13."""
    with house.tampering() as owner:
        state = _state(owner, 13)
        changed = state.replace(b'"municipality":"10189"', b'"municipality":"10049"')
        assert changed != state
        owner.execute("UPDATE store.event SET state = %s WHERE notification_id = 13", (changed,))
    report = house.verify()
    assert positions(report, "log-entries") == [13]
    assert positions(report, "keys") == [13]
    assert report.check("register").first_position == 13
    assert found(report)["log-checkpoints"] == 20
    assert "positions" not in found(report)


def test_a_changed_personal_part_is_named_although_the_public_one_is_the_same(house: House) -> None:
    """Given another surname in event 3, with its key made to fit, then the log names event 3."""
    with house.tampering() as owner:
        changed = _state(owner, 3).replace("ČolićB".encode(), "ČolićX".encode())
        owner.execute("UPDATE store.event SET state = %s WHERE notification_id = 3", (changed,))
        (topic, stream, version), *_ = owner.execute(
            "SELECT topic, originator_id, originator_version FROM store.event WHERE notification_id = 3"
        )
        digest = codec.content_digest(codec.decode_filed(topic, changed, stream=stream, version=version).data)
        owner.execute("UPDATE store.event_key SET content = %s WHERE position = 3", (digest,))
    report = house.verify()
    assert positions(report, "log-entries") == [3]
    assert "keys" not in found(report)
    assert "surname" in report.check("register").findings[0].what


def test_a_changed_topic_is_named(house: House) -> None:
    """Given event 18 (a death) made a citizen's, then it no longer fits its state, and the log names it."""
    with house.tampering() as owner:
        owner.execute("UPDATE store.event SET topic = 'ba.cvr.citizen.v1' WHERE notification_id = 18")
    report = house.verify()
    assert positions(report, "states") == [18]
    assert positions(report, "log-entries") == [18]


@pytest.mark.parametrize("position", [1, 22, 30, 31, 32])
def test_a_damaged_state_is_named_whatever_it_was_and_ends_nothing(house: House, position: int) -> None:
    """Given a state made unreadable (station, link, call, conclusion, roll), then all is checked all the same."""
    with house.tampering() as owner:
        owner.execute("UPDATE store.event SET state = substr(state, 2) WHERE notification_id = %s", (position,))
    report = house.verify()
    assert positions(report, "states") == [position]
    assert positions(report, "log-entries") == [position]


def test_a_topic_nobody_knows_is_named(house: House) -> None:
    """Given a topic that no version of the register had, then the event is named as unreadable."""
    with house.tampering() as owner:
        owner.execute("UPDATE store.event SET topic = 'ba.cvr.other.v1' WHERE notification_id = 4")
    assert positions(house.verify(), "states") == [4]


def test_a_backdated_event_is_named(house: House) -> None:
    """Given event 15 recorded, so the row now says, before event 14, then both checks name it."""
    with house.tampering() as owner:
        owner.execute("UPDATE store.event SET recorded_at = recorded_at - interval '1 day' WHERE notification_id = 15")
    report = house.verify()
    assert positions(report, "positions") == [15]
    assert positions(report, "log-entries") == [15]


def test_a_removed_event_is_named(house: House) -> None:
    """Given event 11 removed, then the hole, the log, the key left over and the register name it."""
    with house.tampering() as owner:
        owner.execute("DELETE FROM store.event WHERE notification_id = 11")
    report = house.verify()
    assert positions(report, "positions") == [11] == positions(report, "log-entries")
    assert positions(report, "keys") == [11]
    assert report.check("register").first_position == 11


def test_a_removed_event_is_named_also_when_the_hole_is_closed_up(house: House) -> None:
    """Given event 11 and its key removed and all behind it moved up, then the log names event 11 as the first."""
    head = house.store.head()
    with house.tampering() as owner:
        owner.execute("DELETE FROM store.event WHERE notification_id = 11")
        owner.execute("DELETE FROM store.event_key WHERE position = 11")
        for position in range(12, head + 1):
            owner.execute(
                "UPDATE store.event SET notification_id = notification_id - 1 WHERE notification_id = %s", (position,)
            )
            owner.execute("UPDATE store.event_key SET position = position - 1 WHERE position = %s", (position,))
    report = house.verify()
    assert not {"positions", "keys"} & found(report).keys()
    assert found(report)["log-entries"] == 11
    assert report.check("log-entries").found == head - 10


def test_a_removed_last_event_is_named(house: House) -> None:
    """Given the last event and its key removed, then the log, which vouches for it, names it."""
    head = house.store.head()
    with house.tampering() as owner:
        owner.execute("DELETE FROM store.event WHERE notification_id = %s", (head,))
        owner.execute("DELETE FROM store.event_key WHERE position = %s", (head,))
    report = house.verify()
    assert report.head == head - 1
    assert positions(report, "log-entries") == [head]
    assert "log-checkpoints" in found(report)


def test_all_events_gone_is_named(house: House) -> None:
    """Given an event store emptied, then the log vouches for every one of them, beginning with the first."""
    head = house.store.head()
    with house.tampering() as owner:
        owner.execute("TRUNCATE store.event, store.event_key, store.subject")
    report = house.verify()
    assert report.check("log-entries").found == head
    assert found(report)["log-entries"] == 1
    assert len(report.check("log-entries").findings) == 20


def test_two_swapped_events_are_named(house: House) -> None:
    """Given events 9 and 14 in each other's place, then the log names both and nothing else."""
    with house.tampering() as owner:
        for old, new in ((9, 1_009), (14, 9), (1_009, 14)):
            owner.execute("UPDATE store.event SET notification_id = %s WHERE notification_id = %s", (new, old))
    report = house.verify()
    assert positions(report, "log-entries") == [9, 14] == positions(report, "keys")


def test_an_event_put_into_a_freed_place_is_named(house: House) -> None:
    """Given event 16 replaced by another of the attacker's own, key and all, then the log names it."""
    with house.tampering() as owner:
        owner.execute("DELETE FROM store.event WHERE notification_id = 16")
        owner.execute("DELETE FROM store.event_key WHERE position = 16")
        owner.execute(
            "INSERT INTO store.event SELECT originator_id, 9, topic, replace(convert_from(state, 'UTF8'), 'n-2', 'x-2')"
            "::text::bytea, 16, recorded_at FROM store.event WHERE notification_id = 2"
        )
    report = house.verify()
    assert positions(report, "log-entries") == [16]
    assert "streams" in found(report)
    assert "positions" in found(report)


def test_an_event_behind_the_last_is_named_by_the_key_it_lacks(house: House) -> None:
    """Given an event written behind the last one past the register, then it has no key and no place in its stream."""
    head = house.store.head()
    with house.tampering() as owner:
        owner.execute(
            "INSERT INTO store.event SELECT originator_id, 9, topic, state, %s, recorded_at + interval '1 hour'"
            " FROM store.event WHERE notification_id = 2",
            (head + 1,),
        )
    report = house.verify()
    assert found(report) == {"keys": head + 1, "streams": head + 1}


def test_an_event_filed_in_the_stream_of_another_is_named(house: House) -> None:
    """Given the subjects of two streams exchanged, then each event filed there is named."""
    with house.tampering() as owner:
        for old, new in (("jmb:A", "jmb:X"), ("jmb:B", "jmb:A"), ("jmb:X", "jmb:B")):
            owner.execute("UPDATE store.subject SET subject = %s WHERE subject = %s", (new, old))
    report = house.verify()
    assert found(report) == {"streams": 2}
    assert {2, 3, 10, 11} <= set(positions(report, "streams"))


def test_a_changed_key_is_named(house: House) -> None:
    """Given a key whose digest was changed and one that is gone, then both events are named."""
    with house.tampering() as owner:
        owner.execute("UPDATE store.event_key SET content = sha256('x') WHERE position = 5")
        owner.execute("DELETE FROM store.event_key WHERE position = 8")
    report = house.verify()
    assert found(report) == {"keys": 5}
    assert positions(report, "keys") == [5, 8]


def test_a_key_for_an_event_that_never_was_is_named(house: House) -> None:
    """Given a key that would make the next notice of an authority a repetition, then the place it leads to is named."""
    with house.tampering() as owner:
        owner.execute("INSERT INTO store.event_key SELECT source_no, 'later', content, 77 FROM store.event_key LIMIT 1")
    assert found(house.verify()) == {"keys": 77}


# --- the log ----------------------------------------------------------------------------------------------------------


def test_a_changed_root_is_named_by_its_size(house: House) -> None:
    """Given another root kept for size 20, then that checkpoint is named and no event is doubted."""
    with house.tampering() as owner:
        owner.execute("ALTER TABLE log.checkpoint DROP CONSTRAINT note_says_so")
        owner.execute("UPDATE log.checkpoint SET root = sha256('x') WHERE size = 20")
    report = house.verify()
    assert found(report) == {"log-checkpoints": 20}
    assert {finding.position for finding in report.check("log-checkpoints").findings} == {20}


def test_a_checkpoint_of_another_key_is_not_believed(house: House) -> None:
    """Given a log whose newest checkpoint somebody else signed, then the signature is named."""
    stranger = Signer(ORIGIN, b"x" * 32).key
    parts = msgspec.structs.replace(house.parts, key=stranger)
    house.parts = parts
    assert found(house.verify()) == {"log-signatures": house.store.head()}


def test_a_published_checkpoint_the_database_does_not_know_is_named(house: House) -> None:
    """Given a database restored to before its newest checkpoint, then what was published gives it away."""
    head = house.store.head()
    with house.tampering() as owner:
        owner.execute("DELETE FROM log.checkpoint WHERE size = %s", (head,))
    assert found(house.verify()) == {"log-signatures": head}


@pytest.mark.parametrize("file", ["entries.bin", "level0.bin"])
def test_a_flipped_bit_in_the_log_is_named(house: House, file: str) -> None:
    """Given one bit flipped in a file of the log, then the file and the position are named, and no event is doubted."""
    _flip(house.parts.log / file, 32 * 12 + 5)
    report = house.verify()
    check = "log-entries" if file == "entries.bin" else "log-tree"
    assert found(report) == {check: 13}
    assert file in report.check(check).findings[0].what


def test_a_log_cut_short_is_named(house: House) -> None:
    """Given the entries cut off behind the 30th, then the first one missing is named."""
    with (house.parts.log / "entries.bin").open("r+b") as held:
        held.truncate(30 * 32)
    report = house.verify()
    assert found(report) == {"log-entries": 31}


def test_a_flipped_bit_above_the_leaves_is_named_by_the_first_position_under_it(empty: House) -> None:
    """Given 600 events and a bit flipped in level1.bin, then the tile and its first position are named."""
    empty.send("registry-office:10049", *(Death(jmb=f"{n}", effective_on=PAST) for n in range(600)))
    empty.follow()
    empty.sealer.seal()
    with LogFiles(empty.parts.log) as files:
        files.check(600)
    assert empty.verify().ok
    _flip(empty.parts.log / "level1.bin", 40)
    report = empty.verify()
    assert found(report) == {"log-tree": 257}


# --- the register -----------------------------------------------------------------------------------------------------


def test_a_changed_stretch_is_named_by_person_and_position(house: House) -> None:
    """Given a voter moved to another municipality in the tables alone, then person and position are named."""
    person = house.store.stream_of("jmb:F")
    with house.tampering() as owner:
        owner.execute(
            "UPDATE projection.stretch SET counts_in = '10049' WHERE person = %s AND counts_in IS NOT NULL"
            " AND upper_inf(known)",
            (person,),
        )
    report = house.verify()
    assert found(report) == {"register": 15}
    finding = report.check("register").findings[0]
    assert (finding.person, finding.position) == (str(person), 15)
    assert finding.what.endswith("counts_in")
    counts = {row["municipality"]: (row["replayed"], row["found"]) for row in report.check("register").detail}
    assert counts["10049"][0] + 1 == counts["10049"][1]
    assert counts["10189"][0] == counts["10189"][1] + 1
    (a, here), (b, there) = counts["10049"], counts["10189"]
    assert report.check("register").notes == [
        f"municipality 10049: the events give {a} stretches, the tables hold {here}",
        f"municipality 10189: the events give {b} stretches, the tables hold {there}",
    ]
    assert report.check("audit-log").notes == ["the same in each of 2 municipalities, by number and digest of entries"]


def test_an_entry_filed_in_another_municipality_is_counted_in_both(house: House) -> None:
    """Given an audit entry moved to another municipality in the tables alone, then both municipalities are named."""
    with house.tampering() as owner:
        owner.execute(
            "UPDATE projection.audit_entry SET municipality = '10189' WHERE (position, person, part) ="
            " (SELECT position, person, part FROM projection.audit_entry WHERE municipality = '10049'"
            " ORDER BY position LIMIT 1)"
        )
    notes = house.verify().check("audit-log").notes
    assert [note.split(":")[0] for note in notes] == ["municipality 10049", "municipality 10189"]


def test_a_register_that_is_right_is_right_in_each_municipality(house: House) -> None:
    notes = house.verify().check("register").notes
    assert notes == ["the same in each of 2 municipalities, by number and digest of stretches"]


@pytest.mark.parametrize(
    ("statement", "checks"),
    [
        ("DELETE FROM projection.stretch WHERE person = %s", {"register", "accounts", "coverage"}),
        ("INSERT INTO projection.stretch SELECT * FROM projection.stretch WHERE person = %s AND entered",
         {"register", "overlaps", "accounts"}),
        ("UPDATE projection.stretch SET known = 'empty' WHERE person = %s AND entered", {"register", "accounts"}),
        ("UPDATE projection.person SET held = '{}' WHERE person = %s", {"register"}),
        ("DELETE FROM projection.person WHERE person = %s", {"register"}),
        ("DELETE FROM projection.audit_entry WHERE person = %s AND action = 'entered'", {"audit-log", "accounts"}),
        ("UPDATE projection.audit_entry SET ground = 'deceased' WHERE person = %s AND action = 'entered'",
         {"audit-log"}),
        ("UPDATE projection.coverage SET station = '009' WHERE station = '001' AND %s::uuid IS NOT NULL",
         {"coverage"}),
        ("INSERT INTO projection.joined VALUES (%s, gen_random_uuid(), '[3,)')", {"joined"}),
        ("DELETE FROM projection.joined WHERE %s::uuid IS NOT NULL", {"joined"}),
    ],
)  # fmt: skip
def test_what_is_changed_in_the_tables_alone_is_found(house: House, statement: str, checks: set[str]) -> None:
    """Given one of the register's tables changed behind the projector's back, then its check names a position."""
    with house.tampering() as owner:
        changed = owner.execute(statement.encode(), (house.store.stream_of("jmb:G"),))
        assert changed.rowcount > 0
    report = house.verify()
    assert found(report).keys() == checks
    assert all(found(report)[name] is not None for name in checks - {"accounts"})


def test_a_removed_audit_entry_is_named(house: House) -> None:
    """Given the deletion of event 20 taken out of the audit log, then exactly that position is named."""
    with house.tampering() as owner:
        owner.execute("DELETE FROM projection.audit_entry WHERE position = 20 AND action = 'deleted'")
    report = house.verify()
    assert positions(report, "audit-log") == [20]
    assert report.check("accounts").verdict == "found"


# --- rolls and excerpts -----------------------------------------------------------------------------------------------


def test_a_voter_put_on_a_frozen_roll_is_found(house: House) -> None:
    """Given one voter moved on the frozen roll, then the row is named, and the digest still tells the truth."""
    with house.tampering() as owner:
        owner.execute("UPDATE projection.roll SET municipality = '10189' WHERE no = 2")
    report = house.verify()
    assert found(report).keys() == {"rolls"}
    assert "row 2" in report.check("rolls").findings[0].what
    assert report.check("rolls").found == 1


def test_a_forged_digest_of_a_roll_is_found(house: House) -> None:
    """Given another digest kept with the frozen roll, then the roll made again has the one on record."""
    with house.tampering() as owner:
        owner.execute("UPDATE projection.frozen_roll SET sha256 = repeat('0', 64)")
    assert found(house.verify()).keys() == {"rolls"}


def _forge_list_and_manifest(folder: Path) -> None:
    """Another CSV and another PDF, with a manifest that fits."""
    entries = list(read_manifest(folder))
    for at, entry in enumerate(entries[:2]):
        content = (folder / entry.file).read_bytes() + b"99,Forged,Voter,X,1970-01-01,\n"
        (folder / entry.file).write_bytes(content)
        entries[at] = msgspec.structs.replace(entry, sha256=hashlib.sha256(content).hexdigest())
    write_manifest(folder, entries)


def _take_out_of_manifest(folder: Path) -> None:
    first, *entries = read_manifest(folder)
    (folder / first.file).unlink()
    write_manifest(folder, entries)


ON_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "list and manifest forged": (_forge_list_and_manifest, "is not the file drawn"),
    "folder deleted": (shutil.rmtree, "the folder is missing"),
    "entry taken out": (_take_out_of_manifest, "is missing"),
    "manifest deleted": (lambda folder: (folder / "manifest.json").unlink(), "the manifest is missing"),
    "manifest damaged": (lambda folder: (folder / "manifest.json").write_bytes(b"{}"), "cannot be read"),
    "PDF changed": (lambda folder: next(folder.glob("*.pdf")).write_bytes(b"%PDF"), "is not the file drawn"),
}


def test_forged_and_missing_excerpts_are_found_from_their_event(house: House) -> None:
    """Given lists on record, then whatever is done to their folder is found, each time at the event's position."""
    run = drawn(house, "csv", "pdf")
    position = house.store.head()
    kept = run.folder.with_name("kept")
    shutil.copytree(run.folder, kept)
    (kept / "manifest.json").rename(kept.parent / "manifest.put-by")
    check = house.verify().check("excerpts")
    assert (check.verdict, check.count, check.notes) == ("ok", len(list(run.folder.iterdir())) - 1, [])
    for attack, (carry_out, said) in ON_FILES.items():
        carry_out(run.folder)
        report = house.verify()
        assert found(report) == {"excerpts": position}, attack
        assert any(said in finding.what for finding in report.check("excerpts").findings), attack
        shutil.rmtree(run.folder, ignore_errors=True)
        shutil.copytree(kept, run.folder)
        shutil.copy(kept.parent / "manifest.put-by", run.folder / "manifest.json")
    assert house.verify().ok

    # A CSV forged with all that is kept beside it still is not the one of its event.
    _forge_list_and_manifest(run.folder)
    entries = {entry.file: entry.sha256 for entry in read_manifest(run.folder)}
    with house.tampering() as owner:
        for no, (files,) in enumerate(owner.execute("SELECT files FROM excerpts.item ORDER BY no").fetchall()):
            forged = json.dumps([{**each, "sha256": entries[each["file"]]} for each in files])
            owner.execute("UPDATE excerpts.item SET files = %s WHERE no = %s", (forged, no))
    what = [finding.what for finding in house.verify().check("excerpts").findings]
    assert any(each.endswith(".csv is not the file drawn") for each in what)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM excerpts.run", "which files it has is no longer kept"),
        ("UPDATE excerpts.item SET files = NULL", "its digest is no longer kept"),
        ("UPDATE excerpts.item SET files = '7'", "cannot be read"),
        ("UPDATE excerpts.item SET files = jsonb_set(files, '{0,rows}', '99')", "not kept as the list"),
    ],
)
def test_what_is_changed_in_the_runs_alone_is_found(house: House, statement: str, said: str) -> None:
    """Given the digests kept with a run changed or gone, then the event still says what was drawn."""
    drawn(house, "csv")
    with house.tampering() as owner:
        owner.execute(statement.encode())
    report = house.verify()
    assert found(report) == {"excerpts": house.store.head()}
    assert any(said in finding.what for finding in report.check("excerpts").findings)


def test_lists_drawn_elsewhere_and_files_nobody_drew_are_said_and_are_no_fault(house: House) -> None:
    """Given a run into a folder of somebody's own, then it is not visited, and that is said."""
    run = drawn(house, "csv")
    (run.folder / "other.csv").write_bytes(b"no,surname\n")
    report = house.verify()
    assert report.ok
    (note,) = report.check("excerpts").notes
    assert note.endswith("1 files that no run drew, not compared; the first is other.csv")
    with house.tampering() as owner:
        owner.execute("UPDATE excerpts.run SET folder = '/elsewhere'")
    report = house.verify()
    assert report.ok
    assert "a folder elsewhere, which was not visited" in report.check("excerpts").notes[0]
    assert "no run drew there" in report.check("excerpts").notes[1]


def _state(owner: Owner, position: int) -> bytes:
    row = owner.execute("SELECT state FROM store.event WHERE notification_id = %s", (position,)).fetchone()
    assert row is not None
    return bytes(row[0])


def _flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)
