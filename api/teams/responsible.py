"""Who is responsible here, on a page to read, to put up and to print; and how much there is to do in each grid."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from api.base import tabs, words
from api.base.fields import Reference
from api.base.ledgers import parameters
from api.base.listing import Parameters
from api.base.page import Page, needs
from api.grids.pages import figures_by_grid
from data import buildings, grids, teams, units, visits
from data.base import settings
from data.base.access import PEOPLE
from data.base.language import _
from data.teams import Responsible
from maps import teams as team_maps
from spatial.datums import reproject

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("grid.read")]
#: More buildings than these are no map to put on a wall.
_MOST = 1500


class Here(Parameters):
    """Which building, and its door where one was typed."""

    building: Reference | None = None


@pages.get("/responsible")
def wall(page: Read) -> Response:
    """Each grid with its team, the map down to the building, and those of the building that was chosen."""
    asked = parameters(page.request.query_params, Here)
    community = page.one_community
    whole = teams.of_community(page.session, page.actor, community.id) if community else []
    chosen = buildings.get(page.session, page.actor, asked.building) if asked.building else None
    here = teams.of_building(page.session, page.actor, chosen) if chosen else None
    rows = buildings.drawn_in(page.session, page.actor, [each.grid.id for each in whole], most=_MOST)
    names = {row.id: words.building(row.number, row.name, row.code) for row in rows}
    return page.show(
        "teams/responsible.html",
        section="grids",
        tabs=tabs.teams(page, "responsible"),
        here={
            "title": words.building(chosen.number, chosen.name, chosen.code),
            "grid": here.grid.name if here else "",
            "people": _people(here, names) if here else [],
        }
        if chosen
        else None,
        chosen=asked.building,
        buildings=[{"value": row.id, "label": names[row.id]} for row in rows],
        grids=[
            {"id": each.grid.id, "name": each.grid.name, "phone": each.grid.phone, "people": _people(each, names)}
            for each in whole
        ],
        officers=[
            {"field": officer.field, "name": officer.name, "phone": officer.shown_phone}
            for officer in (teams.officers(page.session, page.actor, community.id) if community else ())
        ],
        phone=community.phone if community else None,
        map=_map(page, community, whole, rows, asked.building) if community else None,
        day=words.day(settings.today()),
    )


@pages.get("/workload")
def workload(page: Read) -> Response:
    """How much there is in each grid, by the order of the grids: the work of a team, of no one person."""
    community = page.one_community
    counts = figures_by_grid(page)
    due = visits.due.counts_by_grid(page.session, page.actor, community.code if community else None)
    rows = []
    for one in teams.of_community(page.session, page.actor, community.id) if community else []:
        sums = counts.get(one.grid.id, {})
        visited = due.get(one.grid.code) if page.may(PEOPLE, one.grid.community_id, one.grid.id) else None
        rows.append(
            {
                "href": f"/grids/{one.grid.id}",
                "name": one.grid.name,
                "team": [member.name for member in one.members],
                "cells": [
                    *(sums.get(name) for name in ("households", "residents", "special_households", "open")),
                    visited.overdue if visited else None,
                    visited.soon if visited else None,
                ],
            }
        )
    return page.show("teams/workload.html", section="grids", tabs=tabs.teams(page, "workload"), rows=rows)


def _people(whole: Responsible, names: dict[int, str]) -> list[dict[str, Any]]:
    """Posts and guides, each with what may be shown to everybody."""
    posts, elders = teams.post_names(), teams.elder_names()
    people: list[dict[str, Any]] = []
    for member in whole.members:
        minds = [
            names[building_id] for building_id in sorted(whole.buildings.get(member.id, ())) if building_id in names
        ]
        deputy = whole.deputies.get(member.id)
        about = elders.get(member.elder or "", "") or member.background or ""
        instead = _("Until {day}: {name}", day=words.day(deputy[1]), name=deputy[0]) if deputy else ""
        people.append(
            {
                "post": posts[member.post],
                "name": member.name,
                "about": about,
                "phone": member.shown_phone,
                "minds": _(", ").join(minds),
                "deputy": instead,
            }
        )
    people += [
        {
            "post": _("Guide"),
            "name": guide.name,
            "about": guide.organisation or teams.standing_names()[guide.level],
            "phone": guide.shown_phone,
            "minds": "",
            "deputy": "",
        }
        for guide in whole.guides
    ]
    return people


def _map(page: Page, community: units.Unit, whole: list[Responsible], rows: Any, chosen: int | None) -> Markup:
    shapes = grids.shapes(page.session, community.id)
    drawn = [one for one in whole if one.grid.id in shapes]
    homes = [(row, buildings.shape(row)) for row in rows]
    degrees = [shapes[one.grid.id] for one in drawn] + [shape for _row, shape in homes]
    placed = np.array(degrees, dtype=object)
    metric = list(reproject(placed, "EPSG:4326", community.metric_crs)) if degrees else []
    ground = [
        team_maps.Ground(
            geom, one.grid.name, _(", ").join(member.name for member in one.members if member.post == teams.Post.LEADER)
        )
        for geom, one in zip(metric[: len(drawn)], drawn, strict=True)
    ]
    houses = [
        team_maps.House(
            geom,
            row.number or "",
            words.building(row.number, row.name, row.code),
            f"/responsible?building={row.id}#here",
            row.id == chosen,
        )
        for geom, (row, _shape) in zip(metric[len(drawn) :], homes, strict=True)
    ]
    return team_maps.responsible(ground, houses, _("Map of who is responsible: each building leads to its people"))
