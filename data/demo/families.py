"""Families of the demo community: who lives together, how old they are, how they are related to the head.

A family spans up to four generations. Each has at most one couple in the line of descent; the *blood* member of a
couple is the child of the generation above, the other one married in. Relations are GB/T 4761 codes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from data.base.identity import Sex


class Bond(StrEnum):
    """How a person is married, by GB/T 2261.2."""

    SINGLE = "10"
    FIRST = "21"
    AGAIN = "22"
    WIDOWED = "30"
    DIVORCED = "40"


@dataclass
class Member:
    """One person of a family.

    Attributes
    ----------
    generation
        0 great-grandparents, 1 grandparents, 2 parents, 3 children.
    age
        In years, with a fraction.
    blood
        False for who married into the line of descent.
    related
        False for flatmates.
    """

    generation: int
    sex: Sex
    age: float
    bond: Bond = Bond.SINGLE
    blood: bool = True
    related: bool = True


@dataclass
class Family:
    """A household's people; ``head`` is the index of its head."""

    members: list[Member] = field(default_factory=list)
    head: int = 0
    single_parent: bool = False


# The forms a household of each size takes, with their weights. Letters: E couple of 60 and older, e one of them,
# A one adult, C couple, S single parent, k child, a grown-up child of old parents, G grandparents, g one of them,
# h one great-grandparent.
_FORMS: dict[int, dict[str, int]] = {
    1: {"e": 62, "A": 38},
    2: {"E": 52, "C": 20, "Sk": 13, "ea": 15},
    3: {"Ck": 62, "Ea": 20, "Skg": 8, "Skk": 4, "Cg": 12},
    4: {"Ckk": 42, "Ckg": 34, "CG": 14, "SkG": 10},
    5: {"CkG": 55, "Ckkg": 35, "Ckkk": 10},
    6: {"CkkG": 82, "CkGh": 18},
    7: {"CkkGh": 60, "CkkkG": 40},
}
# Tenants: F is as many flatmates.
_TENANT_FORMS: dict[int, dict[str, int]] = {
    1: {"A": 100},
    2: {"C": 55, "F": 45},
    3: {"Ck": 68, "F": 32},
    4: {"Ckk": 66, "F": 34},
}


def compose(random: Random, size: int, *, tenants: bool = False) -> Family:
    """A family of ``size`` people (1 to 7; tenants 1 to 4), its generations apart as they are in life."""
    forms = (_TENANT_FORMS if tenants else _FORMS)[size]
    form = random.choices(list(forms), list(forms.values()))[0]
    if form == "F":
        return Family([_adult(random, 19, 38, related=False) for _ in range(size)])
    if form == "A":
        return Family([_adult(random, 21, 46 if tenants else 59)])
    while True:
        family = _attempt(random, form, tenants)
        if family is not None:
            family.head = _head(random, family)
            return family


def relation(family: Family, member: Member) -> str:
    """How a member is related to the head, a code of GB/T 4761."""
    head = family.members[family.head]
    if member is head:
        return "02"
    if not member.related:
        return "99"
    men, below = member.sex is Sex.MALE, member.generation - head.generation
    if below == 0:
        return "11" if men else "12"
    if below == 1:
        if not member.blood:
            return "28" if men else "38"
        return _child(family, member)
    if below == 2:
        between = next((m for m in family.members if m.generation == head.generation + 1 and m.blood), None)
        through_son = between is None or between.sex is Sex.MALE
        return ("41" if men else "42") if through_son else ("43" if men else "44")
    if below == 3:
        return "47" if men else "48"
    if below == -1:
        if head.blood:
            return "51" if men else "52"
        if head.sex is Sex.FEMALE:
            return "53" if men else "54"
        return "55" if men else "56"
    if not head.blood:
        return "65"
    return "61" if men else "62"


def _child(family: Family, child: Member) -> str:
    siblings = [m for m in family.members if m.generation == child.generation and m.blood]
    if len(siblings) == 1:
        return "21" if child.sex is Sex.MALE else "31"
    older = sum(m.sex is child.sex and m.age > child.age for m in siblings)
    return str((22 if child.sex is Sex.MALE else 32) + older)


def _attempt(random: Random, form: str, tenants: bool) -> Family | None:
    """A family of this form, or ``None`` when the ages that chance gave do not fit together."""
    if form[0] in "Ee":
        return _old(random, form)
    old = form.count("G") + form.count("g") + form.count("h")
    youngest, oldest, usual = (22, 42, 30) if tenants else (24, 52, 41) if old else (25, 60, 45)
    wife = random.triangular(youngest, oldest, usual)
    family = Family()
    if form[0] == "C":
        pair = _couple(random, wife, 2)
        family.members += pair
    else:
        mother = random.random() < 0.75
        bond = Bond.DIVORCED if random.random() < 0.75 else Bond.WIDOWED
        family.members.append(Member(2, Sex.FEMALE if mother else Sex.MALE, wife, bond))
        family.single_parent = True
    children = form.count("k")
    age = wife - random.uniform(21.5, 32)
    for _ in range(children):
        if not 0.05 < age < 33:
            return None
        family.members.append(Member(3, _sex(random), age))
        age -= random.uniform(1.6, 7)
    if old:
        line = next((m for m in family.members if m.generation == 2 and m.sex is Sex.MALE), family.members[0])
        if form[0] == "C" and random.random() < 0.18:
            line = family.members[1]  # the wife's parents live here
        for member in family.members[:2]:
            member.blood = member is line or member.generation == 3
        if not _elders(random, family, line, form):
            return None
    return family


def _elders(random: Random, family: Family, line: Member, form: str) -> bool:
    """Add the parents and grandparents of ``line``; False when one would be too old."""
    age = line.age + random.uniform(21, 31)
    if "G" in form:
        pair = _couple(random, age, 1)
        family.members += pair
    else:
        pair = [_survivor(random, age, 1)]
        family.members += pair
    if "h" in form:
        family.members.append(_survivor(random, pair[0].age + random.uniform(19, 26), 0))
    return all(member.age < 98 for member in family.members)


def _old(random: Random, form: str) -> Family | None:
    """Old people alone, or with a grown-up child who never married."""
    age = random.triangular(61, 90, 69)
    pair = _couple(random, age, 1) if form[0] == "E" else [_survivor(random, age, 1)]
    if min(member.age for member in pair) < 60:
        return None
    family = Family(pair)
    if form.endswith("a"):
        child = min(member.age for member in pair) - random.uniform(22, 33)
        if not 24 < child < 52:
            return None
        bond = Bond.SINGLE if child < 38 or random.random() < 0.5 else Bond.DIVORCED
        family.members.append(Member(2, _sex(random), child, bond))
    return family


def _head(random: Random, family: Family) -> int:
    """Who is the head: mostly the husband of the parents, often the grandfather who was allotted the dwelling."""
    grandfather = _first(family, 1, Sex.MALE)
    father, mother = _first(family, 2, Sex.MALE), _first(family, 2, Sex.FEMALE)
    if grandfather is not None and ((father is None and mother is None) or random.random() < 0.45):
        spouse = _first(family, 1, Sex.FEMALE)
        return spouse if spouse is not None and random.random() < 0.15 else grandfather
    grandmother = _first(family, 1, Sex.FEMALE)
    if grandmother is not None and ((father is None and mother is None) or random.random() < 0.25):
        return grandmother
    if father is not None and (mother is None or random.random() < 0.74):
        return father
    return mother if mother is not None else 0


def _first(family: Family, generation: int, sex: Sex) -> int | None:
    for index, member in enumerate(family.members):
        if member.generation == generation and member.sex is sex:
            return index
    return None


def _couple(random: Random, wife: float, generation: int) -> list[Member]:
    """Husband and wife, who married in; the husband's age follows from the wife's and is never below 21."""
    husband = max(21.0, wife + min(8.0, max(-3.0, random.gauss(1.6, 2.0))))
    bond = Bond.FIRST if random.random() < 0.94 else Bond.AGAIN
    return [Member(generation, Sex.MALE, husband, bond), Member(generation, Sex.FEMALE, wife, bond, blood=False)]


def _survivor(random: Random, age: float, generation: int) -> Member:
    bond = Bond.WIDOWED if random.random() < 0.85 else Bond.DIVORCED
    return Member(generation, Sex.FEMALE if random.random() < 0.74 else Sex.MALE, age, bond)


def _adult(random: Random, youngest: float, oldest: float, *, related: bool = True) -> Member:
    age = random.triangular(youngest, oldest, 29)
    bond = Bond.DIVORCED if age > 34 and random.random() < 0.45 else Bond.SINGLE
    return Member(2, _sex(random), age, bond, related=related)


def _sex(random: Random) -> Sex:
    return Sex.MALE if random.random() < 0.512 else Sex.FEMALE
