"""What is encrypted has a length too: as many bytes as the longest note may take.

Revision: 0018
Follows: 0017
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

#: 4,000 characters of four bytes, and what encryption adds to them: 12 bytes before and 16 after.
_MOST = 4 * 4_000 + 28
_COLUMNS = (
    ("household", "phone"),
    ("incident", "contact"),
    ("notice_choice", "email"),
    ("resident", "health"),
    ("resident", "identity_number"),
    ("resident", "permit_number"),
    ("resident", "phone"),
    ("tenancy", "landlord_phone"),
    ("webhook", "address"),
    ("webhook", "secret"),
)


def upgrade() -> None:
    """Move the database one step on. What is there stays as it is, however long it is."""
    for table, column in _COLUMNS:
        name = f"ck_{table}_{column}_length"
        op.execute(
            f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" CHECK (octet_length("{column}") <= {_MOST}) NOT VALID'
        )
        op.execute(
            f'DO $$ BEGIN IF NOT EXISTS (SELECT FROM "{table}" WHERE octet_length("{column}") > {_MOST}) THEN '
            f'ALTER TABLE "{table}" VALIDATE CONSTRAINT "{name}"; END IF; END $$'
        )


def downgrade() -> None:
    """Move the database one step back."""
    for table, column in _COLUMNS:
        op.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "ck_{table}_{column}_length"')
