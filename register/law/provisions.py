"""Articles of the Election Law, and the law's way of saying no.

A :class:`Refusal` is the law speaking: it always names the provision it rests on. Anything else that goes wrong is a
bug and is not a refusal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

ProblemKind = Literal[
    "malformed",
    "schema",
    "jmb",
    "date",
    "document-missing",
    "annulment",
    "not-competent",
    "id-conflict",
    "calendar",
    "conflict",
    "too-large",
    "media-type",
    "rate",
]

#: HTTP status of each kind of refusal (contract: section 2).
STATUS: dict[ProblemKind, int] = {
    "malformed": 400,
    "schema": 422,
    "jmb": 422,
    "date": 422,
    "document-missing": 422,
    "annulment": 422,
    "not-competent": 403,
    "id-conflict": 409,
    "calendar": 409,
    "conflict": 409,
    "too-large": 413,
    "media-type": 415,
    "rate": 429,
}

#: One English sentence for each kind; the title of the problem (RFC 9457).
TITLES: dict[ProblemKind, str] = {
    "malformed": "The message cannot be read",
    "schema": "The notice does not have the agreed form",
    "jmb": "The personal number is not a possible one",
    "date": "The date is not a possible one",
    "document-missing": "This type of notice must name the document it rests on",
    "annulment": "There is nothing this annulment may annul",
    "not-competent": "The sender is not competent for this",
    "id-conflict": "Another notice was recorded under this id",
    "calendar": "The electoral calendar does not allow this on this day",
    "conflict": "This does not go together with what there is",
    "too-large": "The message is larger than allowed",
    "media-type": "This media type is not accepted",
    "rate": "Too many requests",
}


class Fault(msgspec.Struct, frozen=True):
    """One place in a message that is wrong: an RFC 6901 pointer into the whole notice, and a sentence about it.

    The sentence never repeats the value found there, since it may be personal.
    """

    pointer: str
    detail: str


class Refusal(Exception):  # noqa: N818 - the word of the glossary: the law speaks, nothing went wrong
    """The law does not allow it. Carries the provision, and the sentence a decision letter would use.

    ``faults`` point to the places in a message. The detail never contains personal data.
    """

    def __init__(
        self, kind: ProblemKind, detail: str, *, provision: str | None = None, faults: Sequence[Fault] = ()
    ) -> None:
        super().__init__(detail)
        self.kind: ProblemKind = kind
        self.detail = detail
        self.provision = provision
        self.faults = tuple(faults)

    @property
    def status(self) -> int:
        """The HTTP status of this refusal (contract: section 2)."""
        return STATUS[self.kind]
