"""Judging beside the process that records: the same judgement, in processes of its own, a batch at a time.

Reading and judging is half the work of an intake and needs nothing but the lines, so it is done beside the other half.
A helper is this module as a program: questions come in by standard input, answers go out by standard output, each a
length and a message. It ends when its input does, so it never outlives who started it. When a helper is not there yet,
busy with others, or dead, the batch is judged where it is: the result is the same, only later.
"""

from __future__ import annotations

import logging
import os
import select
import struct
import subprocess
import sys
import threading
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import date
from typing import IO, Final, cast

import msgspec

from register.intake.failures import Failure
from register.intake.lines import Line
from register.intake.verdicts import Judged, judge_lines
from register.law.competence import Caller
from register.law.provisions import Fault, ProblemKind, Refusal
from register.store import Prepared

_log: Final = logging.getLogger("register.intake")

#: Fewer lines are judged where they are: they are done before a helper has been asked.
LEAST: Final = 500
#: More helpers than this do not help: one process records.
MOST: Final = 4
_LENGTH: Final = struct.Struct(">I")


class _Beginning(msgspec.Struct, array_like=True):
    """The first message to a helper: the codes of the reference data."""

    municipalities: list[str]


class _Question(msgspec.Struct, array_like=True):
    caller: Caller
    received: date
    salts: bytes
    lines: list[bytes]


class _Refused(msgspec.Struct, array_like=True):
    """A refusal as it is sent: it is an exception, and those have no form of their own."""

    kind: ProblemKind
    detail: str
    provision: str | None
    faults: tuple[Fault, ...]


class _Verdict(msgspec.Struct, array_like=True):
    """What became of a line: ``prepared``, ``refused``, or neither when a bug kept it from being judged."""

    id: str | None
    effective_on: date | None
    prepared: Prepared | None = None
    refused: _Refused | None = None


_write: Final = msgspec.msgpack.Encoder().encode
_read_verdicts: Final = msgspec.msgpack.Decoder(list[_Verdict]).decode


def default_helpers() -> int:
    """As many helpers as there are processors beside the one that records; none where there is no other."""
    return min(MOST, len(os.sched_getaffinity(0)) - 1)


class Crew:
    """At most so many helpers, each started when there is first something for it to do. Safe to use from threads."""

    def __init__(self, municipalities: Collection[str], helpers: int) -> None:
        self._municipalities = frozenset(municipalities)
        self._most = helpers
        self._lock = threading.Lock()
        self._helpers: list[_Helper] = []

    def judge(self, lines: Sequence[Line], caller: Caller, *, received: date, salts: bytes) -> list[Judged]:
        """:func:`judge_lines`, by a helper where one is to be had."""
        helper = self._helper() if len(lines) >= LEAST else None
        if helper is not None:
            question = _Question(caller, received, salts, [line.content for line in lines])
            try:
                answer = helper.ask(question)
            except (OSError, EOFError):
                self._dismiss(helper)
            else:
                return [_judged(line, verdict) for line, verdict in zip(lines, answer, strict=True)]
        return judge_lines(lines, caller, received=received, salts=salts, municipalities=self._municipalities)

    def close(self) -> None:
        """End the helpers."""
        with self._lock:
            helpers, self._helpers = self._helpers, []
        for helper in helpers:
            helper.end()

    def _helper(self) -> _Helper | None:
        """The helper with the least to do, if it has started and is not behind already."""
        with self._lock:
            if len(self._helpers) < self._most and all(helper.waiting for helper in self._helpers):
                self._helpers.append(_Helper(self._municipalities))
            ready = [helper for helper in self._helpers if helper.waiting < 2 and helper.started()]
            helper = min(ready, key=lambda helper: helper.waiting, default=None)
            if helper is not None:
                helper.waiting += 1
            return helper

    def _dismiss(self, helper: _Helper) -> None:
        _log.warning("a process that judges notices ended; what it had is judged here")
        with self._lock:
            if helper in self._helpers:
                self._helpers.remove(helper)
        helper.end()


class _Helper:
    """One process that judges. ``waiting`` counts those who ask it or wait to."""

    def __init__(self, municipalities: Collection[str]) -> None:
        self.waiting = 0
        self._asking = threading.Lock()
        self._said_ready = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=1 << 16,
            start_new_session=True,
        )
        _send(self._input, _write(_Beginning(sorted(municipalities))))

    @property
    def _input(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdin)

    @property
    def _output(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdout)

    def started(self) -> bool:
        """Whether it can be asked by now."""
        if not self._said_ready and select.select([self._output], [], [], 0)[0]:
            self._said_ready = True
            with suppress(OSError, EOFError):  # whoever asks it will find out
                _receive(self._output)
        return self._said_ready

    def ask(self, question: _Question) -> list[_Verdict]:
        """Its verdicts on lines. Raises OSError or EOFError when it is dead."""
        try:
            message = _write(question)
            with self._asking:
                _send(self._input, message)
                answer = _receive(self._output)
            return _read_verdicts(answer)
        finally:
            self.waiting -= 1

    def end(self) -> None:
        """Let it go."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._input, self._output):
            with suppress(OSError):  # what was not sent any more need not be
                pipe.close()


def _judged(line: Line, verdict: _Verdict) -> Judged:
    if verdict.prepared is not None:
        return Judged(line, verdict.id, verdict.prepared, verdict.effective_on)
    if (refused := verdict.refused) is None:
        return Judged(line, verdict.id, Failure())
    refusal = Refusal(refused.kind, refused.detail, provision=refused.provision, faults=refused.faults)
    return Judged(line, verdict.id, refusal)


def _verdict(judged: Judged) -> _Verdict:
    verdict = judged.verdict
    if isinstance(verdict, Prepared):
        return _Verdict(judged.id, judged.effective_on, verdict)
    if isinstance(verdict, Failure):
        return _Verdict(judged.id, None)
    refused = _Refused(verdict.kind, verdict.detail, verdict.provision, verdict.faults)
    return _Verdict(judged.id, None, refused=refused)


def _send(pipe: IO[bytes], message: bytes) -> None:
    pipe.write(_LENGTH.pack(len(message)))
    pipe.write(message)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes:
    """The next message. Raises EOFError when there is none, or only a part of one."""
    head = pipe.read(_LENGTH.size)
    message = pipe.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else b""
    if not message:
        raise EOFError
    return message


def _help(questions: IO[bytes], answers: IO[bytes]) -> None:
    """Judge what is asked until nobody can ask any more."""
    decode = msgspec.msgpack.Decoder(_Question).decode
    try:
        municipalities = frozenset(msgspec.msgpack.decode(_receive(questions), type=_Beginning).municipalities)
        _send(answers, _write([]))
        while True:
            asked = decode(_receive(questions))
            lines = [Line(number, content) for number, content in enumerate(asked.lines, start=1)]
            judged = judge_lines(
                lines, asked.caller, received=asked.received, salts=asked.salts, municipalities=municipalities
            )
            _send(answers, _write([_verdict(item) for item in judged]))
    except (EOFError, BrokenPipeError):
        return


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    _help(sys.stdin.buffer, sys.stdout.buffer)
