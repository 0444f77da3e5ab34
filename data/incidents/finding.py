"""Incidents as they are found: by id, by filters, as rows for lists, and counted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, case, false, func, or_, select
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session, aliased

from data import buildings, units
from data.accounts import Account
from data.base import access, listing, settings
from data.base.access import Actor, Rows
from data.base.errors import Invalid
from data.base.language import _
from data.incidents.tables import RUNNING, Action, Category, Incident, IncidentNotFound, IncidentStep
from data.teams import ServiceTeam


def get(session: Session, actor: Actor, incident_id: int, *, lock: bool = False) -> Incident:
    """The incident with this id; with ``lock`` nobody else changes it until the transaction ends.

    Raises
    ------
    IncidentNotFound
    """
    found = session.get(Incident, incident_id, with_for_update=lock or None)
    if found is None or not actor.area(Incident.__read__).covers(found.community_id, found.grid_id):
        raise IncidentNotFound(_("Not found, or outside your area."))
    # A savepoint that is taken back would let the record go.
    if lock and not session.in_nested_transaction():
        _held(session).add(found.id)
    return found


def hold(session: Session, incident: Incident) -> None:
    """Let nobody else change an incident until the transaction ends, and see it as it is now."""
    if incident.id not in _held(session):
        session.refresh(incident, with_for_update=True)


def _held(session: Session) -> set[int]:
    """The ids that this transaction holds already."""
    transaction, ids = session.info.get(_HELD, (None, set()))
    if transaction is not session.get_transaction():
        transaction, ids = session.info[_HELD] = (session.get_transaction(), set[int]())
    found: set[int] = ids
    return found


_HELD = "held incidents"


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which incidents: codes of community and grid, states, categories (with those below), days, a box, a text …

    One that was merged into another counts with that one and is left out, unless ``merged`` is true. With days of
    report a grid has what lay in it on those days: boundaries that are redrawn later leave the list of a past day as
    it was.
    """

    community: str | None = None
    grid: str | None = None
    #: code of any unit: what lies in it or below it, whatever ``community`` says
    unit: str | None = None
    building_id: int | None = None
    states: tuple[str, ...] | None = None
    steps: tuple[str, ...] | None = None
    categories: tuple[str, ...] | None = None
    tiers: tuple[str, ...] | None = None
    levels: tuple[str, ...] | None = None
    sources: tuple[str, ...] | None = None
    assignee_id: int | None = None
    service_team_id: int | None = None
    supervised: bool | None = None
    recurrent: bool | None = None
    merged: bool = False
    first: date | None = None
    last: date | None = None
    overdue: bool | None = None
    #: whether it is open, not overdue, and soon will be, as the reminder rules of its community say
    due_soon: bool | None = None
    closed_first: date | None = None
    closed_last: date | None = None
    #: whether it was opened again after it was settled
    reopened: bool | None = None
    box: listing.Box | None = None
    text: str | None = None
    located: bool | None = None

    @property
    def by_day_of_report(self) -> bool:
        """Whether it asks for days of report."""
        return self.first is not None or self.last is not None


#: What incidents can be sorted by.
SORTS: dict[str, Any] = {
    "id": Incident.id,
    "number": Incident.number,
    "reported": Incident.reported_at,
    "updated": Incident.updated_at,
    # What is overdue comes first, then what is due next; last what has no limit that runs.
    "due": func.coalesce(case((Incident.state.in_(RUNNING), Incident.due_at)), datetime(2999, 12, 31, tzinfo=UTC)),
}


def narrowed(query: Rows, actor: Actor, wanted: Filter) -> Rows:
    """``query`` over incidents restricted to what the actor may see and what is wanted."""
    query = access.visible(query, actor, Incident)
    community = None if wanted.unit else wanted.community
    query = units.narrowed(query, Incident.community_id, Incident.grid_id, community, None)
    lies_in = Incident.lay_in if wanted.by_day_of_report else Incident.grid_id.__eq__
    if wanted.grid:
        query = query.where(lies_in(_unit(wanted.grid, units.Level.GRID)))
    if wanted.unit:
        query = query.where(_below(wanted.unit, lies_in))
    if not wanted.merged:
        query = query.where(Incident.merged_into_id.is_(None))
    if wanted.building_id:
        query = query.where(Incident.building_id == wanted.building_id)
    if wanted.assignee_id:
        query = query.where(Incident.assignee_id == wanted.assignee_id)
    if wanted.service_team_id:
        query = query.where(Incident.service_team_id == wanted.service_team_id)
    for column, chosen in (
        (Incident.state, wanted.states),
        (Incident.step, wanted.steps),
        (Incident.tier, wanted.tiers),
        (Incident.level, wanted.levels),
        (Incident.source, wanted.sources),
    ):
        if chosen is not None:
            query = query.where(column.in_(chosen))
    if wanted.categories is not None:
        below = select(Category.code).where(Category.parent_code.in_(wanted.categories)).correlate(None)
        query = query.where(Incident.category_code.in_(wanted.categories) | Incident.category_code.in_(below))
    query = query.where(*listing.in_period(Incident.reported_at, wanted.first, wanted.last))
    query = query.where(*listing.in_period(Incident.closed_at, wanted.closed_first, wanted.closed_last))
    for fact, said in (
        (Incident.overdue, wanted.overdue),
        (due_soon(), wanted.due_soon),
        (reopened(), wanted.reopened),
        (Incident.supervised, wanted.supervised),
        (Incident.recurrent, wanted.recurrent),
    ):
        if said is not None:
            query = query.where(fact.is_(said))
    if wanted.box:
        query = query.where(listing.in_box(Incident.geom, wanted.box))
    if wanted.text:
        texts = (Incident.number, Incident.address, Incident.description)
        query = query.where(or_(*(listing.containing(column, wanted.text) for column in texts)))
    if wanted.located is not None:
        grid = Incident.grid_then if wanted.by_day_of_report else Incident.grid_id
        query = query.where(grid.is_not(None) if wanted.located else grid.is_(None))
    return query


def _unit(code: str, *levels: units.Level) -> Any:
    unit = select(units.Unit.id).where(units.Unit.code == code).correlate(None)
    return (unit.where(units.Unit.level.in_(levels)) if levels else unit).scalar_subquery()


def _below(code: str, lies_in: Callable[[Any], ColumnElement[bool]]) -> ColumnElement[bool]:
    """The condition that an incident lies in the unit with this code, or below it; an unknown code finds nothing."""
    unit = _unit(code)
    below = aliased(units.Unit)
    communities = select(below.id).where(below.level == units.Level.COMMUNITY, below.path.contains(array([unit])))
    return lies_in(unit) | Incident.community_id.in_(communities)


def due_soon() -> ColumnElement[bool]:
    """The condition that an incident is open, not overdue, and was found to be due soon by the rules that remind."""
    running = func.coalesce(Incident.state.in_(RUNNING) & (Incident.due_at >= func.now()), False)
    return running & or_(false(), *(condition() for condition in _reminded))


#: The conditions that an incident was found to be due soon; see ``reminded_by``.
_reminded: list[Callable[[], ColumnElement[bool]]] = []


def reminded_by(condition: Callable[[], ColumnElement[bool]]) -> None:
    """Have incidents be due soon by a condition of what reminds, which lies above this file."""
    if condition not in _reminded:
        _reminded.append(condition)


def reopened() -> ColumnElement[bool]:
    """The condition that an incident was opened again after it was settled."""
    again = select(IncidentStep.id).where(IncidentStep.incident_id == Incident.id, IncidentStep.action == Action.REOPEN)
    return again.correlate(Incident).exists()


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The incidents the actor may see, a row each, with category, grid, building, assignee, lon and lat."""
    return narrowed(rows(), actor, wanted or Filter())


def rows() -> Rows:
    """All incidents as ``selection`` gives them, for one that the actor was already shown to see.

    The contact is left out; ``has_contact`` tells whether there is one.
    """
    return (
        select(
            *listing.columns(Incident, without=("geom", "contact")),
            Incident.overdue.label("overdue"),
            Incident.contact.is_not(None).label("has_contact"),
            Category.name_zh.label("category_zh"),
            Category.name_en.label("category_en"),
            Category.icon.label("icon"),
            units.Unit.code.label("grid_code"),
            units.Unit.name.label("grid_name"),
            buildings.Building.number.label("building_number"),
            buildings.Building.name.label("building_name"),
            Account.name.label("assignee_name"),
            ServiceTeam.name.label("service_team_name"),
            func.ST_X(Incident.geom).label("lon"),
            func.ST_Y(Incident.geom).label("lat"),
        )
        .join(Category, Category.code == Incident.category_code)
        .outerjoin(units.Unit, units.Unit.id == Incident.grid_id)
        .outerjoin(buildings.Building, buildings.Building.id == Incident.building_id)
        .outerjoin(Account, Account.id == Incident.assignee_id)
        .outerjoin(ServiceTeam, ServiceTeam.id == Incident.service_team_id)
    )


def row(session: Session, incident: Incident) -> Row[Any]:
    """An incident as a row of ``rows``, for one that the actor was already shown to see."""
    return session.execute(_row(), {"id": incident.id}).one()


def chosen(session: Session, actor: Actor, ids: Collection[int]) -> Sequence[Row[Any]]:
    """Those of these incidents that the actor may see, as rows of ``selection``, the earliest report first."""
    query = selection(actor).where(Incident.id.in_(ids))
    return session.execute(query.order_by(Incident.reported_at, Incident.id)).all()


def most_pressing(session: Session, actor: Actor, wanted: Filter, *, most: int) -> Sequence[Row[Any]]:
    """The incidents of a filter as rows of ``selection``, by their limits; the last without one."""
    query = selection(actor, wanted).order_by(Incident.due_at.asc().nulls_last(), Incident.id)
    return session.execute(query.limit(most)).all()


def lately_closed(session: Session, actor: Actor, wanted: Filter, since: datetime, *, most: int) -> Sequence[Row[Any]]:
    """What was closed of a filter after an instant, as rows of ``selection``, the last one first."""
    query = selection(actor, wanted).where(Incident.closed_at > since)
    return session.execute(query.order_by(Incident.closed_at.desc(), Incident.id).limit(most)).all()


def by_number(session: Session, actor: Actor, community_id: int, number: str) -> Incident:
    """The incident of a community with this number, also one that was merged.

    Raises
    ------
    Invalid
    """
    query: Rows = select(Incident).where(Incident.number == number, Incident.community_id == community_id)
    incident: Incident | None = session.scalar(access.visible(query, actor, Incident))
    if incident is None:
        raise Invalid(_("There is no case {number} in this community.", number=number or "—"), field="into")
    return incident


def by_day(session: Session, actor: Actor, wanted: Filter) -> dict[date, int]:
    """How many incidents were reported on each day of the community's time zone that has any."""
    day = func.date(func.timezone(settings.get().timezone, Incident.reported_at))
    return dict(session.execute(narrowed(select(day, func.count()), actor, wanted).group_by(day)).all())


@cache
def _row() -> Rows:
    """The statement is made once: making it takes longer than PostgreSQL takes to run it."""
    return rows().where(Incident.id == bindparam("id"))


def counts(session: Session, actor: Actor, wanted: Filter, by: Any = Incident.state) -> dict[str, int]:
    """How many incidents there are of each state, or of each value of another column."""
    query = narrowed(select(by, func.count()), actor, wanted).group_by(by)
    return dict(session.execute(query).all())
