"""An auditor with the witnesses' policy: the quorum, times that cannot be, keys of the log that follow each other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from register.audit.export.writing import export
from register.audit.offline.exported import Verdict, check_export
from register.audit.offline.trust import turn_of
from register.law.events import REGISTER, LogKeyAnnounced
from register.log.brackets import LAG, SKEW
from register.log.cosigning import Cosigning
from register.log.keys import Cosigner, KeyRing, Signer, check_signature
from register.log.note import parse_note, verify_checkpoint
from register.log.policy import Policy, parse_policy
from register.log.rotation import RotationError, announce, retire
from register.log.sealer import Sealed, Sealer
from register.store import Pending
from tests.audit.conftest import NOW, ORIGIN, House, citizen

WITNESSES = [Cosigner(f"witness.example/w{n}", bytes([n]) * 32) for n in (1, 2, 3)]
SALT = "c2FtcGxlIHNhbHQgMTYgYg=="


def policy(*logs: str) -> Policy:
    """Two of three witnesses."""
    named = [f"witness w{n} {witness.key}" for n, witness in enumerate(WITNESSES)]
    lines = [*(f"log {log}" for log in logs), *named, "group two 2 w0 w1 w2", "quorum two"]
    return parse_policy("\n".join(lines).encode())


def cosign(house: House, sealed: Sealed, at: datetime, witnesses: Sequence[Cosigner] = WITNESSES[:2]) -> None:
    """Let witnesses cosign, as if their clocks and the register's stood there."""
    part = Cosigning(engine=house.database.engine, folder=house.parts.log, policy=policy(), clock=lambda: at)
    text = parse_note(sealed.note).text
    lines = "".join(str(witness.cosign(text, int(at.timestamp()))) for witness in witnesses)
    part.keep(sealed.note + lines.encode())


def people(house: House, count: int, at: datetime) -> None:
    """Record some citizens at a time."""
    pending = []
    for _ in range(count):
        house.sent += 1
        data = citizen(f"P{house.sent}", "Čolić", at.date().replace(year=1980))
        source = "urn:cvr:authority:registry-office:10049"
        pending.append(Pending(source=source, id=f"n-{house.sent}", time=at, data=data, salt=SALT))
    house.store.append(pending, now=at)


def exported(house: House, folder: Path, key: str | None = None) -> Path:
    export(house.parts.dsn, house.parts.log, key or str(house.parts.key), folder)
    return folder


def findings(verdict: Verdict) -> list[tuple[int | None, str]]:
    return [(found.position, found.what) for check in verdict.checks for found in check.findings]


def test_the_newest_checkpoint_needs_the_quorum(empty: House, tmp_path: Path) -> None:
    people(empty, 3, NOW)
    sealed = empty.sealer.seal()
    cosign(empty, sealed, NOW + timedelta(seconds=5), WITNESSES[:1])
    key = str(empty.parts.key)
    one = exported(empty, tmp_path / "one")
    assert check_export(one, key).ok
    verdict = check_export(one, key, policy=policy())
    assert findings(verdict) == [(None, "1 of its witnesses cosigned it, too few for the quorum")]
    # a copy of the same checkpoint that somebody kept, with the cosignature that the export lacks
    kept = sealed.note + str(WITNESSES[1].cosign(parse_note(sealed.note).text, int(NOW.timestamp()) + 9)).encode()
    assert check_export(one, key, (kept,), policy=policy()).ok

    cosign(empty, sealed, NOW + timedelta(seconds=5), WITNESSES[1:2])
    two = exported(empty, tmp_path / "two")
    assert check_export(two, None, policy=policy(key)).ok
    (two.parent / "policy").write_text("\n".join(
        [f"log {key}", *(f"witness w{n} {one.key}" for n, one in enumerate(WITNESSES)), "group g all w0 w1", "quorum g"]
    ))  # fmt: skip
    command = [sys.executable, "-I", "verify.pyz", ".", "--policy", "../policy"]
    done = subprocess.run(command, cwd=two, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    people(empty, 1, NOW + timedelta(seconds=9))
    empty.sealer.seal()
    assert not check_export(exported(empty, tmp_path / "three"), key, policy=policy()).ok
    other = Signer(ORIGIN, bytes([5]) * 32)
    assert not check_export(two, None, policy=policy(str(other.key))).ok


@pytest.mark.parametrize(
    ("shift", "word"),
    [
        (timedelta(seconds=-LAG - 60), "claims to be recorded long before"),
        (timedelta(seconds=-LAG + 60), None),
        (timedelta(0), None),
        (timedelta(hours=2, seconds=SKEW - 60), None),
        (timedelta(hours=2, seconds=SKEW + 60), "claims to be recorded after"),
    ],
)
def test_a_record_with_a_time_that_cannot_be_is_named(
    shift: timedelta, word: str | None, empty: House, tmp_path: Path
) -> None:
    """The operator writes another time of recording, and has the log sealed and cosigned as if it were true.

    Positions 1 to 3 were cosigned at T, 4 to 6 at T + 2 h; event 5 claims T + shift.
    """
    begun = NOW - timedelta(days=1)
    people(empty, 3, begun)
    cosign(empty, empty.sealer.seal(), NOW)
    people(empty, 1, begun + timedelta(minutes=1))
    people(empty, 2, NOW + shift)
    with empty.tampering() as owner:  # the register itself would not let time go so
        for position, at in ((4, NOW + min(shift, timedelta())), (6, NOW + timedelta(days=9))):
            owner.execute("UPDATE store.event SET recorded_at = %s WHERE notification_id = %s", (at, position))
    sealed = empty.sealer.seal()
    text, seconds = parse_note(sealed.note).text, int((NOW + timedelta(hours=2)).timestamp())
    kept = sealed.note + "".join(str(one.cosign(text, seconds)) for one in WITNESSES[:2]).encode()
    verdict = check_export(exported(empty, tmp_path / "e"), str(empty.parts.key), (kept,), policy=policy())
    found = [position for position, what in findings(verdict) if word is not None and what.startswith(word)]
    assert (5 in found) == (word is not None)
    assert {position for position, _ in findings(verdict)} <= {4, 5, 6}


def test_one_witness_with_a_wrong_clock_accuses_nobody(empty: House, tmp_path: Path) -> None:
    people(empty, 3, NOW)
    sealed = empty.sealer.seal()
    text = parse_note(sealed.note).text
    times = [(0, NOW - timedelta(days=300)), (1, NOW + timedelta(seconds=4)), (2, NOW + timedelta(seconds=8))]
    lines = "".join(str(WITNESSES[number].cosign(text, int(at.timestamp()))) for number, at in times)
    verdict = check_export(
        exported(empty, tmp_path / "e"), str(empty.parts.key), (sealed.note + lines.encode(),), policy=policy()
    )
    assert verdict.ok


# --- keys of the log ------------------------------------------------------------------------------------------------


def rotating(house: House, keys: KeyRing) -> House:
    sealer = Sealer(
        source=house.store, engine=house.database.engine, folder=house.parts.log, signer=keys, clock=lambda: NOW
    )
    return replace(house, sealer=sealer)


def test_a_verifier_follows_from_the_old_key_to_the_new_by_the_export_alone(empty: House, tmp_path: Path) -> None:
    keys = KeyRing(tmp_path / "keys" / "log", ORIGIN, _seeds())
    house = rotating(empty, keys)
    people(house, 2, NOW)
    first = house.sealer.seal()
    old = keys.signers()[0].key
    with pytest.raises(RotationError):
        retire(house.store, house.sealer, keys, by="x", reason="r", now=NOW, salt=SALT)
    new = announce(house.store, house.sealer, keys, by="x", now=NOW, salt=SALT)
    assert announce(house.store, house.sealer, keys, by="x", now=NOW, salt=SALT) == new  # once is enough
    people(house, 1, NOW)
    both = house.sealer.seal()
    for key in (old, new):
        assert verify_checkpoint(both.note, [key], check_signature) == both.checkpoint
    assert retire(house.store, house.sealer, keys, by="x", reason="replaced", now=NOW, salt=SALT) == old
    assert [signer.key for signer in keys.signers()] == [new]
    people(house, 2, NOW)
    newest = house.sealer.seal()
    assert newest.size == house.store.head() == 7

    folder = exported(house, tmp_path / "e", str(new))
    for key in (old, new):
        verdict = check_export(folder, str(key), (first.note, both.note) if key == old else (both.note,))
        assert verdict.ok, verdict.lines()

    stranger = Signer(ORIGIN, bytes([9]) * 32)
    assert not check_export(folder, str(stranger.key)).ok
    (folder / "checkpoint").write_bytes(stranger.sign(newest.checkpoint))
    assert any("did not sign" in what for _, what in findings(check_export(folder, str(old))))
    # whoever stole the old key signs on with it
    thief = Signer(ORIGIN, bytes([1]) * 32)
    assert thief.key == old
    (folder / "checkpoint").write_bytes(thief.sign(newest.checkpoint))
    assert (5, "the newest checkpoint bears the signature of a retired key only") in findings(
        check_export(folder, str(old))
    )


def test_an_announcement_that_no_trusted_key_covers_makes_no_key_trusted(empty: House, tmp_path: Path) -> None:
    """Somebody with the database but not the key writes the announcement of his own, and signs with that alone."""
    people(empty, 2, NOW)
    empty.sealer.seal()
    keys = KeyRing(tmp_path / "keys" / "log", ORIGIN, _seeds(7))
    thief = rotating(empty, keys)
    own = keys.signers()[0]
    data = LogKeyAnnounced(key=str(own.key), beside=str(empty.parts.key), announced_by="x")
    thief.store.append([Pending(source=REGISTER, id="a", time=NOW, data=data, salt=SALT)], now=NOW)
    with thief.tampering() as owner:
        owner.execute("DELETE FROM log.checkpoint")
    shutil.rmtree(thief.parts.log)
    thief.parts.log.mkdir()
    thief.sealer.seal()
    folder = exported(thief, tmp_path / "e", str(own.key))
    assert check_export(folder).ok  # under its own key all fits
    assert any("did not sign" in what for _, what in findings(check_export(folder, str(empty.parts.key))))


def test_words_in_an_event_are_no_announcement(empty: House, tmp_path: Path) -> None:
    """Whoever may send notices may write what he likes in a text."""
    record = {
        "at": "x", "id": "y", "topic": "ba.cvr.annulment.v1", "v": 1,
        "state": {"source": "urn:cvr:register", "data": {"key": str(Signer(ORIGIN, bytes(32)).key),
                  "reason": '"topic":"ba.cvr.log-key-announced.v1"'}},
    }  # fmt: skip
    line = json.dumps(record, separators=(",", ":")).encode()
    assert turn_of(1, line) is None
    record["topic"] = "ba.cvr.log-key-announced.v1"
    assert turn_of(1, json.dumps(record, separators=(",", ":")).encode()) is not None
    foreign = record | {"state": record["state"] | {"source": "urn:cvr:authority:cec"}}  # type: ignore[operator]
    assert turn_of(1, json.dumps(foreign, separators=(",", ":")).encode()) is None


def _seeds(first: int = 1) -> Callable[[int], bytes]:
    count = iter(range(first, first + 9))
    return lambda size: bytes([next(count)]) * size
