"""An auditor with the export, the log's key and plain Python: all is well, or the bad position is named.

The attacker here owns the database and the disk: the export is made from what he changed. What he cannot change are
the log's key, the entries and checkpoints that others hold.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from register.app.parts import read_reference
from register.audit.export.drawing import Drawn, NotThereError, draw
from register.audit.export.files import read_index
from register.audit.export.lists import Asked
from register.audit.export.reading import MissingMandateError
from register.audit.export.refolding import refold
from register.audit.export.writing import NothingSealedError, export
from register.audit.offline.exported import NotAnExportError, Verdict, check_export
from register.audit.verify.findings import Report
from register.log.keys import Signer
from register.log.note import Checkpoint
from register.log.sealer import Sealer
from tests.audit.conftest import MUNICIPALITIES, NOW, ORIGIN, House, drawn

Owner = psycopg.Connection[tuple[Any, ...]]


def exported(house: House, folder: Path) -> Path:
    """The export as it can be made now."""
    key = str(house.parts.key)
    export(house.parts.dsn, house.parts.log, key, folder)
    return folder


def sealed(house: House) -> None:
    """Seal what there is into the test's own copy of the log."""
    Sealer(
        source=house.store, engine=house.database.engine, folder=house.parts.log, signer=Signer(ORIGIN, bytes(32)),
        clock=lambda: NOW,
    ).seal()  # fmt: skip


def checked(house: House, folder: Path, *seen: bytes) -> Verdict:
    """What the check says, under the key that everyone knows."""
    return check_export(folder, str(house.parts.key), seen)


def folded(folder: Path, processes: int = 1) -> Report:
    """What folding the law again says."""
    return refold(folder, MUNICIPALITIES, processes=processes, progress=lambda _what, _done, _all: None)


def drawn_elsewhere(folder: Path, out: Path) -> Drawn:
    """The polling stations' lists drawn from an export."""
    asked = Asked(("polling-station",), ("csv",), ("latin",))
    return draw(
        folder, "o-26", asked, out, read_reference(), reference="1", processes=1,
        progress=lambda _what, _done, _all: None,
    )  # fmt: skip


def plainly(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The check as an auditor's machine runs it: that file, and a Python without anything installed."""
    command = [sys.executable, "-I", "-S", str(folder / "verify.pyz"), str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def test_a_true_export_is_well_with_nothing_but_python(house: House, tmp_path: Path) -> None:
    folder = exported(house, tmp_path / "export")
    kept = tmp_path / "kept"
    kept.write_bytes((house.parts.log / "checkpoint").read_bytes())
    done = plainly(folder, "--key", str(house.parts.key), "--checkpoint", str(kept))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"OK: all {house.store.head()} events of {ORIGIN} are those that were signed." in done.stdout
    verdict = checked(house, folder)
    assert verdict.ok
    assert all(check.count for check in verdict.checks)


def test_the_law_folded_again_from_the_export_gives_the_register_the_audit_log_and_the_roll(
    house: House, tmp_path: Path
) -> None:
    drawn(house, "csv")
    house.follow()
    sealed(house)
    report = folded(exported(house, tmp_path / "export"))
    assert report.ok, report
    counted = {check.name: check.count for check in report.checks}
    assert counted["register"] > 20
    assert counted["audit-log"] > 8
    assert counted["rolls"] > 3
    assert counted["lists"]


def test_a_list_other_than_the_events_give_is_named(house: House, tmp_path: Path) -> None:
    """Given a drawing put on record with another digest of one list, and signed, then folding names its position."""
    run = drawn(house, "csv")
    position = house.store.head()
    with house.database.psycopg() as connection:
        (state,), *_ = connection.execute("SELECT state FROM store.event WHERE notification_id = %s", (position,))
    told = json.loads(state)
    lists = told["personal"]["lists"]
    digest = lists[0]["sha256"]
    with house.tampering() as owner:
        owner.execute("UPDATE store.event SET state = %s WHERE notification_id = %s",
                      (bytes(state).replace(digest.encode(), digest[::-1].encode()), position))  # fmt: skip
    sealed(house)
    folder = exported(house, tmp_path / "export")
    assert checked(house, folder).ok
    report = folded(folder)
    assert report.check("lists").first_position == position
    assert lists[0]["name"] in report.check("lists").findings[0].what
    assert run.total
    # Whoever draws that list from the export is told as well, and has the one that the events give.
    found = drawn_elsewhere(folder, tmp_path / "lists")
    assert [(each.position, lists[0]["name"] in each.what) for each in found.findings.first()] == [(position, True)]
    drawn_there = {entry.list: entry.rows_sha256 for entry in found.entries}
    assert drawn_there[lists[0]["name"]] == digest


def test_lists_are_not_drawn_under_another_root_than_the_log_signed(house: House, tmp_path: Path) -> None:
    """Given an export whose public entries were exchanged before the conclusion, then no list is drawn from it."""
    folder = exported(house, tmp_path / "export")
    entries = bytearray((folder / "entries.bin").read_bytes())
    entries[40] ^= 1
    (folder / "entries.bin").write_bytes(entries)
    with pytest.raises(NotThereError, match="root signed"):
        drawn_elsewhere(folder, tmp_path / "lists")
    assert not (tmp_path / "lists").exists()


def test_the_same_history_gives_the_same_export(house: House, tmp_path: Path) -> None:
    one, other = exported(house, tmp_path / "one"), exported(house, tmp_path / "other")
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files
    assert all((one / file).read_bytes() == (other / file).read_bytes() for file in files)


def test_what_is_public_and_what_names_nobody_holds_no_name_and_no_number(house: House, tmp_path: Path) -> None:
    folder = exported(house, tmp_path / "export")
    names = re.compile(rb"\xc4\x8coli\xc4\x87|Uzorak|Glavna|1960-01-01|final decision|another person")
    apart = ("records", "streams")
    for path in (path for name in apart for path in (folder / name).iterdir()):
        assert not names.search(gzip.decompress(path.read_bytes())), path
    assert names.search(b"".join(gzip.decompress(path.read_bytes()) for path in folder.rglob("personal/*/*")))


def test_a_mandate_that_was_not_handed_out_is_said_and_the_law_is_not_folded(house: House, tmp_path: Path) -> None:
    folder = exported(house, tmp_path / "export")
    shutil.rmtree(folder / "personal" / "court")
    verdict = checked(house, folder)
    assert [check.what for check in verdict.checks if not check.ok] == ["every file is there, and whole"]
    assert any("what was sent by court" in note for check in verdict.checks for note in check.notes)
    with pytest.raises(MissingMandateError, match="court"):
        folded(folder)


def test_an_export_needs_a_signed_history_and_an_empty_folder(empty: House, house: House, tmp_path: Path) -> None:
    with pytest.raises(NothingSealedError):
        exported(empty, tmp_path / "nothing")
    exported(house, tmp_path / "export")
    with pytest.raises(FileExistsError):
        exported(house, tmp_path / "export")
    with pytest.raises(NotAnExportError):
        check_export(tmp_path)


# --- attacks on the database, before the export -----------------------------------------------------------------------


def _change_state(owner: Owner) -> None:
    owner.execute(
        """UPDATE store.event SET state = convert_to(replace(convert_from(state, 'UTF8'),
           '"municipality":"10189"', '"municipality":"10049"'), 'UTF8') WHERE notification_id = 13"""
    )


def _change_personal_part(owner: Owner) -> None:
    owner.execute(
        """UPDATE store.event SET state = convert_to(replace(convert_from(state, 'UTF8'), 'ČolićB', 'ČolićX'),
           'UTF8') WHERE notification_id = 3"""
    )


def _take_personal_part(owner: Owner) -> None:
    owner.execute(
        """UPDATE store.event SET state = convert_to(regexp_replace(convert_from(state, 'UTF8'),
           '"personal":[{].*[}],"source"', '"source"'), 'UTF8') WHERE notification_id = 3"""
    )


def _delete_the_end(owner: Owner) -> None:
    owner.execute("DELETE FROM store.event WHERE notification_id >= 27")


def _insert_at_a_freed_place(owner: Owner) -> None:
    owner.execute(
        """WITH gone AS (DELETE FROM store.event WHERE notification_id = 18 RETURNING *)
           INSERT INTO store.event (originator_id, originator_version, topic, state, notification_id, recorded_at)
           SELECT originator_id, originator_version, topic,
                  convert_to(replace(convert_from(state, 'UTF8'), 'n-18', 'n-x'), 'UTF8'), 18, recorded_at
           FROM gone"""
    )


def _swap_two(owner: Owner) -> None:
    for was, becomes in ((5, 999), (7, 5), (999, 7)):
        owner.execute("UPDATE store.event SET notification_id = %s WHERE notification_id = %s", (becomes, was))


def _reload_without_a_deletion(owner: Owner) -> None:
    """All taken away, and put back without the death and its annulment, the later ones moved up."""
    owner.execute("CREATE TEMP TABLE kept AS SELECT * FROM store.event WHERE notification_id NOT IN (18, 19)")
    owner.execute("TRUNCATE store.event")
    owner.execute(
        """INSERT INTO store.event (originator_id, originator_version, topic, state, notification_id, recorded_at)
           SELECT originator_id, row_number() OVER (PARTITION BY originator_id ORDER BY originator_version), topic,
                  state, row_number() OVER (ORDER BY notification_id), recorded_at FROM kept"""
    )


ATTACKS: dict[str, tuple[str | Callable[[Owner], None], int]] = {
    "another state": (_change_state, 13),
    "another topic": ("UPDATE store.event SET topic = 'ba.cvr.citizen.v1' WHERE notification_id = 18", 18),
    "another stream": ("UPDATE store.event SET originator_id = gen_random_uuid() WHERE notification_id = 21", 21),
    "another version": ("UPDATE store.event SET originator_version = 9 WHERE notification_id = 22", 22),
    "backdated": ("UPDATE store.event SET recorded_at = recorded_at - interval '9 d' WHERE notification_id = 20", 20),
    "another name": (_change_personal_part, 3),
    "a name taken out": (_take_personal_part, 3),
    "one deleted in the middle": ("DELETE FROM store.event WHERE notification_id = 18", 18),
    "the end deleted": (_delete_the_end, 27),
    "another one in its place": (_insert_at_a_freed_place, 18),
    "two changed places": (_swap_two, 5),
    "all deleted": ("DELETE FROM store.event", 1),
    "all loaded again, without a deletion": (_reload_without_a_deletion, 18),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_history_changed_in_the_database_is_named_by_its_first_position(
    attack: str, house: House, tmp_path: Path
) -> None:
    """Given the owner's hand in the event store, when it is exported, then the check names the first bad position."""
    what, position = ATTACKS[attack]
    with house.tampering() as owner:
        if callable(what):
            what(owner)
        else:
            assert owner.execute(what.encode()).rowcount
    folder = exported(house, tmp_path / "export")
    verdict = checked(house, folder)
    assert verdict.first_position == position
    done = plainly(folder)
    assert done.returncode == 2
    assert f"NOT OK: the first bad position is {position}." in done.stdout


def test_a_changed_register_is_found_by_folding_the_law_again(house: House, tmp_path: Path) -> None:
    """Given a voter taken off the tables and an entry off the audit log, no event touched, then folding names both."""
    with house.tampering() as owner:
        owner.execute("UPDATE projection.stretch SET entered = false WHERE person ="
                      " (SELECT originator_id FROM store.event WHERE notification_id = 5) AND entered")  # fmt: skip
        owner.execute("DELETE FROM projection.audit_entry WHERE position = 18")
    folder = exported(house, tmp_path / "export")
    assert checked(house, folder).ok
    report = folded(folder)
    assert report.check("register").verdict == "found"
    assert "entered" in report.check("register").findings[0].what
    assert report.check("audit-log").first_position == 18


# --- attacks on the export, and on what the world has seen ------------------------------------------------------------


def _lines(path: Path, change: Callable[[list[bytes]], None]) -> None:
    lines = gzip.decompress(path.read_bytes()).splitlines()
    change(lines)
    path.write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines)))


def test_a_bit_flipped_in_any_file_is_found(house: House, tmp_path: Path) -> None:
    """Given a true export, when one bit of any file flips, then the check does not say that it is OK."""
    folder = exported(house, tmp_path / "export")
    unsigned = {folder / "verify.pyz", folder / "key", folder / "export.json"}
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path not in unsigned)
    assert len(files) > 12
    for path in files:
        whole = path.read_bytes()
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 4
        path.write_bytes(flipped)
        assert not checked(house, folder).ok, path
        path.write_bytes(whole)
    assert checked(house, folder).ok


def test_a_changed_record_whose_files_were_made_to_fit_is_named(house: House, tmp_path: Path) -> None:
    """Given record 18 changed in both layouts and every digest in the index made to fit, then 18 is named."""
    folder = exported(house, tmp_path / "export")
    for path in (*folder.glob("records/*"), *folder.glob("streams/*")):

        def change(lines: list[bytes]) -> None:
            lines[:] = [line.replace(b'"id":"n-18"', b'"id":"n-81"') for line in lines]

        _lines(path, change)
    _make_fit(folder)
    verdict = checked(house, folder)
    assert verdict.first_position == 18
    assert [check.ok for check in verdict.checks][:2] == [True, True]


@pytest.mark.parametrize("gone", [False, True])
def test_a_personal_part_altered_or_gone_is_named(gone: bool, house: House, tmp_path: Path) -> None:
    folder = exported(house, tmp_path / "export")

    def change(lines: list[bytes]) -> None:
        n = next(n for n, line in enumerate(lines) if line.startswith(b'{"position":3,'))
        lines[n : n + 1] = [] if gone else [lines[n].replace("ČolićB".encode(), "ČolićX".encode())]

    for path in folder.glob("personal/registry-office/*"):
        if b'{"position":3,' in gzip.decompress(path.read_bytes()):
            _lines(path, change)
    _make_fit(folder)
    assert checked(house, folder).first_position == 3
    with pytest.raises(ValueError, match="position 3 "):
        folded(folder)


def test_a_second_history_signed_by_the_log_itself_is_proof_of_guilt(house: House, tmp_path: Path) -> None:
    """Given a checkpoint that somebody kept, signed by the log over another root, then both are named."""
    folder = exported(house, tmp_path / "export")
    size = read_index(folder).size
    forked = Signer(ORIGIN, bytes(32)).sign(Checkpoint(ORIGIN, size, bytes(range(32))))
    verdict = checked(house, folder, forked)
    assert any(f"two roots were signed for size {size}" in f.what for c in verdict.checks for f in c.findings)
    stranger = Signer(ORIGIN, bytes([1]) * 32).sign(Checkpoint(ORIGIN, size, bytes(range(32))))
    said = [f.what for c in checked(house, folder, stranger).checks for f in c.findings]
    assert len(said) == 1
    assert "did not sign" in said[0]


def test_a_backup_put_back_is_named_by_the_first_position_that_is_missing(house: House, tmp_path: Path) -> None:
    """Given a checkpoint kept from before the backup was put back, then what is missing since is named."""
    seen = (house.parts.log / "checkpoint").read_bytes()
    size = house.store.head()
    with house.tampering() as owner:
        owner.execute("DELETE FROM store.event WHERE notification_id > 20")
        owner.execute("DELETE FROM log.checkpoint WHERE size > 20")
    folder = exported(house, tmp_path / "export")
    assert checked(house, folder).ok, "nobody who was not there could know"
    verdict = checked(house, folder, seen)
    assert verdict.first_position == 21
    assert size > 20


def _make_fit(folder: Path) -> None:
    """Write the index's digests anew, as whoever changes files would."""
    import hashlib

    index: dict[str, Any] = json.loads((folder / "export.json").read_bytes())

    def fit(described: dict[str, Any]) -> None:
        content = (folder / described["file"]).read_bytes()
        described["bytes"], described["sha256"] = len(content), hashlib.sha256(content).hexdigest()

    for described in index["records"]:
        fit(described)
    for part in index["parts"]:
        fit(part["streams"])
        for described in part["personal"].values():
            fit(described)
    (folder / "export.json").write_text(json.dumps(index), encoding="utf-8")
