"""The second wall: what the application's role may do, and row-level security under everything people see.

``data.base.db.enter`` sets the actor's areas for a transaction; each is ``*`` or a list of ids. A setting that is
missing lets nothing through. The subqueries make PostgreSQL read a setting once a query, not once a row.

Revision: 0003
Follows: 0002
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _everywhere(area: str) -> str:
    return f"(SELECT current_setting('wangge.{area}', true) = '*')"


def _among(column: str, area: str) -> str:
    ids = f"string_to_array(nullif(current_setting('wangge.{area}', true), '*'), ',')"
    return f"{column} = ANY ((SELECT {ids})::int[])"


def _placed(community: str | None, grid: str | None, people: str = "") -> str:
    parts = [_everywhere(f"{people}communities")]
    if community:
        parts.append(_among(community, f"{people}communities"))
    if grid:
        parts.append(_among(grid, f"{people}grids"))
    return " OR ".join(parts)


_IN_BUILDING = f"building_id IN (SELECT b.id FROM building b WHERE {_among('b.grid_id', 'grids')})"
_IN_DWELLING = (
    "dwelling_id IN (SELECT d.id FROM dwelling d JOIN building b ON b.id = d.building_id "
    f"WHERE {_among('b.grid_id', 'people_grids')})"
)
_PEOPLE = _placed("community_id", None, "people_")
_GRIDS_COMMUNITY = f"community_id IN (SELECT u.community_id FROM unit u WHERE {_among('u.id', 'grids')})"

POLICIES = {
    "building": _placed("community_id", "grid_id"),
    "incident": _placed("community_id", "grid_id"),
    "team_member": _placed("community_id", "grid_id"),
    "guide": _placed("community_id", None),
    "service_team": _placed("community_id", None),
    "division": f"{_placed('community_id', None)} OR {_GRIDS_COMMUNITY}",
    "dwelling": f"{_placed('community_id', None)} OR {_IN_BUILDING}",
    "household": f"{_PEOPLE} OR {_IN_DWELLING}",
    "tenancy": f"{_PEOPLE} OR {_IN_DWELLING}",
    # These follow their household or tenancy, whose own policy decides.
    "household_group": f"{_PEOPLE} OR household_id IN (SELECT h.id FROM household h)",
    "resident": f"{_PEOPLE} OR household_id IN (SELECT h.id FROM household h)",
    "tenancy_tenant": "tenancy_id IN (SELECT t.id FROM tenancy t)",
    "audit": f"{_placed('community_id', None)} OR {_GRIDS_COMMUNITY} OR community_id IS NULL",
}


def upgrade() -> None:
    """Move the database one step on."""
    # Households and residents refer to each other, so this key comes after both tables.
    op.create_foreign_key(
        "fk_household_head_id", "household", "resident", ["head_id"], ["id"],
        ondelete="SET NULL", deferrable=True, initially="DEFERRED",
    )  # fmt: skip
    op.execute(
        "CREATE VIEW grid_boundary WITH (security_invoker = true) AS "
        "SELECT g.grid_id, d.community_id, d.valid, g.geom "
        "FROM division d, unnest(d.grid_ids, d.geoms) AS g(grid_id, geom)"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO wangge_app")
    op.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO wangge_app")
    op.execute("REVOKE ALL ON alembic_version, sign_in, sign_in_attempt FROM wangge_app")
    op.execute("REVOKE UPDATE, DELETE ON audit FROM wangge_app")
    op.execute("GRANT USAGE ON SCHEMA queue TO wangge_app")
    op.execute("GRANT SELECT, INSERT ON queue.procrastinate_jobs, queue.procrastinate_events TO wangge_app")
    op.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA queue TO wangge_app")
    for table, condition in POLICIES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        check = " WITH CHECK (true)" if table == "audit" else ""
        op.execute(f"CREATE POLICY area ON {table} TO wangge_app USING ({condition}){check}")
