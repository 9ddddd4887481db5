"""What stands in ``contracts/`` is what the program does; the schemas say of examples what the program says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from register.app.http import contract_text, openapi
from register.app.parts import CONTRACTS
from register.intake.contracts import notice_schemas
from register.intake.examples import EXAMPLES

SCHEMAS = notice_schemas()
REGENERATE = "contracts differ from the program: .venv/bin/python -m register contracts"


def test_the_published_openapi_description_is_the_programs() -> None:
    assert (CONTRACTS / "openapi.json").read_text(encoding="utf-8") == contract_text(openapi()), REGENERATE


def test_the_published_schemas_are_the_programs() -> None:
    published = {path.name: path.read_text(encoding="utf-8") for path in (CONTRACTS / "notices").iterdir()}
    assert published == {name: contract_text(schema) for name, schema in SCHEMAS.items()}, REGENERATE


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_takes_its_examples_and_nothing_beside(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    examples = EXAMPLES[schema["title"]]
    assert examples
    for notice in examples:
        validator.validate(notice)
        assert not validator.is_valid({**notice, "data": {**notice["data"], "unheard": 1}})
        assert not validator.is_valid({**notice, "type": "ba.cvr.other.v1"})
        assert validator.is_valid({**notice, "extension": "ignored"})


def test_a_decision_without_its_document_breaks_its_schema() -> None:
    notice: dict[str, Any] = json.loads(json.dumps(EXAMPLES["ba.cvr.capacity-withdrawn.v1"][0]))
    del notice["data"]["document"]
    assert not Draft202012Validator(SCHEMAS["ba.cvr.capacity-withdrawn.v1.json"]).is_valid(notice)
