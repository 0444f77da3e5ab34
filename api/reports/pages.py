"""Reports by residents, on a page that needs no account: at ``/r``, or at ``/r/CODE`` from the code on a wall or card.

Visitors have no area, so these handlers open transactions of the system and go through ``data.reports`` and
``data.place_codes`` alone, which hand out what everybody may know. What is sent is counted by network address, a field
that people do not see catches programs that fill in everything, and how much may be sent is said in
``api.base.bodies``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.responses import JSONResponse, Response

from api.base import deps, forms, ground, sending, static, words
from api.base.fields import Code, Input, Lat, Line, Lon, Reference, Text
from api.base.page import plain, typed
from api.base.request import sender
from data import glance, incidents, nearby, photos, place_codes, reports
from data.base import access, sendings
from data.base.access import SYSTEM, Actor
from data.base.errors import Invalid, WanggeError
from data.base.language import _
from data.base.settings import Settings
from data.buildings import Building
from data.incidents import Category
from data.place_codes import Place
from data.reports import Effort
from maps import reports as report_maps

pages = APIRouter(include_in_schema=False)
Visitor = Annotated[Actor, deps.anyone]

#: Tiles that are shown at once; the others follow behind 其他.
_TILES = 7
PHOTO_HEADERS = {"Cache-Control": "private, max-age=86400, immutable"}


class ReportNew(Input):
    """What a resident fills in."""

    category_code: Code
    description: Text | None = None
    address: Line | None = None
    building_id: Reference | None = None
    lon: Lon | None = None
    lat: Lat | None = None
    accuracy_m: Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)] | None = None
    contact: Annotated[str, Field(pattern=r"^\+?[0-9][0-9 ()-]{4,18}[0-9]$", max_length=20)] | None = None


_FIELDS = tuple(ReportNew.model_fields)


def count(request: Request, effort: Effort) -> None:
    """Count an effort of this address, also when what follows is refused.

    Raises
    ------
    TooOften
    """
    with deps.transactions(request)(SYSTEM) as session:
        reports.count(session, effort, sender(request))


def _sent(effort: Effort) -> Any:
    """The form with its photos. The effort is counted before any of it is read, and also when it is refused."""

    async def sent(request: Request) -> AsyncIterator[FormData]:
        await run_in_threadpool(count, request, effort)
        form = await deps.form(request)
        try:
            async with _decoding:
                yield form
        finally:
            await form.close()

    return Depends(sent, scope="function")


#: Photos of strangers are decoded by a few at a time, and the others wait where nobody waits for them.
_decoding = asyncio.Semaphore(2)


@pages.get("/r")
def begin(request: Request, visitor: Visitor, community: Annotated[str, Query(max_length=64)] = "") -> Response:
    """The form of the only community, or of the one that was chosen; else the choice."""
    with deps.transactions(request)(SYSTEM) as session:
        if community:
            return _form(request, session, place_codes.community(session, community))
        found = place_codes.communities(session)
        return _form(request, session, Place(found[0])) if len(found) == 1 else _choice(request, session)


def _choice(request: Request, session: Any, error: WanggeError | None = None) -> Response:
    """The communities to choose from."""
    choices = [{"name": one.name, "href": f"/r?community={one.code}"} for one in place_codes.communities(session)]
    detail = error.detail if error else None
    return plain(request, "reports/choose.html", status=forms.status(error), choices=choices, fault=detail)


@pages.get("/r/ground")
def the_ground(request: Request, visitor: Visitor, community: Annotated[str, Query(max_length=64)]) -> Response:
    """A community's ground, to draw the map of the form."""
    with deps.transactions(request)(SYSTEM) as session:
        found = place_codes.ground(session, place_codes.community(session, community).community.id)
    return JSONResponse(found, headers={"Cache-Control": "public, max-age=3600"})


@pages.get("/r/where")
def whereabouts(
    request: Request, visitor: Visitor, community: Annotated[str, Query(max_length=64)], lon: Lon, lat: Lat
) -> Response:
    """What is at a point, in words: the building next to it, and the grid that will see to it."""
    with deps.transactions(request)(SYSTEM) as session:
        where = place_codes.community(session, community).community
        found = place_codes.near(session, where.id, lon, lat)
        return JSONResponse(
            {
                "name": _near_name(found, where.name),
                "grid": _("Goes to {grid}", grid=found.grid) if found.grid else None,
                "outside": found.grid is None,
            }
        )


def _near_name(found: place_codes.Near, community: str) -> str:
    if found.grid is None:
        return _("Outside {name}", name=community)
    if found.building is None:
        return _("In {grid}", grid=found.grid)
    return _("Near {building}", building=words.building(found.building.number, found.building.name))


@pages.get("/r/similar")
def similar(
    request: Request,
    visitor: Visitor,
    community: Annotated[str, Query(max_length=64)],
    category: Annotated[str, Query(max_length=64)],
    lon: Lon | None = None,
    lat: Lat | None = None,
    building: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """Open cases of the same kind nearby, as a stranger may know them: a piece of the form."""
    count(request, Effort.SIMILAR)
    with deps.transactions(request)(SYSTEM) as session:
        where = place_codes.community(session, community).community
        kind = reports.kind(session, category)
        found = reports.similar(session, where.id, category_code=kind.code, lon=lon, lat=lat, building_id=building)
        rows = [_similar(one, kind, nearby.seconds(session, one.incident_id)) for one in found]
    return plain(request, "reports/similar.html", rows=rows)


def _similar(one: reports.Similar, kind: Category, seconds: int) -> dict[str, Any]:
    return {
        "handle": nearby.handle(one.incident_id),
        "seconds": seconds,
        "title": words.name(kind),
        "icon": kind.icon,
        "away": _("same building") if one.same_building else _("nearby"),
        "age": words.ago(one.age),
        "photo": f"/r/photos/{one.photo_id}/{reports.photo_key(one.photo_id)}" if one.photo_id else None,
    }


@pages.post("/r/second")
def second(request: Request, visitor: Visitor, form: Annotated[FormData, typed]) -> Response:
    """Count that somebody has seen a similar case too: once a browser, or an address where it keeps nothing."""
    count(request, Effort.SECOND)
    device = forms.text_in(form, "device")[:100] or sender(request)
    with deps.transactions(request)(SYSTEM) as session:
        where = _place_of(session, form).community
        seconds = nearby.second(session, where.id, forms.text_in(form, "case")[:200], device)
    said = _("Counted: {count} besides the one who reported it have seen it. Nothing more need be sent.", count=seconds)
    return JSONResponse({"seconds": seconds, "said": said})


@pages.get("/r/map")
def open_map(request: Request, visitor: Visitor, community: Annotated[str, Query(max_length=64)] = "") -> Response:
    """How many things are open and how many were settled, by cells and kinds, where the community shows it."""
    with deps.transactions(request)(SYSTEM) as session:
        shown = place_codes.communities(session)
        code = community or (shown[0].code if len(shown) == 1 else "")
        where = place_codes.community(session, code).community
        opened = nearby.open_map(session, where)
        settings: Settings = request.app.state.settings
        cells = [[one.lon, one.lat, one.open, one.settled] for one in opened.cells]
        drawn = report_maps.openly(
            bounds=glance.bounds(session, access.SYSTEM, where.id),
            basemap=ground.basemap(settings),
            ground=f"/r/ground?community={where.code}",
            cells=cells,
            side=nearby.CELL_DEG,
            static=static.address().rstrip("/"),
        )
        return plain(
            request,
            "reports/open.html",
            community_name=where.name,
            report=f"/r?community={where.code}",
            found=opened,
            kinds=[(words.name(kind), unsettled, settled) for kind, unsettled, settled in opened.kinds],
            fewest=nearby.FEWEST,
            days=nearby.SETTLED.days,
            **ground.shown(drawn, settings),
        )


@pages.post("/r/photos")
def take_photo(request: Request, visitor: Visitor, form: Annotated[FormData, _sent(Effort.PHOTO)]) -> Response:
    """Take one photo in while the form is being filled in; where it was taken is told once, and kept nowhere."""
    file = form.get("photo")
    if not isinstance(file, UploadFile):
        raise Invalid(_("The photo is empty. Choose another one."))
    content = file.file.read()
    with deps.transactions(request)(SYSTEM) as session:
        where = _place_of(session, form)
        stored = photos.store(session, SYSTEM, content, community_id=where.community.id)
        inside = stored.lon is not None and stored.lat is not None and _is_inside(session, where, stored)
        place = {"lon": stored.lon, "lat": stored.lat} if inside else None
    return JSONResponse({"claim": stored.claim, "place": place}, 201)


def _is_inside(session: Any, where: Place, stored: photos.Stored) -> bool:
    assert stored.lon is not None
    assert stored.lat is not None
    return place_codes.near(session, where.community.id, stored.lon, stored.lat).grid is not None


@pages.get("/r/photos/{photo_id}/{key}")
def public_photo(
    request: Request,
    visitor: Visitor,
    photo_id: Annotated[int, Path(ge=1, le=2**63 - 1)],
    key: Annotated[str, Path(max_length=64)],
) -> Response:
    """A photo that staff made public, small."""
    with deps.transactions(request)(SYSTEM) as session:
        found = reports.public_photo(session, photo_id, key)
        content = photos.content(found, thumbnail=True)
    return Response(content, media_type="image/jpeg", headers=PHOTO_HEADERS)


@pages.get("/r/{code}")
def begin_at(request: Request, visitor: Visitor, code: Annotated[str, Path(max_length=40)]) -> Response:
    """The form for the building or card whose code was scanned; a code that was replaced leads to the choice."""
    with deps.transactions(request)(SYSTEM) as session:
        try:
            return _form(request, session, place_codes.place(session, code))
        except place_codes.PlaceCodeNotFound as error:
            return _choice(request, session, error)


@pages.post("/r")
def send(request: Request, visitor: Visitor, form: Annotated[FormData, _sent(Effort.REPORT)]) -> Response:
    """Take the report in, and go on to its progress."""
    claims = [str(one) for one in form.getlist("claim") if isinstance(one, str)][: reports.PHOTOS]
    coming = sending.read(form)
    with deps.transactions(request)(SYSTEM) as session:
        where = _place_of(session, form)
        try:
            known = sendings.address(session, None, coming) is not None if coming else False
            claims += _photos_in(session, where, form, reports.PHOTOS - len(claims))
            with session.begin_nested():
                found = reports.send(session, where, claims=claims, **_values(session, where, form))
                if coming and not known:
                    # Where it led is a key that is kept nowhere: it follows from the token again.
                    sendings.done(session, None, coming, "")
        except forms.REFUSED as error:
            return _form(request, session, where, typed=form, error=error, claims=claims)
    return sending.go(request, f"/track/{found.tracking}")


def _place_of(session: Any, form: FormData) -> Place:
    if code := forms.text_in(form, "code"):
        return place_codes.place(session, code)
    return place_codes.community(session, forms.text_in(form, "community"))


def _photos_in(session: Any, where: Place, form: FormData, most: int) -> list[str]:
    """Take in the photos that came with the form itself, from a browser without our script."""
    contents = [one.file.read() for one in form.getlist("photo") if isinstance(one, UploadFile)]
    return [
        photos.store(session, SYSTEM, content, community_id=where.community.id).claim
        for content in [one for one in contents if one][: max(most, 0)]
    ]


def _values(session: Any, where: Place, form: FormData) -> dict[str, Any]:
    """What was filled in, checked; the place is a point, a building, or at least a description of it."""
    if forms.text_in(form, "website"):
        raise Invalid(_("The field for programs was filled in. Leave it empty."))
    values = forms.read(ReportNew, form, _FIELDS)
    kind = reports.kind(session, values["category_code"])
    prefix = f"q.{kind.code}."
    typed = {name.removeprefix(prefix): forms.text_in(form, name) for name in form if name.startswith(prefix)}
    try:
        values["answers"] = reports.read_answers(incidents.asked(kind), typed)
    except Invalid as error:
        faults = {f"{prefix}{code}": text for code, text in dict(error.facts["faults"]).items()}  # type: ignore[call-overload]
        raise Invalid(error.detail, faults=faults) from error
    if (values["lon"] is None) != (values["lat"] is None):
        raise Invalid(_("A place needs both lon and lat."), faults={"place": _("A place needs both lon and lat.")})
    return {**values, "once": forms.text_in(form, "once")[:100]}


def _form(
    request: Request,
    session: Any,
    where: Place,
    *,
    typed: FormData | None = None,
    error: Any = None,
    claims: list[str] | None = None,
) -> Response:
    """The form; after a refusal with all that was typed, and the photos that were taken in."""
    settings: Settings = request.app.state.settings
    values = {name: forms.text_in(typed, name) for name in typed} if typed is not None else {}
    faults = dict(error.facts.get("faults") or {}) if error else {}
    if error and not faults and isinstance(error.facts.get("field"), str):
        faults[str(error.facts["field"]).removeprefix("body.")] = error.detail
    point = _point(values) or (_middle(session, where.building) if where.building else None)
    base = ground.basemap(settings)
    drawn = report_maps.reporting(
        bounds=glance.bounds(session, access.SYSTEM, where.community.id),
        basemap=base,
        point=point,
        ground=f"/r/ground?community={where.community.code}",
        static=static.address().rstrip("/"),
    )
    buildings = [
        {"id": str(one.id), "name": words.building(one.number, one.name, one.code), "at": _middle(session, one)}
        for one in place_codes.homes(session, where.community.id)
    ]
    first, groups = _tiles(session, where.community.id, values.get("category_code"))
    return plain(
        request,
        "reports/form.html",
        status=forms.status(error),
        community=None,
        place={
            "community": where.community.code,
            "community_name": where.community.name,
            "open_map": where.community.open_map,
            "phone": where.community.phone,
            "code": where.code.code if where.code else "",
            "grid": where.grid.name if where.grid else None,
            "building": words.building(where.building.number, where.building.name) if where.building else None,
            "building_id": where.building.id if where.building else None,
        },
        first=first,
        groups=groups,
        buildings=buildings,
        values=values,
        faults=faults,
        fault=None if not error or (faults and all(faults)) else error.detail,
        claims=claims or [],
        # What was sent before, with something else in it, is another report when it is sent again.
        anew=isinstance(error, sendings.SentBefore),
        once=(not isinstance(error, sendings.SentBefore) and values.get("once")) or reports.new_once(),
        most_photos=reports.PHOTOS,
        most_mb=settings.photo_max_mb,
        days=reports.CONTACT_DAYS,
        **ground.shown(drawn, settings),
    )


def _point(values: dict[str, str]) -> tuple[float, float] | None:
    try:
        lon, lat = float(values["lon"]), float(values["lat"])
    except (KeyError, ValueError):
        return None
    return (lon, lat) if abs(lon) <= 180 and abs(lat) <= 90 else None


def _middle(session: Any, building: Building) -> tuple[float, float] | None:
    from geoalchemy2.shape import to_shape

    if building.point is None:
        return None
    point: Any = to_shape(building.point)
    return point.x, point.y


def _tiles(session: Any, community_id: int, chosen: str | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The kinds of cases: those most reported here first, and all the others by their group."""
    rows = reports.kinds(session)
    parents = {category.code for category in rows if any(other.parent_code == category.code for other in rows)}
    leaves = {category.code: category for category in rows if category.code not in parents}
    order = [code for code in reports.most_reported(session, community_id) if code in leaves]
    order += [code for code in leaves if code not in order]
    shown = order[:_TILES]
    if chosen in leaves and chosen not in shown:
        shown[-1] = chosen
    groups = []
    for group in (category for category in rows if category.parent_code is None):
        below = [
            category
            for category in leaves.values()
            if group.code in (category.parent_code, category.code) and category.code not in shown
        ]
        if below:
            groups.append({"name": words.name(group), "tiles": [_tile(category) for category in below]})
    return [_tile(leaves[code]) for code in shown], groups


def _tile(kind: Category) -> dict[str, Any]:
    questions = [
        {
            "name": f"q.{kind.code}.{question['code']}",
            "label": words.of_question(question),
            "kind": question["kind"],
            "required": bool(question.get("required")),
            "choices": [
                {"value": choice["code"], "label": words.of_question(choice)}
                for choice in question.get("choices") or ()
            ],
        }
        for question in incidents.asked(kind)
    ]
    tile = {"value": kind.code, "label": words.name(kind), "icon": kind.icon, "placed": kind.placed}
    return {**tile, "questions": questions}
