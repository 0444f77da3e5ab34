"""Walks 走访路线: what matters most within the minutes that somebody has, as a walk from building to building.

What counts is who is due, and for how long; special groups; open cases; and the rounds of the day. A walk is worked out
when it is asked for. Nothing of it is kept: not that it was asked for, not where anybody went.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import shapely
from shapely import LineString
from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from data import incidents, rounds, today, units
from data.base import access, db, settings
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.buildings import Building
from data.households import Household, HouseholdIncident
from data.incidents import RUNNING, Incident
from data.visits import DueState, Manner, due
from data.visits import Filter as DueFilter
from spatial import routes, walks
from spatial.datums import reproject

#: Minutes that one can have.
LEAST_MINUTES, MOST_MINUTES = 10, 240
#: Minutes at a door, or for a case.
SERVICE_MINUTES = 5.0
#: A walker goes so many metres in a minute (4.5 km/h).
METRES_A_MINUTE = 75.0
#: Where no street is known, a way is so much longer than straight.
DETOUR = 1.3
#: More buildings than these are no walk.
MOST_BUILDINGS = 400

#: What a door is worth. A visit that is due counts as ten; what is more urgent adds up.
VISIT, CALL, SOON = 10.0, 4.0, 3.0
SPECIAL, OWN_CASE, CASE, LATE_CASE, ON_ROUND = 8.0, 8.0, 6.0, 4.0, 2.0
#: Each so many days that a household is overdue count one more, up to ``MOST_LATE``.
LATE_DAYS, MOST_LATE = 9, 10


@dataclass(frozen=True)
class Door:
    """A household to visit (a row of ``visits.due``), or a case to look at (a row of ``incidents.selection``).

    Attributes
    ----------
    cases
        Open cases about the household.
    on_round
        A round of the day passes the building.
    """

    building_id: int
    value: float
    household: Row[Any] | None = None
    case: Row[Any] | None = None
    cases: Sequence[Row[Any]] = ()
    on_round: bool = False


@dataclass(frozen=True)
class Stop:
    """A building on the walk: where it is (degrees), the minutes to get there, and its doors, up the stairs."""

    building_id: int
    number: str | None
    lon: float
    lat: float
    minutes: float
    doors: list[Door]


@dataclass(frozen=True)
class Walk:
    """What matters most within the minutes.

    Attributes
    ----------
    stops
        In the order in which one comes to them.
    left
        What there is no time for, by building, the most valuable first.
    minutes
        How long it takes, with ``SERVICE_MINUTES`` at each door.
    line
        The way in EPSG:4326; ``None`` for fewer than two places.
    on_streets
        It follows the streets of the base map; else it leads straight, and ``DETOUR`` longer.
    proven
        No other walk is worth more.
    """

    stops: list[Stop] = field(default_factory=list)
    left: list[Door] = field(default_factory=list)
    minutes: float = 0.0
    line: LineString | None = None
    on_streets: bool = False
    proven: bool = True


def worth(row: Row[Any], on: date, cases: int, on_round: bool) -> float:
    """What it is worth to visit a household: the sum of what speaks for it."""
    days = (on - row.due_on).days
    value = SOON if days < 0 else VISIT if row.manner == Manner.VISIT else CALL
    value += min(MOST_LATE, max(0, days) / LATE_DAYS)
    return float(value + SPECIAL * bool(row.groups) + OWN_CASE * bool(cases) + ON_ROUND * on_round)


def within(
    session: Session,
    actor: Actor,
    minutes: int,
    *,
    community: units.Unit,
    grid: str | None = None,
    start: int | None = None,
    on: date | None = None,
) -> Walk:
    """The walk that is worth most within some minutes.

    Parameters
    ----------
    grid
        Only in the grid with this code. Whoever has grids of their own walks in those.
    start
        The building to begin at; the first stop itself if left out.
    on
        The day; today if left out.

    Raises
    ------
    Invalid
        That is too short or too long, or the building to begin at lies nowhere.
    """
    if not LEAST_MINUTES <= minutes <= MOST_MINUTES:
        raise Invalid(
            _(
                "A walk takes {least} to {most} minutes, not {given}.",
                least=LEAST_MINUTES,
                most=MOST_MINUTES,
                given=minutes,
            )
        )
    day = on or settings.today()
    doors = _doors(session, actor, community, grid, day)
    by_building: dict[int, list[Door]] = {}
    for door in sorted(doors, key=lambda door: -door.value):
        by_building.setdefault(door.building_id, []).append(door)
    # Where there are too many buildings, those with the most urgent doors are looked at.
    some = dict(list(by_building.items())[:MOST_BUILDINGS])
    places = _places(session, actor, [*some, *([start] if start else [])])
    if start is not None and start not in places:
        raise Invalid(_("The building to begin at is not on the map. Choose another one."), field="query.start")
    some = {building_id: own for building_id, own in some.items() if building_id in places}
    if not some:
        return Walk(left=[door for own in by_building.values() for door in own])
    return _laid(session, community, minutes, some, places, start, by_building)


def _laid(
    session: Session,
    community: units.Unit,
    minutes: int,
    some: dict[int, list[Door]],
    places: dict[int, Row[Any]],
    start: int | None,
    by_building: dict[int, list[Door]],
) -> Walk:
    ids = list(some)
    degrees = np.array([shapely.Point(places[at].lon, places[at].lat) for at in [*ids, start or ids[0]]], dtype=object)
    metres = shapely.get_coordinates(reproject(degrees, "EPSG:4326", community.metric_crs))
    ways = rounds.ways(session, community, metres)
    between = (ways.metres if ways.on_streets else routes.straight(metres) * DETOUR) / METRES_A_MINUTE
    walk = walks.best(
        walks.Doors.at(
            between[:-1, :-1],
            [[door.value for door in some[building_id]] for building_id in ids],
            service=SERVICE_MINUTES,
            budget=float(minutes),
            first=None if start is None else between[-1, :-1],
        )
    )
    origin = [len(ids)] if start is not None else []
    path = [*origin, *walk.stops]
    legs = [0.0] * (not origin) + [float(between[one, other]) for one, other in itertools.pairwise(path)]
    chosen = {ids[at]: some[ids[at]][:count] for at, count in zip(walk.stops, walk.doors, strict=True)}
    stops = [
        Stop(
            building_id=ids[at],
            number=places[ids[at]].number,
            lon=places[ids[at]].lon,
            lat=places[ids[at]].lat,
            minutes=leg,
            doors=sorted(chosen[ids[at]], key=_up_the_stairs),
        )
        for at, leg in zip(walk.stops, legs, strict=True)
    ]
    return Walk(
        stops=stops,
        left=[door for at, own in by_building.items() for door in own[len(chosen.get(at, ())) :]],
        minutes=walk.minutes,
        line=_line(ways, path, metres, community),
        on_streets=ways.on_streets,
        proven=walk.proven,
    )


def _line(ways: routes.Ways, path: list[int], metres: Any, community: units.Unit) -> LineString | None:
    """The way in degrees; it begins and ends at the buildings themselves."""
    if len(path) < 2:
        return None
    legs = [ways.between(one, other) for one, other in itertools.pairwise(path)]
    line = LineString(np.concatenate([metres[path[:1]], *legs, metres[path[-1:]]]))
    degrees = reproject(np.array([line], dtype=object), community.metric_crs, "EPSG:4326")[0]
    rounded: LineString = shapely.set_precision(degrees, 1e-7, mode="pointwise")
    return rounded


def _up_the_stairs(door: Door) -> tuple[bool, str, str]:
    """Cases first, then door by door."""
    home = door.household
    if home is None:
        return False, "", ""
    return True, str(home.unit or "").rjust(8), str(home.room or "").rjust(8)


def _places(session: Session, actor: Actor, building_ids: Sequence[int]) -> dict[int, Row[Any]]:
    query = access.visible(
        select(
            Building.id,
            Building.number,
            func.ST_X(Building.point).label("lon"),
            func.ST_Y(Building.point).label("lat"),
        ).where(Building.id.in_(building_ids), Building.point.is_not(None)),
        actor,
        Building,
    )
    return {row.id: row for row in session.execute(query)}


def _doors(session: Session, actor: Actor, community: units.Unit, grid: str | None, day: date) -> list[Door]:
    """All that could be done: households that are due by the day or soon, and open cases at buildings."""
    db.plan_once(session)
    own = sorted(today.own_grids(actor))
    wanted = DueFilter(community=community.code, grid=grid, states=(DueState.OVERDUE, DueState.SOON), on=day)
    query = due.selection(actor, wanted).where(Building.id.is_not(None))
    running = incidents.selection(actor, incidents.Filter(community=community.code, grid=grid, states=RUNNING)).where(
        Incident.building_id.is_not(None)
    )
    if own:
        query, running = query.where(Building.grid_id.in_(own)), running.where(Incident.grid_id.in_(own))
    homes = session.execute(query.order_by(Household.id)).all()
    cases = {row.id: row for row in session.execute(running.order_by(Incident.id))}
    about = select(HouseholdIncident.household_id, HouseholdIncident.incident_id).where(
        HouseholdIncident.incident_id.in_(list(cases))
    )
    of_home: dict[int, list[Row[Any]]] = {}
    for household_id, incident_id in session.execute(access.visible(about, actor, HouseholdIncident)):
        of_home.setdefault(household_id, []).append(cases[incident_id])
    passed: set[int] = set()
    if actor.may(rounds.Round.__read__):
        passed = {at for row in rounds.due(session, actor, day) if not row.done for at in row.building_ids}
    doors = [
        Door(
            building_id=row.building_id,
            value=worth(row, day, len(of_home.get(row.id, ())), row.building_id in passed),
            household=row,
            cases=of_home.get(row.id, ()),
            on_round=row.building_id in passed,
        )
        for row in homes
    ]
    at_homes = {row.id for home in homes for row in of_home.get(home.id, ())}
    now = datetime.now(UTC)
    doors += [
        Door(
            building_id=row.building_id,
            value=CASE
            + LATE_CASE * (row.due_at is not None and row.due_at < now)
            + ON_ROUND * (row.building_id in passed),
            case=row,
            on_round=row.building_id in passed,
        )
        for row in cases.values()
        if row.id not in at_homes
    ]
    return doors
