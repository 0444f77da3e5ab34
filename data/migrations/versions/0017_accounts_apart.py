"""Who has which role, and by what one gets in, is out of reach of requests; units are changed in one's own area alone.

Requests read names of accounts, roles and grants. They neither read the hash of a password or a token nor write any of
these tables: that is done by the owner, in ``data.accounts`` and ``data.roles``, after the permission was checked.

Revision: 0017
Follows: 0016
"""

from __future__ import annotations

from alembic import op

from data.migrations.walls import among, everywhere

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

#: The unit lies in a street or district, a community, or is a grid, that somebody has; a district is nobody's part.
_MINE = (
    f"{everywhere('communities')} OR {among('parent_id', 'upper')} OR ({among('id', 'upper')} AND level <> 'district') "
    f"OR {among('community_id', 'communities')} OR {among('id', 'grids')}"
)


def upgrade() -> None:
    """Move the database one step on."""
    op.execute('REVOKE ALL ON account, "grant", role, role_permission, permission, api_token FROM wangge_app')
    op.execute("GRANT SELECT (id, username, name, active, language, created_at, updated_at) ON account TO wangge_app")
    op.execute('GRANT SELECT ON "grant", role, role_permission, permission TO wangge_app')
    op.execute("ALTER TABLE unit ENABLE ROW LEVEL SECURITY")
    op.execute("CREATE POLICY known ON unit FOR SELECT TO wangge_app USING (true)")
    op.execute(f"CREATE POLICY added ON unit FOR INSERT TO wangge_app WITH CHECK ({_MINE})")
    op.execute(f"CREATE POLICY changed ON unit FOR UPDATE TO wangge_app USING ({_MINE})")
    op.execute(f"CREATE POLICY removed ON unit FOR DELETE TO wangge_app USING ({_MINE})")
