"""Statistics over HTTP: the numbers of the dashboard, each with the address of the cases that it counts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from pydantic import Field

from api.base import listing
from api.base.deps import Session, permission
from api.base.fields import Code, Output
from data import incidents, stats, units
from data.base import language, settings
from data.base.access import Actor
from data.base.language import _
from data.incidents import State
from data.stats import Before, Figures, Stats
from data.units import Unit

api = APIRouter(prefix="/api/stats", tags=["stats"])
Read = Annotated[Actor, permission("incident.read")]
#: How many days are looked back at first.
DAYS = 30
_ALL = ",".join(State)
_OPEN = ",".join(incidents.OPEN)


class Number(Output):
    """A number, and the list of the cases that it counts; the same parameters work on `/api/incidents`."""

    value: int = Field(examples=[12])
    href: str = Field(examples=["/incidents?unit=990106003012&state=new"])


class FiguresOut(Output):
    """How a unit's cases stand."""

    new: Number = Field(description="Reported on one of the days.")
    open: Number = Field(description="Not settled now.")
    due: Number = Field(description="Open, not overdue, and due soon by the reminder rules.")
    overdue: Number = Field(description="Open after their time.")
    solved: Number = Field(description="Closed on one of the days.")
    first_time: Number = Field(description="Of the solved ones, those that were never opened again.")
    first_time_share: float | None = Field(description="Their share, 0–1.", examples=[0.93])


class BeforeOut(Output):
    """As many days before: what came and was settled then."""

    first: date = Field(examples=["2026-01-17"])
    last: date = Field(examples=["2026-02-15"])
    new: Number
    solved: Number
    first_time: Number
    first_time_share: float | None = Field(examples=[0.9])


class PartOut(Output):
    """The figures of a unit below; without a code: of what lies in no grid."""

    code: str | None = Field(examples=["990106003012004"])
    name: str = Field(examples=["第四网格"])
    figures: FiguresOut


class KindOut(Output):
    """The solved cases of a category."""

    category_code: str = Field(examples=["facility.corridor_light"])
    category_name: str = Field(examples=["楼道灯不亮"])
    solved: Number
    median_days: float = Field(description="Half of them took no longer.", examples=[1.6])


class StepOut(Output):
    """How many cases came and were solved on some days, both ends included."""

    first: date = Field(examples=["2026-03-16"])
    last: date = Field(examples=["2026-03-22"])
    new: Number
    solved: Number


class StatsOut(Output):
    """The statistics of a unit, or of all that one may see."""

    unit_code: str | None = Field(examples=["990106003012"])
    unit_name: str | None = Field(examples=["梧桐里社区"])
    first: date = Field(examples=["2026-02-16"])
    last: date = Field(examples=["2026-03-17"])
    figures: FiguresOut
    before: BeforeOut = Field(description="The period before, of the same length.")
    parts: list[PartOut] = Field(description="By the units below: grids of a community, else communities.")
    kinds: list[KindOut] = Field(description="By category, most first.")
    steps: list[StepOut] = Field(description="Over time.")


class Asked(listing.Days):
    """Whose figures are asked for, and of which days; the page asks for them too."""

    unit: Annotated[Code | None, Query(description="The code of a unit; all that one may see when empty.")] = None


@api.get("", summary="Statistics of a unit")
def get_stats(session: Session, actor: Read, asked: Annotated[Asked, Query()]) -> StatsOut:
    """How the cases of a unit stand, how fast they are settled, and how they come and go; 30 days by default."""
    found = units.by_code(session, actor, asked.unit) if asked.unit else None
    begin, end = days(asked.first, asked.last)
    return shown(stats.of(session, actor, unit=found, first=begin, last=end))


def days(first: date | None, last: date | None, count: int = DAYS) -> tuple[date, date]:
    """The first and the last day: those that were given, else ``count`` days up to today."""
    end = last or settings.today()
    return first or end - timedelta(days=count - 1), end


def shown(stats: Stats) -> StatsOut:
    """Statistics as they are handed out."""
    first, last = stats.first, stats.last
    unit = stats.unit

    def number(value: int, **query: object) -> Number:
        return Number(value=value, href=_address(unit, query))

    return StatsOut(
        unit_code=unit.code if unit else None,
        unit_name=unit.name if unit else None,
        first=first,
        last=last,
        figures=_figures(stats.figures, unit, first, last),
        before=_before(stats.before, unit),
        parts=[
            PartOut(
                code=part.code,
                name=part.name or _("In no grid"),
                figures=_figures(part.figures, unit, first, last, part.code),
            )
            for part in stats.parts
        ],
        kinds=[
            KindOut(
                category_code=kind.code,
                category_name=language.named(kind),
                solved=number(kind.solved, state=State.CLOSED, closed_from=first, closed_to=last, category=kind.code),
                median_days=round(kind.median_days, 2),
            )
            for kind in stats.kinds
        ],
        steps=[
            StepOut(
                first=step.first,
                last=step.last,
                new=number(step.new, state=_ALL, **{"from": step.first, "to": step.last}),
                solved=number(step.solved, state=State.CLOSED, closed_from=step.first, closed_to=step.last),
            )
            for step in stats.steps
        ],
    )


def _before(before: Before, unit: Unit | None) -> BeforeOut:
    solved = {"state": State.CLOSED, "closed_from": before.first, "closed_to": before.last}
    reported = {"state": _ALL, "from": before.first, "to": before.last}
    return BeforeOut(
        first=before.first,
        last=before.last,
        new=Number(value=before.new, href=_address(unit, reported)),
        solved=Number(value=before.solved, href=_address(unit, solved)),
        first_time=Number(value=before.first_time, href=_address(unit, {**solved, "reopened": "false"})),
        first_time_share=before.first_time_share,
    )


def _figures(figures: Figures, unit: Unit | None, first: date, last: date, part: str | None = "") -> FiguresOut:
    """Figures with their addresses; ``part`` is the code of a unit below, ``None`` for what lies in no grid."""

    def number(value: int, **query: object) -> Number:
        return Number(value=value, href=_address(unit, query, part))

    solved = {"state": State.CLOSED, "closed_from": first, "closed_to": last}
    return FiguresOut(
        new=number(figures.new, state=_ALL, **{"from": first, "to": last}),
        open=number(figures.open, state=_OPEN),
        due=number(figures.due, state=_OPEN, due_soon="true"),
        overdue=number(figures.overdue, state=_OPEN, overdue="true"),
        solved=number(figures.solved, **solved),
        first_time=number(figures.first_time, **solved, reopened="false"),
        first_time_share=figures.first_time_share,
    )


def _address(unit: Unit | None, query: dict[str, object], part: str | None = "") -> str:
    code = part or (unit.code if unit else None)
    where = {"unit": code} if code else {}
    if part is None:
        where["located"] = "false"
    return f"/incidents?{urlencode({**where, **query}, safe=',')}"
