"""Plans of boundaries: their grids, edits, steps and comments.

Revision: 0023
Follows: 0022
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

from data.migrations.walls import among, open_to_app, placed, protect

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_STATES = "'draft', 'commented', 'submitted', 'approved', 'in_force', 'ended', 'withdrawn'"
_GRIDS_COMMUNITY = f"community_id IN (SELECT u.community_id FROM unit u WHERE {among('u.id', 'grids')})"
_AT: dict[str, Any] = {"server_default": sa.text("clock_timestamp()"), "nullable": False}
_NOW: dict[str, Any] = {"server_default": sa.text("now()"), "nullable": False}


def upgrade() -> None:
    """Move the database one step on."""
    op.create_table(
        "plan",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), server_default="draft", nullable=False),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("head_id", sa.Integer()),
        sa.Column("from_plan_id", sa.Integer()),
        sa.Column("effective_on", sa.Date()),
        sa.Column("division_id", sa.Integer()),
        sa.Column("author_id", sa.Integer()),
        sa.Column("created_at", sa.DateTime(timezone=True), **_NOW),
        sa.Column("updated_at", sa.DateTime(timezone=True), **_NOW),
        sa.PrimaryKeyConstraint("id", name="pk_plan"),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_plan_community_id"),
        sa.ForeignKeyConstraint(["from_plan_id"], ["plan.id"], name="fk_plan_from_plan_id"),
        sa.ForeignKeyConstraint(["author_id"], ["account.id"], name="fk_plan_author_id"),
        sa.CheckConstraint(f"state IN ({_STATES})", name=op.f("ck_plan_state")),
        sa.CheckConstraint("state <> 'approved' OR effective_on IS NOT NULL", name=op.f("ck_plan_effective_on")),
        *_short("plan", "name", "state"),
    )
    op.create_index("ix_plan_community_id_state", "plan", ["community_id", "state"])
    op.create_table(
        "plan_grid",
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("grid_id", sa.Integer()),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("locked", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("geom", Geometry("MULTIPOLYGON", 4326, spatial_index=False), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", "key", name="pk_plan_grid"),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name="fk_plan_grid_plan_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["grid_id"], ["unit.id"], name="fk_plan_grid_grid_id"),
        *_short("plan_grid", "name"),
    )
    op.create_index("ix_plan_grid_geom", "plan_grid", ["geom"], postgresql_using="gist")
    op.create_table(
        "plan_edit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Integer()),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        *(sa.Column(name, postgresql.JSONB(), nullable=False) for name in ("asked", "before", "after", "moved")),
        sa.Column("account_id", sa.Integer()),
        sa.Column("at", sa.DateTime(timezone=True), **_AT),
        sa.PrimaryKeyConstraint("id", name="pk_plan_edit"),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name="fk_plan_edit_plan_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["parent_id"], ["plan_edit.id"], name="fk_plan_edit_parent_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_plan_edit_account_id"),
        *_short("plan_edit", "kind"),
    )
    op.create_index("ix_plan_edit_plan_id_parent_id", "plan_edit", ["plan_id", "parent_id"])
    op.create_table(
        "plan_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("note", sa.String()),
        sa.Column("account_id", sa.Integer()),
        sa.Column("at", sa.DateTime(timezone=True), **_AT),
        sa.PrimaryKeyConstraint("id", name="pk_plan_step"),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name="fk_plan_step_plan_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_plan_step_account_id"),
        *_short("plan_step", "action", "state"),
        *_long("plan_step", "note"),
    )
    op.create_index("ix_plan_step_plan_id", "plan_step", ["plan_id"])
    op.create_table(
        "plan_comment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Integer()),
        sa.Column("answers_id", sa.Integer()),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("hidden", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("at", sa.DateTime(timezone=True), **_AT),
        sa.PrimaryKeyConstraint("id", name="pk_plan_comment"),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name="fk_plan_comment_plan_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_plan_comment_community_id"),
        sa.ForeignKeyConstraint(
            ["answers_id"], ["plan_comment.id"], name="fk_plan_comment_answers_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_plan_comment_account_id"),
        *_long("plan_comment", "body"),
    )
    op.create_index("ix_plan_comment_plan_id", "plan_comment", ["plan_id"])
    open_to_app("plan", "plan_grid", "plan_edit", "plan_step", "plan_comment")
    op.execute("REVOKE UPDATE, DELETE ON plan_edit, plan_step FROM wangge_app")
    place = f"{placed('community_id', None)} OR {_GRIDS_COMMUNITY}"
    protect("plan", place)
    protect("plan_comment", place)
    for table in ("plan_grid", "plan_edit", "plan_step"):
        protect(table, "EXISTS (SELECT FROM plan p WHERE p.id = plan_id)")


def _short(table: str, *columns: str) -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint(f"char_length({name}) <= 200", name=op.f(f"ck_{table}_{name}_length")) for name in columns
    ]


def _long(table: str, *columns: str) -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint(f"char_length({name}) <= 4000", name=op.f(f"ck_{table}_{name}_length")) for name in columns
    ]
