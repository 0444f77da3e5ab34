"""Coverage: analytic answers, Monte Carlo, shapely and geopandas as oracles, and what must never happen."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spatial.coverage import BINS, CONFIDENCE, Places, Tracks, observe, poor_radius, seen_radius

SPREAD = 1 / np.sqrt(-2 * np.log(1 - 0.68))


def one(track: Tracks, *geometries: shapely.Geometry, distance_m: float = 25.0) -> pd.DataFrame:
    """What one track saw of places, a row each, nothing where it saw nothing."""
    found = observe(track, Places(np.array(geometries, dtype=object)), distance_m)
    assert (found["track"] == 0).all()
    return found.set_index("place").reindex(range(len(geometries)), fill_value=0)


def straight(length: float = 100, accuracy_m: float = 0, count: int = 11) -> Tracks:
    """A walk along the x axis."""
    return Tracks.of(np.zeros(count), np.linspace(0, length, count), np.zeros(count), accuracy_m)


# ---- the model -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accuracy_m", [0.5, 2, 5, 8, 12, 16])
@pytest.mark.parametrize("distance_m", [15, 25, 50])
def test_the_radii_are_those_of_monte_carlo(accuracy_m: float, distance_m: float) -> None:
    chance = np.random.default_rng(11)
    errors = chance.normal(0, accuracy_m * SPREAD, (200_000, 2))
    for radius, wanted in (
        (seen_radius([accuracy_m], distance_m)[0], CONFIDENCE),
        (poor_radius([accuracy_m], distance_m)[0], 1 - CONFIDENCE),
    ):
        hits = np.hypot(errors[:, 0] - max(radius, 0), errors[:, 1]) <= distance_m
        if radius < 0:
            assert hits.mean() < wanted
        elif radius > accuracy_m:
            assert hits.mean() == pytest.approx(wanted, abs=0.004)


def test_a_perfect_fix_sees_exactly_the_distance() -> None:
    assert seen_radius([0.0]).tolist() == poor_radius([0.0]).tolist() == [25.0]


def test_a_worse_fix_sees_less_and_leaves_more_open() -> None:
    accuracy = np.linspace(0, 100, 2001)
    seen, poor = seen_radius(accuracy), poor_radius(accuracy)
    assert (np.diff(seen) <= 0).all()
    assert (seen <= 25).all()
    assert (poor >= 25).all()
    assert (seen[accuracy > 18] == -1).all()
    # Continuous where the formula changes from the normal to the Rice distribution.
    assert np.abs(np.diff(seen[accuracy < 15])).max() < 0.1


def test_a_track_past_a_building_at_twenty_metres_sees_it_and_at_thirty_does_not() -> None:
    near, far = shapely.box(40, 20, 60, 30), shapely.box(40, 30, 60, 40)
    found = one(straight(), near, far)
    assert found["seen_share"].tolist() == [1, 0]
    assert found["poor_share"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("accuracy_m", "at_20", "at_30"),
    [(1, "seen", "not"), (4, "seen", "not"), (8, "poor", "poor"), (30, "poor", "poor")],
)
def test_accuracy_decides_what_twenty_and_thirty_metres_mean(accuracy_m: float, at_20: str, at_30: str) -> None:
    found = one(straight(accuracy_m=accuracy_m), shapely.Point(50, 20), shapely.Point(50, 30))
    told = ["seen" if row.seen_share else "poor" if row.poor_share else "not" for row in found.itertuples()]
    assert told == [at_20, at_30]


def test_a_street_is_seen_by_the_share_of_its_length() -> None:
    # 20 m beside the track; its disc reaches sqrt(25² - 20²) = 15 m beyond each end.
    street = shapely.LineString([(-50, 20), (150, 20)])
    found = one(straight(), street)
    assert found["seen_share"][0] == pytest.approx((100 + 2 * 15) / 200)
    mask = int(found["seen"][0])
    assert [bit for bit in range(BINS) if mask >> bit & 1] == list(range(9, 41))


def test_a_gap_between_parts_is_not_walked() -> None:
    track = Tracks.of(np.zeros(4), [0, 10, 300, 310], [0, 0, 0, 0], part=[0, 0, 1, 1])
    found = one(track, shapely.Point(150, 0), shapely.Point(5, 0), shapely.Point(305, 0))
    assert found["seen_share"].tolist() == [0, 1, 1]


def test_a_long_leg_in_much_time_may_have_led_anywhere_nearby() -> None:
    quick = Tracks.of([0, 0], [0, 100], [0, 0], 3, t=[0, 100 / 1.4])
    slow = Tracks.of([0, 0], [0, 100], [0, 0], 3, t=[0, 110])
    place = shapely.Point(50, 60)
    assert one(quick, place)["poor_share"].tolist() == [0]
    # Half the width of the prism is sqrt((1.4 · 110)² - 100²) / 2 = 58.6 m.
    assert one(slow, place)["poor_share"].tolist() == [1]
    assert one(slow, shapely.Point(50, 10))["seen_share"].tolist() == [0]
    assert one(slow, shapely.Point(0, 10))["seen_share"].tolist() == [1]


def test_somebody_in_the_middle_of_a_large_building_sees_it() -> None:
    hall, with_court = (
        shapely.box(-500, -500, 500, 500),
        shapely.box(-500, -500, 500, 500) - shapely.box(-90, -90, 190, 90),
    )
    found = one(straight(), hall, with_court)
    assert found["seen_share"].tolist() == [1, 0]


def test_the_last_point_by_which_something_was_seen_is_told() -> None:
    found = one(straight(), shapely.Point(0, 0), shapely.Point(50, 0))
    assert found["seen_last"].tolist() == [3, 8]


def test_empty_and_missing_places_are_never_seen() -> None:
    places = Places(np.array([None, shapely.Point(), shapely.Polygon(), shapely.Point(5, 5)], dtype=object))
    assert observe(straight(), places)["place"].tolist() == [3]
    assert observe(straight(), Places(np.empty(0, dtype=object))).empty
    assert observe(Tracks.of([], [], []), places).empty


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"track": [1, 0], "x": [0, 0], "y": [0, 0]}, "track by track"),
        ({"track": [0], "x": [np.nan], "y": [0]}, "finite"),
        ({"track": [0], "x": [0], "y": [0], "accuracy_m": -1}, "finite"),
        ({"track": [0], "x": [0], "y": [0], "t": [0, 1]}, "time"),
    ],
)
def test_tracks_that_are_none_are_refused(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Tracks.of(**values)  # type: ignore[arg-type]


def test_a_distance_or_confidence_that_is_none_is_refused() -> None:
    places = Places(np.array([shapely.Point(0, 0)], dtype=object))
    for distance_m, confidence in ((0, 0.9), (-1, 0.9), (25, 0.4), (25, 1)):
        with pytest.raises(ValueError, match="distance_m"):
            observe(straight(), places, distance_m, confidence)


# ---- oracles -------------------------------------------------------------------------------------------------------


def random_city(chance: np.random.Generator, size: float = 400) -> NDArray[np.object_]:
    """Lines, polygons and points."""
    lines = [shapely.LineString(chance.uniform(0, size, (int(chance.integers(2, 6)), 2))) for _line in range(30)]
    several = [
        shapely.MultiLineString([line.coords, other.coords]) for line, other in zip(lines[:5], lines[5:10], strict=True)
    ]
    boxes = [shapely.box(x, y, x + w, y + h) for x, y, w, h in chance.uniform(1, size, (20, 4)) * (1, 1, 0.3, 0.3)]
    points = [shapely.Point(place) for place in chance.uniform(0, size, (20, 2))]
    return np.array([*lines, *several, *boxes, *points], dtype=object)


@pytest.mark.parametrize("seed", range(12))
def test_with_perfect_accuracy_it_is_what_shapely_says(seed: int) -> None:
    chance = np.random.default_rng(seed)
    places = random_city(chance)
    count = 30
    xy = np.cumsum(chance.normal(0, 22, (count, 2)), axis=0) + 200
    part = np.sort(chance.integers(0, 3, count))
    found = observe(Tracks.of(np.zeros(count), *xy.T, part=part), Places(places)).set_index("place")
    ways = [xy[part == number] for number in np.unique(part)]
    way = shapely.union_all([shapely.LineString(one) if len(one) > 1 else shapely.Point(one[0]) for one in ways])
    around = shapely.buffer(way, 25, quad_segs=400)
    for at, place in enumerate(places):
        share = found["seen_share"].get(at, 0.0)
        if place.length and shapely.get_dimensions(place) == 1:
            assert share == pytest.approx(shapely.intersection(place, around).length / place.length, abs=1e-4)
            mask = int(found["seen"].get(at, 0))
            assert mask.bit_count() / BINS == pytest.approx(share, abs=0.12)
        else:
            assert bool(share) == (way.distance(place) <= 25)


def test_it_is_what_a_buffer_join_of_geopandas_says() -> None:
    chance = np.random.default_rng(3)
    streets = gpd.GeoDataFrame(geometry=random_city(chance, 1500))
    count, points = 40, 50
    xy = np.cumsum(chance.normal(0, 8, (count, points, 2)), axis=1) + chance.uniform(0, 1500, (count, 1, 2))
    track = np.repeat(np.arange(count), points)
    x, y = xy.reshape(-1, 2).T
    found = observe(Tracks.of(track, x, y), Places(streets.geometry.to_numpy()))
    lines = gpd.GeoDataFrame(geometry=shapely.linestrings(np.column_stack((x, y)), indices=track)).buffer(
        25, quad_segs=300
    )
    joined = streets.sjoin(gpd.GeoDataFrame(geometry=lines), predicate="intersects")
    assert set(zip(found["track"], found["place"], strict=True)) == set(
        zip(joined["index_right"], joined.index, strict=True)
    )


def test_many_tracks_at_once_are_what_each_is_alone() -> None:
    chance = np.random.default_rng(4)
    places = Places(random_city(chance))
    count, points = 25, 40
    xy = np.cumsum(chance.normal(0, 9, (count, points, 2)), axis=1) + chance.uniform(0, 400, (count, 1, 2))
    accuracy = chance.uniform(0, 60, (count, points))
    t = np.cumsum(chance.uniform(1, 20, (count, points)), axis=1)
    part = np.sort(chance.integers(0, 3, (count, points)), axis=1)
    together = observe(
        Tracks.of(np.repeat(np.arange(count), points), *xy.reshape(-1, 2).T, accuracy.ravel(), part.ravel(), t.ravel()),
        places,
    )
    for number in range(count):
        alone = observe(Tracks.of(np.zeros(points), *xy[number].T, accuracy[number], part[number], t[number]), places)
        mine = together[together["track"] == number]
        for column in ("place", "seen_share", "poor_share", "seen", "poor"):
            assert mine[column].to_numpy() == pytest.approx(alone[column].to_numpy())


# ---- invariants ----------------------------------------------------------------------------------------------------

POINT = st.tuples(st.floats(0, 300), st.floats(0, 300), st.floats(0, 80))
CITY = random_city(np.random.default_rng(9), 300)


def seen_of(points: list[tuple[float, float, float]], part: list[int]) -> dict[int, tuple[int, int, float, float]]:
    x, y, accuracy = np.array(points, dtype=np.float64).T
    found = observe(Tracks.of(np.zeros(len(points)), x, y, accuracy, part), Places(CITY))
    return {row.place: (row.seen, row.poor, row.seen_share, row.poor_share) for row in found.itertuples()}


@settings(max_examples=60, deadline=None)
@given(points=st.lists(POINT, min_size=1, max_size=12), more=st.lists(POINT, min_size=1, max_size=6))
def test_walking_on_never_turns_seen_into_not_seen(
    points: list[tuple[float, float, float]], more: list[tuple[float, float, float]]
) -> None:
    before = seen_of(points, [0] * len(points))
    after = seen_of(points + more, [0] * len(points + more))
    for place, (seen, poor, seen_share, poor_share) in before.items():
        assert seen & ~after[place][0] == 0
        assert poor & ~after[place][1] == 0
        assert seen_share <= after[place][2] + 1e-9
        assert poor_share <= after[place][3] + 1e-9


@settings(max_examples=60, deadline=None)
@given(points=st.lists(POINT, min_size=1, max_size=12))
def test_what_is_seen_may_have_been_seen_and_a_better_receiver_sees_no_less(
    points: list[tuple[float, float, float]],
) -> None:
    rough = seen_of(points, [0] * len(points))
    fine = seen_of([(x, y, accuracy / 2) for x, y, accuracy in points], [0] * len(points))
    for place, (seen, poor, seen_share, poor_share) in rough.items():
        assert seen & ~poor == 0
        assert seen_share <= poor_share + 1e-9
        assert not seen or seen & ~fine[place][0] == 0


@settings(max_examples=40, deadline=None)
@given(points=st.lists(POINT, min_size=2, max_size=10), dx=st.floats(-1e6, 1e6), dy=st.floats(-4e6, 4e6))
def test_where_the_city_lies_does_not_matter(points: list[tuple[float, float, float]], dx: float, dy: float) -> None:
    x, y, accuracy = np.array(points, dtype=np.float64).T
    here = observe(Tracks.of(np.zeros(len(x)), x, y, accuracy), Places(CITY))
    moved = shapely.transform(CITY, lambda xy: xy + np.array([dx, dy]))
    there = observe(Tracks.of(np.zeros(len(x)), x + dx, y + dy, accuracy), Places(moved))
    shares = [frame.set_index("place")["poor_share"].reindex(range(len(CITY)), fill_value=0) for frame in (here, there)]
    assert shares[0].to_numpy() == pytest.approx(shares[1].to_numpy(), abs=1e-4)
