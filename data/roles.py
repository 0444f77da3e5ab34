"""Roles and permissions: what each role may do, edited by whoever has the permissions to give.

The tables stand in ``accounts``. A role holds for everybody who has it, everywhere, so editing one takes
``account.edit`` everywhere, and nobody can put a permission into a role that they do not have everywhere themselves.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.accounts import Permission, Role, RolePermission, keeping_an_administrator
from data.base import access, audit, db
from data.base.access import Actor
from data.base.errors import Forbidden, Invalid, NotFound
from data.base.language import _


class RoleNotFound(NotFound):
    """There is no such role."""


db.sentences["pk_role"] = "There is already a role “{key}”."
db.sentences["fk_grant_role_code"] = "Accounts still have this role. Take it from them first."


def permissions(session: Session) -> list[Permission]:
    """All permissions, by code."""
    return list(session.scalars(select(Permission).order_by(Permission.code)))


def by_role(session: Session) -> dict[str, list[str]]:
    """The permissions of each role, by code."""
    found: dict[str, list[str]] = {}
    for role, permission in session.execute(
        select(RolePermission.role_code, RolePermission.permission_code).order_by(RolePermission.permission_code)
    ):
        found.setdefault(role, []).append(permission)
    return found


def get(session: Session, code: str) -> Role:
    """The role with this code.

    Raises
    ------
    RoleNotFound
    """
    found = session.get(Role, code)
    if found is None:
        raise RoleNotFound(_("There is no role “{code}”.", code=code))
    return found


def add(session: Session, actor: Actor, *, code: str, permissions: Collection[str] = (), **values: Any) -> Role:
    """A new role with these permissions."""
    access.require_everywhere(actor, "account.edit")
    role = Role(code=code, **values)
    db.insert(session, role)
    _allow(session, actor, role, permissions)
    return role


def change(
    session: Session, actor: Actor, role: Role, *, permissions: Collection[str] | None = None, **values: Any
) -> Role:
    """Change names of a role, and which permissions it has.

    Raises
    ------
    Invalid
        There is no such permission.
    Forbidden
        A permission is added that the actor does not have everywhere.
    Conflict
        Nobody could administer everything any more.
    """
    access.require_everywhere(actor, "account.edit")
    for name, value in values.items():
        setattr(role, name, value)
    session.flush()
    if permissions is not None:
        _allow(session, actor, role, permissions)
    return role


def remove(session: Session, actor: Actor, role: Role) -> None:
    """Remove a role that no account has."""
    access.require_everywhere(actor, "account.edit")
    session.delete(role)
    session.flush()  # fk_grant_role_code refuses one that an account has


def _allow(session: Session, actor: Actor, role: Role, wanted: Collection[str]) -> None:
    unknown = set(wanted) - set(session.scalars(select(Permission.code)))
    if unknown:
        raise Invalid(_("There is no permission {codes}.", codes=", ".join(sorted(unknown))), field="body.permissions")
    held = {row.permission_code: row for row in session.scalars(_of(role))}
    foreign = sorted(code for code in set(wanted) - set(held) if not actor.area(code).everywhere)
    if foreign:
        raise Forbidden(_("A role can only be given permissions that one has everywhere."), missing=foreign)
    with keeping_an_administrator(session):
        for code in sorted(set(held) - set(wanted)):
            session.delete(held[code])
        session.add_all([RolePermission(role_code=role.code, permission_code=code) for code in set(wanted) - set(held)])
    if set(wanted) != set(held):
        audit.record(session, actor, "permit", "role", changes={role.code: [sorted(held), sorted(wanted)]})


def _of(role: Role) -> Any:
    return select(RolePermission).where(RolePermission.role_code == role.code)
