"""Forms: a record's fields as a page shows them, and what was typed as the API's own model reads it.

What may be typed is said once, by the pydantic model of the feature's API. A refused form comes back with every value
as it was typed and each sentence beside its field.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from api.base import concurrency, errors, ground, words
from api.base.fields import Change
from api.base.page import Page
from data import buildings, grids, history, panels, units
from data.base import texts
from data.base.errors import Conflict, Invalid, WanggeError
from data.base.language import _
from maps import placing

#: What a handler answers with the form again.
REFUSED = (Invalid, Conflict)


@dataclass
class Field:
    """A field of a form; see ``_form.html``."""

    name: str
    label: str
    value: Any = None
    type: str = "text"
    optional: bool = True
    hint: str = ""
    fault: str = ""
    options: Sequence[dict[str, str]] = ()
    #: further options of tiles, ``{label, options}`` each, which are opened or searched
    groups: Sequence[dict[str, Any]] = ()
    least: float | None = None
    most: float | None = None
    step: float | str | None = None
    unit: str = ""
    pattern: str = ""
    says: str = ""
    #: what stands there is masked; ``typed`` is to take its place
    locked: bool = False
    #: where to ask for the masked number that is to be dialled
    call: str = ""
    typed: str = ""
    next: dict[str, str] | None = None


@dataclass
class Section:
    """A group of fields under a heading."""

    title: str
    fields: list[Field] = field(default_factory=list)


def select(name: str, label: str, value: Any, names: Mapping[str, str], **more: Any) -> Field:
    """A choice of one of several codes."""
    return Field(name, label, value, "select", options=words.options(names), **more)


def text_in(form: FormData, name: str) -> str:
    """What was typed into a field."""
    value = form.get(name, "")
    return "" if isinstance(value, UploadFile) else texts.clean(value).strip()


def id_in(form: FormData, name: str) -> int | None:
    """The id that was chosen in a box."""
    value = text_in(form, name)
    return int(value) if value.isdecimal() and len(value) < 10 else None


def building_names(page: Page, community_id: int | None = None) -> dict[str, str]:
    """Id → name of the buildings that people live in, by number: of a community, else of the one pages are about."""
    rows = buildings.lived_in(page.session, page.actor, community_id or page.community_id, most=1000)
    return {str(row.id): words.building(row.number, row.name, row.code) for row in rows}


def read(
    model: type[BaseModel],
    form: FormData,
    names: Collection[str],
    *,
    locked: Collection[str] = (),
    known: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The values of the fields ``names`` as the model reads them.

    Parameters
    ----------
    locked
        Fields that are left as they are when nothing was typed, for what stands there is masked.
    known
        Fields of the model that are known otherwise and are not among the values.

    Raises
    ------
    Invalid
        With ``faults``: field → sentence.
    """
    typed: dict[str, Any] = {}
    for name in names:
        value = text_in(form, name)
        if value or name not in locked:
            typed[name] = value or None
    needed = model.needed if issubclass(model, Change) else frozenset()
    faults = {
        name: _("Fill this in.")
        for name in typed
        if typed[name] is None and (name in needed or model.model_fields[name].is_required())
    }
    try:
        found = model.model_validate({**(known or {}), **typed})
    except ValidationError as error:
        for one in error.errors():
            name = str(one["loc"][0]) if one["loc"] else ""
            faults.setdefault(name, errors.sentence(dict(one)))
        if faults.keys() == {""}:
            raise Invalid(faults[""]) from error
        faults.pop("", None)
    if faults:
        raise Invalid(_("Some fields are not right yet."), faults=faults)
    return {name: getattr(found, name) for name in typed}


def shown(
    sections: Sequence[Section], typed: FormData | None = None, error: WanggeError | None = None
) -> dict[str, Any]:
    """The context ``sections`` and ``fault`` of ``_form.html``: what was typed stands where it was, with the faults."""
    fields = [field for section in sections for field in section.fields]
    if typed is not None:
        for field in fields:
            if field.type == "checks":
                field.value = typed.getlist(field.name)
            elif field.locked and field.value:
                field.typed = text_in(typed, field.name)
            elif field.name in typed:
                # Where nothing stood, what was typed is nothing to hide from who typed it.
                field.value, field.locked = text_in(typed, field.name), False
    if error is None:
        return {"sections": sections, "fault": None}
    faults = dict(error.facts.get("faults") or {})  # type: ignore[call-overload]
    if not faults and isinstance(error.facts.get("field"), str):
        faults[str(error.facts["field"]).removeprefix("body.")] = error.detail
    named = {field.name for field in fields}
    for field in fields:
        field.fault = faults.get(field.name, "")
    beside = faults.keys() <= named and bool(faults)
    return {
        "sections": sections,
        "fault": None if beside else " ".join(dict.fromkeys([error.detail, *faults.values()])),
    }


def status(error: WanggeError | None) -> int:
    """The status of a form: 200 at first, then that of what refused it."""
    return errors.status_of(error) if error else 200


def token(record: Any) -> str:
    """The version of the record that is edited."""
    return concurrency.etag(record) if record is not None else ""


def check(page: Page, record: Any, form: FormData) -> None:
    """Raise unless the record is as it was when the form was opened."""
    concurrency.check(page.session, record, text_in(form, "version"))


def place(
    page: Page, point: tuple[float, float] | None, *, editable: bool, grid_id: int | None = None
) -> dict[str, Any]:
    """The context ``map``, ``attribution`` and ``point`` of a form with a place; at first it shows the grid named."""
    frame = ground.frame(page)
    bounds = panels.outline(page.session, page.actor, grid_id).bounds if grid_id else None
    if bounds:
        west, south, east, north = bounds
        frame["bounds"] = (south, west, north, east)
    if point:
        # About 200 m around the point, so that it is seen where it is.
        frame["bounds"] = (point[1] - 0.001, point[0] - 0.001, point[1] + 0.001, point[0] + 0.001)
    drawn = placing.placing(**frame, point=point, editable=editable)
    return {**ground.shown(drawn, page.settings), "point": point}


def community_field(page: Page) -> list[Field]:
    """The choice of the community of a new record, when pages are about several."""
    if page.community_id is not None or page.glance is None:
        return []
    names = {str(one.id): one.name for one in page.glance.communities}
    return [select("community_id", _("Community"), None, names, optional=False)]


def community_in(
    page: Page, form: FormData, point: tuple[float, float] | None = None, *, otherwise: int | None = None
) -> units.Unit:
    """The community of a new record: the chosen one, or the one that pages are about, or that of its place.

    Parameters
    ----------
    otherwise
        The community of what the record belongs to, which goes before all.

    Raises
    ------
    Invalid
        There are several, and nothing says which.
    """
    chosen = text_in(form, "community_id")
    found = otherwise or (int(chosen) if chosen.isdecimal() else None) or page.community_id
    if found is None and point:
        found = grids.community_at(page.session, *point)
    if found is None:
        raise Invalid(_("Choose the community, or click a place inside one."), field="community_id")
    return units.community(page.session, page.actor, found)


def point_in(form: FormData) -> tuple[float, float] | None:
    """Longitude and latitude that were typed or clicked; ``None`` when both are empty.

    Raises
    ------
    Invalid
        They are no longitude and latitude in degrees.
    """
    typed = text_in(form, "lon"), text_in(form, "lat")
    if typed == ("", ""):
        return None
    try:
        lon, lat = (float(value) for value in typed)
    except ValueError:
        lon, lat = 999, 999
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise Invalid(_("Give coordinates as longitude and latitude in degrees."), field="lon")
    return lon, lat


def typed_point(form: FormData) -> tuple[float, float] | None:
    """The point that was typed, if it is one."""
    try:
        return point_in(form)
    except Invalid:
        return None


def moved(before: tuple[float, float] | None, after: tuple[float, float] | None) -> bool:
    """Whether a point is another than the form showed, where it stood with six decimals (0.1 m)."""
    if before is None or after is None:
        return before is not after
    return any(f"{one:.6f}" != f"{other:.6f}" for one, other in zip(before, after, strict=True))


def record(
    kind: str, record_id: int | None, title: str, back_label: str, subtitle: str = "", **more: Any
) -> dict[str, Any]:
    """The context ``record`` of ``_form.html`` and ``_history.html``."""
    return {
        "id": record_id,
        "kind": kind,
        "title": title,
        "subtitle": subtitle,
        "back": f"/{kind}",
        "back_label": back_label,
        **more,
    }


def links(kind: str, record_id: int, *, on_map: bool = True) -> list[dict[str, str]]:
    """The links above a record: on the map, and its history."""
    found = [{"href": f"/{kind}/{record_id}/history", "label": _("History"), "icon": "history"}]
    if on_map:
        found.insert(0, {"href": f"/map?at={kind}/{record_id}", "label": _("On the map"), "icon": "map-2"})
    return found


def happened(page: Page, table: str, record_id: int, most: int = 500) -> list[dict[str, Any]]:
    """What happened to a record, newest first, as ``_history.html`` lists it; the actor was shown to see the record."""
    rows = history.of_record(page.session, table, record_id, most)
    places = _places(page, [row.changes for row in rows])
    return [
        {
            "at": words.minute(row.at),
            "who": row.account_name or _("wangge itself"),
            "what": words.actions().get(row.action, row.action),
            "purpose": row.purpose,
            "changes": words.changes(table, history.masked_changes(table, row.changes), places),
        }
        for row in rows
    ]


def past(page: Page, kind: str, table: str, record_id: int, about: dict[str, Any]) -> Response:
    """The page with what happened to a record. The caller has shown that the actor may see it."""
    entries = happened(page, table, record_id)
    return page.show(
        "_history.html",
        section=about.get("section", "ledger"),
        record=about,
        entries=entries,
        paging={"next": None},
    )


def _places(page: Page, changes: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Id → name of the units that changes speak of."""
    pairs = [pair for one in changes for key, pair in one.items() if key in words.UNITS and isinstance(pair, list)]
    ids = {value for pair in pairs for value in pair if isinstance(value, int)}
    return units.names(page.session, ids) if ids else {}
