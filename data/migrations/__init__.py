"""Migrations: how a database comes to the tables of this version. ``migrate`` is safe to run again."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Table, text
from sqlalchemy.dialects.postgresql import insert

from data import (
    accounts,
    activities,
    assets,
    basemaps,
    briefs,
    buildings,
    calendars,
    campaigns,
    coverage,
    diary,
    disputes,
    grids,
    hotspots,
    households,
    incidents,
    ledger,
    nearby,
    needless,
    notifications,
    photos,
    place_codes,
    reminders,
    reports,
    teams,
    terms,
    traces,
    units,
    visits,
)
from data.base import audit, database_roles, db, jobs, key_marks, reference, sendings
from data.views import links as view_links

#: All tables; importing the features above is what fills it.
TABLES = db.Table.metadata
_FEATURES = (
    accounts,
    activities,
    assets,
    audit,
    basemaps,
    briefs,
    buildings,
    calendars,
    campaigns,
    coverage,
    diary,
    disputes,
    grids,
    hotspots,
    households,
    incidents,
    jobs,
    key_marks,
    ledger,
    nearby,
    needless,
    notifications,
    photos,
    place_codes,
    reminders,
    reports,
    sendings,
    teams,
    terms,
    traces,
    units,
    view_links,
    visits,
)
_LOCK = 7_214_001


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def newest() -> str | None:
    """The newest revision there is."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def knows(revision: str | None) -> bool:
    """Whether a database at this revision can be brought to the newest: not one of a newer version of wangge."""
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    return revision is None or revision in known


def current(engine: Engine) -> str | None:
    """The revision the database is at; ``None`` for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def migrate(engine: Engine) -> bool:
    """Bring the database to the newest revision and its reference rows in; tells whether anything was to do.

    All of it is one transaction. Two that start together wait for each other. The database's roles are looked at each
    time: they belong to the server, and the database may have come from another one.
    """
    with engine.begin() as connection:
        database_roles.prepare(connection)
    if current(engine) == newest():
        return False
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        _load_reference(connection)
    return True


#: The reference tables that become rows a community edits.
_EDITABLE = {
    "permissions": accounts.Permission,
    "roles": accounts.Role,
    "role_permissions": accounts.RolePermission,
    "special_groups": households.SpecialGroup,
    "categories": incidents.Category,
    "templates": incidents.Template,
    "visit_rhythms": visits.VisitRhythm,
}


def _load_reference(connection: Connection) -> None:
    """Insert the reference rows that the database does not have yet; what was edited stays."""
    for name, mapped in _EDITABLE.items():
        table = mapped.__table__
        assert isinstance(table, Table)
        if mapped is incidents.Category:
            rows = incidents.those_that_come_with()
        else:
            rows = [{key: _typed(table, key, cell) for key, cell in row.items()} for row in reference.rows(name)]
            if "position" in table.c:
                rows = [{**row, "position": place} for place, row in enumerate(rows)]
        connection.execute(insert(table).on_conflict_do_nothing(), rows)


def _typed(table: Table, column: str, cell: str) -> object:
    return table.c[column].type.python_type(cell) if cell else None
