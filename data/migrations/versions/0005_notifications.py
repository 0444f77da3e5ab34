"""The calendar of working days, reminders and notifications.

Revision: 0005
Follows: 0004
"""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from data.base import reference
from data.migrations.walls import among, everywhere, open_to_app, placed, protect

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KINDS = (
    "kind IN ('reported', 'urgent', 'assigned', 'escalated', 'returned', 'reopened', 'resolved', 'due_soon', "
    "'overdue', 'supervised')"
)
#: What lies at a unit of any level is written by whoever has all communities of it; holidays are no secret.
_ALL_OF_IT = (
    f"{everywhere('communities')} OR (EXISTS (SELECT FROM unit u WHERE u.level = 'community' AND {{unit}} = ANY(u.path)) "
    f"AND NOT EXISTS (SELECT FROM unit u WHERE u.level = 'community' AND {{unit}} = ANY(u.path) "
    f"AND NOT coalesce({among('u.id', 'communities')}, false)))"
)


def upgrade() -> None:
    """Move the database one step on."""
    _calendars()
    _rules()
    _notifications()
    _messages()


def _dated() -> tuple[sa.Column[object], ...]:
    return tuple(
        sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
        for name in ("created_at", "updated_at")
    )


def _by_unit(table: str) -> None:
    """Everybody reads what lies at units; who has all communities of a unit writes it."""
    open_to_app(table)
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY seen ON {table} FOR SELECT TO wangge_app USING (true)")
    written = _ALL_OF_IT.format(unit=f"{table}.unit_id")
    for command, clause in (("INSERT", "WITH CHECK"), ("UPDATE", "USING"), ("DELETE", "USING")):
        op.execute(f"CREATE POLICY {command.lower()} ON {table} FOR {command} TO wangge_app {clause} ({written})")


def _calendars() -> None:
    op.create_table(
        "calendar_week",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("days_off", postgresql.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("opens_min", sa.SmallInteger(), nullable=False),
        sa.Column("closes_min", sa.SmallInteger(), nullable=False),
        *_dated(),
        sa.CheckConstraint(
            "opens_min >= 0 AND opens_min < closes_min AND closes_min <= 1440", name=op.f("ck_calendar_week_hours")
        ),
        sa.CheckConstraint(
            "cardinality(days_off) < 7 AND days_off <@ '{1,2,3,4,5,6,7}'", name=op.f("ck_calendar_week_days_off")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_calendar_week_unit_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_week")),
        sa.UniqueConstraint("unit_id", name=op.f("uq_calendar_week_unit_id")),
    )
    table = op.create_table(
        "calendar_day",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("works", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        *_dated(),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_calendar_day_unit_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_day")),
    )
    op.create_index("uq_calendar_day_unit_id_day", "calendar_day", ["unit_id", "day"], unique=True)
    op.create_index(
        "uq_calendar_day_day", "calendar_day", ["day"], unique=True, postgresql_where=sa.text("unit_id IS NULL")
    )
    # Once: what an administrator removes does not come back with the next version.
    rows = [
        {"day": date.fromisoformat(row["code"]), "works": row["works"] == "1", "name": row["name_zh"]}
        for row in reference.rows("holidays")
    ]
    op.bulk_insert(table, rows)
    for name in ("calendar_week", "calendar_day"):
        _by_unit(name)


def _rules() -> None:
    rules = op.create_table(
        "reminder_rule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("tier", sa.String(), nullable=True),
        sa.Column("working_days", sa.Integer(), nullable=False),
        sa.Column("share", sa.Float(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        *_dated(),
        sa.CheckConstraint(
            "kind IN ('due_soon', 'overdue', 'escalation', 'supervision')", name=op.f("ck_reminder_rule_kind")
        ),
        sa.CheckConstraint("tier IN ('grid', 'community', 'street')", name=op.f("ck_reminder_rule_tier")),
        sa.CheckConstraint("working_days BETWEEN 0 AND 250", name=op.f("ck_reminder_rule_working_days")),
        sa.CheckConstraint("(kind = 'due_soon') = (share IS NOT NULL)", name=op.f("ck_reminder_rule_share_of")),
        sa.CheckConstraint("share > 0 AND share <= 1", name=op.f("ck_reminder_rule_share")),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_reminder_rule_unit_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder_rule")),
    )
    op.create_index(op.f("ix_reminder_rule_unit_id"), "reminder_rule", ["unit_id"])
    op.bulk_insert(
        rules,
        [
            {
                "kind": row["kind"],
                "working_days": int(row["working_days"]),
                "share": float(row["share"]) if row["share"] else None,
            }
            for row in reference.rows("reminder_rules")
        ],
    )
    _by_unit("reminder_rule")
    notices = op.create_table(
        "notice_rule",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("role_code", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.CheckConstraint(_KINDS, name=op.f("ck_notice_rule_kind")),
        sa.CheckConstraint("scope IN ('always', 'level')", name=op.f("ck_notice_rule_scope")),
        sa.PrimaryKeyConstraint("kind", "role_code", name=op.f("pk_notice_rule")),
    )
    op.bulk_insert(notices, reference.rows("notice_rules"))
    open_to_app("notice_rule")


def _notifications() -> None:
    op.create_table(
        "notification",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("grid_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        *_keys("notification", account_id=True, incident_id=True, community_id=False, grid_id=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
        sa.UniqueConstraint(
            "account_id",
            "incident_id",
            "kind",
            "occasion",
            name=op.f("uq_notification_account_id_incident_id_kind_occasion"),
        ),
    )
    op.create_index(
        "ix_notification_account_id_unread", "notification", ["account_id"], postgresql_where=sa.text("read_at IS NULL")
    )
    op.create_index("ix_notification_account_id_at", "notification", ["account_id", "at"])
    op.create_index("ix_notification_incident_id", "notification", ["incident_id"])
    op.create_table(
        "notice_choice",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("email", sa.LargeBinary(), nullable=True),
        sa.Column("app_off", postgresql.ARRAY(sa.TEXT()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("email_on", postgresql.ARRAY(sa.TEXT()), server_default=sa.text("'{}'"), nullable=False),
        *_keys("notice_choice", account_id=True),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_notice_choice")),
    )
    op.create_table(
        "case_watch",
        sa.Column("incident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        *_keys("case_watch", incident_id=True),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_case_watch")),
    )
    op.create_index("ix_case_watch_next_at", "case_watch", ["next_at"], postgresql_where=sa.text("next_at IS NOT NULL"))
    op.create_table(
        "reminder",
        sa.Column("incident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("threshold", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        *_keys("reminder", incident_id=True),
        sa.PrimaryKeyConstraint("incident_id", "threshold", "due_at", name=op.f("pk_reminder")),
    )
    op.create_index("ix_reminder_at", "reminder", ["at"])
    open_to_app("notification", "notice_choice", "case_watch", "reminder")
    protect("notification", placed("community_id", "grid_id"))


def _messages() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("form", sa.String(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("kinds", postgresql.ARRAY(sa.TEXT()), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        *_dated(),
        sa.CheckConstraint("form IN ('wecom', 'dingtalk')", name=op.f("ck_webhook_form")),
        *_keys("webhook", unit_id=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
    )
    op.create_index(op.f("ix_webhook_unit_id"), "webhook", ["unit_id"])
    _by_unit("webhook")
    op.create_table(
        "outgoing",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("webhook_id", sa.Integer(), nullable=True),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), server_default="waiting", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.CheckConstraint("channel IN ('email', 'webhook')", name=op.f("ck_outgoing_channel")),
        sa.CheckConstraint("state IN ('waiting', 'sending', 'sent', 'failed')", name=op.f("ck_outgoing_state")),
        sa.CheckConstraint("(channel = 'email') = (account_id IS NOT NULL)", name=op.f("ck_outgoing_account")),
        sa.CheckConstraint("(channel = 'webhook') = (webhook_id IS NOT NULL)", name=op.f("ck_outgoing_webhook")),
        *_keys("outgoing", account_id=True, webhook_id=True, incident_id=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing")),
        sa.UniqueConstraint("key", name=op.f("uq_outgoing_key")),
    )
    op.create_index(
        "ix_outgoing_next_at", "outgoing", ["next_at"], postgresql_where=sa.text("state IN ('waiting', 'sending')")
    )
    op.create_index("ix_outgoing_incident_id", "outgoing", ["incident_id"])
    op.create_index("ix_outgoing_webhook_id_sent_at", "outgoing", ["webhook_id", "sent_at"])
    # It holds no name and no address: who writes of a case writes what has to be sent of it.
    open_to_app("outgoing")


def _keys(table: str, **references: bool) -> list[sa.ForeignKeyConstraint]:
    """Foreign keys by the names of their columns; those that are true go with what they refer to."""
    referred = {"community": "unit", "grid": "unit"}
    return [
        sa.ForeignKeyConstraint(
            [column],
            [f"{referred.get(column[:-3], column[:-3])}.id"],
            name=op.f(f"fk_{table}_{column}"),
            ondelete="CASCADE" if follows else None,
        )
        for column, follows in references.items()
    ]
