"""The map of who is responsible: grids with their leaders, and buildings that lead to those who are there for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape
from shapely.geometry.base import BaseGeometry

from maps.sheets import Sheet


@dataclass(frozen=True)
class Ground:
    """A grid: its shape in metres, its name, and who leads it."""

    geom: BaseGeometry
    name: str
    leader: str


@dataclass(frozen=True)
class House:
    """A building: its shape in metres, its number, what it is called, and the address of who is responsible for it."""

    geom: BaseGeometry
    number: str
    title: str
    href: str
    chosen: bool = False


def responsible(
    grids: Sequence[Ground], houses: Sequence[House], title: str, width: int = 760, height: int = 560
) -> Markup:
    """An SVG map, north up, whose buildings are links; it needs no script and prints as it is, up to A3."""
    sheet = Sheet([grid.geom for grid in grids] or [house.geom for house in houses], width, height)
    parts = [f"<g class='ground'>{''.join(sheet.shapes([grid.geom], '') for grid in grids)}</g>"]
    for house in houses:
        x, y = sheet.at(*house.geom.representative_point().coords[0])
        chosen = " aria-current='true'" if house.chosen else ""
        parts.append(
            f"<a href='{escape(house.href)}' class='house' aria-label='{escape(house.title)}'{chosen}>"
            f"<title>{escape(house.title)}</title>{sheet.shapes([house.geom], '')}"
            f"<text x='{x:.0f}' y='{y:.0f}' dy='.35em' aria-hidden='true'>{escape(house.number)}</text></a>"
        )
    for grid in grids:
        # Beside the middle of the grid, where its buildings stand less often.
        west, _south, east, north = grid.geom.bounds
        x, y = sheet.at((west + east) / 2, north)
        parts.append(
            f"<text class='grid-name' x='{x:.0f}' y='{y + 14:.0f}' aria-hidden='true'>{escape(grid.name)}"
            f"<tspan x='{x:.0f}' dy='1.2em'>{escape(grid.leader)}</tspan></text>"
        )
    return Markup(  # noqa: S704 - what comes from outside is escaped above
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' role='group' "
        f"aria-label='{escape(title)}'>{''.join(parts)}</svg>"
    )
