"""The ceiling of everything that records: prebuilt binary COPY of the very rows that were recorded, same indexes."""

from __future__ import annotations

from typing import Final

from register.rehearsal.bench.ground import BATCH, Beside, Connection, stopwatch

#: The table, which of its rows belong to the positions {after} < position <= {upto}, and their order.
_ROWS: Final = {
    "store.event": ("notification_id > {after} AND notification_id <= {upto}", "notification_id"),
    "store.event_key": ("position > {after} AND position <= {upto}", "position"),
    "store.subject": (
        """
        stream IN (SELECT originator_id FROM store.event
                   WHERE originator_version = 1 AND notification_id > {after} AND notification_id <= {upto})
        """,
        "stream",
    ),
}


class Recorded:
    """Rows of the event store, written once more beside it; the tables beside grow as the store does."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._beside = Beside(connection, _ROWS)
        self._beside_alone = Beside(connection, ["store.event"], schema="bench_alone")

    def seconds(self, after: int, upto: int) -> tuple[float, float]:
        """How long COPY of what was recorded at these positions takes: all three tables, and the event table alone.

        A transaction for each batch, as when it was recorded.
        """
        prebuilt = [
            {
                table: self._beside.taken_out(table, where.format(after=start, upto=min(start + BATCH, upto)), order)
                for table, (where, order) in _ROWS.items()
            }
            for start in range(after, upto, BATCH)
        ]
        self._connection.commit()
        with stopwatch() as all_tables:
            for batch in prebuilt:
                for table, stream in batch.items():
                    self._beside.put_in(table, stream)
                self._connection.commit()
        with stopwatch() as alone:
            for batch in prebuilt:
                self._beside_alone.put_in("store.event", batch["store.event"])
                self._connection.commit()
        return all_tables[0], alone[0]
