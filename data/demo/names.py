"""Names, phone numbers and identity numbers of people who do not exist.

Surnames follow their share of the population (the hundred most common ones carry about 85 %), given names the
fashion of the decade of birth. Both are common characters put together by chance.
"""

from __future__ import annotations

from datetime import date
from random import Random

from data.base import identity
from data.base.identity import Sex

# The share of the population in tenths of a percent, rounded (national survey of names, 2020 and before).
_SURNAMES = (
    "王72李70张67刘54陈45杨31黄22赵21吴20周19徐15孙15马13朱13胡12郭12何12林11高10罗10郑9梁9谢8宋8唐7许6韩6"
    "邓6冯6曹5彭5曾5肖5田5董5潘5袁5蔡5蒋5余5于4杜4叶4程4魏4苏4吕4丁4任4卢4姚4沈4钟4姜4崔4谭4陆4范4汪3"
    "廖3石3金3韦3贾3夏3付3方3邹3熊3白3孟3秦3邱3侯3江3尹3薛3闫3段3雷3龙2黎2史2陶2贺2毛2郝2顾2龚2邵2万2"
    "覃2武2钱2戴2严2莫2孔2向2常2汤2"
)

# First and last characters of given names, by the decade from which they were in fashion.
_FASHION: dict[int, dict[Sex, tuple[str, str]]] = {
    1900: {Sex.MALE: ("德文金福长永国世", "财贵生福山林海发"), Sex.FEMALE: ("秀桂玉兰凤翠春素", "英珍兰芳贞云花香")},
    1945: {Sex.MALE: ("建国志永德新学明", "华国民军生平林祥"), Sex.FEMALE: ("秀玉桂淑凤美素惠", "英兰珍华琴芳芬云")},
    1960: {
        Sex.MALE: ("建志卫国永向红学", "军东明平民华忠伟"),
        Sex.FEMALE: ("丽秀红玉爱小建春", "红梅芳琴英华萍霞"),
    },
    1972: {Sex.MALE: ("志建海晓文俊永宏", "勇军刚涛峰斌明辉"), Sex.FEMALE: ("晓丽海雪春玉艳小", "燕丽敏霞静娟红玲")},
    1983: {Sex.MALE: ("晓文俊志海家嘉子", "杰鹏宇超峰磊涛辉"), Sex.FEMALE: ("晓雪文佳思婷丽海", "婷静娜莉倩雯洁颖")},
    1994: {Sex.MALE: ("子俊浩嘉文宇天志", "豪轩宇杰阳涵晨凯"), Sex.FEMALE: ("雨思佳欣子梦诗雅", "怡琪彤涵雯萱洁雨")},
    2006: {Sex.MALE: ("子浩宇梓俊一奕铭", "轩宇泽睿辰涵然航"), Sex.FEMALE: ("梓雨欣诗可子语一", "涵萱怡彤妍琪晨桐")},
}
_SINGLE: dict[Sex, str] = {Sex.MALE: "伟军勇涛斌鹏超磊峰辉刚明亮波", Sex.FEMALE: "丽静敏燕霞娟艳娜婷玲洁颖萍倩"}

# 154 is kept for mobile networks by the numbering plan and given to none of them.
PHONE_PREFIX = "154"


class Register:
    """Hands out names, phones and identity numbers, the last two never twice.

    Parameters
    ----------
    random
        The source of chance.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        parts = [_SURNAMES[at] for at in range(len(_SURNAMES)) if not _SURNAMES[at].isdigit()]
        shares = "".join(c if c.isdigit() else " " for c in _SURNAMES).split()
        self._surnames, self._shares = parts, [int(share) for share in shares]
        self._phones: set[str] = set()
        self._sequences: dict[tuple[str, date, Sex], int] = {}

    def surname(self) -> str:
        """A surname by its share."""
        return self._random.choices(self._surnames, self._shares)[0]

    def given(self, sex: Sex, born_on: date) -> str:
        """A given name of one or two characters in the fashion of its time."""
        fashion = _FASHION[max(year for year in _FASHION if year <= born_on.year)][sex]
        # One character alone was most common among those born from the seventies to the nineties.
        if 1968 <= born_on.year <= 1998 and self._random.random() < 0.3:
            return self._random.choice(_SINGLE[sex])
        first, last = self._random.choice(fashion[0]), self._random.choice(fashion[1])
        return first + last if first != last else last

    def phone(self) -> str:
        """A mobile number that no network has."""
        while True:
            number = f"{PHONE_PREFIX}{self._random.randrange(10**8):08d}"
            if number not in self._phones:
                self._phones.add(number)
                return number

    def identity_number(self, division: str, born_on: date, sex: Sex) -> str:
        """A number that passes GB 11643 and is new; ``division`` begins with 99, so it belongs to nobody."""
        assert division.startswith(identity.UNASSIGNED_PREFIX)
        key = (division, born_on, sex)
        sequence = self._sequences.get(key, self._random.randrange(0, 40)) + 1
        self._sequences[key] = sequence
        return identity.make(division, born_on, sequence, sex)
