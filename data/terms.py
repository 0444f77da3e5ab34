"""Terms 用语: how a community's files call a field, and which word of theirs stands for which of a list, once mapped.

Whoever matches a column that was not recognised (户主手机 is the phone), or mends a word that no list has (太太 is 妻),
has said it for the community: the next file is read so by itself, and says that it was. A term is seen and forgotten on
the page of imports.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, ForeignKey, UniqueConstraint, delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from data.base import access, db
from data.base.access import Actor
from data.base.errors import NotFound
from data.base.language import _

#: What lets one see, add and forget them.
PERMISSION = "exchange.import"
HEADING = ""
"""The field of a heading."""


class TermNotFound(NotFound):
    """There is no such term."""


class Term(db.Table):
    """A heading, or a word of a list, as a community's files of a kind write it."""

    __tablename__ = "term"
    __told__ = False
    __read__ = PERMISSION
    __audited__ = False
    __table_args__ = (UniqueConstraint("community_id", "kind", "field", "plain", name="uq_term"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    #: What the files bring: households, residents …
    kind: Mapped[str]
    #: The field whose word it is; empty for a heading.
    field: Mapped[str]
    #: As it was written, and as it is compared.
    written: Mapped[str]
    plain: Mapped[str]
    #: The field that a heading is, or the code that a word stands for.
    means: Mapped[str]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A term is its community's."""
        return access.in_area(area, cls.community_id)


@dataclass(frozen=True)
class Known:
    """What is remembered of a kind of files.

    Attributes
    ----------
    headings
        Heading, made plain → field.
    words
        Field → word, made plain → code.
    """

    headings: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


NOTHING = Known()


def known(session: Session, community_id: int, kind: str) -> Known:
    """What a community's files of a kind are read by; whoever imports may read them, so nothing is asked again."""
    headings: dict[str, str] = {}
    words: dict[str, dict[str, str]] = defaultdict(dict)
    for term in session.scalars(select(Term).where(Term.community_id == community_id, Term.kind == kind)):
        (words[term.field] if term.field else headings)[term.plain] = term.means
    return Known(headings, dict(words))


def remember(
    session: Session, actor: Actor, community_id: int, kind: str, terms: Mapping[tuple[str, str, str], str]
) -> None:
    """Keep what terms mean; the newest meaning counts.

    Parameters
    ----------
    terms
        Field (empty for a heading), as written, and made plain → the field or code that it means.
    """
    access.require(actor, PERMISSION, community_id)
    for (name, written, plain), means in terms.items():
        values = {"community_id": community_id, "kind": kind, "field": name, "plain": plain}
        told = {"written": written, "means": means, "account_id": actor.account_id}
        session.execute(
            insert(Term)
            .values(**values, **told)
            .on_conflict_do_update(constraint="uq_term", set_={**told, "at": text("now()")})
        )


def remembered(session: Session, actor: Actor, community_id: int | None) -> list[Term]:
    """The terms that the actor may see, of a community or of all, by kind and field."""
    query = access.visible(select(Term), actor, Term)
    if community_id is not None:
        query = query.where(Term.community_id == community_id)
    return list(session.scalars(query.order_by(Term.kind, Term.field, Term.plain)))


def forget(session: Session, actor: Actor, term_id: int) -> None:
    """Forget a term: the next file is read without it.

    Raises
    ------
    TermNotFound
    """
    term = session.scalar(access.visible(select(Term).where(Term.id == term_id), actor, Term))
    if term is None:
        raise TermNotFound(_("Not found, or outside your area."))
    access.require(actor, PERMISSION, term.community_id)
    session.execute(delete(Term).where(Term.id == term.id))
