"""The day on which an API token was last used, so that those nobody uses are seen and ended.

Revision: 0013
Follows: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    op.add_column("api_token", sa.Column("used_on", sa.Date(), nullable=True))
