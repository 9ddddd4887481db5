"""Acts of the register itself, Art. 1.14, 3.6."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from register.law.events.forms import PERSONAL, Data, ElectionId, MunicipalityCode, Sha256


class ElectionCalled(Data, frozen=True, kw_only=True):
    """The CEC calls an election, Art. 1.14; ``municipalities`` empty means all.

    A run-off names the election it is the second round of, and ``judged_on``, the day on which residence and polling
    station were judged for the first.
    """

    TOPIC = "ba.cvr.election-called.v1"
    election: ElectionId
    kind: Literal["general", "local"]
    early: bool
    day: date
    called_on: date
    options_until: date | None = None
    municipalities: tuple[MunicipalityCode, ...] = ()
    runoff_of: ElectionId | None = None
    judged_on: date | None = None


class ElectionConcluded(Data, frozen=True, kw_only=True):
    """The CEC completes and verifies the roll, Art. 3.6 e. It rests on the events before its own position.

    ``rules`` and ``reference`` are the versions of the law's functions and of the reference data it rests on.
    """

    TOPIC = "ba.cvr.election-concluded.v1"
    election: str
    concluded_by: Annotated[str, PERSONAL]
    rules: str
    reference: str


class RollFrozen(Data, frozen=True, kw_only=True):
    """The roll of a concluded election was written down: how many rows, and the SHA-256 over them."""

    TOPIC = "ba.cvr.roll-frozen.v1"
    election: str
    conclusion: int
    voters: int
    sha256: Sha256


class DrawnList(Data, frozen=True, kw_only=True):
    """One list of a drawn excerpt: what it covers, its rows and the digest of its rows.

    ``secret`` (32 random bytes in hex) is what the salts of its lines derive from; lists drawn before there were trees
    of lines have none.
    """

    name: str
    rows: int
    sha256: Sha256
    secret: Sha256 | None = None


class ListRoot(Data, frozen=True, kw_only=True):
    """What everyone may know of a drawn list: the root over its salted lines, and how many where that is no secret."""

    name: str
    root: Sha256
    rows: int | None = None


class ExcerptDrawn(Data, frozen=True, kw_only=True):
    """An excerpt was drawn up from the concluded roll, Art. 3.6 b, c, e; its lists with their digests.

    The lists are personal: whoever knows the digest of a list with one voter could try names until one fits. Their
    roots are not: a salt nobody guesses is in every leaf. None: drawn before there were trees of lines.
    """

    TOPIC = "ba.cvr.excerpt-drawn.v1"
    excerpt: str
    election: str
    kind: str
    conclusion: int
    format_version: int
    lists: Annotated[tuple[DrawnList, ...], PERSONAL]
    roots: tuple[ListRoot, ...] | None = None


class ExcerptVerified(Data, frozen=True, kw_only=True):
    """Somebody of the CEC verified a drawn excerpt, Art. 3.6 e. ``drawn`` is the position of its drawing."""

    TOPIC = "ba.cvr.excerpt-verified.v1"
    excerpt: str
    election: str
    drawn: int
    verified_by: Annotated[str, PERSONAL]


class ExcerptCertified(Data, frozen=True, kw_only=True):
    """Another person of the CEC certified a verified excerpt, Art. 3.6 e. ``verified`` is that position."""

    TOPIC = "ba.cvr.excerpt-certified.v1"
    excerpt: str
    election: str
    verified: int
    certified_by: Annotated[str, PERSONAL]


class ExcerptReissued(Data, frozen=True, kw_only=True):
    """A certified excerpt was issued again, byte for byte, Art. 3.6 e; ``issue`` tells one time from another.

    ``files`` is how many there were, each compared with what was drawn.
    """

    TOPIC = "ba.cvr.excerpt-reissued.v1"
    excerpt: str
    election: str
    issue: str
    files: int
    reissued_by: Annotated[str, PERSONAL]
