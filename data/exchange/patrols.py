"""Patrols from files: each track of a file becomes a patrol, or is sent back with a sentence.

A file that is handed in again brings nothing new: a patrol's id follows from the file's content.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from data import coverage, grids, patrols, units
from data.base import settings
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.exchange import tracks
from data.exchange.tracks import Recorded
from data.patrols import Patrol

if TYPE_CHECKING:
    from spatial.tracks import Cleaned

#: A track that comes nowhere nearer to the community is one of somewhere else, in metres.
NEAR_M = 500.0


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What became of one track of a file.

    Attributes
    ----------
    name
        What the file calls it.
    patrol_id
        The patrol it became; ``None`` when it was refused.
    known
        Whether it had been imported before.
    points, kept
        How many points it has, and how many of them are believed.
    dropped
        How many are not, by reason.
    refused
        Why it was not taken.
    note
        What was concluded of its times.
    """

    name: str | None
    patrol_id: int | None = None
    known: bool = False
    points: int = 0
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    refused: str | None = None
    note: str | None = None


def bring_in(
    session: Session,
    actor: Actor,
    content: bytes,
    name: str,
    *,
    community: units.Unit,
    grid_id: int | None = None,
    account_id: int | None = None,
    round_id: int | None = None,
    day: date | None = None,
) -> list[Imported]:
    """Import the tracks of a GPX or GeoJSON file as patrols, one for each person or track, and each day.

    Parameters
    ----------
    account_id
        Who walked, if not the actor; that needs ``patrol.edit``.
    day
        When tracks without times were walked.

    Raises
    ------
    Invalid
        The file is broken or holds no track, or none of its tracks can be taken; the sentence says why.
    """
    source, read = tracks.read_confined(content, name)
    zone = ZoneInfo(settings.get().timezone)
    found = [walk for recorded in read for walk in tracks.by_day(recorded, zone)]
    digest = hashlib.sha256(content).hexdigest()
    done = []
    for number, recorded in enumerate(found):
        uuid = uuid5(NAMESPACE_OID, f"{digest} {number} {community.code}")
        there = session.scalar(select(Patrol).where(Patrol.uuid == uuid))
        cleaned, x, y = patrols.cleaned_track(session, community.id, recorded.track)
        report = _looked_at(session, community, recorded, day, cleaned, x, y)
        if report.refused is None:
            patrol = there or patrols.start(
                session,
                actor,
                uuid=uuid,
                community_id=community.id,
                grid_id=grid_id,
                round_id=round_id,
                account_id=account_id,
                source=source,
                name=recorded.name,
                **_span(recorded, cleaned, day),
            )
            if there is None:
                patrols.add_track(session, actor, patrol, recorded.track)
                coverage.refresh(session, patrol)
            report = Imported(**{**vars(report), "patrol_id": patrol.id, "known": there is not None})
        done.append(report)
    if not any(one.patrol_id for one in done):
        raise Invalid(done[0].refused or "", tracks=[one.refused for one in done])
    return done


def _looked_at(
    session: Session,
    community: units.Unit,
    recorded: Recorded,
    day: date | None,
    cleaned: Cleaned,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
) -> Imported:
    """What is left of a track, or why it cannot be taken."""
    track = recorded.track
    kept = int(cleaned.kept.sum())
    dropped = {reason.value: count for reason, count in cleaned.counts().items()}
    label = recorded.name or _("without a name")
    refused = None
    if kept < 2:
        refused = _too_little(label, len(track), dropped)
    elif (away_m := _away_m(session, community, x[cleaned.kept], y[cleaned.kept])) > NEAR_M:
        refused = _(
            "The track “{name}” lies {km} km away from {community}.",
            name=label,
            km=f"{away_m / 1000:,.1f}",
            community=community.name,
        )
    elif not cleaned.timed and day is None:
        refused = _("The track “{name}” has no time that can be true. Say on which day it was walked.", name=label)
    note = None
    if recorded.zoneless and cleaned.timed:
        first = track.at[cleaned.kept].min().astype("datetime64[us]").item().replace(tzinfo=UTC)
        here = first.astimezone(ZoneInfo(settings.get().timezone))
        note = _(
            "Its times name no zone and were read as UTC, so that it began at {time} here.",
            time=f"{here:%Y-%m-%d %H:%M}",
        )
    return Imported(name=recorded.name, points=len(track), kept=kept, dropped=dropped, refused=refused, note=note)


def _too_little(label: str, points: int, dropped: dict[str, int]) -> str:
    first = next(iter(dropped), None)
    if first == "undefined":
        return _("No point of the track “{name}” has coordinates.", name=label)
    if first in ("too_fast", "jump", "sudden"):
        return _("Nobody walked or cycled the track “{name}”: it is too fast throughout.", name=label)
    return _("Of the {points} points of the track “{name}” fewer than two can be believed.", points=points, name=label)


def _away_m(session: Session, community: units.Unit, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """From the nearest point to the community, in metres; 0 for one that is not drawn yet."""
    from spatial.datums import reproject

    shapes = np.array([*grids.shapes(session, community.id).values()], dtype=object)
    if not len(shapes):
        return 0.0
    outline = shapely.union_all(reproject(shapes, "EPSG:4326", community.metric_crs))
    shapely.prepare(outline)
    return float(shapely.distance(outline, shapely.points(x, y)).min())


def _span(recorded: Recorded, cleaned: Cleaned, day: date | None) -> dict[str, datetime]:
    """When a track began and ended: by its kept points, else noon of the day that was said."""
    if not cleaned.timed:
        assert day is not None
        noon = datetime.combine(day, time(12), ZoneInfo(settings.get().timezone))
        return {"started_at": noon, "stopped_at": noon}
    at = recorded.track.at[cleaned.kept]
    first, last = (one.astype("datetime64[us]").item().replace(tzinfo=UTC) for one in (at.min(), at.max()))
    return {"started_at": first, "stopped_at": last}
