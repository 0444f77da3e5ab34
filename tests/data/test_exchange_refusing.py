"""Refusing is work like reading: what is done for a row does not grow with the rows, nor with how many are refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from data.base import access
from data.base.errors import Invalid
from data.exchange import importing
from data.exchange.importing import buildings
from data.files import columns, places, reading, tables, values
from data.files.values import Reading, Type
from tests.city import City

#: How much more the double may take, and how much more refusing than reading.
DOUBLE, REFUSED = 2.4, 3.0


def work(task: Callable[[], Any]) -> int:
    """How many functions are called until a task is done, those written in C included."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        task()
    except Invalid:
        pass
    finally:
        sys.setprofile(None)
    return calls


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str, str], int]:
    """The work of reading a file, in this process."""
    rooms: Iterator[int] = iter(range(1000))

    def measure(name: str, content: str) -> int:
        room = tmp_path / str(next(rooms))
        room.mkdir()
        (room / name).write_text(content)
        return work(lambda: reading.read_source(room / name, room))

    return measure


def table(row: str, count: int) -> str:
    """A table of places, its last one sound, so that the file is not refused as a whole."""
    rows = [row.format(at=at) for at in range(count)]
    return "\n".join(["name,lon,lat", *rows, "ok,121.5,31.2"])


def collection(geometry: Callable[[int], Any], count: int) -> str:
    """A collection of features, its last one sound."""
    shapes = [geometry(at) for at in range(count)] + [{"type": "Point", "coordinates": [121.5, 31.2]}]
    features = [{"type": "Feature", "properties": {"name": str(at)}, "geometry": one} for at, one in enumerate(shapes)]
    return json.dumps({"type": "FeatureCollection", "features": features})


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("b{at},121.5,31.2", "b{at},12x{at},31.2"),
        ("b{at},121.5,31.2", "b{at},121.5,95.{at}"),
        ("b{at},121.5,31.2", "b{at},121.5,"),
        ("b{at},121.5,31.2", "b{at},121.5,31.2\nc{at},1,2,3,4"),
    ],
)
def test_refusing_rows_of_a_table_is_linear(read: Callable[[str, str], int], good: str, bad: str) -> None:
    once, twice = (read("a.csv", table(bad, count)) for count in (400, 800))
    assert twice < DOUBLE * once
    # Each refused row is written a sentence, which a good row is not.
    assert twice - once < 400 * 60
    assert read("a.csv", table(good, 400)) < once


@pytest.mark.parametrize(
    "bad",
    [
        lambda at: {"type": "Polygon", "coordinates": [[[121.5, 31.2], [121.51, 31.2], [121.5, 31.21 + at / 1e6]]]},
        lambda at: {"type": "Point", "coordinates": [121.5, 91 + at / 1e6]},
        lambda at: {"type": "Pint", "coordinates": [121.5, at]},
        lambda at: [at],
    ],
)
def test_refusing_features_is_as_much_work_as_reading_them(
    read: Callable[[str, str], int], bad: Callable[[int], Any]
) -> None:
    once, twice = (read("a.geojson", collection(bad, count)) for count in (400, 800))
    assert twice < DOUBLE * once

    def good(at: int) -> Any:
        ring = [[121.5, 31.2], [121.51, 31.2], [121.5, 31.21 + at / 1e6], [121.5, 31.2]]
        return {"type": "Polygon", "coordinates": [ring]}

    reading_them = read("a.geojson", collection(good, 800)) - read("a.geojson", collection(good, 400))
    assert twice - once < REFUSED * reading_them


def test_a_system_is_named_once_and_not_for_each_place_outside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    named = places._name
    asked: list[Any] = []
    monkeypatch.setattr(places, "_name", lambda system: asked.append(system) or named(system))
    shapes = shapely.points(np.column_stack([np.full(300, 121.5), np.repeat([31.2, 95.0], 150)]))
    placed = places.place(
        shapes, given=None, stated=places.parse_crs("EPSG:4490"), fixed=False, named=None, loose=False
    )
    assert len(placed.faults) == 150
    assert len(asked) < 6


def test_a_row_of_very_many_cells_is_no_more_work_than_its_cells(tmp_path: Path) -> None:
    def wide(count: int) -> int:
        path = tmp_path / f"{count}.csv"
        path.write_text("name,lon,lat\nok,121.5,31.2\n" * 2 + ",".join("x" * count) + "\n")
        return work(lambda: tables.read_csv(path))

    assert wide(40_000) < DOUBLE * wide(20_000)
    names = tables._names(["a", None, "a", "a (2)", "a", *[None] * 3000])
    assert names[:5] == ["a", "#2", "a (2)", "a (2) (2)", "a (3)"]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("kind", ["residents", "households", "incidents", "buildings"])
def test_refusing_cells_of_every_type_is_linear(kind: str) -> None:
    """Each cell is wrong in a way of its own, so that nothing is known from the row before."""
    one_of_each = columns.fields(kind)

    def refuse(count: int) -> int:
        frame = pd.DataFrame({one.name: [f"{one.name}乱{at}x" for at in range(count)] for one in one_of_each})
        mapping = {one.name: one.name for one in one_of_each}
        return work(lambda: columns.read_rows(kind, frame, np.arange(count), mapping))

    refuse(20)  # what is made once
    once, twice = refuse(150), refuse(300)
    assert twice < DOUBLE * once
    assert (twice - once) / 150 / len(one_of_each) < 100


@pytest.mark.parametrize("kind", ["buildings", "grids"])
def test_refusing_shapes_of_the_wrong_kind_is_as_much_work_as_bringing_in_the_right(
    session: Session, tmp_path: Path, kind: str
) -> None:
    city = City.make(session, "310102001001")

    def bring(count: int, *, lines: bool) -> int:
        path = tmp_path / f"{count}{lines}.geojson"
        west = 121.5
        corners = [
            [[west + at / 1e4, 31.2], [west + at / 1e4 + 5e-5, 31.2], [west + at / 1e4, 31.2001]] for at in range(count)
        ]
        features = [
            {
                "type": "Feature",
                "properties": {"name": f"n{at}"},
                "geometry": {"type": "LineString", "coordinates": ring}
                if lines
                else {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
            }
            for at, ring in enumerate(corners)
        ]
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        opened = importing.inspect(path, kind)
        return work(
            lambda: importing.bring(
                session, access.SYSTEM, opened, city.community, dry_run=True, rejects_path=tmp_path / "rejects"
            )
        )

    bring(10, lines=True)
    once, twice = bring(100, lines=True), bring(200, lines=True)
    assert twice < DOUBLE * once
    assert (twice - once) / 100 < 250


CELLS = st.text("0123456789AZaz-路弄号室无*=' .\u3000E+/、", max_size=14) | st.sampled_from(
    ["2026-03-18", "3月2日", "9.9E+17", "13812346021", "1381234602", "1001.0", "无", "nan", "锦绣路12弄3号501室", "=1"]
)


@given(cell=CELLS, type_=st.sampled_from([Type.KEY, Type.PHONE, Type.ADDRESS]), sensitive=st.booleans())
def test_what_is_told_at_a_glance_is_what_reading_it_gives(cell: str, type_: Type, sensitive: bool) -> None:
    how = Reading(label="x", type=type_, sensitive=sensitive)
    if values._ORDINARY[type_](cell):
        assert values._value(cell, values._parser([cell], how), how) == cell


@pytest.mark.parametrize(
    ("kinds", "left"),
    [
        (["residential", "commercial", "apartments"], []),
        (["apartments", "house", "residential", "yes", "grass"], [4]),
        (["grass", "residential", "park"], [0, 1, 2]),
        (["绿地", "住宅用地", "住宅"], [0, 1]),
        (["Water", None, "house"], [0]),
        (["footway", "pedestrian"], [0, 1]),
        ([None, None], []),
    ],
)
def test_land_use_is_no_building(kinds: list[str | None], left: list[int]) -> None:
    rows = [{"kind": kind, "name": "a"} for kind in kinds]
    assert np.flatnonzero(buildings._of_ground(rows, ["kind"])).tolist() == left
