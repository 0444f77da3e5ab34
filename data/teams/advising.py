"""Guides 指导人员 of grids and line officers 对口专干 of fields of business."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

from sqlalchemy import case, delete, select
from sqlalchemy.orm import Session

from data import units
from data.base import access, audit, settings
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.teams.posts import span
from data.teams.tables import Guide, GuideGrid, GuideNotFound, LineOfficer, OfficerNotFound, Standing

_ORDER: Any = case({standing.value: place for place, standing in enumerate(Standing)}, value=Guide.level)


def guides(session: Session, actor: Actor, community_id: int | None, on: date | None = None) -> list[Guide]:
    """The guides of a community (or of all) on a day, those of the community first."""
    query = select(Guide).where(Guide.holds(on))
    if community_id is not None:
        query = query.where(Guide.community_id == community_id)
    return list(session.scalars(access.visible(query, actor, Guide).order_by(_ORDER, Guide.id)))


def advisers(session: Session, actor: Actor, community_id: int) -> dict[int, list[Guide]]:
    """Grid → its guides today."""
    by_id = {one.id: one for one in guides(session, actor, community_id)}
    query = select(GuideGrid.grid_id, GuideGrid.guide_id).where(GuideGrid.community_id == community_id)
    pairs = session.execute(access.visible(query, actor, GuideGrid)).all()
    held: dict[int, set[int]] = {}
    for grid_id, guide_id in pairs:
        held.setdefault(grid_id, set()).add(guide_id)
    return {grid_id: [one for guide_id, one in by_id.items() if guide_id in ids] for grid_id, ids in held.items()}


def grids_of(session: Session, actor: Actor, guide_ids: Collection[int]) -> dict[int, list[int]]:
    """Guide → the grids they are assigned to."""
    query = select(GuideGrid.guide_id, GuideGrid.grid_id).where(GuideGrid.guide_id.in_(guide_ids))
    assigned: dict[int, list[int]] = {}
    for guide_id, grid_id in session.execute(access.visible(query, actor, GuideGrid).order_by(GuideGrid.grid_id)):
        assigned.setdefault(guide_id, []).append(grid_id)
    return assigned


def guide(session: Session, actor: Actor, guide_id: int) -> Guide:
    """The guide with this id.

    Raises
    ------
    GuideNotFound
    """
    person = session.scalar(access.visible(select(Guide).where(Guide.id == guide_id), actor, Guide))
    if person is None:
        raise GuideNotFound(_("Not found, or outside your area."))
    return person


def appoint_guide(
    session: Session,
    actor: Actor,
    community: units.Unit,
    *,
    grids: Collection[int] = (),
    first: date | None = None,
    last: date | None = None,
    **values: Any,
) -> Guide:
    """A new guide, assigned to grids of the community."""
    access.require(actor, "team.edit", community.id)
    person = Guide(community_id=community.id, valid=span(first or settings.today(), last), **values)
    session.add(person)
    session.flush()
    _assign(session, actor, person, grids)
    return person


def change_guide(
    session: Session,
    actor: Actor,
    person: Guide,
    *,
    grids: Collection[int] | None = None,
    first: date | None = None,
    last: date | None = None,
    **values: Any,
) -> Guide:
    """Change fields of a guide, the days, and which grids they are assigned to."""
    access.require(actor, "team.edit", person.community_id)
    if first is not None:
        person.valid = span(first, last)
    for name, value in values.items():
        setattr(person, name, value)
    session.flush()
    if grids is not None:
        _assign(session, actor, person, grids)
    return person


def _assign(session: Session, actor: Actor, person: Guide, grid_ids: Collection[int]) -> None:
    wanted = set(grid_ids)
    below = select(units.Unit.id).where(units.Unit.id.in_(wanted), units.Unit.parent_id == person.community_id)
    if wanted - set(session.scalars(below)):
        raise Invalid(_("A guide is assigned to grids of their community."), field="grids")
    before = set(session.scalars(select(GuideGrid.grid_id).where(GuideGrid.guide_id == person.id)))
    if before == wanted:
        return
    session.execute(delete(GuideGrid).where(GuideGrid.guide_id == person.id))
    session.add_all(
        GuideGrid(guide_id=person.id, grid_id=grid_id, community_id=person.community_id) for grid_id in sorted(wanted)
    )
    changed = {"grids": [sorted(before), sorted(wanted)]}
    audit.record(session, actor, "update", "guide", person.id, community_id=person.community_id, changes=changed)
    session.flush()


def officers(session: Session, actor: Actor, community_id: int | None, on: date | None = None) -> Sequence[LineOfficer]:
    """The line officers of a community (or of all) on a day, by field."""
    query = select(LineOfficer).where(LineOfficer.holds(on))
    if community_id is not None:
        query = query.where(LineOfficer.community_id == community_id)
    return session.scalars(access.visible(query, actor, LineOfficer).order_by(LineOfficer.field, LineOfficer.id)).all()


def officer(session: Session, actor: Actor, officer_id: int) -> LineOfficer:
    """The line officer with this id.

    Raises
    ------
    OfficerNotFound
    """
    query = select(LineOfficer).where(LineOfficer.id == officer_id)
    person = session.scalar(access.visible(query, actor, LineOfficer))
    if person is None:
        raise OfficerNotFound(_("Not found, or outside your area."))
    return person


def appoint_officer(
    session: Session,
    actor: Actor,
    community: units.Unit,
    *,
    first: date | None = None,
    last: date | None = None,
    **values: Any,
) -> LineOfficer:
    """Somebody who is there for a field of business from a day on."""
    access.require(actor, "team.edit", community.id)
    person = LineOfficer(community_id=community.id, valid=span(first or settings.today(), last), **values)
    session.add(person)
    session.flush()
    return person


def change_officer(
    session: Session,
    actor: Actor,
    person: LineOfficer,
    *,
    first: date | None = None,
    last: date | None = None,
    **values: Any,
) -> LineOfficer:
    """Change fields of a line officer, and the days."""
    access.require(actor, "team.edit", person.community_id)
    if first is not None:
        person.valid = span(first, last)
    for name, value in values.items():
        setattr(person, name, value)
    session.flush()
    return person
