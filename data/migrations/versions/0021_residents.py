"""What residents report has a place only where there is one, and may be seconded; a community may show its cases openly.

Revision: 0021
Follows: 0020
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from data.incidents.kinds import those_that_come_with
from data.migrations.walls import protect

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    op.add_column("category", sa.Column("placed", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    fill = sa.text("UPDATE category SET placed = :placed WHERE code = :code")
    for row in those_that_come_with():
        op.get_bind().execute(fill, {"code": row["code"], "placed": row["placed"]})
    op.add_column("unit", sa.Column("open_map", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_table(
        "seconding",
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("device", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "device", name="pk_seconding"),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name="fk_seconding_incident_id", ondelete="CASCADE"),
    )
    op.execute("GRANT SELECT (incident_id, at) ON seconding TO wangge_app")
    # Row-level security holds within the condition too: who sees the case sees how many second it.
    protect("seconding", "EXISTS (SELECT FROM incident i WHERE i.id = incident_id)")
    op.drop_constraint(op.f("ck_report_attempt_kind"), "report_attempt", type_="check")
    op.create_check_constraint(
        op.f("ck_report_attempt_kind"), "report_attempt", "kind IN ('report', 'photo', 'track', 'similar', 'second')"
    )
