"""The reference tables are whole: codes unique, names in both languages, parents present."""

from __future__ import annotations

import pytest

from data.base import reference

LISTS = {
    "sex": 4,
    "marital_status": 8,
    "ethnicity": 58,
    "education": 40,
    "relation": 84,
    "political_status": 13,
    "special_groups": 8,
}


@pytest.mark.parametrize("name", [*LISTS, "categories", "hukou"])
def test_every_row_has_a_unique_code(name: str) -> None:
    codes = [row["code"] for row in reference.rows(name)]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("name", sorted(LISTS))
def test_every_code_has_a_name_in_both_languages(name: str) -> None:
    for language in ("zh", "en"):
        assert all(text.strip() == text != "" for text in reference.labels(name, language).values())


@pytest.mark.parametrize(("name", "count"), LISTS.items())
def test_the_code_lists_have_as_many_rows_as_their_standards(name: str, count: int) -> None:
    assert len(reference.rows(name)) == count


def test_a_category_lies_below_one_that_exists_and_says_who_acts_and_until_when() -> None:
    categories = {row["code"]: row for row in reference.rows("categories")}
    for code, row in categories.items():
        assert row["name_zh"]
        assert row["name_en"]
        assert row["icon"]
        assert int(row["days"]) > 0
        assert row["external_code"] == ""
        if row["parent_code"]:
            assert row["parent_code"] in categories
            assert code.startswith(f"{row['parent_code']}.")
            assert row["tier"] in {"grid", "community", "street"}
        else:
            assert row["tier"] == ""


def test_a_table_that_does_not_exist_is_named() -> None:
    with pytest.raises(KeyError, match="colours"):
        reference.rows("colours")
