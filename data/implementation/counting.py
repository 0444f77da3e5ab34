"""What an implementation report counts: every number of it, from the records, for one community and one period.

``count`` returns plain values, as they are kept with the report: whole numbers, lengths in metres, days as ISO text.

===============  ====================================================================================================
the community    area, buildings people live in, grids, households, people: as they stand when it is counted
people           posts, guides and elders on the last day; service teams by the day they were founded
archives         households by special group, and tenancies, on the last day
campaigns        those that begin in the period: households met at the door, cards, what was said, what was solved
on the spot      solved on the very day on which it was said
the work         visits, calls, diary, cases, patrols, disputes and activities of the days of the period
===============  ====================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import shapely
from sqlalchemy import Date, Select, and_, cast, false, func, or_, select
from sqlalchemy.orm import Session, aliased

from data import campaigns, disputes, grids, stats, teams, visits
from data.activities import Activity
from data.base import listing, settings
from data.base.access import Actor
from data.buildings import Building, BuildingKind
from data.campaigns import Campaign
from data.diary import DiaryEntry, finding
from data.disputes import Dispute, Step
from data.households import Household, HouseholdGroup, Resident, Tenancy, TenancyTenant, homes
from data.incidents import Incident
from data.patrols import Patrol
from data.teams import Guide, Post, ServiceTeam, TeamMember
from data.units import Level, Unit
from data.visits import Manner, Outcome, Visit
from spatial.datums import reproject

Figures = dict[str, Any]


def count(session: Session, actor: Actor, community: Unit, first: date, last: date) -> Figures:
    """Count everything a report tells; see the module. The session's walls hold: count as who sees the whole of it."""
    return {
        "community": community.name,
        "first": first.isoformat(),
        "last": last.isoformat(),
        **_ground(session, community, last),
        **_people(session, community, first, last),
        **_archives(session, community, last),
        "campaigns": [_campaign(session, actor, campaign) for campaign in _campaigns(session, community, first, last)],
        **_work(session, actor, community, first, last),
    }


def _ground(session: Session, community: Unit, last: date) -> Figures:
    """The community and its grids, as they stand."""
    shapes = grids.shapes(session, community.id, last)
    metric = reproject(np.array(list(shapes.values()), dtype=object), "EPSG:4326", community.metric_crs)
    lived_in = (Building.community_id == community.id, Building.kind == BuildingKind.RESIDENTIAL)
    homed = homes.placed(
        select(Building.grid_id, func.count())
        .select_from(Household)
        .where(Household.community_id == community.id)
        .group_by(Building.grid_id),
        Household.dwelling_id,
    )
    households = _pairs(session, homed)
    people = _pairs(session, homed.join(Resident, Resident.household_id == Household.id))
    houses = _pairs(session, select(Building.grid_id, func.count()).where(*lived_in).group_by(Building.grid_id))
    below = session.scalars(
        select(Unit).where(Unit.community_id == community.id, Unit.level == Level.GRID).order_by(Unit.code)
    ).all()
    return {
        "area_m2": round(float(shapely.area(metric).sum())) if len(metric) else 0,
        "buildings": sum(houses.values()),
        "households": sum(households.values()),
        "people": sum(people.values()),
        "grids": [
            {
                "id": grid.id,
                "name": grid.name,
                "buildings": houses.get(grid.id, 0),
                "households": households.get(grid.id, 0),
                "people": people.get(grid.id, 0),
            }
            for grid in below
            if grid.id in shapes
        ],
    }


def _people(session: Session, community: Unit, first: date, last: date) -> Figures:
    """Who holds which post on the last day, and which service teams there are."""
    held = (TeamMember.community_id == community.id, TeamMember.holds(last))
    posts = _pairs(session, select(TeamMember.post, func.count()).where(*held).group_by(TeamMember.post))
    elders = _pairs(session, select(TeamMember.elder, func.count()).where(*held).group_by(TeamMember.elder))
    advising = (Guide.community_id == community.id, Guide.holds(last))
    guides = _pairs(session, select(Guide.level, func.count()).where(*advising).group_by(Guide.level))
    founded = session.execute(
        select(ServiceTeam.name, ServiceTeam.founded_on)
        .where(
            ServiceTeam.community_id == community.id,
            or_(ServiceTeam.founded_on.is_(None), ServiceTeam.founded_on <= last),
        )
        .order_by(ServiceTeam.founded_on, ServiceTeam.id)
    ).all()
    new = [row.name for row in founded if row.founded_on is not None and row.founded_on >= first]
    return {
        "posts": {post: posts.get(post, 0) for post in Post},
        "elders": {elder: elders[elder] for elder in teams.Elder if elder in elders},
        "guides": {standing: guides[standing] for standing in teams.Standing if standing in guides},
        "teams_before": len(founded) - len(new),
        "teams_new": new,
        "rhythms": _rhythms(session, community),
    }


def _rhythms(session: Session, community: Unit) -> dict[str, dict[str, int]]:
    """How often ordinary and special households are visited and called, in months: the community's word, else all's."""
    rhythms: dict[str, dict[str, int]] = {}
    for of in (None, community.id):
        for rhythm in visits.rhythms(session, of):
            if rhythm.who in set(visits.Who):
                rhythms.setdefault(rhythm.who, {})[rhythm.manner] = rhythm.every_months
    return rhythms


def _archives(session: Session, community: Unit, last: date) -> Figures:
    """Special groups and tenancies on the last day."""
    members = (HouseholdGroup.community_id == community.id, HouseholdGroup.valid.contains(last))
    different = func.count(HouseholdGroup.household_id.distinct())
    by_group = select(HouseholdGroup.group_code, different).where(*members).group_by(HouseholdGroup.group_code)
    sizes = _pairs(session, by_group)
    let = (Tenancy.community_id == community.id, Tenancy.valid.contains(last))
    tenants = (
        select(func.count(TenancyTenant.resident_id.distinct()))
        .join(Tenancy, Tenancy.id == TenancyTenant.tenancy_id)
        .where(*let)
    )
    return {
        "groups": [
            {"code": group.code, "name": group.name_zh, "households": sizes[group.code]}
            for group in homes.special_groups(session)
            if group.code in sizes
        ],
        "special": _one(session, select(different).where(*members)),
        "tenancies": _one(session, select(func.count()).select_from(Tenancy).where(*let)),
        "tenants": _one(session, tenants),
    }


def _campaigns(session: Session, community: Unit, first: date, last: date) -> Iterator[Campaign]:
    """The campaigns that begin in the period, the first first."""
    begun = Campaign.begins_on.between(first, last)
    query = select(Campaign).where(Campaign.community_id == community.id, begun)
    yield from session.scalars(query.order_by(Campaign.begins_on, Campaign.id))


def _campaign(session: Session, actor: Actor, campaign: Campaign) -> Figures:
    parts = campaigns.progress(session, actor, campaign)
    whole = campaigns.total(parts)
    matters = _matters(campaign).subquery()
    subjects = _pairs(
        session,
        select(matters.c.subject, func.count()).where(matters.c.subject.is_not(None)).group_by(matters.c.subject),
    )
    return {
        "name": campaign.name,
        "first": campaign.begins_on.isoformat(),
        "last": campaign.ends_on.isoformat(),
        "goal": campaign.goal_share,
        "households": whole.households,
        "met": whole.met,
        "cards": whole.cards,
        "asked": _one(session, select(func.count()).select_from(matters)),
        "solved": _one(session, select(func.count()).select_from(matters).where(matters.c.at_once)),
        "subjects": [list(pair) for pair in sorted(subjects.items(), key=lambda pair: (-pair[1], pair[0]))],
        "grids": [{"id": part.grid_id, "households": part.households, "met": part.met} for part in parts],
    }


def _matters(campaign: Campaign) -> Select[Any]:
    """What was asked for at the door in the days of a campaign: ``subject``, and whether it was solved ``at_once``.

    A visit tells of one matter at most: an entry of the diary that asks for something, or else a case.
    """
    case = aliased(Incident)
    solved_at = func.coalesce(finding.SOLVED_AT, case.closed_at)
    query: Select[Any] = (
        select(DiaryEntry.subject, func.coalesce(_day(solved_at) == _day(Visit.at), false()).label("at_once"))
        .select_from(Visit)
        .outerjoin(DiaryEntry, DiaryEntry.visit_id == Visit.id)
        .outerjoin(case, case.id == Visit.incident_id)
        .where(Visit.community_id == campaign.community_id, Visit.manner == Manner.VISIT)
        .where(or_(DiaryEntry.asks, case.id.is_not(None)))
        .where(*listing.in_period(Visit.at, campaign.begins_on, campaign.ends_on))
    )
    return finding.joined(query)


def _day(instant: Any) -> Any:
    return cast(func.timezone(settings.get().timezone, instant), Date)


def _work(session: Session, actor: Actor, community: Unit, first: date, last: date) -> Figures:
    """What was done in the days of the period."""
    met = (
        Visit.community_id == community.id,
        Visit.outcome == Outcome.MET,
        *listing.in_period(Visit.at, first, last),
    )
    special = select(HouseholdGroup.household_id).where(
        HouseholdGroup.community_id == community.id, HouseholdGroup.valid.contains(last)
    )
    entries = finding.joined(select(func.count(DiaryEntry.id)).select_from(DiaryEntry)).where(
        DiaryEntry.community_id == community.id, *listing.in_period(DiaryEntry.at, first, last)
    )
    walked = (Patrol.community_id == community.id, *listing.in_period(Patrol.started_at, first, last))
    cases = stats.of(session, actor, unit=community, first=first, last=last).figures
    households = select(func.count(Visit.household_id.distinct())).where(*met)
    late = and_(Incident.closed_at > Incident.due_at)
    closed = (
        Incident.community_id == community.id,
        Incident.merged_into_id.is_(None),
        *listing.in_period(Incident.closed_at, first, last),
    )
    return {
        "visits": _one(session, select(func.count()).select_from(Visit).where(*met, Visit.manner == Manner.VISIT)),
        "calls": _one(session, select(func.count()).select_from(Visit).where(*met, Visit.manner == Manner.CALL)),
        "reached": _one(session, households),
        "reached_special": _one(session, households.where(Visit.household_id.in_(special))),
        "said": _one(session, entries),
        "asked": _one(session, entries.where(DiaryEntry.asks)),
        "struck": _one(session, entries.where(finding.SOLVED_AT.is_not(None))),
        "cases": cases.new,
        "cases_solved": cases.solved,
        "cases_late": _one(session, select(func.count()).select_from(Incident).where(*closed, late)),
        "patrols": _one(session, select(func.count()).select_from(Patrol).where(*walked)),
        "patrolled_m": round(float(_one(session, select(func.coalesce(func.sum(Patrol.length_m), 0)).where(*walked)))),
        **_disputes(session, community, first, last),
        "activities": _activities(session, community, first, last),
    }


def _disputes(session: Session, community: Unit, first: date, last: date) -> Figures:
    """Disputes reported in the period, and on which level those stand that were settled."""
    settled = Dispute.settled_at.is_not(None) & Dispute.step.in_((Step.SETTLED, Step.CLOSED))
    rows = session.execute(
        select(Dispute.level, func.count().label("count"), func.count().filter(settled).label("settled"))
        .where(Dispute.community_id == community.id, *listing.in_period(Dispute.reported_at, first, last))
        .group_by(Dispute.level)
    ).all()
    levels = {row.level: row.settled for row in rows}
    return {
        "disputes": sum(row.count for row in rows),
        "disputes_settled": {level: levels.get(level, 0) for level in disputes.LEVELS},
    }


def _activities(session: Session, community: Unit, first: date, last: date) -> list[Figures]:
    """What service teams held, one after the other."""
    rows = session.execute(
        select(Activity.kind, Activity.title, Activity.attendance)
        .where(Activity.community_id == community.id, *listing.in_period(Activity.begins_at, first, last))
        .where(Activity.begins_at <= func.now())
        .order_by(Activity.begins_at, Activity.id)
    )
    return [{"kind": row.kind, "title": row.title, "came": row.attendance} for row in rows]


def _one(session: Session, query: Select[Any]) -> int:
    return session.scalar(query) or 0


def _pairs(session: Session, query: Any) -> dict[Any, int]:
    return {row[0]: row[1] for row in session.execute(query)}
