"""Files out 导出: what an actor sees of a layer, as a file in any usual format.

The rows are those of the feature's own ``selection``, which lists, maps and API share, so a file holds what they show
for the same filter. They come from a server-side cursor in chunks and go to disk chunk by chunk: memory stays flat
whatever the size. What lies in a grid carries ``grid_code`` and ``grid_name``; what has no place is there too, with
``unlocated_reason``.

Personal fields leave masked. They leave in full only where the actor may unmask them, and for a purpose. Every export
is recorded in the audit, in the caller's transaction: hand the file over only after that has committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import shapely
from sqlalchemy import Row, func, null, select
from sqlalchemy.orm import Session

from data import grids, units
from data.base import access, audit, listing, secrets, settings
from data.base.access import Actor, Rows
from data.base.errors import Invalid
from data.base.language import _
from data.exchange import outgoing
from data.exchange.outgoing import Layer
from data.files import writing
from data.grids import UnlocatedReason
from data.households import MASKS, SpecialGroup, masked
from data.incidents import Category
from spatial import locating

if TYPE_CHECKING:
    import geopandas as gpd

CHUNK = 5_000
"""Rows that are in memory at a time."""
HEADINGS = ("en", "zh")
Progress = Callable[[int, int | None], None]
_LISTS_OF_NAMES = ("members", "tenants")
_UNRECORDED = ("text", "person")
_COMMUNITY, _GRID, _SHAPE, _PLACE = "community_", "grid_", "shape_", "place_"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported.

    Attributes
    ----------
    layer, format
        What, and as what.
    rows
        How many.
    unmasked
        In how many of them personal fields are in full.
    names
        For shapefiles: name of a column → its name in the file.
    notes
        Sentences on what one might not expect.
    """

    layer: str
    format: str
    rows: int
    unmasked: int = 0
    names: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The result for programs."""
        return {
            "layer": self.layer,
            "format": self.format,
            "rows": self.rows,
            "unmasked": self.unmasked,
            "names": self.names,
            "notes": self.notes,
        }


def stream(
    session: Session,
    actor: Actor,
    layer: str,
    community: units.Unit | None,
    target: str | Path | BinaryIO,
    *,
    format: str,  # noqa: A002 - the word people use for it
    crs: str | None = None,
    bbox: listing.Box | None = None,
    as_of: date | None = None,
    filters: Any = None,
    headings: str = "en",
    unmask_purpose: str | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write a layer to a file.

    Parameters
    ----------
    layer
        One of ``outgoing.LAYERS``.
    community
        Only of this community; ``None`` for all that the actor may export.
    target
        A path, which appears only when it is whole, or a binary stream.
    format
        One of ``writing.Format``.
    crs
        ``EPSG:4549``, ``GCJ-02`` …; longitude and latitude (EPSG:4326) by default.
    bbox
        Only what meets this box: west, south, east, north in degrees.
    as_of
        The grids, special groups and tenancies of this day instead of today's.
    filters
        The layer's own filter, as its list has it.
    headings
        ``en``: field names and codes; ``zh``: Chinese headings and words, which an import reads, too.
    unmask_purpose
        What personal fields are needed in full for.
    progress
        Told how many rows are done, and of how many.

    Raises
    ------
    Invalid
        The layer, format or coordinate system is unknown, or a purpose says nothing.
    Forbidden
        The actor may not export, not see the layer, or not unmask.
    """
    wanted = outgoing.layer(layer)
    chosen = writing.parse_format(format)
    if headings not in HEADINGS:
        raise Invalid(_("Headings are {values}.", values=", ".join(HEADINGS)), field="headings")
    access.require(actor, "exchange.export")
    access.require(actor, wanted.read)
    purpose = _purpose(actor, wanted, unmask_purpose)
    export = _Export(
        session,
        actor,
        wanted,
        community,
        bbox=bbox,
        as_of=as_of,
        filters=filters or wanted.filter(),
        chinese=headings == "zh",
        unmasking=purpose is not None,
    )
    written = writing.write(
        target,
        export.frames(progress),
        format=chosen,
        crs=crs or "EPSG:4326",
        layer_name=export.title,
        timezone=settings.get().timezone,
        place_headings=export.place_headings,
    )
    export.record(chosen, crs, purpose)
    notes = list(written.notes)
    if purpose and export.unmasked < export.rows:
        count = export.rows - export.unmasked
        notes.append(_("{count} rows stay masked: they lie where you may not see personal data in full.", count=count))
    return Exported(wanted.name, chosen, export.rows, export.unmasked, written.names, notes)


def _purpose(actor: Actor, wanted: Layer, text: str | None) -> str | None:
    """The purpose for which personal fields are unmasked, if there are any and one is stated."""
    if text is None or not wanted.people:
        return None
    if len(text.strip()) < 2:
        raise Invalid(_("State in a few words what the full data is needed for."), field="purpose")
    access.require(actor, "person.unmask")
    return text.strip()


class _Export:
    """One export under way: its query, and what has come out of it so far.

    Attributes
    ----------
    rows, unmasked, communities
        How many rows have come out, in how many of them personal fields are in full, and of which communities they are.
    shown
        Where personal fields may be in full.
    headings, words
        Column → its heading, and → its codes in words.
    """

    def __init__(
        self,
        session: Session,
        actor: Actor,
        layer: Layer,
        community: units.Unit | None,
        *,
        bbox: listing.Box | None,
        as_of: date | None,
        filters: Any,
        chinese: bool,
        unmasking: bool,
    ) -> None:
        self.session, self.actor, self.layer, self.community = session, actor, layer, community
        self.bbox, self.as_of, self.filters = bbox, as_of, filters
        self.rows = self.unmasked = 0
        self.communities: set[int] = set()
        self.shown = actor.area("person.unmask") if unmasking else access.Area()
        self.columns = layer.columns(as_of or settings.today())
        self.title, self.headings = layer.name, {column.name: column.name for column in self.columns}
        self.words: dict[str, dict[str, str]] = {}
        self.place_headings: dict[str, str] = {}
        if chinese:
            self.title, self.place_headings = outgoing.title(layer), outgoing.place_headings()
            self.headings = outgoing.headings(layer, self.headings)
            self.words = {column.name: self._words(column.words) for column in self.columns if column.words}
        self._divisions: dict[int, _Division] = {}

    def _words(self, choices: str) -> dict[str, str]:
        tables = {"categories": Category, "special_groups": SpecialGroup}
        if choices in tables:
            table: Any = tables[choices]
            return {row.code: row.name_zh for row in self.session.execute(select(table.code, table.name_zh))}
        return outgoing.words(choices)

    @property
    def by_place(self) -> bool:
        """Whether the grid of each row is that of another day, and has to be found."""
        return self.as_of is not None and self.layer.place is not None

    @property
    def _asks_for_place(self) -> bool:
        """Whether ``located`` in the filter is about the grid: of what lives in a dwelling, it is about that."""
        return self.layer.own_place and getattr(self.filters, "located", None) is not None

    def query(self) -> Rows:
        """What the actor may see and export under the filter: the columns of the file, and what it takes to make it."""
        layer, wanted = self.layer, self.filters
        if self.as_of and hasattr(wanted, "on"):
            wanted = replace(wanted, on=self.as_of)
        if self.as_of and hasattr(wanted, "current") and wanted.current is None:
            wanted = replace(wanted, current=True)
        if self.by_place:
            wanted = replace(wanted, grid=None, **{"located": None} if self._asks_for_place else {})
        query = layer.selection(self.actor, wanted)
        area = self.actor.area("exchange.export")
        if not area.everywhere:
            query = query.where(layer.within(area))
        if self.community is not None:
            query = query.where(layer.community == self.community.id)
        shape = layer.shape(query, self.as_of)
        if self.bbox:
            query = query.where(listing.in_box(shape, self.bbox))
        found = {column.name: column.of(query) for column in self.columns}
        found |= {_COMMUNITY: layer.community, _GRID: null() if layer.grid is None else layer.grid}
        found[_SHAPE] = func.ST_AsBinary(shape)
        if self.by_place:
            found[_PLACE] = func.ST_AsBinary(layer.place)
        labelled = [expression.label(name) for name, expression in found.items()]
        return query.with_only_columns(*labelled, maintain_column_froms=True).order_by(*layer.order)

    def frames(self, progress: Progress | None) -> Iterator[gpd.GeoDataFrame]:
        """The rows, chunk by chunk; at least one frame, so that a file without rows has its columns, too."""
        query = self.query()
        total = listing.count(self.session, query) if progress else None
        names = [*query.selected_columns.keys()]
        found = self.session.execute(query.execution_options(yield_per=CHUNK))
        read = 0
        for rows in found.partitions():
            yield self._frame(names, rows)
            read += len(rows)
            if progress:
                progress(read, total)
        if not read:
            yield self._frame(names, [])

    def _frame(self, names: Sequence[str], rows: Sequence[Row[Any]]) -> gpd.GeoDataFrame:
        import geopandas as gpd
        import pandas as pd

        cells = {name: [row[at] for row in rows] for at, name in enumerate(names)}
        if self.by_place:
            cells = self._placed(cells)
        if self.layer.people:
            self._mask(cells)
        for name, words in self.words.items():
            cells[name] = [_in_words(cell, words) for cell in cells[name]]
        self.rows += len(cells[_SHAPE])
        self.communities.update(cells[_COMMUNITY])
        # As objects, so that a whole number stays one beside an empty cell.
        frame = pd.DataFrame({heading: pd.Series(cells[name], dtype=object) for name, heading in self.headings.items()})
        return gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(_shapes(cells[_SHAPE]), crs=4326))

    def _placed(self, cells: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """The cells with the grids of the day, without rows that lay in another grid than the one asked for."""
        points = _shapes(cells[_PLACE])
        communities = np.array(cells[_COMMUNITY], dtype=np.int64)
        for community_id in np.unique(communities).tolist():
            division = self._division(community_id)
            at = np.flatnonzero(communities == community_id)
            for row, grid in zip(at.tolist(), division.locate(points[at]), strict=True):
                cells["grid_code"][row], cells["grid_name"][row] = grid
                if "unlocated_reason" in cells and self.layer.own_place and points[row] is not None:
                    cells["unlocated_reason"][row] = None if grid[0] else UnlocatedReason.OUTSIDE.value
        wanted, located = self.filters.grid, self.filters.located if self._asks_for_place else None
        if wanted is None and located is None:
            return cells
        kept = [
            row
            for row, code in enumerate(cells["grid_code"])
            if wanted in (None, code) and located in (None, code is not None)
        ]
        return {name: [column[row] for row in kept] for name, column in cells.items()}

    def _division(self, community_id: int) -> _Division:
        if community_id not in self._divisions:
            self._divisions[community_id] = _Division.of(self.session, community_id, self.as_of)
        return self._divisions[community_id]

    def _mask(self, cells: dict[str, list[Any]]) -> None:
        """Mask the personal fields of the rows that lie where the actor may not see them in full."""
        personal = [name for name in cells if name in MASKS]
        lists = [name for name in _LISTS_OF_NAMES if name in cells]
        for row, place in enumerate(zip(cells[_COMMUNITY], cells[_GRID], strict=True)):
            if self.shown.covers(*place):
                self.unmasked += 1
                continue
            for name, value in masked({name: cells[name][row] for name in personal}).items():
                cells[name][row] = value
            for name in lists:
                cells[name][row] = [secrets.mask_name(one) for one in cells[name][row] or ()]

    def record(self, chosen: writing.Format, crs: str | None, purpose: str | None) -> None:
        """Write into the audit that this was exported; and, if so, that personal fields were shown in full."""
        asked = {one.name: getattr(self.filters, one.name) for one in fields(self.filters)}
        asked = {name: audit.HIDDEN if name in _UNRECORDED else value for name, value in asked.items() if value}
        said = {"format": chosen, "rows": self.rows, "crs": crs, "bbox": self.bbox, "as_of": self.as_of, **asked}
        changes = {name: [None, str(value)] for name, value in said.items() if value is not None}
        place = self.community.id if self.community is not None else None
        if place is None and len(self.communities) == 1:
            (place,) = self.communities
        audit.record(
            self.session, self.actor, "export", self.layer.name, community_id=place, changes=changes, purpose=purpose
        )
        if purpose:
            changes["rows"] = [None, str(self.unmasked)]
            audit.record(
                self.session,
                self.actor,
                "unmask",
                self.layer.name,
                community_id=place,
                changes=changes,
                purpose=purpose,
            )


@dataclass(frozen=True)
class _Division:
    """How a community was divided on a day: boundaries, codes and names of its grids, by code."""

    areas: Any
    codes: list[str]
    names: list[str]

    @classmethod
    def of(cls, session: Session, community_id: int, day: date | None) -> _Division:
        """The division that held on a day."""
        shapes = grids.shapes(session, community_id, day)
        query = select(units.Unit.id, units.Unit.code, units.Unit.name).where(units.Unit.id.in_(shapes))
        called = {unit_id: (code, name) for unit_id, code, name in session.execute(query)}
        areas = np.array([*shapes.values(), None], dtype=object)[:-1]
        return cls(areas, [called[one][0] for one in shapes], [called[one][1] for one in shapes])

    def locate(self, points: Any) -> list[tuple[str | None, str | None]]:
        """Code and name of the grid of each point."""
        found = locating.points_in_areas(points, self.areas, self.codes)
        return [(self.codes[at], self.names[at]) if at >= 0 else (None, None) for at in found.tolist()]


def _shapes(cells: Sequence[Any]) -> Any:
    """Shapes from WKB; ``None`` where there is none."""
    shapes = np.empty(len(cells), dtype=object)
    shapes[:] = shapely.from_wkb([None if cell is None else bytes(cell) for cell in cells])
    return shapes


def _in_words(cell: Any, words: dict[str, str]) -> Any:
    if isinstance(cell, list):
        return [words.get(code, code) for code in cell]
    return words.get(str(cell).lower() if isinstance(cell, bool) else cell, cell)
