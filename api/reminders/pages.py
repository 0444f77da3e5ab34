"""Reminder rules on a page: what happens as limits come near and pass, who is told, and the group robots."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, tabs, words
from api.base.fields import Id
from api.base.page import Page, name_of, needs, typed
from api.calendars.pages import COMMON, unit_choices, unit_of
from api.notifications.routes import WebhookNew
from api.reminders.routes import RuleIn
from data import accounts, calendars, notifications, reminders, units
from data import roles as roles_
from data.base.errors import WanggeError
from data.base.language import _
from data.reminders import Kind, ReminderRule

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("unit.read")]
Edit = Annotated[Page, needs("unit.edit")]
Typed = Annotated[FormData, typed]

_ROBOT = ("name", "form", "address", "secret")
#: Whoever has it works with cases; other roles are shown where a rule names them.
_REPORTS_CASES = "incident.report"


@pages.get("/reminders")
def shown(page: Read, unit: str | None = None) -> Response:
    """The rules that hold in a unit, by default in the community that pages are about."""
    return _shown(page, unit_of(page, unit))


@pages.post("/reminders")
def add(page: Edit, form: Typed) -> Response:
    """Add a rule to a unit."""
    unit = unit_of(page, forms.text_in(form, "unit"))
    try:
        values = forms.read(RuleIn, form, ("kind", "working_days", "tier"), known={"active": True})
        if values["kind"] == Kind.DUE_SOON:
            values |= forms.read(RuleIn, _in_hundredths(form), ("share",), known=values)
        values["active"] = forms.text_in(form, "active") != "0"
        with page.attempt():
            reminders.add(page.session, page.actor, unit, **values)
    except forms.REFUSED as error:
        return _shown(page, unit, error)
    return page.go(_address(unit), _("Saved."))


def _in_hundredths(form: FormData) -> FormData:
    """The share as a fraction, for people say it in per cent."""
    typed_ = forms.text_in(form, "share") or "20"
    share = str(float(typed_) / 100) if typed_.replace(".", "", 1).isdecimal() else typed_
    return FormData([("share", share)])


@pages.post("/reminders/told")
def say_who_is_told(page: Edit, form: Typed) -> Response:
    """Say who is told of what; a choice is sent as ``kind:role`` = scope."""
    wanted: dict[str, dict[str, str]] = {kind: {} for kind in notifications.Kind}
    for key, scope in form.multi_items():
        kind, _colon, role = key.partition(":")
        if kind in wanted and role and scope:
            wanted[kind][role] = str(scope)
    try:
        with page.attempt():
            notifications.set_rules(page.session, page.actor, wanted)
    except forms.REFUSED as error:
        return _shown(page, unit_of(page, None), error)
    return page.go("/reminders#told", _("Saved."))


@pages.post("/reminders/{rule_id}/remove")
def remove(rule_id: Id, page: Edit, form: Typed) -> Response:
    """Remove a rule."""
    reminders.remove(page.session, page.actor, rule_id)
    return page.go(_address(unit_of(page, forms.text_in(form, "unit"))), _("Removed."))


@pages.post("/webhooks")
def add_robot(page: Edit, form: Typed) -> Response:
    """Add a group robot to a unit."""
    unit = unit_of(page, forms.text_in(form, "unit"))
    try:
        kinds = [str(one) for one in form.getlist("kinds")]
        known = {"unit_id": unit.id if unit else 1, "kinds": [one for one in kinds if one in set(notifications.Kind)]}
        values = forms.read(WebhookNew, form, _ROBOT, known=known)
        values["kinds"] = known["kinds"]
        with page.attempt():
            owner = unit or units.get(page.session, page.actor, 0)
            notifications.add_webhook(page.session, page.actor, owner, **values)
    except forms.REFUSED as error:
        return _shown(page, unit, error, robot={name: forms.text_in(form, name) for name in _ROBOT})
    return page.go(f"{_address(unit)}#robots", _("Saved."))


@pages.post("/webhooks/{webhook_id}/remove")
def remove_robot(webhook_id: Id, page: Edit, form: Typed) -> Response:
    """Tell a group robot nothing any more."""
    notifications.remove_webhook(page.session, page.actor, notifications.webhook(page.session, page.actor, webhook_id))
    return page.go(f"{_address(unit_of(page, forms.text_in(form, 'unit')))}#robots", _("Removed."))


def _address(unit: units.Unit | None) -> str:
    return f"/reminders?unit={unit.id if unit else COMMON}"


def _shown(
    page: Page, unit: units.Unit | None, error: WanggeError | None = None, robot: dict[str, str] | None = None
) -> Response:
    unit_id = unit.id if unit else None
    rules = reminders.in_force(page.session, unit_id)
    names = units.names(page.session, {rule.unit_id for rule in rules if rule.unit_id})
    everywhere = page.actor.area("unit.edit").everywhere
    editable = "unit.edit" in page.can and calendars.may_edit(page.session, page.actor, unit)
    scopes_of = notifications.rules(page.session)
    named = {role for scopes in scopes_of.values() for role in scopes}
    named |= {code for code, permitted in roles_.by_role(page.session).items() if _REPORTS_CASES in permitted}
    roles = [(notifications.ASSIGNEE, _("Whoever has it"))]
    roles += [(role.code, name_of(role)) for role in accounts.roles(page.session) if role.code in named]
    return page.show(
        "reminders/rules.html",
        section="settings" if "account.read" in page.can else "me",
        status=forms.status(error),
        tabs=tabs.notices(page, "reminders"),
        fault=" ".join([error.detail, *dict(error.facts.get("faults") or {}).values()]) if error else "",  # type: ignore[call-overload]
        unit={"id": unit_id or COMMON, "name": unit.name if unit else _("Everybody"), "own": unit is not None},
        units=unit_choices(page),
        rules=[
            {
                "id": rule.id,
                "kind": reminders.kind_names()[rule.kind],
                "says": says(rule),
                "tier": tiers()[rule.tier] if rule.tier else "",
                "of": names.get(rule.unit_id or 0) or _("Everybody"),
                "own": rule.unit_id == unit_id,
            }
            for rule in rules
        ],
        kinds=words.options(reminders.kind_names()),
        tiers=words.options(tiers()),
        editable=editable,
        roles=[{"code": code, "name": name} for code, name in roles],
        told=[
            {"kind": str(kind), "name": name, "scopes": scopes_of[str(kind)]}
            for kind, name in notifications.names().items()
        ],
        told_editable=everywhere,
        robots=[
            {
                "id": hook.id,
                "name": hook.name,
                "form": robot_forms()[hook.form],
                "unit": of_unit,
                "address": notifications.masked(hook.address),
                "kinds": _(", ").join(notifications.names()[notifications.Kind(kind)] for kind in hook.kinds),
            }
            for hook, of_unit in (notifications.webhooks(page.session, page.actor) if "unit.edit" in page.can else [])
        ],
        robot=robot or {},
        robot_forms=words.options(robot_forms()),
        notice_kinds=words.options({str(kind): name for kind, name in notifications.names().items()}),
        outbox=[
            {"name": {"email": _("E-mail"), "webhook": _("Group robots")}[channel], **counts}
            for channel, counts in sorted(notifications.outbox(page.session, page.actor).items())
        ],
        mails=page.settings.smtp_host is not None,
    )


def tiers() -> dict[str, str]:
    """Tiers, and all of them."""
    return {"": _("All tiers"), "grid": _("On the spot"), "community": _("To coordinate"), "street": _("Urgent")}


def robot_forms() -> dict[str, str]:
    """Whose robots there are."""
    return {"wecom": _("WeCom"), "dingtalk": _("DingTalk")}


def says(rule: ReminderRule) -> str:
    """A rule as a sentence."""
    time = _working_days(rule.working_days)
    if not rule.active:
        return _("Does not happen here.")
    match rule.kind:
        case Kind.DUE_SOON:
            share = f"{(rule.share or 1) * 100:.0f}%"
            return _("Told when the last {share} of the time is left, or {time} of it.", share=share, time=time)
        case Kind.OVERDUE if rule.working_days == 0:
            return _("Told as the limit passes.")
        case Kind.OVERDUE:
            return _("Told {time} after the limit.", time=time)
        case Kind.ESCALATION:
            return _("Goes one level up {time} after the limit.", time=time)
    return _("Supervised by the street {time} after the limit.", time=time)


def _working_days(count: int) -> str:
    return _("1 working day") if count == 1 else _("{count} working days", count=count)
