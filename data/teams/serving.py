"""Service teams 特色服务队: who does the work of cases, and serves the community besides."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from data import units
from data.base import access, db, settings
from data.base.access import Actor, Rows
from data.base.language import _
from data.teams.posts import span
from data.teams.tables import MemberNotFound, ServiceMember, ServiceTeam, ServiceTeamNotFound


def serving(session: Session, actor: Actor, community_ids: Collection[int]) -> list[ServiceTeam]:
    """The service teams of communities, by name."""
    query: Rows = select(ServiceTeam).where(ServiceTeam.community_id.in_(community_ids))
    return list(session.scalars(access.visible(query, actor, ServiceTeam).order_by(ServiceTeam.name, ServiceTeam.id)))


def service_teams(session: Session, actor: Actor, community: str | None = None) -> list[ServiceTeam]:
    """The service teams that the actor may call on, of the community with this code or of all, by name."""
    query: Rows = select(ServiceTeam)
    if community is not None:
        of_code = select(units.Unit.id).where(units.Unit.code == community).scalar_subquery()
        query = query.where(ServiceTeam.community_id == of_code)
    return list(session.scalars(access.visible(query, actor, ServiceTeam).order_by(ServiceTeam.name, ServiceTeam.id)))


def service_team(session: Session, actor: Actor, team_id: int) -> ServiceTeam:
    """The service team with this id.

    Raises
    ------
    ServiceTeamNotFound
    """
    team = session.scalar(access.visible(select(ServiceTeam).where(ServiceTeam.id == team_id), actor, ServiceTeam))
    if team is None:
        raise ServiceTeamNotFound(_("Not found, or outside your area."))
    return team


def members(session: Session, actor: Actor, team_ids: Collection[int]) -> Sequence[ServiceMember]:
    """Who is in service teams today, by name; told to those who see the whole community."""
    query: Rows = select(ServiceMember).where(ServiceMember.team_id.in_(team_ids), ServiceMember.holds())
    query = access.visible(query, actor, ServiceMember)
    return session.scalars(query.order_by(ServiceMember.name, ServiceMember.id)).all()


def join(
    session: Session, actor: Actor, team: ServiceTeam, *, first: date | None = None, **values: Any
) -> ServiceMember:
    """Somebody joins a service team, from today or an earlier day on."""
    access.require(actor, "unit.edit", team.community_id)
    days = span(first or settings.today(), None)
    member = ServiceMember(community_id=team.community_id, team_id=team.id, valid=days, **values)
    session.add(member)
    session.flush()
    return member


def leave(session: Session, actor: Actor, member_id: int) -> None:
    """Somebody leaves a service team: today is no day of theirs any more, and what they agreed to is over.

    Raises
    ------
    MemberNotFound
    """
    query = select(ServiceMember).where(ServiceMember.id == member_id)
    member = session.scalar(access.visible(query, actor, ServiceMember))
    if member is None:
        raise MemberNotFound(_("Not found, or outside your area."))
    access.require(actor, "unit.edit", member.community_id)
    today = settings.today()
    if member.valid.lower is not None and member.valid.lower < today:
        member.valid = Range(member.valid.lower, today)
        member.work_phone = member.consented_on = None
    else:
        session.delete(member)
    session.flush()


def found_service_team(
    session: Session, actor: Actor, community: units.Unit, *, name: str, **values: Any
) -> ServiceTeam:
    """A new service team of a community."""
    access.require(actor, "unit.edit", community.id)
    team = ServiceTeam(community_id=community.id, name=name, **values)
    db.insert(session, team)
    return team


def change_service_team(session: Session, actor: Actor, team: ServiceTeam, **values: Any) -> ServiceTeam:
    """Change fields of a service team."""
    access.require(actor, "unit.edit", team.community_id)
    for name, value in values.items():
        setattr(team, name, value)
    session.flush()
    return team


def remove_service_team(session: Session, actor: Actor, team: ServiceTeam) -> None:
    """Remove a service team; its cases stay with whoever sees to them."""
    access.require(actor, "unit.edit", team.community_id)
    session.delete(team)
    session.flush()
