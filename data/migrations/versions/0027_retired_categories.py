"""Categories that are offered no more, and stay with the cases that have them.

Revision: 0027
Follows: 0026
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    op.add_column("category", sa.Column("retired", sa.Boolean(), server_default=sa.text("false"), nullable=False))
