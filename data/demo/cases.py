"""The incidents of the demo community over the last four months.

They tell what the report tells: corridor lights that nobody mended (many of them around buildings 6 to 10 of grid
2), paths without street lights, stray cats, questions about hukou and medical insurance. On one weekend a campaign
of visits (集中入户走访) collected 35 items and settled all of them on the spot; the rest came day by day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from shapely.geometry import LineString, Point

from data import calendars
from data.base import reference
from data.demo import courses, site
from data.demo.houses import House
from data.incidents import State

ZONE = ZoneInfo("Asia/Shanghai")
PERIOD_DAYS = 120
CAMPAIGN = {
    "facility.corridor_light": 10,
    "facility.unlit_path": 4,
    "environment.stray_cat": 6,
    "inquiry.hukou": 7,
    "inquiry.medical": 8,
}

# Where: D at a dwelling, C in a corridor, B beside a building, T at a tower with a lift, L on a lane or path,
# U on a path without lights, G in a green. Then how many, and what people say; {n} building, {u} unit, {f} floor.
_KINDS: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "facility.corridor_light": (
        "C",
        40,
        (
            "{n} 号楼 {u} 单元 {f} 层廊灯不亮",
            "{n} 号楼 {u} 单元楼道灯坏了，看不见台阶",
            "{n} 号楼 {u} 单元 {f} 层声控灯不灵",
        ),
    ),
    "facility.unlit_path": ("U", 9, ("{p}没有路灯，老人晚上不敢走", "{p}天黑以后一片漆黑，建议装路灯")),
    "facility.street_light": ("L", 6, ("{n} 号楼前路灯不亮", "{n} 号楼东侧路灯一闪一闪")),
    "facility.leak": ("D", 9, ("{n} 号楼 {r} 室天花板渗水", "{n} 号楼地下室渗水", "{n} 号楼 {u} 单元水表井漏水")),
    "facility.drain": ("B", 6, ("{n} 号楼 {u} 单元下水道堵塞，污水外溢", "{n} 号楼北侧化粪池满溢")),
    "facility.door": ("C", 5, ("{n} 号楼 {u} 单元门禁打不开", "{n} 号楼 {u} 单元防盗门关不上")),
    "facility.lift": ("T", 4, ("{n} 号楼电梯停运", "{n} 号楼电梯运行有异响")),
    "facility.manhole": ("L", 2, ("{n} 号楼前窨井盖松动，车一压就响",)),
    "facility.road": ("L", 3, ("{n} 号楼前路面破损积水", "{n} 号楼西侧地砖松动绊人")),
    "facility.playground": ("G", 2, ("健身广场扭腰器断裂", "梧桐园长椅木条断了")),
    "environment.stray_cat": (
        "B",
        14,
        (
            "{n} 号楼下流浪猫多，夜里叫声大",
            "{n} 号楼与 {m} 号楼之间流浪猫聚集，翻垃圾袋",
            "{n} 号楼自行车棚里有一窝小猫",
        ),
    ),
    "environment.garbage": ("B", 7, ("{n} 号楼前垃圾桶满溢没人清", "{n} 号楼西侧垃圾散落")),
    "environment.bulky": ("B", 6, ("{n} 号楼西侧堆放大件垃圾", "{n} 号楼 {u} 单元门口堆放旧沙发")),
    "environment.noise": (
        "B",
        7,
        ("{n} 号楼底商夜间噪声", "{n} 号楼 {r} 室午休时间装修", "{n} 号楼附近广场舞音响太响"),
    ),
    "environment.dog": ("G", 3, ("梧桐园遛狗不牵绳", "书院绿地狗粪没人清")),
    "environment.green": ("B", 3, ("{n} 号楼前香樟树枝挡住三楼窗户", "{n} 号楼前绿化带枯死")),
    "environment.pests": ("B", 2, ("{n} 号楼垃圾房老鼠多", "{n} 号楼地下车库蚊子多")),
    "order.parking": ("L", 9, ("{n} 号楼前车辆乱停，出不来", "{n} 号楼前占用无障碍坡道停车")),
    "order.unlicensed": ("L", 2, ("{n} 号楼前早点摊占道",)),
    "order.structure": ("B", 2, ("{n} 号楼一楼搭建阳光房", "{n} 号楼顶楼私搭雨棚")),
    "safety.fire_lane": ("L", 5, ("{n} 号楼前消防通道违停", "{n} 号楼北侧消防通道被三轮车堵住")),
    "safety.ebike": ("B", 6, ("{n} 号楼 {u} 单元飞线充电", "{n} 号楼 {u} 单元楼道里停电动车充电")),
    "safety.falling": ("B", 1, ("{n} 号楼外墙瓷砖脱落",)),
    "safety.gas": ("C", 1, ("{n} 号楼 {u} 单元有燃气味",)),
    "inquiry.hukou": ("D", 13, ("咨询孩子户口随迁", "咨询户口迁入需要哪些材料", "咨询婚后户口迁移", "咨询新生儿落户")),
    "inquiry.medical": ("D", 13, ("咨询居民医保缴费", "咨询异地就医备案", "咨询退休人员医保转移", "咨询新生儿参保")),
    "inquiry.pension": ("D", 4, ("咨询灵活就业人员养老保险", "咨询养老金资格认证")),
    "inquiry.allowance": ("D", 3, ("咨询低保申请条件", "咨询临时救助")),
    "inquiry.job": ("D", 2, ("咨询下岗再就业培训",)),
    "help.repair": ("D", 5, ("{n} 号楼 {r} 室水龙头漏水，请修理队上门", "{n} 号楼 {r} 室跳闸，老人不会弄")),
    "help.elderly": ("D", 4, ("{n} 号楼 {r} 室独居老人电话没人接，请上门看看", "{n} 号楼 {r} 室老人需要助浴")),
    "help.errand": ("D", 2, ("{n} 号楼 {r} 室老人请代取药",)),
    "dispute.neighbour": ("D", 4, ("{n} 号楼 {r} 室与楼上因漏水争执", "{n} 号楼 {u} 单元邻里因堆物争吵")),
    "dispute.property": ("B", 3, ("{n} 号楼业主对物业费有异议",)),
    "dispute.family": ("D", 1, ("{n} 号楼 {r} 室家庭赡养纠纷",)),
}
_CLUSTER = (6, 7, 8, 9, 10)
_UNLIT = ("6号楼北侧小路", "书院后巷", "西小路")

# Reports of the last days that could not be placed: category, what is said to be the address, what, why no place.
_UNPLACED = (
    ("environment.garbage", "老菜场后面", "垃圾没人清", "no_place"),
    ("environment.bulky", "东门旁边", "旧家具堆了一周", "ambiguous"),
    ("facility.corridor_light", "梧桐路168弄43号2单元", "楼道灯不亮", "no_such_building"),
    ("order.parking", "望湖路公交站旁", "公交站旁乱停车", "outside"),
)
_OUTSIDE = Point(-58, 12)


@dataclass(frozen=True)
class _Draft:
    category: str
    reported: datetime
    source: str
    campaign: bool = False
    unplaced: int | None = None


def incidents(
    random: Random, houses: list[House], addresses: dict[int, str], today: date
) -> tuple[list[dict[str, Any]], list[Point | None]]:
    """The incidents by number, and where each is in the drawing frame.

    Each row has the columns of the table, with ``building_code``, ``grid``, ``held_by`` and ``merged_into`` instead of
    ids, and its ``steps`` (``courses``).
    """
    kinds = {row["code"]: row for row in reference.rows("categories")}
    now = datetime.combine(today, time(0), ZONE).astimezone(UTC)
    holidays = {date.fromisoformat(row["code"]): row["works"] == "1" for row in reference.rows("holidays")}
    calendar = calendars.Calendar(ZONE, exceptions=holidays)
    drafts = sorted(_drafts(random, today), key=lambda draft: draft.reported)
    rows: list[dict[str, Any]] = []
    points: list[Point | None] = []
    running: dict[date, int] = {}
    for draft in drafts:
        day = draft.reported.astimezone(ZONE).date()
        running[day] = running.get(day, 0) + 1
        tier, days = kinds[draft.category]["tier"], int(kinds[draft.category]["days"])
        state, closed = _outcome(random, draft, tier, days, now)
        taken = courses.course(random, draft.category, tier, draft.reported, State(state), closed, now)
        row: dict[str, Any] = {
            "number": f"{day:%Y%m%d}-{running[day]:03d}",
            "category_code": draft.category,
            "source": draft.source,
            "reported_at": draft.reported,
            "due_at": calendar.due(draft.reported, days),
            "located_score": 1.0,
            "unlocated_reason": None,
            "steps": taken.steps,
            **taken.columns(),
        }
        place, point = _place(random, draft, houses, addresses)
        rows.append({**row, **place})
        points.append(point)
    courses.merge_repeats(rows, points)
    courses.mark_recurrent(rows, {code: int(row["recurrence_days"] or 0) for code, row in kinds.items()})
    return rows, points


def _drafts(random: Random, today: date) -> list[_Draft]:
    """What is reported when: the campaign's items on its weekend, the others more often of late, in waking hours."""
    since_saturday = (today.weekday() - 5) % 7
    saturday = today - timedelta(days=since_saturday if since_saturday > 1 else since_saturday + 7)
    drafts: list[_Draft] = []
    for category, (_where, count, _texts) in _KINDS.items():
        visited = CAMPAIGN.get(category, 0)
        for at in range(count):
            if at < visited:
                day, source = saturday + timedelta(days=random.randrange(2)), "visit"
            else:
                day = today - timedelta(days=1 + int((PERIOD_DAYS - 2) * random.random() ** 1.35))
                source = random.choices(("phone", "patrol", "resident", "staff", "hotline"), (34, 26, 20, 14, 6))[0]
            moment = time(random.choice((7, 8, 9, 9, 10, 10, 11, 14, 15, 16, 17, 18, 19)), random.randrange(60))
            reported = datetime.combine(day, moment, ZONE).astimezone(UTC)
            drafts.append(_Draft(category, reported, source, at < visited))
    for place, (category, *_rest) in enumerate(_UNPLACED):
        day = today - timedelta(days=random.randrange(1, 6))
        reported = datetime.combine(day, time(random.randrange(8, 19), random.randrange(60)), ZONE).astimezone(UTC)
        drafts.append(_Draft(category, reported, random.choice(("phone", "hotline")), unplaced=place))
    return drafts


def _outcome(random: Random, draft: _Draft, tier: str, days: int, now: datetime) -> tuple[str, datetime | None]:
    """State and instant of closing: old ones are closed, young ones are in every state; none closes in the future."""
    if draft.unplaced is not None:
        return "new", None
    if draft.campaign:
        return "closed", draft.reported + timedelta(minutes=random.randrange(15, 150))
    age = (now - draft.reported).days
    slow = 1.6 if tier == "street" and days > 7 else 1.0
    took = timedelta(minutes=round(days * 1440 * slow * min(2.4, random.lognormvariate(-0.75, 0.6))))
    closed = draft.reported + max(took, timedelta(minutes=20))
    if age > 21:
        state = random.choices(("closed", "on_hold", "declined"), (95, 3, 2))[0]
    elif age > 8:
        state = random.choices(("closed", "in_progress", "to_verify", "on_hold"), (72, 14, 10, 4))[0]
    else:
        state = random.choices(("closed", "new", "in_progress", "to_verify", "declined"), (34, 20, 27, 16, 3))[0]
    if state == "closed" and closed >= now:
        state = "in_progress"
    return state, closed if state == "closed" else None


def _place(
    random: Random, draft: _Draft, houses: list[House], addresses: dict[int, str]
) -> tuple[dict[str, Any], Point | None]:
    if draft.unplaced is not None:
        _category, address, text, reason = _UNPLACED[draft.unplaced]
        return {
            "grid": None,
            "building_code": None,
            "address": address,
            "description": text,
            "located_by": None,
            "located_score": None,
            "unlocated_reason": reason,
        }, _OUTSIDE if reason == "outside" else None
    where, _count, texts = _KINDS[draft.category]
    if where == "U":
        return _on_path(random, texts)
    if where == "G":
        return _in_green(random, texts)
    pool = [house for house in houses if house.floors > 7] if where == "T" else houses
    if draft.category == "facility.corridor_light" and random.random() < 0.45:
        pool = [house for house in houses if house.number in _CLUSTER]
    house = random.choice(pool)
    unit, floor = random.randint(1, house.units), random.randint(1, house.floors)
    room = f"{floor}{random.randint(1, house.per_floor):02d}"
    others = [other for other in houses if other.grid == house.grid and other is not house]
    neighbour = min(others, key=lambda other: other.footprint.distance(house.footprint))
    text = random.choice(texts).format(n=house.number, u=unit, f=floor, r=room, m=neighbour.number)
    address = addresses[house.number]
    if where in "DC":
        address += f"{unit}单元" + (f"{room}室" if where == "D" else "")
    point = _entrance(house, unit) if where in "DCT" else _beside(random, house)
    return {
        "grid": house.grid,
        "building_code": str(house.number),
        "address": address,
        "description": text,
        "located_by": "address" if where in "DCT" else "point",
    }, point


def _on_path(random: Random, texts: tuple[str, ...]) -> tuple[dict[str, Any], Point]:
    named = {name: line for name, line in site.paths() if name}
    name = random.choices(_UNLIT, (5, 3, 1))[0]
    point = _at(named[name], random.uniform(0.08, 0.92))
    return {
        "grid": _grid(point),
        "building_code": None,
        "address": name,
        "description": random.choice(texts).format(p=name),
        "located_by": "point",
    }, point


def _in_green(random: Random, texts: tuple[str, ...]) -> tuple[dict[str, Any], Point]:
    text = random.choice(texts)
    name = next(name for name in ("健身广场", "梧桐园", "书院绿地") if text.startswith(name))
    area = next(area for kind, called, _width, area in site.base_map() if kind == "green" and called == name)
    point = area.representative_point()
    point = Point(round(point.x + random.uniform(-4, 4), 2), round(point.y + random.uniform(-4, 4), 2))
    return {
        "grid": _grid(point),
        "building_code": None,
        "address": name,
        "description": text,
        "located_by": "point",
    }, point


def _entrance(house: House, unit: int) -> Point:
    """A point 2.5 m before the entrance of a unit, on the north side, units counted from the west."""
    west, _south, east, _north = house.footprint.bounds
    u = west + (east - west) * (unit - 0.5) / house.units
    spine = LineString([(u, -1000), (u, 1000)]).intersection(house.footprint)
    return Point(round(u, 2), round(spine.bounds[3] + 2.5, 2))


def _beside(random: Random, house: House) -> Point:
    """A point 4 m from a house, in its grid."""
    ring = house.footprint.buffer(4).exterior
    while True:
        point = _at(ring, random.random())
        if _grid(point) == house.grid:
            return point


def _at(line: LineString, share: float) -> Point:
    point = line.interpolate(share, normalized=True)
    return Point(round(point.x, 2), round(point.y, 2))


def _grid(point: Point) -> int:
    """The grid a point lies in; the lowest number on an edge, 0 outside."""
    return next((number for number, area in site.grids().items() if area.covers(point)), 0)
