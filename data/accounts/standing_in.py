"""Standing in 代班: whoever is away for some days is stood in for, and everything goes there and back by itself.

Nothing is handed over and nothing has to be taken back: for these days the one who stands in has, at that unit, the
roles of the one who is away, and is told what the other would be told. What they do, they do in their own name.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Row, select, true
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from data import units
from data.accounts.granting import require_all_of
from data.accounts.tables import Account, Grant
from data.base import access, db, settings
from data.base.access import Actor, Rows
from data.base.errors import Invalid, NotFound
from data.base.language import _


class StandInNotFound(NotFound):
    """Nobody stands in there, or it is outside the actor's area."""


class StandIn(db.Dated, db.Table):
    """Somebody stands in for somebody at a grid, during a span of days."""

    __tablename__ = "stand_in"
    __read__ = "grid.read"
    __table_args__ = (
        ExcludeConstraint(
            ("grid_id", "="), ("account_id", "="), ("valid", "&&"), name="ex_stand_in_valid", using="gist"
        ),
        CheckConstraint("NOT isempty(valid)", name="valid"),
        CheckConstraint("NOT upper_inf(valid)", name="ends"),
        CheckConstraint("account_id <> deputy_id", name="another"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    grid_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    #: who is away
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    #: who stands in
    deputy_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    valid: Mapped[Range[date]] = mapped_column(DATERANGE)

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """It lies in its grid."""
        return access.in_area(area, cls.community_id, cls.grid_id)


db.sentences["ex_stand_in_valid"] = "Somebody stands in on these days already. Change that, or choose other days."
db.sentences["ck_stand_in_another"] = "Nobody stands in for themselves. Choose somebody else."
db.sentences["ck_stand_in_valid"] = "The last day is not before the first."


def lent(account_id: int) -> Any:
    """The grants of others that an account has today because it stands in for them, as a query of ``Grant``."""
    return (
        select(Grant.unit_id, Grant.role_code)
        .join(StandIn, (StandIn.account_id == Grant.account_id) & (StandIn.grid_id == Grant.unit_id))
        .join(Account, Account.id == StandIn.account_id)
        .where(StandIn.deputy_id == account_id, StandIn.valid.contains(settings.today()), Account.active)
    )


def deputies(session: Session, grid_id: int, on: date | None = None) -> dict[int, int]:
    """Who is away from a grid on a day → who stands in, of those who can sign in."""
    rows = session.execute(
        select(StandIn.account_id, StandIn.deputy_id)
        .join(Account, Account.id == StandIn.deputy_id)
        .where(StandIn.grid_id == grid_id, StandIn.valid.contains(on or settings.today()), Account.active)
    )
    return {row.account_id: row.deputy_id for row in rows}


def deputy(session: Session, grid_id: int, account_id: int) -> str | None:
    """The name of who stands in for somebody at a grid today."""
    stands = deputies(session, grid_id).get(account_id)
    return session.get_one(Account, stands).name if stands is not None else None


def stood_in_for(session: Session, account_id: int) -> dict[int, set[int]]:
    """Grid → the accounts for which somebody stands in there today."""
    away: dict[int, set[int]] = {}
    for grid_id, absent in session.execute(
        select(StandIn.grid_id, StandIn.account_id).where(
            StandIn.deputy_id == account_id, StandIn.valid.contains(settings.today())
        )
    ):
        away.setdefault(grid_id, set()).add(absent)
    return away


def stand_ins(
    session: Session, actor: Actor, *, grids: Collection[int] | None = None, since: date | None = None
) -> Sequence[Row[Any]]:
    """Who stands in for whom, a row each: ``id grid_id grid_name account_id absent deputy_id deputy valid``.

    Those that end on ``since`` or later, the next first.
    """
    absent, deputy = aliased(Account), aliased(Account)
    query: Rows = (
        select(
            StandIn.id,
            StandIn.grid_id,
            units.Unit.name.label("grid_name"),
            StandIn.account_id,
            absent.name.label("absent"),
            StandIn.deputy_id,
            deputy.name.label("deputy"),
            StandIn.valid,
        )
        .join(units.Unit, units.Unit.id == StandIn.grid_id)
        .join(absent, absent.id == StandIn.account_id)
        .join(deputy, deputy.id == StandIn.deputy_id)
    )
    if grids is not None:
        query = query.where(StandIn.grid_id.in_(grids))
    if since is not None:
        query = query.where(StandIn.valid.op("&&")(Range(since, None)))
    query = access.visible(query, actor, StandIn)
    return session.execute(query.order_by(StandIn.valid.desc(), StandIn.id)).all()


def those_who_can(session: Session, actor: Actor, community_id: int) -> dict[int, str]:
    """Id → name of the accounts that work in a community, as far as the actor arranges its teams.

    That is whoever has a role there or in a grid of it.
    """
    area = actor.area("team.edit")
    reached = true() if area.everywhere else Grant.unit_id.in_(sorted(area.whole))
    rows = session.execute(
        select(Account.id, Account.name)
        .where(
            Account.active,
            Account.id.in_(
                select(Grant.account_id)
                .join(units.Unit, units.Unit.id == Grant.unit_id)
                .where(units.Unit.community_id == community_id, reached)
            ),
        )
        .order_by(Account.name, Account.id)
    )
    return {row.id: row.name for row in rows}


def stand_in(
    session: Session, actor: Actor, grid: units.Unit, *, account_id: int, deputy_id: int, first: date, last: date
) -> StandIn:
    """Have somebody stand in for somebody at a grid, from the first day to the last.

    Raises
    ------
    Forbidden
        The roles of the one who is away permit more there than the actor has.
    Invalid
        One of the two has no role there, so there is nothing to stand in for, or nobody who may.
    Conflict
        Somebody stands in on one of these days already.
    """
    access.require(actor, "team.edit", grid.community_id, grid.id)
    assert grid.community_id is not None
    if last < first:
        raise Invalid(_("The last day is not before the first."), field="last")
    query = select(Grant.role_code).where(Grant.account_id == account_id, Grant.unit_id == grid.id)
    held = session.scalars(query).all()
    if not held:
        raise Invalid(
            _("This account has no role in the grid, so there is nothing to stand in for."), field="account_id"
        )
    if deputy_id not in those_who_can(session, actor, grid.community_id):
        raise Invalid(_("Only somebody who works in this community can stand in."), field="deputy_id")
    for role_code in held:
        require_all_of(session, actor, role_code, grid.id)
    days = Range(first, last + date.resolution)
    made = StandIn(
        community_id=grid.community_id, grid_id=grid.id, account_id=account_id, deputy_id=deputy_id, valid=days
    )
    db.insert(session, made)
    return made


def end_stand_in(session: Session, actor: Actor, stand_in_id: int) -> StandIn:
    """Whoever is away is back today; what lies ahead is taken out, what has begun ends with yesterday.

    Raises
    ------
    StandInNotFound
    """
    standing = session.scalar(access.visible(select(StandIn).where(StandIn.id == stand_in_id), actor, StandIn))
    if standing is None:
        raise StandInNotFound(_("Not found, or outside your area."))
    access.require(actor, "team.edit", standing.community_id, standing.grid_id)
    today = settings.today()
    if standing.valid.lower is not None and standing.valid.lower < today:
        if standing.valid.upper is None or standing.valid.upper > today:
            standing.valid = Range(standing.valid.lower, today)
    else:
        session.delete(standing)
    session.flush()
    return standing
