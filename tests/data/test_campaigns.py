"""Campaigns: what was done in their days, by grid, and who is left."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data import campaigns, visits
from data.base import access, db
from data.base.errors import NotFound
from data.households import Household
from data.visits import Manner, Outcome
from tests.city import City


@pytest.fixture
def city(session: Session) -> City:
    return City.make(session)


def march(city: City, **values: Any) -> campaigns.Campaign:
    """The 17th and 18th of March, 90 per cent."""
    given = {"name": "春季集中走访", "begins_on": date(2026, 3, 17), "ends_on": date(2026, 3, 18), "goal_share": 0.9}
    return campaigns.add(city.session, access.SYSTEM, community_id=city.community.id, **given | values)


def go(city: City, household: Household, at: datetime, **values: Any) -> None:
    visits.record(
        city.session, access.SYSTEM, household, **{"uuid": uuid4(), "outcome": Outcome.MET, "at": at} | values
    )


NOON = datetime(2026, 3, 17, 4, tzinfo=UTC)


def test_a_campaign_counts_the_visits_of_its_days_by_grid(city: City) -> None:
    campaign = march(city)
    met, tried, before, called = (city.household("A1", room=str(room)) for room in (101, 102, 103, 104))
    other = city.household("B2", room="101")
    go(city, met, NOON, card=True)
    go(city, met, NOON, outcome=Outcome.NOBODY)
    go(city, tried, NOON, outcome=Outcome.NOBODY)
    go(city, before, datetime(2026, 3, 16, 15, 59, tzinfo=UTC))
    go(city, called, NOON, manner=Manner.CALL)
    go(city, other, datetime(2026, 3, 18, 15, 59, tzinfo=UTC))
    parts = {part.name: part for part in campaigns.progress(city.session, access.SYSTEM, campaign)}
    assert (parts["A1"].households, parts["A1"].met, parts["A1"].tried, parts["A1"].cards) == (4, 1, 1, 1)
    assert (parts["B2"].households, parts["B2"].met, parts["B2"].share) == (1, 1, 1.0)
    whole = campaigns.total(list(parts.values()))
    assert (whole.households, whole.met, whole.cards, whole.share) == (5, 2, 1, 0.4)
    left = campaigns.left(city.session, access.SYSTEM, campaign)
    assert [(row.id, row.tries) for row in left] == [(tried.id, 1), (before.id, 0), (called.id, 0)]
    assert campaigns.left(city.session, access.SYSTEM, campaign, city.grids["B2"].code) == []


def test_who_has_a_grid_sees_the_campaign_and_the_own_doors_alone(city: City) -> None:
    campaign = march(city)
    mine, _theirs = city.household("A1", room="101"), city.household("B2", room="101")
    leader = city.actor("grid_leader", city.grids["A1"])
    assert campaigns.listed(city.session, leader, city.community.code) == [campaign]
    assert [part.name for part in campaigns.progress(city.session, leader, campaign)] == ["A1"]
    assert [row.id for row in campaigns.left(city.session, leader, campaign)] == [mine.id]
    with pytest.raises(NotFound):
        campaigns.change(city.session, leader, campaign, name="别名")
    elsewhere = City.make(city.session, "310101001002", beside=city, name="别的社区")
    stranger = city.actor("community_staff", elsewhere.community)
    with pytest.raises(campaigns.CampaignNotFound):
        campaigns.get(city.session, stranger, campaign.id)


def test_a_campaign_is_changed_and_removed_and_its_visits_stay(city: City) -> None:
    staff, campaign = city.actor("community_staff", city.community), march(city)
    household = city.household("A1", room="101")
    go(city, household, NOON)
    campaigns.change(city.session, staff, campaign, ends_on=date(2026, 3, 20))
    campaigns.remove(city.session, staff, campaign)
    assert campaigns.listed(city.session, staff) == []
    assert len(visits.latest(city.session, staff, household.id, 5)) == 1


@pytest.mark.parametrize("wrong", [{"ends_on": date(2026, 3, 16)}, {"goal_share": 1.5}])
def test_what_is_no_campaign_is_refused_with_a_sentence(city: City, wrong: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError) as refused:
        march(city, **wrong)
    assert "campaign" in str(db.explain(refused.value)).lower() or "goal" in str(db.explain(refused.value))
