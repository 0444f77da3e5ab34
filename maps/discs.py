"""A map of how many there are where: a disc for each grid, closer up one for each building, ringed where some wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Unpack

from data.base.language import _
from maps.ground import Frame, ground

if TYPE_CHECKING:
    import folium

#: From this zoom on buildings are shown one by one, before that grids.
BUILDINGS_FROM = 17


@dataclass(frozen=True)
class Spot:
    """A place: longitude and latitude (EPSG:4326), its name, how many, how many of them open, and their list."""

    lon: float
    lat: float
    name: str
    count: int
    open: int
    href: str


def spots(areas: Sequence[Spot], buildings: Sequence[Spot], **frame: Unpack[Frame]) -> folium.Map:
    """A map of discs, each of which leads to a list.

    Parameters
    ----------
    areas, buildings
        What is shown of grids, and of buildings from ``BUILDINGS_FROM`` on.
    """

    def said(spot: Spot) -> str:
        if spot.open:
            return _("{name}: {count}, of which {open} still open", **asdict(spot))
        return _("{name}: {count}", **asdict(spot))

    return ground(
        "map/discs",
        **frame,
        nearer=BUILDINGS_FROM,
        areas=[{**asdict(spot), "says": said(spot)} for spot in areas],
        houses=[{**asdict(spot), "says": said(spot)} for spot in buildings],
    )
