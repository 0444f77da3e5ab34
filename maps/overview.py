"""The map of a community: grids coloured by a figure, buildings, incidents by category and state, the ground.

The figures and the incident states get their names here; what is drawn how is in ``static/js/map`` and
:mod:`maps.symbols`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Unpack

from data.base.language import _
from maps.ground import Frame, ground

if TYPE_CHECKING:
    import folium

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


def overview(
    *,
    figures: Sequence[Figure] = (),
    title: str = "",
    may_report: bool = False,
    **frame: Unpack[Frame],
) -> folium.Map:
    """The map of the page ``/``.

    Parameters
    ----------
    figures
        Those of :func:`figures` that the actor may see.
    title
        What stands above a printed map.
    may_report
        Whether a click may start the report of a case.
    """
    return ground(
        "map/overview",
        **frame,
        figures=[asdict(figure) for figure in figures],
        title=title,
        may_report=may_report,
    )
