"""The map of a walk 走访路线: the way from building to building, each with its number in the order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from maps.ground import Frame, ground

if TYPE_CHECKING:
    import folium


def walk(*, line: Mapping[str, Any] | None, stops: Sequence[Mapping[str, Any]], **frame: Unpack[Frame]) -> folium.Map:
    """A walk by building.

    Parameters
    ----------
    line
        Its GeoJSON LineString in EPSG:4326; None where there is but one place.
    stops
        ``lon lat number``: the buildings, in the order in which one comes to them.
    """
    return ground("walks/walk", **frame, line=line, stops=stops)
