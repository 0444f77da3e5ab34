"""Working days: hand-checked over 2026's holidays, rules that hold for any calendar, inheritance, files, access."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from data import calendars
from data.base import access, reference
from data.base.errors import Forbidden, Invalid, NotFound
from data.calendars import Calendar
from tests.city import City

SHANGHAI = ZoneInfo("Asia/Shanghai")
OF_2026 = Calendar(
    SHANGHAI, exceptions={date.fromisoformat(row["code"]): row["works"] == "1" for row in reference.rows("holidays")}
)


def at(text: str) -> datetime:
    """An instant in Shanghai, such as ``02-13 10:00`` of 2026."""
    return datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("reported", "working_days", "due"),
    [
        ("03-17 10:00", 0, "03-17 17:30"),  # a Tuesday, before work ends
        ("03-17 17:30", 0, "03-18 17:30"),  # work has just ended
        ("03-17 10:00", 1, "03-18 17:30"),  # the day itself does not count
        ("03-17 23:50", 1, "03-18 17:30"),  # the day itself, however late
        ("03-20 10:00", 1, "03-23 17:30"),  # over a weekend
        ("03-21 10:00", 0, "03-23 17:30"),  # on a Saturday
        ("03-21 10:00", 1, "03-23 17:30"),  # on a Saturday: Monday is the first day
        ("02-13 10:00", 1, "02-14 17:30"),  # a Saturday that is worked
        ("02-13 10:00", 2, "02-24 17:30"),  # over the Spring Festival, 15 to 23 February
        ("02-13 10:00", 5, "02-27 17:30"),
        ("02-13 10:00", 6, "02-28 17:30"),  # another Saturday that is worked
        ("02-13 10:00", 7, "03-02 17:30"),
        ("01-02 10:00", 1, "01-04 17:30"),  # a Sunday that is worked after the New Year
        ("04-30 10:00", 3, "05-08 17:30"),  # 1 to 5 May off: the 6th, 7th, 8th
        ("04-30 10:00", 4, "05-09 17:30"),  # and the Saturday that makes up for them
        ("09-19 10:00", 1, "09-20 17:30"),  # a Sunday worked for the National Day
        ("09-30 16:00", 1, "10-08 17:30"),
        ("09-30 16:00", 3, "10-10 17:30"),
        ("12-31 10:00", 1, None),  # 2027 is not known: only its weekends are
    ],
)
def test_limits_over_the_holidays_of_2026(reported: str, working_days: int, due: str | None) -> None:
    expected = at(due) if due else datetime(2027, 1, 1, 17, 30, tzinfo=SHANGHAI)
    assert OF_2026.due(at(reported), working_days) == expected


def test_the_holidays_of_2026_are_as_the_state_council_announced_them() -> None:
    off = [day for day, works in OF_2026.exceptions.items() if not works]
    assert len(off) == 3 + 9 + 3 + 5 + 3 + 3 + 7
    made_up = [day for day, works in OF_2026.exceptions.items() if works]
    assert [f"{day:%m-%d}" for day in made_up] == ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"]
    assert {day.isoweekday() for day in made_up} == {6, 7}


def test_working_time_runs_only_while_people_work() -> None:
    hours = timedelta(hours=1)
    assert OF_2026.working_time(at("03-17 09:00"), at("03-17 17:30")) == 8.5 * hours
    assert OF_2026.working_time(at("03-17 08:00"), at("03-17 20:00")) == 8.5 * hours
    assert OF_2026.working_time(at("03-20 16:30"), at("03-23 10:00")) == 2 * hours
    assert OF_2026.working_time(at("02-14 17:00"), at("02-24 09:30")) == 1 * hours
    assert OF_2026.working_time(at("03-17 12:00"), at("03-17 11:00")) == 0 * hours


def test_the_last_working_day_before_a_limit_begins_when_work_does() -> None:
    day = OF_2026.day_length
    assert OF_2026.before(at("02-24 17:30"), day) == at("02-24 09:00")
    assert OF_2026.before(at("02-24 17:30"), 2 * day) == at("02-14 09:00")
    assert OF_2026.before(at("02-24 10:00"), 2 * timedelta(hours=1)) == at("02-14 16:30")


def test_a_day_may_end_at_midnight() -> None:
    calendar = Calendar(SHANGHAI, opens_min=0, closes_min=calendars.DAY_MINUTES)
    assert calendar.due(at("03-17 23:59"), 0) == at("03-18 00:00")
    assert calendar.working_time(at("03-17 00:00"), at("03-18 00:00")) == timedelta(days=1)


def test_a_clock_that_is_put_forward_makes_a_night_shorter_but_no_limit() -> None:
    boston = Calendar(ZoneInfo("America/New_York"), days_off=frozenset(), opens_min=0, closes_min=1440)
    before = datetime(2026, 3, 7, 12, tzinfo=boston.zone)
    assert boston.due(before, 1) == datetime(2026, 3, 9, 0, tzinfo=boston.zone)
    sunday = datetime(2026, 3, 8, tzinfo=boston.zone), datetime(2026, 3, 9, tzinfo=boston.zone)
    assert boston.working_time(*sunday) == timedelta(hours=23)


def test_a_calendar_without_a_working_day_says_so() -> None:
    rest = {date(2026, 1, 1) + timedelta(days=step): False for step in range(900)}
    with pytest.raises(calendars.NoWorkingDay):
        Calendar(SHANGHAI, exceptions=rest).due(at("03-17 10:00"), 1)


# Any calendar: some weekday is worked, some days are otherwise.
CALENDARS = st.builds(
    Calendar,
    st.sampled_from([SHANGHAI, ZoneInfo("America/New_York"), ZoneInfo("Asia/Urumqi")]),
    st.frozensets(st.integers(1, 7), max_size=6),
    st.dictionaries(st.dates(date(2026, 2, 1), date(2026, 5, 1)), st.booleans(), max_size=40),
    st.integers(0, 700),
    st.integers(701, 1440),
)
INSTANTS = st.datetimes(datetime(2026, 2, 1), datetime(2026, 5, 1), timezones=st.just(UTC))  # noqa: DTZ001
LIMITS = st.integers(0, 30)


@given(CALENDARS, INSTANTS, LIMITS)
def test_a_limit_ends_later_when_work_ends_on_a_working_day(calendar: Calendar, start: datetime, limit: int) -> None:
    due = calendar.due(start, limit)
    assert due > start
    last = calendar.day_of(due - timedelta(seconds=1))
    assert calendar.works(last)
    assert calendar.closing(last) == due


@given(CALENDARS, INSTANTS, INSTANTS, LIMITS, LIMITS)
def test_who_reports_later_or_has_longer_is_never_due_earlier(
    calendar: Calendar, one: datetime, other: datetime, short: int, long: int
) -> None:
    assert calendar.due(min(one, other), short) <= calendar.due(max(one, other), short)
    assert calendar.due(one, min(short, long)) <= calendar.due(one, max(short, long))


@given(CALENDARS, INSTANTS, st.integers(1, 30))
def test_counting_the_working_days_of_a_limit_gives_the_limit(calendar: Calendar, start: datetime, limit: int) -> None:
    # A day that ends at midnight ends with the day before.
    assert calendar.working_days(start, calendar.due(start, limit) - timedelta(seconds=1)) == limit


@given(CALENDARS, INSTANTS, INSTANTS, INSTANTS)
def test_working_time_adds_up(calendar: Calendar, one: datetime, two: datetime, three: datetime) -> None:
    first, middle, last = sorted((one, two, three))
    whole = calendar.working_time(first, last)
    assert timedelta() <= whole <= last - first
    assert calendar.working_time(first, middle) + calendar.working_time(middle, last) == whole


@given(CALENDARS, INSTANTS, st.timedeltas(timedelta(minutes=1), timedelta(days=9)))
def test_going_back_by_working_time_leaves_just_that_much(calendar: Calendar, end: datetime, left: timedelta) -> None:
    start = calendar.before(end, left)
    assert calendar.working_time(start, end) == left
    assert calendar.working_time(start + timedelta(microseconds=1), end) < left


def test_a_community_has_the_days_of_everybody_its_street_and_its_own(session: Session) -> None:
    city = City.make(session)
    system, day = access.SYSTEM, date(2026, 3, 18)
    assert calendars.due(session, city.community.id, at("02-13 10:00"), 2) == at("02-24 17:30")
    calendars.set_days(session, system, city.street, [(day, False, "街道停电"), (date(2026, 2, 24), False, "街道")])
    calendars.set_days(session, system, city.community, [(day, True, "社区值班")])
    own = calendars.of(session, city.community.id)
    assert own.works(day)
    assert not calendars.of(session, city.street.id).works(day)
    assert calendars.of(session, city.district.id).works(day)
    assert own.due(at("02-13 10:00"), 2) == at("02-25 17:30")
    assert calendars.of(session, city.grids["A1"].id).works(day)
    calendars.remove_days(session, system, city.community, day, day)
    assert not calendars.of(session, city.community.id).works(day)


def test_the_week_of_the_lowest_unit_holds(session: Session) -> None:
    city = City.make(session)
    calendars.set_week(session, access.SYSTEM, city.district, days_off=[7], opens_min=480, closes_min=1080)
    calendars.set_week(session, access.SYSTEM, city.community, days_off=[1], opens_min=540, closes_min=1440)
    saturday = date(2026, 3, 21)
    assert calendars.of(session, city.street.id).works(saturday)
    assert calendars.of(session, city.street.id).closing(saturday) == at("03-21 18:00")
    assert not calendars.of(session, city.community.id).works(date(2026, 3, 23))
    calendars.inherit_week(session, access.SYSTEM, city.community)
    assert calendars.of(session, city.community.id).opens_min == 480


def test_a_week_keeps_a_working_day_and_its_hours(session: Session) -> None:
    city = City.make(session)
    with pytest.raises(Invalid, match="working day"):
        calendars.set_week(session, access.SYSTEM, city.street, days_off=range(1, 8), opens_min=0, closes_min=60)
    with pytest.raises(Invalid, match="end after"):
        calendars.set_week(session, access.SYSTEM, city.street, days_off=[], opens_min=60, closes_min=60)


def test_a_calendar_is_edited_by_who_manages_all_it_holds_in(session: Session) -> None:
    city, other = City.make(session), City.make(session, "310102001001")
    day = [(date(2026, 3, 18), False, "停电")]
    here = city.actor("administrator", city.community)
    calendars.set_days(session, here, city.community, day)
    calendars.set_days(session, here, city.street, day)  # the community is all there is of the street
    with pytest.raises(Forbidden):
        calendars.set_days(session, here, None, day)
    with pytest.raises(NotFound):
        calendars.set_days(session, here, other.community, day)
    with pytest.raises(Forbidden):
        calendars.set_days(session, here, other.street, day)
    with pytest.raises(Forbidden):
        calendars.set_days(session, city.actor("community_staff", city.community), city.community, day)
    with pytest.raises(Invalid, match="its community"):
        calendars.set_days(session, access.SYSTEM, city.grids["A1"], day)


ICS = """BEGIN:VCALENDAR\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20271001\r
DTEND;VALUE=DATE:20271004\r
SUMMARY:国庆节（休）\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20271009\r
SUMMARY:国庆\r
 节 班\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20270101\r
SUMMARY:元旦\r
X-APPLE-SPECIAL-DAY:WORK-HOLIDAY\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20270312\r
SUMMARY:植树节\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20270501\r
RRULE:FREQ=YEARLY\r
SUMMARY:劳动节 休\r
END:VEVENT\r
END:VCALENDAR\r
"""


def test_an_ics_file_gives_holidays_and_the_days_that_make_up_for_them() -> None:
    days, rejected = calendars.read(ICS.encode())
    national = [(date(2027, 10, day), False, "国庆节") for day in (1, 2, 3)]
    assert days == [*national, (date(2027, 10, 9), True, "国庆节"), (date(2027, 1, 1), False, "元旦")]
    assert [(one.line, one.reason[:5]) for one in rejected] == [(17, "“植树节”"), (21, "“劳动节 ")]


def test_a_csv_file_gives_days_and_spans_and_says_what_is_wrong_by_line() -> None:
    lines = (
        "日期,结束日期,类型,名称",
        "2027/1/1,2027年1月3日,休,元旦",
        "20270110,,班,",
        "2027-02-30,,休,春节",
        "2027-03-01,,半,甲",
    )
    text = "\n".join(lines)
    for encoding in ("utf-8-sig", "gb18030"):
        days, rejected = calendars.read(text.encode(encoding))
        new_year = [(date(2027, 1, day), False, "元旦") for day in (1, 2, 3)]
        assert days == [*new_year, (date(2027, 1, 10), True, "")]
        assert [one.line for one in rejected] == [4, 5]
        assert "2027-02-30" in rejected[0].reason


@pytest.mark.parametrize("data", [b"", b"a,b\n1,2\n", b"\x89PNG\xff\xff", b"date\n", b"x" * 2_000_000])
def test_a_file_without_days_is_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(Invalid):
        calendars.read(data)


def test_our_own_reference_file_can_be_imported() -> None:
    path = reference._paths()["holidays"]
    days, rejected = calendars.read(path.read_bytes())
    assert rejected == []
    assert {day: works for day, works, _name in days} == dict(OF_2026.exceptions)


def test_a_line_folded_a_hundred_thousand_times_is_put_together_once() -> None:
    folded = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261001\nSUMMARY:国庆节（休）\nX-NOTE:a\n" + " b\n" * 300_000
    days, rejected = calendars.read(f"{folded}END:VEVENT\nEND:VCALENDAR\n".encode())
    assert days == [(date(2026, 10, 1), False, "国庆节")]
    assert rejected == []


def test_a_file_of_days_without_end_is_refused() -> None:
    with pytest.raises(Invalid, match="at most 10,000 days"):
        calendars.read(("日期,结束日期\n" + "2026-01-01,2026-03-01\n" * 40_000).encode())


def test_of_rows_that_are_no_days_the_first_are_told_and_how_many_more_there_are() -> None:
    days, rejected = calendars.read(("日期\n2026-01-01\n" + "x\n" * 5000).encode())
    assert len(days) == 1
    assert len(rejected) == 201
    assert rejected[-1].reason == "4800 more from here on were not taken."


def test_a_cell_as_long_as_the_file_is_told_in_a_sentence() -> None:
    with pytest.raises(Invalid, match="is no table"):
        calendars.read(f"日期\n{'9' * 500_000}\n".encode())
