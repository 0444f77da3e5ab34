"""The workflow of incidents: steps, tiers, limits, categories with their questions, response templates.

Revision: 0004
Follows: 0003
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from data.incidents.kinds import those_that_come_with
from data.migrations.walls import among, open_to_app, placed, protect

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_STATE_OF_STEP = (
    "CASE step WHEN 'reported' THEN 'new' WHEN 'triaged' THEN 'new' WHEN 'assigned' THEN 'in_progress' "
    "WHEN 'in_progress' THEN 'in_progress' WHEN 'resolved' THEN 'to_verify' WHEN 'feedback_given' THEN 'to_verify' "
    "WHEN 'closed' THEN 'closed' WHEN 'merged' THEN 'closed' WHEN 'on_hold' THEN 'on_hold' "
    "WHEN 'rejected' THEN 'declined' END"
)
_STEPS = (
    "'reported', 'triaged', 'assigned', 'in_progress', 'resolved', 'feedback_given', 'closed', 'on_hold', 'merged', "
    "'rejected'"
)
_ACTIONS = (
    "'report', 'take_over', 'triage', 'assign', 'start', 'resolve', 'give_feedback', 'close', 'hold', 'resume', "
    "'escalate', 'return', 'reopen', 'reject', 'merge', 'supervise', 'note'"
)
_TIERS = "'grid', 'community', 'street'"
_LEVELS = "'building', 'grid', 'community', 'street'"


def upgrade() -> None:
    """Move the database one step on."""
    _categories()
    _incidents()
    _steps()
    _counters()
    op.create_table(
        "template",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_template")),
    )
    open_to_app("incident_step", "incident_counter", "template")
    # What was done stays as it was written down.
    op.execute("REVOKE UPDATE ON incident_step FROM wangge_app")


def _categories() -> None:
    empty = {"limits": "'{}'", "questions": "'[]'"}
    for name, default in empty.items():
        column = sa.Column(name, postgresql.JSONB(), server_default=sa.text(default), nullable=False)
        op.add_column("category", column)
    op.add_column("category", sa.Column("recurrence_days", sa.Integer(), nullable=True))
    op.execute(f"UPDATE category SET tier = NULL WHERE tier NOT IN ({_TIERS})")
    op.create_check_constraint(op.f("ck_category_tier"), "category", f"tier IN ({_TIERS})")
    # Categories that are there already get what those that come with the program have.
    fill = sa.text(
        "UPDATE category SET limits = CAST(:limits AS jsonb), questions = CAST(:questions AS jsonb), "
        "recurrence_days = :recurrence_days WHERE code = :code"
    )
    for row in those_that_come_with():
        known = {name: json.dumps(row[name], ensure_ascii=False) for name in empty}
        op.get_bind().execute(fill, {"code": row["code"], "recurrence_days": row["recurrence_days"], **known})


def _incidents() -> None:
    op.add_column("incident", sa.Column("step", sa.String(), server_default="reported", nullable=False))
    op.execute(
        "UPDATE incident SET step = CASE state WHEN 'new' THEN 'reported' WHEN 'to_verify' THEN 'resolved' "
        "WHEN 'declined' THEN 'rejected' ELSE state END"
    )
    op.drop_constraint(op.f("ck_incident_state"), "incident", type_="check")
    op.drop_column("incident", "state")
    op.add_column(
        "incident", sa.Column("state", sa.String(), sa.Computed(_STATE_OF_STEP, persisted=True), nullable=False)
    )
    op.add_column("incident", sa.Column("tier", sa.String(), nullable=True))
    op.add_column("incident", sa.Column("level", sa.String(), server_default="grid", nullable=False))
    op.add_column("incident", sa.Column("assignee_id", sa.Integer(), nullable=True))
    for name in ("supervised", "recurrent"):
        op.add_column("incident", sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("incident", sa.Column("merged_into_id", sa.BigInteger(), nullable=True))
    op.add_column("incident", sa.Column("accuracy_m", sa.Double(), nullable=True))
    op.add_column("incident", sa.Column("answers", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("incident", sa.Column("contact", sa.LargeBinary(), nullable=True))
    op.add_column("incident", sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("incident", sa.Column("feedback_at", sa.DateTime(timezone=True), nullable=True))
    for name, condition in {
        "step": f"step IN ({_STEPS})",
        "tier": f"tier IN ({_TIERS})",
        "level": f"level IN ({_LEVELS})",
        "merged": "(step = 'merged') = (merged_into_id IS NOT NULL)",
        "not_into_itself": "merged_into_id <> id",
    }.items():
        op.create_check_constraint(op.f(f"ck_incident_{name}"), "incident", condition)
    for name, table in (("assignee_id", "account"), ("merged_into_id", "incident")):
        op.create_foreign_key(op.f(f"fk_incident_{name}"), "incident", table, [name], ["id"])
        op.create_index(f"ix_incident_{name}", "incident", [name], postgresql_where=sa.text(f"{name} IS NOT NULL"))


def _steps() -> None:
    op.create_table(
        "incident_step",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("grid_id", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("public", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("tier", sa.String(), nullable=True),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("assignee_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(f"action IN ({_ACTIONS})", name=op.f("ck_incident_step_action")),
        sa.CheckConstraint(f"step IN ({_STEPS})", name=op.f("ck_incident_step_step")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_incident_step_account_id")),
        sa.ForeignKeyConstraint(["assignee_id"], ["account.id"], name=op.f("fk_incident_step_assignee_id")),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name=op.f("fk_incident_step_community_id")),
        sa.ForeignKeyConstraint(["grid_id"], ["unit.id"], name=op.f("fk_incident_step_grid_id")),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_incident_step_incident_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_step")),
    )
    op.create_index("ix_incident_step_incident_id_id", "incident_step", ["incident_id", "id"])
    op.create_index("ix_incident_step_community_id_at", "incident_step", ["community_id", "at"])
    # What is there already was reported once, and stands where it stands.
    op.execute(
        "INSERT INTO incident_step (incident_id, community_id, grid_id, action, step, at, public, level) "
        "SELECT id, community_id, grid_id, 'report', 'reported', reported_at, true, level FROM incident "
        "ORDER BY reported_at, id"
    )
    op.execute(
        "INSERT INTO incident_step (incident_id, community_id, grid_id, action, step, at, public, level) "
        "SELECT id, community_id, grid_id, 'take_over', step, coalesce(closed_at, updated_at), false, level "
        "FROM incident WHERE step <> 'reported' ORDER BY updated_at, id"
    )
    # A step follows its incident: who sees the one may see the other, also after the grids were drawn anew.
    of_theirs = f"SELECT FROM incident i WHERE i.id = incident_id AND {among('i.grid_id', 'grids')}"
    protect("incident_step", f"{placed('community_id', None)} OR EXISTS ({of_theirs})")


def _counters() -> None:
    op.create_table(
        "incident_counter",
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name=op.f("fk_incident_counter_community_id")),
        sa.PrimaryKeyConstraint("community_id", "day", name=op.f("pk_incident_counter")),
    )
