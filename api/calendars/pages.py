"""The calendar of working days on a page: a year at a glance, its exceptions, the week, and files of holidays."""

from __future__ import annotations

from calendar import Calendar as Months
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from babel.dates import get_day_names, get_month_names
from fastapi import APIRouter, Query
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from api.base import forms, tabs, words
from api.base.page import Page, needs, typed
from api.calendars.routes import clock, minutes
from data import calendars, units
from data.base import language, settings
from data.base.errors import Invalid, WanggeError
from data.base.language import _
from data.units import Level, Unit

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("unit.read")]
Edit = Annotated[Page, needs("unit.edit")]
Typed = Annotated[FormData, typed]
Year = Annotated[int | None, Query(ge=1900, le=2999)]
Days = Annotated[int, Query(ge=0, le=999)]

#: In place of a unit: what holds for everybody.
COMMON = "all"


@pages.get("/calendar")
def shown(page: Read, unit: str | None = None, year: Year = None, days: Days = 5) -> Response:
    """The year of a unit, by default of the community that pages are about."""
    return _shown(page, unit_of(page, unit), year or settings.today().year, limit=days)


@pages.post("/calendar/days")
def set_days(page: Edit, form: Typed) -> Response:
    """Write a holiday, or days that are worked instead."""
    unit = unit_of(page, forms.text_in(form, "unit"))
    try:
        first = _day(form, "first")
        last = _day(form, "last") if forms.text_in(form, "last") else first
        count = (last - first).days + 1
        if not 1 <= count <= 60:
            raise Invalid(_("Give 1 to {most} days at once.", most=60), field="last")
        works, name = forms.text_in(form, "works") == "1", forms.text_in(form, "name")
        with page.attempt():
            wanted = [(first + timedelta(days=step), works, name) for step in range(count)]
            calendars.set_days(page.session, page.actor, unit, wanted)
    except forms.REFUSED as error:
        return _shown(page, unit, settings.today().year, error=error, form=form)
    return page.go(_address(unit, first.year), _("Saved."))


@pages.post("/calendar/days/remove")
def remove_days(page: Edit, form: Typed) -> Response:
    """Take exceptions away."""
    unit = unit_of(page, forms.text_in(form, "unit"))
    first, last = _day(form, "first"), _day(form, "last")
    calendars.remove_days(page.session, page.actor, unit, first, last)
    return page.go(_address(unit, first.year), _("Removed."))


@pages.post("/calendar/week")
def set_week(page: Edit, form: Typed) -> Response:
    """Give a unit its own week, or take it away again."""
    unit = unit_of(page, forms.text_in(form, "unit"))
    try:
        if unit is None:
            raise Invalid(_("The week is that of a district, a street or a community."))
        with page.attempt():
            if forms.text_in(form, "inherit"):
                calendars.inherit_week(page.session, page.actor, unit)
            else:
                worked = {int(str(one)) for one in form.getlist("worked") if str(one) in "1234567"}
                calendars.set_week(
                    page.session,
                    page.actor,
                    unit,
                    days_off=set(range(1, 8)) - worked,
                    opens_min=minutes(forms.text_in(form, "opens")),
                    closes_min=minutes(forms.text_in(form, "closes")),
                )
    except forms.REFUSED as error:
        return _shown(page, unit, settings.today().year, error=error)
    return page.go(_address(unit, None), _("Saved."))


@pages.post("/calendar/import")
def import_days(page: Edit, form: Typed) -> Response:
    """Take holidays out of an ICS or CSV file; what could not be read is listed."""
    unit, file = unit_of(page, forms.text_in(form, "unit")), form.get("file")
    try:
        data = file.file.read(calendars.LARGEST_BYTES + 1) if isinstance(file, UploadFile) else b""
        days, rejected = calendars.read(data)
        with page.attempt():
            count = calendars.set_days(page.session, page.actor, unit, days)
    except forms.REFUSED as error:
        return _shown(page, unit, settings.today().year, error=error)
    year = days[0][0].year if days else settings.today().year
    if not rejected:
        return page.go(_address(unit, year), _("{count} days were taken over.", count=count))
    return _shown(page, unit, year, taken=count, rejected=rejected)


def unit_of(page: Page, asked: str | None) -> Unit | None:
    """The unit that was asked for; ``None`` for what holds for everybody."""
    if asked == COMMON:
        return None
    if asked and asked.isdecimal() and len(asked) < 10:
        found = units.get(page.session, page.actor, int(asked))
        return units.get(page.session, page.actor, found.community_id or 0) if found.level == Level.GRID else found
    if page.community_id is not None:
        return units.community(page.session, page.actor, page.community_id)
    return None


def _address(unit: Unit | None, year: int | None) -> str:
    place = f"/calendar?unit={unit.id if unit else COMMON}"
    return f"{place}&year={year}" if year else place


def _day(form: FormData, name: str) -> date:
    try:
        return date.fromisoformat(forms.text_in(form, name))
    except ValueError:
        raise Invalid(_("Give a day such as 2026-10-01."), field=name) from None


def _shown(
    page: Page,
    unit: Unit | None,
    year: int,
    *,
    limit: int = 5,
    error: WanggeError | None = None,
    form: FormData | None = None,
    taken: int | None = None,
    rejected: list[calendars.Rejected] | None = None,
) -> Response:
    unit_id = unit.id if unit else None
    calendar = calendars.of(page.session, unit_id)
    days = calendars.days(page.session, unit_id, year)
    weeks = calendars.weeks(page.session, unit_id)
    held = weeks[-1] if weeks else None
    owners = {entry.unit_id for entry in days if entry.unit_id} | {entry.unit_id for entry in weeks}
    names = units.names(page.session, owners)
    day_names = get_day_names("abbreviated", locale=language.current())
    now = datetime.now(calendar.zone)
    return page.show(
        "calendars/year.html",
        section="settings" if "account.read" in page.can else "me",
        status=forms.status(error),
        tabs=tabs.notices(page, "calendar"),
        fault=error.detail if error else "",
        form={name: forms.text_in(form, name) for name in ("first", "last", "works", "name")} if form else {},
        unit={"id": unit_id or COMMON, "name": unit.name if unit else _("Everybody"), "own": unit is not None},
        units=unit_choices(page),
        year=year,
        years=calendars.years(page.session, unit_id),
        months=_months(year, calendar, {entry.day: entry for entry in days}),
        weekdays=[day_names[day] for day in range(7)],
        spans=_spans(days, unit_id, names),
        week={
            "worked": [day not in calendar.days_off for day in range(1, 8)],
            "opens": clock(calendar.opens_min),
            "closes": clock(calendar.closes_min),
            "of": names.get(held.unit_id) if held else None,
            "own": held is not None and held.unit_id == unit_id,
        },
        example={"days": limit, "due": words.minute(calendar.due(now, limit))},
        editable="unit.edit" in page.can and calendars.may_edit(page.session, page.actor, unit),
        taken=taken,
        rejected=rejected or [],
    )


def unit_choices(page: Page) -> list[dict[str, str]]:
    """The units whose calendar can be looked at, and what holds for everybody."""
    above = units.above_grids(page.session, page.actor)
    named = [{"value": str(one.id), "label": f"{one.name} ({units.level_names()[one.level]})"} for one in above]
    return [{"value": COMMON, "label": _("Everybody")}, *named]


def _months(year: int, calendar: calendars.Calendar, exceptions: dict[date, calendars.Named]) -> list[dict[str, Any]]:
    titles = get_month_names("wide", locale=language.current(), context="stand-alone")
    today = settings.today()
    months = []
    for month in range(1, 13):
        rows = [
            [_cell(day, calendar, exceptions.get(day), today) if day.month == month else None for day in week]
            for week in Months().monthdatescalendar(year, month)
        ]
        worked = sum(cell["works"] for row in rows for cell in row if cell)
        months.append({"title": titles[month], "weeks": rows, "worked": worked})
    return months


def _cell(day: date, calendar: calendars.Calendar, named: calendars.Named | None, today: date) -> dict[str, Any]:
    works = calendar.works(day)
    name = calendars.name_of(day, named.name) if named else ""
    mark = "" if named is None else (_("work") if works else _("off"))
    said = _("{day}: working day", day=day) if works else _("{day}: no working day", day=day)
    return {
        "day": day.day,
        "works": works,
        "mark": mark,
        "today": day == today,
        "says": f"{said}, {name}" if name else said,
    }


def _spans(found: list[calendars.Named], unit_id: int | None, names: dict[int, str]) -> list[dict[str, Any]]:
    """Exceptions as spans of the same unit, each with whether it can be removed here."""
    rows = []
    for owner in dict.fromkeys(one.unit_id for one in found):
        own = {one.day: (one.works, calendars.name_of(one.day, one.name)) for one in found if one.unit_id == owner}
        rows += [
            {
                "first": first.isoformat(),
                "last": last.isoformat(),
                "count": (last - first).days + 1,
                "works": works,
                "name": name,
                "of": names.get(owner) if owner else _("Everybody"),
                "own": owner == unit_id,
            }
            for first, last, works, name in calendars.spans(own)
        ]
    return sorted(rows, key=lambda row: str(row["first"]))
