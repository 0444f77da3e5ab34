"""Teams: the four posts of each grid, the community's guides 指导人员 and its service teams 特色服务队.

A grid's team is a grid leader 网格负责人 (a community worker), an information officer 信息员 (an auxiliary police
officer), a supervisor 督导员 (a street cadre) and a building warden 楼栋员 (one of the 五老).
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, UniqueConstraint, case, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from data import units
from data.base import access, db, texts
from data.base.access import Actor, Rows
from data.base.errors import NotFound
from data.base.language import _


class MemberNotFound(NotFound):
    """There is no such team member, or their grid is outside the actor's area."""


class ServiceTeamNotFound(NotFound):
    """There is no such service team, or its community is outside the actor's area."""


class Post(StrEnum):
    """The posts of a grid's team, in the order in which they are shown."""

    LEADER = "leader"
    INFORMATION_OFFICER = "information_officer"
    SUPERVISOR = "supervisor"
    BUILDING_WARDEN = "building_warden"


def post_names() -> dict[str, str]:
    """The posts of a grid's team."""
    return {
        "leader": _("Grid leader"),
        "information_officer": _("Information officer"),
        "supervisor": _("Supervisor"),
        "building_warden": _("Building warden"),
    }


db.sentences["uq_service_team_community_id_name"] = "This community already has a service team of this name."
db.sentences["uq_team_member_grid_id_post_name"] = "This person already holds this post in the grid."


class TeamMember(db.Dated, db.Table):
    """Somebody who holds a post in a grid."""

    __tablename__ = "team_member"
    __read__ = "grid.read"
    __table_args__ = (
        CheckConstraint("post IN ('leader', 'information_officer', 'supervisor', 'building_warden')", name="post"),
        UniqueConstraint("grid_id", "post", "name"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    grid_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    post: Mapped[str]
    name: Mapped[str]
    phone: Mapped[str | None]
    #: 社区工作人员, 协警, 街道干部, 老党员 …
    background: Mapped[texts.Long | None]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A member lies in the grid of their post."""
        return access.in_area(area, cls.community_id, cls.grid_id)


class Guide(db.Dated, db.Table):
    """Somebody from community, street or district who guides the grids' work."""

    __tablename__ = "guide"
    __read__ = "unit.read"

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    name: Mapped[str]
    organisation: Mapped[texts.Long | None]
    phone: Mapped[str | None]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A guide belongs to a community."""
        return access.in_area(area, cls.community_id)


class ServiceTeam(db.Dated, db.Table):
    """A team of people with a skill who serve the community."""

    __tablename__ = "service_team"
    __read__ = "unit.read"
    __table_args__ = (UniqueConstraint("community_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    name: Mapped[str]
    service: Mapped[texts.Long | None]
    members: Mapped[int | None]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A service team belongs to a community; whoever has a grid of it calls on the team too."""
        of_grids = select(units.Unit.community_id).where(units.Unit.id.in_(sorted(area.single)))
        return access.in_area(area, cls.community_id) | cls.community_id.in_(of_grids)


def of_grid(session: Session, actor: Actor, grid_id: int) -> list[TeamMember]:
    """The team of a grid, in the order of the posts."""
    order: Any = case({post.value: place for place, post in enumerate(Post)}, value=TeamMember.post)
    query = access.visible(select(TeamMember).where(TeamMember.grid_id == grid_id), actor, TeamMember)
    return list(session.scalars(query.order_by(order, TeamMember.id)))


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


def with_accounts(session: Session, actor: Actor, community_id: int | None) -> list[TeamMember]:
    """Those in the grids' teams who have an account, of one community or of all."""
    query: Rows = select(TeamMember).where(TeamMember.account_id.is_not(None))
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


def appoint(session: Session, actor: Actor, grid: units.Unit, *, post: Post, name: str, **values: Any) -> TeamMember:
    """Give somebody a post in a grid."""
    access.require(actor, "grid.edit", grid.community_id, grid.id)
    member = TeamMember(grid_id=grid.id, community_id=grid.community_id, post=post, name=name, **values)
    session.add(member)
    session.flush()
    return member


def change(session: Session, actor: Actor, member: TeamMember, **values: Any) -> TeamMember:
    """Change fields of a team member; who is replaced by somebody else loses the account of the post."""
    access.require(actor, "grid.edit", member.community_id, member.grid_id)
    if values.get("name", member.name) != member.name:
        member.account_id = None
    for name, value in values.items():
        setattr(member, name, value)
    session.flush()
    return member


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
