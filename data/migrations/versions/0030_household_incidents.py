"""Which cases are about a household.

Revision: 0030
Follows: 0029
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from data.migrations.walls import open_to_app, placed, protect

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    op.create_table(
        "household_incident",
        sa.Column("household_id", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("household_id", "incident_id", name="pk_household_incident"),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name="fk_household_incident_household_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name="fk_household_incident_incident_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_household_incident_community_id"),
    )
    op.create_index("ix_household_incident_incident_id", "household_incident", ["incident_id"])
    open_to_app("household_incident")
    # It follows its household, whose own policy decides.
    of_people = placed("community_id", None, "people_")
    protect("household_incident", f"{of_people} OR household_id IN (SELECT h.id FROM household h)")
