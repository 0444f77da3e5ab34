"""Members of service teams, with their skills; activities, with their place and photos.

Revision: 0035
Follows: 0037
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

from data.base.columns import Words
from data.migrations.walls import among, open_to_app, placed, protect

revision = "0035"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    op.create_table(
        "service_member",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("name", Words(), nullable=False),
        sa.Column("skills", Words(4_000)),
        sa.Column(
            "valid", postgresql.DATERANGE(), server_default=sa.text("daterange(CURRENT_DATE, NULL)"), nullable=False
        ),
        sa.Column("work_phone", Words()),
        sa.Column("consented_on", sa.Date()),
        *_dated(),
        sa.PrimaryKeyConstraint("id", name="pk_service_member"),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_service_member_community_id"),
        sa.ForeignKeyConstraint(["team_id"], ["service_team.id"], name="fk_service_member_team_id", ondelete="CASCADE"),
        sa.CheckConstraint("NOT isempty(valid)", name=op.f("ck_service_member_valid")),
        *_short("service_member", name=200, skills=4_000, work_phone=200),
    )
    op.create_index("ix_service_member_team_id", "service_member", ["team_id"])
    op.create_table(
        "activity",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("grid_id", sa.Integer()),
        sa.Column("team_id", sa.Integer()),
        sa.Column("kind", Words(), nullable=False),
        sa.Column("title", Words(), nullable=False),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("place", Words()),
        sa.Column("audience", Words()),
        sa.Column("attendance", sa.Integer()),
        sa.Column("note", Words(4_000)),
        sa.Column("geom", Geometry("POINT", 4326, spatial_index=False)),
        *_dated(),
        sa.PrimaryKeyConstraint("id", name="pk_activity"),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_activity_community_id"),
        sa.ForeignKeyConstraint(["grid_id"], ["unit.id"], name="fk_activity_grid_id"),
        sa.ForeignKeyConstraint(["team_id"], ["service_team.id"], name="fk_activity_team_id", ondelete="SET NULL"),
        sa.CheckConstraint(
            "kind IN ('lecture', 'cleanup', 'repair', 'culture', 'consulting', 'other')", name=op.f("ck_activity_kind")
        ),
        sa.CheckConstraint("attendance BETWEEN 0 AND 100000", name=op.f("ck_activity_attendance")),
        *_short("activity", kind=200, title=200, place=200, audience=200, note=4_000),
    )
    op.create_index("ix_activity_community_id_begins_at", "activity", ["community_id", "begins_at"])
    op.create_index("ix_activity_team_id", "activity", ["team_id"])
    op.create_index("ix_activity_geom", "activity", ["geom"], postgresql_using="gist")
    op.add_column("photo", sa.Column("activity_id", sa.Integer()))
    op.create_foreign_key(
        op.f("fk_photo_activity_id"), "photo", "activity", ["activity_id"], ["id"], ondelete="CASCADE"
    )
    there = sa.text("activity_id IS NOT NULL")
    op.create_index("ix_photo_activity_id", "photo", ["activity_id"], postgresql_where=there)
    open_to_app("service_member", "activity")
    community = placed("community_id", None)
    of_grids = f"community_id IN (SELECT u.community_id FROM unit u WHERE {among('u.id', 'grids')})"
    protect("service_member", community)
    protect("activity", f"{community} OR {of_grids}", community)


def _dated() -> tuple[sa.Column[object], ...]:
    now = sa.text("now()")
    return tuple(
        sa.Column(name, sa.DateTime(timezone=True), server_default=now, nullable=False)
        for name in ("created_at", "updated_at")
    )


def _short(table: str, **most: int) -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint(f"char_length({name}) <= {count}", name=op.f(f"ck_{table}_{name}_length"))
        for name, count in most.items()
    ]
