"""Activities on pages: what was held when, where and for whom, with photos; and the form of one."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from pydantic import Field as Bound
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from api.activities.routes import ActivityFilters
from api.base import forms, ledgers, tabs, words
from api.base.fields import Day, Id, Input, Line, Reference, Text
from api.base.forms import Field, Section
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, local, needs, typed
from data import activities, photos, teams
from data.activities import Activity, Kind
from data.base import settings
from data.base.errors import Invalid, WanggeError
from data.base.language import _

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("unit.read")]
Edit = Annotated[Page, needs("unit.read", "team.edit")]
Typed = Annotated[FormData, typed]
_FIELDS = ("title", "kind", "team_id", "day", "clock", "place", "audience", "attendance", "note")


class ActivityForm(Input):
    """What is typed of an activity; day and time are the community's."""

    title: Line
    kind: Kind
    team_id: Reference | None = None
    day: Day
    clock: time
    place: Line | None = None
    audience: Line | None = None
    attendance: Annotated[int, Bound(ge=0, le=100_000)] | None = None
    note: Text | None = None


@pages.get("/activities")
def listed(page: Read) -> Response:
    """The activities, the latest first."""
    kinds = activities.kind_names()

    def cells(row: Any) -> list[Cell]:
        return [
            row.title,
            words.minute(row.begins_at),
            {"text": kinds[row.kind], "tag": "plain"},
            row.team_name,
            row.place or row.grid_name,
            row.audience,
            row.attendance,
        ]

    columns = [
        Column(_("Activity")),
        Column(_("When"), sort="begins", lead=True),
        Column(_("Kind"), side=True),
        Column(_("Service team"), lead=True),
        Column(_("Place")),
        Column(_("For whom")),
        Column(_("How many came"), number=True),
    ]
    ours = teams.service_teams(page.session, page.actor, page.community)
    filters = [
        ledgers.choice("kind", _("Kind"), kinds),
        ledgers.choice("team", _("Service team"), {str(team.id): team.name for team in ours}),
        ledgers.by_grid(page),
        ledgers.day("from", _("From")),
        ledgers.day("to", _("To")),
    ]
    add_one = (_("Add an activity"), "team.edit")
    head = ledgers.head(page, _("Activities"), "activities", new=add_one, goes_out=False, comes_in=False)
    query = activities.selection(page.actor, ledgers.wanted(page, ActivityFilters))
    return page.show(
        "activities/list.html",
        section="grids",
        page=head,
        tabs=tabs.teams(page, "activities"),
        **ledgers.filtered(page, filters),
        **ledgers.table(page, Listing(query, activities.SORTS, Activity.id, "-begins"), columns, cells, "activities"),
    )


@pages.get("/activities/new")
def new(page: Edit) -> Response:
    """The form of a new activity."""
    return _form(page, None)


@pages.post("/activities")
def add(page: Edit, form: Typed) -> Response:
    """Add an activity."""
    try:
        values, point, pictures = _read(form)
        community = forms.community_in(page, form, point)
        with page.attempt():
            activity = activities.add(page.session, page.actor, community, point=point, pictures=pictures, **values)
    except forms.REFUSED as error:
        return _form(page, None, form, error)
    return page.go(f"/activities/{activity.id}", _("Saved."))


@pages.get("/activities/{activity_id}")
def record(activity_id: Id, page: Read) -> Response:
    """An activity with its place and photos."""
    return _form(page, activities.get(page.session, page.actor, activity_id))


@pages.post("/activities/{activity_id}")
def change(activity_id: Id, page: Edit, form: Typed) -> Response:
    """Change an activity, and add photos."""
    activity = activities.get(page.session, page.actor, activity_id)
    try:
        forms.check(page, activity, form)
        values, point, pictures = _read(form)
        with page.attempt():
            activities.change(page.session, page.actor, activity, point=point, pictures=pictures, **values)
    except forms.REFUSED as error:
        return _form(page, activity, form, error)
    return page.go(f"/activities/{activity_id}", _("Saved."))


@pages.post("/activities/{activity_id}/remove")
def remove(activity_id: Id, page: Edit, form: Typed) -> Response:
    """Remove an activity with its photos."""
    activities.remove(page.session, page.actor, activities.get(page.session, page.actor, activity_id))
    return page.go("/activities", _("Removed."))


def _read(form: FormData) -> tuple[dict[str, Any], tuple[float, float] | None, list[bytes]]:
    values = forms.read(ActivityForm, form, _FIELDS)
    day: date = values.pop("day")
    clock: time = values.pop("clock")
    begins = datetime.combine(day, clock.replace(tzinfo=None), ZoneInfo(settings.get().timezone))
    sent = [one.file.read() for one in form.getlist("photo") if isinstance(one, UploadFile) and one.size]
    if len(sent) > photos.PER_RECORD:
        raise Invalid(_("At most {count} photos at once.", count=photos.PER_RECORD), field="photo")
    return {**values, "begins_at": begins}, forms.point_in(form), sent


def _form(
    page: Page, activity: Activity | None, form: FormData | None = None, error: WanggeError | None = None
) -> Response:
    row = activities.row(page.session, activity) if activity else None
    editable = page.may("team.edit", activity.community_id) if activity else True
    what = Section(_("Activity"), [*([] if activity else forms.community_field(page)), *_fields(page, row)])
    point = forms.typed_point(form) if form else (row.lon, row.lat) if row and row.lon is not None else None
    address = f"/activities/{activity.id}" if activity else "/activities"
    return page.show(
        "activities/form.html",
        section="grids",
        status=forms.status(error),
        record=forms.record("activities", None, row.title if row else _("Add an activity"), _("Activities")),
        action=address,
        editable=editable,
        removes=f"{address}/remove" if activity and editable else "",
        **forms.shown([what], form, error),
        links=[],
        token=forms.token(activity),
        pictures=[photo.id for photo in activities.pictures(page.session, activity)] if activity else [],
        **forms.place(page, point, editable=editable),
    )


def _fields(page: Page, row: Any) -> list[Field]:
    at = local(row.begins_at) if row else None
    ours = {str(team.id): team.name for team in teams.service_teams(page.session, page.actor, page.community)}
    held = {name: getattr(row, name, None) for name in ("title", "kind", "team_id", "place", "audience", "attendance")}
    return [
        Field("title", _("Title"), held["title"], optional=False, most=200),
        forms.select("kind", _("Kind"), held["kind"], activities.kind_names(), optional=False),
        forms.select("team_id", _("Service team"), held["team_id"], ours),
        Field("day", _("Day"), f"{at:%Y-%m-%d}" if at else settings.today(), "date", optional=False),
        Field("clock", _("Time"), f"{at:%H:%M}" if at else "09:30", "time", optional=False),
        Field("place", _("Place"), held["place"], most=200),
        Field("audience", _("For whom"), held["audience"], most=200),
        Field(
            "attendance",
            _("How many came"),
            held["attendance"],
            "number",
            least=0,
            most=100_000,
            hint=_("A number; nobody signs in."),
        ),
        Field("note", _("Note"), row.note if row else None, "textarea", most=2000),
    ]
