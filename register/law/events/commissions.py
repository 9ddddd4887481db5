"""Notices of election commissions, Art. 3.5(3)4 and 5."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import msgspec

from register.law.events.forms import (
    PERSONAL,
    AboutPerson,
    CountryCode,
    Data,
    Document,
    ElectionId,
    HouseNumber,
    MunicipalityCode,
    Name,
    StationCode,
    Text,
    VotingOptionName,
)


class VotingOption(AboutPerson, frozen=True, kw_only=True):
    """A voter's voting option, standing or for one election, Art. 3.5(3)5, 1.5(2), 20.8. U2."""

    TOPIC = "ba.cvr.voting-option.v1"
    option: Annotated[VotingOptionName, PERSONAL]
    municipality_1991: Annotated[MunicipalityCode | None, PERSONAL] = None
    country: Annotated[CountryCode | None, PERSONAL] = None
    foreign_address: Annotated[Text | None, PERSONAL] = None
    mission: Annotated[Name | None, PERSONAL] = None
    election: ElectionId | None = None


class ReportedDeceased(AboutPerson, frozen=True, kw_only=True):
    """A commission marks a voter as reported deceased; nobody is deleted by it (practice)."""

    TOPIC = "ba.cvr.reported-deceased.v1"
    remark: Annotated[Text | None, PERSONAL] = None


class CatchmentEntry(Data, frozen=True, kw_only=True):
    """What a polling station covers: all of its municipality, a settlement, a street, or numbers of a street."""

    settlement: Name | None = None
    street: Name | None = None
    from_: HouseNumber | None = msgspec.field(name="from", default=None)
    to: HouseNumber | None = None
    parity: Literal["odd", "even"] | None = None


class PollingStation(Data, frozen=True, kw_only=True):
    """A polling station as it is from a day on; replaces the station of that code, Art. 3.5(3)4, 2.13(3)."""

    TOPIC = "ba.cvr.polling-station.v1"
    code: StationCode
    municipality: MunicipalityCode
    name: Text
    address: Text
    kind: Literal["regular", "absentee", "mobile"]
    catchment: tuple[CatchmentEntry, ...]
    effective_on: date
    document: Annotated[Document | None, PERSONAL] = None


class PollingStationAbolished(Data, frozen=True, kw_only=True):
    """A polling station is no more, from a day on."""

    TOPIC = "ba.cvr.polling-station-abolished.v1"
    code: StationCode
    municipality: MunicipalityCode
    effective_on: date
    document: Annotated[Document | None, PERSONAL] = None
