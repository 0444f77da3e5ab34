"""Accounts on pages: who may sign in, with which roles, where; and what each role permits."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from sqlalchemy import orm
from starlette.datastructures import FormData
from starlette.responses import Response

from api.accounts.routes import AccountChange, AccountFilters, AccountNew
from api.accounts.security import unwalled
from api.accounts.signin import token_rows
from api.base import concurrency, forms, ledgers, tabs, words
from api.base.fields import Id
from api.base.forms import Field, Section
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, name_of, needs, typed
from data import accounts, roles, units
from data.accounts import Account
from data.base import language, secrets
from data.base.errors import Forbidden, NotFound, WanggeError
from data.base.language import _

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("account.read")]
Edit = Annotated[Page, needs("account.edit")]
Typed = Annotated[FormData, typed]

PASSWORD_LENGTH = 14
#: What a form says in place of a unit's id.
EVERYWHERE = "everywhere"
_REFUSED = (*forms.REFUSED, Forbidden)


@pages.get("/accounts")
def listed(page: Read) -> Response:
    """The accounts with a role in one's area, by user name."""
    query = accounts.selection(page.actor, ledgers.wanted(page, AccountFilters))
    names = {role.code: name_of(role) for role in accounts.roles(page.session)}
    listing = Listing(query, accounts.SORTS, Account.id, "username")
    columns = [Column(_("User name"), sort="username"), Column(_("Name"), sort="name"), Column(_("Roles"), lead=True)]
    columns += [Column(_("Active"), side=True), Column(_("Since"))]
    table = ledgers.table(page, listing, columns, _cells, "accounts")
    held = accounts.roles_of(page.session, page.actor, [row["id"] for row in table["rows"]])
    for row in table["rows"]:
        row["cells"][2] = _(", ").join(
            f"{names[role]} · {unit or _('Everywhere')}" for role, unit in held.get(row["id"], [])
        )
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
        tabs=tabs.settings(page, "accounts"),
        **ledgers.filtered(page, filters),
        **table,
    )


def _cells(row: Any) -> list[Cell]:
    active: Cell = _("yes") if row.active else {"text": _("Closed account"), "tone": "quiet"}
    return [row.username, row.name, None, active, words.day(row.created_at)]


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
        is_answered_once=True,
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
        with unwalled(page.request, page.actor) as session:
            account = accounts.add(session, page.actor, password=password, password_given=True, **values)
            _give(page, session, account, form)
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
        with unwalled(page.request, page.actor) as session:
            account = accounts.get(session, page.actor, account_id)
            concurrency.check(session, account, forms.text_in(form, "version"))
            accounts.change(session, page.actor, account, **values)
    except _REFUSED as error:
        return _form(page, found, form=form, error=error)
    page.request.app.state.actors.forget()
    return page.go(f"/accounts/{account_id}", _("Saved."))


@pages.post("/accounts/{account_id}/password")
def reset_password(account_id: Id, page: Edit) -> Response:
    """Give an account another first password, shown this once; its sessions and tokens end."""
    found = accounts.get(page.session, page.actor, account_id)
    password = secrets.new_token()[:PASSWORD_LENGTH]
    with unwalled(page.request, page.actor) as session:
        accounts.reset_password(session, page.actor, accounts.get(session, page.actor, account_id), password)
    page.request.app.state.actors.forget()
    return _form(page, found, password=password)


@pages.post("/accounts/{account_id}/grants")
def give(account_id: Id, page: Edit, form: Typed) -> Response:
    """Give an account a role at a unit."""
    found = accounts.get(page.session, page.actor, account_id)
    try:
        with unwalled(page.request, page.actor) as session:
            _give(page, session, found, form)
    except _REFUSED as error:
        return _form(page, found, error=error)
    page.request.app.state.actors.forget()
    return page.go(f"/accounts/{account_id}#grants", _("Saved."))


def _give(page: Page, session: orm.Session, account: Account, form: FormData) -> None:
    everywhere = forms.text_in(form, "unit") == EVERYWHERE
    unit = None if everywhere else units.get(page.session, page.actor, forms.id_in(form, "unit") or 0)
    accounts.give(session, page.actor, account=account, role_code=forms.text_in(form, "role"), unit=unit)


@pages.post("/accounts/{account_id}/grants/{grant_id}/remove")
def take(account_id: Id, grant_id: Id, page: Edit) -> Response:
    """Take a role from an account."""
    found = accounts.get(page.session, page.actor, account_id)
    with unwalled(page.request, page.actor) as session:
        accounts.take(session, page.actor, found, grant_id)
    page.request.app.state.actors.forget()
    return page.go(f"/accounts/{account_id}#grants", _("Saved."))


@pages.post("/accounts/{account_id}/tokens/{token_id}/revoke")
def end_token(account_id: Id, token_id: Id, page: Edit) -> Response:
    """End an API token of an account."""
    found = accounts.get(page.session, page.actor, account_id)
    with unwalled(page.request, page.actor) as session:
        accounts.revoke_api_token(session, page.actor, token_id, found)
    page.request.app.state.actors.forget()
    return page.go(f"/accounts/{account_id}#tokens", _("The token is revoked."))


@pages.get("/accounts/{account_id}/history")
def history(account_id: Id, page: Read) -> Response:
    """What happened to an account."""
    found = accounts.get(page.session, page.actor, account_id)
    return forms.past(page, "accounts", "account", account_id, _about(found))


def _about(found: Account) -> dict[str, Any]:
    return forms.record("accounts", found.id, found.name, _("Accounts"), found.username, section="settings")


def _form(
    page: Page,
    account: Account,
    *,
    password: str | None = None,
    form: FormData | None = None,
    error: WanggeError | None = None,
) -> Response:
    active = "true" if account.active else "false"
    spoken = {"zh": "中文", "en": "English"}
    section = Section(
        _("Account"),
        [
            Field("username", _("User name"), account.username, "shown"),
            Field("name", _("Name"), account.name, optional=False, most=200),
            forms.select(
                "active", _("Active"), active, {"true": _("yes"), "false": _("Closed account")}, optional=False
            ),
            forms.select("language", _("Language"), account.language, spoken),
        ],
    )
    area = page.actor.area("account.read")
    grants = [
        {"id": one["id"], "role": language.named(one, "role"), "unit": one["unit_name"] or _("Everywhere")}
        for one in accounts.grants(page.session, account.id)
        if area.everywhere or one["unit_id"] in area.whole
    ]
    return page.show(
        "accounts/form.html",
        section="settings",
        status=forms.status(error),
        record=_about(account),
        action=f"/accounts/{account.id}",
        editable="account.edit" in page.can,
        **forms.shown([section], form, error),
        links=forms.links("accounts", account.id, on_map=False),
        token=forms.token(account),
        map=None,
        grants=grants,
        roles=words.options(_roles(page)),
        units=words.options(_units(page)),
        password=password,
        tokens=_tokens(page, account),
    )


def _tokens(page: Page, found: Account) -> list[dict[str, Any]]:
    """The API tokens of an account, for whoever manages it."""
    try:
        return token_rows(page, found)
    except (Forbidden, NotFound):
        return []


def _roles(page: Page) -> dict[str, str]:
    return {role.code: name_of(role) for role in accounts.roles(page.session)}


def _units(page: Page) -> dict[str, str]:
    """Where this person may give roles: the units, those below after those above, and at the end everywhere."""
    area = page.actor.area("account.edit")
    places = {
        str(unit.id): f"{unit.name} ({units.level_names()[unit.level]})"
        for unit in units.listed(page.session, page.actor)
        if area.covers_whole(unit.id)
    }
    return {**places, EVERYWHERE: _("Everywhere")} if area.everywhere else places


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
        tabs=tabs.settings(page, "roles"),
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
        with unwalled(page.request, page.actor) as session, accounts.keeping_an_administrator(session):
            held = roles.by_role(session)
            for role in accounts.roles(session):
                wanted = {one.split(":", 1)[1] for one in ticked if one.startswith(f"{role.code}:")}
                if wanted != set(held.get(role.code, [])):
                    roles.change(session, page.actor, role, permissions=wanted)
    except _REFUSED as error:
        return _matrix(page, error)
    page.request.app.state.actors.forget()
    return page.go("/roles", _("Saved."))
