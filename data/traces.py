"""Traces 留痕: a track, a check-in or a photo is there because its walker wanted it, or because an order is in force.

国办函〔2026〕12号 forbids to force tracks, check-ins and photos upon staff, and to rank people by them. So a phone
records no track until its walker switches that on, and nobody but the walker sees it. A community may order otherwise
for some days, such as in a storm or a search, and says why: the order is shown to everybody who walks, it is kept, and
it is in the audit. The tracks of its days are seen by those with ``patrol.read`` there, and of these days alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, Date, ForeignKey, Row, cast, func, select
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, Session, mapped_column

from data import units
from data.accounts import Account
from data.base import access, db, settings, texts
from data.base.access import Actor, Rows
from data.base.errors import Invalid, NotFound
from data.base.language import _

#: An order is for an emergency: for longer than this nobody orders traces.
MOST_DAYS = 14
DAYS = "An order holds for one day to fourteen. Order again if it is still needed then."


class OrderNotFound(NotFound):
    """There is no such order, or its community is outside the actor's area."""


class TraceOrder(db.Dated, db.Table):
    """A community orders that whoever walks in it records the track, for some days and a reason."""

    __tablename__ = "trace_order"
    __read__ = "coverage.read"
    __table_args__ = (
        ExcludeConstraint(("community_id", "="), ("valid", "&&"), name="ex_trace_order_valid", using="gist"),
        CheckConstraint("NOT isempty(valid) AND upper(valid) - lower(valid) <= 14", name="days"),
        CheckConstraint("char_length(reason) >= 2", name="reason"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    valid: Mapped[Range[date]] = mapped_column(DATERANGE)
    reason: Mapped[texts.Long]
    #: who ordered it
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """An order is its community's, and of everybody who walks there."""
        of_grids = select(units.Unit.community_id).where(units.Unit.id.in_(sorted(area.single)))
        return access.in_area(area, cls.community_id) | cls.community_id.in_(of_grids)


db.sentences["ex_trace_order_valid"] = "There is an order for one of these days already."
db.sentences["ck_trace_order_days"] = DAYS


def ordered(community_id: Any, at: Any) -> ColumnElement[bool]:
    """The condition that an order was in force in a community at an instant, both of them columns."""
    day = cast(func.timezone(settings.get().timezone, at), Date)
    return select(TraceOrder.id).where(TraceOrder.community_id == community_id, TraceOrder.valid.contains(day)).exists()


def in_force(session: Session, actor: Actor, community_id: int | None, on: date | None = None) -> TraceOrder | None:
    """The order that holds in a community on a day, today by default."""
    query = select(TraceOrder).where(
        TraceOrder.community_id == community_id, TraceOrder.valid.contains(on or settings.today())
    )
    return session.scalar(access.visible(query, actor, TraceOrder))


def listed(session: Session, actor: Actor, community_id: int | None) -> Sequence[Row[Any]]:
    """The orders of a community (or of all), a row each: ``id community_id valid reason by``, the latest first."""
    query: Rows = select(
        TraceOrder.id, TraceOrder.community_id, TraceOrder.valid, TraceOrder.reason, Account.name.label("by")
    ).outerjoin(Account, Account.id == TraceOrder.account_id)
    if community_id is not None:
        query = query.where(TraceOrder.community_id == community_id)
    query = access.visible(query, actor, TraceOrder)
    return session.execute(query.order_by(TraceOrder.valid.desc(), TraceOrder.id)).all()


def order(session: Session, actor: Actor, community: units.Unit, *, first: date, last: date, reason: str) -> TraceOrder:
    """Order that tracks are recorded, from the first day to the last; never for days that are over.

    Raises
    ------
    Invalid
        These are no days for which traces can be ordered.
    Conflict
        There is an order for one of them.
    """
    access.require(actor, "trace.order", community.id)
    if first < settings.today():
        raise Invalid(_("Nothing is ordered for days that are over. Begin today or later."), field="first")
    if not first <= last < first + timedelta(days=MOST_DAYS):
        raise Invalid(_(DAYS), field="last")
    if len(reason.strip()) < 2:
        raise Invalid(_("Say why: everybody who walks reads it."), field="reason")
    made = TraceOrder(
        community_id=community.id,
        valid=Range(first, last + date.resolution),
        reason=reason.strip(),
        account_id=actor.account_id,
    )
    db.insert(session, made)
    return made


def lift(session: Session, actor: Actor, order_id: int) -> TraceOrder:
    """End an order with yesterday, or take it back before it begins.

    Raises
    ------
    OrderNotFound
    """
    standing = session.scalar(access.visible(select(TraceOrder).where(TraceOrder.id == order_id), actor, TraceOrder))
    if standing is None:
        raise OrderNotFound(_("Not found, or outside your area."))
    access.require(actor, "trace.order", standing.community_id)
    today = settings.today()
    begins, ends = standing.valid.lower, standing.valid.upper
    if begins is not None and begins >= today:
        session.delete(standing)
    elif ends is not None and ends > today:
        standing.valid = Range(begins, today)
    session.flush()
    return standing
