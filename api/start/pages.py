"""The first page of a new community: what it needs, what of it is there, and the pages that bring the rest."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from starlette.responses import Response

from api.base import tabs
from api.base.page import Page, needs
from data import start, units
from data.base.language import _
from data.start import Progress

pages = APIRouter(include_in_schema=False)


@pages.get("/start")
def shown(page: Annotated[Page, needs("unit.read")]) -> Response:
    """The steps from an empty map to a community that works, each done or to do."""
    community = page.glance.community if page.glance else None
    if page.glance is not None and community is None:
        community = page.glance.communities[0]
    steps = _steps(page, community) if community else [_community(page)]
    return page.show(
        "start/show.html",
        section="settings" if "account.read" in page.can else "map",
        tabs=tabs.settings(page, "start") if "unit.edit" in page.can else [],
        name=community.name if community else "",
        steps=steps,
        left=sum(not step["done"] for step in steps),
    )


def _community(page: Page) -> dict[str, Any]:
    """The step before all others: the place in the tree of units."""
    return {
        "title": _("Add the community"),
        "says": _("A district first, below it the street, below that the community with its code."),
        "done": False,
        "links": _links(page, ("/units/new", _("Add a unit"), "unit.edit")),
    }


def _steps(page: Page, community: units.Unit) -> list[dict[str, Any]]:
    progress = start.progress(page.session, page.actor, community)
    steps = [_boundary(page, community, progress)]
    if progress.buildings is not None:
        steps.append(_buildings(page, progress.buildings))
    if progress.households is not None and progress.residents is not None:
        steps.append(_people(page, progress.households, progress.residents))
    return [*steps, _team(page, progress)]


def _boundary(page: Page, community: units.Unit, progress: Progress) -> dict[str, Any]:
    says = _("A map of the grids (GeoJSON, shapefile, GeoPackage …). They are made of it, and tile the community.")
    if progress.grids:
        says = _("{bounded} of {grids} grids have a boundary.", bounded=progress.bounded, grids=progress.grids)
    return {
        "title": _("Draw the boundary"),
        "says": says,
        "done": bool(progress.grids) and progress.bounded == progress.grids,
        "links": _links(
            page,
            ("/exchange/import?kind=grids", _("Import grids"), "exchange.import"),
            (f"/units/new?parent={community.id}", _("Add a grid"), "unit.edit"),
        ),
    }


def _buildings(page: Page, count: int) -> dict[str, Any]:
    says = _("Outlines or points with a number, or a table of addresses.")
    return {
        "title": _("Bring in the buildings"),
        "says": _("{count} buildings", count=f"{count:,}") if count else says,
        "done": count > 0,
        "links": _links(
            page,
            ("/exchange/import?kind=buildings", _("Import buildings"), "exchange.import"),
            ("/buildings/new", _("Add a building"), "building.edit"),
        ),
    }


def _people(page: Page, households: int, residents: int) -> dict[str, Any]:
    says = _("Households with their door, then the people in them. Names and numbers are encrypted and shown masked.")
    if households:
        parts = _("{count} households", count=f"{households:,}"), _("{count} people", count=f"{residents:,}")
        says = _(", ").join(parts)
    return {
        "title": _("Bring in the people"),
        "says": says,
        "done": households > 0 and residents > 0,
        "links": _links(
            page,
            ("/exchange/import?kind=households", _("Import households"), "exchange.import"),
            ("/exchange/import?kind=residents", _("Import residents"), "exchange.import"),
            ("/households/new", _("Add a household"), "household.edit"),
        ),
    }


def _team(page: Page, progress: Progress) -> dict[str, Any]:
    signing_in = _("{count} people can sign in.", count=progress.accounts)
    led = _("{led} of {grids} grids have a leader.", led=progress.led, grids=progress.grids)
    return {
        "title": _("Name the team"),
        "says": f"{led} {signing_in}" if progress.grids else signing_in,
        "done": bool(progress.grids) and progress.led == progress.grids,
        "links": _links(
            page,
            ("/grids", _("Grid teams"), "grid.read"),
            ("/accounts/new", _("Open an account"), "account.edit"),
        ),
    }


def _links(page: Page, *links: tuple[str, str, str]) -> list[dict[str, str]]:
    """The pages that do a step, for those who may use them."""
    return [{"href": href, "label": label} for href, label, permission in links if permission in page.can]
