"""What of buildings, streets and assets was looked at against patrols, so that changes are found.

Revision: 0011
Follows: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from data.migrations.walls import among, open_to_app, placed, protect

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    op.create_table(
        "coverage_item",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("item_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("shape", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('building', 'street', 'asset')", name=op.f("ck_coverage_item_kind")),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name=op.f("fk_coverage_item_community_id")),
        sa.PrimaryKeyConstraint("kind", "item_id", name=op.f("pk_coverage_item")),
    )
    op.create_index(op.f("ix_coverage_item_community_id"), "coverage_item", ["community_id"], unique=False)
    open_to_app("coverage_item")
    protect(
        "coverage_item",
        f"{placed('community_id', None)} OR "
        f"community_id IN (SELECT u.community_id FROM unit u WHERE {among('u.id', 'grids')})",
    )
