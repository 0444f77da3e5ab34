"""What a case is, fact by fact, as its page, its sheet and its panel beside the map tell it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from api.base import words
from api.base.page import Page
from data import accounts, households, incidents, locating
from data.base.language import _
from data.households import Household, homes
from data.incidents import Incident


def of(row: Row[Any], *names: str) -> list[dict[str, Any]]:
    """These facts of a row of ``incidents.rows`` in this order, ``label value`` and perhaps ``href panel``.

    What is not known of the case is left out.
    """
    located = locating.place_found(row.located_by, row.located_score, row.unlocated_reason)
    exact = _("within {value} m", value=f"{row.accuracy_m:,.0f}") if row.accuracy_m is not None else ""
    facts: dict[str, dict[str, Any]] = {
        "category": {"label": _("Category"), "value": words.category(row)},
        "address": {"label": _("Address"), "value": row.address},
        "grid": {"label": _("Grid"), "value": row.grid_name},
        "building": {
            "label": _("Building"),
            "value": words.building(row.building_number) if row.building_number else "",
        },
        "level": {"label": _("Handled at"), "value": incidents.words.levels()[row.level]},
        "assignee": {"label": _("Handled by"), "value": words.handled_by(row)},
        "source": {"label": _("Source"), "value": incidents.words.sources().get(row.source, row.source)},
        "reported": {"label": _("Reported"), "value": words.minute(row.reported_at)},
        "due": {"label": _("Due"), "value": words.minute(row.due_at) if row.due_at else ""},
        "closed": {"label": _("Closed at"), "value": words.minute(row.closed_at) if row.closed_at else ""},
        "located": {"label": _("Located"), "value": _(", ").join(part for part in (located, exact) if part)},
    }
    for name, record_id in (("grid", row.grid_id), ("building", row.building_id)):
        if record_id:
            facts[name] |= {"href": f"/{name}s/{record_id}", "panel": f"{name}s/{record_id}"}
    return [facts[name] for name in names if facts[name]["value"]]


def stood_in(page: Page, row: Row[Any]) -> list[dict[str, Any]]:
    """Who stands in today for whoever sees to a case."""
    if row.assignee_id is None or row.grid_id is None:
        return []
    name = accounts.deputy(page.session, row.grid_id, row.assignee_id)
    return [{"label": _("Stands in today"), "value": name}] if name else []


def household(page: Page, about: Household) -> dict[str, Any]:
    """A household that a case is about, which the actor was shown to see: masked, with the way to its page."""
    head = households.masked({"head_name": homes.row(page.session, about).head_name})["head_name"]
    name = _("Household of {name}", name=head) if head else about.number
    return {"id": about.id, "label": _("Household"), "value": name, "href": f"/households/{about.id}"}


def of_households(page: Page, incident: Incident) -> list[dict[str, Any]]:
    """The households that a case is about, for those who may see them."""
    if "household.read" not in page.can:
        return []
    found = households.linked.of_incident(page.session, page.actor, incident.id)
    return [household(page, one) for one in found]
