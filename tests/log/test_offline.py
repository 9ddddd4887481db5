"""What an auditor with nothing but Python finds: nothing when all is well, else the position."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from register.audit.offline import checks
from register.audit.offline.checks import Finding
from register.log.note import Checkpoint
from register.log.record import record_of

if TYPE_CHECKING:
    from .conftest import Events

ORIGIN = "log.example/register"


@pytest.fixture
def lines(events: Events) -> list[bytes]:
    """The records of an export: one line each, with its newline."""
    events.record(40)
    return [record_of(row) + b"\n" for row in events.rows]


@pytest.fixture
def seen(lines: list[bytes]) -> list[Checkpoint]:
    """Every checkpoint anybody kept."""
    return [Checkpoint(ORIGIN, size, checks.root_of(lines[:size])[1]) for size in (0, 10, 25, 40)]


@pytest.fixture
def entries(lines: list[bytes]) -> list[bytes]:
    """What is public."""
    return [sha256(line[:-1]).digest() for line in lines]


def test_a_true_export_has_no_findings(lines: list[bytes], seen: list[Checkpoint], entries: list[bytes]) -> None:
    assert checks.check_records(lines, seen) == []
    assert checks.check_records(lines, seen, entries) == []
    assert checks.check_records([], seen[:1]) == []


@pytest.mark.parametrize("position", [1, 10, 11, 26, 40])
def test_a_changed_record_is_named(
    position: int, lines: list[bytes], seen: list[Checkpoint], entries: list[bytes]
) -> None:
    lines[position - 1] = lines[position - 1].replace(b'"v":1', b'"v":2')
    found = checks.check_records(lines, seen, entries)
    assert found[0] == Finding("the record is not the one published", position)
    wrong = [one.size for one in seen if one.size >= position]
    assert found[1:] == [
        Finding(f"the published entries, not these records, give the root signed for size {size}") for size in wrong
    ]
    good = max(one.size for one in seen if one.size < position)
    assert checks.check_records(lines, seen) == [
        Finding(f"another root was signed for size {size}; up to size {good} all is well") for size in wrong
    ]


def test_missing_added_and_swapped_records_are_named(
    lines: list[bytes], seen: list[Checkpoint], entries: list[bytes]
) -> None:
    def first(changed: list[bytes]) -> int | None:
        assert checks.check_records(changed, seen)
        return checks.check_records(changed, seen, entries)[0].position

    assert first(lines[:16] + lines[17:]) == 17
    assert first(lines[:16] + lines[15:]) == 17
    assert first([*lines[:16], lines[17], lines[16], *lines[18:]]) == 17
    assert first(lines[:39]) == 40
    assert first([*lines, lines[0]]) == 41
    assert checks.check_records(lines[:39], seen) == [Finding("records are missing at the end", 40)]


def test_a_forked_log_convicts_itself(lines: list[bytes], seen: list[Checkpoint]) -> None:
    fork = Checkpoint(ORIGIN, 25, bytes(32))
    found = checks.check_records(lines, [*seen, fork])
    assert Finding("two roots were signed for size 25") in found


def test_the_checks_need_the_standard_library_only() -> None:
    """Started without any installed package, by the names of the modules that were loaded."""
    program = (
        "import sys; before = set(sys.modules); import register.audit.offline.checks; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))"
    )
    root = Path(checks.__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(root)!r}); {program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["register"]
