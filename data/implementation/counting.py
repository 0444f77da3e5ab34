"""What an implementation report counts: every number of it, from the records, for one community and one period.

``count`` returns plain values, as they are kept with the report: whole numbers, square metres, days as ISO text.

===============  ====================================================================================================
the community    area, buildings people live in, grids, households, people: as they stand when it is counted
people           posts, guides and elders on the last day; service teams by the day they were founded
archives         households by special group, and tenancies, on the last day
campaigns        those that begin in the period: households met at the door, cards, what was said, what was solved
on the spot      solved on the very day on which it was said
the work         visits, calls, diary, cases, disputes and activities of the days of the period
===============  ====================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
import shapely
from sqlalchemy import Date, Select, cast, false, func, or_, select
from sqlalchemy.orm import Session, aliased

from data import campaigns, disputes, figures, grids, incidents, teams, visits
from data.activities import Activity
from data.base import access, listing, settings
from data.base.access import Actor
from data.campaigns import Campaign
from data.diary import DiaryEntry, finding
from data.disputes import Dispute, Step
from data.households import HouseholdGroup, Tenancy, TenancyTenant, homes
from data.incidents import Incident
from data.teams import Guide, Post, ServiceTeam, TeamMember
from data.units import Unit
from data.visits import Manner, Outcome, Visit
from spatial.datums import reproject

Figures = dict[str, Any]
#: The figures of ``data.figures`` that a report takes over, and what it calls them.
_COUNTED = {
    "buildings": "buildings",
    "households": "households",
    "residents": "people",
    "special_households": "special",
    "tenancies": "tenancies",
    "visits": "visits",
    "calls": "calls",
    "entries": "said",
    "entries_asked": "asked",
    "entries_struck": "struck",
    "cases": "cases",
    "cases_closed": "cases_solved",
    "disputes": "disputes",
}


def count(session: Session, actor: Actor, community: Unit, first: date, last: date) -> Figures:
    """Count everything a report tells; see the module. The session's walls hold: count as who sees the whole of it."""
    known = figures.catalogue(session)
    groups = {f"special_households.{group.code}": group.name_zh for group in homes.special_groups(session)}
    asked = [figure for code in (*_COUNTED, *groups) if isinstance(figure := known[code], figures.Figure)]
    counted = figures.count(session, actor, asked, figures.Span(first, last), communities=[community.id])
    return {
        "community": community.name,
        "first": first.isoformat(),
        "last": last.isoformat(),
        **{_COUNTED[code]: numbers.total for code, numbers in counted.items() if code in _COUNTED},
        **_ground(session, community, last, counted),
        **_people(session, community, first, last),
        "groups": [
            {"name": name, "households": counted[code].total} for code, name in groups.items() if counted[code].total
        ],
        "tenants": _tenants(session, community, last),
        "campaigns": [_campaign(session, actor, campaign) for campaign in _campaigns(session, community, first, last)],
        **_work(session, community, first, last),
    }


def _ground(session: Session, community: Unit, last: date, counted: Mapping[str, figures.Numbers]) -> Figures:
    """The area of the community, and what is in each grid."""
    shapes = grids.shapes(session, community.id, last)
    metric = reproject(np.array(list(shapes.values()), dtype=object), "EPSG:4326", community.metric_crs)
    below = session.scalars(select(Unit).where(Unit.id.in_(shapes)).order_by(Unit.code)).all()
    inside = {"buildings": "buildings", "households": "households", "residents": "people"}
    return {
        "area_m2": round(float(shapely.area(metric).sum())) if len(metric) else 0,
        "grids": [
            {
                "id": grid.id,
                "name": grid.name,
                **{name: counted[code].of_grid(grid.id) for code, name in inside.items()},
            }
            for grid in below
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


def _tenants(session: Session, community: Unit, last: date) -> int:
    """How many people rent on the last day."""
    query = select(func.count(TenancyTenant.resident_id.distinct())).join(
        Tenancy, Tenancy.id == TenancyTenant.tenancy_id
    )
    return _one(session, query.where(Tenancy.community_id == community.id, Tenancy.valid.contains(last)))


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


def _work(session: Session, community: Unit, first: date, last: date) -> Figures:
    """What was done in the days of the period, beside what figures tell."""
    reached = select(func.count(Visit.household_id.distinct())).where(
        Visit.community_id == community.id, Visit.outcome == Outcome.MET, *listing.in_period(Visit.at, first, last)
    )
    special = select(HouseholdGroup.household_id).where(
        HouseholdGroup.community_id == community.id, HouseholdGroup.valid.contains(last)
    )
    late = incidents.narrowed(
        select(func.count(Incident.id)), access.SYSTEM, incidents.Filter(closed_first=first, closed_last=last)
    ).where(Incident.community_id == community.id, Incident.closed_at > Incident.due_at)
    return {
        "reached": _one(session, reached),
        "reached_special": _one(session, reached.where(Visit.household_id.in_(special))),
        "cases_late": _one(session, late),
        **_disputes(session, community, first, last),
        "activities": _activities(session, community, first, last),
    }


def _disputes(session: Session, community: Unit, first: date, last: date) -> Figures:
    """On which level those disputes stand that were reported in the period and settled."""
    settled = Dispute.settled_at.is_not(None) & Dispute.step.in_((Step.SETTLED, Step.CLOSED))
    rows = session.execute(
        select(Dispute.level, func.count().filter(settled).label("settled"))
        .where(Dispute.community_id == community.id, *listing.in_period(Dispute.reported_at, first, last))
        .group_by(Dispute.level)
    ).all()
    levels = {row.level: row.settled for row in rows}
    return {"disputes_settled": {level: levels.get(level, 0) for level in disputes.LEVELS}}


def _activities(session: Session, community: Unit, first: date, last: date) -> list[Figures]:
    """What service teams held, one after the other."""
    rows = session.execute(
        select(Activity.kind, Activity.title, Activity.attendance)
        .where(Activity.community_id == community.id, *listing.in_period(Activity.begins_at, first, last))
        .where(Activity.attendance.is_not(None))
        .order_by(Activity.begins_at, Activity.id)
    )
    return [{"kind": row.kind, "title": row.title, "came": row.attendance} for row in rows]


def _one(session: Session, query: Select[Any]) -> int:
    return session.scalar(query) or 0


def _pairs(session: Session, query: Any) -> dict[Any, int]:
    return {row[0]: row[1] for row in session.execute(query)}
