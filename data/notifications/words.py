"""What people read: a name for each kind of notification and a sentence for each."""

from __future__ import annotations

from data.base.language import _
from data.notifications.tables import Kind


def names() -> dict[str, str]:
    """Kind → its name, in the order in which they are shown."""
    return {
        Kind.REPORTED: _("New case"),
        Kind.URGENT: _("Urgent case"),
        Kind.ASSIGNED: _("Assigned to oneself"),
        Kind.ESCALATED: _("Escalated"),
        Kind.RETURNED: _("Returned"),
        Kind.REOPENED: _("Reopened"),
        Kind.RESOLVED: _("Resolved, feedback to give"),
        Kind.DUE_SOON: _("Due soon"),
        Kind.OVERDUE: _("Overdue"),
        Kind.SUPERVISED: _("Supervised"),
    }


def sentence(kind: str) -> str:
    """What happened, in a short sentence without a name."""
    return {
        Kind.REPORTED: _("A case was reported"),
        Kind.URGENT: _("An urgent case was reported"),
        Kind.ASSIGNED: _("A case was assigned"),
        Kind.ESCALATED: _("A case was escalated"),
        Kind.RETURNED: _("A case was returned"),
        Kind.REOPENED: _("A case was reopened"),
        Kind.RESOLVED: _("A case was resolved; feedback is to be given"),
        Kind.DUE_SOON: _("A case is due soon"),
        Kind.OVERDUE: _("A case is overdue"),
        Kind.SUPERVISED: _("A case is supervised by the street"),
    }[Kind(kind)]
