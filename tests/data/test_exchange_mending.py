"""Rows that were sent back are mended in place: they go through every check again, and nothing comes in twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from data import terms
from data.base import access
from data.exchange import importing, sent_back
from data.exchange.importing import Mends, Opened, Report
from data.exchange.sent_back import Cell, Row
from tests.data.offices import Place, counted, said

PEOPLE = """户号,姓名,与户主关系,民族
1001,林一,户主,汉
1001,王美,太太,汉
1001,林小,干孙女,汉
1002,赵二,户主,汗族
"""


def opened(folder: Path, content: str = PEOPLE, kind: str = "residents") -> Opened:
    """The file, read."""
    path = folder / "people.csv"
    path.write_text(content, encoding="utf-8")
    return importing.inspect(path, kind)


def bring(base: Place, file: Opened, mends: Mends | None = None) -> Report:
    """An import of the good rows."""
    return importing.bring(base.session, access.SYSTEM, file, base.community, accept_valid=True, mends=mends)


def test_a_mended_row_comes_in_and_the_others_stay_as_they_are_by_now(base: Place, tmp_path: Path) -> None:
    file = opened(tmp_path)
    assert [reject.row for reject in bring(base, file).rejects] == [3, 4, 5]
    base.session.execute(text("UPDATE resident SET ethnicity = '03' WHERE name = '林一'"))

    report = bring(base, file, Mends({4: {"与户主关系": "孙女"}}, only={4}))
    assert (report.read, counted(report), report.rejects) == (1, (1, 0, 0), [])
    assert base.people("name", "relation", "ethnicity") == {"1001": [("林一", "02", "03"), ("林小", "42", "01")]}
    assert counted(bring(base, file, Mends({4: {"与户主关系": "孙女"}}, only={4}))) == (0, 0, 1)


def test_a_row_that_is_still_wrong_is_sent_back_with_its_new_reason(base: Place, tmp_path: Path) -> None:
    file = opened(tmp_path)
    bring(base, file)
    report = bring(base, file, Mends({3: {"与户主关系": "妻"}, 5: {"民族": "火星族"}}, only={3, 5}))
    assert (counted(report), [reject.row for reject in report.rejects]) == ((1, 0, 0), [5])
    assert "火星族" in report.rejects[0].reason
    with pytest.raises(importing.Refused, match="火星族"):
        bring(base, file, Mends({5: {"民族": "火星族"}}, only={5}))


def test_a_mended_row_is_compared_with_the_rows_that_are_in_already(base: Place, tmp_path: Path) -> None:
    content = "户号,楼栋,房号,户主\n1001,3,501,林一\n1001,4,602,王一\n"
    file = opened(tmp_path, content, "households")
    assert [reject.row for reject in bring(base, file).rejects] == [3]
    with pytest.raises(importing.Refused, match="row 2"):
        bring(base, file, Mends({3: {"户主": "王二"}}, only={3}))
    assert counted(bring(base, file, Mends({3: {"户号": "1002"}}, only={3}))) == (1, 0, 0)
    assert base.doors == {"1001": ("b3", None, "501"), "1002": ("b4", None, "602")}


def test_all_rows_go_in_with_what_was_mended_before_the_import(base: Place, tmp_path: Path) -> None:
    mends = Mends({3: {"与户主关系": "妻"}}).over(Mends({4: {"与户主关系": "孙女"}, 5: {"民族": "汉"}}))
    report = bring(base, opened(tmp_path), Mends.read(mends.to_json()))
    assert (counted(report), report.rejects) == ((4, 0, 0), [])


def test_a_reject_names_the_cells_at_fault_and_the_word_that_may_be_meant(base: Place, tmp_path: Path) -> None:
    rejects = bring(base, opened(tmp_path)).rejects
    assert [dict(reject.offers) for reject in rejects] == [
        {"与户主关系": None},
        {"与户主关系": "孙女"},
        {"民族": None},
    ]


def test_a_word_is_mended_wherever_it_stands_and_a_name_only_where_it_was_typed() -> None:
    def row(number: int, relation: str) -> Row:
        cells = (Cell("关系", "relation", relation, "妻"), Cell("姓名", "name", "王 "))
        return Row(number, "format", "", "", cells)

    rows = [row(2, "太太"), row(3, "太 太"), row(4, "姨太")]
    typed = {(2, "关系"): "妻", (2, "姓名"): "王美", (3, "关系"): "太 太", (3, "姓名"): "王"}
    assert sent_back.mended(rows, typed) == {2: {"关系": "妻", "姓名": "王美"}, 3: {"关系": "妻"}}


def test_a_column_that_was_matched_once_is_recognised_the_next_time_and_said(base: Place, tmp_path: Path) -> None:
    content = "户号,楼栋,房号,当家人\n1001,3,501,林一\n"
    path = tmp_path / "homes.csv"
    path.write_text(content, encoding="utf-8")
    assert "当家人" in said(base.bring("households", path))
    base.bring("households", path, mapping=["当家人=head_name"], dry_run=True)
    assert terms.remembered(base.session, access.SYSTEM, base.community.id) == []
    base.bring("households", path, mapping=["当家人=head_name"])
    path.write_text(content.replace("1001", "1002"), encoding="utf-8")
    assert "“当家人” is “Name of the head”" in said(base.bring("households", path))
    assert base.people("name") == {"1001": ["林一"], "1002": ["林一"]}

    (term,) = terms.remembered(base.session, access.SYSTEM, base.community.id)
    terms.forget(base.session, access.SYSTEM, term.id)
    assert "stay out: 当家人" in said(base.bring("households", path))


def test_a_word_that_was_mended_once_is_read_the_next_time_and_said(base: Place, tmp_path: Path) -> None:
    file = opened(tmp_path)
    bring(base, file)
    bring(base, file, Mends({3: {"与户主关系": "妻"}, 5: {"民族": "火星族"}}, only={3, 5}))
    path = tmp_path / "more.csv"
    path.write_text("户号,姓名,与户主关系\n1003,周五,太　太\n", encoding="utf-8")
    assert "“太　太” is “Wife”" in said(base.bring("residents", path))
    assert base.people("relation")["1003"] == ["12"]
    assert [term.written for term in terms.remembered(base.session, access.SYSTEM, base.community.id)] == ["太太"]


def test_terms_are_those_of_one_community_and_kind(base: Place) -> None:
    terms.remember(base.session, access.SYSTEM, base.community.id, "residents", {("", "户主", "户主"): "name"})
    assert terms.known(base.session, base.community.id, "households") == terms.NOTHING
    assert terms.known(base.session, base.community.id, "residents").headings == {"户主": "name"}
    assert terms.known(base.session, base.community.id + 1, "residents") == terms.NOTHING
