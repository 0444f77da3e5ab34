"""A case may be with a service team of its community, which those who handle cases of a single grid see too.

Revision: 0022
Follows: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from data.migrations.walls import among, placed, protect

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    for table in ("incident", "incident_step"):
        op.add_column(table, sa.Column("service_team_id", sa.Integer(), nullable=True))
        name = op.f(f"fk_{table}_service_team_id")
        op.create_foreign_key(name, table, "service_team", ["service_team_id"], ["id"], ondelete="SET NULL")
    op.create_index(
        "ix_incident_service_team_id",
        "incident",
        ["service_team_id"],
        postgresql_where=sa.text("service_team_id IS NOT NULL"),
    )
    op.execute("DROP POLICY area ON service_team")
    of_grids = f"community_id IN (SELECT u.community_id FROM unit u WHERE {among('u.id', 'grids')})"
    protect("service_team", f"{placed('community_id', None)} OR {of_grids}", placed("community_id", None))
