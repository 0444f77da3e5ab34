"""Plans that residents may look at by a link, and comment without an account.

Revision: 0029
Follows: 0028
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    for table, column in (("plan", "shared"), ("plan_comment", "resident")):
        op.add_column(table, sa.Column(column, sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.drop_constraint(op.f("ck_report_attempt_kind"), "report_attempt")
    op.create_check_constraint(
        op.f("ck_report_attempt_kind"),
        "report_attempt",
        "kind IN ('report', 'photo', 'track', 'similar', 'second', 'opinion')",
    )
