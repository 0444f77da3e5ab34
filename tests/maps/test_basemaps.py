"""Base maps by setting."""

from __future__ import annotations

import pytest

from data.base import language
from maps import basemaps


def test_own_ground_and_none_ask_no_other_server() -> None:
    assert basemaps.choose("own").hosts == ()
    assert basemaps.choose("none").hosts == ()
    assert basemaps.choose("own").drawn
    assert not basemaps.choose("none").drawn


def test_tianditu_has_streets_and_labels_with_the_key_and_eight_hosts() -> None:
    chosen = basemaps.choose("tianditu", tianditu_key="K3Y")
    streets, labels = chosen.addresses
    assert "LAYER=vec&" in streets
    assert "LAYER=cva&" in labels
    assert all("tk=K3Y" in address and "{z}" in address for address in chosen.addresses)
    assert chosen.hosts == tuple(f"https://t{n}.tianditu.gov.cn" for n in range(8))


def test_tianditu_without_a_key_says_which_setting_is_missing() -> None:
    with pytest.raises(ValueError, match="WANGGE_TIANDITU_KEY"):
        basemaps.choose("tianditu")


def test_any_xyz_address_is_a_base_map_with_its_source_line() -> None:
    chosen = basemaps.choose("https://tiles.example.org:8443/{z}/{x}/{y}.png", attribution="City survey")
    assert chosen.hosts == ("https://tiles.example.org:8443",)
    assert chosen.attribution == "City survey"


@pytest.mark.parametrize("setting", ["tiandi", "https://tiles.example.org/", "ftp://x/{z}/{x}/{y}"])
def test_anything_else_is_refused_with_the_value(setting: str) -> None:
    with pytest.raises(ValueError, match="none of own, none, tianditu, osm"):
        basemaps.choose(setting)


def test_the_source_line_follows_the_language() -> None:
    with language.using("zh"):
        assert basemaps.choose("osm").attribution == "© OpenStreetMap 贡献者"
