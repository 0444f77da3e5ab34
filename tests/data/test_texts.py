"""What is kept of a text, and how long it may be: the same for every table, and by whichever way it comes in."""

from __future__ import annotations

import io
import json
import unicodedata
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from api.base.fields import Line, Text
from data.base import access, db, jobs, secrets, texts
from data.base.columns import Words
from data.base.errors import Invalid
from data.buildings import Building
from data.exchange import exporting, importing
from data.files import writing
from data.households import Household
from data.migrations import TABLES
from data.units import Unit
from tests.city import City

HELD_BACK = "\x00\x01\x08\x0e\x1f\x7f\x80\x9f\ufffe\uffff\udfff\ufdd0\ud800\U0001fffe"
SYSTEM = access.SYSTEM


@given(st.text(st.characters()) | st.text(HELD_BACK))
def test_a_clean_text_can_be_written_by_every_format(value: str) -> None:
    found = texts.clean(value)
    found.encode("utf-8")
    ET.fromstring(f"<a>{found.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}</a>")
    assert texts.clean(found) == found
    assert not any(unicodedata.category(one) in ("Cc", "Cs") and one not in "\t\n\r" for one in found)


def test_what_is_somebodys_text_stays() -> None:
    value = "见 https://example.com/ </script> {{ 7*7 }} 👨‍👩‍👧 \u202eabc\u2028 é\u0301 𠮷"
    assert texts.clean(value) is value


def test_every_text_column_has_a_length_that_the_database_keeps(session: Session) -> None:
    rows = session.execute(
        text(
            "SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint "
            "WHERE conname LIKE 'ck\\_%\\_length'"
        )
    )
    kept = {row.conname: row.definition for row in rows}
    for table in TABLES.tables.values():
        for column in table.columns:
            if isinstance(column.type, Words) and column.computed is None:
                assert f"<= {column.type.most}" in kept[f"ck_{table.name}_{column.name}_length"], column
            elif isinstance(column.type, secrets.Encrypted):
                assert f"<= {4 * column.type.most + 28}" in kept[f"ck_{table.name}_{column.name}_length"], column
            else:
                assert type(column.type).__name__ not in ("String", "Text"), f"{column} has no length: use Words"


def test_what_programs_may_send_fits_the_tables() -> None:
    lengths = {one.max_length for kind in (Line, Text) for one in kind.__metadata__}
    assert lengths == {texts.LINE, texts.LONG}


def test_a_text_that_is_too_long_is_a_sentence_with_its_field(session: Session) -> None:
    city = City.make(session)
    with pytest.raises(Invalid, match="name is too long: at most 200 characters can be kept"):  # noqa: SIM117
        with db.transaction(SYSTEM, session.connection()) as inner:
            inner.execute(update(Building).where(Building.id == city.buildings["A1"].id).values(name="x" * 1_700_000))


def test_what_is_encrypted_has_a_length_too_and_is_clean(session: Session) -> None:
    city = City.make(session)
    home = city.household("A1", phone="138\x00\ufffe12346021")
    session.flush()
    session.expire_all()
    assert session.get_one(Household, home.id).phone == "13812346021"
    update_of = update(Household).where(Household.id == home.id)
    session.execute(update_of.values(phone="𠮷" * texts.LONG))
    with pytest.raises(Invalid, match="phone is too long: at most 4000 characters can be kept"):  # noqa: SIM117
        with db.transaction(SYSTEM, session.connection()) as inner:
            inner.execute(update_of.values(phone="𠮷" * texts.LONG + "x"))


def test_what_cannot_be_kept_is_left_out_by_whichever_way_it_comes(session: Session) -> None:
    city = City.make(session)
    city.community.name = f"社{HELD_BACK}区"
    session.flush()
    session.expire_all()
    assert session.get_one(Unit, city.community.id).name == "社区"
    job = jobs.Job(
        kind="import", params={f"a{HELD_BACK}": [f"b{HELD_BACK}", {"\\u0000": "\\u0000"}]}, community_id=None
    )
    session.add(job)
    session.flush()
    session.expire_all()
    assert session.get_one(jobs.Job, job.id).params == {"a": ["b", {"\\u0000": "\\u0000"}]}


def collection(**properties: Any) -> dict[str, Any]:
    ring = [[121.5, 31.23], [121.5001, 31.23], [121.5001, 31.2301], [121.5, 31.23]]
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": properties}
    return {"type": "FeatureCollection", "features": [feature]}


def test_an_import_leaves_out_what_cannot_be_kept(session: Session, tmp_path: Path) -> None:
    city = City.make(session)
    path = tmp_path / "buildings.geojson"
    path.write_text(json.dumps(collection(code="n1", name=f"一{HELD_BACK}号楼", **{"更多\x00\ud800": "x\x00"})))
    assert importing.run(session, SYSTEM, "buildings", path, city.community).new == 1
    found = session.query(Building).filter_by(code="n1").one()
    assert found.name == "一号楼"


@pytest.mark.parametrize("name", ["name", "address", "number"])
def test_an_import_sends_a_text_back_that_is_too_long(session: Session, tmp_path: Path, name: str) -> None:
    city = City.make(session)
    path = tmp_path / "buildings.geojson"
    path.write_text(json.dumps(collection(**{"code": "n1", "name": "a", name: "长" * 1_700_000})))
    with pytest.raises(importing.Refused) as refused:
        importing.run(session, SYSTEM, "buildings", path, city.community, rejects_path=tmp_path / "rejects")
    (reject,) = refused.value.rejects
    assert (reject.row, reject.advice) == (1, "Shorten it.")
    assert "has 1,700,000 characters, more than 200." in reject.reason


def test_an_import_sends_a_key_back_that_is_no_key(session: Session, tmp_path: Path) -> None:
    city = City.make(session)
    path = tmp_path / "buildings.geojson"
    path.write_text(json.dumps(collection(code="长" * 1_700_000, name="a")))
    with pytest.raises(importing.Refused) as refused:
        importing.run(session, SYSTEM, "buildings", path, city.community, rejects_path=tmp_path / "rejects")
    (reject,) = refused.value.rejects
    assert (reject.row, reject.advice) == (1, "Give the number, or delete the row.")
    assert len(reject.reason) < 200


@pytest.mark.parametrize("mark", HELD_BACK[1:6])
def test_a_table_with_a_stray_control_character_is_read_without_it(session: Session, tmp_path: Path, mark: str) -> None:
    city = City.make(session)
    path = tmp_path / "buildings.csv"
    path.write_text(f"code,name,lon,lat\nn1,一{mark}号楼,121.5,31.23\n", "utf-8")
    assert importing.run(session, SYSTEM, "buildings", path, city.community).new == 1
    assert session.query(Building).filter_by(code="n1").one().name == "一号楼"


@pytest.mark.parametrize("kind", list(writing.Format))
def test_every_export_opens_whatever_is_stored(session: Session, kind: writing.Format) -> None:
    city = City.make(session)
    case = city.incident(50, 50)
    session.execute(
        text("UPDATE incident SET description = :text WHERE id = :id"),
        {"text": "楼道灯坏了\ufffe\x0b请修\uffff\x01", "id": case.id},
    )
    target = io.BytesIO()
    exporting.stream(session, SYSTEM, "incidents", city.community, target, format=kind)
    content = target.getvalue()
    if kind is writing.Format.XLSX:
        book = openpyxl.load_workbook(io.BytesIO(content))
        assert any("楼道灯坏了" in str(cell.value) for row in book.active for cell in row)
    elif kind is writing.Format.KML:
        assert "楼道灯坏了" in "".join(ET.fromstring(content).itertext())
    elif kind is writing.Format.SHP:
        assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None
    elif kind in (writing.Format.CSV, writing.Format.GEOJSON):
        assert "\ufffe" not in content.decode("utf-8-sig")
    else:
        assert content
