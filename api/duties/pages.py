"""The six roles on a page: of the own grid role by role, of a community grid by grid in their order."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from starlette.responses import Response

from api.base import ledgers, tabs, words
from api.base.ledgers import parameters
from api.base.page import Page, needs
from api.duties.routes import DutyFilters, period
from data import duties, grids, today, units
from data.base.language import _
from data.duties import Done

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("grid.read", "incident.read")]


@pages.get("/duties")
def shown(page: Read) -> Response:
    """What was done under each role: in the own grids, else in all that one may see, and grid by grid."""
    asked = parameters(page.request.query_params, DutyFilters)
    first, last = period(asked.first, asked.last)
    own = today.own_grids(page.actor)
    below: list[units.Unit] = (
        [grids.get(page.session, page.actor, grid_id) for grid_id in sorted(own)] if own else ledgers.grids_of(page)
    )
    sums = duties.done(page.session, page.actor, below, community=page.community, first=first, last=last)
    whole = sum(sums.values(), Done())
    facts, roles = duties.fact_names(), duties.role_names()
    return page.show(
        "duties/show.html",
        section="grids",
        tabs=tabs.teams(page, "duties"),
        where=_(", ").join(grid.name for grid in below) if own else "",
        days={"from": words.day(first), "to": words.day(last)},
        roles=[{"name": roles[role], "facts": _facts(whole, names)} for role, names in facts.items()],
        columns=[{"role": roles[role], "names": list(names.values())} for role, names in facts.items()],
        rows=[
            {
                "name": grid.name,
                "href": f"/grids/{grid.id}",
                "cells": [getattr(sums[grid.id], name) for names in facts.values() for name in names],
            }
            for grid in below
        ]
        if len(below) > 1
        else [],
    )


def _facts(done: Done, names: dict[str, str]) -> list[dict[str, Any]]:
    return [{"value": f"{getattr(done, name):,}", "label": label} for name, label in names.items()]
