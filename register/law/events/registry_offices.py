"""Notices of registry offices, Art. 3.5(3)1."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from register.law.events.forms import PERSONAL, AboutPerson, Name, Sex


class Citizen(AboutPerson, frozen=True, kw_only=True):
    """A registry office records a citizen, Art. 3.5(3)1 a and b. Opens R1 and R2."""

    TOPIC = "ba.cvr.citizen.v1"
    effective_on: Annotated[date, PERSONAL]
    surname: Annotated[Name, PERSONAL]
    given_name: Annotated[Name, PERSONAL]
    parent_name: Annotated[Name, PERSONAL]
    sex: Annotated[Sex, PERSONAL]
    born_on: Annotated[date, PERSONAL]
    script: Annotated[Literal["Latn", "Cyrl"] | None, PERSONAL] = None


class PersonalData(AboutPerson, frozen=True, kw_only=True):
    """A registry office changes or corrects names, sex or date of birth, Art. 3.5(3)1."""

    TOPIC = "ba.cvr.personal-data.v1"
    surname: Annotated[Name | None, PERSONAL] = None
    given_name: Annotated[Name | None, PERSONAL] = None
    parent_name: Annotated[Name | None, PERSONAL] = None
    sex: Annotated[Sex | None, PERSONAL] = None
    born_on: Annotated[date | None, PERSONAL] = None


class Death(AboutPerson, frozen=True, kw_only=True):
    """A registry office reports a death, Art. 3.5(3)1 c. R3."""

    TOPIC = "ba.cvr.death.v1"
