"""What people of the demo community do and where they come from: schooling, work, party, places, stays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

from data.base.identity import Sex
from data.demo.families import Member

UNEMPLOYED = "下岗失业"
AWAY = "外出务工"

# Education codes of GB/T 4658 with weights, by the oldest age for which the line holds.
_SCHOOLING: list[tuple[float, dict[str, int]]] = [
    (32, {"14": 9, "21": 36, "31": 26, "41": 6, "44": 5, "61": 9, "71": 9}),
    (45, {"11": 1, "14": 5, "21": 27, "31": 24, "41": 9, "44": 6, "61": 12, "71": 15, "81": 1}),
    (60, {"14": 1, "21": 9, "31": 14, "41": 12, "47": 6, "61": 24, "71": 30, "81": 4}),
    (75, {"21": 3, "31": 6, "41": 9, "47": 5, "61": 19, "71": 39, "81": 17, "90": 2}),
    (120, {"21": 2, "31": 2, "41": 5, "61": 8, "71": 25, "81": 42, "90": 16}),
]
_HIGHER = {"11", "14", "21", "31"}

# Occupation and workplaces, for the more and the less schooled, and for the retired.
_WORK_HIGHER: list[tuple[str, tuple[str, ...]]] = [
    ("教师", ("澜江区第二中学", "梧桐里小学", "临江实验小学", "澜江职业技术学院")),
    ("医生", ("澜江区人民医院", "临江街道卫生服务中心")),
    ("护士", ("澜江区人民医院", "澜江区中医院")),
    ("会计", ("澜江纺织集团", "江源会计师事务所", "澜江港务公司")),
    ("工程师", ("澜江造船厂", "江源设计院", "澜江港务公司")),
    ("软件工程师", ("澜江软件园", "江源信息技术公司")),
    ("公务员", ("澜江区人民政府", "澜江区税务局", "临江街道办事处")),
    ("银行职员", ("澜江农商银行", "江源银行临江支行")),
    ("企业管理人员", ("澜江纺织集团", "临江物流公司", "江源食品公司")),
    ("设计师", ("江源设计院", "澜江广告公司")),
    ("销售经理", ("澜江商贸公司", "江源食品公司")),
]
_WORK: list[tuple[str, tuple[str, ...]]] = [
    ("工人", ("澜江造船厂", "澜江纺织集团", "江源食品公司", "临江机械厂")),
    ("营业员", ("临江百货商场", "梧桐里菜市场")),
    ("家政服务员", ("澜江家政公司",)),
    ("保洁员", ("澜江环卫所", "梧桐物业公司")),
    ("个体经营", ("梧桐里菜市场", "书院市集")),
    ("服务员", ("临江酒家", "书院市集")),
    ("仓库管理员", ("临江物流公司", "澜江港务公司")),
    ("驾驶员", ("澜江公交公司", "临江物流公司")),
    ("厨师", ("临江酒家", "江畔食府")),
    ("快递员", ("临江物流公司",)),
    ("保安", ("澜江保安公司",)),
    ("电工", ("澜江供电所", "梧桐物业公司")),
    ("建筑工人", ("江源建筑公司",)),
]
# Trades that are hardly ever a man's, or a woman's.
_RARE = {Sex.MALE: {"护士", "家政服务员"}, Sex.FEMALE: {"保安", "电工", "建筑工人"}}
_RETIRED = {
    "退休工人": 52,
    "退休教师": 9,
    "退休干部": 9,
    "退休职员": 16,
    "退休医护人员": 4,
    "退休军人": 3,
    "退休工程师": 4,
}
_CHILDREN: list[tuple[float, str, str | None, str | None]] = [
    (3, "学龄前儿童", None, None),
    (6, "幼儿园儿童", None, "梧桐里幼儿园"),
    (12, "小学生", "80", "梧桐里小学"),
    (15, "初中生", "70", "澜江区第二中学"),
    (18, "高中生", "60", "澜江区第一中学"),
]
_MINORITIES = {"03": 30, "11": 22, "06": 12, "15": 14, "08": 10, "02": 6, "12": 4, "14": 2}  # GB/T 3304
_DISABILITIES = (
    "肢体残疾三级",
    "肢体残疾四级",
    "视力残疾二级",
    "听力残疾二级",
    "听力残疾三级",
    "智力残疾三级",
    "精神残疾二级",
)


@dataclass(frozen=True)
class Place:
    """Where somebody comes from; all of them invented."""

    name: str
    villages: tuple[str, ...]

    def address(self, random: Random) -> str:
        """An address there."""
        return f"{self.name}{random.choice(self.villages)}{random.randrange(1, 180)}号"


LOCAL_PLACE = Place("澜江区", ("临江街道梧桐路", "临江街道望湖路", "莲塘街道芦花路"))
_PLACES = (
    Place("江源省临泽县", ("石桥镇东湾村", "柳林镇新河村")),
    Place("江源省安平市", ("沙河街道兴业路", "长丰镇前进村")),
    Place("云岭省清溪县", ("茶山乡上坪村", "城关镇人民路")),
    Place("云岭省永昌市", ("北坝镇大塘村",)),
    Place("中原省兴原县", ("孟楼镇西赵村", "城关镇解放街")),
    Place("中原省临颍河县", ("瓦店镇刘庄村",)),
    Place("淮上省长淮县", ("双沟镇圩里村", "城南镇幸福路")),
    Place("淮上省濉阳市", ("南湖街道淮河路",)),
    Place("西川省青衣县", ("木林镇三合村",)),
    Place("西川省南屏市", ("双流桥镇花园街",)),
)


def place_elsewhere(random: Random) -> Place:
    """A place far from the community."""
    return random.choice(_PLACES)


def minority(random: Random) -> str:
    """An ethnic minority, a code of GB/T 3304."""
    return random.choices(list(_MINORITIES), list(_MINORITIES.values()))[0]


def disability(random: Random) -> str:
    """A kind and grade of disability."""
    return random.choice(_DISABILITIES)


def life(random: Random, member: Member, away: Place, *, floating: bool) -> dict[str, Any]:
    """Education, occupation, workplace and political status that fit an age.

    Parameters
    ----------
    away
        Where this family's members work when they are away for work.
    floating
        Tenants are never away or unemployed here: they came for work.
    """
    age = member.age
    for oldest, occupation, education, school in _CHILDREN:
        if age < oldest:
            status = "03" if age > 15.5 and random.random() < 0.6 else "13"
            return _life(education, occupation, school, status)
    if age < 22 and not floating and random.random() < 0.7:
        return _life("60", "大学生", "澜江职业技术学院", "03" if random.random() < 0.8 else "13")
    table = next(weights for oldest, weights in _SCHOOLING if age < oldest)
    education = random.choices(list(table), list(table.values()))[0]
    party = random.random() < (0.17 if education in _HIGHER else 0.05) * (1.6 if age > 60 else 1)
    status = "01" if party else "03" if age < 28 and random.random() < 0.4 else "13"
    if age >= (60 if member.sex is Sex.MALE else 55):
        return _life(education, *_retirement(random, education), status)
    chance = random.random()
    if not floating and age > 22:
        if chance < 0.014:
            return _life(education, UNEMPLOYED, None, "13")
        if chance < 0.045 and age < 52:
            return _life(education, AWAY, f"{away.name}务工", status)
        if chance < 0.09 and member.sex is Sex.FEMALE:
            return _life(education, "料理家务", None, status)
    trades = _WORK_HIGHER if education in _HIGHER else _WORK
    occupation, workplaces = random.choice([trade for trade in trades if trade[0] not in _RARE[member.sex]])
    return _life(education, occupation, random.choice(workplaces), status)


def stay(random: Random, member: Member, since: date, today: date) -> dict[str, Any]:
    """What is registered of a tenant: why they came, by which paper, from when until when."""
    adult = member.age >= 16
    reason = random.choices(("务工", "经商", "投靠亲属", "学习培训"), (66, 18, 12, 4))[0]
    begin = min(today, since + timedelta(days=random.randrange(1, 25)))
    expires = begin
    while expires <= today - timedelta(days=40):
        expires += timedelta(days=365)
    return {
        "status": "floating",
        "inflow_reason": reason if adult else "随迁",
        "permit_kind": ("居住证" if (today - begin).days > 180 else "居住登记凭证") if adult else None,
        "permit_number": f"990106{random.randrange(10**12):012d}" if adult else None,
        "registered_on": begin,
        "expires_on": expires if adult else None,
    }


def _retirement(random: Random, education: str) -> tuple[str, str | None]:
    weights = dict(_RETIRED)
    if education not in _HIGHER:
        weights.update({"退休教师": 2, "退休干部": 4, "退休工程师": 0, "退休医护人员": 1, "居家": 14})
    return random.choices(list(weights), list(weights.values()))[0], None


def _life(education: str | None, occupation: str, workplace: str | None, political_status: str) -> dict[str, Any]:
    return {
        "education": education,
        "occupation": occupation,
        "workplace": workplace,
        "political_status": political_status,
    }
