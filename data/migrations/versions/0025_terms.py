"""How a community's files call a field or a word, once somebody mapped it.

Revision: 0025
Follows: 0024
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from data.migrations.walls import open_to_app, placed, protect

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    op.create_table(
        "term",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("written", sa.String(), nullable=False),
        sa.Column("plain", sa.String(), nullable=False),
        sa.Column("means", sa.String(), nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_term"),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_term_community_id"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_term_account_id"),
        sa.UniqueConstraint("community_id", "kind", "field", "plain", name="uq_term"),
        *(
            sa.CheckConstraint(f"char_length({name}) <= 200", name=op.f(f"ck_term_{name}_length"))
            for name in ("kind", "field", "written", "plain", "means")
        ),
    )
    open_to_app("term")
    protect("term", placed("community_id", None))
