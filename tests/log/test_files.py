"""Five append-only files, every tile a byte range of them, and damage named by its place."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from register.log.files import DamageError, FilesError, LogFiles, Tile, parse_tile, tiles_of
from register.log.keys import Signer
from register.log.note import Checkpoint
from register.log.receipts import consistency, receipt
from register.log.tree import (
    ProofError,
    Stack,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    perfect_root,
    verify_consistency,
    verify_inclusion,
)

SIZE = 66_000  # more than one full tile of level 1


def entry(index: int) -> bytes:
    return sha256(b"entry %d" % index).digest()


@pytest.fixture(scope="module")
def roots() -> list[bytes]:
    """Root at every size up to SIZE, by the stack of perfect subtrees."""
    stack, found = Stack(), []
    for index in range(SIZE):
        found.append(stack.root())
        stack.push(leaf_hash(entry(index)))
    return [*found, stack.root()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("log")
    with LogFiles(path, write=True) as files:
        size = 0
        for step in (1, 254, 1, 1, 700, 30_000, SIZE):
            size = files.append(size, [entry(i) for i in range(size, min(SIZE, size + step))])
        files.sync()
        assert size == SIZE == files.complete_size()
    return path


def test_the_files_have_the_sizes_of_the_tree(folder: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert sizes == {
        "entries.bin": SIZE * 32,
        "level0.bin": SIZE * 32,
        "level1.bin": SIZE // 256 * 32,
        "level2.bin": SIZE // 65536 * 32,
        "level3.bin": 0,
    }


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_roots_and_proofs_from_the_files_are_the_trees(folder: Path, roots: list[bytes], data: st.DataObject) -> None:
    near = st.sampled_from([1, 255, 256, 257, 65535, 65536, 65537, SIZE])
    size = data.draw(near | st.integers(1, SIZE))
    old, index = data.draw(st.integers(0, size)), data.draw(st.integers(0, size - 1))
    with LogFiles(folder) as files:
        assert files.root(size) == roots[size]
        verify_inclusion(leaf_hash(entry(index)), index, size, inclusion_proof(index, size, files.node), roots[size])
        verify_consistency(old, size, consistency_proof(old, size, files.node), roots[old], roots[size])
        assert files.entry(index + 1) == entry(index)


@given(st.integers(1, SIZE))
@settings(deadline=None, max_examples=20)
def test_a_partial_tile_is_a_prefix_of_the_full_one(folder: Path, size: int) -> None:
    with LogFiles(folder) as files:
        for tile in tiles_of(size):
            held = files.tile(tile, size)
            unit = 34 if tile.level is None else 32
            assert len(held) == tile.width * unit
            if tile.width < 256 and (tile.index + 1) * 256 <= SIZE >> (8 * (tile.level or 0)):
                assert files.tile(Tile(tile.level, tile.index), SIZE).startswith(held)


def test_tiles_alone_rebuild_the_tree(folder: Path, roots: list[bytes]) -> None:
    """What a client does who has nothing but the tiles and the checkpoint (C2SP tlog-tiles)."""
    size = 65_536 + 300
    stack = Stack()
    with LogFiles(folder) as files:
        for tile in tiles_of(size):
            if tile.level is None:
                bundle = files.tile(tile, size)
                for at in range(0, len(bundle), 34):
                    assert bundle[at : at + 2] == b"\x00\x20"
                    stack.push(leaf_hash(bundle[at + 2 : at + 34]))
            elif tile.level < 3 and tile.width == 256:
                held = files.tile(tile, size)
                above = files.tile(Tile(tile.level + 1, tile.index // 256, tile.index % 256 + 1), size)
                assert above[-32:] == perfect_root([held[i : i + 32] for i in range(0, 8192, 32)])
    assert stack.root() == roots[size]


def test_the_tiles_of_the_specifications_example() -> None:
    """C2SP tlog-tiles: a tree of size 70,000, and one of 256; the path of tile 1234067."""
    full = dict.fromkeys(range(4), 0)
    partial: dict[int, int] = {}
    for tile in tiles_of(70_000):
        if tile.level is not None and tile.width == 256:
            full[tile.level] += 1
        elif tile.level is not None:
            partial[tile.level] = tile.width
    assert full == {0: 273, 1: 1, 2: 0, 3: 0}
    assert partial == {0: 112, 1: 17, 2: 1}
    assert [str(tile) for tile in tiles_of(256)] == ["entries/000", "0/000", "1/000.p/1"]
    assert str(Tile(0, 1234067)) == "0/x001/x234/067"
    assert str(Tile(None, 999, 5)) == "entries/999.p/5"


@given(st.sampled_from([None, 0, 1, 2, 3]), st.integers(0, 10**8), st.integers(1, 256))
def test_a_tile_has_one_path(level: int | None, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    assert parse_tile(str(tile)) == tile


@pytest.mark.parametrize(
    "path",
    [
        *("4/000", "00/000", "0/0", "0/x000/001", "0/001/002", "0/000/", "x000/000", "../entries.bin", ""),
        *("0/000.p/0", "0/000.p/256", "0/000.p/999", "0/000.p/01", "entries/000.p", "0/000\n", "0/\u0660\u0660\u0660"),
    ],
)
def test_what_is_no_tile_is_not_there(path: str) -> None:
    with pytest.raises(LookupError):
        parse_tile(path)


def test_no_tile_reaches_beyond_the_published_size(folder: Path) -> None:
    with LogFiles(folder) as files:
        for tile in (Tile(0, 1), Tile(0, 1, 45), Tile(1, 0, 2), Tile(None, 2, 1), Tile(2, 0, 1)):
            with pytest.raises(LookupError):
                files.tile(tile, 300)
        assert len(files.tile(Tile(0, 1, 44), 300)) == 44 * 32


def test_each_changed_byte_is_found_and_named(folder: Path, tmp_path: Path, roots: list[bytes]) -> None:
    with LogFiles(folder) as files:
        assert files.check(SIZE) == roots[SIZE]
    for name, index, position in (
        ("level0.bin", 777, 778),
        ("level0.bin", SIZE - 1, SIZE),
        ("level1.bin", 3, 769),
        ("level2.bin", 0, 1),
    ):
        path = folder / name
        whole = path.read_bytes()
        at = index * 32 + 9
        try:
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with LogFiles(folder) as files, pytest.raises(DamageError) as found:
                files.check(SIZE)
            assert (found.value.file, found.value.index, found.value.position) == (name, index, position)
        finally:
            path.write_bytes(whole)


def test_no_receipt_is_given_that_would_not_hold(folder: Path, roots: list[bytes]) -> None:
    note = Signer("log.example/register", bytes(32)).sign(Checkpoint("log.example/register", SIZE, roots[SIZE]))
    path = folder / "level0.bin"
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:99] + bytes([whole[99] ^ 1]) + whole[100:])
        with LogFiles(folder) as files:
            for position in (3, 4):
                with pytest.raises(ProofError):
                    receipt(position, note, files.node)
            with pytest.raises(ProofError):
                consistency(4, note, files.node)
            assert receipt(SIZE, note, files.node)
    finally:
        path.write_bytes(whole)


def test_files_cut_short_say_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LogFiles(tmp_path / "none")
    with LogFiles(tmp_path, write=True) as files:
        files.append(0, [entry(i) for i in range(600)])
        files.cut(513)
        assert files.complete_size() == 513
        with pytest.raises(FilesError):
            files.root(514)
        with pytest.raises(FilesError):
            files.cut(514)
        (tmp_path / "level1.bin").write_bytes(b"")
        assert files.complete_size() == 255
