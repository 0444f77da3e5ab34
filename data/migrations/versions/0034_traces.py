"""Orders of traces, which are dated and reasoned; and notes that the work of a page is needless.

Revision: 0034
Follows: 0031
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from data.base.columns import Words
from data.migrations.walls import among, open_to_app, placed, protect

revision = "0034"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    now = sa.text("now()")
    op.create_table(
        "trace_order",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("reason", Words(4_000), nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trace_order"),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_trace_order_community_id"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_trace_order_account_id"),
        sa.CheckConstraint(
            "NOT isempty(valid) AND upper(valid) - lower(valid) <= 14", name=op.f("ck_trace_order_days")
        ),
        sa.CheckConstraint("char_length(reason) >= 2", name=op.f("ck_trace_order_reason")),
        sa.CheckConstraint("char_length(reason) <= 4000", name=op.f("ck_trace_order_reason_length")),
    )
    op.create_exclude_constraint(
        "ex_trace_order_valid", "trace_order", ("community_id", "="), ("valid", "&&"), using="gist"
    )
    op.create_table(
        "needless_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("page", Words(), nullable=False),
        sa.Column("sentence", Words(4_000)),
        sa.Column("said_on", sa.Date(), server_default=sa.text("CURRENT_DATE"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_needless_note"),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_needless_note_community_id"),
        sa.CheckConstraint("char_length(page) <= 200", name=op.f("ck_needless_note_page_length")),
        sa.CheckConstraint("char_length(sentence) <= 4000", name=op.f("ck_needless_note_sentence_length")),
    )
    op.create_index("ix_needless_note_community_id_page", "needless_note", ["community_id", "page"])
    open_to_app("trace_order", "needless_note")
    community = placed("community_id", None)
    of_grids = f"community_id IN (SELECT u.community_id FROM unit u WHERE {among('u.id', 'grids')})"
    protect("trace_order", f"{community} OR {of_grids}", community)
    protect("needless_note", community, f"{community} OR {of_grids}")
