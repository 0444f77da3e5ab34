"""Colours can be told apart, class limits are round."""

from __future__ import annotations

import itertools
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import incidents
from data.incidents import State
from maps import symbols


@pytest.mark.parametrize(
    "pair",
    [*symbols.text_pairs(), *((f"{what} in the dark", *pair) for what, *pair in symbols.text_pairs(dark=True))],
    ids=lambda pair: pair[0].replace(" ", "-"),
)
def test_text_stands_out_from_its_ground(pair: tuple[str, str, str]) -> None:
    _, text, ground = pair
    assert symbols.contrast(text, ground) >= 4.5


@pytest.mark.parametrize("code", symbols.STATES)
def test_a_state_mark_stands_out_from_the_map(code: str) -> None:
    state = symbols.STATES[code]
    edge = state.fill if state.shape == "square" else state.ring
    assert symbols.contrast(edge, symbols.GROUND["community"]) >= 3
    assert symbols.contrast(state.icon, state.fill) >= 4.5


def test_controls_that_are_off_can_be_seen() -> None:
    assert symbols.contrast(symbols.PALETTE["control-off"], symbols.PALETTE["card"]) >= 3
    assert symbols.contrast(symbols.DARK["control-off"], symbols.DARK["card"]) >= 3
    assert symbols.contrast(symbols.DARK["brand-fill"], symbols.DARK["card"]) >= 3


@pytest.mark.parametrize(
    ("text", "ground", "measured"),
    [
        ("#0B6B6B", "#FFFFFF", 6.3),
        ("#084F50", "#E6F2F0", 8.2),
        ("#18212B", "#FFFFFF", 16.3),
        ("#5F6B7A", "#F7F6F3", 5.0),
    ],
)
def test_contrast_agrees_with_published_measurements(text: str, ground: str, measured: float) -> None:
    assert symbols.contrast(text, ground) == pytest.approx(measured, abs=0.05)
    assert symbols.contrast(ground, text) == symbols.contrast(text, ground)


def test_every_incident_state_has_a_mark_and_a_word() -> None:
    assert set(symbols.STATES) == {state.value for state in State} == set(incidents.words.states())


def test_no_two_states_share_shape_and_sign() -> None:
    marks = [(state.shape, state.sign) for state in symbols.STATES.values()]
    assert len(set(marks)) == len(marks)


@given(low=st.integers(0, 10**6), span=st.integers(1, 10**6), classes=st.integers(2, 7))
def test_class_limits_are_few_round_ascending_and_within(low: int, span: int, classes: int) -> None:
    limits = symbols.round_breaks(low, low + span, classes)
    assert len(limits) <= classes - 1
    assert limits == sorted(set(limits))
    assert all(low < limit <= low + span for limit in limits)
    if len(limits) > 1:
        step = limits[1] - limits[0]
        assert all(b - a == pytest.approx(step) for a, b in itertools.pairwise(limits))
        assert step / 10 ** math.floor(math.log10(step)) in (1, 2, 2.5, 5)


def test_equal_values_have_no_limits() -> None:
    assert symbols.round_breaks(7, 7) == []


def test_the_style_sheet_and_the_scripts_get_the_same_colours() -> None:
    variables = dict(re.findall(r"--w-([\w-]+): (#[0-9A-F]{6});", symbols.css()))
    values = symbols.as_dict()
    assert {name: variables[name] for name in symbols.PALETTE} == values["palette"]
    assert variables["state-new-fill"] == symbols.STATES["new"].fill
    assert variables["ramp-5"] == symbols.SEQUENTIAL[4]


def test_limits_between_shares_are_round_too() -> None:
    assert symbols.round_breaks(0, 16.2, whole=False) == [5.0, 10.0, 15.0]
    assert symbols.round_breaks(0, 0.04, whole=False) == [0.01, 0.02, 0.03, 0.04]
    assert symbols.round_breaks(0, 0.4) == []
