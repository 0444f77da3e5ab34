"""Disputes: parties, what was done about them, and the calls that follow an agreement.

Revision: 0032
Follows: 0035
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from data.migrations.walls import in_own, open_to_app, placed, protect

revision = "0032"
down_revision = "0035"
branch_labels = None
depends_on = None

_KINDS = (
    "'noise', 'leak', 'parking', 'passage', 'renovation', 'pets', 'neighbours', 'family', 'care', 'rent', "
    "'management', 'debt', 'other'"
)
_LEVELS = "'building', 'grid', 'community'"
_STEPS = "'reported', 'mediating', 'settled', 'closed', 'referred', 'withdrawn'"
_ACTIONS = "'report', 'mediate', 'settle', 'climb', 'break', 'close', 'refer', 'withdraw', 'reopen'"


def upgrade() -> None:
    """Move the database one step on."""
    op.create_table(
        "dispute",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("grid_id", sa.Integer()),
        sa.Column("building_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("story", sa.LargeBinary()),
        sa.Column("level", sa.String(), server_default="building", nullable=False),
        sa.Column("step", sa.String(), server_default="reported", nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("agreement", sa.LargeBinary()),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dispute"),
        sa.UniqueConstraint("uuid", name="uq_dispute_uuid"),
        *_keys("dispute", community="unit", grid="unit", building="building", account="account"),
        sa.CheckConstraint(f"kind IN ({_KINDS})", name=op.f("ck_dispute_kind")),
        sa.CheckConstraint(f"level IN ({_LEVELS})", name=op.f("ck_dispute_level")),
        sa.CheckConstraint(f"step IN ({_STEPS})", name=op.f("ck_dispute_step")),
        *_short("dispute", "kind", "level", "step"),
        *_long("dispute", "story", "agreement"),
    )
    op.create_index("ix_dispute_community_id_reported_at", "dispute", ["community_id", "reported_at"])
    for name in ("grid_id", "building_id"):
        op.create_index(f"ix_dispute_{name}", "dispute", [name])
    op.create_table(
        "dispute_party",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dispute_id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.Integer()),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("phone", sa.LargeBinary()),
        sa.Column("phone_index", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name="pk_dispute_party"),
        *_keys("dispute_party", community="unit"),
        _of_dispute("dispute_party"),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name="fk_dispute_party_household_id", ondelete="SET NULL"
        ),
        *_short("dispute_party", "name"),
        *_long("dispute_party", "phone"),
    )
    op.create_index("ix_dispute_party_dispute_id", "dispute_party", ["dispute_id"])
    for name in ("household_id", "phone_index"):
        where = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"ix_dispute_party_{name}", "dispute_party", [name], postgresql_where=where)
    op.create_table(
        "dispute_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dispute_id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("mediators", sa.String()),
        sa.Column("note", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name="pk_dispute_step"),
        *_keys("dispute_step", community="unit", account="account"),
        _of_dispute("dispute_step"),
        sa.CheckConstraint(f"action IN ({_ACTIONS})", name=op.f("ck_dispute_step_action")),
        sa.CheckConstraint(f"step IN ({_STEPS})", name=op.f("ck_dispute_step_step")),
        sa.CheckConstraint(f"level IN ({_LEVELS})", name=op.f("ck_dispute_step_level")),
        *_short("dispute_step", "action", "step", "level", "mediators"),
        *_long("dispute_step", "note"),
    )
    op.create_index("ix_dispute_step_dispute_id_at", "dispute_step", ["dispute_id", "at"])
    op.create_table(
        "dispute_call",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dispute_id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.Column("account_id", sa.Integer()),
        sa.Column("holds", sa.Boolean()),
        sa.Column("note", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name="pk_dispute_call"),
        *_keys("dispute_call", community="unit", account="account"),
        _of_dispute("dispute_call"),
        sa.CheckConstraint("(done_at IS NULL) = (holds IS NULL)", name=op.f("ck_dispute_call_done")),
        *_long("dispute_call", "note"),
    )
    op.create_index("ix_dispute_call_dispute_id", "dispute_call", ["dispute_id"])
    op.create_index("ix_dispute_call_due_on", "dispute_call", ["due_on"], postgresql_where=sa.text("done_at IS NULL"))
    tables = ("dispute_party", "dispute_step", "dispute_call")
    open_to_app("dispute", *tables)
    protect("dispute", f"{placed('community_id', 'grid_id', 'people_')} OR {in_own('building_id', 'building')}")
    for table in tables:
        # It follows its dispute, whose own policy decides.
        protect(table, "dispute_id IN (SELECT d.id FROM dispute d)")


def _keys(table: str, **targets: str) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint([f"{name}_id"], [f"{target}.id"], name=f"fk_{table}_{name}_id")
        for name, target in targets.items()
    ]


def _of_dispute(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["dispute_id"], ["dispute.id"], name=f"fk_{table}_dispute_id", ondelete="CASCADE")


def _short(table: str, *names: str) -> list[sa.CheckConstraint]:
    return [sa.CheckConstraint(f"char_length({name}) <= 200", name=op.f(f"ck_{table}_{name}_length")) for name in names]


def _long(table: str, *names: str) -> list[sa.CheckConstraint]:
    # 4,000 characters of four bytes, and what encryption adds to them.
    return [
        sa.CheckConstraint(f"octet_length({name}) <= 16028", name=op.f(f"ck_{table}_{name}_length")) for name in names
    ]
