"""Patrols: rounds, tracks, check-ins, and what they covered.

Revision: 0007
Follows: 0006
"""

from __future__ import annotations

import geoalchemy2
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from data.migrations.walls import among, open_to_app, placed, protect

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

#: What was seen follows the items, which have walls of their own; it is open to whoever has any grid of the community.
_COMMUNITY = (
    f"{placed('community_id', None)} OR "
    f"community_id IN (SELECT u.community_id FROM unit u WHERE {among('u.id', 'grids')})"
)
_OF_PATROL = "EXISTS (SELECT FROM patrol p WHERE p.id = patrol_id)"

POLICIES = {
    "asset": placed("community_id", "grid_id"),
    "round": placed("community_id", "grid_id"),
    "patrol": placed("community_id", "grid_id"),
    # These follow their patrol, whose own policy decides.
    "patrol_point": _OF_PATROL,
    "check_in": _OF_PATROL,
    "patrol_note": _OF_PATROL,
    "street_segment": placed("community_id", "grid_id"),
    "coverage_pass": _COMMUNITY,
    "coverage_day": _COMMUNITY,
    "coverage_rule": _COMMUNITY,
}


def upgrade() -> None:
    """Move the database one step on."""
    op.create_table(
        "asset",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("grid_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column(
            "geom",
            geoalchemy2.types.Geometry(
                geometry_type="POINT",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name=op.f("fk_asset_community_id")),
        sa.ForeignKeyConstraint(["grid_id"], ["unit.id"], name=op.f("fk_asset_grid_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset")),
        sa.UniqueConstraint("community_id", "kind", "number", name=op.f("uq_asset_community_id_kind_number")),
    )
    op.create_index("ix_asset_geom", "asset", ["geom"], unique=False, postgresql_using="gist")
    op.create_index(op.f("ix_asset_grid_id"), "asset", ["grid_id"], unique=False)
    op.create_table(
        "round",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("grid_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("rhythm", sa.String(), server_default="daily", nullable=False),
        sa.Column("weekdays", postgresql.ARRAY(sa.INTEGER()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("starts_at", sa.Time(), nullable=True),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column(
            "geom",
            geoalchemy2.types.Geometry(
                geometry_type="LINESTRING",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
            ),
            nullable=True,
        ),
        sa.Column("building_ids", postgresql.ARRAY(sa.INTEGER()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("length_m", sa.Double(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("rhythm IN ('daily', 'weekly')", name=op.f("ck_round_rhythm")),
        sa.CheckConstraint("weekdays <@ ARRAY[1, 2, 3, 4, 5, 6, 7]", name=op.f("ck_round_weekdays")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_round_account_id")),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name=op.f("fk_round_community_id")),
        sa.ForeignKeyConstraint(["grid_id"], ["unit.id"], name=op.f("fk_round_grid_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round")),
    )
    op.create_index("ix_round_community_id_grid_id", "round", ["community_id", "grid_id"], unique=False)
    op.create_table(
        "patrol",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("grid_id", sa.Integer(), nullable=True),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("round_id", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(), server_default="phone", nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "geom",
            geoalchemy2.types.Geometry(
                geometry_type="MULTILINESTRING",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
            ),
            nullable=True,
        ),
        sa.Column("length_m", sa.Double(), server_default="0", nullable=False),
        sa.Column("point_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("dropped_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("source IN ('phone', 'gpx', 'geojson')", name=op.f("ck_patrol_source")),
        sa.CheckConstraint("stopped_at >= started_at", name=op.f("ck_patrol_stopped_at")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_patrol_account_id")),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name=op.f("fk_patrol_community_id")),
        sa.ForeignKeyConstraint(["grid_id"], ["unit.id"], name=op.f("fk_patrol_grid_id")),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_patrol_round_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patrol")),
        sa.UniqueConstraint("uuid", name=op.f("uq_patrol_uuid")),
    )
    op.create_index("ix_patrol_account_id_started_at", "patrol", ["account_id", "started_at"], unique=False)
    op.create_index("ix_patrol_community_id_started_at", "patrol", ["community_id", "started_at"], unique=False)
    op.create_index("ix_patrol_geom", "patrol", ["geom"], unique=False, postgresql_using="gist")
    op.create_index("ix_patrol_grid_id_started_at", "patrol", ["grid_id", "started_at"], unique=False)
    op.create_index(op.f("ix_patrol_round_id"), "patrol", ["round_id"], unique=False)
    op.create_table(
        "patrol_point",
        sa.Column("patrol_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("accuracy_m", sa.Double(), nullable=True),
        sa.Column("segment", sa.Integer(), server_default="0", nullable=False),
        sa.Column("kept", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("part", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["patrol_id"], ["patrol.id"], name=op.f("fk_patrol_point_patrol_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("patrol_id", "seq", name=op.f("pk_patrol_point")),
    )
    op.create_table(
        "check_in",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("patrol_id", sa.Integer(), nullable=False),
        sa.Column("building_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("accuracy_m", sa.Double(), nullable=True),
        sa.Column("distance_m", sa.Double(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["building_id"], ["building.id"], name=op.f("fk_check_in_building_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["patrol_id"], ["patrol.id"], name=op.f("fk_check_in_patrol_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_check_in")),
        sa.UniqueConstraint("uuid", name=op.f("uq_check_in_uuid")),
    )
    op.create_index("ix_check_in_building_id_at", "check_in", ["building_id", "at"], unique=False)
    op.create_index(op.f("ix_check_in_patrol_id"), "check_in", ["patrol_id"], unique=False)
    op.create_table(
        "patrol_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("patrol_id", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_patrol_note_incident_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["patrol_id"], ["patrol.id"], name=op.f("fk_patrol_note_patrol_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patrol_note")),
        sa.UniqueConstraint("uuid", name=op.f("uq_patrol_note_uuid")),
    )
    op.create_index(op.f("ix_patrol_note_incident_id"), "patrol_note", ["incident_id"], unique=False)
    op.create_index(op.f("ix_patrol_note_patrol_id"), "patrol_note", ["patrol_id"], unique=False)
    op.create_table(
        "street_segment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("grid_id", sa.Integer(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("length_m", sa.Double(), nullable=False),
        sa.Column(
            "geom",
            geoalchemy2.types.Geometry(
                geometry_type="LINESTRING",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('road', 'path')", name=op.f("ck_street_segment_kind")),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name=op.f("fk_street_segment_community_id")),
        sa.ForeignKeyConstraint(["grid_id"], ["unit.id"], name=op.f("fk_street_segment_grid_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_street_segment")),
        sa.UniqueConstraint("community_id", "code", name=op.f("uq_street_segment_community_id_code")),
    )
    op.create_index("ix_street_segment_geom", "street_segment", ["geom"], unique=False, postgresql_using="gist")
    op.create_index(op.f("ix_street_segment_grid_id"), "street_segment", ["grid_id"], unique=False)
    op.create_table(
        "coverage_pass",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("item_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("patrol_id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("poor", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("poor_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('building', 'street', 'asset')", name=op.f("ck_coverage_pass_kind")),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name=op.f("fk_coverage_pass_community_id")),
        sa.ForeignKeyConstraint(
            ["patrol_id"], ["patrol.id"], name=op.f("fk_coverage_pass_patrol_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("kind", "item_id", "day", "patrol_id", name=op.f("pk_coverage_pass")),
    )
    op.create_index("ix_coverage_pass_patrol_id", "coverage_pass", ["patrol_id"], unique=False)
    op.create_table(
        "coverage_day",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("item_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("poor", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patrol_id", sa.Integer(), nullable=True),
        sa.Column("poor_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('building', 'street', 'asset')", name=op.f("ck_coverage_day_kind")),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name=op.f("fk_coverage_day_community_id")),
        sa.ForeignKeyConstraint(
            ["patrol_id"], ["patrol.id"], name=op.f("fk_coverage_day_patrol_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("kind", "item_id", "day", name=op.f("pk_coverage_day")),
    )
    op.create_index("ix_coverage_day_community_id_day", "coverage_day", ["community_id", "day"], unique=False)
    op.create_index(op.f("ix_coverage_day_patrol_id"), "coverage_day", ["patrol_id"], unique=False)
    op.create_table(
        "coverage_rule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("grid_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("rhythm", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('building', 'street', 'asset')", name=op.f("ck_coverage_rule_kind")),
        sa.CheckConstraint("rhythm IN ('daily', 'weekly')", name=op.f("ck_coverage_rule_rhythm")),
        sa.ForeignKeyConstraint(["community_id"], ["unit.id"], name=op.f("fk_coverage_rule_community_id")),
        sa.ForeignKeyConstraint(["grid_id"], ["unit.id"], name=op.f("fk_coverage_rule_grid_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coverage_rule")),
        sa.UniqueConstraint(
            "community_id",
            "grid_id",
            "kind",
            name=op.f("uq_coverage_rule_community_id_grid_id_kind"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_foreign_key("fk_photo_patrol_id", "photo", "patrol", ["patrol_id"], ["id"], ondelete="SET NULL")
    open_to_app(*POLICIES)
    for table, condition in POLICIES.items():
        protect(table, condition)
