"""Every figure is counted out of the records, and equals what plain SQL counts."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from data import accounts, figures, units
from data.base import access, language
from data.base.errors import Invalid
from data.demo import plan
from data.figures import Figure, Share, Span
from data.households import Household

ZONE = ZoneInfo("Asia/Shanghai")
#: Each figure as a count of its own in plain SQL, of the demo, over the days from :first to :last in Shanghai.
_AT = "(({column}) AT TIME ZONE 'Asia/Shanghai')::date BETWEEN :first AND :last"
PLAIN = {
    "buildings": "SELECT count(*) FROM building WHERE kind = 'residential'",
    "dwellings": "SELECT count(*) FROM dwelling",
    "households": "SELECT count(*) FROM household WHERE closed_on IS NULL",
    "residents": "SELECT count(*) FROM resident WHERE left_on IS NULL",
    "residents_floating": "SELECT count(*) FROM resident WHERE status = 'floating' AND left_on IS NULL",
    "residents_old": (
        "SELECT count(*) FROM resident WHERE left_on IS NULL AND extract(year FROM age(:last, born_on)) >= 60"
    ),
    "residents_minor": (
        "SELECT count(*) FROM resident WHERE left_on IS NULL AND extract(year FROM age(:last, born_on)) < 18"
    ),
    "tenancies": "SELECT count(*) FROM tenancy WHERE valid @> CAST(:last AS date)",
    "special_households": (
        "SELECT count(DISTINCT household_id) FROM household_group WHERE valid @> CAST(:last AS date)"
    ),
    "special_households.low_income": (
        "SELECT count(*) FROM household_group WHERE valid @> CAST(:last AS date) AND group_code = 'low_income'"
    ),
    "posts": "SELECT count(*) FROM team_member WHERE valid @> CAST(:last AS date)",
    "service_teams": "SELECT count(*) FROM service_team",
    "visits": f"SELECT count(*) FROM visit WHERE manner = 'visit' AND outcome = 'met' AND {_AT.format(column='at')}",
    "calls": f"SELECT count(*) FROM visit WHERE manner = 'call' AND outcome = 'met' AND {_AT.format(column='at')}",
    "tries": f"SELECT count(*) FROM visit WHERE outcome <> 'met' AND {_AT.format(column='at')}",
    "households_met": (
        "SELECT count(DISTINCT household_id) FROM visit WHERE manner = 'visit' AND outcome = 'met' AND "
        + _AT.format(column="at")
    ),
    "cards": f"SELECT count(*) FROM visit WHERE card AND {_AT.format(column='at')}",
    "entries": f"SELECT count(*) FROM diary_entry WHERE {_AT.format(column='at')}",
    "entries_asked": f"SELECT count(*) FROM diary_entry WHERE asks AND {_AT.format(column='at')}",
    "entries.hukou": f"SELECT count(*) FROM diary_entry WHERE subject = 'hukou' AND {_AT.format(column='at')}",
    "cases": (f"SELECT count(*) FROM incident WHERE merged_into_id IS NULL AND {_AT.format(column='reported_at')}"),
    "cases.facility": (
        "SELECT count(*) FROM incident i JOIN category c ON c.code = i.category_code WHERE merged_into_id IS NULL AND "
        f"'facility' IN (c.code, c.parent_code) AND {_AT.format(column='reported_at')}"
    ),
    "cases_closed": (
        f"SELECT count(*) FROM incident WHERE merged_into_id IS NULL AND {_AT.format(column='closed_at')}"
    ),
    "cases_urgent": (
        "SELECT count(*) FROM incident WHERE merged_into_id IS NULL AND tier = 'street' AND "
        + _AT.format(column="reported_at")
    ),
    "cases_on_the_spot": (
        "SELECT count(*) FROM incident WHERE merged_into_id IS NULL AND tier = 'grid' AND "
        "(closed_at AT TIME ZONE 'Asia/Shanghai')::date = (reported_at AT TIME ZONE 'Asia/Shanghai')::date AND "
        + _AT.format(column="reported_at")
    ),
    "disputes": f"SELECT count(*) FROM dispute WHERE {_AT.format(column='reported_at')}",
    "disputes_settled": f"SELECT count(*) FROM dispute WHERE {_AT.format(column='settled_at')}",
    "activities": (f"SELECT count(*) FROM activity WHERE attendance IS NOT NULL AND {_AT.format(column='begins_at')}"),
    "activities.cleanup": (
        "SELECT count(*) FROM activity WHERE attendance IS NOT NULL AND kind = 'cleanup' AND "
        + _AT.format(column="begins_at")
    ),
    "attendance": f"SELECT coalesce(sum(attendance), 0) FROM activity WHERE {_AT.format(column='begins_at')}",
}


def spring(today: date) -> Span:
    year = today.year if today >= date(today.year, 3, 31) else today.year - 1
    return Span(date(year, 1, 1), date(year, 3, 31))


def counted(session: Session, actor: access.Actor, span: Span, **how: Any) -> dict[str, int]:
    every = [figure for figure in figures.catalogue(session).values() if isinstance(figure, Figure)]
    return {code: numbers.total for code, numbers in figures.count(session, actor, every, span, **how).items()}


def test_each_figure_equals_an_independent_count(loaded: Session) -> None:
    today = datetime.now(ZONE).date()
    for span in (spring(today), Span(today - timedelta(days=6), today)):
        ours = counted(loaded, access.SYSTEM, span)
        plain = {code: loaded.scalar(text(sql), vars(span)) for code, sql in PLAIN.items()}
        assert {code: ours[code] for code in PLAIN} == plain


def test_every_figure_says_what_it_counts_in_both_languages_and_no_two_share_a_code(loaded: Session) -> None:
    for locale in ("zh", "en"):
        with language.using(locale):
            for code, figure in figures.catalogue(loaded).items():
                assert code == figure.code
                assert figure.name
                assert len(figure.how) > 4


def test_the_parts_of_a_number_add_up_and_the_records_behind_it_are_as_many(loaded: Session) -> None:
    today = datetime.now(ZONE).date()
    span = Span(today - timedelta(days=300), today)
    every = {code: figure for code, figure in figures.catalogue(loaded).items() if isinstance(figure, Figure)}
    community = units.by_code(loaded, access.SYSTEM, plan.COMMUNITY)
    numbers = figures.count(loaded, access.SYSTEM, every.values(), span)
    for code in ("visits", "cases", "disputes", "entries", "activities", "households_met"):
        number = numbers[code]
        assert number.total == number.of_community(community.id) > 0
        shown = figures.records(loaded, access.SYSTEM, every[code], span, community_id=community.id)
        assert len(shown) == min(number.total, 1000)
        grid_id = next(grid for _community, grid in number.by_place if grid is not None)
        assert len(
            figures.records(loaded, access.SYSTEM, every[code], span, community_id=community.id, grid_id=grid_id)
        ) == number.of_grid(grid_id)


def test_a_grid_leader_counts_the_own_grid_alone(loaded: Session) -> None:
    username = next(one["username"] for one in loaded.info["given"] if one["role_code"] == "grid_leader")
    account = loaded.scalar(select(accounts.Account).where(accounts.Account.username == username))
    assert account is not None
    leader = accounts.actor(loaded, account)
    every = [figure for figure in figures.catalogue(loaded).values() if isinstance(figure, Figure)]
    numbers = figures.count(loaded, leader, every, spring(datetime.now(ZONE).date()))
    grids = {grid for code in ("visits", "households", "cases") for _c, grid in numbers[code].by_place}
    assert grids == leader.area("household.read").single


def test_a_number_as_it_was_known_leaves_out_what_came_later(loaded: Session) -> None:
    community = units.by_code(loaded, access.SYSTEM, plan.COMMUNITY)
    span = spring(datetime.now(ZONE).date())
    before = counted(loaded, access.SYSTEM, span)["visits"]
    moment = loaded.scalar(text("SELECT clock_timestamp()"))
    home = loaded.scalars(select(Household.id)).first()
    loaded.execute(
        text(
            "INSERT INTO visit (uuid, community_id, household_id, manner, outcome, at, recorded_at) VALUES "
            "(gen_random_uuid(), :community, :home, 'visit', 'met', :at, clock_timestamp())"
        ),
        {"community": community.id, "home": home, "at": datetime(span.last.year, 2, 2, 9, tzinfo=ZONE)},
    )
    assert counted(loaded, access.SYSTEM, span)["visits"] == before + 1
    assert counted(loaded, access.SYSTEM, span, known=moment)["visits"] == before
    figure = figures.get(loaded, "visits")
    assert isinstance(figure, Figure)
    late = figures.records(loaded, access.SYSTEM, figure, span, community_id=community.id, since=moment)
    assert len(late) == 1


def test_a_share_is_of_its_whole(loaded: Session) -> None:
    campaign = Span(*(spring(datetime.now(ZONE).date()).last.replace(day=day) for day in (17, 18)))
    numbers = counted(loaded, access.SYSTEM, campaign)
    met = figures.get(loaded, "households_met_share")
    assert isinstance(met, Share)
    assert figures.share(met, numbers) == pytest.approx(0.9, abs=0.005)


def test_days_that_run_backwards_and_figures_that_are_none_are_refused(session: Session) -> None:
    with pytest.raises(Invalid):
        Span(date(2026, 3, 2), date(2026, 3, 1))
    with pytest.raises(figures.FigureNotFound, match="no figure “visit”"):
        figures.get(session, "visit")
