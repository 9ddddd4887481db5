"""Bytes in, lines out: decompressing and splitting a feed of any length in flat memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

import zstandard

from register.intake.parse import MAX_BYTES

#: At most so many bytes come out of a decompressor at once, however small what went in.
_PIECE: Final = 1 << 20
#: So much is fed to zstd at a time: a block of it takes three bytes and gives at most 128 KiB.
_ZSTD_SLICE: Final = 256
#: Largest window of zstd that is accepted, as its own command line does by default.
_ZSTD_WINDOW: Final = 1 << 27


class Line(NamedTuple):
    """A line of a feed, counted from 1, without its line break; of one that is too long only the beginning."""

    number: int
    content: bytes


class BrokenFeedError(Exception):
    """The compressed feed is damaged, or ends before its end."""


class Decoder(Protocol):
    """Undoes a content encoding (RFC 9110, section 8.4)."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes and give what comes out of them. Raises :class:`BrokenFeedError`."""
        ...

    def finish(self) -> None:
        """Raise :class:`BrokenFeedError` unless what was fed is whole."""
        ...


class Identity:
    """No encoding at all."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give the bytes as they are."""
        yield data

    def finish(self) -> None:
        """Any end is an end."""


class Gzip:
    """gzip, one or several members (RFC 1952)."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(31)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """See :class:`Decoder`."""
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(31)
            self._begun = True
            try:
                piece = self._member.decompress(data, _PIECE)
            except zlib.error:
                raise BrokenFeedError("The gzip feed is damaged") from None
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            yield piece

    def finish(self) -> None:
        """See :class:`Decoder`."""
        if self._begun and not self._member.eof:
            raise BrokenFeedError("The gzip feed ends before its end")


class Zstd:
    """zstd, one or several frames (RFC 8878)."""

    def __init__(self) -> None:
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._frame = self._decompressor.decompressobj()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """See :class:`Decoder`."""
        for start in range(0, len(data), _ZSTD_SLICE):
            left = data[start : start + _ZSTD_SLICE]
            while left:
                if self._frame.eof:
                    self._frame = self._decompressor.decompressobj()
                self._begun = True
                try:
                    piece = self._frame.decompress(left)
                except zstandard.ZstdError:
                    raise BrokenFeedError("The zstd feed is damaged") from None
                left = self._frame.unused_data if self._frame.eof else b""
                yield piece

    def finish(self) -> None:
        """See :class:`Decoder`."""
        if self._begun and not self._frame.eof:
            raise BrokenFeedError("The zstd feed ends before its end")


DECODERS: Final[dict[str, type[Identity | Gzip | Zstd]]] = {
    "identity": Identity,
    "gzip": Gzip,
    "x-gzip": Gzip,
    "zstd": Zstd,
}


class Splitter:
    """Splits bytes into lines. Blank lines count, but are not given. Of a long line it holds 64 KiB and one byte."""

    def __init__(self) -> None:
        #: Lines seen so far, blank ones included.
        self.number = 0
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Line]:
        """Take the next bytes and give the lines they complete."""
        first, *others = data.split(b"\n")
        # What is beyond the limit of a line is let go at once: only that it is too long matters.
        self._rest += first[: MAX_BYTES + 1 - len(self._rest)]
        for other in others:
            yield from self._line()
            self._rest = other[: MAX_BYTES + 1]

    def finish(self) -> Iterator[Line]:
        """Give the last line, where the feed does not end with a line break."""
        yield from self._line()

    def _line(self) -> Iterator[Line]:
        content, self._rest = self._rest, b""
        self.number += 1
        if content and not content.isspace():
            yield Line(self.number, content)
