"""The map of the planner's table, and plans as pictures (SVG) that lists, comparisons and paper carry."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Unpack

import shapely

from maps.ground import Frame, ground

if TYPE_CHECKING:
    import folium

_EDIT = "#5B2A86"


def table(*, plan: int, place: str, **frame: Unpack[Frame]) -> folium.Map:
    """The map on which a plan is drawn.

    Parameters
    ----------
    plan
        The plan's id.
    place
        The code of its community.
    """
    return ground("plans/table", draws=True, **frame, plan=plan, place=place)


def thumbnail(grids: Sequence[Any], moved: Sequence[Any], width: int = 120, height: int = 80) -> str:
    """A plan as a small SVG: its grids, and on them the ground that changes hands.

    Parameters
    ----------
    grids, moved
        Polygons in metres.
    """
    sheet = Sheet(grids, width, height, margin=3)
    return sheet.drawn(
        sheet.shapes(grids, "fill='#E6F2F0' stroke='#0B6B6B' stroke-width='1'"),
        sheet.shapes(moved, f"fill='{_EDIT}' fill-opacity='.55'"),
    )


def picture(
    grids: Sequence[tuple[str, Any]],
    today: Sequence[Any] = (),
    moved: Sequence[Any] = (),
    *,
    title: str,
    frame: Sequence[Any] = (),
    chosen: Sequence[Any] = (),
    width: int = 720,
    height: int = 540,
) -> str:
    """A division as an SVG to look at and to print: grids with their names, today's lines dashed, moved ground hatched.

    Parameters
    ----------
    grids
        Name and area of each, in metres.
    today, moved
        Areas in metres.
    title
        What is shown, for those who do not see it.
    frame
        What the sheet has to hold, where that is not the grids: two pictures of one frame lie upon each other.
    chosen
        Areas that stand out.
    """
    sheet = Sheet(frame or [geom for _name, geom in grids], width, height)
    return sheet.drawn(
        f"<title>{escape(title)}</title>",
        _HATCH,
        sheet.shapes([geom for _name, geom in grids], "fill='#FBFAF7' stroke='#0B6B6B' stroke-width='2'"),
        sheet.shapes(chosen, "fill='#E6F2F0' stroke='#084F50' stroke-width='4'"),
        sheet.shapes(today, "fill='none' stroke='#18212B' stroke-width='1.4' stroke-dasharray='6 5'"),
        sheet.shapes(moved, f"fill='url(#moved)' stroke='{_EDIT}' stroke-width='1'"),
        *(sheet.label(name, geom) for name, geom in grids),
    )


#: Moved ground: lines at 45°, 7 px apart.
_HATCH = (
    "<defs><pattern id='moved' width='7' height='7' patternUnits='userSpaceOnUse' patternTransform='rotate(45)'>"
    f"<path d='M0 0V7' stroke='{_EDIT}' stroke-width='2.4'/></pattern></defs>"
)


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

    def drawn(self, *parts: str) -> str:
        """The SVG of these parts."""
        return (
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {self.width} {self.height}' "
            f"role='img'>{''.join(parts)}</svg>"
        )
