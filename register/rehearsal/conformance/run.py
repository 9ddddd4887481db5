"""One check after another; what each found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import httpx
import msgspec

from register.rehearsal.conformance.checks import Failed, NotHere
from register.rehearsal.conformance.hearing import HEARD
from register.rehearsal.conformance.notices import Notices
from register.rehearsal.conformance.sending import SENT
from register.rehearsal.conformance.server import ConformanceError, Server
from register.rehearsal.conformance.trying import DRY


class Result(msgspec.Struct, frozen=True):
    """What a check found; ``detail`` says what was not as agreed."""

    name: str
    source: str
    state: Literal["pass", "FAIL", "n/a"]
    detail: str = ""


def conform(server: Server, *, dry_only: bool, now: datetime, seed: int) -> Iterator[Result]:
    """Make the checks, each with its result as soon as it is known.

    ``now`` is the server's clock (``greet``); ``seed`` makes ids and numbers, and differs from run to run.
    """
    notices = Notices(server.caller, now, seed)
    for check in DRY if dry_only else (*DRY, *SENT, *HEARD):
        try:
            check.look(server, notices)
        except NotHere:
            yield Result(check.name, check.source, "n/a", "not of this authority")
        except (Failed, ConformanceError) as error:
            yield Result(check.name, check.source, "FAIL", str(error))
        except httpx.HTTPError as error:
            yield Result(check.name, check.source, "FAIL", f"the server does not answer ({type(error).__name__})")
        except (KeyError, IndexError, TypeError, ValueError) as error:
            sentence = f"the answer does not have the agreed form ({type(error).__name__})"
            yield Result(check.name, check.source, "FAIL", sentence)
        else:
            yield Result(check.name, check.source, "pass")
