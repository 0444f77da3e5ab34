"""Plans go out and come in as files: grids with their boundaries, or which building goes to which grid.

What comes in is checked before anything is written. A file that is only half drawn is told all that it lacks: ground
that no grid has, ground that two have, grids and buildings that it leaves out or that nobody knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import shapely
from sqlalchemy.orm import Session

from data import grids, units
from data.base import settings
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.files import columns, writing
from data.files.columns import Kind
from data.plans import drawing, figures, workflow
from data.plans.editing import Asked, EditKind
from data.plans.figures import Homes, Weight
from data.plans.standing import Standing, flat_areas, standing
from data.plans.tables import Action, Plan
from spatial.coverages import handing, tiling

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from data.files.reading import Source

#: What a plan goes out as: with a GeoJSON of its own, which carries the plan beside its grids.
FORMATS = (writing.Format.GEOJSON, writing.Format.GPKG, writing.Format.CSV)
#: So many of a kind are named; of the others only how many.
_NAMED = 8
#: Narrower gaps and overlaps are nobody's intention, and mended.
_SLIVER_M = 1.0


class HalfDrawn(Invalid):
    """The file is no whole plan; ``facts["lacks"]`` has what is wrong, a sentence each."""


# Out


def about(session: Session, actor: Actor, plan: Plan, here: Standing, homed: Homes) -> dict[str, Any]:
    """What a file says of the plan as a whole: name, state, author, days, and how good it is."""
    course = workflow.steps(session, plan)
    days = {row.action: row.at.isoformat() for row in course}
    faults = figures.findings(here, homed)
    each = figures.of(here, homed)
    compact = [figure.compactness for figure in each]
    households = np.array([figure.households for figure in each], dtype=float)
    mean = households.mean() if len(households) else 0.0
    changes = figures.consequences(session, actor, here, homed)
    return {
        "plan": plan.name,
        "state": plan.state,
        "author": course[0].by if course else None,
        "version": plan.version,
        "drawn_up_at": days.get(Action.DRAW_UP),
        "approved_at": days.get(Action.APPROVE),
        "effective_on": plan.effective_on.isoformat() if plan.effective_on else None,
        "errors": sum(fault.weight == Weight.ERROR for fault in faults),
        "warnings": sum(fault.weight == Weight.WARNING for fault in faults),
        "compactness_mean": round(float(np.mean(compact)), 3) if compact else None,
        "households_off_mean_max": round(float(np.abs(households / mean - 1).max()), 3) if mean else None,
        "households_moved": changes.total("households"),
    }


def areas_frame(session: Session, actor: Actor, plan: Plan) -> gpd.GeoDataFrame:
    """The grids of a plan (EPSG:4326), a row each: ``code name``, their figures, and in each row ``about`` the plan."""
    import geopandas as gpd

    here = standing(session, plan)
    homed = figures.homes(session, actor, here)
    said = about(session, actor, plan, here, homed)
    codes = grids.codes(session, [row.grid_id for row in here.rows.values() if row.grid_id is not None])
    rows = [
        {"code": codes.get(one.grid_id) if one.grid_id else None}
        | {name: value for name, value in vars(one).items() if name not in ("key", "grid_id")}
        | said
        for one in figures.of(here, homed)
    ]
    return gpd.GeoDataFrame(rows, geometry=here.round(list(here.coverage.polygons)), crs=4326)


def buildings_frame(session: Session, actor: Actor, plan: Plan) -> pd.DataFrame:
    """Which building goes to which grid, a row each: ``building_code building grid_code grid_name``, and the plan."""
    import pandas as pd

    here = standing(session, plan)
    homed = figures.homes(session, actor, here)
    said = about(session, actor, plan, here, homed)
    held = handing.located(here.coverage, homed.points)
    codes = grids.codes(session, [row.grid_id for row in here.rows.values() if row.grid_id is not None])
    rows = []
    for at, key in enumerate(held.tolist()):
        row = here.rows.get(key)
        rows.append(
            {
                "building_code": homed.codes[at],
                "building": homed.names[at],
                "grid_code": codes.get(row.grid_id) if row and row.grid_id else None,
                "grid_name": row.name if row else None,
                **said,
            }
        )
    return pd.DataFrame(rows)


def write(session: Session, actor: Actor, plan: Plan, target: BinaryIO, form: writing.Format) -> None:
    """Write a plan into a stream: its grids, or as CSV which building goes to which grid."""
    frame = buildings_frame if form is writing.Format.CSV else areas_frame
    zone = settings.get().timezone
    writing.write(target, [frame(session, actor, plan)], format=form, layer_name="grids", timezone=zone)


# In


def bring_in(
    session: Session,
    actor: Actor,
    community: units.Unit,
    path: Path,
    *,
    name: str,
    crs: str | None = None,
    closing: bool = False,
    outer: bool = False,
) -> Plan:
    """A plan from a file: polygons with code or name of their grids, or a table of buildings and grids.

    Parameters
    ----------
    crs
        What its coordinates are in, where the file does not say so.
    closing
        Whether grids of today that the file leaves out are closed.
    outer
        Whether the outer edge of the community is meant to become another.

    Raises
    ------
    HalfDrawn
        It is no whole plan.
    Invalid
        It cannot be read, or holds neither areas nor buildings with grids.
    Refused
        A building cannot be handed over.
    """
    from data.files.reading import open_source

    source = open_source(path, crs=crs)
    lacks = _Lacks()
    for one in source.rejects:
        lacks.add(_("Row {row}: {reason}", row=one.row, reason=one.reason))
    lacks.settle()
    shapes = source.geometries
    if np.isin(shapely.get_type_id(shapes), (3, 6)).any():
        return _drawn(session, actor, community, source, name, closing=closing, outer=outer)
    return _assigned(session, actor, community, source, name)


@dataclass
class _Lacks:
    """What a file lacks, in sentences."""

    told: list[str] = field(default_factory=list)

    def add(self, sentence: str) -> None:
        """One thing more."""
        self.told.append(sentence)

    def settle(self) -> None:
        """Refuse the file if it lacks anything."""
        if self.told:
            said = " ".join(self.told[:_NAMED])
            raise HalfDrawn(_("This is no whole plan, and nothing was changed. {lacks}", lacks=said), lacks=self.told)


def _listed(names: Sequence[str]) -> str:
    more = _(" and {count} more", count=len(names) - _NAMED) if len(names) > _NAMED else ""
    return _(", ").join(names[:_NAMED]) + more


def _drawn(
    session: Session,
    actor: Actor,
    community: units.Unit,
    source: Source,
    name: str,
    *,
    closing: bool,
    outer: bool,
) -> Plan:
    """A plan from polygons."""
    matched = {field: column for column, field in columns.match_columns(Kind.GRIDS, source.columns).items()}
    codes, names = (_cells(source, matched.get(one)) for one in ("code", "name"))
    known = {unit.id: unit for unit in units.listed(session, actor, level=units.Level.GRID, under=community.id)}
    by_code, by_name = {unit.code: unit for unit in known.values()}, {unit.name: unit for unit in known.values()}
    lacks = _Lacks()
    grid_ids: list[int | None] = []
    titles = []
    for row, code, title in zip(source.rows.tolist(), codes, names, strict=True):
        unit = by_code.get(code) if code else by_name.get(title)
        if code and unit is None:
            lacks.add(
                _("Row {row}: there is no grid with the code {code}. A new grid has a name alone.", row=row, code=code)
            )
        elif not code and not title:
            lacks.add(_("Row {row}: neither code nor name of the grid is said.", row=row))
        grid_ids.append(unit.id if unit else None)
        titles.append(title or (unit.name if unit else ""))
    for title, count in Counter(titles).items():
        if title and count > 1:
            lacks.add(_("{grid} is there {count} times. Make it one row.", grid=title, count=count))
    shapes = source.geometries
    bad = [row for row, geom in zip(source.rows.tolist(), shapes, strict=True) if not _areal(geom)]
    if bad:
        lacks.add(_("Rows {rows} have no area, or one that crosses itself.", rows=_listed([str(row) for row in bad])))
    lacks.settle()
    today = grids.shapes(session, community.id)
    missing = [known[grid_id].name for grid_id in today if grid_id not in grid_ids and grid_id in known]
    if missing and not closing:
        lacks.add(_("{grids} are not in the file. Draw them, or say that they are closed.", grids=_listed(missing)))
    _check_ground(lacks, community, list(shapes), titles, list(today.values()), outer=outer)
    lacks.settle()
    areas = flat_areas(community, dict(enumerate(shapes, 1)))
    kept = [(key, grid_ids[key - 1], titles[key - 1], False) for key in areas]
    return drawing.begin(session, actor, community, name=name, kept=kept, edited=tiling.laid(areas))


def _areal(geom: Any) -> bool:
    return geom is not None and geom.geom_type in ("Polygon", "MultiPolygon") and not geom.is_empty and geom.is_valid


def _check_ground(
    lacks: _Lacks, community: units.Unit, shapes: list[Any], titles: list[str], today: list[Any], *, outer: bool
) -> None:
    """Gaps, overlaps, and ground of the community that is left over or added; slivers are mended."""
    from spatial.partition import cleaning

    crs = community.metric_crs
    drawn = np.array(shapes, dtype=object)
    twice = cleaning.overlaps(drawn, crs)
    pairs = zip(*(twice[name] for name in ("left", "right", "area_m2", "width_m")), strict=True)
    for left, right, area, width in pairs:
        if width > _SLIVER_M:
            lacks.add(
                _(
                    "{grid} and {other} overlap by {area} m².",
                    grid=titles[left],
                    other=titles[right],
                    area=f"{area:,.0f}",
                )
            )
    site = shapely.union_all(np.array(today, dtype=object)) if today and not outer else None
    open_ground = cleaning.gaps(drawn, crs, site)
    holes = zip(*(open_ground[name] for name in ("touches", "area_m2", "width_m")), strict=True)
    for touches, area, width in holes:
        if width > _SLIVER_M:
            beside = _listed([titles[at] for at in touches]) or "—"
            lacks.add(_("{area} m² beside {grids} belong to no grid.", area=f"{area:,.0f}", grids=beside))
    if site is not None:
        flat = flat_areas(community, {1: shapely.union_all(drawn), 2: site})
        over = shapely.difference(flat[1], flat[2])
        if not shapely.is_empty(shapely.buffer(over, -_SLIVER_M / 2)):
            lacks.add(
                _(
                    "{area} m² lie outside the community of today. Say that its outer edge is meant to change, or cut "
                    "them off.",
                    area=f"{shapely.area(over):,.0f}",
                )
            )


def _assigned(session: Session, actor: Actor, community: units.Unit, source: Source, name: str) -> Plan:
    """A plan from a table of buildings and grids: the boundaries of today, with those handed over that go elsewhere."""
    building, grid = (_column(source, headings) for headings in (_BUILDING, _GRID))
    if building is None or grid is None:
        raise Invalid(
            _(
                "The file holds neither areas nor a table of buildings and grids. "
                "Name the columns {building} and {grid}.",
                building=_BUILDING[0],
                grid=_GRID[0],
            )
        )
    plan = drawing.draw_up(session, actor, community, name=name)
    here = standing(session, plan)
    homed = figures.homes(session, actor, here)
    lacks = _Lacks()
    wanted = _wanted(session, here, homed, source, (building, grid), lacks)
    silent = [homed.names[at] for at in range(len(homed.ids)) if at not in wanted]
    if silent:
        lacks.add(_("{buildings} are not in the file. Say to which grid each goes.", buildings=_listed(silent)))
    lacks.settle()
    _hand_over(session, actor, plan, here, homed, wanted)
    there = handing.located(standing(session, plan).coverage, homed.points)
    lost = [homed.names[at] for at, key in wanted.items() if there[at] != key]
    if lost:
        lacks.add(_("No boundary can be drawn that gives {buildings} to the grids asked for.", buildings=_listed(lost)))
    lacks.settle()
    return plan


def _hand_over(
    session: Session, actor: Actor, plan: Plan, here: Standing, homed: Homes, wanted: dict[int, int]
) -> None:
    held = handing.located(here.coverage, homed.points)
    for key in sorted(set(wanted.values())):
        moving = [homed.ids[at] for at, to in wanted.items() if to == key and held[at] != key]
        if moving:
            asked = Asked(kind=EditKind.HAND_OVER, key=key, buildings=moving)
            drawing.edit(session, actor, plan, asked, version=None)


def _wanted(
    session: Session, here: Standing, homed: Homes, source: Source, named: tuple[str, str], lacks: _Lacks
) -> dict[int, int]:
    """Position of each building → key of the grid that the file gives it to."""
    positions: dict[str, int | None] = {}
    for at in range(len(homed.ids)):
        for word in {homed.codes[at], homed.numbers[at], homed.names[at]} - {None, ""}:
            # A number that two have names neither.
            positions[str(word)] = None if str(word) in positions else at
    codes = grids.codes(session, [row.grid_id for row in here.rows.values() if row.grid_id is not None])
    keys = {row.name: key for key, row in here.rows.items()}
    keys |= {codes[row.grid_id]: key for key, row in here.rows.items() if row.grid_id in codes}
    wanted: dict[int, int] = {}
    strangers: dict[str, list[str]] = {"building": [], "grid": [], "twice": []}
    for building, grid in zip(*(_cells(source, column) for column in named), strict=True):
        place, to = positions.get(building), keys.get(grid)
        if place is None:
            strangers["building"].append(building or "—")
        elif to is None:
            strangers["grid"].append(grid or "—")
        elif wanted.setdefault(place, to) != to:
            strangers["twice"].append(building)
    for kind, sentence in (
        ("building", _("Nobody knows the buildings {names}.", names=_listed(strangers["building"]))),
        ("grid", _("Nobody knows the grids {names}.", names=_listed(sorted(set(strangers["grid"]))))),
        ("twice", _("{names} are given to two grids.", names=_listed(strangers["twice"]))),
    ):
        if strangers[kind]:
            lacks.add(sentence)
    return wanted


#: What the columns of a table are called, the first the one that is written.
_BUILDING = ("building_code", "building", "building_number", "楼栋编码", "楼栋", "楼栋号", "楼号")
_GRID = ("grid_code", "grid_name", "grid", "网格编码", "网格名称", "网格")


def _column(source: Source, headings: Sequence[str]) -> str | None:
    """The first of these columns that says something in every row, else the first that is there."""
    there = [name for name in headings if name in source.columns]
    return next((name for name in there if all(_cells(source, name))), there[0] if there else None)


def _cells(source: Source, column: str | None) -> list[str]:
    """The cells of a column as texts."""
    if column is None:
        return [""] * len(source.frame)
    return ["" if cell is None or cell != cell else str(cell).strip() for cell in source.frame[column].tolist()]
