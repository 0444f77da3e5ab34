"""Figures of a plan: who lives where in it, what is wrong with it, and what changes against today.

How many live in a building is counted by the database for whoever may draw grids there, also where they may not see
the households themselves; only sums of grids leave this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from data import buildings, grids, incidents, teams, units
from data.base import access, db, listing, settings
from data.base.access import Actor
from data.buildings import Building
from data.incidents import Incident
from data.plans.standing import Standing
from spatial.coverages import checks, handing, tiling
from spatial.coverages.tiling import OUTSIDE

Integers = Any


class Weight(StrEnum):
    """How grave a finding is."""

    ERROR = "error"
    WARNING = "warning"


#: What a finding of each kind is; all others are errors.
WARNINGS = frozenset({"compact", "barrier", "enclosed", "people", "sliver", "outside"})


@dataclass(frozen=True)
class Homes:
    """The buildings of a community that have a place: what the machine needs, and what they are called."""

    ids: list[int]
    names: list[str]
    codes: list[str | None]
    numbers: list[str | None]
    today: list[int | None]
    residential: Any
    tenancies: Integers
    points: Any
    homes: handing.Homes

    @cached_property
    def position(self) -> dict[int, int]:
        """Building id → position."""
        return {building: at for at, building in enumerate(self.ids)}

    @cached_property
    def _lived_in(self) -> Any:
        return self.residential if self.residential.any() else np.ones(len(self.ids), dtype=bool)

    def living_ids(self) -> list[int]:
        """Ids of those that people live in."""
        return [building for building, lived_in in zip(self.ids, self._lived_in, strict=True) if lived_in]

    def living(self) -> handing.Homes:
        """Those that people live in; all, where nobody lives anywhere."""
        chosen, homes = self._lived_in, self.homes
        return handing.Homes(
            homes.footprints[chosen], homes.households[chosen], homes.people[chosen], homes.special[chosen]
        )


@dataclass(frozen=True)
class Figures:
    """A grid of a plan in figures, with those of today beside them."""

    key: int
    grid_id: int | None
    name: str
    locked: bool
    area_m2: float
    compactness: float
    buildings: int
    households: int
    people: int
    special: int
    tenancies: int
    today_households: int | None = None
    today_people: int | None = None


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a plan: of what kind, in which grids, where, and in figures."""

    kind: str
    weight: Weight
    keys: tuple[int, ...]
    value: float
    where: Any
    building: str | None = None
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True)
class Move:
    """What goes from one grid to another: ``None`` stands for outside."""

    source: str | None
    target: str | None
    buildings: list[str]
    households: int
    people: int
    special: int
    tenancies: int
    open_cases: int
    leader_before: str | None = None
    leader_after: str | None = None


@dataclass(frozen=True)
class Consequences:
    """What changes when a plan takes effect: moves, and the ground that changes hands (in degrees)."""

    moves: list[Move] = field(default_factory=list)
    ground: list[dict[str, Any]] = field(default_factory=list)

    def total(self, name: str) -> int:
        """The sum of one figure over all moves."""
        return sum(getattr(move, name) for move in self.moves)

    @property
    def buildings(self) -> int:
        """How many buildings change their grid."""
        return sum(len(move.buildings) for move in self.moves)


_HOMES = text("""
    SELECT d.building_id, count(DISTINCT h.id) AS households, count(r.id) AS people,
        count(DISTINCT h.id) FILTER (WHERE EXISTS (
            SELECT FROM household_group g WHERE g.household_id = h.id AND g.valid @> CAST(:today AS date))) AS special,
        (SELECT count(*) FROM tenancy t JOIN dwelling e ON e.id = t.dwelling_id
            WHERE e.building_id = d.building_id) AS tenancies
    FROM dwelling d JOIN household h ON h.dwelling_id = d.id AND h.closed_on IS NULL
        LEFT JOIN resident r ON r.household_id = h.id AND r.left_on IS NULL
    WHERE d.community_id = :community GROUP BY d.building_id
""")


def homes(session: Session, actor: Actor, here: Standing) -> Homes:
    """The buildings of a plan's community, with how many live in each: for planners all, for others whom they see."""
    rows = session.execute(
        select(
            Building.id,
            Building.number,
            Building.name,
            Building.code,
            Building.grid_id,
            Building.kind,
            func.ST_AsBinary(Building.geom).label("geom"),
            func.ST_AsBinary(Building.point).label("point"),
        )
        .where(Building.community_id == here.community.id, Building.point.is_not(None))
        .order_by(Building.id)
    ).all()
    asked = {"community": here.community.id, "today": settings.today()}
    if actor.area("grid.edit").covers(here.community.id) and not actor.is_system:
        with db.everywhere(session):
            counted = session.execute(_HOMES, asked).all()
    else:
        counted = session.execute(_HOMES, asked).all()
    lives = {row.building_id: row for row in counted}

    def figure(name: str) -> Integers:
        return np.array([getattr(lives.get(row.id), name, 0) for row in rows], dtype=np.int64)

    return Homes(
        ids=[row.id for row in rows],
        names=[buildings.called(row.number, row.name, row.code) for row in rows],
        codes=[row.code for row in rows],
        numbers=[row.number for row in rows],
        today=[row.grid_id for row in rows],
        residential=np.array([row.kind == buildings.BuildingKind.RESIDENTIAL for row in rows], dtype=bool),
        tenancies=figure("tenancies"),
        points=here.flat([shapely.from_wkb(bytes(row.point)) for row in rows]),
        homes=handing.Homes(
            here.flat([shapely.from_wkb(bytes(row.geom or row.point)) for row in rows]),
            figure("households"),
            figure("people"),
            figure("special"),
        ),
    )


def moving(session: Session, here: Standing) -> list[tuple[str | None, str | None, list[str]]]:
    """From which grid to which which buildings go: names alone, as everybody may know them."""
    rows = session.execute(
        select(
            Building.number,
            Building.name,
            Building.code,
            units.Unit.name.label("grid"),
            func.ST_AsBinary(Building.point).label("point"),
        )
        .outerjoin(units.Unit, units.Unit.id == Building.grid_id)
        .where(Building.community_id == here.community.id, Building.point.is_not(None))
        .order_by(listing.number_in(Building.number), Building.id)
    ).all()
    points = here.flat([shapely.from_wkb(bytes(row.point)) for row in rows])
    going: dict[tuple[str | None, str | None], list[str]] = {}
    for row, key in zip(rows, handing.located(here.coverage, points).tolist(), strict=True):
        target = here.rows[key].name if key != OUTSIDE else None
        if target != row.grid:
            going.setdefault((row.grid, target), []).append(buildings.called(row.number, row.name, row.code))
    return [(source, target, names) for (source, target), names in going.items()]


def bounds(here: Standing) -> tuple[int, int]:
    """How many households a grid of the community is to have, at least and at most."""
    return here.community.household_min, here.community.household_max


def of(here: Standing, homed: Homes) -> list[Figures]:
    """The figures of each grid of a plan, by key."""
    held = handing.located(here.coverage, homed.points)
    lived = homed.homes
    today = {grid_id: _sums_of(homed, grid_id) for grid_id in {*homed.today} if grid_id is not None}
    compact = checks.polsby_popper(here.coverage.polygons)
    made = []
    for at, (key, geom) in enumerate(here.coverage.areas.items()):
        mine, row = held == key, here.rows[key]
        before = today.get(row.grid_id, (0, 0)) if row.grid_id is not None else (None, None)
        made.append(
            Figures(
                key=key,
                grid_id=row.grid_id,
                name=row.name,
                locked=row.locked,
                area_m2=round(float(shapely.area(geom)), 1),
                compactness=round(float(compact[at]), 3),
                buildings=int((mine & homed.residential).sum()),
                households=int(lived.households[mine].sum()),
                people=int(lived.people[mine].sum()),
                special=int(lived.special[mine].sum()),
                tenancies=int(homed.tenancies[mine].sum()),
                today_households=before[0],
                today_people=before[1],
            )
        )
    return made


def _sums_of(homed: Homes, grid_id: int) -> tuple[int, int]:
    mine = np.array([grid == grid_id for grid in homed.today], dtype=bool)
    return int(homed.homes.households[mine].sum()), int(homed.homes.people[mine].sum())


def findings(here: Standing, homed: Homes) -> list[Finding]:
    """What is wrong with a plan: errors first, then by kind and grid. Places are in degrees."""
    made = []
    for fault in checks.faults(here.coverage, homed.homes.footprints):
        name = homed.names[fault.building] if fault.building is not None else None
        made.append(Finding(str(fault.kind), _weight(fault.kind), fault.keys, fault.value, fault.where, name))
    community = here.community
    lived = any(homed.homes.households)
    for figure in of(here, homed) if lived else []:
        for kind, value, least, most in (
            ("households", figure.households, community.household_min, community.household_max),
            ("people", figure.people, community.people_min, community.people_max),
        ):
            if not least <= value <= most:
                where = here.coverage.areas[figure.key]
                made.append(Finding(kind, _weight(kind), (figure.key,), value, where, least=least, most=most))
    outside = handing.located(here.coverage, homed.points) == OUTSIDE
    for at in np.flatnonzero(outside):
        made.append(Finding("outside", _weight("outside"), (), 0.0, homed.points[at], homed.names[at]))
    shapes = here.round([finding.where for finding in made])
    placed = [Finding(**{**vars(finding), "where": shape}) for finding, shape in zip(made, shapes, strict=True)]
    return sorted(placed, key=lambda finding: (finding.weight, finding.kind, finding.keys))


def _weight(kind: str) -> Weight:
    return Weight.WARNING if str(kind) in WARNINGS else Weight.ERROR


def consequences(session: Session, actor: Actor, here: Standing, homed: Homes) -> Consequences:
    """What changes against today when the plan takes effect: who goes where, and the ground in between."""
    names = {row.grid_id: row.name for row in here.rows.values() if row.grid_id is not None}
    held = handing.located(here.coverage, homed.points)
    after = [None if key == OUTSIDE else int(key) for key in held]
    own = {key: row.grid_id for key, row in here.rows.items()}
    moving: dict[tuple[int | None, int | None], list[int]] = {}
    for at, key in enumerate(after):
        if homed.today[at] != (own[key] if key is not None else None):
            moving.setdefault((homed.today[at], key), []).append(at)
    grid_ids = {grid for grid, _key in moving if grid is not None}
    names |= {grid.id: grid.name for grid in _units(session, grid_ids - set(names))}
    cases = _open_cases(session, actor, here, homed)
    led = leaders(session, {*grid_ids, *(grid for grid in own.values() if grid is not None)})
    moves = [
        Move(
            source=names.get(source) if source is not None else None,
            target=here.rows[key].name if key is not None else None,
            buildings=[homed.names[at] for at in positions],
            households=int(homed.homes.households[positions].sum()),
            people=int(homed.homes.people[positions].sum()),
            special=int(homed.homes.special[positions].sum()),
            tenancies=int(homed.tenancies[positions].sum()),
            open_cases=cases.pop((source, key), 0),
            leader_before=led.get(source) if source is not None else None,
            leader_after=led.get(own[key]) if key is not None else None,
        )
        for (source, key), positions in moving.items()
    ]
    moves += [
        Move(names.get(source) if source else None, here.rows[key].name if key is not None else None, [], 0, 0, 0, 0, n)
        for (source, key), n in cases.items()
    ]
    return Consequences(sorted(moves, key=lambda move: (-move.households, str(move.source))), ground(session, here))


def _units(session: Session, ids: set[int]) -> Sequence[Any]:
    return session.execute(select(units.Unit.id, units.Unit.name).where(units.Unit.id.in_(ids))).all() if ids else []


def leaders(session: Session, grid_ids: set[int]) -> dict[Any, str]:
    """Id of a grid → who leads it."""
    member = teams.TeamMember
    rows = session.execute(
        select(member.grid_id, member.name)
        .where(member.grid_id.in_(grid_ids), member.post == teams.Post.LEADER, member.holds())
        .order_by(member.id.desc())
    )
    return {row.grid_id: row.name for row in rows}


def _open_cases(
    session: Session, actor: Actor, here: Standing, homed: Homes
) -> dict[tuple[int | None, int | None], int]:
    """(grid of today, key) → how many open cases go there, of those that change their grid."""
    query = select(Incident.grid_id, Incident.building_id, Incident.located_by, func.ST_AsBinary(Incident.geom)).where(
        Incident.community_id == here.community.id, Incident.state.in_(incidents.OPEN), Incident.geom.is_not(None)
    )
    rows = session.execute(access.visible(query, actor, Incident)).all()
    held = handing.located(here.coverage, here.flat([shapely.from_wkb(bytes(row[3])) for row in rows]))
    at_homes = handing.located(here.coverage, homed.points)
    counts: dict[tuple[int | None, int | None], int] = {}
    for row, key in zip(rows, held, strict=True):
        if row.located_by == "address" and row.building_id in homed.position:
            key = at_homes[homed.position[row.building_id]]
        goes = None if key == OUTSIDE else int(key)
        if (here.rows[goes].grid_id if goes is not None else None) != row.grid_id:
            counts[row.grid_id, goes] = counts.get((row.grid_id, goes), 0) + 1
    return counts


def ground(session: Session, here: Standing) -> list[dict[str, Any]]:
    """The ground that lies in another grid than today: ``source target`` (keys), ``area_m2``, ``geom`` (EPSG:4326)."""
    shapes = grids.shapes(session, here.community.id)
    keys = {row.grid_id: key for key, row in here.rows.items() if row.grid_id is not None}
    closed = {grid_id: -2 - at for at, grid_id in enumerate(sorted(set(shapes) - set(keys)))}
    flat = here.flat(list(shapes.values())) if shapes else []
    today = {
        keys.get(grid_id, closed.get(grid_id, OUTSIDE)): tiling.areal(tiling.rounded(geom))
        for grid_id, geom in zip(shapes, flat, strict=True)
    }
    changed = [
        key
        for key in {*today, *here.coverage.areas}
        if key not in today or key not in here.coverage.areas or not tiling.same(today[key], here.coverage.areas[key])
    ]
    pieces = tiling.compared(today, here.coverage.areas, changed)
    geoms = here.round([piece.geom for piece in pieces])
    return [
        {"source": piece.source, "target": piece.target, "area_m2": round(piece.area_m2, 1), "geom": geom}
        for piece, geom in zip(pieces, geoms, strict=True)
    ]
