"""What is remembered of teams: posts, guides, line officers, service teams, each with the days for which it holds."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, UniqueConstraint, select, text
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from data import units
from data.base import access, db, settings, texts
from data.base.errors import NotFound
from data.base.language import _


class MemberNotFound(NotFound):
    """There is no such team member, or their grid is outside the actor's area."""


class GuideNotFound(NotFound):
    """There is no such guide, or their community is outside the actor's area."""


class OfficerNotFound(NotFound):
    """There is no such line officer, or their community is outside the actor's area."""


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


class Elder(StrEnum):
    """The five elders 五老, of whom the building wardens are."""

    CADRE = "cadre"
    EXPERT = "expert"
    SOLDIER = "soldier"
    TEACHER = "teacher"
    MODEL = "model"


def elder_names() -> dict[str, str]:
    """The five elders."""
    return {
        "cadre": _("Retired cadre"),
        "expert": _("Retired expert"),
        "soldier": _("Veteran"),
        "teacher": _("Retired teacher"),
        "model": _("Model worker"),
    }


class Standing(StrEnum):
    """Where a guide comes from."""

    COMMUNITY = "community"
    STREET = "street"
    DISTRICT = "district"


def standing_names() -> dict[str, str]:
    """Where guides come from."""
    return {"community": _("Community"), "street": _("Street"), "district": _("District")}


class Published:
    """Columns of somebody who is answered for in public: since when, and a work phone if they agreed to it."""

    #: the days for which it holds
    valid: Mapped[Range[date]] = mapped_column(DATERANGE, server_default=text("daterange(CURRENT_DATE, NULL)"))
    #: The phone at work, which is shown once they agreed; never somebody's own.
    work_phone: Mapped[str | None]
    #: when they agreed that it is shown
    consented_on: Mapped[date | None]

    @property
    def shown_phone(self) -> str | None:
        """The phone that may be shown to everybody."""
        return self.work_phone if self.consented_on is not None else None

    @classmethod
    def holds(cls, on: date | None = None) -> ColumnElement[bool]:
        """The condition that it holds on a day, today by default."""
        return cls.valid.contains(on or settings.today())


db.sentences["uq_service_team_community_id_name"] = "This community already has a service team of this name."
db.sentences["ex_team_member_valid"] = "This person already holds this post in the grid."
db.sentences["ex_team_member_leader"] = "The grid has a leader on these days already. Choose other days."
db.sentences["ck_team_member_valid"] = "The last day is not before the first."


class TeamMember(Published, db.Dated, db.Table):
    """Somebody who holds a post in a grid, for a span of days."""

    __tablename__ = "team_member"
    __read__ = "grid.read"
    __table_args__ = (
        CheckConstraint("post IN ('leader', 'information_officer', 'supervisor', 'building_warden')", name="post"),
        CheckConstraint("elder IN ('cadre', 'expert', 'soldier', 'teacher', 'model')", name="elder"),
        CheckConstraint("elder IS NULL OR post = 'building_warden'", name="elder_of"),
        CheckConstraint("NOT isempty(valid)", name="valid"),
        ExcludeConstraint(
            ("grid_id", "="), ("post", "="), ("name", "="), ("valid", "&&"), name="ex_team_member_valid", using="gist"
        ),
        ExcludeConstraint(
            ("grid_id", "="), ("valid", "&&"), name="ex_team_member_leader", using="gist", where=text("post = 'leader'")
        ),
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
    #: of a building warden
    elder: Mapped[str | None]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A member lies in the grid of their post."""
        return access.in_area(area, cls.community_id, cls.grid_id)


class WardenBuilding(db.Table):
    """A building that a warden minds; one who minds none in particular minds the whole grid."""

    __tablename__ = "warden_building"
    __read__ = "grid.read"

    member_id: Mapped[int] = mapped_column(ForeignKey("team_member.id", ondelete="CASCADE"), primary_key=True)
    building_id: Mapped[int] = mapped_column(
        ForeignKey("building.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """It lies in the grid of the warden's post."""
        return cls.member_id.in_(select(TeamMember.id).where(TeamMember.within(area)))


class Guide(Published, db.Dated, db.Table):
    """Somebody from community, street or district who guides the work of grids."""

    __tablename__ = "guide"
    __read__ = "unit.read"
    __table_args__ = (
        CheckConstraint("level IN ('community', 'street', 'district')", name="level"),
        CheckConstraint("NOT isempty(valid)", name="valid"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    name: Mapped[str]
    organisation: Mapped[texts.Long | None]
    phone: Mapped[str | None]
    #: a ``Standing``
    level: Mapped[str] = mapped_column(server_default=Standing.COMMUNITY)

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A guide belongs to a community; whoever has a grid of it may turn to them."""
        return _of_community(area, cls.community_id)


class GuideGrid(db.Table):
    """A grid that a guide is assigned to."""

    __tablename__ = "guide_grid"
    __read__ = "unit.read"

    guide_id: Mapped[int] = mapped_column(ForeignKey("guide.id", ondelete="CASCADE"), primary_key=True)
    grid_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="CASCADE"), primary_key=True, index=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """It belongs to the guide's community."""
        return _of_community(area, cls.community_id)


class LineOfficer(Published, db.Dated, db.Table):
    """Who is there for a field of business 业务 in a community: petitions, civil affairs, safety …"""

    __tablename__ = "line_officer"
    __read__ = "unit.read"
    __table_args__ = (CheckConstraint("NOT isempty(valid)", name="valid"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    #: 信访, 民政, 综治维稳 …: each community has its own
    field: Mapped[str]
    name: Mapped[str]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A line officer belongs to a community; whoever has a grid of it may turn to them."""
        return _of_community(area, cls.community_id)


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
    #: the day it was founded; empty: before anybody kept records
    founded_on: Mapped[date | None]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A service team belongs to a community; whoever has a grid of it calls on the team too."""
        return _of_community(area, cls.community_id)


class ServiceMember(Published, db.Dated, db.Table):
    """Somebody in a service team, with what they can do, and whether their name and phone may be shown."""

    __tablename__ = "service_member"
    __read__ = "unit.read"
    __table_args__ = (
        CheckConstraint("NOT isempty(valid)", name="valid"),
        Index("ix_service_member_team_id", "team_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    team_id: Mapped[int] = mapped_column(ForeignKey("service_team.id", ondelete="CASCADE"))
    name: Mapped[str]
    #: what they can do: 水电、量血压、二胡 …
    skills: Mapped[texts.Long | None]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A member belongs to the community of the team."""
        return access.in_area(area, cls.community_id)


def _of_community(area: access.Area, community_id: Any) -> ColumnElement[bool]:
    """What belongs to a community: of the area, or with a grid in it."""
    of_grids = select(units.Unit.community_id).where(units.Unit.id.in_(sorted(area.single)))
    inside: ColumnElement[bool] = access.in_area(area, community_id) | community_id.in_(of_grids)
    return inside
