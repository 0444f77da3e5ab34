"""Links under which a view is seen without a sign-in: made for one view of one area, until a day, revocable.

Whoever has the link sees what its maker may see of that area, at the moment it is opened, without anything personal.
It ends when its time is over, when it is revoked, and when its maker may not export there any more. Only the hash of
the link's token is kept, so the link is told once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, LargeBinary, Row, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from data import accounts, units
from data.base import access, db, secrets
from data.base.access import Actor, Rows
from data.base.errors import Forbidden, Invalid, NotFound
from data.base.language import _
from data.views import View

DAYS_MAX = 366
#: What lets one pass a view on.
PERMISSION = "exchange.export"


class LinkNotFound(NotFound):
    """There is no such link, or it has ended."""


class ViewLink(db.Dated, db.Table):
    """A link to a view of a community, or of all that its maker may see."""

    __tablename__ = "view_link"
    __read__ = PERMISSION
    __table_args__ = (Index("ix_view_link_community_id_expires_at", "community_id", "expires_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    view: Mapped[str]
    community_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    #: The filter of the view: category, days, language.
    params: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    created_by: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A link lies in its community."""
        return access.in_area(area, cls.community_id)

    @property
    def ended(self) -> bool:
        """Whether it leads nowhere any more."""
        return self.revoked_at is not None or self.expires_at <= datetime.now(UTC)


def make(
    session: Session,
    actor: Actor,
    *,
    view: View,
    community: units.Unit | None,
    params: dict[str, Any],
    days: int,
) -> tuple[ViewLink, str]:
    """A new link to a view, and its token, which is told this once.

    Raises
    ------
    Invalid
        ``days`` is not between 1 and ``DAYS_MAX``, or nobody is acting whose rights the link could follow.
    """
    _require(session, actor, community.id if community else None)
    if not 1 <= days <= DAYS_MAX:
        raise Invalid(_("A link lasts for 1 to {most} days, not {days}.", most=DAYS_MAX, days=days), field="days")
    if actor.account_id is None:
        raise Invalid(_("A link is made by somebody with an account."))
    token = secrets.new_token()
    link = ViewLink(
        token_hash=secrets.token_hash(token),
        view=view,
        community_id=community.id if community else None,
        params=params,
        created_by=actor.account_id,
        expires_at=datetime.now(UTC) + timedelta(days=days),
    )
    session.add(link)
    session.flush()
    return link, token


def selection(actor: Actor) -> Rows:
    """The links one may see, a row each with ``maker`` and ``community_name``, those that still lead somewhere first.

    One's own, and those of others in communities where one may export.
    """
    query = (
        select(
            ViewLink.id,
            ViewLink.view,
            ViewLink.params,
            ViewLink.created_at,
            ViewLink.expires_at,
            ViewLink.revoked_at,
            ViewLink.created_by,
            accounts.Account.name.label("maker"),
            units.Unit.name.label("community_name"),
        )
        .join(accounts.Account, accounts.Account.id == ViewLink.created_by)
        .outerjoin(units.Unit, units.Unit.id == ViewLink.community_id)
    )
    area = actor.area(PERMISSION)
    if not area.everywhere:
        query = query.where((ViewLink.created_by == actor.account_id) | ViewLink.within(area))
    over = ViewLink.revoked_at.is_not(None) | (ViewLink.expires_at <= func.now())
    return query.order_by(over, ViewLink.created_at.desc(), ViewLink.id.desc())


def listed(session: Session, actor: Actor, *, most: int) -> Sequence[Row[Any]]:
    """The links of ``selection``; none for those who may make none."""
    return session.execute(selection(actor).limit(most)).all() if actor.may(PERMISSION) else []


def revoke(session: Session, actor: Actor, link_id: int) -> ViewLink:
    """Let a link lead nowhere from now on; doing so again changes nothing.

    Raises
    ------
    LinkNotFound
    """
    access.require(actor, PERMISSION)
    query = select(ViewLink).where(ViewLink.id == link_id)
    area = actor.area(PERMISSION)
    if not area.everywhere:
        query = query.where((ViewLink.created_by == actor.account_id) | ViewLink.within(area))
    link = session.scalar(query)
    if link is None:
        raise LinkNotFound(_("Not found, or outside your area."))
    if link.revoked_at is None:
        link.revoked_at = datetime.now(UTC)
        session.flush()
    return link


def opened(session: Session, token: str) -> tuple[ViewLink, Actor]:
    """The link of a token that still leads somewhere, and its maker as the one who looks. Runs without walls.

    Raises
    ------
    LinkNotFound
        Also when the maker's account is closed, or may not export there any more: which of them is not told.
    """
    link = session.scalar(select(ViewLink).where(ViewLink.token_hash == secrets.token_hash(token)))
    gone = LinkNotFound(_("This link has ended. Ask whoever gave it to you for a new one."))
    if link is None or link.ended:
        raise gone
    maker = session.get(accounts.Account, link.created_by)
    if maker is None or not maker.active:
        raise gone
    actor = accounts.actor(session, maker)
    try:
        _require(session, actor, link.community_id)
    except (Forbidden, NotFound) as error:
        raise gone from error
    return link, actor


def _require(session: Session, actor: Actor, community_id: int | None) -> None:
    """Raise unless the actor may export in the community, or in a grid of it: a link then shows that grid."""
    area = actor.area(PERMISSION)
    if community_id is not None and area.grids and not area.covers(community_id):
        own = select(units.Unit.id).where(
            units.Unit.community_id == community_id, units.Unit.id.in_(sorted(area.grids))
        )
        if session.scalar(own.limit(1)) is not None:
            return
    access.require(actor, PERMISSION, *((community_id,) if community_id else ()))
