"""The words of the closed lists of disputes."""

from __future__ import annotations

from data.base.language import _
from data.disputes.tables import Action, Kind, Level, Step


def kind_names() -> dict[str, str]:
    """What a dispute is about, in the order in which it is offered."""
    return {
        Kind.NOISE: _("Noise"),
        Kind.LEAK: _("Leaking water"),
        Kind.PARKING: _("Parking"),
        Kind.PASSAGE: _("Things in the passage"),
        Kind.RENOVATION: _("Renovation"),
        Kind.PETS: _("Pets"),
        Kind.NEIGHBOURS: _("Other trouble between neighbours"),
        Kind.FAMILY: _("Marriage and family"),
        Kind.CARE: _("Care for the old"),
        Kind.RENT: _("Renting"),
        Kind.MANAGEMENT: _("Property management"),
        Kind.DEBT: _("Debt"),
        Kind.OTHER: _("Something else"),
    }


def level_names() -> dict[str, str]:
    """Where a dispute is mediated."""
    return {Level.BUILDING: _("In the house"), Level.GRID: _("By the grid"), Level.COMMUNITY: _("Community centre")}


def step_names() -> dict[str, str]:
    """Where a dispute stands."""
    return {
        Step.REPORTED: _("Waiting for mediation"),
        Step.MEDIATING: _("Being mediated"),
        Step.SETTLED: _("Agreed, being followed"),
        Step.CLOSED: _("The agreement held"),
        Step.REFERRED: _("Handed to a court or office"),
        Step.WITHDRAWN: _("Withdrawn"),
    }


def action_names() -> dict[str, str]:
    """What was done about a dispute."""
    return {
        Action.REPORT: _("Report came in"),
        Action.MEDIATE: _("Mediated, not agreed yet"),
        Action.SETTLE: _("Agreed"),
        Action.CLIMB: _("Taken one level up"),
        Action.BREAK: _("The agreement was broken"),
        Action.CLOSE: _("Closed"),
        Action.REFER: _("Handed to a court or office"),
        Action.WITHDRAW: _("Withdrawn"),
        Action.REOPEN: _("Taken up again"),
    }


def verbs() -> dict[str, str]:
    """What can be done about a dispute, as buttons say it."""
    return {
        Action.MEDIATE: _("Mediated, not agreed yet"),
        Action.SETTLE: _("They agreed"),
        Action.CLIMB: _("Take one level up"),
        Action.BREAK: _("The agreement was broken"),
        Action.CLOSE: _("End it"),
        Action.REFER: _("Hand to a court or office"),
        Action.WITHDRAW: _("Withdraw"),
        Action.REOPEN: _("Take up again"),
    }
