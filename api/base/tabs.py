"""The tabs above pages that belong together, those that the actor may see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from api.base.page import Page
from data.base.language import _


def settings(page: Page, current: str) -> list[dict[str, Any]]:
    """Accounts, and what the community office sets."""
    return _shown(
        page,
        current,
        ("accounts", _("Accounts"), {"account.read"}),
        ("roles", _("Roles"), {"account.read"}),
        ("audit", _("Audit"), {"audit.read"}),
        ("reminders", _("Reminder rules"), {"unit.edit"}),
        ("calendar", _("Working days"), {"unit.edit"}),
        ("categories", _("Categories"), {"unit.edit"}),
        ("templates", _("Response templates"), {"unit.edit"}),
        ("teams", _("Service teams"), {"unit.edit"}),
        ("needless", _("Needless work"), {"team.edit"}),
        ("start", _("Set up"), {"unit.edit"}),
    )


def notices(page: Page, current: str) -> list[dict[str, Any]]:
    """What one was told, what one wants to be told, and the rules behind both."""
    return _shown(
        page,
        current,
        ("notifications", _("Notifications"), set()),
        ("notifications/choice", _("My choice"), set()),
        ("reminders", _("Reminder rules"), {"unit.read"}),
        ("calendar", _("Working days"), {"unit.read"}),
        ("categories", _("Categories"), {"unit.edit"}),
        ("templates", _("Response templates"), {"unit.edit"}),
        ("teams", _("Service teams"), {"unit.edit"}),
        ("needless", _("Needless work"), {"team.edit"}),
    )


def ledger(page: Page, current: str) -> list[dict[str, Any]]:
    """The lists of records."""
    return _shown(
        page,
        current,
        ("households", _("Households"), {"household.read"}),
        ("residents", _("Residents"), {"household.read"}),
        ("tenancies", _("Tenancies"), {"household.read"}),
        ("movements", _("Births, deaths and moves"), {"household.read"}),
        ("duplicates", _("Possible duplicates"), {"household.edit"}),
        ("buildings", _("Buildings"), {"building.read"}),
        ("dwellings", _("Dwellings"), {"building.read"}),
        ("units", _("Units"), {"unit.read"}),
        ("ledger", _("Ledger"), {"incident.read"}),
        ("briefs", _("Work reports"), {"brief.read"}),
        ("figures", _("Figures"), {"grid.read"}),
    )


def teams(page: Page, current: str) -> list[dict[str, Any]]:
    """Grids, and who is there for them."""
    return _shown(
        page,
        current,
        ("grids", _("Grids"), {"grid.read"}),
        ("responsible", _("Who is responsible"), {"grid.read"}),
        ("workload", _("Workload"), {"grid.read"}),
        ("duties", _("Six roles"), {"incident.read"}),
        ("stand-ins", _("Stand-ins"), {"grid.read"}),
        ("guides", _("Guides"), {"unit.read"}),
        ("line-officers", _("Line officers"), {"unit.read"}),
        ("activities", _("Activities"), {"unit.read"}),
    )


def patrols(page: Page, current: str) -> list[dict[str, Any]]:
    """Coverage, patrols, rounds."""
    return _shown(
        page,
        current,
        ("coverage", _("Coverage"), {"coverage.read"}),
        ("patrols", _("Patrols"), {"patrol.read", "patrol.record"}),
        ("rounds", _("Rounds"), {"coverage.read"}),
        ("patrol", _("Walk"), {"patrol.record"}),
        ("traces", _("Orders of traces"), {"coverage.read"}),
    )


def visits(page: Page, current: str) -> list[dict[str, Any]]:
    """Who is due, campaigns, phones, and how often."""
    return _shown(
        page,
        current,
        ("visits", _("Who is due"), {"household.read"}),
        ("walk", _("I have little time"), {"visit.record"}),
        ("campaigns", _("Campaigns"), {"household.read"}),
        ("diary", _("Diary"), {"household.read"}),
        ("phones", _("Phones"), {"visit.record"}),
        ("visits/rhythm", _("How often"), {"visit.edit"}),
    )


def diary(page: Page, current: str) -> list[dict[str, Any]]:
    """What people say, what becomes of it week by week, and what it is about."""
    return _shown(
        page,
        current,
        ("visits", _("Who is due"), {"household.read"}),
        ("diary", _("Diary"), {"household.read"}),
        ("diary/weeks", _("Week by week"), {"household.read"}),
        ("diary/themes", _("What people talk about"), {"household.read"}),
        ("diary/officers", _("Who answers for what"), {"visit.edit"}),
    )


def stats(page: Page, current: str) -> list[dict[str, Any]]:
    """Figures and maps of them."""
    return _shown(
        page,
        current,
        ("stats", _("Figures"), set()),
        ("hotspots", _("Hotspots"), set()),
        ("views", _("Views"), set()),
        ("implementation", _("Implementation reports"), {"household.read"}),
    )


def incidents(page: Page, current: str) -> list[dict[str, Any]]:
    """The ways to look at cases, and disputes."""
    return _shown(
        page,
        current,
        ("incidents", _("List"), set()),
        ("incidents/board", _("Board"), set()),
        ("disputes", _("Disputes"), {"household.read"}),
        ("disputes/again", _("What comes again"), {"household.read"}),
    )


def _shown(page: Page, current: str, *tabs: tuple[str, str, Iterable[str]]) -> list[dict[str, Any]]:
    """Those whose permissions are not asked for, or of which one holds."""
    return [
        {"href": f"/{path}", "label": label, "current": path == current}
        for path, label, permissions in tabs
        if not set(permissions) or set(permissions) & page.can
    ]
