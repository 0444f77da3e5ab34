"""Grids from files: areas that tile the community, from today on.

The file's grids are known by their code, else by their name. What the file does not name keeps its boundary, so grids
can be brought in part by part; an overlap with them is as wrong as one within the file. Grids without a code are
numbered after the highest code there is, from the north-west to the south-east.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from data import grids, plans, units
from data.base import bulk, settings
from data.base.errors import Invalid
from data.base.language import _
from data.exchange.importing import shapes
from data.exchange.importing.batch import Batch, Geometries
from data.files import remedies
from data.files.values import RejectKind

#: A gap that is narrower (metres) was hardly meant.
SLIVER_M = 5.0
_NAMED = 5
_BOUNDS = ("household_min", "household_max", "people_min", "people_max")
#: Where the fields of a file are kept.
TABLES = (units.Unit,)


def load(batch: Batch) -> None:
    """Bring a batch of grids in."""
    shapes.simplify_collections(batch)
    shapes.close_lines(batch)
    shapes.require(batch, shapes.AREAS, _("an area"), missing_too=True)
    shapes.repair(batch)
    keys = [code or name for code, name in zip(batch.column("code"), batch.column("name"), strict=True)]
    batch.reject_repeated(keys, lambda at: _("The grid {key}", key=keys[at]))
    _check_bounds(batch)
    known = _known(batch.session, batch.community)
    _reject_taken_codes(batch, known)
    batch.settle()
    held = grids.shapes(batch.session, batch.community.id)
    if batch.clean_m:
        _clean(batch)
    matched = _matched(batch, known)
    _keep_held(batch, matched, held)
    coming = {unit.id for unit in matched if unit}
    others = {known_id: shape for known_id, shape in held.items() if known_id not in coming}
    _reject_overlaps(batch, others)
    batch.settle()
    matched = _matched(batch, known)
    batch.begin("Writing")
    ids, changed = _write_units(batch, matched)
    drawn = dict(zip(ids, batch.geometries, strict=True))
    moved = [unit_id for unit_id, shape in drawn.items() if shape is not held.get(unit_id)]
    if moved:
        by_code = _order(batch.session, {**others, **drawn})
        _take_effect(batch, by_code)
    batch.report.new = sum(unit is None for unit in matched)
    batch.report.updated = len((changed | set(moved)) & {unit.id for unit in matched if unit})
    batch.report.unchanged = batch.count - batch.report.new - batch.report.updated
    batch.count_located({"point": batch.count})


def _take_effect(batch: Batch, by_code: dict[int, Any]) -> None:
    """The boundaries become a plan that takes effect at once; buildings that they cut are named."""
    name = _("Import of {day}", day=settings.today().isoformat())
    _plan, cut = plans.enact(batch.session, batch.actor, batch.community, by_code, name=name)
    if note := plans.cut_note(cut):
        batch.report.notes.append(note)


def _keep_held(batch: Batch, matched: list[units.Unit | None], held: dict[int, Any]) -> None:
    """Take the boundaries that grids have for those that are the same within a millimetre."""
    from spatial.shapes import same

    theirs = np.array([held.get(unit.id) if unit else None for unit in matched], dtype=object)
    for at in np.flatnonzero(same(batch.geometries, theirs)).tolist():
        batch.geometries[at] = theirs[at]


def _known(session: Session, community: units.Unit) -> list[units.Unit]:
    query = select(units.Unit).where(units.Unit.parent_id == community.id, units.Unit.level == units.Level.GRID)
    return list(session.scalars(query.order_by(units.Unit.code)))


def _matched(batch: Batch, known: list[units.Unit]) -> list[units.Unit | None]:
    """The grid that each row is, by its code, else by its name; ``None`` for a new one."""
    by_code = {unit.code: unit for unit in known}
    by_name = {unit.name: unit for unit in known}
    return [
        by_code.get(code) if code else by_name.get(name)
        for code, name in zip(batch.column("code"), batch.column("name"), strict=True)
    ]


def _check_bounds(batch: Batch) -> None:
    for low, high in (_BOUNDS[:2], _BOUNDS[2:]):
        for at, (least, most) in enumerate(zip(batch.column(low), batch.column(high), strict=True)):
            if least is not None and most is not None and least > most:
                batch.reject(
                    at,
                    _("The lower bound {least} is above the upper bound {most}.", least=least, most=most),
                    _("Exchange the two."),
                )


def _reject_taken_codes(batch: Batch, known: list[units.Unit]) -> None:
    """Reject codes that belong to units elsewhere."""
    ours = {unit.code for unit in known}
    codes = [code for code in batch.column("code") if code and code not in ours]
    taken = set(batch.session.scalars(select(units.Unit.code).where(units.Unit.code.in_(codes))))
    for at, code in enumerate(batch.column("code")):
        if code in taken:
            batch.reject(
                at,
                _("The code {code} belongs to a unit outside this community.", code=code),
                _("Give the grid a code of its own, or choose the other community."),
                RejectKind.DUPLICATE,
            )


def _clean(batch: Batch) -> None:
    """Close gaps and overlaps within the file up to the tolerance; what is wider is rejected or listed later on."""
    from spatial.partition import cleaning

    assert batch.clean_m is not None
    crs = batch.community.metric_crs
    if not batch.clean_m > 0:
        raise Invalid(_("Gaps are closed up to a width above 0 metres, not {width}.", width=batch.clean_m))
    before = [len(find(batch.geometries, crs)) for find in (cleaning.overlaps, cleaning.gaps)]
    try:
        batch.geometries = cleaning.clean(batch.geometries, batch.clean_m, crs).geometries
    except cleaning.OverlapTooWide:
        return
    except cleaning.CannotClean as error:
        raise Invalid(
            _("Closing gaps of {width} m would make a grid vanish. Give a smaller width.", width=batch.clean_m)
        ) from error
    after = [len(find(batch.geometries, crs)) for find in (cleaning.overlaps, cleaning.gaps)]
    batch.report.notes.append(
        _(
            "{overlaps} overlaps and {gaps} gaps up to {width} m wide were closed.",
            overlaps=before[0] - after[0],
            gaps=before[1] - after[1],
            width=batch.clean_m,
        )
    )


def _reject_overlaps(batch: Batch, others: dict[int, Any]) -> None:
    """Reject what overlaps a row before it, or a grid that the file does not name; list slivers."""
    from spatial.partition import cleaning

    crs = batch.community.metric_crs
    together: Geometries = np.array([*batch.geometries, *others.values()], dtype=object)
    found = cleaning.overlaps(together, crs)
    for pair in zip(*(found[name].tolist() for name in ("left", "right", "area_m2", "width_m")), strict=True):
        if pair[0] < batch.count:
            _reject_pair(batch, *pair)
    gaps = cleaning.gaps(batch.geometries, crs)
    slivers = gaps[gaps["width_m"] < SLIVER_M]
    if len(slivers):
        listed = _("; ").join(f"{area:.1f} m²" for area in slivers["area_m2"].tolist()[:_NAMED])
        batch.report.notes.append(
            _(
                "{count} slivers between grids belong to none: {areas}{more}. {remedy}",
                count=len(slivers),
                areas=listed,
                more=" …" if len(slivers) > _NAMED else "",
                remedy=remedies.close_gaps(),
            )
        )


def _reject_pair(batch: Batch, left: int, right: int, area_m2: float, width_m: float) -> None:
    """Reject one of two rows that overlap: the later one, unless the earlier is out already."""
    if left in batch.rejected or right in batch.rejected:
        return
    at = right if right < batch.count else left
    inside = right < batch.count
    other = _("row {row}", row=batch.rows[left]) if inside else _("a grid of the community that is not in the file")
    batch.reject(
        at,
        _("It overlaps {other} by {area:.2f} m² ({width:.2f} m wide).", other=other, area=area_m2, width=width_m),
        remedies.close_overlaps(),
        RejectKind.PLACE,
    )


def _write_units(batch: Batch, matched: list[units.Unit | None]) -> tuple[list[int], set[int]]:
    """Make or change the units; returns the unit id of each row, and the ids of those that were changed."""
    changed = set()
    for at, unit in enumerate(matched):
        if unit is None:
            continue
        for name in ("name", "phone", *_BOUNDS):
            value = batch.column(name)[at]
            if value is not None and value != getattr(unit, name):
                setattr(unit, name, value)
                changed.add(unit.id)
    batch.session.flush()
    fresh = [at for at, unit in enumerate(matched) if unit is None]
    ids = iter(_insert_units(batch, fresh))
    return [unit.id if unit else next(ids) for unit in matched], changed


def _insert_units(batch: Batch, fresh: list[int]) -> list[int]:
    session, community = batch.session, batch.community
    if not fresh:
        return []
    table: Any = units.Unit.__table__
    ids = bulk.reserve_ids(session, table, len(fresh))
    codes = _codes(batch, fresh)
    names, phones = batch.column("name"), batch.column("phone")
    columns: dict[str, bulk.Values] = {
        "id": ids,
        "parent_id": bulk.Same(community.id),
        "community_id": bulk.Same(community.id),
        "level": bulk.Same(units.Level.GRID.value),
        "code": codes,
        "name": [names[at] or code for at, code in zip(fresh, codes, strict=True)],
        "phone": [phones[at] for at in fresh],
        "path": [[*community.path, unit_id] for unit_id in ids],
        "metric_crs": bulk.Same(community.metric_crs),
        **{name: [batch.column(name)[at] for at in fresh] for name in _BOUNDS},
    }
    bulk.load(session, table, columns)
    return ids


def _codes(batch: Batch, fresh: list[int]) -> list[str]:
    """The codes of new grids: the file's, else the community's code and the next number."""
    given = batch.column("code")
    if all(given[at] for at in fresh):
        return [given[at] for at in fresh]
    prefix = batch.community.code
    used = [
        int(found[1])
        for code in [*batch.session.scalars(select(units.Unit.code).where(units.Unit.code.startswith(prefix))), *given]
        if code and (found := re.fullmatch(re.escape(prefix) + r"(\d{3,4})", code))
    ]
    number = max(used, default=0)
    width = 3 if number + len(fresh) < 1000 else 4
    centres = shapely.centroid(batch.geometries[fresh])
    codes = {}
    for place in np.argsort(shapely.get_x(centres) - shapely.get_y(centres), kind="stable"):
        at = fresh[int(place)]
        if not given[at]:
            number += 1
        codes[at] = given[at] or f"{prefix}{number:0{width}d}"
    return [codes[at] for at in fresh]


def _order(session: Session, drawn: dict[int, Any]) -> dict[int, Any]:
    codes = grids.codes(session, list(drawn))
    return {unit_id: drawn[unit_id] for unit_id in sorted(drawn, key=lambda each: codes[each])}
