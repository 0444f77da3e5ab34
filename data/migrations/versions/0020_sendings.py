"""Forms that were taken in, so that one that is sent again is done once; each is its sender's own.

Revision: 0020
Follows: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from data.migrations.walls import open_to_app, protect

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    op.create_table(
        "sending",
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("token", name="pk_sending"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_sending_account_id"),
        sa.CheckConstraint("char_length(address) <= 4000", name=op.f("ck_sending_address_length")),
    )
    op.create_index("ix_sending_at", "sending", ["at"])
    open_to_app("sending")
    op.execute("REVOKE UPDATE, DELETE ON sending FROM wangge_app")
    protect("sending", "account_id = (SELECT nullif(current_setting('wangge.account', true), '')::int)")
