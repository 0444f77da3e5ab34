"""Plans compared: between today and a plan, and between any two, grid by grid and for each team.

A grid is the same on both sides by its id; one that a plan creates is the same by its name.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import shapely
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data import grids, incidents, units
from data.base import access
from data.base.access import Actor
from data.incidents import Incident
from data.plans import figures
from data.plans.figures import Homes
from data.plans.standing import Standing
from data.rounds import Round
from spatial.coverages import handing, tiling
from spatial.coverages.tiling import OUTSIDE

#: Which grid is meant on either side: its id, or the name of one that is new.
Identity = Hashable
FIGURES = ("buildings", "households", "people", "special", "tenancies", "open_cases")


@dataclass
class Sums:
    """What a grid, and the team of it, has on one side."""

    buildings: int = 0
    households: int = 0
    people: int = 0
    special: int = 0
    tenancies: int = 0
    open_cases: int = 0


@dataclass
class GridChange:
    """A grid on both sides; ``None`` where it is not there."""

    identity: Identity
    name: str
    leader: str | None
    before: Sums | None
    after: Sums | None
    comes: dict[str, list[str]] = field(default_factory=dict)
    goes: dict[str, list[str]] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        """Whether it has other buildings or cases."""
        return self.before != self.after or bool(self.comes) or bool(self.goes)


@dataclass(frozen=True)
class MovedRound:
    """A round of a grid that passes buildings which lie in another grid afterwards."""

    name: str
    grid: str
    buildings: list[str]


@dataclass(frozen=True)
class Compared:
    """Two divisions of a community: ``ground`` in metres, by name of the grid before and after."""

    rows: list[GridChange]
    rounds: list[MovedRound]
    ground: list[tuple[str | None, str | None, Any]]
    areas: tuple[list[tuple[str, Any]], list[tuple[str, Any]]]

    def total(self, name: str) -> int:
        """The sum of a figure over all grids, which is the same on both sides but for what lies outside."""
        return sum(getattr(row.after, name) for row in self.rows if row.after)


@dataclass(frozen=True)
class _Side:
    """One of the two divisions: names and areas (metres) by identity, and where buildings and cases lie."""

    names: Mapping[Any, str]
    areas: Mapping[Any, Any]
    buildings: Sequence[Identity | None]
    cases: Sequence[Identity | None]


def compare(session: Session, actor: Actor, after: Standing, before: Standing | None, homed: Homes) -> Compared:
    """A plan against today, or against another plan of its community.

    Parameters
    ----------
    before
        The other plan; today when ``None``.
    homed
        The buildings of the community, as ``figures.homes`` gives them.
    """
    cases = _cases(session, actor, after, homed)
    was = _today(session, after, homed, cases) if before is None else _planned(before, homed, cases)
    comes = _planned(after, homed, cases)
    leaders = figures.leaders(session, {grid for grid in {*was.names, *comes.names} if isinstance(grid, int)})
    sums = [_sums(side, homed) for side in (was, comes)]
    rows = [
        GridChange(
            identity,
            {**was.names, **comes.names}[identity],
            leaders.get(identity),
            sums[0].get(identity, Sums()) if identity in was.names else None,
            sums[1].get(identity, Sums()) if identity in comes.names else None,
        )
        for identity in {**was.names, **comes.names}
    ]
    by_identity = {row.identity: row for row in rows}
    for at, (source, target) in enumerate(zip(was.buildings, comes.buildings, strict=True)):
        if source != target:
            if source in by_identity:
                taker = comes.names.get(target, "") if target is not None else ""
                by_identity[source].goes.setdefault(taker, []).append(homed.names[at])
            if target in by_identity:
                giver = was.names.get(source, "") if source is not None else ""
                by_identity[target].comes.setdefault(giver, []).append(homed.names[at])
    return Compared(
        rows,
        _rounds(session, actor, after, was, comes, homed),
        _ground(was, comes),
        (_named(was), _named(comes)),
    )


def _named(side: _Side) -> list[tuple[str, Any]]:
    return [(side.names[grid], geom) for grid, geom in side.areas.items()]


def identity(here: Standing, key: int) -> Identity | None:
    """Which grid a key of a plan is; ``None`` outside."""
    if key == OUTSIDE:
        return None
    row = here.rows[key]
    return row.grid_id if row.grid_id is not None else f"new {row.name}"


def _planned(here: Standing, homed: Homes, cases: _Cases) -> _Side:
    held = handing.located(here.coverage, homed.points).tolist()
    lies = handing.located(here.coverage, cases.points).tolist()
    at_home = [held[at] if at is not None else key for at, key in zip(cases.at, lies, strict=True)]
    return _Side(
        {identity(here, key): row.name for key, row in here.rows.items()},
        {identity(here, key): geom for key, geom in here.coverage.areas.items()},
        [identity(here, key) for key in held],
        [identity(here, key) for key in at_home],
    )


def _today(session: Session, here: Standing, homed: Homes, cases: _Cases) -> _Side:
    shapes = grids.shapes(session, here.community.id)
    flat = here.flat(list(shapes.values())) if shapes else []
    areas = {grid: tiling.areal(tiling.rounded(geom)) for grid, geom in zip(shapes, flat, strict=True)}
    return _Side(units.names(session, set(shapes)), areas, list(homed.today), cases.today)


@dataclass(frozen=True)
class _Cases:
    """Open cases with a place: points in metres, the position of the building they follow, and their grid of today."""

    points: Any
    at: list[int | None]
    today: list[int | None]


def _cases(session: Session, actor: Actor, here: Standing, homed: Homes) -> _Cases:
    geom = func.ST_AsBinary(Incident.geom).label("geom")
    query = select(Incident.grid_id, Incident.building_id, Incident.located_by, geom).where(
        Incident.community_id == here.community.id, Incident.state.in_(incidents.OPEN), Incident.geom.is_not(None)
    )
    rows = session.execute(access.visible(query, actor, Incident)).all()
    follows = [homed.position.get(row.building_id) if row.located_by == "address" else None for row in rows]
    return _Cases(
        here.flat([shapely.from_wkb(bytes(row.geom)) for row in rows]), follows, [row.grid_id for row in rows]
    )


def _sums(side: _Side, homed: Homes) -> dict[Identity | None, Sums]:
    sums: dict[Identity | None, Sums] = {}
    lived = homed.homes
    for at, grid in enumerate(side.buildings):
        here = sums.setdefault(grid, Sums())
        here.buildings += bool(homed.residential[at])
        here.households += int(lived.households[at])
        here.people += int(lived.people[at])
        here.special += int(lived.special[at])
        here.tenancies += int(homed.tenancies[at])
    for grid in side.cases:
        sums.setdefault(grid, Sums()).open_cases += 1
    return sums


def _rounds(session: Session, actor: Actor, here: Standing, was: _Side, comes: _Side, homed: Homes) -> list[MovedRound]:
    """Rounds of a grid that pass buildings which go to another one."""
    query = select(Round.name, Round.grid_id, Round.building_ids).where(
        Round.community_id == here.community.id, Round.active, Round.grid_id.is_not(None)
    )
    moved = []
    for row in session.execute(access.visible(query.order_by(Round.id), actor, Round)):
        at = [homed.position[building] for building in row.building_ids if building in homed.position]
        away = [homed.names[place] for place in at if was.buildings[place] != comes.buildings[place]]
        if away:
            moved.append(MovedRound(row.name, was.names.get(row.grid_id, ""), away))
    return moved


def _ground(was: _Side, comes: _Side) -> list[tuple[str | None, str | None, Any]]:
    """The ground that lies in another grid on the other side, with the names of both."""
    known = list({**was.areas, **comes.areas})
    number = {grid: at for at, grid in enumerate(known, 1)}
    before, after = ({number[grid]: geom for grid, geom in side.areas.items()} for side in (was, comes))
    changed = [
        key
        for key in number.values()
        if key not in before or key not in after or not tiling.same(before[key], after[key])
    ]

    def name(side: Mapping[Identity, str], key: int) -> str | None:
        return side.get(known[key - 1]) if key != OUTSIDE else None

    pieces = tiling.compared(before, after, changed)
    return [(name(was.names, piece.source), name(comes.names, piece.target), piece.geom) for piece in pieces]


def workload(rows: list[GridChange]) -> list[tuple[str, Sums, Sums]]:
    """What each team has before and after, by the name of its leader; teams with several grids have their sums."""
    teams: dict[str, tuple[Sums, Sums]] = {}
    for row in rows:
        if row.leader:
            sides = teams.setdefault(row.leader, (Sums(), Sums()))
            for sums, more in zip(sides, (row.before, row.after), strict=True):
                for name in FIGURES:
                    setattr(sums, name, getattr(sums, name) + (getattr(more, name) if more else 0))
    return [(leader, before, after) for leader, (before, after) in sorted(teams.items())]
