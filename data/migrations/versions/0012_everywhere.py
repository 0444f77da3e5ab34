"""A role that holds everywhere says so: its grant has no unit, and follows from no count of districts.

Until now whoever had a role at every district had it everywhere, until somebody added another district. Those to whom
that gives more than the districts (they manage accounts, change the tree, read the audit of what lies nowhere) keep it;
anybody else keeps the districts.

Revision: 0012
Follows: 0011
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the database one step on."""
    op.alter_column("grant", "unit_id", nullable=True)
    op.execute(
        """
        WITH districts AS (SELECT count(*) AS count FROM unit WHERE level = 'district'),
        everywhere AS (
            SELECT g.account_id, g.role_code, min(g.created_at) AS created_at
            FROM "grant" g JOIN unit u ON u.id = g.unit_id AND u.level = 'district'
            WHERE g.role_code IN (
                SELECT role_code FROM role_permission
                WHERE permission_code IN ('account.edit', 'unit.edit', 'audit.read')
            )
            GROUP BY g.account_id, g.role_code
            HAVING count(*) = (SELECT count FROM districts)
        ),
        gone AS (
            DELETE FROM "grant" g USING everywhere e, unit u
            WHERE g.account_id = e.account_id AND g.role_code = e.role_code
            AND u.id = g.unit_id AND u.level = 'district'
        )
        INSERT INTO "grant" (account_id, role_code, unit_id, created_at)
        SELECT account_id, role_code, NULL, created_at FROM everywhere
        """
    )
    # With a null that equals itself, nobody has the same role everywhere twice.
    op.drop_constraint("uq_grant_account_id_role_code_unit_id", "grant")
    op.create_unique_constraint(
        "uq_grant_account_id_role_code_unit_id",
        "grant",
        ["account_id", "role_code", "unit_id"],
        postgresql_nulls_not_distinct=True,
    )
