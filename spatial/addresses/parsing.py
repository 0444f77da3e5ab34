"""Addresses taken apart (地址解析): street, lane, house number, building, unit, floor and room.

A Chinese address runs from the large to the small, and each number carries its mark: 「锦绣路12弄3号501室」,
「3号楼2单元501」. People leave marks out (「3-2-501」), write them differently (幢, 栋, 座, #), in full width, or as
Chinese numerals. So a text is first brought to one spelling, then numbers without marks are given theirs by their
place in the row, then the marked numbers are read off. An address without Chinese characters is read as
``house number, street, apartment``.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Address", "label", "parse"]


@dataclass(frozen=True, slots=True)
class Address:
    """What an address says; a part it does not state is None.

    Attributes
    ----------
    text
        The address as handed in.
    street, lane, house_number
        锦绣路, 12 (弄), 3 (号). In English the house number may have a tail: ``12A``, ``12 1/2``, ``12;14``.
    place
        Any other name before the numbers: an estate (锦绣家园), a building that has a name and no number (综合楼).
    building, unit, floor, room
        3 (号楼), 2 (单元), 5 (层; B1 below ground), 501 (室), without marks and leading zeros.
    rest
        What follows the address and is none (「3号楼北侧」: 北侧).
    """

    text: str
    street: str | None = None
    lane: str | None = None
    house_number: str | None = None
    place: str | None = None
    building: str | None = None
    unit: str | None = None
    floor: str | None = None
    room: str | None = None
    rest: str | None = None

    @property
    def normalized(self) -> str:
        """The address in one spelling, whatever way it was written.

        Examples
        --------
        >>> parse("锦绣路１２弄３＃５０１").normalized, parse("12 W. 5th st, apt 4b").normalized
        ('锦绣路12弄3号楼501室', '12 WEST 5TH STREET APT 4B')
        """
        if not _CHINESE.search(self.text) and self.street:
            room = f"APT {self.room}" if self.room else None
            floor = f"FLOOR {self.floor}" if self.floor else None
            return " ".join(part for part in (self.house_number, self.street, floor, room) if part)
        before, after = (self.place, None) if self.street is None else (None, self.place)
        marked = (
            (before, ""), (self.street, ""), (self.lane, "弄"), (self.house_number, "号"), (after, ""),
            (self.building, "号楼"), (self.unit, "单元"), (self.floor, "层"), (self.room, "室"),
        )  # fmt: skip
        return "".join(f"{part}{mark}" for part, mark in marked if part)


_CHINESE = re.compile(r"[\u3400-\u9fff]")


def parse(text: str) -> Address:
    """Take an address apart.

    Parameters
    ----------
    text
        A Chinese address, or an English one with a house number and a street. A bare ``3-2-501`` is read as the
        Chinese do: building, unit, room.

    Returns
    -------
    Address
        With nothing but ``text`` where nothing was recognised.

    Examples
    --------
    >>> a = parse("锦绣路12弄3号501室")
    >>> a.street, a.lane, a.house_number, a.room
    ('锦绣路', '12', '3', '501')
    >>> a = parse("三号楼二单元５０１")
    >>> a.building, a.unit, a.room
    ('3', '2', '501')
    >>> a = parse("123 Main St")
    >>> a.house_number, a.street
    ('123', 'MAIN STREET')
    """
    plain = unicodedata.normalize("NFKC", text).upper().strip()
    if _CHINESE.search(plain) or not re.search(r"[A-Z]{2}", plain):
        return _chinese(text, plain)
    return _english(text, plain)


@lru_cache(maxsize=65536)
def label(number: str) -> str:
    """Bring the number of a building, unit or room, with or without its mark, to one spelling.

    Examples
    --------
    >>> label("3号楼"), label("第十二栋"), label("Ａ座"), label("0501室"), label("3-2"), label("甲3#")
    ('3', '12', 'A', '501', '3-2', '甲3')
    """
    plain = _one_spelling(unicodedata.normalize("NFKC", number).upper().strip())
    return _trimmed(re.sub(rf"(?:{_MARK})$", "", plain.removeprefix("#")))


# ── Chinese ─────────────────────────────────────────────────────────────────────────────────────────────────────

_NUMERALS = "零〇一二三四五六七八九十百两"
_DIGITS = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
# 三号路, 一号线 and 一号桥 are names. The longer mark goes before the one it begins with.
_MARK = (
    r"号楼|号(?:公寓|别墅|宿舍)|号门|号院|号房|号(?![路街线桥])|#楼?|幢楼?|栋楼?|座|单元|门(?![市诊面卫])|梯|支弄|弄"
    r"|层|楼|室|房间?|户"
)
_NUMBER = r"[甲乙丙丁戊东西南北中]?[A-Z]{0,2}\d+(?:[-;附]\d+)*[A-Z甲乙丙丁]?"
_MARKED = re.compile(rf"(?P<number>{_NUMBER}|[A-Z]{{1,2}}|[甲乙丙丁戊](?=单元|座|栋|幢))(?P<mark>{_MARK})")
_BUILDING = ("号楼", "号公寓", "号别墅", "号宿舍", "#", "#楼", "幢", "幢楼", "栋", "栋楼", "座")
_HOUSED = re.compile(r"(?:[楼厦馆院所站店]|中心|商场)$")
_ROW = re.compile(r"(?<![\dA-Z-])[A-Z]{0,2}\d*[A-Z]?(?:-[A-Z]{0,2}\d+[A-Z]?)+(?P<after>号(?!楼)|室|房|户|$)")
_STREET_END = r"(?:大道|[路街道]|胡同|巷)"
_STREET = re.compile(rf"(?P<street>.+?{_STREET_END}(?:[东西南北中]?[一二三四五六七八九十]+巷)?)(?P<place>.*)")
_KIND_OF_PLACE = re.compile(
    r"(?:小区|新村|花园|家园|公寓|大厦|宿舍|大院|广场|商城|[苑园村])(?:[\dA-Z一二三四五东西南北][区期]|\d期)?"
)
# 小区, 园区 and the like are estates, 城市 and 都市 words.
_OFFICE = re.compile(
    r"(?:中国)?(?:[^省路街]{2,3}省|[^区路街]{2,6}自治区)?(?:[^市路街号]{2,5}(?<![城都])市)?"
    r"(?:浦东新区|[^区县路街号]{1,5}(?<![小社园校片厂院家宅活军新东西南北\dA-Z一二三四五六七八九十期])区|[^县路街号]{1,5}县)?"
    r"(?:[^路号]{1,6}街道(?:办事处)?|[^镇路街号]{1,5}镇|[^乡路街号]{1,5}乡)?"
    r"(?:[^路街号]{1,10}?(?:社区|居委会|村委会))?"
)


def _chinese(text: str, plain: str) -> Address:
    spelled = _with_marks(_one_spelling(plain))
    parts: dict[str, str] = {}
    names: list[str] = []
    at = 0
    for token in _MARKED.finditer(spelled):
        between = spelled[at : token.start()]
        part = _part_of(token, parts, between)
        if part is None:
            break
        if between:
            if parts and not _may_hold_name(parts):
                break
            names.append(between)
        value = _trimmed(token["number"])
        parts[part] = f"{parts['lane']}-{value}" if part == "lane" and "lane" in parts else value
        at = token.end()
    tail = spelled[at:]
    if parts and re.fullmatch(r"[A-Z]?\d{1,5}[A-Z]?(?:-\d+)?", tail) and "room" not in parts:
        parts["room"], tail = _trimmed(tail), ""
    if not parts and tail:
        names, tail = [tail], ""
        if (bare := re.fullmatch(rf"(?P<name>.*?)(?P<number>{_NUMBER})", names[0])) is not None:
            names = [bare["name"]]
            parts[_part_of_bare(bare["name"], bare["number"])] = _trimmed(bare["number"])
    street, place = _names(names)
    return Address(text=text, street=street, place=place, rest=tail or None, **parts)


def _one_spelling(plain: str) -> str:
    """No spaces and brackets, one dash, Chinese numerals before a mark as digits."""
    spelled = re.sub(r"\([^)]*\)|\[[^\]]*\]|【[^】]*】", "", plain)
    spelled = re.sub(r"[‐‑‒–—―−~〜_]", "-", spelled)
    spelled = re.sub(r"(?<=[\dA-Z])\s*[-/至之]\s*(?=[\dA-Z])", "-", spelled)
    spelled = re.sub(r"(?<=\d)\s+(?=\d)", "-", spelled)
    spelled = re.sub(r"[\s,。;、]+(?!\d)|(?<!\d)[\s,。;、]+", "", spelled)
    spelled = re.sub(rf"([{_NUMERALS}]+)(?={_MARK}|期|组团|区[\d{_NUMERALS}])", _to_digits, spelled)
    spelled = re.sub(rf"(?<=[号栋幢座元层楼])[{_NUMERALS}]{{3,}}$", _to_digits, spelled)
    spelled = re.sub(r"第(?=\d)", "", spelled)
    spelled = re.sub(r"(?:地下|负|(?<![\dA-Z])-)(\d)(?=层|楼)", r"B\1", spelled)
    spelled = re.sub(r"(?<![\dA-Z])-|-(?![\dA-Z])", "", spelled)
    spelled = re.sub(r"号附(\d+)号", r"附\1号", spelled)
    spelled = re.sub(r"(?<=[栋幢座元层楼室])#", "", spelled)
    return re.sub(r"(?<![\dA-Z])#(\d+)楼?", r"\1号楼", spelled)


def _to_digits(found: re.Match[str]) -> str:
    """Turn 十二 into 12, 一百零二 into 102, and a row of digits such as 五〇一 into 501."""
    numerals = found[0]
    if not re.search("[十百]", numerals):
        return "".join(str(_DIGITS[numeral]) for numeral in numerals)
    total, digit = 0, 0
    for numeral in numerals:
        if numeral in "十百":
            total += (digit or 1) * (10 if numeral == "十" else 100)
            digit = 0
        else:
            digit = _DIGITS[numeral]
    return str(total + digit)


# What the numbers of a row mean, by the smallest thing named before it. Where the row has fewer numbers, floor, unit
# and building are left out, in this order.
_SLOTS = {
    "unit": ["层", "室"],
    "building": ["单元", "层", "室"],
    "house": ["号楼", "单元", "层", "室"],
    "lane": ["号", "单元", "层", "室"],
    "street": ["号", "号楼", "单元", "层", "室"],
    "nothing": ["号楼", "单元", "层", "室"],
}


def _with_marks(spelled: str) -> str:
    """Give the numbers of a row such as 3-2-501 the marks that their places mean."""
    row = _ROW.search(spelled)
    if row is None:
        return spelled
    before, after = spelled[: row.start()], row["after"]
    numbers = row[0].removesuffix(after).split("-")
    context = _smallest_named(before)
    short = len(re.sub(r"\D", "", numbers[-1])) < 3
    if after == "号" and (context in ("house", "street", "nothing") or (context == "lane" and short)):
        return spelled  # 12-1号 and 98-114号 are one house number
    if context == "nothing" and len(numbers) == 2 and short and not after:
        marks = ["号楼", "单元"]
    elif context == "street" and len(numbers) == 2 and not after and (short or _is_range(*numbers)):
        marks = ["-", "号"]
    elif context in ("building", "unit") and len(re.sub(r"\D", "", numbers[0])) >= 3:
        marks = ["-"] * (len(numbers) - 1) + ["室"]  # 501-2 is part of a room
    else:
        marks = list(_SLOTS[context])
        for mark in ("层", "单元", "号楼"):
            if len(marks) > len(numbers) and mark in marks:
                marks.remove(mark)
        marks[-1:] = ["-"] * (len(numbers) - len(marks)) + ["室"]
    marked = "".join(f"{number}{mark}" for number, mark in zip(numbers, marks, strict=True))
    return f"{before}{marked}{spelled[row.end() :]}"


def _is_range(first: str, last: str) -> bool:
    """106-110 are neighbouring houses, 12-501 a house and a room."""
    is_small = all(re.fullmatch(r"\d{1,6}", number) for number in (first, last))
    return is_small and 0 < int(last) - int(first) <= 50


def _smallest_named(before: str) -> str:
    marks = {token["mark"] for token in _MARKED.finditer(before)}
    if marks & {"单元", "门", "号门", "梯"}:
        return "unit"
    if marks & {*_BUILDING, "楼"} or (marks & {"弄", "支弄"} and "号" in marks):
        return "building"
    if marks & {"号", "号院"}:
        return "house"
    if marks & {"弄", "支弄"}:
        return "lane"
    return "street" if re.search(rf"{_STREET_END}$", before) else "nothing"


def _part_of(token: re.Match[str], parts: dict[str, str], named: str) -> str | None:
    """Name the part a marked number is, None when it cannot belong to this address any more."""
    mark, number = token["mark"], token["number"]
    inside = "building" in parts or "house_number" in parts
    if mark in ("弄", "支弄"):
        part = "lane"
    elif mark in _BUILDING:
        part = "building"
    elif mark in ("号", "号院"):
        # 3幢2单元5号: the last 号 is a room, the first one a house.
        part = "room" if "building" in parts or "unit" in parts or "house_number" in parts else "house_number"
    elif mark in ("单元", "门", "号门", "梯"):
        part = "unit"
    elif mark == "层":
        part = "floor"
    elif mark == "楼":
        # 5楼501 and 综合楼5楼 name a floor, 3楼501 and 西12楼 a building.
        above = re.match(rf"{number}\d\d(?!\d)", token.string[token.end() :]) or _HOUSED.search(named)
        part = "floor" if number[0] in "B0123456789" and (inside or above) else "building"
    else:
        part = "room"
    if part == "lane":
        return None if inside else part
    if part in parts or (named and part in ("unit", "floor", "room") and parts):
        return None
    return part


def _may_hold_name(parts: dict[str, str]) -> bool:
    """An estate may be named between the house number and the building: 锦绣路12号锦绣家园3号楼."""
    return not {"building", "unit", "floor", "room"} & set(parts)


def _part_of_bare(name: str, number: str) -> str:
    """锦绣路12 is a house, 锦绣家园12 and a bare 12 a building, 锦绣家园501 a room."""
    if re.search(rf"{_STREET_END}$", name):
        return "house_number"
    return "room" if name and re.fullmatch(r"\d{3,}", number) else "building"


def _names(names: list[str]) -> tuple[str | None, str | None]:
    """Tell street from place in the names before the numbers, leaving out province to community."""
    head = "".join(names)
    bare = head[_OFFICE.match(head).end() :]  # type: ignore[union-attr]  # every part is optional
    found = _STREET.fullmatch(bare)
    # 铁路小区 is one name, 锦绣路锦绣家园 are two.
    if found is None or _KIND_OF_PLACE.fullmatch(found["place"]):
        return None, bare or None
    return found["street"], found["place"] or None


def _trimmed(number: str) -> str:
    """Leave out leading zeros: 0501 is 501."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", number)


# ── English ─────────────────────────────────────────────────────────────────────────────────────────────────────

_HOUSE = re.compile(
    r"(?P<house>\d+(?:-\d+)?[A-Z]?(?:\s\d/\d)?(?:\sREAR)?(?:-[A-Z])?(?:\s?[;&]\s?\d+[A-Z]?)*)\s+(?P<street>\S.*)"
)
_ROOM = re.compile(r"[\s,]+(?:(?:APT|APARTMENT|UNIT|SUITE|STE|ROOM|RM)\b\.?\s*#?|#)\s*(?P<room>[\w-]+)\s*$")
_FLOOR = re.compile(r"[\s,]+(?:(?P<before>\d+)(?:ST|ND|RD|TH)?\s+FL(?:OOR)?|FL(?:OOR)?\.?\s+(?P<after>\d+))\s*$")
_DIRECTIONS = {"N": "NORTH", "S": "SOUTH", "E": "EAST", "W": "WEST"}
_KINDS = {
    "ST": "STREET", "STR": "STREET", "AVE": "AVENUE", "AV": "AVENUE", "BLVD": "BOULEVARD", "RD": "ROAD", "DR": "DRIVE",
    "PL": "PLACE", "PLZ": "PLAZA", "LN": "LANE", "CT": "COURT", "SQ": "SQUARE", "TER": "TERRACE", "PKWY": "PARKWAY",
    "HWY": "HIGHWAY", "EXPY": "EXPRESSWAY", "CIR": "CIRCLE", "ALY": "ALLEY",
}  # fmt: skip
_ORDINALS = {
    "FIRST": "1ST", "SECOND": "2ND", "THIRD": "3RD", "FOURTH": "4TH", "FIFTH": "5TH", "SIXTH": "6TH",
    "SEVENTH": "7TH", "EIGHTH": "8TH", "NINTH": "9TH", "TENTH": "10TH", "ELEVENTH": "11TH", "TWELFTH": "12TH",
}  # fmt: skip


def _english(text: str, plain: str) -> Address:
    line, parts = re.sub(r"\s+", " ", plain), {}
    for name, pattern in (("room", _ROOM), ("floor", _FLOOR), ("room", _ROOM)):
        if name not in parts and (found := pattern.search(line)) is not None:
            parts[name] = _trimmed(next(group for group in found.groups() if group))
            line = line[: found.start()]
    line, _, rest = line.partition(",")
    house = _HOUSE.fullmatch(line)
    if house is None:
        return Address(text=text, place=line.strip() or None, rest=rest.strip() or None, **parts)
    number = re.sub(r"\s?([;&])\s?", ";", house["house"])
    return Address(text=text, street=_street(house["street"]), house_number=number, rest=rest.strip() or None, **parts)


@lru_cache(maxsize=16384)
def _street(name: str) -> str:
    """Spell a street's name out: W. 5th st → WEST 5TH STREET."""
    words = re.sub(r"[.'’]", "", name).split()
    last = len(words) - 1
    spelled = []
    for at, word in enumerate(words):
        if word in _DIRECTIONS and last and at in (0, last):
            # Avenue N is named by the letter.
            is_letter = at == last and words[at - 1] in ("AVENUE", "AVE", "AV")
            word = word if is_letter else _DIRECTIONS[word]
        elif word == "ST" and at == 0:
            word = "SAINT"
        elif word in _KINDS and at > 0:
            word = _KINDS[word]
        elif word in _ORDINALS and at < last:
            word = _ORDINALS[word]
        elif word.isdecimal() and at < last:
            word += "TH" if word[-2:-1] == "1" else {"1": "ST", "2": "ND", "3": "RD"}.get(word[-1], "TH")
        spelled.append(word)
    return " ".join(spelled)
