"""Alembic's environment: migrations run on a connection that ``data.migrations.run`` hands in."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from data.base.columns import Words
from data.base.secrets import Encrypted
from data.migrations import TABLES


def _render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Encrypted columns are bytes to the database, and words are strings."""
    if kind == "type" and isinstance(item, Words):
        return "sa.String()"
    return "sa.LargeBinary()" if kind == "type" and isinstance(item, Encrypted) else False


context.configure(
    render_item=_render,
    connection=context.config.attributes["connection"],
    target_metadata=TABLES,
    # Tables of PostGIS and Alembic are not ours to compare.
    include_name=lambda name, kind, _parents: kind != "table" or name in TABLES.tables,
)
with context.begin_transaction():
    context.run_migrations()
