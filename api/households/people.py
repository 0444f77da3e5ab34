"""What the pages about people share: masked names, where somebody lives, the boxes of a door, showing in full."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import calls as answers
from api.base import forms, words
from api.base.forms import Field
from api.base.ledgers import Cell
from api.base.page import Page
from data import buildings, calls, households, locating
from data.base.errors import Invalid
from data.base.language import _
from data.buildings import Dwelling
from data.households import Household, Resident, Tenancy


def name(resident: Resident) -> str:
    """A resident's name, masked."""
    return str(households.masked({"name": resident.name})["name"])


def group_names(page: Page) -> dict[str, str]:
    """Code → name of the special groups."""
    return {group.code: words.name(group) for group in households.special_groups(page.session)}


def place(row: Any, reason: str | None = None) -> Cell:
    """Where the household or tenancy of a row is: building, unit and room; or why it is nowhere."""
    if row.building_id is None:
        return {"text": locating.reason_names().get(reason or "", _("No dwelling")), "tone": "act"}
    return f"{words.building(row.building_number)} {words.dwelling(row.unit, row.room)}"


def may_edit(page: Page, found: Household | Resident | Tenancy) -> bool:
    """Whether this person may change a household, resident or tenancy."""
    return page.may("household.edit", found.community_id, households.grid_of(page.session, found))


def door_fields(
    page: Page, door: Dwelling | None, typed: FormData | None = None, *, optional: bool = True
) -> list[Field]:
    """The two linked boxes of a door: the building, and its units and rooms."""
    building_id = door.building_id if door else None
    if typed is not None:
        building_id = forms.id_in(typed, "building_id") or building_id
    doors = buildings.dwellings(page.session, page.actor, building_id) if building_id else []
    names = {str(one.id): words.dwelling(one.unit, one.room) for one in doors}
    building = forms.select(
        "building_id",
        _("Building"),
        building_id,
        forms.building_names(page),
        optional=optional,
        next={"href": "/dwellings/choices", "target": "field-dwelling_id"},
    )
    dwelling = forms.select("dwelling_id", _("Unit and room"), door.id if door else None, names, optional=optional)
    return [building, dwelling]


def locked(field: str, label: str, value: Any, **more: Any) -> Field:
    """A personal field: masked, and left as it is unless something is typed."""
    shown = households.masked({field: value})[field] if value else None
    return Field(field, label, shown, locked=True, **more)


def to_call(record: Household | Resident | None) -> str:
    """Where to ask for the number of somebody who is to be called; empty where none can be dialled."""
    if record is None or record.id is None or calls.number_in(record.phone) is None:
        return ""
    return f"/{record.__tablename__}s/{record.id}/call"


def called(page: Page, record: Household | Resident) -> Response:
    """The number for a call, which is recorded; the page does not show it."""
    grid_id = households.grid_of(page.session, record)
    return answers.answer(calls.dial(page.session, page.actor, record, "phone", grid_id))


def unmasked(page: Page, found: Household | Resident | Tenancy, form: FormData) -> Response:
    """One personal field in full, for 60 seconds; who saw it and what for is recorded."""
    field = forms.text_in(form, "field")
    if field not in households.MASKS or not hasattr(found, field):
        raise Invalid(_("There is no such field."), field="field")
    values = households.unmask(page.session, page.actor, found, forms.text_in(form, "purpose"))
    return page.fragment("_unmasked.html", value=values[field] or "—")
