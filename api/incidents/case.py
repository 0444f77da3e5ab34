"""A case on a page: how it stands, what was done, and what can be done next; its sheet on paper."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter
from sqlalchemy import Row
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import calls, forms, ground, static
from api.base import words as labels
from api.base.fields import Code, Id, Lat, Lon, Reference
from api.base.page import Page, needs, typed
from api.incidents import facts, pictures
from data import accounts, grids, households, incidents, nearby, photos, reminders, reports, teams, units
from data import calls as dialling
from data.base import access, secrets
from data.base.errors import WanggeError
from data.base.language import _
from data.incidents import Action, Incident, Level, Step, Tier
from maps import reports as report_maps

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("incident.read")]
Unmask = Annotated[Page, needs("incident.read", "person.unmask")]
Handle = Annotated[Page, needs("incident.edit", "household.read")]
Typed = Annotated[FormData, typed]

#: Resolve, give feedback and close in one form, for what was seen to on the spot; no action of its own.
SETTLE = "settle"
#: What the one who reported should know of, unless the box is unticked.
_TOLD = frozenset({Action.RESOLVE, Action.GIVE_FEEDBACK, Action.CLOSE, Action.REJECT, Action.REOPEN})
_FACTS = (
    *("category", "address", "grid", "building", "level", "assignee"),
    *("source", "reported", "due", "closed", "located"),
)
_WITH_PHOTOS = frozenset({Action.START, Action.RESOLVE, Action.NOTE})
_ICONS = {
    Action.TRIAGE: "list",
    Action.ASSIGN: "user",
    Action.START: "tool",
    Action.RESOLVE: "check",
    Action.GIVE_FEEDBACK: "message",
    Action.CLOSE: "circle-check",
    Action.HOLD: "player-pause",
    Action.RESUME: "player-play",
    Action.ESCALATE: "arrow-up",
    Action.RETURN: "arrow-back-up",
    Action.REOPEN: "refresh",
    Action.REJECT: "x",
    Action.MERGE: "arrow-merge",
    Action.SUPERVISE: "eye",
    Action.NOTE: "pencil",
}


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
            page.session,
            page.actor,
            community_id=place,
            category_code=category,
            lon=lon,
            lat=lat,
            building_id=building,
            limit=5,
        )
        if place is not None and category
        else []
    )
    return page.fragment("incidents/alike.html", similar=_told(page, rows))


@pages.get("/incidents/{incident_id}")
def case(incident_id: Id, page: Read) -> Response:
    """A case."""
    return _page(page, incidents.get(page.session, page.actor, incident_id))


@pages.get("/incidents/{incident_id}/sheet")
def sheet(incident_id: Id, page: Read) -> Response:
    """A case on A4: what is kept in the folder, and what goes along to the spot."""
    incident = incidents.get(page.session, page.actor, incident_id)
    kept = photos.of_incident(page.session, page.actor, incident.id)
    return page.show("incidents/sheet.html", section="incidents", **_shown(page, incident, kept), printed=labels.now())


@pages.post("/incidents/{incident_id}/act")
def act(incident_id: Id, page: Read, form: Typed) -> Response:
    """Do something with a case."""
    incident = incidents.get(page.session, page.actor, incident_id)
    name = forms.text_in(form, "action")
    try:
        if name != SETTLE and name not in incidents.TRANSITIONS[Step(incident.step)]:
            raise incidents.NotNow(_("This cannot be done with the case as it stands now."))
        incidents.check_seen(incident, forms.text_in(form, "step") or None)
        with page.attempt():
            _act(page, incident, name, form)
    except forms.REFUSED as error:
        page.session.refresh(incident)
        return _page(page, incident, typed=form, error=error)
    done = incidents.words.actions()[Action.CLOSE if name == SETTLE else name]
    return page.go(f"/incidents/{incident_id}", _("{what}: {number}.", what=done, number=incident.number))


@pages.post("/incidents/{incident_id}/households/{household_id}/remove")
def not_about(incident_id: Id, household_id: Id, page: Handle, form: Typed) -> Response:
    """Say that a case is not about a household."""
    incident = incidents.get(page.session, page.actor, incident_id)
    access.require(page.actor, "incident.edit", incident.community_id, incident.grid_id)
    household = households.get(page.session, page.actor, household_id)
    households.linked.unlink(page.session, page.actor, household, incident.id)
    return page.go(f"/incidents/{incident_id}", _("Removed."))


def _act(page: Page, incident: Incident, name: str, form: FormData) -> None:
    images = pictures.sent(form)
    public = forms.text_in(form, "public") == "yes"
    if name == SETTLE:
        note, told = (forms.text_in(form, field) for field in ("note", "told"))
        steps = incidents.settle(page.session, page.actor, incident, note=note or None, feedback=told, public=public)
        step = next(step for step in steps if step.action == Action.RESOLVE)
    else:
        step = _one(page, incident, Action(name), form, public=public)
    pictures.keep(page, incident, images, step_id=step.id, public=public)


def _one(page: Page, incident: Incident, action: Action, form: FormData, *, public: bool) -> incidents.IncidentStep:
    return incidents.act(
        page.session,
        page.actor,
        incident,
        action,
        note=forms.text_in(form, "note") or None,
        public=public,
        tier=_word(Tier, forms.text_in(form, "tier")),
        assignee_id=forms.id_in(form, "assignee_id"),
        service_team_id=forms.id_in(form, "service_team_id"),
        level=_word(Level, forms.text_in(form, "level")),
        into=_into(page, incident, form) if action is Action.MERGE else None,
    )


def _into(page: Page, incident: Incident, form: FormData) -> Incident:
    """The case that another is to be merged into, by the number that was written or chosen."""
    number = forms.text_in(form, "into_number") or forms.text_in(form, "into")
    return incidents.by_number(page.session, page.actor, incident.community_id, number)


def _word(words: Any, value: str) -> Any:
    """One of several words, or nothing."""
    return words(value) if value in set(words) else None


@pages.post("/incidents/{incident_id}/unmask")
def unmask(incident_id: Id, page: Unmask, form: Typed) -> Response:
    """The contact in full, for 60 seconds; who saw it and what for is recorded."""
    incident = incidents.get(page.session, page.actor, incident_id)
    value = incidents.contact(page.session, page.actor, incident, forms.text_in(form, "purpose"))
    return page.fragment("_unmasked.html", value=value or "—")


@pages.post("/incidents/{incident_id}/call")
def call(incident_id: Id, page: Unmask) -> Response:
    """The number of the contact for a call, which is recorded."""
    incident = incidents.get(page.session, page.actor, incident_id)
    return calls.answer(dialling.dial(page.session, page.actor, incident, "contact", incident.grid_id))


def _page(
    page: Page, incident: Incident, *, typed: FormData | None = None, error: WanggeError | None = None
) -> Response:
    kept = photos.of_incident(page.session, page.actor, incident.id)
    allowed = incidents.allowed(page.session, page.actor, incident)
    chosen = forms.text_in(typed, "action") if typed else page.request.query_params.get("do", "")
    following = incidents.NEXT.get(Step(incident.step))
    shown = _shown(page, incident, kept)
    alike = _similar(page, incident) if following is not None else []
    base = ground.basemap(page.settings)
    row = shown["row"]
    drawn = {}
    if row.lon is not None:
        north, east = row.lat, row.lon
        place = units.community(page.session, page.actor, incident.community_id)
        the_map = report_maps.reporting(
            bounds=(north - 0.001, east - 0.001, north + 0.001, east + 0.001),
            basemap=base,
            point=(east, north),
            ground=f"/r/ground?community={place.code}",
            movable=False,
            static=static.address().rstrip("/"),
        )
        drawn = ground.shown(the_map, page.settings)
    said = {name: forms.text_in(typed, name) for name in typed} if typed else {}
    actions = [_action(page, incident, action, alike, said if action == chosen else {}) for action in allowed]
    if incidents.may_settle(page.actor, incident):
        settling = _action(page, incident, Action.RESOLVE, alike, said if chosen == SETTLE else {})
        answers = _texts(page, incident, Action.GIVE_FEEDBACK)
        actions.insert(0, {**settling, **_settling(said if chosen == SETTLE else {}), "answers": answers})
    return page.show(
        "incidents/case.html",
        section="incidents",
        status=forms.status(error),
        **shown,
        next=next((action for action in actions if action["code"] == following), None),
        others=[action for action in actions if action["code"] != following],
        chosen=chosen,
        fault=error.detail if error else None,
        similar=alike,
        coming=_coming(page, incident),
        households=facts.of_households(page, incident),
        merged=[_brief(other) for other in incidents.merged(page.session, page.actor, incident)],
        editable=page.may("incident.edit", incident.community_id, incident.grid_id),
        **({"map": None, "attribution": None} | drawn),
    )


def _shown(page: Page, incident: Incident, kept: list[photos.Photo]) -> dict[str, Any]:
    """What the page and the sheet both tell."""
    row = incidents.row(page.session, incident)
    kind = incidents.category(page.session, incident.category_code)
    report = reports.of_incident(page.session, incident.id)
    shown = labels.case(row)
    contact = incident.contact
    return {
        "row": row,
        "case": {
            **shown,
            "category": labels.category(row),
            "step": row.step,
            "step_name": incidents.words.steps()[row.step],
            "tier": row.tier,
            "tier_name": incidents.words.tiers().get(row.tier or ""),
            "supervised": row.supervised,
            "recurrent": row.recurrent,
            "description": row.description,
            "contact": _masked(contact) if contact else None,
            "has_number": dialling.number_in(contact) is not None,
            "seconds": nearby.seconds(page.session, incident.id),
            "where": [part for part in (row.address, row.grid_name) if part],
            "satisfied": report.satisfied if report and report.rated_at else None,
            "by_resident": report is not None,
        },
        "facts": [*facts.of(row, *_FACTS), *facts.stood_in(page, row)],
        "answers": _answers(kind, incident.answers),
        "photos": [_photo(one) for one in kept if one.step_id is None],
        "steps": _steps(page, incident, kept),
    }


def _masked(contact: str) -> str:
    return secrets.mask_phone(contact) or ""


def _answers(kind: incidents.Category, answers: dict[str, Any]) -> list[dict[str, str]]:
    answered = []
    for question in kind.questions or ():
        value = answers.get(question["code"])
        if value is None:
            continue
        names = {choice["code"]: labels.of_question(choice) for choice in question.get("choices") or ()}
        if isinstance(value, bool):
            value = _("Yes") if value else _("No")
        answered.append({"label": labels.of_question(question), "value": names.get(value, str(value))})
    return answered


def _photo(one: photos.Photo) -> dict[str, Any]:
    return {"id": one.id, "href": f"/photos/{one.id}", "small": f"/photos/{one.id}/small", "public": one.public}


def _steps(page: Page, incident: Incident, kept: list[photos.Photo]) -> list[dict[str, Any]]:
    names, tiers, lying = incidents.words.actions(), incidents.words.tiers(), incidents.words.levels()
    reporter = incidents.words.sources().get(incident.source, incident.source)
    rows: list[dict[str, Any]] = []
    course = incidents.steps(page.session, page.actor, incident)
    if not any(step.action == Action.REPORT for step in course):
        # It came in by a file, which tells when it was reported but not by whom.
        source = incidents.words.sources().get(incident.source, incident.source)
        rows.append({"name": names[Action.REPORT], "who": source, "at": labels.minute(incident.reported_at)})
    for step in course:
        told = []
        if step.action == Action.TRIAGE and step.tier:
            told.append(tiers[step.tier])
        if step.action in (Action.ESCALATE, Action.RETURN):
            told.append(_("to the {level}", level=lying[step.level].lower()))
        if step.action == Action.ASSIGN and (whom := labels.handled_by(step)):
            told.append(_("to {name}", name=whom))
        rows.append(
            {
                "name": names[step.action],
                "told": _(", ").join(told),
                "who": step.account_name or (reporter if step.action == Action.REPORT else _by_nobody(step)),
                "at": labels.minute(step.at),
                "note": step.note,
                "public": step.public,
                "photos": [_photo(one) for one in kept if one.step_id == step.id],
            }
        )
    return rows


def _by_nobody(step: Row[Any]) -> str:
    """Who acted without an account: what the one who reported may read is that person's rating, else a rule acted."""
    return _("the one who reported") if step.public else _("by rule")


def _coming(page: Page, incident: Incident) -> list[dict[str, Any]]:
    """What has happened and will happen as the limit of a running case comes near and passes."""
    if incident.state not in incidents.RUNNING:
        return []
    names, now = reminders.kind_names(), datetime.now(UTC)
    return [
        {"name": names[one["kind"]], "at": labels.minute(one["at"]), "done": one["done"]}
        for one in reminders.of_incident(page.session, incident)
        if one["done"] or one["at"] > now
    ]


def _similar(page: Page, incident: Incident) -> list[dict[str, Any]]:
    """Open cases that may be the same one."""
    return _told(page, incidents.similar_to(page.session, page.actor, incident))


def _told(page: Page, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cases with what helps to tell whether they are the same: distance, age and a photo."""
    brief = []
    for row in rows:
        kept = photos.of_incident(page.session, page.actor, row["id"])
        brief.append(
            {
                "id": row["id"],
                "number": row["number"],
                "state": row["state"],
                "state_name": incidents.words.states()[row["state"]],
                "title": labels.title(row),
                "away": labels.away(row["distance_m"]),
                "age": labels.ago(row["age"]),
                "same_building": row["same_building"],
                "photo": f"/photos/{kept[0].id}/small" if kept else None,
                "icon": row["icon"],
            }
        )
    return brief


def _brief(row: Row[Any]) -> dict[str, Any]:
    return {**labels.case(row), "age": labels.minute(row.reported_at)}


def _action(
    page: Page, incident: Incident, action: Action, alike: list[dict[str, Any]], said: dict[str, str]
) -> dict[str, Any]:
    """The form of an action: what it asks for."""
    form: dict[str, Any] = {
        "code": action.value,
        "label": incidents.words.verbs()[action],
        "icon": _ICONS[action],
        "needs_note": action in incidents.EXPLAINED,
        "note": said.get("note", ""),
        "texts": _texts(page, incident, action),
        "photos": action in _WITH_PHOTOS,
        "public": action in _TOLD or action is Action.NOTE,
        "told": (said.get("public") == "yes") if said else action in _TOLD,
        "hint": _hints().get(action, ""),
    }
    if action is Action.TRIAGE:
        kind = incidents.category(page.session, incident.category_code)
        form["tiers"] = [
            {"value": code, "label": name, "hint": _tier_hints()[code], "checked": code == (incident.tier or kind.tier)}
            for code, name in incidents.words.tiers().items()
        ]
    if action is Action.ASSIGN:
        form["people"] = _people(page, incident)
        form["teams"] = [
            {"value": team.id, "label": team.name, "checked": team.id == incident.service_team_id}
            for team in teams.serving(page.session, page.actor, [incident.community_id])
        ]
    if action is Action.MERGE:
        form["similar"] = alike
        form["into"] = said.get("into_number", "")
    return form


def _texts(page: Page, incident: Incident, action: Action) -> list[dict[str, str]]:
    """What is often said with an action, filled in for this case."""
    kind = incidents.category(page.session, incident.category_code)
    # The texts are written in the office's language, whatever the page speaks.
    category = kind.name_zh if page.settings.language == "zh" else kind.name_en
    values = {"number": incident.number, "category": category, "address": incident.address}
    return [
        {"name": labels.name(one), "text": incidents.filled(one.text, values)}
        for one in incidents.templates(page.session, action)
    ]


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


def _people(page: Page, incident: Incident) -> list[dict[str, Any]]:
    rows = accounts.who_may(page.session, "incident.edit", incident.grid_id or incident.community_id)
    return [
        {"value": row.id, "label": f"{row.name} · {labels.role(row)}", "checked": row.id == incident.assignee_id}
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
