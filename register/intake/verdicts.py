"""What becomes of a line before anything else is known: read, judged by itself, and written down. No database."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Collection, Sequence
from datetime import date
from typing import Final, NamedTuple

from register.intake.failures import Failure, failure_of
from register.intake.judge import judge
from register.intake.lines import Line
from register.intake.parse import Unreadable, parse
from register.law.competence import Caller
from register.law.provisions import Refusal
from register.law.timeliness import effective_day
from register.store import Pending, Prepared, prepare

#: Bytes of the salt of one notice.
SALT: Final = 16


class Judged(NamedTuple):
    """A line after reading and judging: to be recorded, refused, or not judged because of a bug.

    ``id`` is None where it could not be read.
    """

    line: Line
    id: str | None
    verdict: Prepared | Refusal | Failure
    effective_on: date | None = None


def judge_lines(
    lines: Sequence[Line], caller: Caller, *, received: date, salts: bytes, municipalities: Collection[str]
) -> list[Judged]:
    """Read and judge lines received on a day (Europe/Sarajevo). A bug that shows in one of them is that line's alone.

    ``salts`` are :data:`SALT` random bytes for each line.
    """
    return [
        _judged(line, caller, received, salts[n * SALT : (n + 1) * SALT], municipalities)
        for n, line in enumerate(lines)
    ]


def _judged(line: Line, caller: Caller, received: date, salt: bytes, municipalities: Collection[str]) -> Judged:
    notice_id: str | None = None
    try:
        message = parse(line.content)
        notice_id = message.id
        if isinstance(message, Unreadable):
            return Judged(line, notice_id, message.refusal)
        refusal = judge(message, caller, received=received, municipalities=municipalities)
        if refusal is not None:
            return Judged(line, notice_id, refusal)
        pending = Pending(
            source=message.source,
            id=message.id,
            time=message.time,
            data=message.data,
            salt=b2a_base64(salt, newline=False).decode(),
        )
        return Judged(line, notice_id, prepare(pending, message.written), effective_day(message.data))
    except Exception as error:  # noqa: BLE001 - a 500 for this line: every resend would take down those beside it
        return Judged(line, notice_id, failure_of(error))
