"""Hotspots over HTTP: runs of the analysis, and what came of each as JSON or GeoJSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

import shapely
from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field
from starlette.responses import JSONResponse

from api.base import listing
from api.base.deps import Session, permission
from api.base.fields import Change, Code, Day, Id, Input, Line, Output, Reference
from api.base.listing import CommunityCode, Listed
from data import coverage, grids, hotspots, units
from data.base.access import Actor
from data.hotspots import HotspotRun, Params
from data.incidents import State
from spatial.hotspots import Heat, Method, Pattern, Shape

api = APIRouter(prefix="/api/hotspots", tags=["hotspots"])
#: How far back a hot cell may have been patrolled, the last day included.
PATROLLED = timedelta(days=27)
_Item = TypeVar("_Item", bound=Output)
Read = Annotated[Actor, permission("hotspot.read")]
#: Who runs the analysis reads the cases and buildings it is made from.
Run = Annotated[Actor, permission("hotspot.run", "incident.read", "building.read")]


class RunNew(Input):
    """What is to be looked at. What is left out is as most people want it."""

    community_id: Reference | None = Field(None, examples=[3])
    unit_id: Reference | None = Field(
        None, description="In its place a street or district: all of its communities.", examples=[None]
    )
    grid_id: Reference | None = Field(None, description="Only this grid of the community.", examples=[None])
    categories: list[Code] | None = Field(
        None, max_length=200, description="Each with all below it.", examples=[["facility.corridor_light"]]
    )
    states: list[State] | None = Field(None, examples=[None])
    first: Day | None = Field(None, description="89 days before the last when empty.", examples=["2026-01-01"])
    last: Day | None = Field(None, description="Included; today when empty.", examples=["2026-03-18"])
    shape: Shape = Field(Shape.HEXAGON, examples=["hexagon"])
    cell_m: float = Field(hotspots.CELL_M, ge=5, le=5_000, allow_inf_nan=False, description="Width of a cell.")
    rings: int = Field(2, ge=1, le=5, description="Rings of cells that count as neighbours.")
    permutations: int = Field(99_999, ge=0, le=99_999, description="Of the test; 0 for the normal approximation.")
    conditional: bool = Field(False, description="Whether a cell's own cases say nothing for or against it.")
    leave_out_default_points: bool = Field(True, description="Stacks of cases whose addresses disagree.")
    per_household: bool = Field(False, description="Compare cases per household instead of cases.")
    bandwidth_m: float = Field(50, ge=5, le=5_000, allow_inf_nan=False, description="Of the density surface.")
    cluster_method: Method = Field(Method.DBSCAN, examples=["dbscan"])
    cluster_distance_m: float = Field(40, ge=1, le=5_000, allow_inf_nan=False)
    cluster_cases: int = Field(5, ge=2, le=1_000)
    period_days: int = Field(7, ge=1, le=366, description="Length of the periods of trend and alarms.")
    seed: int = Field(1, ge=0, le=2**31 - 1, description="Of everything that is drawn.")
    name: Line | None = Field(None, description="To keep the run by; without one it is forgotten after 30 days.")


class RunChange(Change):
    """A run's name; null takes it away."""

    name: Line | None = Field(None, examples=["Corridor lights, first quarter"])


class RunOut(Output):
    """A run. While it is `queued`, its job tells how far it is."""

    id: int = Field(examples=[12])
    community_id: int | None = Field(description="Empty when several were looked at.", examples=[3])
    unit_id: int | None = Field(description="The street or district above those.", examples=[None])
    communities: list[int] = Field(description="All that went in.", examples=[[3]])
    grid_id: int | None = Field(examples=[None])
    account_id: int | None = Field(examples=[2])
    name: str | None = Field(examples=[None])
    state: Literal["queued", "done"] = Field(examples=["done"])
    job_id: int | None = Field(examples=[None])
    params: dict[str, Any] = Field(description="As asked, with both days.")
    fingerprint: str | None = Field(description="SHA-256 of the data: equal for equal data.")
    summary: dict[str, Any] | None = Field(
        description="How many cases were reported, used, left out, and how many cells are how hot."
    )
    created_at: datetime = Field(examples=["2026-03-18T01:30:00Z"])
    done_at: datetime | None = Field(examples=["2026-03-18T01:30:02Z"])


class CellOut(Output):
    """A cell. Under 5 cases it shows no number; `few` tells that there are some."""

    q: int = Field(examples=[16233])
    r: int = Field(examples=[113606])
    grid_id: int | None = Field(examples=[7])
    grid_name: str | None = Field(examples=["第二网格"])
    cases: int | None = Field(examples=[7])
    few: bool = Field(examples=[False])
    households: int = Field(examples=[36])
    rate: float | None = Field(description="Cases per 100 households.", examples=[19.4])
    density: float = Field(description="Cases per hectare, smoothed.", examples=[8.2])
    z: float | None = Field(description="Gi*.", examples=[5.1])
    p: float | None = Field(description="Two-sided.", examples=[0.0001])
    p_adjusted: float | None = Field(description="After control of the false discovery rate.", examples=[0.002])
    heat: Heat = Field(examples=["hot_99"])
    pattern: Pattern = Field(examples=["persistent"])
    trend: float | None = Field(description="Mann-Kendall's z of Gi* over the periods.", examples=[2.4])
    spot: int | None = Field(description="The rank of its hotspot.", examples=[1])
    lon: float = Field(examples=[120.893])
    lat: float = Field(examples=[31.992])


class GridCount(Output):
    """A grid with some cases."""

    grid_id: int = Field(examples=[7])
    code: str = Field(examples=["990106003012002"])
    name: str = Field(examples=["第二网格"])
    cases: int = Field(examples=[22])


class CategoryCount(Output):
    """A category with some cases."""

    code: str = Field(examples=["facility.corridor_light"])
    cases: int = Field(examples=[22])


class BuildingCount(Output):
    """A building with some cases; under 5 none is shown. A place is named by the main ones."""

    building_id: int = Field(examples=[9])
    number: str = Field(examples=["9"])
    cases: int | None = Field(examples=[5])
    main: bool = Field(examples=[True])


class ClusterOut(Output):
    """A group of cases close together."""

    rank: int = Field(examples=[1])
    cases: int = Field(examples=[22])
    grids: list[GridCount]
    categories: list[CategoryCount]
    first_at: datetime | None = Field(examples=["2026-01-04T02:10:00Z"])
    last_at: datetime | None = Field(examples=["2026-03-17T11:40:00Z"])
    geometry: dict[str, Any] = Field(description="Hull or outline, GeoJSON in longitude and latitude.")


class SpotOut(ClusterOut):
    """A hotspot: hot cells that touch."""

    heat: Heat = Field(examples=["hot_99"])
    cells: int = Field(examples=[16])
    case_share: float = Field(examples=[0.38])
    area_share: float = Field(examples=[0.05])
    z: float = Field(description="Gi* of its hottest cell.", examples=[5.9])
    pattern: Pattern = Field(examples=["new"])
    lasting_periods: int = Field(description="How many of the last periods it has been hot.", examples=[5])
    buildings: list[BuildingCount]
    centre: list[float] = Field(description="Its hottest cell.", examples=[[120.893, 31.992]])


class DefaultPointOut(Output):
    """A coordinate on which cases are stacked whose addresses disagree."""

    lon: float = Field(examples=[-71.0587])
    lat: float = Field(examples=[42.3594])
    cases: int = Field(examples=[1039])
    addresses: int = Field(description="How many different addresses.", examples=[220])
    places: int = Field(description="How many different places those are.", examples=[200])
    top_share: float = Field(description="Share of the most frequent place.", examples=[0.01])
    left_out: bool = Field(examples=[True])


class GridRate(GridCount):
    """Cases of a grid, and per 100 households with the bounds that hold with 95 %."""

    households: int = Field(examples=[188])
    rate: float | None = Field(examples=[11.7])
    low: float | None = Field(examples=[7.3])
    high: float | None = Field(examples=[17.7])
    few: bool = Field(description="Too few to say much: under 5 cases or 20 households.", examples=[False])


class PeriodOut(Output):
    """Cases of a period."""

    first: date = Field(examples=["2026-03-12"])
    last: date = Field(examples=["2026-03-18"])
    used: int = Field(examples=[9])
    left_out: int = Field(examples=[0])


class AlarmOut(Output):
    """A circle in which more happened lately than elsewhere."""

    rank: int = Field(examples=[1])
    p: float = Field(examples=[0.004])
    observed: int = Field(examples=[14])
    expected: float = Field(examples=[4.1])
    periods: int = Field(description="How many of the last periods.", examples=[2])
    radius_m: float = Field(examples=[96.0])
    centre: list[float] = Field(examples=[[120.893, 31.992]])
    grids: list[GridCount]


class RepeatOut(Output):
    """A building where the same kind of case came again within 90 days."""

    building_id: int = Field(examples=[9])
    number: str | None = Field(examples=["9"])
    grid_name: str | None = Field(None, examples=["第二网格"])
    category: str = Field(examples=["facility.corridor_light"])
    cases: int = Field(examples=[5])
    again: int = Field(description="How many came within 90 days after the one before.", examples=[4])
    first_at: datetime | None = Field(examples=["2026-01-04T02:10:00Z"])
    last_at: datetime | None = Field(examples=["2026-03-17T11:40:00Z"])


class ChangeOut(Output):
    """A cell with its neighbours in two periods; sums under 5 are kept back."""

    q: int = Field(examples=[16233])
    r: int = Field(examples=[113606])
    before: int | None = Field(examples=[0])
    after: int | None = Field(examples=[12])
    ratio: float | None = Field(description="How many times as many a day.", examples=[None])
    p: float = Field(examples=[0.0005])
    p_adjusted: float = Field(examples=[0.01])
    change: Literal["more", "fewer", "same"] = Field(examples=["more"])


class DrawnOfDays(listing.Drawn, listing.Days):
    """What is asked for of a run and of other days."""


Drawn = Annotated[listing.Drawn, Query()]


@api.post("/runs", summary="Run the analysis", status_code=status.HTTP_201_CREATED)
def run_hotspots(response: Response, session: Session, actor: Run, body: RunNew) -> RunOut:
    """A run with these parameters: an equal one on equal data where there is one. A large one is queued."""
    values = body.model_dump(exclude={"community_id", "unit_id", "grid_id", "name", "categories", "states"})
    asked = Params(
        community=units.community(session, actor, body.community_id).code if body.community_id else None,
        unit=units.get(session, actor, body.unit_id).code if body.unit_id else None,
        grid=grids.get(session, actor, body.grid_id).code if body.grid_id else None,
        categories=None if body.categories is None else tuple(body.categories),
        states=None if body.states is None else tuple(body.states),
        **values,
    )
    found = hotspots.run(session, actor, asked, name=body.name)
    response.headers["Location"] = f"/api/hotspots/runs/{found.id}"
    return RunOut.model_validate(found)


class RunFilters(listing.Filters[hotspots.Filter]):
    """Which runs a request asks for."""

    community: CommunityCode = None
    named: Annotated[bool | None, Query(description="Only those with (or without) a name.")] = None

    def wanted(self) -> hotspots.Filter:
        """The same for ``data``."""
        return hotspots.Filter(community=self.community, named=self.named)


class RunList(RunFilters, listing.Paged):
    """What the address of the list asks for."""

    SORTS = hotspots.SORTS
    sort: str = listing.sorted_by(SORTS, "-created")


@api.get("/runs", summary="List runs", response_model=Listed[RunOut])
def list_runs(
    request: Request,
    session: Session,
    actor: Read,
    asked: Annotated[RunList, Query()],
) -> Listed[RunOut] | Response:
    """The runs one may see, newest first."""
    return listing.answer(
        request,
        session,
        hotspots.selection(actor, asked.wanted()),
        asked,
        key=HotspotRun.id,
        item=RunOut.model_validate,
    )


@api.get("/runs/{run_id}", summary="Get a run")
def get_run(session: Session, actor: Read, run_id: Id) -> RunOut:
    """A run with its parameters and summary."""
    return RunOut.model_validate(hotspots.get(session, actor, run_id))


@api.patch("/runs/{run_id}", summary="Name a run")
def name_run(
    session: Session, actor: Annotated[Actor, permission("hotspot.run")], run_id: Id, body: RunChange
) -> RunOut:
    """Give a run a name to keep it by, or take it away."""
    found = hotspots.get(session, actor, run_id)
    return RunOut.model_validate(hotspots.keep(session, actor, found, body.name))


@api.delete("/runs/{run_id}", summary="Remove a run", status_code=status.HTTP_204_NO_CONTENT)
def remove_run(session: Session, actor: Annotated[Actor, permission("hotspot.run")], run_id: Id) -> None:
    """Remove a run."""
    hotspots.remove(session, actor, hotspots.get(session, actor, run_id))


@api.get("/runs/{run_id}/cells", summary="Cells of a run", response_model=list[CellOut], responses=listing.AS_GEOJSON)
def run_cells(request: Request, session: Session, actor: Read, run_id: Id, asked: Drawn) -> list[CellOut] | Response:
    """How hot each cell is, with its counts, rate, density and trend."""
    rows = hotspots.cells(session, hotspots.get(session, actor, run_id))
    if asked.as_geojson(request):
        return _collection(request, [(CellOut.model_validate(row), json.loads(row.geojson)) for row in rows])
    return [CellOut.model_validate(row) for row in rows]


@api.get(
    "/runs/{run_id}/spots", summary="Hotspots of a run", response_model=list[SpotOut], responses=listing.AS_GEOJSON
)
def run_spots(request: Request, session: Session, actor: Read, run_id: Id, asked: Drawn) -> list[SpotOut] | Response:
    """Hot cells that touch, the surest and then the greatest first."""
    return _drawn(request, hotspots.spots(hotspots.get(session, actor, run_id)), SpotOut, asked)


@api.get(
    "/runs/{run_id}/clusters",
    summary="Clusters of a run",
    response_model=list[ClusterOut],
    responses=listing.AS_GEOJSON,
)
def run_clusters(
    request: Request, session: Session, actor: Read, run_id: Id, asked: Drawn
) -> list[ClusterOut] | Response:
    """Groups of cases close together, the greatest first."""
    return _drawn(request, hotspots.clusters(hotspots.get(session, actor, run_id)), ClusterOut, asked)


@api.get(
    "/runs/{run_id}/default-points",
    summary="Default points of a run",
    response_model=list[DefaultPointOut],
    responses=listing.AS_GEOJSON,
)
def run_default_points(
    request: Request, session: Session, actor: Read, run_id: Id, asked: Drawn
) -> list[DefaultPointOut] | Response:
    """Coordinates on which cases are stacked whose addresses disagree: a geocoder's default, no hotspot."""
    found = hotspots.default_points(hotspots.get(session, actor, run_id))
    rows = [{**one, "geometry": {"type": "Point", "coordinates": [one["lon"], one["lat"]]}} for one in found]
    return _drawn(request, rows, DefaultPointOut, asked)


@api.get("/runs/{run_id}/grids", summary="Grids of a run")
def run_grids(session: Session, actor: Read, run_id: Id) -> list[GridRate]:
    """Cases of each grid, and per 100 households."""
    return [GridRate.model_validate(row) for row in hotspots.by_grid(hotspots.get(session, actor, run_id))]


@api.get("/runs/{run_id}/trend", summary="Trend of a run")
def run_trend(session: Session, actor: Read, run_id: Id) -> list[PeriodOut]:
    """Cases of each period, the oldest first."""
    return [PeriodOut.model_validate(row) for row in hotspots.trend(hotspots.get(session, actor, run_id))]


@api.get("/runs/{run_id}/alarms", summary="Alarms of a run")
def run_alarms(session: Session, actor: Read, run_id: Id) -> list[AlarmOut]:
    """Clusters that have grown up to the last day (space-time scan), the strongest first."""
    return [AlarmOut.model_validate(row) for row in hotspots.alarms(hotspots.get(session, actor, run_id))]


@api.get("/runs/{run_id}/repeats", summary="Repeat places of a run")
def run_repeats(session: Session, actor: Read, run_id: Id) -> list[RepeatOut]:
    """Buildings where the same kind of case came again within 90 days."""
    return [RepeatOut.model_validate(row) for row in hotspots.repeats(hotspots.get(session, actor, run_id))]


@api.get(
    "/runs/{run_id}/compare",
    summary="Compare a run with other days",
    response_model=list[ChangeOut],
    responses=listing.AS_GEOJSON,
)
def compare_run(
    request: Request,
    session: Session,
    actor: Run,
    run_id: Id,
    asked: Annotated[DrawnOfDays, Query()],
) -> list[ChangeOut] | Response:
    """What changed in each cell since the days before the run, or since the days asked for."""
    rows = hotspots.compare(session, actor, hotspots.get(session, actor, run_id), first=asked.first, last=asked.last)
    drawn = [{**row, "geometry": json.loads(row["geojson"])} for row in rows]
    return _drawn(request, drawn, ChangeOut, asked)


@api.get(
    "/runs/{run_id}/unpatrolled",
    summary="Hot but unpatrolled",
    response_model=list[CellOut],
    responses=listing.AS_GEOJSON,
)
def run_unpatrolled(
    request: Request,
    session: Session,
    actor: Annotated[Actor, permission("hotspot.read", "coverage.read")],
    run_id: Id,
    asked: Annotated[DrawnOfDays, Query()],
) -> list[CellOut] | Response:
    """The hot cells of which patrols saw less than half, most cases first; in the run's last 28 days, unless others are
    asked for. Where the GPS was too poor to say, nothing is held against anybody."""
    run = hotspots.get(session, actor, run_id)
    params = Params.from_json(run.params)
    end = asked.last or params.last
    assert end is not None, "the parameters of a run are settled"
    days = coverage.Filter(
        first=asked.first or end - PATROLLED, last=end, grid=params.grid, communities=tuple(run.communities)
    )
    told = {coverage.Status.SEEN: True, coverage.Status.NOT_SEEN: False}
    seen = [
        (shapely.from_geojson(item.geojson), told.get(item.status))
        for item in coverage.of(session, actor, days)
        if item.geojson
    ]
    rows = hotspots.unpatrolled(session, run, hotspots.place_of(session, actor, run).crs, seen)
    if asked.as_geojson(request):
        return _collection(request, [(CellOut.model_validate(row), json.loads(row.geojson)) for row in rows])
    return [CellOut.model_validate(row) for row in rows]


def _drawn(
    request: Request, rows: list[dict[str, Any]], kind: type[_Item], asked: listing.Drawn
) -> list[_Item] | Response:
    """Rows with a ``geometry`` as they are handed out: a list, or a FeatureCollection."""
    items = [kind.model_validate(row) for row in rows]
    if not asked.as_geojson(request):
        return items
    return _collection(request, [(item, row["geometry"]) for item, row in zip(items, rows, strict=True)])


def _collection(request: Request, rows: Iterable[tuple[Output, dict[str, Any]]]) -> Response:
    features = [
        {
            "type": "Feature",
            "id": number,
            "geometry": geometry,
            "properties": item.model_dump(mode="json", exclude={"geometry"}),
        }
        for number, (item, geometry) in enumerate(rows, 1)
    ]
    links = [{"rel": "self", "href": f"{request.url.path}?{request.url.query}".rstrip("?"), "type": listing.GEOJSON}]
    return JSONResponse(
        {"type": "FeatureCollection", "features": features, "links": links},
        media_type=listing.GEOJSON,
        headers={"Vary": "Accept"},
    )
