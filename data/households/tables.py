"""The tables of households 家庭, their residents 居民, special groups 特殊群体 and tenancies 租住."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    UniqueConstraint,
    and_,
    false,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from data.base import access, audit, db, texts
from data.base.errors import NotFound
from data.base.secrets import Encrypted, Personal, PersonalDay
from data.buildings import Building, Dwelling


class HouseholdNotFound(NotFound):
    """There is no such household, or it is outside the actor's area."""


class ResidentNotFound(NotFound):
    """There is no such resident, or they live outside the actor's area."""


class GroupNotFound(NotFound):
    """There is no such special group, or the household does not belong to it."""


class TenancyNotFound(NotFound):
    """There is no such tenancy, or it is outside the actor's area."""


class Status(StrEnum):
    """How a resident is registered."""

    REGISTERED = "registered"
    FLOATING = "floating"
    OVERSEAS = "overseas"


def _in_dwelling(area: access.Area, community_id: Any, dwelling_id: Any) -> ColumnElement[bool]:
    inside = access.in_area(area, community_id)
    if not area.single:
        return inside
    doors = (
        select(Dwelling.id)
        .join(Building, Building.id == Dwelling.building_id)
        .where(Building.grid_id.in_(sorted(area.single)))
    )
    return or_(inside, dwelling_id.in_(doors))


class Household(db.Dated, db.Table):
    """A household: a head, members, and the dwelling they live in."""

    __tablename__ = "household"
    __read__ = "household.read"
    __table_args__ = (
        UniqueConstraint("community_id", "number"),
        UniqueConstraint("id", "community_id"),
        ForeignKeyConstraint(
            ["dwelling_id", "community_id"], ["dwelling.id", "dwelling.community_id"], onupdate="CASCADE"
        ),
        ForeignKeyConstraint(
            ["head_id"], ["resident.id"], use_alter=True, deferrable=True, initially="DEFERRED", ondelete="SET NULL"
        ),
        CheckConstraint("(dwelling_id IS NULL) = (unlocated_reason IS NOT NULL)", name="located"),
        Index("ix_household_community_id_updated_at", "community_id", "updated_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    dwelling_id: Mapped[int | None] = mapped_column(index=True)
    #: 户号, the natural key within the community.
    number: Mapped[str]
    head_id: Mapped[int | None] = mapped_column(index=True)
    #: 户口性质
    hukou: Mapped[str | None]
    phone: Mapped[str | None] = mapped_column(Encrypted)
    #: The address as it was given; the place is the dwelling.
    address: Mapped[str | None]
    note: Mapped[texts.Long | None]
    located_by: Mapped[str | None]
    located_score: Mapped[float | None]
    unlocated_reason: Mapped[str | None]
    #: From this day on nobody of it lives here any more. Only ``movements`` writes it.
    closed_on: Mapped[date | None]

    @classmethod
    def lived(cls, on: date | None = None) -> ColumnElement[bool]:
        """Somebody of it lives here: today, or did so on a day."""
        return cls.closed_on.is_(None) if on is None else or_(cls.closed_on.is_(None), cls.closed_on > on)

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A household lies where its dwelling lies."""
        return _in_dwelling(area, cls.community_id, cls.dwelling_id)


class SpecialGroup(db.Table):
    """A special group that a household can belong to; an editable list."""

    __tablename__ = "special_group"

    code: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    position: Mapped[int] = mapped_column(server_default="0")


class HouseholdGroup(db.Table):
    """A household belongs to a special group during a span of days."""

    __tablename__ = "household_group"
    __read__ = "household.read"
    __table_args__ = (
        ExcludeConstraint(
            ("household_id", "="), ("group_code", "="), ("valid", "&&"), name="ex_household_group_valid", using="gist"
        ),
        CheckConstraint("NOT isempty(valid)", name="valid"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(index=True)
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id", ondelete="CASCADE"), index=True)
    group_code: Mapped[str] = mapped_column(ForeignKey("special_group.code", onupdate="CASCADE"))
    valid: Mapped[Range[date]] = mapped_column(DATERANGE)

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """It lies where its household lies."""
        return access.in_area(area, cls.community_id) | cls.household_id.in_(
            select(Household.id).where(Household.within(area))
        )


class HouseholdIncident(db.Table):
    """A case is about a household: what is told to those alone who may see the household."""

    __tablename__ = "household_incident"
    __read__ = "household.read"
    __table_args__ = (Index("ix_household_incident_incident_id", "incident_id"),)

    household_id: Mapped[int] = mapped_column(ForeignKey("household.id", ondelete="CASCADE"), primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """It lies where its household lies."""
        return access.in_area(area, cls.community_id) | cls.household_id.in_(
            select(Household.id).where(Household.within(area))
        )


class Resident(db.Dated, db.Table):
    """A person. Fields after GB/T 31000; religion is not collected."""

    __tablename__ = "resident"
    __read__ = "household.read"
    __table_args__ = (
        ForeignKeyConstraint(
            ["household_id", "community_id"], ["household.id", "household.community_id"], onupdate="CASCADE"
        ),
        CheckConstraint("status IN ('registered', 'floating', 'overseas')", name="status"),
        CheckConstraint("left_on >= came_on", name="stay"),
        Index("uq_resident_identity", "community_id", "identity_blind", unique=True, postgresql_where=text("NOT twin")),
        Index("ix_resident_name", "name", postgresql_using="gin", postgresql_ops={"name": "gin_trgm_ops"}),
        Index("ix_resident_phone_blind", "phone_blind"),
        Index("ix_resident_community_id_updated_at", "community_id", "updated_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    household_id: Mapped[int] = mapped_column(index=True)
    name: Mapped[str] = mapped_column(Personal)
    former_name: Mapped[str | None] = mapped_column(Personal)
    sex: Mapped[str | None]
    born_on: Mapped[date | None] = mapped_column(PersonalDay)
    #: resident identity number (GB 11643), or the number of another document
    identity_number: Mapped[str | None] = mapped_column(Encrypted)
    identity_blind: Mapped[bytes | None] = mapped_column(LargeBinary, info={audit.UNRECORDED: True})
    #: Somebody else is registered with this number, whom the one who wrote it may not see in full and so was not told
    #: of. Whoever may see both settles it.
    twin: Mapped[bool] = mapped_column(server_default=false(), info={audit.UNRECORDED: True})
    identity_kind: Mapped[str] = mapped_column(server_default="resident_id")
    phone: Mapped[str | None] = mapped_column(Encrypted)
    phone_blind: Mapped[bytes | None] = mapped_column(LargeBinary, info={audit.UNRECORDED: True})
    relation: Mapped[str | None]
    ethnicity: Mapped[str | None]
    native_place: Mapped[str | None]
    marital_status: Mapped[str | None]
    political_status: Mapped[str | None]
    education: Mapped[str | None]
    occupation: Mapped[str | None]
    workplace: Mapped[str | None]
    registered_address: Mapped[str | None] = mapped_column(Personal)
    status: Mapped[str] = mapped_column(server_default=Status.REGISTERED)
    inflow_reason: Mapped[str | None]
    permit_kind: Mapped[str | None]
    permit_number: Mapped[str | None] = mapped_column(Encrypted)
    registered_on: Mapped[date | None]
    expires_on: Mapped[date | None]
    #: health facts, encrypted
    health: Mapped[str | None] = mapped_column(Encrypted)
    note: Mapped[texts.Long | None]
    #: They live here from one day on, up to but not including another, as far as that is known. Only ``movements``
    #: writes these.
    came_on: Mapped[date | None]
    left_on: Mapped[date | None]

    @classmethod
    def here(cls, on: date | None = None) -> ColumnElement[bool]:
        """They live here: today, or did so on a day."""
        if on is None:
            return cls.left_on.is_(None)
        return and_(or_(cls.came_on.is_(None), cls.came_on <= on), or_(cls.left_on.is_(None), cls.left_on > on))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A resident lives where their household lives."""
        inside = access.in_area(area, cls.community_id)
        if not area.single:
            return inside
        return inside | cls.household_id.in_(select(Household.id).where(Household.within(area)))


class Tenancy(db.Dated, db.Table):
    """A dwelling is let to tenants during a span of days."""

    __tablename__ = "tenancy"
    __read__ = "household.read"
    __table_args__ = (
        ForeignKeyConstraint(
            ["dwelling_id", "community_id"], ["dwelling.id", "dwelling.community_id"], onupdate="CASCADE"
        ),
        UniqueConstraint("id", "community_id"),
        CheckConstraint("NOT isempty(valid)", name="valid"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    dwelling_id: Mapped[int] = mapped_column(index=True)
    landlord_name: Mapped[str] = mapped_column(Personal)
    landlord_phone: Mapped[str | None] = mapped_column(Encrypted)
    valid: Mapped[Range[date]] = mapped_column(DATERANGE)
    purpose: Mapped[texts.Long | None]
    hazard: Mapped[texts.Long | None]
    note: Mapped[texts.Long | None]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A tenancy lies where its dwelling lies."""
        return _in_dwelling(area, cls.community_id, cls.dwelling_id)


class TenancyTenant(db.Table):
    """A resident who lives in a dwelling under a tenancy."""

    __tablename__ = "tenancy_tenant"
    __read__ = "household.read"
    __audited__ = False

    tenancy_id: Mapped[int] = mapped_column(ForeignKey("tenancy.id", ondelete="CASCADE"), primary_key=True)
    resident_id: Mapped[int] = mapped_column(
        ForeignKey("resident.id", ondelete="CASCADE"), primary_key=True, index=True
    )

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """It lies where its tenancy lies."""
        return cls.tenancy_id.in_(select(Tenancy.id).where(Tenancy.within(area)))


db.sentences["pk_special_group"] = "There is already a special group “{key}”."
db.sentences["uq_household_community_id_number"] = "Another household of this community already has this number."
db.sentences["uq_resident_identity"] = "Somebody with this identity number is already registered in this community."
db.sentences["ex_household_group_valid"] = "The household already belongs to this group during that time."
db.sentences["fk_resident_household_id_community_id"] = "The household still has members. Move or remove them first."
