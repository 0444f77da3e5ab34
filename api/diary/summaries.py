"""What the diary comes to: the weeks that line officers take over, and what people talk about, when and where."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ground, ledgers, tabs, words
from api.base.fields import Day, Input, Reference
from api.base.page import Page, needs, typed
from api.diary.routes import EntryFilters
from data import diary, grids, teams
from data.base import settings
from data.base.errors import WanggeError
from data.base.language import _
from data.diary import Subject, Week
from maps import discs

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("household.read")]
Arrange = Annotated[Page, needs("household.read", "visit.edit")]
Typed = Annotated[FormData, typed]
#: So many months are told of, this one included.
_MONTHS = 12


class Taken(Input):
    """The week that is taken over."""

    community_id: Reference
    subject: Subject
    week_on: Day


@pages.get("/diary/weeks")
def weeks(page: Read) -> Response:
    """What was said week by week, for those who answer for it."""
    return _weeks(page)


@pages.post("/diary/weeks")
def confirm(page: Read, form: Typed) -> Response:
    """Take a week over."""
    try:
        values = forms.read(Taken, form, ("community_id", "subject", "week_on"))
        with page.attempt():
            diary.confirm(page.session, page.actor, **values)
    except forms.REFUSED as error:
        return _weeks(page, error)
    return page.go("/diary/weeks", _("Taken over: {subject}.", subject=diary.subject_names()[values["subject"]]))


def _weeks(page: Page, error: WanggeError | None = None) -> Response:
    summed = diary.weeks(page.session, page.actor, community_id=page.community_id)
    names = diary.subject_names()

    def shown(week: Week) -> dict[str, Any]:
        days = {"from": week.week_on.isoformat(), "to": _sunday(week.week_on).isoformat()}
        mine = week.account_id is not None and week.account_id == page.actor.account_id
        may = mine or (page.may("visit.edit", week.community_id) and page.may("household.read", week.community_id))
        return {
            "community_id": week.community_id,
            "subject": week.subject,
            "name": names[week.subject],
            "href": f"/diary?{urlencode({'subject': week.subject, **days})}",
            "entries": week.entries,
            "open": week.open,
            "officer": week.officer or "",
            "taken": _taken(week),
            "since": week.since,
            "mine": mine,
            "confirmable": may and week.waits and week.week_on <= settings.today(),
        }

    return page.show(
        "diary/weeks.html",
        section="visits",
        status=forms.status(error),
        tabs=tabs.diary(page, "diary/weeks"),
        weeks=[
            {
                "on": monday.isoformat(),
                "title": _("{first} to {last}", first=words.day(monday), last=words.day(_sunday(monday))),
                "rows": [shown(week) for week in some],
            }
            for monday, some in groupby(summed, lambda week: week.week_on)
        ],
        fault=error.detail if error else None,
    )


def _taken(week: Week) -> str:
    if week.confirmed_at is None:
        return ""
    return f"{week.confirmed_by} · {words.minute(week.confirmed_at)}"


def _sunday(monday: date) -> date:
    return date.fromordinal(monday.toordinal() + 6)


@pages.get("/diary/officers")
def officers(page: Arrange) -> Response:
    """Who answers for which subject."""
    return _officers(page)


@pages.post("/diary/officers")
def name_officers(page: Arrange, form: Typed) -> Response:
    """Say who answers for which subject."""
    try:
        community = forms.community_in(page, form)
        with page.attempt():
            for subject in Subject:
                values = {"officer_id": forms.id_in(form, f"officer-{subject}")}
                diary.name_officer(page.session, page.actor, community_id=community.id, subject=subject, **values)
    except forms.REFUSED as error:
        return _officers(page, form, error)
    return page.go("/diary/officers", _("Saved."))


def _officers(page: Page, form: FormData | None = None, error: WanggeError | None = None) -> Response:
    known: dict[str, Any] = {}
    people: list[dict[str, str]] = []
    if page.community_id is not None:
        known = {
            subject: str(row.officer_id)
            for subject, row in diary.officers(page.session, page.actor, page.community_id).items()
        }
        officers = teams.officers(page.session, page.actor, page.community_id)
        people = [{"value": str(one.id), "label": f"{one.name} · {one.field}"} for one in officers]
    if form is not None:
        known = {subject: forms.text_in(form, f"officer-{subject}") for subject in Subject}
    return page.show(
        "diary/officers.html",
        section="visits",
        status=forms.status(error),
        tabs=tabs.diary(page, "diary/officers"),
        rows=[
            {"subject": code, "name": name, "officer": known.get(code, "")}
            for code, name in diary.subject_names().items()
        ],
        people=people,
        chosen=page.community_id is not None,
        fault=error.detail if error else None,
    )


@pages.get("/diary/themes")
def themes(page: Read) -> Response:
    """What people talk about: a chart and a table by month, and where on the map."""
    today = settings.today()
    first = _month(today, 1 - _MONTHS)
    asked = ledgers.query(page)
    given = {"from": first.isoformat(), "to": today.isoformat()}
    wanted = ledgers.filter_of(page, EntryFilters, {**given, **{key: one for key, one in asked.items() if one}})
    subjects = diary.subject_names()
    mentions = diary.by_month(page.session, page.actor, wanted)
    count = {(one.month, one.subject): one.entries for one in mentions}
    months = _between(wanted.first or first, wanted.last or today)
    totals = {code: sum(count.get((month, code), 0) for month in months) for code in subjects}
    often = sorted((code for code in subjects if totals[code]), key=lambda code: -totals[code])
    most = max(count.values(), default=1)
    kept = {name: value for name, value in asked.items() if value and name != "subject"}
    days = {"from": str(wanted.first or first), "to": str(wanted.last or today)}

    def cell(month: date, code: str) -> dict[str, Any]:
        entries = count.get((month, code), 0)
        span = {"from": month.isoformat(), "to": date.fromordinal(_month(month, 1).toordinal() - 1).isoformat()}
        href = f"/diary?{urlencode({**kept, 'subject': code, **span})}" if entries else ""
        return {"entries": entries, "href": href, "step": -(-5 * entries // most)}

    filters = [
        ledgers.choice("subject", _("Subject"), subjects),
        ledgers.by_grid(page),
        ledgers.day("from", _("From")),
        ledgers.day("to", _("To")),
    ]
    return page.show(
        "diary/themes.html",
        section="visits",
        tabs=tabs.diary(page, "diary/themes"),
        sentence=_sentence(often, totals, subjects),
        months=[f"{month:%Y-%m}" for month in months],
        rows=[
            {"name": subjects[code], "total": totals[code], "cells": [cell(month, code) for month in months]}
            for code in often
        ],
        sums=[sum(count.get((month, code), 0) for code in subjects) for month in months],
        charts={
            "kinds": {
                "labels": [subjects[code] for code in often],
                "values": [totals[code] for code in often],
                "hrefs": [f"/diary?{urlencode({**kept, **days, 'subject': code})}" for code in often],
                "unit": _("entries"),
            }
        },
        places=_places(page, wanted, {**kept, **days}, wanted.subjects),
        **_within(ledgers.filtered(page, filters), days),
    )


def _within(filtered: dict[str, Any], days: dict[str, str]) -> dict[str, Any]:
    """The filters with the days that are shown where nobody asked for others."""
    shown = [{**one, "value": one["value"] or days.get(one["name"], "")} for one in filtered["filters"]]
    return {**filtered, "filters": shown}


def _sentence(often: Sequence[str], totals: dict[str, int], subjects: dict[str, str]) -> str:
    if not often:
        return _("Nothing was written in this time.")
    first = _(", ").join(subjects[code] for code in often[:3])
    return _("{count} entries; most are about: {subjects}.", count=f"{sum(totals.values()):,}", subjects=first)


def _places(page: Page, wanted: diary.Filter, query: dict[str, str], subjects: Any) -> dict[str, Any]:
    """The map of where it was said, and the list beside it."""
    names = diary.subject_names()
    about = {"subject": ",".join(subjects)} if subjects else {}
    by_grid = diary.by_grid(page.session, page.actor, wanted)
    units = {grid.id: grid for grid in ledgers.grids_of(page)}
    shapes = grids.shapes(page.session, page.community_id, settings.today()) if page.community_id else {}
    areas, listed = [], []
    for grid_id, grid in units.items():
        counts = by_grid.get(grid_id, {})
        entries = sum(counts.values())
        most = max(counts, key=lambda code: counts[code]) if counts else None
        href = f"/diary?{urlencode({**query, **about, 'grid': grid.code})}"
        listed.append({"name": grid.name, "entries": entries, "most": names[most] if most else "", "href": href})
        if entries and grid_id in shapes:
            point = shapes[grid_id].representative_point()
            areas.append(discs.Spot(point.x, point.y, grid.name, entries, 0, href))
    buildings = [
        discs.Spot(
            row.lon,
            row.lat,
            words.building(row.number, row.name, row.code),
            row.entries,
            row.open,
            f"/diary?{urlencode({**query, **about, 'building': row.id})}",
        )
        for row in diary.at_buildings(page.session, page.actor, wanted)
    ]
    drawn = discs.spots(areas, buildings, **ground.frame(page))
    return {**ground.shown(drawn, page.settings), "rows": listed}


def _month(day: date, ahead: int) -> date:
    """The first day of a month so many months after that of ``day``."""
    year, month = divmod(day.year * 12 + day.month - 1 + ahead, 12)
    return date(year, month + 1, 1)


def _between(first: date, last: date) -> list[date]:
    """The first days of the months from ``first`` to ``last``; at most two years of them."""
    months = [_month(first, 0)]
    while (following := _month(months[-1], 1)) <= last and len(months) < 24:
        months.append(following)
    return months
