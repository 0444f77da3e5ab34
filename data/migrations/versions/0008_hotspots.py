"""Saved runs of the hotspot analysis.

Revision: 0008
Follows: 0007
"""

from __future__ import annotations

import geoalchemy2
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from data.migrations.walls import open_to_app, placed, protect

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    op.create_table(
        "hotspot_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("grid_id", sa.Integer(), nullable=True),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("state", sa.String(), server_default="queued", nullable=False),
        sa.Column("params", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=True),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("summary", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("results", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('queued', 'done')", name=op.f("ck_hotspot_run_state")),
        sa.CheckConstraint("(state = 'done') = (done_at IS NOT NULL)", name=op.f("ck_hotspot_run_done")),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name=op.f("fk_hotspot_run_community_id")),
        sa.ForeignKeyConstraint(["grid_id"], ["unit.id"], name=op.f("fk_hotspot_run_grid_id")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_hotspot_run_account_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_hotspot_run_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hotspot_run")),
    )
    op.create_index(op.f("ix_hotspot_run_account_id"), "hotspot_run", ["account_id"])
    op.create_index("ix_hotspot_run_community_id_version", "hotspot_run", ["community_id", "version"])
    op.create_table(
        "hotspot_cell",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("q", sa.Integer(), nullable=False),
        sa.Column("r", sa.Integer(), nullable=False),
        sa.Column("grid_id", sa.Integer(), nullable=True),
        sa.Column(
            "geom",
            geoalchemy2.types.Geometry(
                geometry_type="POLYGON",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("cases", sa.BigInteger(), nullable=False),
        sa.Column("households", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Float(), nullable=True),
        sa.Column("density", sa.Float(), nullable=False),
        sa.Column("z", sa.Float(), nullable=True),
        sa.Column("p", sa.Float(), nullable=True),
        sa.Column("p_adjusted", sa.Float(), nullable=True),
        sa.Column("heat", sa.String(), nullable=False),
        sa.Column("pattern", sa.String(), nullable=False),
        sa.Column("trend", sa.Float(), nullable=True),
        sa.Column("spot", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"], ["hotspot_run.id"], name=op.f("fk_hotspot_cell_run_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["grid_id"], ["unit.id"], name=op.f("fk_hotspot_cell_grid_id")),
        sa.PrimaryKeyConstraint("run_id", "q", "r", name=op.f("pk_hotspot_cell")),
    )
    open_to_app("hotspot_run", "hotspot_cell")
    protect("hotspot_run", placed("community_id", "grid_id"))
    # A cell follows its run, whose own policy decides.
    protect("hotspot_cell", "run_id IN (SELECT r.id FROM hotspot_run r)")
