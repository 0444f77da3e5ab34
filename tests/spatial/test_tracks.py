"""Cleaning of tracks: every kind of nonsense is named, and an honest walk is left alone."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import Transformer

from spatial.tracks import Limits, Reason, clean

Floats = NDArray[np.float64]
NOTHING = st.just(float("nan"))


def walk(count: int = 120, step_s: float = 2.0, seed: int = 1, pace: float = 1.3) -> tuple[Floats, Floats, Floats]:
    """A winding walk with a receiver's wandering error."""
    chance = np.random.default_rng(seed)
    heading = np.cumsum(chance.normal(0, 0.15, count))
    x, y = np.cumsum(pace * step_s * np.cos(heading)), np.cumsum(pace * step_s * np.sin(heading))
    error = np.zeros((2, count))
    for at in range(1, count):
        error[:, at] = 0.95 * error[:, at - 1] + chance.normal(0, 0.6, 2)
    return x + error[0], y + error[1], np.arange(count) * step_s


def test_an_honest_walk_is_kept_whole() -> None:
    for seed in range(20):
        x, y, t = walk(seed=seed)
        found = clean(x, y, t, np.full(len(x), 5.0))
        assert found.kept.all(), found.counts()
        assert set(found.parts) == {0}


def test_a_cyclist_is_kept_and_a_car_is_not() -> None:
    x, y, t = walk(pace=6.5)
    assert clean(x, y, t).kept.all()
    x, y, t = walk(pace=14)
    found = clean(x, y, t)
    assert found.counts() == {Reason.TOO_FAST: len(x)}


def test_a_ride_within_a_walk_is_cut_out_and_the_rest_falls_in_two_parts() -> None:
    x, y, t = walk(200)
    ride = np.zeros(200)
    ride[80:120] = 30.0
    found = clean(x + np.cumsum(ride), y, t)
    dropped = np.flatnonzero(found.reasons == Reason.TOO_FAST)
    assert set(range(85, 115)) <= set(dropped)
    assert dropped.min() >= 70
    assert dropped.max() <= 130
    assert found.parts[10] == 0
    assert found.parts[190] == 1


def test_a_ride_recorded_once_a_minute_is_too_fast() -> None:
    found = clean(np.arange(20) * 900.0, np.zeros(20), np.arange(20) * 60.0)
    assert found.reasons[5] == Reason.TOO_FAST
    assert found.kept.sum() < 3


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_jump_there_and_back_is_dropped_and_nothing_else(size: int) -> None:
    x, y, t = walk()
    x[50 : 50 + size] += 300
    found = clean(x, y, t)
    assert np.flatnonzero(~found.kept).tolist() == list(range(50, 50 + size))
    assert set(found.counts()) <= {Reason.JUMP, Reason.SUDDEN}
    assert set(found.parts[found.kept]) == {0}


def test_a_cold_start_far_away_is_dropped() -> None:
    x, y, t = walk()
    x[0] -= 800
    found = clean(x, y, t)
    assert np.flatnonzero(~found.kept).tolist() == [0]


def test_a_turn_that_nobody_makes_is_sudden() -> None:
    # 4.9 m off the straight way and back within two times half a second: 4.9 - 2 > 3 · ½ · ½ / 2.
    x, y, t = np.arange(40) * 0.7, np.zeros(40), np.arange(40) * 0.5
    y[20] = 4.9
    found = clean(x + np.random.default_rng(1).normal(0, 0.05, 40), y, t, np.full(40, 1.0))
    assert np.flatnonzero(~found.kept).tolist() == [20]
    assert found.reasons[20] == Reason.SUDDEN


def test_a_poor_accuracy_excuses_what_a_good_one_does_not() -> None:
    x, y, t = walk()
    x[50] += 60
    assert not clean(x, y, t, np.full(len(x), 4.0)).kept[50]
    assert clean(x, y, t, np.where(np.arange(len(x)) == 50, 80.0, 4.0)).kept[50]


def test_two_walks_in_one_are_two_parts_of_which_none_is_dropped() -> None:
    x, y, t = walk()
    x[60:] += 2000
    found = clean(x, y, t)
    assert found.kept.all()
    assert found.parts.tolist() == [0] * 60 + [1] * 60


def test_a_long_gap_begins_another_part() -> None:
    x, y, t = walk()
    t[60:] += Limits().gap_s
    assert clean(x, y, t).parts.tolist() == [0] * 60 + [1] * 60


def test_segments_are_never_joined() -> None:
    x, y, t = walk()
    found = clean(x, y, t, segment=np.arange(120) // 40)
    assert found.parts.tolist() == [0] * 40 + [1] * 40 + [2] * 40


def test_drift_of_somebody_who_stands_is_dropped_but_for_its_ends() -> None:
    x, y, t = walk(100)
    chance = np.random.default_rng(2)
    rest = np.arange(60)
    x = np.concatenate((x[:50], x[50] + chance.normal(0, 1, 60), x[50:]))
    y = np.concatenate((y[:50], y[50] + chance.normal(0, 1, 60), y[50:]))
    t = np.concatenate((t[:50], t[50] + 2.0 * rest, t[50:] + 2.0 * 60))
    found = clean(x, y, t, np.full(160, 5.0))
    assert set(found.counts()) == {Reason.STANDING}
    assert 45 <= found.counts()[Reason.STANDING] <= 70
    assert found.parts[0] == 0
    assert found.parts[-1] == 1


def test_times_that_cannot_be_are_named_and_without_any_the_track_has_none() -> None:
    x, y, t = walk(10)
    t[3], t[4] = np.nan, -2e9
    found = clean(x, y, t, earliest=0)
    assert [found.reasons[at] for at in (3, 4)] == [Reason.NO_TIME] * 2
    assert found.timed
    old = clean(x, y, t - 2e9, earliest=0)
    assert not old.timed
    assert old.kept.all()


def test_one_wild_time_costs_one_point() -> None:
    x, y, t = walk(50)
    t[10] += 10_000
    found = clean(x, y, t)
    assert np.flatnonzero(~found.kept).tolist() == [10]
    assert found.reasons[10] == Reason.BACKWARDS


def test_repeated_times_keep_the_first() -> None:
    x, y, t = walk(10)
    t[5] = t[4]
    assert clean(x, y, t).reasons[5] == Reason.REPEATED


def test_what_is_nowhere_is_undefined() -> None:
    x, y, t = walk(10)
    x[2], y[3] = np.nan, np.inf
    assert np.flatnonzero(clean(x, y, t).reasons == Reason.UNDEFINED).tolist() == [2, 3]


def test_what_the_receiver_doubts_itself_is_inaccurate_and_accuracy_zero_is_mocked() -> None:
    x, y, t = walk(10)
    accuracy = np.full(10, 5.0)
    accuracy[2], accuracy[3], accuracy[4] = 500, 0, -1
    found = clean(x, y, t, accuracy)
    assert [found.reasons[at] for at in (2, 3, 4)] == [Reason.INACCURATE, Reason.MOCK, None]


def test_motion_more_regular_than_a_receiver_is_mocked() -> None:
    steady = np.arange(60) * 1.4
    found = clean(steady, steady / 2, np.arange(60.0), np.full(60, 5.0))
    assert found.counts() == {Reason.MOCK: 60}
    # Standing perfectly still is what many receivers report; it is not motion.
    assert Reason.MOCK not in clean(np.zeros(60), np.zeros(60), np.arange(60.0), np.full(60, 5.0)).counts()


def test_real_tracks_are_not_taken_for_mocked(geodata: Path) -> None:
    for path in sorted((geodata / "tracks").rglob("*.gpx")):
        # Our own test data of known origin: no need for the safe reader of `data`.
        for track in ElementTree.parse(path).getroot().iter():
            points = [point for point in track.iter() if point.tag.endswith("trkpt")]
            if not track.tag.endswith("trk") or len(points) < 30 or points[0].get("lat") == "undefined":
                continue
            lon, lat = (np.array([float(point.get(name, "nan")) for point in points]) for name in ("lon", "lat"))
            x, y = Transformer.from_crs(4326, 3857, always_xy=True).transform(lon, lat)
            # One point a second: the speed is wrong, the steps are as recorded.
            counts = clean(x / 10, y / 10, np.arange(len(x)) * 1.0).counts()
            assert Reason.MOCK not in counts, path.name


def test_spikes_of_a_track_without_times_are_dropped() -> None:
    x = np.arange(30) * 20.0
    y = np.zeros(30)
    y[12] = 400
    found = clean(x, y)
    assert np.flatnonzero(~found.kept).tolist() == [12]
    assert not found.timed


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        clean([0, 1], [0])


def test_no_points_are_no_track() -> None:
    found = clean([], [], [])
    assert (len(found.kept), found.timed) == (0, False)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(-1e4, 1e4) | NOTHING,
            st.floats(-1e4, 1e4),
            st.floats(0, 2000) | NOTHING,
            st.floats(0, 150) | NOTHING,
            st.integers(0, 3),
        ),
        max_size=60,
    )
)
def test_whatever_comes_every_point_is_kept_or_has_a_reason(
    points: list[tuple[float, float, float, float, int]],
) -> None:
    columns = [np.array(column) for column in zip(*points, strict=True)] or [np.empty(0)] * 5
    x, y, t, accuracy, segment = columns
    found = clean(x, y, t, accuracy, np.sort(segment.astype(np.int64)))
    assert found.kept.tolist() == [reason is None for reason in found.reasons]
    assert found.kept.tolist() == (found.parts >= 0).tolist()
    kept = np.flatnonzero(found.kept)
    assert (np.diff(found.parts[kept]) >= 0).all()
    if found.timed:
        assert (np.diff(t[kept]) > 0).all()
        joined = np.diff(found.parts[kept]) == 0
        assert (np.diff(t[kept])[joined] <= Limits().gap_s).all()
    # What was cleaned is clean: a second time nothing impossible is found.
    again = clean(x[kept], y[kept], t[kept], accuracy[kept], np.sort(segment.astype(np.int64))[kept])
    assert not set(again.counts()) & {Reason.UNDEFINED, Reason.INACCURATE, Reason.NO_TIME, Reason.BACKWARDS}
