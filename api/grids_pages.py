"""Grids on pages: their list with figures, their record with team and boundaries, the panel beside the map."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from starlette.responses import Response

from api import labels
from api.fields import Id
from api.pages import Page, name_of, needs
from data import grids, incidents, panels, teams
from data.base import secrets
from data.base.language import _
from data.buildings import Building

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("grid.read")]
Edit = Annotated[Page, needs("grid.edit")]


@pages.get("/grids/{grid_id}/panel")
def panel(grid_id: Id, page: Read) -> Response:
    """A grid beside the map."""
    grid = grids.get(page.session, page.actor, grid_id)
    outline = panels.outline(page.session, page.actor, grid_id)
    wanted = incidents.Filter(grid=grid.code)
    count, overdue, rows = panels.open_incidents(page.session, page.actor, wanted, 8)
    numbers = _("Buildings {numbers}", numbers=labels.ranges(outline.numbers)) if outline.numbers else ""
    where = [part for part in (numbers, labels.hectares(outline.area_m2)) if part]
    figures = [{"value": f"{count:,}", "label": _("open cases"), "tone": "act" if overdue else ""}]
    special: list[dict[str, Any]] = []
    if "household.read" in page.can:
        people = panels.people(page.session, page.actor, Building.grid_id == grid_id)
        figures = [
            {"value": f"{people.households:,}", "label": _("households"), "tone": ""},
            {"value": f"{people.residents:,}", "label": _("people"), "tone": ""},
            {"value": f"{people.special_households:,}", "label": _("special households"), "tone": ""},
            *figures,
        ]
        special = [
            {"code": group.code, "name": name_of(group), "count": number}
            for group, number in panels.groups(page.session, page.actor, grid_id)
        ]
    return page.fragment(
        "grids/panel.html",
        grid={
            "id": grid.id, "name": grid.name, "code": grid.code, "where": _(", ").join(where),
            "bounds": outline.bounds or (),
        },
        figures=figures,
        team=_team(page, grid_id),
        special=special,
        incidents={"count": count, "rows": [labels.case(row) for row in rows]},
    )  # fmt: skip


def _team(page: Page, grid_id: int) -> list[dict[str, Any]]:
    """The four posts with who holds them, and the second holder of a post after the first."""
    found = teams.of_grid(page.session, page.actor, grid_id)
    rows = []
    for post, label in labels.posts().items():
        holders = [member for member in found if member.post == post]
        rows += [
            {
                "post": label,
                "name": member.name,
                "initial": member.name[:1],
                "phone": secrets.mask_phone(member.phone),
                "background": member.background,
                "edit": None,
            }
            for member in holders
        ] or [{"post": label, "name": "", "initial": "", "phone": "", "background": "", "edit": None}]
    return rows
