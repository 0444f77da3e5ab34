"""What one has handed in, asked for and chosen is one's own; messages are written by requests, and sent by the worker.

Others learn no more than they need for their own work: how a colleague wants to be told of a case (``notice_choices``),
and whether a job that somebody asked for is still to come (``job_is_coming``).

Revision: 0019
Follows: 0018
"""

from __future__ import annotations

from alembic import op

from data.migrations.walls import everywhere

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_MINE = "account_id = (SELECT nullif(current_setting('wangge.account', true), '')::int)"
#: Jobs of the system follow from what people write: that a message is to be sent, which communities changed.
_MINE_OR_THE_SYSTEMS = f"{_MINE} OR account_id IS NULL"


def upgrade() -> None:
    """Move the database one step on."""
    for table in ("job", "upload", "notice_choice", "outgoing"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute("REVOKE DELETE ON job FROM wangge_app")
    op.execute(f"CREATE POLICY known ON job FOR SELECT TO wangge_app USING ({_MINE_OR_THE_SYSTEMS})")
    op.execute(f"CREATE POLICY asked ON job FOR INSERT TO wangge_app WITH CHECK ({_MINE_OR_THE_SYSTEMS})")
    op.execute(f"CREATE POLICY changed ON job FOR UPDATE TO wangge_app USING ({_MINE})")
    op.execute("REVOKE UPDATE, DELETE ON upload FROM wangge_app")
    op.execute(f"CREATE POLICY own ON upload TO wangge_app USING ({_MINE})")
    op.execute(f"CREATE POLICY own ON notice_choice TO wangge_app USING ({_MINE})")
    op.execute("REVOKE UPDATE, DELETE ON outgoing FROM wangge_app")
    op.execute(f"CREATE POLICY counted ON outgoing FOR SELECT TO wangge_app USING ({everywhere('communities')})")
    op.execute("CREATE POLICY written ON outgoing FOR INSERT TO wangge_app WITH CHECK (true)")
    _function(
        "notice_choices(accounts integer[])",
        "TABLE (account_id integer, app_off text[], email_on text[], reachable boolean)",
        "SELECT c.account_id, c.app_off, c.email_on, c.email IS NOT NULL FROM public.notice_choice c "
        "WHERE c.account_id = ANY (accounts)",
    )
    _function(
        "job_is_coming(id integer)",
        "boolean",
        "SELECT EXISTS (SELECT FROM public.job j WHERE j.id = $1 AND j.state IN ('queued', 'running'))",
    )


def _function(head: str, returns: str, body: str) -> None:
    """A function that runs as the owner, for the application's role alone; what it names, it finds wherever it is."""
    op.execute(
        f"CREATE FUNCTION {head} RETURNS {returns} LANGUAGE sql STABLE SECURITY DEFINER "
        f"SET search_path = pg_catalog, pg_temp AS $$ {body} $$"
    )
    op.execute(f"REVOKE ALL ON FUNCTION {head} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {head} TO wangge_app")
