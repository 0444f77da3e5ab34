"""Incidents from files: lists of another system, with points or addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import Row, exists, func, select, text

from data import incidents, locating
from data.base import bulk, changes, texts
from data.base.language import _
from data.exchange.importing import homes, lengths
from data.exchange.importing.batch import Batch
from data.files.columns import Kind, kept
from data.files.values import RejectKind
from data.incidents import STEP_OF, Action, Category, Incident, IncidentStep, State
from data.locating import Located
from spatial.shapes import MILLIMETRE

#: Where kinds go that the list of categories does not know; the kind is kept in the description.
OTHER = "other"
PLACE = bulk.Place(
    given=("geom", "building_id"),
    columns=("geom", "grid_id", "reported_grid_id", "building_id", "located_by", "located_score", "unlocated_reason"),
    follows=("grid_id", "reported_grid_id", "located_by", "located_score", "unlocated_reason"),
)
#: Where the fields of a file are kept.
TABLES = (Incident, IncidentStep)


def load(batch: Batch) -> None:
    """Bring a batch of incidents in."""
    batch.require_one_of("reported_at")
    _check(batch)
    batch.values["number"] = _numbers(batch)
    # A server that hands out its requests page by page repeats what stands on the border of two pages.
    batch.reject_repeated(
        batch.column("number"), lambda at: _("The number {number}", number=batch.column("number")[at]), alike=True
    )
    _categorise(batch)
    batch.settle()
    batch.begin("Locating")
    known = {one.number: one for one in _known(batch)}
    pointed = shapely.get_type_id(batch.geometries) >= 0
    located = locating.locate(batch.session, batch.community, batch.geometries, _addresses(batch))
    batch.count_places(located)
    homes.tell_rest(batch, located.rest)
    _house(batch, located, known, pointed)
    _close(batch)
    # How a case stands and what it is called are worked out above.
    fields = kept(Kind.INCIDENTS, Incident.__table__.c.keys())
    names = [field.name for field in fields if field.name not in ("number", "state")]
    columns: dict[str, bulk.Values] = {"number": batch.column("number"), "category_code": batch.column("category")}
    columns |= {name: batch.values[name] for name in names if batch.has(name)}
    if batch.has("state"):
        columns["step"] = _steps(batch, known)
    write(batch, columns, located)
    _take_over(batch)


def write(batch: Batch, columns: dict[str, bulk.Values], located: Located) -> None:
    """Write incidents whose rows are good and located.

    Parameters
    ----------
    columns
        Of the table, without those that say where an incident is.
    """
    batch.begin("Writing")
    everything: dict[str, bulk.Values] = {
        "community_id": bulk.Same(batch.community.id),
        **columns,
        "geom": bulk.wkb(batch.geometries),
        **located.columns(),
        "reported_grid_id": bulk.Same(None),
    }
    table: Any = Incident.__table__
    defaults = {"category_code": OTHER}
    if batch.is_first_load("incident"):
        with bulk.suspended(batch.session, table, batch.count):
            bulk.load(batch.session, table, everything, defaults=defaults, progress=batch.told)
        batch.report.new += batch.count
    else:
        key = ("community_id", "number")
        batch.count_merged(
            bulk.merge(
                batch.session,
                batch.actor,
                table,
                everything,
                key=key,
                place=PLACE,
                defaults=defaults,
                progress=batch.told,
            )
        )


def _check(batch: Batch) -> None:
    """Reject rows without a time, or with a shape that is no point."""
    for at, value in enumerate(batch.column("reported_at")):
        if value is None:
            batch.reject(at, _("The time of the report is missing."), _("Fill it in, such as 2026-03-18 09:30."))
    kinds = shapely.get_type_id(batch.geometries)
    for at in np.flatnonzero((kinds != shapely.GeometryType.POINT) & (kinds >= 0)).tolist():
        batch.reject(
            at,
            _("A case is at a point, not a {kind}.", kind=_(batch.geometries[at].geom_type)),
            _("Give a point, or longitude and latitude."),
            RejectKind.PLACE,
        )
    closed, reported = batch.column("closed_at"), batch.column("reported_at")
    early = sum(end < start for end, start in zip(closed, reported, strict=True) if end and start)
    if early:
        batch.report.notes.append(_("{count} cases close before they were reported; kept as they are.", count=early))


def _house(batch: Batch, located: Located, known: Mapping[str, Row[Any]], pointed: NDArray[np.bool_]) -> None:
    """Give cases with a point of their own the building they name, else the one they had at this point."""
    named = sorted({name for name, there in zip(batch.column("building"), pointed, strict=True) if name and there})
    matches = locating.match_addresses(batch.session, batch.community, list(named)) if named else []
    building_ids = {name: match.building_id for name, match in zip(named, matches, strict=True)}
    numbers, buildings = batch.column("number"), batch.column("building")
    points = np.column_stack((shapely.get_x(batch.geometries), shapely.get_y(batch.geometries)))
    for at in np.flatnonzero(pointed).tolist():
        before = known.get(numbers[at])
        stays = before is not None and before.lon is not None and _is_at(points[at], before)
        if before is not None and stays:
            # A spreadsheet keeps fifteen digits of a number; that is no other place.
            batch.geometries[at] = shapely.Point(before.lon, before.lat)
        if buildings[at]:
            located.building_id[at] = building_ids[buildings[at]] or located.building_id[at]
        elif before is not None and stays:
            located.building_id[at] = before.building_id


def _is_at(point: NDArray[np.float64], before: Row[Any]) -> bool:
    """Whether a point is where a case is already, to a millimetre."""
    return bool(np.hypot(point[0] - before.lon, point[1] - before.lat) <= MILLIMETRE)


def _close(batch: Batch) -> None:
    """Take the last change of a closed case for its closing, where the file does not say when that was."""
    if not batch.has("updated_at") or not batch.has("state"):
        return
    closed = list(batch.column("closed_at"))
    missing = [
        at
        for at, (state, when, updated) in enumerate(
            zip(batch.column("state"), closed, batch.column("updated_at"), strict=True)
        )
        if state == State.CLOSED and when is None and updated is not None
    ]
    for at in missing:
        closed[at] = batch.column("updated_at")[at]
    batch.values["closed_at"] = closed
    if missing:
        batch.report.notes.append(
            _(
                "{count} closed cases do not say when they were closed; the time of their last change was taken.",
                count=len(missing),
            )
        )


def _steps(batch: Batch, known: Mapping[str, Row[Any]]) -> list[str | None]:
    """The step of each case; none where the state is what it was, or where people here see to the case.

    Another system says how its cases stand. A case that is handled here is not moved on by a file.
    """
    steps: list[str | None] = []
    kept = 0
    for number, word in zip(batch.column("number"), batch.column("state"), strict=True):
        state = State(word) if word else None
        before = known.get(number)
        differs = state is not None and (before is None or state != before.state)
        handled = before is not None and before.handled
        kept += bool(differs and handled)
        steps.append(STEP_OF[state] if state is not None and differs and not handled else None)
    if kept:
        batch.report.notes.append(_("{count} cases are handled here; how they stand was left as it is.", count=kept))
    return steps


def _known(batch: Batch) -> Iterable[Row[Any]]:
    """The cases that are there already: ``number, state, building_id, lon, lat, handled`` (somebody here acted)."""
    if batch.is_first_load("incident"):
        return ()
    handled = (
        exists()
        .where(IncidentStep.incident_id == Incident.id)
        .where(IncidentStep.action.not_in((Action.REPORT, Action.TAKE_OVER)))
    )
    return batch.session.execute(
        select(
            Incident.number,
            Incident.state,
            Incident.building_id,
            func.ST_X(Incident.geom).label("lon"),
            func.ST_Y(Incident.geom).label("lat"),
            handled.label("handled"),
        ).where(Incident.community_id == batch.community.id)
    ).all()


def _take_over(batch: Batch) -> None:
    """Write down for cases that came in when they were reported and how they stand; give out numbers after theirs."""
    changes.touch(batch.session, "incident_step", [batch.community.id])
    for statement in (_REPORTED, _STANDS):
        batch.session.execute(text(statement), {"community": batch.community.id})
    if batch.has("note"):
        numbers = [number for number, note in zip(batch.column("number"), batch.column("note"), strict=True) if note]
        notes = [note for note in batch.column("note") if note]
        batch.session.execute(text(_SAID), {"community": batch.community.id, "numbers": numbers, "notes": notes})
    incidents.forget_numbers(batch.session, batch.community.id)


_REPORTED = """
    INSERT INTO incident_step (incident_id, community_id, grid_id, action, step, at, public, level)
    SELECT i.id, i.community_id, i.grid_id, 'report', 'reported', i.reported_at, true, i.level FROM incident i
    WHERE i.community_id = :community AND NOT EXISTS (SELECT FROM incident_step s WHERE s.incident_id = i.id)
    ORDER BY i.id
"""
_STANDS = """
    INSERT INTO incident_step (incident_id, community_id, grid_id, action, step, at, public, level)
    SELECT i.id, i.community_id, i.grid_id, 'take_over', i.step,
        CASE WHEN i.step = 'closed' THEN greatest(coalesce(i.closed_at, now()), i.reported_at) ELSE now() END,
        true, i.level
    FROM incident i
    WHERE i.community_id = :community AND i.step <> (
        SELECT s.step FROM incident_step s WHERE s.incident_id = i.id ORDER BY s.id DESC LIMIT 1)
    ORDER BY i.id
"""

#: What a file says was done belongs to the last step that was taken over from it.
_SAID = """
    UPDATE incident_step s SET note = f.note
    FROM unnest(CAST(:numbers AS text[]), CAST(:notes AS text[])) AS f(number, note), incident i
    WHERE i.community_id = :community AND i.number = f.number AND s.note IS DISTINCT FROM f.note AND s.id = (
        SELECT l.id FROM incident_step l WHERE l.incident_id = i.id AND l.action IN ('report', 'take_over')
        ORDER BY l.id DESC LIMIT 1)
"""


def _addresses(batch: Batch) -> Sequence[str | None]:
    """What each case is located by without a point: its address, else the building it names."""
    columns = (batch.column(name) for name in ("address", "building", "estate"))
    return [
        f"{estate or ''}{address or building}" if estate and (address or building) else address or building
        for address, building, estate in zip(*columns, strict=True)
    ]


def _numbers(batch: Batch) -> Sequence[str]:
    """The number of each case; a case without one gets one that follows from what it says, the same every time."""
    parts = [batch.column(name) for name in ("reported_at", "category", "address", "description")]
    numbers = list(batch.column("number"))
    for at, number in enumerate(numbers):
        if number is None:
            said = repr([str(part[at]) for part in parts] + [shapely.to_wkt(batch.geometries[at])])
            numbers[at] = f"f-{hashlib.sha256(said.encode()).hexdigest()[:12]}"
    return numbers


def _categorise(batch: Batch) -> None:
    """Find the category of each case by code, external code or name; what is none goes under ``other``."""
    known: dict[str, str] = {}
    for category in batch.session.scalars(select(Category)):
        for word in (category.code, category.external_code, category.name_zh, category.name_en):
            if word:
                known.setdefault(word.casefold(), category.code)
    codes, descriptions, unknown = [], list(batch.column("description")), set()
    for at, (word, outside) in enumerate(zip(batch.column("category"), batch.column("external_code"), strict=True)):
        code = known.get(outside.casefold()) if outside else None
        code = known.get(word.casefold()) if word and code is None else code
        if word and code is None:
            unknown.add(word)
            descriptions[at] = f"{word}：{descriptions[at]}" if descriptions[at] else word
            if len(descriptions[at]) > texts.LONG:
                lengths.reject(batch, at, Kind.INCIDENTS, "description", len(descriptions[at]), texts.LONG)
        codes.append(code)
    batch.values["category"] = codes
    if unknown:
        batch.values["description"] = descriptions
        listed = ", ".join(sorted(unknown)[:10])
        batch.report.notes.append(
            _(
                "{count} kinds are in no category and went under “other”: {kinds}. Enter them as external codes of a "
                "category and import once more to sort them.",
                count=len(unknown),
                kinds=listed,
            )
        )
