"""The demo community is the one of the report, hangs together, and is made the same every time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from pandas.testing import assert_frame_equal
from shapely import STRtree

from data import accounts
from data.base import identity, reference
from data.demo import plan, site
from data.demo.families import Bond, compose, relation
from data.demo.names import PHONE_PREFIX
from data.demo.plan import Demo
from data.incidents import STATES, TRANSITIONS, Action, State, Step

TODAY = date(2026, 3, 18)
FRAMES = [name for name in Demo.__annotations__ if name not in {"today", "valid_from", "outline"}]


@pytest.fixture(scope="module")
def demo() -> Demo:
    return plan.community(today=TODAY)


def metric(frame: gpd.GeoDataFrame) -> gpd.GeoSeries:
    return frame.geometry.to_crs(site.METRIC_CRS)


def homes(demo: Demo) -> gpd.GeoDataFrame:
    return demo.buildings[demo.buildings["kind"] == "residential"]


def households_by_grid(demo: Demo) -> pd.Series:
    grid = demo.buildings.set_index("code")["grid_code"]
    return demo.households["building_code"].map(grid)


def families(demo: Demo) -> Iterator[tuple[Any, pd.DataFrame]]:
    people = dict(list(demo.residents.groupby("household_number")))
    for household in demo.households.itertuples():
        yield household, people[household.number]


def age(born_on: date) -> float:
    return (TODAY - born_on).days / 365.2425


def test_its_totals_are_those_of_the_report(demo: Demo) -> None:
    assert len(demo.residents) == 5674
    assert len(demo.households) == 1556
    assert len(demo.grids) == 8
    assert len(homes(demo)) == 41
    assert len(demo.guides) == 16
    assert len(demo.service_teams) == 11 + 3


def test_it_covers_fifteen_point_six_hectares(demo: Demo) -> None:
    area_m2 = gpd.GeoSeries([demo.outline], crs=4326).to_crs(site.METRIC_CRS).area.iloc[0]
    assert area_m2 == pytest.approx(156_000, rel=0.005)


def test_the_grids_tile_the_community_exactly(demo: Demo) -> None:
    shapes = list(demo.grids.geometry)
    assert shapely.coverage_is_valid(shapes)
    assert shapely.coverage_union_all(shapes).equals(demo.outline)
    assert all(shape.is_valid for shape in shapes)
    overlaps = [a.intersection(b).area for i, a in enumerate(shapes) for b in shapes[i + 1 :]]
    assert max(overlaps) == 0


def test_every_building_lies_wholly_in_its_grid(demo: Demo) -> None:
    grids = demo.grids.set_index("code").geometry
    for building in demo.buildings.itertuples():
        assert grids[building.grid_code].contains(building.geom), building.name


def test_buildings_overlap_neither_each_other_nor_a_road_nor_a_path(demo: Demo) -> None:
    footprints = metric(demo.buildings)
    pairs = STRtree(footprints.values).query(footprints.values, predicate="intersects")
    assert all(a == b for a, b in pairs.T)
    ground = demo.basemap
    for kind in ("road", "path"):
        chosen = ground[ground["kind"] == kind]
        areas = shapely.union_all(shapely.buffer(metric(chosen).values, chosen["width_m"].astype(float).values / 2))
        assert footprints.distance(areas).min() > 0.5


def test_residential_buildings_keep_their_distance(demo: Demo) -> None:
    footprints = metric(homes(demo)).values
    nearest = [min(a.distance(b) for b in footprints if b is not a) for a in footprints]
    assert min(nearest) > 6
    assert footprints.area.min() > 300
    assert footprints.area.max() < 1200


def test_the_surroundings_stay_outside(demo: Demo) -> None:
    outside = demo.basemap[demo.basemap["kind"] == "building"].geometry
    assert len(outside) > 100
    assert not outside.intersects(demo.outline).any()


def test_buildings_are_numbered_one_to_forty_one_grid_by_grid(demo: Demo) -> None:
    numbered = homes(demo)
    assert list(numbered["number"]) == [str(number) for number in range(1, 42)]
    assert numbered["grid_code"].is_monotonic_increasing


def test_every_grid_has_150_to_200_households_and_on_average_709_people(demo: Demo) -> None:
    grid = households_by_grid(demo)
    counts = grid.value_counts()
    assert len(counts) == 8
    assert counts.between(150, 200).all()
    assert counts.nunique() > 4
    people = demo.residents["household_number"].map(dict(zip(demo.households["number"], grid, strict=True)))
    assert people.value_counts().mean() == pytest.approx(709.25)
    assert people.value_counts().nunique() == 8


def test_every_household_has_a_dwelling_of_its_own_and_the_others_are_vacant_or_used_otherwise(demo: Demo) -> None:
    key = ["building_code", "unit", "room"]
    assert not demo.dwellings.duplicated(key).any()
    assert not demo.households.duplicated(key).any()
    assert demo.households["number"].is_unique
    joined = demo.dwellings.merge(demo.households, on=key, how="left", indicator=True)
    lived_in = joined["_merge"] == "both"
    assert lived_in.sum() == len(demo.households)
    assert set(joined.loc[lived_in, "use"]) == {"owner", "rented"}
    assert set(joined.loc[~lived_in, "use"]) == {"vacant", "other"}
    assert demo.dwellings["area_m2"].astype(float).between(40, 160).all()


def test_identity_numbers_pass_the_standard_fit_the_person_and_belong_to_nobody(demo: Demo) -> None:
    numbered = demo.residents[demo.residents["identity_number"].notna()]
    assert numbered["identity_number"].is_unique
    assert set(demo.residents["status"][demo.residents["identity_number"].isna()]) == {"overseas"}
    for person in numbered.itertuples():
        found = identity.check(person.identity_number, today=TODAY)
        assert found.division.startswith("99")
        assert (found.born_on, found.sex.value) == (person.born_on, person.sex)


def test_phones_are_of_a_range_that_no_network_has(demo: Demo) -> None:
    phones = pd.concat(
        [
            demo.residents["phone"],
            demo.households["phone"],
            demo.tenancies["landlord_phone"],
            demo.team_members["phone"],
            demo.guides["phone"],
            demo.units["phone"],
        ]
    ).dropna()
    assert phones.str.fullmatch(rf"{PHONE_PREFIX}\d{{8}}").all()
    assert demo.residents["phone"].dropna().is_unique


def test_the_head_is_a_member_and_the_only_one_called_so(demo: Demo) -> None:
    for household, people in families(demo):
        assert household.head_row in people.index
        assert people.index[people["relation"] == "02"].tolist() == [household.head_row]


def test_ages_fit_relations(demo: Demo) -> None:
    for household, people in families(demo):
        head = demo.residents.loc[household.head_row]
        assert age(head["born_on"]) >= 18
        for member in people.itertuples():
            older = (head["born_on"] - member.born_on).days / 365.2425
            if member.relation[0] == "2" or member.relation in {"31", "32", "33", "34"}:
                assert older < -18 or member.relation == "28"
            elif member.relation in {"41", "42", "43", "44"}:
                assert older < -38
            elif member.relation in {"51", "52"}:
                assert older > 18
            elif member.relation in {"53", "54", "55", "56"}:
                assert older > 12
            elif member.relation in {"11", "12"}:
                assert abs(older) < 12
                assert member.sex == ("1" if member.relation == "11" else "2")
                assert member.sex != head["sex"]


def test_nobody_under_the_age_of_marriage_is_married_and_couples_are(demo: Demo) -> None:
    for _household, people in families(demo):
        for member in people.itertuples():
            if member.relation in {"11", "12", "28", "38"}:
                assert member.marital_status in {Bond.FIRST, Bond.AGAIN}
            if age(member.born_on) < 20:
                assert member.marital_status == Bond.SINGLE


def test_codes_are_codes_of_the_reference_tables(demo: Demo) -> None:
    for column in ("sex", "relation", "ethnicity", "marital_status", "political_status", "education"):
        assert set(demo.residents[column].dropna()) <= set(reference.labels(column)), column
    assert set(demo.households["hukou"]) <= set(reference.labels("hukou"))
    assert set(demo.household_groups["group_code"]) == set(reference.labels("special_groups"))
    assert set(demo.incidents["category_code"]) < set(reference.labels("categories"))
    assert set(demo.accounts["role_code"]) == {row["code"] for row in reference.rows("roles")}


def test_special_groups_fit_who_lives_there(demo: Demo) -> None:
    groups = demo.household_groups.groupby("household_number")["group_code"].agg(set).to_dict()
    tenants = set(demo.residents.loc[demo.residents["status"] != "registered", "household_number"])
    assert not tenants & set(groups)
    for household, people in families(demo):
        has = groups.get(household.number, set())
        ages = people["born_on"].map(age)
        if "empty_nest" in has:
            assert ages.min() >= 59.9
        if "single_parent" in has:
            assert ages.min() < 18
            assert people["marital_status"].isin([Bond.WIDOWED, Bond.DIVORCED]).any()
        assert ("unemployed" in has) == people["occupation"].eq("下岗失业").any()
        assert ("away_for_work" in has) == people["occupation"].eq("外出务工").any()
        assert ("disabled" in has) == people["health"].notna().any()
    assert all(group.valid_from < TODAY for group in demo.household_groups.itertuples())


def test_tenants_are_floating_and_hold_while_their_tenancy_does(demo: Demo) -> None:
    key = ["building_code", "unit", "room"]
    rented = demo.dwellings[demo.dwellings["use"] == "rented"]
    current = demo.tenancies[[end is None or end > TODAY for end in demo.tenancies["valid_to"]]]
    assert (demo.tenancies["valid_from"] < TODAY).all()
    assert all(end is None or begin < end for begin, end in demo.tenancies[["valid_from", "valid_to"]].values)
    assert sorted(map(tuple, current[key].values)) == sorted(map(tuple, rented[key].values))
    assert len(current) > 150
    assert len(demo.tenancies) > len(current)
    home = demo.households.set_index("number")[key]
    for tenancy, tenants in demo.tenancy_tenants.groupby("tenancy_row"):
        people = demo.residents.loc[tenants["resident_row"].tolist()]
        assert people["status"].isin(["floating", "overseas"]).all()
        assert people["household_number"].nunique() == 1
        lease = demo.tenancies.loc[tenancy]
        assert list(home.loc[people["household_number"].iloc[0]]) == list(lease[key])
        assert (people["registered_on"].dropna() >= lease["valid_from"]).all()
    renting = set(demo.residents.loc[demo.tenancy_tenants["resident_row"].tolist(), "household_number"])
    assert set(demo.residents.loc[demo.residents["status"] != "registered", "household_number"]) == renting


def test_household_sizes_and_generations_are_lifelike(demo: Demo) -> None:
    sizes = demo.residents["household_number"].value_counts()
    assert sizes.max() <= 7
    assert sizes.min() == 1
    generations = demo.residents.groupby("household_number")["born_on"].agg(lambda days: (max(days) - min(days)).days)
    assert 0.15 < (generations > 45 * 365).mean() < 0.5
    men = (demo.residents["sex"] == "1").mean()
    assert 0.47 < men < 0.54
    surnames = Counter(name[0] for name in demo.residents["name"])
    assert {name for name, _count in surnames.most_common(5)} == set("王李张刘陈")


def test_each_grid_has_a_team_of_four_whose_warden_lives_in_it(demo: Demo) -> None:
    expected = {"leader": "社区工作人员", "information_officer": "协警", "supervisor": "街道干部"}
    grid = dict(zip(demo.households["number"], households_by_grid(demo), strict=True))
    for code, team in demo.team_members.groupby("grid_code"):
        assert set(team["post"]) == {*expected, "building_warden"}
        for member in team.itertuples():
            if member.post == "building_warden":
                person = demo.residents[demo.residents["phone"] == member.phone].iloc[0]
                assert person["name"] == member.name
                assert grid[person["household_number"]] == code
                assert 60 < age(person["born_on"]) < 77
                assert member.background in {"老干部", "老专家", "老军人", "老教师", "老模范"}
            else:
                assert member.background == expected[member.post]
    assert demo.team_members["grid_code"].nunique() == 8


def test_there_is_one_account_for_each_role_at_a_unit_that_exists(demo: Demo) -> None:
    assert len(demo.accounts) == 10
    assert demo.accounts["role_code"].is_unique
    assert demo.accounts["username"].is_unique
    assert set(demo.accounts["unit_code"]) <= set(demo.units["code"])
    accounts.check_password("a-demo-password")


def test_incidents_are_in_order_of_time_and_none_lies_in_the_future(demo: Demo) -> None:
    now = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=ZoneInfo("Asia/Shanghai"))
    for incident in demo.incidents.itertuples():
        assert incident.reported_at.tzinfo is UTC
        assert now - timedelta(days=121) < incident.reported_at < now
        assert incident.due_at > incident.reported_at
        assert (incident.closed_at is not None) == (incident.step == Step.CLOSED or incident.merged_into is not None)
        if incident.closed_at is not None:
            assert incident.reported_at < incident.closed_at < now
        day, running = incident.number.split("-")
        assert day == f"{incident.reported_at.astimezone(now.tzinfo):%Y%m%d}"
        assert len(running) == 3
    assert demo.incidents["number"].is_unique
    assert demo.incidents["number"].is_monotonic_increasing
    assert {STATES[Step(step)] for step in demo.incidents["step"]} == set(State)
    assert 180 <= len(demo.incidents) <= 230


def test_every_case_has_a_history_that_the_workflow_allows(demo: Demo) -> None:
    now = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=ZoneInfo("Asia/Shanghai"))
    steps = dict(iter(demo.incident_steps.groupby("number", sort=False)))
    assert set(steps) == set(demo.incidents["number"])
    for incident in demo.incidents.itertuples():
        history = list(steps[incident.number].itertuples())
        assert (history[0].action, history[0].at) == (Action.REPORT, incident.reported_at)
        for before, after in pairwise(history):
            assert TRANSITIONS[before.step][after.action] == after.step
            assert before.at <= after.at < now
        last = history[-1]
        assert (last.step, last.tier, last.level, last.held_by) == (
            incident.step,
            incident.tier,
            incident.level,
            incident.held_by,
        )
        if incident.step == Step.CLOSED:
            assert incident.resolved_at < incident.feedback_at < incident.closed_at == last.at
        if incident.step in (Step.ASSIGNED, Step.IN_PROGRESS):
            assert incident.held_by is not None


def test_some_cases_were_merged_reopened_escalated_and_came_again(demo: Demo) -> None:
    merged = demo.incidents[demo.incidents["merged_into"].notna()]
    assert 1 <= len(merged) <= 3
    originals = demo.incidents.set_index("number").loc[merged["merged_into"]]
    assert set(originals["step"]) == {Step.CLOSED}
    assert list(originals["building_code"]) == list(merged["building_code"])
    assert demo.incidents["recurrent"].sum() >= 3
    assert {Action.REOPEN, Action.ESCALATE, Action.HOLD, Action.REJECT} <= set(demo.incident_steps["action"])


def test_one_weekend_of_visits_collected_35_items_and_settled_all(demo: Demo) -> None:
    visits = demo.incidents[demo.incidents["source"] == "visit"]
    days = {moment.astimezone(ZoneInfo("Asia/Shanghai")).date() for moment in visits["reported_at"]}
    assert len(visits) == 35
    assert set(visits["step"]) == {"closed"}
    assert {day.weekday() for day in days} == {5, 6}
    assert (max(days) - min(days)).days == 1


def test_broken_corridor_lights_cluster_around_five_buildings_of_grid_two(demo: Demo) -> None:
    lights = demo.incidents[demo.incidents["category_code"] == "facility.corridor_light"]
    around = lights["building_code"].isin(["6", "7", "8", "9", "10"])
    assert around.mean() > 0.35


def test_incidents_lie_in_the_grid_they_name_and_in_no_building(demo: Demo) -> None:
    grids = demo.grids.set_index("code").geometry
    footprints = shapely.union_all(demo.buildings.geometry.values)
    placed = demo.incidents[demo.incidents["grid_code"].notna()]
    for incident in placed.itertuples():
        assert grids[incident.grid_code].covers(incident.geom), incident.number
        assert not footprints.covers(incident.geom), incident.number
    unplaced = demo.incidents[demo.incidents["grid_code"].isna()]
    assert set(unplaced["unlocated_reason"]) == {"outside", "ambiguous", "no_such_building", "no_place"}
    outside = unplaced[unplaced["unlocated_reason"] == "outside"].geometry
    assert not outside.intersects(demo.outline).any()


def test_an_incident_at_a_building_is_in_the_buildings_grid(demo: Demo) -> None:
    grid = demo.buildings.set_index("code")["grid_code"]
    at_home = demo.incidents[demo.incidents["building_code"].notna()]
    assert (at_home["building_code"].map(grid) == at_home["grid_code"]).all()


def test_the_same_seed_and_day_make_the_same_community(demo: Demo) -> None:
    again = plan.community(today=TODAY)
    for name in FRAMES:
        assert_frame_equal(getattr(demo, name), getattr(again, name), obj=name)
    assert again.outline.equals_exact(demo.outline, 0)


@pytest.mark.parametrize(("seed", "today"), [(1, TODAY), (2, date(2024, 2, 29)), (3, date(2026, 1, 1))])
def test_another_seed_or_day_has_other_people_and_the_same_totals(demo: Demo, seed: int, today: date) -> None:
    other = plan.community(seed=seed, today=today)
    assert len(other.residents) == 5674
    assert len(other.households) == 1556
    assert list(other.residents["name"]) != list(demo.residents["name"])
    assert other.grids.geometry.geom_equals(demo.grids.geometry).all()
    assert set(other.household_groups["group_code"]) == set(reference.labels("special_groups"))


def test_it_is_made_in_well_under_five_seconds() -> None:
    begin = time.perf_counter()
    plan.community(today=TODAY)
    assert time.perf_counter() - begin < 5


@pytest.mark.parametrize("size", range(1, 8))
def test_families_have_the_size_asked_for_one_head_and_at_most_four_generations(size: int) -> None:
    for seed in range(200):
        family = compose(Random(seed), size)
        assert len(family.members) == size
        assert [relation(family, member) for member in family.members].count("02") == 1
        assert len({member.generation for member in family.members}) <= 4
        assert all(0 < member.age < 100 for member in family.members)
