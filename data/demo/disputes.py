"""Disputes of the demo community over the last twelve months, and how they were mediated on three levels.

Most are settled in the house, some climb to the grid and a few to the community centre; a few agreements are broken.
Three families come again, so that the early warning has something to say. All of it is made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Table, insert, select
from sqlalchemy.orm import Session

from data import units
from data.base import bulk, secrets
from data.base.access import Rows
from data.buildings import Building, Dwelling
from data.disputes import CALL_DAYS, LEVELS, Action, Dispute, DisputeCall, DisputeParty, DisputeStep, Kind, Level, Step
from data.households import Household, Resident

ZONE = ZoneInfo("Asia/Shanghai")
DAYS, COUNT = 365, 64
#: How often a dispute is settled on each level; else it climbs, and at the centre it is handed to a court.
_SETTLED = {Level.BUILDING: 0.6, Level.GRID: 0.65, Level.COMMUNITY: 0.8}
_BROKEN = 0.08
#: How many families come again.
_AGAIN = 3
_STORIES: dict[Kind, tuple[tuple[str, str], ...]] = {
    Kind.NOISE: (
        ("楼上晚上十点后还拖椅子、孩子跑跳", "楼上铺地垫，晚上九点半后不跑跳；楼下有事先打电话"),
        ("清早在楼道里大声放音乐", "早八点前不放，改到小广场"),
    ),
    Kind.LEAK: (
        ("卫生间漏水，把楼下吊顶泡了", "楼上一周内做好防水，承担吊顶修补 600 元"),
        ("空调水滴到楼下雨棚上", "三天内接好排水管"),
    ),
    Kind.PARKING: (("车堵在单元门口，出不了门", "各停各位，临时停车留电话"),),
    Kind.PASSAGE: (("鞋柜和纸箱堆在公共过道", "两天内清走，过道不放东西"),),
    Kind.RENOVATION: (("装修中午不停工，老人没法休息", "十二点到两点半停工，周末不施工"),),
    Kind.PETS: (("狗不牵绳，吓到孩子", "出门牵绳，及时清理"), ("在楼下喂野猫，有异味", "定点投喂，喂完清理")),
    Kind.FAMILY: (("夫妻为孩子上学的事吵架，惊动邻居", "每周由网格上门一次，孩子的事一起商量"),),
    Kind.CARE: (("几个子女为轮流照顾老人起争执", "按月轮流，费用平摊，写成书面"),),
    Kind.RENT: (("房东不退押金", "扣除水电后三日内退还"),),
    Kind.MANAGEMENT: (("拒交物业费，说电梯总坏", "物业一周内检修，业主补交"),),
}
_SAID = ("双方都到了，还没谈拢", "一方没有来，先听了另一方", "谈得差不多，再约一次")
_CLIMBS = "楼院谈不拢，请上一级来调"


def load(
    session: Session, community: units.Unit, leaders: Mapping[int, int], staff_id: int, seed: int, today: date
) -> None:
    """Write the disputes.

    Parameters
    ----------
    leaders
        Id of a grid → the account of its leader; ``staff_id`` acts for the community centre.
    """
    random = Random(f"{seed} disputes")  # noqa: S311 - made up, no secret
    query: Rows = (
        select(Household.id, Building.id.label("building_id"), Building.grid_id, Resident.name, Household.phone)
        .join(Resident, Resident.id == Household.head_id)
        .join(Dwelling, Dwelling.id == Household.dwelling_id)
        .join(Building, Building.id == Dwelling.building_id)
        .where(Household.community_id == community.id, Building.grid_id.is_not(None))
        .order_by(Household.number)
    )
    homes: Sequence[Row[Any]] = session.execute(query).all()
    by_building: dict[int, list[Row[Any]]] = {}
    for home in homes:
        by_building.setdefault(home.building_id, []).append(home)
    again = random.sample([home for home in homes if len(by_building[home.building_id]) > 10], _AGAIN)
    ids = bulk.reserve_ids(session, _core(Dispute), COUNT)
    rows: list[dict[str, Any]] = []
    parties: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for number, key in enumerate(ids):
        home = again[number % _AGAIN] if number % 8 == 0 else random.choice(homes)
        others = [other for other in by_building[home.building_id] if other.id != home.id]
        if not others:
            continue
        day = today - timedelta(days=round(DAYS * (1 - (number + random.random()) / COUNT)))
        at = datetime.combine(day, time(random.randrange(9, 20), random.randrange(60)), ZONE).astimezone(UTC)
        kind = random.choice(list(_STORIES))
        story, agreement = random.choice(_STORIES[kind])
        row, done, asked = _course(random, at, leaders[home.grid_id], staff_id, agreement)
        about = {"dispute_id": key, "community_id": community.id}
        rows.append(
            {
                "id": key,
                "uuid": uuid5(NAMESPACE_OID, f"{community.code} {seed} dispute {number}"),
                "community_id": community.id,
                "grid_id": home.grid_id,
                "building_id": home.building_id,
                "kind": kind,
                "story": story,
                "reported_at": at,
                "account_id": leaders[home.grid_id],
                "created_at": at,
                **row,
            }
        )
        for person in (home, random.choice(others)):
            blind = secrets.blind(person.phone) if person.phone else None
            said = {"household_id": person.id, "name": person.name, "phone": person.phone, "phone_index": blind}
            parties.append(about | said)
        steps += [about | step for step in done]
        calls += [about | call for call in asked]
    for table, values in ((Dispute, rows), (DisputeParty, parties), (DisputeStep, steps), (DisputeCall, calls)):
        session.execute(insert(_core(table)), values)


def _course(
    random: Random, at: datetime, leader_id: int, staff_id: int, agreement: str
) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """How a dispute went until now: its columns, its steps and its calls."""
    now = datetime.now(UTC)
    row: dict[str, Any] = {"agreement": None, "settled_at": None, "ended_at": None}
    steps: list[dict[str, Any]] = []
    level, step = Level.BUILDING, Step.REPORTED

    def did(action: Action, note: str | None = None, mediators: str | None = None) -> None:
        who = staff_id if level == Level.COMMUNITY else leader_id
        facts = {"action": action, "step": step, "level": level, "at": at, "account_id": who}
        steps.append({**facts, "note": note, "mediators": mediators})

    did(Action.REPORT)
    while True:
        at += timedelta(days=random.randrange(1, 6), hours=random.randrange(4))
        if at >= now:
            break
        mediators = {
            Level.BUILDING: "楼栋员、邻居代表",
            Level.GRID: "网格负责人、信息员",
            Level.COMMUNITY: "社区调解室",
        }[level]
        if random.random() < _SETTLED[level]:
            step = Step.SETTLED
            row |= {"agreement": agreement, "settled_at": at}
            did(Action.SETTLE, mediators=mediators)
            break
        step = Step.MEDIATING
        did(Action.MEDIATE, random.choice(_SAID), mediators)
        at += timedelta(hours=20)
        if at >= now:
            break
        if level == Level.COMMUNITY:
            step = Step.REFERRED
            did(Action.REFER, "引导到街道司法所")
            row["ended_at"] = at
            break
        level = LEVELS[LEVELS.index(level) + 1]
        did(Action.CLIMB, _CLIMBS)
    calls: list[dict[str, Any]] = []
    if step == Step.SETTLED:
        calls, at, holds = _calls(random, at, leader_id)
        if not holds:
            step = Step.MEDIATING
            did(Action.BREAK, "又闹起来了，重新约谈")
        elif all(call["done_at"] for call in calls):
            step = Step.CLOSED
            did(Action.CLOSE)
            row["ended_at"] = at
    return row | {"level": level, "step": step}, steps, calls


def _calls(random: Random, settled_at: datetime, account_id: int) -> tuple[list[dict[str, Any]], datetime, bool]:
    """The calls after an agreement as far as they were made, when the last was, and whether it still holds."""
    now, calls, at = datetime.now(UTC), [], settled_at
    for ahead in CALL_DAYS:
        due_at = settled_at + timedelta(days=ahead)
        made_at = due_at + timedelta(days=random.choice((0, 0, 1, 3)))
        call: dict[str, Any] = {"due_on": due_at.astimezone(ZONE).date(), "done_at": None, "account_id": None}
        call |= {"holds": None, "note": None}
        if made_at < now:
            at, holds = made_at, random.random() >= _BROKEN
            note = "双方都说没再吵" if holds else "没有照办，又吵了"
            call |= {"done_at": made_at, "account_id": account_id, "holds": holds, "note": note}
        calls.append(call)
        if call["holds"] is False:
            return calls, at, False
    return calls, at, True


def _core(table: type[Any]) -> Table:
    core = table.__table__
    assert isinstance(core, Table)
    return core
