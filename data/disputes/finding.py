"""Disputes as they are found: filters, rows, counts, the steps of one, and how many there are at which building."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session, aliased

from data import accounts, units
from data.base import access, listing
from data.base.access import Actor, Rows
from data.base.language import _
from data.buildings import Building, Dwelling
from data.disputes.tables import OPEN, Dispute, DisputeCall, DisputeNotFound, DisputeParty, DisputeStep, Step
from data.households import Household


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which disputes: where, about what, on which level, how they stand, when they were reported, of whom."""

    community: str | None = None
    grid: str | None = None
    building_id: int | None = None
    household_id: int | None = None
    kinds: Collection[str] | None = None
    levels: Collection[str] | None = None
    steps: Collection[str] | None = None
    first: date | None = None
    last: date | None = None


def narrowed(query: Rows, actor: Actor, wanted: Filter) -> Rows:
    """``query`` of disputes restricted to those the actor may see and a filter asks for."""
    query = access.visible(query, actor, Dispute)
    query = units.narrowed(query, Dispute.community_id, Dispute.grid_id, wanted.community, wanted.grid)
    query = query.where(*listing.in_period(Dispute.reported_at, wanted.first, wanted.last))
    if wanted.building_id is not None:
        query = query.where(Dispute.building_id == wanted.building_id)
    if wanted.household_id is not None:
        theirs = select(DisputeParty.dispute_id).where(DisputeParty.household_id == wanted.household_id)
        query = query.where(Dispute.id.in_(theirs))
    for column, values in ((Dispute.kind, wanted.kinds), (Dispute.level, wanted.levels), (Dispute.step, wanted.steps)):
        if values is not None:
            query = query.where(column.in_(values))
    return query


def rows() -> Rows:
    """All disputes as ``selection`` gives them, for one that the actor was already shown to see."""
    grid: Any = aliased(units.Unit, name="of_grid")
    mine = DisputeParty.dispute_id == Dispute.id
    waiting = (DisputeCall.dispute_id == Dispute.id, DisputeCall.done_at.is_(None))
    held = (DisputeStep.dispute_id == Dispute.id, DisputeStep.action.in_(("mediate", "settle")))

    def of(query: Any) -> Any:
        return query.correlate(Dispute).scalar_subquery()

    query: Rows = (
        select(
            *listing.columns(Dispute),
            accounts.Account.name.label("account_name"),
            Building.number.label("building_number"),
            grid.code.label("grid_code"),
            grid.name.label("grid_name"),
            of(select(func.count(DisputeParty.id)).where(mine)).label("parties"),
            of(select(func.count(DisputeStep.id)).where(*held)).label("sessions"),
            of(select(func.min(DisputeCall.due_on)).where(*waiting)).label("call_on"),
            func.ST_X(Building.point).label("lon"),
            func.ST_Y(Building.point).label("lat"),
        )
        .join(Building, Building.id == Dispute.building_id)
        .outerjoin(grid, grid.id == Dispute.grid_id)
    )
    return query.outerjoin(accounts.Account, accounts.Account.id == Dispute.account_id)


#: What disputes can be sorted by.
SORTS: dict[str, Any] = {"id": Dispute.id, "reported": Dispute.reported_at, "kind": Dispute.kind}


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The disputes the actor may see, a row each.

    Beside their columns: ``account_name building_number grid_code grid_name``, how many ``parties`` and ``sessions``
    there are, ``call_on`` (the day of the next call, or null), ``lon lat``.
    """
    return narrowed(rows(), actor, wanted or Filter())


def get(session: Session, actor: Actor, dispute_id: int) -> Dispute:
    """The dispute with this id.

    Raises
    ------
    DisputeNotFound
    """
    dispute = session.scalar(access.visible(select(Dispute).where(Dispute.id == dispute_id), actor, Dispute))
    if dispute is None:
        raise DisputeNotFound(_("Not found, or outside your area."))
    return dispute


def row(session: Session, dispute: Dispute) -> Row[Any]:
    """A dispute as a row of ``selection``, for one that the actor was already shown to see."""
    return session.execute(rows().where(Dispute.id == dispute.id)).one()


def parties(session: Session, actor: Actor, dispute: Dispute) -> Sequence[Row[Any]]:
    """Who is in dispute, **not masked**: ``id name phone household_id unit room``; no households one may not see."""
    home: Any = aliased(Household, access.visible(select(Household), actor, Household).subquery())
    query = (
        select(
            DisputeParty.id,
            DisputeParty.name,
            DisputeParty.phone,
            home.id.label("household_id"),
            Dwelling.unit,
            Dwelling.room,
        )
        .outerjoin(home, home.id == DisputeParty.household_id)
        .outerjoin(Dwelling, Dwelling.id == home.dwelling_id)
        .where(DisputeParty.dispute_id == dispute.id)
    )
    return session.execute(query.order_by(DisputeParty.id)).all()


def steps(session: Session, dispute: Dispute) -> Sequence[Row[Any]]:
    """What was done about a dispute that the actor was shown to see: its columns and ``account_name``, oldest first."""
    query: Rows = select(*listing.columns(DisputeStep), accounts.Account.name.label("account_name"))
    query = query.outerjoin(accounts.Account, accounts.Account.id == DisputeStep.account_id)
    return session.execute(
        query.where(DisputeStep.dispute_id == dispute.id).order_by(DisputeStep.at, DisputeStep.id)
    ).all()


def step_counts(session: Session, actor: Actor, wanted: Filter | None = None) -> dict[str, int]:
    """How many disputes stand where, of those that a filter asks for."""
    counted: Rows = select(Dispute.step, func.count().label("disputes"))
    grouped = narrowed(counted, actor, wanted or Filter()).group_by(Dispute.step)
    return dict.fromkeys(Step, 0) | {one.step: one.disputes for one in session.execute(grouped)}


def at_buildings(session: Session, actor: Actor, wanted: Filter) -> Sequence[Row[Any]]:
    """The buildings with disputes: ``id number name code grid_id lon lat disputes open``, most first."""
    query: Rows = (
        select(
            Building.id,
            Building.number,
            Building.name,
            Building.code,
            Building.grid_id,
            func.ST_X(Building.point).label("lon"),
            func.ST_Y(Building.point).label("lat"),
            func.count().label("disputes"),
            func.count().filter(Dispute.step.in_(OPEN)).label("open"),
        )
        .select_from(Dispute)
        .join(Building, Building.id == Dispute.building_id)
        .where(Building.point.is_not(None))
    )
    query = narrowed(query, actor, wanted).group_by(Building.id)
    return session.execute(query.order_by(func.count().desc(), Building.id)).all()
