"""The implementation report: what it counts, what it says where there is nothing, and what people make of it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from data import activities, campaigns, implementation, teams, units, visits
from data.base import access, settings
from data.base.errors import Forbidden, Invalid, NotFound
from data.demo import duties, plan
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


#: What is independent of the house's own counting: plain SQL. ``f`` and ``l`` are the first and the day after the last.
_SQL = {
    "area": "SELECT round(sum(ST_Area(ST_Transform(b.geom, CAST(replace(u.metric_crs, 'EPSG:', '') AS int))))/1000)/10 "
    "FROM grid_boundary b JOIN unit u ON u.id = b.community_id WHERE now()::date <@ b.valid GROUP BY u.id",
    "buildings": "SELECT count(*) FROM building WHERE kind = 'residential'",
    "homes": "SELECT count(*) FROM household WHERE closed_on IS NULL",
    "people": "SELECT count(*) FROM resident WHERE left_on IS NULL",
    "grids": "SELECT count(*) FROM unit WHERE level = 'grid'",
    "posts": "SELECT count(*) FROM team_member WHERE DATE '{l}' - 1 <@ valid",
    "guides": "SELECT count(*) FROM guide WHERE DATE '{l}' - 1 <@ valid",
    "teams": "SELECT count(*) FROM service_team WHERE founded_on < '{f}'",
    "new_teams": "SELECT count(*) FROM service_team WHERE founded_on >= '{f}' AND founded_on < '{l}'",
    "special": "SELECT count(DISTINCT household_id) FROM household_group WHERE DATE '{l}' - 1 <@ valid",
    "rented": "SELECT count(*) FROM tenancy WHERE DATE '{l}' - 1 <@ valid",
    "tenants": "SELECT count(DISTINCT resident_id) FROM tenancy_tenant t JOIN tenancy y ON y.id = t.tenancy_id "
    "WHERE DATE '{l}' - 1 <@ y.valid",
    "met": "SELECT count(DISTINCT household_id) FROM visit WHERE outcome = 'met' AND manner = 'visit' AND {campaign}",
    "cards": "SELECT count(*) FROM visit WHERE card AND {campaign}",
    "asked": "SELECT count(*) FROM diary_entry e JOIN visit v ON v.id = e.visit_id WHERE e.asks AND {campaign}",
    "solved": "SELECT count(*) FROM diary_entry e JOIN visit v ON v.id = e.visit_id WHERE e.asks AND {campaign} "
    "AND (e.struck_at AT TIME ZONE 'Asia/Shanghai')::date = (v.at AT TIME ZONE 'Asia/Shanghai')::date",
    "visits": "SELECT count(*) FROM visit WHERE outcome = 'met' AND manner = 'visit' AND {days}",
    "calls": "SELECT count(*) FROM visit WHERE outcome = 'met' AND manner = 'call' AND {days}",
    "reached": "SELECT count(DISTINCT household_id) FROM visit WHERE outcome = 'met' AND {days}",
    "reached_special": "SELECT count(DISTINCT household_id) FROM visit WHERE outcome = 'met' AND {days} "
    "AND household_id IN (SELECT household_id FROM household_group WHERE DATE '{l}' - 1 <@ valid)",
    "said": "SELECT count(*) FROM diary_entry WHERE {days}",
    "wanted": "SELECT count(*) FROM diary_entry WHERE asks AND {days}",
    "struck": "SELECT count(*) FROM diary_entry e LEFT JOIN incident i ON i.id = e.incident_id "
    "WHERE e.asks AND (e.struck_at IS NOT NULL OR i.step = 'closed') AND {days}",
    "disputes": "SELECT count(*) FROM dispute WHERE reported_at >= '{f}' AND reported_at < '{l}'",
    "settled": "SELECT count(*) FROM dispute WHERE reported_at >= '{f}' AND reported_at < '{l}' "
    "AND step IN ('settled', 'closed')",
    "lectures": "SELECT count(*) FROM activity WHERE kind = 'lecture' AND begins_at >= '{f}' AND begins_at < '{l}'",
    "cleanups": "SELECT count(*) FROM activity WHERE kind = 'cleanup' AND begins_at >= '{f}' AND begins_at < '{l}'",
    "came": "SELECT sum(attendance) FROM activity WHERE begins_at >= '{f}' AND begins_at < '{l}'",
}


def test_the_report_on_the_demos_spring_states_what_plain_sql_counts(loaded: Session) -> None:
    year = duties.spring(settings.today()).year
    loaded.execute(text("SET LOCAL TIME ZONE 'Asia/Shanghai'"))
    words = {
        "f": f"{year}-01-01",
        "l": f"{year}-04-01",
        "days": f"at >= '{year}-01-01' AND at < '{year}-04-01'",
        "campaign": f"visit.at >= '{year}-03-17' AND visit.at < '{year}-03-19'",
    }
    n: dict[str, Any] = {}
    for name, query in _SQL.items():
        alias = {"campaign": words["campaign"].replace("visit.at", "v.at")} if " v " in query else {}
        days = {"days": words["days"].replace("at ", "e.at ")} if "diary_entry e" in query else {}
        n[name] = loaded.scalar(text(query.format(**(words | alias | days))))
    seed = (41, 1400, 1400, 35, 35, 11, 3, 1, 2)
    names = ("buildings", "met", "cards", "asked", "solved", "teams", "new_teams", "lectures", "cleanups")
    assert tuple(n[name] for name in names) == seed
    assert (float(n["area"]), n["grids"], n["people"]) == (15.6, 8, 5674)
    assert round(100 * n["met"] / n["homes"]) == 90
    community = units.by_code(loaded, access.SYSTEM, plan.COMMUNITY)
    report = implementation.draft(
        loaded, access.SYSTEM, community_id=community.id, first_on=date(year, 1, 1), last_on=date(year, 3, 31)
    )
    said = "\n".join(getattr(report, part) for part in implementation.Part)
    groups = loaded.execute(
        text(
            f"SELECT g.name_zh, count(DISTINCT h.household_id) FROM household_group h "
            f"JOIN special_group g ON g.code = h.group_code WHERE DATE '{year}-03-31' <@ h.valid "
            "GROUP BY g.code ORDER BY g.position"
        )
    ).all()
    inside = loaded.execute(
        text(
            "SELECT count(DISTINCT h.id), count(r.id) FROM household h JOIN dwelling d ON d.id = h.dwelling_id "
            "JOIN building b ON b.id = d.building_id JOIN resident r ON r.household_id = h.id "
            "WHERE h.closed_on IS NULL AND r.left_on IS NULL GROUP BY b.grid_id"
        )
    ).all()
    homes, people = sorted(row[0] for row in inside), sorted(row[1] for row in inside)
    for sentence in (
        f"占地{float(n['area'])}万平方米，辖区内有住宅楼{n['buildings']}栋，总户数{n['homes']}户，总人口{n['people']}人，"
        f"共分{n['grids']}个网格，每个网格{homes[0]}至{homes[-1]}户、{people[0]}至{people[-1]}人。",
        f"现将{year}年1月1日至3月31日实施",
        f"每个网格设{n['posts'] // 8}人组成的社区民生服务组（1名网格负责人、1名信息员、1名督导员、1名楼栋员），"
        f"共{n['posts']}人。",
        f"网格管理服务指导人员{n['guides']}名",
        f"在原有{n['teams']}支特色服务队的基础上，新成立了保洁、修理、文体指导等{n['new_teams']}支服务队。",
        f"建立普通群体家庭信息档案{n['homes'] - n['special']}户。",
        f"建立特殊群体家庭信息档案{n['special']}户，其中{'、'.join(f'{row[0]}{row[1]}户' for row in groups)}（",
        f"出租房屋{n['rented']}处，租房人员{n['tenants']}人。",
        f"共{n['homes']}户，走访到{n['met']}户，入户率达90%。这次入户共发放便民服务卡{n['cards']}张，",
        f"这次走访共收集信息{n['asked']}条，当即全部解决{n['solved']}条。",
        f"本期共上门走访{n['visits']}次，电话随访{n['calls']}次，走到或联系到{n['reached']}户，",
        f"其中特殊群体家庭{n['reached_special']}户。",
        f"本期民情日记共记{n['said']}条，其中需要解决的{n['wanted']}条，已解决注销{n['struck']}条。",
        f"本期登记矛盾纠纷{n['disputes']}件，已调解成功{n['settled']}件，",
        f"社区现有特色服务队{n['teams'] + n['new_teams']}支，",
        f"举办老年人健康知识讲座{n['lectures']}次，清理辖区卫生{n['cleanups']}次，",
        f"参加居民{n['came']}人次。",
        f"仍有{n['homes'] - n['reached']}户本期没有走访到",
        f"民情日记中还有{n['wanted'] - n['struck']}条没有解决。",
        f"还有{n['disputes'] - n['settled']}件没有调解成功。",
    ):
        assert sentence in said, sentence
        said = said.replace(sentence, "")
    # What is left has no number but those of headings, of days, and of kinds whose sums were compared.
    left = re.sub(r"^\d\.|社区利用3月17日至18日|[\u4e00-\u9fff]{2,6}\d+[名次件]", "", said, flags=re.M)
    assert re.findall(r"\d+", left) in ([], [re.sub(r"\D", "", _percent(n["reached"], n["homes"]))])


def _percent(part: int, whole: int) -> str:
    return f"{min(99, round(100 * part / whole))}%"
