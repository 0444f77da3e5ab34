"""Campaigns on pages: their days, the map of how far they have come, and the list of doors to walk with."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, Any

import numpy as np
import pydantic
from fastapi import APIRouter
from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, tabs, words
from api.base.fields import Code, Day, Id, Input, Line
from api.base.forms import Field, Section
from api.base.ledgers import parameters
from api.base.listing import Parameters
from api.base.page import Page, needs, typed
from data import campaigns, grids, households, units
from data.base.errors import WanggeError
from data.base.language import _
from data.campaigns import Campaign, Progress
from maps import campaigns as campaign_maps
from spatial.datums import reproject

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("grid.read", "household.read")]
Arrange = Annotated[Page, needs("visit.edit")]
Typed = Annotated[FormData, typed]
_FIELDS = ("name", "begins_on", "ends_on", "goal")


class CampaignForm(Input):
    """What is typed into the form of a campaign."""

    name: Line
    begins_on: Day
    ends_on: Day
    goal: Annotated[int, pydantic.Field(ge=1, le=100)]


class Doors(Parameters):
    """The list of which grid."""

    grid: Code | None = None


@pages.get("/campaigns")
def listed(page: Read) -> Response:
    """The campaigns, each with what it reached."""
    rows = []
    for campaign in campaigns.listed(page.session, page.actor, page.community):
        whole = campaigns.total(campaigns.progress(page.session, page.actor, campaign))
        rows.append(
            {
                "href": f"/campaigns/{campaign.id}",
                "name": campaign.name,
                "days": _days(campaign),
                "reached": percent(whole.share),
                "goal": percent(campaign.goal_share),
                "bar": round(100 * whole.share),
            }
        )
    return page.show(
        "campaigns/list.html",
        section="visits",
        tabs=tabs.visits(page, "campaigns"),
        rows=rows,
        new="/campaigns/new" if "visit.edit" in page.can else "",
    )


@pages.get("/campaigns/new")
def new(page: Arrange) -> Response:
    """The form of a new campaign."""
    return _form(page, None)


@pages.post("/campaigns")
def add(page: Arrange, form: Typed) -> Response:
    """Plan a campaign."""
    try:
        values = _read(form)
        community = forms.community_in(page, form)
        with page.attempt():
            campaign = campaigns.add(page.session, page.actor, community_id=community.id, **values)
    except forms.REFUSED as error:
        return _form(page, None, form, error)
    return page.go(f"/campaigns/{campaign.id}", _("Saved."))


@pages.get("/campaigns/{campaign_id}")
def record(campaign_id: Id, page: Read) -> Response:
    """How far a campaign has come: a map and a bar of each grid."""
    campaign = campaigns.get(page.session, page.actor, campaign_id)
    parts = campaigns.progress(page.session, page.actor, campaign)
    whole = campaigns.total(parts)
    codes = grids.codes(page.session, [part.grid_id for part in parts if part.grid_id])
    return page.show(
        "campaigns/campaign.html",
        section="visits",
        campaign={
            "id": campaign.id,
            "name": campaign.name,
            "days": _days(campaign),
            "goal": percent(campaign.goal_share),
            "goal_at": round(100 * campaign.goal_share),
        },
        whole=_part(whole),
        parts=[{**_part(part), "code": codes.get(part.grid_id or 0, "")} for part in parts],
        map=_map(page, campaign, parts),
        editable="visit.edit" in page.can and page.may("visit.edit", campaign.community_id),
    )


@pages.get("/campaigns/{campaign_id}/doors")
def doors(campaign_id: Id, page: Read) -> Response:
    """Who is left, by building, entrance and door: to print and to walk with."""
    campaign = campaigns.get(page.session, page.actor, campaign_id)
    asked = parameters(page.request.query_params, Doors)
    rows = campaigns.left(page.session, page.actor, campaign, asked.grid)
    stairs = [
        {
            "title": f"{words.building(number)} {words.unit(unit)}" if number or unit else _("Without a place"),
            "grid": grid or "",
            "doors": [_door(row) for row in some],
        }
        for (grid, number, unit), some in groupby(rows, lambda row: (row.grid_name, row.building_number, row.unit))
    ]
    return page.show(
        "campaigns/doors.html",
        section="visits",
        campaign={"id": campaign.id, "name": campaign.name, "days": _days(campaign)},
        count=len(rows),
        most=campaigns.MOST_DOORS,
        stairs=stairs,
    )


@pages.get("/campaigns/{campaign_id}/edit")
def edit(campaign_id: Id, page: Arrange) -> Response:
    """The form of a campaign."""
    return _form(page, campaigns.get(page.session, page.actor, campaign_id))


@pages.post("/campaigns/{campaign_id}")
def change(campaign_id: Id, page: Arrange, form: Typed) -> Response:
    """Change a campaign."""
    campaign = campaigns.get(page.session, page.actor, campaign_id)
    try:
        forms.check(page, campaign, form)
        values = _read(form)
        with page.attempt():
            campaigns.change(page.session, page.actor, campaign, **values)
    except forms.REFUSED as error:
        return _form(page, campaign, form, error)
    return page.go(f"/campaigns/{campaign_id}", _("Saved."))


@pages.post("/campaigns/{campaign_id}/remove")
def remove(campaign_id: Id, page: Arrange, _form: Typed) -> Response:
    """Remove a campaign; its visits stay."""
    campaign = campaigns.get(page.session, page.actor, campaign_id)
    campaigns.remove(page.session, page.actor, campaign)
    return page.go("/campaigns", _("Removed: {name}.", name=campaign.name))


def percent(share: float) -> str:
    """A share as one reads it: ``90 %``; never 100 while somebody is left, and never 0 once somebody was met.

    >>> percent(0.9), percent(0.9996), percent(0.0001), percent(1.0)
    ('90 %', '99.9 %', '0.1 %', '100 %')
    """
    value = 100 * share
    shown = min(max(round(value, 1), 0.1 if value > 0 else 0.0), 99.9 if value < 100 else 100.0)
    return f"{shown:g} %"


def _read(form: FormData) -> dict[str, Any]:
    values = forms.read(CampaignForm, form, _FIELDS)
    goal = values.pop("goal")
    return {**values, "goal_share": goal / 100}


def _days(campaign: Campaign) -> str:
    if campaign.begins_on == campaign.ends_on:
        return words.day(campaign.begins_on)
    return _("{first} to {last}", first=words.day(campaign.begins_on), last=words.day(campaign.ends_on))


def _part(part: Progress) -> dict[str, Any]:
    return {
        "name": part.name or _("Without a place"),
        "households": part.households,
        "met": part.met,
        "tried": part.tried,
        "cards": part.cards,
        "share": percent(part.share),
        "bar": round(100 * part.share),
    }


def _map(page: Page, campaign: Campaign, parts: Sequence[Progress]) -> Markup:
    """The grids one sees, as they lay at the end of a campaign."""
    community = units.community(page.session, page.actor, campaign.community_id)
    shapes = grids.shapes(page.session, campaign.community_id, campaign.ends_on)
    shown = [part for part in parts if part.grid_id in shapes]
    degrees = np.array([shapes[part.grid_id] for part in shown if part.grid_id], dtype=object)
    metric = reproject(degrees, "EPSG:4326", community.metric_crs)
    shares = [
        campaign_maps.Shaded(geom, part.name, part.share, percent(part.share))
        for geom, part in zip(metric, shown, strict=True)
    ]
    return campaign_maps.live(shares, _("Map of the grids by the share of households that were met"))


def _door(row: Any) -> dict[str, Any]:
    return {
        "href": f"/visits/record/{row.id}",
        "room": row.room or row.number,
        "head": households.masked({"head_name": row.head_name})["head_name"] or row.number,
        "tries": row.tries,
    }


def _form(
    page: Page, campaign: Campaign | None, form: FormData | None = None, error: WanggeError | None = None
) -> Response:
    what = Section(
        _("Campaign"),
        [
            *([] if campaign else forms.community_field(page)),
            Field("name", _("Name"), campaign.name if campaign else None, optional=False, most=200),
            Field("begins_on", _("First day"), campaign.begins_on if campaign else None, "date", optional=False),
            Field("ends_on", _("Last day"), campaign.ends_on if campaign else None, "date", optional=False),
            Field(
                "goal",
                _("Goal"),
                round(100 * campaign.goal_share) if campaign else 90,
                "number",
                optional=False,
                least=1,
                most=100,
                unit="%",
                hint=_("The share of households that is to be met."),
            ),
        ],
    )
    address = f"/campaigns/{campaign.id}" if campaign else "/campaigns"
    title = campaign.name if campaign else _("Plan a campaign")
    return page.show(
        "_form.html",
        section="visits",
        status=forms.status(error),
        record=forms.record("campaigns", None, title, _("Campaigns")) | ({"back": address} if campaign else {}),
        action=address,
        editable=True,
        **forms.shown([what], form, error),
        links=[],
        token=forms.token(campaign),
        map=None,
    )
