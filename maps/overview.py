"""The map of a community: grids coloured by a figure, buildings, incidents by category and state, the ground.

The figures and the incident states get their names here; what is drawn how is in ``static/js/map`` and
:mod:`maps.symbols`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import folium

from data.base.language import _
from maps.basemaps import Basemap
from maps.ground import Bounds, ground

FIGURES = ("households", "residents", "special_households", "open_incidents")
"""The figures that a grid can be coloured by: columns of the grid tiles."""


@dataclass(frozen=True)
class Figure:
    """A number per grid: its code (a column of the tiles) and names. Class limits are fetched when it is chosen."""

    code: str
    label: str
    unit: str


def figures() -> list[Figure]:
    """The figures with their names."""
    names = {
        "households": (_("Households"), _("households")),
        "residents": (_("People"), _("people")),
        "special_households": (_("Special households"), _("households")),
        "open_incidents": (_("Open cases"), _("cases")),
    }
    return [Figure(code, *names[code]) for code in FIGURES]


def state_names() -> dict[str, str]:
    """The incident states in the order of their work, with their words."""
    return {
        "new": _("New"),
        "in_progress": _("In progress"),
        "to_verify": _("To verify"),
        "closed": _("Closed"),
        "on_hold": _("On hold"),
        "declined": _("Declined"),
    }


def overview(
    *,
    bounds: Bounds,
    basemap: Basemap,
    version: str,
    community: str | None = None,
    figures: Sequence[Figure] = (),
    title: str = "",
    may_report: bool = False,
    static: str = "/static",
    tiles: str = "/tiles",
) -> folium.Map:
    """The map of the page ``/``.

    Parameters
    ----------
    bounds
        The community, or all that the actor may see.
    figures
        Those of :func:`figures` that the actor may see.
    title
        What stands above a printed map.
    may_report
        Whether a click may start the report of a case.
    """
    return ground(
        "overview",
        bounds=bounds,
        basemap=basemap,
        version=version,
        community=community,
        static=static,
        tiles=tiles,
        figures=[asdict(figure) for figure in figures],
        title=title,
        may_report=may_report,
    )
