"""Hotspots on a page: the map, what it says in one sentence, and what can be done about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import ground, ledgers, listing, words
from api.base.fields import Code
from api.base.listing import From, To
from api.base.page import Page, name_of, needs, typed
from data import hotspots, incidents, units
from data.base import settings
from data.base.errors import Invalid
from data.base.language import _
from data.hotspots import HotspotRun, Params
from data.incidents import Category
from maps import hotspots as maps

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("hotspot.read", "hotspot.run", "incident.read", "building.read")]
Edit = Annotated[Page, needs("hotspot.read", "incident.edit", "building.read")]
Typed = Annotated[FormData, typed]
Method = Literal["significant", "density", "points", "trend", "change"]

DAYS = 90
STEP_DAYS = 7
MOST_BARS = 12
_OPEN = ",".join(incidents.OPEN)


@dataclass(frozen=True)
class Asked:
    """What the card asks for."""

    method: Method
    category: str | None
    cell_m: int
    rings: int
    default: bool
    household: bool
    first: date
    last: date

    def cases(self, **more: Any) -> str:
        """The list of the cases that are looked at."""
        return f"/incidents?{_only({'category': self.category, 'from': self.first, 'to': self.last, **more})}"


def _only(values: dict[str, Any]) -> str:
    """What is not empty, as a query."""
    return urlencode({name: one for name, one in values.items() if one}, safe=",")


class CardFilters(listing.Filters[Asked]):
    """What the address asks for."""

    method: Method = "significant"
    category: Code | None = None
    cell: Annotated[int | None, Query(ge=5, le=5000)] = None
    rings: Annotated[int, Query(ge=1, le=5)] = 2
    default: bool = True
    household: bool = False
    first: From = None
    last: To = None

    def wanted(self) -> Asked:
        """The same with its days; ``cell_m`` is 0 for what fits the area."""
        last = self.last or settings.today()
        first = self.first or last - timedelta(days=DAYS - 1)
        return Asked(self.method, self.category, self.cell or 0, self.rings, self.default, self.household, first, last)


@pages.get("/hotspots")
def show(page: Read) -> Response:
    """The hotspots of the community that pages are about, or of all communities of a street or district."""
    where = _where(page)
    if where is None:
        return page.show("hotspots/choose.html", section="stats", tabs=[])
    asked = _asked(page, where)
    run, current = hotspots.latest(page.session, page.actor, _params(asked, where))
    drawn = maps.hotspots(**ground.frame(page), title=page.glance.name if page.glance else "")
    shown: dict[str, Any] = {"waiting": None, "query": page.request.url.query}
    if run is not None:
        shown |= _result(page, asked, run) if run.state == "done" else {"waiting": run.job_id}
    return page.show(
        "hotspots/show.html",
        section="stats",
        **ground.shown(drawn, page.settings),
        asked=asked,
        categories=_categories(page),
        widths=sorted({*maps.WIDTHS_M, asked.cell_m}),
        heats=maps.heat_names(),
        current=current,
        **shown,
    )


@pages.post("/hotspots")
def compute(page: Read) -> Response:
    """Have the hotspots computed that the address asks for, and show them."""
    where = _where(page)
    if where is not None:
        hotspots.run(page.session, page.actor, _params(_asked(page, where), where))
    query = page.request.url.query
    return page.go(f"/hotspots?{query}" if query else "/hotspots")


def _asked(page: Page, where: dict[str, Any]) -> Asked:
    """What the address asks for, in cells that fit the area unless it says how wide they are."""
    asked = ledgers.wanted(page, CardFilters)
    if asked.cell_m:
        return asked
    area_m2 = hotspots.area_m2(page.session, page.actor, Params(**where))
    return replace(asked, cell_m=maps.width_for(area_m2))


@pages.post("/hotspots/relocate")
def relocate(page: Edit, form: Typed) -> Response:
    """Put the cases on a default point where their addresses say; those whose address says nothing stay."""
    try:
        lon, lat = float(str(form.get("lon"))), float(str(form.get("lat")))
    except ValueError as error:
        raise Invalid(_("Give coordinates as longitude and latitude in degrees."), field="lon") from error
    moved, count = hotspots.relocate(page.session, page.actor, _communities(page), lon=lon, lat=lat)
    said = _("{moved} of {count} cases were put where their address says.", moved=moved, count=count)
    return page.go("/hotspots", said)


def _communities(page: Page) -> list[units.Unit]:
    """The communities that the page is about."""
    if page.glance is None:
        return []
    return [page.glance.community] if page.glance.community else page.glance.communities


def _where(page: Page) -> dict[str, Any] | None:
    """Where is looked, as :class:`Params` takes it; ``None`` when somebody has grids of several communities."""
    if page.glance is None:
        return None
    community = page.glance.community
    if community is not None:
        grid = None if page.may("hotspot.run", community.id) else _own_grid(page, community)
        return {"community": community.code, "grid": grid}
    if any(page.may("hotspot.run", one.id) for one in page.glance.communities):
        return {"unit": page.glance.unit.code}
    return None


def _params(asked: Asked, where: dict[str, Any]) -> Params:
    return maps.params(
        asked.cell_m,
        category=asked.category,
        first=asked.first,
        last=asked.last,
        rings=asked.rings,
        leave_out_default_points=asked.default,
        per_household=asked.household,
        **where,
    )


def _own_grid(page: Page, community: units.Unit) -> str | None:
    """The grid of somebody who has only grids of the community."""
    area = page.actor.area("hotspot.run")
    below = units.listed(page.session, page.actor, level=units.Level.GRID, under=community.id)
    return next((grid.code for grid in below if grid.id in area.grids), None)


def _categories(page: Page) -> list[dict[str, Any]]:
    """The categories, those of a group below it."""
    rows = incidents.categories(page.session)
    return [
        {
            "code": group.code,
            "name": name_of(group),
            "children": [{"code": one.code, "name": name_of(one)} for one in rows if one.parent_code == group.code],
        }
        for group in rows
        if group.parent_code is None
    ]


def _result(page: Page, asked: Asked, run: HotspotRun) -> dict[str, Any]:
    """What the panel, the legend and the map say of a run."""
    summary = run.summary or {}
    category = page.session.get(Category, asked.category) if asked.category else None
    what = name_of(category) if category else None
    spots = [_spot(asked, each) for each in hotspots.spots(run)]
    points = [_default_point(asked, each) for each in hotspots.default_points(run)]
    rates = hotspots.by_grid(run)
    return {
        "title": _("Hotspots: {what}", what=what or _("all cases")),
        "sentence": maps.sentence(
            what, summary.get("used", 0), spots[0] if spots else None, spots[0]["name"] if spots else ""
        ),
        "counts": _counts(asked, summary),
        "course": _course(page, asked, run),
        "default_points": points,
        "bars": _bars(rates, spots, summary.get("rate_mean")),
        "mean": summary.get("rate_mean"),
        "more_bars": max(0, sum(each["rate"] is not None for each in rates) - MOST_BARS),
        "spots": spots,
        "repeats": hotspots.repeats(run)[:5],
        "alarms": [each for each in hotspots.alarms(run) if each["p"] <= 0.05][:3],
        "summary": summary,
        "run": {"id": run.id, "permutations": run.params["permutations"], "fingerprint": run.fingerprint},
        "exports": [
            {"label": label, "href": f"/api/hotspots/runs/{run.id}/{name}?f=geojson"}
            for name, label in (("cells", _("Cells")), ("spots", _("Hotspots")), ("clusters", _("Clusters")))
        ],
        "share": _only({"category": asked.category, "from": asked.first, "to": asked.last}),
        "cases": _only({"category": asked.category, "from": asked.first, "to": asked.last}),
        "names": {row.code: name_of(row) for row in incidents.categories(page.session)},
        "waiting": None,
        "data": {
            "method": asked.method,
            "cells": f"/api/hotspots/runs/{run.id}/cells?f=geojson",
            "clusters": f"/api/hotspots/runs/{run.id}/clusters?f=geojson",
            "changes": f"/api/hotspots/runs/{run.id}/compare?f=geojson",
            "filters": {"category": asked.category or "", "from": str(asked.first), "to": str(asked.last)},
            "spots": [{"at": each["centre"]} | {key: each[key] for key in ("rank", "heat", "name")} for each in spots],
            "default_points": [
                {"at": [each["lon"], each["lat"]], "says": each["says"], "why": each["why"]} for each in points
            ],
            "time": _time(page, asked, run),
        },
    }


def _named(spot: dict[str, Any]) -> str:
    """Where a hotspot is, as people say it: ``第二网格 6—10 号楼``. A building is named with its own grid only."""
    grid = maps.grids_of(spot)
    numbers = (
        [
            one["number"]
            for one in spot["buildings"]
            if one["main"] and one["number"] and one.get("grid_id") == spot["grids"][0]["grid_id"]
        ]
        if spot["grids"] and grid == spot["grids"][0]["name"]
        else []
    )
    if not numbers or len(numbers) > 12:
        return grid
    if len(numbers) == 1:
        return _("{grid}, around building {numbers}", grid=grid, numbers=words.ranges(numbers))
    return _("{grid}, buildings {numbers}", grid=grid, numbers=words.ranges(numbers))


def _spot(asked: Asked, spot: dict[str, Any]) -> dict[str, Any]:
    """A hotspot with its name, what there is to say of it, and the list of its cases."""
    xs, ys = zip(*_corners(spot["geometry"]["coordinates"]), strict=True)
    box = ",".join(f"{value:.6f}" for value in (min(xs), min(ys), max(xs), max(ys)))
    weeks = spot["lasting_periods"]
    age = maps.pattern_names().get(spot["pattern"], "")
    if weeks and spot["pattern"] != "new":
        age = _("for {count} weeks", count=weeks)
    sure = {"hot_99": "99%", "hot_95": "95%", "hot_90": "90%"}[spot["heat"]]
    return {
        "rank": spot["rank"],
        "name": _named(spot),
        "cases": spot["cases"],
        "heat": spot["heat"],
        "sure": _("{percent} sure", percent=sure),
        "age": age,
        "centre": spot["centre"],
        "case_share": spot["case_share"],
        "area_share": spot["area_share"],
        "grid_ids": {row["grid_id"] for row in spot["grids"][:1]},
        "assign": asked.cases(state=_OPEN, bbox=box),
        "all": asked.cases(bbox=box),
    }


def _corners(rings: Any) -> list[tuple[float, float]]:
    if isinstance(rings[0], int | float):
        return [(rings[0], rings[1])]
    return [corner for part in rings for corner in _corners(part)]


def _counts(asked: Asked, summary: dict[str, Any]) -> str:
    days = (asked.last - asked.first).days + 1
    if not summary["reported"]:
        return _("Nothing was reported in {count} days.", count=days)
    counts = {"reported": f"{summary['reported']:,}", "days": days}
    reasons = (
        (summary["without_place"], _("{count} with no place", count=f"{summary['without_place']:,}")),
        (summary["outside"], _("{count} outside the grids", count=f"{summary['outside']:,}")),
        (summary["left_out"], _("{count} on a default point", count=f"{summary['left_out']:,}")),
    )
    left_out = _(", ").join(said for count, said in reasons if count)
    if not left_out:
        return _("{reported} reported in {days} days, all looked at.", **counts)
    return _(
        "{reported} reported in {days} days, {used} looked at; left out: {reasons}.",
        used=f"{summary['used']:,}",
        reasons=left_out,
        **counts,
    )


def _course(page: Page, asked: Asked, run: HotspotRun) -> str:
    """What the methods that look at time come to, in one sentence; nothing for the others."""
    if asked.method == "trend":
        periods = (run.summary or {})["periods"]
        kinds = Counter(maps.course_of(cell.pattern) for cell in hotspots.cells(page.session, run))
        if periods < hotspots.PERIODS_LEAST:
            return _("A trend needs at least {count} weeks.", count=hotspots.PERIODS_LEAST)
        return _(
            "Over {weeks} weeks {emerging} cells are getting hot, {persistent} stay hot, {fading} are cooling down.",
            weeks=periods,
            emerging=kinds["emerging"],
            persistent=kinds["persistent"],
            fading=kinds["fading"],
        )
    if asked.method == "change":
        kinds = Counter(row["change"] for row in hotspots.compare(page.session, page.actor, run))
        days = (asked.last - asked.first).days + 1
        return _(
            "Compared with {first} – {last}: more cases around {more} cells, fewer around {fewer} (95% sure).",
            first=asked.first - timedelta(days=days),
            last=asked.first - timedelta(days=1),
            more=kinds["more"],
            fewer=kinds["fewer"],
        )
    return ""


def _default_point(asked: Asked, one: dict[str, Any]) -> dict[str, Any]:
    box = ",".join(f"{value:.8f}" for value in hotspots.around(one["lon"], one["lat"]))
    left_out = _("Likely a geocoder’s default point, left out")
    return {
        **one,
        "says": left_out if one["left_out"] else _("Likely a geocoder’s default point"),
        "why": _(
            "{cases} cases at exactly one coordinate, with {places} different places as address.",
            cases=f"{one['cases']:,}",
            places=f"{one['places']:,}",
        ),
        "href": asked.cases(bbox=box),
    }


def _bars(rates: list[dict[str, Any]], spots: list[dict[str, Any]], mean: float | None) -> list[dict[str, Any]]:
    """Cases per 100 households of the grids that have most; a grid with a hotspot has its colour."""
    known = sorted((grid for grid in rates if grid["rate"] is not None), key=lambda grid: (-grid["rate"], grid["code"]))
    highest = max([grid["rate"] for grid in known] + [mean or 0.0, 0.1])
    heat = {grid_id: spot["heat"] for spot in reversed(spots) for grid_id in spot["grid_ids"]}
    return [
        {
            "name": grid["name"],
            "rate": grid["rate"],
            "width": round(100 * grid["rate"] / highest, 1),
            "heat": heat.get(grid["grid_id"], ""),
            "few": grid["few"],
            "mean": round(100 * (mean or 0) / highest, 1),
        }
        for grid in known[:MOST_BARS]
    ]


def _time(page: Page, asked: Asked, run: HotspotRun) -> dict[str, Any]:
    """The bars of the time slider, in weeks."""
    days = (asked.last - asked.first).days + 1
    # As many days before and, where there are any yet, after; the weeks end with the days that are looked at.
    later = max(0, min(days, (settings.today() - asked.last).days) // STEP_DAYS)
    begins = _weeks(asked.first - timedelta(days=days), asked.last + timedelta(days=STEP_DAYS * later))
    steps = [(day, day + timedelta(days=STEP_DAYS - 1)) for day in begins]
    wanted = incidents.Filter(
        community=run.params["community"],
        unit=run.params.get("unit"),
        grid=run.params["grid"],
        first=steps[0][0],
        last=steps[-1][1],
        categories=(asked.category,) if asked.category else None,
        located=None,
    )
    counted = incidents.by_day(page.session, page.actor, wanted)
    left_out = {one["first"]: one["left_out"] for one in hotspots.trend(run)}
    bars = []
    for first, end in steps:
        count = sum(number for day, number in counted.items() if first <= day <= end)
        hidden = left_out.get(first.isoformat(), 0)
        bars.append({"first": first.isoformat(), "last": end.isoformat(), "count": count - hidden, "left_out": hidden})
    return {"bars": bars, "from": asked.first.isoformat(), "to": asked.last.isoformat(), "days": days}


def _weeks(begin: date, last: date) -> list[date]:
    """The first days of the weeks that end on ``last``, the earliest one covering ``begin``."""
    count = -(-((last - begin).days + 1) // STEP_DAYS)
    return [last - timedelta(days=STEP_DAYS * step - 1) for step in range(count, 0, -1)]
