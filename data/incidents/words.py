"""The words of the closed lists of incidents: what a state, a step or an action is called."""

from __future__ import annotations

from data.base.language import _


def states() -> dict[str, str]:
    """The incident states in the order of their work, with their words."""
    return {
        "new": _("New"),
        "in_progress": _("In progress"),
        "to_verify": _("To verify"),
        "closed": _("Closed"),
        "on_hold": _("On hold"),
        "declined": _("Declined"),
    }


def tiers() -> dict[str, str]:
    """Who has to be in on an incident."""
    return {"grid": _("On the spot"), "community": _("To coordinate"), "street": _("Urgent")}


def levels() -> dict[str, str]:
    """With whom an incident lies."""
    return {"building": _("Building"), "grid": _("Grid"), "community": _("Community"), "street": _("Street")}


def steps() -> dict[str, str]:
    """The steps of an incident's course."""
    return {
        "reported": _("Just reported"),
        "triaged": _("Triaged"),
        "assigned": _("Assigned"),
        "in_progress": _("In progress"),
        "resolved": _("Resolved"),
        "feedback_given": _("Feedback given"),
        "closed": _("Closed"),
        "on_hold": _("On hold"),
        "merged": _("Merged"),
        "rejected": _("Declined"),
    }


def actions() -> dict[str, str]:
    """What was done with an incident."""
    return {
        "report": _("Report came in"),
        "take_over": _("Taken over from a file"),
        "triage": _("Triaged"),
        "assign": _("Assigned"),
        "start": _("Work begun"),
        "resolve": _("Resolved"),
        "give_feedback": _("Feedback given"),
        "close": _("Closed"),
        "hold": _("Put on hold"),
        "resume": _("Resumed"),
        "escalate": _("Escalated"),
        "return": _("Returned"),
        "reopen": _("Reopened"),
        "reject": _("Declined"),
        "merge": _("Merged"),
        "supervise": _("Supervised by the street"),
        "note": _("Note"),
    }


def verbs() -> dict[str, str]:
    """What can be done with an incident, as buttons say it."""
    return {
        "triage": _("Triage"),
        "assign": _("Assign"),
        "start": _("Begin work"),
        "resolve": _("Resolve"),
        "give_feedback": _("Give feedback"),
        "close": _("Close the case"),
        "hold": _("Put on hold"),
        "resume": _("Resume"),
        "escalate": _("Escalate"),
        "return": _("Return"),
        "reopen": _("Reopen"),
        "reject": _("Decline"),
        "merge": _("Merge"),
        "supervise": _("Supervise"),
        "note": _("Add a note"),
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
