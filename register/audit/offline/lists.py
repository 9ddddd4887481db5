"""A list, or one line of it, checked against what the register put on record about it: standard library only.

Two sorts of files, both JSON. The proof of a *list* (``secret``) goes with a copy of the list's CSV file: who holds
both computes the root again. The proof of a *line* (``line``, ``salt``, ``index``, ``size``, ``hashes``) is a voter's,
and says nothing of any other. Both hold the ``record`` of the drawing, with the roots of its lists, and its
``receipt``, the proof that this record stands in the log whose key one knows from elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from register.audit.offline.checks import check_receipt
from register.audit.offline.form import read_json
from register.excerpts.proofs import SALT_BYTES, SECRET_BYTES, LineProof, lines_of, tree_of, verify_line
from register.log.note import Checkpoint, NoteError, check_name, decode64, parse_hash
from register.log.tree import HASH_BYTES, ProofError

#: What ``format`` says in the two sorts of files.
LIST_FORMAT: Final = "cvr-list/1"
LINE_FORMAT: Final = "cvr-line/1"
TOPIC: Final = "ba.cvr.excerpt-drawn.v1"


class ListError(Exception):
    """The list or the line is not the one on record, or the file is no proof; the text names no voter."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is proved: a list, where its drawing stands in the log, under which checkpoint; a line of it, or None."""

    election: str
    name: str
    root: bytes
    rows: int
    position: int
    checkpoint: Checkpoint
    line: str | None = None

    def said(self) -> list[str]:
        """The same for people."""
        whose = f"list {self.name} of {self.election}, {self.rows:,} lines, root {self.root.hex()}"
        log = f"{self.checkpoint.origin}, size {self.checkpoint.size:,}"
        what = "every line is the one drawn" if self.line is None else f"line: {self.line}"
        return [f"OK: {what}", f"     {whose}", f"     put on record at position {self.position:,} of {log}"]


def check_list(csv: bytes, secret: bytes, record: bytes, receipt: bytes, key: str, name: str | None = None) -> Standing:
    """Whether a copy of a list's CSV file is, line for line, the list that was put on record.

    ``secret``: the list's, 32 bytes; ``record`` and ``receipt``: of its drawing; ``key``: the log's verifier key line.
    ``name``: the list's; without it the list is found by its root. Raises :class:`ListError`, NoteError (text,
    signature), ProofError (proof).
    """
    drawn = _Drawn(record, receipt, key)
    if len(secret) != SECRET_BYTES:
        raise ListError("the secret of a list has 32 bytes")
    try:
        rows, root = tree_of(secret, lines_of(csv))
    except ValueError as error:
        raise ListError(str(error)) from None
    found = next((each for each in drawn.roots if each["root"] == root.hex() and name in (None, each["name"])), None)
    if found is None:
        raise ListError("these lines do not give the root that was put on record: another list, or a changed one")
    return drawn.standing(found, rows)


def check_line(proof: LineProof, record: bytes, receipt: bytes, key: str, name: str) -> Standing:
    """Whether a line stands on the list of that name that was put on record. Raises as :func:`check_list` does."""
    drawn = _Drawn(record, receipt, key)
    found = next((each for each in drawn.roots if each["name"] == name), None)
    if found is None:
        raise ListError("this record is of a drawing without such a list")
    verify_line(proof, bytes.fromhex(found["root"]))
    return drawn.standing(found, proof.size, proof.line.decode())


def check_file(proof: bytes, key: str, csv: bytes | None = None) -> Standing:
    """Check a proof as it is handed out: of a line, or with ``csv`` of a list. Raises as :func:`check_list` does."""
    try:
        read: dict[str, Any] = read_json(proof)
        kind, name = read["format"], str(read["list"])
        record, receipt = read["record"].encode(), read["receipt"].encode()
        line = _line(read) if kind == LINE_FORMAT else None
        secret = bytes.fromhex(read["secret"]) if kind == LIST_FORMAT else b""
    except (ValueError, KeyError, TypeError, AttributeError, NoteError):
        raise ListError("this is not a proof of a list or of a line") from None
    if line is not None:
        if csv is not None:
            raise ListError("this proves one line; to check a list takes the proof of the list")
        return check_line(line, record, receipt, key, name)
    if kind != LIST_FORMAT or csv is None:
        raise ListError("this proves a list: name the list's CSV file too")
    return check_list(csv, secret, record, receipt, key, name)


def _line(read: dict[str, Any]) -> LineProof:
    salt, index, size = decode64(read["salt"]), read["index"], read["size"]
    if len(salt) != SALT_BYTES or type(index) is not int or type(size) is not int or "\n" in read["line"]:
        raise ValueError
    return LineProof(read["line"].encode(), salt, index, size, tuple(map(parse_hash, read["hashes"])))


def _root(told: dict[str, Any]) -> dict[str, Any]:
    """A list's root as the record has it. Raises ValueError, KeyError, TypeError, NoteError for what is none."""
    if len(bytes.fromhex(told["root"])) != HASH_BYTES or type(told.get("rows")) not in (int, type(None)):
        raise ValueError
    check_name(told["name"])
    return told


class _Drawn:
    """The record of a drawing, once its receipt proved that it stands in the log."""

    def __init__(self, record: bytes, receipt: bytes, key: str) -> None:
        self.position, self.checkpoint = check_receipt(record, receipt, key)
        try:
            read = read_json(record)
            data = read["state"]["data"]
            if read["topic"] != TOPIC:
                raise ListError("this record is not of the drawing of lists")
            self.roots: list[dict[str, Any]] = [_root(each) for each in data["roots"]]
            self.election = str(data["election"])
        except (ValueError, KeyError, TypeError, NoteError):
            raise ListError("this record names no roots of lists") from None

    def standing(self, found: dict[str, Any], rows: int, line: str | None = None) -> Standing:
        """Raises ListError when another number of lines is on record."""
        if found.get("rows") not in (None, rows):
            raise ListError("another number of lines was put on record")
        root = bytes.fromhex(found["root"])
        return Standing(self.election, found["name"], root, rows, self.position, self.checkpoint, line)


#: What a check raises when something is not as it must be.
WRONG: Final = (ListError, NoteError, ProofError)
