"""Disputes on pages: their list, a report at the door, what was done, and the calls that follow an agreement."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ledgers, listing, tabs, words
from api.base.fields import Id, Reference
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, needs, typed
from api.disputes.routes import CallMade, DisputeFilters, DisputeNew, StepNew
from data import disputes, households
from data.base.errors import Invalid, WanggeError
from data.base.language import _
from data.disputes import Dispute, Level, Party, Step
from data.households import homes

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("household.read")]
Report = Annotated[Page, needs("household.read", "incident.report")]
Act = Annotated[Page, needs("household.read", "incident.edit")]
Call = Annotated[Page, needs("household.read", "visit.record")]
Unmask = Annotated[Page, needs("household.read", "person.unmask")]
Typed = Annotated[FormData, typed]

_NEW = ("uuid", "building_id", "kind", "story", "level")
_STEP = ("action", "note", "mediators", "agreement", "seen")
#: So many parties have a row of their own in the form.
_ROWS = 4
#: The mark of a case that stands alike.
_MARKS = {
    Step.REPORTED: "new",
    Step.MEDIATING: "in_progress",
    Step.SETTLED: "to_verify",
    Step.CLOSED: "closed",
    Step.REFERRED: "on_hold",
    Step.WITHDRAWN: "declined",
}


class About(listing.Parameters):
    """Where a new dispute is."""

    building: Reference | None = None
    household: Reference | None = None


@pages.get("/disputes")
def listed(page: Read) -> Response:
    """The disputes: those that are open, the latest first; all when one asks."""
    wanted = ledgers.wanted(page, DisputeFilters)
    kinds, levels, steps = disputes.kind_names(), disputes.level_names(), disputes.step_names()
    counts = disputes.step_counts(page.session, page.actor, wanted)

    def cells(row: Any) -> list[Cell]:
        return [
            _title(row),
            standing(row.step),
            levels[row.level],
            row.sessions or None,
            words.day(row.call_on) or None,
            words.minute(row.reported_at),
            row.grid_name,
        ]

    columns = [
        Column(_("Dispute"), sort="kind"),
        Column(_("State"), side=True),
        Column(_("Level"), lead=True),
        Column(_("Sessions"), number=True),
        Column(_("Next call")),
        Column(_("Reported"), sort="reported", lead=True),
        Column(_("Grid")),
    ]
    filters = [
        ledgers.choice("step", _("State"), steps),
        ledgers.choice("level", _("Level"), levels),
        ledgers.choice("kind", _("Kind"), kinds),
        ledgers.by_grid(page),
        ledgers.choice("building", _("Building"), forms.building_names(page)),
        ledgers.day("from", _("From")),
        ledgers.day("to", _("To")),
    ]
    rows = Listing(disputes.selection(page.actor, wanted), disputes.SORTS, Dispute.id, "-reported")
    new = (_("Report a dispute"), "incident.report")
    return page.show(
        "disputes/list.html",
        section="incidents",
        page=ledgers.head(page, _("Disputes"), "disputes", new=new, comes_in=False),
        tabs=tabs.incidents(page, "disputes"),
        counts=[
            {"label": name, "value": counts[code], "href": ledgers.address(page, step=code)}
            for code, name in steps.items()
            if counts[code]
        ],
        **ledgers.filtered(page, filters),
        **ledgers.table(page, rows, columns, cells, "disputes"),
    )


def standing(step: str) -> dict[str, Any]:
    """Where a dispute stands, as a cell of a list: with the mark of a case that stands alike."""
    return {"text": disputes.step_names()[step], "state": _MARKS[Step(step)]}


def _title(row: Any) -> str:
    return f"{words.building(row.building_number)} · {disputes.kind_names()[row.kind]}"


@pages.get("/disputes/new")
def new(page: Report) -> Response:
    """The form of a dispute."""
    return _form(page, ledgers.parameters(page.request.query_params, About))


@pages.post("/disputes")
def report(page: Report, form: Typed) -> Response:
    """Report a dispute."""
    try:
        names = [name for name in _NEW if forms.text_in(form, name)]
        known = {"parties": [{"name": "一"}, {"name": "二"}]}
        values = forms.read(DisputeNew, form, [*names, "building_id", "kind"], known=known)
        with page.attempt():
            dispute = disputes.report(page.session, page.actor, parties=_parties(form), **values)
    except forms.REFUSED as error:
        return _form(page, About(building=forms.id_in(form, "building_id")), form, error)
    return page.go(f"/disputes/{dispute.id}", _("Reported."))


def _parties(form: FormData) -> list[Party]:
    parties = []
    for place in range(1, _ROWS + 1):
        said = {part: forms.text_in(form, f"{part}-{place}") for part in ("name", "phone", "door")}
        home = forms.id_in(form, f"household-{place}")
        if said["name"]:
            parties.append(
                Party(
                    name=said["name"][:200], phone=said["phone"][:64] or None, door=said["door"][:64], household_id=home
                )
            )
        elif said["phone"] or said["door"]:
            raise Invalid(_("Say who it is, at least by surname."))
    return parties


def _form(page: Page, about: About, form: FormData | None = None, error: WanggeError | None = None) -> Response:
    said = {name: forms.text_in(form, name) for name in form} if form is not None else {}
    building = said.get("building_id") or str(about.building or "")
    if about.household is not None and form is None:
        home = homes.row(page.session, households.get(page.session, page.actor, about.household))
        building = str(home.building_id or "")
        said["door-1"] = f"{home.unit}-{home.room}" if home.unit else home.room or ""
    return page.show(
        "disputes/new.html",
        section="incidents",
        status=forms.status(error),
        record=forms.record("disputes", None, _("Report a dispute"), _("Disputes")),
        uuid=said.get("uuid") or str(uuid4()),
        kinds=words.options(disputes.kind_names()),
        levels=words.options(disputes.level_names()),
        buildings=words.options(forms.building_names(page)),
        building=building,
        places=list(range(1, _ROWS + 1)),
        said=said,
        fault=_fault(error),
    )


def _fault(error: WanggeError | None) -> str | None:
    if error is None:
        return None
    faults: dict[str, str] = dict(error.facts.get("faults") or {})  # type: ignore[call-overload]
    return " ".join(dict.fromkeys([error.detail, *faults.values()]))


@pages.get("/disputes/{dispute_id}")
def record(dispute_id: Id, page: Read) -> Response:
    """A dispute, what was done about it, and what can be done."""
    return _record(page, disputes.get(page.session, page.actor, dispute_id))


def _record(page: Page, dispute: Dispute, form: FormData | None = None, error: WanggeError | None = None) -> Response:
    row = disputes.row(page.session, dispute)
    verbs, kinds = disputes.verbs(), disputes.kind_names()
    possible = disputes.allowed(page.actor, dispute) if "incident.edit" in page.can else []
    calls = "visit.record" in page.can and page.may("visit.record", dispute.community_id, dispute.grid_id)
    own = dispute.account_id is not None and dispute.account_id == page.actor.account_id
    removes = "incident.report" in page.can and (own or page.may("incident.edit", dispute.community_id))
    return page.show(
        "disputes/dispute.html",
        section="incidents",
        status=forms.status(error),
        record=forms.record("disputes", dispute.id, _title(row), _("Disputes")),
        dispute={
            "id": dispute.id,
            "step": dispute.step,
            "standing": standing(dispute.step),
            "level": disputes.level_names()[row.level],
            "story": row.story,
            "agreement": row.agreement,
            "settled": words.day(row.settled_at),
        },
        levels=[
            {"name": name, "current": code == row.level, "passed": list(Level).index(Level(code)) < _height(row.level)}
            for code, name in disputes.level_names().items()
        ],
        facts=_facts(row),
        parties=[_shown(person) for person in disputes.parties(page.session, page.actor, dispute)],
        steps=[_past(step) for step in disputes.steps(page.session, dispute)],
        actions=[
            {"code": action, "label": verbs[action], "explained": action in disputes.EXPLAINED} for action in possible
        ],
        calls=[
            {
                "id": call.id,
                "on": words.day(call.due_on),
                "done": words.day(call.done_at),
                "holds": call.holds,
                "note": call.note,
                "open": calls and call.done_at is None,
            }
            for call in disputes.calls(page.session, dispute)
        ],
        again=[
            {
                "href": f"/disputes/{earlier.id}",
                "title": f"{words.day(earlier.reported_at)} · {kinds[earlier.kind]}",
                "says": _("somebody of them again") if earlier.party else _("the same building"),
                "standing": standing(earlier.step),
            }
            for earlier in disputes.before(page.session, page.actor, dispute)
        ],
        removes=removes,
        typed={name: forms.text_in(form, name) for name in form} if form is not None else {},
        fault=_fault(error),
    )


def _height(level: str) -> int:
    return list(Level).index(Level(level))


def _facts(row: Any) -> list[dict[str, Any]]:
    return [
        {"label": _("Building"), "value": words.building(row.building_number), "href": f"/buildings/{row.building_id}"},
        {"label": _("Grid"), "value": row.grid_name},
        {"label": _("Reported"), "value": words.minute(row.reported_at)},
        {"label": _("By"), "value": row.account_name},
        {"label": _("Sessions"), "value": str(row.sessions)},
    ]


def _shown(row: Any) -> dict[str, Any]:
    masked = households.masked({"name": row.name, "phone": row.phone})
    return {
        "id": row.id,
        "name": masked["name"],
        "phone": masked["phone"] or "",
        "door": words.dwelling(row.unit, row.room) if row.room else "",
        "href": f"/households/{row.household_id}" if row.household_id else "",
    }


def _past(row: Any) -> dict[str, Any]:
    return {
        "at": words.minute(row.at),
        "what": disputes.action_names()[row.action],
        "level": disputes.level_names()[row.level],
        "who": row.account_name or "",
        "mediators": row.mediators or "",
        "note": row.note or "",
    }


@pages.post("/disputes/{dispute_id}/steps")
def act(dispute_id: Id, page: Act, form: Typed) -> Response:
    """Do something about it."""
    dispute = disputes.get(page.session, page.actor, dispute_id)
    try:
        values = forms.read(StepNew, form, _STEP)
        with page.attempt():
            disputes.act(page.session, page.actor, dispute, **values)
    except forms.REFUSED as error:
        return _record(page, dispute, form, error)
    return page.go(f"/disputes/{dispute_id}", f"{disputes.action_names()[values['action']]}.")


@pages.post("/disputes/{dispute_id}/calls/{call_id}")
def record_call(dispute_id: Id, call_id: Id, page: Call, form: Typed) -> Response:
    """What came of a call."""
    dispute = disputes.get(page.session, page.actor, dispute_id)
    try:
        values = forms.read(CallMade, form, ("holds", "note"))
        with page.attempt():
            disputes.record_call(page.session, page.actor, dispute, call_id, **values)
    except forms.REFUSED as error:
        return _record(page, dispute, form, error)
    return page.go(f"/disputes/{dispute_id}", _("Recorded."))


@pages.post("/disputes/{dispute_id}/unmask")
def unmask(dispute_id: Id, page: Unmask, form: Typed) -> Response:
    """Name and phone of a party in full, for a stated purpose."""
    dispute = disputes.get(page.session, page.actor, dispute_id)
    number = forms.text_in(form, "field").removeprefix("party-")
    party_id = int(number) if number.isdecimal() and len(number) < 10 else 0
    shown = disputes.unmask(page.session, page.actor, dispute, party_id, forms.text_in(form, "purpose"))
    return page.fragment("_unmasked.html", value=" ".join(part for part in (shown["name"], shown["phone"]) if part))


@pages.post("/disputes/{dispute_id}/remove")
def remove(dispute_id: Id, page: Report, _form: Typed) -> Response:
    """Remove what was reported by mistake."""
    disputes.remove(page.session, page.actor, disputes.get(page.session, page.actor, dispute_id))
    return page.go("/disputes", _("Removed."))
