"""The catalogue of figures: what is counted, in which words, and out of which records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Date, and_, cast, exists, func, or_, select
from sqlalchemy.orm import Session

from data import activities, diary, disputes, households, incidents
from data.activities import Activity
from data.base import access, language, listing, settings
from data.base.access import Actor, Rows
from data.base.errors import NotFound
from data.base.language import _
from data.buildings import Building, BuildingKind, Dwelling
from data.diary import DiaryEntry
from data.disputes import Dispute
from data.figures.figure import Field, Figure, Share, Span, row
from data.households import Household, HouseholdGroup, Resident, Tenancy, homes
from data.incidents import Incident, Tier
from data.teams import ServiceTeam, TeamMember
from data.visits import Manner, Outcome, Visit

#: Who has reached this age counts as old.
OLD = 60
#: Who has not reached this age is a minor.
GROWN_UP = 18


class FigureNotFound(NotFound):
    """There is no such figure."""


def fields() -> dict[str, str]:
    """The parts of the work that figures tell of."""
    return {
        Field.GROUND: _("Ground"),
        Field.PEOPLE: _("People"),
        Field.TEAMS: _("Teams"),
        Field.VISITS: _("Visits"),
        Field.DIARY: _("Diary"),
        Field.CASES: _("Cases"),
        Field.DISPUTES: _("Disputes"),
        Field.ACTIVITIES: _("Activities"),
    }


def catalogue(session: Session) -> dict[str, Figure | Share]:
    """Code → figure, in the order in which they are shown; names in the reader's language.

    A figure of a kind of something has the code of the whole, a dot and the kind: ``cases.lighting``.
    """
    parts = (
        _ground(),
        _people(),
        _groups(session),
        _teams(),
        _visits(),
        _diary(),
        _cases(),
        _kinds(session),
        _disputes(),
        _activities(),
    )
    return {figure.code: figure for part in parts for figure in part}


def get(session: Session, code: str) -> Figure | Share:
    """The figure with this code.

    Raises
    ------
    FigureNotFound
    """
    figure = catalogue(session).get(code)
    if figure is None:
        raise FigureNotFound(_("There is no figure “{code}”.", code=code))
    return figure


def _ground() -> Iterator[Figure]:
    figure = partial(Figure, field=Field.GROUND, table=Building, within=False)
    yield figure(
        code="buildings", name=_("Residential buildings"), how=_("Buildings that people live in."), rows=_buildings
    )
    yield figure(
        code="dwellings", name=_("Dwellings"), how=_("Doors of the buildings."), rows=_dwellings, table=Dwelling
    )


def _people() -> Iterator[Figure]:
    figure = partial(Figure, field=Field.PEOPLE, table=Household, within=False, people=True)
    yield figure(code="households", name=_("Households"), how=_("Households of the archive."), rows=_households)
    yield figure(
        code="residents", name=_("Residents"), how=_("People of the archive."), rows=_residents, table=Resident
    )
    yield figure(
        code="residents_floating",
        name=_("Floating population"),
        how=_("Residents who are registered elsewhere."),
        rows=partial(_residents, where=Resident.status == households.Status.FLOATING),
        table=Resident,
    )
    yield figure(
        code="residents_old",
        name=_("Residents of 60 and more"),
        how=_("Residents whose day of birth is known and who were 60 or older on the last day."),
        rows=partial(_residents, aged=(OLD, None)),
        table=Resident,
    )
    yield figure(
        code="residents_minor",
        name=_("Minors"),
        how=_("Residents whose day of birth is known and who were younger than 18 on the last day."),
        rows=partial(_residents, aged=(None, GROWN_UP)),
        table=Resident,
    )
    yield figure(
        code="tenancies",
        name=_("Rented dwellings"),
        how=_("Tenancies that ran on the last day."),
        rows=_tenancies,
        table=Tenancy,
    )
    yield figure(
        code="special_households",
        name=_("Special households"),
        how=_("Households that belonged to a special group on the last day, each counted once."),
        rows=_special,
    )


def _groups(session: Session) -> Iterator[Figure]:
    for group in households.special_groups(session):
        name = language.named(group)
        yield Figure(
            code=f"special_households.{group.code}",
            field=Field.PEOPLE,
            table=Household,
            name=name,
            how=_("Households that belonged to the group “{group}” on the last day.", group=name),
            rows=partial(_special, group=group.code),
            people=True,
            within=False,
        )


def _teams() -> Iterator[Figure]:
    figure = partial(Figure, field=Field.TEAMS, table=TeamMember, within=False)
    yield figure(
        code="posts",
        name=_("Members of grid teams"),
        how=_("Posts of the grids' teams that were held on the last day."),
        rows=_posts,
    )
    yield figure(
        code="service_teams",
        name=_("Service teams"),
        how=_("Service teams of the community."),
        rows=_service_teams,
        table=ServiceTeam,
    )


def _visits() -> Iterator[Figure | Share]:
    figure = partial(Figure, field=Field.VISITS, table=Visit)
    met = Visit.outcome == Outcome.MET
    yield figure(
        code="visits",
        name=_("Visits at the door"),
        how=_("Visits in these days at which somebody was met."),
        rows=partial(_visited, where=and_(met, Visit.manner == Manner.VISIT)),
    )
    yield figure(
        code="calls",
        name=_("Phone visits"),
        how=_("Calls in these days in which somebody was reached."),
        rows=partial(_visited, where=and_(met, Visit.manner == Manner.CALL)),
    )
    yield figure(
        code="tries",
        name=_("Visits and calls in vain"),
        how=_("Visits and calls in these days at which nobody was met, or at a bad moment."),
        rows=partial(_visited, where=~met),
    )
    yield figure(
        code="households_met",
        name=_("Households visited"),
        how=_("Households at whose door somebody was met in these days, each counted once."),
        rows=_households_met,
        people=True,
    )
    yield Share(
        code="households_met_share",
        field=Field.VISITS,
        name=_("Share of households visited"),
        how=_("Households visited in these days, of all households."),
        part="households_met",
        whole="households",
    )
    yield figure(
        code="cards",
        name=_("Service cards handed out"),
        how=_("Visits in these days at which a service card was handed out."),
        rows=partial(_visited, where=Visit.card.is_(True)),
    )


def _diary() -> Iterator[Figure]:
    figure = partial(Figure, field=Field.DIARY, table=DiaryEntry)
    yield figure(code="entries", name=_("Diary entries"), how=_("What was said or seen in these days."), rows=_entries)
    yield figure(
        code="entries_asked",
        name=_("Matters collected"),
        how=_("Diary entries of these days that ask for something to be solved."),
        rows=partial(_entries, asks=True),
    )
    yield figure(
        code="entries_struck",
        name=_("Matters struck off"),
        how=_("Diary entries of these days that ask for something, and are solved by now."),
        rows=partial(_entries, asks=True, struck=True),
    )
    for subject, name in diary.subject_names().items():
        yield figure(
            code=f"entries.{subject}",
            name=name,
            how=_("Diary entries of these days about “{subject}”.", subject=name),
            rows=partial(_entries, subject=subject),
        )


def _cases() -> Iterator[Figure | Share]:
    figure = partial(Figure, field=Field.CASES, table=Incident)
    yield figure(
        code="cases",
        name=_("Cases reported"),
        how=_("Cases reported in these days, in the grid where they lay then; merged ones count once."),
        rows=_reported,
    )
    yield figure(
        code="cases_closed",
        name=_("Cases closed"),
        how=_("Cases closed in these days, whenever they were reported."),
        rows=_closed,
    )
    yield figure(
        code="cases_on_the_spot",
        name=_("Cases settled on the spot"),
        how=_("Cases reported in these days that the grid closed on the day of the report."),
        rows=partial(_reported, where=_on_the_spot()),
    )
    yield figure(
        code="cases_solved",
        name=_("Reported cases that are closed"),
        how=_("Cases reported in these days that are closed by now."),
        rows=partial(_reported, where=Incident.closed_at.is_not(None)),
    )
    yield Share(
        code="cases_solved_share",
        field=Field.CASES,
        name=_("Share of cases closed"),
        how=_("Of the cases reported in these days, those that are closed by now."),
        part="cases_solved",
        whole="cases",
    )
    yield figure(
        code="cases_urgent",
        name=_("Urgent cases"),
        how=_("Cases reported in these days that went to the street at once."),
        rows=partial(_reported, where=Incident.tier == Tier.STREET),
    )
    yield figure(
        code="cases_open",
        name=_("Cases open"),
        how=_("Cases reported before the end of the last day that were not closed by then."),
        rows=_open,
        within=False,
    )
    yield figure(
        code="cases_overdue",
        name=_("Cases overdue"),
        how=_("Cases that were open at the end of the last day, after their time."),
        rows=partial(_open, late=True),
        within=False,
    )


def _kinds(session: Session) -> Iterator[Figure]:
    for category in incidents.categories(session):
        name = language.named(category)
        yield Figure(
            code=f"cases.{category.code}",
            field=Field.CASES,
            table=Incident,
            name=name,
            how=_("Cases reported in these days under “{category}”, and under what lies below it.", category=name),
            rows=partial(_reported, category=category.code),
        )


def _disputes() -> Iterator[Figure]:
    figure = partial(Figure, field=Field.DISPUTES, table=Dispute)
    yield figure(
        code="disputes", name=_("Disputes reported"), how=_("Disputes reported in these days."), rows=_quarrels
    )
    yield figure(
        code="disputes_settled",
        name=_("Disputes settled"),
        how=_("Disputes in which people agreed in these days."),
        rows=_agreed,
    )
    for kind, name in disputes.kind_names().items():
        yield figure(
            code=f"disputes.{kind}",
            name=name,
            how=_("Disputes reported in these days about “{kind}”.", kind=name),
            rows=partial(_quarrels, kind=kind),
        )


def _activities() -> Iterator[Figure]:
    figure = partial(Figure, field=Field.ACTIVITIES, table=Activity)
    yield figure(
        code="activities",
        name=_("Activities held"),
        how=_("Activities of these days that were held."),
        rows=_held,
    )
    for kind, name in activities.kind_names().items():
        yield figure(
            code=f"activities.{kind}",
            name=name,
            how=_("Activities of these days that were held: “{kind}”.", kind=name),
            rows=partial(_held, kind=kind),
        )
    yield figure(
        code="attendance",
        name=_("People who came"),
        how=_("How many came to the activities of these days, all together."),
        rows=partial(_held, came=True),
    )


# The records ---------------------------------------------------------------------------------------------------------


def _of_household(household_id: Any) -> Any:
    """The number of a household."""
    return select(Household.number).where(Household.id == household_id).scalar_subquery()


def _buildings(actor: Actor, _span: Span) -> Rows:
    query = row(Building.id, Building.community_id, Building.grid_id, Building.created_at, Building.number)
    return access.visible(query, actor, Building).where(Building.kind == BuildingKind.RESIDENTIAL)


def _dwellings(actor: Actor, _span: Span) -> Rows:
    query = row(
        Dwelling.id,
        Building.community_id,
        Building.grid_id,
        Building.created_at,
        func.concat_ws(" ", Building.number, Dwelling.unit, Dwelling.room),
        shown=Building.id,
    )
    return access.visible(query.join(Building, Building.id == Dwelling.building_id), actor, Building)


def _households(actor: Actor, _span: Span, where: ColumnElement[bool] | None = None) -> Rows:
    query = row(Household.id, Household.community_id, Building.grid_id, Household.created_at, Household.number)
    query = access.visible(homes.placed(query, Household.dwelling_id), actor, Household).where(Household.lived())
    return query if where is None else query.where(where)


def _residents(
    actor: Actor,
    span: Span,
    where: ColumnElement[bool] | None = None,
    aged: tuple[int | None, int | None] = (None, None),
) -> Rows:
    query = row(
        Resident.id, Resident.community_id, Building.grid_id, Resident.created_at, Household.number, shown=Household.id
    )
    query = query.join(Household, Household.id == Resident.household_id)
    query = access.visible(homes.placed(query, Household.dwelling_id), actor, Resident).where(Resident.here())
    least, below = aged
    if least is not None:
        query = query.where(Resident.born_on <= _years_before(span, least))
    if below is not None:
        query = query.where(Resident.born_on > _years_before(span, below))
    return query if where is None else query.where(where)


def _years_before(span: Span, years: int) -> Any:
    return cast(func.date(span.last) - func.make_interval(years), Date)


def _tenancies(actor: Actor, span: Span) -> Rows:
    query = row(
        Tenancy.id,
        Tenancy.community_id,
        Building.grid_id,
        Tenancy.created_at,
        func.concat_ws(" ", Building.number, Dwelling.unit, Dwelling.room),
    )
    query = query.where(Tenancy.valid.contains(span.last))
    return access.visible(homes.placed(query, Tenancy.dwelling_id), actor, Tenancy)


def _special(actor: Actor, span: Span, group: str | None = None) -> Rows:
    belongs = select(HouseholdGroup.id).where(
        HouseholdGroup.household_id == Household.id, HouseholdGroup.valid.contains(span.last)
    )
    if group is not None:
        belongs = belongs.where(HouseholdGroup.group_code == group)
    return _households(actor, span, where=exists(belongs.correlate(Household)))


def _posts(actor: Actor, span: Span) -> Rows:
    query = row(
        TeamMember.id,
        TeamMember.community_id,
        TeamMember.grid_id,
        TeamMember.created_at,
        TeamMember.post,
        shown=TeamMember.grid_id,
    )
    return access.visible(query, actor, TeamMember).where(TeamMember.holds(span.last))


def _service_teams(actor: Actor, _span: Span) -> Rows:
    nowhere = cast(None, TeamMember.grid_id.type)
    return access.visible(
        row(ServiceTeam.id, ServiceTeam.community_id, nowhere, ServiceTeam.created_at, ServiceTeam.name),
        actor,
        ServiceTeam,
    )


def _visited(actor: Actor, span: Span, where: ColumnElement[bool]) -> Rows:
    query = row(
        Visit.id,
        Visit.community_id,
        Visit.grid_id,
        Visit.recorded_at,
        _of_household(Visit.household_id),
        shown=Visit.household_id,
    )
    query = query.where(where, *listing.in_period(Visit.at, span.first, span.last))
    return access.visible(query, actor, Visit)


def _households_met(actor: Actor, span: Span) -> Rows:
    met = select(func.min(Visit.recorded_at)).where(
        Visit.household_id == Household.id,
        Visit.outcome == Outcome.MET,
        Visit.manner == Manner.VISIT,
        *listing.in_period(Visit.at, span.first, span.last),
    )
    known_at = met.correlate(Household).scalar_subquery()
    query = row(Household.id, Household.community_id, Building.grid_id, known_at, Household.number)
    query = access.visible(homes.placed(query, Household.dwelling_id), actor, Household)
    return query.where(known_at.is_not(None))


def _entries(
    actor: Actor, span: Span, subject: str | None = None, *, asks: bool | None = None, struck: bool = False
) -> Rows:
    wanted = diary.Filter(first=span.first, last=span.last, subjects=None if subject is None else (subject,))
    query = row(DiaryEntry.id, DiaryEntry.community_id, DiaryEntry.grid_id, DiaryEntry.created_at, DiaryEntry.subject)
    query = diary.finding.narrowed(diary.finding.joined(query), actor, wanted)
    if asks is not None:
        query = query.where(DiaryEntry.asks.is_(asks))
    return query.where(diary.finding.SOLVED_AT.is_not(None)) if struck else query


def _reported(actor: Actor, span: Span, where: ColumnElement[bool] | None = None, category: str | None = None) -> Rows:
    wanted = incidents.Filter(first=span.first, last=span.last, categories=None if category is None else (category,))
    query = row(Incident.id, Incident.community_id, Incident.grid_then, Incident.created_at, Incident.number)
    query = incidents.narrowed(query, actor, wanted)
    return query if where is None else query.where(where)


def _closed(actor: Actor, span: Span) -> Rows:
    wanted = incidents.Filter(closed_first=span.first, closed_last=span.last)
    query = row(Incident.id, Incident.community_id, Incident.grid_id, Incident.closed_at, Incident.number)
    return incidents.narrowed(query, actor, wanted)


def _open(actor: Actor, span: Span, *, late: bool = False) -> Rows:
    query = row(Incident.id, Incident.community_id, Incident.grid_id, Incident.created_at, Incident.number)
    end = listing.in_period(Incident.closed_at, span.last + timedelta(days=1), None)
    unsettled = Incident.state.in_(incidents.OPEN)
    query = incidents.narrowed(query, actor, incidents.Filter()).where(
        *listing.in_period(Incident.reported_at, None, span.last), or_(unsettled, *end)
    )
    return query.where(*listing.in_period(Incident.due_at, None, span.last)) if late else query


def _on_the_spot() -> ColumnElement[bool]:
    zone = settings.get().timezone

    def day(instant: Any) -> Any:
        return cast(func.timezone(zone, instant), Date)

    return and_(Incident.tier == Tier.GRID, day(Incident.closed_at) == day(Incident.reported_at))


def _quarrels(actor: Actor, span: Span, kind: str | None = None) -> Rows:
    wanted = disputes.Filter(first=span.first, last=span.last, kinds=None if kind is None else (kind,))
    query = row(Dispute.id, Dispute.community_id, Dispute.grid_id, Dispute.created_at, Dispute.kind)
    return disputes.finding.narrowed(query, actor, wanted)


def _agreed(actor: Actor, span: Span) -> Rows:
    query = row(Dispute.id, Dispute.community_id, Dispute.grid_id, Dispute.settled_at, Dispute.kind)
    query = query.where(*listing.in_period(Dispute.settled_at, span.first, span.last))
    return disputes.finding.narrowed(query, actor, disputes.Filter())


def _held(actor: Actor, span: Span, kind: str | None = None, *, came: bool = False) -> Rows:
    query = row(
        Activity.id,
        Activity.community_id,
        Activity.grid_id,
        Activity.updated_at,
        Activity.title,
        amount=Activity.attendance if came else None,
    )
    query = query.where(Activity.attendance.is_not(None), *listing.in_period(Activity.begins_at, span.first, span.last))
    if kind is not None:
        query = query.where(Activity.kind == kind)
    return access.visible(query, actor, Activity)


def needed(asked: Iterable[Figure | Share], every: Mapping[str, Figure | Share]) -> list[Figure]:
    """The figures that have to be counted for those that are asked: shares need their part and their whole."""
    wanted: dict[str, Figure] = {}
    for figure in asked:
        for code in (figure.part, figure.whole) if isinstance(figure, Share) else (figure.code,):
            counted = every[code]
            assert isinstance(counted, Figure)
            wanted[code] = counted
    return list(wanted.values())
