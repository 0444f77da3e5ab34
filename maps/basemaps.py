"""Base maps: none, our own roads and land use, 天地图 (with a key), OpenStreetMap, or any XYZ address.

The setting ``WANGGE_BASEMAP`` names one. Own ground is drawn from the imported base map layer and needs no network;
the others are pictures from a tile server, whose host the page's security policy must then allow (``Basemap.hosts``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from data.base.language import _

if TYPE_CHECKING:
    import folium

TIANDITU = (
    "https://t{{s}}.tianditu.gov.cn/{layer}_w/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER={layer}"
    "&STYLE=default&TILEMATRIXSET=w&FORMAT=tiles&TILEMATRIX={{z}}&TILEROW={{y}}&TILECOL={{x}}&tk={key}"
)
OPENSTREETMAP = "https://tile.openstreetmap.org/{z}/{x}/{y}.png"


@dataclass(frozen=True)
class Basemap:
    """What lies under our own layers.

    ``drawn`` says whether our own ground (roads, land use) is drawn; ``addresses`` are the picture tiles, lowest first.
    """

    name: str
    drawn: bool
    addresses: tuple[str, ...] = ()
    subdomains: str = ""
    attribution: str = ""
    max_zoom: int = 18

    @property
    def hosts(self) -> tuple[str, ...]:
        """Origins that pictures come from, for the page's ``img-src``: ``https://t0.tianditu.gov.cn`` …"""
        origins: dict[str, None] = {}
        for address in self.addresses:
            for subdomain in self.subdomains or ("",):
                split = urlsplit(address.replace("{s}", subdomain))
                origins[f"{split.scheme}://{split.netloc}"] = None
        return tuple(origins)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """How the tile addresses begin: what :func:`maps.offline.parts` may leave in a page."""
        return tuple(address.split("{z}")[0].split("?")[0] for address in self.addresses)

    def add_to(self, the_map: folium.Map) -> None:
        """Put the picture tiles on ``the_map``; nothing to do for the drawn ground and for none."""
        import folium

        for address in self.addresses:
            folium.TileLayer(
                address,
                attr=self.attribution,
                name=self.name,
                subdomains=self.subdomains or "abc",
                max_native_zoom=self.max_zoom,
                max_zoom=22,
                control=False,
            ).add_to(the_map)


def choose(setting: str, *, tianditu_key: str | None = None, attribution: str = "", source: str = "") -> Basemap:
    """The base map that the settings ask for.

    Parameters
    ----------
    setting
        ``own``, ``none``, ``tianditu``, ``osm`` or an XYZ address with ``{z}``, ``{x}`` and ``{y}``.
    tianditu_key
        The key for 天地图.
    attribution
        The source line of an XYZ address.
    source
        The source line of our own ground: where the imported roads and land use come from.

    Raises
    ------
    ValueError
        天地图 without a key, or an address that is none of these.
    """
    if setting == "own":
        return Basemap("own", drawn=True, attribution=source)
    if setting == "none":
        return Basemap("none", drawn=False)
    if setting == "osm":
        text = _("© OpenStreetMap contributors")
        return Basemap("osm", drawn=False, addresses=(OPENSTREETMAP,), attribution=text, max_zoom=19)
    if setting == "tianditu":
        if not tianditu_key:
            raise ValueError("The base map tianditu needs a key: set WANGGE_TIANDITU_KEY.")
        addresses = tuple(TIANDITU.format(layer=layer, key=tianditu_key) for layer in ("vec", "cva"))
        return Basemap("tianditu", drawn=False, addresses=addresses, subdomains="01234567", attribution=_("Tianditu"))
    if all(part in setting for part in ("{z}", "{x}", "{y}")) and setting.startswith(("https://", "http://", "/")):
        return Basemap("xyz", drawn=False, addresses=(setting,), attribution=attribution)
    raise ValueError(
        f'The base map "{setting}" is none of own, none, tianditu, osm, or an address with {{z}}, {{x}} and {{y}}.'
    )
