"""Loading the demo community into a database: everything in the transaction it is asked in.

Rows go in by statements for many rows at once, through the tables, so that encrypted columns are encrypted and blind
indexes made as for anybody else. That is not a change somebody made, so the audit gets one row for all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from geoalchemy2.shape import from_shape
from sqlalchemy import Table, func, insert, select, text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from data import accounts, grids, households, implementation, incidents, needless, notifications, teams, traces, units
from data.base import access, audit, bulk, db, secrets
from data.basemaps import Basemap
from data.buildings import Building, Dwelling
from data.demo import activities, briefs, diary, disputes, duties, movements, plan, visits, walks
from data.demo.plan import Demo
from data.diary import DiaryEntry
from data.visits import Visit

Row = dict[str, Any]


def load(session: Session, *, password: str, demo: Demo | None = None) -> list[dict[str, str]]:
    """Write the demo community into a database that has none, with one account for each role.

    The leaders of the other grids can sign in too, as ``leader1``, ``leader2`` …, with the same password.

    Parameters
    ----------
    password
        The password of all the accounts.
    demo
        What to load; default the community as it is today.

    Returns
    -------
    list of dict
        ``username, name, role_code, unit_code, password`` of the account of each role.

    Raises
    ------
    Conflict
        There is already a unit with a code of the demo's.
    Invalid
        The password is too short.
    """
    accounts.check_password(password)
    demo = demo or plan.community()
    unit_by_code = _units(session, demo)
    community = unit_by_code[plan.COMMUNITY]
    ids = {code: unit.id for code, unit in unit_by_code.items()}
    building_ids = _buildings(session, demo, community.id, ids)
    dwelling_ids = _dwellings(session, demo, community.id, building_ids)
    resident_ids = _households(session, demo, community.id, dwelling_ids)
    _tenancies(session, demo, community.id, dwelling_ids, resident_ids)
    _basemap(session, demo, community.id)
    given = _accounts(session, demo, unit_by_code, password)
    _teams(session, demo, community.id, ids, {account["post"]: account["id"] for account in given if account["post"]})
    leaders = _leaders(session, demo, unit_by_code, password)
    _stand_ins(session, community.id, leaders, demo.today)
    held_by = {"staff": "community_staff", "street": "supervisor"}
    held = {who: next(one["id"] for one in given if one["role_code"] == role) for who, role in held_by.items()}
    _incidents(session, demo, community.id, ids, building_ids, leaders, held)
    grid_ids = {number: ids[code] for number, code in enumerate(sorted(demo.grids["code"]), 1)}
    walks.load(session, community, grid_ids, leaders, plan.SEED, demo.today)
    activities.load(session, community, plan.SEED, demo.today)
    _traces(session, community.id, held["staff"], demo.today)
    visited = visits.load(session, community, leaders, plan.SEED, demo.today)
    officer = next(one["id"] for one in given if one["role_code"] == "line_officer")
    disputes.load(session, community, leaders, held["staff"], plan.SEED, demo.today)
    diary.load(session, community, visited, {"officer": officer, "staff": held["staff"]}, plan.SEED, demo.today)
    movements.load(session, community, leaders, plan.SEED, demo.today)
    year = duties.spring(demo.today).year
    implementation.draft(
        session, access.SYSTEM, community_id=community.id, first_on=date(year, 1, 1), last_on=date(year, 3, 31)
    )
    briefs.load(session, community, leaders, held, demo.today)
    audit.record(
        session,
        access.SYSTEM,
        "load",
        "unit",
        community.id,
        community_id=community.id,
        changes={"households": [None, len(demo.households)], "residents": [None, len(demo.residents)]},
    )
    # The planner has never seen these tables filled, and the first page comes before autovacuum does.
    cases = (incidents.Incident, incidents.IncidentStep)
    for table in (Building, Dwelling, households.Household, households.Resident, Visit, DiaryEntry, *cases, Basemap):
        session.execute(text(f"ANALYZE {table.__tablename__}"))
    return [
        {name: account[name] for name in ("username", "name", "role_code", "unit_code")} | {"password": password}
        for account in given
    ]


def _units(session: Session, demo: Demo) -> dict[str, units.Unit]:
    """The tree of units and its division into grids."""
    found: dict[str, units.Unit] = {}
    for row in _rows(demo.units):
        parent = found.get(row.pop("parent_code"))
        found[row["code"]] = units.add(session, access.SYSTEM, parent=parent, **row)
    shapes = {found[grid["code"]].id: grid["geom"] for grid in _rows(demo.grids)}
    grids.divide(session, access.SYSTEM, found[plan.COMMUNITY], shapes, valid_from=demo.valid_from)
    return found


def _buildings(session: Session, demo: Demo, community_id: int, units_by_code: dict[str, int]) -> dict[str, int]:
    rows = [
        {
            **row,
            "community_id": community_id,
            "created_at": _began(demo),
            "grid_id": units_by_code[row.pop("grid_code")],
            "geom": from_shape(row["geom"], 4326),
            "point": from_shape(row["geom"].representative_point(), 4326),
            "located_by": grids.LocatedBy.POINT,
            "located_score": 1.0,
        }
        for row in _rows(demo.buildings)
    ]
    return dict(zip(demo.buildings["code"], _insert(session, Building, rows), strict=True))


def _dwellings(
    session: Session, demo: Demo, community_id: int, buildings: dict[str, int]
) -> dict[tuple[str, str, str], int]:
    keys: list[tuple[str, str, str]] = []
    rows = []
    for row in _rows(demo.dwellings):
        code = row.pop("building_code")
        keys.append((code, row["unit"], row["room"]))
        rows.append({**row, "community_id": community_id, "building_id": buildings[code]})
    return dict(zip(keys, _insert(session, Dwelling, rows), strict=True))


def _households(
    session: Session, demo: Demo, community_id: int, dwellings: dict[tuple[str, str, str], int]
) -> list[int]:
    """Households, their residents and special groups; the ids of the residents by their place in the frame."""
    rows, heads = [], []
    for row in _rows(demo.households):
        heads.append(row.pop("head_row"))
        place = {"community_id": community_id, "dwelling_id": _door(row, dwellings)}
        rows.append({**row, **place, "created_at": _began(demo)})
    ids = _insert(session, households.Household, rows)
    by_number = dict(zip(demo.households["number"], ids, strict=True))
    residents = [
        {
            **households.indexed(row),
            "community_id": community_id,
            "household_id": by_number[row["household_number"]],
            "created_at": _began(demo),
        }
        for row in _rows(demo.residents)
    ]
    for row in residents:
        del row["household_number"]
    resident_ids = _insert(session, households.Resident, residents)
    session.execute(
        text(
            "UPDATE household h SET head_id = m.head_id FROM unnest(CAST(:ids AS int[]), CAST(:heads AS int[])) "
            "AS m(id, head_id) WHERE h.id = m.id"
        ),
        {"ids": ids, "heads": [resident_ids[row] for row in heads]},
    )
    groups = [
        {
            "community_id": community_id,
            "household_id": by_number[row["household_number"]],
            "group_code": row["group_code"],
            "valid": Range(row["valid_from"], row["valid_to"]),
        }
        for row in _rows(demo.household_groups)
    ]
    _insert_plain(session, households.HouseholdGroup, groups)
    return resident_ids


def _tenancies(
    session: Session,
    demo: Demo,
    community_id: int,
    dwellings: dict[tuple[str, str, str], int],
    residents: Sequence[int],
) -> None:
    rows = []
    for row in _rows(demo.tenancies):
        valid: Range[date] = Range(row.pop("valid_from"), row.pop("valid_to"))
        place = {"community_id": community_id, "dwelling_id": _door(row, dwellings)}
        rows.append({**row, **place, "valid": valid, "created_at": _began(demo)})
    ids = _insert(session, households.Tenancy, rows)
    tenants = [
        {"tenancy_id": ids[row["tenancy_row"]], "resident_id": residents[row["resident_row"]]}
        for row in _rows(demo.tenancy_tenants)
    ]
    _insert_plain(session, households.TenancyTenant, tenants)


def _incidents(
    session: Session,
    demo: Demo,
    community_id: int,
    units_by_code: dict[str, int],
    buildings: dict[str, int],
    leaders: dict[int, int],
    held: dict[str, int],
) -> None:
    """Cases and their steps. ``leaders``: grid → the account of its leader; ``held``: the accounts of the others."""

    def account(who: str | None, grid_id: int | None) -> int | None:
        return leaders[grid_id] if who == "leader" and grid_id is not None else held.get(who or "")

    ids = dict(
        zip(
            demo.incidents["number"],
            bulk.reserve_ids(session, _core(incidents.Incident), len(demo.incidents)),
            strict=True,
        )
    )
    named = session.execute(
        select(teams.ServiceTeam.name, teams.ServiceTeam.id).where(teams.ServiceTeam.community_id == community_id)
    )
    team_ids = {row.name: row.id for row in named}
    rows, places, workers = [], {}, {}
    for row in _rows(demo.incidents):
        workers[row["number"]] = team_ids.get(duties.WORKED_BY.get(row["category_code"], ""))
        grid, building, geom = row.pop("grid_code"), row.pop("building_code"), row.pop("geom")
        row |= {"id": ids[row["number"]], "community_id": community_id, "created_at": row["reported_at"]}
        row["grid_id"] = places[row["number"]] = units_by_code[grid] if grid else None
        row["building_id"] = buildings[building] if building else None
        row["geom"] = from_shape(geom, 4326) if geom else None
        row["assignee_id"] = account(row.pop("held_by"), row["grid_id"])
        row["service_team_id"] = workers[row["number"]] if row["assignee_id"] else None
        row["merged_into_id"] = ids.get(row.pop("merged_into"))
        rows.append(row)
    _insert_plain(session, incidents.Incident, sorted(rows, key=lambda row: row["merged_into_id"] is not None))
    steps = []
    for row in _rows(demo.incident_steps):
        number = row.pop("number")
        row |= {"incident_id": ids[number], "community_id": community_id, "grid_id": places[number]}
        row["account_id"] = account(row.pop("by"), row["grid_id"])
        row["assignee_id"] = account(row.pop("held_by"), row["grid_id"])
        row["service_team_id"] = workers[number] if row["assignee_id"] else None
        steps.append(row)
    _insert_plain(session, incidents.IncidentStep, steps)
    _notifications(session, community_id)


def _notifications(session: Session, community_id: int) -> None:
    """What the people of the demo were told of open cases: those assigned to them, and those overdue."""
    assigned = text(
        """
        INSERT INTO notification (account_id, incident_id, community_id, grid_id, kind, occasion, at, read_at)
        SELECT s.assignee_id, i.id, i.community_id, i.grid_id, 'assigned', s.id, s.at,
               CASE WHEN s.at < now() - interval '2 days' THEN s.at + interval '1 hour' END
        FROM incident_step s JOIN incident i ON i.id = s.incident_id AND i.assignee_id = s.assignee_id
        WHERE i.community_id = :community AND s.action = 'assign' AND i.closed_at IS NULL
        """
    )
    session.execute(assigned, {"community": community_id})
    overdue = select(incidents.Incident).where(incidents.Incident.community_id == community_id)
    for incident in session.scalars(overdue.where(incidents.Incident.overdue)):
        notifications.tell(session, incident, notifications.Kind.OVERDUE, occasion="overdue:0")
    told_at = text(
        "UPDATE notification n SET at = i.due_at FROM incident i WHERE i.id = n.incident_id AND n.kind = 'overdue'"
    )
    session.execute(told_at)


def _basemap(session: Session, demo: Demo, community_id: int) -> None:
    rows = [{**row, "community_id": community_id, "geom": from_shape(row["geom"], 4326)} for row in _rows(demo.basemap)]
    _insert_plain(session, Basemap, rows)


def _accounts(session: Session, demo: Demo, unit_by_code: dict[str, units.Unit], password: str) -> list[Row]:
    given = []
    # Beside units that are no demo, its administrator and auditor have the demo alone.
    alone = session.scalar(select(func.count()).select_from(units.Unit)) == len(unit_by_code)
    for row in _rows(demo.accounts):
        account = accounts.add(session, access.SYSTEM, username=row["username"], name=row["name"], password=password)
        everywhere = alone and row["role_code"] in ("administrator", "auditor")
        unit = None if everywhere else unit_by_code[row["unit_code"]]
        accounts.give(session, access.SYSTEM, account=account, role_code=row["role_code"], unit=unit)
        given.append({**row, "id": account.id})
    return given


def _leaders(session: Session, demo: Demo, unit_by_code: dict[str, units.Unit], password: str) -> dict[int, int]:
    """Grid → the account of its leader; those that ``demo.accounts`` lacks are ``leader1``, ``leader2`` …"""
    held = select(teams.TeamMember).where(
        teams.TeamMember.post == teams.Post.LEADER, teams.TeamMember.holds(demo.today)
    )
    posts = session.scalars(held).all()
    leaders = {}
    hashed = secrets.password_hash(password)
    for member in posts:
        grid = next(unit for unit in unit_by_code.values() if unit.id == member.grid_id)
        if member.account_id is None:
            account = accounts.Account(username=f"leader{int(grid.code[-3:])}", name=member.name, password_hash=hashed)
            session.add(account)
            session.flush()
            accounts.give(session, access.SYSTEM, account=account, role_code="grid_leader", unit=grid)
            member.account_id = account.id
        leaders[member.grid_id] = member.account_id
    session.flush()
    return leaders


def _teams(
    session: Session, demo: Demo, community_id: int, units_by_code: dict[str, int], holders: dict[str, int]
) -> None:
    """Teams, guides, service teams. ``holders``: the accounts of those of the fourth grid, by post."""
    members = []
    names = set(demo.accounts["name"])
    for row in _rows(demo.team_members):
        grid_id = units_by_code[row.pop("grid_code")]
        account_id = holders.get(row["post"]) if row["name"] in names else None
        last = row.pop("last")
        row["valid"] = Range(row.pop("first"), last + timedelta(days=1) if last else None)
        members.append({**row, "community_id": community_id, "grid_id": grid_id, "account_id": account_id})
    _insert_plain(session, teams.TeamMember, members)
    rows = [{**row, "community_id": community_id} for row in _rows(demo.service_teams)]
    _insert_plain(session, teams.ServiceTeam, rows)
    began = Range(demo.valid_from, None)
    rows = [{**row, "community_id": community_id, "valid": began} for row in _rows(demo.guides)]
    assigned = [units_by_code[row.pop("grid_code")] for row in rows]
    ids = _insert(session, teams.Guide, rows)
    of_grids = [
        {"guide_id": guide_id, "grid_id": grid_id, "community_id": community_id}
        for guide_id, grid_id in zip(ids, assigned, strict=True)
    ]
    _insert_plain(session, teams.GuideGrid, of_grids)
    rows = [
        {**row, "community_id": community_id, "valid": began, "consented_on": demo.valid_from}
        for row in _rows(demo.officers)
    ]
    _insert_plain(session, teams.LineOfficer, rows)
    _wardens(session, community_id)


def _wardens(session: Session, community_id: int) -> None:
    """Wardens mind the buildings of their grid that people live in."""
    minded = text(
        """
        INSERT INTO warden_building (member_id, building_id, community_id)
        SELECT m.id, b.id, m.community_id
        FROM team_member m JOIN building b ON b.grid_id = m.grid_id AND b.kind = 'residential'
        WHERE m.community_id = :community AND m.post = 'building_warden'
        """
    )
    session.execute(minded, {"community": community_id})


def _stand_ins(session: Session, community_id: int, leaders: dict[int, int], today: date) -> None:
    """Who was away, is away today, and will be: each time the leader of the next grid stands in."""
    grid_ids = sorted(leaders)
    rows = [
        {
            "community_id": community_id,
            "grid_id": grid_ids[at],
            "account_id": leaders[grid_ids[at]],
            "deputy_id": leaders[grid_ids[at + 1]],
            "valid": Range(today + timedelta(days=first), today + timedelta(days=last + 1)),
        }
        for at, first, last in ((0, -301, -295), (1, -118, -112), (5, -64, -58), (4, -2, 4), (6, 12, 18))
    ]
    _insert_plain(session, accounts.StandIn, rows)


def _traces(session: Session, community_id: int, account_id: int, today: date) -> None:
    """A storm and a search for which traces were ordered, and pages that were called needless."""
    orders = (
        (-143, -142, "寻找走失老人，按楼栋分片查找，避免遗漏和重复"),
        (-9, -4, "强降雨橙色预警，逐楼排查积水和树木倒伏，须确认每栋楼都有人到过"),
    )
    rows = [
        {
            "community_id": community_id,
            "account_id": account_id,
            "valid": Range(today + timedelta(days=first), today + timedelta(days=last + 1)),
            "reason": reason,
        }
        for first, last, reason in orders
    ]
    _insert_plain(session, traces.TraceOrder, rows)
    said = (
        ("/incidents/new", "楼道灯不亮同一件事，楼栋员和网格员都要各报一次。", 34),
        ("/households/…", "户籍系统里已有的信息又要再填一遍。", 27),
        ("/households/…", None, 13),
        ("/rounds/…", None, 11),
        ("/incidents/…", "已电话办结的小事，不必再补照片。", 5),
    )
    notes = [
        {"community_id": community_id, "page": page, "sentence": sentence, "said_on": today - timedelta(days=back)}
        for page, sentence, back in said
    ]
    _insert_plain(session, needless.NeedlessNote, notes)


def _rows(frame: pd.DataFrame) -> Iterable[Row]:
    """The rows of a frame as dicts of plain values."""
    plain = pd.DataFrame(frame).astype(object)
    names = [str(name) for name in plain.columns]
    return [dict(zip(names, values, strict=True)) for values in plain.itertuples(index=False, name=None)]


def _insert(session: Session, table: type[db.Table], rows: list[Row]) -> list[int]:
    """Insert rows that all name the same columns; their ids in the same order."""
    # On the table, not the mapped class: the latter makes a statement of its own for each pattern of empty values.
    into = _core(table)
    return list(session.scalars(insert(into).returning(into.c.id, sort_by_parameter_order=True), rows))


def _insert_plain(session: Session, table: type[db.Table], rows: list[Row]) -> None:
    """Insert rows that all name the same columns."""
    session.execute(insert(_core(table)), rows)


def _began(demo: Demo) -> datetime:
    """When the archives of the demo were made: the day on which its grids began."""
    return datetime.combine(demo.valid_from, time(), ZoneInfo("Asia/Shanghai"))


def _core(table: type[db.Table]) -> Table:
    core = table.__table__
    assert isinstance(core, Table)
    return core


def _door(row: Row, dwellings: dict[tuple[str, str, str], int]) -> int:
    """The dwelling a row names; takes the names out of the row."""
    return dwellings[row.pop("building_code"), row.pop("unit"), row.pop("room")]
