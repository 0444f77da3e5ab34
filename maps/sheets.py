"""Sheets: small maps drawn as SVG, which need no script, stand in lists and print as they are."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import shapely


class Sheet:
    """A sheet onto which ground in metres is drawn, north up, one scale both ways.

    Parameters
    ----------
    frame
        What it has to hold, polygons in metres.
    width, height
        In pixels.
    """

    def __init__(self, frame: Sequence[Any], width: int, height: int, margin: int = 12) -> None:
        west, south, east, north = shapely.total_bounds(list(frame)) if len(frame) else (0.0, 0.0, 1.0, 1.0)
        self.width, self.height = width, height
        self.scale = min(
            (width - 2 * margin) / max(east - west, 1e-6), (height - 2 * margin) / max(north - south, 1e-6)
        )
        self._west = west - (width / self.scale - (east - west)) / 2
        self._north = north + (height / self.scale - (north - south)) / 2

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a place lies on the sheet."""
        return (x - self._west) * self.scale, (self._north - y) * self.scale

    def path(self, geom: Any) -> str:
        """The outline of a polygon, or a line, as the data of an SVG path; finer than half a pixel is left out."""
        parts = []
        for part in shapely.get_parts(shapely.simplify(geom, 0.5 / self.scale)):
            rings = [part.exterior, *part.interiors] if part.geom_type == "Polygon" else [part]
            for ring in rings:
                corners = [self.at(x, y) for x, y in shapely.get_coordinates(ring)]
                closed = "Z" if part.geom_type == "Polygon" else ""
                parts.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in corners) + closed)
        return "".join(parts)

    def shapes(self, geoms: Sequence[Any], style: str) -> str:
        """Geometries of one style."""
        return "".join(f"<path d='{path}' fill-rule='evenodd' {style}/>" for geom in geoms if (path := self.path(geom)))

    def label(self, text: str, geom: Any, size: int = 13) -> str:
        """A name within its area, with a halo."""
        x, y = self.at(*shapely.get_coordinates(shapely.point_on_surface(geom))[0])
        return (
            f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='middle' dominant-baseline='middle' font-size='{size}' "
            "font-weight='700' fill='#084F50' stroke='#FFFFFF' stroke-width='4' paint-order='stroke'>"
            f"{escape(text)}</text>"
        )

    def drawn(self, *parts: str, label: str = "") -> str:
        """The SVG of these parts; one without a ``label`` says nothing that does not stand beside it."""
        told = f"role='img' aria-label='{escape(label)}'" if label else "aria-hidden='true'"
        return (
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {self.width} {self.height}' {told}>"
            f"{''.join(parts)}</svg>"
        )
