"""The signatures of an export: the log's, by the keys that count, and those of the witnesses that a policy names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from register.audit.offline.checks import Finding
from register.audit.offline.form import NotAnExportError, lines_of, read_json
from register.audit.offline.trust import Keys, Turn, Witnessed, turn_of
from register.audit.offline.verdict import DAMAGED, Check
from register.log.note import LARGEST_NOTE, Checkpoint, NoteError, VerifierKey, parse_checkpoint, parse_key, parse_note
from register.log.policy import Policy

#: What a list of checkpoints may raise that is none.
_UNREADABLE: Final = (*DAMAGED, ValueError, KeyError, TypeError, AttributeError, NoteError)


def trusted_keys(index: dict[str, Any], key: str | None, policy: Policy | None) -> list[VerifierKey]:
    """The keys of the log that the caller is sure of. Raises NotAnExportError for a line that is none."""
    if key is None and policy is not None and policy.logs:
        return [log for log in policy.logs if log.name == index["origin"]]
    try:
        return [parse_key(str(index["key"]) if key is None else key)]
    except NoteError as error:
        raise NotAnExportError(f"the log's key cannot be read: {error}") from None


def check_signatures(
    folder: Path, index: dict[str, Any], trusted: list[VerifierKey], seen: tuple[bytes, ...], policy: Policy | None
) -> tuple[Check, list[Checkpoint], Witnessed | None]:
    """The newest checkpoint and those kept elsewhere bear the log's signature; the others are read."""
    check = Check("the newest checkpoint, and those kept elsewhere, are signed by the log")
    witnessed = None if policy is None else Witnessed(policy)
    listed: list[Checkpoint] = []
    try:
        for line in lines_of(folder, index["checkpoints"]):
            note = read_json(line)["note"].encode()
            head = parse_checkpoint(parse_note(note).text)
            if head.origin != index["origin"] or not (listed[-1].size if listed else -1) < head.size <= index["size"]:
                check.add("the list of checkpoints is not in order, or holds one of another log")
                break
            listed.append(head)
            if witnessed is not None:
                witnessed.take(note)
    except _UNREADABLE:
        check.add("the list of checkpoints cannot be read")
    newest = _newest(folder)
    checkpoints = []
    for note, found in zip((newest, *seen), _verified(folder, index, trusted, (newest, *seen)), strict=True):
        check.count += 1
        if isinstance(found, NoteError):
            check.add(f"a checkpoint that the log did not sign: {found}")
            continue
        checkpoints.append(found)
        if witnessed is not None:
            witnessed.take(note)
    if checkpoints and (checkpoints[0].size, checkpoints[0].origin) != (index["size"], index["origin"]):
        check.add("the newest checkpoint is of another size or log than the export says")
    return check, checkpoints + listed, witnessed


def _newest(folder: Path) -> bytes:
    """The newest checkpoint; nothing when it cannot be read, and no more than a note may have."""
    try:
        with (folder / "checkpoint").open("rb") as file:
            return file.read(LARGEST_NOTE + 1)
    except OSError:
        return b""


def _verified(
    folder: Path, index: dict[str, Any], trusted: list[VerifierKey], notes: tuple[bytes, ...]
) -> list[Checkpoint | NoteError]:
    """Each note's checkpoint, or why it does not count. Only when one does not, the history is asked for other keys."""
    keys = Keys(trusted)
    found = [_head_of(keys, note) for note in notes]
    if any(isinstance(one, NoteError) for one in found):
        keys.follow(_turns(folder, index), _notes(folder, index))
        found = [_head_of(keys, note) for note in notes]
    return found


def _head_of(keys: Keys, note: bytes) -> Checkpoint | NoteError:
    try:
        return keys.check(note)
    except NoteError as error:
        return error


def _turns(folder: Path, index: dict[str, Any]) -> list[Turn]:
    """What the records say about the log's keys, as far as they can be read; the rest is named elsewhere."""
    turns: list[Turn] = []
    position = 0
    try:
        for described in index["records"]:
            for line in lines_of(folder, described):
                position += 1
                turn = turn_of(position, line)
                if turn is not None:
                    turns.append(turn)
    except DAMAGED:
        pass
    return turns


def _notes(folder: Path, index: dict[str, Any]) -> list[bytes]:
    try:
        return [read_json(line)["note"].encode() for line in lines_of(folder, index["checkpoints"])]
    except _UNREADABLE:
        return []


def retired(folder: Path, trusted: list[VerifierKey], turns: list[Turn]) -> list[Finding]:
    """A newest checkpoint that only a key signed which the history under it retires."""
    note = _newest(folder)
    keys = Keys(trusted)
    if isinstance(_head_of(keys, note), NoteError):  # named already, or signed by a key that came later
        return []
    ends = [turn for turn in turns if turn.retired]
    keys.follow(ends, [])
    if isinstance(_head_of(keys, note), NoteError):
        return [Finding("the newest checkpoint bears the signature of a retired key only", ends[0].position)]
    return []


def check_quorum(witnessed: Witnessed, newest: list[Checkpoint], size: int) -> Check:
    """Enough witnesses cosigned the newest checkpoint (the first of ``newest``, of this size), and none badly."""
    check = Check("the newest checkpoint is cosigned by the witnesses that the policy demands")
    for what, at in witnessed.wrong:
        check.add(f"size {at}: {what}")
    enough, check.count = witnessed.quorum(newest[0]) if newest and newest[0].size == size else (False, 0)
    if not enough:
        check.add(f"{check.count} of its witnesses cosigned it, too few for the quorum")
    return check
