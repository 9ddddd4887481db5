"""Requests made from the description, good and bad ones: no answer that the description does not tell, no bug.

Bounded: a few examples for each route, always the same ones; as a caller of each kind, against a real database.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounded
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from register.access import issue
from register.api import auditors, knowledge
from register.app.http import build, create_app
from register.law.competence import role_of
from register.settings import Settings

#: The same instant for the server and the tokens.
NOW = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
#: Requests for each route, caller and way of making them.
EXAMPLES = 3
CALLERS = ("cec", "registry-office:10049")
#: Not the check for errors of the server: 503 is an agreed answer (a position not reached yet), and 500 nobody declares
#: but where a document of the register's own is damaged; it is looked for below.
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
#: What is not asked, with the reason.
LEFT_OUT = {
    "/metrics": "text for Prometheus, whose own parser reads it elsewhere",
}


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_route_answers_as_it_is_described(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, mode: GenerationMode
) -> None:
    for module in (knowledge, auditors):
        monkeypatch.setattr(module, "PATIENCE", 0.0)  # positions made up are not waited for
    found: dict[str, str] = {}
    with build(settings, clock=lambda: NOW) as system:
        schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(system))
        headers = [
            {"Authorization": f"Bearer {issue(settings, role=role_of(who), authority=who, now=NOW)}"} for who in CALLERS
        ]
        for result in schema.get_all_operations():
            assert isinstance(result, Ok), result
            operation = result.ok()
            if operation.path not in LEFT_OUT:
                for each in headers:
                    found |= _asked(operation, mode, each)
    assert not found, "\n\n".join(f"{label}\n{said}" for label, said in found.items())


def _asked(operation: Any, mode: GenerationMode, headers: dict[str, str]) -> dict[str, str]:
    """What was answered otherwise than described: route -> finding."""

    @bounded(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        assert case.call_and_validate(headers=headers, checks=CHECKS).status_code != 500

    try:
        ask()
    except (FailureGroup, Failure) as failure:
        return {operation.label: str(failure)}
    except Unsatisfiable:
        return {}  # there is no such request: a route without parameters cannot be asked wrongly
    return {}
