"""Work reports 工作报告: what a grid tells its community each week, and a community its street each month.

=========  =============  ===================  ==========================================================
kind       told by        told to              due
=========  =============  ===================  ==========================================================
week       a grid         its community        by the end of the Monday after its Sunday
month      a community    its street           by the 3rd day after its end
quarter    a street       those below it       (a bulletin 通报: nobody waits for it)
special    any of them    the one above        at once, about something that happened
=========  =============  ===================  ==========================================================

A report is drafted from the records, corrected and sent by a person, taken note of and answered by the one above. What
its numbers were when it was sent is kept; what they are now stands beside them, with the records that came later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, Row, and_, or_, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from data import figures, units
from data.accounts import Account
from data.base import access, db, reference, settings, texts
from data.base.access import Actor, Rows
from data.base.errors import Conflict, Invalid, NotFound
from data.base.language import _
from data.figures import Figure, Share, Span
from data.units import Level, Unit

#: So many weeks or months back a report that is missing is still told.
BACK = 8
#: Days after its end by which a report is due.
DUE_DAYS = {"week": 1, "month": 3}


class BriefNotFound(NotFound):
    """There is no such report, or it is outside the actor's area."""


class Kind(StrEnum):
    """How often a report is told, or that something happened."""

    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    SPECIAL = "special"


class State(StrEnum):
    """How a report stands."""

    DRAFT = "draft"
    SENT = "sent"
    RECEIVED = "received"


#: Which kind of report each level tells from time to time.
KINDS: Mapping[str, Kind] = {Level.GRID: Kind.WEEK, Level.COMMUNITY: Kind.MONTH, Level.STREET: Kind.QUARTER}


def kind_names() -> dict[str, str]:
    """The kinds of report."""
    return {
        Kind.WEEK: _("Weekly report"),
        Kind.MONTH: _("Monthly report"),
        Kind.QUARTER: _("Quarterly bulletin"),
        Kind.SPECIAL: _("Special report"),
    }


def state_names() -> dict[str, str]:
    """How a report stands."""
    return {State.DRAFT: _("Draft"), State.SENT: _("Sent"), State.RECEIVED: _("Taken note of")}


class Brief(db.Dated, db.Table):
    """A report of a unit over some days."""

    __tablename__ = "brief"
    __read__ = "brief.read"
    __table_args__ = (
        CheckConstraint("kind IN ('week', 'month', 'quarter', 'special')", name="kind"),
        CheckConstraint("state IN ('draft', 'sent', 'received')", name="state"),
        CheckConstraint("first <= last", name="days"),
        CheckConstraint("(state = 'draft') = (sent_at IS NULL)", name="sent"),
        CheckConstraint("(state = 'received') = (received_at IS NOT NULL)", name="received"),
        Index(
            "uq_brief_unit_id_kind_first",
            "unit_id",
            "kind",
            "first",
            unique=True,
            postgresql_where=text("kind <> 'special'"),
        ),
        Index("ix_brief_community_id_first", "community_id", "first"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: who reports: a grid, a community, a street
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    #: the community of the grid, or itself; empty for a street
    community_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    kind: Mapped[str]
    first: Mapped[date]
    #: the last day, included
    last: Mapped[date]
    title: Mapped[str]
    words: Mapped[texts.Long]
    #: Code of a figure → what it was when the report was sent, or last drafted.
    numbers: Mapped[dict[str, float | None]] = mapped_column(JSONB, server_default=text("'{}'"))
    #: Of a bulletin: unit below → its numbers.
    parts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    state: Mapped[str] = mapped_column(server_default=State.DRAFT)
    sent_at: Mapped[datetime | None]
    sent_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    received_at: Mapped[datetime | None]
    received_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    answer: Mapped[texts.Long | None]

    @property
    def span(self) -> Span:
        """Its days."""
        return Span(self.first, self.last)

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A report lies in its grid or community; a bulletin that was sent is read by all below its street."""
        inside = access.in_area(area, cls.community_id, cls.unit_id)
        whole = cls.unit_id.in_(sorted(area.upper))
        return or_(
            inside,
            whole,
            and_(cls.community_id.is_(None), cls.sent_at.is_not(None), cls.unit_id.in_(sorted(area.units))),
        )


db.sentences["uq_brief_unit_id_kind_first"] = "There is a report of these days already."


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which reports: of which community and grid, kind and state, of days that begin in a span."""

    community: str | None = None
    grid: str | None = None
    kinds: tuple[str, ...] | None = None
    states: tuple[str, ...] | None = None
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Compared:
    """A number of a report: as it was told, as it is now, and the name of its figure."""

    code: str
    name: str
    how: str
    told: float | None
    now: float | None
    share: bool


@dataclass(frozen=True)
class Expected:
    """A report that a unit tells: its days, until when it is due, and the report if there is one."""

    unit: Unit
    span: Span
    due_on: date
    brief: Brief | None

    @property
    def sent(self) -> bool:
        """Whether it was sent."""
        return self.brief is not None and self.brief.sent_at is not None

    def late(self, today: date) -> bool:
        """Whether it is not there after its time."""
        return not self.sent and self.due_on < today


#: What reports can be sorted by.
SORTS: dict[str, Any] = {"id": Brief.id, "first": Brief.first, "unit": Unit.code}


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The reports the actor may see, a row each, with ``unit_name unit_code unit_level``; without words and numbers."""
    wanted = wanted or Filter()
    of = aliased(Unit, name="of_community")
    query: Rows = (
        select(
            Brief.id,
            Brief.unit_id,
            Brief.community_id,
            Brief.kind,
            Brief.first,
            Brief.last,
            Brief.title,
            Brief.state,
            Brief.sent_at,
            Brief.received_at,
            Unit.name.label("unit_name"),
            Unit.code.label("unit_code"),
            Unit.level.label("unit_level"),
        )
        .join(Unit, Unit.id == Brief.unit_id)
        .outerjoin(of, of.id == Brief.community_id)
    )
    query = access.visible(query, actor, Brief)
    if wanted.community is not None:
        query = query.where(or_(of.code == wanted.community, Brief.community_id.is_(None)))
    if wanted.grid is not None:
        query = query.where(Unit.code == wanted.grid)
    if wanted.kinds is not None:
        query = query.where(Brief.kind.in_(wanted.kinds))
    if wanted.states is not None:
        query = query.where(Brief.state.in_(wanted.states))
    if wanted.first is not None:
        query = query.where(Brief.last >= wanted.first)
    if wanted.last is not None:
        query = query.where(Brief.first <= wanted.last)
    return query


def get(session: Session, actor: Actor, brief_id: int, *, lock: bool = False) -> Brief:
    """The report with this id; with ``lock`` nobody else changes it until the transaction ends.

    Raises
    ------
    BriefNotFound
    """
    query = access.visible(select(Brief).where(Brief.id == brief_id), actor, Brief)
    brief = session.scalar(query.with_for_update() if lock else query)
    if brief is None:
        raise BriefNotFound(_("Not found, or outside your area."))
    return brief


def row(session: Session, brief: Brief) -> Row[Any]:
    """A report as a row of ``selection``, for one that the actor was already shown to see."""
    return session.execute(selection(access.SYSTEM).where(Brief.id == brief.id)).one()


def signed(session: Session, brief: Brief) -> tuple[str, str]:
    """Who sent a report and who took note of it; empty where nobody did."""
    names = dict(
        session.execute(
            select(Account.id, Account.name).where(Account.id.in_([brief.sent_by_id or 0, brief.received_by_id or 0]))
        ).all()
    )
    return names.get(brief.sent_by_id or 0, ""), names.get(brief.received_by_id or 0, "")


def may_tell(actor: Actor, unit: Unit) -> bool:
    """Whether the actor reports for a unit."""
    return unit.level in KINDS and actor.area("brief.tell").covers_whole(unit.id)


def may_receive(session: Session, actor: Actor, brief: Brief) -> bool:
    """Whether the actor takes note of a report: has the unit above whole. Of a bulletin nobody does."""
    above = session.scalar(select(Unit.parent_id).where(Unit.id == brief.unit_id))
    return (
        brief.state == State.SENT
        and brief.kind != Kind.QUARTER
        and above is not None
        and actor.area("brief.receive").covers_whole(above)
    )


def period(kind: Kind, day: date) -> Span:
    """The week, month or quarter of a day; of a special report the day.

    >>> period(Kind.WEEK, date(2026, 3, 18)).first, period(Kind.QUARTER, date(2026, 3, 18)).last
    (datetime.date(2026, 3, 16), datetime.date(2026, 3, 31))
    """
    if kind == Kind.SPECIAL:
        return Span(day, day)
    if kind == Kind.WEEK:
        monday = day - timedelta(days=day.weekday())
        return Span(monday, monday + timedelta(days=6))
    months = 3 if kind == Kind.QUARTER else 1
    first = date(day.year, day.month - (day.month - 1) % months, 1)
    return Span(first, (first + timedelta(days=31 * months)).replace(day=1) - timedelta(days=1))


def draft(session: Session, actor: Actor, unit: Unit, kind: Kind, day: date) -> Brief:
    """The draft of a unit's report over the week, month or quarter of a day, told from the records.

    Raises
    ------
    Forbidden, NotFound
    Invalid
        The unit tells no such report, or its days lie ahead.
    Conflict
        There is a report of these days already.
    """
    _require_tell(actor, unit)
    if kind != Kind.SPECIAL and KINDS[unit.level] != kind:
        raise Invalid(_("{name} tells no report of this kind.", name=unit.name), field="kind")
    span = period(kind, day)
    if span.first > settings.today():
        raise Invalid(_("These days lie ahead. Choose earlier ones."), field="day")
    brief = Brief(unit_id=unit.id, community_id=unit.community_id, kind=kind, first=span.first, last=span.last)
    brief.title = titled(unit, kind, span)
    _count(session, actor, unit, brief)
    brief.words = "" if kind == Kind.SPECIAL else worded(brief.numbers)
    session.add(brief)
    session.flush()
    return brief


def change(session: Session, actor: Actor, brief: Brief, *, title: str, words: str) -> Brief:
    """Correct the draft of a report.

    Raises
    ------
    Forbidden
    Conflict
        It was sent already.
    """
    _require_draft(session, actor, brief)
    brief.title, brief.words = title, words
    session.flush()
    return brief


def append(session: Session, actor: Actor, unit: Unit, words: str) -> Brief:
    """Add a paragraph to the draft of a unit's report over the days of today, which is made if there is none."""
    kind, today = KINDS[unit.level], settings.today()
    query = select(Brief).where(Brief.unit_id == unit.id, Brief.kind == kind, Brief.first == period(kind, today).first)
    brief = session.scalar(query.with_for_update()) or draft(session, actor, unit, kind, today)
    return change(session, actor, brief, title=brief.title, words=f"{brief.words}\n\n{words}".strip())


def send(session: Session, actor: Actor, brief: Brief) -> Brief:
    """Send a report; its numbers are counted once more and kept as they are now.

    Raises
    ------
    Forbidden
    Invalid
        It says nothing.
    Conflict
        It was sent already.
    """
    unit = _require_draft(session, actor, brief)
    if not brief.words.strip():
        raise Invalid(_("The report says nothing yet. Write what happened."), field="words")
    _count(session, actor, unit, brief)
    brief.state, brief.sent_at, brief.sent_by_id = State.SENT, datetime.now(UTC), actor.account_id
    session.flush()
    return brief


def receive(session: Session, actor: Actor, brief: Brief, answer: str | None = None) -> Brief:
    """Take note of a report, and answer it.

    Raises
    ------
    Conflict
        It was not sent, or somebody took note of it already.
    Forbidden
    """
    if brief.state != State.SENT or brief.kind == Kind.QUARTER:
        raise Conflict(
            _("This report is {state}, and nobody has to take note of it.", state=state_names()[brief.state])
        )
    above = session.get(Unit, _unit(session, brief).parent_id)
    assert above is not None
    units.require_whole(actor, "brief.receive", above)
    brief.state, brief.received_at, brief.received_by_id = State.RECEIVED, datetime.now(UTC), actor.account_id
    brief.answer = answer or None
    session.flush()
    return brief


def remove(session: Session, actor: Actor, brief: Brief) -> None:
    """Throw a draft away."""
    _require_draft(session, actor, brief)
    session.delete(brief)
    session.flush()


def compared(session: Session, actor: Actor, brief: Brief) -> list[Compared]:
    """Each number of a report as it was told, and as it is now over what the actor may see."""
    every = figures.catalogue(session)
    asked = {code: figure for code, figure in asked_of(every).items() if code in brief.numbers}
    now = _numbers(session, actor, _unit(session, brief), asked, every, brief.span)
    return [
        Compared(code, figure.name, figure.how, brief.numbers[code], now.get(code), isinstance(figure, Share))
        for code, figure in asked.items()
    ]


def expected(session: Session, actor: Actor, below: Sequence[Unit], today: date | None = None) -> list[Expected]:
    """The last ``BACK`` reports that each of some units tells, the latest first, unit by unit.

    Nothing is expected of the time before a unit was made, or told its first report.
    """
    day = today or settings.today()
    ids = [unit.id for unit in below]
    known: dict[tuple[int, date], Brief] = {}
    began = {unit.id: unit.created_at.date() for unit in below}
    query = access.visible(select(Brief).where(Brief.unit_id.in_(ids), Brief.kind != Kind.SPECIAL), actor, Brief)
    for brief in session.scalars(query):
        known[brief.unit_id, brief.first] = brief
        began[brief.unit_id] = min(began[brief.unit_id], brief.first)
    reports = []
    for unit in below:
        kind = KINDS[unit.level]
        last = period(kind, day).first - timedelta(days=1)
        for _number in range(BACK):
            span = period(kind, last)
            if span.first < began[unit.id]:
                break
            due_on = span.last + timedelta(days=DUE_DAYS.get(kind, 31))
            reports.append(Expected(unit, span, due_on, known.get((unit.id, span.first))))
            last = span.first - timedelta(days=1)
    return reports


def titled(unit: Unit, kind: Kind, span: Span) -> str:
    """What a report is called."""
    return _("{name}: {kind}, {first} to {last}", name=unit.name, kind=kind_names()[kind], **vars(span))


def asked_of(every: Mapping[str, Figure | Share]) -> dict[str, Figure | Share]:
    """The figures that reports tell, out of the catalogue."""
    return {code: every[code] for code in reference.labels("brief_figures") if code in every}


def numbers_of(
    unit: Unit, asked: Mapping[str, Figure | Share], counted: Mapping[str, figures.Numbers]
) -> dict[str, float | None]:
    """Code → the number of a unit, out of figures that were counted; ``None`` for what is not known."""
    sums = {code: _of(unit, numbers) for code, numbers in counted.items()}
    return {
        code: figures.share(figure, sums) if isinstance(figure, Share) else sums.get(code)
        for code, figure in asked.items()
    }


def parts_of(
    below: Iterable[Unit], asked: Mapping[str, Figure | Share], counted: Mapping[str, figures.Numbers]
) -> list[dict[str, Any]]:
    """The numbers of the units below a street, in their order, as a bulletin keeps them."""
    return [
        {"id": part.id, "name": part.name, "level": part.level, "numbers": numbers_of(part, asked, counted)}
        for part in below
    ]


def worded(numbers: Mapping[str, float | None]) -> str:
    """The words of a report, out of its numbers; what is unknown is a dash."""
    said: dict[str, Any] = {code: "—" if number is None else f"{number:,}" for code, number in numbers.items()}
    lines = (
        _(
            "Visits: {visits} at the door, {calls} by phone, {tries} in vain; {cards} service cards were handed out.",
            **said,
        ),
        _("What people said: {entries_asked} matters were collected, {entries_struck} of them are solved.", **said),
        _(
            "Cases: {cases} reported ({cases_on_the_spot} settled on the spot, {cases_urgent} urgent), {cases_closed} "
            "closed; {cases_open} are open, {cases_overdue} of them overdue.",
            **said,
        ),
        _("Disputes: {disputes} reported, {disputes_settled} settled.", **said),
        _("Activities: {activities} held, {attendance} people came.", **said),
    )
    return "\n".join(lines)


def _require_tell(actor: Actor, unit: Unit) -> None:
    if unit.level not in KINDS:
        raise Invalid(_("{name} tells no report of this kind.", name=unit.name), field="unit")
    units.require_whole(actor, "brief.tell", unit)


def _require_draft(session: Session, actor: Actor, brief: Brief) -> Unit:
    unit = _unit(session, brief)
    _require_tell(actor, unit)
    if brief.state != State.DRAFT:
        raise Conflict(_("This report was sent, and stays as it was told. Write another one about what changed."))
    return unit


def _unit(session: Session, brief: Brief) -> Unit:
    unit = session.get(Unit, brief.unit_id)
    assert unit is not None
    return unit


def _count(session: Session, actor: Actor, unit: Unit, brief: Brief) -> None:
    """Count the numbers of a report, those of a bulletin also for each unit below; a special report has none."""
    if brief.kind == Kind.SPECIAL:
        return
    every = figures.catalogue(session)
    asked, span = asked_of(every), Span(brief.first, brief.last)
    brief.numbers = _numbers(session, actor, unit, asked, every, span)
    if brief.kind == Kind.QUARTER:
        communities = units.listed(session, actor, level=Level.COMMUNITY, under=unit.id)
        counted = figures.count(
            session, actor, figures.needed(asked.values(), every), span, communities=[one.id for one in communities]
        )
        below = [
            part
            for community in communities
            for part in (community, *units.listed(session, actor, level=Level.GRID, under=community.id))
        ]
        brief.parts = parts_of(below, asked, counted)


def _numbers(
    session: Session,
    actor: Actor,
    unit: Unit,
    asked: Mapping[str, Figure | Share],
    every: Mapping[str, Figure | Share],
    span: Span,
) -> dict[str, float | None]:
    """Code → the number of a unit, ``None`` where it is not for the actor to know."""
    communities = (
        [unit.community_id]
        if unit.community_id
        else [one.id for one in units.listed(session, actor, level=Level.COMMUNITY, under=unit.id)]
    )
    needed = figures.needed(asked.values(), every)
    return numbers_of(unit, asked, figures.count(session, actor, needed, span, communities=communities))


def _of(unit: Unit, numbers: figures.Numbers) -> int:
    if unit.level == Level.GRID:
        return numbers.of_grid(unit.id)
    return numbers.of_community(unit.id) if unit.level == Level.COMMUNITY else numbers.total


def lately(session: Session, actor: Actor, own: Sequence[Unit]) -> list[Expected]:
    """The reports of the last days that some units have not sent yet, of whoever tells them."""
    mine = [unit for unit in own if may_tell(actor, unit)]
    latest: dict[int, Expected] = {}
    for report in expected(session, actor, mine):
        latest.setdefault(report.unit.id, report)
    return [report for report in latest.values() if not report.sent]
