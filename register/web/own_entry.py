"""Where do I vote: the form, and what a person is told of the own entry, in words (Art. 3.3).

What a person typed is never put into an address, a log or the page that answers. Every mismatch gets the same page.
"""

from __future__ import annotations

import hmac
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import parse_qs, urlsplit

from fastapi import Request

#: Bytes of a form sent in, at most.
FORM_BYTES: Final = 4096
COOKIE: Final = "cvr-form"
TOKEN_BYTES: Final = 24
#: Characters of a surname, at most.
LONGEST_SURNAME: Final = 200

FORGED: Final = "This form was open for too long, or the browser does not keep cookies. Please fill it in again."
_JMB: Final = "The personal number has 13 digits."
_SURNAME: Final = "The surname is missing."
_DATE: Final = "The date of birth is not a possible date."

#: How the person votes, where it is not at the polling station of the address.
OPTIONS: Final[Mapping[str, str]] = {
    "regular": "At the polling station of your address",
    "in-person-1991": "In person in the municipality of 1991",
    "absentee-1991": "In absence, for the municipality of 1991",
    "mail": "By mail from abroad",
    "diplomatic-mission": "At a diplomatic mission",
}


@dataclass(frozen=True, slots=True)
class Question:
    """A form that was filled in so that it can be answered."""

    jmb: str
    surname: str
    born_on: date


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as it came in: the token, and either a question or what has to be put right, by field."""

    token: str
    question: Question | None
    faults: Mapping[str, str]


async def read_form(request: Request) -> Filled:
    """The form of a request; one that is too large or cannot be read is an empty one."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            return _filled({})
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=16)
    except ValueError:
        return _filled({})
    return _filled({name: values[0].strip() for name, values in fields.items()})


def _filled(fields: Mapping[str, str]) -> Filled:
    faults: dict[str, str] = {}
    jmb = "".join(fields.get("jmb", "").split())
    if not (len(jmb) == 13 and jmb.isascii() and jmb.isdigit()):
        faults["jmb"] = _JMB
    surname = unicodedata.normalize("NFC", fields.get("surname", ""))
    if not 0 < len(surname) <= LONGEST_SURNAME:
        faults["surname"] = _SURNAME
    born_on = _date(fields)
    if born_on is None:
        faults["born_on"] = _DATE
    question = None if faults or born_on is None else Question(jmb, surname, born_on)
    return Filled(fields.get("token", ""), question, faults)


def _date(fields: Mapping[str, str]) -> date | None:
    parts = [fields.get(name, "").rstrip(".") for name in ("year", "month", "day")]
    if not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in parts):
        return None
    try:
        return date(*map(int, parts))
    except ValueError:
        return None


def genuine(request: Request, token: str) -> bool:
    """Whether the form came from a page of ours: the token is that of the cookie, and no other site sent it.

    Our own pages send no referrer, so browsers put ``null`` as the origin; then the cookie, which no other site's
    form brings along (``SameSite=Strict``), and ``Sec-Fetch-Site`` decide.
    """
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    origin = request.headers.get("origin", "null")
    if origin != "null" and urlsplit(origin).netloc != request.headers.get("host"):
        return False
    kept = request.cookies.get(COOKIE, "")
    return len(kept) >= TOKEN_BYTES and hmac.compare_digest(kept.encode(), token.encode())
