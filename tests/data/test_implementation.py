"""The implementation report: what it counts, what it says where there is nothing, and what people make of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from data import activities, campaigns, implementation, teams, visits
from data.base import access
from data.base.errors import Forbidden, Invalid, NotFound
from data.implementation import ImplementationReport
from data.visits import Outcome
from tests.city import City

FIRST, LAST = date(2026, 1, 1), date(2026, 3, 31)


@pytest.fixture
def city(session: Session) -> City:
    return City.make(session)


def draft(city: City, first: date = FIRST, last: date = LAST) -> ImplementationReport:
    return implementation.draft(
        city.session, access.SYSTEM, community_id=city.community.id, first_on=first, last_on=last
    )


def test_a_period_without_records_is_told_in_sentences_that_say_so(city: City) -> None:
    report = draft(city)
    assert report.opening is not None
    assert "占地9万平方米，辖区内有住宅楼9栋，总户数0户，总人口0人，共分9个网格。" in report.opening
    said = "\n".join(getattr(report, part) for part in implementation.Part)
    for sentence in (
        "尚未登记网格服务人员。",
        "尚未登记网格管理服务指导人员。",
        "尚未组建特色服务队。",
        "尚未建立家庭信息档案。",
        "没有登记在册的特殊群体家庭。",
        "没有登记在册的出租房屋。",
        "本期没有组织集中入户走访。",
        "本期没有上门走访和电话随访的记录。",
        "本期没有民情日记记录。",
        "本期没有受理和办结的事件。",
        "本期没有巡查记录。",
        "本期没有登记矛盾纠纷。",
        "本期没有举办讲座和其他活动。",
    ):
        assert sentence in said
    assert "None" not in said


def test_a_report_counts_the_days_of_its_period_and_no_others(city: City) -> None:
    system, session = access.SYSTEM, city.session
    campaigns.add(
        session,
        system,
        community_id=city.community.id,
        name="春季",
        begins_on=date(2026, 3, 17),
        ends_on=date(2026, 3, 18),
        goal_share=0.9,
    )
    homes = [city.household("A1", room=str(room)) for room in (101, 102, 103)]
    asked = {"request": {"category_code": "facility.corridor_light", "description": "楼道灯坏了"}}
    for home, at, more in (
        (homes[0], datetime(2026, 3, 17, 1, tzinfo=UTC), {"card": True, "said": "楼道灯坏了", **asked}),
        (homes[1], datetime(2026, 3, 18, 15, 59, tzinfo=UTC), {"said": "都好"}),
        (homes[2], datetime(2026, 3, 31, 16, tzinfo=UTC), asked),
    ):
        visits.record(session, system, home, uuid=uuid4(), outcome=Outcome.MET, at=at, **more)
    teams.found_service_team(session, system, city.community, name="法律援助服务队")
    teams.found_service_team(session, system, city.community, name="保洁服务队", founded_on=date(2026, 3, 31))
    teams.found_service_team(session, system, city.community, name="修理服务队", founded_on=date(2026, 4, 1))
    held = {"kind": "cleanup", "title": "清理辖区卫生", "attendance": 12}
    for at in (datetime(2026, 3, 31, 1, tzinfo=UTC), datetime(2026, 4, 1, 1, tzinfo=UTC)):
        activities.add(session, system, city.community, begins_at=at, **held)
    report = draft(city)
    assert report.visits is not None
    assert "社区利用3月17日至18日开展了集中入户走访，共3户，走访到2户，入户率达67%。" in report.visits
    assert "发放便民服务卡1张" in report.visits
    assert "这次走访共收集信息1条，当即解决0条。" in report.visits
    assert "本期共上门走访2次，电话随访0次，走到或联系到2户，占总户数的67%。" in report.visits
    assert "在原有1支特色服务队的基础上，新成立了保洁等1支服务队。" in (report.posts or "")
    assert "本期共清理辖区卫生1次，参加居民12人次。本期没有专题讲座。" in (report.services or "")
    assert "集中入户走访有1次没有达到预定的入户率。" in (report.problems or "")
    later = draft(city, date(2026, 4, 1), date(2026, 4, 30))
    assert "本期共上门走访1次" in (later.visits or "")
    assert "本期没有组织集中入户走访。" in (later.visits or "")
    assert "在原有2支特色服务队的基础上，新成立了修理等1支服务队。" in (later.posts or "")


def test_text_is_edited_numbers_stay_and_only_who_has_the_whole_community_sees_it(city: City) -> None:
    office = city.actor("community_staff", city.community)
    report = implementation.draft(city.session, office, community_id=city.community.id, first_on=FIRST, last_on=LAST)
    figures = dict(report.figures)
    implementation.change(city.session, office, report, {"problems": "1.人手不足。"})
    assert (report.problems, report.figures) == ("1.人手不足。", figures)
    city.household("A1")
    assert implementation.renew(city.session, office, report).figures["households"] == 1
    assert report.problems != "1.人手不足。"
    leader = city.actor("grid_leader", city.grids["A1"])
    assert implementation.listed(city.session, leader) == []
    with pytest.raises(NotFound):
        implementation.get(city.session, leader, report.id)
    with pytest.raises((Forbidden, NotFound)):
        implementation.draft(city.session, leader, community_id=city.community.id, first_on=FIRST, last_on=LAST)
    with pytest.raises(Invalid):
        draft(city, LAST, FIRST)
    implementation.remove(city.session, office, report)
    assert implementation.listed(city.session, office, city.community.code) == []
