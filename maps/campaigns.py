"""The map of a campaign: each grid coloured by the share of its households that were met, with name and figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape
from shapely.geometry.base import BaseGeometry

from maps.sheets import Sheet

#: From which share on a grid has the next darker colour.
BREAKS = (0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True)
class Shaded:
    """A grid: its shape in metres, its name, the share (0–1; ``None``: nobody lives there), and the share in words."""

    geom: BaseGeometry
    name: str
    share: float | None
    says: str


def step(share: float) -> int:
    """The colour of a share: 1 (light) to 5 (dark).

    >>> step(0), step(0.5), step(0.9)
    (1, 3, 5)
    """
    return 1 + sum(share >= limit for limit in BREAKS)


def live(grids: Sequence[Shaded], title: str, width: int = 560, height: int = 380) -> Markup:
    """An SVG map, north up, that needs no script and prints as it is; its ``title`` is for those who do not see it."""
    sheet = Sheet([grid.geom for grid in grids], width, height)
    parts = []
    for grid in grids:
        fill = f"share-{step(grid.share)}" if grid.share is not None else "share-none"
        x, y = sheet.at(*grid.geom.representative_point().coords[0])
        parts.append(
            f"<g class='{fill}'><path d='{sheet.path(grid.geom)}' fill-rule='evenodd'/>"
            f"<text x='{x:.0f}' y='{y:.0f}'>{escape(grid.name)}"
            f"<tspan x='{x:.0f}' dy='1.3em'>{escape(grid.says)}</tspan></text></g>"
        )
    return Markup(sheet.drawn(*parts, label=title))  # noqa: S704 - what comes from outside is escaped above
