"""“I have 40 minutes”: what matters most within them, as a walk by building, on the map and door by door."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, Any

import shapely
from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from api.base import forms, ground, ledgers, tabs, words
from api.base.fields import Code, Reference
from api.base.listing import Parameters
from api.base.page import Page, needs
from api.visits.pages import what_is_due
from data import households, today, units, walks
from data.base import settings
from data.base.errors import Invalid
from data.base.language import _
from data.walks import Door, Stop, Walk
from maps import walks as walk_maps

pages = APIRouter(include_in_schema=False)
#: Minutes to choose from; others are typed.
CHOICES = (20, 40, 60, 90)


class WalkAsked(Parameters):
    """How long one has, and where one begins."""

    minutes: Annotated[int, Field(ge=walks.LEAST_MINUTES, le=walks.MOST_MINUTES)] = 40
    start: Reference | None = None
    grid: Code | None = None


@pages.get("/walk")
def walk(page: Annotated[Page, needs("household.read", "visit.record")]) -> Response:
    """What matters most within the minutes one has."""
    try:
        asked = ledgers.parameters(page.request.query_params, WalkAsked)
        laid, fault = _laid(page, asked), None
    except Invalid as error:
        asked, laid, fault = WalkAsked(), Walk(), error
    frame = ground.frame(page)
    line = laid.line
    places = [(stop.lon, stop.lat) for stop in laid.stops]
    if places:
        west, south, east, north = shapely.union_all([shapely.MultiPoint(places), *([line] if line else [])]).bounds
        frame["bounds"] = (south, west, north, east)
    stops = [{"lon": lon, "lat": lat, "number": place} for place, (lon, lat) in enumerate(places, 1)]
    chart = ground.shown(
        walk_maps.walk(**frame, line=shapely.geometry.mapping(line) if line else None, stops=stops), page.settings
    )
    own = today.own_grids(page.actor)
    groups = {group.code: words.name(group) for group in households.special_groups(page.session)}
    following = [door.household.id for stop in laid.stops for door in stop.doors if door.household is not None]
    return page.show(
        "walks/walk.html",
        section="visits",
        status=forms.status(fault),
        tabs=tabs.visits(page, "walk"),
        fault=fault.detail if fault else None,
        asked={"minutes": asked.minutes, "start": str(asked.start or ""), "grid": asked.grid or ""},
        choices=CHOICES,
        limits={"least": walks.LEAST_MINUTES, "most": walks.MOST_MINUTES},
        starts=[{"value": key, "label": name} for key, name in forms.building_names(page).items()],
        grids=[] if own else [{"value": grid.code, "label": grid.name} for grid in ledgers.grids_of(page)],
        stops=[_stop(stop, place, groups, following) for place, stop in enumerate(laid.stops, 1)],
        said=_said(laid),
        how=_how(laid),
        left=_left(laid.left, groups),
        day=words.day(settings.today()),
        chart=chart["map"],
        source=chart["attribution"],
    )


def _laid(page: Page, asked: WalkAsked) -> Walk:
    if page.community_id is None:
        raise Invalid(_("Choose a community at the top of the page first."))
    community = units.community(page.session, page.actor, page.community_id)
    return walks.within(
        page.session, page.actor, asked.minutes, community=community, grid=asked.grid, start=asked.start
    )


def _said(laid: Walk) -> str:
    if not laid.stops:
        return ""
    doors = sum(len(stop.doors) for stop in laid.stops)
    return _(
        "{doors} doors in {stops} buildings, about {minutes} minutes",
        doors=doors,
        stops=len(laid.stops),
        minutes=round(laid.minutes),
    )


def _how(laid: Walk) -> str:
    """How the time was reckoned."""
    service, speed = round(walks.SERVICE_MINUTES), f"{walks.METRES_A_MINUTE * 60 / 1000:.1f}"
    if laid.on_streets:
        return _("{service} minutes a door, on the paths of the map at {speed} km/h.", service=service, speed=speed)
    return _(
        "{service} minutes a door, straight between buildings and {more} % more, at {speed} km/h.",
        service=service,
        more=round(100 * walks.DETOUR - 100),
        speed=speed,
    )


def _stop(stop: Stop, place: int, groups: dict[str, str], following: list[int]) -> dict[str, Any]:
    return {
        "place": place,
        "title": words.building(stop.number),
        "minutes": round(stop.minutes),
        "doors": [_door(door, groups, following) for door in stop.doors],
    }


def _door(door: Door, groups: dict[str, str], following: Sequence[int] = ()) -> dict[str, Any]:
    """A door as the page lists it: where, who, why; one on the walk leads on to those that follow."""
    on_round = [{"text": _("On a round of today")}] if door.on_round else []
    if door.household is None:
        assert door.case is not None
        case = words.case(door.case)
        late = (
            [{"text": case["due"]["text"], "tone": "overdue" if case["due"]["overdue"] else ""}] if case["due"] else []
        )
        return {
            "href": f"/incidents/{case['id']}",
            "icon": "alert-circle",
            "title": case["title"],
            "who": _("Open case"),
            "reasons": late + on_round,
        }
    row = door.household
    href = f"/visits/record/{row.id}"
    if row.id in following:
        rest = following[following.index(row.id) + 1 :]
        href += f"?walk={','.join(map(str, rest)) or 'end'}"
    due = what_is_due(row, settings.today())
    reasons = [{"text": due["text"], "tone": "overdue" if due.get("tone") else ""}] if due else []
    reasons += [{"text": groups.get(code, code), "tone": "care"} for code in sorted(row.groups or ())]
    reasons += [{"text": _("Open case: {title}", title=words.title(case))} for case in door.cases]
    if row.tries:
        reasons.append({"text": _("in vain {count}", count=row.tries)})
    return {
        "href": href,
        "icon": "phone" if row.manner == "call" else "home-check",
        "title": words.dwelling(row.unit, row.room),
        "who": households.masked({"head_name": row.head_name})["head_name"] or row.number,
        "reasons": reasons + on_round,
    }


def _left(doors: Sequence[Door], groups: dict[str, str]) -> list[dict[str, Any]]:
    """What there is no time for, by building."""

    def building(door: Door) -> tuple[str, int]:
        row = door.household if door.household is not None else door.case
        return words.building(row.building_number if row is not None else None), door.building_id

    return [
        {"title": title, "doors": [_door(door, groups) for door in some]}
        for (title, _building), some in groupby(doors, building)
    ]
