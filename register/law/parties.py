"""Political entities: where they are certified, and which copies of excerpts they are given (Art. 2.9, 3.1)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final, Literal

import msgspec

from register.law.events import (
    CertificationWithdrawn,
    CopyDrawn,
    CopyGranted,
    CopyWithdrawn,
    Entity,
    Event,
    PoliticalEntityCertified,
)
from register.law.provisions import Fault, Refusal
from register.law.territory import Municipality, electoral_units

#: The level of government that is the whole country; those of the entities bear the entities' names.
COUNTRY: Final = "BiH"
_ENTITIES: Final[tuple[Entity, ...]] = ("FBiH", "RS")


class Certification(msgspec.Struct, frozen=True):
    """Where an entity is certified for an election, as its stream tells it; ``version`` of that stream."""

    election: str
    entity: str
    name: str
    units: frozenset[str]
    certified: int
    position: int
    version: int


class Copy(msgspec.Struct, frozen=True):
    """A copy as its stream tells it: ``position`` of its grant, ``drawn`` with its digest, ``withdrawn`` and why.

    ``version`` is that of the stream's last event.
    """

    granted: CopyGranted
    position: int
    granted_at: datetime
    drawn: CopyDrawn | None = None
    drawn_position: int | None = None
    withdrawn: CopyWithdrawn | None = None
    withdrawn_position: int | None = None
    version: int = 1

    @property
    def state(self) -> Literal["granted", "drawn", "withdrawn"]:
        """What has become of it so far."""
        return "withdrawn" if self.withdrawn else "drawn" if self.drawn else "granted"


def units_voted_in(municipality: Municipality, option: Entity | None) -> frozenset[str]:
    """Return every level and unit a voter who counts there takes part in (Art. 1.1a(2)).

    ``option`` is the voter's entity option, as for ``electoral_units``.
    """
    entity = municipality.entity or option
    levels = {COUNTRY} if entity is None else {COUNTRY, entity}
    return electoral_units(municipality, option) | levels


def units_of(municipalities: Mapping[str, Municipality]) -> frozenset[str]:
    """Return every level and unit there is (Art. 1.1a(2))."""
    each = (units_voted_in(one, option) for one in municipalities.values() for option in _ENTITIES)
    return frozenset().union(*each)


def certification_of(events: Iterable[Event]) -> Certification | None:
    """Return where an entity is certified by the events of its stream, in order; None when it never was (Art. 2.9)."""
    state: Certification | None = None
    for event in events:
        match event.data:
            case PoliticalEntityCertified() as data:
                units = frozenset(data.units) | (frozenset() if state is None else state.units)
                first = event.position if state is None else state.certified
                state = Certification(
                    data.election, data.entity, data.name, units, first, event.position, event.version
                )
            case CertificationWithdrawn() as data if state is not None:
                state = msgspec.structs.replace(
                    state, units=state.units - set(data.units), position=event.position, version=event.version
                )
            case _:
                pass
    return state


def copy_of(events: Iterable[Event]) -> Copy | None:
    """Return a copy by the events of its stream, in order (Art. 3.1)."""
    state: Copy | None = None
    for event in events:
        match event.data:
            case CopyGranted() as data:
                state = Copy(data, event.position, event.recorded_at)
            case CopyDrawn() as data if state is not None:
                state = msgspec.structs.replace(state, drawn=data, drawn_position=event.position)
            case CopyWithdrawn() as data if state is not None:
                state = msgspec.structs.replace(state, withdrawn=data, withdrawn_position=event.position)
            case _:
                pass
        if state is not None:
            state = msgspec.structs.replace(state, version=event.version)
    return state


def check_units(units: Collection[str], known: Collection[str]) -> None:
    """Accept units an entity can be certified for (Art. 2.9).

    Raises ``Refusal("schema")`` naming those that do not exist or stand twice, or when there is none.
    """
    named = list(units)
    if not named:
        sentence = "An entity is certified for at least one unit"
        raise Refusal("schema", sentence, provision="Art. 2.9(1)5", faults=(Fault("/units", sentence),))
    faults = [Fault(f"/units/{n}", "There is no such level or unit") for n, u in enumerate(named) if u not in known]
    faults += [Fault(f"/units/{n}", "This unit stands twice") for n, u in enumerate(named) if u in named[:n]]
    if faults:
        raise Refusal("schema", "The units cannot be these", provision="Art. 2.9(1)5", faults=faults)


def check_request(certification: Certification | None, unit: str) -> Certification:
    """Accept that an entity asks for the excerpt of a unit it takes part in; which certification allows it (Art. 3.1).

    Raises ``Refusal("not-competent")`` for any other unit, whether it exists or not.
    """
    if certification is None or unit not in certification.units:
        sentence = (
            "A political entity is given the excerpt for the level or electoral unit in which it is certified to"
            " take part, and for no other"
        )
        raise Refusal("not-competent", sentence, provision="Art. 3.1", faults=(Fault("/unit", sentence),))
    return certification
