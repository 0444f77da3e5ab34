"""What an export hands out: the layers, their columns, and what these are called in Chinese.

A column that an import knows is called as the import's field is (``data/reference/fields.csv``), so a file that was
exported can be imported again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from data import buildings, diary, disputes, grids, incidents, movements, units
from data.base import access, listing, reference
from data.base.access import Actor, Area, Rows
from data.base.errors import Invalid
from data.base.language import _
from data.buildings import Building, Dwelling
from data.diary import DiaryEntry
from data.disputes import Dispute
from data.files.columns import Kind, fields, kept
from data.households import (
    Household,
    HouseholdGroup,
    Resident,
    Tenancy,
    TenancyTenant,
    homes,
    residents,
    tenancies,
)
from data.incidents import Incident
from data.movements import Movement
from data.units import Unit


@dataclass(frozen=True)
class Column:
    """A column of a file.

    Attributes
    ----------
    name
        What it is called in a file with English headings.
    source
        Where it comes from: an expression, or the name of a column of the selection; ``None``: the same name.
    words
        The list its codes are from, empty where it holds none.
    """

    name: str
    source: Any = None
    words: str = ""

    def of(self, query: Rows) -> Any:
        """The expression of the column for a selection."""
        if self.source is None or isinstance(self.source, str):
            return query.selected_columns[self.source or self.name]
        return self.source


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One kind of record that can be exported.

    Attributes
    ----------
    read
        The permission one needs to see it.
    filter, selection
        The feature's own: which rows there are, and what the actor sees of them.
    within
        The condition that a row lies in an area.
    community, grid
        A row's community, and its grid today; ``None`` where it has none.
    columns
        The columns of the file as they are on a day.
    shape
        The shape (EPSG:4326) on a day, given the selection.
    order
        What the rows are sorted by.
    place
        The point that tells the grid on another day; ``None`` for what is itself a grid, or above one.
    own_place
        Whether a row's place is its own, and not that of its dwelling.
    kind
        What an import calls it, if there is one.
    people
        Whether it holds personal data.
    """

    name: str
    read: str
    filter: type[Any]
    selection: Callable[[Actor, Any], Rows]
    within: Callable[[Area], ColumnElement[bool]]
    community: Any
    grid: Any
    columns: Callable[[date], list[Column]]
    shape: Callable[[Rows, date | None], Any]
    order: tuple[Any, ...]
    place: Any = None
    own_place: bool = False
    kind: Kind | None = None
    people: bool = False


_IN_GRID = (Column("grid_code"), Column("grid_name"))
_LOCATED = (
    Column("located_by", words="located_by"),
    Column("located_score"),
    Column("unlocated_reason", words="unlocated_reason"),
)


def _plain(*names: str) -> list[Column]:
    return [Column(name) for name in names]


def _others(kind: Kind, table: type[Any], columns: Iterable[Column]) -> list[Column]:
    """The fields that an import writes to columns of the table and that are not among ``columns``."""
    known = {column.name for column in columns}
    return [
        Column(one.name, words=one.choices) for one in kept(kind, table.__table__.c.keys()) if one.name not in known
    ]


# Units and grids


def _unit_columns(_day: date) -> list[Column]:
    return [
        Column("level", words="level"),
        *_plain("code", "name", "phone", "parent_code", "parent_name", "metric_crs"),
        *_plain("household_min", "household_max", "people_min", "people_max"),
    ]


def _unit_shape(_query: Rows, day: date | None) -> Any:
    return grids.outline(Unit.id, day)


def _grid_columns(_day: date) -> list[Column]:
    bounds = _plain("household_min", "household_max", "people_min", "people_max")
    return [*_plain("code", "name", "phone"), *bounds, *_plain("community_code", "community_name")]


def _grid_shape(query: Rows, _day: date | None) -> Any:
    return query.selected_columns["geom"]


def _among_grids(area: Area) -> ColumnElement[bool]:
    return access.in_area(area, Unit.community_id, Unit.id)


# Buildings and what lies in them


def _building_columns(_day: date) -> list[Column]:
    kind = Column("kind", words="building_kind")
    return [*_plain("code", "number", "name", "address"), kind, *_plain("floors", "unit_count"), *_IN_GRID, *_LOCATED]


def _building_shape(_query: Rows, _day: date | None) -> Any:
    return Building.geom


def _at_building(_query: Rows, _day: date | None) -> Any:
    return Building.point


def _dwelling_columns(_day: date) -> list[Column]:
    use = Column("use", words="dwelling_use")
    named = Column("building", "building_number")
    return [named, *_plain("building_code", "unit", "floor", "room"), use, *_plain("area_m2"), *_IN_GRID]


def _household_columns(day: date) -> list[Column]:
    member = (Resident.household_id == Household.id, Resident.here(day))
    held = (HouseholdGroup.household_id == Household.id, HouseholdGroup.valid.contains(day))
    groups = func.array_agg(aggregate_order_by(HouseholdGroup.group_code, HouseholdGroup.group_code))
    head = Resident.id == Household.head_id
    return [
        Column("number"),
        Column("building", "building_number"),
        Column("unit"),
        Column("floor", Dwelling.floor),
        Column("room"),
        Column("address"),
        Column("head_name"),
        Column("identity_number", _of(Household, select(Resident.identity_number).where(head))),
        Column("phone"),
        Column("hukou", words="hukou"),
        Column("workplace", _of(Household, select(Resident.workplace).where(head))),
        Column("members", _of(Household, select(_names()).where(*member))),
        Column("people", _of(Household, select(func.count(Resident.id)).where(*member))),
        Column("use", Dwelling.use, words="dwelling_use"),
        Column("groups", _of(Household, select(groups).where(*held)), words="special_groups"),
        Column("area_m2", Dwelling.area_m2),
        Column("note"),
        *_IN_GRID,
        *_LOCATED,
    ]


def _resident_columns(_day: date) -> list[Column]:
    return [
        Column("household", "household_number"),
        *_plain("name", "former_name", "identity_number"),
        Column("sex", words="sex"),
        Column("born_on"),
        Column("ethnicity", words="ethnicity"),
        Column("native_place"),
        Column("marital_status", words="marital_status"),
        Column("political_status", words="political_status"),
        Column("education", words="education"),
        *_plain("occupation", "workplace", "phone", "registered_address"),
        Column("building", "building_number"),
        *_plain("unit", "room"),
        Column("relation", words="relation"),
        Column("status", words="resident_status"),
        *_plain("inflow_reason", "permit_kind", "permit_number", "registered_on", "expires_on", "health", "note"),
        *_IN_GRID,
    ]


def _tenancy_columns(_day: date) -> list[Column]:
    tenants = select(_names()).join(TenancyTenant, TenancyTenant.resident_id == Resident.id)
    return [
        Column("building", "building_number"),
        *_plain("unit", "room", "landlord_name", "landlord_phone"),
        Column("tenants", _of(Tenancy, tenants.where(TenancyTenant.tenancy_id == Tenancy.id))),
        Column("valid_from", func.lower(Tenancy.valid)),
        Column("valid_to", func.upper(Tenancy.valid)),
        *_plain("purpose", "hazard", "note"),
        *_IN_GRID,
    ]


def _names() -> Any:
    return func.array_agg(aggregate_order_by(Resident.name, Resident.id))


def _of(table: type[Any], query: Any) -> Any:
    return query.correlate(table).scalar_subquery()


# Incidents


def _incident_columns(_day: date) -> list[Column]:
    columns = [
        Column("number"),
        Column("category", "category_code", words="categories"),
        Column("state", words="incident_state"),
        *_plain("reported_at", "due_at", "closed_at"),
        Column("overdue", words="yes_no"),
        Column("service_team_name"),
        Column("address"),
        Column("building", "building_number"),
        Column("description"),
        Column("source", words="incident_source"),
    ]
    return [*columns, *_others(Kind.INCIDENTS, Incident, columns), *_IN_GRID, *_LOCATED]


def _incident_shape(_query: Rows, _day: date | None) -> Any:
    return Incident.geom


# The diary


def _diary_columns(_day: date) -> list[Column]:
    subject, standing = Column("subject", words="diary_subject"), Column("standing", words="diary_standing")
    said = _plain("at", "said", "answer", "solved_at", "account_name")
    place = [Column("household", "household_number"), Column("building", "building_number")]
    return [subject, standing, *said, *place, *_IN_GRID]


def _diary_shape(_query: Rows, _day: date | None) -> Any:
    return diary.PLACE


# Disputes: how many parties there are, never who they are


def _dispute_columns(_day: date) -> list[Column]:
    listed = [Column(name, words=f"dispute_{name}") for name in ("kind", "level", "step")]
    told = _plain("reported_at", "story", "parties", "sessions", "agreement", "settled_at", "call_on", "ended_at")
    return [*listed, *told, Column("building", "building_number"), *_IN_GRID]


# Movements: what happened where and when, never to whom


def _movement_columns(_day: date) -> list[Column]:
    reach = Column("reach", words="movement_reach")
    door = [Column("household", "household_number"), Column("building", "building_number"), *_plain("unit", "room")]
    return [Column("kind", words="movement_kind"), *_plain("happened_on"), reach, *door, *_IN_GRID]


LAYERS = {
    layer.name: layer
    for layer in (
        Layer(
            name="units",
            read=Unit.__read__,
            filter=units.Filter,
            selection=units.selection,
            within=Unit.within,
            community=Unit.community_id,
            grid=None,
            columns=_unit_columns,
            shape=_unit_shape,
            order=(Unit.code, Unit.id),
        ),
        Layer(
            name="grids",
            read="grid.read",
            filter=grids.Filter,
            selection=grids.selection,
            within=_among_grids,
            community=Unit.community_id,
            grid=Unit.id,
            columns=_grid_columns,
            shape=_grid_shape,
            order=(Unit.code, Unit.id),
            kind=Kind.GRIDS,
        ),
        Layer(
            name="buildings",
            read=Building.__read__,
            filter=buildings.Filter,
            selection=buildings.selection,
            within=Building.within,
            community=Building.community_id,
            grid=Building.grid_id,
            columns=_building_columns,
            shape=_building_shape,
            place=Building.point,
            own_place=True,
            order=(listing.number_in(Building.number), Building.id),
            kind=Kind.BUILDINGS,
        ),
        Layer(
            name="dwellings",
            read=Dwelling.__read__,
            filter=buildings.DwellingFilter,
            selection=buildings.dwelling_selection,
            within=Dwelling.within,
            community=Dwelling.community_id,
            grid=Building.grid_id,
            columns=_dwelling_columns,
            shape=_at_building,
            place=Building.point,
            order=(listing.number_in(Building.number), Dwelling.unit, listing.number_in(Dwelling.room), Dwelling.id),
        ),
        Layer(
            name="households",
            read=Household.__read__,
            filter=homes.Filter,
            selection=homes.selection,
            within=Household.within,
            community=Household.community_id,
            grid=Building.grid_id,
            columns=_household_columns,
            shape=_at_building,
            place=Building.point,
            order=(Household.number, Household.id),
            kind=Kind.HOUSEHOLDS,
            people=True,
        ),
        Layer(
            name="residents",
            read=Resident.__read__,
            filter=residents.Filter,
            selection=residents.selection,
            within=Resident.within,
            community=Resident.community_id,
            grid=Building.grid_id,
            columns=_resident_columns,
            shape=_at_building,
            place=Building.point,
            order=(Household.number, Resident.id),
            kind=Kind.RESIDENTS,
            people=True,
        ),
        Layer(
            name="tenancies",
            read=Tenancy.__read__,
            filter=tenancies.Filter,
            selection=tenancies.selection,
            within=Tenancy.within,
            community=Tenancy.community_id,
            grid=Building.grid_id,
            columns=_tenancy_columns,
            shape=_at_building,
            place=Building.point,
            order=(listing.number_in(Building.number), Dwelling.unit, listing.number_in(Dwelling.room), Tenancy.id),
            people=True,
        ),
        Layer(
            name="incidents",
            read=Incident.__read__,
            filter=incidents.Filter,
            selection=incidents.selection,
            within=Incident.within,
            community=Incident.community_id,
            grid=Incident.grid_id,
            columns=_incident_columns,
            shape=_incident_shape,
            place=func.coalesce(Incident.geom, Building.point),
            own_place=True,
            order=(Incident.number, Incident.id),
            kind=Kind.INCIDENTS,
        ),
        Layer(
            name="diary",
            read=DiaryEntry.__read__,
            filter=diary.Filter,
            selection=diary.selection,
            within=DiaryEntry.within,
            community=DiaryEntry.community_id,
            grid=DiaryEntry.grid_id,
            columns=_diary_columns,
            shape=_diary_shape,
            place=diary.PLACE,
            own_place=True,
            order=(DiaryEntry.at, DiaryEntry.id),
        ),
        Layer(
            name="disputes",
            read=Dispute.__read__,
            filter=disputes.Filter,
            selection=disputes.selection,
            within=Dispute.within,
            community=Dispute.community_id,
            grid=Dispute.grid_id,
            columns=_dispute_columns,
            shape=_at_building,
            place=Building.point,
            order=(Dispute.reported_at, Dispute.id),
        ),
        Layer(
            name="movements",
            read=Movement.__read__,
            filter=movements.Filter,
            selection=movements.selection,
            within=Movement.within,
            community=Movement.community_id,
            grid=Movement.grid_id,
            columns=_movement_columns,
            shape=_at_building,
            place=Building.point,
            order=(Movement.happened_on, Movement.id),
        ),
    )
}


def layer(name: str) -> Layer:
    """The layer of this name.

    Raises
    ------
    Invalid
    """
    if name not in LAYERS:
        raise Invalid(_("There is no layer “{name}”. There are: {names}.", name=name, names=", ".join(LAYERS)))
    return LAYERS[name]


# What things are called in Chinese


def title(wanted: Layer) -> str:
    """What a layer is called in Chinese.

    >>> title(LAYERS["households"])
    '家庭'
    """
    return _headings()[wanted.name, ""]


def headings(wanted: Layer, names: Iterable[str]) -> dict[str, str]:
    """What columns are called in Chinese; where an import knows one, so that it finds the field again.

    >>> headings(LAYERS["buildings"], ["kind", "grid_code"])
    {'kind': '楼栋类型', 'grid_code': '网格编码'}
    """
    known = {field.name: field.label_zh for field in fields(wanted.kind)} if wanted.kind else {}
    for (layer_name, name), heading in _headings().items():
        if layer_name in (wanted.name, "*"):
            known.setdefault(name, heading)
    return {name: known[name] for name in names}


def place_headings() -> dict[str, str]:
    """What the columns of coordinates are called in Chinese."""
    return {name: _headings()["*", name] for name in ("lon", "lat", "x", "y")}


@cache
def _headings() -> dict[tuple[str, str], str]:
    """Layer (``*`` for any) and field (empty for the layer itself) → what it is called."""
    return {(row["layer"], row["field"]): row["name_zh"] for row in reference.rows("export_headings")}


def words(choices: str) -> dict[str, str]:
    """Code → Chinese word of a list that the community does not edit; an import that reads the list knows the word.

    >>> words("sex")["2"], words("dwelling_use")["rented"]
    ('女', '租住')
    """
    if choices in reference.names():
        return reference.labels(choices)
    found: dict[str, str] = {}
    for row in reference.rows("words"):
        if row["list"] == choices:
            found.setdefault(row["code"], row["word"])
    return found
