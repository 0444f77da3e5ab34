"""The diary: entries, line officers of its subjects, weeks that were handed over. What visits kept becomes entries.

Revision: 0031
Follows: 0033
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import ARRAY

from data.base import secrets
from data.diary import words
from data.migrations.walls import among, in_own, open_to_app, placed, protect

revision = "0031"
down_revision = "0033"
branch_labels = None
depends_on = None

_SUBJECTS = (
    "'petition', 'family_planning', 'low_income', 'civil_affairs', 'civility', 'safety', 'order', 'utilities', "
    "'environment', 'hukou', 'insurance', 'jobs', 'housing', 'neighbours', 'other'"
)


def upgrade() -> None:
    """Move the database one step on."""
    op.create_table(
        "diary_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("grid_id", sa.Integer()),
        sa.Column("household_id", sa.Integer()),
        sa.Column("building_id", sa.Integer()),
        sa.Column("visit_id", sa.Integer()),
        sa.Column("incident_id", sa.BigInteger()),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("said", sa.LargeBinary(), nullable=False),
        sa.Column("grams", ARRAY(sa.Integer()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("asks", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("struck_at", sa.DateTime(timezone=True)),
        sa.Column("struck_by_id", sa.Integer()),
        sa.Column("answer", sa.LargeBinary()),
        sa.Column("geom", Geometry("POINT", 4326, spatial_index=False)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_diary_entry"),
        sa.UniqueConstraint("uuid", name="uq_diary_entry_uuid"),
        sa.UniqueConstraint("visit_id", name="uq_diary_entry_visit_id"),
        *(
            sa.ForeignKeyConstraint([f"{name}_id"], [f"{table}.id"], name=f"fk_diary_entry_{name}_id", ondelete=then)
            for name, table, then in (
                ("community", "unit", None),
                ("grid", "unit", None),
                ("household", "household", "CASCADE"),
                ("building", "building", "SET NULL"),
                ("visit", "visit", "CASCADE"),
                ("incident", "incident", "SET NULL"),
                ("account", "account", None),
                ("struck_by", "account", None),
            )
        ),
        sa.CheckConstraint(f"subject IN ({_SUBJECTS})", name=op.f("ck_diary_entry_subject")),
        sa.CheckConstraint(
            "struck_at IS NOT NULL OR (struck_by_id IS NULL AND answer IS NULL)", name=op.f("ck_diary_entry_struck")
        ),
        sa.CheckConstraint("asks OR struck_at IS NULL", name=op.f("ck_diary_entry_asks")),
        _short("diary_entry"),
        # 4,000 characters of four bytes, and what encryption adds to them.
        sa.CheckConstraint("octet_length(said) <= 16028", name=op.f("ck_diary_entry_said_length")),
        sa.CheckConstraint("octet_length(answer) <= 16028", name=op.f("ck_diary_entry_answer_length")),
    )
    for name in ("community_id", "grid_id"):
        op.create_index(f"ix_diary_entry_{name}_at", "diary_entry", [name, "at"])
    op.create_index("ix_diary_entry_grams", "diary_entry", ["grams"], postgresql_using="gin")
    for name in ("household_id", "building_id", "incident_id"):
        where = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"ix_diary_entry_{name}", "diary_entry", [name], postgresql_where=where)
    op.create_table(
        "diary_officer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("officer_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_diary_officer"),
        sa.UniqueConstraint("community_id", "subject", name="uq_diary_officer_community_id_subject"),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_diary_officer_community_id"),
        sa.ForeignKeyConstraint(
            ["officer_id"], ["line_officer.id"], name="fk_diary_officer_officer_id", ondelete="CASCADE"
        ),
        sa.CheckConstraint(f"subject IN ({_SUBJECTS})", name=op.f("ck_diary_officer_subject")),
        _short("diary_officer"),
    )
    op.create_index("ix_diary_officer_officer_id", "diary_officer", ["officer_id"])
    op.create_table(
        "diary_handover",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("week_on", sa.Date(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_diary_handover"),
        sa.UniqueConstraint(
            "community_id", "subject", "week_on", name="uq_diary_handover_community_id_subject_week_on"
        ),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name="fk_diary_handover_community_id"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_diary_handover_account_id"),
        sa.CheckConstraint(f"subject IN ({_SUBJECTS})", name=op.f("ck_diary_handover_subject")),
        sa.CheckConstraint("extract(isodow from week_on) = 1", name=op.f("ck_diary_handover_week_on")),
        _short("diary_handover"),
    )
    _take_over()
    op.drop_column("visit", "said")
    open_to_app("diary_entry", "diary_officer", "diary_handover")
    here, own = placed("community_id", None, "people_"), among("grid_id", "people_grids")
    homes, near = in_own("household_id", "household"), in_own("building_id", "building")
    protect("diary_entry", f"{here} OR {homes} OR (household_id IS NULL AND ({own} OR {near}))")
    of_grids = f"community_id IN (SELECT u.community_id FROM unit u WHERE {among('u.id', 'people_grids')})"
    for table in ("diary_officer", "diary_handover"):
        protect(table, f"{here} OR {of_grids}", here)


def _take_over() -> None:
    """Make entries of what was said during visits; it stays encrypted as it is, and becomes searchable."""
    bind = op.get_bind()
    rows = bind.execute(
        sa.text(
            "SELECT v.*, d.building_id FROM visit v JOIN household h ON h.id = v.household_id "
            "LEFT JOIN dwelling d ON d.id = h.dwelling_id WHERE v.said IS NOT NULL"
        )
    ).mappings()
    insert = sa.text(
        "INSERT INTO diary_entry (uuid, community_id, grid_id, household_id, building_id, visit_id, incident_id, "
        "subject, said, grams, at, account_id, asks, created_at) VALUES (:uuid, :community_id, :grid_id, "
        ":household_id, :building_id, :id, :incident_id, :subject, :said, :grams, :at, :account_id, "
        ":incident_id IS NOT NULL, :recorded_at)"
    ).bindparams(sa.bindparam("grams", type_=ARRAY(sa.Integer())), sa.bindparam("incident_id", type_=sa.BigInteger()))
    for row in rows.all():
        text = secrets.known(secrets.readable(bytes(row["said"]))) or ""
        values = {"subject": words.guessed(text).value, "grams": words.written(text)}
        bind.execute(insert, {**row, **values})


def _short(table: str) -> sa.CheckConstraint:
    return sa.CheckConstraint("char_length(subject) <= 200", name=op.f(f"ck_{table}_subject_length"))
