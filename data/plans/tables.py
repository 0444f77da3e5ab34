"""The tables of plans: the plan, its grids as they stand, every edit, every step, and what was said of it.

The grids of a plan are rows that an edit changes; the edit keeps those rows as they were and as they came to be. So an
edit, an undo and a redo cost what they touch, the first as much as the ten-thousandth. Edits are only ever added: after
an undo a new one begins a branch of its own, and what was undone stays in the log.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from geoalchemy2 import Geometry
from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, ForeignKeyConstraint, Index, false, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data.base import access, db, texts
from data.base.language import _


class State(StrEnum):
    """Where a plan stands."""

    DRAFT = "draft"
    COMMENTED = "commented"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    IN_FORCE = "in_force"
    ENDED = "ended"
    WITHDRAWN = "withdrawn"


class Action(StrEnum):
    """What is done with a plan as a whole."""

    DRAW_UP = "draw_up"
    PUT_UP = "put_up"
    SUBMIT = "submit"
    SEND_BACK = "send_back"
    APPROVE = "approve"
    TAKE_EFFECT = "take_effect"
    END = "end"
    WITHDRAW = "withdraw"


def state_names() -> dict[str, str]:
    """Where a plan stands, in words."""
    return {
        "draft": _("Draft"),
        "commented": _("Up for comment"),
        "submitted": _("Submitted"),
        "approved": _("Approved"),
        "in_force": _("In force"),
        "ended": _("Ended"),
        "withdrawn": _("Withdrawn"),
    }


def action_names() -> dict[str, str]:
    """What can be done with a plan, in words."""
    return {
        "draw_up": _("Draw up"),
        "put_up": _("Put up for comment"),
        "submit": _("Submit"),
        "send_back": _("Send back"),
        "approve": _("Approve"),
        "take_effect": _("Take effect"),
        "end": _("End"),
        "withdraw": _("Withdraw"),
    }


class Plan(db.Dated, db.Table):
    """A division of a community that is being drawn, or was."""

    __tablename__ = "plan"
    __read__ = "grid.read"
    __table_args__ = (
        CheckConstraint(
            "state IN ('draft', 'commented', 'submitted', 'approved', 'in_force', 'ended', 'withdrawn')", name="state"
        ),
        CheckConstraint("state <> 'approved' OR effective_on IS NOT NULL", name="effective_on"),
        Index("ix_plan_community_id_state", "community_id", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    name: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=State.DRAFT)
    #: Grows by one with every edit, undo and redo: by it the second of two planners is told.
    version: Mapped[int] = mapped_column(server_default="0")
    #: The edit that stands last; empty at the beginning.
    head_id: Mapped[int | None]
    from_plan_id: Mapped[int | None] = mapped_column(ForeignKey("plan.id"))
    effective_on: Mapped[date | None]
    division_id: Mapped[int | None]
    author_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    #: Whether residents may look at it by its link, and comment, while it is up for comment.
    shared: Mapped[bool] = mapped_column(server_default=false())

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A plan lies in its community."""
        return access.in_area(area, cls.community_id)


class PlanGrid(db.Table):
    """A grid as a plan has it now."""

    __tablename__ = "plan_grid"
    __audited__ = False
    __told__ = False
    __table_args__ = (Index("ix_plan_grid_geom", "geom", postgresql_using="gist"),)

    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"), primary_key=True)
    #: Grids are known by it within the plan, in the order of their codes.
    key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: Empty for a grid that the plan creates.
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    name: Mapped[str]
    locked: Mapped[bool] = mapped_column(server_default=false())
    geom: Mapped[Any] = mapped_column(Geometry("MULTIPOLYGON", 4326, spatial_index=False))


class PlanEdit(db.Table):
    """An edit of a plan: what was asked, and the rows that it changed before and after."""

    __tablename__ = "plan_edit"
    __audited__ = False
    __told__ = False
    __table_args__ = (Index("ix_plan_edit_plan_id_parent_id", "plan_id", "parent_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("plan_edit.id", ondelete="CASCADE"))
    number: Mapped[int]
    kind: Mapped[str]
    asked: Mapped[dict[str, Any]] = mapped_column(JSONB)
    #: Key → ``{"grid_id", "name", "locked", "geom"}`` (WKB in hexadecimal, EPSG:4326), or null where there was none.
    before: Mapped[dict[str, Any]] = mapped_column(JSONB)
    after: Mapped[dict[str, Any]] = mapped_column(JSONB)
    #: ``{"source", "target", "area_m2", "why", "geom"}`` of all ground that changed hands.
    moved: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class PlanStep(db.Table):
    """A step of a plan: put up, submitted, approved, in force."""

    __tablename__ = "plan_step"
    __audited__ = False
    __told__ = False

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"), index=True)
    action: Mapped[str]
    state: Mapped[str]
    note: Mapped[texts.Long | None]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class PlanComment(db.Table):
    """What somebody says of a plan, of a grid or of a place; an answer names what it answers."""

    __tablename__ = "plan_comment"
    __told__ = False
    __table_args__ = (
        ForeignKeyConstraint(["answers_id"], ["plan_comment.id"], ondelete="CASCADE"),
        Index("ix_plan_comment_plan_id", "plan_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"))
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    key: Mapped[int | None]
    answers_id: Mapped[int | None]
    body: Mapped[texts.Long]
    hidden: Mapped[bool] = mapped_column(server_default=false())
    #: Whether it came from a resident, by the link of the plan.
    resident: Mapped[bool] = mapped_column(server_default=false())
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
