"""What is done about a default point: its cases go where their addresses say."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from data import incidents, locating, units
from data.base import listing
from data.base.access import Actor, Rows
from data.incidents import Incident

#: Cases so close to a point, in degrees, lie on it: about a centimetre, as much as files round coordinates.
_SAME_DEG = 1e-7


def around(lon: float, lat: float) -> listing.Box:
    """The box in degrees of what lies on a default point."""
    return lon - _SAME_DEG, lat - _SAME_DEG, lon + _SAME_DEG, lat + _SAME_DEG


def relocate(
    session: Session, actor: Actor, communities: Iterable[units.Unit], *, lon: float, lat: float
) -> tuple[int, int]:
    """Put the cases on a default point to the buildings that their addresses name; the others stay.

    Returns
    -------
    tuple of int
        How many were moved, of how many that the actor sees there. Only those that the actor may edit are moved.
    """
    area = actor.area("incident.edit")
    moved = count = 0
    for community in communities:
        query: Rows = select(Incident).order_by(Incident.id)
        wanted = incidents.Filter(community=community.code, box=around(lon, lat))
        cases = session.scalars(incidents.narrowed(query, actor, wanted)).all()
        matches = locating.match_addresses(session, community, [case.address for case in cases])
        for case, match in zip(cases, matches, strict=True):
            if match.building_id is not None and area.covers(case.community_id, case.grid_id):
                incidents.move(session, actor, case, building_id=match.building_id)
                moved += 1
        count += len(cases)
    return moved, count
