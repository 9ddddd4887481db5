"""The forms that the files of an export have, read strictly: what is read must be what was hashed, and nothing else.

Whoever wrote the files may have meant harm: every number, name and path is judged before it is used, nothing outside
the folder is opened, no line is longer than any record can be. Standard library only.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final

from register.log.note import NoteError, check_name

#: No record or personal part comes near it, in bytes.
LONGEST_LINE: Final = 1 << 24
#: The last part: the streams that links between numbers may connect.
LINKED: Final = "linked"
_LARGEST_INDEX: Final = 1 << 26
_PIECE: Final = 1 << 20
_MOST: Final = 1 << 62
_KIND: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_CHUNK: Final = re.compile(r"records/[0-9]{5,9}\.jsonl\.gz")
_PART: Final = re.compile(rf"streams/([0-9]{{5,9}}|{LINKED})\.jsonl\.gz")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_AT: Final = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{6}Z")
_STREAM: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BEGINS: Final = b'{"position":'
_RECORD: Final = {"at", "id", "state", "topic", "v"}
_STATE: Final = {"data", "id", "source", "time"}


class NotAnExportError(Exception):
    """The folder holds no export that this program can read."""


def read_json(raw: bytes) -> Any:
    """JSON as RFC 8785 allows it: no fractions. Raises ValueError, also for what is nested too deeply to be read."""
    try:
        return json.loads(raw, parse_float=_refused, parse_constant=_refused)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_record(record: bytes) -> dict[str, Any]:
    """A record in its one form, canonical JSON, with the members it must have and no other. Raises ValueError."""
    read = read_json(record)
    try:
        written = json.dumps(read, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    state = read.get("state") if isinstance(read, dict) else None
    if written != record or read.keys() != _RECORD or not isinstance(state, dict):
        raise ValueError("no record")
    texts = (read["at"], read["id"], read["topic"], state.get("id"), state.get("source"), state.get("personal", ""))
    if not _STATE <= state.keys() <= _STATE | {"personal"} or not all(isinstance(text, str) for text in texts):
        raise ValueError("no record")
    whole = _AT.fullmatch(read["at"]) and _STREAM.fullmatch(read["id"]) and type(read["v"]) is int
    if not whole or ("personal" in state and not _DIGEST.fullmatch(state["personal"])):
        raise ValueError("no record")
    return dict(read)


def placed(line: bytes, between: bytes) -> tuple[int, bytes]:
    """``{"position":N,"…":X}`` as N (1, 2, 3 …) and the bytes of X. Raises ValueError."""
    at = line.index(between)
    digits = line[len(_BEGINS) : at]
    if not line.startswith(_BEGINS) or not line.endswith(b"}") or not digits.isdigit() or digits[:1] == b"0":
        raise ValueError("no line of an export")
    position = int(digits)
    if position > _MOST:
        raise ValueError("no position")
    return position, line[at + len(between) : -1]


def lines_of(folder: Path, described: dict[str, Any]) -> Generator[bytes, None, None]:
    """The lines of a file, without their ends. Raises OSError, EOFError, zlib.error."""
    rest = b""
    with gzip.open(folder / described["file"], "rb") as file:
        while piece := file.read(_PIECE):
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
            if len(rest) > LONGEST_LINE:
                raise OSError("a line without an end")
    if rest:
        yield rest


def files_of(index: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every file that the index names."""
    yield from index["records"]
    yield index["entries"]
    yield index["checkpoints"]
    for part in index["parts"]:
        yield part["streams"]
        yield from part["personal"].values()
        yield part["register"]


def read_index(folder: Path) -> dict[str, Any]:
    """``export.json``, all of it judged. Raises :class:`NotAnExportError`."""
    try:
        with (folder / "export.json").open("rb") as file:
            index = read_json(file.read(_LARGEST_INDEX))
        form = index["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotAnExportError(f"no export: {type(error).__name__} in export.json") from None
    if form != 1:
        raise NotAnExportError("this export has a form of its own time: take the check that came with it")
    try:
        _judge(index)
    except (ValueError, KeyError, TypeError, AttributeError, NoteError):
        raise NotAnExportError("no export: export.json does not say what it must") from None
    for name in ("checkpoint", *(described["file"] for described in files_of(index))):
        _judge_place(folder, name)
    return dict(index)


def _judge(index: dict[str, Any]) -> None:
    check_name(index["origin"])
    _need(isinstance(index["key"], str))
    _need(all(type(index[name]) is int and 0 <= index[name] < _MOST for name in ("size", "position")))
    _need(index["position"] <= index["size"])
    for described in files_of(index):
        _need(all(type(described[name]) is int and 0 <= described[name] < _MOST for name in ("bytes", "lines")))
        _need(_SHA256.fullmatch(described["sha256"]) is not None)
    _need(all(_CHUNK.fullmatch(described["file"]) for described in index["records"]))
    _need(index["entries"]["file"] == "entries.bin" and index["checkpoints"]["file"] == "checkpoints.jsonl.gz")
    names = []
    for part in index["parts"]:
        found = _PART.fullmatch(part["streams"]["file"])
        _need(found is not None)
        names.append(name := found[1] if found else "")
        _need(part["register"]["file"] == f"register/{name}.jsonl.gz")
        for kind, described in part["personal"].items():
            _need(_KIND.fullmatch(kind) is not None and described["file"] == f"personal/{kind}/{name}.jsonl.gz")
    # the ranges of streams one after another, then those that links connect
    _need(names == [*sorted(set(names) - {LINKED}), LINKED])


def _judge_place(folder: Path, name: str) -> None:
    """Nothing but plain files within the folder is opened: no link, no pipe, no device."""
    path = folder / name
    within = [path, *list(path.parents)[: len(Path(name).parts) - 1]]
    if any(each.is_symlink() for each in within) or (path.exists() and not path.is_file()):
        raise NotAnExportError(f"{name} is not a plain file of this folder")


def _need(holds: bool) -> None:
    if not holds:
        raise ValueError


def _refused(_number: str) -> Any:
    raise ValueError("not canonical")
