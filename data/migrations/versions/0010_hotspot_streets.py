"""Runs of the hotspot analysis over several communities of a street or district.

Revision: 0010
Follows: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from data.migrations.walls import placed

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    op.alter_column("hotspot_run", "community_id", nullable=True)
    op.add_column("hotspot_run", sa.Column("unit_id", sa.Integer(), nullable=True))
    op.add_column("hotspot_run", sa.Column("communities", postgresql.ARRAY(sa.INTEGER()), nullable=True))
    op.execute("UPDATE hotspot_run SET communities = ARRAY[community_id]")
    op.alter_column("hotspot_run", "communities", nullable=False)
    op.create_foreign_key(op.f("fk_hotspot_run_unit_id"), "hotspot_run", "unit", ["unit_id"], ["id"])
    op.create_check_constraint(
        op.f("ck_hotspot_run_place"),
        "hotspot_run",
        "(community_id IS NULL) = (unit_id IS NOT NULL) AND cardinality(communities) > 0",
    )
    # A run over several communities is seen by whoever may see all of them.
    mine = "string_to_array(nullif(current_setting('wangge.communities', true), '*'), ',')"
    several = f"community_id IS NULL AND communities <@ (SELECT {mine})::int[]"
    op.execute(f"ALTER POLICY area ON hotspot_run USING ({placed('community_id', 'grid_id')} OR ({several}))")
