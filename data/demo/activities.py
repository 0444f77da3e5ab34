"""Members and activities of the demo's service teams over the last twelve months.

Of the spring come the report's own: one lecture on old people's health and two clean-ups. The rest of the year goes on
from there, so that each team was at work, and something is planned for the days to come.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Table, insert, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from data import units
from data.activities import Activity
from data.base.identity import Sex
from data.buildings import Building
from data.demo import duties
from data.demo.names import PHONE_PREFIX, Register
from data.teams import ServiceMember, ServiceTeam

ZONE = ZoneInfo("Asia/Shanghai")

#: days before today, team, kind, title, place, for whom, how many came
_HELD = (
    (352, "文体指导队", "culture", "广场舞和太极拳教学", "中心绿地", "居民", 38),
    (330, "法律援助服务队", "consulting", "遗产和赡养法律咨询", "社区活动室", "老年人", 17),
    (309, "修理服务队", "repair", "便民维修日：磨刀、修伞、修小家电", "1 号楼前", "居民", 64),
    (287, "就业指导队", "consulting", "秋季招工信息发布", "社区活动室", "下岗失业人员", 29),
    (266, "环境保护服务队", "other", "垃圾分类桶边指导", "各分类投放点", "居民", 120),
    (248, "老党员先锋队", "lecture", "防诈骗宣讲", "社区活动室", "老年人", 52),
    (231, "文艺宣传队", "culture", "重阳节演出", "中心绿地", "老年人", 150),
    (205, "巾帼服务队", "lecture", "家庭教育讲座", "社区活动室", "家长", 33),
    (188, "治安巡逻队", "lecture", "冬季防火和电动车充电安全", "社区活动室", "居民", 46),
    (164, "青年志愿服务队", "other", "课业辅导", "社区活动室", "中小学生", 21),
    (143, "助残帮扶队", "repair", "上门检修扶手和坡道", "各楼栋", "残疾人家庭", 12),
    (121, "文体指导队", "culture", "迎新春健步走", "社区环路", "居民", 85),
    (97, "家政服务队", "lecture", "家庭护理和陪护知识", "社区活动室", "老年人家属", 27),
    (76, "修理服务队", "repair", "便民维修日：水电和门锁", "28 号楼前", "居民", 71),
    (55, "法律援助服务队", "consulting", "劳动合同和社保咨询", "社区活动室", "外出打工人员", 19),
    (34, "医疗保健服务队", "consulting", "量血压、测血糖", "社区活动室", "老年人", 58),
    (13, "保洁服务队", "cleanup", "清理楼道堆物", "各楼栋", "居民", 26),
    (6, "文艺宣传队", "culture", "露天电影", "中心绿地", "居民", 95),
    (-5, "修理服务队", "repair", "便民维修日", "12 号楼前", "居民", None),
    (-12, "医疗保健服务队", "lecture", "用药安全讲座", "社区活动室", "老年人", None),
)
#: Day of March, of the spring that the report tells of.
_SPRING = (
    (7, "保洁服务队", "cleanup", "清理辖区卫生（第一次）", "社区环路", "居民", 41),
    (11, "医疗保健服务队", "lecture", "老年人健康知识讲座", "社区活动室", "老年人", 63),
    (14, "保洁服务队", "cleanup", "清理辖区卫生（第二次）", "绿化带和楼间", "居民", 37),
)
#: What the spring's own are the only ones of, from January to March.
_ALONE = ("lecture", "cleanup")
_SKILLS = {
    "法律援助服务队": "法律咨询、代写文书",
    "医疗保健服务队": "量血压、护理",
    "家政服务队": "家政、陪护",
    "修理服务队": "水电、家电、门锁",
    "文艺宣传队": "二胡、合唱",
    "文体指导队": "太极拳、广场舞",
    "保洁服务队": "清扫、垃圾清运",
}


def load(session: Session, community: units.Unit, seed: int, today: date) -> None:
    """Write members and activities of the service teams of the demo's community."""
    random = Random(f"{seed} activities")  # noqa: S311 - made up, no secrets
    teams = {
        team.name: team for team in session.scalars(select(ServiceTeam).where(ServiceTeam.community_id == community.id))
    }
    houses = session.execute(
        select(Building.grid_id, Building.point).where(Building.community_id == community.id).order_by(Building.id)
    ).all()
    year = duties.spring(today).year
    held = [(_day(today, days, kind, year), team, kind, *rest) for days, team, kind, *rest in _HELD]
    held += [(date(year, 3, day), *rest) for day, *rest in _SPRING]
    rows = []
    for day, team, kind, title, place, audience, attendance in held:
        grid_id, point = random.choice(houses)
        begins_at = datetime.combine(day, time(9, 30), ZONE)
        rows.append(
            {
                "created_at": begins_at,
                "updated_at": begins_at,
                "community_id": community.id,
                "grid_id": grid_id,
                "team_id": teams[team].id,
                "kind": kind,
                "title": title,
                "begins_at": begins_at,
                "place": place,
                "audience": audience,
                "attendance": attendance,
                "geom": point,
            }
        )
    _insert(session, Activity, rows)
    _insert(session, ServiceMember, list(_members(random, list(teams.values()), today)))


def _members(random: Random, teams: list[ServiceTeam], today: date) -> list[dict[str, Any]]:
    """Three of each team, by name: who leads it has agreed to the phone that is shown."""
    register = Register(random)
    rows = []
    for nth, team in enumerate(teams):
        for place in range(3):
            name = register.surname() + register.given(random.choice(list(Sex)), date(today.year - 55, 5, 1))
            leads = place == 0
            rows.append(
                {
                    "community_id": team.community_id,
                    "team_id": team.id,
                    "name": name,
                    "skills": _SKILLS.get(team.name, team.service),
                    "valid": Range(today - timedelta(days=random.randrange(100, 900)), None),
                    "work_phone": f"{PHONE_PREFIX}009600{nth:02d}" if leads else None,
                    "consented_on": today - timedelta(days=90) if leads else None,
                }
            )
    return rows


def _day(today: date, days: int, kind: str, year: int) -> date:
    """The day so many days ago; of the kinds that the spring has its own of, none from January to March of its year."""
    day = today - timedelta(days=days)
    if kind in _ALONE and date(year, 1, 1) <= day < date(year, 4, 1):
        later = day + timedelta(days=91)
        return later if days > 91 else day - timedelta(days=91)
    return day


def _insert(session: Session, table: type[Activity] | type[ServiceMember], rows: list[dict[str, Any]]) -> None:
    core = table.__table__
    assert isinstance(core, Table)
    session.execute(insert(core), rows)
