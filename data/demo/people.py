"""The people of the demo community: dwellings filled with households, households with residents.

The totals are those of the report: 1,556 households, 5,674 people. How they spread over the grids is fixed below;
everything else is drawn by chance and then made consistent: a 空巢 household has only people of 60 and more, a 单亲
household one parent, who rents has a tenancy, who is away for work says where.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

from data.base.identity import Sex
from data.demo import lives
from data.demo.families import Family, compose, relation
from data.demo.houses import House
from data.demo.names import Register

#: households and people of each grid; the sums are the report's
GRID_TOTALS = {
    1: (199, 731),
    2: (200, 688),
    3: (191, 705),
    4: (197, 742),
    5: (174, 601),
    6: (200, 760),
    7: (199, 748),
    8: (196, 699),
}
DIVISION = "990106"

_SIZES = {1: 6, 2: 15, 3: 27, 4: 24, 5: 17, 6: 9, 7: 2}
_TENANT_SHARE = {1: 0.50, 2: 0.30, 3: 0.15, 4: 0.06}
# Households of each special group, apart from those that follow from who lives there.
_QUOTAS = {"minimum_living": 26, "low_income": 41, "disabled": 58, "community_correction": 7}


@dataclass
class Household:
    """One household of the plan: its row, its people's rows, its groups and, for tenants, the tenancy."""

    grid: int
    row: dict[str, Any]
    family: Family
    people: list[dict[str, Any]]
    tenancy: dict[str, Any] | None = None
    groups: dict[str, date] = field(default_factory=dict)


@dataclass
class Population:
    """Everybody: rows as of the tables, with natural keys instead of ids."""

    dwellings: list[dict[str, Any]]
    households: list[Household]
    past_tenancies: list[dict[str, Any]]


def populate(
    random: Random, register: Register, houses: list[House], addresses: dict[int, str], today: date
) -> Population:
    """Fill the houses.

    Parameters
    ----------
    houses
        The residential buildings.
    addresses
        The postal address of each, by number.
    today
        The day on which ages and dates are true.
    """
    dwellings: list[dict[str, Any]] = []
    households: list[Household] = []
    past: list[dict[str, Any]] = []
    for grid, (count, people) in GRID_TOTALS.items():
        doors = [door for house in houses if house.grid == grid for door in _doors(house)]
        lived_in = _choose(random, doors, count)
        sizes = _sizes(random, count, people)
        for door, size in zip(lived_in, sizes, strict=True):
            number = f"012{len(households) + 1:06d}"
            household = _household(random, register, grid, number, door, size, addresses, today)
            households.append(household)
        dwellings += doors
        past += [_tenancy(random, register, door, today, ended=True) for door in doors if door["use"] == "vacant"][:4]
    _group(random, households, today)
    _from_overseas(random, households)
    return Population(dwellings, households, past)


def _doors(house: House) -> list[dict[str, Any]]:
    """The dwellings of a house, by unit, floor and door; rooms are numbered as on the doors: 501, 1103."""
    gross = house.footprint.area / (house.units * house.per_floor)
    return [
        {
            "building_code": str(house.number),
            "unit": str(unit),
            "floor": floor,
            "room": f"{floor}{door:02d}",
            "use": "owner",
            "area_m2": round(gross * (0.97 + 0.06 * (door % 2)) * (0.9 if floor == 1 else 1), 1),
        }
        for unit in range(1, house.units + 1)
        for floor in range(1, house.floors + 1)
        for door in range(1, house.per_floor + 1)
    ]


def _choose(random: Random, doors: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The ``count`` doors behind which somebody lives; of the rest one or two serve another use, some are vacant."""
    ground = [door for door in doors if door["floor"] == 1]
    spare = len(doors) - count
    for door in random.sample(ground, min(2, spare // 4)):
        door["use"] = "other"
    free = [door for door in doors if door["use"] == "owner"]
    for door in random.sample(free, len(free) - count):
        door["use"] = "vacant"
    return [door for door in doors if door["use"] == "owner"]


def _sizes(random: Random, count: int, people: int) -> list[int]:
    """``count`` household sizes that add up to ``people``."""
    sizes = random.choices(list(_SIZES), list(_SIZES.values()), k=count)
    while (missing := people - sum(sizes)) != 0:
        at, step = random.randrange(count), 1 if missing > 0 else -1
        if 1 <= sizes[at] + step <= 6:
            sizes[at] += step
    return sizes


def _household(
    random: Random,
    register: Register,
    grid: int,
    number: str,
    door: dict[str, Any],
    size: int,
    addresses: dict[int, str],
    today: date,
) -> Household:
    tenants = random.random() < _TENANT_SHARE.get(size, 0)
    family = compose(random, size, tenants=tenants)
    address = f"{addresses[int(door['building_code'])]}{door['unit']}单元{door['room']}室"
    tenancy = None
    if tenants:
        door["use"] = "rented"
        tenancy = _tenancy(random, register, door, today, ended=False)
        hukou = "elsewhere"
    else:
        hukou = random.choices(("urban", "rural", "collective"), (88, 11, 1))[0]
    people = _dress(random, register, family, number, address, tenancy, today)
    head = people[family.head]
    row = {
        "number": number,
        "building_code": door["building_code"],
        "unit": door["unit"],
        "room": door["room"],
        "hukou": hukou,
        "address": address,
        "phone": next((person["phone"] for person in [head, *people] if person["phone"]), None),
        "located_by": "address",
        "located_score": 1.0,
        "unlocated_reason": None,
        "note": None,
    }
    return Household(grid, row, family, people, tenancy)


def _tenancy(random: Random, register: Register, door: dict[str, Any], today: date, *, ended: bool) -> dict[str, Any]:
    """A lease of one to three years; one that has ended did so within the last year, its tenants are gone."""
    if ended:
        until: date | None = today - timedelta(days=random.randrange(20, 360))
        begin = today - timedelta(days=random.randrange(500, 1400))
    else:
        begin = today - timedelta(days=int(random.triangular(12, 1500, 200)))
        until = begin
        while until <= today:
            until += timedelta(days=365)
        if random.random() < 0.2:
            until = None
    born = today - timedelta(days=365 * random.randrange(35, 70))
    sex = random.choice(list(Sex))
    return {
        "building_code": door["building_code"],
        "unit": door["unit"],
        "room": door["room"],
        "landlord_name": register.surname() + register.given(sex, born),
        "landlord_phone": register.phone(),
        "valid_from": begin,
        "valid_to": until,
        "purpose": "居住",
        "hazard": random.choices((None, "电动车入户充电", "私拉电线", "燃气软管老化"), (90, 4, 3, 3))[0],
        "note": None,
    }


def _dress(
    random: Random,
    register: Register,
    family: Family,
    number: str,
    address: str,
    tenancy: dict[str, Any] | None,
    today: date,
) -> list[dict[str, Any]]:
    """The residents' rows of a family."""
    surnames = _surnames(random, register, family)
    minority = None if random.random() < 0.965 else lives.minority(random)
    away_place = lives.place_elsewhere(random)
    origin = lives.place_elsewhere(random) if tenancy or random.random() < 0.3 else lives.LOCAL_PLACE
    taken: set[str] = set()
    people: list[dict[str, Any]] = []
    for member, surname in zip(family.members, surnames, strict=True):
        born_on = today - timedelta(days=int(member.age * 365.2425))
        if not member.related:
            origin = lives.place_elsewhere(random)
        division = f"99{random.randrange(20, 90)}{random.randrange(1, 30):02d}" if tenancy else DIVISION
        while (name := surname + register.given(member.sex, born_on)) in taken:
            pass
        taken.add(name)
        life = lives.life(random, member, away_place, floating=tenancy is not None)
        person: dict[str, Any] = {
            "household_number": number,
            "name": name,
            "former_name": None,
            "sex": member.sex.value,
            "born_on": born_on,
            "identity_number": register.identity_number(division, born_on, member.sex),
            "identity_kind": "resident_id",
            "phone": register.phone() if _has_phone(random, member.age) else None,
            "relation": relation(family, member),
            "ethnicity": minority if minority and (member.blood or random.random() < 0.3) else "01",
            "native_place": origin.name,
            "marital_status": member.bond.value,
            "registered_address": address if tenancy is None else origin.address(random),
            "status": "registered",
            "inflow_reason": None,
            "permit_kind": None,
            "permit_number": None,
            "registered_on": None,
            "expires_on": None,
            "health": None,
            "note": None,
            **life,
        }
        if tenancy is not None:
            person.update(lives.stay(random, member, tenancy["valid_from"], today))
        people.append(person)
    return people


def _has_phone(random: Random, age: float) -> bool:
    return age >= 13 and random.random() < (0.97 if age < 75 else 0.7)


def _surnames(random: Random, register: Register, family: Family) -> list[str]:
    """Surnames down the line of descent: children have their father's, who married in keeps their own."""
    line = register.surname()
    father = next((m for m in family.members if m.generation == 2 and m.sex is Sex.MALE), None)
    # Children of a wife's family have a surname from outside, as most children of a single mother.
    outside = not father.blood if father is not None else random.random() < 0.7
    children = register.surname() if outside else line
    surnames: list[str] = []
    for member in family.members:
        if member.generation == 3 or (member is father and not father.blood):
            surnames.append(children)
        elif member.related and member.blood and (member.generation == 2 or member.sex is Sex.MALE):
            surnames.append(line)
        else:
            surnames.append(register.surname())
    return surnames


def _group(random: Random, households: list[Household], today: date) -> None:
    """Put households into special groups: some follow from who lives there, some are drawn."""
    for household in households:
        if household.tenancy is not None:
            continue
        ages = [member.age for member in household.family.members]
        occupations = {person["occupation"] for person in household.people}
        if min(ages) >= 60 and random.random() < 0.86:
            household.groups["empty_nest"] = _since(random, today, 2500)
        if household.family.single_parent and any(age < 18 for age in ages):
            household.groups["single_parent"] = _since(random, today, 2500)
        if lives.UNEMPLOYED in occupations:
            household.groups["unemployed"] = _since(random, today, 700)
        if lives.AWAY in occupations:
            household.groups["away_for_work"] = _since(random, today, 1500)
    for code, quota in _QUOTAS.items():
        fitting = [h for h in households if h.tenancy is None and _fits(code, h)]
        for household in random.sample(fitting, quota):
            household.groups[code] = _since(random, today, 900 if code == "community_correction" else 1800)
            if code == "disabled":
                adult = random.choice([p for p in household.people if p["born_on"] < today - timedelta(days=4400)])
                adult["health"] = lives.disability(random)


def _from_overseas(random: Random, households: list[Household]) -> None:
    """Three tenant households are from Hong Kong, Macau and Taiwan; their papers' numbers are left out."""
    small = [h for h in households if h.tenancy is not None and len(h.people) <= 2 and not h.family.single_parent]
    papers = (
        ("港澳居民来往内地通行证", "香港"),
        ("港澳居民来往内地通行证", "澳门"),
        ("台湾居民来往大陆通行证", "台湾"),
    )
    for household, (paper, place) in zip(random.sample(small, len(papers)), papers, strict=True):
        for person in household.people:
            person.update(
                status="overseas",
                identity_kind=paper,
                identity_number=None,
                native_place=place,
                registered_address=place,
                permit_kind=None,
                permit_number=None,
            )


def _fits(code: str, household: Household) -> bool:
    """Whether a household could be in a group that is drawn."""
    poor = bool({"single_parent", "unemployed"} & set(household.groups))
    if code == "minimum_living":
        return poor or ("empty_nest" in household.groups and len(household.people) == 1)
    if code == "low_income":
        return "minimum_living" not in household.groups and (poor or "empty_nest" in household.groups)
    if code == "community_correction":
        return any(20 < member.age < 60 for member in household.family.members)
    return any(member.age > 30 for member in household.family.members)


def _since(random: Random, today: date, days: int) -> date:
    return today - timedelta(days=random.randrange(30, days))
