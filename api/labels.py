"""Words for codes: what a state, a use, a post or a field is called on pages, in the language of the page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from api.pages import local, name_of
from data import incidents
from data.base import language, reference
from data.base.language import _
from maps import overview


def name(record: Any) -> str:
    """The name of a record with ``name_zh`` and ``name_en``."""
    return name_of(record)


def options(names: Mapping[str, str]) -> list[dict[str, str]]:
    """Code → name as the choices of a box."""
    return [{"value": code, "label": label} for code, label in names.items()]


def reference_names(table: str) -> dict[str, str]:
    """Code → name of a reference table (``sex``, ``education`` …)."""
    return reference.labels(table, language.current())


def levels() -> dict[str, str]:
    """The levels of units."""
    return {"district": _("District"), "street": _("Street"), "community": _("Community"), "grid": _("Grid")}


def states() -> dict[str, str]:
    """The states of incidents."""
    return overview.state_names()


def tiers() -> dict[str, str]:
    """Who has to be in on an incident."""
    return {"grid": _("On the spot"), "community": _("To coordinate"), "street": _("Urgent")}


def lying() -> dict[str, str]:
    """With whom an incident lies."""
    return {"building": _("Building"), "grid": _("Grid"), "community": _("Community"), "street": _("Street")}


def steps() -> dict[str, str]:
    """The steps of an incident's course."""
    return {
        "reported": _("Just reported"), "triaged": _("Triaged"), "assigned": _("Assigned"),
        "in_progress": _("In progress"),
        "resolved": _("Resolved"), "feedback_given": _("Feedback given"), "closed": _("Closed"),
        "on_hold": _("On hold"), "merged": _("Merged"), "rejected": _("Declined"),
    }  # fmt: skip


def incident_actions() -> dict[str, str]:
    """What was done with an incident."""
    return {
        "report": _("Report came in"), "take_over": _("Taken over from a file"), "triage": _("Triaged"),
        "assign": _("Assigned"), "start": _("Work begun"), "resolve": _("Resolved"),
        "give_feedback": _("Feedback given"), "close": _("Closed"), "hold": _("Put on hold"), "resume": _("Resumed"),
        "escalate": _("Escalated"), "return": _("Returned"), "reopen": _("Reopened"), "reject": _("Declined"),
        "merge": _("Merged"), "supervise": _("Supervised by the street"), "note": _("Note"),
    }  # fmt: skip


def incident_verbs() -> dict[str, str]:
    """What can be done with an incident, as buttons say it."""
    return {
        "triage": _("Triage"), "assign": _("Assign"), "start": _("Begin work"), "resolve": _("Resolve"),
        "give_feedback": _("Give feedback"), "close": _("Close the case"), "hold": _("Put on hold"),
        "resume": _("Resume"), "escalate": _("Escalate"), "return": _("Return"), "reopen": _("Reopen"),
        "reject": _("Decline"), "merge": _("Merge"), "supervise": _("Supervise"), "note": _("Add a note"),
    }  # fmt: skip


def building_kinds() -> dict[str, str]:
    """What a building is for."""
    return {"residential": _("Residential"), "other": _("Other use")}


def uses() -> dict[str, str]:
    """Who lives in a dwelling."""
    return {"owner": _("Owner"), "rented": _("Rented"), "vacant": _("Vacant"), "other": _("Another use")}


def statuses() -> dict[str, str]:
    """How a resident is registered."""
    return {"registered": _("Registered here"), "floating": _("Floating"), "overseas": _("From abroad")}


def documents() -> dict[str, str]:
    """Kinds of documents that say who somebody is."""
    return {
        "resident_id": _("Resident identity card"),
        "passport": _("Passport"),
        "permit": _("Permit"),
        "other": _("Another document"),
    }


def posts() -> dict[str, str]:
    """The posts of a grid's team."""
    return {
        "leader": _("Grid leader"),
        "information_officer": _("Information officer"),
        "supervisor": _("Supervisor"),
        "building_warden": _("Building warden"),
    }


def sources() -> dict[str, str]:
    """How an incident was reported."""
    return {
        "staff": _("Staff"),
        "patrol": _("Patrol"),
        "visit": _("Visit"),
        "phone": _("Phone call"),
        "hotline": _("Hotline"),
        "resident": _("Resident"),
        "street": _("Street"),
        "system": _("Another system"),
        "import": _("Import"),
    }


def located() -> dict[str, str]:
    """How a record came to its place."""
    return {
        "point": _("by coordinates"),
        "address": _("by address"),
        "nearest": _("by the nearest building"),
        "manual": _("by hand"),
    }


def reasons() -> dict[str, str]:
    """Why a record has no place."""
    return {
        "outside": _("Outside every grid"),
        "ambiguous": _("Several places fit"),
        "no_such_building": _("No such building"),
        "no_place": _("No place given"),
    }


def place_found(by: str | None, score: float | None, reason: str | None) -> str:
    """How a record was located and how sure that is, or why it was not."""
    if reason:
        return reasons().get(reason, reason)
    how = located().get(by or "", "")
    return f"{how}, {score:.0%}" if how and score is not None and score < 1 else how


def building(number: str | None, name: str | None = None, code: str | None = None) -> str:
    """What a building is called: ``18 号楼``; its name when it has no number, else its code."""
    if number and re.fullmatch(r"\d+[A-Za-z]?", number):
        return _("Building {number}", number=number)
    return number or name or code or "—"


def dwelling(unit: str | None, room: str | None) -> str:
    """What a dwelling is called within its building: ``2 单元 501``."""
    return _("Unit {unit}, {room}", unit=unit, room=room) if unit else room or "—"


def unit(name: str | None) -> str:
    """What an entrance is called: ``2 单元``."""
    return _("Unit {unit}", unit=name) if name else _("Without a unit")


def ranges(numbers: Sequence[str]) -> str:
    """Building numbers as one reads them: ``17—21, 23``.

    >>> with language.using("en"):
    ...     ranges(["17", "18", "19", "23", "5a"])
    '17–19, 23, 5a'
    """
    runs: list[list[int]] = []
    others = [number for number in numbers if not number.isdecimal()]
    for number in sorted(int(number) for number in numbers if number.isdecimal()):
        if runs and number <= runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    parts = [_("{low}–{high}", low=low, high=high) if high > low else str(low) for low, high in runs]
    return _(", ").join([*parts, *others])


def title(description: str | None, category: str) -> str:
    """What an incident is called: the first sentence of its description, else its category."""
    first = re.split(r"[。；;\n]|\. ", (description or "").strip(), maxsplit=1)[0].strip()
    return f"{first[:60]}…" if len(first) > 60 else first or category


def category(row: Any) -> str:
    """The name of the category of a row of ``incidents.selection``."""
    return str(row.category_zh if language.current() == "zh" else row.category_en)


def case(row: Row[Any]) -> dict[str, Any]:
    """A row of ``incidents.selection`` as the panels list it."""
    return {
        "id": row.id,
        "title": title(row.description, category(row)),
        "number": row.number,
        "icon": row.icon,
        "state": row.state,
        "state_name": states()[row.state],
        "due": due(row.due_at, row.state in incidents.RUNNING),
    }


def due(due_at: datetime | None, is_open: bool) -> dict[str, Any] | None:
    """How long is left for an incident, or how long it is overdue: ``{text, overdue}``."""
    if due_at is None or not is_open:
        return None
    seconds = (due_at - datetime.now(UTC)).total_seconds()
    time = span(abs(seconds))
    return {
        "text": _("{time} overdue", time=time) if seconds < 0 else _("{time} left", time=time),
        "overdue": seconds < 0,
    }


def span(seconds: float) -> str:
    """A length of time in the unit that fits: minutes, hours or days."""
    if seconds < 3600:
        return _("{count} min", count=max(1, round(seconds / 60)))
    if seconds < 48 * 3600:
        return _("{count} h", count=round(seconds / 3600))
    return _("{count} days", count=round(seconds / 86_400))


def now() -> str:
    """Day and minute of this moment, for what is printed."""
    return minute(datetime.now(UTC))


def role(row: Any) -> str:
    """The name of the role of a row with ``role_zh`` and ``role_en``."""
    return str(row.role_zh if language.current() == "zh" else row.role_en)


def ago(age: timedelta) -> str:
    """How long ago something was: ``3 天前``."""
    return _("{time} ago", time=span(age.total_seconds()))


def away(distance_m: float | None) -> str:
    """How far something is: ``12 米``; empty when nobody knows."""
    if distance_m is None:
        return ""
    return _("{value} m away", value=f"{distance_m:,.0f}") if distance_m >= 0.5 else _("at the same place")


def of_question(question: Mapping[str, Any]) -> str:
    """The name of a question or of one of its choices, which is no row but a piece of one."""
    return str(question[f"name_{language.current()}"])


def day(value: date | datetime | None) -> str:
    """A day as ledgers write it: ``2026-03-18``."""
    if value is None:
        return ""
    return f"{local(value):%Y-%m-%d}" if isinstance(value, datetime) else value.isoformat()


def square_metres(area_m2: Decimal | float | None) -> str | None:
    """An area in square metres: ``72.5 m²``."""
    return _("{value} m²", value=f"{float(area_m2):,.4g}") if area_m2 else None


def hectares(area_m2: float | None) -> str:
    """An area in hectares: ``1.60 公顷``."""
    return _("{value} ha", value=f"{area_m2 / 10_000:.2f}") if area_m2 else ""


def minute(value: datetime) -> str:
    """Day and minute: ``2026-03-18 09:12``."""
    return f"{local(value):%Y-%m-%d %H:%M}"


def actions() -> dict[str, str]:
    """What somebody did, as the audit calls it."""
    return {
        "create": _("recorded it"),
        "update": _("changed it"),
        "delete": _("removed it"),
        "unmask": _("saw personal data in full"),
        "track": _("looked at the track of somebody else"),
        "divide": _("divided the community anew"),
        "import": _("imported a file"),
        "export": _("exported a file"),
        "sign_in": _("signed in"),
        "permit": _("changed what a role permits"),
        "load": _("loaded the sample community"),
    }


def kinds() -> dict[str, str]:
    """Kinds of records, by the name of their table; what goes in and out as files, by the name of the layer."""
    return {
        "unit": _("Unit"),
        "division": _("Boundaries"),
        "building": _("Building"),
        "dwelling": _("Dwelling"),
        "household": _("Household"),
        "household_group": _("Special group"),
        "resident": _("Resident"),
        "tenancy": _("Tenancy"),
        "incident": _("Case"),
        "patrol": _("Patrol"),
        "team_member": _("Grid team"),
        "account": _("Account"),
        "grant": _("Role of an account"),
        "role_permission": _("Permission of a role"),
        "role": _("Role"),
        "api_token": _("API token"),
        "category": _("Category"),
        "special_group": _("Special group"),
        "units": _("Units"),
        "grids": _("Grids"),
        "buildings": _("Buildings"),
        "dwellings": _("Dwellings"),
        "households": _("Households"),
        "residents": _("Residents"),
        "tenancies": _("Tenancies"),
        "incidents": _("Cases"),
        "basemap": _("Ground"),
    }


def fields() -> dict[str, str]:
    """The fields of records."""
    return {
        "number": _("Number"), "name": _("Name"), "code": _("Code"), "address": _("Address"), "kind": _("Kind"),
        "floors": _("Floors"), "unit_count": _("Entrances"), "geom": _("Shape"), "point": _("Place"),
        "located_by": _("Located"), "located_score": _("Certainty"), "unlocated_reason": _("Why it has no place"),
        "grid_id": _("Grid"), "community_id": _("Community"), "unit": _("Unit of the building"), "floor": _("Floor"),
        "room": _("Room"), "use": _("Use"), "area_m2": _("Area"), "building_id": _("Building"),
        "dwelling_id": _("Dwelling"), "household_id": _("Household"), "head_id": _("Head"), "hukou": _("Hukou"),
        "phone": _("Phone"), "note": _("Note"), "former_name": _("Former name"), "sex": _("Sex"), "born_on": _("Born"),
        "identity_number": _("Identity number"), "identity_kind": _("Kind of document"),
        "relation": _("Relation to the head"), "ethnicity": _("Ethnicity"), "native_place": _("Native place"),
        "marital_status": _("Marital status"), "political_status": _("Political status"), "education": _("Education"),
        "occupation": _("Occupation"), "workplace": _("Workplace"), "registered_address": _("Registered address"),
        "status": _("Registration"), "inflow_reason": _("Reason for coming"), "permit_kind": _("Kind of permit"),
        "permit_number": _("Permit number"), "registered_on": _("Registered on"), "expires_on": _("Valid until"),
        "health": _("Health"), "landlord_name": _("Landlord"), "landlord_phone": _("Landlord's phone"),
        "valid": _("Valid"), "purpose": _("Purpose"), "hazard": _("Hazard"), "category_code": _("Category"),
        "state": _("State"), "description": _("Description"), "source": _("Source"), "reported_at": _("Reported"),
        "due_at": _("Due"), "closed_at": _("Closed"), "level": _("Level"), "parent_id": _("Above"),
        "metric_crs": _("Metric coordinate system"), "household_min": _("Households, at least"),
        "household_max": _("Households, at most"), "people_min": _("People, at least"),
        "people_max": _("People, at most"), "username": _("User name"), "active": _("Active"),
        "language": _("Language"), "role_code": _("Role"), "unit_id": _("Unit"), "post": _("Post"),
        "background": _("Background"), "group_code": _("Special group"), "account_id": _("Account"),
        "fields": _("Fields"), "grids": _("Grids"), "households": _("Households"), "residents": _("Residents"),
    }  # fmt: skip


#: Fields that hold the id of a unit.
UNITS = ("grid_id", "community_id", "parent_id", "unit_id")


def changes(table: str, changed: Mapping[str, Any], places: Mapping[int, str]) -> list[dict[str, Any]]:
    """The changes of an audit row as ``_history.html`` shows them: field, before, after. Blind indexes say nothing.

    Parameters
    ----------
    places
        Id → name of the units that the changes speak of.
    """
    names = fields() | ({"name": _("Place name")} if table in ("unit", "building") else {})
    found = []
    for key, pair in changed.items():
        if key.endswith(("_blind", "_hash")) or key in ("path", "id") or not isinstance(pair, list) or len(pair) != 2:
            continue
        before, after = (places.get(value, "") if key in UNITS else _plain(key, value) for value in pair)
        found.append({"label": names.get(key, key), "before": before, "after": after})
    return found


def _plain(key: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and key == "valid":
        return _("{low}–{high}", low=value[0] or "", high=value[1] or "")
    if isinstance(value, list):
        return _(", ").join(str(fields().get(one, one)) for one in value)
    if value == "geometry":
        return _("a shape on the map")
    if isinstance(value, str) and key.endswith("_at"):
        return minute(datetime.fromisoformat(value))
    return codes(key).get(str(value), str(value))


def codes(key: str) -> Mapping[str, str]:
    """Code → word of a field that holds codes; empty for any other."""
    ours = {
        "kind": building_kinds, "use": uses, "status": statuses, "post": posts, "source": sources,
        "located_by": located, "unlocated_reason": reasons, "level": levels, "state": states,
        "identity_kind": documents,
    }  # fmt: skip
    if key in ours:
        return ours[key]()
    table = {"hukou": "hukou", "group_code": "special_groups", "category_code": "categories", "role_code": "roles"}
    if (name_ := table.get(key, key)) in reference.names():
        return reference_names(name_)
    return {}
