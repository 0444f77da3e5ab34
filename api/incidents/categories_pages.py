"""Categories of cases on pages: the list by groups, each with its limits, what residents may do, and its questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, tabs, words
from api.base.fields import Code, CodePath
from api.base.forms import Field, Section
from api.base.page import Page, needs, typed
from api.incidents.categories import CategoryNew, Question
from data import incidents
from data.base.errors import Conflict, Invalid, WanggeError
from data.base.language import _
from data.incidents import Category, Tier

pages = APIRouter(include_in_schema=False)
Edit = Annotated[Page, needs("unit.edit")]
Typed = Annotated[FormData, typed]

_TYPED = ("parent_code", "name_zh", "name_en", "icon", "tier", "days", "recurrence_days", "external_code", "position")
_FLAGS = ("reportable", "placed", "personal")
_ASKED = ("name_zh", "name_en", "kind")


@pages.get("/categories")
def listed(page: Edit) -> Response:
    """All categories by their groups, the retired ones after the others."""
    rows = incidents.categories(page.session)
    counts = incidents.used(page.session, page.actor)
    groups = []
    for group in (row for row in rows if row.parent_code is None):
        below = sorted((row for row in rows if row.parent_code == group.code), key=lambda row: row.retired)
        groups.append({**_listed(group, counts), "rows": [_listed(row, counts) for row in below]})
    return page.show(
        "incidents/categories.html",
        section=_section(page),
        tabs=tabs.settings(page, "categories"),
        groups=sorted(groups, key=lambda group: group["retired"]),
        editable=_editable(page),
    )


@pages.get("/categories/new")
def new(page: Edit, parent: Code | None = None) -> Response:
    """The form for a new category, of a group or a group itself."""
    return _form(page, None, parent=parent)


@pages.post("/categories")
def add(page: Edit, form: Typed) -> Response:
    """Add a category; without a code it is given one."""
    try:
        rows = incidents.categories(page.session)
        parent = forms.text_in(form, "parent_code")
        code = forms.text_in(form, "code") or _free(f"{parent}.own" if parent else "own", {row.code for row in rows})
        values = _values(form, {"code": code})
        if not values["position"]:
            values["position"] = max((row.position for row in rows), default=0) + 1
        with page.attempt():
            incidents.add_category(page.session, page.actor, code=code, **values)
    except forms.REFUSED as error:
        return _form(page, None, typed=form, error=error)
    return page.go(f"/categories/{code}", _("Saved."))


@pages.get("/categories/{code}")
def record(code: CodePath, page: Edit) -> Response:
    """A category, to read and for those who may to change, with its questions."""
    return _form(page, incidents.category(page.session, code))


@pages.post("/categories/{code}")
def change(code: CodePath, page: Edit, form: Typed) -> Response:
    """Change a category."""
    found = incidents.category(page.session, code)
    try:
        with page.attempt():
            incidents.change_category(page.session, page.actor, code, **_values(form, {"code": code}))
    except forms.REFUSED as error:
        return _form(page, found, typed=form, error=error)
    return page.go(f"/categories/{code}", _("Saved."))


@pages.post("/categories/{code}/retire")
def retire(code: CodePath, page: Edit, form: Typed) -> Response:
    """Offer a category no more, or again."""
    retired = forms.text_in(form, "retired") == "yes"
    incidents.change_category(page.session, page.actor, code, retired=retired)
    return page.go(f"/categories/{code}", _("Retired.") if retired else _("Offered again."))


@pages.post("/categories/{code}/remove")
def remove(code: CodePath, page: Edit, form: Typed) -> Response:
    """Remove a category that no case has."""
    try:
        with page.attempt():
            incidents.remove_category(page.session, page.actor, code)
    except forms.REFUSED:
        said = Conflict(_("Cases have this category, or others lie below it. It can be retired, but not removed."))
        return _form(page, incidents.category(page.session, code), error=said)
    return page.go("/categories", _("Removed."))


@pages.post("/categories/{code}/questions")
def ask(code: CodePath, page: Edit, form: Typed) -> Response:
    """Ask one more question, after the others."""
    found = incidents.category(page.session, code)
    questions = [dict(one) for one in found.questions or ()]
    try:
        free = _free("q", {one["code"] for one in questions})
        return _asked(page, found, [*questions, _question(form, {"code": free})])
    except forms.REFUSED as error:
        return _form(page, found, asking=form, error=error)


@pages.post("/categories/{code}/questions/{question}")
def change_question(code: CodePath, question: CodePath, page: Edit, form: Typed) -> Response:
    """Change a question."""
    found = incidents.category(page.session, code)
    try:
        old = _one(found, question)
        changed = _question(form, old)
        return _asked(page, found, [changed if one["code"] == question else one for one in found.questions])
    except forms.REFUSED as error:
        return _form(page, found, asking=form, question=question, error=error)


@pages.post("/categories/{code}/questions/{question}/earlier")
def earlier(code: CodePath, question: CodePath, page: Edit, form: Typed) -> Response:
    """Ask a question before the one that it followed."""
    found = incidents.category(page.session, code)
    questions = [dict(one) for one in found.questions or ()]
    place = questions.index(_one(found, question))
    if place:
        questions[place - 1 : place + 1] = [questions[place], questions[place - 1]]
    return _asked(page, found, questions)


@pages.post("/categories/{code}/questions/{question}/remove")
def remove_question(code: CodePath, question: CodePath, page: Edit, form: Typed) -> Response:
    """Ask a question no more; where cases have answers to it, it stays with them."""
    found = incidents.category(page.session, code)
    _one(found, question)
    return _asked(page, found, [one for one in found.questions if one["code"] != question])


def _one(found: Category, question: str) -> dict[str, Any]:
    for one in found.questions or ():
        if one["code"] == question:
            return dict(one)
    raise incidents.CategoryNotFound(_("The category asks no question “{code}”.", code=question))


def _asked(page: Page, found: Category, questions: Sequence[dict[str, Any]]) -> Response:
    with page.attempt():
        incidents.change_category(page.session, page.actor, found.code, questions=list(questions))
    return page.go(f"/categories/{found.code}#questions", _("Saved."))


def _values(form: FormData, known: dict[str, Any]) -> dict[str, Any]:
    """What was typed of a category, checked; without an English name the Chinese one stands for both."""
    sent = {key: forms.text_in(form, key) for key in _TYPED}
    sent["name_en"] = sent["name_en"] or sent["name_zh"]
    sent["icon"] = sent["icon"] or "dots"
    sent["position"] = sent["position"] or "0"
    values = forms.read(CategoryNew, FormData(list(sent.items())), _TYPED, known=known)
    ticked = {str(one) for one in form.getlist("flags")}
    return values | {"limits": _limits(form)} | {flag: flag in ticked for flag in _FLAGS}


def _limits(form: FormData) -> dict[str, int]:
    """Tier → working days, for the tiers that have days of their own."""
    limits = {}
    known = {"code": "one", "name_zh": "one", "name_en": "one"}
    for tier in Tier:
        if not (sent := forms.text_in(form, f"days_{tier}")):
            continue
        try:
            limits[tier.value] = forms.read(CategoryNew, FormData([("days", sent)]), ("days",), known=known)["days"]
        except Invalid as error:
            said = (error.facts.get("faults") or {}).get("days", error.detail)  # type: ignore[attr-defined]
            raise Invalid(error.detail, faults={f"days_{tier}": said}) from error
    return limits


def _question(form: FormData, old: dict[str, Any]) -> dict[str, Any]:
    """The question that was typed, checked; it keeps the code of ``old``, and choices keep theirs by their names."""
    sent = {key: forms.text_in(form, key) for key in _ASKED}
    sent["name_en"] = sent["name_en"] or sent["name_zh"]
    values = forms.read(Question, FormData(list(sent.items())), _ASKED, known={"code": old["code"]})
    choices = _choices(form, old) if values["kind"] == "choice" else []
    if values["kind"] == "choice" and not choices:
        raise Invalid(_("Some fields are not right yet."), faults={"choices": _("Fill this in.")})
    asked = Question(code=old["code"], **values, required=form.get("required") == "yes", choices=choices)
    return asked.model_dump()


def _choices(form: FormData, old: dict[str, Any]) -> list[dict[str, str]]:
    """One choice a line, ``中文 / English``. One that is called as before in either language keeps its code."""
    before = old.get("choices") or []
    taken = {choice["code"] for choice in before}
    choices: list[dict[str, str]] = []
    for line in filter(None, (line.strip() for line in forms.text_in(form, "choices").splitlines())):
        zh, _slash, en = (part.strip() for part in line.partition("/"))
        en = en or zh
        same = [one for one in before if zh == one["name_zh"]] or [one for one in before if en == one["name_en"]]
        code = next((one["code"] for one in same if one["code"] not in {one["code"] for one in choices}), None)
        code = code or _free("a", taken)
        taken.add(code)
        choices.append({"code": code, "name_zh": zh, "name_en": en})
    return choices


def _free(stem: str, taken: set[str]) -> str:
    """A code that nothing has yet: nobody has to think of one."""
    number = 1
    while f"{stem}{number}" in taken:
        number += 1
    return f"{stem}{number}"


def _editable(page: Page) -> bool:
    return page.actor.area("unit.edit").everywhere


def _section(page: Page) -> str:
    return "settings" if "account.read" in page.can else "me"


def _listed(row: Category, counts: dict[str, int]) -> dict[str, Any]:
    facts = []
    if row.tier:
        facts.append(incidents.words.tiers()[row.tier])
    if row.days is not None:
        facts.append(_("{count} working days", count=row.days))
    if not row.reportable:
        facts.append(_("not by residents"))
    if not row.placed:
        facts.append(_("without a place"))
    if asked := len(incidents.asked(row)):
        facts.append(_("{count} questions", count=asked))
    return {
        "code": row.code,
        "name": words.name(row),
        "icon": row.icon,
        "retired": row.retired,
        "told": " · ".join(facts),
        "cases": counts.get(row.code, 0),
    }


def _kinds() -> dict[str, str]:
    """The kinds of questions, with their words."""
    return {
        "text": _("A text"),
        "number": _("A number, such as how many people"),
        "yes_no": _("Yes or no"),
        "choice": _("One of several"),
    }


def _pictures(page: Page) -> dict[str, str]:
    """Icon → the kind that is known by it."""
    rows = [row for row in incidents.categories(page.session) if row.parent_code]
    kept = {one["icon"] for one in incidents.those_that_come_with()}
    return {row.icon: words.name(row) for row in reversed(rows) if row.icon in kept}


def _sections(page: Page, category: Category | None, parent: str | None) -> list[Section]:
    def value(name: str, otherwise: Any = None) -> Any:
        return getattr(category, name) if category else otherwise

    rows = incidents.categories(page.session)
    below = category is not None and any(row.parent_code == category.code for row in rows)
    groups = {row.code: words.name(row) for row in rows if row.parent_code is None and row is not category}
    what = Section(
        _("What it is"),
        [
            Field("name_zh", _("Name in Chinese"), value("name_zh"), optional=False, most=60),
            Field("name_en", _("Name in English"), value("name_en"), most=60),
        ],
    )
    if not below:
        chosen = category.parent_code if category else parent
        hint = _("Empty: it is a group itself, below which others lie.")
        what.fields.append(forms.select("parent_code", _("Group"), chosen, groups, hint=hint))
    if category is None:
        hint = _("Letters, digits, dots; it is never changed later. Empty: one is given.")
        what.fields.append(Field("code", _("Code"), hint=hint, most=64))
    tiers = incidents.words.tiers()
    rules = Section(
        _("Who settles it, and until when"),
        [
            forms.select("tier", _("Tier"), value("tier"), tiers),
            Field("days", _("Limit"), value("days"), "number", least=0, most=3650, unit=_("working days")),
        ],
    )
    for tier in Tier:
        own = (category.limits or {}).get(tier) if category else None
        label = _("Limit if it is “{tier}”", tier=tiers[tier])
        rules.fields.append(Field(f"days_{tier}", label, own, "number", least=0, most=3650, unit=_("working days")))
    again = _("Recurrent if it comes again within")
    rules.fields.append(
        Field("recurrence_days", again, value("recurrence_days"), "number", least=0, most=3650, unit=_("days"))
    )
    flags = {
        "reportable": _("Residents may report it"),
        "placed": _("It is somewhere: a place is needed"),
        "personal": _("It tells of a person or a family: strangers learn nothing of such cases"),
    }
    ticked = [flag for flag in _FLAGS if value(flag, True)]
    pictures = _pictures(page)
    icon = value("icon", "dots")
    first = [{"value": icon, "label": pictures.get(icon, _("Other")), "icon": icon}]
    rest = [{"value": one, "label": label, "icon": one} for one, label in pictures.items() if one != icon]
    more = Section(
        _("How it is offered"),
        [
            Field("flags", _("What holds for it"), ticked, "checks", options=words.options(flags), optional=False),
            Field(
                "icon",
                _("Picture"),
                icon,
                "tiles",
                options=first,
                groups=[{"label": _("Other pictures"), "options": rest}],
            ),
            Field("position", _("Place in the list"), value("position"), "number", least=0, most=100_000),
            Field("external_code", _("Class in another system"), value("external_code"), most=64),
        ],
    )
    return [what, rules, more]


def _questions(
    category: Category, asking: FormData | None, question: str, error: WanggeError | None
) -> list[dict[str, Any]]:
    """The questions of a category as the page shows them; after a refusal with what was typed."""
    rows = []
    for asked in category.questions or ():
        here = asked["code"] == question
        choices = [choice for choice in asked.get("choices") or () if not choice.get("retired")]
        values = {
            **{key: asked[key] for key in _ASKED},
            "required": "yes" if asked.get("required") else "",
            "choices": "\n".join(f"{choice['name_zh']} / {choice['name_en']}" for choice in choices),
        }
        rows.append(
            {
                "code": asked["code"],
                "name": words.of_question(asked),
                "says": _kinds()[asked["kind"]],
                "choices": _(", ").join(words.of_question(choice) for choice in choices),
                "required": bool(asked.get("required")),
                "retired": bool(asked.get("retired")),
                "values": _said(asking) if here and asking is not None else values,
                "faults": _faults(error) if here else {},
            }
        )
    return rows


def _said(form: FormData) -> dict[str, str]:
    return {key: forms.text_in(form, key) for key in (*_ASKED, "required", "choices")}


def _faults(error: WanggeError | None) -> dict[str, str]:
    return dict(error.facts.get("faults") or {}) if error else {}  # type: ignore[call-overload]


def _form(
    page: Page,
    category: Category | None,
    *,
    parent: str | None = None,
    typed: FormData | None = None,
    asking: FormData | None = None,
    question: str = "",
    error: WanggeError | None = None,
) -> Response:
    sections = _sections(page, category, parent)
    if typed is not None:
        for section in sections:
            for field in section.fields:
                if field.type == "tiles" and (icon := forms.text_in(typed, field.name)):
                    field.value = icon
    title = words.name(category) if category else _("New category")
    about = forms.record("categories", None, title, _("Categories"), category.code if category else "")
    shown = forms.shown(sections, typed, error if asking is None else None)
    if asking is not None and error is not None and not _faults(error):
        shown["fault"] = error.detail
    return page.show(
        "incidents/category.html",
        section=_section(page),
        status=forms.status(error),
        record=about,
        action=f"/categories/{category.code}" if category else "/categories",
        editable=_editable(page),
        **shown,
        links=[],
        token="",
        map=None,
        category={
            "code": category.code,
            "retired": category.retired,
            "cases": incidents.used(page.session, page.actor).get(category.code, 0),
            "questions": _questions(category, asking, question, error),
        }
        if category
        else None,
        kinds=words.options(_kinds()),
        new={
            "values": _said(asking) if asking is not None and not question else {},
            "faults": _faults(error) if asking is not None and not question else {},
        },
        opened=question or ("new" if asking is not None else ""),
    )
