"""A case on a page: how it stands, what was done, and what can be done next; its sheet on paper."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter
from sqlalchemy import Row
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from api import forms, ground, labels, static
from api.fields import Code, Id, Lat, Lon, Reference
from api.pages import Page, needs, typed
from api.reminders_pages import rule_kinds
from data import accounts, grids, incidents, photos, reminders, reports, units
from data.base import secrets
from data.base.errors import Invalid, WanggeError
from data.base.language import _
from data.incidents import Action, Incident, Level, Step, Tier
from maps import reports as report_maps

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("incident.read")]
Unmask = Annotated[Page, needs("incident.read", "person.unmask")]
Typed = Annotated[FormData, typed]

#: What comes next as a rule at each step: the one filled button, here and beside the map.
NEXT: dict[str, Action] = {
    Step.REPORTED: Action.TRIAGE,
    Step.TRIAGED: Action.ASSIGN,
    Step.ASSIGNED: Action.START,
    Step.IN_PROGRESS: Action.RESOLVE,
    Step.RESOLVED: Action.GIVE_FEEDBACK,
    Step.FEEDBACK_GIVEN: Action.CLOSE,
    Step.ON_HOLD: Action.RESUME,
}
#: Resolve, give feedback and close in one form, for what was seen to on the spot; no action of its own.
SETTLE = "settle"
#: What the one who reported should know of, unless the box is unticked.
_TOLD = frozenset({Action.RESOLVE, Action.GIVE_FEEDBACK, Action.CLOSE, Action.REJECT, Action.REOPEN})
_WITH_PHOTOS = frozenset({Action.START, Action.RESOLVE, Action.NOTE})
_ICONS = {
    Action.TRIAGE: "list", Action.ASSIGN: "user", Action.START: "tool", Action.RESOLVE: "check",
    Action.GIVE_FEEDBACK: "message", Action.CLOSE: "circle-check", Action.HOLD: "player-pause",
    Action.RESUME: "player-play", Action.ESCALATE: "arrow-up", Action.RETURN: "arrow-back-up",
    Action.REOPEN: "refresh", Action.REJECT: "x", Action.MERGE: "arrow-merge", Action.SUPERVISE: "eye",
    Action.NOTE: "pencil",
}  # fmt: skip


@pages.get("/incidents/alike")
def alike(
    page: Read,
    category: Code | None = None,
    lon: Lon | None = None,
    lat: Lat | None = None,
    building: Reference | None = None,
) -> Response:
    """Open cases that the one being reported may be: a piece of the form."""
    place = page.community_id
    if place is None and lon is not None and lat is not None:
        place = grids.community_at(page.session, lon, lat)
    rows = (
        incidents.similar(
            page.session, page.actor, community_id=place, category_code=category, lon=lon, lat=lat,
            building_id=building, limit=5,
        )
        if place is not None and category
        else []
    )  # fmt: skip
    return page.fragment("incidents/alike.html", similar=_told(page, rows))


@pages.get("/incidents/{incident_id}")
def case(incident_id: Id, page: Read) -> Response:
    """A case."""
    return _page(page, incidents.get(page.session, page.actor, incident_id))


@pages.get("/incidents/{incident_id}/sheet")
def sheet(incident_id: Id, page: Read) -> Response:
    """A case on A4: what is kept in the folder, and what goes along to the spot."""
    found = incidents.get(page.session, page.actor, incident_id)
    pictures = photos.of_incident(page.session, page.actor, found.id)
    return page.show("incidents/sheet.html", section="incidents", **_shown(page, found, pictures), printed=labels.now())


@pages.post("/incidents/{incident_id}/act")
def act(incident_id: Id, page: Read, form: Typed) -> Response:
    """Do something with a case."""
    found = incidents.get(page.session, page.actor, incident_id)
    name = forms.text_in(form, "action")
    try:
        if name != SETTLE and name not in incidents.TRANSITIONS[Step(found.step)]:
            raise incidents.NotNow(_("This cannot be done with the case as it stands now."))
        if forms.text_in(form, "step") not in ("", found.step):
            raise incidents.MovedOn(_("Somebody else moved this case on meanwhile. Look at it again."))
        with page.attempt():
            _act(page, found, name, form)
    except forms.REFUSED as error:
        page.session.refresh(found)
        return _page(page, found, typed=form, error=error)
    done = labels.incident_actions()[Action.CLOSE if name == SETTLE else name]
    return page.go(f"/incidents/{incident_id}", _("{what}: {number}.", what=done, number=found.number))


def _act(page: Page, found: Incident, name: str, form: FormData) -> None:
    pictures = [one.file.read() for one in form.getlist("photo") if isinstance(one, UploadFile) and one.size]
    if len(pictures) > photos.PER_RECORD:
        raise Invalid(_("A step has at most {count} photos.", count=photos.PER_RECORD), field="photo")
    public = forms.text_in(form, "public") == "yes"
    if name == SETTLE:
        note, told = (forms.text_in(form, field) for field in ("note", "told"))
        step = incidents.settle(page.session, page.actor, found, note=note or None, told=told, public=public)[0]
    else:
        step = _one(page, found, Action(name), form, public=public)
    for content in pictures:
        photos.store(
            page.session, page.actor, content, community_id=found.community_id, grid_id=found.grid_id,
            incident_id=found.id, step_id=step.id, public=public,
        )  # fmt: skip


def _one(page: Page, found: Incident, action: Action, form: FormData, *, public: bool) -> incidents.IncidentStep:
    into = forms.text_in(form, "into_number")
    return incidents.act(
        page.session, page.actor, found, action,
        note=forms.text_in(form, "note") or None,
        public=public,
        tier=_word(Tier, forms.text_in(form, "tier")),
        assignee_id=forms.id_in(form, "assignee_id"),
        level=_word(Level, forms.text_in(form, "level")),
        into=_by_number(page, found, into or forms.text_in(form, "into")) if action is Action.MERGE else None,
    )  # fmt: skip


def _word(words: Any, value: str) -> Any:
    """One of several words, or nothing."""
    return words(value) if value in set(words) else None


def _by_number(page: Page, found: Incident, number: str) -> Incident:
    """The case of the same community with this number, which another is to be merged into."""
    wanted = incidents.Filter(merged=True)
    query = incidents.selection(page.actor, wanted).where(
        Incident.number == number, Incident.community_id == found.community_id
    )
    row = page.session.execute(query).first()
    if row is None:
        raise Invalid(_("There is no case {number} in this community.", number=number or "—"), field="into")
    return incidents.get(page.session, page.actor, row.id)


@pages.post("/incidents/{incident_id}/unmask")
def unmask(incident_id: Id, page: Unmask, form: Typed) -> Response:
    """The contact in full, for 60 seconds; who saw it and what for is recorded."""
    found = incidents.get(page.session, page.actor, incident_id)
    value = incidents.contact(page.session, page.actor, found, forms.text_in(form, "purpose"))
    return page.fragment("_unmasked.html", value=value or "—")


def _page(page: Page, found: Incident, *, typed: FormData | None = None, error: WanggeError | None = None) -> Response:
    pictures = photos.of_incident(page.session, page.actor, found.id)
    allowed = incidents.allowed(page.session, page.actor, found)
    chosen = forms.text_in(typed, "action") if typed else page.request.query_params.get("do", "")
    following = NEXT.get(found.step)
    shown = _shown(page, found, pictures)
    alike = _similar(page, found) if following is not None else []
    base = ground.basemap(page.settings)
    row = shown["row"]
    drawn = {}
    if row.lon is not None:
        north, east = row.lat, row.lon
        place = units.community(page.session, page.actor, found.community_id)
        the_map = report_maps.reporting(
            bounds=(north - 0.001, east - 0.001, north + 0.001, east + 0.001), basemap=base, point=(east, north),
            ground=f"/r/ground?community={place.code}", movable=False,
            static=static.address().rstrip("/"),
        )  # fmt: skip
        drawn = ground.shown(the_map, page.settings)
    said = {name: forms.text_in(typed, name) for name in typed} if typed else {}
    actions = [_action(page, found, one, alike, said if one == chosen else {}) for one in allowed]
    if Action.RESOLVE in allowed and page.may("incident.edit", found.community_id, found.grid_id):
        settling = _action(page, found, Action.RESOLVE, alike, said if chosen == SETTLE else {})
        actions.insert(0, {**settling, **_settling(said if chosen == SETTLE else {})})
    return page.show(
        "incidents/case.html",
        section="incidents",
        status=forms.status(error),
        **shown,
        next=next((one for one in actions if one["code"] == following), None),
        others=[one for one in actions if one["code"] != following],
        chosen=chosen,
        fault=error.detail if error else None,
        similar=alike,
        coming=_coming(page, found),
        merged=[_brief(one) for one in incidents.merged(page.session, page.actor, found)],
        editable=page.may("incident.edit", found.community_id, found.grid_id),
        **({"map": None, "attribution": None} | drawn),
    )  # fmt: skip


def _shown(page: Page, found: Incident, pictures: list[photos.Photo]) -> dict[str, Any]:
    """What the page and the sheet both tell."""
    row = page.session.execute(incidents.rows().where(Incident.id == found.id)).one()
    kind = incidents.category(page.session, found.category_code)
    report = reports.of_incident(page.session, found.id)
    shown = labels.case(row)
    contact = found.contact
    return {
        "row": row,
        "case": {
            **shown,
            "category": labels.category(row),
            "step": row.step,
            "step_name": labels.steps()[row.step],
            "tier": row.tier,
            "tier_name": labels.tiers().get(row.tier or ""),
            "supervised": row.supervised,
            "recurrent": row.recurrent,
            "description": _beyond(row.description, shown["title"]),
            "contact": _masked(contact) if contact else None,
            "satisfied": report.satisfied if report and report.rated_at else None,
            "by_resident": report is not None,
        },
        "facts": _facts(row),
        "answers": _answers(kind, found.answers),
        "photos": [_photo(one) for one in pictures if one.step_id is None],
        "steps": _steps(page, found, pictures),
    }


def _beyond(description: str | None, title: str) -> str | None:
    """The description, unless the title says all of it."""
    return description if (description or "").strip().rstrip("。.；;") != title else None


def _masked(contact: str) -> str:
    return secrets.mask_phone(contact) or ""


def _facts(row: Row[Any]) -> list[dict[str, Any]]:
    located = labels.place_found(row.located_by, row.located_score, row.unlocated_reason)
    exact = _("within {value} m", value=f"{row.accuracy_m:,.0f}") if row.accuracy_m is not None else ""
    building = labels.building(row.building_number) if row.building_number else ""
    facts: list[dict[str, Any]] = [
        {"label": _("Category"), "value": labels.category(row)},
        {"label": _("Address"), "value": row.address},
        {"label": _("Grid"), "value": row.grid_name, "href": f"/grids/{row.grid_id}" if row.grid_id else None},
        {"label": _("Building"), "value": building, "href": f"/buildings/{row.building_id}" if building else None},
        {"label": _("Lies with"), "value": labels.lying()[row.level]},
        {"label": _("Handled by"), "value": row.assignee_name},
        {"label": _("Source"), "value": labels.sources().get(row.source, row.source)},
        {"label": _("Reported"), "value": labels.minute(row.reported_at)},
        {"label": _("Due"), "value": labels.minute(row.due_at) if row.due_at else ""},
        {"label": _("Closed at"), "value": labels.minute(row.closed_at) if row.closed_at else ""},
        {"label": _("Located"), "value": _(", ").join(part for part in (located, exact) if part)},
    ]
    return [fact for fact in facts if fact["value"]]


def _answers(kind: incidents.Category, answers: dict[str, Any]) -> list[dict[str, str]]:
    found = []
    for question in kind.questions or ():
        value = answers.get(question["code"])
        if value is None:
            continue
        names = {choice["code"]: labels.of_question(choice) for choice in question.get("choices") or ()}
        if isinstance(value, bool):
            value = _("Yes") if value else _("No")
        found.append({"label": labels.of_question(question), "value": names.get(value, str(value))})
    return found


def _photo(one: photos.Photo) -> dict[str, Any]:
    return {"id": one.id, "href": f"/photos/{one.id}", "small": f"/photos/{one.id}/small", "public": one.public}


def _steps(page: Page, found: Incident, pictures: list[photos.Photo]) -> list[dict[str, Any]]:
    names, tiers, lying = labels.incident_actions(), labels.tiers(), labels.lying()
    reporter = labels.sources().get(found.source, found.source)
    rows: list[dict[str, Any]] = []
    course = incidents.steps(page.session, page.actor, found)
    if not any(step.action == Action.REPORT for step in course):
        # It came in by a file, which tells when it was reported but not by whom.
        source = labels.sources().get(found.source, found.source)
        rows.append({"name": names[Action.REPORT], "who": source, "at": labels.minute(found.reported_at)})
    for step in course:
        told = []
        if step.action == Action.TRIAGE and step.tier:
            told.append(tiers[step.tier])
        if step.action in (Action.ESCALATE, Action.RETURN):
            told.append(_("to the {level}", level=lying[step.level].lower()))
        if step.action == Action.ASSIGN and step.assignee_name:
            told.append(_("to {name}", name=step.assignee_name))
        rows.append(
            {
                "name": names[step.action],
                "told": _(", ").join(told),
                "who": step.account_name or (reporter if step.action == Action.REPORT else _("by rule")),
                "at": labels.minute(step.at),
                "note": step.note,
                "public": step.public,
                "photos": [_photo(one) for one in pictures if one.step_id == step.id],
            }
        )  # fmt: skip
    return rows


def _coming(page: Page, found: Incident) -> list[dict[str, Any]]:
    """What has happened and will happen as the limit of a running case comes near and passes."""
    if found.state not in incidents.RUNNING:
        return []
    names, now = rule_kinds(), datetime.now(UTC)
    return [
        {"name": names[one["kind"]], "at": labels.minute(one["at"]), "done": one["done"]}
        for one in reminders.of_incident(page.session, found)
        if one["done"] or one["at"] > now
    ]


def _similar(page: Page, found: Incident) -> list[dict[str, Any]]:
    """Open cases that may be the same one."""
    return _told(page, incidents.similar_to(page.session, page.actor, found))


def _told(page: Page, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cases with what helps to tell whether they are the same: distance, age and a photo."""
    brief = []
    for row in rows:
        pictures = photos.of_incident(page.session, page.actor, row["id"])
        brief.append(
            {
                "id": row["id"], "number": row["number"], "state": row["state"],
                "state_name": labels.states()[row["state"]],
                "title": labels.title(row["description"], row["category_zh"]),
                "away": labels.away(row["distance_m"]), "age": labels.ago(row["age"]),
                "same_building": row["same_building"],
                "photo": f"/photos/{pictures[0].id}/small" if pictures else None, "icon": row["icon"],
            }
        )  # fmt: skip
    return brief


def _brief(row: Row[Any]) -> dict[str, Any]:
    return {**labels.case(row), "age": labels.minute(row.reported_at)}


def _action(
    page: Page, found: Incident, action: Action, alike: list[dict[str, Any]], said: dict[str, str]
) -> dict[str, Any]:
    """The form of an action: what it asks for."""
    kind = incidents.category(page.session, found.category_code)
    # The texts are written in the office's language, whatever the page speaks.
    category = kind.name_zh if page.settings.language == "zh" else kind.name_en
    values = {"number": found.number, "category": category, "address": found.address}
    texts = [
        {"name": labels.name(one), "text": incidents.filled(one.text, values)}
        for one in incidents.templates(page.session, action)
    ]
    form: dict[str, Any] = {
        "code": action.value,
        "label": labels.incident_verbs()[action],
        "icon": _ICONS[action],
        "needs_note": action in incidents.EXPLAINED,
        "note": said.get("note", ""),
        "texts": texts,
        "photos": action in _WITH_PHOTOS,
        "public": action in _TOLD or action is Action.NOTE,
        "told": (said.get("public") == "yes") if said else action in _TOLD,
        "hint": _hints().get(action, ""),
    }
    if action is Action.TRIAGE:
        form["tiers"] = [
            {"value": code, "label": name, "hint": _tier_hints()[code], "checked": code == (found.tier or kind.tier)}
            for code, name in labels.tiers().items()
        ]
    if action is Action.ASSIGN:
        form["people"] = _people(page, found)
    if action is Action.MERGE:
        form["similar"] = alike
        form["into"] = said.get("into_number", "")
    return form


def _settling(said: dict[str, str]) -> dict[str, Any]:
    """How the form of what was seen to on the spot differs from that of resolving."""
    return {
        "code": SETTLE,
        "label": _("Settled on the spot"),
        "icon": _ICONS[Action.CLOSE],
        "hint": _("Resolved, told and closed at once."),
        "asks_told": True,
        "said_told": said.get("told", ""),
    }


def _people(page: Page, found: Incident) -> list[dict[str, Any]]:
    rows = accounts.who_may(page.session, "incident.edit", found.grid_id or found.community_id)
    return [
        {"value": row.id, "label": f"{row.name} · {labels.role(row)}", "checked": row.id == found.assignee_id}
        for row in rows
    ]


def _hints() -> dict[str, str]:
    return {
        Action.ESCALATE: _("Goes one level up: building, grid, community, street. The limit stays."),
        Action.RETURN: _("Goes one level down."),
        Action.MERGE: _("Both are handled as one. Whoever reported this one follows the other to its end."),
        Action.SUPERVISE: _("The street follows it until it is closed."),
        Action.GIVE_FEEDBACK: _("What the one who reported is told. Without it a case cannot be closed."),
    }


def _tier_hints() -> dict[str, str]:
    return {
        "grid": _("The grid’s leader settles it."),
        "community": _("The leader and the community settle it together."),
        "street": _("At once to community and street, followed all the way."),
    }
