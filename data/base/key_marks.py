"""The keys that a database was written with (``data.keys`` compares them with those that are here)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data.base import db


class KeyMark(db.Table):
    """Keys that the encrypted fields were written with: those in use, and those that were declared lost."""

    __tablename__ = "key_mark"
    __audited__ = False
    __table_args__ = (CheckConstraint("in_use AND lost_at IS NULL OR lost_at IS NOT NULL", name="in_use"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    #: true for the keys in use, of which there are one pair, and nothing for others
    in_use: Mapped[bool | None] = mapped_column(unique=True)
    since: Mapped[datetime] = mapped_column(server_default=text("now()"))
    lost_at: Mapped[datetime | None]
    #: how many values of each field could not be read any more
    lost: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
