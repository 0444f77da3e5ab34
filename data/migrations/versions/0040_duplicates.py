"""People and households that were recorded twice: by what records are alike, pairs, and what was merged.

Revision: 0040
Follows: 0039
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from data.migrations.walls import open_to_app, placed, protect

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    for table in ("resident", "household"):
        op.create_index(f"ix_{table}_community_id_updated_at", table, ["community_id", "updated_at"])
    op.create_table(
        "likeness",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("resident_id", sa.Integer()),
        sa.Column("household_id", sa.Integer()),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("stamp", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_likeness"),
        *_keys("likeness", resident_id="resident", household_id="household"),
        sa.CheckConstraint("num_nonnulls(resident_id, household_id) = 1", name=op.f("ck_likeness_of_one")),
    )
    op.create_index("ix_likeness_key", "likeness", ["key", "community_id"], postgresql_where=sa.text("key <> 0"))
    op.create_index("ix_likeness_stamp", "likeness", ["community_id", "stamp"], postgresql_where=sa.text("key = 0"))
    _index("likeness", "resident_id", "household_id")
    pairs = {f"{kind}_{side}_id": kind for kind in ("resident", "household") for side in ("a", "b")}
    op.create_table(
        "duplicate",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Integer()) for name in pairs),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("reasons", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("apart_at", sa.DateTime(timezone=True)),
        sa.Column("apart_by_id", sa.Integer()),
        sa.PrimaryKeyConstraint("id", name="pk_duplicate"),
        *_keys("duplicate", **pairs),
        sa.ForeignKeyConstraint(["apart_by_id"], ["account.id"], name="fk_duplicate_apart_by_id"),
        sa.UniqueConstraint("resident_a_id", "resident_b_id", name="uq_duplicate_resident_a_id_resident_b_id"),
        sa.UniqueConstraint("household_a_id", "household_b_id", name="uq_duplicate_household_a_id_household_b_id"),
        sa.CheckConstraint(
            "num_nonnulls(resident_a_id, household_a_id) = 1 "
            "AND (resident_a_id < resident_b_id OR household_a_id < household_b_id)",
            name=op.f("ck_duplicate_pair"),
        ),
        sa.CheckConstraint("apart_at IS NOT NULL OR apart_by_id IS NULL", name=op.f("ck_duplicate_apart")),
    )
    op.create_index("ix_duplicate_community_id_score", "duplicate", ["community_id", "score"])
    for name in ("resident_b_id", "household_b_id"):
        op.create_index(f"ix_duplicate_{name}", "duplicate", [name])
    op.create_table(
        "merger",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("resident_id", sa.Integer()),
        sa.Column("household_id", sa.Integer()),
        sa.Column("gone_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("taken", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("memory", sa.LargeBinary()),
        sa.Column("undone_at", sa.DateTime(timezone=True)),
        sa.Column("undone_by_id", sa.Integer()),
        sa.PrimaryKeyConstraint("id", name="pk_merger"),
        *_keys("merger", resident_id="resident", household_id="household"),
        *(
            sa.ForeignKeyConstraint([name], ["account.id"], name=f"fk_merger_{name}")
            for name in ("account_id", "undone_by_id")
        ),
        sa.CheckConstraint("num_nonnulls(resident_id, household_id) = 1", name=op.f("ck_merger_of_one")),
        sa.CheckConstraint("undone_at IS NOT NULL OR undone_by_id IS NULL", name=op.f("ck_merger_undone")),
        # 1,000,000 characters of four bytes, and what encryption adds to them.
        sa.CheckConstraint("octet_length(memory) <= 4000028", name=op.f("ck_merger_memory_length")),
    )
    op.create_index("ix_merger_community_id_at", "merger", ["community_id", "at"])
    op.create_index("ix_merger_gone_id", "merger", ["gone_id"])
    _index("merger", "resident_id", "household_id")
    open_to_app("likeness", "duplicate", "merger")
    for table in ("likeness", "duplicate", "merger"):
        # Of a whole community, and nothing of it to whoever has a grid: a pair tells of both.
        protect(table, placed("community_id", None, "people_"))


def _keys(table: str, **targets: str) -> list[sa.ForeignKeyConstraint]:
    community = sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name=f"fk_{table}_community_id")
    return [
        community,
        *(
            sa.ForeignKeyConstraint([name], [f"{target}.id"], name=f"fk_{table}_{name}", ondelete="CASCADE")
            for name, target in targets.items()
        ),
    ]


def _index(table: str, *names: str) -> None:
    for name in names:
        op.create_index(f"ix_{table}_{name}", table, [name], postgresql_where=sa.text(f"{name} IS NOT NULL"))
