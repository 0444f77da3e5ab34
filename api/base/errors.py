"""What an error becomes over HTTP: the only place that knows status codes.

Programs get problem+json (RFC 9457), people a page, htmx a fragment, all with the true status. The status of an error
is that of the first class in its MRO that stands in ``STATUS``. What one may not see is 404; ``str(exc)`` of an
exception nobody expected never leaves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from api.base import entrances
from data.accounts import SignInFailed, TooManyAttempts
from data.base import db, room
from data.base.errors import Busy, Conflict, Forbidden, Invalid, NoRoom, NotFound, WanggeError
from data.base.language import _


class NotSignedIn(Forbidden):
    """Nobody is signed in, or the session has ended."""


class PasswordGiven(Forbidden):
    """Somebody signed in with a password that another one gave, and has to choose one first."""


class CsrfFailed(Forbidden):
    """A change was asked for by a page that is not ours."""


class Refused(HTTPException):
    """A body that is not read any further: FastAPI hands errors of this kind on while it reads one."""

    def __init__(self, status: int, kind: str, detail: str, *, close: bool = False) -> None:
        super().__init__(status, detail, {"Connection": "close"} if close else None)
        self.kind = kind


STATUS: dict[type[WanggeError], int] = {
    NotFound: 404,
    Forbidden: 403,
    NotSignedIn: 401,
    SignInFailed: 401,
    Conflict: 409,
    Invalid: 422,
    Busy: 503,
    NoRoom: 507,
    TooManyAttempts: 429,
    WanggeError: 400,
}
_HEADERS: dict[int, dict[str, str]] = {
    401: {"WWW-Authenticate": "Bearer"},
    429: {"Retry-After": "600"},
    503: {"Retry-After": "5"},
    507: {"Retry-After": "600"},
}
PROBLEM_JSON = "application/problem+json"


class Fault(BaseModel):
    """One field that was refused."""

    field: str = Field(
        description="Where it stands: `body.floors`, `query.limit`, `path.id`.", examples=["body.floors"]
    )
    detail: str = Field(description="What is wrong with it.", examples=["Give a whole number."])


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="The kind of error, for programs.", examples=["urn:wangge:building-not-found"])
    title: str = Field(description="The status in words.", examples=["Not found"])
    status: int = Field(description="The status again.", examples=[404])
    detail: str = Field(
        description="What is wrong, with the values, and what to do.", examples=["Not found, or outside your area."]
    )
    request_id: str = Field(description="The number under which the log has it.", examples=["9f0c2d4e6a8b1c3d"])
    facts: dict[str, Any] = Field(default_factory=dict, description="The values, for programs.", examples=[{}])
    errors: list[Fault] = Field(default_factory=list, description="The fields that were refused.", examples=[[]])


def install(app: FastAPI, show: Callable[..., Response]) -> None:
    """Let ``app`` answer every error in our shape; ``show`` makes the page that people get."""
    app.state.show_error = show
    app.add_exception_handler(WanggeError, _known)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OSError, _system)


def status_of(error: WanggeError) -> int:
    """The status of an error: that of the first class of its MRO that has one."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, WanggeError)
    return known(request, error)


def known(request: Request, error: WanggeError) -> Response:
    """The answer to an error of our own tree."""
    # Who has to wait is told for how long.
    headers = {"Retry-After": str(error.facts["wait_s"])} if "wait_s" in error.facts else None
    return answer(request, status_of(error), _kind(type(error)), error.detail, facts=error.facts, headers=headers)


async def _system(request: Request, error: Exception) -> Response:
    """A full disk is nobody's mistake and has a sentence; anything else that the system refuses was not expected."""
    if not room.is_full(error):
        raise error
    return known(request, room.full())


async def _database(request: Request, error: Exception) -> Response:
    assert isinstance(error, DBAPIError)
    try:
        explained = db.explain(error)
    except DBAPIError:
        raise error from None
    return await _known(request, explained)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if room.is_full(error):
        # FastAPI makes a 400 of whatever happens while it reads a body.
        return await _system(request, error)
    if isinstance(error, Refused):
        return refused(request, error)
    detail = {
        400: _("The request cannot be read. Send valid JSON or a form, as the API document says."),
        404: _("There is no such page."),
        405: _("This address does not take {method}.", method=request.method),
        413: _("What was sent is too large."),
    }.get(error.status_code, _title(error.status_code))
    kind = {400: "malformed", 404: "no-such-page", 405: "method-not-allowed", 413: "too-large"}
    # FastAPI's 400 is a body that cannot be read, which is malformed like any other.
    status = 422 if error.status_code == 400 else error.status_code
    return answer(request, status, kind.get(error.status_code, "http"), detail, headers=dict(error.headers or {}))


def refused(request: Request, error: Refused) -> Response:
    """The answer to a body that is not read any further."""
    return answer(request, error.status_code, error.kind, error.detail, headers=dict(error.headers or {}))


async def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [Fault(field=".".join(map(str, one["loc"])), detail=sentence(one)) for one in error.errors()]
    detail = " ".join(f"{fault.field}: {fault.detail}" for fault in faults[:3])
    return answer(request, 422, "malformed", detail, errors=faults)


async def unknown(request: Request) -> Response:
    """The answer to an exception that nobody expected: neutral, with the number to ask for."""
    return answer(request, 500, "unexpected", _("Something unexpected went wrong. Nothing was saved."))


def answer(
    request: Request,
    status: int,
    kind: str,
    detail: str,
    *,
    facts: dict[str, Any] | None = None,
    errors: Sequence[Fault] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """An error as the one who asks can read it: problem+json, a page, a fragment, or the way to the sign-in."""
    headers = {**_HEADERS.get(status, {}), **(headers or {})}
    if for_people(request):
        if status == 401 and kind == _kind(NotSignedIn):
            return _to_sign_in(request)
        if kind == _kind(PasswordGiven):
            return _to(request, "/password", 403)
        shown: Response = request.app.state.show_error(request, status, _title(status), detail, headers)
        return shown
    problem = Problem(
        type=f"urn:wangge:{kind}",
        title=_title(status),
        status=status,
        detail=detail,
        request_id=request.state.request_id,
        facts=jsonable_encoder(facts or {}),
        errors=list(errors),
    )
    return JSONResponse(problem.model_dump(), status, headers, PROBLEM_JSON)


def for_people(request: Request) -> bool:
    """Whether the answer is read by a person: a page, or a fragment for htmx."""
    if not entrances.of(request.url.path).pages:
        return False
    return "HX-Request" in request.headers or "text/html" in request.headers.get("accept", "")


def _to_sign_in(request: Request) -> Response:
    here = request.headers.get("HX-Current-URL") if "HX-Request" in request.headers else None
    path = re.sub(r"^https?://[^/]+", "", here) if here else request.url.path
    if not here and request.url.query:
        path += f"?{request.url.query}"
    address = "/signin" if path in ("", "/") or request.method not in ("GET", "HEAD") else f"/signin?next={quote(path)}"
    return _to(request, address, 401)


def _to(request: Request, address: str, status: int) -> Response:
    """The way to another page, which htmx has to be told otherwise."""
    if "HX-Request" in request.headers:
        return Response(status_code=status, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)


def _kind(error: type[WanggeError]) -> str:
    """``BuildingNotFound`` → ``building-not-found``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", error.__name__).lower()


def _title(status: int) -> str:
    titles = {
        400: _("Cannot be read"),
        401: _("Not signed in"),
        403: _("Not allowed"),
        404: _("Not found"),
        405: _("Not possible here"),
        409: _("Does not fit"),
        408: _("Too slow"),
        413: _("Too large"),
        414: _("Too long"),
        415: _("Not taken here"),
        422: _("Malformed"),
        429: _("Too many attempts"),
        431: _("Too long"),
        500: _("Unexpected"),
        503: _("Busy"),
        507: _("No room left"),
    }
    return titles.get(status, _("Did not work"))


def sentence(error: dict[str, Any]) -> str:
    """A validation error of pydantic in our words."""
    kind, facts = error["type"], error.get("ctx", {})
    match kind:
        case "missing":
            return _("This is missing.")
        case "extra_forbidden":
            return _("There is no such field.")
        case "string_too_short" | "too_short":
            return _("It needs at least {count}.", count=facts["min_length"])
        case "string_too_long" | "too_long":
            return _("It may have at most {count}.", count=facts["max_length"])
        case "greater_than_equal":
            return _("It is at least {value}.", value=facts["ge"])
        case "less_than_equal":
            return _("It is at most {value}.", value=facts["le"])
        case "greater_than":
            return _("It is more than {value}.", value=facts["gt"])
        case "enum" | "literal_error":
            return _("It is one of {values}.", values=facts["expected"].replace(" or ", ", ").replace("'", ""))
        case "string_pattern_mismatch":
            return _("It has characters that are not allowed here.")
        case "json_invalid":
            return _("This is not valid JSON.")
        case "ours":
            return str(facts["detail"])
    for start, text in (
        ("int", _("Give a whole number.")),
        ("float", _("Give a number.")),
        ("finite", _("Give a number.")),
        ("decimal", _("Give a number.")),
        ("bool", _("Give true or false.")),
        ("datetime", _("Give date, time and zone, such as 2026-03-17T09:30:00+08:00.")),
        ("timezone", _("Give date, time and zone, such as 2026-03-17T09:30:00+08:00.")),
        ("date", _("Give a day, such as 2026-03-17.")),
        ("string", _("Give a text.")),
        ("list", _("Give a list.")),
        ("dict", _("Give an object.")),
        ("model", _("Give an object.")),
    ):
        if kind.startswith(start):
            return text
    return _("This value is not allowed.")
