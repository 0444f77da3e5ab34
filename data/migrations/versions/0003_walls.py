"""The second wall: what the application's role may do, and row-level security under everything people see.

Revision: 0003
Follows: 0002
"""

from __future__ import annotations

from alembic import op

from data.migrations.walls import among, placed, protect

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


_IN_BUILDING = f"building_id IN (SELECT b.id FROM building b WHERE {among('b.grid_id', 'grids')})"
_IN_DWELLING = (
    "dwelling_id IN (SELECT d.id FROM dwelling d JOIN building b ON b.id = d.building_id "
    f"WHERE {among('b.grid_id', 'people_grids')})"
)
_PEOPLE = placed("community_id", None, "people_")
_GRIDS_COMMUNITY = f"community_id IN (SELECT u.community_id FROM unit u WHERE {among('u.id', 'grids')})"

POLICIES = {
    "building": placed("community_id", "grid_id"),
    "incident": placed("community_id", "grid_id"),
    "team_member": placed("community_id", "grid_id"),
    "guide": placed("community_id", None),
    "service_team": placed("community_id", None),
    "division": f"{placed('community_id', None)} OR {_GRIDS_COMMUNITY}",
    "dwelling": f"{placed('community_id', None)} OR {_IN_BUILDING}",
    "household": f"{_PEOPLE} OR {_IN_DWELLING}",
    "tenancy": f"{_PEOPLE} OR {_IN_DWELLING}",
    # These follow their household or tenancy, whose own policy decides.
    "household_group": f"{_PEOPLE} OR household_id IN (SELECT h.id FROM household h)",
    "resident": f"{_PEOPLE} OR household_id IN (SELECT h.id FROM household h)",
    "tenancy_tenant": "tenancy_id IN (SELECT t.id FROM tenancy t)",
    "audit": f"{placed('community_id', None)} OR {_GRIDS_COMMUNITY} OR community_id IS NULL",
}


def upgrade() -> None:
    """Move the database one step on."""
    # Households and residents refer to each other, so this key comes after both tables.
    op.create_foreign_key(
        "fk_household_head_id",
        "household",
        "resident",
        ["head_id"],
        ["id"],
        ondelete="SET NULL",
        deferrable=True,
        initially="DEFERRED",
    )
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
        protect(table, condition, "true" if table == "audit" else None)
