"""Coverages: random edits of squares and of real divisions keep them whole, and are undone to the last bit."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from spatial.coverages import checks, edits, handing, painting
from spatial.coverages.tiling import MM, OUTSIDE, Coverage, Edited, NotPossible, Reason, Why, laid
from spatial.partition.proposals import Weights

ROOT = Path(__file__).parents[2]
GEODATA = Path(os.environ.get("WANGGE_GEODATA") or ROOT.parent / "shared" / "geodata")
ROUNDING_M2 = 0.5


def squares(count: int = 3, side: float = 100.0) -> Coverage:
    """A square of squares, numbered from the south-west by rows."""
    return laid(
        {
            row * count + column: box(column * side, row * side, (column + 1) * side, (row + 1) * side)
            for row in range(count)
            for column in range(count)
        }
    ).coverage


def homes_in(coverage: Coverage, seed: int = 3, size: float = 6.0) -> np.ndarray:
    """Small square buildings on a lattice, as many as stand wholly in some area."""
    random = np.random.default_rng(seed)
    west, south, east, north = shapely.bounds(coverage.site)
    xs, ys = np.meshgrid(np.linspace(west, east, 14)[1:-1], np.linspace(south, north, 14)[1:-1])
    spots = np.column_stack([xs.ravel(), ys.ravel()]) + random.uniform(-2, 2, (xs.size, 2))
    found = shapely.box(spots[:, 0] - size, spots[:, 1] - size, spots[:, 0] + size, spots[:, 1] + size)
    whole = shapely.STRtree(coverage.polygons).query(found, predicate="covered_by")[0]
    return found[np.unique(whole)]


def corner(coverage: Coverage, seed: int) -> tuple[float, float]:
    """Some vertex."""
    corners = shapely.get_coordinates(coverage.polygons)
    x, y = corners[seed % len(corners)]
    return float(x), float(y)


def area(coverage: Coverage) -> float:
    return float(shapely.area(coverage.polygons).sum())


def assert_whole(before: Coverage, edited: Edited) -> None:
    """The coverage is valid, sums to its site, kept the locks, and what it says changed hands is what did."""
    after = edited.coverage
    assert after.is_valid()
    assert area(after) == pytest.approx(float(shapely.area(after.site)), abs=1e-3)
    gained = sum(piece.area_m2 for piece in edited.moved if piece.source == OUTSIDE)
    lost = sum(piece.area_m2 for piece in edited.moved if piece.target == OUTSIDE)
    rounding = max(ROUNDING_M2, 0.002 * float(shapely.length(after.site)))
    assert area(after) - area(before) == pytest.approx(gained - lost, abs=rounding)
    for key in before.locked:
        assert shapely.area(shapely.symmetric_difference(before.areas[key], after.areas[key])) < 0.05
    for key in {*before.areas, *after.areas}:
        said = sum(piece.area_m2 for piece in edited.moved if piece.target == key)
        said -= sum(piece.area_m2 for piece in edited.moved if piece.source == key)
        size = sum(
            sign * float(shapely.area(side.areas[key]))
            for side, sign in ((after, 1), (before, -1))
            if key in side.areas
        )
        rim = max(float(shapely.length(side.areas[key])) for side in (before, after) if key in side.areas)
        assert size == pytest.approx(said, abs=max(ROUNDING_M2, 0.005 * rim))


def some_edit(coverage: Coverage, homes: np.ndarray, kind: str, seed: int, far: float) -> Edited:
    """An edit of a kind, made up from a number."""
    random = np.random.default_rng(seed)
    key = coverage.keys[seed % len(coverage.keys)]
    middle = shapely.get_coordinates(shapely.point_on_surface(coverage.areas[key]))[0]
    edges = [edge for edge in coverage.edges([key]) if edge.left != OUTSIDE]
    if not edges or not len(homes):
        raise NotPossible(Reason.NO_EDGE, (key,))
    match kind:
        case "move":
            at = corner(coverage, seed)
            way = random.uniform(-far, far, 2)
            return edits.move_vertex(coverage, at, (at[0] + way[0], at[1] + way[1]), outer=bool(seed % 2))
        case "add":
            line = edges[seed % len(edges)].line
            spot = shapely.get_coordinates(shapely.line_interpolate_point(line, 0.37, normalized=True))[0]
            return edits.add_vertex(coverage, tuple(spot), tuple(spot + random.uniform(-far, far, 2) / 3))
        case "delete":
            return edits.delete_vertex(coverage, corner(coverage, seed))
        case "straighten":
            return edits.straighten(coverage, edges[seed % len(edges)])
        case "simplify":
            return edits.simplify(coverage, far / 20)
        case "split":
            angle = random.uniform(0, np.pi)
            way = np.array([np.cos(angle), np.sin(angle)]) * 1e5
            line = shapely.linestrings([middle - way, middle + way])
            return painting.split(coverage, key, line, max(coverage.keys) + 1)
        case "merge":
            edge = edges[seed % len(edges)]
            return painting.merge(coverage, [edge.left, edge.right], edge.right)
        case "close":
            return painting.close(coverage, key)
        case "draw":
            drawn = shapely.buffer(shapely.Point(middle + random.uniform(-far, far, 2)), far, quad_segs=2)
            return painting.draw(coverage, key, drawn, snap_m=far / 20)
        case "create":
            drawn = shapely.buffer(shapely.Point(middle), far / 2, quad_segs=2)
            return painting.draw(coverage, max(coverage.keys) + 1, drawn)
        case "hand over":
            return handing.hand_over(coverage, homes, [seed % len(homes)], key)
        case "contiguous":
            return handing.make_contiguous(coverage, key)
        case _:
            rim = shapely.buffer(coverage.site, random.uniform(-far, far) / 5, join_style="mitre")
            return painting.outline(coverage, rim)


def test_an_edge_is_laid_along_the_street_beside_it_and_no_further_away() -> None:
    before = squares()
    edge = next(edge for edge in before.edges() if {edge.left, edge.right} == {0, 1})
    street = shapely.LineString([(108, -50), (108, 30), (112, 60), (108, 250)])
    edited = edits.follow(before, edge, [street], 30.0)
    assert_whole(before, edited)
    (laid_edge,) = (one for one in edited.coverage.edges() if {one.left, one.right} == {0, 1})
    along = shapely.intersection(laid_edge.line, shapely.buffer(street, 0.01))
    assert shapely.length(along) > 0.7 * shapely.length(laid_edge.line)
    assert shapely.covers(laid_edge.line, shapely.Point(112, 60))
    with pytest.raises(NotPossible) as refused:
        edits.follow(before, edge, [shapely.LineString([(150, 0), (150, 100)])], 30.0)
    assert refused.value.reason is Reason.NO_EDGE


KINDS = ["move", "add", "delete", "straighten", "simplify", "split", "merge", "close", "draw", "create", "hand over"]
KINDS += ["contiguous", "outline"]
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 10_000)), min_size=1, max_size=8)


def drive(coverage: Coverage, steps: list[tuple[str, int]], far: float) -> int:
    """Edit again and again; then undo all, and be where it began. Tells how many edits were possible."""
    homes = homes_in(coverage, size=far / 10)
    states = [coverage]
    for kind, seed in steps:
        now = states[-1]
        try:
            edited = some_edit(now, homes, kind, seed, far)
        except NotPossible:
            continue
        assert_whole(now, edited)
        points = shapely.centroid(homes)
        held = handing.located(edited.coverage, points)
        assert (held[shapely.covers(edited.coverage.site, points)] != OUTSIDE).all()
        if kind == "hand over":
            key = now.keys[seed % len(now.keys)]
            chosen = seed % len(homes)
            assert held[chosen] == key or not shapely.covers(edited.coverage.site, points[chosen])
            assert not [fault for fault in checks.cut(edited.coverage, homes[[chosen]]) if key not in fault.keys]
        states.append(edited.coverage)
    back = states[-1]
    for before in reversed(states[:-1]):
        changed = {key for key in {*before.areas, *back.areas} if before.areas.get(key) != back.areas.get(key)}
        back = back.replaced({key: before.areas.get(key) for key in changed})
    assert set(back.areas) == set(coverage.areas)
    assert all(shapely.equals_exact(back.areas[key], geom, 0) for key, geom in coverage.areas.items())
    return len(states) - 1


@settings(deadline=None, max_examples=60)
@given(steps=STEPS, locked=st.sets(st.integers(0, 8), max_size=2))
def test_whatever_is_edited_the_squares_stay_a_coverage(steps: list[tuple[str, int]], locked: set[int]) -> None:
    plain = squares()
    drive(Coverage(plain.areas, frozenset(locked)), steps, 40.0)


def real(path: str, crs: str, wanted: int) -> Coverage:
    """A division as others drew it, with what is wrong in it mended."""
    rows = json.loads((GEODATA / path).read_text())["features"]
    to_metres = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform
    shapes = [shapely.make_valid(shapely.geometry.shape(row["geometry"])) for row in rows[:wanted]]
    return laid(
        {key: shapely.transform(geom, to_metres, interleaved=False) for key, geom in enumerate(shapes)}
    ).coverage


@pytest.mark.slow
@pytest.mark.skipif(not GEODATA.exists(), reason="The real geodata is not there (WANGGE_GEODATA).")
@pytest.mark.parametrize(
    ("path", "crs", "wanted", "far"),
    [
        ("admin_cn/taipei_villages.geojson", "EPSG:3826", 60, 150.0),
        ("incidents/boston_neighborhoods.geojson", "EPSG:32619", 8, 400.0),
    ],
)
def test_real_divisions_stay_coverages_too(path: str, crs: str, wanted: int, far: float) -> None:
    coverage = real(path, crs, wanted)
    assert coverage.is_valid()
    random = np.random.default_rng(7)
    possible = 0
    for _round in range(2):
        steps = [(str(random.choice(KINDS)), int(random.integers(10_000))) for _step in range(8)]
        possible += drive(coverage, steps, far)
    assert possible >= 8


def test_a_vertex_is_moved_on_both_sides_of_its_edge() -> None:
    edited = edits.add_vertex(squares(), (100, 50), (120, 50))
    assert [(piece.source, piece.target, piece.area_m2) for piece in edited.moved] == [(1, 0, pytest.approx(1000))]
    moved = edits.move_vertex(edited.coverage, (120, 50), (80, 50))
    assert [(piece.source, piece.target, piece.area_m2) for piece in moved.moved] == [(0, 1, pytest.approx(2000))]
    gone = edits.delete_vertex(moved.coverage, (80, 50))
    assert gone.coverage.areas == squares().areas
    assert not gone.beyond


def test_an_edge_that_would_cross_another_is_refused() -> None:
    with pytest.raises(NotPossible) as refused:
        edits.move_vertex(squares(), (100, 100), (250, 250))
    assert refused.value.reason is Reason.CROSSING


def test_the_outer_edge_moves_only_when_it_is_meant() -> None:
    with pytest.raises(NotPossible) as refused:
        edits.move_vertex(squares(), (0, 0), (-10, -10))
    assert refused.value.reason is Reason.OUTER_EDGE
    edited = edits.move_vertex(squares(), (0, 0), (-10, -10), outer=True)
    assert [(piece.source, piece.target) for piece in edited.moved] == [(OUTSIDE, 0)]


def test_an_end_on_the_rim_slides_along_it() -> None:
    coverage = squares()
    edge = next(edge for edge in coverage.edges([0, 1]) if (edge.left, edge.right) == (0, 1))
    edited = edits.slide(coverage, edge, (100, 0), (130, -20))
    assert [(piece.source, piece.target, piece.area_m2) for piece in edited.moved] == [(1, 0, pytest.approx(1500))]
    assert shapely.area(edited.coverage.site) == pytest.approx(90_000)


def test_locked_areas_bind_every_hand() -> None:
    coverage = Coverage(squares().areas, frozenset({4}))
    for edit in (
        lambda: edits.move_vertex(coverage, (100, 100), (110, 110)),
        lambda: painting.draw(coverage, 3, box(0, 90, 140, 210)),
        lambda: painting.merge(coverage, [3, 4], 3),
        lambda: painting.close(coverage, 4, 3),
        lambda: painting.split(coverage, 4, shapely.linestrings([(150, 0), (150, 300)]), 9),
    ):
        with pytest.raises(NotPossible) as refused:
            edit()
        assert refused.value.reason is Reason.LOCKED


def test_neighbours_give_way_and_take_the_rest_and_both_is_listed() -> None:
    edited = painting.draw(squares(), 4, box(120, 100, 220, 200))
    assert [(piece.source, piece.target, piece.why, piece.area_m2) for piece in edited.beyond] == [
        (4, 3, Why.TOOK_REST, pytest.approx(2000)),
        (5, 4, Why.GAVE_WAY, pytest.approx(2000)),
    ]


def test_a_split_that_cuts_nothing_is_refused() -> None:
    with pytest.raises(NotPossible) as refused:
        painting.split(squares(), 0, shapely.linestrings([(500, 500), (600, 600)]), 9)
    assert refused.value.reason in (Reason.NOT_CUT, Reason.NOTHING)
    halves = painting.split(squares(), 0, shapely.linestrings([(-10, 40), (110, 40)]), 9).coverage
    assert [shapely.area(halves.areas[key]) for key in (0, 9)] == [pytest.approx(6000), pytest.approx(4000)]


def test_a_building_takes_the_ground_around_it_along() -> None:
    homes = np.array([box(20, 20, 40, 40), box(70, 20, 90, 40), box(20, 70, 40, 90)], dtype=object)
    edited = handing.hand_over(squares(), homes, [1], 1)
    assert handing.located(edited.coverage, shapely.centroid(homes)).tolist() == [0, 1, 0]
    assert not checks.faults(edited.coverage, homes, least_compact=0)
    assert {piece.why for piece in edited.moved} == {Why.AROUND}


def test_what_is_cut_off_goes_to_the_neighbours() -> None:
    islands = laid(
        {
            0: shapely.union(box(0, 0, 100, 100), box(200, 0, 230, 100)),
            1: box(100, 0, 200, 100),
            2: box(230, 0, 300, 100),
        }
    )
    assert [fault.kind for fault in checks.faults(islands.coverage, least_compact=0)] == [checks.Kind.CONTIGUOUS]
    edited = handing.make_contiguous(islands.coverage, 0)
    assert [shapely.area(geom) for geom in edited.coverage.polygons] == [10_000, 13_000, 7_000]


def test_what_is_wrong_is_named_and_placed() -> None:
    coverage = squares()
    homes = np.array([box(90, 40, 110, 60), box(10, 10, 20, 20)], dtype=object)
    (cut,) = checks.cut(coverage, homes)
    assert (cut.keys, cut.building, cut.value) == ((0, 1), 0, pytest.approx(200))
    street = np.array([shapely.linestrings([(0, 50), (300, 50)])], dtype=object)
    crossed = [fault for fault in checks.faults(coverage, barriers=street) if fault.kind is checks.Kind.BARRIER]
    assert [fault.keys for fault in crossed] == [(0,), (1,), (2,)]
    within = painting.draw(coverage, 9, box(140, 140, 160, 160)).coverage
    assert [fault.keys for fault in checks.faults(within, least_compact=0)] == [(9, 4)]


def test_two_grids_are_balanced_as_well_as_can_be() -> None:
    coverage = laid({0: box(0, 0, 100, 100), 1: box(100, 0, 400, 100)}).coverage
    homes = np.array([box(x, 40, x + 20, 60) for x in range(15, 400, 50)], dtype=object)
    lived = np.full(len(homes), 10)
    edited = handing.balance(
        coverage,
        [0, 1],
        handing.Homes(homes, lived, lived, lived * 0),
        least=0,
        most=80,
        weights=Weights(households=1, compactness=0.01),
    )
    held = handing.located(edited.coverage, shapely.centroid(homes))
    assert np.bincount(held).tolist() == [4, 4]
    assert edited.coverage.is_valid()


def test_a_dirty_division_is_mended_and_says_so() -> None:
    crossed = [box(0, 0, 100, 100), box(100.3, 0, 200, 100), box(50, 99.5, 150, 200), box(0, -50, 200, 0)]
    mended = laid(dict(enumerate(crossed)))
    assert mended.coverage.is_valid()
    assert {piece.why for piece in mended.moved} == {Why.MENDED}
    assert sum(piece.area_m2 for piece in mended.moved if piece.source == OUTSIDE) == pytest.approx(29.85)


def test_vertices_lie_on_whole_millimetres() -> None:
    edited = painting.split(squares(), 4, shapely.linestrings([(0, 111.11111), (300, 177.77777)]), 9)
    corners = shapely.get_coordinates(edited.coverage.polygons)
    assert np.abs(corners / MM - np.round(corners / MM)).max() < 1e-6
