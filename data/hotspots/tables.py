"""What is remembered of hotspots: runs with their parameters, and the cells of each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, Index, and_, or_, text
from sqlalchemy.dialects.postgresql import ARRAY, INTEGER, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data.base import access, db
from data.base.errors import Conflict, NotFound


class RunNotFound(NotFound):
    """There is no such run, or it is outside the actor's area."""


class RunNotDone(Conflict):
    """The run is still being computed, by the job in its facts."""


class HotspotRun(db.Table):
    """A run of the analysis: what was asked, on which data, and what came of it."""

    __tablename__ = "hotspot_run"
    __read__ = "hotspot.read"
    __audited__ = False
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'done')", name="state"),
        CheckConstraint("(state = 'done') = (done_at IS NOT NULL)", name="done"),
        CheckConstraint(
            "(community_id IS NULL) = (unit_id IS NOT NULL) AND cardinality(communities) > 0", name="place"
        ),
        Index("ix_hotspot_run_community_id_version", "community_id", "version"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: The community; empty when several were looked at.
    community_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    #: The street or district whose communities were looked at.
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    #: All the communities that went in.
    communities: Mapped[list[int]] = mapped_column(ARRAY(INTEGER))
    #: The grid, when only that was looked at.
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    #: Given by people to what they want to find again; runs without one are forgotten after some weeks.
    name: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="queued")
    params: Mapped[dict[str, Any]] = mapped_column(JSONB)
    #: SHA-256 of everything that went in: the same parameters on the same fingerprint give the same result.
    fingerprint: Mapped[str | None]
    #: When that was, told by what is cheap to ask: how many records there were and when the last was changed.
    version: Mapped[str]
    summary: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    results: Mapped[dict[str, Any] | None] = mapped_column(JSONB, deferred=True)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    done_at: Mapped[datetime | None]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A run lies in its community, or its grid; one over several communities where all of them are."""
        several = and_(cls.community_id.is_(None), cls.communities.contained_by(sorted(area.communities)))
        return or_(access.in_area(area, cls.community_id, cls.grid_id), several)


class HotspotCell(db.Table):
    """One cell of a run. It is seen by whoever sees the run."""

    __tablename__ = "hotspot_cell"
    __audited__ = False

    run_id: Mapped[int] = mapped_column(ForeignKey("hotspot_run.id", ondelete="CASCADE"), primary_key=True)
    q: Mapped[int] = mapped_column(primary_key=True)
    r: Mapped[int] = mapped_column(primary_key=True)
    #: The grid that its centre lies in.
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    geom: Mapped[WKBElement] = mapped_column(Geometry("POLYGON", 4326, spatial_index=False))
    cases: Mapped[int] = mapped_column(BigInteger)
    households: Mapped[int]
    #: cases per 100 households
    rate: Mapped[float | None]
    #: cases per hectare, smoothed
    density: Mapped[float]
    z: Mapped[float | None]
    p: Mapped[float | None]
    #: ``p`` after control of the false discovery rate
    p_adjusted: Mapped[float | None]
    heat: Mapped[str]
    pattern: Mapped[str]
    #: standard score of Mann-Kendall's test on the cell's Gi*
    trend: Mapped[float | None]
    #: the number of the hotspot it belongs to, 1 for the foremost
    spot: Mapped[int | None]
