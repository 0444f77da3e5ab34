"""The work list of records without a place: choose one, then click the map or accept what its address may mean."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from pydantic import ValidationError
from sqlalchemy import Row
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import errors, forms, ground, ledgers, words
from api.base.fields import ID_MAX, Id
from api.base.ledgers import Listing
from api.base.page import Page, needs, typed
from api.unlocated.routes import Place, door, title
from data import buildings, grids, locating, unlocated
from data.base.errors import Conflict, Invalid, NotFound, WanggeError
from data.base.language import _
from data.grids import UnlocatedReason
from data.households import Household
from data.unlocated import EDIT, READ, Candidate, Kind
from maps import placing

pages = APIRouter(include_in_schema=False)


@pages.get("/unlocated")
def listed(page: Page = needs("building.read")) -> Response:
    """What waits for a place, of one kind; the first one, or the one in the address, is on the table."""
    query = page.request.query_params
    counts = unlocated.counts(page.session, page.actor, page.community)
    kind = query.get("kind", "")
    if kind not in counts:
        kind = next((one for one, reasons in counts.items() if reasons), next(iter(counts), Kind.BUILDINGS))
    record_id = query.get("id", "")
    chosen = int(record_id) if record_id.isdecimal() and int(record_id) <= ID_MAX else None
    return _list(page, Kind(kind), counts, chosen)


def _list(
    page: Page,
    kind: Kind,
    counts: dict[Kind, dict[str, int]],
    chosen_id: int | None,
    form: FormData | None = None,
    error: WanggeError | None = None,
) -> Response:
    reason = page.request.query_params.get("reason", "")
    reason = reason if reason in counts.get(kind, {}) else ""
    query = unlocated.selection(page.actor, kind, community=page.community, reason=reason or None)
    found, paging, _sort = ledgers.rows(page, Listing(query, unlocated.SORTS[kind], unlocated.key(kind), "id"))
    if all(row.id != chosen_id for row in found):
        chosen_id = found[0].id if found else None
    rows = [_row(page, kind, row, chosen_id) for row in found]
    chosen = next((row for row in rows if row["current"]), None)
    if chosen and form:
        chosen |= {name: forms.text_in(form, name) for name in ("unit", "room")}
    point = forms.typed_point(form) if form else None
    if chosen and point is None:
        point = chosen["point"]
    return page.show(
        "unlocated/list.html",
        section="ledger",
        status=forms.status(error),
        kinds=_kinds(page, kind, counts),
        reasons=_reasons(page, counts.get(kind, {}), reason),
        rows=rows,
        paging=paging,
        chosen=chosen,
        kind=kind,
        can_edit=chosen is not None and page.may(EDIT[kind], chosen["community_id"]),
        fault=error.detail if error else None,
        fault_field=str(error.facts.get("field", "")).removeprefix("body.") if error else "",
        **_map(page, chosen, point),
    )


def _kinds(page: Page, kind: Kind, counts: dict[Kind, dict[str, int]]) -> list[dict[str, Any]]:
    names = {Kind.HOUSEHOLDS: _("Households"), Kind.INCIDENTS: _("Cases"), Kind.BUILDINGS: _("Buildings")}
    return [
        {
            "code": one,
            "label": names[one],
            "count": sum(reasons.values()),
            "current": one == kind,
            "href": f"/unlocated?kind={one}",
        }
        for one, reasons in counts.items()
    ]


def _reasons(page: Page, counts: dict[str, int], chosen: str) -> list[dict[str, Any]]:
    """The reasons to choose from, when there are several."""
    if len(counts) < 2:
        return []
    names = locating.reason_names()
    every = {"": sum(counts.values()), **counts}
    return [
        {
            "code": code,
            "label": names.get(code, _("All")),
            "count": count,
            "current": code == chosen,
            "href": _address(page, reason=code),
        }
        for code, count in every.items()
    ]


def _row(page: Page, kind: Kind, row: Row[Any], chosen_id: int | None) -> dict[str, Any]:
    """A row of the list; of the chosen one also what its address may mean, and the door that it states."""
    shown = {
        "id": row.id,
        "community_id": row.community_id,
        "title": title(kind, row),
        "address": row.address,
        "reason": locating.reason_names()[row.unlocated_reason],
        "advice": None,
        "candidates": [],
        "point": (row.lon, row.lat) if row.lon is not None else None,
        "href": f"{_address(page, kind=kind, id=row.id)}#place",
        "action": _address(page, f"/{kind}/{row.id}", id=row.id),
        "current": row.id == chosen_id,
    }
    if not shown["current"]:
        return shown
    record = unlocated.get(page.session, page.actor, kind, row.id)
    shown["candidates"] = [_candidate(one) for one in unlocated.candidates(page.session, page.actor, record)]
    if kind == Kind.HOUSEHOLDS:
        stated = unlocated.door_of(record)
        shown |= {"unit": stated.unit, "room": stated.room}
    if shown["candidates"]:
        shown["advice"] = _("Is it one of these?")
    elif row.unlocated_reason == UnlocatedReason.OUTSIDE and kind != Kind.HOUSEHOLDS:
        shown["advice"] = _("Move the pin to where it belongs, or draw the grids so that they cover it.")
    return shown


def _address(page: Page, below: str = "", /, **changes: str | int) -> str:
    """The list at the same place, but with other parameters; without ``id`` the first record is chosen."""
    query: dict[str, Any] = {**page.request.query_params, "id": "", **changes}
    query.pop("lang", None)
    return f"/unlocated{below}?{urlencode({name: value for name, value in query.items() if value})}"


def _candidate(one: Candidate) -> dict[str, Any]:
    building = one.building
    name = words.building(building.number, building.name, building.code)
    told = [name, building.address, _("{score:.0%} alike", score=one.score) if one.score < 1 else None]
    return {
        "label": _(", ").join(part for part in told if part),
        "building_id": building.id,
        "go": (building.lon, building.lat) if building.lon is not None else None,
    }


def _map(page: Page, chosen: dict[str, Any] | None, point: tuple[float, float] | None) -> dict[str, Any]:
    """The context ``map``, ``attribution`` and ``point``: the community, with the pin where the record is now.

    A point far away has no pin: it would take the map away from the community.
    """
    frame = ground.frame(page)
    south, west, north, east = frame["bounds"]
    width, height = east - west, north - south
    if point and not (west - width < point[0] < east + width and south - height < point[1] < north + height):
        point = None
    drawn = placing.placing(**frame, point=point, editable=chosen is not None)
    return {**ground.shown(drawn, page.settings), "point": point}


def _routes(kind: Kind) -> None:
    @pages.get(f"/unlocated/{kind}/{{record_id}}")
    def choose(record_id: Id, page: Page = needs(READ[kind])) -> Response:
        """The list with this record on the table."""
        return page.go(_address(page, kind=kind, id=record_id))

    @pages.post(f"/unlocated/{kind}/{{record_id}}")
    def place(record_id: Id, page: Page = needs(EDIT[kind]), form: FormData = typed) -> Response:
        """Place a record, and go on to the next one."""
        try:
            body = _read(form)
            with page.attempt():
                placed = unlocated.place(
                    page.session,
                    page.actor,
                    kind,
                    record_id,
                    lon=body.lon,
                    lat=body.lat,
                    building_id=body.building_id,
                    door=door(body),
                )
        except unlocated.AlreadyPlaced as error:
            return page.go(_address(page, kind=kind), error.detail)
        except (Invalid, Conflict, NotFound) as error:
            counts = unlocated.counts(page.session, page.actor, page.community)
            return _list(page, kind, counts, record_id, form, error)
        return page.go(_address(page, kind=kind), _placed(page, placed))


def _placed(page: Page, record: unlocated.Record) -> str:
    """What to say of a record that has its place now."""
    if isinstance(record, Household):
        assert record.dwelling_id is not None
        dwelling = buildings.get_dwelling(page.session, page.actor, record.dwelling_id)
        row = buildings.dwelling_row(page.session, dwelling)
        door = f"{words.building(row.building_number, None, row.building_code)} {words.dwelling(row.unit, row.room)}"
        return _("Placed: {where}.", where=door)
    assert record.grid_id is not None
    return _("Placed: {where}.", where=grids.get(page.session, page.actor, record.grid_id).name)


def _read(form: FormData) -> Place:
    """What was typed, clicked or accepted: a building goes before the point."""
    building_id = forms.id_in(form, "building")
    values: dict[str, Any] = {name: forms.text_in(form, name) or None for name in ("unit", "room")}
    if building_id is not None:
        values["building_id"] = building_id
    elif point := forms.point_in(form):
        values |= {"lon": point[0], "lat": point[1]}
    else:
        raise Invalid(_("Click the map, or accept a building."), field="lon")
    try:
        return Place.model_validate(values)
    except ValidationError as error:
        raise Invalid(errors.sentence(dict(error.errors()[0]))) from error


for _kind in Kind:
    _routes(_kind)
