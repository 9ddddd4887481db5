"""Political entities, their certification (Art. 2.9(1)5) and the numbered copies they are given (Art. 3.1).

That an entity is certified, and where, everyone may know. Which entity asked for what is nobody else's business: of a
copy the public record holds its number alone, and a number tells nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from register.law.events.forms import PERSONAL, Data, ElectionId, Name, Sha256, Text

#: An entity's id within ``political-entity:{id}``.
EntityId = Annotated[str, Meta(pattern=r"^(?![0-9]{13}(?!\n)$)[A-Za-z0-9][A-Za-z0-9._-]{0,63}(?!\n)$")]
#: A level (``BiH``, ``FBiH``, ``RS``), an electoral unit or a municipality (Art. 1.1a), by its code.
UnitCode = Annotated[str, Meta(pattern=r"^([0-9]{1,5}|BiH|FBiH|RS)(?!\n)$")]
#: The number of a copy, the only one within its election; drawn at random, so that it does not count copies.
CopyNumber = Annotated[int, Meta(ge=1, le=10**9 - 1)]


class PoliticalEntityCertified(Data, frozen=True, kw_only=True):
    """The CEC certifies that an entity takes part in an election in these units, Art. 2.9(1)5; they add up."""

    TOPIC = "ba.cvr.political-entity-certified.v1"
    election: ElectionId
    entity: EntityId
    name: Name
    units: tuple[UnitCode, ...]
    certified_by: Annotated[str, PERSONAL]


class CertificationWithdrawn(Data, frozen=True, kw_only=True):
    """From here on the entity takes part in these units no more, Art. 2.9(1)5."""

    TOPIC = "ba.cvr.certification-withdrawn.v1"
    election: ElectionId
    entity: EntityId
    units: tuple[UnitCode, ...]
    reason: Annotated[Text, PERSONAL]
    withdrawn_by: Annotated[str, PERSONAL]


class CopyGranted(Data, frozen=True, kw_only=True):
    """An entity is given a copy of the excerpt for a unit it takes part in, as ``provision`` says (Art. 3.1).

    ``conclusion`` is the position of the conclusion whose roll it shows, ``recipient`` the name in its head, ``secret``
    32 random bytes in hex that the codes of its rows derive from.
    """

    TOPIC = "ba.cvr.excerpt-copy-granted.v1"
    election: ElectionId
    copy: CopyNumber
    conclusion: int
    format_version: int
    provision: str
    entity: Annotated[EntityId, PERSONAL]
    recipient: Annotated[Name, PERSONAL]
    unit: Annotated[UnitCode, PERSONAL]
    formats: Annotated[tuple[str, ...], PERSONAL]
    script: Annotated[Literal["latin", "cyrillic"], PERSONAL]
    secret: Annotated[Sha256, PERSONAL]
    requested_by: Annotated[str, PERSONAL]


class CopyDrawn(Data, frozen=True, kw_only=True):
    """A granted copy was drawn: its rows, and the SHA-256 over them, codes included."""

    TOPIC = "ba.cvr.excerpt-copy-drawn.v1"
    election: ElectionId
    copy: CopyNumber
    granted: int
    rows: Annotated[int, PERSONAL]
    sha256: Annotated[Sha256, PERSONAL]


class CopyWithdrawn(Data, frozen=True, kw_only=True):
    """From here on the copy is given out no more."""

    TOPIC = "ba.cvr.excerpt-copy-withdrawn.v1"
    election: ElectionId
    copy: CopyNumber
    granted: int
    reason: Annotated[Text, PERSONAL]
    withdrawn_by: Annotated[str, PERSONAL]
