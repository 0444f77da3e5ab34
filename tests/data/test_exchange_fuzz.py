"""Whatever a file holds, what comes of it is a frame or a sentence, soon and within memory.

``WANGGE_FUZZ`` says how many inputs are tried (150 by default, 2,000 before a release).
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from data.base import settings
from data.base.errors import Invalid
from data.files import confined
from data.files.reading import open_source

ROOT = Path(__file__).resolve().parent.parent.parent
NASTY = Path(os.environ.get("WANGGE_GEODATA") or ROOT.parent / "shared" / "geodata") / "nasty"
COUNT = int(os.environ.get("WANGGE_FUZZ", "150"))
SECONDS, MEGABYTES = 10, 500
EFFORT = settings_of_hypothesis(
    max_examples=max(1, COUNT // 3),
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader's own limits are those that are promised."""
    bounds = {"read_seconds": SECONDS, "read_memory_mb": MEGABYTES}
    monkeypatch.setattr(settings.get(), "__dict__", {**vars(settings.get()), **bounds})


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What is told of readings that broke down."""
    told: list[tuple[object, ...]] = []
    monkeypatch.setattr(confined.log, "warning", lambda *given: told.append(given))
    return told


def check(path: Path, broken: list[tuple[object, ...]]) -> None:
    """A frame whose parts fit, or a sentence; the reader was not broken, and nobody waited too long."""
    try:
        source = open_source(path)
    except Invalid as refusal:
        source, sentence = None, refusal.detail
    if source is None:
        assert sentence
        assert str(path.parent) not in sentence
    else:
        assert len(source.rows) == len(source.frame) == len(source.geometries)
    assert not broken, path.name


def nasty() -> list[Path]:
    """Real files that are hard to read, the smaller ones."""
    return sorted(path for path in NASTY.rglob("*") if path.is_file() and path.stat().st_size < 300_000)


def mutated(content: bytes, chance: random.Random) -> bytes:
    """A file with some of it changed, as a bad disk, a bad line or a bad person does."""
    changed = bytearray(content)
    for _change in range(chance.randint(1, 6)):
        at = chance.randrange(len(changed) or 1)
        size = chance.choice((1, 1, 2, 4, 16, 400))
        match chance.randrange(7):
            case 0:
                changed[at : at + size] = chance.randbytes(size)
            case 1:
                del changed[at : at + size]
            case 2:
                changed[at:at] = changed[at : at + size] * chance.randint(1, 50)
            case 3:
                changed[at : at + 4] = chance.choice(
                    (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\x80")
                )
            case 4:
                other = chance.randrange(len(changed) or 1)
                changed[at : at + size] = changed[other : other + size]
            case 5:
                changed[at : at + 1] = chance.choice(
                    (b'"', b"<", b">", b"{", b"]", b",", b"\n", b"\0", b"\xe6", b"-", b"e9")
                )
            case _:
                del changed[at:]
    return bytes(changed)


@pytest.mark.slow
@pytest.mark.skipif(not nasty(), reason="The real geodata is not there (WANGGE_GEODATA).")
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, broken: list[tuple[object, ...]]) -> None:
    files, chance = nasty(), random.Random(20260318)
    for number in range(COUNT // 3):
        path = chance.choice(files)
        folder = tmp_path / str(number)
        folder.mkdir()
        for part in {path, *path.parent.glob(f"{path.stem}.*")}:
            content = part.read_bytes() if part.is_file() else b""
            (folder / part.name).write_bytes(
                mutated(content, chance) if part == path or chance.random() < 0.3 else content
            )
        check(folder / path.name, broken)


WORDS = st.sampled_from(
    [
        "type",
        "Feature",
        "FeatureCollection",
        "features",
        "properties",
        "geometry",
        "coordinates",
        "Point",
        "Polygon",
        "MultiPolygon",
        "GeometryCollection",
        "geometries",
        "crs",
        "name",
        "id",
        "bbox",
        "TopoJSON",
        "楼栋",
        "lon",
        "lat",
    ]
)
"""What a GeoJSON document is made of."""
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)
MEMBERS = st.fixed_dictionaries(
    {"type": st.just("Feature") | VALUES},
    optional={
        "properties": VALUES,
        "geometry": VALUES | st.fixed_dictionaries({"type": WORDS, "coordinates": VALUES}),
        "id": VALUES,
    },
)
DOCUMENTS = VALUES | st.fixed_dictionaries(
    {"type": st.just("FeatureCollection"), "features": VALUES | st.lists(MEMBERS, max_size=5)}, optional={"crs": VALUES}
)


@pytest.mark.slow
@given(document=DOCUMENTS)
@EFFORT
def test_json_of_any_shape_is_read_or_refused(tmp_path: Path, broken: list[tuple[object, ...]], document: Any) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace").decode(), encoding="utf-8")
    check(path, broken)


TABLES = st.lists(
    st.lists(
        st.sampled_from(
            [
                "name",
                "lon",
                "lat",
                "121.5",
                "31.2",
                "",
                "WKT",
                "POINT (1 2)",
                "CIRCULARSTRING (0 0, 1 1, 2 0)",
                "=1+1",
                '"',
                "户号",
                "2026-03-17",
                "nan",
                "1e999",
                "\t",
                "0x1",
            ]
        )
        | st.text(max_size=6),
        max_size=5,
    ),
    max_size=6,
)


@pytest.mark.slow
@given(rows=TABLES, separator=st.sampled_from(",;\t|"), encoding=st.sampled_from(["utf-8", "gbk", "utf-16", "big5"]))
@EFFORT
def test_a_table_of_any_shape_is_read_or_refused(
    tmp_path: Path, broken: list[tuple[object, ...]], rows: list[list[str]], separator: str, encoding: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("\n".join(separator.join(row) for row in rows).encode(encoding, "replace"))
    check(path, broken)
