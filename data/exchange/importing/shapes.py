"""Shapes of a batch: of the right kind, valid, repaired where that keeps them; else their row is a reject."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import shapely
from sqlalchemy import text

from data.base.language import _
from data.exchange.importing.batch import Batch, Geometries
from data.files.values import RejectKind

AREAS = frozenset({"Polygon", "MultiPolygon"})
LINES = frozenset({"LineString", "MultiLineString"})
POINTS = frozenset({"Point", "MultiPoint"})
#: A repair must keep this share of the area.
KEPT_SHARE = 0.999
_NAMED = 5
_MULTI = [shapely.GeometryType.MULTIPOINT, shapely.GeometryType.MULTILINESTRING, shapely.GeometryType.MULTIPOLYGON]

#: What a fault of ``spatial.shapes`` means for people.
FAULTS = {
    "missing": "There is no shape.",
    "empty": "The shape is empty.",
    "not_finite": "The shape has coordinates that are no numbers.",
    "self_intersection": "The outline crosses itself at {place}.",
    "hole_outside": "A hole lies outside its outline at {place}.",
    "nested_holes": "One hole lies inside another at {place}.",
    "nested_shells": "One part lies inside another at {place}.",
    "disconnected": "Holes cut the area apart at {place}.",
    "duplicate_rings": "The same ring is there twice at {place}.",
    "too_few_points": "The outline has too few points.",
    "not_closed": "The outline is not closed.",
    "other": "The shape is not valid.",
}


def simplify_collections(batch: Batch) -> None:
    """Take collections for the parts they hold, and a multi-point of one point for that point."""
    shapes = batch.geometries
    kinds = shapely.get_type_id(shapes)
    collections = np.flatnonzero(kinds == shapely.GeometryType.GEOMETRYCOLLECTION)
    if len(collections):
        from spatial.shapes import as_multi

        shapes[collections] = as_multi(shapes[collections])
    lone = np.flatnonzero((kinds == shapely.GeometryType.MULTIPOINT) & (shapely.get_num_geometries(shapes) == 1))
    shapes[lone] = shapely.get_geometry(shapes[lone], 0)


def close_lines(batch: Batch) -> None:
    """Take closed lines for the areas they enclose, as drawing programs write them."""
    shapes = batch.geometries
    lines = shapely.get_type_id(shapes) == shapely.GeometryType.LINESTRING
    closed = np.flatnonzero(lines & shapely.is_closed(shapes) & (shapely.get_num_points(shapes) >= 4))
    if len(closed):
        corners, owners = shapely.get_coordinates(shapes[closed], return_index=True)
        shapes[closed] = shapely.polygons(shapely.linearrings(corners, indices=owners))
        batch.report.notes.append(_("{count} closed lines were taken for the areas they enclose.", count=len(closed)))


def outlines(shapes: Geometries) -> list[bytes | None]:
    """Shapes as bytes that are equal for the same shape: to 1e-7 degrees, wherever its rings begin, multi or not."""
    parts, several = shapely.get_num_geometries(shapes), np.isin(shapely.get_type_id(shapes), _MULTI)
    single = np.where(several & (parts == 1), shapely.get_geometry(shapes, 0), shapes)
    encoded: list[bytes | None] = shapely.to_wkb(
        shapely.normalize(shapely.set_precision(single, 1e-7, mode="pointwise"))
    ).tolist()
    return encoded


def keep_held(batch: Batch, table: str, codes: Sequence[str | None]) -> None:
    """Take the shapes that records have for those that are the same within a millimetre.

    Through another coordinate system and back a corner comes to lie some 1e-14 degrees beside itself.
    """
    from spatial.shapes import same

    query = text(f'SELECT code, ST_AsBinary(geom) FROM "{table}" WHERE community_id = :id AND geom IS NOT NULL')  # noqa: S608
    held = {code: bytes(shape) for code, shape in batch.session.execute(query, {"id": batch.community.id})}
    at = np.array([place for place, code in enumerate(codes) if code in held], dtype=np.int64)
    if not len(at):
        return
    theirs = shapely.from_wkb([held[str(codes[place])] for place in at.tolist()])
    unmoved = same(batch.geometries[at], theirs)
    batch.geometries[at[unmoved]] = theirs[unmoved]


def require(batch: Batch, kinds: Collection[str], what: str, *, missing_too: bool = False) -> None:
    """Reject rows whose shape is of another kind, or missing where every row needs one.

    Parameters
    ----------
    what
        What it must be, in the current language.
    """
    allowed = {shapely.GeometryType[kind.upper()] for kind in kinds}
    found = shapely.get_type_id(batch.geometries)
    wrong = ~np.isin(found, [*allowed] if missing_too else [*allowed, -1])
    for at in np.flatnonzero(wrong):
        shape = batch.geometries[at]
        if shape is None:
            reason, advice = _("There is no shape."), _("Draw it, or delete the row.")
        else:
            reason = _("The shape is a {kind}; it must be {what}.", kind=_(shape.geom_type), what=what)
            advice = _("Give another shape, or import it as another kind.")
        batch.reject(int(at), reason, advice, RejectKind.PLACE)


def repair(batch: Batch) -> None:
    """Repair what is not valid and can be repaired, and reject what cannot."""
    shapes = batch.geometries
    broken = np.flatnonzero(~shapely.is_valid(shapes) & ~shapely.is_missing(shapes))
    broken = np.array([at for at in broken if at not in batch.rejected], dtype=np.int64)
    if not len(broken):
        return
    from spatial.shapes import Status
    from spatial.shapes import repair as mend

    repairs = mend(shapes[broken], KEPT_SHARE)
    listed = []
    for place, at in enumerate(broken.tolist()):
        fault = repairs.faults[place]
        assert fault is not None, "what is not valid has a fault"
        if repairs.status[place] == Status.REPAIRED:
            shapes[at] = repairs.geometries[place]
            listed.append(_("row {row} kept {share:.3%}", row=batch.rows[at], share=repairs.kept_share[place]))
            continue
        spot = f"{fault.values.get('x', 0.0):.6f}, {fault.values.get('y', 0.0):.6f}"
        share = repairs.kept_share[place]
        advice = _("Draw it anew.") if share == 0 else _("Draw it anew: a repair would keep {share:.1%}.", share=share)
        batch.reject(at, _(FAULTS[fault.code], place=spot), advice, RejectKind.PLACE)
    batch.report.repaired += len(listed)
    if listed:
        more = "" if len(listed) <= _NAMED else " …"
        batch.report.notes.append(
            _(
                "{count} shapes were not valid and were repaired: {rows}.",
                count=len(listed),
                rows=_("; ").join(listed[:_NAMED]) + more,
            )
        )
