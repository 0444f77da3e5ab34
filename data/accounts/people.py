"""The accounts themselves: opening, finding and changing them, and what each amounts to as an actor."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from data import units
from data.accounts.granting import keeping_an_administrator, require_over
from data.accounts.passwords import check_password
from data.accounts.standing_in import lent, stood_in_for
from data.accounts.tables import Account, AccountNotFound, Grant, Role, RolePermission, SignIn
from data.accounts.tokens import KEPT_FROM_TOKENS, end_tokens
from data.base import access, listing, secrets
from data.base.access import Actor, Area, Rows
from data.base.errors import Invalid, NotFound
from data.base.language import _

#: The code of the demo's community (``data.demo.plan``), which begins as no real code does.
DEMO_COMMUNITY = "990106003012"


def actor(session: Session, account: Account, request_id: str | None = None, *, by_token: bool = False) -> Actor:
    """``account`` as an actor: its permissions and where each holds. Runs on a session without walls."""
    own = select(Grant.unit_id, Grant.role_code).where(Grant.account_id == account.id)
    held = own.union_all(lent(account.id)).subquery()
    rows = session.execute(
        select(held.c.unit_id, held.c.role_code, RolePermission.permission_code).join(
            RolePermission, RolePermission.role_code == held.c.role_code
        )
    ).all()
    units_by_permission: dict[str, set[int | None]] = {}
    for unit_id, _role, permission in rows:
        if by_token and permission in KEPT_FROM_TOKENS:
            continue
        units_by_permission.setdefault(permission, set()).add(unit_id)
    areas: dict[frozenset[int | None], Area] = {}
    permissions = {}
    for permission, unit_ids in units_by_permission.items():
        key = frozenset(unit_ids)
        if key not in areas:
            # A grant without a unit is what makes it everywhere; that no other unit is left never does.
            at = sorted(unit_id for unit_id in key if unit_id is not None)
            areas[key] = Area(everywhere=True) if None in key else units.expand(session, at)
        permissions[permission] = areas[key]
    away = stood_in_for(session, account.id)
    return Actor(
        account_id=account.id,
        name=account.name,
        permissions=permissions,
        stands_in={grid_id: frozenset(absent) for grid_id, absent in away.items()},
        request_id=request_id,
        by_token=by_token,
        password_given=account.password_given and not by_token,
    )


def add(
    session: Session, actor: Actor, *, username: str, name: str, password: str, password_given: bool = False
) -> Account:
    """A new account without any role.

    Parameters
    ----------
    password_given
        Whether the password is that of whoever opens the account, and not of whose it is.

    Raises
    ------
    Invalid
        The user name or password is not acceptable.
    """
    access.require(actor, "account.edit")
    if not re.fullmatch(r"[\w.@-]{2,64}", username):
        raise Invalid(_("A user name has 2 to 64 letters, digits, dots, dashes or @."), field="username")
    check_password(password, username, name)
    account = Account(
        username=username,
        name=name.strip() or username,
        password_hash=secrets.password_hash(password),
        password_given=password_given,
    )
    session.add(account)
    session.flush()
    return account


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which accounts: with a role, open or closed, with a text in user name or name."""

    role: str | None = None
    active: bool | None = None
    text: str | None = None


#: What accounts can be sorted by.
SORTS: dict[str, Any] = {
    "id": Account.id,
    "username": func.lower(Account.username),
    "name": Account.name,
    "updated": Account.updated_at,
}


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The accounts the actor may see, a row each: the columns without the password's hash."""
    wanted = wanted or Filter()
    query = access.visible(select(*listing.columns(Account, without=("password_hash",))), actor, Account)
    if wanted.role:
        query = query.where(Account.id.in_(select(Grant.account_id).where(Grant.role_code == wanted.role)))
    if wanted.active is not None:
        query = query.where(Account.active.is_(wanted.active))
    if wanted.text:
        texts = (Account.username, Account.name)
        query = query.where(or_(*(listing.containing(column, wanted.text) for column in texts)))
    return query


def everybody(session: Session) -> Sequence[Account]:
    """All accounts by their user names. Runs on a session without walls."""
    return session.scalars(select(Account).order_by(Account.username)).all()


def get(session: Session, actor: Actor, account_id: int) -> Account:
    """The account with this id.

    Raises
    ------
    AccountNotFound
    """
    found = session.scalar(access.visible(select(Account).where(Account.id == account_id), actor, Account))
    if found is None:
        raise AccountNotFound(_("Not found, or outside your area."))
    return found


def by_username(session: Session, username: str) -> Account:
    """The account with this user name, whatever its case. Runs on a session without walls.

    Raises
    ------
    NotFound
    """
    found = session.scalar(select(Account).where(func.lower(Account.username) == username.lower()))
    if found is None:
        raise NotFound(_("There is no account “{name}”.", name=username))
    return found


def who_may(session: Session, permission: str, unit_id: int) -> list[Any]:
    """Everybody whose permission covers a unit: rows ``id, name, role_zh, role_en, level``, the nearest level first.

    The level is empty for whoever has the permission everywhere.
    Whom work can be given to. Runs for actors who were shown to handle records of the unit.
    """
    path = select(func.unnest(units.Unit.path)).where(units.Unit.id == unit_id)
    holds = Grant.unit_id.in_(path) | Grant.unit_id.is_(None)
    query = (
        select(
            Account.id,
            Account.name,
            Role.name_zh.label("role_zh"),
            Role.name_en.label("role_en"),
            units.Unit.level,
        )
        .join(Grant, Grant.account_id == Account.id)
        .join(Role, Role.code == Grant.role_code)
        .join(RolePermission, RolePermission.role_code == Role.code)
        .outerjoin(units.Unit, units.Unit.id == Grant.unit_id)
        .where(RolePermission.permission_code == permission, holds, Account.active)
        .order_by(func.cardinality(units.Unit.path).desc().nulls_last(), Role.position, Account.id)
    )
    nearest: dict[int, Any] = {}
    for row in session.execute(query):
        nearest.setdefault(row.id, row)
    return list(nearest.values())


def count_at(session: Session, unit_ids: Collection[int]) -> int:
    """How many can sign in with a role at one of these units. The caller has shown that they are seen."""
    there = select(func.count(Grant.account_id.distinct())).join(Account, Account.id == Grant.account_id)
    return session.scalar(there.where(Grant.unit_id.in_(unit_ids), Account.active)) or 0


def change(session: Session, actor: Actor, account: Account, **values: Any) -> Account:
    """Change name, language or ``active`` of an account; closing ends sessions and tokens. Runs without walls."""
    require_over(session, actor, account)
    if values.get("active") is False and account.id == actor.account_id:
        raise Invalid(_("One cannot close one’s own account."), field="active")
    with keeping_an_administrator(session):
        for name, value in values.items():
            setattr(account, name, value)
    if not account.active:
        session.execute(delete(SignIn).where(SignIn.account_id == account.id))
        end_tokens(session, account)
    session.flush()
    return account


def of_the_demo(session: Session) -> list[dict[str, Any]]:
    """``username, role_zh, role_en`` of the accounts that came with the demo community; none without it.

    They are those made in the one transaction that made the demo's community, so nobody else's name is among them.
    """
    rows = session.execute(
        select(Account.username, Role.name_zh, Role.name_en)
        .join(units.Unit, units.Unit.created_at == Account.created_at)
        .join(Grant, Grant.account_id == Account.id)
        .join(Role, Role.code == Grant.role_code)
        .where(units.Unit.code == DEMO_COMMUNITY, Account.active)
        .order_by(Role.position, Account.id)
    )
    return [{"username": row.username, "role_zh": row.name_zh, "role_en": row.name_en} for row in rows]


def roles(session: Session) -> list[Role]:
    """All roles, in the order of the list."""
    return list(session.scalars(select(Role).order_by(Role.position, Role.code)))


def grants(session: Session, account_id: int) -> list[dict[str, Any]]:
    """The grants of an account with role and unit names; those that hold everywhere come first, without a unit."""
    rows = session.execute(
        select(Grant.id, Grant.role_code, Role.name_zh, Role.name_en, Grant.unit_id, units.Unit.code, units.Unit.name)
        .join(Role, Role.code == Grant.role_code)
        .outerjoin(units.Unit, units.Unit.id == Grant.unit_id)
        .where(Grant.account_id == account_id)
        .order_by(units.Unit.code.nulls_first(), Grant.id)
    )
    names = ("id", "role_code", "role_zh", "role_en", "unit_id", "unit_code", "unit_name")
    return [dict(zip(names, row, strict=True)) for row in rows]


def roles_of(session: Session, actor: Actor, account_ids: Collection[int]) -> dict[int, list[tuple[str, str | None]]]:
    """Account id → the codes of its roles and the names of the units where it has them, as far as the actor sees.

    A role that holds everywhere has no unit.
    """
    query = (
        select(Grant.account_id, Grant.role_code, units.Unit.name)
        .outerjoin(units.Unit, units.Unit.id == Grant.unit_id)
        .where(Grant.account_id.in_(account_ids))
        .order_by(units.Unit.code.nulls_first())
    )
    found: dict[int, list[tuple[str, str | None]]] = {}
    for account_id, role_code, unit_name in session.execute(access.visible(query, actor, Grant)):
        found.setdefault(account_id, []).append((role_code, unit_name))
    return found
