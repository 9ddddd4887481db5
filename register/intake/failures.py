"""When judging a notice goes wrong: a bug of the register's, which concerns one notice and none beside it."""

from __future__ import annotations

import logging
import traceback
from typing import Final, Literal

import msgspec

from register.law.provisions import Fault

_log: Final = logging.getLogger("register.intake")


class Failure(msgspec.Struct, frozen=True):
    """Why a notice was not judged: not the law's refusal, so it names no provision. It may be sent again as it is."""

    kind: Literal["internal"] = "internal"
    detail: str = "The register could not judge this notice; it is kept, and may be sent again"
    provision: None = None
    faults: tuple[Fault, ...] = ()


#: Title (RFC 9457) and HTTP status of the problem that tells of a failure.
TITLE: Final = "Something went wrong here"
STATUS: Final = 500


def failure_of(error: Exception) -> Failure:
    """Tell the program's log of a bug, by its places alone, and return what the sender and the journal are told."""
    _log.error("unexpected %s in judging a notice\n%s", type(error).__name__, places(error))
    return Failure()


def places(error: BaseException) -> str:
    """Where in the program an error came from: files and lines. What it says may be personal, so it is left out."""
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    causes = [cause for cause in (*inner, error.__cause__) if cause is not None]
    return "".join([*traceback.format_tb(error.__traceback__), *(f"{type(c).__name__}:\n{places(c)}" for c in causes)])
