"""Locating 定位: what lies in which grid, by its point, by its address, or by the building next to it.

Points are located by cover, with the rule of ``spatial.locating``: on a common edge the grid with the lowest code has
it. A point in no grid that is within ``NEAREST_LIMIT_M`` of a building goes where that building is. Every record keeps
how it was located, how sure that is, and if it was not, why.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from data import grids, units
from data.base.access import Rows
from data.base.language import _
from data.buildings import Building, Dwelling
from data.grids import LocatedBy, UnlocatedReason

#: Between the addresses of a building that has several.
SEPARATOR = "；"
#: Candidates that are this near in score to the best tie with it.
_LEAD = 0.05
#: How many buildings one address is compared with when somebody waits for the answer.
_CONSIDERED = 1000
#: How far from a building a point may lie and still count as at it: the error of a phone's position between houses.
NEAREST_LIMIT_M = 30.0

Geometries = NDArray[np.object_]


@dataclass
class Located:
    """Where each of a number of records is; one item a record, ``None`` where there is none.

    Attributes
    ----------
    grid_id, building_id
        The grid, and the building if it was found by one.
    by
        ``LocatedBy``.
    score
        How sure it is, 0 to 1.
    reason
        ``UnlocatedReason`` where ``grid_id`` is ``None``.
    rest
        By record: what of its address was not understood.
    """

    grid_id: list[int | None]
    building_id: list[int | None]
    by: list[str | None]
    score: list[float | None]
    reason: list[str | None]
    rest: dict[int, str] = field(default_factory=dict)

    @classmethod
    def nowhere(cls, count: int, reason: UnlocatedReason) -> Located:
        """``count`` records without a place."""
        return cls([None] * count, [None] * count, [None] * count, [None] * count, [reason.value] * count)

    def columns(self) -> dict[str, Sequence[Any]]:
        """The columns of a table that keep this."""
        return {
            "grid_id": self.grid_id,
            "building_id": self.building_id,
            "located_by": self.by,
            "located_score": self.score,
            "unlocated_reason": self.reason,
        }


def locate(session: Session, community: units.Unit, geometries: Geometries, addresses: Sequence[str | None]) -> Located:
    """Where records with a point (EPSG:4326) or an address lie: the point decides, the address where there is none.

    ``geometries`` gets the building's point where the address decided.
    """
    located = by_points(session, community, geometries)
    pointless = [at for at, reason in enumerate(located.reason) if reason == UnlocatedReason.NO_PLACE and addresses[at]]
    if not pointless:
        return located
    found = match_addresses(session, community, [addresses[at] for at in pointless])
    for at, match in zip(pointless, found, strict=True):
        located.reason[at] = match.reason
        if match.rest:
            located.rest[at] = match.rest
        if match.building_id is None:
            continue
        located.building_id[at], located.grid_id[at], located.score[at] = match.building_id, match.grid_id, match.score
        geometries[at] = match.point
        if match.grid_id is None:
            located.reason[at] = UnlocatedReason.OUTSIDE.value
        else:
            located.by[at] = LocatedBy.ADDRESS.value
    return located


class Match(NamedTuple):
    """What an address means: a building and perhaps a dwelling in it, or why it is none.

    Attributes
    ----------
    unit, floor, room
        As the address states them.
    rest
        What of it was not understood, or names another city or district than the community's.
    score
        How sure it is, 0 to 1; see ``spatial.addresses.match``.
    """

    building_id: int | None
    dwelling_id: int | None
    grid_id: int | None
    point: BaseGeometry | None
    score: float | None
    reason: str | None
    unit: str | None = None
    floor: str | None = None
    room: str | None = None
    rest: str | None = None
    """What of the address was not understood, or names another place: a room below ground, another city."""


def match_addresses(session: Session, community: units.Unit, addresses: Sequence[str | None]) -> list[Match]:
    """The building and dwelling of the community that each address means. Never a guess: see ``spatial.addresses``."""
    from spatial.addresses import Outcome, match

    known = session.execute(
        select(
            Building.id,
            Building.grid_id,
            Building.number,
            Building.name,
            Building.address,
            func.ST_AsBinary(Building.point).label("point"),
        )
        .where(Building.community_id == community.id)
        .order_by(Building.id)
    ).all()
    doors = session.execute(_doors().where(Dwelling.community_id == community.id)).all()
    register = _Register(known, doors)
    matches = []
    answers = match(addresses, register.buildings, register.dwellings)
    abroad = _Abroad(session, community, answers["city"].tolist())
    for outcome, at, door, score, candidates, unit, floor, room, city, district, rest in zip(
        *(answers[name].tolist() for name in _ANSWERED), strict=True
    ):
        if (city or district) and (elsewhere := abroad.named(city, district)):
            reason = UnlocatedReason.NO_SUCH_BUILDING
            matches.append(Match(None, None, None, None, None, reason.value, unit, floor, room, elsewhere))
            continue
        best: set[int] = set()
        if outcome == Outcome.MATCHED:
            best = {register.entries[at]}
        elif outcome == Outcome.AMBIGUOUS:
            best = {register.entries[place] for place, other in candidates if other > score - _LEAD}
        if len(best) != 1:
            reason = UnlocatedReason.AMBIGUOUS if best else UnlocatedReason.NO_SUCH_BUILDING
            matches.append(Match(None, None, None, None, None, reason.value, unit, floor, room, rest))
            continue
        row = known[best.pop()]
        point = shapely.from_wkb(bytes(row.point)) if row.point else None
        dwelling = doors[door].id if door >= 0 else None
        matches.append(Match(row.id, dwelling, row.grid_id, point, score, None, unit, floor, room, rest))
    return matches


#: What of the answers of ``spatial.addresses.match`` is looked at.
_ANSWERED = (
    "outcome",
    "building",
    "dwelling",
    "score",
    "candidates",
    "unit",
    "floor",
    "room",
    "city",
    "district",
    "rest",
)
_MUNICIPALITIES = {"11": "北京市", "12": "天津市", "31": "上海市", "50": "重庆市"}


#: Districts that are called like a zone within one.
_DISTRICTS_CALLED_ZONES = ("浦东新区", "滨海新区")


class _Abroad:
    """Which cities and districts that addresses name are others than the community's.

    The district is the community's own. Of a city only the four under the central government are known by the
    community's code; else the one that most addresses of the file name is taken for its own.
    """

    def __init__(self, session: Session, community: units.Unit, cities: Sequence[str | None]) -> None:
        named = Counter(city for city in cities if city).most_common(1)
        division = community.code[:2] if re.fullmatch(r"\d{12}", community.code) else ""
        self._city = _MUNICIPALITIES.get(division) or (named[0][0] if named else None)
        street = session.get(units.Unit, community.parent_id) if community.parent_id else None
        district = session.get(units.Unit, street.parent_id) if street and street.parent_id else None
        self._district = district.name if district else ""

    def named(self, city: str | None, district: str | None) -> str | None:
        """What of the two lies elsewhere; None where both fit or cannot be compared."""
        known = {name for name in (self._city, self._district) if name}
        if city and self._city and city not in known and not city.endswith(self._city):
            return city
        comparable = self._district.endswith(("区", "县", "市", "旗"))
        if district and comparable and district not in known and not district.endswith(self._district):
            zone = district.endswith(("开发区", "高新区", "新区", "园区", "示范区"))
            return None if zone and district not in _DISTRICTS_CALLED_ZONES else district
        return None


def names_places(session: Session, community: units.Unit) -> bool:
    """Whether any building of the community is known by the name of an estate."""
    from spatial.addresses import parse

    query = select(Building.name, Building.address).where(Building.community_id == community.id)
    return any(parse(text).place for row in session.execute(query) for text in row if text)


@dataclass(frozen=True)
class Candidate:
    """A building that an address may mean.

    Attributes
    ----------
    dwelling_id
        The door in it, where the address leaves no doubt.
    score
        How sure it is, 0 to 1; see ``spatial.addresses.match``.
    """

    building_id: int
    dwelling_id: int | None
    score: float


def candidates(session: Session, seen: Rows, address: str, *, best: int = 5) -> list[Candidate]:
    """The buildings that one address may mean, the likeliest first, for a person to choose from.

    Parameters
    ----------
    seen
        ``SELECT`` over buildings (of any columns) that may be shown. Of very many, those whose numbers are in the
        address are looked at.
    """
    from spatial.addresses import match, parse

    stated = parse(address)
    text = func.concat_ws(" ", Building.number, Building.name, Building.address)
    numbers = {number for number in (stated.building, stated.house_number, stated.lane) if number}
    fits = [
        case((text.op("~*")(rf"(^|[^0-9A-Z])0*{re.escape(number)}([^0-9A-Z]|$)"), 1), else_=0)
        for number in sorted(numbers)
    ]
    columns = (Building.id, Building.number, Building.name, Building.address)
    order = sum(fits[1:], fits[0]).desc() if fits else Building.id
    known = session.execute(
        seen.with_only_columns(*columns).order_by(None).order_by(order, Building.id).limit(_CONSIDERED)
    ).all()
    if not known:
        return []
    doors = session.execute(_doors().where(Dwelling.building_id.in_([row.id for row in known]))).all()
    register = _Register(known, doors if stated.room else [])
    found = match([address], register.buildings, register.dwellings, best=4 * best).to_dict("records")[0]
    scores: dict[int, float] = {}
    for place, score in found["candidates"]:
        scores.setdefault(known[register.entries[place]].id, score)
    door = doors[found["dwelling"]] if found["dwelling"] >= 0 else None
    return [
        Candidate(building_id, door.id if door and door.building_id == building_id else None, score)
        for building_id, score in list(scores.items())[:best]
    ]


def _doors() -> Rows:
    return select(Dwelling.id, Dwelling.building_id, Dwelling.unit, Dwelling.room).order_by(Dwelling.id)


class _Register:
    """Buildings and their dwellings as ``spatial.addresses.match`` takes them.

    Attributes
    ----------
    entries
        The place in ``known`` of each row of ``buildings``: one with several addresses stands there once for each.
    """

    def __init__(self, known: Sequence[Any], doors: Sequence[Any]) -> None:
        import pandas as pd

        pairs = [(at, text) for at, row in enumerate(known) for text in (row.address or "").split(SEPARATOR)]
        self.entries = [at for at, _text in pairs]
        self.buildings = pd.DataFrame(
            {
                "number": [known[at].number for at, _text in pairs],
                "name": [known[at].name for at, _text in pairs],
                "address": [text or None for _at, text in pairs],
            },
            dtype=object,
        )
        first = {known[at].id: place for place, (at, _text) in reversed([*enumerate(pairs)])}
        self.dwellings = pd.DataFrame(
            {
                "building": np.array([first[door.building_id] for door in doors], dtype=np.int64),
                "unit": [door.unit for door in doors],
                "room": [door.room for door in doors],
            }
        )


def by_points(session: Session, community: units.Unit, points: Geometries) -> Located:
    """Where points (EPSG:4326) lie today; ``None`` and empty points have no place."""
    from spatial import locating

    shapes = grids.shapes(session, community.id)
    ids = np.array([None, *shapes], dtype=object)
    # ``shapes`` comes by code, so the place in it is the order in which grids have a claim to their common edges.
    at = locating.points_in_areas(points, np.array([*shapes.values()], dtype=object), range(len(shapes)))
    inside = at >= 0
    missing = shapely.is_missing(points) | shapely.is_empty(points)
    reason = np.where(missing, UnlocatedReason.NO_PLACE.value, UnlocatedReason.OUTSIDE.value).astype(object)
    reason[inside] = None
    located = Located(
        grid_id=ids[at + 1].tolist(),
        building_id=[None] * len(points),
        by=[LocatedBy.POINT.value if found else None for found in inside.tolist()],
        score=[1.0 if found else None for found in inside.tolist()],
        reason=reason.tolist(),
    )
    outside = np.flatnonzero(~inside & ~missing)
    if len(outside):
        _by_nearest(session, community, points, outside, located)
    return located


def building_at(session: Session, community: units.Unit, lon: float, lat: float) -> int | None:
    """The building of the community that a point (degrees, EPSG:4326) is in, or next to."""
    from spatial import locating

    point = np.array([shapely.Point(lon, lat)], dtype=object)
    known, footprints = _footprints(session, community, point)
    if not known:
        return None
    at, _distance_m = locating.nearest(point, footprints, NEAREST_LIMIT_M, community.metric_crs)
    return known[at[0]].id if at[0] >= 0 else None


def _footprints(session: Session, community: units.Unit, points: Geometries) -> tuple[Sequence[Any], Geometries]:
    """The buildings with a place around points, as rows with ``id`` and ``grid_id``, and their shapes (EPSG:4326)."""
    west, south, east, north = shapely.total_bounds(points)
    reach = 0.001  # degrees, more than the limit anywhere people live
    window = func.ST_MakeEnvelope(west - reach, south - reach, east + reach, north + reach, 4326)
    found = session.execute(
        select(Building.id, Building.grid_id, func.ST_AsBinary(Building.geom).label("geom"))
        .where(Building.community_id == community.id, Building.grid_id.is_not(None), Building.geom.intersects(window))
        .order_by(Building.id)
    ).all()
    return found, shapely.from_wkb(np.array([bytes(row.geom) for row in found], dtype=object))


def _by_nearest(
    session: Session, community: units.Unit, points: Geometries, outside: NDArray[np.int64], located: Located
) -> None:
    """Put those of ``points`` that lie in no grid to the building next to them, if one is near enough."""
    from spatial import locating

    found, footprints = _footprints(session, community, points[outside])
    if not found:
        return
    at, distance_m = locating.nearest(points[outside], footprints, NEAREST_LIMIT_M, community.metric_crs)
    for place in np.flatnonzero(at >= 0):
        row, building = int(outside[place]), found[at[place]]
        located.building_id[row], located.grid_id[row] = building.id, building.grid_id
        located.by[row], located.reason[row] = LocatedBy.NEAREST.value, None
        located.score[row] = round(1 - float(distance_m[place]) / (2 * NEAREST_LIMIT_M), 3)


def how_names() -> dict[str, str]:
    """How a record came to its place."""
    return {
        "point": _("by coordinates"),
        "address": _("by address"),
        "nearest": _("by the nearest building"),
        "manual": _("by hand"),
    }


def reason_names() -> dict[str, str]:
    """Why a record has no place."""
    return {
        "outside": _("Outside every grid"),
        "ambiguous": _("Several places fit"),
        "no_such_building": _("No such building"),
        "no_place": _("No place given"),
    }


def place_found(by: str | None, score: float | None, reason: str | None) -> str:
    """How a record was located and how sure that is, or why it was not."""
    if reason:
        return reason_names().get(reason, reason)
    how = how_names().get(by or "", "")
    return f"{how}, {score:.0%}" if how and score is not None and score < 1 else how
