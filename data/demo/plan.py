"""The demo community as frames, before there is a database: ``community`` makes it, the same every time.

::

    澜江区 990106 > 临江街道 990106003 > 梧桐里社区 990106003012 > 第一网格 … 第八网格 990106003012001 … 008

Frames name their columns as the tables do. Where a table has an id, a frame has a natural key: the code of a unit or
building, building + unit + room for a dwelling, the number of a household. Residents and tenancies have none that
may be shown, so ``*_row`` columns refer to their place in the frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import pandas as pd
from shapely.geometry.base import BaseGeometry

from data.demo import cases, duties, houses, people, site
from data.demo.names import PHONE_PREFIX, Register
from data.demo.people import DIVISION, Household

SEED = 20260318
DISTRICT, STREET, COMMUNITY = DIVISION, f"{DIVISION}003", f"{DIVISION}003012"
#: the area, residential buildings, grids, people and households of the report
AREA_M2, BUILDINGS, GRIDS, PEOPLE, HOUSEHOLDS = 156_000, 41, 8, 5_674, 1_556

_NUMERALS = "一二三四五六七八"
_LANES = {**dict.fromkeys((1, 2, 3, 4, 5), "梧桐路168弄"), 6: "梧桐路199弄", 7: "梧桐路199弄", 8: "书院路66弄"}


@dataclass(frozen=True)
class Demo:
    """The demo community.

    Attributes
    ----------
    today
        The day on which all of it is true.
    units
        ``level, code, parent_code, name, phone, metric_crs``, parents first.
    grids
        ``code, name, geom``: the boundaries, EPSG:4326, a coverage without gaps. They hold from ``valid_from``.
    valid_from
        The day from which the division into grids holds.
    outline
        The community, EPSG:4326: exactly the union of the grids.
    buildings
        ``code, number, name, address, kind, floors, unit_count, grid_code, geom`` (polygons, EPSG:4326).
    dwellings
        ``building_code, unit, floor, room, use, area_m2``.
    households
        ``number, building_code, unit, room, head_row, hukou, phone, address, located_by, located_score,
        unlocated_reason, note``; ``head_row`` is a row of ``residents``.
    household_groups
        ``household_number, group_code, valid_from, valid_to`` (``valid_to`` empty: still).
    residents
        Columns of the table, with ``household_number``; codes by the national standards.
    tenancies
        ``building_code, unit, room, landlord_name, landlord_phone, valid_from, valid_to, purpose, hazard, note``.
    tenancy_tenants
        ``tenancy_row, resident_row``.
    incidents
        ``number, category_code, step, tier, level, supervised, recurrent, held_by, merged_into, grid_code,
        building_code, address, description, source, reported_at, due_at, resolved_at, feedback_at, closed_at,
        located_by, located_score, unlocated_reason, geom`` (points, EPSG:4326, or empty). ``held_by`` tells who sees
        to it: ``leader`` of the grid, ``staff`` of the community, ``street``; ``merged_into`` is a number.
    incident_steps
        ``number, action, step, at, by, note, public, tier, level, held_by``, those of a case in their order.
    basemap
        ``code, kind, name, width_m, geom``.
    team_members, guides, officers, service_teams
        Columns of the tables, with ``grid_code`` for team members and guides; ``first`` and ``last`` day of a post.
    accounts
        ``username, name, role_code, unit_code, post``: one for each role.
    """

    today: date
    units: pd.DataFrame
    grids: gpd.GeoDataFrame
    valid_from: date
    outline: BaseGeometry
    buildings: gpd.GeoDataFrame
    dwellings: pd.DataFrame
    households: pd.DataFrame
    household_groups: pd.DataFrame
    residents: pd.DataFrame
    tenancies: pd.DataFrame
    tenancy_tenants: pd.DataFrame
    incidents: gpd.GeoDataFrame
    incident_steps: pd.DataFrame
    basemap: gpd.GeoDataFrame
    team_members: pd.DataFrame
    guides: pd.DataFrame
    officers: pd.DataFrame
    service_teams: pd.DataFrame
    accounts: pd.DataFrame


def community(seed: int = SEED, today: date | None = None) -> Demo:
    """Make the demo community.

    Parameters
    ----------
    seed
        Another seed gives other people and incidents on the same ground, with the same totals.
    today
        The day on which ages, tenancies and incidents are true; default the day it is in China.
    """
    day = today or datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai")).date()
    register = Register(_chance(seed, "names"))
    homes = houses.homes()
    addresses = {home.number: f"{_LANES[home.grid]}{home.number}号" for home in homes}
    population = people.populate(_chance(seed, "people"), register, homes, addresses, day)
    team = duties.teams(_chance(seed, "teams"), register, population.households, day)
    team += duties.former(Register(_chance(seed, "former")), _chance(seed, "former"), team, day)
    tables = _tables(population.households, population.past_tenancies)
    units = _units()
    incidents, incident_steps = _incidents(_chance(seed, "incidents"), homes, addresses, day)
    return Demo(
        today=day,
        units=units,
        grids=_frame(
            [{"code": _grid_code(number), "name": _grid_name(number)} for number in site.grids()],
            list(site.grids().values()),
        ),
        valid_from=date(day.year - 1, 1, 1),
        outline=site.to_degrees([site.outline()]).iloc[0],
        buildings=_buildings(homes, addresses),
        dwellings=_table(population.dwellings),
        incidents=incidents,
        incident_steps=incident_steps,
        basemap=_basemap(_chance(seed, "surroundings")),
        team_members=_with_grid_code(team),
        guides=_with_grid_code(duties.guides(_chance(seed, "guides"), register, day)),
        officers=_table(duties.officers()),
        service_teams=_table(duties.service_teams(day)),
        accounts=_table(
            duties.accounts(
                team, {"grid": _grid_code(4), "community": COMMUNITY, "street": STREET, "district": DISTRICT}
            )
        ),
        **tables,
    )


def _chance(seed: int, part: str) -> Random:
    """A source of chance of its own for each part, so that a change in one leaves the others as they are."""
    return Random(f"{seed} {part}")  # noqa: S311 - made up people, no secrets


def _grid_code(number: int) -> str:
    return f"{COMMUNITY}{number:03d}"


def _grid_name(number: int) -> str:
    return f"第{_NUMERALS[number - 1]}网格"


def _units() -> pd.DataFrame:
    rows = [
        ("district", DISTRICT, None, "澜江区", f"{PHONE_PREFIX}00990106"),
        ("street", STREET, DISTRICT, "临江街道", f"{PHONE_PREFIX}00990003"),
        ("community", COMMUNITY, STREET, "梧桐里社区", f"{PHONE_PREFIX}00990012"),
        *(("grid", _grid_code(n), COMMUNITY, _grid_name(n), f"{PHONE_PREFIX}0099{n:04d}") for n in site.grids()),
    ]
    units = pd.DataFrame(rows, columns=["level", "code", "parent_code", "name", "phone"], dtype=object)
    return units.assign(metric_crs=site.METRIC_CRS)


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """A frame of plain Python values, so that what is empty stays ``None`` whatever the column."""
    return pd.DataFrame(rows, dtype=object)


def _frame(rows: list[dict[str, Any]], drawn: list[BaseGeometry]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(_table(rows), geometry=site.to_degrees(drawn), crs="EPSG:4326").rename_geometry("geom")


def _buildings(homes: list[houses.House], addresses: dict[int, str]) -> gpd.GeoDataFrame:
    rows: list[dict[str, Any]] = [
        {
            "code": str(home.number),
            "number": str(home.number),
            "name": f"{home.number}号楼",
            "address": addresses[home.number],
            "kind": "residential",
            "floors": home.floors,
            "unit_count": home.units,
            "grid_code": _grid_code(home.grid),
        }
        for home in homes
    ]
    others = houses.others()
    for place, other in enumerate(others, 1):
        rows.append(
            {
                "code": f"F{place:02d}",
                "number": None,
                "name": other.name,
                "address": _LANES[other.grid],
                "kind": "other",
                "floors": other.floors,
                "unit_count": None,
                "grid_code": _grid_code(other.grid),
            }
        )
    return _frame(rows, [house.footprint for house in (*homes, *others)])


def _basemap(random: Random) -> gpd.GeoDataFrame:
    ground = site.base_map()
    ground += [("green", None, None, lawn) for lawn in houses.lawns()]
    ground += [("building", None, None, footprint) for footprint in houses.neighbours(random)]
    rows = [
        {"code": f"{kind}-{place:04d}", "kind": kind, "name": name, "width_m": width}
        for place, (kind, name, width, _geom) in enumerate(ground, 1)
    ]
    return _frame(rows, [geom for _kind, _name, _width, geom in ground])


def _incidents(
    random: Random, homes: list[houses.House], addresses: dict[int, str], today: date
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """The cases, and the steps of each."""
    rows, points = cases.incidents(random, homes, addresses, today)
    steps = [{"number": row["number"], **step} for row in rows for step in row.pop("steps")]
    frame = _with_grid_code(rows)
    placed = [place for place, point in enumerate(points) if point is not None]
    geoms = pd.Series([None] * len(rows), dtype=object)
    geoms.iloc[placed] = list(site.to_degrees([point for point in points if point is not None]))
    placed_frame = gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(geoms, crs="EPSG:4326")).rename_geometry("geom")
    return placed_frame, _table(steps)


def _with_grid_code(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = _table([{**row, "grid_code": _grid_code(row["grid"]) if row["grid"] else None} for row in rows])
    return frame.drop(columns="grid")


def _tables(households: list[Household], past_tenancies: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    """The frames of households, residents, groups and tenancies."""
    rows: list[dict[str, Any]] = []
    residents: list[dict[str, Any]] = []
    groups: list[dict[str, Any]] = []
    tenancies: list[dict[str, Any]] = []
    tenants: list[dict[str, Any]] = []
    for household in households:
        first = len(residents)
        rows.append({**household.row, "head_row": first + household.family.head})
        residents += household.people
        groups += [
            {"household_number": household.row["number"], "group_code": code, "valid_from": since, "valid_to": None}
            for code, since in sorted(household.groups.items())
        ]
        if household.tenancy is not None:
            adults = [first + at for at, member in enumerate(household.family.members) if member.age >= 16]
            tenants += [{"tenancy_row": len(tenancies), "resident_row": row} for row in adults]
            tenancies.append(household.tenancy)
    return {
        "households": _table(rows),
        "residents": _table(residents),
        "household_groups": _table(groups),
        "tenancies": _table([*tenancies, *past_tenancies]),
        "tenancy_tenants": _table(tenants),
    }
