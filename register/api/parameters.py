"""Query parameters that a route does not have are refused: a slip in a name would otherwise answer another question.

A name can hold personal data as well as a value can. Only one that looks like a slip of a name the route has is
repeated in the problem; of any other it is said that it is there.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Final

from fastapi import Request
from fastapi.dependencies.models import Dependant

from register.law.provisions import Fault, Refusal

#: What names of parameters look like here: what does not is not repeated.
_NAME: Final = re.compile(r"[a-z_]{2,30}")
#: How much two names must share for one to be taken for a slip of the other (0 to 1; ``difflib``).
_NEAR: Final = 0.7
#: So many names are looked at; a query of thousands is refused all the same.
_TOLD: Final = 8
#: What every read takes (contract: section 3), also one that is made from the event store itself and never behind it.
_EVERY_READ: Final = "at_least"


async def declared_only(request: Request) -> None:
    """Dependency of every route: refuse query parameters that the route does not declare.

    Raises ``Refusal("schema")``, 422. The values are not looked at.
    """
    given = request.query_params.keys()
    if not given:
        return
    declared = set(_declared(request.scope["route"].dependant))
    if request.method == "GET" and request.url.path.startswith("/v1/"):
        declared.add(_EVERY_READ)
    unknown = [name for name in given if name not in declared]
    if unknown:
        sentence = "This route has no such query parameter"
        raise Refusal("schema", sentence, faults=tuple(_faults(unknown, declared)))


def _declared(dependant: Dependant) -> Iterator[str]:
    """The names of the query parameters of a route and of what it depends on, as they stand in a URL."""
    for field in dependant.query_params:
        yield field.alias
    for beneath in dependant.dependencies:
        yield from _declared(beneath)


def _faults(unknown: Iterable[str], declared: Iterable[str]) -> list[Fault]:
    """One fault for each name, those that must not be repeated taken together."""
    faults: list[Fault] = []
    for name in list(unknown)[:_TOLD]:
        near = difflib.get_close_matches(name, sorted(declared), n=1, cutoff=_NEAR) if _NAME.fullmatch(name) else []
        if near:
            faults.append(Fault(f"/query/{name}", f"There is no such parameter here; {near[0]} may be meant"))
    return faults or [Fault("/query", "A parameter in this query is none of this route's")]
