"""The examples of the contract: of every type of notice some that are taken and some that are refused, and why."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx

from register.api.system import System
from register.intake.examples import EXAMPLES, REFUSED_EXAMPLES
from register.law.events import NOTICE_TYPES, SOURCE_PREFIX
from register.law.provisions import STATUS

ONE = {"Content-Type": "application/cloudevents+json"}


def test_every_type_has_examples_of_both_kinds() -> None:
    topics = {kind.TOPIC for kind in NOTICE_TYPES}
    assert set(EXAMPLES) == set(REFUSED_EXAMPLES) == topics


async def test_each_refused_example_is_refused_as_it_says(
    client: httpx.AsyncClient, bearer: Callable[[str], dict[str, str]], system: System
) -> None:
    """Given its own sender, then kind, status and pointers are those the example says, with a provision."""
    for refused in (each for of_type in REFUSED_EXAMPLES.values() for each in of_type):
        sender = refused.notice["source"].removeprefix(SOURCE_PREFIX)
        content = json.dumps(refused.notice).encode()
        answer = await client.post("/v1/notices", content=content, headers=bearer(sender) | ONE)
        problem = answer.json()
        said = (answer.status_code, problem["type"], tuple(error["pointer"] for error in problem.get("errors", ())))
        assert said == (STATUS[refused.problem], f"urn:cvr:problem:{refused.problem}", refused.pointers), refused.says
        assert problem["provision"], refused.says
    assert system.store.head() == 0
