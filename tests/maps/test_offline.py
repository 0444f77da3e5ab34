"""folium's maps reach the reader without anything from outside."""

from __future__ import annotations

import folium
import pytest
from folium import plugins

from maps import basemaps, exchange, offline, overview, placing

BOUNDS = (31.23, 121.50, 31.24, 121.51)
OWN = basemaps.choose("own", source="© OpenStreetMap contributors")


def whole_map(basemap: basemaps.Basemap = OWN) -> folium.Map:
    return overview.overview(bounds=BOUNDS, basemap=basemap, version="7", figures=overview.figures())


@pytest.mark.parametrize(
    "the_map",
    [
        whole_map(),
        placing.placing(bounds=BOUNDS, basemap=OWN, version="7", point=(121.505, 31.235)),
        exchange.preview(
            bounds=BOUNDS, basemap=OWN, version="7", features={"type": "FeatureCollection", "features": []}
        ),
    ],
    ids=["overview", "placing", "preview"],
)
def test_every_map_loads_from_our_own_server_only(the_map: folium.Map) -> None:
    parts = offline.parts(the_map)
    assert offline.outside([*parts.styles, *parts.scripts, *offline.fetched(parts.html)]) == []
    assert parts.styles == ("/static/vendor/leaflet.css",)
    assert parts.scripts == ("/static/vendor/leaflet.js", "/static/vendor/protomaps-leaflet.js")
    assert "L.map(" in parts.script
    assert 'class="folium-map"' in parts.html


def test_the_viewport_line_that_forbids_zooming_never_reaches_a_page() -> None:
    assert "user-scalable" not in offline.parts(whole_map()).text


def test_assets_are_replaced_on_the_instance_and_never_on_the_class() -> None:
    before = list(folium.Map.default_js)
    offline.parts(whole_map())
    assert folium.Map.default_js == before
    assert any(address.startswith("https://") for _, address in folium.Map.default_js)


def test_a_plugin_without_a_local_file_is_refused_by_name() -> None:
    the_map = whole_map()
    plugins.Fullscreen().add_to(the_map)
    with pytest.raises(offline.OutsideAsset, match=r'"Control\.Fullscreen\.js".*has no local file'):
        offline.parts(the_map)


def test_icon_fonts_from_outside_are_refused() -> None:
    the_map = whole_map()
    folium.Marker((31.235, 121.505), icon=folium.Icon(color="red")).add_to(the_map)
    with pytest.raises(offline.OutsideAsset, match="DivIcon"):
        offline.parts(the_map)


@pytest.mark.parametrize(
    "content",
    [
        '<img src="//tracker.example.net/p.gif">',
        "<img src='https:\\\\tracker.example.net/p.gif'>",
        "<p style=\"background: URL( 'http://tracker.example.net/p.gif')\">",
        "<style>@import 'https://tracker.example.net/p.css';</style>",
        '<link rel="stylesheet" href="https://tracker.example.net/p.css">',
        '<img srcset="/a.png 1x, //tracker.example.net/p.gif 2x">',
        '<svg><use href="https://tracker.example.net/p.svg#a"></use></svg>',
        '<iframe src="javascript:fetch(`//tracker.example.net`)"></iframe>',
    ],
)
def test_an_address_that_a_layer_fetches_from_is_found_wherever_it_hides(content: str) -> None:
    the_map = whole_map()
    folium.Marker((31.235, 121.505), popup=content, icon=folium.DivIcon()).add_to(the_map)
    with pytest.raises(offline.OutsideAsset, match=r"tracker\.example\.net"):
        offline.parts(the_map)


def test_pictures_over_the_map_come_from_our_own_server() -> None:
    the_map = whole_map()
    folium.raster_layers.ImageOverlay("https://tracker.example.net/p.png", [[31.2, 121.5], [31.3, 121.6]]).add_to(
        the_map
    )
    with pytest.raises(offline.OutsideAsset, match=r"tracker\.example\.net"):
        offline.parts(the_map)


@pytest.mark.parametrize(
    "text",
    ["见 https://example.com/", "//example.com/x.js", "url(https://example.com/a.png)", '<img src="//a.example">'],
)
def test_what_a_text_says_is_no_address(text: str) -> None:
    the_map = overview.overview(bounds=BOUNDS, basemap=OWN, version="7", title=text)
    assert "example" in offline.parts(the_map).script


def test_picture_tiles_pass_only_when_the_settings_name_them() -> None:
    osm = basemaps.choose("osm")
    with pytest.raises(offline.OutsideAsset, match=r"tile\.openstreetmap\.org"):
        offline.parts(whole_map(osm))
    assert "tile.openstreetmap.org" in offline.parts(whole_map(osm), allowed=osm.prefixes).script


def test_a_tile_server_of_the_same_host_but_another_path_does_not_pass() -> None:
    mine = basemaps.choose("https://tiles.example.org/roads/{z}/{x}/{y}.png")
    assert offline.outside(["https://tiles.example.org/spy.js"], mine.prefixes) == ["https://tiles.example.org/spy.js"]


def test_a_preview_is_thinned_before_it_comes_here() -> None:
    row = {"type": "Feature", "geometry": None, "properties": {"accepted": True, "row": 1}}
    many = {"type": "FeatureCollection", "features": [row] * (exchange.MOST_SHOWN + 1)}
    with pytest.raises(ValueError, match="at most 2000"):
        exchange.preview(bounds=BOUNDS, basemap=OWN, version="7", features=many)


def test_text_in_a_map_cannot_leave_its_script() -> None:
    the_map = overview.overview(bounds=BOUNDS, basemap=OWN, version="7", title="</script><script>alert(1)")
    assert "</script>" not in offline.parts(the_map).script
