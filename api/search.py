"""The search of the top bar over HTTP, and the boxes of the lists.

What is typed may be personal, so it comes in the body of a POST: never in an address, and never in the log.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter
from pydantic import Field, StringConstraints
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ledgers, sealed, words
from api.base.deps import Session, SignedIn
from api.base.fields import Code, Input, Line, Output, PurposeText
from api.base.page import Page, for_anybody, inside, typed
from data import incidents, locating, search
from data.base.language import _
from data.search import Found, Kind

api = APIRouter(prefix="/api", tags=["search"])
pages = APIRouter(include_in_schema=False)


class Asked(Input):
    """What to look for."""

    q: Annotated[Line, StringConstraints(max_length=search.LONGEST)] = Field(
        description="A number, name or address; a person's name; with a purpose an identity number or phone in full.",
        examples=["18号楼2单元501"],
    )
    community: Code | None = Field(None, description="Only of the community with this code.", examples=["990106003012"])
    purpose: PurposeText | None = Field(
        None,
        description="What a person is looked up for by identity number or phone. Who may see personal data in full "
        "finds them so; it is recorded.",
        examples=[None],
    )
    limit: int = Field(12, ge=1, le=50, description="How many.", examples=[12])


class FoundOut(Output):
    """Something that was found. People are masked."""

    kind: Kind = Field(examples=["buildings"])
    id: int = Field(examples=[18])
    title: str = Field(examples=["18 号楼"])
    subtitle: str = Field(description="Where it is.", examples=["梧桐路168弄18号，第四网格"])
    href: str | None = Field(None, description="The page of what is not shown on the map.", examples=[None])
    point: tuple[float, float] | None = Field(None, description="Longitude, latitude.", examples=[[121.4321, 31.2345]])
    bounds: tuple[float, float, float, float] | None = Field(
        None, description="West, south, east, north.", examples=[None]
    )


class Results(Output):
    """What was found, the best first."""

    results: list[FoundOut]


@api.post("/search", summary="Search")
def find(session: Session, actor: SignedIn, body: Asked) -> Results:
    """Find places, cases and, for those who may see them, people: only what one may see, the best first.

    Names, identity numbers and phones are personal, so this is a POST: send them in the body. A name finds as much as
    one is shown of names. A number finds a person only with a `purpose`, so many times an hour, and is recorded.
    """
    found = search.find(session, actor, body.q, community=body.community, purpose=body.purpose, limit=body.limit)
    return Results(results=[_shown(one) for one in found])


@pages.post("/lists")
def narrow(page: Annotated[Page, for_anybody], form: Annotated[FormData, typed]) -> Response:
    """Narrow a list by what was typed and chosen: its page has an address, in which the text is sealed."""
    given = {name: str(value).strip() for name, value in form.items() if name not in ("csrf_token", "list", "q")}
    query = {name: value for name, value in given.items() if value}
    if text := forms.text_in(form, "q"):
        query[ledgers.SOUGHT] = sealed.seal(page.actor, {"q": text})
    address = inside(forms.text_in(form, "list").partition("?")[0])
    return page.go(f"{address}?{urlencode(query, safe=',')}" if query else address)


def _shown(found: Found) -> FoundOut:
    title, where = _WORDS[found.kind](found.facts)
    return FoundOut(
        kind=found.kind,
        id=found.id,
        title=title,
        subtitle=_(", ").join(part for part in where if part),
        href=f"/{found.kind}/{found.id}" if found.kind in (Kind.UNITS, Kind.HOUSEHOLDS, Kind.RESIDENTS) else None,
        point=found.point,
        bounds=found.bounds,
    )


#: A title, and where it is.
_Words = tuple[str, list[str | None]]


def _unit(facts: Any) -> _Words:
    return facts["name"], [facts["code"]]


def _grid(facts: Any) -> _Words:
    return facts["name"], [facts["community_name"], facts["code"]]


def _building(facts: Any) -> _Words:
    name = facts["name"]
    title = words.building(facts["number"], name, facts["code"])
    # 18号楼 says nothing beside 18 号楼.
    called = None if name in (title, title.replace(" ", "")) else name
    if facts.get("room"):
        title = f"{title} {words.dwelling(facts['unit'], facts['room'])}"
    return title, [called, facts["address"], facts["grid_name"]]


def _incident(facts: Any) -> _Words:
    state = incidents.words.states()[facts["state"]]
    return words.title(facts), [facts["number"], state, words.remark(facts["description"]), facts["grid_name"]]


def _household(facts: Any) -> _Words:
    return facts["number"], [facts["head_name"], *_home(facts)]


def _resident(facts: Any) -> _Words:
    return facts["name"], [*_home(facts), facts["household_number"]]


def _home(facts: Any) -> list[str | None]:
    """Where somebody lives: door and grid."""
    if facts["building_number"] is None and facts["room"] is None:
        return [locating.reason_names()["no_place"]]
    door = f"{words.building(facts['building_number'])} {words.dwelling(facts['unit'], facts['room'])}"
    return [door, facts["grid_name"]]


_WORDS = {
    Kind.UNITS: _unit,
    Kind.GRIDS: _grid,
    Kind.BUILDINGS: _building,
    Kind.INCIDENTS: _incident,
    Kind.HOUSEHOLDS: _household,
    Kind.RESIDENTS: _resident,
}
