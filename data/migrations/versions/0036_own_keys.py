"""What lies in somebody's own grids is found by index, once for each wall, and not by reading whole tables.

The wall of a household asked the tables of dwellings and buildings, whose own walls asked again; those of residents,
groups and visits asked the table of households. Each read its table from end to end. Now they ask views of the owner's,
which begin with the few buildings of the grids. Groups are looked up by household with a plain index.

Revision: 0036
Follows: 0030
"""

from __future__ import annotations

from alembic import op

from data.migrations.walls import among, in_own, placed

revision = "0036"
down_revision = "0030"
branch_labels = None
depends_on = None

_PEOPLE = placed("community_id", None, "people_")
VIEWS = {
    "own_building": f"SELECT range_agg(int4range(b.id, b.id, '[]')) AS keys FROM building b WHERE {among('b.grid_id', 'grids')}",
    "own_dwelling": (
        "SELECT range_agg(int4range(d.id, d.id, '[]')) AS keys FROM building b JOIN dwelling d ON d.building_id = b.id "
        f"WHERE {among('b.grid_id', 'people_grids')}"
    ),
    "own_household": (
        "SELECT range_agg(int4range(h.id, h.id, '[]')) AS keys FROM building b "
        "JOIN dwelling d ON d.building_id = b.id JOIN household h ON h.dwelling_id = d.id "
        f"WHERE {among('b.grid_id', 'people_grids')}"
    ),
}
POLICIES = {
    "dwelling": f"{placed('community_id', None)} OR {in_own('building_id', 'building')}",
    "household": f"{_PEOPLE} OR {in_own('dwelling_id', 'dwelling')}",
    "tenancy": f"{_PEOPLE} OR {in_own('dwelling_id', 'dwelling')}",
    "household_group": f"{_PEOPLE} OR {in_own('household_id', 'household')}",
    "resident": f"{_PEOPLE} OR {in_own('household_id', 'household')}",
    "visit": f"{_PEOPLE} OR {in_own('household_id', 'household')}",
    "household_incident": f"{_PEOPLE} OR {in_own('household_id', 'household')}",
}


def upgrade() -> None:
    """Move the database one step on."""
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")
        op.execute(f"GRANT SELECT ON {name} TO wangge_app")
    op.create_index("ix_household_group_household_id", "household_group", ["household_id"])
    for table, condition in POLICIES.items():
        op.execute(f"ALTER POLICY area ON {table} USING ({condition})")
