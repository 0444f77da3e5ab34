"""The diary of the demo community over the last twelve months.

In the spring campaign 35 things were said and all of them solved at once; what people spoke of then were broken lights,
paths without lamps, stray cats, moving one's registration and medical insurance. What else was said, during visits and
in passing, is made up. Some of it became a case, and is struck off with that. Every week but the last two was taken
over by those who answer for its subjects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import Table, insert, select
from sqlalchemy.orm import Session

from data import units
from data.accounts import Account
from data.base import access
from data.diary import DiaryEntry, DiaryHandover, DiaryOfficer, Subject, week_of, weeks, words
from data.incidents import Incident
from data.teams import LineOfficer
from data.visits import Outcome

ZONE = ZoneInfo("Asia/Shanghai")
#: How many things were said in the spring campaign.
SPRING = 35
#: How often something is said during another visit, how many cases began as an entry, and entries in passing a month.
_SAYS, _CASES, _A_MONTH = 0.1, 60, 12
#: What was said in the spring campaign, and what was done about it on the spot.
_SPRING = (
    ("楼道里三楼的灯坏了，一直没人修", "当场联系物业换了灯泡"),
    ("单元门口的灯不亮，晚上看不见台阶", "当场换了声控开关"),
    ("五楼的廊灯一闪一闪", "修理队当天换了灯座"),
    ("书院弄那一段没有路灯，老人晚上不敢走", "当场报到街道照明专班，当晚先装了太阳能灯"),
    ("从健身广场回来的小路没路灯", "当天加装了一盏临时灯"),
    ("楼间野猫太多，夜里叫得睡不着", "当场联系了救助站，设了投喂点"),
    ("野猫把垃圾袋抓破了", "当场请保洁队加了一次清扫，换了带盖的桶"),
    ("女儿的户口想迁过来，不知道要什么材料", "当场写好了材料清单，帮忙网上预约"),
    ("户口迁移要跑几趟", "当场帮办，只跑一趟"),
    ("医疗保险断了三个月，怎么补缴", "当场帮忙在手机上补缴"),
    ("老人的医保卡丢了", "当场代办补卡"),
    ("城乡居民医疗保险今年交多少", "当场讲清标准，帮忙缴费"),
)
#: What was said at other times: the words, what was done about it, or that there is nothing to be done.
_SAID: tuple[tuple[str, str | None], ...] = (
    ("家里都好，没有困难", None),
    ("谢谢上次帮忙修门禁", None),
    ("儿子换了工作，下月起在外地", None),
    ("想参加文艺队", "已介绍给文体指导队，周三起参加"),
    ("想学用手机挂号，请社区办一次讲座", "已排进老年人健康知识讲座"),
    ("楼下快递车乱停，出入不便", "与快递站点约定了停放点"),
    ("老人刚出院，要人送饭一段时间", "已联系助餐点，每天送两餐"),
    ("孩子放学没人接，问社区有没有托管", "已报名社区四点半课堂"),
    ("水压低，早上洗漱不够用", "自来水公司检修了增压泵"),
    ("养老金认证不会操作", "已当场帮办"),
    ("邻居装修，中午也有声音", "与装修队约定午休时间停工"),
    ("希望小广场多装几张椅子", "已列入下季度改造"),
    ("低保年审不知道什么时候办", "已告知时间，材料由网格代交"),
    ("楼道里堆了杂物，怕消防有问题", "已劝导，当天清走"),
    ("有人在楼下飞线给电动车充电", "已劝导，指了充电棚的位置"),
    ("接到冒充医保局的诈骗电话", "已讲防诈骗，手机装了反诈应用"),
    ("下岗半年了，想找份工作", "已推荐到街道招聘会"),
    ("残疾人证要换证", "已帮忙预约"),
    ("顶楼漏雨，维修基金怎么申请", "已把申请表送上门，帮忙填写"),
    ("独生子女父母奖励没有收到", "已核对名册，下月补发"),
    ("楼上空调滴水，说了几次没用", "已与楼上住户说好，装了接水管"),
    ("居住证到期了", "已帮忙网上续签"),
)
#: What was seen or heard in passing, at a building.
_PASSING = (
    ("单元门口路灯不亮", "物业换了灯管"),
    ("楼间野猫多，居民说夜里吵", "救助站捕捉绝育了两只"),
    ("楼后垃圾没有及时清运", "保洁队加了一趟"),
    ("居民聚在一起说要去反映停车的事", "当面听了意见，约物业周五开会"),
    ("绿化带里有人种菜", "已劝导恢复"),
    ("电梯里贴满小广告", "志愿者清理了"),
    ("消防通道停了车", "车主已挪走"),
    ("夜里有陌生人逐户敲门推销", "已报片警，提醒住户"),
)
#: The field of the line officer who answers for a subject; all others are for whoever sees to petitions.
_FIELDS = {
    Subject.FAMILY_PLANNING: "计生",
    Subject.LOW_INCOME: "低保",
    Subject.JOBS: "低保",
    Subject.CIVIL_AFFAIRS: "民政",
    Subject.INSURANCE: "民政",
    Subject.CIVILITY: "文明创建",
    Subject.ENVIRONMENT: "文明创建",
    Subject.SAFETY: "安全生产",
    Subject.UTILITIES: "安全生产",
    Subject.ORDER: "综治维稳",
    Subject.HUKOU: "综治维稳",
}
#: How many weeks were not taken over yet.
_WAITING = 2


def load(
    session: Session,
    community: units.Unit,
    visited: Sequence[Mapping[str, Any]],
    held: Mapping[str, int],
    seed: int,
    today: date,
) -> None:
    """Write the diary.

    Parameters
    ----------
    visited
        The visits as ``data.demo.visits.load`` returns them.
    held
        The account ``officer`` of the line officer of that name, and ``staff``, who confirms for those without one.
    """
    random = Random(f"{seed} diary")  # noqa: S311 - made up, no secret
    spring = {visit["at"].date() for visit in visited if visit["in_campaign"]}
    others = [visit for visit in visited if visit["at"].date() not in spring]
    rows = [*_spring(random, visited), *_of_visits(random, others, today), *_in_passing(random, others, today)]
    rows += _of_cases(session, random, community.id)
    for number, row in enumerate(rows):
        about: dict[str, Any] = {
            "visit_id": None,
            "incident_id": None,
            "household_id": None,
            "community_id": community.id,
        }
        said = row["said"]
        about |= {"uuid": uuid5(NAMESPACE_OID, f"{community.code} {seed} diary {number}")}
        about |= {"subject": words.guessed(said), "grams": words.written(said), "created_at": row["at"]}
        rows[number] = {**about, **row}
    _insert(session, DiaryEntry, rows)
    officers = _officers(session, community.id, held["officer"])
    last = week_of(today) - timedelta(weeks=_WAITING + 1)
    taken = weeks(session, access.SYSTEM, community_id=community.id, first=last - timedelta(weeks=52), last=last)
    _insert(
        session,
        DiaryHandover,
        [
            {
                "community_id": community.id,
                "subject": week.subject,
                "week_on": week.week_on,
                "entries": week.entries,
                "account_id": officers[Subject(week.subject)] or held["staff"],
                "at": datetime.combine(week.week_on + timedelta(days=7), time(9, random.randrange(60)), ZONE),
            }
            for week in taken
        ],
    )


def _officers(session: Session, community_id: int, account_id: int) -> dict[Subject, int | None]:
    """Name who answers for each subject; the account of each, where there is one."""
    name = session.scalar(select(Account.name).where(Account.id == account_id))
    people = session.scalars(select(LineOfficer).where(LineOfficer.community_id == community_id)).all()
    for person in people:
        person.account_id = account_id if person.name == name else None
    by_field = {person.field: person for person in people}
    answering = {subject: by_field[_FIELDS.get(subject, "信访")] for subject in Subject}
    _insert(
        session,
        DiaryOfficer,
        [
            {"community_id": community_id, "subject": subject, "officer_id": person.id}
            for subject, person in answering.items()
        ],
    )
    session.flush()
    return {subject: person.account_id for subject, person in answering.items()}


def _entry(place: Mapping[str, Any], said: str, at: datetime, **more: Any) -> dict[str, Any]:
    about = {name: place[name] for name in ("grid_id", "building_id", "account_id")}
    state = {"asks": True, "struck_at": None, "struck_by_id": None, "answer": None}
    return {**about, "said": said, "at": at, **state, **more}


def _solved(place: Mapping[str, Any], at: datetime, answer: str) -> dict[str, Any]:
    return {"struck_at": at, "struck_by_id": place["account_id"], "answer": answer}


def _spring(random: Random, visited: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What was said in the campaign, solved on the spot."""
    doors = random.sample([visit for visit in visited if visit["in_campaign"]], SPRING)
    rows = []
    for number, visit in enumerate(sorted(doors, key=lambda visit: visit["at"])):
        said, answer = _SPRING[number % len(_SPRING)]
        rows.append(_entry(visit, said, visit["at"], **_met(visit), **_solved(visit, visit["at"], answer)))
    return rows


def _of_visits(random: Random, visited: Sequence[Mapping[str, Any]], today: date) -> list[dict[str, Any]]:
    """What was said during other visits and calls: most of it is solved within days."""
    rows = []
    for visit in visited:
        if visit["outcome"] != Outcome.MET or random.random() >= _SAYS:
            continue
        said, answer = random.choice(_SAID)
        rows.append(_entry(visit, said, visit["at"], **_met(visit), **_course(random, visit, answer, today)))
    return rows


def _in_passing(random: Random, visited: Sequence[Mapping[str, Any]], today: date) -> list[dict[str, Any]]:
    """What was seen on the way, at a building."""
    rows = []
    for visit in random.sample(list(visited), 12 * _A_MONTH):
        said, answer = random.choice(_PASSING)
        rows.append(_entry(visit, said, visit["at"], **_course(random, visit, answer, today)))
    return rows


def _of_cases(session: Session, random: Random, community_id: int) -> list[dict[str, Any]]:
    """Entries of which a case was made."""
    query = select(
        Incident.id, Incident.grid_id, Incident.building_id, Incident.description, Incident.reported_at
    ).where(Incident.community_id == community_id, Incident.building_id.is_not(None), Incident.description.is_not(None))
    cases = session.execute(query.order_by(Incident.number)).all()
    # The leader who heard it is not known any more.
    return [
        _entry({**case._mapping, "account_id": None}, case.description, case.reported_at, incident_id=case.id)
        for case in random.sample(cases, min(_CASES, len(cases)))
    ]


def _met(visit: Mapping[str, Any]) -> dict[str, Any]:
    return {"household_id": visit["household_id"], "visit_id": visit["id"]}


def _course(random: Random, visit: Mapping[str, Any], answer: str | None, today: date) -> dict[str, Any]:
    if answer is None:
        return {"asks": False}
    solved_at = visit["at"] + timedelta(days=random.choice((0, 0, 1, 2, 4, 7, 12)), hours=random.randrange(3))
    if solved_at.date() >= today or random.random() < 0.03:
        return {}
    return _solved(visit, solved_at, answer)


def _insert(session: Session, table: type[Any], rows: list[dict[str, Any]]) -> None:
    core = table.__table__
    assert isinstance(core, Table)
    if rows:
        session.execute(insert(core), rows)
