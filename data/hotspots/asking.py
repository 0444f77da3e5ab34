"""What a run is asked: the parameters, with what people get who ask for nothing in particular."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from data.base import settings
from data.base.errors import Invalid
from data.base.language import _
from data.incidents import State
from spatial.hotspots import Method, Shape

DAYS = 90
DAYS_MAX = 3_660
CELL_M = 36.0


@dataclass(frozen=True, kw_only=True)
class Params:
    """Which cases, and how they are looked at.

    Attributes
    ----------
    community, grid
        Codes of the community, and of the grid if only that is looked at.
    unit
        In their place the code of a street or district: all of its communities where one may run the analysis.
    categories
        Codes of categories, each with all below it; None for all.
    states
        None for all; merged cases count once, with the one they were merged into.
    first, last
        The days, both included; the 90 days up to today by default.
    shape, cell_m
        Hexagons or squares, and their width in metres.
    rings
        How many rings of cells around one are its neighbours.
    permutations
        Of the test; 0 for the normal approximation.
    conditional
        Whether a cell's own cases say nothing for or against it, as in esda. Otherwise all of its cases count, which
        finds more of what is there (``bench/hotspots --planted``) at no more false alarms.
    leave_out_default_points
        Whether stacks of cases on one coordinate with different addresses are left out.
    per_household
        Whether cells are compared by cases per household; cells where nobody lives are then left out.
    bandwidth_m
        Of the density surface.
    cluster_method, cluster_distance_m, cluster_cases
        How points are grouped.
    period_days
        How long the periods of trend and scan are.
    seed
        Of everything that is drawn.
    """

    community: str | None = None
    grid: str | None = None
    unit: str | None = None
    categories: tuple[str, ...] | None = None
    states: tuple[str, ...] | None = None
    first: date | None = None
    last: date | None = None
    shape: Shape = Shape.HEXAGON
    cell_m: float = CELL_M
    rings: int = 2
    permutations: int = 99_999
    conditional: bool = False
    leave_out_default_points: bool = True
    per_household: bool = False
    bandwidth_m: float = 50.0
    cluster_method: Method = Method.DBSCAN
    cluster_distance_m: float = 40.0
    cluster_cases: int = 5
    period_days: int = 7
    seed: int = 1

    @property
    def days(self) -> int:
        """How many days there are from the first to the last."""
        assert self.first is not None, "settled parameters have both days"
        assert self.last is not None, "settled parameters have both days"
        return (self.last - self.first).days + 1

    def to_json(self) -> dict[str, Any]:
        """The parameters as they are kept."""
        return {
            name: value.isoformat() if isinstance(value, date) else list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Params:
        """The parameters of a kept run."""
        values = dict(kept)
        for name in ("first", "last"):
            values[name] = values[name] and date.fromisoformat(values[name])
        for name in ("categories", "states"):
            values[name] = None if values[name] is None else tuple(values[name])
        return cls(**{**values, "shape": Shape(values["shape"]), "cluster_method": Method(values["cluster_method"])})


def settled(params: Params) -> Params:
    """The parameters with both days, and in one spelling, so that equal ones are equal.

    Raises
    ------
    Invalid
        No place is named, or two; the days are the wrong way round or too many; or a number is outside what makes
        sense.
    """
    if (params.community is None) == (params.unit is None) or (params.grid and params.unit):
        raise Invalid(_("Say which community, or which street or district, is to be looked at."), field="community_id")
    last = params.last or datetime.now(ZoneInfo(settings.get().timezone)).date()
    first = params.first or last - timedelta(days=DAYS - 1)
    if not 0 <= (last - first).days < DAYS_MAX:
        raise Invalid(
            _("From {first} to {last} is no span of 1 to {most} days.", first=first, last=last, most=DAYS_MAX),
            field="first",
        )
    bounds: tuple[tuple[str, float, float], ...] = (
        ("cell_m", 5, 5_000),
        ("rings", 1, 5),
        ("permutations", 0, 99_999),
        ("bandwidth_m", 5, 5_000),
        ("cluster_distance_m", 1, 5_000),
        ("cluster_cases", 2, 1_000),
        ("period_days", 1, 366),
        ("seed", 0, 2**31 - 1),
    )
    for name, low, high in bounds:
        if not low <= getattr(params, name) <= high:
            raise Invalid(_("{field} lies between {low} and {high}.", field=name, low=low, high=high), field=name)
    if params.states is not None and (wrong := sorted(set(params.states) - set(State))):
        raise Invalid(_("There is no {name} {values}.", name="state", values=", ".join(wrong)), field="states")
    ordered = {
        name: None if (values := getattr(params, name)) is None else tuple(sorted(set(values)))
        for name in ("categories", "states")
    }
    return Params(**{**asdict(params), **ordered, "first": first, "last": last})
