"""Visits and phone visits of households, the rhythm in which they are due, and campaigns.

Revision: 0028
Follows: 0027
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from data.migrations.walls import among, open_to_app, placed, protect

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    op.create_table(
        "visit_rhythm",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer()),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("manner", sa.String(), nullable=False),
        sa.Column("every_months", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_visit_rhythm"),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_visit_rhythm_community_id", ondelete="CASCADE"),
        sa.UniqueConstraint(
            "community_id",
            "who",
            "manner",
            name="uq_visit_rhythm_community_id_who_manner",
            postgresql_nulls_not_distinct=True,
        ),
        sa.CheckConstraint("manner IN ('visit', 'call')", name=op.f("ck_visit_rhythm_manner")),
        sa.CheckConstraint("every_months BETWEEN 0 AND 60", name=op.f("ck_visit_rhythm_every_months")),
        *_short("visit_rhythm", "who", "manner"),
    )
    op.create_table(
        "visit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.Integer(), nullable=False),
        sa.Column("grid_id", sa.Integer()),
        sa.Column("manner", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("resident_id", sa.Integer()),
        sa.Column("said", sa.LargeBinary()),
        sa.Column("card", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("incident_id", sa.BigInteger()),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_visit"),
        sa.UniqueConstraint("uuid", name="uq_visit_uuid"),
        *(
            sa.ForeignKeyConstraint([f"{name}_id"], [f"{table}.id"], name=f"fk_visit_{name}_id", ondelete=then)
            for name, table, then in (
                ("community", "unit", None),
                ("household", "household", "CASCADE"),
                ("grid", "unit", None),
                ("account", "account", None),
                ("resident", "resident", "SET NULL"),
                ("incident", "incident", "SET NULL"),
            )
        ),
        sa.CheckConstraint("manner IN ('visit', 'call')", name=op.f("ck_visit_manner")),
        sa.CheckConstraint("outcome IN ('met', 'nobody', 'declined')", name=op.f("ck_visit_outcome")),
        sa.CheckConstraint("outcome = 'met' OR resident_id IS NULL", name=op.f("ck_visit_met")),
        *_short("visit", "manner", "outcome"),
        # 4,000 characters of four bytes, and what encryption adds to them.
        sa.CheckConstraint("octet_length(said) <= 16028", name=op.f("ck_visit_said_length")),
    )
    op.create_index("ix_visit_household_id_at", "visit", ["household_id", "at"])
    op.create_index("ix_visit_community_id_at", "visit", ["community_id", "at"])
    for name in ("resident_id", "incident_id"):
        op.create_index(f"ix_visit_{name}", "visit", [name], postgresql_where=sa.text(f"{name} IS NOT NULL"))
    op.create_table(
        "campaign",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("begins_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("goal_share", sa.Float(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_campaign"),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_campaign_community_id"),
        sa.CheckConstraint("begins_on <= ends_on", name=op.f("ck_campaign_days")),
        sa.CheckConstraint("goal_share > 0 AND goal_share <= 1", name=op.f("ck_campaign_goal_share")),
        *_short("campaign", "name"),
    )
    op.create_index("ix_campaign_community_id_begins_on", "campaign", ["community_id", "begins_on"])
    open_to_app("visit_rhythm", "visit", "campaign")
    protect("visit_rhythm", f"community_id IS NULL OR {placed('community_id', None)}")
    of_grids = f"community_id IN (SELECT u.community_id FROM unit u WHERE {among('u.id', 'grids')})"
    protect("campaign", f"{placed('community_id', None)} OR {of_grids}", placed("community_id", None))
    protect("visit", f"{placed('community_id', None, 'people_')} OR household_id IN (SELECT h.id FROM household h)")


def _short(table: str, *names: str) -> list[sa.CheckConstraint]:
    return [sa.CheckConstraint(f"char_length({name}) <= 200", name=op.f(f"ck_{table}_{name}_length")) for name in names]
