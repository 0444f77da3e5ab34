"""Reports by residents, on a page that needs no account: at ``/r``, or at ``/r/CODE`` from the code on a wall or card.

Visitors have no area, so these handlers open transactions of the system and go through ``data.reports`` and
``data.place_codes`` alone, which hand out what everybody may know. What is sent is counted by network address, a field
that people do not see catches programs that fill in everything, and the length of what is sent is known before it is
read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field
from starlette.datastructures import FormData, UploadFile
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response

from api import deps, forms, ground, labels, static
from api.fields import Code, Input, Lat, Line, Lon, Reference, Text
from api.pages import plain
from data import glance, incidents, photos, place_codes, reports
from data.base import access, language
from data.base import settings as all_settings
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
_SPARE_BYTES = 500_000
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


async def _limited(request: Request) -> AsyncIterator[FormData]:
    """The form with its photos, whose length is known and allowed before any of it is read."""
    settings: Settings = request.app.state.settings
    most = reports.PHOTOS * settings.photo_max_mb * 1_000_000 + _SPARE_BYTES
    told = request.headers.get("content-length", "")
    if not told.isdecimal() or int(told) > most:
        raise Invalid(_("What was sent is too large. A photo may have {most} MB.", most=settings.photo_max_mb))
    async with request.form(max_files=reports.PHOTOS, max_fields=400) as form:
        yield form


Sent = Annotated[FormData, Depends(_limited)]


def address_of(request: Request) -> str:
    """The network address of a request, to count by."""
    return request.client.host if request.client else ""


def count(request: Request, effort: Effort) -> None:
    """Count an effort of this address, also when what follows is refused.

    Raises
    ------
    TooOften
    """
    with deps.transactions(request)(SYSTEM) as session:
        reports.count(session, effort, address_of(request))


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
    return _("Near {building}", building=labels.building(found.building.number, found.building.name))


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
    with deps.transactions(request)(SYSTEM) as session:
        where = place_codes.community(session, community).community
        kind = incidents.category(session, category)
        found = reports.similar(
            session, where.id, category_code=kind.code, lon=lon, lat=lat, building_id=building
        )  # fmt: skip
        rows = [_similar(one, kind) for one in found]
    return plain(request, "reports/similar.html", rows=rows)


def _similar(one: reports.Similar, kind: Category) -> dict[str, Any]:
    return {
        "title": labels.name(kind),
        "icon": kind.icon,
        "away": labels.away(one.distance_m) or (_("same building") if one.same_building else ""),
        "age": labels.ago(one.age),
        "photo": f"/r/photos/{one.photo_id}/{reports.photo_key(one.photo_id)}" if one.photo_id else None,
    }


@pages.post("/r/photos")
def take_photo(request: Request, visitor: Visitor, form: Sent) -> Response:
    """Take one photo in while the form is being filled in; where it was taken is told once, and kept nowhere."""
    count(request, Effort.PHOTO)
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
        path = photos.place(found.sha256, thumbnail=True)
    return FileResponse(path, media_type="image/jpeg", headers=PHOTO_HEADERS)


@pages.get("/r/{code}")
def begin_at(request: Request, visitor: Visitor, code: Annotated[str, Path(max_length=40)]) -> Response:
    """The form for the building or card whose code was scanned; a code that was replaced leads to the choice."""
    with deps.transactions(request)(SYSTEM) as session:
        try:
            return _form(request, session, place_codes.place(session, code))
        except place_codes.PlaceCodeNotFound as error:
            return _choice(request, session, error)


@pages.post("/r")
def send(request: Request, visitor: Visitor, form: Sent) -> Response:
    """Take the report in, and go on to its progress."""
    count(request, Effort.REPORT)
    claims = [str(one) for one in form.getlist("claim") if isinstance(one, str)][: reports.PHOTOS]
    with deps.transactions(request)(SYSTEM) as session:
        where = _place_of(session, form)
        try:
            claims += _photos_in(session, where, form, reports.PHOTOS - len(claims))
            with session.begin_nested():
                found = reports.send(session, where, claims=claims, **_values(session, where, form))
        except forms.REFUSED as error:
            return _form(request, session, where, typed=form, error=error, claims=claims)
    return RedirectResponse(f"/track/{found.tracking}", 303)


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
    kind = incidents.category(session, values["category_code"])
    prefix = f"q.{kind.code}."
    typed = {name.removeprefix(prefix): forms.text_in(form, name) for name in form if name.startswith(prefix)}
    try:
        values["answers"] = reports.read_answers(kind.questions, typed)
    except Invalid as error:
        faults = {f"{prefix}{code}": text for code, text in dict(error.facts["faults"]).items()}  # type: ignore[call-overload]
        raise Invalid(error.detail, faults=faults) from error
    if (values["lon"] is None) != (values["lat"] is None):
        raise Invalid(_("A place needs both lon and lat."), faults={"place": _("A place needs both lon and lat.")})
    building_id = values["building_id"]
    if building_id is None and values["lon"] is None and where.building is not None:
        values["building_id"] = building_id = where.building.id
    if values["lon"] is None and building_id is None:
        # A lamp with a number stands where it is known to stand.
        texts = [one for one in (values["address"], *values["answers"].values()) if isinstance(one, str)]
        found = filter(None, (place_codes.numbered(session, where.community.id, text) for text in texts))
        values["lon"], values["lat"] = next(found, (None, None))
    if values["lon"] is None and building_id is None and not values["address"]:
        detail = _("Say where it is: move the map, choose a building, or describe the place.")
        raise Invalid(detail, faults={"place": detail})
    # What is kept is read by staff, whichever language the resident reads.
    with language.using(all_settings.get().language):
        values["address"] = _address(session, where, building_id, values["address"])
    if values["lon"] is None:
        values["accuracy_m"] = None
    return {**values, "once": forms.text_in(form, "once")[:100]}


def _address(session: Any, where: Place, building_id: int | None, typed: str | None) -> str | None:
    """What is noted as the address: the building with what was said beyond, the grid of a card without a place."""
    building = session.get(Building, building_id) if building_id else None
    if building is not None:
        name = labels.building(building.number, building.name, building.code)
        return f"{name} {typed}"[:200] if typed else building.address or name
    return f"{where.grid.name} {typed}"[:200] if typed and where.grid else typed


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
        bounds=glance.bounds(session, access.SYSTEM, where.community.id), basemap=base, point=point,
        ground=f"/r/ground?community={where.community.code}", static=static.address().rstrip("/"),
    )  # fmt: skip
    buildings = [
        {"id": str(one.id), "name": labels.building(one.number, one.name, one.code), "at": _middle(session, one)}
        for one in place_codes.homes(session, where.community.id)
    ]
    first, groups = _tiles(session, where.community.id, values.get("category_code"))
    return plain(
        request,
        "reports/form.html",
        status=forms.status(error),
        community=None,
        place={
            "community": where.community.code, "community_name": where.community.name, "phone": where.community.phone,
            "code": where.code.code if where.code else "", "grid": where.grid.name if where.grid else None,
            "building": labels.building(where.building.number, where.building.name) if where.building else None,
            "building_id": where.building.id if where.building else None,
        },
        first=first,
        groups=groups,
        buildings=buildings,
        values=values,
        faults=faults,
        fault=None if not error or (faults and all(faults)) else error.detail,
        claims=claims or [],
        once=values.get("once") or reports.new_once(),
        most_photos=reports.PHOTOS,
        most_mb=settings.photo_max_mb,
        days=reports.CONTACT_DAYS,
        **ground.shown(drawn, settings),
    )  # fmt: skip


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
    rows = incidents.categories(session)
    parents = {one.code for one in rows if any(other.parent_code == one.code for other in rows)}
    leaves = {one.code: one for one in rows if one.code not in parents}
    order = [code for code in reports.most_reported(session, community_id) if code in leaves]
    order += [code for code in leaves if code not in order]
    shown = order[:_TILES]
    if chosen in leaves and chosen not in shown:
        shown[-1] = chosen
    groups = []
    for group in (one for one in rows if one.parent_code is None):
        below = [one for one in leaves.values() if group.code in (one.parent_code, one.code) and one.code not in shown]
        if below:
            groups.append({"name": labels.name(group), "tiles": [_tile(one) for one in below]})
    return [_tile(leaves[code]) for code in shown], groups


def _tile(kind: Category) -> dict[str, Any]:
    questions = [
        {
            "name": f"q.{kind.code}.{question['code']}", "label": labels.of_question(question),
            "kind": question["kind"], "required": bool(question.get("required")),
            "choices": [
                {"value": choice["code"], "label": labels.of_question(choice)}
                for choice in question.get("choices") or ()
            ],
        }
        for question in kind.questions or ()
    ]  # fmt: skip
    return {"value": kind.code, "label": labels.name(kind), "icon": kind.icon, "questions": questions}
