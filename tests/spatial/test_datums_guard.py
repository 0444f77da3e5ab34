"""The datum guard on real blocks of Wuhan and Shanghai, and on a small community that can be checked by hand."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
import shapely.geometry
from numpy.typing import NDArray

from spatial import datums
from spatial.datums import Datum, Evidence, Reference, guess_datum
from tests.city import rectangle

Geometries = NDArray[np.object_]


def layer(geodata: Path, name: str) -> Geometries:
    # Not by GDAL, which warns of the file's repeated ids.
    text = (geodata / "buildings" / f"{name}_osm.geojson").read_text(encoding="utf-8")
    return array(*(shapely.geometry.shape(feature["geometry"]) for feature in json.loads(text)["features"]))


def on(datum: Datum, geometries: Geometries) -> Geometries:
    """The same features as a file on ``datum`` would hold them."""
    return datums.convert_geometries(geometries, Datum.WGS84, datum)


def array(*geometries: shapely.Geometry) -> Geometries:
    return np.array(geometries, dtype=object)


def expected(datum: Datum) -> Datum | None:
    return None if datum == Datum.WGS84 else datum


def houses() -> Geometries:
    """25 houses, 5 by 5, on 400 m by 400 m."""
    return array(*(rectangle(80 * at + 30, 80 * row + 30, 20, 20) for at in range(5) for row in range(5)))


COMMUNITY = rectangle(0, 0, 400, 400)


@pytest.mark.parametrize("datum", Datum)
@pytest.mark.parametrize("city", ["wuhan", "shanghai"])
def test_real_footprints_are_judged_by_the_roads_around_them(geodata: Path, city: str, datum: Datum) -> None:
    reference = Reference(roads=layer(geodata, f"{city}_roads"))
    verdict = guess_datum(on(datum, layer(geodata, f"{city}_buildings")), reference)
    assert verdict.clearly_better == expected(datum)
    assert verdict.scores[datum] == max(verdict.scores.values())


@pytest.mark.parametrize("datum", Datum)
def test_wuhan_is_judged_by_the_street_network_as_well(geodata: Path, datum: Datum) -> None:
    streets = gpd.read_parquet(geodata / "streets" / "wuhan_8989" / "original.parquet").to_crs("EPSG:4326")
    reference = Reference(roads=np.asarray(streets.geometry.values, dtype=object))
    verdict = guess_datum(on(datum, layer(geodata, "wuhan_buildings")), reference)
    assert verdict.clearly_better == expected(datum)
    # Three of the 237 footprints cross a street where they really stand.
    assert verdict.evidence[Evidence.ROADS][datum] == pytest.approx(1 - 3 / 237, abs=1e-9)


@pytest.mark.parametrize("datum", Datum)
def test_new_footprints_and_points_are_judged_by_known_footprints(geodata: Path, datum: Datum) -> None:
    known = layer(geodata, "shanghai_buildings")
    reference = Reference(buildings=known[::2])
    for given in (known[::2], shapely.point_on_surface(known[::2])):
        assert guess_datum(on(datum, given), reference).clearly_better == expected(datum)


@pytest.mark.parametrize("datum", Datum)
def test_points_in_the_street_are_not_pulled_onto_buildings(geodata: Path, datum: Datum) -> None:
    roads = layer(geodata, "shanghai_roads")
    middles = shapely.line_interpolate_point(shapely.line_merge(roads), 0.5, normalized=True)
    reference = Reference(buildings=layer(geodata, "shanghai_buildings"))
    assert guess_datum(on(datum, middles), reference).clearly_better is None


@pytest.mark.parametrize("datum", Datum)
def test_houses_belong_inside_their_community(datum: Datum) -> None:
    verdict = guess_datum(on(datum, houses()), Reference(areas=array(COMMUNITY)))
    assert verdict.clearly_better == expected(datum)
    assert verdict.scores[datum] == 1
    assert verdict.judged == 25


def test_too_few_features_say_nothing() -> None:
    verdict = guess_datum(on(Datum.GCJ02, houses()[:9]), Reference(areas=array(COMMUNITY)))
    assert verdict.clearly_better is None
    assert verdict.judged == 9


def test_a_district_of_which_the_community_is_a_small_part_says_nothing() -> None:
    wide = array(*(rectangle(200 * at - 5000, 200 * row - 5000, 20, 20) for at in range(50) for row in range(50)))
    assert guess_datum(on(Datum.GCJ02, wide), Reference(areas=array(COMMUNITY))).clearly_better is None


def test_evidence_that_speaks_against_a_shift_outweighs_what_speaks_for_it() -> None:
    # The areas would have the houses moved, but they stand exactly on the known footprints.
    moved = on(Datum.GCJ02, array(COMMUNITY))
    wrong_area = datums.convert_geometries(array(COMMUNITY), Datum.GCJ02, Datum.WGS84)
    assert guess_datum(houses(), Reference(areas=wrong_area)).clearly_better == Datum.GCJ02
    assert guess_datum(houses(), Reference(areas=wrong_area, buildings=houses())).clearly_better is None
    assert guess_datum(houses(), Reference(areas=moved)).clearly_better is None


def test_nothing_known_and_nothing_usable_say_nothing() -> None:
    assert guess_datum(houses(), Reference()).clearly_better is None
    assert guess_datum(houses(), Reference()).scores == {}
    unusable = np.array([None, shapely.Point(), shapely.Point(np.nan, 1)] * 20, dtype=object)
    assert guess_datum(unusable, Reference(areas=array(COMMUNITY))).judged == 0


def test_abroad_there_is_nothing_to_guess() -> None:
    blocks = array(*(shapely.box(-71 + at / 1000, 42, -70.9995 + at / 1000, 42.0005) for at in range(30)))
    verdict = guess_datum(blocks, Reference(areas=array(shapely.box(-72, 41, -71.5, 42))))
    assert verdict.clearly_better is None


def test_a_large_file_is_sampled() -> None:
    many = np.repeat(houses(), 4000)
    assert guess_datum(on(Datum.BD09, many), Reference(areas=array(COMMUNITY))).judged == 2000


# What comes again, and what is built between


@pytest.mark.parametrize("datum", Datum)
@pytest.mark.parametrize("count", [1, 3, 25])
def test_an_outline_that_comes_again_tells_its_datum(datum: Datum, count: int) -> None:
    known = houses()[:count]
    verdict = guess_datum(on(datum, known), Reference(areas=array(COMMUNITY)), known)
    assert verdict.clearly_better == expected(datum)


def test_an_outline_that_is_redrawn_or_moved_by_other_means_says_nothing() -> None:
    known = array(COMMUNITY, rectangle(400, 0, 400, 400))
    for drawn in (
        array(rectangle(0, 0, 300, 400), rectangle(300, 0, 500, 400)),
        array(rectangle(450, -220, 400, 400), rectangle(850, -220, 400, 400)),
        array(known[1], known[0]),
    ):
        assert guess_datum(drawn, Reference(areas=known), known).clearly_better is None


@pytest.mark.parametrize("datum", Datum)
@pytest.mark.parametrize("every", [2, 10])
def test_new_buildings_between_known_ones_tell_their_datum(geodata: Path, datum: Datum, every: int) -> None:
    buildings = layer(geodata, "shanghai_buildings")
    # Parts of buildings lie on their buildings.
    one, other = shapely.STRtree(buildings).query(buildings, predicate="intersects")
    buildings = np.delete(buildings, np.unique(one[one != other]))
    new = buildings[every // 2 :: every]
    known = np.delete(buildings, np.s_[every // 2 :: every])
    verdict = guess_datum(on(datum, new), Reference(buildings=known), between=True)
    assert verdict.clearly_better == expected(datum)


def test_five_new_houses_on_known_ones_tell_their_datum_and_the_same_drawn_anew_do_not() -> None:
    known = array(*(rectangle(40 * at, 40 * row, 20, 20) for at in range(-30, 30) for row in range(-30, 30)))
    between = array(*(rectangle(40 * at + 22, 40 * at + 22, 16, 16) for at in range(5)))
    again = array(*(rectangle(40 * at + 2, 40 * at + 2, 20, 20) for at in range(5)))
    reference = Reference(buildings=known)
    assert guess_datum(between, reference, between=True).clearly_better is None
    assert guess_datum(again, reference, between=True).clearly_better is None
    assert guess_datum(on(Datum.GCJ02, between), reference, between=True).clearly_better == Datum.GCJ02
    assert guess_datum(on(Datum.GCJ02, between), reference).clearly_better is None
