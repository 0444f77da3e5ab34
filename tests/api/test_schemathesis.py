"""What the API document promises is kept, whatever is sent: no request makes the server fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy.orm import Session

from data import accounts
from tests.api.conftest import TestClient
from tests.api.walls import Spot
from tests.city import City

EXAMPLES = 4
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_no_request_makes_the_server_fail(app: FastAPI, session: Session, mode: str) -> None:
    city = City.make(session)
    spot = Spot.furnish(city, "A1", "X")
    administrator = city.actor("administrator", None)
    client = TestClient(app, follow_redirects=False)
    schema = schemathesis.openapi.from_dict(app.openapi())
    statuses: dict[str, set[int]] = {}
    failures: list[str] = []
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]
        # Tiles are drawn from committed rows by connections of their own, which a test's transaction does not have.
        if operation.path.startswith("/tiles/"):
            continue
        _row, token = accounts.new_api_token(session, administrator, name="test")
        before = session.connection().begin_nested()
        try:
            statuses[operation.label] = asked(operation, mode, client, spot, token)
        except* (AssertionError, schemathesis.core.failures.Failure) as failure:
            failures.append(f"{operation.label}: {failure.exceptions}")
        before.rollback()
        session.expire_all()
        app.state.actors.forget()
    assert not failures, "\n".join(failures)
    if mode == "positive":
        # It got past the doors: something was read and something was written.
        assert sum(bool(found & {200, 201, 204}) for found in statuses.values()) > len(statuses) / 2, statuses
    else:
        assert all(min(found) >= 400 or 422 in found or found <= {200, 204} for found in statuses.values()), statuses


def asked(operation: Any, mode: str, client: TestClient, spot: Spot, token: str) -> set[int]:
    """Send generated requests to one operation; returns the statuses of the answers."""
    statuses: set[int] = set()

    @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        if mode == "positive":
            _point_at(case, spot)
        sent = case.as_transport_kwargs(base_url="http://testserver")
        taken = ("method", "url", "headers", "params", "data", "json", "files")
        # What is generated is meant for requests, which knows how to put files and forms into a body.
        plain = requests.Request(**{name: sent[name] for name in taken if name in sent}).prepare()
        headers = httpx.Headers({name: str(value) for name, value in plain.headers.items()}, encoding="utf-8")
        headers["authorization"] = f"Bearer {token}"
        headers.pop("cookie", None)
        answer = client.request(str(plain.method), str(plain.url), content=plain.body or b"", headers=headers)
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    run: Callable[[], None] = ask
    run()
    return statuses


def _pairs(parts: Any) -> list[tuple[str, Any]]:
    """The parts of a form, given as a mapping or as pairs."""
    return list(parts.items()) if isinstance(parts, dict) else list(parts)


def _part(value: Any) -> Any:
    """A part of a form with bytes for content, which is what goes over the wire."""
    if isinstance(value, tuple):
        return (value[0], *(_part(inner) if at == 0 else inner for at, inner in enumerate(value[1:])))
    return value if isinstance(value, bytes) else str(value).encode()


def _point_at(case: Any, spot: Spot) -> None:
    """Let a request name records that there are, so that it gets further than to "not found"."""
    for values in (case.path_parameters, case.body):
        if isinstance(values, dict):
            values.update({name: spot.ids[name] for name in values if name in spot.ids})
