"""What is remembered of incidents: categories, incidents, their steps, the counters of their numbers, templates."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Computed,
    ForeignKey,
    Index,
    UniqueConstraint,
    and_,
    false,
    func,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from data.base import access, db, texts
from data.base.errors import NotFound
from data.base.secrets import Encrypted


class IncidentNotFound(NotFound):
    """There is no such incident, or it is outside the actor's area."""


class CategoryNotFound(NotFound):
    """There is no such category."""


class TemplateNotFound(NotFound):
    """There is no such response template."""


class State(StrEnum):
    """Where an incident stands, as lists, maps and filters tell it."""

    NEW = "new"
    IN_PROGRESS = "in_progress"
    TO_VERIFY = "to_verify"
    CLOSED = "closed"
    ON_HOLD = "on_hold"
    DECLINED = "declined"


OPEN = (State.NEW, State.IN_PROGRESS, State.TO_VERIFY, State.ON_HOLD)
#: While it is on hold the limit of a case does not run.
RUNNING = (State.NEW, State.IN_PROGRESS, State.TO_VERIFY)


class Step(StrEnum):
    """The place of an incident in the workflow."""

    REPORTED = "reported"
    TRIAGED = "triaged"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    RESOLVED = "resolved"
    FEEDBACK_GIVEN = "feedback_given"
    CLOSED = "closed"
    ON_HOLD = "on_hold"
    MERGED = "merged"
    REJECTED = "rejected"


#: The state that each step is shown as.
STATES: dict[Step, State] = {
    Step.REPORTED: State.NEW,
    Step.TRIAGED: State.NEW,
    Step.ASSIGNED: State.IN_PROGRESS,
    Step.IN_PROGRESS: State.IN_PROGRESS,
    Step.RESOLVED: State.TO_VERIFY,
    Step.FEEDBACK_GIVEN: State.TO_VERIFY,
    Step.CLOSED: State.CLOSED,
    Step.MERGED: State.CLOSED,
    Step.ON_HOLD: State.ON_HOLD,
    Step.REJECTED: State.DECLINED,
}
#: The step at which an incident stands of which only the state is told, by a file or another system.
STEP_OF: dict[State, Step] = {
    State.NEW: Step.REPORTED,
    State.IN_PROGRESS: Step.IN_PROGRESS,
    State.TO_VERIFY: Step.RESOLVED,
    State.CLOSED: Step.CLOSED,
    State.ON_HOLD: Step.ON_HOLD,
    State.DECLINED: Step.REJECTED,
}


class Action(StrEnum):
    """What somebody does with an incident. ``REPORT`` begins it, ``TAKE_OVER`` notes what a file says it is."""

    REPORT = "report"
    TAKE_OVER = "take_over"
    TRIAGE = "triage"
    ASSIGN = "assign"
    START = "start"
    RESOLVE = "resolve"
    GIVE_FEEDBACK = "give_feedback"
    CLOSE = "close"
    HOLD = "hold"
    RESUME = "resume"
    ESCALATE = "escalate"
    RETURN = "return"
    REOPEN = "reopen"
    REJECT = "reject"
    MERGE = "merge"
    SUPERVISE = "supervise"
    NOTE = "note"


class Tier(StrEnum):
    """Who has to be in on it: settled on the spot by the grid, coordinated by the community, urgent with the street."""

    GRID = "grid"
    COMMUNITY = "community"
    STREET = "street"


class Level(StrEnum):
    """Where an incident lies now; escalation climbs them in this order."""

    BUILDING = "building"
    GRID = "grid"
    COMMUNITY = "community"
    STREET = "street"


def _listed(words: type[StrEnum]) -> str:
    return ", ".join(f"'{word.value}'" for word in words)


_STATE_OF_STEP = "CASE step " + " ".join(f"WHEN '{step}' THEN '{state}'" for step, state in STATES.items()) + " END"


class Category(db.Table):
    """A kind of incident; a tree that the community edits. ``external_code`` is for a standard's own classes."""

    __tablename__ = "category"
    __table_args__ = (CheckConstraint(f"tier IN ({_listed(Tier)})", name="tier"),)

    code: Mapped[str] = mapped_column(primary_key=True)
    parent_code: Mapped[str | None] = mapped_column(ForeignKey("category.code", onupdate="CASCADE"))
    name_zh: Mapped[str]
    name_en: Mapped[str]
    icon: Mapped[str] = mapped_column(server_default="dots")
    #: Which tier it is as a rule.
    tier: Mapped[str | None]
    #: Working days until it is due, where ``limits`` does not say otherwise for the tier.
    days: Mapped[int | None]
    #: Tier → working days until it is due.
    limits: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"))
    #: What is asked when it is reported: ``code, name_zh, name_en, kind`` (text, number, yes_no, choice),
    #: ``choices`` (``code, name_zh, name_en`` each) and ``required``; what is ``retired`` is asked no more.
    questions: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    #: The same again at the same place within so many days is recurrent; ``None``: never.
    recurrence_days: Mapped[int | None]
    external_code: Mapped[str | None]
    #: Whether a case of it is somewhere: a question about moving one's registration is not.
    placed: Mapped[bool] = mapped_column(server_default=true())
    #: Whether residents may report it themselves.
    reportable: Mapped[bool] = mapped_column(server_default=true())
    #: Whether cases of it tell of a person, a family or a feud, so that strangers learn nothing of them.
    personal: Mapped[bool] = mapped_column(server_default=true())
    #: Offered no more; the cases that have it keep it.
    retired: Mapped[bool] = mapped_column(server_default=false())
    position: Mapped[int] = mapped_column(server_default="0")


class Incident(db.Dated, db.Table):
    """Something that somebody reported."""

    __tablename__ = "incident"
    __read__ = "incident.read"
    # What PostgreSQL makes of a step comes back with the write itself.
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012 - as SQLAlchemy declares it
    __table_args__ = (
        UniqueConstraint("community_id", "number"),
        CheckConstraint(f"step IN ({_listed(Step)})", name="step"),
        CheckConstraint(f"tier IN ({_listed(Tier)})", name="tier"),
        CheckConstraint(f"level IN ({_listed(Level)})", name="level"),
        CheckConstraint("(grid_id IS NULL) = (unlocated_reason IS NOT NULL)", name="located"),
        CheckConstraint("(step = 'merged') = (merged_into_id IS NOT NULL)", name="merged"),
        CheckConstraint("merged_into_id <> id", name="not_into_itself"),
        Index("ix_incident_geom", "geom", postgresql_using="gist"),
        Index("ix_incident_grid_id_reported_at", "grid_id", "reported_at"),
        Index("ix_incident_community_id_reported_at", "community_id", "reported_at"),
        Index(
            "ix_incident_reported_grid_id", "reported_grid_id", postgresql_where=text("reported_grid_id IS NOT NULL")
        ),
        Index("ix_incident_building_id", "building_id", postgresql_where=text("building_id IS NOT NULL")),
        Index("ix_incident_assignee_id", "assignee_id", postgresql_where=text("assignee_id IS NOT NULL")),
        Index("ix_incident_service_team_id", "service_team_id", postgresql_where=text("service_team_id IS NOT NULL")),
        Index("ix_incident_merged_into_id", "merged_into_id", postgresql_where=text("merged_into_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    #: The grid that it lay in when it was reported, where boundaries that were redrawn put it into another since.
    reported_grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    building_id: Mapped[int | None] = mapped_column(ForeignKey("building.id"))
    #: The natural key within the community: our own 20260317-006, or the number of the system it came from.
    number: Mapped[str]
    category_code: Mapped[str] = mapped_column(ForeignKey("category.code", onupdate="CASCADE"))
    #: Only ``workflow`` writes it.
    step: Mapped[str] = mapped_column(server_default=Step.REPORTED)
    #: Nobody writes it: it follows from the step.
    state: Mapped[str] = mapped_column(Computed(_STATE_OF_STEP, persisted=True))
    tier: Mapped[str | None]
    level: Mapped[str] = mapped_column(server_default=Level.GRID)
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    #: The service team that does the work; the assignee sees to it that it is done.
    service_team_id: Mapped[int | None] = mapped_column(ForeignKey("service_team.id", ondelete="SET NULL"))
    #: 督办: followed by the street until it is closed.
    supervised: Mapped[bool] = mapped_column(server_default=text("false"))
    #: It was settled here before, within the days that its category says.
    recurrent: Mapped[bool] = mapped_column(server_default=text("false"))
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("incident.id"))
    geom: Mapped[WKBElement | None] = mapped_column(Geometry("POINT", 4326, spatial_index=False))
    #: How exact the point is, as the phone says that took it.
    accuracy_m: Mapped[float | None]
    address: Mapped[str | None]
    description: Mapped[texts.Long | None]
    #: Code of a question of the category → the answer.
    answers: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    source: Mapped[str] = mapped_column(server_default="staff")
    #: How the one who asked can be told; encrypted.
    contact: Mapped[str | None] = mapped_column(Encrypted)
    reported_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    feedback_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    located_by: Mapped[str | None]
    located_score: Mapped[float | None]
    unlocated_reason: Mapped[str | None]

    @hybrid_property
    def overdue(self) -> bool:
        """Whether it is still open after its time, and not on hold."""
        return self.state in RUNNING and self.due_at is not None and self.due_at < datetime.now(UTC)

    @overdue.inplace.expression
    @classmethod
    def _overdue(cls) -> ColumnElement[bool]:
        return func.coalesce(cls.state.in_(RUNNING) & (cls.due_at < func.now()), False)

    @hybrid_property
    def grid_then(self) -> int | None:
        """The grid that it lay in when it was reported, whatever was redrawn since."""
        return self.reported_grid_id or self.grid_id

    @grid_then.inplace.expression
    @classmethod
    def _grid_then(cls) -> ColumnElement[int | None]:
        return func.coalesce(cls.reported_grid_id, cls.grid_id)

    @classmethod
    def lay_in(cls, grid: Any) -> ColumnElement[bool]:
        """The condition that ``grid_then`` is this one, in words for which there are indexes."""
        return or_(cls.reported_grid_id == grid, and_(cls.reported_grid_id.is_(None), cls.grid_id == grid))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """An incident lies in its community and its grid."""
        return access.in_area(area, cls.community_id, cls.grid_id)


class IncidentStep(db.Table):
    """Something that was done with an incident, and how it stood afterwards. Rows are only ever added."""

    __tablename__ = "incident_step"
    __read__ = "incident.read"
    __audited__ = False
    __table_args__ = (
        CheckConstraint(f"action IN ({_listed(Action)})", name="action"),
        CheckConstraint(f"step IN ({_listed(Step)})", name="step"),
        Index("ix_incident_step_incident_id_id", "incident_id", "id"),
        Index("ix_incident_step_community_id_at", "community_id", "at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id", ondelete="CASCADE"))
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    #: The grid it lay in then.
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    action: Mapped[str]
    step: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    #: Who did it; ``None``: a rule, a resident, another system.
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    note: Mapped[texts.Long | None]
    #: Whether the one who asked may read it.
    public: Mapped[bool] = mapped_column(server_default=text("false"))
    tier: Mapped[str | None]
    level: Mapped[str]
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    service_team_id: Mapped[int | None] = mapped_column(ForeignKey("service_team.id", ondelete="SET NULL"))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A step lies where its incident lies today."""
        in_grids = access.in_area(access.Area(grids=area.single), Incident.community_id, Incident.grid_id)
        theirs = cls.incident_id.in_(select(Incident.id).where(in_grids))
        return or_(access.in_area(area, cls.community_id), theirs)


class IncidentCounter(db.Table):
    """The last number given to an incident of a community on a day."""

    __tablename__ = "incident_counter"
    __told__ = False
    __audited__ = False

    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    last: Mapped[int]


class Template(db.Table):
    """A response that is often given; ``{number}``, ``{category}`` and ``{address}`` are filled in."""

    __tablename__ = "template"

    code: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    #: The action it is offered for.
    action: Mapped[str]
    text: Mapped[texts.Long]
    position: Mapped[int] = mapped_column(server_default="0")


db.sentences["pk_category"] = "There is already a category “{key}”."
db.sentences["pk_template"] = "There is already a response template “{key}”."
db.sentences["uq_incident_community_id_number"] = "Another incident of this community already has this number."
db.sentences["ck_incident_not_into_itself"] = "A case cannot be merged into itself."
