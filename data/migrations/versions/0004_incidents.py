"""The workflow of incidents: steps, limits, categories with their questions.

Revision: 0004
Follows: 0003
"""

from __future__ import annotations

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
