"""Order of arrival must not matter: a feed and the same feed shuffled give the same register, on every day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any

from register.app.http import build
from register.intake.lines import Line as IntakeLine
from register.law.competence import caller_for
from register.projection.projector import follow
from register.rehearsal.generate import Feed, shuffle
from register.rehearsal.generate import Line as FeedLine
from register.settings import Settings
from register.store import Prepared

UNTIL = date(2026, 11, 1)


def taken_in(settings: Settings, lines: Iterable[FeedLine], batch: int) -> tuple[Counter[str], list[tuple[Any, ...]]]:
    """Send lines in the order given, each as its authority; what became of them, and the register it makes.

    The register: every stretch known at the end, by the number it shows and not by identities, with the station that
    covers its address.
    """
    fates: Counter[str] = Counter()
    with build(settings) as system:
        pending: list[Prepared] = []
        for line in lines:
            ((_, _, verdict, _),) = system.intake.judge([IntakeLine(1, line.body)], caller_for(line.source, "a test"))
            if isinstance(verdict, Prepared):
                pending.append(verdict)
            else:
                fates["refused"] += 1
        for start in range(0, len(pending), 150):
            receipts = system.store.append(pending[start : start + 150], now=system.clock())
            fates.update("refused" if receipt.status == "refused" else "recorded" for receipt in receipts)
        with system.database.psycopg() as connection:
            while follow(connection, system.store, limit=batch):
                pass
            rows = connection.execute(
                """
                SELECT s.jmb, s.days::text, s.entered, s.grounds, s.surname, s.given_name, s.parent_name, s.sex,
                       s.born_on, s.municipality, s.settlement, s.street, s.house_number, s.counts_in, s.entity,
                       s.voting_option, s.mobile_team, s.marked_deceased, c.days::text, c.station
                FROM projection.stretch s
                LEFT JOIN projection.coverage c ON c.municipality = s.municipality AND c.address_key = s.address_key
                     AND upper_inf(c.known)
                WHERE upper_inf(s.known)
                """
            ).fetchall()
    return fates, sorted(rows, key=str)


def test_a_shuffled_feed_gives_the_same_register(settings: Settings, other_settings: Settings) -> None:
    """Given a messy feed, when it comes shuffled (annulments after what they annul), then the register is the same."""
    lines = list(Feed(250, seed=7, municipalities=["10049", "30163"], messy=True, until=UNTIL))
    shuffled = shuffle(lines, seed=11)
    assert [line.id for line in shuffled] != [line.id for line in lines]
    fates, register = taken_in(settings, lines, batch=5_000)
    other_fates, other_register = taken_in(other_settings, shuffled, batch=37)
    assert fates == other_fates
    assert fates["refused"] > 0
    assert len(register) > 500
    assert register == other_register
