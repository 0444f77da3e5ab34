"""Posts, guides and line officers have days; wardens have buildings, guides grids; who is away is stood in for.

Revision: 0033
Follows: 0036
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from data.base.columns import Words
from data.migrations.walls import among, open_to_app, placed, protect

revision = "0033"
down_revision = "0036"
branch_labels = None
depends_on = None

# A grid that was given several leaders in a row has had them one after the other.
_LEADERS_IN_TURN = """
WITH placed AS (
    SELECT id, (created_at AT TIME ZONE 'Asia/Shanghai')::date - (count(*) OVER (PARTITION BY grid_id)
        - row_number() OVER (PARTITION BY grid_id ORDER BY created_at, id))::int AS first, grid_id, created_at
    FROM team_member WHERE post = 'leader'
), turns AS (
    SELECT id, first, lead(first) OVER (PARTITION BY grid_id ORDER BY created_at, id) AS next FROM placed
)
UPDATE team_member m SET valid = daterange(t.first, t.next) FROM turns t WHERE t.id = m.id
"""


def upgrade() -> None:
    """Move the database one step on."""
    for table in ("team_member", "guide"):
        _publish(table)
        op.execute(f"UPDATE {table} SET valid = daterange((created_at AT TIME ZONE 'Asia/Shanghai')::date, NULL)")
    op.execute(_LEADERS_IN_TURN)
    op.add_column("team_member", sa.Column("elder", Words()))
    elders = "'cadre', 'expert', 'soldier', 'teacher', 'model'"
    op.create_check_constraint(op.f("ck_team_member_elder"), "team_member", f"elder IN ({elders})")
    op.create_check_constraint(
        op.f("ck_team_member_elder_of"), "team_member", "elder IS NULL OR post = 'building_warden'"
    )
    op.create_check_constraint(op.f("ck_team_member_elder_length"), "team_member", "char_length(elder) <= 200")
    op.drop_constraint("uq_team_member_grid_id_post_name", "team_member")
    same = (("grid_id", "="), ("post", "="), ("name", "="), ("valid", "&&"))
    op.create_exclude_constraint("ex_team_member_valid", "team_member", *same, using="gist")
    op.create_exclude_constraint(
        "ex_team_member_leader",
        "team_member",
        ("grid_id", "="),
        ("valid", "&&"),
        where=sa.text("post = 'leader'"),
        using="gist",
    )
    op.add_column("guide", sa.Column("level", Words(), server_default="community", nullable=False))
    op.create_check_constraint(op.f("ck_guide_level"), "guide", "level IN ('community', 'street', 'district')")
    op.create_check_constraint(op.f("ck_guide_level_length"), "guide", "char_length(level) <= 200")
    _tables()
    _walls()


def _publish(table: str) -> None:
    days = sa.Column("valid", postgresql.DATERANGE(), server_default=_TODAY, nullable=False)
    for column in (days, sa.Column("work_phone", Words()), sa.Column("consented_on", sa.Date())):
        op.add_column(table, column)
    op.create_check_constraint(op.f(f"ck_{table}_valid"), table, "NOT isempty(valid)")
    op.create_check_constraint(op.f(f"ck_{table}_work_phone_length"), table, "char_length(work_phone) <= 200")


_TODAY = sa.text("daterange(CURRENT_DATE, NULL)")


def _tables() -> None:
    op.create_table(
        "warden_building",
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("building_id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("member_id", "building_id", name="pk_warden_building"),
        _key("warden_building", "member_id", "team_member", "CASCADE"),
        _key("warden_building", "building_id", "building", "CASCADE"),
        _key("warden_building", "community_id", "unit"),
    )
    op.create_index("ix_warden_building_building_id", "warden_building", ["building_id"])
    op.create_table(
        "guide_grid",
        sa.Column("guide_id", sa.Integer(), nullable=False),
        sa.Column("grid_id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("guide_id", "grid_id", name="pk_guide_grid"),
        _key("guide_grid", "guide_id", "guide", "CASCADE"),
        _key("guide_grid", "grid_id", "unit", "CASCADE"),
        _key("guide_grid", "community_id", "unit"),
    )
    op.create_index("ix_guide_grid_grid_id", "guide_grid", ["grid_id"])
    op.create_table(
        "line_officer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("field", Words(), nullable=False),
        sa.Column("name", Words(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), server_default=_TODAY, nullable=False),
        sa.Column("work_phone", Words()),
        sa.Column("consented_on", sa.Date()),
        *_dated(),
        sa.PrimaryKeyConstraint("id", name="pk_line_officer"),
        _key("line_officer", "community_id", "unit"),
        _key("line_officer", "account_id", "account"),
        sa.CheckConstraint("NOT isempty(valid)", name=op.f("ck_line_officer_valid")),
        *(
            sa.CheckConstraint(f"char_length({name}) <= 200", name=op.f(f"ck_line_officer_{name}_length"))
            for name in ("field", "name", "work_phone")
        ),
    )
    op.create_index("ix_line_officer_community_id", "line_officer", ["community_id"])
    op.create_table(
        "stand_in",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("grid_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("deputy_id", sa.Integer(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        *_dated(),
        sa.PrimaryKeyConstraint("id", name="pk_stand_in"),
        _key("stand_in", "community_id", "unit"),
        _key("stand_in", "grid_id", "unit"),
        _key("stand_in", "account_id", "account", "CASCADE"),
        _key("stand_in", "deputy_id", "account", "CASCADE"),
        sa.CheckConstraint("NOT isempty(valid)", name=op.f("ck_stand_in_valid")),
        sa.CheckConstraint("NOT upper_inf(valid)", name=op.f("ck_stand_in_ends")),
        sa.CheckConstraint("account_id <> deputy_id", name=op.f("ck_stand_in_another")),
    )
    op.create_index("ix_stand_in_deputy_id", "stand_in", ["deputy_id"])
    op.create_exclude_constraint(
        "ex_stand_in_valid", "stand_in", ("grid_id", "="), ("account_id", "="), ("valid", "&&"), using="gist"
    )


def _key(table: str, column: str, other: str, then: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}", ondelete=then)


def _dated() -> tuple[sa.Column[object], ...]:
    now = sa.text("now()")
    return tuple(
        sa.Column(name, sa.DateTime(timezone=True), server_default=now, nullable=False)
        for name in ("created_at", "updated_at")
    )


def _walls() -> None:
    open_to_app("warden_building", "guide_grid", "line_officer", "stand_in")
    community = placed("community_id", None)
    of_grids = f"community_id IN (SELECT u.community_id FROM unit u WHERE {among('u.id', 'grids')})"
    op.execute("DROP POLICY area ON guide")
    for table in ("guide", "guide_grid", "line_officer"):
        protect(table, f"{community} OR {of_grids}", community)
    protect("warden_building", "member_id IN (SELECT m.id FROM team_member m)")
    protect("stand_in", placed("community_id", "grid_id"))
