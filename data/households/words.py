"""The words of the closed lists of households."""

from __future__ import annotations

from data.base.language import _


def status_names() -> dict[str, str]:
    """How a resident is registered."""
    return {"registered": _("Registered here"), "floating": _("Floating"), "overseas": _("From abroad")}


def document_names() -> dict[str, str]:
    """Kinds of documents that say who somebody is."""
    return {
        "resident_id": _("Resident identity card"),
        "passport": _("Passport"),
        "permit": _("Permit"),
        "other": _("Another document"),
    }
