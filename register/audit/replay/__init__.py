"""The register folded again from its events alone, as of any knowledge and any day.

``stored`` reads the event store, ``exported`` an auditor's export without any database, on the cores of this machine or
(``cluster``) on those of many. ``lines`` holds what is the same for all of them: what a row says, and how the lines of
parts become one text. The bytes are the same wherever the work was done. ``parquet`` makes a Parquet file of them.
"""

from register.audit.replay.exported import ExportError, Spread, on_cores, replay_export, size_of
from register.audit.replay.lines import COLUMNS, PositionError, Progress, Replayed, Sink
from register.audit.replay.stored import replay

__all__ = [
    "COLUMNS",
    "ExportError",
    "PositionError",
    "Progress",
    "Replayed",
    "Sink",
    "Spread",
    "on_cores",
    "replay",
    "replay_export",
    "size_of",
]
