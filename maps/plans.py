"""The map of the planner's table, and plans as pictures (SVG) that lists, comparisons and paper carry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from maps.ground import Frame, ground
from maps.sheets import Sheet

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
        _HATCH,
        sheet.shapes([geom for _name, geom in grids], "fill='#FBFAF7' stroke='#0B6B6B' stroke-width='2'"),
        sheet.shapes(chosen, "fill='#E6F2F0' stroke='#084F50' stroke-width='4'"),
        sheet.shapes(today, "fill='none' stroke='#18212B' stroke-width='1.4' stroke-dasharray='6 5'"),
        sheet.shapes(moved, f"fill='url(#moved)' stroke='{_EDIT}' stroke-width='1'"),
        *(sheet.label(name, geom) for name, geom in grids),
        label=title,
    )


#: Moved ground: lines at 45°, 7 px apart.
_HATCH = (
    "<defs><pattern id='moved' width='7' height='7' patternUnits='userSpaceOnUse' patternTransform='rotate(45)'>"
    f"<path d='M0 0V7' stroke='{_EDIT}' stroke-width='2.4'/></pattern></defs>"
)
