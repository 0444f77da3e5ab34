"""Work reports of grids, communities and streets; and the form of a community's ledger.

Revision: 0045
Follows: 0041
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from data.base.columns import Words
from data.migrations.walls import among, open_to_app, placed, protect

revision = "0045"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    now = sa.text("now()")
    op.create_table(
        "ledger_form",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("title", Words(), nullable=False),
        sa.Column("rows_by", Words(), server_default="grid", nullable=False),
        sa.Column("columns", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_form"),
        sa.UniqueConstraint("community_id", name="uq_ledger_form_community_id"),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_ledger_form_community_id"),
        sa.CheckConstraint("rows_by IN ('grid', 'month', 'week')", name=op.f("ck_ledger_form_rows_by")),
        sa.CheckConstraint("char_length(title) <= 200", name=op.f("ck_ledger_form_title_length")),
        sa.CheckConstraint("char_length(rows_by) <= 200", name=op.f("ck_ledger_form_rows_by_length")),
    )
    op.create_table(
        "brief",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer()),
        sa.Column("kind", Words(), nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.Column("title", Words(), nullable=False),
        sa.Column("words", Words(4_000), nullable=False),
        sa.Column("numbers", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("parts", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("state", Words(), server_default="draft", nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("sent_by_id", sa.Integer()),
        sa.Column("received_at", sa.DateTime(timezone=True)),
        sa.Column("received_by_id", sa.Integer()),
        sa.Column("answer", Words(4_000)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_brief"),
        *(
            sa.ForeignKeyConstraint([f"{column}_id"], [f"{table}.id"], name=f"fk_brief_{column}_id")
            for column, table in (
                ("unit", "unit"),
                ("community", "unit"),
                ("sent_by", "account"),
                ("received_by", "account"),
            )
        ),
        sa.CheckConstraint("kind IN ('week', 'month', 'quarter', 'special')", name=op.f("ck_brief_kind")),
        sa.CheckConstraint("state IN ('draft', 'sent', 'received')", name=op.f("ck_brief_state")),
        sa.CheckConstraint("first <= last", name=op.f("ck_brief_days")),
        sa.CheckConstraint("(state = 'draft') = (sent_at IS NULL)", name=op.f("ck_brief_sent")),
        sa.CheckConstraint("(state = 'received') = (received_at IS NOT NULL)", name=op.f("ck_brief_received")),
        *(
            sa.CheckConstraint(f"char_length({column}) <= 200", name=op.f(f"ck_brief_{column}_length"))
            for column in ("kind", "title", "state")
        ),
        *(
            sa.CheckConstraint(f"char_length({column}) <= 4000", name=op.f(f"ck_brief_{column}_length"))
            for column in ("words", "answer")
        ),
    )
    op.create_index(
        "uq_brief_unit_id_kind_first",
        "brief",
        ["unit_id", "kind", "first"],
        unique=True,
        postgresql_where=sa.text("kind <> 'special'"),
    )
    op.create_index("ix_brief_community_id_first", "brief", ["community_id", "first"])
    open_to_app("ledger_form", "brief")
    # Whoever has a grid sees the ledger in the form of its community, and reads the bulletins of its street.
    of_own = "SELECT u.community_id FROM unit u WHERE " + among("u.id", "grids")
    protect("ledger_form", f"({placed('community_id', None)}) OR community_id IN ({of_own})")
    below = f"SELECT 1 FROM unit u WHERE brief.unit_id = ANY (u.path) AND ({placed('u.id', 'u.id')})"
    bulletin = f"community_id IS NULL AND sent_at IS NOT NULL AND EXISTS ({below})"
    protect("brief", f"({placed('community_id', 'unit_id')}) OR {among('unit_id', 'upper')} OR ({bulletin})")


def downgrade() -> None:
    """Move the database one step back."""
    op.drop_table("brief")
    op.drop_table("ledger_form")
