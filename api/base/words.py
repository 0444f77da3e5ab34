"""Words for codes: what a state, a use, a post or a field is called on pages, in the language of the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from api.base.page import local
from data import buildings, diary, disputes, households, incidents, locating, movements, reminders, rounds, teams, units
from data.base import language, reference
from data.base.language import _
from data.files import columns


def name(record: Any) -> str:
    """The name of a record with ``name_zh`` and ``name_en``."""
    return language.named(record)


def options(names: Mapping[str, str]) -> list[dict[str, str]]:
    """Code → name as the choices of a box."""
    return [{"value": code, "label": label} for code, label in names.items()]


def reference_names(table: str) -> dict[str, str]:
    """Code → name of a reference table (``sex``, ``education`` …)."""
    return reference.labels(table, language.current())


def building(number: str | None, name: str | None = None, code: str | None = None) -> str:
    """What a building is called: ``18 号楼``; its name when it has no number, else its code."""
    return buildings.called(number, name, code)


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


def title(case: Row[Any] | Mapping[str, Any]) -> str:
    """What an incident is called: its place and its kind, ``18 号楼 · 楼道灯不亮``. What was said of it is no name.

    The place is its building, else its address, else its grid; a case without any is called by its kind alone.

    Parameters
    ----------
    case
        With ``building_id building_number building_name address grid_name`` and both names of its category.
    """
    facts = case._mapping if isinstance(case, Row) else case
    if facts["building_id"]:
        place = building(facts["building_number"], facts["building_name"])
    else:
        place = _shortened(facts["address"] or facts["grid_name"] or "", 40)
    return " · ".join(part for part in (place, language.named(facts, "category")) if part)


def remark(description: str | None) -> str | None:
    """The first sentence of what was said of an incident, for a line of a list."""
    first = re.split(r"[。；;\n]|\. ", (description or "").strip(), maxsplit=1)[0].strip()
    return _shortened(first, 60) or None


def _shortened(text: str, most: int) -> str:
    return f"{text[:most]}…" if len(text) > most else text


def handled_by(row: Any) -> str | None:
    """Who sees to an incident: the service team that does the work, and whose it is: ``修理队 · 周敏``."""
    return " · ".join(name for name in (row.service_team_name, row.assignee_name) if name) or None


def category(row: Any) -> str:
    """The name of the category of a row of ``incidents.selection``."""
    return language.named(row, "category")


def case(row: Row[Any]) -> dict[str, Any]:
    """A row of ``incidents.selection`` as the panels list it."""
    return {
        "id": row.id,
        "title": title(row),
        "remark": remark(row.description),
        "number": row.number,
        "icon": row.icon,
        "state": row.state,
        "state_name": incidents.words.states()[row.state],
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
    return language.named(row, "role")


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
    return language.named(question)


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
        "call": _("called the number"),
        "lookup": _("looked somebody up by number"),
        "track": _("looked at the track of somebody else"),
        "merge": _("merged another record into it"),
        "unmerge": _("took a merger back"),
        "part": _("said that it is another one"),
        "ask": _("asked again whether it is another one"),
        "divide": _("divided the community anew"),
        "redraw": _("redrew the boundary"),
        "take_effect": _("let the plan take effect"),
        "import": _("imported a file"),
        "export": _("exported a file"),
        "sign_in": _("signed in"),
        "sign_in_failed": _("sign-in failed"),
        "permit": _("changed what a role permits"),
        "load": _("loaded the sample community"),
    }


def kinds() -> dict[str, str]:
    """Kinds of records, by the name of their table; what goes in and out as files, by the name of the layer."""
    return {
        "unit": _("Unit"),
        "division": _("Boundaries"),
        "plan": _("Plan"),
        "plan_comment": _("Comment on a plan"),
        "building": _("Building"),
        "dwelling": _("Dwelling"),
        "household": _("Household"),
        "household_group": _("Special group"),
        "resident": _("Resident"),
        "tenancy": _("Tenancy"),
        "movement": _("Birth, death or move"),
        "movements": _("Births, deaths and moves"),
        "incident": _("Case"),
        "patrol": _("Patrol"),
        "diary_entry": _("Entry of the diary"),
        "diary_officer": _("Line officer of a subject"),
        "diary_handover": _("Week of the diary"),
        "diary": _("Diary"),
        "dispute": _("Dispute"),
        "dispute_party": _("Party of a dispute"),
        "dispute_call": _("Call after a dispute"),
        "disputes": _("Disputes"),
        "team_member": _("Grid team"),
        "service_team": _("Service team"),
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
        "number": _("Number"),
        "name": _("Name"),
        "code": _("Code"),
        "address": _("Address"),
        "kind": _("Kind"),
        "floors": _("Floors"),
        "unit_count": _("Entrances"),
        "geom": _("Shape"),
        "point": _("Place"),
        "located_by": _("Located"),
        "located_score": _("Certainty"),
        "unlocated_reason": _("Why it has no place"),
        "grid_id": _("Grid"),
        "community_id": _("Community"),
        "unit": _("Unit of the building"),
        "floor": _("Floor"),
        "room": _("Room"),
        "use": _("Use"),
        "area_m2": _("Area"),
        "building_id": _("Building"),
        "dwelling_id": _("Dwelling"),
        "household_id": _("Household"),
        "head_id": _("Head"),
        "hukou": _("Hukou"),
        "phone": _("Phone"),
        "note": _("Note"),
        "former_name": _("Former name"),
        "sex": _("Sex"),
        "born_on": _("Born"),
        "identity_number": _("Identity number"),
        "identity_kind": _("Kind of document"),
        "relation": _("Relation to the head"),
        "ethnicity": _("Ethnicity"),
        "native_place": _("Native place"),
        "marital_status": _("Marital status"),
        "political_status": _("Political status"),
        "education": _("Education"),
        "occupation": _("Occupation"),
        "workplace": _("Workplace"),
        "registered_address": _("Registered address"),
        "status": _("Registration"),
        "inflow_reason": _("Reason for coming"),
        "permit_kind": _("Kind of permit"),
        "permit_number": _("Permit number"),
        "registered_on": _("Registered on"),
        "expires_on": _("Valid until"),
        "health": _("Health"),
        "landlord_name": _("Landlord"),
        "landlord_phone": _("Landlord’s phone"),
        "valid": _("Valid"),
        "purpose": _("Purpose"),
        "hazard": _("Hazard"),
        "category_code": _("Category"),
        "subject": _("Subject"),
        "said": _("What they said"),
        "answer": _("What was done"),
        "struck_at": _("Struck off"),
        "week_on": _("Week from"),
        "story": _("What happened"),
        "agreement": _("Agreement"),
        "holds": _("It holds"),
        "due_on": _("Due"),
        "done_at": _("Called"),
        "settled_at": _("Agreed"),
        "ended_at": _("Ended"),
        "state": _("State"),
        "description": _("Description"),
        "source": _("Source"),
        "reported_at": _("Reported"),
        "due_at": _("Due"),
        "closed_at": _("Closed"),
        "level": _("Level"),
        "parent_id": _("Above"),
        "metric_crs": _("Metric coordinate system"),
        "household_min": _("Households, at least"),
        "household_max": _("Households, at most"),
        "people_min": _("People, at least"),
        "people_max": _("People, at most"),
        "open_map": _("Open map of cases"),
        "username": _("User name"),
        "active": _("Active"),
        "password_given": _("Password to be changed"),
        "language": _("Language"),
        "role_code": _("Role"),
        "unit_id": _("Unit"),
        "post": _("Post"),
        "background": _("Background"),
        "group_code": _("Special group"),
        "account_id": _("Account"),
        "fields": _("Fields"),
        "grids": _("Grids"),
        "households": _("Households"),
        "residents": _("Residents"),
    }


#: Fields that hold the id of a unit.
UNITS = ("grid_id", "community_id", "parent_id", "unit_id")


def changes(table: str, changed: Mapping[str, Any], places: Mapping[int, str]) -> list[dict[str, Any]]:
    """The changes of an audit row as ``_history.html`` shows them: field, before, after. Blind indexes say nothing.

    Parameters
    ----------
    places
        Id → name of the units that the changes speak of.
    """
    names = _imported(f"{table}s") | fields()
    if table in ("unit", "building"):
        names["name"] = _("Place name")
    found = []
    for key, pair in changed.items():
        if key.endswith(("_blind", "_hash")) or key in ("path", "id") or not isinstance(pair, list) or len(pair) != 2:
            continue
        before, after = (places.get(value, "") if key in UNITS else _plain(table, key, value) for value in pair)
        found.append({"label": names.get(key, key), "before": before, "after": after})
    return found


def _imported(kind: str) -> dict[str, str]:
    """The fields of a kind that files hold, as these call them."""
    return {one.name: one.label for one in columns.fields(kind)} if kind in set(columns.Kind) else {}


def _plain(table: str, key: str, value: Any) -> str:
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
    return codes(table, key).get(str(value), str(value))


#: Fields that hold codes of a closed list, by table; without one the field means the same in every table.
_LISTS: dict[tuple[str | None, str], Callable[[], Mapping[str, str]]] = {
    ("building", "kind"): buildings.kind_names,
    ("dwelling", "use"): buildings.use_names,
    ("resident", "status"): households.words.status_names,
    ("resident", "identity_kind"): households.words.document_names,
    ("team_member", "post"): teams.post_names,
    ("unit", "level"): units.level_names,
    ("incident", "state"): incidents.words.states,
    ("incident", "step"): incidents.words.steps,
    ("incident", "tier"): incidents.words.tiers,
    ("incident", "level"): incidents.words.levels,
    ("incident", "source"): incidents.words.sources,
    ("category", "tier"): incidents.words.tiers,
    ("round", "rhythm"): rounds.rhythm_names,
    ("reminder_rule", "kind"): reminders.kind_names,
    ("dispute", "kind"): disputes.kind_names,
    ("dispute", "level"): disputes.level_names,
    ("dispute", "step"): disputes.step_names,
    ("movement", "kind"): movements.kind_names,
    ("movement", "reach"): movements.reach_names,
    (None, "subject"): diary.subject_names,
    (None, "located_by"): locating.how_names,
    (None, "unlocated_reason"): locating.reason_names,
}
_REFERENCES = {"group_code": "special_groups", "category_code": "categories", "role_code": "roles"}


def codes(table: str, field: str) -> Mapping[str, str]:
    """Code → word of a table's field that holds codes; empty for any other."""
    names = _LISTS.get((table, field)) or _LISTS.get((None, field))
    if names is not None:
        return names()
    reference_table = _REFERENCES.get(field, field)
    return reference_names(reference_table) if reference_table in reference.names() else {}


def length(metres: float | None) -> str:
    """A length in metres or kilometres: ``620 米``."""
    if metres is None:
        return ""
    return _("{value} m", value=f"{metres:,.0f}") if metres < 1000 else _("{value} km", value=f"{metres / 1000:,.2f}")
