"""SQLite databases that hold nothing but tables: what computes when it is read is taken out of the copy.

A view can loop for ever, a trigger and a virtual table can reach whatever the library that reads them can reach. Only
plain tables are layers here; the index of shapes (``rtree``) stays, because GDAL looks rows up in it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from data.base.errors import Invalid
from data.base.language import _

_COMPUTED = """
    type IN ('view', 'trigger')
    OR (sql LIKE 'CREATE VIRTUAL%' AND NOT lower(sql) GLOB 'create virtual table *using[ ]rtree*(*')
"""


def tame(path: Path) -> list[str]:
    """Take views, triggers and virtual tables out of a database; returns the names of the views.

    Parameters
    ----------
    path
        A copy of one's own, which is changed.

    Raises
    ------
    Invalid
        It is damaged.
    """
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("PRAGMA writable_schema = ON")
            views = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'view'")]
            if database.execute(f"SELECT count(*) FROM sqlite_master WHERE {_COMPUTED}").fetchone()[0]:  # noqa: S608
                database.execute(f"DELETE FROM sqlite_master WHERE {_COMPUTED}")  # noqa: S608
        if views:
            _forget(path, views)
    except sqlite3.Error as error:
        raise Invalid(
            _(
                "“{name}” cannot be read ({reason}). Export it anew, best as GeoPackage.",
                name=path.name,
                reason=str(error)[:200],
            )
        ) from error
    return views


def _forget(path: Path, views: list[str]) -> None:
    """Take views out of the lists of layers, which are plain tables by now."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for listing, column in (("gpkg_geometry_columns", "table_name"), ("gpkg_contents", "table_name")):
            if listing in tables:
                database.executemany(f"DELETE FROM {listing} WHERE {column} = ?", [(view,) for view in views])  # noqa: S608
