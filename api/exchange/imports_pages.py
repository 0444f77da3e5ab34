"""The import in steps on pages: choose a file, match its columns, see what would come of it, bring it in.

Every check of a file is a dry run by the worker, so that a large file holds up nobody. What a page shows is what the
newest dry run of the upload found, and below it the import itself once it was started: whoever comes back finds both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi import Path as InPath
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from api.base import forms, ground
from api.base import words as labels
from api.base.fields import ID_MAX
from api.base.page import Page, minute_of, needs, typed
from api.exchange import imports
from api.exchange.exports_pages import systems
from data import glance, locating, units
from data.base import jobs, language
from data.base.errors import Conflict, Invalid, NotFound, WanggeError
from data.base.jobs import Job, JobState, Upload
from data.base.language import _
from data.exchange import background, sent_back, uploads
from data.exchange.importing import PERMISSIONS, Kind, Mends, pace
from data.files import columns
from data.files.formats import SPREADSHEETS
from data.files.values import RejectKind, Type
from maps import exchange

pages = APIRouter(include_in_schema=False)
Import = Annotated[Page, needs("exchange.import")]
Typed = Annotated[FormData, typed]
UploadId = Annotated[int, InPath(ge=1, le=ID_MAX)]

_PER_PAGE = 10
_EARLIER = 10
_ACTIVE = (JobState.QUEUED, JobState.RUNNING)
_DEGREES = ("EPSG:4326", "EPSG:4490")
_TABLES = ("CSV", *SPREADSHEETS)
_KEPT = ("kind", "layer", "crs", "encoding", "mapping", "clean_m", "header")
"""What a check and the import that follows it have in common."""


# ---- words ---------------------------------------------------------------------------------------------------------


def kind_names() -> dict[str, tuple[str, str]]:
    """What can be imported: its name, and what such a file holds."""
    return {
        "grids": (_("Grids"), _("Boundaries with name and code")),
        "buildings": (_("Buildings"), _("Outlines, points or addresses")),
        "households": (_("Households"), _("Number, address, head, special groups")),
        "residents": (_("Residents"), _("People of a household or an address")),
        "incidents": (_("Cases"), _("Category, time, point or address")),
        "basemap": (_("Base map layers"), _("Roads, green, water, walls")),
    }


def _encodings() -> dict[str, str]:
    return {
        "": _("Found out from the file"),
        "UTF-8": "UTF-8",
        "GB18030": "GBK / GB18030",
        "Big5": "Big5",
        "UTF-16": "UTF-16",
        "Windows-1252": "Windows-1252",
    }


def _states() -> dict[str, str]:
    return {
        "queued": _("Waiting"),
        "running": _("Importing"),
        "done": _("Imported"),
        "failed": _("Not imported"),
        "cancelled": _("Cancelled"),
    }


# ---- step 1 --------------------------------------------------------------------------------------------------------


@pages.get("/exchange/import")
def choose(page: Import) -> Response:
    """What comes in, and which file."""
    return _choose(page, page.request.query_params.get("kind", ""))


def _choose(page: Page, kind: str, error: WanggeError | None = None) -> Response:
    allowed = {code: words for code, words in kind_names().items() if page.can.issuperset(PERMISSIONS[Kind(code)])}
    several = forms.community_field(page)
    return page.show(
        "exchange/choose.html",
        section="ledger",
        status=forms.status(error),
        kinds=[{"code": code, "label": label, "hint": hint} for code, (label, hint) in allowed.items()],
        kind=kind if kind in allowed else next(iter(allowed), ""),
        communities=several[0].options if several else [],
        systems=_systems(page),
        encodings=labels.options(_encodings()),
        most_mb=page.settings.upload_max_mb,
        formats=_("GeoJSON, GeoPackage, Shapefile as ZIP, FlatGeobuf, KML, GeoParquet, GPX, DXF, CSV or XLSX."),
        fault=error.detail if error else None,
        earlier=_earlier(page),
        kept_days=page.settings.upload_days,
    )


def _systems(page: Page) -> list[dict[str, str]]:
    names = {one["value"]: one["label"] for one in systems(page)}
    return labels.options({"EPSG:4326": names.pop(""), **names})


def _earlier(page: Page) -> list[dict[str, Any]]:
    names, states = kind_names(), _states()
    return [
        {
            "href": f"/exchange/import/{upload.id}",
            "file": upload.name,
            "kind": names[job.params["kind"]][0],
            "at": minute_of(job.created_at),
            "state": states[job.state],
            "count": f"{job.result['read']:,}" if job.result and "read" in job.result else "—",
        }
        for job, upload in background.earlier(page.session, page.actor, page.community_id, _EARLIER)
    ]


@pages.post("/exchange/import")
def hand_in(page: Import, form: Typed) -> Response:
    """Keep the file, and have it read."""
    kind, file = forms.text_in(form, "kind"), form.get("file")
    try:
        if kind not in kind_names():
            raise Invalid(_("Say what is in the file."), field="kind")
        if not isinstance(file, UploadFile) or not file.filename:
            raise Invalid(_("Choose a file."), field="file")
        community = forms.community_in(page, form)
        upload = uploads.keep(page.session, page.actor, file.file, file.filename, community_id=community.id)
        options = {name: forms.text_in(form, name) or None for name in ("crs", "encoding")}
        _start(page, upload, {"kind": kind, **options}, dry_run=True)
    except forms.REFUSED as error:
        return _choose(page, kind, error)
    return page.go(f"/exchange/import/{upload.id}")


def _start(page: Page, upload: Upload, options: Mapping[str, Any], **more: Any) -> Job:
    assert upload.community_id is not None
    community = units.community(page.session, page.actor, upload.community_id)
    kept = {name: options[name] for name in _KEPT if options.get(name) is not None}
    return background.start_import(
        page.session, page.actor, upload=upload, community=community, language=language.current(), **kept, **more
    )


# ---- steps 2 and 3 -------------------------------------------------------------------------------------------------


class _State:
    """What is known of an upload: its newest check, and the import that came after it."""

    def __init__(self, page: Page, upload_id: int) -> None:
        self.upload = uploads.get(page.session, page.actor, upload_id)
        found = background.of_upload(page.session, page.actor, upload_id)
        checks = [job for job in found if job.params.get("dry_run")]
        if not checks:
            raise NotFound(_("Not found, or outside your area."))
        self.check = checks[0]
        later = [job for job in found if job.id > self.check.id]
        #: The import after the check, and those of rows of it that were mended since, newest first.
        self.job = next((job for job in later if job.params.get("mended") != "only"), None)
        self.mending = [job for job in later if job.params.get("mended") == "only"]
        self.kind = Kind(self.check.params["kind"])
        self.result: dict[str, Any] = self.check.result or {}
        #: What the file is, as far as any check could read it.
        self.file: dict[str, Any] = next(
            (job.result["file"] for job in checks if job.result and "file" in job.result), {}
        )

    @property
    def checking(self) -> bool:
        """Whether the worker has not looked at the rows yet."""
        return self.check.state in _ACTIVE

    @property
    def checked(self) -> bool:
        """Whether it is known what would become of each row."""
        return not self.checking and "reject_kinds" in self.result

    @property
    def imported(self) -> bool:
        """Whether the import is done, so that what was sent back goes in by itself."""
        return self.job is not None and self.job.state == JobState.DONE

    @property
    def newest(self) -> Job | None:
        """What is under way or was done last, after the check."""
        return self.mending[0] if self.mending else self.job

    @cached_property
    def sent_back(self) -> list[sent_back.Row]:
        """The rows that are sent back, as far as they can be shown one by one."""
        if self.imported:
            assert self.job is not None
            return sent_back.left([self.job, *reversed(self.mending)])
        rows = sent_back.of_job(self.check)
        listed = self.result.get("rejects", ())
        return [sent_back.Row(**one) for one in listed] if rows is None else rows

    @property
    def columns(self) -> list[dict[str, Any]]:
        """The columns of the file with the field of each: as was said last, else as it was recognised."""
        said = dict(item.rpartition("=")[::2] for item in self.check.params.get("mapping", ()))
        return [{**one, "field": said.get(one["name"], one["field"]) or ""} for one in self.file.get("columns", ())]


@pages.get("/exchange/import/{upload_id}")
def preview(upload_id: UploadId, page: Import) -> Response:
    """The columns, what would become of the rows, and the import."""
    return _preview(page, _State(page, upload_id))


def _preview(page: Page, state: _State, fault: str | None = None) -> Response:
    fields = columns.fields(state.kind)
    given = {field["field"] for field in state.columns}
    choices = _systems_in_doubt(page, state)
    guard = {"sentence": state.check.detail, "choices": choices} if choices else None
    check = _check(page, state) if state.checked else None
    failed = state.check.state == JobState.FAILED and not state.checked
    if fault is None and guard is None and failed and "missing" not in state.result:
        fault = state.check.detail
    locked = {field.name for field in fields if _is_locked(field)}
    options = [
        {"value": field.name, "label": field.label, "needed": field.required}
        for field in fields
        if field.name != "wkt" or "wkt" in given
    ]
    missing = [field.label for field in fields if field.required and field.name not in given] if state.file else []
    return page.show(
        "exchange/import.html",
        section="ledger",
        upload=_about(page, state, step=3 if check else 2),
        layers=_layers(state),
        columns=[{**field, "locked": field["field"] in locked} for field in state.columns],
        fields=options,
        missing=missing or _named(fields, state.result.get("missing", [])),
        systems=_systems(page),
        encodings=labels.options(_encodings()),
        guard=guard,
        fault=fault,
        notes=_notes(state),
        check=check,
        checking=_progress(state.check, state) if state.checking else None,
        busy=state.checking or (state.newest is not None and state.newest.state in _ACTIVE),
        imported=state.imported,
        accept_valid=False,
        may_import=guard is None and check is not None and check["accepted"] > 0,
        job=_progress(state.newest, state) if state.newest else None,
        **(_map(page, state) if check else {"map": None, "attribution": ""}),
    )


def _is_locked(one: columns.Field) -> bool:
    """Whether a field is stored encrypted."""
    return one.type in (Type.PHONE, Type.IDENTITY) or one.name in ("health", "permit_number")


def _named(fields: tuple[columns.Field, ...], names: list[str]) -> list[str]:
    """Fields that a check found missing, as people call them."""
    known = {one.name: one.label for one in fields}
    return [known.get(name, name) for name in names]


def _about(page: Page, state: _State, step: int) -> dict[str, Any]:
    """The card of the file."""
    file, options, label = state.file, state.check.params, kind_names()[state.kind][0]
    parts = [
        _("sheet “{name}”", name=file["layer"]) if file.get("format") == "XLSX" else file.get("format"),
        _("{count} rows", count=f"{file['rows']:,}") if file else None,
        _size(state.upload.size),
    ]
    how = {
        "given": _("as you said"),
        "stated": _("as the file says"),
        "named": _("as the file’s name says"),
        "format": _("longitude and latitude"),
        "likely": _("taken for it, as the file says nothing"),
    }
    system = {"EPSG:4326": "WGS 84", "EPSG:4490": "CGCS2000"}.get(file.get("crs", ""), file.get("crs"))
    return {
        "id": state.upload.id,
        "file": state.upload.name,
        "about": _(", ").join(part for part in parts if part),
        "kind": state.kind,
        "kind_label": label if language.current() == "zh" else label.lower(),
        "system": system or (_("none in the file") if file else None),
        "system_note": how.get(file.get("crs_how", "")) if system else None,
        "encoding": file.get("encoding"),
        "encoding_note": _("guessed") if file.get("encoding_how") == "guessed" else None,
        "crs": options.get("crs", ""),
        "said_encoding": options.get("encoding", ""),
        "clean_m": options.get("clean_m"),
        "header": options.get("header"),
        "is_table": file.get("format") in _TABLES or not file,
        "step": step,
    }


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"


def _layers(state: _State) -> list[dict[str, Any]]:
    names = state.result.get("layers") or state.file.get("layers", [])
    current = state.check.params.get("layer") or state.file.get("layer")
    return [{"value": name, "label": name, "current": name == current} for name in names]


def _systems_in_doubt(page: Page, state: _State) -> list[dict[str, str]]:
    """The coordinate systems to choose from, when a question about them stands against the import."""
    result = state.result
    if state.check.state != JobState.FAILED or result.get("fault") not in ("DatumDoubt", "CrsNeeded"):
        return []
    if result["fault"] == "CrsNeeded":
        return [one for one in _systems(page) if one["value"].startswith("EPSG:") and one["value"] not in _DEGREES]
    names = {one["value"]: one["label"] for one in _systems(page)}
    return labels.options({result["datum"]: names[result["datum"]], "EPSG:4326": _("As they stand (WGS 84)")})


def _notes(state: _State) -> list[str]:
    """What was done that one would not expect, and how many rows will wait for a place."""
    notes = list(state.result.get("notes", ()))
    if waiting := state.result.get("unlocated"):
        names = locating.reason_names()
        told = _(", ").join(f"{names.get(reason, reason)} {count:,}" for reason, count in waiting.items())
        notes.append(
            _("Without a place for now: {count} ({reasons}).", count=f"{sum(waiting.values()):,}", reasons=told)
        )
    return notes


def _check(page: Page, state: _State) -> dict[str, Any]:
    """What would become of the rows, and a page of those that are sent back."""
    result = state.result
    kinds: dict[str, int] = result["reject_kinds"]
    rejected = sum(kinds.values())
    if state.imported:
        kinds = Counter(row.kind for row in state.sent_back)
    read = result.get("read", state.file.get("rows", 0))
    group = page.request.query_params.get("group", "")
    rows = [row for row in state.sent_back if group in ("", row.kind)]
    start = page.request.query_params.get("start", "")
    first = min(int(start) if start.isdecimal() else 0, max(0, len(rows) - 1)) if len(start) < 9 else 0
    here = f"/exchange/import/{state.upload.id}"

    def address(at: int, name: str = group) -> str:
        return f"{here}?group={name}&start={at}#rejects"

    return {
        "accepted": read - rejected,
        "rejected": rejected,
        **{name: result.get(name, 0) for name in ("repaired", "new", "updated", "unchanged")},
        "groups": [
            {
                "code": code,
                "label": label,
                "count": sum(kinds.values()) if not code else kinds[code],
                "current": code == group,
                "href": address(0, code),
            }
            for code, label in _groups().items()
            if not code or kinds.get(code)
        ],
        "rows": [_sent_back(state, row) for row in rows[first : first + _PER_PAGE]],
        "left": sum(kinds.values()),
        "offered": sum(any(cell.near for cell in row.cells) for row in state.sent_back),
        "mend": f"{here}/mend",
        "start": first,
        "group": group,
        "paging": {
            "first": first + 1,
            "last": min(first + _PER_PAGE, len(rows)),
            "total": len(rows),
            "previous": address(max(0, first - _PER_PAGE)) if first else None,
            "next": address(first + _PER_PAGE) if first + _PER_PAGE < len(rows) else None,
        },
        "download": f"{here}/rejects",
    }


def _sent_back(state: _State, row: sent_back.Row) -> dict[str, Any]:
    """A row that was sent back, with a box for each cell that may be mended."""
    fields = {field.name: field for field in columns.fields(state.kind)}
    return {
        "row": row.row,
        "reason": row.reason,
        "advice": row.advice,
        "offered": any(cell.near for cell in row.cells),
        "cells": [
            {
                "name": f"cell-{row.row}-{at}",
                "column": cell.column,
                "label": fields[cell.field].label,
                "value": cell.value,
                "near": cell.near,
                "words": _words(fields[cell.field]),
            }
            for at, cell in enumerate(row.cells)
        ],
    }


def _words(one: columns.Field) -> list[str]:
    """The words of a list that a cell may hold, as people say them."""
    if not one.choices:
        return []
    chinese = [word for word in columns.words(one.choices) if not word.isascii()]
    return chinese if language.current() == "zh" else [word for word in columns.words(one.choices) if word.isalpha()]


def _groups() -> dict[str, str]:
    return {
        "": _("All"),
        RejectKind.PLACE.value: _("Place"),
        RejectKind.DUPLICATE.value: _("Twice"),
        RejectKind.FORMAT.value: _("Form"),
    }


def _map(page: Page, state: _State) -> dict[str, Any]:
    """The context ``map`` and ``attribution``: where the rows are, on the ground of the community."""
    found = background.look(state.check)
    if found is None:
        return {"map": None, "attribution": ""}
    community = units.community(page.session, page.actor, state.upload.community_id or 0)
    known = glance.bounds(page.session, page.actor, community.id)
    frame = {**ground.frame(page), "bounds": _bounds(known, found), "community": community.code}
    return ground.shown(exchange.preview(**frame, features=found), page.settings)


def _bounds(known: glance.Bounds, found: dict[str, Any]) -> glance.Bounds:
    """The community if rows lie in it, else the rows, so that both what fits and what is far off is seen."""
    import shapely
    from shapely.geometry import shape

    west, south, east, north = (
        float(edge) for edge in shapely.total_bounds([shape(one["geometry"]) for one in found["features"]])
    )
    outside = west > known[3] or east < known[1] or south > known[2] or north < known[0]
    return (south, west, north, east) if outside or known == glance.CHINA else known


# ---- what can be done ----------------------------------------------------------------------------------------------


@pages.post("/exchange/import/{upload_id}/columns")
def match(upload_id: UploadId, page: Import, form: Typed) -> Response:
    """Check the rows with the columns, the layer and the systems as they were chosen."""
    state = _State(page, upload_id)
    if state.job and state.job.state in _ACTIVE:
        return page.go(f"/exchange/import/{upload_id}")
    layer = forms.text_in(form, "layer")
    same = not layer or layer == (state.check.params.get("layer") or state.file.get("layer"))
    mapping = _mapping(state, form) if same else []
    options: dict[str, Any] = {
        "kind": state.kind.value,
        "mapping": mapping or None,
        "layer": layer or state.check.params.get("layer"),
        **{name: forms.text_in(form, name) or None for name in ("crs", "encoding")},
    }
    try:
        options["clean_m"] = _width(forms.text_in(form, "clean_m"))
        row = forms.text_in(form, "header")
        options["header"] = int(row) if row.isascii() and row.isdecimal() and 0 < int(row) <= 1000 else None
        _refuse_twice(state, mapping)
    except Invalid as error:
        return _preview(page, state, error.detail)
    _start(page, state.upload, options, dry_run=True, mends=sent_back.mends_of(state.check) if same else None)
    return page.go(f"/exchange/import/{upload_id}")


def _mapping(state: _State, form: FormData) -> list[str]:
    """Which column is which field, as it was chosen."""
    return [
        f"{one['name']}={forms.text_in(form, f'field-{at}')}"
        for at, one in enumerate(state.columns)
        if f"field-{at}" in form
    ]


def _width(text: str) -> float | None:
    if not text:
        return None
    try:
        width = float(text)
    except ValueError:
        width = 0
    if not 0 < width <= imports.CLEAN_MOST_M:
        raise Invalid(_("Give a width in metres, at most {most:.0f}.", most=imports.CLEAN_MOST_M))
    return width


def _refuse_twice(state: _State, mapping: list[str]) -> None:
    chosen = [item.rpartition("=")[2] for item in mapping]
    for one in columns.fields(state.kind):
        if chosen.count(one.name) > 1:
            raise Invalid(_("“{field}” is chosen for two columns. Leave one of them out.", field=one.label))


@pages.post("/exchange/import/{upload_id}/system")
def settle(upload_id: UploadId, page: Import, form: Typed) -> Response:
    """Check the rows anew with what somebody says that the coordinates are in."""
    state = _State(page, upload_id)
    options = {**state.check.params, "crs": forms.text_in(form, "crs") or None}
    _start(page, state.upload, options, dry_run=True, mends=sent_back.mends_of(state.check))
    return page.go(f"/exchange/import/{upload_id}")


@pages.post("/exchange/import/{upload_id}/start")
def start(upload_id: UploadId, page: Import, form: Typed) -> Response:
    """Bring in what was checked; once it is under way or in, this changes nothing."""
    state = _State(page, upload_id)
    if state.job is None or state.job.state in (JobState.FAILED, JobState.CANCELLED):
        if not state.checked:
            raise Conflict(_("Check the rows first."))
        accept_valid = forms.text_in(form, "accept_valid") == "1"
        mends = sent_back.mends_of(state.check)
        _start(page, state.upload, state.check.params, accept_valid=accept_valid or None, mends=mends)
    return page.go(f"/exchange/import/{upload_id}#import-foot")


@pages.post("/exchange/import/{upload_id}/mend")
def mend(upload_id: UploadId, page: Import, form: Typed) -> Response:
    """Take what somebody mended of the rows that were sent back.

    Before the import they are checked again with all others; after it they go in, and the others are left alone.
    """
    state = _State(page, upload_id)
    group, start = forms.text_in(form, "group"), forms.id_in(form, "start") or 0
    here = f"/exchange/import/{upload_id}?{urlencode({'group': group, 'start': start})}#rejects"
    if state.checking or (state.newest and state.newest.state in _ACTIVE):
        return page.go(here)
    cells = sent_back.mended(state.sent_back, _typed_cells(state, form))
    if not cells:
        return _preview(page, state, _("Nothing was mended: change a cell, or take what is offered."))
    if state.imported:
        earlier = sent_back.mends_of(state.job) if state.job else None
        mends = Mends(cells, frozenset(cells))
        mends = mends.over(earlier) if earlier else mends
        _start(page, state.upload, state.check.params, accept_valid=True, mends=mends)
        return page.go(here)
    earlier = sent_back.mends_of(state.check)
    _start(page, state.upload, state.check.params, dry_run=True, mends=Mends(cells).over(earlier or Mends()))
    return page.go(f"/exchange/import/{upload_id}")


def _typed_cells(state: _State, form: FormData) -> dict[tuple[int, str], str]:
    """What was typed, by row and column; what is offered is taken of one row, or of all of them."""
    taken = forms.text_in(form, "adopt")
    found: dict[tuple[int, str], str] = {}
    for one in state.sent_back:
        for at, cell in enumerate(one.cells):
            if (name := f"cell-{one.row}-{at}") in form:
                found[one.row, cell.column] = forms.text_in(form, name)
            if cell.near and taken in ("all", str(one.row)):
                found[one.row, cell.column] = cell.near
    return found


@pages.get("/exchange/import/{upload_id}/progress")
def progress(upload_id: UploadId, page: Import) -> Response:
    """How far it is; the page is loaded again once the rows were checked, or are in."""
    state = _State(page, upload_id)
    job = state.newest
    if job is None and not state.checking:
        return Response(headers={"HX-Refresh": "true"})
    answer = page.fragment("exchange/progress.html", job=_progress(job or state.check, state))
    if job is not None and job.state not in _ACTIVE:
        answer.headers["HX-Refresh"] = "true"
    return answer


@pages.post("/exchange/import/{upload_id}/cancel")
def cancel(upload_id: UploadId, page: Import) -> Response:
    """Stop the check or the import; nothing is written."""
    state = _State(page, upload_id)
    jobs.cancel(page.session, page.actor, (state.newest or state.check).id)
    return page.go(f"/exchange/import/{upload_id}")


@pages.get("/exchange/import/{upload_id}/rejects")
def rejects(upload_id: UploadId, page: Import) -> Response:
    """The rows that were sent back, as a file."""
    state = _State(page, upload_id)
    return imports.rejects(state.job if state.job and state.job.state == JobState.DONE else state.check)


def _progress(job: Job, state: _State) -> dict[str, Any]:
    """The context ``job`` of ``exchange/progress.html``."""
    result = job.result or {}
    done = pace.share(job.step, job.done, job.total)
    elapsed_s = (datetime.now(UTC) - job.started_at).total_seconds() if job.started_at else 0.0
    places = {"grids": "/grids", "basemap": "/map"}
    sentence = _(
        "{new} new, {updated} changed, {unchanged} as they were.",
        **{name: f"{result.get(name, 0):,}" for name in ("new", "updated", "unchanged")},
    )
    return {
        "id": state.upload.id,
        "accept_valid": bool(job.params.get("accept_valid")),
        "checks": bool(job.params.get("dry_run")),
        "mends": job.params.get("mended") == "only",
        "state": "waiting" if job.state == JobState.QUEUED else job.state,
        "step": _(job.step) if job.step else "",
        "share": done,
        "rows": job.done,
        "total": job.total or 0,
        "left_s": pace.remaining_s(done, elapsed_s),
        "summary": sentence if job.state == JobState.DONE else "",
        "fault": job.detail or "",
        "rejects": f"/exchange/import/{state.upload.id}/rejects" if result.get("rejects_file") else None,
        "waiting": sum(result.get("unlocated", {}).values()),
        "kind": state.kind.value,
        "see": places.get(state.kind, f"/{state.kind}"),
    }
