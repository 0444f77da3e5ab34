"""Reports by residents: photos, place codes, tracking codes, what was sent from where.

Revision: 0006
Follows: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from data.migrations.walls import among, open_to_app, placed, protect

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_OF_INCIDENT = "incident_id IN (SELECT i.id FROM incident i)"


def upgrade() -> None:
    """Move the database one step on."""
    op.create_table(
        "photo",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("grid_id", sa.Integer()),
        sa.Column("incident_id", sa.BigInteger()),
        sa.Column("step_id", sa.BigInteger()),
        sa.Column("patrol_id", sa.Integer()),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("public", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("claim", sa.LargeBinary()),
        sa.Column("account_id", sa.Integer()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_photo"),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_photo_community_id"),
        sa.ForeignKeyConstraint(["grid_id"], ["unit.id"], name="fk_photo_grid_id"),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name="fk_photo_incident_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["step_id"], ["incident_step.id"], name="fk_photo_step_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_photo_account_id"),
    )
    for column in ("incident_id", "patrol_id", "step_id", "claim"):
        op.create_index(f"ix_photo_{column}", "photo", [column], postgresql_where=sa.text(f"{column} IS NOT NULL"))
    op.create_index("ix_photo_sha256", "photo", ["sha256"])
    op.create_table(
        "place_code",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("building_id", sa.Integer()),
        sa.Column("grid_id", sa.Integer()),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_place_code"),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_place_code_community_id"),
        sa.ForeignKeyConstraint(["building_id"], ["building.id"], name="fk_place_code_building_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["grid_id"], ["unit.id"], name="fk_place_code_grid_id", ondelete="CASCADE"),
        sa.UniqueConstraint("code", name="uq_place_code_code"),
        sa.CheckConstraint("kind IN ('building', 'card')", name=op.f("ck_place_code_kind")),
        sa.CheckConstraint("(kind = 'building') = (building_id IS NOT NULL)", name=op.f("ck_place_code_building")),
        sa.CheckConstraint("(kind = 'card') = (grid_id IS NOT NULL)", name=op.f("ck_place_code_card")),
    )
    for column in ("building_id", "grid_id"):
        op.create_index(
            f"uq_place_code_{column}", "place_code", [column], unique=True, postgresql_where=sa.text("active")
        )
    op.create_index("ix_place_code_community_id", "place_code", ["community_id"])
    op.create_table(
        "report",
        sa.Column("incident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("place_code_id", sa.Integer()),
        sa.Column("tracking", sa.LargeBinary(), nullable=False),
        sa.Column("satisfied", sa.Boolean()),
        sa.Column("rated_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name="pk_report"),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name="fk_report_incident_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_report_community_id"),
        sa.ForeignKeyConstraint(
            ["place_code_id"], ["place_code.id"], name="fk_report_place_code_id", ondelete="SET NULL"
        ),
        sa.UniqueConstraint("tracking", name="uq_report_tracking"),
    )
    op.create_index("ix_report_community_id", "report", ["community_id"])
    op.create_table(
        "report_attempt",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_report_attempt"),
        sa.CheckConstraint("kind IN ('report', 'photo', 'track')", name=op.f("ck_report_attempt_kind")),
    )
    op.create_index("ix_report_attempt_key_at", "report_attempt", ["key", "at"])
    # report_attempt is the server's own, like attempts to sign in: no grant.
    open_to_app("photo", "place_code", "report")
    # What belongs to an incident is seen by whoever sees the incident, whose own policy decides.
    alone = f"incident_id IS NULL AND ({placed('community_id', 'grid_id')})"
    protect("photo", f"({_OF_INCIDENT}) OR ({alone})")
    protect(
        "place_code",
        f"{placed('community_id', 'grid_id')} OR building_id IN "
        f"(SELECT b.id FROM building b WHERE {among('b.grid_id', 'grids')})",
    )
    protect("report", _OF_INCIDENT)
