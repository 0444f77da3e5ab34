"""Computing: from what was gathered to cells, hotspots, clusters, default points, grids, trend and alarms.

Nothing here reads the database or draws anything that the seed does not decide, so a run can be repeated.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from data.base.errors import Invalid
from data.base.language import _
from data.hotspots.asking import Params
from data.hotspots.gathering import Cases, Gathered
from spatial import hotspots
from spatial.datums import reproject
from spatial.hotspots import Heat, Lattice, Pattern

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CELLS_MAX = 100_000
REPEAT_DAYS = 90
PERIODS_LEAST = 4
"""With fewer periods there is no trend to speak of."""
PERIODS_MOST = 104
"""Two years of weeks: what lies longer ago says nothing of what is new."""
_SPANS_MOST = 12
_SCANS = ((100_000, 999), (1_000_000, 99))
"""How many circles and spans are scanned at most with how many simulations, which is a matter of seconds."""
_PERMUTATIONS_IN_TIME = 9_999
_REACH_CELLS = 4
_HOT = (Heat.HOT_99, Heat.HOT_95, Heat.HOT_90)


@dataclass(frozen=True)
class Outcome:
    """What a run comes to: a row for each cell, and what stands beside the map, as JSON can hold it."""

    cells: list[dict[str, Any]]
    summary: dict[str, Any]
    results: dict[str, Any]


@dataclass(frozen=True)
class _Study:
    """The cells of a run and what is in them, a position each."""

    params: Params
    data: Gathered
    used: Cases
    lattice: Lattice
    cells: Integers
    cell_of: Integers
    counts: Floats
    households: Floats
    grids: Integers

    @property
    def periods(self) -> int:
        return min(self.params.days // self.params.period_days, PERIODS_MOST)

    @property
    def in_time(self) -> Floats:
        """Cases of each cell in each whole period, the last one ending on the last day."""
        cube = np.zeros((len(self.cells), self.periods))
        ago = (np.datetime64(self.params.last, "D") - self.used.day).astype(np.int64) // self.params.period_days
        period = self.periods - 1 - ago
        whole = period >= 0
        np.add.at(cube, (self.cell_of[whole], period[whole]), 1)
        return cube


def compute(params: Params, data: Gathered) -> Outcome:
    """Do a run.

    Raises
    ------
    Invalid
        The area has more cells than can be tested.
    """
    stacks = hotspots.default_points(data.cases.lonlat, data.cases.addresses)
    stacked = np.zeros(len(data.cases), dtype=bool)
    for stack in stacks:
        stacked[stack.cases] = True
    left_out = stacked if params.leave_out_default_points else np.zeros(len(data.cases), dtype=bool)
    study = _study(params, data, data.cases.those(~left_out))
    tested, values = _tested(study)
    z, p, adjusted = (np.full(len(study.cells), np.nan) for _each in range(3))
    # Not np.full, which would make plain text of the word.
    heats = np.array([Heat.NONE] * len(study.cells), dtype=object)
    z[tested], p[tested] = values.z, values.p if values.p_permuted is None else values.p_permuted
    adjusted[tested] = hotspots.false_discovery(p[tested])
    for cell, heat in zip(tested.tolist(), hotspots.heat(z[tested], adjusted[tested]), strict=True):
        heats[cell] = heat
    history = _history(study)
    trend = hotspots.mann_kendall(history.z)
    patterns = hotspots.patterns(history.hot, trend)
    spots, spot_of = _spots(study, heats, z, history)
    outcome = _beside(study, stacks, left_out, spots, heats)
    return Outcome(_rows(study, z, p, adjusted, heats, trend.z, patterns, spot_of), *outcome)


def cells_of(params: Params, area_m2: float) -> float:
    """About how many cells an area has.

    Raises
    ------
    Invalid
        More than can be tested.
    """
    number = area_m2 / Lattice(params.cell_m, params.shape).area_m2
    if number > CELLS_MAX:
        raise Invalid(
            _(
                "Cells of {cell} m are too small for this area; from {least} m on there are fewer than {most}.",
                cell=f"{params.cell_m:g}",
                most=CELLS_MAX,
                least=int(np.ceil(params.cell_m * np.sqrt(number / CELLS_MAX))) + 1,
            ),
            field="cell_m",
        )
    return number


def _study(params: Params, data: Gathered, used: Cases) -> _Study:
    lattice = Lattice(params.cell_m, params.shape)
    cells_of(params, data.outline.area if data.outline is not None else 0.0)
    places = used.xy
    if params.per_household:
        # A case at a door is counted where its building's households are, not in the cell before the house.
        places = places.copy()
        at = {int(one): position for position, one in enumerate(data.houses.ids)}
        known = [(case, at[int(one)]) for case, one in enumerate(used.building_ids) if int(one) in at]
        if known:
            cases, homes = np.array(known).T
            places[cases] = data.houses.xy[homes]
    located = lattice.locate(places)
    lived = data.houses.households > 0
    cells = lattice.cover(data.outline, np.concatenate([located, lattice.locate(data.houses.xy[lived])]))
    cell_of = hotspots.position_in(located, cells)
    counts = np.bincount(cell_of, minlength=len(cells)).astype(np.float64)
    homes_in = hotspots.count(data.houses.xy, lattice, cells, data.houses.households)
    grids = data.grid_of(lattice.centres(cells)) if len(data.areas) else np.full(len(cells), -1)
    return _Study(params, data, used, lattice, cells, cell_of, counts, homes_in, grids)


def _tested(study: _Study) -> tuple[Integers, hotspots.GiStar]:
    """Gi* of counts over all cells, or of rates over those where people live; positions and result."""
    params = study.params
    chosen = np.flatnonzero(study.households > 0) if params.per_household else np.arange(len(study.cells))
    values = study.counts[chosen]
    if params.per_household:
        values = hotspots.rates(values, study.households[chosen]).smoothed
    near = study.lattice.neighbours(study.cells[chosen], params.rings)
    return chosen, hotspots.gi_star(
        values, near, permutations=params.permutations, conditional=params.conditional, seed=params.seed
    )


@dataclass(frozen=True)
class _History:
    """Of each cell in each period: its Gi*, and whether it was hot; no period where there are too few of them."""

    z: Floats
    hot: NDArray[np.bool_]


def _history(study: _Study) -> _History:
    if study.periods < PERIODS_LEAST or not len(study.used):
        nothing = np.zeros((len(study.cells), 0))
        return _History(nothing, nothing.astype(bool))
    near = study.lattice.neighbours(study.cells, study.params.rings)
    draws = min(study.params.permutations, _PERMUTATIONS_IN_TIME)
    found = hotspots.gi_star_in_time(
        study.in_time, near, permutations=draws, conditional=study.params.conditional, seed=study.params.seed
    )
    p = found.p if found.p_permuted is None else found.p_permuted
    hot = (hotspots.false_discovery(p.ravel()).reshape(p.shape) <= 0.10) & (np.nan_to_num(found.z) > 0)
    alone = hotspots.gi_star_in_time(study.in_time, near, lags=0).z
    return _History(np.nan_to_num(alone), hot)


def _spots(
    study: _Study, heats: NDArray[np.object_], z: Floats, history: _History
) -> tuple[list[dict[str, Any]], Integers]:
    """The hotspots: hot cells that touch, surest and then greatest first; and the number of each cell's."""
    hot = np.isin(heats, _HOT)
    touching = study.lattice.neighbours(study.cells, 1)
    group = hotspots.groups(hot, touching)
    found = []
    for number in range(group.max(initial=-1) + 1):
        mine = np.flatnonzero(group == number)
        cases = np.flatnonzero(np.isin(study.cell_of, mine))
        surest = min((heats[cell] for cell in mine), key=_HOT.index)
        hottest = mine[np.nanargmax(z[mine])]
        found.append((_HOT.index(surest), -len(cases), number, mine, cases, surest, hottest))
    spot_of = np.full(len(study.cells), -1, dtype=np.int64)
    spots = []
    for rank, (_order, _few, _number, mine, cases, surest, hottest) in enumerate(sorted(found, key=lambda f: f[:3]), 1):
        spot_of[mine] = rank
        outline = shapely.union_all(study.lattice.polygons(study.cells[mine]))
        spots.append(
            {
                "rank": rank,
                "heat": surest,
                "cells": len(mine),
                "cases": len(cases),
                "case_share": len(cases) / len(study.used),
                "area_share": len(mine) / len(study.cells),
                "z": float(z[hottest]),
                **_course(history, mine),
                "grids": _grids_of(study, cases),
                "buildings": _buildings_of(study, touching, mine),
                "categories": _frequent(study, cases),
                **_span(study, cases),
                "geometry": _degrees(study, outline),
                "centre": _centre(study, study.lattice.centres(study.cells[[hottest]])),
            }
        )
    return spots, spot_of


def _course(history: _History, cells: Integers) -> dict[str, Any]:
    """How a hotspot as a whole went, and in how many of the last periods any of its cells was hot."""
    flags, z = np.asarray(history.hot[cells].any(axis=0)), history.z[cells].mean(axis=0)
    (pattern,) = hotspots.patterns(flags[None, :], hotspots.mann_kendall(z[None, :]))
    since = np.flatnonzero(~flags)
    lasting = len(flags) - 1 - since[-1] if len(since) else len(flags)
    return {"pattern": pattern, "lasting_periods": int(lasting)}


def _grids_of(study: _Study, cases: Integers) -> list[dict[str, Any]]:
    """The grids of some cases, most cases first."""
    at = {one: position for position, one in enumerate(study.data.grid_ids)}
    counted = Counter(at[one] for one in study.used.grid_ids[cases].tolist() if one in at)
    return [
        {
            "grid_id": study.data.grid_ids[one],
            "code": study.data.grid_codes[one],
            "name": study.data.grid_names[one],
            "cases": number,
        }
        for one, number in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    ]


def _buildings_of(study: _Study, touching: hotspots.Neighbours, cells: Integers) -> list[dict[str, Any]]:
    """The buildings with cases in the cells or beside them, by number; those that stand there when no case names one.

    A hot cell says of its neighbours too that they hold much, so what lies beside it in the grid of most of its cases
    belongs to the place that is named.
    """
    inside = np.isin(study.cell_of, cells)
    (home, _number), *_rest = Counter(study.used.grid_ids[inside].tolist()).most_common(1) or [(-1, 0)]
    there = (study.data.houses.grid_ids == home) | np.isin(study.data.houses.ids, study.used.building_ids[inside])
    at = {int(house): position for position, house in enumerate(study.data.houses.ids) if there[position]}
    reach = np.unique(np.concatenate([touching.indices[touching.starts[c] : touching.starts[c + 1]] for c in cells]))
    beside = set(study.used.building_ids[np.isin(study.cell_of, reach)].tolist())
    counted = Counter(at[house] for house in study.used.building_ids.tolist() if house in beside and house in at)
    if not counted:
        where = hotspots.position_in(study.lattice.locate(study.data.houses.xy), study.cells)
        counted = Counter(dict.fromkeys(np.flatnonzero(np.isin(where, cells)).tolist(), 0))
    main = _main(counted)
    rows = [
        {
            "building_id": int(study.data.houses.ids[house]),
            "grid_id": int(study.data.houses.grid_ids[house]),
            "number": study.data.houses.numbers[house],
            "cases": number,
            "main": house in main,
        }
        for house, number in counted.items()
    ]
    return sorted(rows, key=lambda row: (_natural(str(row["number"])), row["building_id"]))


def _main(counted: Counter[int]) -> set[int]:
    """The buildings that a place is named by: with more than a fifth of what the first has, and not for a single case
    where others have more."""
    most = max(counted.values(), default=0)
    return {building for building, number in counted.items() if number > most / 5 and number >= min(most, 2)}


def _natural(number: str) -> tuple[int, str]:
    """2号楼 before 10号楼."""
    digits = re.search(r"\d{1,9}", number)
    return int(digits[0]) if digits else 0, number


def _frequent(study: _Study, cases: Integers) -> list[dict[str, Any]]:
    kinds = hotspots.frequent([study.used.categories[case] for case in cases.tolist()])
    return [{"code": code, "cases": number} for code, number in kinds]


def _span(study: _Study, cases: Integers) -> dict[str, str | None]:
    """When the first and the last of some cases was reported."""
    at = study.used.at[cases]
    return {
        "first_at": f"{at.min()}Z" if len(at) else None,
        "last_at": f"{at.max()}Z" if len(at) else None,
    }


def _degrees(study: _Study, geom: Any) -> dict[str, Any]:
    """A geometry in metres as GeoJSON in longitude and latitude."""
    turned = reproject(np.array([geom], dtype=object), study.data.crs, "EPSG:4326")[0]
    drawn: dict[str, Any] = shapely.geometry.mapping(shapely.set_precision(turned, 1e-8, mode="pointwise"))
    return drawn


def _centre(study: _Study, xy: Floats) -> list[float]:
    point = reproject(np.asarray(shapely.points(xy), dtype=object), study.data.crs, "EPSG:4326")[0]
    return [round(float(point.x), 8), round(float(point.y), 8)]


def _beside(
    study: _Study,
    stacks: list[hotspots.DefaultPoint],
    left_out: NDArray[np.bool_],
    spots: list[dict[str, Any]],
    heats: NDArray[np.object_],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The summary and the results that stand beside the map."""
    params, data = study.params, study.data
    clusters = hotspots.clusters(
        study.used.xy,
        hotspots.labels(
            study.used.xy,
            method=params.cluster_method,
            distance_m=params.cluster_distance_m,
            least_cases=params.cluster_cases,
        ),
    )
    by_grid, mean = _by_grid(study)
    alarms, scanned = _alarms(study)
    summary = {
        "reported": len(data.cases) + data.without_place + data.outside,
        "without_place": data.without_place,
        "outside": data.outside,
        "left_out": int(left_out.sum()),
        "used": len(study.used),
        "cells": len(study.cells),
        "cell_area_m2": study.lattice.area_m2,
        "heat": {stack.value: int((heats == stack).sum()) for stack in Heat},
        "spots": len(spots),
        "default_points": len(stacks),
        "periods": study.periods,
        "rate_mean": mean,
        "scanned": scanned,
    }
    results = {
        "spots": spots,
        "clusters": [
            {
                "rank": rank,
                "cases": len(stack.cases),
                "grids": _grids_of(study, stack.cases),
                "categories": _frequent(study, stack.cases),
                **_span(study, stack.cases),
                "geometry": _degrees(study, stack.hull),
            }
            for rank, stack in enumerate(clusters, 1)
        ],
        "default_points": [
            {
                "lon": stack.x,
                "lat": stack.y,
                "cases": len(stack.cases),
                "addresses": stack.addresses,
                "places": stack.places,
                "top_share": stack.top_share,
                "left_out": params.leave_out_default_points,
            }
            for stack in stacks
        ],
        "by_grid": by_grid,
        "series": _series(study, left_out),
        "repeats": _repeats(study),
        "alarms": alarms,
    }
    return summary, results


def _by_grid(study: _Study) -> tuple[list[dict[str, Any]], float | None]:
    """Cases and cases per 100 households of each grid, and of all together."""
    data, houses = study.data, study.data.houses
    cases = np.array([(study.used.grid_ids == one).sum() for one in data.grid_ids], dtype=np.float64)
    homes = np.array([houses.households[houses.grid_ids == one].sum() for one in data.grid_ids], dtype=np.float64)
    rates = hotspots.rates(cases, homes)
    return [
        {
            "grid_id": data.grid_ids[at],
            "code": data.grid_codes[at],
            "name": data.grid_names[at],
            "cases": int(cases[at]),
            "households": int(homes[at]),
            "rate": _number(rates.rate[at]),
            "low": _number(rates.low[at]),
            "high": _number(rates.high[at]),
            "few": bool(rates.few[at]),
        }
        for at in range(len(data.grid_ids))
    ], _number(rates.mean)


def _series(study: _Study, left_out: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """How many cases were used and left out in each period; the first may be shorter than the others."""
    params = study.params
    last, day = np.datetime64(params.last, "D"), study.data.cases.day
    steps = range((params.days - 1) // params.period_days, -1, -1)
    rows = []
    for step in steps:
        until = last - step * params.period_days
        since = max(until - params.period_days + 1, np.datetime64(params.first, "D"))
        mine = (day >= since) & (day <= until)
        rows.append(
            {
                "first": str(since),
                "last": str(until),
                "used": int((mine & ~left_out).sum()),
                "left_out": int((mine & left_out).sum()),
            }
        )
    return rows


def _repeats(study: _Study) -> list[dict[str, Any]]:
    """The buildings where the same kind of case came again within 90 days."""
    places = [
        (int(building), category) if building >= 0 else None
        for building, category in zip(study.used.building_ids, study.used.categories, strict=True)
    ]
    houses = study.data.houses
    numbers = dict(zip(houses.ids.tolist(), houses.numbers, strict=True))
    grids = dict(zip(houses.ids.tolist(), houses.grid_ids.tolist(), strict=True))
    names = dict(zip(study.data.grid_ids, study.data.grid_names, strict=True))
    rows = []
    for one in hotspots.repeats(places, study.used.at, within_days=REPEAT_DAYS):
        building, category = places[int(one.cases[0])] or (0, "")
        rows.append(
            {
                "building_id": building,
                "number": numbers.get(building),
                "grid_name": names.get(grids.get(building, -1)),
                "category": category,
                "cases": len(one.cases),
                "again": one.again,
                **_span(study, one.cases),
            }
        )
    return rows


def _alarms(study: _Study) -> tuple[list[dict[str, Any]], bool]:
    """What the space-time scan finds, and whether there were few enough cells to scan."""
    if study.periods < PERIODS_LEAST or not len(study.used):
        return [], True
    centres = study.lattice.centres(study.cells)
    for most, simulations in _SCANS:
        try:
            windows = hotspots.scan(
                centres,
                study.in_time,
                radius_m=_REACH_CELLS * study.params.cell_m,
                cylinders_max=most,
                periods_max=min(study.periods // 2, _SPANS_MOST),
                simulations=simulations,
                seed=study.params.seed,
            )
            break
        except hotspots.TooManyZones:
            continue
    else:
        return [], False
    return [
        {
            "rank": rank,
            "p": one.p,
            "observed": one.observed,
            "expected": one.expected,
            "periods": one.periods,
            "radius_m": one.radius_m,
            "centre": _centre(study, centres[one.places[:1]]),
            "grids": _grids_of(study, np.flatnonzero(np.isin(study.cell_of, one.places))),
        }
        for rank, one in enumerate(windows, 1)
        if one.p <= 0.10
    ], True


def _rows(
    study: _Study,
    z: Floats,
    p: Floats,
    adjusted: Floats,
    heats: NDArray[np.object_],
    trend: Floats,
    patterns: list[Pattern],
    spot_of: Integers,
) -> list[dict[str, Any]]:
    centres = study.lattice.centres(study.cells)
    surface = hotspots.density(study.used.xy, study.params.bandwidth_m, step_m=_step(study)).at(centres)
    rates = hotspots.rates(study.counts, study.households).rate
    shapes = reproject(study.lattice.polygons(study.cells), study.data.crs, "EPSG:4326")
    drawn = shapely.to_wkt(shapely.set_precision(shapes, 1e-8, mode="pointwise"), rounding_precision=8)
    ids = [*study.data.grid_ids, None]
    return [
        {
            "q": int(study.cells[at, 0]),
            "r": int(study.cells[at, 1]),
            "grid_id": ids[study.grids[at]],
            "geom": f"SRID=4326;{drawn[at]}",
            "cases": int(study.counts[at]),
            "households": int(study.households[at]),
            "rate": _number(rates[at]),
            "density": float(surface[at]),
            "z": _number(z[at]),
            "p": _number(p[at]),
            "p_adjusted": _number(adjusted[at]),
            "heat": heats[at].value,
            "pattern": patterns[at].value,
            "trend": _number(trend[at]),
            "spot": int(spot_of[at]) if spot_of[at] > 0 else None,
        }
        for at in range(len(study.cells))
    ]


def _step(study: _Study) -> float:
    """An eighth of the bandwidth, or more where the area is too wide for that.

    Raises
    ------
    Invalid
        It would be more than half the bandwidth.
    """
    width, height = np.ptp(study.used.xy, axis=0) if len(study.used) else (0.0, 0.0)
    bandwidth = study.params.bandwidth_m
    fits = float(np.sqrt((width + 22 * bandwidth) * (height + 22 * bandwidth) / 3_000_000))
    if fits > bandwidth / 2:
        raise Invalid(
            _(
                "A bandwidth of {bandwidth} m is too small for this area; take {least} m or more.",
                bandwidth=f"{bandwidth:g}",
                least=int(np.ceil(4 * fits)),
            ),
            field="bandwidth_m",
        )
    return max(bandwidth / 8, fits)


def _number(value: float) -> float | None:
    """``value``, or nothing where it is none."""
    return float(value) if np.isfinite(value) else None
