"""``wangge account``: who may sign in, and their roles. Passwords are asked for, never given as an argument."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from api.cli.terminal import ready, report
from data.base.language import _

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Everywhere = Annotated[bool, typer.Option("--everywhere", help="The role holds everywhere, wherever units are added.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    account = typer.Typer(help="Accounts and their roles.", no_args_is_help=True)
    for command in (add, grant, permit, password):
        account.command()(command)
    account.command(name="list")(listed)
    app.add_typer(account, name="account")


def add(
    username: str,
    name: Annotated[str, typer.Option(help="The person's name.")] = "",
    role: Annotated[str | None, typer.Option(help="A role, such as grid_leader.")] = None,
    unit: Annotated[str | None, typer.Option(help="The code of the unit where the role holds.")] = None,
    everywhere: Everywhere = False,
    initial: Annotated[
        bool, typer.Option("--initial", help="Another password is chosen with the first sign-in.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Add an account; its password is read from the terminal or the standard input."""
    from data import accounts, units
    from data.base import access, db
    from data.base.errors import Invalid

    if (role is None) != (unit is None and not everywhere) or (unit and everywhere):
        raise Invalid(_("Give --role together with --unit or --everywhere."))
    secret = _read_password()
    with ready(), db.transaction(access.SYSTEM) as session:
        account = accounts.add(
            session, access.SYSTEM, username=username, name=name, password=secret, password_given=initial
        )
        if role:
            place = units.by_code(session, access.SYSTEM, unit) if unit else None
            accounts.give(session, access.SYSTEM, account=account, role_code=role, unit=place)
    result = {"username": username, "role": role, "unit": unit, "everywhere": everywhere}
    report(result, as_json, _("Added: {name}", name=username))


def grant(
    username: str,
    role: str,
    unit: Annotated[str | None, typer.Argument(help="The code of the unit where the role holds.")] = None,
    everywhere: Everywhere = False,
) -> None:
    """Give an account a role at a unit and everything below it, or everywhere."""
    from data import accounts, units
    from data.base import access, db
    from data.base.errors import Invalid

    if bool(unit) == everywhere:
        raise Invalid(_("Give the code of a unit, or --everywhere."))
    with ready(), db.transaction(access.SYSTEM) as session:
        account = accounts.by_username(session, username)
        place = units.by_code(session, access.SYSTEM, unit) if unit else None
        accounts.give(session, access.SYSTEM, account=account, role_code=role, unit=place)
    told = (
        _("{name} is now {role} at {unit}.", name=username, role=role, unit=unit)
        if unit
        else _("{name} is now {role} everywhere.", name=username, role=role)
    )
    report({}, False, told)


def permit(role: str, permissions: Annotated[list[str], typer.Argument(help="Such as unit.edit.")]) -> None:
    """Add permissions to a role, for everybody who has it."""
    from data import roles
    from data.base import access, db

    with ready(), db.transaction(access.SYSTEM) as session:
        held = roles.by_role(session).get(role, [])
        roles.change(session, access.SYSTEM, roles.get(session, role), permissions={*held, *permissions})
    report({}, False, _("{role} now permits {permissions} too.", role=role, permissions=", ".join(permissions)))


def password(username: str) -> None:
    """Set an account's password and close its sessions."""
    from data import accounts
    from data.base import access, db

    secret = _read_password()
    with ready(), db.transaction(access.SYSTEM) as session:
        accounts.set_password(session, accounts.by_username(session, username), secret)
    report({}, False, _("The password is set; open sessions are closed."))


def listed(as_json: Json = False) -> None:
    """List the accounts with their roles."""

    from data import accounts
    from data.base import access, db

    with ready(), db.transaction(access.SYSTEM) as session:
        rows = [
            {
                "username": account.username,
                "name": account.name,
                "active": account.active,
                "grants": [f"{g['role_code']}@{g['unit_code'] or '*'}" for g in accounts.grants(session, account.id)],
            }
            for account in accounts.everybody(session)
        ]
    lines = [f"{row['username']:<24}{', '.join(row['grants'])}" for row in rows]  # type: ignore[arg-type]
    report({"accounts": rows}, as_json, "\n".join(lines))


def _read_password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(_("Password"), hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")
