"""What was seen in a period: item by item, as shares, and whether the rhythm was kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Double,
    Integer,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, BIT, aggregate_order_by
from sqlalchemy.orm import Session, aliased

from data import accounts, patrols, units
from data.assets import Asset
from data.base import access, settings
from data.base.access import Actor, Rows
from data.base.errors import Invalid
from data.base.language import _
from data.buildings import Building
from data.coverage import anew
from data.coverage.tables import DISTANCE_M, ENOUGH, CoverageDay, CoverageRule, Kind, Status, StreetSegment
from data.patrols import Patrol
from data.rounds import Rhythm

#: How often something is to be seen where no rule says otherwise.
RHYTHM = Rhythm.WEEKLY
#: So far back before a period is looked for when an item was last seen.
LOOK_BACK = timedelta(days=366)
NEAREST_M, FARTHEST_M = 5.0, 100.0
#: More items are not told at once: several communities' worth.
MOST_ITEMS = 20_000


class Level(StrEnum):
    """What shares are told for."""

    GRID = "grid"
    COMMUNITY = "community"
    STREET = "street"


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What is asked for: codes of community and grid, or ids of communities, days (the last included), kinds, states, a
    distance in metres.
    """

    first: date
    last: date
    community: str | None = None
    grid: str | None = None
    communities: tuple[int, ...] | None = None
    kinds: tuple[str, ...] | None = None
    states: tuple[str, ...] | None = None
    distance_m: float = DISTANCE_M


def of(session: Session, actor: Actor, wanted: Filter) -> Sequence[Any]:
    """The items of a community or grid (or all that the actor may see) in a period, a row each, those nobody passed
    first.

    Columns: ``kind id name detail community_id grid_id grid_code grid_name length_m geojson status seen_share
    last_seen_at by patrol_id rhythm kept due``. ``status`` and ``seen_share`` (0-1) are those of the period,
    ``last_seen_at`` looks a year farther back. ``by`` (who saw it last) and ``patrol_id`` are told to those who may see
    that patrol. ``kept`` of ``due`` days or weeks that ended in the period kept the rhythm.

    Raises
    ------
    Invalid
        The period or the distance is not one that can be told, or these are too many.
    """
    items = _with_status(session, actor, wanted)
    patrol, grid = aliased(Patrol), aliased(units.Unit)
    may_know = true() if actor.is_system else patrols.seen(actor, patrol)
    query = (
        select(
            *items.c,
            grid.code.label("grid_code"),
            grid.name.label("grid_name"),
            accounts.Account.name.label("by"),
            patrol.id.label("patrol_id"),
        )
        .outerjoin(grid, grid.id == items.c.grid_id)
        .outerjoin(patrol, and_(patrol.id == items.c.last_patrol_id, may_know))
        .outerjoin(accounts.Account, accounts.Account.id == patrol.account_id)
    )
    if wanted.states is not None:
        query = query.where(items.c.status.in_(wanted.states))
    rank = case({Status.NOT_SEEN.value: 0, Status.TOO_POOR.value: 1}, value=items.c.status, else_=2)
    order = (rank, items.c.kind, items.c.last_seen_at.nulls_first(), items.c.id)
    found = session.execute(query.order_by(*order).limit(MOST_ITEMS + 1)).all()
    if len(found) > MOST_ITEMS:
        raise Invalid(
            _("These are more than {most} items. Say which community or grid.", most=MOST_ITEMS),
            field="query.community",
        )
    return found


def shares(session: Session, actor: Actor, wanted: Filter, *, by: Level = Level.GRID) -> Sequence[Any]:
    """How much was seen, a row for each grid, community or street and kind that the actor may see.

    Columns: ``unit_id code name kind total seen too_poor not_seen share kept due length_m seen_m``: counts of items,
    ``share`` (0-1) of those seen - of streets by length, of which ``seen_m`` of ``length_m`` metres -, and how many of
    the items kept their rhythm (``kept``) of those for which a day or week ended in the period (``due``).
    """
    items = _with_status(session, actor, wanted)
    unit, community = aliased(units.Unit), aliased(units.Unit)
    place = {Level.GRID: items.c.grid_id, Level.COMMUNITY: items.c.community_id, Level.STREET: community.parent_id}[by]
    counted = {
        state: func.count().filter(items.c.status == state.value).label(name)
        for state, name in ((Status.SEEN, "seen"), (Status.TOO_POOR, "too_poor"), (Status.NOT_SEEN, "not_seen"))
    }
    length = func.sum(items.c.length_m)
    seen_m = func.sum(items.c.length_m * items.c.seen_share)
    total = func.count()
    query = (
        select(
            unit.id.label("unit_id"),
            unit.code,
            unit.name,
            items.c.kind,
            total.label("total"),
            *counted.values(),
            case((length > 0, seen_m / length), else_=counted[Status.SEEN].element / cast(total, Double)).label(
                "share"
            ),
            length.label("length_m"),
            seen_m.label("seen_m"),
            func.count().filter(items.c.due > 0, items.c.kept >= items.c.due).label("kept"),
            func.count().filter(items.c.due > 0).label("due"),
        )
        .join(community, community.id == items.c.community_id)
        .join(unit, unit.id == place)
    )
    return session.execute(
        query.group_by(unit.id, unit.code, unit.name, items.c.kind).order_by(unit.code, items.c.kind)
    ).all()


def rules(session: Session, actor: Actor, *, community: str | None = None) -> Sequence[Any]:
    """The rules the actor may see, a row each, with ``community_code`` and ``grid_code``."""
    grid, whole = aliased(units.Unit), aliased(units.Unit)
    query = access.visible(
        select(
            CoverageRule.id,
            CoverageRule.kind,
            CoverageRule.rhythm,
            CoverageRule.community_id,
            CoverageRule.grid_id,
            whole.code.label("community_code"),
            grid.code.label("grid_code"),
        ),
        actor,
        CoverageRule,
    )
    query = query.join(whole, whole.id == CoverageRule.community_id).outerjoin(grid, grid.id == CoverageRule.grid_id)
    if community:
        query = query.where(whole.code == community)
    return session.execute(query.order_by(whole.code, grid.code.nulls_first(), CoverageRule.kind)).all()


def set_rule(
    session: Session, actor: Actor, *, community_id: int, grid_id: int | None, kind: Kind, rhythm: Rhythm | None
) -> None:
    """Say how often items of a kind are to be seen; ``None`` takes the rule away."""
    access.require(actor, "patrol.edit", community_id, grid_id)
    rule = session.scalar(
        select(CoverageRule).where(
            CoverageRule.community_id == community_id,
            CoverageRule.grid_id.is_not_distinct_from(grid_id),
            CoverageRule.kind == kind,
        )
    )
    if rhythm is None:
        if rule is not None:
            session.delete(rule)
    elif rule is None:
        session.add(CoverageRule(community_id=community_id, grid_id=grid_id, kind=kind, rhythm=rhythm))
    else:
        rule.rhythm = rhythm
    session.flush()


# ---- parts of the statements ---------------------------------------------------------------------------------------


def _items(actor: Actor, wanted: Filter) -> Any:
    """What is to be seen, a row each: ``kind id name detail community_id grid_id length_m geojson``."""
    building = func.coalesce(Building.name, Building.number, Building.address, Building.code)
    parts: dict[Kind, Rows] = {
        Kind.BUILDING: _told(Kind.BUILDING, Building, building, cast(null(), Double)).where(
            Building.grid_id.is_not(None)
        ),
        Kind.STREET: _told(Kind.STREET, StreetSegment, StreetSegment.name, StreetSegment.length_m),
        Kind.ASSET: _told(Kind.ASSET, Asset, func.coalesce(Asset.name, Asset.number), cast(null(), Double)),
    }
    tables = {Kind.BUILDING: Building, Kind.STREET: StreetSegment, Kind.ASSET: Asset}
    chosen = []
    for kind, query in parts.items():
        if wanted.kinds is None or kind.value in wanted.kinds:
            table: Any = tables[kind]
            query = access.visible(query, actor, table, "coverage.read")
            query = units.narrowed(query, table.community_id, table.grid_id, wanted.community, wanted.grid)
            if wanted.communities is not None:
                query = query.where(table.community_id.in_(wanted.communities))
            chosen.append(query)
    if not chosen:
        chosen = [parts[Kind.BUILDING].where(literal(value=False))]
    return union_all(*chosen).subquery("item")


def _told(kind: Kind, table: Any, name: Any, length_m: Any) -> Rows:
    return select(
        literal(kind.value).label("kind"),
        table.id.label("id"),
        name.label("name"),
        table.kind.label("detail"),
        table.community_id.label("community_id"),
        table.grid_id.label("grid_id"),
        length_m.label("length_m"),
        func.ST_AsGeoJSON(func.ST_ForcePolygonCCW(table.geom), 7).label("geojson"),
    )


def _with_status(session: Session, actor: Actor, wanted: Filter) -> Any:
    """The items with what was seen of them."""
    _check(wanted)
    items = _items(actor, wanted)
    day = _days(session, actor, wanted)
    now = and_(day.c.day >= wanted.first, day.c.day <= wanted.last)
    whole = _bits(day.c.seen) >= ENOUGH
    days, weeks, first_day, first_week, last_day, last_week = _ended(wanted)
    seen = func.coalesce(func.bit_or(day.c.seen).filter(now), 0)
    poor = func.coalesce(func.bit_or(day.c.poor).filter(now), 0)
    summed = (
        select(
            day.c.kind,
            day.c.item_id,
            _bits(seen).label("seen"),
            _bits(poor.op("|")(seen)).label("poor"),
            func.max(day.c.seen_at).filter(whole).label("last_seen_at"),
            func.array_agg(aggregate_order_by(day.c.patrol_id, day.c.seen_at.desc()), type_=ARRAY(Integer))
            .filter(whole)
            .label("last_patrol_ids"),
            func.count(day.c.day.distinct()).filter(whole, day.c.day.between(first_day, last_day)).label("days"),
            func.count(func.date_trunc("week", day.c.day).distinct())
            .filter(whole, day.c.day.between(first_week, last_week))
            .label("weeks"),
        )
        .group_by(day.c.kind, day.c.item_id)
        .subquery("summed")
    )
    rhythm = _rhythm(items)
    daily = rhythm == Rhythm.DAILY.value
    status = case(
        (summed.c.seen >= ENOUGH, Status.SEEN.value),
        (summed.c.poor >= ENOUGH, Status.TOO_POOR.value),
        else_=Status.NOT_SEEN.value,
    )
    return (
        select(
            *items.c,
            status.label("status"),
            (func.coalesce(summed.c.seen, 0) / cast(literal(2 * ENOUGH), Double)).label("seen_share"),
            summed.c.last_seen_at,
            summed.c.last_patrol_ids[1].label("last_patrol_id"),
            rhythm.label("rhythm"),
            func.coalesce(case((daily, summed.c.days), else_=summed.c.weeks), 0).label("kept"),
            case((daily, days), else_=weeks).label("due"),
        )
        .outerjoin(summed, and_(summed.c.kind == items.c.kind, summed.c.item_id == items.c.id))
        .subquery("told")
    )


def _bits(mask: Any) -> Any:
    """How many parts of a mask are set."""
    return func.bit_count(cast(mask, BIT(64)))


def _rhythm(items: Any) -> Any:
    """The rhythm of each item: the rule of its grid, else of its community, else ``RHYTHM``."""
    rule = aliased(CoverageRule)
    said = (
        select(rule.rhythm)
        .where(
            rule.community_id == items.c.community_id,
            rule.kind == items.c.kind,
            or_(rule.grid_id.is_(None), rule.grid_id == items.c.grid_id),
        )
        .order_by(rule.grid_id.nulls_last())
        .limit(1)
        .scalar_subquery()
    )
    return func.coalesce(said, RHYTHM.value)


def _ended(wanted: Filter) -> tuple[int, int, date, date, date, date]:
    """Days and weeks that ended in the period and are over: how many of each, the first of each, the last of each.

    A week ends with its Sunday and counts for the period in which that lies, though its Monday may lie before it.
    """
    over = min(wanted.last, settings.today() - timedelta(days=1))
    days = max(0, (over - wanted.first).days + 1)
    sunday = wanted.first + timedelta(days=6 - wanted.first.weekday())
    weeks = max(0, ((over - sunday).days + 7) // 7)
    monday = sunday - timedelta(days=6)
    return days, weeks, wanted.first, monday, over, monday + timedelta(days=7 * weeks - 1)


def _check(wanted: Filter) -> None:
    if wanted.last < wanted.first:
        raise Invalid(_("The last day lies before the first."), field="query.to")
    if not NEAREST_M <= wanted.distance_m <= FARTHEST_M:
        raise Invalid(
            _("A distance lies between {least} and {most} metres.", least=NEAREST_M, most=FARTHEST_M),
            field="query.distance_m",
        )


def _days(session: Session, actor: Actor, wanted: Filter) -> Any:
    """What was seen day by day: from the table, or for another distance from the tracks."""
    if wanted.distance_m == DISTANCE_M:
        day = CoverageDay
        query: Rows = select(day.kind, day.item_id, day.day, day.seen, day.poor, day.seen_at, day.patrol_id).where(
            day.day >= wanted.first - LOOK_BACK, day.day <= wanted.last
        )
        if wanted.community or wanted.grid:
            whole = select(units.Unit.community_id).where(
                or_(units.Unit.code == (wanted.community or wanted.grid), units.Unit.code == wanted.grid)
            )
            query = query.where(day.community_id.in_(whole))
        if wanted.communities is not None:
            query = query.where(day.community_id.in_(wanted.communities))
        return query.subquery("day")
    asked = anew.question(
        session, wanted.community, wanted.grid, first=wanted.first, last=wanted.last, distance_m=wanted.distance_m
    )
    return anew.days(session, asked)
