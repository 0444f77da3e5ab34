"""The API document: FastAPI's own, with our errors, examples that hold, and the security as it is."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.base.errors import PROBLEM_JSON, Problem
from api.base.listing import FeatureCollection
from api.base.request import session_cookie

_WHEN = {
    "401": "Nobody is signed in, or the session or token is not good any more.",
    "403": "It may be seen, but not done.",
    "404": "There is no such record, or it is outside one's area.",
    "408": "The body came too slowly.",
    "409": "It does not fit what is there, or was changed meanwhile.",
    "413": "The body is larger than this route takes.",
    "414": "The address is longer than any of ours.",
    "415": "This route takes no body of this kind.",
    "422": "A parameter or the body is malformed.",
    "429": "It was tried too often.",
    "431": "The headers are longer than any of ours.",
    "503": "The database is busy or cannot be reached; try again.",
    "507": "The disk has too little room left; nothing was written.",
}
#: What is said before a route is asked, and what only a body brings about.
_ALWAYS = {"414", "422", "431", "503"}
_OF_BODIES = {"408", "409", "413", "415", "507"}
_DESCRIPTION = """
All that the pages do, for programs. Sign in with `POST /api/signin` (a session cookie; changes then need the header
`X-CSRF-Token` with the token that the answer gives) or send `Authorization: Bearer` with an API token.

Errors are `application/problem+json`. Lists are paged by `next`, and come as GeoJSON with `f=geojson` or
`Accept: application/geo+json`. Personal fields are masked; `POST …/unmask` with a purpose shows them, and is recorded.
Names and other personal terms never belong into an address: look people up by `POST /api/search`.
"""


def install(app: FastAPI) -> None:
    """Let ``app`` describe itself so; the document is made once, when it is first asked for."""

    def describe() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of ``app``."""
    made = get_openapi(title=app.title, version=app.version, description=_DESCRIPTION.strip(), routes=app.routes)
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for model in (Problem, FeatureCollection):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    for operations in made["paths"].values():
        for method, operation in operations.items():
            _describe_errors(operation, method)
    schemes = made["components"].get("securitySchemes", {})
    if "APIKeyCookie" in schemes:
        schemes["APIKeyCookie"]["name"] = session_cookie(app.state.settings)
    return made


def _describe_errors(operation: dict[str, Any], method: str) -> None:
    possible = _ALWAYS | ({"401", "403", "404"} if operation.get("security") else {"401", "403", "429"})
    if method != "get":
        possible |= _OF_BODIES
    possible |= {status for status in operation["responses"] if status in _WHEN}
    for status in sorted(possible):
        operation["responses"][status] = {
            "description": _WHEN[status],
            "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    if operation.get("security"):
        # Either of the two, not both.
        operation["security"] = [{"HTTPBearer": []}, {"APIKeyCookie": []}]
