"""Views of patrols: what they passed, what they did not, where GPS was too poor to say; and a day as it went."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from data.base.language import _
from data.views.scenes import SHARED_MINUTES, Ground, Walk
from maps import symbols
from maps.coverage import status_names
from maps.views.cases import Told
from maps.views.frame import Layer, Picture, Row, Steps, Style, Table, picture

#: What a step of the slider may be, in minutes, and how many of them there are at most, as far as that goes.
_STEPS_MIN, _STEPS_MOST = (1, 2, 5, 10, 15, 30), 90


def coverage(ground: Ground, items: Sequence[Any], caption: Told) -> Picture:
    """Buildings, pieces of street and assets by whether patrols passed them.

    Parameters
    ----------
    items
        Rows with ``kind status grid_id grid_name geojson last_seen_at``, as ``data.coverage.of`` gives them.
    """
    names, missed = status_names(), symbols.DIVERGING[6]
    brand, grey = symbols.PALETTE["brand"], symbols.PALETTE["ink-3"]
    areas = Layer(
        "area",
        {
            "seen": Style(fill=symbols.SEQUENTIAL[1], stroke=brand, label=names["seen"]),
            "too_poor": Style(fill="#EEF0F2", stroke=grey, dash="2 3", hatch=1, label=names["too_poor"]),
            "not_seen": Style(fill=symbols.DIVERGING[4], stroke=missed, width=2, hatch=4, label=names["not_seen"]),
        },
    )
    lines = Layer(
        "line",
        {
            "seen": Style(stroke=brand, width=4),
            "too_poor": Style(stroke=grey, width=3, dash="2 5"),
            "not_seen": Style(stroke=missed, width=4, dash="9 6"),
        },
    )
    marks = Layer(
        "mark",
        {
            "seen": Style(fill=brand, stroke="#FFFFFF", width=1.5, size=4.5),
            "too_poor": Style(fill="#FFFFFF", stroke=grey, width=2, dash="2 3", size=5),
            "not_seen": Style(fill="#FFFFFF", stroke=missed, width=3, size=6),
        },
    )
    layers = {"Point": marks, "LineString": lines, "MultiLineString": lines}
    order = ("seen", "too_poor", "not_seen")
    for item in sorted(items, key=lambda item: order.index(str(item.status))):
        if item.geojson is None:
            continue
        shape = json.loads(item.geojson)
        seen = f" · {caption.day(item.last_seen_at).isoformat()}" if item.last_seen_at else ""
        layers.get(shape["type"], areas).add(shape, str(item.status), f"{names[str(item.status)]}{seen}")
    counts = Counter(str(item.status) for item in items)
    by_grid: dict[str, Counter[str]] = {}
    for item in items:
        name = ground.grid_name(item.grid_id, item.grid_name) or _("In no grid")
        by_grid.setdefault(name, Counter())[str(item.status)] += 1
    total = len(items)
    worst = max(by_grid, key=lambda name: by_grid[name]["not_seen"], default="")
    sentence = (
        _(
            "Patrols passed {seen} of {total} buildings, pieces of street and assets; {missed} were not passed, most "
            "in {grid}; for {poor} the GPS was too poor to say.",
            seen=f"{counts['seen']:,}",
            total=f"{total:,}",
            missed=f"{counts['not_seen']:,}",
            grid=worst,
            poor=f"{counts['too_poor']:,}",
        )
        if total
        else _("There is nothing that patrols could pass.")
    )
    rows: list[Row] = [[name, *(by_grid[name][status] for status in reversed(order))] for name in sorted(by_grid)]
    return picture(
        "coverage",
        ground=ground,
        layers=[layer for layer in (areas, lines, marks) if layer.features],
        title=_("Patrol coverage of {place}", place=ground.name),
        sentence=sentence,
        period=caption.period,
        source=caption.source,
        table=Table([_("Grid"), *(names[status] for status in reversed(order))], rows),
    )


def replay(ground: Ground, day: date, walks: Sequence[Walk], caption: Told) -> Picture:
    """The patrols of a day as they went, with a slider. Who walked is not told, and what is shared is coarse."""
    instants = [at for walk in walks for part in walk.parts for at, _lon, _lat in part]
    begin = min(instants, default=caption.now)
    span = max(instants, default=begin) - begin
    steps = (timedelta(minutes=minutes) for minutes in _STEPS_MIN)
    each = next((step for step in steps if span <= step * _STEPS_MOST), timedelta(minutes=_STEPS_MIN[-1]))
    if caption.shared:
        each = max(each, timedelta(minutes=SHARED_MINUTES))
    count = int(span / each) + 1
    labels = [f"{(begin + each * step).astimezone(caption.zone):%H:%M}" for step in range(count)]
    under_way = [0] * count
    layer = Layer("line", {"track": Style(stroke=symbols.PALETTE["track"], width=3, label=_("Track of a patrol"))})
    for walk in walks:
        steps_of = set()
        for part in walk.parts:
            for step, points in _by_step(part, begin, each).items():
                steps_of.add(step)
                if len(points) > 1:
                    layer.add(
                        {"type": "LineString", "coordinates": points}, "track", walk.grid_name or "", a=step, b=count
                    )
        for step in steps_of:
            under_way[step] += 1
    length_km = sum(walk.length_m for walk in walks) / 1000
    by_grid: dict[str, list[Walk]] = {}
    for walk in walks:
        if name := ground.grid_name(walk.grid_id, walk.grid_name):
            by_grid.setdefault(name, []).append(walk)
    sentence = (
        _(
            "On {day} {count} patrols walked {length} km in {grids} grids, from {first} to {last}.",
            day=day.isoformat(),
            count=len(walks),
            length=f"{length_km:.1f}",
            grids=len(by_grid),
            first=labels[0],
            last=labels[-1],
        )
        if instants
        else _("Nobody was on patrol on {day}.", day=day.isoformat())
    )
    on_the_way = _("{count} on the way", count="{count}")
    rows: list[Row] = [
        [name, len(mine), round(sum(walk.length_m for walk in mine))] for name, mine in sorted(by_grid.items())
    ]
    return picture(
        "replay",
        ground=ground,
        layers=[layer] if layer.features else [],
        title=_("Patrols of {place}", place=ground.name),
        sentence=sentence,
        period=day.isoformat(),
        source=caption.source,
        left_out=[shared_note()] if caption.shared else [],
        steps=Steps(labels, under_way, count - 1, on_the_way, on_the_way),
        table=Table([_("Grid"), _("Patrols"), _("Metres")], rows),
    )


def shared_note() -> str:
    """What is not told of patrols outside the house."""
    return _("Shown without names; places to about 10 m and times to {minutes} minutes.", minutes=SHARED_MINUTES)


def _by_step(
    part: Sequence[tuple[datetime, float, float]], begin: datetime, each: timedelta
) -> dict[int, list[tuple[float, float]]]:
    """The points of a part by step; each step begins where the one before ended."""
    found: dict[int, list[tuple[float, float]]] = {}
    before: tuple[float, float] | None = None
    for at, lon, lat in part:
        step = int((at - begin) / each)
        if step not in found:
            found[step] = [before] if before else []
        before = (round(lon, 6), round(lat, 6))
        found[step].append(before)
    return found
