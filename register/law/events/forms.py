"""What every event is made of: members of known form, marked where they are personal."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

#: Marks a member that the public record holds only as part of a salted digest.
PERSONAL: Final = "personal"

#: What the CloudEvents ``source`` of an authority begins with; its authority id follows.
SOURCE_PREFIX: Final = "urn:cvr:authority:"
#: The ``source`` of what the register itself notes.
REGISTER: Final = "urn:cvr:register"
#: Brčko District, whose voters count for the entity of their option (U4).
BRCKO: Final = "30163"

#: No control characters: what is printed on a list must be printable.
_PRINTABLE = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=_PRINTABLE)]
Text = Annotated[str, Meta(min_length=1, max_length=500, pattern=_PRINTABLE)]
#: Form is judged by law/personal_number, so that a wrong number is a ``jmb`` problem, not a ``schema`` one.
Jmb = Annotated[str, Meta(max_length=64, extra_json_schema={"pattern": "^[0-9]{13}$"})]
# In a pattern "(?!\\n)$" is the very end: "$" alone matches before a line break too, in Python.
MunicipalityCode = Annotated[str, Meta(pattern=r"^[0-9]{5}(?!\n)$")]
CountryCode = Annotated[str, Meta(pattern=r"^[A-Z]{2}(?!\n)$")]
#: Begins with a letter or digit, so that it can name a file, and is nothing one could take for a personal number.
_CODE = r"^(?![0-9]{13}(?!\n)$)[A-Za-z0-9][A-Za-z0-9._-]*(?!\n)$"
StationCode = Annotated[str, Meta(min_length=1, max_length=20, pattern=_CODE)]
ElectionId = Annotated[str, Meta(min_length=1, max_length=64, pattern=_CODE)]
NoticeId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,128}(?!\n)$")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}(?!\n)$")]
HouseNumber = Annotated[int, Meta(ge=0, le=99999)]
Sex = Literal["F", "M"]
Entity = Literal["FBiH", "RS"]
BarGround = Literal["1.6", "1.7", "1.7a"]
VotingOptionName = Literal["regular", "in-person-1991", "absentee-1991", "mail", "diplomatic-mission", "mobile-team"]


class Data(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What every kind of event has in common: a topic, and members that can be nothing but what is declared."""

    TOPIC: ClassVar[str]


class Document(Data, frozen=True, kw_only=True):
    """The paper a notice rests on (Art. 3.5(7)); the file itself is kept by its digest."""

    kind: Name
    number: Name
    issued_by: Text
    issued_on: date
    sha256: Sha256 | None = None


class AboutPerson(Data, frozen=True, kw_only=True):
    """A notice about the bearer of a personal number, with the day on which the change occurred."""

    jmb: Annotated[Jmb, PERSONAL]
    effective_on: date
    document: Annotated[Document | None, PERSONAL] = None
