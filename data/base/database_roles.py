"""The database's own roles: as whom requests run, made and granted here and nowhere else.

Roles and who may become whom belong to a PostgreSQL server, not to one of its databases, so no dump of a database
brings them along. ``prepare`` makes what is missing and leaves what is there: a migration runs it, and so does a
restore before it reads the dump, whose grants and policies name these roles.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from data.base import cluster, db, settings
from data.base.errors import Conflict
from data.base.language import _

#: The roles that grants and policies of our tables name, and how each is made. Owners of tables may become all of them.
ROLES = {db.APP_ROLE: "NOLOGIN"}


class RolesMissing(Conflict):
    """A role is missing, and the database user may not make or become it."""


def prepare(connection: Connection) -> None:
    """Have every role of ``ROLES``, and the user of ``connection`` able to become each.

    In the private cluster requests have a login of their own too. On another server that is up to its administrator,
    who gives it a password.

    Raises
    ------
    RolesMissing
        The user may not do that here; the sentence says what an administrator has to run.
    """
    for role, options in ROLES.items():
        make(connection, role, options)
        if not connection.scalar(text("SELECT pg_has_role(current_user, :role, 'MEMBER')"), {"role": role}):
            _do(connection, f"GRANT {quoted(role)} TO {_user(connection)}", role)
    if not settings.get().database_url:
        make(connection, cluster.REQUESTS, "LOGIN", [db.APP_ROLE])


def make(connection: Connection, role: str, options: str = "NOLOGIN", member_of: Sequence[str] = ()) -> None:
    """Have a role; one that is made here becomes a member of those roles of ``member_of`` that there are."""
    if _exists(connection, role):
        return
    _do(connection, f"CREATE ROLE {quoted(role)} {options}", role)
    for other in member_of:
        if _exists(connection, other):
            _do(connection, f"GRANT {quoted(other)} TO {quoted(role)}", role)


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def _exists(connection: Connection, role: str) -> bool:
    query = text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :role)")
    return bool(connection.scalar(query, {"role": role}))


def _user(connection: Connection) -> str:
    return str(connection.scalar(text("SELECT quote_ident(current_user)")))


def _do(connection: Connection, statement: str, role: str) -> None:
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(statement)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) in _THERE_ALREADY:
            return  # another one made it at the same moment
        user = _user(connection)
        raise RolesMissing(
            _(
                "The database user {user} needs the role {role} and may not get it. As an administrator of the server "
                "run: {statement}",
                user=user,
                role=role,
                statement=f"CREATE ROLE {quoted(role)} NOLOGIN; GRANT {quoted(role)} TO {user};",
            )
        ) from error


#: duplicate_object, unique_violation
_THERE_ALREADY = ("42710", "23505")
