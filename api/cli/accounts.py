"""``wangge account``: who may sign in, and their roles. Passwords are asked for, never given as an argument."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from api.cli import report
from data.base.language import _

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    account = typer.Typer(help="Accounts and their roles.", no_args_is_help=True)
    for command in (add, grant, password):
        account.command()(command)
    account.command(name="list")(listed)
    app.add_typer(account, name="account")


def add(
    username: str,
    name: Annotated[str, typer.Option(help="The person's name.")] = "",
    role: Annotated[str | None, typer.Option(help="A role, such as grid_leader.")] = None,
    unit: Annotated[str | None, typer.Option(help="The code of the unit where the role holds.")] = None,
    as_json: Json = False,
) -> None:
    """Add an account; its password is read from the terminal or the standard input."""
    from data import accounts, units
    from data.base import access, cluster, db
    from data.base.errors import Invalid

    if (role is None) != (unit is None):
        raise Invalid(_("Give --role and --unit together."))
    secret = _read_password()
    with cluster.available(), db.transaction(access.SYSTEM) as session:
        account = accounts.add(session, access.SYSTEM, username=username, name=name, password=secret)
        if role and unit:
            place = units.by_code(session, access.SYSTEM, unit)
            accounts.give(session, access.SYSTEM, account=account, role_code=role, unit=place)
    report({"username": username, "role": role, "unit": unit}, as_json, _("Added: {name}", name=username))


def grant(username: str, role: str, unit: str) -> None:
    """Give an account a role at a unit and everything below it."""
    from data import accounts, units
    from data.base import access, cluster, db

    with cluster.available(), db.transaction(access.SYSTEM) as session:
        account = accounts.by_username(session, username)
        place = units.by_code(session, access.SYSTEM, unit)
        accounts.give(session, access.SYSTEM, account=account, role_code=role, unit=place)
    report({}, False, _("{name} is now {role} at {unit}.", name=username, role=role, unit=unit))


def password(username: str) -> None:
    """Set an account's password and close its sessions."""
    from data import accounts
    from data.base import access, cluster, db

    secret = _read_password()
    with cluster.available(), db.transaction(access.SYSTEM) as session:
        accounts.set_password(session, accounts.by_username(session, username), secret)
    report({}, False, _("The password is set; open sessions are closed."))


def listed(as_json: Json = False) -> None:
    """List the accounts with their roles."""
    from sqlalchemy import select

    from data import accounts
    from data.base import access, cluster, db

    with cluster.available(), db.transaction(access.SYSTEM) as session:
        rows = [
            {
                "username": account.username,
                "name": account.name,
                "active": account.active,
                "grants": [f"{g['role_code']}@{g['unit_code']}" for g in accounts.grants(session, account.id)],
            }
            for account in session.scalars(select(accounts.Account).order_by(accounts.Account.username))
        ]
    lines = [f"{row['username']:<24}{', '.join(row['grants'])}" for row in rows]  # type: ignore[arg-type]
    report({"accounts": rows}, as_json, "\n".join(lines))


def _read_password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(_("Password"), hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")
