"""What becomes of a deficiency: established, notified, acknowledged, remedied, dismissed (Art. 3.5(6), 3.6 a).

Each deficiency has a stream of its own, filed under its kind and key, so that the same fault found again continues the
same history. ``key`` names what the fault is about (a person's stream, an address, a day) and is personal; ``evidence``
holds the positions of the events that show it. What is said in words is made from the kind and ``figures``.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from register.law.events.forms import PERSONAL, Data, MunicipalityCode, Name, Text

#: One of ``register.law.deficiencies``; a plain name here, so that a kind given up stays readable.
DeficiencyKind = Annotated[str, Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*(?!\n)$", max_length=64)]


class AboutDeficiency(Data, frozen=True, kw_only=True):
    """What all of them name: the kind, what it is about, and the authority that must put it right."""

    kind: DeficiencyKind
    key: Annotated[str, PERSONAL]
    authority: Name


class DeficiencyEstablished(AboutDeficiency, frozen=True, kw_only=True):
    """The register established a deficiency, Art. 3.5(6). ``persons`` are stream ids; ``figures`` explain it."""

    TOPIC = "ba.cvr.deficiency-established.v1"
    municipality: MunicipalityCode | None = None
    evidence: tuple[int, ...] = ()
    persons: Annotated[tuple[str, ...], PERSONAL]
    figures: Annotated[dict[str, int], PERSONAL]


class DeficiencyNotified(AboutDeficiency, frozen=True, kw_only=True):
    """The CEC informed the authority concerned, Art. 3.6 a. ``established`` is that position."""

    TOPIC = "ba.cvr.deficiency-notified.v1"
    established: int
    notified_by: Annotated[str, PERSONAL]


class DeficiencyAcknowledged(AboutDeficiency, frozen=True, kw_only=True):
    """The authority concerned took note of it, Art. 3.6 a."""

    TOPIC = "ba.cvr.deficiency-acknowledged.v1"
    established: int
    acknowledged_by: Annotated[str, PERSONAL]


class DeficiencyDismissed(AboutDeficiency, frozen=True, kw_only=True):
    """The CEC found it to be none, with its reason, Art. 3.6 a."""

    TOPIC = "ba.cvr.deficiency-dismissed.v1"
    established: int
    reason: Annotated[Text, PERSONAL]
    dismissed_by: Annotated[str, PERSONAL]


class DeficiencyRemedied(AboutDeficiency, frozen=True, kw_only=True):
    """Later events removed the cause; ``position`` is the one at which the register found it gone."""

    TOPIC = "ba.cvr.deficiency-remedied.v1"
    established: int
    position: int
