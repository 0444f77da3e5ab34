"""Identity numbers are read, refused and made as GB 11643 says."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.base import identity
from data.base.identity import Fault, NotAnIdentityNumber, Sex

TODAY = date(2026, 3, 18)
PUBLISHED = [
    ("11010519491231002X", "110105", date(1949, 12, 31), Sex.FEMALE),
    ("440524188001010014", "440524", date(1880, 1, 1), Sex.MALE),
]


@pytest.mark.parametrize(("number", "division", "born_on", "sex"), PUBLISHED)
def test_the_examples_of_the_standard_are_read(number: str, division: str, born_on: date, sex: Sex) -> None:
    found = identity.check(number)
    assert (found.division, found.born_on, found.sex) == (division, born_on, sex)
    assert found.number == number
    assert not found.converted


@pytest.mark.parametrize(
    "written", ["11010519491231002x", " 110105 19491231 002X ", "１１０１０５１９４９１２３１００２Ｘ"]
)
def test_full_width_spaces_and_a_small_x_are_taken_as_meant(written: str) -> None:
    assert identity.check(written).number == "11010519491231002X"


def test_fifteen_digits_of_an_old_paper_are_brought_to_eighteen_and_it_is_said() -> None:
    found = identity.check("110105491231002")
    assert found.number == "11010519491231002X"
    assert found.converted


def test_the_sequences_kept_for_centenarians_mean_the_century_before() -> None:
    assert identity.check("110105951231998").born_on == date(1895, 12, 31)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("", Fault.LENGTH),
        ("1101051949123100", Fault.LENGTH),
        ("11010519491231002XX", Fault.LENGTH),
        ("1101O519491231002X", Fault.CHARACTERS),
        ("X1010519491231002X", Fault.CHARACTERS),
        ("11010519491231002A", Fault.CHARACTERS),
        ("11010549123100X", Fault.CHARACTERS),
        ("11010519490229002X", Fault.DATE),
        ("110105194913310021", Fault.DATE),
        ("110105491331002", Fault.DATE),
        ("110105194912310021", Fault.CHECKSUM),
        ("11010519491231020X", Fault.CHECKSUM),
        (identity.make("110105", date(2026, 3, 19), 1, Sex.MALE), Fault.FUTURE),
    ],
)
def test_what_is_wrong_is_named_by_a_code_and_never_repeats_the_number(number: str, code: Fault) -> None:
    with pytest.raises(NotAnIdentityNumber) as caught:
        identity.check(number, today=TODAY)
    assert caught.value.code == code
    assert isinstance(caught.value, ValueError)
    assert not number or number not in str(caught.value)


@given(
    division=st.from_regex(r"[1-9][0-9]{5}", fullmatch=True).filter(str.isascii),
    born_on=st.dates(min_value=date(1880, 1, 1), max_value=TODAY),
    sequence=st.integers(0, 499),
    sex=st.sampled_from(Sex),
)
def test_what_is_made_is_read_back(division: str, born_on: date, sequence: int, sex: Sex) -> None:
    found = identity.check(identity.make(division, born_on, sequence, sex), today=TODAY)
    assert (found.division, found.born_on, found.sex) == (division, born_on, sex)


@given(
    born_on=st.dates(min_value=date(1900, 1, 1), max_value=TODAY),
    sequence=st.integers(0, 499),
    place=st.integers(0, 16),
    step=st.integers(1, 9),
)
def test_one_wrong_digit_is_always_caught(born_on: date, sequence: int, place: int, step: int) -> None:
    number = identity.make("110105", born_on, sequence, Sex.MALE)
    wrong = number[:place] + str((int(number[place]) + step) % 10) + number[place + 1 :]
    with pytest.raises(NotAnIdentityNumber):
        identity.check(wrong, today=TODAY)


@given(born_on=st.dates(min_value=date(1900, 1, 1), max_value=TODAY), sequence=st.integers(0, 499))
def test_the_check_character_makes_the_weighted_sum_one_modulo_eleven(born_on: date, sequence: int) -> None:
    # ISO/IEC 7064: with powers of two as weights, X as ten and the check character counted, the sum is 1.
    number = identity.make("110105", born_on, sequence, Sex.FEMALE)
    values = [10 if character == "X" else int(character) for character in number]
    assert sum(value * 2 ** (17 - place) for place, value in enumerate(values)) % 11 == 1


@pytest.mark.parametrize("body", ["", "1" * 16, "1" * 18, "1" * 16 + "X", "１" * 17])
def test_a_check_character_is_refused_for_anything_but_seventeen_digits(body: str) -> None:
    with pytest.raises(ValueError, match="17 digits"):
        identity.checksum(body)


@pytest.mark.parametrize(("division", "sequence"), [("99", 1), ("99010A", 1), ("990106", -1), ("990106", 500)])
def test_a_number_is_not_made_from_a_wrong_division_or_sequence(division: str, sequence: int) -> None:
    with pytest.raises(ValueError, match=r"six digits|500 numbers"):
        identity.make(division, TODAY, sequence, Sex.MALE)
