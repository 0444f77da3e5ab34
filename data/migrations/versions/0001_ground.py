"""What the tables stand on: extensions, the application's role, our functions, the queue's schema.

Revision: 0001
"""

from __future__ import annotations

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    for extension in ("postgis", "btree_gist", "pg_trgm"):
        op.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
    # Roles belong to the server, not to one database: another database may have made it already.
    op.execute(
        """
        DO $$ BEGIN
            CREATE ROLE wangge_app NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END $$
        """
    )
    op.execute("DO $$ BEGIN EXECUTE format('GRANT wangge_app TO %I', current_user); END $$")
    # Overlaps of up to 0.01 m² are rounding, not overlap. The body is parsed now, so it depends on no search path.
    op.execute(
        """
        CREATE FUNCTION wangge_overlap_m2(geoms geometry[]) RETURNS double precision
        LANGUAGE sql IMMUTABLE PARALLEL SAFE
        BEGIN ATOMIC
            SELECT coalesce(sum(o.area_m2), 0)
            FROM (
                SELECT ST_Area(ST_CollectionExtract(ST_Intersection(a.geom, b.geom), 3)::geography) AS area_m2
                FROM unnest(geoms) WITH ORDINALITY AS a(geom, place)
                JOIN unnest(geoms) WITH ORDINALITY AS b(geom, place) ON a.place < b.place AND a.geom && b.geom
                WHERE ST_Relate(a.geom, b.geom, 'T********')
            ) o
            WHERE o.area_m2 > 0.01;
        END
        """
    )
    op.execute("CREATE SCHEMA queue")
    op.execute("SELECT set_config('search_path', 'queue,' || current_setting('search_path'), true)")
    # The queue's script has several statements and percent signs, so it goes to the driver as it is.
    op.get_bind().connection.driver_connection.execute(SchemaManager.get_schema())  # type: ignore[union-attr]
    op.execute("SELECT set_config('search_path', substr(current_setting('search_path'), 7), true)")
