"""Tracks from files on a page: what would be left out of a file, and why, before anything is kept."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from api.base import forms, ground, ledgers, tabs
from api.base.page import Page, needs, typed
from api.patrols.pages import drawn_track, drops, sentence
from data import patrols, units
from data.base.errors import Invalid, WanggeError
from data.base.language import _
from data.exchange import patrols as files
from data.exchange.patrols import Imported
from data.exchange.tracks import BYTES_MAX
from maps import patrols as patrol_maps

pages = APIRouter(include_in_schema=False)
Record = Annotated[Page, needs("patrol.record")]
Typed = Annotated[FormData, typed]


@pages.get("/patrols/upload")
def choose(page: Record) -> Response:
    """The form for a track."""
    return _form(page)


@pages.post("/patrols/upload/preview")
def preview(page: Record, form: Typed) -> Response:
    """What a file would bring: it is brought in and taken back again."""
    try:
        with page.session.begin_nested() as trial:
            tracks = _bring_in(page, form)
            drawn = [
                drawn_track(page, patrols.get(page.session, page.actor, track.patrol_id))
                for track in tracks
                if track.patrol_id
            ]
            trial.rollback()
    except forms.REFUSED as error:
        # A file that cannot be taken is an answer like any other: htmx shows what comes with status 200.
        return page.fragment("patrols/preview.html", fault=error.detail)
    return page.fragment(
        "patrols/preview.html",
        fault="",
        tracks=[_told(track) for track in tracks],
        track={name: [item for lines in drawn for item in lines[name]] for name in ("parts", "dropped")},
    )


@pages.post("/patrols/upload")
def keep(page: Record, form: Typed) -> Response:
    """Bring in a track."""
    try:
        with page.attempt():
            told = _bring_in(page, form)
    except forms.REFUSED as error:
        return _form(page, error)
    taken = [one for one in told if one.patrol_id]
    new = sum(not one.known for one in taken)
    said = _(
        "Brought in: {new}. Known before: {known}. Refused: {refused}.",
        new=new,
        known=len(taken) - new,
        refused=len(told) - len(taken),
    )
    return page.go(f"/patrols/{taken[0].patrol_id}" if len(taken) == 1 else "/patrols", said)


def _bring_in(page: Page, form: FormData) -> list[Imported]:
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise Invalid(_("Choose a file first."))
    if (file.size or 0) > BYTES_MAX:
        raise Invalid(_("The file has more than {most} MB.", most=BYTES_MAX // 1_000_000))
    if page.community_id is None:
        raise Invalid(_("Choose a community at the top of the page first."))
    return files.bring_in(
        page.session,
        page.actor,
        file.file.read(),
        file.filename,
        community=units.community(page.session, page.actor, page.community_id),
        grid_id=forms.id_in(form, "grid_id"),
        day=_day(form),
    )


def _day(form: FormData) -> date | None:
    text = forms.text_in(form, "day")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Invalid(_("Give a day, such as 2026-03-17."), field="day") from error


def _told(one: Imported) -> dict[str, Any]:
    return {
        "title": one.name or _("Track"),
        "sentence": " ".join(filter(None, [one.refused or sentence(one.points, one.kept), one.note])),
        "known": one.known,
        "refused": bool(one.refused),
        "dropped": drops(Counter(one.dropped)),
    }


def _form(page: Page, error: WanggeError | None = None) -> Response:
    return page.show(
        "patrols/upload.html",
        section="patrols",
        tabs=tabs.patrols(page, "patrols"),
        status=forms.status(error),
        fault=error.detail if error else "",
        grids=ledgers.grids_of(page),
        **ground.shown(patrol_maps.walked(**ground.frame(page)), page.settings),
    )
