"""The register notes that the roll of a concluded election was frozen (Art. 3.6 e).

Freezing is the projection's: it writes the roll into a table. Here its digest becomes an event. A crash between the
two leaves a frozen roll nobody told of; the next turn tells of it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import psycopg

from register.law.events import REGISTER, RollFrozen
from register.projection import rolls
from register.store import Pending, Store

Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]


class Freezer:
    """Freezes what waits for it, and notes it. Cheap to call often: it remembers which rolls it knows to be noted.

    ``connect`` opens a connection as the program; ``municipalities`` are the codes of all municipalities;
    with ``dsn``, which connects as the program, so many ``processes`` fold a great roll.
    """

    def __init__(
        self,
        connect: Connect,
        store: Store,
        municipalities: Collection[str],
        *,
        clock: Callable[[], datetime],
        entropy: Callable[[int], bytes],
        dsn: str | None = None,
        processes: int = 1,
    ) -> None:
        self._connect = connect
        self._store = store
        self._municipalities = municipalities
        self._clock = clock
        self._entropy = entropy
        self._dsn = dsn
        self._processes = processes
        self._noted: set[str] = set()

    def freeze_waiting(self) -> list[rolls.FrozenRoll]:
        """Freeze the roll of each election that the tables know to be concluded, and note each; those just noted.

        Raises ``Refusal("id-conflict")`` when a roll frozen again (after a rebuild) is not the one noted before.
        """
        done = []
        with self._connect() as connection:
            waiting = rolls.waiting(connection)
            self._noted.difference_update(waiting)
            for election in [*waiting, *self._untold(connection)]:
                frozen = rolls.freeze(
                    connection,
                    self._store,
                    election,
                    self._municipalities,
                    dsn=self._dsn,
                    processes=self._processes,
                )
                connection.commit()
                if self._note(frozen):
                    done.append(frozen)
        return done

    def _untold(self, connection: psycopg.Connection[Any]) -> list[str]:
        """Elections whose roll is frozen, not known to be noted."""
        rows = connection.execute("SELECT election FROM projection.frozen_roll ORDER BY conclusion").fetchall()
        return [election for (election,) in rows if election not in self._noted]

    def _note(self, frozen: rolls.FrozenRoll) -> bool:
        now = self._clock()
        pending = Pending(
            source=REGISTER,
            id=f"roll-frozen:{frozen.election}",
            time=now,
            data=RollFrozen(
                election=frozen.election, conclusion=frozen.conclusion, voters=frozen.voters, sha256=frozen.sha256
            ),
            salt=base64.b64encode(self._entropy(16)).decode(),
        )
        (receipt,) = self._store.append([pending], now=now)
        if receipt.refusal is not None:
            raise receipt.refusal
        self._noted.add(frozen.election)
        return receipt.status == "recorded"
