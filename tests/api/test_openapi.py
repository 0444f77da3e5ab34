"""The API document: valid, complete, and its examples hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from fastapi import FastAPI

from api.base.errors import PROBLEM_JSON


@pytest.fixture(scope="module")
def document(application: FastAPI) -> dict[str, Any]:
    """The document of the whole application."""
    return application.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation with its method and path."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Every schema with examples, at whatever depth."""
    if isinstance(node, dict):
        if isinstance(node.get("examples"), list):
            yield node
        for child in node.values():
            yield from schemas(child)
    elif isinstance(node, list):
        for child in node:
            yield from schemas(child)


def test_every_operation_says_what_it_does_and_what_can_go_wrong(document: dict[str, Any]) -> None:
    seen = set()
    for label, operation in operations(document):
        assert operation["summary"], label
        assert operation["description"], label
        assert operation["tags"], label
        assert operation["operationId"] not in seen, label
        seen.add(operation["operationId"])
        for status, answer in operation["responses"].items():
            assert answer["description"], (label, status)
            if int(status) >= 400:
                assert answer["content"] == {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}, label
        assert {"401", "422", "503"} <= set(operation["responses"]), label
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (label, parameter["name"])


def test_every_example_is_one(document: dict[str, Any]) -> None:
    count = 0
    for schema in schemas(document):
        # Most refer to no other; to read all the others for each of them takes long.
        alone = {**schema, "components": document["components"]} if "$ref" in str(schema) else schema
        validator = jsonschema_rs.Draft202012Validator(alone, validate_formats=True)
        for example in schema["examples"]:
            errors = [error.message for error in validator.iter_errors(example)]
            assert not errors, (example, schema, errors)
            count += 1
    assert count > 300


def test_every_body_has_an_example_for_each_field_it_needs(document: dict[str, Any]) -> None:
    for label, operation in operations(document):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        schema = document["components"]["schemas"].get(body.get("$ref", "/").rsplit("/", 1)[1], {})
        for name, field in schema.get("properties", {}).items():
            if name in schema.get("required", ()) and "$ref" not in str(field):
                assert field.get("examples"), f"{label}: {name} has no example"


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    known = set(document["components"]["schemas"])

    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for child in node.values():
                yield from references(child)
        elif isinstance(node, list):
            for child in node:
                yield from references(child)

    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in known, reference
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})
    assert set(document["components"]["securitySchemes"]) == {"HTTPBearer", "APIKeyCookie"}
