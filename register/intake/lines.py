"""Bytes in, lines out: decompressing and splitting a feed of any length in flat memory."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple, Protocol

import zstandard

from register.intake.parse import MAX_BYTES
from register.law.provisions import ProblemKind

#: At most so many bytes, and so many lines, are given in one step, however small what went in.
PIECE: Final = 1 << 18
LINES: Final = 1_000
#: A feed that unpacks to more than ``UNQUESTIONED`` bytes is refused when that is more than ``RATIO`` times its packed
#: size. Measured: feeds of notices unpack to 11 times their size (gzip -9) or 16 times (zstd -19).
RATIO: Final = 200
UNQUESTIONED: Final = 16 << 20
#: So much is fed to zstd at a time: a block of it takes three bytes and gives at most 128 KiB.
_ZSTD_SLICE: Final = 256
#: Largest window of zstd that is accepted, as its own command line does by default.
_ZSTD_WINDOW: Final = 1 << 27
_NOT_BLANK: Final = re.compile(rb"\S")


class Line(NamedTuple):
    """A line of a feed, counted from 1, without its line break; of one that is too long only the beginning."""

    number: int
    content: bytes


class BrokenFeedError(Exception):
    """The compressed feed is damaged, or ends before its end."""

    kind: ProblemKind = "malformed"


class SwollenFeedError(BrokenFeedError):
    """The compressed feed unpacks to far more than notices would."""

    kind: ProblemKind = "too-large"


class SlowFeedError(BrokenFeedError):
    """The sender has all but stopped sending."""

    kind: ProblemKind = "rate"


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
                piece = self._member.decompress(data, PIECE)
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
    """Splits bytes into lines. Blank lines count, but are not given. Of a long line it holds 64 KiB and one byte.

    Blank lines cost no step of the interpreter, however many there are: a few bytes of a packed feed can hold millions.
    """

    def __init__(self) -> None:
        #: Lines seen so far, blank ones included.
        self.number = 0
        self._rest = b""
        self._blank = True

    def feed(self, data: bytes) -> Iterator[Line]:
        """Take the next bytes and give the lines they complete."""
        end = data.find(b"\n")
        self._add(data if end < 0 else data[:end])
        if end < 0:
            return
        yield from self._line()
        at, last = end + 1, data.rfind(b"\n") + 1
        if last > at and (lines := self._objects(data, at, last)) is not None:
            yield from lines
            self._add(data[last:])
            return
        while found := _NOT_BLANK.search(data, at, last):
            begin = max(at, data.rfind(b"\n", at, found.start()) + 1)
            end = data.find(b"\n", found.start())
            self.number += data.count(b"\n", at, begin) + 1
            yield Line(self.number, data[begin : min(end, begin + MAX_BYTES + 1)])
            at = end + 1
        self.number += data.count(b"\n", at, last)
        self._add(data[last:])

    def _objects(self, data: bytes, at: int, last: int) -> list[Line] | None:
        """The lines from ``at`` to ``last`` where each begins as a notice does and none is too long; else None."""
        count = data.count(b"\n", at, last)
        if not data.startswith(b"{", at) or data.count(b"\n{", at, last) != count - 1:
            return None
        contents = data[at : last - 1].split(b"\n")
        if max(map(len, contents)) > MAX_BYTES:
            return None
        begin = self.number + 1
        self.number += count
        return [Line(number, content) for number, content in enumerate(contents, begin)]

    def finish(self) -> Iterator[Line]:
        """Give the last line, where the feed does not end with a line break."""
        yield from self._line()

    def _add(self, part: bytes) -> None:
        """Go on with a line. What is beyond the limit is let go at once: only that it is too long matters."""
        self._blank = self._blank and (not part or part.isspace())
        self._rest += part[: MAX_BYTES + 1 - len(self._rest)]

    def _line(self) -> Iterator[Line]:
        content, blank = self._rest, self._blank
        self._rest, self._blank = b"", True
        self.number += 1
        if not blank:
            yield Line(self.number, content)


class Feed:
    """The body of a request, or a file, on its way to lines; in steps, none of which takes long or holds much."""

    def __init__(self, encoding: str) -> None:
        self._decoder: Identity | Gzip | Zstd = DECODERS[encoding]()
        self._splitter = Splitter()
        self._packed, self._unpacked = 0, 0
        #: The first 64 KiB as they came, for the journal should the feed be refused whole.
        self.beginning = b""

    @property
    def plain(self) -> bool:
        """Whether the feed is not packed at all."""
        return isinstance(self._decoder, Identity)

    @property
    def number(self) -> int:
        """Lines seen so far, blank ones included."""
        return self._splitter.number

    def keep(self, data: bytes) -> bool:
        """Keep the beginning of the feed, without reading what it says; whether there is room for more of it."""
        self.beginning += data[: MAX_BYTES - len(self.beginning)]
        return len(self.beginning) < MAX_BYTES

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes and give what they unpack to, at most :data:`PIECE` bytes a step.

        Raises :class:`BrokenFeedError`, also when it unpacks to more than any notices would (:data:`RATIO`).
        """
        self.keep(data)
        self._packed += len(data)
        for piece in self._decoder.feed(data):
            self._unpacked += len(piece)
            if self._unpacked > max(UNQUESTIONED, self._packed * RATIO):
                raise SwollenFeedError(f"The feed unpacks to more than {RATIO} times its size")
            for start in range(0, len(piece), PIECE):
                yield piece[start : start + PIECE]

    def lines(self, data: bytes) -> Iterator[list[Line]]:
        """Take the next bytes and give the lines they complete, a step's lines at a time; raises as :meth:`unpack`."""
        for piece in self.unpack(data):
            lines = self._splitter.feed(piece)
            yield list(islice(lines, LINES))
            while more := list(islice(lines, LINES)):
                yield more

    def finish(self) -> list[Line]:
        """Give the last line, where there is one. Raises :class:`BrokenFeedError` unless what was fed is whole."""
        self._decoder.finish()
        return list(self._splitter.finish())
