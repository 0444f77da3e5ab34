"""Views of hotspots: sure cells, density, clusters, cases per household, and what is hot but unpatrolled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data.base.language import _
from data.views.scenes import FEWEST, Ground
from maps import symbols
from maps.hotspots import grids_of, heat_names
from maps.hotspots import sentence as told_of
from maps.views.cases import Told
from maps.views.frame import Layer, Picture, Row, Style, Table, picture

_HATCH = {"hot_99": 4, "hot_95": 3, "hot_90": 2, "cold_90": 1, "cold_95": 2}
_HOT = ("hot_99", "hot_95", "hot_90")


@dataclass(frozen=True)
class Found:
    """What a run of the analysis came to; rows and dicts as ``data.hotspots`` gives them.

    Attributes
    ----------
    cells
        Rows with ``heat cases density grid_name geojson`` …
    spots, clusters, default_points, by_grid
        Dicts; see ``api.hotspots``.
    used
        How many cases were looked at.
    what
        The name of their category; ``None`` for all.
    """

    cells: Sequence[Any]
    spots: Sequence[Mapping[str, Any]]
    clusters: Sequence[Mapping[str, Any]]
    default_points: Sequence[Mapping[str, Any]]
    by_grid: Sequence[Mapping[str, Any]]
    used: int
    left_out: int
    what: str | None

    @property
    def about(self) -> str:
        """What they are about, for a title."""
        return self.what or _("all cases")


def significant(ground: Ground, found: Found, told: Told) -> Picture:
    """The cells that are hotter or colder than chance would have them."""
    names = heat_names()
    layer = Layer("area", _heats(found))
    for cell in found.cells:
        if cell.heat != "none":
            layer.add(json.loads(cell.geojson), _shade(cell.heat), _tip(cell, names[cell.heat]))
    return _picture(
        "hotspots", ground, found, told, [layer, _default_points(found)], _("Hotspots: {what}", what=found.about)
    )


def density(ground: Ground, found: Found, told: Told) -> Picture:
    """How many cases there are on a hectare, smoothed."""
    limits = symbols.round_breaks(0, max((cell.density for cell in found.cells), default=0.0), whole=False)
    # Nearly nothing is not coloured.
    least = limits[0] / 4 if limits else 0.0
    styles = {}
    for step, fill in enumerate(_ramp(len(limits))):
        low = limits[step - 1] if step else least
        label = _("{low} cases a hectare and more", low=f"{low:g}")
        styles[str(step)] = Style(fill=fill, width=0, opacity=symbols.RAMP_OPACITY, hatch=step, label=label)
    layer = Layer("area", styles)
    for cell in found.cells:
        if limits and cell.density >= least:
            layer.add(json.loads(cell.geojson), str(sum(cell.density >= limit for limit in limits)))
    return _picture(
        "hotspots", ground, found, told, [layer, _default_points(found)], _("Density: {what}", what=found.about)
    )


def clusters(ground: Ground, found: Found, told: Told) -> Picture:
    """Groups of cases close together, as outlines."""
    hot = symbols.HOTSPOT
    style = Style(fill=hot["hot_90"], stroke=hot["hot_99"], width=2, opacity=0.5, hatch=2, label=_("Cluster"))
    layer = Layer("area", {"cluster": style})
    shown = [one for one in found.clusters if one["cases"] >= FEWEST]
    for one in shown:
        layer.add(one["geometry"], "cluster", _("{count} cases", count=f"{one['cases']:,}"))
    said = told_of(found.what, found.used, None, "")
    if shown:
        said = _(
            "{count} clusters of cases close together; the largest is in {place}, with {cases} of {used} cases.",
            count=len(shown), place=grids_of(shown[0]) or ground.name, cases=f"{shown[0]['cases']:,}",
            used=f"{found.used:,}",
        )  # fmt: skip
    rows: list[Row] = [[grids_of(one) or _("In no grid"), one["cases"]] for one in shown]
    return _picture(
        "hotspots", ground, found, told, [layer, _default_points(found)], _("Clusters: {what}", what=found.about),
        sentence=said, table=Table([_("Cluster"), _("Cases")], rows),
    )  # fmt: skip


def rate(ground: Ground, found: Found, told: Told) -> Picture:
    """Cases per 100 households of each grid."""
    rates = {one["grid_id"]: one for one in found.by_grid if one["rate"] is not None}
    breaks = symbols.round_breaks(0, max((one["rate"] for one in rates.values()), default=0.0), whole=False)
    styles = {}
    for step, fill in enumerate(_ramp(len(breaks))):
        low, high = breaks[step - 1] if step else 0, breaks[step] if step < len(breaks) else None
        label = (
            _("{low} to below {high} cases per 100 households", low=f"{low:g}", high=f"{high:g}")
            if high
            else _("{low} cases per 100 households and more", low=f"{low:g}")
        )
        styles[str(step)] = Style(fill=fill, width=0, opacity=symbols.RAMP_OPACITY, hatch=step, label=label)
    layer = Layer("area", styles)
    for shape in ground.grids:
        if shape.id in rates:
            value = rates[shape.id]["rate"]
            layer.add(shape.geometry, str(sum(value >= limit for limit in breaks)), f"{shape.name} · {value:.1f}")
    ranked = sorted(rates.values(), key=lambda one: (-one["rate"], one["code"]))
    people = sum(one["households"] for one in ranked)
    said = told_of(found.what, 0, None, "") if not found.used else _("There are no households to compare with.")
    if people and found.used:
        said = _(
            "{grid} has most cases per 100 households: {rate}; in all grids together there are {mean}.",
            grid=ranked[0]["name"], rate=f"{ranked[0]['rate']:.1f}",
            mean=f"{100 * sum(one['cases'] for one in ranked) / people:.1f}",
        )  # fmt: skip
    rows: list[Row] = [[one["name"], one["cases"], one["households"], round(one["rate"], 1)] for one in ranked]
    return _picture(
        "hotspots", ground, found, told, [layer], _("Cases per household: {what}", what=found.about), sentence=said,
        table=Table([_("Grid"), _("Cases"), _("Households"), _("Cases per 100 households")], rows),
    )  # fmt: skip


def _ramp(breaks: int) -> list[str]:
    """The colours of the classes between so many limits, as far apart as can be."""
    return [symbols.SEQUENTIAL[round(step * 4 / max(1, breaks))] for step in range(breaks + 1)]


def unpatrolled(
    ground: Ground, found: Found, missed: Sequence[Any], told: Told, patrolled: str, *, known: bool = True
) -> Picture:  # fmt: skip
    """Where cases cluster and patrols do not pass.

    Parameters
    ----------
    missed
        The hot cells that patrols did not pass, most cases first.
    patrolled
        The days whose patrols count, in words.
    known
        Whether there is anything that patrols could have seen.
    """
    keys = {(cell.q, cell.r) for cell in missed}
    hot = [cell for cell in found.cells if cell.heat in _HOT]
    colours = symbols.HOTSPOT
    layer = Layer(
        "area",
        {
            "passed": Style(
                fill=colours["hot_90"], stroke="#FFFFFF", opacity=0.6, hatch=1, label=_("Hot, patrols pass")
            ),
            "unknown": Style(
                fill=colours["hot_95"], stroke="#FFFFFF", opacity=0.6, hatch=2, label=_("Hot, not known whether passed")
            ),
            "missed": Style(
                fill=colours["hot_99"], stroke=symbols.PALETTE["ink-1"], width=2, dash="5 3",
                opacity=symbols.HOTSPOT_OPACITY, hatch=4, label=_("Hot, no patrol passes"),
            ),
        },
    )  # fmt: skip
    for cell in sorted(hot, key=lambda cell: (cell.q, cell.r) in keys):
        missing = (cell.q, cell.r) in keys
        style = "missed" if missing else "passed" if known else "unknown"
        layer.add(json.loads(cell.geojson), style, _tip(cell, ""))
    used = {feature["c"] for feature in layer.features}
    layer.styles = {name: style for name, style in layer.styles.items() if name in used}
    grids: dict[str, int] = {}
    for cell in missed:
        name = cell.grid_name or _("In no grid")
        grids[name] = grids.get(name, 0) + 1
    if missed:
        where = max(grids, key=lambda name: grids[name])
        said = _(
            "{count} of {hot} hot cells were passed by no patrol in {days}, most of them in {grid}.",
            count=len(missed), hot=len(hot), days=patrolled, grid=where,
        )  # fmt: skip
    elif hot and not known:
        said = _("Whether patrols pass the {count} hot cells is not known: nothing there can be seen.", count=len(hot))
    elif hot:
        said = _("Patrols passed all {hot} hot cells in {days}.", hot=len(hot), days=patrolled)
    else:
        said = _("There is no hotspot on these days.")
    rows: list[Row] = [[name, count] for name, count in sorted(grids.items(), key=lambda item: (-item[1], item[0]))]
    return picture(
        "unpatrolled", ground=ground, layers=[layer], title=_("Hot but unpatrolled: {what}", what=found.about),
        sentence=said, period=told.period, source=told.source, left_out=_left_out(found),
        table=Table([_("Grid"), _("Hot cells without a patrol")], rows), veil=True,
    )  # fmt: skip


def _picture(
    code: str, ground: Ground, found: Found, told: Told, layers: Sequence[Layer], title: str, *,
    sentence: str = "", table: Table | None = None,
) -> Picture:  # fmt: skip
    """The picture, which tells of the hotspots unless it has something of its own to say."""
    first = found.spots[0] if found.spots else None
    where = (grids_of(first) if first else "") or ground.name
    names = heat_names()
    rows: list[Row] = [[grids_of(one) or _("In no grid"), one["cases"], names[one["heat"]]] for one in found.spots]
    return picture(
        code, ground=ground, layers=[layer for layer in layers if layer.features], title=title,
        sentence=sentence or told_of(found.what, found.used, first, where),
        period=told.period, source=told.source, left_out=_left_out(found),
        table=table or Table([_("Hotspot"), _("Cases"), _("How sure")], rows), veil=True,
    )  # fmt: skip


def _heats(found: Found) -> dict[str, Style]:
    there = {_shade(cell.heat) for cell in found.cells}
    return {
        heat: Style(
            fill=symbols.HOTSPOT[heat], stroke="#FFFFFF", hatch=_HATCH[heat], opacity=symbols.HOTSPOT_OPACITY,
            label=name,
        )
        for heat, name in heat_names().items()
        if heat in there and heat != "none"
    }  # fmt: skip


def _shade(heat: str) -> str:
    """Cold is told in two steps: the surest of it has the colour of the second."""
    return "cold_95" if heat == "cold_99" else heat


def _default_points(found: Found) -> Layer:
    """What was left out stays visible."""
    style = Style(
        fill="#FFFFFF", stroke=symbols.PALETTE["ink-1"], width=2, dash="4 4", size=12,
        label=_("Likely a geocoder's default point, left out"),
    )  # fmt: skip
    layer = Layer("mark", {"left-out": style})
    for one in found.default_points:
        tip = _(
            "{cases} cases at exactly one coordinate, with {places} different places as address.",
            cases=f"{one['cases']:,}", places=f"{one['places']:,}",
        )  # fmt: skip
        layer.add({"type": "Point", "coordinates": [one["lon"], one["lat"]]}, "left-out", tip)
    return layer


def _left_out(found: Found) -> list[str]:
    if not found.left_out:
        return []
    return [_("{count} cases were left out: they lie on a geocoder's default point.", count=f"{found.left_out:,}")]


def _tip(cell: Any, name: str) -> str:
    cases = _("{count} cases", count=f"{cell.cases:,}") if cell.cases else ""
    return " · ".join(part for part in (cell.grid_name, name, cases) if part)
