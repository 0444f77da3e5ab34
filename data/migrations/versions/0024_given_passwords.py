"""Passwords that somebody else gave and knows, so that another one is chosen with the first sign-in.

Revision: 0024
Follows: 0023
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    op.add_column("account", sa.Column("password_given", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.execute("GRANT SELECT (password_given) ON account TO wangge_app")
