"""Which keys the encrypted fields were written with, told by a fingerprint.

Revision: 0014
Follows: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    op.create_table(
        "key_mark",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("in_use", sa.Boolean(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lost", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint("in_use AND lost_at IS NULL OR lost_at IS NOT NULL", name=op.f("ck_key_mark_in_use")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_mark")),
        sa.UniqueConstraint("in_use", name=op.f("uq_key_mark_in_use")),
    )
    # No row-level security: a fingerprint tells nothing about anybody, and every process compares it with its keys.
    op.execute("GRANT SELECT ON key_mark TO wangge_app")
