"""Movements: who was born, died, came and left; since when somebody lives here, and until when.

Revision: 0039
Follows: 0045
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from data.migrations.walls import among, in_own, open_to_app, placed, protect

revision = "0039"
down_revision = "0045"
branch_labels = None
depends_on = None

_KINDS = "'moved_in', 'moved_out', 'moved', 'born', 'died', 'married', 'divorced'"
_REACHES = "'district', 'city', 'elsewhere', 'abroad', 'unknown'"


def upgrade() -> None:
    """Move the database one step on."""
    op.add_column("household", sa.Column("closed_on", sa.Date()))
    op.add_column("resident", sa.Column("came_on", sa.Date()))
    op.add_column("resident", sa.Column("left_on", sa.Date()))
    op.create_check_constraint(op.f("ck_resident_stay"), "resident", "left_on >= came_on")
    op.create_table(
        "movement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("grid_id", sa.Integer()),
        sa.Column("from_grid_id", sa.Integer()),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("resident_id", sa.Integer()),
        sa.Column("household_id", sa.Integer()),
        sa.Column("from_household_id", sa.Integer()),
        sa.Column("reach", sa.String()),
        sa.Column("place", sa.LargeBinary()),
        sa.Column("note", sa.LargeBinary()),
        sa.Column("account_id", sa.Integer()),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("before", JSONB(), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True)),
        sa.Column("undone_by", sa.Integer()),
        sa.PrimaryKeyConstraint("id", name="pk_movement"),
        sa.UniqueConstraint("uuid", "resident_id", name="uq_movement_uuid_resident_id"),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.id"], name=f"fk_movement_{column}", ondelete=gone)
            for column, table, gone in (
                ("community_id", "unit", None),
                ("grid_id", "unit", None),
                ("from_grid_id", "unit", None),
                ("resident_id", "resident", "SET NULL"),
                ("household_id", "household", "SET NULL"),
                ("from_household_id", "household", "SET NULL"),
                ("account_id", "account", None),
                ("undone_by", "account", None),
            )
        ),
        sa.CheckConstraint(f"kind IN ({_KINDS})", name=op.f("ck_movement_kind")),
        sa.CheckConstraint(f"reach IN ({_REACHES})", name=op.f("ck_movement_reach")),
        *(
            sa.CheckConstraint(f"char_length({name}) <= 200", name=op.f(f"ck_movement_{name}_length"))
            for name in ("kind", "reach")
        ),
        # 4,000 characters of four bytes, and what encryption adds to them.
        *(
            sa.CheckConstraint(f"octet_length({name}) <= 16028", name=op.f(f"ck_movement_{name}_length"))
            for name in ("place", "note")
        ),
    )
    op.create_index("ix_movement_community_id_happened_on", "movement", ["community_id", "happened_on"])
    for name in ("grid_id", "resident_id", "household_id", "from_household_id"):
        op.create_index(f"ix_movement_{name}", "movement", [name])
    where = sa.text("from_grid_id IS NOT NULL")
    op.create_index("ix_movement_from_grid_id", "movement", ["from_grid_id"], postgresql_where=where)
    open_to_app("movement")
    own = f"{among('from_grid_id', 'people_grids')} OR {in_own('household_id', 'household')}"
    protect("movement", f"{placed('community_id', 'grid_id', 'people_')} OR {own}")
