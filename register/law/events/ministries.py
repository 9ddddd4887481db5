"""Notices of the ministry, Art. 3.5(3)3 and 20.8(6)."""

from __future__ import annotations

from typing import Annotated

from register.law.events.forms import PERSONAL, AboutPerson, CountryCode, MunicipalityCode


class Citizenship(AboutPerson, frozen=True, kw_only=True):
    """The person is a citizen of BiH and also holds these citizenships, Art. 1.5(3). R4, R8."""

    TOPIC = "ba.cvr.citizenship.v1"
    other_citizenships: Annotated[tuple[CountryCode, ...], PERSONAL]


class CitizenshipEnded(AboutPerson, frozen=True, kw_only=True):
    """Deregistration of the citizenship of BiH, Art. 3.5(3)3. R4. Must name its document."""

    TOPIC = "ba.cvr.citizenship-ended.v1"


class RefugeeStatus(AboutPerson, frozen=True, kw_only=True):
    """Refugee status under Art. 20.8(6): counts in a municipality of 1991. R7, U3. Must name its document."""

    TOPIC = "ba.cvr.refugee-status.v1"
    municipality_1991: Annotated[MunicipalityCode, PERSONAL]


class RefugeeStatusEnded(AboutPerson, frozen=True, kw_only=True):
    """The end of refugee status."""

    TOPIC = "ba.cvr.refugee-status-ended.v1"
