"""How far an import is, from its step and its rows, and about how long it will still take."""

from __future__ import annotations

#: The steps of an import with the share of its time each takes, as measured on 50,000 buildings and 50,000 households.
STEPS = {"Reading": 0.25, "Checking": 0.15, "Locating": 0.2, "Writing": 0.4}
#: Sooner nobody wants to know, and nobody could tell.
_EARLIEST_S = 3.0
_LEAST = 0.15


def share(step: str | None, done: int, total: int | None) -> float:
    """How much of the whole is done, 0 to 1.

    >>> share("Checking", 500, 1000)
    0.325
    """
    names = list(STEPS)
    if step not in STEPS:
        return 0.0
    before = sum(STEPS[name] for name in names[: names.index(step)])
    return before + STEPS[step] * (min(done / total, 1.0) if total else 0.0)


def remaining_s(done: float, elapsed_s: float) -> int | None:
    """About how many seconds are left when a share was done in so many; ``None`` when it is too soon to tell.

    >>> remaining_s(0.25, 10.0), remaining_s(0.5, 1.0)
    (30, None)
    """
    if elapsed_s < _EARLIEST_S or done < _LEAST:
        return None
    return max(1, round(elapsed_s * (1 - done) / done))
