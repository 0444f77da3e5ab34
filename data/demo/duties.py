"""Who works for the demo community: teams of four in each grid, guides, service teams, and the accounts to try.

The posts and backgrounds are the report's: a grid leader is a community worker, the information officer an
auxiliary police officer (协警), the supervisor a street cadre, the building warden one of the 五老 of the grid.
"""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

from data.base.identity import Sex
from data.demo.names import PHONE_PREFIX, Register
from data.demo.people import Household

_FIVE_OLD = {
    "老教师": ("退休教师", "21"),
    "老干部": ("退休干部", "31"),
    "老军人": ("退休军人", "61"),
    "老模范": ("退休工人", "71"),
    "老专家": ("退休工程师", "21"),
}
# The grid of the pictures has the people of the pictures.
_KNOWN = {4: {"leader": "陈立新", "information_officer": "吴倩", "supervisor": "何志远", "building_warden": "沈玉兰"}}
SECRETARY = "周敏"
_ELDERS = {"老教师": "teacher", "老干部": "cadre", "老军人": "soldier", "老模范": "model", "老专家": "expert"}
_DESKS = ("leader", "information_officer", "supervisor")
#: grid → how many days ago its leader of today took over
_FOLLOWED = {2: 214, 6: 131}
#: the fields of the report, and who is there for them
_OFFICERS = (
    ("信访", "方晓燕"),
    ("计生", "姚丽华"),
    ("低保", "邵国强"),
    ("民政", "邵国强"),
    ("文明创建", "白雪梅"),
    ("安全生产", "鲁建军"),
    ("综治维稳", "方晓燕"),
)

_GUIDES = (
    "梧桐里社区党委书记",
    "梧桐里社区居委会副主任",
    "梧桐里社区民政专干",
    "梧桐里社区综治专干",
    "临江街道党工委副书记",
    "临江街道民政办",
    "临江街道平安建设办",
    "临江街道城管办",
    "临江街道社保所",
    "临江派出所",
    "澜江区民政局",
    "澜江区司法局",
    "澜江区人力资源和社会保障局",
    "澜江区卫生健康委员会",
    "澜江区城市管理局",
    "澜江区残疾人联合会",
)

#: name, what it does, how many people; the last three are the report's new ones
_SERVICE_TEAMS = (
    ("法律援助服务队", "法律咨询、代写文书", 6),
    ("医疗保健服务队", "量血压、健康知识讲座", 9),
    ("家政服务队", "家政、陪护", 8),
    ("青年志愿服务队", "课业辅导、代购代办", 24),
    ("巾帼服务队", "妇女儿童关爱", 15),
    ("老党员先锋队", "政策宣传、调解帮扶", 18),
    ("治安巡逻队", "夜间巡逻、防盗防火", 20),
    ("环境保护服务队", "垃圾分类劝导", 14),
    ("助残帮扶队", "助残、上门服务", 7),
    ("就业指导队", "招工信息、技能培训", 5),
    ("文艺宣传队", "广场演出、节日活动", 26),
    ("保洁服务队", "楼道和小区保洁", 12),
    ("修理服务队", "水电、家电、门锁修理", 9),
    ("文体指导队", "健身和文体活动指导", 8),
)

#: The team that does the work of a kind of case, once somebody has it.
WORKED_BY = {
    "facility.corridor_light": "修理服务队",
    "facility.door": "修理服务队",
    "help.repair": "修理服务队",
    "environment.garbage": "保洁服务队",
    "environment.bulky": "保洁服务队",
    "environment.dog": "环境保护服务队",
    "help.elderly": "家政服务队",
}

#: user name, role, level of the unit of the grant
_ACCOUNTS = (
    ("warden", "building_warden", "grid"),
    ("officer", "information_officer", "grid"),
    ("leader", "grid_leader", "grid"),
    ("staff", "community_staff", "community"),
    ("line", "line_officer", "community"),
    ("supervisor", "supervisor", "street"),
    ("planner", "planner", "district"),
    ("analyst", "analyst", "district"),
    ("admin", "administrator", "district"),
    ("auditor", "auditor", "district"),
)


def teams(random: Random, register: Register, households: list[Household], today: date) -> list[dict[str, Any]]:
    """Four people for each grid: ``grid``, ``post``, ``name``, ``phone``, ``background``.

    The warden is a resident; their row among the people is made to fit (name, former work, schooling).
    """
    found: list[dict[str, Any]] = []
    began = date(today.year - 1, 1, 1)
    posts = {"leader": "社区工作人员", "information_officer": "协警", "supervisor": "街道干部"}
    for grid in sorted({household.grid for household in households}):
        known = _KNOWN.get(grid, {})
        for post, background in posts.items():
            name = known.get(post) or _worker(random, register, today)
            found.append(_member(grid, post, name, register.phone(), background, began))
        warden, background = _warden(random, register, households, grid, known.get("building_warden"))
        found.append(_member(grid, "building_warden", warden["name"], warden["phone"], background, began))
    return found


def former(register: Register, random: Random, team: list[dict[str, Any]], today: date) -> list[dict[str, Any]]:
    """Leaders who went to another post in the year; their grids' leaders of today followed them."""
    left: list[dict[str, Any]] = []
    for member in team:
        if member["post"] == "leader" and member["grid"] in _FOLLOWED:
            day = today - timedelta(days=_FOLLOWED[member["grid"]])
            name = _worker(random, register, today)
            before = _member(member["grid"], "leader", name, register.phone(), member["background"], member["first"])
            left.append(before | {"last": day - timedelta(days=1)})
            member["first"] = day
    return left


def officers() -> list[dict[str, Any]]:
    """Who is there for which field of business: ``field``, ``name``, ``work_phone``."""
    return [
        {"field": field, "name": name, "work_phone": f"{PHONE_PREFIX}009700{place:02d}"}
        for place, (field, name) in enumerate(_OFFICERS, 1)
    ]


def guides(random: Random, register: Register, today: date) -> list[dict[str, Any]]:
    """The sixteen guides: cadres of the community, the street and departments of the district."""
    return [
        {
            "name": SECRETARY if place == 0 else _worker(random, register, today),
            "organisation": organisation,
            "phone": register.phone(),
            "level": "community" if place < 4 else "street" if place < 10 else "district",
            "work_phone": f"{PHONE_PREFIX}009900{place:02d}",
            "consented_on": date(today.year - 1, 1, 1),
            # Two to each grid: one who knows it, and one whose office decides.
            "grid": place % 8 + 1,
        }
        for place, organisation in enumerate(_GUIDES)
    ]


def service_teams(today: date) -> list[dict[str, Any]]:
    """The eleven service teams there were and the three new ones of the last spring, with the day of their founding."""
    year = spring(today).year
    days = [date(year - 3, 5, 8)] * (len(_SERVICE_TEAMS) - 3) + [date(year, 2, 20), date(year, 2, 24), date(year, 3, 2)]
    return [
        {"name": name, "service": service, "members": members, "founded_on": day}
        for (name, service, members), day in zip(_SERVICE_TEAMS, days, strict=True)
    ]


def spring(today: date) -> date:
    """The first day of the last spring campaign, the 17th of March."""
    day = date(today.year, 3, 17)
    return day if day + timedelta(days=1) < today else date(today.year - 1, 3, 17)


def accounts(team: list[dict[str, Any]], units: dict[str, str]) -> list[dict[str, Any]]:
    """One account for each role: ``username``, ``name``, ``role_code``, ``unit_code`` and the ``post`` held, if any.

    Parameters
    ----------
    team
        The team members; those of grid 4 are the ones who can sign in.
    units
        The code of the unit of each level; of the grids, that of grid 4.
    """
    posts = {"building_warden": "building_warden", "information_officer": "information_officer"}
    posts |= {"grid_leader": "leader", "supervisor": "supervisor"}
    people = {member["post"]: member["name"] for member in team if member["grid"] == 4}
    names = {"community_staff": SECRETARY, "line_officer": "方晓燕", "planner": "林文涛", "analyst": "许静"}
    names |= {"administrator": "郑志刚", "auditor": "罗敏"}
    return [
        {
            "username": username,
            "name": people[posts[role]] if role in posts else names[role],
            "role_code": role,
            "unit_code": units[level],
            "post": posts.get(role),
        }
        for username, role, level in _ACCOUNTS
    ]


def _member(grid: int, post: str, name: str, phone: str, background: str, first: date) -> dict[str, Any]:
    """Somebody who holds a post from a day on; all but the wardens have a phone at work, which may be shown."""
    desk = None if post == "building_warden" else f"{PHONE_PREFIX}0098{list(_DESKS).index(post):02d}{grid:02d}"
    return {
        "grid": grid,
        "post": post,
        "name": name,
        "phone": phone,
        "background": background,
        "elder": _ELDERS.get(background),
        "work_phone": desk,
        "consented_on": first if desk else None,
        "first": first,
        "last": None,
    }


def _worker(random: Random, register: Register, today: date) -> str:
    born_on = date(today.year - random.randrange(26, 55), random.randrange(1, 13), random.randrange(1, 28))
    return register.surname() + register.given(random.choice(list(Sex)), born_on)


def _warden(
    random: Random, register: Register, households: list[Household], grid: int, name: str | None
) -> tuple[dict[str, Any], str]:
    """A resident of the grid between 61 and 76, made one of the 五老."""
    candidates = [
        person
        for household in households
        if household.grid == grid and household.tenancy is None and not household.groups.keys() - {"empty_nest"}
        for person, member in zip(household.people, household.family.members, strict=True)
        if 61 <= member.age <= 76 and (name is None or (member.sex is Sex.FEMALE and not member.blood))
    ]
    person = random.choice(candidates)
    background = "老教师" if name else list(_FIVE_OLD)[grid % len(_FIVE_OLD)]
    person["occupation"], person["education"] = _FIVE_OLD[background]
    person["political_status"] = "01"
    person["workplace"] = None
    person["name"] = name or person["name"]
    person["phone"] = person["phone"] or register.phone()
    return person, background
