"""Plans compared with today or another plan, as pictures and figures; and on paper, a notice for each grid."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.base import ledgers, listing, words
from api.base.fields import ID_MAX, Id
from api.base.page import Page, needs
from data import grids, plans
from data.base.errors import NotFound
from data.base.language import _
from data.plans import Compared, GridChange, Plan
from data.plans.comparing import FIGURES
from maps import plans as plan_maps

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("grid.read")]


class Asked(listing.Parameters):
    """What a plan is compared with: the id of another plan, or today when empty."""

    other: Annotated[int | None, Query(ge=1, le=ID_MAX)] = None


@pages.get("/plans/{plan_id}/compare")
def compared(plan_id: Id, page: Read) -> Response:
    """A plan beside today, or beside another plan of its community."""
    plan = plans.get(page.session, page.actor, plan_id)
    other = _other(page, plan)
    both, here = _compared(page, plan, other)
    before_name = other.name if other else _("Today")
    frame = [geom for side in both.areas for _name, geom in side]
    moved = [geom for _source, _target, geom in both.ground]
    was, comes = both.areas
    hatched = _("{after} against {before}: hatched ground goes over", after=plan.name, before=before_name)
    return page.show(
        "plans/compare.html",
        section="plans",
        plan={"id": plan.id, "name": plan.name},
        before=before_name,
        others=[
            {"id": row.id, "name": row.name, "chosen": other is not None and row.id == other.id}
            for row in plans.listed(page.session, page.actor, here.community.code)
            if row.id != plan.id
        ],
        one=plan_maps.picture(comes, [geom for _name, geom in was], moved, title=hatched, frame=frame),
        left=plan_maps.picture(was, moved=moved, title=before_name, frame=frame),
        right=plan_maps.picture(comes, moved=moved, title=plan.name, frame=frame),
        names=_figure_names(),
        rows=[_row(row) for row in both.rows],
        totals=[both.total(name) for name in FIGURES],
        moves=[
            {"source": row.name, "target": target or _("outside"), "buildings": names}
            for row in both.rows
            for target, names in row.goes.items()
        ],
        rounds=both.rounds,
        teams=[
            {"leader": leader, "cells": _cells(before, after)}
            for leader, before, after in plans.workload(both.rows)
            if before != after
        ],
        notices=[
            {"name": row.name, "href": f"/plans/{plan.id}/notices/{key}"}
            for key in here.rows
            for row in both.rows
            if row.identity == plans.identity(here, key) and row.changes
        ]
        if other is None
        else [],
    )


@pages.get("/plans/{plan_id}/notices/{key}")
def notice(plan_id: Id, key: Id, page: Read) -> Response:
    """What changes for one grid, to put up: its new outline, who comes and who leaves, by buildings."""
    plan = plans.get(page.session, page.actor, plan_id)
    both, here = _compared(page, plan, None)
    if key not in here.rows:
        raise NotFound(_("There is no such grid in the plan any more."))
    row = next(row for row in both.rows if row.identity == plans.identity(here, key))
    today = grids.shapes(page.session, plan.community_id)
    grid_id = here.rows[key].grid_id
    was = list(here.flat([today[grid_id]])) if grid_id in today else []
    chosen = here.coverage.areas[key]
    near = [(here.rows[other].name, geom) for other, geom in here.coverage.areas.items() if geom.intersects(chosen)]
    moved = [geom for source, target, geom in both.ground if row.name in (source, target)]
    return page.show(
        "plans/notice.html",
        section="plans",
        plan={"id": plan.id, "name": plan.name, "from": words.day(plan.effective_on)},
        community_name=here.community.name,
        row=row,
        households=row.after.households if row.after else 0,
        picture=plan_maps.picture(
            near, was, moved, title=_("{grid} from then on", grid=row.name), frame=[chosen, *was], chosen=[chosen]
        ),
    )


def _other(page: Page, plan: Plan) -> Plan | None:
    asked = ledgers.parameters(page.request.query_params, Asked).other
    other = plans.get(page.session, page.actor, asked) if asked else None
    if other is not None and other.community_id != plan.community_id:
        raise NotFound(_("The two plans are of different communities."))
    return other


def _compared(page: Page, plan: Plan, other: Plan | None) -> tuple[Compared, plans.Standing]:
    here = plans.standing(page.session, plan)
    before = plans.standing(page.session, other) if other else None
    homed = plans.homes(page.session, page.actor, here)
    return plans.compare(page.session, page.actor, here, before, homed), here


def _figure_names() -> list[str]:
    return [
        _("Buildings"),
        _("Households"),
        _("People"),
        _("Special households"),
        _("Tenancies"),
        _("Open cases"),
    ]


def _cells(before: Any, after: Any) -> list[dict[str, Any]]:
    """Each figure afterwards, and by how much it changes."""
    cells = []
    for name in FIGURES:
        was, comes = (getattr(side, name) if side else 0 for side in (before, after))
        change = comes - was
        sign = "" if not change else f"+{change:,}" if change > 0 else f"−{-change:,}"
        cells.append({"value": f"{comes:,}", "change": sign})
    return cells


def _row(row: GridChange) -> dict[str, Any]:
    state = _("new") if row.before is None else _("closed") if row.after is None else ""
    return {"name": row.name, "state": state, "leader": row.leader, "cells": _cells(row.before, row.after)}
