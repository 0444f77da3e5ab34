"""Every error has one shape, with the true status."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from api.app import create_app
from api.base import errors, listing
from api.base.deps import anyone
from api.base.errors import Problem
from data.base.errors import Busy, Conflict, Forbidden, Invalid, NotFound, WanggeError
from tests.api.conftest import ClientFor, TestClient
from tests.api.walls import walked
from tests.city import City

CASES = [
    ("GET", "/api/buildings/999999", None, 404),
    ("GET", "/api/nowhere", None, 404),
    ("PUT", "/api/buildings", None, 405),
    ("GET", "/api/buildings?limt=3", None, 422),
    ("GET", "/api/buildings?limit=0", None, 422),
    ("GET", "/api/buildings?limit=1001", None, 422),
    ("GET", "/api/buildings?cursor=abc", None, 422),
    ("GET", "/api/buildings?bbox=1,2,3", None, 422),
    ("GET", "/api/buildings?bbox=nan,nan,nan,nan", None, 422),
    ("GET", "/api/buildings?sort=colour", None, 422),
    ("GET", "/api/incidents?state=lost", None, 422),
    ("GET", "/api/incidents?from=yesterday", None, 422),
    ("GET", "/api/buildings/0", None, 422),
    ("GET", "/api/buildings/99999999999999999999", None, 422),
    ("POST", "/api/buildings", "{", 422),
    ("POST", "/api/buildings", "[]", 422),
    ("POST", "/api/incidents", '{"community_id": 1, "category_code": "x", "lon": 1}', 422),
]


@pytest.mark.parametrize(("method", "address", "body", "status"), CASES)
def test_every_refusal_is_a_problem(
    city: City, client_for: ClientFor, method: str, address: str, body: str | None, status: int
) -> None:
    answer = client_for().request(method, address, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate(answer.json())
    assert problem.status == status
    assert problem.request_id == answer.headers["x-request-id"]
    assert problem.detail
    assert problem.type.startswith("urn:wangge:")


def test_a_parameter_that_is_misspelt_names_the_right_ones(city: City, client_for: ClientFor) -> None:
    detail = client_for().get("/api/buildings?gird=1").json()["detail"]
    assert detail.startswith("There is no parameter gird. There are: bbox, community, cursor, f, grid,")


def test_every_route_of_the_api_reads_its_parameters_by_one_model(application: FastAPI) -> None:
    taken = {}
    for context in walked(application):
        if (context.path or "").startswith(("/api/", "/tiles/")) and context.dependant:
            waiting, asked = list(context.dependant.dependencies), context.dependant.query_params
            taken[context.path] = [field.field_info.annotation for field in asked]
            while waiting:
                dependant = waiting.pop()
                waiting.extend(dependant.dependencies)
                assert not dependant.query_params, (context.path, dependant.call)
    assert len(taken) > 60
    assert not {path: found for path, found in taken.items() if len(found) > 1}
    assert not {path for path, found in taken.items() if found and not issubclass(found[0], listing.Parameters)}


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("/api/me", "lang"),
        ("/api/jobs", "lang, limit"),
        ("/api/stats", "from, lang, to, unit"),
    ],
)
def test_a_parameter_that_there_is_not_is_refused_everywhere(client_for: ClientFor, address: str, known: str) -> None:
    client = client_for()
    answer = client.get(f"{address}?lang=en&ful=1&x=2")
    assert answer.status_code == 422
    assert answer.json()["detail"] == f"There is no parameter ful, x. There are: {known}."
    assert client.get(f"{address}?lang=en").status_code == 200


def test_a_cursor_of_another_sort_is_refused(city: City, client_for: ClientFor) -> None:
    client = client_for()
    following = client.get("/api/buildings?limit=2&sort=code").json()["next"]
    assert client.get(following.replace("sort=code", "sort=-code")).status_code == 422


@pytest.fixture(scope="module")
def failing() -> TestClient:
    """An application with a route that raises what it is told to."""
    app = create_app()
    raised: dict[str, Exception] = {
        "forbidden": Forbidden("no"),
        "conflict": Conflict("no", number=3),
        "invalid": Invalid("no"),
        "busy": Busy("no"),
        "gone": OperationalError("SELECT secret", {}, Exception("connection to 10.0.0.7 lost")),
        "unknown": RuntimeError("a secret"),
        "bare": WanggeError("no"),
    }

    def fail(name: str) -> None:
        raise raised[name]

    for prefix in ("/api/fail", "/fail"):
        app.add_api_route(prefix + "/{name}", fail, dependencies=[anyone])
    return TestClient(app, headers={"Accept-Language": "en"})


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("forbidden", 403),
        ("conflict", 409),
        ("invalid", 422),
        ("busy", 503),
        ("gone", 503),
        ("unknown", 500),
        ("bare", 400),
    ],
)
def test_an_error_has_the_status_of_its_first_known_ancestor(failing: TestClient, name: str, status: int) -> None:
    answer = failing.get(f"/api/fail/{name}")
    assert answer.status_code == status
    assert Problem.model_validate(answer.json()).status == status
    assert "secret" not in answer.text
    assert "10.0.0.7" not in answer.text


def test_people_get_a_page_and_htmx_a_fragment_with_the_true_status(failing: TestClient) -> None:
    page = failing.get("/fail/conflict?lang=en", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["content-type"]) == (409, "text/html; charset=utf-8")
    assert "<html" in page.text
    fragment = failing.get("/fail/conflict?lang=en", headers={"HX-Request": "true", "Accept": "*/*"})
    assert fragment.status_code == 409
    assert "<html" not in fragment.text
    lost = failing.get("/fail/unknown", headers={"Accept": "text/html"})
    assert lost.status_code == 500
    assert lost.headers["x-request-id"] in lost.text
    assert "secret" not in lost.text


def test_whoever_is_not_signed_in_is_sent_to_the_sign_in_and_back(client: TestClient) -> None:
    sent = client.get("/map?figure=households", headers={"Accept": "text/html"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/signin?next=/map%3Ffigure%3Dhouseholds")
    by_htmx = client.get("/map", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/incidents?a=1"})
    assert (by_htmx.status_code, by_htmx.headers["hx-redirect"]) == (401, "/signin?next=/incidents%3Fa%3D1")


def test_every_error_of_the_tree_has_a_status() -> None:
    def below(kind: type[WanggeError]) -> set[type[WanggeError]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    for kind in below(WanggeError):
        assert 400 <= errors.status_of(kind("…")) < 600
    assert errors.status_of(NotFound("…")) == 404


def test_a_body_that_is_too_deep_or_not_text_is_refused_not_crashed_on(city: City, client_for: ClientFor) -> None:
    client = client_for()
    for body in (b"[" * 100_000, b"\xff\xfe", b'{"code": "\\ud800", "community_id": 1}', b'{"community_id": 1e400}'):
        answer = client.post("/api/buildings", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 404, 422), (body[:20], answer.text)
