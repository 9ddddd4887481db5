"""Writes notices as lines of JSON, from templates: the words of generated people need no escaping.

A line is a CloudEvents 1.0 message (contract, section 2). ``Numbering`` gives the senders' own numbers.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date
from functools import lru_cache
from typing import Final, Literal

import msgspec

from register.law.provisions import ProblemKind

Expected = ProblemKind | Literal["recorded", "repeated"]

_URN: Final = "urn:cvr:authority:"
#: Every type that must be able to stand in a control total, by the role of its sender.
TYPES_OF: Final[dict[str, tuple[str, ...]]] = {
    "registry-office": ("citizen", "personal-data", "death"),
    "residence-authority": ("residence", "residence-ended", "jmb-replaced", "entity-option"),
    "ministry": ("citizenship", "citizenship-ended", "refugee-status", "refugee-status-ended"),
    "court": ("capacity-withdrawn", "capacity-restored", "voting-barred", "voting-bar-ended"),
    "municipal-commission": (
        "voting-option", "reported-deceased", "polling-station", "polling-station-abolished",
    ),
    "cec": ("voting-option", "reported-deceased"),
}  # fmt: skip


class Line(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One line of the feed, and what must become of it.

    ``body`` is the message without line end. ``day`` is the day of its ``time`` (proleptic ordinal). Lines of one
    ``chain`` mean what they mean only in their order: an annulment after what it annuls, a repetition after the first.
    ``mark`` names what is noteworthy about it. ``counted`` is False where the sender's control total leaves it out.
    """

    body: bytes
    source: str
    id: str
    kind: str
    day: int
    expect: Expected = "recorded"
    chain: str | None = None
    mark: str | None = None
    counted: bool = True

    @property
    def written(self) -> bytes:
        """The line as NDJSON."""
        return self.body + b"\n"


class Numbering:
    """The running number that each sender gives its notices, one for each of its desks: ``2026-17-0123``.

    A desk is a part of the feed that is made without knowing the rest of it, so that several can be made at once.
    """

    def __init__(self, desk: str) -> None:
        self._desk = desk
        self._last: defaultdict[str, int] = defaultdict(int)

    def next(self, source: str, day: int) -> str:
        """Return the next id of a sender for a notice sent on a day."""
        self._last[source] = number = self._last[source] + 1
        return f"{day_text(day)[:4]}-{self._desk}-{number:04d}"


@lru_cache(maxsize=1 << 16)
def day_text(day: int) -> str:
    """Return the ordinal ``day`` as ``YYYY-MM-DD``."""
    return date.fromordinal(day).isoformat()


def write(
    numbering: Numbering, source: str, kind: str, day: int, second: int, data: str, mark: str | None = None
) -> Line:
    """Write one notice.

    ``data`` is the inside of its data object as JSON, ``second`` the second of the working day (0 to 28,799): notices
    are sent between 6 and 14 o'clock UTC, so that the day is the same one in Sarajevo.
    """
    notice_id = numbering.next(source, day)
    body = (
        f'{{"specversion":"1.0","id":"{notice_id}","source":"{_URN}{source}","type":"ba.cvr.{kind}.v1","time":"'
        f'{day_text(day)}T{second // 3600 + 6:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z",'
        f'"datacontenttype":"application/json","data":{{{data}}}}}'
    )
    return Line(body.encode(), source, notice_id, kind, day, mark=mark)


def document(kind: str, number: int, issued_by: str, issued_on: int) -> str:
    """Return the document member, with a leading comma."""
    return (
        f',"document":{{"kind":"{kind}","number":"{number}/{day_text(issued_on)[2:4]}",'
        f'"issued_by":"{issued_by}","issued_on":"{day_text(issued_on)}"}}'
    )


def change(line: Line, **members: object) -> bytes:
    """Return the message with members of its data replaced, or taken out where the value is None."""
    message = json.loads(line.body)
    message["data"] |= members
    message["data"] = {name: value for name, value in message["data"].items() if value is not None}
    return compact(message)


def compact(message: object) -> bytes:
    """Return a message as one line of JSON."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
