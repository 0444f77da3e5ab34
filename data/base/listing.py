"""Lists: how every feature's records are filtered, sorted and paged through.

A feature has a ``Filter`` (what may be asked for) and a ``selection(actor, filter)``: one flat ``SELECT`` of what the
actor may see, a row a record, that the API, the pages and the exports share. ``page`` cuts a page out of it by keyset:
the next page begins after the sort value and id of the last row, so nothing is shown twice or left out while others
add and remove records, and the last page costs no more than the first.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, and_, cast, func, literal, or_, select
from sqlalchemy import inspect as mapping_of
from sqlalchemy.orm import InstrumentedAttribute, Session

from data.base import settings
from data.base.access import Rows
from data.base.errors import Invalid
from data.base.language import _

#: West, south, east, north in degrees (EPSG:4326).
Box = tuple[float, float, float, float]


def columns(table: type[Any], *, without: Collection[str] = ()) -> list[InstrumentedAttribute[Any]]:
    """The columns of a table in their order, without those named."""
    return [getattr(table, column.key) for column in mapping_of(table).column_attrs if column.key not in without]


def containing(column: Any, text: str) -> ColumnElement[bool]:
    """The condition that ``column`` contains ``text``, in capitals or not; ``%`` and ``_`` mean themselves."""
    return func.coalesce(column, "").icontains(text, autoescape=True)


def in_box(geom: Any, box: Box) -> ColumnElement[bool]:
    """The condition that ``geom`` meets ``box``."""
    return func.ST_Intersects(geom, func.ST_MakeEnvelope(*box, 4326))


def box(text: str) -> Box:
    """West, south, east, north out of a text with commas.

    Raises
    ------
    Invalid

    >>> box("121.40,31.20,121.41,31.21")
    (121.4, 31.2, 121.41, 31.21)
    """
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        west, south, east, north = 1, 1, 0, 0
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise Invalid(_("A box is west,south,east,north in degrees, such as 121.40,31.20,121.41,31.21."), field="bbox")
    return west, south, east, north


def in_period(instant: Any, first: date | None, last: date | None) -> list[ColumnElement[bool]]:
    """The conditions that ``instant`` lies on one of the days from ``first`` to ``last``, in the community's zone."""
    zone = ZoneInfo(settings.get().timezone)
    conditions: list[ColumnElement[bool]] = []
    if first:
        conditions.append(instant >= datetime.combine(first, time(), zone))
    if last:
        conditions.append(instant < datetime.combine(last + timedelta(days=1), time(), zone))
    return conditions


def number_in(column: Any) -> ColumnElement[int]:
    """The first number in a text, so that 2号楼 comes before 10号楼; 0 where there is none."""
    return func.coalesce(cast(func.substring(column, r"\d{1,15}"), BigInteger), 0)


def count(session: Session, query: Rows) -> int:
    """How many rows ``query`` has."""
    return session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0


def page(
    query: Rows,
    *,
    sort: Any,
    key: Any,
    descending: bool = False,
    after: tuple[Any, int] | None,
    limit: int,
    backwards: bool = False,
) -> Rows:
    """The next ``limit`` rows of ``query`` by ``sort`` and then ``key``, with the sort value as the column ``sort_``.

    Parameters
    ----------
    sort
        An expression that is never null.
    key
        The id, which settles ties.
    after
        Sort value and key of the row before; ``None`` for the first page.
    backwards
        The rows before ``after`` instead, the nearest first.
    """
    downwards = descending != backwards
    if after is not None:
        value, last = literal(after[0], sort.type), literal(after[1], key.type)
        beyond = (sort < value) if downwards else (sort > value)
        # Spelled out, not as a row comparison, because id and sort value run in different directions when descending.
        query = query.where(or_(beyond, and_(sort == value, key < last if backwards else key > last)))
    order = sort.desc() if downwards else sort.asc()
    ties = key.desc() if backwards else key.asc()
    return query.add_columns(sort.label("sort_")).order_by(order, ties).limit(limit)
