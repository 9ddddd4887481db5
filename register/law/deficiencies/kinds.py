"""The kinds of deficiency: what each says, under which provision, and about what."""

from __future__ import annotations

from typing import Final, Literal, get_args
from uuid import UUID

import msgspec

Kind = Literal[
    "two-under-one-number",
    "one-under-two-numbers",
    "number-disagrees",
    "numbers-disagree",
    "over-110",
    "before-birth",
    "after-death",
    "ahead-of-time",
    "residence-without-citizen",
    "citizen-without-residence",
    "end-of-another-residence",
    "residence-ended-at-once",
    "option-without-residence",
    "late-option",
    "foreign-commission",
    "no-entity-option",
    "crowded-address",
    "many-arrivals",
    "address-uncovered",
    "address-ambiguous",
    "station-size",
    "control-total",
    "silent-day",
    "written-notice-missing",
]


class Rule(msgspec.Struct, frozen=True):
    """One kind: its provision, its sentence (``{figures}`` filled in), and whether it is about persons.

    ``about`` says what a finding's key names: one ``person`` (a stream id), several ``persons``, an ``address``, a
    polling ``station``, or an ``authority`` and a day. ``waits`` is after how many days it is established: until then
    the missing notice may still be under way. The rules wait by themselves; ``waits`` says so to readers.
    """

    provision: str
    sentence: str
    about: Literal["person", "persons", "address", "station", "authority"]
    waits: int = 0


class Finding(msgspec.Struct, frozen=True, gc=False):
    """Something wrong, as the events show it: what, about what, on which evidence, and who must put it right.

    (``kind``, ``key``) identifies it for ever. ``authority`` is an authority id. ``persons`` are stream ids;
    ``evidence`` the positions of the events that show it, rising; ``figures`` fill the sentence of its kind.
    """

    kind: Kind
    key: str
    authority: str
    municipality: str | None = None
    persons: tuple[UUID, ...] = ()
    evidence: tuple[int, ...] = ()
    figures: dict[str, int] = {}


#: Every kind, in the order in which they are reported.
KINDS: Final[dict[Kind, Rule]] = {
    "two-under-one-number": Rule(
        "Art. 3.5(6), 3.5(3)1", "Notices under one personal number name two people as citizens", "person"
    ),
    "one-under-two-numbers": Rule(
        "Art. 3.5(6)",
        "Two personal numbers are likely one person: same names, parent's name and date of birth",
        "persons",
    ),
    "number-disagrees": Rule(
        "Art. 3.5(6)", "The personal number disagrees with the date of birth or the sex on record", "person"
    ),
    "numbers-disagree": Rule(
        "Art. 3.5(3)2", "A replacement of a number joins two people of different date of birth or sex", "persons"
    ),
    "over-110": Rule("Art. 3.5(6)", "A voter would be {age} years old", "person"),
    "before-birth": Rule("Art. 3.5(6)", "A notice has an effect before the person was born", "person"),
    "after-death": Rule("Art. 3.5(6), 3.5(3)1 c", "A notice has an effect after the person's death", "person"),
    "ahead-of-time": Rule(
        "Art. 3.5(6)", "A notice says it was sent {minutes} minutes after it was received", "person"
    ),
    "residence-without-citizen": Rule(
        "Art. 3.2, 3.5(3)1", "A residence is on record, and no citizen", "person", waits=30
    ),
    "citizen-without-residence": Rule(
        "Art. 3.3, 3.5(3)2", "A citizen is on record, and no permanent residence was ever reported", "person", waits=30
    ),
    "end-of-another-residence": Rule(
        "Art. 3.5(3)2", "A residence was ended in a municipality in which the person did not reside", "person"
    ),
    "residence-ended-at-once": Rule(
        "Art. 3.5(3)2", "A residence was ended on the day it began; the person is left without one", "person"
    ),
    "option-without-residence": Rule(
        "Art. 1.5(2), 20.8(6)",
        "An option to vote abroad of a person without permanent residence or refugee status on that day",
        "person",
    ),
    "late-option": Rule("Art. 3.6", "An option was made after the last day for an election", "person"),
    "foreign-commission": Rule(
        "Art. 3.5(3)5", "A commission reported on a person who neither resided nor counted with it", "person"
    ),
    "no-entity-option": Rule(
        "Art. 3.5(3)2", "A voter who counts in Brčko District has no entity option", "person", waits=30
    ),
    "crowded-address": Rule(
        "Art. 3.5(6)", "{applications} out-of-country applications name one address; at most {limit} are usual",
        "address",
    ),
    "many-arrivals": Rule(
        "Art. 3.5(6)",
        "{arrivals} people arrived within {days} days before the conclusion at an address where {residents} resided",
        "address",
    ),
    "address-uncovered": Rule(
        "Art. 3.5(3)4", "No polling station covers an address at which {voters} voters reside", "address"
    ),
    "address-ambiguous": Rule(
        "Art. 3.5(3)4", "Several polling stations cover an address equally, at which {voters} voters reside", "address"
    ),
    "station-size": Rule(
        "Art. 5.1, later law", "{voters} voters vote at a polling station; from {least} to {most} are usual", "station"
    ),
    "control-total": Rule(
        "Art. 3.5(4)", "The sender counts {sent} notices of a day, the register {received}", "authority"
    ),
    "silent-day": Rule("Art. 3.5(4)", "Neither a notice nor a control total came for a day", "authority", waits=2),
    "written-notice-missing": Rule(
        "Art. 3.5(5)", "The written notices of {missing} notices of a day have not arrived", "authority", waits=7
    ),
}  # fmt: skip

if missing := set(get_args(Kind)) ^ set(KINDS):
    raise TypeError(f"kinds without a rule, or rules without a kind: {sorted(missing)}")
