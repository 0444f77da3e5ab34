"""Views to look at without a sign-in: links that expire.

Revision: 0009
Follows: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from data.migrations.walls import among, open_to_app, placed, protect

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    op.create_table(
        "view_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("view", sa.String(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=True),
        sa.Column("params", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_view_link_community_id"),
        sa.ForeignKeyConstraint(["created_by"], ["account.id"], name="fk_view_link_created_by"),
        sa.PrimaryKeyConstraint("id", name="pk_view_link"),
        sa.UniqueConstraint("token_hash", name="uq_view_link_token_hash"),
    )
    op.create_index("ix_view_link_community_id_expires_at", "view_link", ["community_id", "expires_at"])
    op.create_index("ix_view_link_created_by", "view_link", ["created_by"])
    # A link to several communities has none; what it shows is restricted again when it is opened.
    of_grids = f"community_id IN (SELECT u.community_id FROM unit u WHERE {among('u.id', 'grids')})"
    protect("view_link", f"{placed('community_id', None)} OR {of_grids} OR community_id IS NULL")
    open_to_app("view_link")
