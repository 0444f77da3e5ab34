"""Who gives and takes which role where, and manages which account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data import units
from data.accounts.tables import Account, Grant, GrantNotFound, Role, RolePermission
from data.base import access
from data.base.access import Actor
from data.base.errors import Conflict, Forbidden, Invalid
from data.base.language import _

#: What one needs everywhere to mend anything: see and manage accounts and roles, and change the tree.
ADMINISTERS = ("account.read", "account.edit", "unit.edit")
_ADMINISTRATORS_LOCK = 7_214_002
_KEEPING = "keeping_an_administrator"


def give(session: Session, actor: Actor, *, account: Account, role_code: str, unit: units.Unit | None) -> Grant:
    """Give ``account`` a role at ``unit``, or everywhere; nobody can give away a permission they do not have there."""
    _require_over(session, actor, role_code, unit.id if unit else None, unit.community_id if unit else None)
    grant = Grant(account_id=account.id, role_code=role_code, unit_id=unit.id if unit else None)
    session.add(grant)
    session.flush()
    return grant


def take(session: Session, actor: Actor, account: Account, grant_id: int) -> None:
    """Take a role from an account.

    Raises
    ------
    GrantNotFound
    Conflict
        Nobody could administer everything any more.
    """
    grant = session.scalar(select(Grant).where(Grant.id == grant_id, Grant.account_id == account.id))
    if grant is None:
        raise GrantNotFound(_("Not found, or outside your area."))
    unit = session.get_one(units.Unit, grant.unit_id) if grant.unit_id is not None else None
    _require_over(session, actor, grant.role_code, grant.unit_id, unit.community_id if unit else None)
    with keeping_an_administrator(session):
        session.delete(grant)


def require_over(session: Session, actor: Actor, account: Account) -> None:
    """Raise unless ``actor`` may manage ``account``: could have given it every role it has.

    Otherwise whoever manages one community could take over an account that works there and elsewhere.
    """
    access.require(actor, "account.edit")
    held = session.execute(
        select(Grant.role_code, Grant.unit_id, units.Unit.community_id)
        .outerjoin(units.Unit, units.Unit.id == Grant.unit_id)
        .where(Grant.account_id == account.id)
    ).all()
    for role_code, unit_id, community_id in held:
        _require_over(session, actor, role_code, unit_id, community_id)
    if not held:
        access.require_everywhere(actor, "account.edit")


def _require_over(
    session: Session, actor: Actor, role_code: str, unit_id: int | None, community_id: int | None
) -> None:
    """Raise unless ``actor`` may give and take this role at this unit: has account.edit and all it permits there."""
    if session.get(Role, role_code) is None:
        raise Invalid(_("There is no role “{code}”.", code=role_code), field="role_code")
    if actor.is_system:
        return
    if unit_id is None:
        access.require_everywhere(actor, "account.edit")
    elif not _holds(actor, "account.edit", unit_id):
        access.require(actor, "account.edit", community_id or 0)
    require_all_of(session, actor, role_code, unit_id)


def _holds(actor: Actor, permission: str, unit_id: int | None) -> bool:
    area = actor.area(permission)
    return area.everywhere if unit_id is None else area.covers_whole(unit_id)


def require_all_of(session: Session, actor: Actor, role_code: str, unit_id: int | None) -> None:
    """Raise unless ``actor`` has all that a role permits at a unit: nobody hands on more than they have there.

    Raises
    ------
    Forbidden
    """
    wanted = session.scalars(select(RolePermission.permission_code).where(RolePermission.role_code == role_code))
    missing = sorted(permission for permission in wanted if not _holds(actor, permission, unit_id))
    if missing:
        raise Forbidden(
            _("A role can only be given by somebody who has all of its permissions there."), missing=missing
        )


@contextmanager
def keeping_an_administrator(session: Session) -> Iterator[None]:
    """Refuse the change in the block if nobody could administer everything after it; within another, that one decides.

    Somebody who can does so with one open account: ``ADMINISTERS``, everywhere. Who takes the last such role away from
    themselves could give it back to nobody. Where there is nobody already, the change is as good as any.

    Raises
    ------
    Conflict
    """
    if session.info.get(_KEEPING):
        yield  # what is taken here may be given back before the outer one ends
        return
    # Two who take the role from each other at the same moment take turns.
    session.execute(select(func.pg_advisory_xact_lock(_ADMINISTRATORS_LOCK)))
    before = somebody_administers(session)
    session.info[_KEEPING] = True
    try:
        yield
        session.flush()
    finally:
        del session.info[_KEEPING]
    if before and not somebody_administers(session):
        raise Conflict(
            _("Then nobody could administer everything any more. Give somebody else that role everywhere first.")
        )


def somebody_administers(session: Session) -> bool:
    """Whether an open account has all of ``ADMINISTERS`` everywhere."""
    able = (
        select(Grant.account_id)
        .join(Account, Account.id == Grant.account_id)
        .join(RolePermission, RolePermission.role_code == Grant.role_code)
        .where(Grant.unit_id.is_(None), Account.active, RolePermission.permission_code.in_(ADMINISTERS))
        .group_by(Grant.account_id)
        .having(func.count(RolePermission.permission_code.distinct()) == len(ADMINISTERS))
    )
    return session.scalar(able.limit(1)) is not None
