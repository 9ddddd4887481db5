"""What every route may answer beside what it says itself, found from what it depends on; examples of bodies and errors.

A route that asks for a token may answer 401, 403 and 503 (the issuer's keys cannot be had); one with a small body 400
and 413; every route refuses query parameters it does not have (422). Examples are made by what makes the answers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, Final
from uuid import UUID

import msgspec
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from register.access import current_caller, current_visit, optional_caller
from register.api import problems
from register.api.bodies import small_body
from register.intake.answers import PROBLEM_TYPE, Problem, problem_of
from register.intake.examples import EXAMPLES
from register.intake.judge import judge
from register.intake.parse import Unreadable, parse
from register.intake.plain import VERIFIED
from register.law.competence import caller_for
from register.law.events import SOURCE_PREFIX
from register.law.provisions import STATUS, TITLES, Fault, ProblemKind

_INSTANCE: Final = UUID("4f5b8f5c-9a2e-4d6b-8f0e-2f6a5d1c7b90")
#: What each dependency may add to the answers of a route.
_ADDS: Final[dict[Callable[..., Any], tuple[int, ...]]] = {
    current_caller: (401, 403, 503),
    current_visit: (401, 403, 503),
    optional_caller: (401, 503),
    small_body: (400, 413, 422),
}
_REGISTRY: Final = "registry-office:10049"
_KEY: Final = {"authority": _REGISTRY, "keyid": "2026-1", "public_key": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}
_WRITTEN: Final = {
    "source": f"{SOURCE_PREFIX}{_REGISTRY}",
    "id": "2026-000123",
    "received_on": "2026-03-06",
}
#: What may be asked for again, and is then answered 200 where it was 201.
REPEATABLE: Final = frozenset(
    {
        "/v1/elections",
        "/v1/elections/{id}/runoff",
        "/v1/excerpts/{id}/verification",
        "/v1/excerpts/{id}/certification",
        "/v1/sender-keys",
        "/v1/sender-keys/{authority}/{keyid}/revocation",
        "/v1/deficiencies/{id}/notification",
        "/v1/deficiencies/{id}/acknowledgement",
        "/v1/deficiencies/{id}/dismissal",
        "/v1/written-notices",
        "/v1/first-loads",
    }
)
#: Path -> an example of its body. The people in them are made up.
BODIES: Final[dict[str, dict[str, Any]]] = {
    "/v1/sender-keys": _KEY,
    "/v1/sender-keys/{authority}/{keyid}/revocation": {"reason": "The key was replaced"},
    "/v1/voters/query": {"jmb": "0101970100017"},
    "/v1/self-check": {"jmb": "0101970100017", "surname": "Hadžić", "born_on": "1970-01-01"},
    "/v1/elections": {"id": "2026-general", "kind": "general", "day": "2026-10-04", "called_on": "2026-05-06"},
    "/v1/elections/{id}/runoff": {"id": "2026-runoff", "day": "2026-10-25", "called_on": "2026-10-07"},
    "/v1/elections/{id}/political-entities": {"id": "7", "name": "Uzorak stranka", "units": ["511", "10049"]},
    "/v1/elections/{id}/political-entities/{entity}/withdrawal": {"reason": "withdrew its lists", "units": ["511"]},
    "/v1/elections/{id}/excerpt-requests": {"unit": "511", "formats": ["csv", "xlsx"], "script": "latin"},
    "/v1/excerpt-requests/{id}/withdrawal": {"reason": "found where it must not be"},
    "/v1/excerpts": {"election": "2026-general", "kind": "polling-station", "municipality": "10049"},
    "/v1/deficiencies/{id}/dismissal": {"reason": "The date of birth was checked against the register of births"},
    "/v1/written-notices": _WRITTEN,
    "/v1/first-loads": {"authority": _REGISTRY, "until": "2026-06-30"},
    "/v1/voters/{person}/list-proof": {"election": "general-2026"},
}


def complete(app: FastAPI, description: dict[str, Any]) -> None:
    """Add to an OpenAPI description the errors its routes do not name themselves, and examples of bodies and errors."""
    for context in iter_route_contexts(app.routes):
        route, path = context.original_route, context.path_format
        if not isinstance(route, APIRoute) or path is None or not route.include_in_schema:
            continue
        statuses = {422, *(status for call in _calls(route.dependant) for status in _ADDS.get(call, ()))}
        for method in context.methods or ():
            operation = description["paths"][path][method.lower()]
            declared = operation["responses"]
            for status, answer in problems.responses(*sorted(statuses)).items():
                declared.setdefault(str(status), answer)
            for status, answer in declared.items():
                content = answer.get("content", {}).get(problems.MEDIA_TYPE)
                if content is not None:
                    # One error is described in one object for all routes that may answer it.
                    answer["content"] = {
                        problems.MEDIA_TYPE: content | {"examples": _examples(method, path, int(status))}
                    }
            if path in REPEATABLE and method == "POST":
                done = declared.get("201") or declared["200"]
                declared["200"] = {**done, "description": "It was done so before: the answer of then"}
                declared["201"] = {**done, "description": "Done"}
            operation["responses"] = dict(sorted(declared.items()))
            example = BODIES.get(path)
            if example is not None and "requestBody" in operation:
                operation["requestBody"]["content"]["application/json"]["example"] = example


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for beneath in dependant.dependencies:
        if beneath.call is not None:
            yield beneath.call
        yield from _calls(beneath)


def _examples(method: str, path: str, status: int) -> dict[str, Any]:
    found = REFUSALS.get(status) if (method, path) == ("POST", "/v1/notices") else None
    return found or {"problem": {"value": _plain(status)}}


def _plain(status: int) -> Any:
    """The problem of a status without anything special to a route, as it is answered."""
    problem = msgspec.json.decode(problems.plain(status).body)
    return problem | {"instance": _INSTANCE.urn}


# --- refused notices ------------------------------------------------------------------------------------------------


def notice_bodies() -> dict[str, Any]:
    """OpenAPI's ``examples`` of single notices, at least one of each type."""
    return {
        f"{kind}{f'-{n + 1}' if n else ''}": {"value": notice}
        for kind, notices in EXAMPLES.items()
        for n, notice in enumerate(notices)
    }


def several() -> list[Any]:
    """An example of a batch."""
    return [EXAMPLES[kind][0] for kind in ("ba.cvr.citizen.v1", "ba.cvr.death.v1")]


def _refusals() -> dict[int, dict[str, Any]]:
    """Status -> examples of refused notices, by kind: made by judging notices that are wrong in that way."""
    found: dict[int, dict[str, Any]] = {}
    for problem in (*_judged(), *_SETTLED):
        kind = problem.type.removeprefix(PROBLEM_TYPE)
        found.setdefault(problem.status, {})[kind] = {"value": msgspec.to_builtins(problem)}
    return found


def _judged() -> Iterator[Problem]:
    yield _problem(b"{")
    yield _problem(b" " * 65_537)
    death = EXAMPLES["ba.cvr.death.v1"][0]
    decision = copy.deepcopy(EXAMPLES["ba.cvr.capacity-withdrawn.v1"][0])
    del decision["data"]["document"]
    for notice in (
        {**death, "datacontenttype": "text/xml"},
        {**death, "data": death["data"] | {"cause": "unknown"}},
        {**death, "data": death["data"] | {"jmb": "0101970100010"}},
        {**death, "data": death["data"] | {"effective_on": "2026-02-30"}},
        decision,
        {**death, "type": "ba.cvr.capacity-restored.v1", "data": death["data"]},
    ):
        yield _problem(msgspec.json.encode(notice))


def _problem(line: bytes) -> Problem:
    message = parse(line)
    if isinstance(message, Unreadable):
        return problem_of(message.refusal, _INSTANCE)
    authority = _REGISTRY if "capacity-withdrawn" not in message.data.TOPIC else "court:basic-court-bihac"
    refusal = judge(
        message, caller_for(authority, "clerk"), received=date(2026, 3, 2), municipalities=frozenset({"10049"})
    )
    if refusal is None:
        raise ValueError("an example of what is refused is not refused")
    return problem_of(refusal, _INSTANCE)


def _settled(kind: ProblemKind, pointer: str, provision: str) -> Problem:
    """What is refused under the lock of the event store, where nothing can be shown without one."""
    fault = Fault(pointer, TITLES[kind])
    return Problem(
        type=PROBLEM_TYPE + kind,
        title=TITLES[kind],
        status=STATUS[kind],
        detail=TITLES[kind],
        instance=_INSTANCE.urn,
        provision=provision,
        errors=(fault,),
    )


_SETTLED: Final = (
    _settled("id-conflict", "/id", VERIFIED),
    _settled("annulment", "/data/annuls", "later law 3.13"),
)
REFUSALS: Final = _refusals()
