"""Phones that take households along, what came of each record they sent, and facts on which they differ.

Revision: 0037
Follows: 0034
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from data.migrations.walls import in_own, open_to_app, placed, protect

revision = "0037"
down_revision = "0034"
branch_labels = None
depends_on = None

_MINE = "account_id = (SELECT nullif(current_setting('wangge.account', true), '')::int)"
_NOW = sa.text("clock_timestamp()")


def upgrade() -> None:
    """Move the database one step on."""
    op.create_table(
        "phone",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("may", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("lost_at", sa.DateTime(timezone=True)),
        sa.Column("wiped_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_phone"),
        sa.UniqueConstraint("uuid", name="uq_phone_uuid"),
        _refers("phone", "account_id", "account"),
        _refers("phone", "community_id", "unit"),
        sa.CheckConstraint("octet_length(key) <= 16028", name=op.f("ck_phone_key_length")),
    )
    op.create_index("ix_phone_account_id", "phone", ["account_id"])
    op.create_index("ix_phone_community_id", "phone", ["community_id"])
    op.create_table(
        "phone_household",
        sa.Column("phone_id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("phone_id", "household_id", name="pk_phone_household"),
        _refers("phone_household", "phone_id", "phone", "CASCADE"),
        _refers("phone_household", "household_id", "household", "CASCADE"),
        _refers("phone_household", "community_id", "unit"),
    )
    op.create_index("ix_phone_household_household_id", "phone_household", ["household_id"])
    op.create_table(
        "phone_record",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("phone_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("said", sa.LargeBinary()),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("uuid", name="pk_phone_record"),
        _refers("phone_record", "phone_id", "phone", "CASCADE"),
        sa.CheckConstraint("state IN ('done', 'differs', 'refused', 'dropped')", name=op.f("ck_phone_record_state")),
        sa.CheckConstraint("char_length(state) <= 200", name=op.f("ck_phone_record_state_length")),
        sa.CheckConstraint("char_length(reason) <= 4000", name=op.f("ck_phone_record_reason_length")),
        # 40,000 characters of four bytes, and what encryption adds to them.
        sa.CheckConstraint("octet_length(said) <= 160028", name=op.f("ck_phone_record_said_length")),
    )
    op.create_index("ix_phone_record_phone_id_state", "phone_record", ["phone_id", "state"])
    op.create_table(
        "phone_difference",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("record_uuid", sa.Uuid(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.Integer(), nullable=False),
        sa.Column("of", sa.String(), nullable=False),
        sa.Column("of_id", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("value", sa.LargeBinary()),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("choice", sa.String()),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("decided_by", sa.Integer()),
        sa.PrimaryKeyConstraint("id", name="pk_phone_difference"),
        sa.ForeignKeyConstraint(
            ["record_uuid"], ["phone_record.uuid"], name="fk_phone_difference_record_uuid", ondelete="CASCADE"
        ),
        _refers("phone_difference", "community_id", "unit"),
        _refers("phone_difference", "household_id", "household", "CASCADE"),
        _refers("phone_difference", "account_id", "account"),
        _refers("phone_difference", "decided_by", "account"),
        sa.CheckConstraint("of IN ('household', 'resident')", name=op.f("ck_phone_difference_of")),
        sa.CheckConstraint("choice IN ('theirs', 'phones')", name=op.f("ck_phone_difference_choice")),
        sa.CheckConstraint("(choice IS NULL) = (decided_at IS NULL)", name=op.f("ck_phone_difference_decided")),
        *(
            sa.CheckConstraint(f"char_length({name}) <= 200", name=op.f(f"ck_phone_difference_{name}_length"))
            for name in ("of", "field", "choice")
        ),
        # 4,000 characters of four bytes, and what encryption adds to them.
        sa.CheckConstraint("octet_length(value) <= 16028", name=op.f("ck_phone_difference_value_length")),
    )
    op.create_index("ix_phone_difference_record_uuid", "phone_difference", ["record_uuid"])
    op.create_index(
        "ix_phone_difference_household_id",
        "phone_difference",
        ["household_id"],
        postgresql_where=sa.text("choice IS NULL"),
    )
    open_to_app("phone", "phone_household", "phone_record", "phone_difference")
    protect("phone", f"{_MINE} OR {placed('community_id', None)}")
    for table in ("phone_household", "phone_record"):
        protect(table, "phone_id IN (SELECT p.id FROM phone p)")
    protect("phone_difference", f"{placed('community_id', None, 'people_')} OR {in_own('household_id', 'household')}")


def _refers(table: str, column: str, to: str, then: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=f"fk_{table}_{column}", ondelete=then)
