"""Years later, elsewhere, from an auditor's export alone: the same lists, every byte the same (Art. 3.6)."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import register
from register.acts import elections
from register.audit.export.writing import export
from register.excerpts.from_roll import DRAWN_KINDS
from register.excerpts.printers import Printers
from register.log.keys import open_key
from tests.flows.conftest import Hands
from tests.flows.test_election import ELECTION, concluded, drawn
from tests.flows.town import BIHAC, LATER


def exported(hands: Hands, folder: Path) -> Path:
    """The auditor's export of everything."""
    settings = hands.settings
    key = str(open_key(settings.log_key, settings.origin, hands.system.entropy).key)
    export(hands.system.database.dsn, settings.data / "log", key, folder)
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def elsewhere(folder: Path, *arguments: str) -> tuple[int, str]:
    """What the command says and its exit status, on a machine that has neither database nor settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CVR_", "PG"))}
    environment["PYTHONPATH"] = str(Path(register.__file__).parent.parent)
    command = [sys.executable, "-m", "register", "excerpts", ELECTION, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    return done.returncode, done.stdout + done.stderr


def test_all_lists_drawn_from_an_export_after_later_events_have_the_bytes_they_had(
    hands: Hands, tmp_path: Path
) -> None:
    """Given every kind of list drawn from the register, in CSV, JSON, XLSX and PDF and both scripts, when life went on
    and the history is exported, then the export alone gives the same files and the same manifest.
    """
    concluded(hands)
    here, there = tmp_path / "here", tmp_path / "there"
    with Printers() as printers:
        for kind in DRAWN_KINDS:
            drawn(
                hands, here, printers, kind=kind, formats=("csv", "json", "pdf", "xlsx"), scripts=("latin", "cyrillic")
            )
    hands.now = LATER
    hands.town.lives_on()
    hands.work()
    history = exported(hands, tmp_path / "export")
    terms = [word for each in ("csv", "json", "pdf", "xlsx") for word in ("--format", each)]
    terms += ["--script", "latin", "--script", "cyrillic"]
    status, said = elsewhere(tmp_path, "--export", str(history), "--out", str(there), *terms)
    assert status == 0, said
    was, now = files_of(here), files_of(there)
    assert was.keys() == now.keys()
    assert len(was) > 4 * 2 * 12
    assert [name for name in was if was[name] != now[name]] == []
    # Of one municipality, what is drawn is what the register draws of it.
    commission = tmp_path / "commission"
    with Printers() as printers:
        for kind in ("polling-station", "diplomatic-mission", "statistics"):
            drawn(hands, commission, printers, kind=kind, municipality=BIHAC, formats=("csv",))
    kinds = ["--kind", "polling-station", "--kind", "diplomatic-mission", "--kind", "statistics"]
    terms = ["--municipality", BIHAC, "--format", "csv", *kinds]
    assert elsewhere(tmp_path, "--export", str(history), "--out", str(tmp_path / "one"), *terms)[0] == 0
    assert files_of(commission) == files_of(tmp_path / "one")
    # The root in the footers is held against the one that was signed; where none was, the command says so.
    signed = history / "checkpoints.jsonl.gz"
    kept = [json.loads(line) for line in gzip.decompress(signed.read_bytes()).splitlines()]
    terms = ["--municipality", BIHAC, "--format", "csv", "--kind", "statistics"]
    conclusion = system_conclusion(hands)
    root = next(each["note"].split("\n")[2] for each in kept if each["size"] == conclusion)
    other = base64.b64encode(bytes(32)).decode()
    for doctored, status, words in (
        ([each for each in kept if each["size"] != conclusion], 0, "nobody here signed the root"),
        ([each | {"note": each["note"].replace(root, other)} for each in kept], 1, "do not give the root signed"),
    ):
        signed.write_bytes(gzip.compress("".join(json.dumps(each) + "\n" for each in doctored).encode()))
        found, said = elsewhere(tmp_path, "--export", str(history), "--out", str(tmp_path / "doctored"), *terms)
        assert found == status, said
        assert words in " ".join(said.replace("\u2502", " ").split())


def system_conclusion(hands: Hands) -> int:
    """The position of the conclusion: the size of the tree whose root the lists name."""
    election = elections.load(hands.system.store, ELECTION)
    assert election is not None
    assert election.conclusion is not None
    return election.conclusion
