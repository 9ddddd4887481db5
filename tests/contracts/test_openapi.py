"""The description of the HTTP interface tells every error, with an example as it is really answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from register.api.problems import MEDIA_TYPE
from register.app.http import openapi
from register.intake.contracts import notice_schemas
from register.law.events import NOTICE_TYPES
from register.law.provisions import STATUS

DOCUMENT = json.loads(json.dumps(openapi()))


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


OPERATIONS = dict(operations())


def valid(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value fits a schema of the description, whose references are its components."""
    return bool(Draft202012Validator({**schema, "components": DOCUMENT["components"]}).is_valid(value))


def examples(content: dict[str, Any]) -> list[Any]:
    named = [example["value"] for example in content.get("examples", {}).values()]
    return [*named, content["example"]] if "example" in content else named


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_error_is_a_problem_with_an_example_of_that_status(name: str) -> None:
    errors = {status: answer for status, answer in OPERATIONS[name]["responses"].items() if status >= "400"}
    assert "422" in errors
    for status, answer in errors.items():
        assert list(answer["content"]) == [MEDIA_TYPE]
        content = answer["content"][MEDIA_TYPE]
        assert examples(content)
        for problem in examples(content):
            assert valid(content["schema"], problem)
            assert problem["status"] == int(status)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_route_that_asks_for_a_token_says_what_follows_without_one(name: str) -> None:
    operation = OPERATIONS[name]
    assert ({"401", "503"} <= operation["responses"].keys()) >= ("security" in operation)


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if "requestBody" in operation])
def test_every_body_of_json_has_an_example_that_its_schema_takes(name: str) -> None:
    for kind, content in OPERATIONS[name]["requestBody"]["content"].items():
        if kind.endswith("json") and kind != "application/x-ndjson":
            assert examples(content), kind
            for example in examples(content):
                assert valid(content["schema"], example), kind


def test_there_is_an_example_of_every_type_of_notice_and_of_every_refusal_of_one() -> None:
    operation = OPERATIONS["POST /v1/notices"]
    schemas = notice_schemas()
    shown = examples(operation["requestBody"]["content"]["application/cloudevents+json"])
    assert {notice["type"] for notice in shown} == {kind.TOPIC for kind in NOTICE_TYPES}
    for notice in shown:
        Draft202012Validator(schemas[f"{notice['type']}.json"]).validate(notice)
    lines = operation["requestBody"]["content"]["application/x-ndjson"]["example"].splitlines()
    assert [json.loads(line) for line in lines] == operation["requestBody"]["content"][
        "application/cloudevents-batch+json"
    ]["example"]
    problems = [p for a in operation["responses"].values() for p in examples(a["content"].get(MEDIA_TYPE, {}))]
    told = {problem["type"].removeprefix("urn:cvr:problem:") for problem in problems}
    # These refuse acts, never a notice.
    assert STATUS.keys() - {"calendar", "conflict"} <= told
