"""Patrols: rounds, tracks, check-ins, and what they covered.

Revision: 0007
Follows: 0006
"""

from __future__ import annotations

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
