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
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from spatial import spelling

__all__ = ["Address", "before_door", "label", "parse"]


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
        What follows the address and is none (「3号楼北侧」: 北侧), or was not understood (「3号楼地下101」: 地下101).
    city, district
        As far as the address names them (苏州市, 姑苏区); what stands above the street is else left out.
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
    city: str | None = None
    district: str | None = None

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
            (before, ""),
            (self.street, ""),
            (self.lane, "弄"),
            (self.house_number, "号"),
            (after, ""),
            (self.building, "号楼"),
            (self.unit, "单元"),
            (self.floor, "层"),
            (self.room, "室"),
        )
        return "".join(f"{part}{mark}" for part, mark in marked if part)


_CHINESE = re.compile(r"[\u3400-\u9fff]")
_UNDERGROUND = re.compile(r"(?:[-\u2010-\u2015\u2212]|负|地下|B\d\s*[-\u2010-\u2015]).*\d.*")


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
    plain = spelling.simplified(spelling.visible(text[:_LONGEST]))
    plain = unicodedata.normalize("NFKC", plain).upper().strip()
    if _CHINESE.search(plain) or not _LATIN.search(plain):
        return _chinese(text, plain)
    return _english(text, plain)


def before_door(text: str) -> tuple[str, str] | None:
    """Split an address that ends with a door on a storey into what all doors of the storey share, and the door.

    What :func:`parse` says of two such addresses differs in the room alone, if it says that this number is the room:
    a ledger of a hundred thousand doors has far fewer storeys to be taken apart.

    Returns
    -------
    tuple or None
        The text up to the last two digits, and these with what follows them; None where it does not end so.

    Examples
    --------
    >>> before_door("锦绣路12弄3号501室"), before_door("3号楼2单元1502"), before_door("锦绣路12号")
    (('锦绣路12弄3号5', '01室'), ('3号楼2单元15', '02'), None)
    """
    found = _DOOR.fullmatch(text)
    return (found["before"], found["door"]) if found else None


_DOOR = re.compile(r"(?P<before>.*[号號楼樓元门門梯幢栋棟座弄层層][1-9][0-9]?)(?P<door>[0-9]{2}室?)")


@lru_cache(maxsize=65536)
def label(number: str) -> str:
    """Bring the number of a building, unit or room, with or without its mark, to one spelling.

    Examples
    --------
    >>> label("3号楼"), label("第十二栋"), label("Ａ座"), label("0501室"), label("3-2"), label("甲3#")
    ('3', '12', 'A', '501', '3-2', '甲3')
    """
    plain = unicodedata.normalize("NFKC", spelling.simplified(spelling.visible(number))).upper().strip()
    if _UNDERGROUND.fullmatch(plain):
        return plain
    plain = _one_spelling(plain)
    return _trimmed(_MARKED_END.sub("", plain.removeprefix("#")))


# ── Chinese ─────────────────────────────────────────────────────────────────────────────────────────────────────

_NUMERALS = "零〇一二三四五六七八九十百两壹贰叁肆伍陆柒捌玖拾佰廿卅"
_DIGITS = {
    numeral: at for row in ("零一二三四五六七八九", "〇壹贰叁肆伍陆柒捌玖") for at, numeral in enumerate(row)
} | {"两": 2}
_TENS = {"拾": "十", "佰": "百", "廿": "二十", "卅": "三十"}
# 三号路, 一号线 and 一号桥 are names. The longer mark goes before the one it begins with.
_MARK = (
    r"号楼|号(?:公寓|别墅|宿舍)|号门|号院|号房|号(?![路街线桥])|#楼?|幢楼?|栋楼?|座|单元|门(?![市诊面卫])|梯|支弄|弄"
    r"|层|楼|室|房间?|户"
)
_BEFORE = r"(?:(?:^|(?<=[弄号路街巷道院村区苑园\d]))[新老旧临副附]|[甲乙丙丁戊东西南北中])"
# A number is not tried again from each of its own digits: what fails at the first fails at all, and a long row of them
# would take the square of its length.
_NUMBER = rf"(?:{_BEFORE}[A-Z]{{0,2}}|[A-Z]{{1,2}}|(?<!\d)(?<!\d[-;附]))\d+(?:[-;附]\d+)*[A-Z甲乙丙丁]?"
_LONGEST = 300
"""Characters of an address that are looked at; the longest real ones have some 80."""
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
    r"(?:中国)?(?:[^省路街]{2,3}省|[^区路街]{2,6}自治区)?(?P<city>[^市路街号\d]{2,5}(?<![城都])市)?"
    r"(?P<district>浦东新区|滨海新区|(?:[河城江桥铁]东|[河城桥铁]西|[城河江路新港市]北|[江路港市城海]南|城中)区|[^市路街号\d]{2,5}(?<![城都超菜])市|[^区县路街号]{1,5}(?<![小社园校片厂院家宅活军新东西南北\dA-Z一二三四五六七八九十期片])区|[^县路街号]{1,5}县)?"
    r"(?:[^路号]{1,6}街道(?:办事处)?|[^镇路街号]{1,5}镇|[^乡路街号]{1,5}乡)?"
    r"(?:[^路街号]{1,10}?(?:社区|居委会|村委会))?"
)


_SEVERAL_END = re.compile(r"\d[、,;和及与]$")
_SEVERAL = re.compile(r"\d[、,;和及与]\d")
_BARE = re.compile(rf"(?P<name>.*?)(?P<number>{_NUMBER})")
_BARE_ROOM = re.compile(r"[A-Z]?\d{1,5}[A-Z]?(?:-\d+)?")
_FIRST_NUMBER = re.compile(rf"\d|[{_NUMERALS}](?:{_MARK})|[A-Z](?:座|栋|幢)")
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_LATIN = re.compile(r"[A-Z]{2}")
_MARKED_END = re.compile(rf"(?:{_MARK})$")
_IN_STREET = re.compile(rf"{_STREET_END}$")


def _chinese(text: str, plain: str) -> Address:
    plain, beyond = _split(plain)
    spelled = _with_marks(_one_spelling(plain))
    parts: dict[str, str] = {}
    names: list[str] = []
    at = 0
    for token in _MARKED.finditer(spelled):
        between = spelled[at : token.start()]
        if between and _SEVERAL_END.search(between):
            break  # 3、4号 are two houses
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
    if parts and tail and "room" not in parts and _BARE_ROOM.fullmatch(tail):
        parts["room"], tail = _trimmed(tail), ""
    if not parts and tail and not _SEVERAL.search(tail):
        names, tail = [tail], ""
        if (bare := _BARE.fullmatch(names[0])) is not None:
            names = [bare["name"]]
            parts[_part_of_bare(bare["name"], bare["number"])] = _trimmed(bare["number"])
    tail += _into_floor(parts) + beyond
    street, place, city, district = _names(names)
    return Address(text=text, street=street, place=place, rest=tail or None, city=city, district=district, **parts)


_BELOW = re.compile(
    r"地下(?![\d一二三四五]+[层楼]).*\d?.*|负(?![\d一二三四五]+[层楼])[\d一二三四五].*|\u2212(?!\d[层楼])\d.*"
    r"|(?<=[元门梯])\s*[-‐-―](?!\d[层楼])\d.*|(?<=[元门梯楼栋幢座号])\s*B\d\s*(?:F\s*[-‐-―]?|[-‐-―])\s*\d.*"
    r"|(?:车库|车位|车棚|储藏[室间]|储物[室间]|架空层|夹层|阁楼|底商|商铺|门面|门市|门脸|临街房).*"
)
"""What is no dwelling on a floor, though a number may follow that looks like one: 地下101, −101, B1-05, 底商5号."""
_AT_END = re.compile(r"[(\[【]\s*([^()\[\]【】]*?)\s*[)\]】]\s*$")


def _split(plain: str) -> tuple[str, str]:
    """What is read as an address, and what is beyond it: rooms below ground, and a bracket at the end.

    501(东) and 501(西) are two doors, so that a bracket was left out has to be told.
    """
    first = _FIRST_NUMBER.search(plain)
    if first is None:
        return plain, ""
    beyond = ""
    below = _BELOW.search(plain, first.end())
    if below:
        plain, beyond = plain[: below.start()], below[0].strip()
    said: list[str] = []
    while (bracket := _AT_END.search(plain, first.end())) is not None:
        plain = plain[: bracket.start()]
        said.insert(0, f"({bracket[1]})" if bracket[1] else "")
    return plain, "".join(said) + beyond


def _into_floor(parts: dict[str, str]) -> str:
    """Bring the room of a floor to its full number, 12楼03 to 1203; returns what is a room below ground."""
    floor, room = parts.get("floor"), parts.get("room")
    if not floor or not room:
        return ""
    if floor.startswith("B") or (not floor.isdecimal() and len(room) < 3):
        return parts.pop("room")
    if floor.isdecimal() and re.fullmatch(r"\d{1,2}", room):
        parts["room"] = f"{floor}{int(room):02d}"
    return ""


def _one_spelling(plain: str) -> str:
    """No spaces and brackets, one dash, Chinese numerals before a mark as digits."""
    if not _SPELLED_OTHERWISE.search(plain):
        return plain
    spelled = plain
    for pattern, instead in _SPELLINGS:
        spelled = pattern.sub(instead, spelled)
    return spelled


def _to_digits(found: re.Match[str]) -> str:
    """Turn 十二 into 12, 一百零二 into 102, and a row of digits such as 五〇一 into 501."""
    numerals = re.sub("[拾佰廿卅]", lambda sign: _TENS[sign[0]], found[0])
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


# Compiled once: an import spells a hundred thousand addresses.
_SPELLINGS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\([^)]*\)|\[[^\]]*\]|【[^】]*】"), ""),
    (re.compile(r"[‐‑‒–—―−~〜_]"), "-"),
    (re.compile(r"(?<=\d{3})/(?=\d{3})"), "、"),
    (re.compile(r"(?<=[号栋幢座元梯])(\d{1,2})F-?(?=\d)"), r"\1层"),
    (re.compile(r"(?<=[\dA-Z])\s*[-/至之]\s*(?=[\dA-Z])"), "-"),
    (re.compile(r"(?<=\d)\s+(?=\d)"), "-"),
    (re.compile(r"[\s,。;、]+(?!\d)|(?<!\d)[\s,。;、]+"), ""),
    (re.compile(rf"([{_NUMERALS}]+)(?={_MARK}|期|组团|区[\d{_NUMERALS}])"), _to_digits),
    (re.compile(rf"(?<=[号栋幢座元层楼])[{_NUMERALS}]{{3,}}$"), _to_digits),
    (re.compile(r"第(?=\d)"), ""),
    (re.compile(r"(?:地下|负|(?<![\dA-Z])-)(\d)(?=层|楼)"), r"B\1"),
    (re.compile(r"(?<![\dA-Z])-|-(?![\dA-Z])"), ""),
    (re.compile(r"号附(\d+)号"), r"附\1号"),
    (re.compile(r"(?<=[栋幢座元层楼室])#"), ""),
    (re.compile(r"(?<![\dA-Z])#(\d+)楼?"), r"\1号楼"),
)


# Most addresses of a ledger are spelled so already: nothing in them is what one of the patterns above begins with.
_SPELLED_OTHERWISE = re.compile(rf"[^\u3400-\u9fff0-9A-Z]|[{_NUMERALS}至之第]|地下|负|号附")

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
    return "street" if _IN_STREET.search(before) else "nothing"


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
    if _IN_STREET.search(name):
        return "house_number"
    return "room" if name and re.fullmatch(r"\d{3,}", number) else "building"


def _names(names: list[str]) -> tuple[str | None, str | None, str | None, str | None]:
    """Tell street from place in the names before the numbers, and the city and district that are named before them."""
    head = "".join(names)
    office = _OFFICE.match(head)
    bare = head[office.end() :] if office else head
    above = (office["city"], office["district"]) if office else (None, None)
    found = _STREET.fullmatch(bare)
    # 铁路小区 is one name, 锦绣路锦绣家园 are two.
    if found is None or _KIND_OF_PLACE.fullmatch(found["place"]):
        return None, bare or None, *above
    return found["street"], found["place"] or None, *above


def _trimmed(number: str) -> str:
    """Leave out leading zeros: 0501 is 501."""
    return _ZEROS.sub("", number) if "0" in number else number


# ── English ─────────────────────────────────────────────────────────────────────────────────────────────────────

_HOUSE = re.compile(
    r"(?P<house>\d+(?:-\d+)?[A-Z]?(?:\s\d/\d)?(?:\sREAR)?(?:-[A-Z])?(?:\s?[;&]\s?\d+[A-Z]?)*)\s+(?P<street>\S.*)"
)
_ROOM = re.compile(r"[\s,]+(?:(?:APT|APARTMENT|UNIT|SUITE|STE|ROOM|RM)\b\.?\s*#?|#)\s*(?P<room>[\w-]+)\s*$")
_FLOOR = re.compile(r"[\s,]+(?:(?P<before>\d+)(?:ST|ND|RD|TH)?\s+FL(?:OOR)?|FL(?:OOR)?\.?\s+(?P<after>\d+))\s*$")
_DIRECTIONS = {"N": "NORTH", "S": "SOUTH", "E": "EAST", "W": "WEST"}
_KINDS = {
    "ST": "STREET",
    "STR": "STREET",
    "AVE": "AVENUE",
    "AV": "AVENUE",
    "BLVD": "BOULEVARD",
    "RD": "ROAD",
    "DR": "DRIVE",
    "PL": "PLACE",
    "PLZ": "PLAZA",
    "LN": "LANE",
    "CT": "COURT",
    "SQ": "SQUARE",
    "TER": "TERRACE",
    "PKWY": "PARKWAY",
    "HWY": "HIGHWAY",
    "EXPY": "EXPRESSWAY",
    "CIR": "CIRCLE",
    "ALY": "ALLEY",
}
_ORDINALS = {
    "FIRST": "1ST",
    "SECOND": "2ND",
    "THIRD": "3RD",
    "FOURTH": "4TH",
    "FIFTH": "5TH",
    "SIXTH": "6TH",
    "SEVENTH": "7TH",
    "EIGHTH": "8TH",
    "NINTH": "9TH",
    "TENTH": "10TH",
    "ELEVENTH": "11TH",
    "TWELFTH": "12TH",
}


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
