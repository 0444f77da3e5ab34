"""How far the set-up of a community has come: its boundaries, buildings, people and team."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data import accounts, buildings, glance, grids, units
from data.base import access
from data.base.access import Actor
from data.buildings import Building
from data.teams import Post, TeamMember


@dataclass(frozen=True)
class Progress:
    """What is there of a community.

    Attributes
    ----------
    grids, bounded, led
        How many grids it has; those with a boundary today; those with a leader in their team.
    buildings
        How many the actor may see; ``None`` for those who may see none.
    households, residents
        How many; ``None`` for those who may not know.
    accounts
        How many can sign in with a role in the community.
    """

    grids: int
    bounded: int
    led: int
    buildings: int | None
    households: int | None
    residents: int | None
    accounts: int


def progress(session: Session, actor: Actor, community: units.Unit) -> Progress:
    """How far the set-up of a community has come, as far as the actor may know."""
    below = [unit.id for unit in units.listed(session, actor, level=units.Level.GRID, under=community.id)]
    held = grids.boundaries(community.id).subquery()
    led = select(func.count(TeamMember.grid_id.distinct())).where(
        TeamMember.community_id == community.id, TeamMember.post == Post.LEADER, TeamMember.holds()
    )
    people = glance.people_of(session, actor, community.id)
    return Progress(
        grids=len(below),
        bounded=session.scalar(select(func.count()).select_from(held).where(held.c.grid_id.in_(below))) or 0,
        led=session.scalar(access.visible(led, actor, TeamMember)) or 0,
        buildings=buildings.count(session, actor, community.id) if actor.may("building.read") else None,
        accounts=accounts.count_at(session, [community.id, *below]),
        households=people.get("households"),
        residents=people.get("residents"),
    )


def is_bare(session: Session, actor: Actor, community_id: int | None) -> bool:
    """Whether a map would have nothing to show: no boundary of a grid and no building with a place."""
    held = grids.boundaries(community_id).subquery()
    if session.scalar(select(held.c.grid_id).limit(1)) is not None:
        return False
    there = access.visible(select(Building.id).where(Building.point.is_not(None)), actor, Building)
    if community_id is not None:
        there = there.where(Building.community_id == community_id)
    return session.scalar(there.limit(1)) is None
