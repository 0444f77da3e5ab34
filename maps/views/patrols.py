"""The view of what patrols passed, what they did not, and where GPS was too poor to say."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from data.base.language import _
from data.views.scenes import Ground
from maps import symbols
from maps.coverage import status_names
from maps.views.cases import Told
from maps.views.frame import Layer, Picture, Row, Style, Table, picture


def coverage(ground: Ground, items: Sequence[Any], told: Told) -> Picture:
    """Buildings, pieces of street and assets by whether patrols passed them.

    Parameters
    ----------
    items
        Rows with ``kind status grid_name geojson last_seen_at``, as ``data.coverage.of`` gives them.
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
        seen = f" · {told.day(item.last_seen_at).isoformat()}" if item.last_seen_at else ""
        layers.get(shape["type"], areas).add(shape, str(item.status), f"{names[str(item.status)]}{seen}")
    counts = Counter(str(item.status) for item in items)
    by_grid: dict[str, Counter[str]] = {}
    for item in items:
        by_grid.setdefault(item.grid_name or _("In no grid"), Counter())[str(item.status)] += 1
    total = len(items)
    worst = max(by_grid, key=lambda name: by_grid[name]["not_seen"], default="")
    sentence = (
        _(
            "Patrols passed {seen} of {total} buildings, pieces of street and assets; {missed} were not passed, most "
            "in {grid}; for {poor} the GPS was too poor to say.",
            seen=f"{counts['seen']:,}", total=f"{total:,}", missed=f"{counts['not_seen']:,}", grid=worst,
            poor=f"{counts['too_poor']:,}",
        )
        if total
        else _("There is nothing that patrols could pass.")
    )  # fmt: skip
    rows: list[Row] = [[name, *(by_grid[name][status] for status in reversed(order))] for name in sorted(by_grid)]
    return picture(
        "coverage", ground=ground, layers=[layer for layer in (areas, lines, marks) if layer.features],
        title=_("Patrol coverage of {place}", place=ground.name), sentence=sentence, period=told.period,
        source=told.source, table=Table([_("Grid"), *(names[status] for status in reversed(order))], rows),
    )  # fmt: skip
