"""Between which instants an event can have been recorded, by the times of cosignatures. Standard library only.

A quorum that cosigned a head of size s at T says two things: what lies below s was there by T, and what lies beyond s
was not yet shown to it. So a record at a position up to s cannot claim to be recorded after T, and one beyond s cannot
claim to be recorded long before T. Nothing rests on one witness's clock: T is always a time by which, or from which
on, enough of them for the quorum had cosigned.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from register.log.note import Cosignature, VerifierKey
from register.log.policy import Policy

#: How far the clocks of register and witnesses may differ, in seconds.
SKEW: Final = 300
#: How old the head may be that a witness cosigns, in seconds: a witness that is shown the log by file or e-mail signs
#: what was newest when the file was made. The register keeps no cosignature that came later than that.
LAG: Final = 3_600

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: What no time of a record goes below or beyond.
_FIRST: Final = b"0000"
_LAST: Final = b"9999"


class Span(NamedTuple):
    """Positions up to ``last`` (of the span before it on) claim times from ``not_before`` to ``not_after``.

    Both bounds are written as records write a time (``2026-08-01T08:00:00.000000Z``), so that bytes compare as times.
    """

    last: int
    not_before: bytes
    not_after: bytes


def spans(
    policy: Policy, heads: Iterable[tuple[int, Iterable[Cosignature]]], *, skew: int = SKEW, lag: int = LAG
) -> list[Span]:
    """What the cosignatures of these heads (size, cosignatures) allow, in the order of positions.

    The last span has no end that anybody cosigned: its ``last`` is 2^63.
    """
    by_size: dict[int, list[Cosignature]] = {}
    for size, found in heads:
        by_size.setdefault(size, []).extend(found)
    sizes = sorted(by_size)
    ends = _ends(policy, by_size, sizes)
    begins = _begins(policy, by_size, sizes)
    allowed = []
    for index, size in enumerate([*sizes, 1 << 63]):
        after = begins[index - 1] if index else None
        before = ends[index] if index < len(ends) else None
        allowed.append(
            Span(
                size,
                _FIRST if after is None else _written(after - lag),
                _LAST if before is None else _written(before + skew),
            )
        )
    return allowed


def _ends(policy: Policy, by_size: dict[int, list[Cosignature]], sizes: Sequence[int]) -> list[int | None]:
    """For each size, by when a quorum had cosigned a head that covers it."""
    times: dict[VerifierKey, int] = {}
    found: list[int | None] = []
    for size in reversed(sizes):
        for one in by_size[size]:
            times[one.key] = min(one.time, times.get(one.key, one.time))
        found.append(policy.reached(times))
    return found[::-1]


def _begins(policy: Policy, by_size: dict[int, list[Cosignature]], sizes: Sequence[int]) -> list[int | None]:
    """For each size, since when a quorum had seen nothing beyond it."""
    times: dict[VerifierKey, int] = {}
    found: list[int | None] = []
    for size in sizes:
        for one in by_size[size]:
            times[one.key] = max(one.time, times.get(one.key, one.time))
        found.append(policy.stood(times))
    return found


def _written(time: int) -> bytes:
    if time < 0:
        return _FIRST
    try:
        instant = _EPOCH + timedelta(seconds=time)
    except OverflowError:
        return _LAST
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode().rjust(27, b"0")
