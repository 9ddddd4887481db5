"""Answers waiting to be read: in memory at first, on disk when their reader is slow."""

from __future__ import annotations

import asyncio
import tempfile
from collections import deque
from typing import IO, Final

#: Bytes kept in memory before the rest goes to a temporary file (contract: section 3).
IN_MEMORY: Final = 1 << 20
_PIECE: Final = 1 << 16


class Spool:
    """A pipe without back-pressure, for one task: whoever writes never waits, however slow the reader is."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._file: IO[bytes] | None = None
        self._read, self._written = 0, 0
        self._news = asyncio.Event()
        self._ended = False

    @property
    def on_disk(self) -> int:
        """Bytes in the file that were not read yet."""
        return self._written - self._read

    def write(self, data: bytes) -> None:
        """Add bytes. They go to the file as long as there are others in it, so that the order is kept."""
        if self._read < self._written or self._size + len(data) > IN_MEMORY:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
            self._file.seek(self._written)
            self._written += self._file.write(data)
        else:
            self._chunks.append(data)
            self._size += len(data)
        self._news.set()

    def end(self) -> None:
        """Nothing more will be written."""
        self._ended = True
        self._news.set()

    async def read(self) -> bytes:
        """Wait for the next bytes, and return them; empty at the end."""
        while not self._chunks and self._read == self._written:
            if self._ended:
                return b""
            self._news.clear()
            await self._news.wait()
        if self._chunks:
            chunk = self._chunks.popleft()
            self._size -= len(chunk)
            return chunk
        return self._read_file(self._file) if self._file is not None else b""

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()

    def _read_file(self, file: IO[bytes]) -> bytes:
        file.seek(self._read)
        piece = file.read(min(_PIECE, self._written - self._read))
        self._read += len(piece)
        if self._read == self._written:
            file.seek(0)
            file.truncate()
            self._read = self._written = 0
        return piece
