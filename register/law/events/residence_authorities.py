"""Notices of residence authorities, Art. 3.5(3)2."""

from __future__ import annotations

from typing import Annotated, Literal

from register.law.events.forms import PERSONAL, AboutPerson, CountryCode, Entity, Jmb, MunicipalityCode, Name, Text


class Residence(AboutPerson, frozen=True, kw_only=True):
    """Permanent or temporary residence in a municipality, or a temporary one abroad, Art. 3.5(3)2. R7, U1."""

    TOPIC = "ba.cvr.residence.v1"
    kind: Literal["permanent", "temporary", "abroad"]
    municipality: MunicipalityCode | None = None
    settlement: Annotated[Name | None, PERSONAL] = None
    street: Annotated[Name | None, PERSONAL] = None
    house_number: Annotated[Name | None, PERSONAL] = None
    country: Annotated[CountryCode | None, PERSONAL] = None
    foreign_address: Annotated[Text | None, PERSONAL] = None


class ResidenceEnded(AboutPerson, frozen=True, kw_only=True):
    """The end of a residence, Art. 3.5(3)2. R7."""

    TOPIC = "ba.cvr.residence-ended.v1"
    kind: Literal["permanent", "temporary", "abroad"]
    municipality: MunicipalityCode | None = None


class JmbReplaced(AboutPerson, frozen=True, kw_only=True):
    """A personal number is annulled and replaced: the two numbers are one person. Must name its document."""

    TOPIC = "ba.cvr.jmb-replaced.v1"
    new_jmb: Annotated[Jmb, PERSONAL]


class EntityOption(AboutPerson, frozen=True, kw_only=True):
    """A Brčko voter's entity, U4 (practice)."""

    TOPIC = "ba.cvr.entity-option.v1"
    entity: Annotated[Entity, PERSONAL]
