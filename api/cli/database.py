"""``wangge db``, ``wangge demo`` and ``wangge summary``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli.terminal import ready, report, say
from data.base.language import _

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    database = typer.Typer(help="The database: start, stop, status, migrate.", no_args_is_help=True)
    for command in (start, stop, status, migrate):
        database.command()(command)
    app.add_typer(database, name="db")
    app.command()(demo)
    app.command()(summary)


def start() -> None:
    """Make the private cluster if need be, and start it."""
    from data.base import cluster

    private = cluster.private()
    private.prepare()
    private.start()
    say(_("The database is running: {dsn}", dsn=private.dsn()))


def stop() -> None:
    """Stop the private cluster."""
    from data.base import cluster

    cluster.private().stop()
    say(_("The database is stopped."))


def status(as_json: Json = False) -> None:
    """Say whether the private cluster runs, where it is, and how to connect to it."""
    from data.base import cluster, settings

    private = cluster.private()
    made = (private.data / "wangge.ready").exists()
    result = {
        "home": str(private.home),
        "made": made,
        "running": made and private.running(),
        "dsn": (settings.get().database_url and "WANGGE_DATABASE_URL") or private.dsn(),
    }
    running = _("running") if result["running"] else _("not running")
    report(result, as_json, _("The database in {home} is {state}: {dsn}", state=running, **result))


def migrate(as_json: Json = False) -> None:
    """Bring the database to this version's tables."""
    from data import migrations
    from data.base import cluster, db

    with cluster.available():
        changed = migrations.migrate(db.engine())
        result = {"changed": changed, "revision": migrations.current(db.engine())}
    line = _("The database has been brought up to date.") if changed else _("The database is up to date.")
    report(result, as_json, line)


def demo(as_json: Json = False) -> None:
    """Load the demo community into an empty database."""
    from data.base.errors import Conflict

    with ready(migrated=True):
        accounts = load_demo(only_if_empty=True)
    if not accounts:
        raise Conflict(_("The database already holds units. The demo goes into an empty one only."))
    report({"accounts": accounts}, as_json, sign_ins(accounts))


def sign_ins(accounts: list[dict[str, Any]]) -> str:
    """The demo's accounts for people: user name, role, name."""
    from data.base import language, reference

    roles = reference.labels("roles", language.current())
    lines = [f"  {account['username']:<12}{roles[account['role_code']]} {account['name']}" for account in accounts]
    return "\n".join([_("Demo sign-ins (password for all: {password}):", password=accounts[0]["password"]), *lines])


def load_demo(*, only_if_empty: bool) -> list[dict[str, Any]]:
    """Load the demo in one transaction; returns its sign-ins, or nothing when there are units already."""

    from data import attaching, units
    from data.base import access, db, secrets, settings

    attaching.attach()
    with db.transaction(access.SYSTEM) as session:
        if only_if_empty and units.has_any(session):
            return []
        say(_("Making the demo community …"))
        from data.demo import load

        password = settings.get().demo_password or secrets.new_token()[:12]
        return load.load(session, password=password)


def summary(
    community: Annotated[str | None, typer.Option(help="The community's code; needed when there are several.")] = None,
    as_json: Json = False,
) -> None:
    """Print the figures of a community: area, buildings, grids, households, residents, incidents."""
    from data import summary as summaries
    from data import units
    from data.base import access, db
    from data.base.errors import Invalid

    with ready(), db.transaction(access.SYSTEM) as session:
        found = units.listed(session, access.SYSTEM, level=units.Level.COMMUNITY)
        if community:
            found = [units.by_code(session, access.SYSTEM, community, units.Level.COMMUNITY)]
        if len(found) != 1:
            codes = ", ".join(unit.code for unit in found[:10])
            raise Invalid(
                _("There are {count} communities. Name one with --community: {codes}", count=len(found), codes=codes)
                if found
                else _("There is no community yet. `wangge demo` loads one, `wangge unit add` makes one.")
            )
        result = summaries.summarise(session, access.SYSTEM, found[0].id)
    report(result, as_json, _table(result))


def _table(result: dict[str, Any]) -> str:
    """The figures for people: one line for the community, one a grid."""
    head = _(
        "{community}: {area_ha:.1f} ha, {buildings} buildings, {grids} grids, {households} households, "
        "{residents} residents, {incidents} cases",
        **{**result, "area_ha": result["area_m2"] / 10_000},
    )
    rows = [
        f"  {grid['code']}  {grid['name']}  {grid['buildings']:>4} {grid['households']:>6} {grid['residents']:>6} "
        f"{grid['special_households']:>5} {grid['tenancies']:>5}"
        for grid in result["by_grid"]
    ]
    columns = _("grid · buildings · households · residents · special households · tenancies")
    return "\n".join([head, f"  {columns}", *rows])
