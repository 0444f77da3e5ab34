"""The grid that a case lay in when it was reported, where boundaries that were redrawn put it into another since.

Revision: 0026
Follows: 0025
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on; what plans have moved already is read from the first step of each case."""
    op.add_column("incident", sa.Column("reported_grid_id", sa.Integer()))
    op.create_foreign_key("fk_incident_reported_grid_id", "incident", "unit", ["reported_grid_id"], ["id"])
    op.create_index(
        "ix_incident_reported_grid_id",
        "incident",
        ["reported_grid_id"],
        postgresql_where=sa.text("reported_grid_id IS NOT NULL"),
    )
    op.execute(
        """
        UPDATE incident i SET reported_grid_id = f.grid_id
        FROM (SELECT DISTINCT ON (s.incident_id) s.incident_id, s.grid_id FROM incident_step s
            ORDER BY s.incident_id, s.id) f, plan p
        WHERE f.incident_id = i.id AND f.grid_id <> i.grid_id AND p.community_id = i.community_id
            AND p.state IN ('in_force', 'ended') AND p.effective_on > CAST(i.reported_at AS date)
        """
    )
