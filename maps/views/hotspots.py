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
        Dicts; see ``api.hotspots.routes``.
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


def significant(ground: Ground, findings: Found, caption: Told) -> Picture:
    """The cells that are hotter or colder than chance would have them."""
    names = heat_names()
    layer = Layer("area", _heats(findings))
    for cell in findings.cells:
        if cell.heat != "none":
            layer.add(json.loads(cell.geojson), _shade(cell.heat), _tip(cell, names[cell.heat]))
    return _picture(
        "hotspots",
        ground,
        findings,
        caption,
        [layer, _default_points(findings)],
        _("Hotspots: {what}", what=findings.about),
    )


def density(ground: Ground, findings: Found, caption: Told) -> Picture:
    """How many cases there are on a hectare, smoothed."""
    limits = symbols.round_breaks(0, max((cell.density for cell in findings.cells), default=0.0), whole=False)
    # Nearly nothing is not coloured.
    least = limits[0] / 4 if limits else 0.0
    styles = {}
    for step, fill in enumerate(_ramp(len(limits))):
        low = limits[step - 1] if step else least
        label = _("{low} cases a hectare and more", low=f"{low:g}")
        styles[str(step)] = Style(fill=fill, width=0, opacity=symbols.RAMP_OPACITY, hatch=step, label=label)
    layer = Layer("area", styles)
    for cell in findings.cells:
        if limits and cell.density >= least:
            layer.add(json.loads(cell.geojson), str(sum(cell.density >= limit for limit in limits)))
    return _picture(
        "hotspots",
        ground,
        findings,
        caption,
        [layer, _default_points(findings)],
        _("Density: {what}", what=findings.about),
    )


def clusters(ground: Ground, findings: Found, caption: Told) -> Picture:
    """Groups of cases close together, as outlines."""
    hot = symbols.HOTSPOT
    style = Style(fill=hot["hot_90"], stroke=hot["hot_99"], width=2, opacity=0.5, hatch=2, label=_("Cluster"))
    layer = Layer("area", {"cluster": style})
    shown = [cluster for cluster in findings.clusters if cluster["cases"] >= FEWEST]
    for cluster in shown:
        layer.add(cluster["geometry"], "cluster", _("{count} cases", count=f"{cluster['cases']:,}"))
    said = told_of(findings.what, findings.used, None, "")
    if shown:
        said = _(
            "{count} clusters of cases close together; the largest is in {place}, with {cases} of {used} cases.",
            count=len(shown),
            place=grids_of(shown[0]) or ground.name,
            cases=f"{shown[0]['cases']:,}",
            used=f"{findings.used:,}",
        )
    rows: list[Row] = [[grids_of(cluster) or _("In no grid"), cluster["cases"]] for cluster in shown]
    return _picture(
        "hotspots",
        ground,
        findings,
        caption,
        [layer, _default_points(findings)],
        _("Clusters: {what}", what=findings.about),
        sentence=said,
        table=Table([_("Cluster"), _("Cases")], rows),
    )


def rate(ground: Ground, findings: Found, caption: Told) -> Picture:
    """Cases per 100 households of each grid."""
    rates = {grid["grid_id"]: grid for grid in findings.by_grid if grid["rate"] is not None}
    breaks = symbols.round_breaks(0, max((grid["rate"] for grid in rates.values()), default=0.0), whole=False)
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
    ranked = sorted(rates.values(), key=lambda grid: (-grid["rate"], grid["code"]))
    people = sum(grid["households"] for grid in ranked)
    said = told_of(findings.what, 0, None, "") if not findings.used else _("There are no households to compare with.")
    if people and findings.used:
        said = _(
            "{grid} has most cases per 100 households: {rate}; in all grids together there are {mean}.",
            grid=ranked[0]["name"],
            rate=f"{ranked[0]['rate']:.1f}",
            mean=f"{100 * sum(grid['cases'] for grid in ranked) / people:.1f}",
        )
    rows: list[Row] = [[grid["name"], grid["cases"], grid["households"], round(grid["rate"], 1)] for grid in ranked]
    return _picture(
        "hotspots",
        ground,
        findings,
        caption,
        [layer],
        _("Cases per household: {what}", what=findings.about),
        sentence=said,
        table=Table([_("Grid"), _("Cases"), _("Households"), _("Cases per 100 households")], rows),
    )


def _ramp(breaks: int) -> list[str]:
    """The colours of the classes between so many limits, as far apart as can be."""
    return [symbols.SEQUENTIAL[round(step * 4 / max(1, breaks))] for step in range(breaks + 1)]


def unpatrolled(
    ground: Ground, findings: Found, missed: Sequence[Any], caption: Told, patrolled: str, *, known: bool = True
) -> Picture:
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
    hot = [cell for cell in findings.cells if cell.heat in _HOT]
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
                fill=colours["hot_99"],
                stroke=symbols.PALETTE["ink-1"],
                width=2,
                dash="5 3",
                opacity=symbols.HOTSPOT_OPACITY,
                hatch=4,
                label=_("Hot, no patrol passes"),
            ),
        },
    )
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
            count=len(missed),
            hot=len(hot),
            days=patrolled,
            grid=where,
        )
    elif hot and not known:
        said = _("Whether patrols pass the {count} hot cells is not known: nothing there can be seen.", count=len(hot))
    elif hot:
        said = _("Patrols passed all {hot} hot cells in {days}.", hot=len(hot), days=patrolled)
    else:
        said = _("There is no hotspot on these days.")
    rows: list[Row] = [[name, count] for name, count in sorted(grids.items(), key=lambda item: (-item[1], item[0]))]
    return picture(
        "unpatrolled",
        ground=ground,
        layers=[layer],
        title=_("Hot but unpatrolled: {what}", what=findings.about),
        sentence=said,
        period=caption.period,
        source=caption.source,
        left_out=_left_out(findings),
        table=Table([_("Grid"), _("Hot cells without a patrol")], rows),
        veil=True,
    )


def _picture(
    code: str,
    ground: Ground,
    findings: Found,
    caption: Told,
    layers: Sequence[Layer],
    title: str,
    *,
    sentence: str = "",
    table: Table | None = None,
) -> Picture:
    """The picture, which tells of the hotspots unless it has something of its own to say."""
    first = findings.spots[0] if findings.spots else None
    where = (grids_of(first) if first else "") or ground.name
    names = heat_names()
    rows: list[Row] = [[grids_of(one) or _("In no grid"), one["cases"], names[one["heat"]]] for one in findings.spots]
    return picture(
        code,
        ground=ground,
        layers=[layer for layer in layers if layer.features],
        title=title,
        sentence=sentence or told_of(findings.what, findings.used, first, where),
        period=caption.period,
        source=caption.source,
        left_out=_left_out(findings),
        table=table or Table([_("Hotspot"), _("Cases"), _("How sure")], rows),
        veil=True,
    )


def _heats(findings: Found) -> dict[str, Style]:
    there = {_shade(cell.heat) for cell in findings.cells}
    return {
        heat: Style(
            fill=symbols.HOTSPOT[heat],
            stroke="#FFFFFF",
            hatch=_HATCH[heat],
            opacity=symbols.HOTSPOT_OPACITY,
            label=name,
        )
        for heat, name in heat_names().items()
        if heat in there and heat != "none"
    }


def _shade(heat: str) -> str:
    """Cold is told in two steps: the surest of it has the colour of the second."""
    return "cold_95" if heat == "cold_99" else heat


def _default_points(findings: Found) -> Layer:
    """What was left out stays visible."""
    style = Style(
        fill="#FFFFFF",
        stroke=symbols.PALETTE["ink-1"],
        width=2,
        dash="4 4",
        size=12,
        label=_("Likely a geocoder’s default point, left out"),
    )
    layer = Layer("mark", {"left-out": style})
    for one in findings.default_points:
        tip = _(
            "{cases} cases at exactly one coordinate, with {places} different places as address.",
            cases=f"{one['cases']:,}",
            places=f"{one['places']:,}",
        )
        layer.add({"type": "Point", "coordinates": [one["lon"], one["lat"]]}, "left-out", tip)
    return layer


def _left_out(findings: Found) -> list[str]:
    if not findings.left_out:
        return []
    return [_("{count} cases were left out: they lie on a geocoder’s default point.", count=f"{findings.left_out:,}")]


def _tip(cell: Any, name: str) -> str:
    cases = _("{count} cases", count=f"{cell.cases:,}") if cell.cases else ""
    return " · ".join(part for part in (cell.grid_name, name, cases) if part)
