"""Special records: whose right to vote was withdrawn, on what basis, from when until when (Art. 3.6 d; R5, R6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from register.law.dossier import in_order, live
from register.law.effects import PersonNotice
from register.law.events import CapacityRestored, CapacityWithdrawn, Event, VotingBarEnded, VotingBarred
from register.law.franchise import ARTICLES, Ground

_BARS: dict[str, Ground] = {"1.6": "barred-1.6", "1.7": "barred-1.7", "1.7a": "barred-1.7a"}


class Withdrawal(msgspec.Struct, frozen=True):
    """One decision that withdrew the right for the days ``[from_, to)``; ``to`` None: still open.

    ``cause`` is the event with the decision and its document, ``end`` the one that ended it. A bar that was ended
    before it began holds on no day: ``to`` is then ``from_``.
    """

    ground: Ground
    article: str
    from_: date
    to: date | None
    cause: Event
    end: Event | None

    def in_force(self, day: date) -> bool:
        """Whether it holds on a day."""
        return self.from_ <= day and (self.to is None or day < self.to)


def withdrawals(events: Iterable[Event]) -> tuple[Withdrawal, ...]:
    """The withdrawals of one person, past and present, by position of the decision (Art. 3.6 d; R5, R6).

    ``events``: all events of the person's numbers, in any order. Annulled notices and partial withdrawals of capacity
    withdraw nothing.
    """
    ordered = in_order(live(events))
    found = [
        withdrawal
        for place, (event, data) in enumerate(ordered)
        if (withdrawal := _withdrawal(event, data, ordered, ordered[place + 1 :])) is not None
    ]
    return tuple(sorted(found, key=lambda withdrawal: withdrawal.cause.position))


def _withdrawal(
    event: Event,
    data: PersonNotice,
    ordered: Sequence[tuple[Event, PersonNotice]],
    later: Sequence[tuple[Event, PersonNotice]],
) -> Withdrawal | None:
    """R5: until the next restoration, whatever was withdrawn between. R6: until the earliest end that names the bar."""
    match data:
        case CapacityWithdrawn(extent="full"):
            ends = [pair for pair in later if isinstance(pair[1], CapacityRestored)]
            ground: Ground = "legal-capacity-withdrawn"
        case VotingBarred():
            ends = [
                (e, d)
                for e, d in ordered
                if isinstance(d, VotingBarEnded) and d.names(e.source) == (event.source, event.id)
            ]
            ground = _BARS[data.ground]
        case _:
            return None
    end, until = None, None
    if ends:
        end, until = ends[0][0], max(data.effective_on, ends[0][1].effective_on)
    return Withdrawal(ground, ARTICLES[ground], data.effective_on, until, event, end)
