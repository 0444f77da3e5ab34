"""Units: the tree district 区 > street 街道 > community 社区 > grid 网格.

A unit carries what its level needs: a community its metric CRS, a grid its bounds of households and people. Codes are
given, not made up: the default scheme for grids is 15 digits, the community's code and a running number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, Row, false, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY, INTEGER, array
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from data.base import access, db, listing
from data.base.access import Actor, Rows
from data.base.errors import Conflict, Forbidden, Invalid, NotFound
from data.base.language import _
from spatial import datums

DEFAULT_METRIC_CRS = "EPSG:4549"  # CGCS2000 / 3-degree Gauss-Kruger CM 120E
HOUSEHOLD_BOUNDS = (150, 200)
PEOPLE_BOUNDS = (500, 700)


class UnitNotFound(NotFound):
    """There is no such unit, or it is outside the actor's area."""


class Level(StrEnum):
    """The levels of the tree, from the top."""

    DISTRICT = "district"
    STREET = "street"
    COMMUNITY = "community"
    GRID = "grid"


def level_names() -> dict[str, str]:
    """The levels of units."""
    return {"district": _("District"), "street": _("Street"), "community": _("Community"), "grid": _("Grid")}


class Unit(db.Dated, db.Table):
    """A district, street, community or grid."""

    __tablename__ = "unit"
    __read__ = "unit.read"
    __table_args__ = (
        CheckConstraint("level IN ('district', 'street', 'community', 'grid')", name="level"),
        CheckConstraint("(level IN ('street', 'community', 'grid')) = (parent_id IS NOT NULL)", name="parent"),
        CheckConstraint("(level IN ('community', 'grid')) = (community_id IS NOT NULL)", name="community"),
        CheckConstraint("household_min <= household_max AND people_min <= people_max", name="bounds"),
        Index("ix_unit_path", "path", postgresql_using="gin"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"), index=True)
    level: Mapped[str]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    phone: Mapped[str | None]
    #: The community a grid belongs to; a community's own id; empty above.
    community_id: Mapped[int | None] = mapped_column(
        ForeignKey("unit.id", deferrable=True, initially="DEFERRED"), index=True
    )
    #: The ids from the root down to the unit itself.
    path: Mapped[list[int]] = mapped_column(ARRAY(INTEGER))
    metric_crs: Mapped[str] = mapped_column(server_default=DEFAULT_METRIC_CRS)
    household_min: Mapped[int] = mapped_column(server_default=str(HOUSEHOLD_BOUNDS[0]))
    household_max: Mapped[int] = mapped_column(server_default=str(HOUSEHOLD_BOUNDS[1]))
    people_min: Mapped[int] = mapped_column(server_default=str(PEOPLE_BOUNDS[0]))
    people_max: Mapped[int] = mapped_column(server_default=str(PEOPLE_BOUNDS[1]))
    #: Whether a community shows everybody how many cases are open and settled where; see ``data.nearby``.
    open_map: Mapped[bool] = mapped_column(server_default=false())

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """Units lie in an area that covers them, or a unit below them."""
        return cls.id.in_(sorted(area.units))


db.sentences["uq_unit_code"] = "Another unit already has this code."

_BELOW = {
    Level.DISTRICT: None,
    Level.STREET: Level.DISTRICT,
    Level.COMMUNITY: Level.STREET,
    Level.GRID: Level.COMMUNITY,
}


def check_metric_crs(crs: str) -> str:
    """``crs`` if distances and areas can be computed in it, that is, if its axes are metres.

    Raises
    ------
    Invalid
        It is unknown, or geographic.
    """
    try:
        found = datums.parse_crs(crs)
    except datums.UnknownCrs as error:
        raise Invalid(_("“{crs}” is no known coordinate system. Give one such as EPSG:4549.", crs=crs)) from error
    if (
        isinstance(found, datums.Datum)
        or not found.is_projected
        or any(axis.unit_name != "metre" for axis in found.axis_info)
    ):
        raise Invalid(_("{crs} does not count in metres. Give a projected one such as EPSG:4549.", crs=crs))
    code = found.to_epsg()
    return f"EPSG:{code}" if code else crs


def get(session: Session, actor: Actor, unit_id: int) -> Unit:
    """The unit with this id.

    Raises
    ------
    UnitNotFound
    """
    # The area is looked at here: as a condition it would list every unit there is.
    found = session.get(Unit, unit_id) if actor.area(Unit.__read__).covers_unit(unit_id) else None
    if found is None:
        raise UnitNotFound(_("Not found, or outside your area."))
    return found


def by_code(session: Session, actor: Actor, code: str, level: Level | None = None) -> Unit:
    """The unit with this code, of this level if one is asked for.

    Raises
    ------
    UnitNotFound
    """
    found = session.scalar(access.visible(select(Unit).where(Unit.code == code), actor, Unit))
    if found is None or (level and found.level != level):
        raise UnitNotFound(_("There is no {level} with the code {code}.", level=_(level or "unit"), code=code))
    return found


def community(session: Session, actor: Actor, community_id: int) -> Unit:
    """The community with this id.

    Raises
    ------
    UnitNotFound
    """
    found = get(session, actor, community_id)
    if found.level != Level.COMMUNITY:
        raise UnitNotFound(_("Not found, or outside your area."))
    return found


def listed(session: Session, actor: Actor, *, level: Level | None = None, under: int | None = None) -> list[Unit]:
    """The units the actor may see, by code; of one level, or under one unit, if asked for."""
    query = access.visible(select(Unit), actor, Unit).order_by(Unit.code)
    if level:
        query = query.where(Unit.level == level)
    if under:
        query = query.where(Unit.path.contains([under]))
    return list(session.scalars(query))


def add(
    session: Session, actor: Actor, *, level: Level, code: str, name: str, parent: Unit | None = None, **values: Any
) -> Unit:
    """A new unit below ``parent``; a district takes ``unit.edit`` everywhere, anything else over the whole parent.

    Raises
    ------
    Forbidden, NotFound
        The parent is not the actor's to build on.
    Invalid
        The parent is of the wrong level, or ``metric_crs`` does not count in metres.
    Conflict
        The code is taken.
    """
    if parent is None:
        access.require_everywhere(actor, "unit.edit")
    else:
        require_whole(actor, "unit.edit", parent)
    wanted = _BELOW[level]
    if (parent.level if parent else None) != wanted:
        raise Invalid(
            _("A {level} belongs below a {parent}.", level=_(level), parent=_(wanted))
            if wanted
            else _("A district has no unit above it.")
        )
    if not code.strip() or not name.strip():
        raise Invalid(_("A unit needs a code and a name."))
    if session.scalar(select(Unit.id).where(Unit.code == code)):
        raise Conflict(_("Another unit already has the code {code}.", code=code), code=code)
    if "metric_crs" in values:
        check_metric_crs(values["metric_crs"])
    elif parent:
        values["metric_crs"] = parent.metric_crs
    unit_id = session.scalar(text("SELECT nextval(pg_get_serial_sequence('unit', 'id'))"))
    assert unit_id is not None
    unit = Unit(id=unit_id, level=level, code=code, name=name, parent_id=parent.id if parent else None, **values)
    unit.path = [*(parent.path if parent else []), unit_id]
    if level == Level.COMMUNITY:
        unit.community_id = unit_id
    elif level == Level.GRID:
        assert parent is not None
        unit.community_id = parent.id
    session.add(unit)
    session.flush()
    return unit


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which units: of a level, below the unit with a code, with a text in code or name."""

    level: Level | None = None
    under: str | None = None
    text: str | None = None


#: What units can be sorted by.
SORTS: dict[str, Any] = {"code": Unit.code, "name": Unit.name, "id": Unit.id, "updated": Unit.updated_at}


def odd_code(session: Session, unit: Unit) -> str | None:
    """What is strange about the code of a unit; None where it goes on as the codes above it do.

    Divisions are numbered in digits, each level going on from the one above (GB/T 10114): 310101, 310101001,
    310101001001. Other codes are allowed, and told.
    """
    above = session.scalar(select(Unit.code).where(Unit.id == unit.parent_id)) or ""
    if not above.isdecimal() or len(above) < 6 or (unit.code.isdecimal() and unit.code.startswith(above)):
        return None
    return _(
        "The code “{code}” does not go on from {above}, as codes of divisions do. Is it meant so?",
        code=unit.code,
        above=above,
    )


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The units the actor may see, a row each, with ``parent_code`` and ``parent_name``."""
    wanted = wanted or Filter()
    query = access.visible(rows(), actor, Unit)
    if wanted.level:
        query = query.where(Unit.level == wanted.level)
    if wanted.under:
        above = aliased(Unit)
        top = select(above.id).where(above.code == wanted.under).scalar_subquery()
        query = query.where(Unit.path.contains(array([top])), Unit.code != wanted.under)
    if wanted.text:
        query = query.where(or_(*(listing.containing(column, wanted.text) for column in (Unit.code, Unit.name))))
    return query


def above_grids(session: Session, actor: Actor) -> list[Unit]:
    """The districts, streets and communities the actor may see, by code; a city has few of them and many grids."""
    return list(
        session.scalars(access.visible(select(Unit).where(Unit.level != Level.GRID).order_by(Unit.code), actor, Unit))
    )


def metric_crs(communities: Collection[Unit]) -> str:
    """The metric reference system for several communities: the one that most of them have, else that of the first.

    Zones meet somewhere; a few kilometres beyond its edge a zone still measures to a few parts in ten thousand.
    """
    counted = Counter(one.metric_crs for one in sorted(communities, key=lambda one: one.code))
    return counted.most_common(1)[0][0] if counted else DEFAULT_METRIC_CRS


def full_name() -> ColumnElement[str]:
    """The expression for a unit's name after that of its community: among several, each has a first grid."""
    whole = aliased(Unit)
    community = select(whole.name).where(whole.id == Unit.community_id).correlate(Unit).scalar_subquery()
    return community + " " + Unit.name


def names(session: Session, ids: Collection[int]) -> dict[int, str]:
    """The names of units by their ids; those of places are no secret."""
    return dict(session.execute(select(Unit.id, Unit.name).where(Unit.id.in_(ids))).all())


def name_by_code(session: Session, actor: Actor, code: str) -> str | None:
    """The name of the unit with this code; ``None`` where the actor sees none."""
    name: str | None = session.scalar(access.visible(select(Unit.name).where(Unit.code == code), actor, Unit))
    return name


def has_any(session: Session) -> bool:
    """Whether there is any unit yet."""
    return session.scalar(select(Unit.id).limit(1)) is not None


def rows() -> Rows:
    """All units as ``selection`` gives them, for one that the actor was already shown to see."""
    parent = aliased(Unit)
    return select(
        *listing.columns(Unit, without=("path",)), parent.code.label("parent_code"), parent.name.label("parent_name")
    ).outerjoin(parent, parent.id == Unit.parent_id)


def row(session: Session, unit: Unit) -> Row[Any]:
    """An unit as a row of ``rows``, for one that the actor was already shown to see."""
    return session.execute(rows().where(Unit.id == unit.id)).one()


def change(session: Session, actor: Actor, unit: Unit, **values: Any) -> Unit:
    """Change fields of a unit; its level and its place in the tree stay.

    Raises
    ------
    Invalid
        ``metric_crs`` does not count in metres, or a lower bound lies above its upper one.
    """
    _require_edit(actor, unit)
    if values.get("code", unit.code) != unit.code:
        _require_above(actor, unit)  # a code is given from above
    if "metric_crs" in values:
        check_metric_crs(values["metric_crs"])
    for name, value in values.items():
        setattr(unit, name, value)
    if unit.household_min > unit.household_max or unit.people_min > unit.people_max:
        raise Invalid(_("The lower bound lies above the upper one."))
    session.flush()
    return unit


def remove(session: Session, actor: Actor, unit: Unit) -> None:
    """Remove a unit that nothing lies in any more, which takes ``unit.edit`` above it."""
    _require_above(actor, unit)
    session.delete(unit)
    session.flush()


def may_edit(actor: Actor, unit: Unit) -> bool:
    """Whether the actor may change a unit: has ``unit.edit`` over it and all below, everywhere for a district."""
    area = actor.area("unit.edit")
    return area.everywhere if unit.level == Level.DISTRICT else area.covers_whole(unit.id)


def require_whole(actor: Actor, permission: str, unit: Unit) -> None:
    """Raise unless ``permission`` holds over a unit and all that lies below it.

    Raises
    ------
    NotFound
        The actor may not know of the unit.
    Forbidden
    """
    if actor.area(permission).covers_whole(unit.id):
        return
    if not any(area.covers_unit(unit.id) for area in actor.permissions.values()):
        raise UnitNotFound(_("Not found, or outside your area."))
    raise Forbidden(
        _("This needs the permission “{permission}” over all of {name}.", permission=permission, name=unit.name),
        permission=permission,
    )


def _require_edit(actor: Actor, unit: Unit) -> None:
    if unit.level == Level.DISTRICT:
        access.require_everywhere(actor, "unit.edit")
    else:
        require_whole(actor, "unit.edit", unit)


def _require_above(actor: Actor, unit: Unit) -> None:
    """Raise unless the actor edits the unit above: who has one unit changes what lies in it, not the tree around it."""
    _require_edit(actor, unit)
    area = actor.area("unit.edit")
    if not area.everywhere and unit.parent_id not in area.whole:
        raise Forbidden(
            _("The code of {name}, and whether it exists, is decided above it.", name=unit.name), permission="unit.edit"
        )


def narrowed(query: Rows, community_id: Any, grid_id: Any, community: str | None, grid: str | None) -> Rows:
    """``query`` restricted to the community and the grid with these codes, where given; unknown codes find nothing."""
    for column, code, level in ((community_id, community, Level.COMMUNITY), (grid_id, grid, Level.GRID)):
        if code:
            found = select(Unit.id).where(Unit.code == code, Unit.level == level).correlate(None).scalar_subquery()
            query = query.where(column == found)
    return query


def expand(session: Session, unit_ids: list[int]) -> access.Area:
    """The area that grants at these units cover: they and all below, however few other units there are."""
    if not unit_ids:
        return access.Area()
    columns = (Unit.id, Unit.level, Unit.community_id, Unit.path)
    below = session.execute(select(*columns).where(Unit.path.overlap(unit_ids))).all()
    communities = frozenset(unit.id for unit in below if unit.level == Level.COMMUNITY)
    grids = [unit for unit in below if unit.level == Level.GRID]
    return access.Area(
        communities=communities,
        grids=frozenset(unit.id for unit in grids),
        units=frozenset(step for unit in below for step in unit.path),
        within=frozenset(unit.id for unit in grids if unit.community_id in communities),
        upper=frozenset(unit.id for unit in below if unit.level in (Level.DISTRICT, Level.STREET)),
    )
