"""``wangge unit``: the tree of units."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.terminal import ready, report, say
from data.base.language import _
from data.units import Level

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    unit = typer.Typer(help="Units: district > street > community > grid.", no_args_is_help=True)
    unit.command()(add)
    unit.command(name="list")(listed)
    app.add_typer(unit, name="unit")


def add(
    level: Annotated[Level, typer.Option(help="What it is.")],
    code: Annotated[str, typer.Option(help="Its code, unique in the database.")],
    name: Annotated[str, typer.Option(help="Its name.")],
    parent: Annotated[str | None, typer.Option(help="The code of the unit above it.")] = None,
    crs: Annotated[str | None, typer.Option(help="The CRS in which it is measured, such as EPSG:4549.")] = None,
    phone: Annotated[str | None, typer.Option(help="Its contact phone.")] = None,
    as_json: Json = False,
) -> None:
    """Add a unit to the tree."""
    from data import units
    from data.base import access, db

    with ready(migrated=True), db.transaction(access.SYSTEM) as session:
        above = units.by_code(session, access.SYSTEM, parent) if parent else None
        values = {"metric_crs": crs} if crs else {}
        unit = units.add(session, access.SYSTEM, level=level, code=code, name=name, parent=above, phone=phone, **values)
        result = {"id": unit.id, "level": unit.level, "code": unit.code, "name": unit.name}
        odd = units.odd_code(session, unit)
    if odd and not as_json:
        say(odd)
    report(result, as_json, _("Added: {code} {name}", code=code, name=name))


def listed(as_json: Json = False) -> None:
    """Print the tree of units."""
    from data import units
    from data.base import access, db

    with ready(), db.transaction(access.SYSTEM) as session:
        found = sorted(units.listed(session, access.SYSTEM), key=lambda unit: unit.path)
    rows = [{"level": u.level, "code": u.code, "name": u.name} for u in found]
    tree = "\n".join(f"{'  ' * (len(u.path) - 1)}{u.code}  {u.name}" for u in found)
    report({"units": rows}, as_json, tree)
