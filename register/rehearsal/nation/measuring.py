"""What the kernel says of processes (proc(5)), and the database of its tables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_SIZES: Final = """
    SELECT coalesce(pg_partition_root(c.oid), c.oid)::regclass::text,
           sum(pg_table_size(c.oid))::int8, sum(pg_indexes_size(c.oid))::int8
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_t'
    GROUP BY 1 ORDER BY 1
"""


class _Process(NamedTuple):
    parent: int
    #: Ticks of processor time: its own, and of its children that have ended and were waited for.
    own: int
    waited: int


class Meter:
    """Measures everything this process has started, save the database's processes, from its making on.

    ``server``: the id of the database's first process, None where it cannot be seen.
    """

    def __init__(self, server: int | None) -> None:
        self._server = server
        self._begun = self._ticks()
        #: The most memory that one process held, in MiB, as far as :meth:`look` saw.
        self.peak_rss_mib = 0.0

    def look(self) -> None:
        """Take note of the memory that is held; to be called often."""
        for process in _descendants(_processes(), os.getpid(), self._server):
            self.peak_rss_mib = max(self.peak_rss_mib, _peak_rss_mib(process))

    def cpu_seconds(self) -> tuple[float, float | None]:
        """Processor time since the beginning: of this program's processes, and of the database's."""
        own, server = (now - begun for now, begun in zip(self._ticks(), self._begun, strict=True))
        return own / _TICKS, None if self._server is None else server / _TICKS

    def _ticks(self) -> tuple[int, int]:
        seen = _processes()
        own = sum(seen[p].own + seen[p].waited for p in _descendants(seen, os.getpid(), self._server))
        if self._server is None or self._server not in seen:
            return own, 0
        first = seen[self._server]
        return own, first.own + first.waited + sum(seen[p].own for p in _descendants(seen, self._server, None))


def server_of(connection: psycopg.Connection[Any]) -> int | None:
    """The id of the first process of a connection's server; None when it runs on another machine, or unseen."""
    process = _processes().get(connection.info.backend_pid)
    if process is None or not connection.info.host.startswith("/"):
        return None
    return process.parent


def table_sizes(connection: psycopg.Connection[Any]) -> dict[str, tuple[int, int]]:
    """Bytes of each table, and of its indexes; a partitioned table's are those of its parts."""
    return {table: (size, indexes) for table, size, indexes in connection.execute(_SIZES)}


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder, 0 when there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _processes() -> dict[int, _Process]:
    found = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208  often: names are enough
        if not entry.isdigit():
            continue
        try:
            stat = Path("/proc", entry, "stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        fields = stat.rpartition(")")[2].split()
        utime, stime, waited_utime, waited_stime = map(int, fields[11:15])
        found[int(entry)] = _Process(int(fields[1]), utime + stime, waited_utime + waited_stime)
    return found


def _descendants(seen: dict[int, _Process], of: int, without: int | None) -> list[int]:
    """The processes below one, and not below another."""
    found: list[int] = []
    parents = {of}
    while parents:
        children = {p for p, process in seen.items() if process.parent in parents and p != without}
        found.extend(children)
        parents = children
    return found


def _peak_rss_mib(process: int) -> float:
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it has ended
    lines = (line.split() for line in status.splitlines() if line.startswith("VmHWM:"))
    return next((int(line[1]) / 1024 for line in lines), 0.0)
