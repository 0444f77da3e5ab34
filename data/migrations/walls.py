"""The second wall under every table of people and places: row-level security, for a migration to put on its tables.

``data.base.db.enter`` sets the actor's areas for a transaction; each is ``*`` or a list of ids. A setting that is
missing lets nothing through. The subqueries make PostgreSQL read a setting once a query, not once a row.
"""

from __future__ import annotations

from alembic import op

__all__ = ["among", "everywhere", "in_own", "open_to_app", "placed", "protect"]


def everywhere(area: str) -> str:
    """The condition that the actor's ``area`` is everywhere."""
    return f"(SELECT current_setting('wangge.{area}', true) = '*')"


def among(column: str, area: str) -> str:
    """The condition that ``column`` holds an id of the actor's ``area``."""
    ids = f"string_to_array(nullif(current_setting('wangge.{area}', true), '*'), ',')"
    return f"{column} = ANY ((SELECT {ids})::int[])"


def placed(community: str | None, grid: str | None, people: str = "") -> str:
    """The condition that a row with these columns lies in the actor's area; ``people_`` for that of people."""
    parts = [everywhere(f"{people}communities")]
    if community:
        parts.append(among(community, f"{people}communities"))
    if grid:
        parts.append(among(grid, f"{people}grids"))
    return " OR ".join(parts)


def in_own(column: str, what: str) -> str:
    """The condition that ``column`` holds the key of a building, dwelling or household in one of the actor's grids.

    It reads the view ``own_building``, ``own_dwelling`` or ``own_household`` of 0036, which the owner reads: so the wall
    of one table is not put up again under that of the next. The keys come as one value, found by index once for each
    wall. A multirange is searched in a few steps, and the planner does not count the search anew for each row.
    """
    return f"{column} <@ (SELECT own.keys FROM own_{what} own)"


def protect(table: str, condition: str, check: str | None = None) -> None:
    """Let the application's role reach only the rows of ``table`` that meet ``condition`` (and write by ``check``)."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    written = f" WITH CHECK ({check})" if check else ""
    op.execute(f"CREATE POLICY area ON {table} TO wangge_app USING ({condition}){written}")


def open_to_app(*tables: str) -> None:
    """Let the application's role read and write new tables; what rows, ``protect`` says."""
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(tables)} TO wangge_app")
    op.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO wangge_app")
