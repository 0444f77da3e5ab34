"""Columns of text: what ``data.base.texts`` says, held by the database.

Apart from it, because what reads files needs to know which characters are kept, and nothing of a database.
"""

from __future__ import annotations

from sqlalchemy import Dialect, String
from sqlalchemy.types import TypeDecorator

from data.base.texts import LINE, clean


class Words(TypeDecorator[str]):
    """A column of text: clean, and of ``most`` characters at most (``ck_…_length`` in the database)."""

    impl = String
    cache_ok = True

    def __init__(self, most: int = LINE) -> None:
        super().__init__()
        self.most = most

    @property
    def python_type(self) -> type[str]:
        """What a value is in Python."""
        return str

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Clean it."""
        return clean(value) if isinstance(value, str) else value
