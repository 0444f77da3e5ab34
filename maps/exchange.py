"""The preview of an import: what will come in, and what is sent back, on the ground it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from maps.ground import Frame, ground

if TYPE_CHECKING:
    import folium

MOST_SHOWN = 2000
"""More features than this are thinned before they come here: a preview shows where, not each."""


def preview(
    *,
    features: Mapping[str, Any],
    **frame: Unpack[Frame],
) -> folium.Map:
    """A map of the rows of a file.

    Parameters
    ----------
    features
        GeoJSON FeatureCollection (EPSG:4326) of at most :data:`MOST_SHOWN` features; each has the property
        ``accepted`` (true or false) and ``row`` (its number in the file).

    Raises
    ------
    ValueError
        More features than a preview shows.
    """
    if (count := len(features["features"])) > MOST_SHOWN:
        raise ValueError(f"A preview shows at most {MOST_SHOWN} features, here are {count}.")
    return ground(
        "exchange/map",
        **frame,
        features=features,
    )
