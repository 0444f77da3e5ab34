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
from data.migrations.walls import among, everywhere, open_to_app

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

#: What lies at a unit of any level is written by whoever has all communities of it; holidays are no secret.
_ALL_OF_IT = (
    f"{everywhere('communities')} OR (EXISTS (SELECT FROM unit u WHERE u.level = 'community' AND {{unit}} = ANY(u.path)) "
    f"AND NOT EXISTS (SELECT FROM unit u WHERE u.level = 'community' AND {{unit}} = ANY(u.path) "
    f"AND NOT coalesce({among('u.id', 'communities')}, false)))"
)


def upgrade() -> None:
    """Move the database one step on."""
    _calendars()


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
