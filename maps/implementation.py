"""The pictures of an implementation report: its maps and charts, drawn as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from shapely.geometry.base import BaseGeometry

from maps.campaigns import Shaded, step
from maps.paper import FAMILIES
from maps.sheets import Sheet

_FONT = f"font-family='{', '.join(FAMILIES)}'"
_TINTS = ("#E3F0EE", "#F3EBDC", "#E6ECF5", "#EFE6EE")
_SHARES = ("#E6F2F1", "#BFE0DD", "#8CC7C3", "#4FA3A0", "#1C7F7E")
_INK, _LINE = "#1F2D3A", "#5B6B79"


def ground(grids: Sequence[tuple[BaseGeometry, str]], buildings: Sequence[BaseGeometry]) -> str:
    """The community: its grids with their names (in metres), and the buildings in them, north up."""
    sheet = Sheet([geom for geom, _name in grids], 720, 480)
    parts = [
        sheet.shapes([geom], f"fill='{_TINTS[place % len(_TINTS)]}' stroke='{_LINE}' stroke-width='1.6'")
        for place, (geom, _name) in enumerate(grids)
    ]
    parts.append(sheet.shapes(buildings, "fill='#C8CDD2' stroke='#8A949D' stroke-width='0.6'"))
    parts += [sheet.label(name, geom, 16) for geom, name in grids]
    return _with_font(sheet.drawn(*parts, _north(sheet.width), _scale(sheet)))


def shares(grids: Sequence[Shaded]) -> str:
    """Grids by a share: the darker, the more, with name and figure."""
    sheet = Sheet([grid.geom for grid in grids], 720, 460)
    parts = []
    for grid in grids:
        shade = step(grid.share) if grid.share is not None else 0
        fill = _SHARES[shade - 1] if shade else "#FFFFFF"
        ink = "#FFFFFF" if shade > 4 else _INK
        x, y = sheet.at(*grid.geom.representative_point().coords[0])
        parts.append(sheet.shapes([grid.geom], f"fill='{fill}' stroke='{_LINE}' stroke-width='1.4'"))
        parts += [
            f"<text x='{x:.0f}' y='{y + shift:.0f}' text-anchor='middle' font-size='16' "
            f"fill='{ink}'>{escape(text)}</text>"
            for shift, text in ((-4, grid.name), (16, grid.says))
        ]
    return _with_font(sheet.drawn(*parts, _north(sheet.width), _scale(sheet)))


def bars(rows: Sequence[tuple[str, int]], unit: str) -> str:
    """Numbers as bars, each with its name on the left and its figure at its end."""
    left, line, width = 190, 34, 720
    most = max((count for _name, count in rows), default=0) or 1
    parts = []
    for place, (name, count) in enumerate(rows):
        y = 12 + place * line
        length = (width - left - 110) * count / most
        parts.append(
            f"<text x='{left - 12}' y='{y + 17}' text-anchor='end' font-size='16' fill='{_INK}'>{escape(name)}</text>"
            f"<rect x='{left}' y='{y}' width='{length:.1f}' height='22' fill='{_SHARES[3]}'/>"
            f"<text x='{left + length + 8:.1f}' y='{y + 17}' font-size='16' fill='{_INK}'>{count}{escape(unit)}</text>"
        )
    height = 24 + len(rows) * line
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' {_FONT} aria-hidden='true'>"
        f"{''.join(parts)}</svg>"
    )


def _with_font(svg: str) -> str:
    return svg.replace("<svg ", f"<svg {_FONT} ", 1)


def _north(width: int) -> str:
    x = width - 26
    return (
        f"<path d='M{x} 14L{x + 7} 36L{x} 30L{x - 7} 36Z' fill='{_INK}'/>"
        f"<text x='{x}' y='52' text-anchor='middle' font-size='13' fill='{_INK}'>北</text>"
    )


def _scale(sheet: Sheet) -> str:
    """A bar of a round length, about a fifth of the sheet."""
    least = sheet.width / 5 / sheet.scale
    metres = next((m for m in (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000) if m >= least / 2), 10_000)
    length, y = metres * sheet.scale, sheet.height - 14
    return (
        f"<path d='M14 {y - 6}V{y}H{14 + length:.1f}V{y - 6}' fill='none' stroke='{_INK}' stroke-width='1.5'/>"
        f"<text x='{20 + length:.1f}' y='{y + 3}' font-size='13' fill='{_INK}'>{metres}米</text>"
    )
