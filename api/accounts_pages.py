"""Accounts on pages: who may sign in, with which roles, where; and what each role permits."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api import concurrency, deps, forms, labels, ledgers
from api.accounts import AccountChange, AccountNew, wanted_accounts
from api.fields import Id
from api.forms import Field, Section
from api.ledgers import Cell, Column, Listing
from api.pages import Page, name_of, needs, typed
from data import accounts, roles, units
from data.accounts import Account
from data.base import language, secrets
from data.base.errors import Forbidden, Invalid, WanggeError
from data.base.language import _

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("account.read")]
Edit = Annotated[Page, needs("account.edit")]
Typed = Annotated[FormData, typed]

PASSWORD_LENGTH = 14
_REFUSED = (*forms.REFUSED, Forbidden)


def settings_tabs(page: Page, current: str) -> list[dict[str, Any]]:
    """The tabs of the settings, those that the actor may see."""
    tabs = (
        ("accounts", _("Accounts"), "account.read"),
        ("roles", _("Roles"), "account.read"),
        ("audit", _("Audit"), "audit.read"),
        ("reminders", _("Reminder rules"), "unit.edit"),
        ("calendar", _("Working days"), "unit.edit"),
        ("templates", _("Response templates"), "unit.edit"),
    )
    return [
        {"href": f"/{kind}", "label": label, "current": kind == current}
        for kind, label, permission in tabs
        if permission in page.can
    ]


@pages.get("/accounts")
def listed(page: Read) -> Response:
    """The accounts with a role in one's area, by user name."""
    query = accounts.selection(page.actor, ledgers.wanted(page, wanted_accounts))
    names = {role.code: name_of(role) for role in accounts.roles(page.session)}
    listing = Listing(query, accounts.SORTS, Account.id, "username")
    columns = [Column(_("User name"), sort="username"), Column(_("Name"), sort="name"), Column(_("Roles"), lead=True)]
    columns += [Column(_("Active"), side=True), Column(_("Since"))]
    table = ledgers.table(page, listing, columns, _cells, "accounts")
    held = accounts.roles_of(page.session, page.actor, [row["id"] for row in table["rows"]])
    for row in table["rows"]:
        row["cells"][2] = _(", ").join(f"{names[role]} · {unit}" for role, unit in held.get(row["id"], []))
    filters = [
        ledgers.search(_("User name, name")),
        ledgers.choice("role", _("Role"), names),
        ledgers.choice("active", _("Active"), {"true": _("Open accounts"), "false": _("Closed accounts")}),
    ]
    return page.show(
        "accounts/list.html",
        section="settings",
        page=ledgers.head(
            page, _("Accounts"), "accounts", new=(_("Open an account"), "account.edit"), goes_out=False, comes_in=False
        ),
        tabs=settings_tabs(page, "accounts"),
        **ledgers.filtered(page, filters),
        **table,
    )


def _cells(row: Any) -> list[Cell]:
    active: Cell = _("yes") if row.active else {"text": _("Closed account"), "tone": "quiet"}
    return [row.username, row.name, None, active, labels.day(row.created_at)]


@pages.get("/accounts/new")
def new(page: Edit) -> Response:
    """The form for a new account."""
    return _new(page)


def _new(page: Page, form: FormData | None = None, error: WanggeError | None = None) -> Response:
    section = Section(
        _("Account"),
        [
            Field(
                "username", _("User name"), None, optional=False, most=64, hint=_("Letters, digits, dots and dashes.")
            ),
            Field("name", _("Name"), None, optional=False, most=200),
            forms.select("role", _("Role"), None, _roles(page), optional=False),
            forms.select("unit", _("At"), None, _units(page), optional=False),
        ],
    )
    return page.show(
        "_form.html",
        section="settings",
        status=forms.status(error),
        record=forms.record("accounts", None, _("Open an account"), _("Accounts"), section="settings"),
        action="/accounts",
        editable=True,
        **forms.shown([section], form, error),
        links=[],
        token="",
        map=None,
    )


@pages.post("/accounts")
def add(page: Edit, form: Typed) -> Response:
    """Open an account with its first role. Its first password is shown this once, so there is no redirect."""
    password = secrets.new_token()[:PASSWORD_LENGTH]
    try:
        values = forms.read(AccountNew, form, ("username", "name"), known={"password": password})
        with page.attempt():
            account = accounts.add(page.session, page.actor, password=password, **values)
            _give(page, account, form)
    except _REFUSED as error:
        return _new(page, form, error)
    return _form(page, account, password=password)


@pages.get("/accounts/{account_id}")
def record(account_id: Id, page: Read) -> Response:
    """An account and its roles."""
    return _form(page, accounts.get(page.session, page.actor, account_id))


@pages.post("/accounts/{account_id}")
def change(account_id: Id, page: Edit, form: Typed) -> Response:
    """Change an account, or close it."""
    found = accounts.get(page.session, page.actor, account_id)
    try:
        values = forms.read(AccountChange, form, ("name", "active", "language"))
        # Ending sessions is out of reach of the role that people's transactions run as.
        with deps.transactions(page.request)(replace(page.actor, is_system=True)) as session:
            account = accounts.get(session, page.actor, account_id)
            concurrency.check(session, account, forms.text_in(form, "version"))
            accounts.change(session, page.actor, account, **values)
    except _REFUSED as error:
        return _form(page, found, form=form, error=error)
    page.request.app.state.actors.forget()
    return page.go(f"/accounts/{account_id}", _("Saved."))


@pages.post("/accounts/{account_id}/password")
def reset_password(account_id: Id, page: Edit) -> Response:
    """Give an account another first password, shown this once; its sessions end."""
    found = accounts.get(page.session, page.actor, account_id)
    password = secrets.new_token()[:PASSWORD_LENGTH]
    with deps.transactions(page.request)(replace(page.actor, is_system=True)) as session:
        accounts.reset_password(session, page.actor, accounts.get(session, page.actor, account_id), password)
    page.request.app.state.actors.forget()
    return _form(page, found, password=password)


@pages.post("/accounts/{account_id}/grants")
def give(account_id: Id, page: Edit, form: Typed) -> Response:
    """Give an account a role at a unit."""
    found = accounts.get(page.session, page.actor, account_id)
    try:
        with page.attempt():
            _give(page, found, form)
    except _REFUSED as error:
        return _form(page, found, error=error)
    deps.forget_actors(page.request, page.session)
    return page.go(f"/accounts/{account_id}#grants", _("Saved."))


def _give(page: Page, account: Account, form: FormData) -> None:
    unit = units.get(page.session, page.actor, forms.id_in(form, "unit") or 0)
    accounts.give(page.session, page.actor, account=account, role_code=forms.text_in(form, "role"), unit=unit)


@pages.post("/accounts/{account_id}/grants/{grant_id}/remove")
def take(account_id: Id, grant_id: Id, page: Edit) -> Response:
    """Take a role from an account."""
    found = accounts.get(page.session, page.actor, account_id)
    accounts.take(page.session, page.actor, found, grant_id)
    deps.forget_actors(page.request, page.session)
    return page.go(f"/accounts/{account_id}#grants", _("Saved."))


@pages.get("/accounts/{account_id}/history")
def history(account_id: Id, page: Read) -> Response:
    """What happened to an account."""
    found = accounts.get(page.session, page.actor, account_id)
    return forms.past(page, "accounts", "account", account_id, _about(found))


def _about(found: Account) -> dict[str, Any]:
    return forms.record("accounts", found.id, found.name, _("Accounts"), found.username, section="settings")


def _form(
    page: Page,
    found: Account,
    *,
    password: str | None = None,
    form: FormData | None = None,
    error: WanggeError | None = None,
) -> Response:
    active = "true" if found.active else "false"
    spoken = {"zh": "中文", "en": "English"}
    section = Section(
        _("Account"),
        [
            Field("username", _("User name"), found.username, "shown"),
            Field("name", _("Name"), found.name, optional=False, most=200),
            forms.select(
                "active", _("Active"), active, {"true": _("yes"), "false": _("Closed account")}, optional=False
            ),
            forms.select("language", _("Language"), found.language, spoken),
        ],
    )
    area = page.actor.area("account.read")
    grants = [
        {"id": one["id"], "role": one[f"role_{language.current()}"], "unit": one["unit_name"]}
        for one in accounts.grants(page.session, found.id)
        if area.everywhere or one["unit_id"] in area.communities | area.grids
    ]
    return page.show(
        "accounts/form.html",
        section="settings",
        status=forms.status(error),
        record=_about(found),
        action=f"/accounts/{found.id}",
        editable="account.edit" in page.can,
        **forms.shown([section], form, error),
        links=forms.links("accounts", found.id, on_map=False),
        token=forms.token(found),
        map=None,
        grants=grants,
        roles=labels.options(_roles(page)),
        units=labels.options(_units(page)),
        password=password,
    )


def _roles(page: Page) -> dict[str, str]:
    return {role.code: name_of(role) for role in accounts.roles(page.session)}


def _units(page: Page) -> dict[str, str]:
    """The units where this person may give roles, those below after those above."""
    area = page.actor.area("account.edit")
    return {
        str(unit.id): f"{unit.name} ({labels.levels()[unit.level]})"
        for unit in units.listed(page.session, page.actor)
        if area.everywhere or unit.id in area.communities | area.grids
    }


@pages.get("/roles")
def matrix(page: Read) -> Response:
    """What each role permits, as a table."""
    return _matrix(page)


def _matrix(page: Page, error: WanggeError | None = None) -> Response:
    held = roles.by_role(page.session)
    area = page.actor.area("account.edit")
    return page.show(
        "accounts/roles.html",
        section="settings",
        status=forms.status(error),
        tabs=settings_tabs(page, "roles"),
        editable=area.everywhere,
        fault=error.detail if error else None,
        roles=[{"code": role.code, "name": name_of(role)} for role in accounts.roles(page.session)],
        rows=[
            {
                "code": permission.code,
                "name": name_of(permission),
                "held": {code for code, permitted in held.items() if permission.code in permitted},
                "free": page.actor.area(permission.code).everywhere,
            }
            for permission in roles.permissions(page.session)
        ],
    )


@pages.post("/roles")
def change_matrix(page: Edit, form: Typed) -> Response:
    """Change what roles permit; a tick is sent as ``role:permission``."""
    ticked = {str(one) for one in form.getlist("permit")}
    try:
        with page.attempt():
            held = roles.by_role(page.session)
            for role in accounts.roles(page.session):
                wanted = {one.split(":", 1)[1] for one in ticked if one.startswith(f"{role.code}:")}
                if wanted != set(held.get(role.code, [])):
                    roles.change(page.session, page.actor, role, permissions=wanted)
            if not any("account.edit" in permitted for permitted in roles.by_role(page.session).values()):
                raise Invalid(_("Somebody has to be able to manage accounts."))
    except _REFUSED as error:
        return _matrix(page, error)
    deps.forget_actors(page.request, page.session)
    return page.go("/roles", _("Saved."))
