"""Who holds which post in a grid, and who held it before."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from sqlalchemy import case, delete, func, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from data import units
from data.base import access, audit, settings
from data.base.access import Actor, Rows
from data.base.errors import Invalid
from data.base.language import _
from data.buildings import Building
from data.teams.tables import MemberNotFound, Post, TeamMember, WardenBuilding

_ORDER: Any = case({post.value: place for place, post in enumerate(Post)}, value=TeamMember.post)


def of_grid(session: Session, actor: Actor, grid_id: int, on: date | None = None) -> list[TeamMember]:
    """The team of a grid on a day, today by default, in the order of the posts."""
    query = select(TeamMember).where(TeamMember.grid_id == grid_id, TeamMember.holds(on))
    return list(session.scalars(access.visible(query, actor, TeamMember).order_by(_ORDER, TeamMember.id)))


def former(session: Session, actor: Actor, grid_id: int) -> list[TeamMember]:
    """Who held posts of a grid before, or will, the latest first."""
    query = select(TeamMember).where(TeamMember.grid_id == grid_id, ~TeamMember.holds())
    order = (func.lower(TeamMember.valid).desc(), _ORDER, TeamMember.id)
    return list(session.scalars(access.visible(query, actor, TeamMember).order_by(*order)))


def with_accounts(session: Session, actor: Actor, community_id: int | None) -> list[TeamMember]:
    """Those in the grids' teams who have an account, of one community or of all."""
    query: Rows = select(TeamMember).where(TeamMember.account_id.is_not(None), TeamMember.holds())
    if community_id is not None:
        query = query.where(TeamMember.community_id == community_id)
    return list(session.scalars(access.visible(query, actor, TeamMember).order_by(TeamMember.id)))


def get(session: Session, actor: Actor, member_id: int) -> TeamMember:
    """The team member with this id.

    Raises
    ------
    MemberNotFound
    """
    found = session.scalar(access.visible(select(TeamMember).where(TeamMember.id == member_id), actor, TeamMember))
    if found is None:
        raise MemberNotFound(_("Not found, or outside your area."))
    return found


def appoint(
    session: Session,
    actor: Actor,
    grid: units.Unit,
    *,
    post: Post,
    name: str,
    first: date | None = None,
    last: date | None = None,
    **values: Any,
) -> TeamMember:
    """Give somebody a post in a grid, from a day on (today by default).

    A new leader takes over from the one there is, whose days end the day before.

    Raises
    ------
    Invalid
        The last day is before the first.
    Conflict
        The grid has a leader on one of these days already, or this person the post.
    """
    access.require(actor, "team.edit", grid.community_id, grid.id)
    days = span(first or settings.today(), last)
    if post is Post.LEADER:
        _hand_over(session, grid.id, days)
    member = TeamMember(grid_id=grid.id, community_id=grid.community_id, post=post, name=name, valid=days, **values)
    session.add(member)
    session.flush()
    return member


def change(
    session: Session,
    actor: Actor,
    member: TeamMember,
    *,
    first: date | None = None,
    last: date | None = None,
    **values: Any,
) -> TeamMember:
    """Change fields of a team member, and the days; who is replaced by somebody else loses the account of the post."""
    access.require(actor, "team.edit", member.community_id, member.grid_id)
    if values.get("name", member.name) != member.name and "account_id" not in values:
        member.account_id = None
    if first is not None:
        member.valid = span(first, last)
    for name, value in values.items():
        setattr(member, name, value)
    session.flush()
    return member


def appoint_buildings(session: Session, actor: Actor, member: TeamMember, building_ids: Collection[int]) -> None:
    """Say which buildings of the grid a warden minds; none in particular: the whole grid.

    Raises
    ------
    Invalid
        A building lies in another grid.
    """
    access.require(actor, "team.edit", member.community_id, member.grid_id)
    wanted = set(building_ids)
    there = set(session.scalars(select(Building.id).where(Building.id.in_(wanted), Building.grid_id == member.grid_id)))
    if wanted - there:
        raise Invalid(_("A warden minds buildings of the own grid."), field="buildings")
    before = set(session.scalars(select(WardenBuilding.building_id).where(WardenBuilding.member_id == member.id)))
    if before == wanted:
        return
    session.execute(delete(WardenBuilding).where(WardenBuilding.member_id == member.id))
    session.add_all(
        WardenBuilding(member_id=member.id, building_id=building_id, community_id=member.community_id)
        for building_id in sorted(wanted)
    )
    changed = {"buildings": [sorted(before), sorted(wanted)]}
    audit.record(session, actor, "update", "team_member", member.id, community_id=member.community_id, changes=changed)
    session.flush()


def minded(session: Session, actor: Actor, member_ids: Collection[int]) -> Mapping[int, set[int]]:
    """Warden → the ids of the buildings they mind; those without any mind their whole grid."""
    query = select(WardenBuilding.member_id, WardenBuilding.building_id).where(WardenBuilding.member_id.in_(member_ids))
    buildings: dict[int, set[int]] = {}
    for member_id, building_id in session.execute(access.visible(query, actor, WardenBuilding)):
        buildings.setdefault(member_id, set()).add(building_id)
    return buildings


def span(first: date, last: date | None) -> Range[date]:
    """The days from the first to the last, both included; without a last one for good.

    Raises
    ------
    Invalid
        It would have no day.
    """
    if last is not None and last < first:
        raise Invalid(_("The last day is not before the first."), field="last")
    return Range(first, last + date.resolution if last else None)


def _hand_over(session: Session, grid_id: int, days: Range[date]) -> None:
    """End the days of the leader whom somebody follows, if there is no end yet."""
    before = session.scalar(
        select(TeamMember).where(
            TeamMember.grid_id == grid_id,
            TeamMember.post == Post.LEADER,
            func.upper_inf(TeamMember.valid),
            func.lower(TeamMember.valid) < days.lower,
        )
    )
    if before is not None:
        before.valid = Range(before.valid.lower, days.lower)
        session.flush()
