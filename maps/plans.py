"""The map of the planner's table: the ground, and the lines of a plan, which ``plans/table`` fetches and lets move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from maps.ground import Frame, ground

if TYPE_CHECKING:
    import folium


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
