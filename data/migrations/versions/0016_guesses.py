"""What can be asked tells no more than what is shown: twins of identity numbers, and what residents learn of cases.

Revision: 0016
Follows: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from data.incidents.kinds import those_that_come_with

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    op.add_column("resident", sa.Column("twin", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.drop_index("uq_resident_identity", table_name="resident")
    op.create_index(
        "uq_resident_identity",
        "resident",
        ["community_id", "identity_blind"],
        unique=True,
        postgresql_where=sa.text("NOT twin"),
    )
    for name in ("reportable", "personal"):
        op.add_column("category", sa.Column(name, sa.Boolean(), server_default=sa.text("true"), nullable=False))
    # Categories that are there already get what those that come with the program have.
    fill = sa.text("UPDATE category SET reportable = :reportable, personal = :personal WHERE code = :code")
    for row in those_that_come_with():
        op.get_bind().execute(fill, {name: row[name] for name in ("code", "reportable", "personal")})
    op.drop_constraint(op.f("ck_report_attempt_kind"), "report_attempt", type_="check")
    op.create_check_constraint(
        op.f("ck_report_attempt_kind"), "report_attempt", "kind IN ('report', 'photo', 'track', 'similar')"
    )
