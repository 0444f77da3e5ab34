"""The day a service team was founded, and implementation reports.

Revision: 0041
Follows: 0032
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from data.base.columns import Words
from data.migrations.walls import open_to_app, placed, protect

revision = "0041"
down_revision = "0032"
branch_labels = None
depends_on = None

_PARTS = ("opening", "posts", "archives", "visits", "services", "problems", "closing")


def upgrade() -> None:
    """Move the database one step on."""
    op.add_column("service_team", sa.Column("founded_on", sa.Date()))
    op.create_table(
        "implementation_report",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("figures", JSONB(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Integer()),
        *(sa.Column(part, Words(4000)) for part in _PARTS),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_implementation_report"),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_implementation_report_community_id"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_implementation_report_account_id"),
        sa.CheckConstraint("first_on <= last_on", name=op.f("ck_implementation_report_days")),
        *(
            sa.CheckConstraint(f"char_length({part}) <= 4000", name=op.f(f"ck_implementation_report_{part}_length"))
            for part in _PARTS
        ),
    )
    op.create_index(
        "ix_implementation_report_community_id_first_on", "implementation_report", ["community_id", "first_on"]
    )
    open_to_app("implementation_report")
    protect("implementation_report", placed("community_id", None, "people_"))
