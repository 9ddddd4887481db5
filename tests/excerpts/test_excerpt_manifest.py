"""Files are there whole or not at all, and the manifest names every one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from register.excerpts.draw import draw_list
from register.excerpts.manifest import differing_files, read_manifest, whole_file, write_manifest
from register.excerpts.rows import ListHead, ListRow


def test_a_file_that_fails_half_way_leaves_the_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    with whole_file(path) as part:
        part.write(b"earlier")

    def fail_half_way() -> None:
        with whole_file(path) as part:
            part.write(b"half")
            assert path.read_bytes() == b"earlier"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_the_manifest_names_every_file_sorted_and_notices_a_changed_one(
    head: Callable[..., ListHead], rows: Callable[..., list[ListRow]], tmp_path: Path
) -> None:
    entries = []
    for code in ("003A050", "003A049"):
        entries += draw_list(head(station_code=code), rows(3), ["csv", "internal-csv"], tmp_path)
    (tmp_path / ".left.csv.1.part").write_bytes(b"half of a list that a killed worker left")
    first = write_manifest(tmp_path, entries).read_bytes()
    assert write_manifest(tmp_path, reversed(entries)).read_bytes() == first
    kept = read_manifest(tmp_path)
    assert [entry.file for entry in kept] == sorted(p.name for p in tmp_path.iterdir() if p.name != "manifest.json")
    for entry in kept:
        assert entry.sha256 == hashlib.sha256((tmp_path / entry.file).read_bytes()).hexdigest()
        assert entry.rows == 3
    assert differing_files(tmp_path) == ()
    changed = tmp_path / kept[0].file
    changed.write_bytes(changed.read_bytes().replace(b"1930", b"1931") + b"x")
    (tmp_path / kept[1].file).unlink()
    assert differing_files(tmp_path) == (kept[0].file, kept[1].file)


def test_a_code_that_is_no_file_name_is_refused(head: Callable[..., ListHead], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="codes of a list"):
        draw_list(head(station_code="../003A049"), [], ["csv"], tmp_path)
    assert list(tmp_path.parent.glob("*003A049*")) == []
