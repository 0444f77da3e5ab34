"""Response templates on a page: what is often answered, by the action that it is offered for."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, tabs, words
from api.base.fields import CodePath
from api.base.page import Page, needs, typed
from api.incidents.categories import TemplateNew
from data import incidents
from data.base.errors import WanggeError
from data.base.language import _

pages = APIRouter(include_in_schema=False)
Edit = Annotated[Page, needs("unit.edit")]
Typed = Annotated[FormData, typed]

_FIELDS = ("name_zh", "name_en", "action", "text")


@pages.get("/templates")
def listed(page: Edit) -> Response:
    """All response templates."""
    return _shown(page)


@pages.post("/templates")
def add(page: Edit, form: Typed) -> Response:
    """Add a template, as the last one of its action."""
    try:
        known = incidents.templates(page.session)
        code = _free_code(forms.text_in(form, "action"), {one.code for one in known})
        position = max((one.position for one in known), default=0) + 1
        with page.attempt():
            incidents.add_template(page.session, page.actor, **_values(form, code), code=code, position=position)
    except forms.REFUSED as error:
        return _shown(page, error, form)
    return page.go("/templates", _("Saved."))


@pages.post("/templates/{code}")
def change(code: CodePath, page: Edit, form: Typed) -> Response:
    """Change a template."""
    try:
        with page.attempt():
            incidents.change_template(page.session, page.actor, code, **_values(form, code))
    except forms.REFUSED as error:
        return _shown(page, error, form, code)
    return page.go("/templates", _("Saved."))


@pages.post("/templates/{code}/remove")
def remove(code: CodePath, page: Edit, form: Typed) -> Response:
    """Remove a template; what was written with it stays."""
    incidents.remove_template(page.session, page.actor, code)
    return page.go("/templates", _("Removed."))


def _free_code(action: str, taken: set[str]) -> str:
    """A code that no template has yet: nobody has to think of one."""
    number = 1
    while f"{action}_{number}" in taken:
        number += 1
    return f"{action}_{number}"


def _values(form: FormData, code: str) -> dict[str, Any]:
    """What was typed, checked; without an English name the Chinese one stands for both."""
    name = forms.text_in(form, "name_en") or forms.text_in(form, "name_zh")
    typed_ = FormData([(key, name if key == "name_en" else forms.text_in(form, key)) for key in _FIELDS])
    return forms.read(TemplateNew, typed_, _FIELDS, known={"code": code})


def _shown(page: Page, error: WanggeError | None = None, form: FormData | None = None, code: str = "") -> Response:
    """The page; after a refusal with what was typed, where it was typed."""
    said = {key: forms.text_in(form, key) for key in _FIELDS} if form is not None else {}
    faults = dict(error.facts.get("faults") or {}) if error else {}  # type: ignore[call-overload]
    verbs = incidents.words.verbs()
    rows: dict[str, list[dict[str, Any]]] = {action: [] for action in incidents.offered()}
    for one in incidents.templates(page.session):
        here = one.code == code
        values = said if here else {key: getattr(one, key) for key in _FIELDS}
        shown = {"code": one.code, "name": words.name(one), "says": one.text}
        rows.setdefault(one.action, []).append(shown | {"values": values, "faults": faults if here else {}})
    return page.show(
        "incidents/responses.html",
        section="settings" if "account.read" in page.can else "me",
        status=forms.status(error),
        tabs=tabs.notices(page, "templates"),
        groups=[{"name": verbs[action], "rows": found} for action, found in rows.items()],
        actions=words.options({action: verbs[action] for action in incidents.offered()}),
        new={"values": said if not code else {}, "faults": faults if not code else {}},
        opened=code or ("new" if error else ""),
        editable=page.actor.area("unit.edit").everywhere,
        fault=error.detail if error else "",
    )
