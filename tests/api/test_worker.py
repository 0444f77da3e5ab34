"""A clock that jumps: nothing is removed for being old until it has gone evenly for a while."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from api import worker
from api.worker import EVEN_S, Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The two clocks of the worker, to be moved."""
    moved = SimpleNamespace(wall=1_800_000_000.0, even=500.0)
    seam = SimpleNamespace(time=lambda: moved.wall, monotonic=lambda: moved.even)
    monkeypatch.setattr(worker, "time", seam)
    return moved


def passes(clock: SimpleNamespace, seconds: float, wall: float | None = None) -> None:
    """Let time pass, on the wall by another span than in truth if one is given."""
    clock.even += seconds
    clock.wall += seconds if wall is None else wall


def test_a_clock_is_trusted_once_it_has_gone_evenly_for_hours(clock: SimpleNamespace) -> None:
    looked_at = Clock()
    assert not looked_at.is_trusted()
    passes(clock, EVEN_S - 1)
    assert not looked_at.is_trusted()
    passes(clock, 1, wall=3)  # put right by a little, as it is all the time
    assert looked_at.is_trusted()


@pytest.mark.parametrize("years", [10, -10])
def test_a_clock_that_jumps_is_not_trusted_for_as_long_again(clock: SimpleNamespace, years: int) -> None:
    looked_at = Clock()
    passes(clock, EVEN_S)
    assert looked_at.is_trusted()
    passes(clock, 60, wall=60 + years * 365 * 86_400)
    assert not looked_at.is_trusted()
    passes(clock, EVEN_S - 1)
    assert not looked_at.is_trusted()
    passes(clock, 1)
    assert looked_at.is_trusted()


def test_what_is_old_is_removed_every_hour_and_not_while_the_clock_is_wrong(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[float] = []
    for chore in ("_forget", "_remove_uploads"):
        monkeypatch.setattr(worker, chore, lambda: None)
    monkeypatch.setattr(worker, "tidy_reports", lambda: removed.append(clock.even))
    removing = worker._Removing(Clock())
    passes(clock, 60, wall=10 * 365 * 86_400)
    for _minute in range(int(EVEN_S / 60)):
        removing.chore()
        assert not removed
        passes(clock, 60)
    for _minute in range(120):
        removing.chore()
        passes(clock, 60)
    assert len(removed) == 2
