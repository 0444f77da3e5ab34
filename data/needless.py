"""Needless work 多余的工作: whoever works with a page says that it is needless, and the community office sees of which.

Nobody is asked who they are, and nothing says it afterwards: a note has the kind of page, a day, perhaps a sentence,
and the community; it is not in the audit, and it names no record.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Date, ForeignKey, Index, Row, func, insert, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from data.base import access, db, settings, texts
from data.base.access import Actor, Rows
from data.base.errors import Invalid, NotFound
from data.base.language import _

#: So many sentences are shown of a page.
MOST_SENTENCES = 20


class NeedlessNote(db.Table):
    """Somebody said that the work of a page is needless."""

    __tablename__ = "needless_note"
    __read__ = "team.edit"
    __audited__ = False
    __told__ = False
    __table_args__ = (Index("ix_needless_note_community_id_page", "community_id", "page"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    #: the kind of page, such as ``/households/…``; never which record
    page: Mapped[str]
    sentence: Mapped[texts.Long | None]
    #: The day, and no instant: whoever knows when somebody worked shall not know who said it.
    said_on: Mapped[date] = mapped_column(Date, server_default=text("CURRENT_DATE"))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A note is the community office's."""
        return access.in_area(area, cls.community_id)


def kind_of(path: str) -> str:
    """The kind of page of an address, without what says which record it shows.

    >>> kind_of("/households/27/edit?x=1"), kind_of("/r/ABC123"), kind_of("/")
    ('/households/…/edit', '/r/…', '/')
    """
    parts = path.partition("?")[0].partition("#")[0].split("/")
    return "/".join(part if re.fullmatch(r"[a-z][a-z-]*|", part) else "…" for part in parts)[:200] or "/"


def say(session: Session, actor: Actor, community_id: int, *, path: str, sentence: str | None = None) -> None:
    """Note that the work of a page is needless. Nothing of the actor is kept.

    Raises
    ------
    NotFound
        The actor has nothing to do with the community.
    Invalid
        It is no page of ours.
    """
    if not actor.area("unit.read").covers_unit(community_id):
        raise NotFound(_("Not found, or outside your area."))
    if not path.startswith("/") or path.startswith("//"):
        raise Invalid(_("Say of which page."), field="page")
    values = {
        "community_id": community_id,
        "page": kind_of(path),
        "sentence": sentence or None,
        "said_on": settings.today(),
    }
    # It goes without what would be read back: whoever says it need not be allowed to read what others said.
    session.execute(insert(NeedlessNote).inline().values(values))


def by_page(session: Session, actor: Actor, community_id: int | None) -> Sequence[Row[Any]]:
    """The pages that were called needless: ``page count last_on sentences``, those most often called so first."""
    sentence = NeedlessNote.sentence
    query: Rows = select(
        NeedlessNote.page,
        func.count().label("count"),
        func.max(NeedlessNote.said_on).label("last_on"),
        func.array_agg(sentence).filter(sentence.is_not(None)).label("sentences"),
    )
    if community_id is not None:
        query = query.where(NeedlessNote.community_id == community_id)
    query = access.visible(query, actor, NeedlessNote).group_by(NeedlessNote.page)
    return session.execute(query.order_by(func.count().desc(), NeedlessNote.page)).all()
