"""${message}

Revision: ${up_revision}
% if down_revision:
Follows: ${down_revision}
% endif
"""

from __future__ import annotations

import geoalchemy2
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    ${upgrades if upgrades else "pass"}
