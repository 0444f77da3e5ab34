"""Who is responsible here 责任公示: of each grid and each building, today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from data import accounts, units
from data.accounts import Account
from data.base import access, settings
from data.base.access import Actor, Rows
from data.buildings import Building
from data.teams import advising, posts
from data.teams.tables import Guide, Post, TeamMember


@dataclass(frozen=True)
class Responsible:
    """Those who are responsible for a grid, or for a building in it.

    Attributes
    ----------
    members
        The posts with who holds them today; of the wardens, for a building, those who mind it.
    buildings
        Warden → the ids of the buildings they mind; without an entry the whole grid.
    deputies
        Member → the name of who stands in for them today, and the last day.
    """

    grid: units.Unit
    members: Sequence[TeamMember]
    guides: Sequence[Guide]
    buildings: dict[int, set[int]] = field(default_factory=dict)
    deputies: dict[int, tuple[str, date]] = field(default_factory=dict)


def of_community(session: Session, actor: Actor, community_id: int) -> list[Responsible]:
    """Each grid that the actor may see with those who are responsible for it, by code."""
    below = units.listed(session, actor, level=units.Level.GRID, under=community_id)
    shown = [grid for grid in below if actor.area(TeamMember.__read__).covers(community_id, grid.id)]
    advisers = advising.advisers(session, actor, community_id)
    return [_of(session, actor, grid, advisers.get(grid.id, [])) for grid in shown]


def of_building(session: Session, actor: Actor, building: Building) -> Responsible | None:
    """Those who are responsible for a building that the actor may see; ``None`` when it lies in no grid."""
    if building.grid_id is None or not actor.area(TeamMember.__read__).covers(building.community_id, building.grid_id):
        return None
    grid = units.get(session, actor, building.grid_id)
    advisers = advising.advisers(session, actor, building.community_id)
    whole = _of(session, actor, grid, advisers.get(grid.id, []))
    members = [one for one in whole.members if building.id in whole.buildings.get(one.id, {building.id})]
    return Responsible(grid, members, whole.guides, whole.buildings, whole.deputies)


def _of(session: Session, actor: Actor, grid: units.Unit, guides: Sequence[Guide]) -> Responsible:
    members = posts.of_grid(session, actor, grid.id)
    wardens = [one.id for one in members if one.post == Post.BUILDING_WARDEN]
    away = {row.account_id: row for row in _away(session, actor, grid.id)}
    deputies = {
        one.id: (away[one.account_id].deputy, away[one.account_id].valid.upper - timedelta(days=1))
        for one in members
        if one.account_id in away
    }
    return Responsible(grid, members, guides, dict(posts.minded(session, actor, wardens)), deputies)


def _away(session: Session, actor: Actor, grid_id: int) -> Sequence[Row[Any]]:
    stand_in = accounts.StandIn
    query: Rows = (
        select(stand_in.account_id, Account.name.label("deputy"), stand_in.valid)
        .join(Account, Account.id == stand_in.deputy_id)
        .where(stand_in.grid_id == grid_id, stand_in.valid.contains(settings.today()))
    )
    return session.execute(access.visible(query, actor, stand_in)).all()
