"""Views over HTTP: what there is to look at, one of them as a file of its own, and the links to it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import Field

from api.base import ground, listing, static
from api.base.deps import Session, permission
from api.base.fields import Code, Day, Id, Input, Output
from api.base.page import templates
from api.base.request import public_address
from data import glance, units
from data.base import language
from data.base.access import Actor
from data.base.settings import Settings
from data.views import View, links
from maps import offline, views
from maps.views import Asked
from maps.views.frame import Picture, place

api = APIRouter(prefix="/api/views", tags=["views"])
Read = Annotated[Actor, permission("incident.read")]
Share = Annotated[Actor, permission(links.PERMISSION)]
Category = Annotated[Code | None, Query(description="Only of this category and those below it.")]
Method = Annotated[Literal["significant", "density", "clusters", "rate"], Query(description="How hotspots are drawn.")]


class ViewOut(Output):
    """A view."""

    view: View = Field(examples=["lights"])
    name: str = Field(examples=["Broken lights"])
    about: str = Field(examples=["Lights that are reported broken, by how long."])


class LinkNew(Input):
    """A link to a view that is to be made."""

    view: View = Field(examples=["lights"])
    community: Code | None = Field(
        None, description="The code of a community; all when empty.", examples=["990106003012"]
    )
    category: Code | None = Field(None, examples=[None])
    first: Day | None = Field(None, examples=[None])
    last: Day | None = Field(None, examples=[None])
    method: Literal["significant", "density", "clusters", "rate"] = Field("significant", examples=["significant"])
    days: Annotated[int, Field(ge=1, le=links.DAYS_MAX)] = Field(30, description="Days until it ends.", examples=[30])


class LinkOut(Output):
    """A link to a view; its address was told when it was made."""

    id: int = Field(examples=[1])
    view: str = Field(examples=["lights"])
    community_name: str | None = Field(examples=["梧桐里社区"])
    maker: str = Field(examples=["陈敏"])
    created_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])
    expires_at: datetime = Field(examples=["2026-04-17T01:30:00Z"])
    revoked_at: datetime | None = Field(examples=[None])


class LinkMade(Output):
    """A new link. Its address is told this once."""

    id: int = Field(examples=[1])
    address: str = Field(examples=["http://127.0.0.1:8000/v/kq3v…"])
    expires_at: datetime = Field(examples=["2026-04-17T01:30:00Z"])


@api.get("", summary="List the views")
def list_views(_actor: Read) -> list[ViewOut]:
    """What there is to look at."""
    return [ViewOut(view=view, name=name, about=about) for view, (name, about) in views.names().items()]


@api.get("/links", summary="List links to views")
def list_links(session: Session, actor: Share) -> list[LinkOut]:
    """One's own links and those of others in one's area, those that still lead somewhere first."""
    return [LinkOut.model_validate(row) for row in links.listed(session, actor, most=1000)]


@api.post("/links", summary="Make a link to a view", status_code=status.HTTP_201_CREATED)
def make_link(request: Request, session: Session, actor: Share, body: LinkNew) -> LinkMade:
    """A link under which a view is seen without a sign-in until it ends."""
    community = units.by_code(session, actor, body.community, units.Level.COMMUNITY) if body.community else None
    params = body.model_dump(include={"category", "first", "last", "method"}) | {"language": language.current()}
    link, token = links.make(
        session, actor, view=body.view, community=community, params=params_kept(params), days=body.days
    )
    return LinkMade(id=link.id, address=f"{public_address(request)}/v/{token}", expires_at=link.expires_at)


@api.delete("/links/{link_id}", summary="Revoke a link", status_code=status.HTTP_204_NO_CONTENT)
def revoke_link(session: Session, actor: Share, link_id: Id) -> None:
    """Let a link lead nowhere from now on."""
    links.revoke(session, actor, link_id)


class AskedOf(listing.Days):
    """What is asked for of a view; the page asks for it too."""

    category: Category = None
    method: Method = "significant"


class AskedFor(AskedOf, listing.InCommunity):
    """What is asked for of a view, and of which community."""


@api.get(
    "/{view}/file",
    summary="A view as one file",
    response_class=Response,
    responses={200: {"description": "An HTML file that needs no network.", "content": {"text/html": {}}}},
)
def get_file(
    request: Request,
    session: Session,
    actor: Share,
    view: Annotated[View, Path(description="Which view.", examples=["lights"])],
    asked: Annotated[AskedFor, Query()],
) -> Response:
    """A view of a community, or of all one may see, as one HTML file with everything inside and nothing personal."""
    code = asked.community
    chosen = units.by_code(session, actor, code, units.Level.COMMUNITY) if code else None
    wanted = Asked(view=view, shared=True, **dict(asked) | {"community": chosen})
    return as_file(drawn(session, actor, request.app.state.settings, wanted))


def params_kept(params: dict[str, Any]) -> dict[str, Any]:
    """A view's filter as a link keeps it: days as text, without what is empty."""
    return {name: str(value) for name, value in params.items() if value}


def drawn(session: Session, actor: Actor, settings: Settings, wanted: Asked) -> Picture:
    """The picture that somebody asked for."""
    wanted, name = _named(session, actor, wanted)
    return views.draw(session, actor, wanted, name=name, attribution=ground.basemap(settings).attribution)


def ask(session: Session, actor: Actor, wanted: Asked) -> None:
    """Have computed what a view shows."""
    wanted, name = _named(session, actor, wanted)
    views.ask(session, actor, wanted, name=name)


def _named(session: Session, actor: Actor, wanted: Asked) -> tuple[Asked, str]:
    """What is asked for, with the unit above all that is seen, and what that place is called."""
    seen = glance.of(session, actor, wanted.community.code if wanted.community else None)
    name = wanted.community.name if wanted.community else seen.name if seen else ""
    if wanted.community is None and seen:
        wanted = replace(wanted, unit=seen.unit)
    return wanted, name


def shown(picture: Picture) -> dict[str, Any]:
    """What a template needs to show a picture on one of our pages."""
    place(picture.figure, address=static.address("js/views/picture.js"))
    return {"picture": picture, "map": offline.parts(picture.figure, vendor=static.address("vendor"))}


def as_file(picture: Picture) -> Response:
    """A picture as one HTML file: scripts and styles stand in it, and its own policy forbids every request."""
    place(picture.figure, source=_text("js/views/picture.js"))
    parts = offline.parts(picture.figure)
    html = (
        templates()
        .get_template("views/file.html")
        .render(
            locale=language.current(),
            picture=picture,
            map=parts,
            styles=[
                _without_addresses(_text(name))
                for name in ("vendor/leaflet.css", "vendor/symbols.css", "css/views.css")
            ],
            scripts=[_text("vendor/leaflet.js")],
        )
    )
    headers = {"Content-Disposition": f'attachment; filename="{picture.code}.html"'}
    return Response(html, media_type="text/html; charset=utf-8", headers=headers)


def _text(name: str) -> str:
    return (static.FOLDER / name).read_text(encoding="utf-8")


def _without_addresses(style: str) -> str:
    """A style sheet that loads nothing: Leaflet's names pictures for controls that no view has."""
    return re.sub(r"url\((?!['\"]?data:)[^)]*\)", "none", style)
