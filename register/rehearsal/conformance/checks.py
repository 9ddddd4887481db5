"""What a check is: a function that looks at one thing and raises :class:`Failed`, with its name and its source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, NoReturn

import httpx

from register.intake.answers import PROBLEM_TYPE
from register.law.provisions import STATUS, ProblemKind
from register.rehearsal.conformance.notices import JSON, Notices
from register.rehearsal.conformance.server import Server

_PROBLEM: Final = "application/problem+json"


class Failed(Exception):  # noqa: N818 - the result of a check, not a fault of the program
    """The server did not do what was agreed; the sentence is for the engineer, and holds nothing of a notice."""


class NotHere(Exception):  # noqa: N818 - the same
    """The check says nothing about this authority."""


class Check(NamedTuple):
    """A check: what it is about, where that stands (a provision, an RFC, the contract), and how it is made."""

    name: str
    source: str
    look: Callable[[Server, Notices], None]


def fail(sentence: str) -> NoReturn:
    """Raise :class:`Failed`."""
    raise Failed(sentence)


def expect(found: object, wanted: object, what: str) -> None:
    """Raise :class:`Failed` unless both are the same."""
    if found != wanted:
        fail(f"{what}: expected {wanted}, got {found}")


def told(answer: httpx.Response) -> str:
    """What a server answered, for a sentence: the status, and the kind of problem."""
    kind = _json(answer).get("type", "")
    return f"{answer.status_code} {str(kind).removeprefix(PROBLEM_TYPE)}".strip()


def accepted(answer: httpx.Response, *statuses: int) -> JSON:
    """The answer to something that should have been taken. Raises :class:`Failed`."""
    if answer.status_code not in statuses:
        fail(f"expected {' or '.join(map(str, statuses))}, got {told(answer)}")
    return _json(answer)


def refused(answer: httpx.Response, kind: ProblemKind, pointer: str | None = None, *, secret: str = "") -> JSON:
    """The problem of something that should have been refused, in the form of RFC 9457. Raises :class:`Failed`.

    ``pointer`` must be among the places it names; ``secret`` must not be repeated in it.
    """
    expect(told(answer), f"{STATUS[kind]} {kind}", "the answer")
    expect(answer.headers["content-type"].partition(";")[0], _PROBLEM, "its media type (RFC 9457)")
    problem = _json(answer)
    missing = {"type", "title", "status", "detail", "instance", "provision"} - problem.keys()
    if missing:
        fail(f"the problem does not say {', '.join(sorted(missing))} (RFC 9457)")
    pointers = [fault["pointer"] for fault in problem.get("errors", [])]
    if pointer is not None and pointer not in pointers:
        fail(f"the problem points to {', '.join(pointers) or 'nothing'}, and not to {pointer} (RFC 6901)")
    if secret and secret in answer.text:
        fail("the problem repeats what was sent")
    return problem


def _json(answer: httpx.Response) -> JSON:
    try:
        found: Any = answer.json()
    except ValueError:
        return {}
    return dict(found) if isinstance(found, dict) else {"answers": found}
