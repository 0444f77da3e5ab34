"""Patrols on pages: who walked where and when, one patrol with what was left out of it, and the replay of a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import shapely
from fastapi import APIRouter, Query
from geoalchemy2.shape import to_shape
from starlette.responses import JSONResponse, Response

from api.base import ground, ledgers, tabs, words
from api.base.fields import Day, Id
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, local, needs
from api.patrols.routes import PatrolFilters
from data import buildings, incidents, patrols
from data.base.language import _
from data.patrols import Patrol
from maps import patrols as patrol_maps

pages = APIRouter(include_in_schema=False)
#: Everybody sees their own patrols; those of others only of days on which traces were ordered (``data.traces``).
Read = Annotated[Page, needs("coverage.read")]

#: More dropped points than this are not shown one by one.
_MOST = 2000
#: Seconds between two points of a replay.
_STEP_S = 5
#: 0.1 m in degrees: what a line on the screen does not show.
_FINE = 1e-6


def reason_names() -> dict[str, tuple[str, str]]:
    """Why a point was left out: reason → what it is called, and what that means."""
    return {
        "undefined": (_("No coordinates"), _("The file or the phone gives no place, or one that does not exist.")),
        "inaccurate": (_("Accuracy too poor"), _("The receiver itself says that it may be far off.")),
        "mock": (_("Not received"), _("Accuracy 0, or more regular than any receiver: an invented position.")),
        "no_time": (_("No time"), _("There is no time, or one that cannot be true, such as 1901.")),
        "backwards": (_("Time out of order"), _("The time is earlier than that of the points before.")),
        "repeated": (_("Recorded twice"), _("Another point has the same time.")),
        "jump": (_("Jump"), _("Nobody gets there and back that fast.")),
        "sudden": (_("Sudden turn"), _("Nobody starts, stops or turns that hard.")),
        "too_fast": (_("Faster than a bicycle"), _("It was passed in a car or a train.")),
        "standing": (_("Drift while standing"), _("Somebody stood still and the position wandered around them.")),
    }


def drops(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """What was left out, by reason, for the lists of pages."""
    names = reason_names()
    return [
        {"code": code, "label": names.get(code, (code, ""))[0], "says": names.get(code, ("", ""))[1], "count": count}
        for code, count in counts.items()
    ]


@pages.get("/patrols")
def listed(page: Read) -> Response:
    """The patrols, newest first."""
    query = patrols.selection(page.actor, ledgers.wanted(page, PatrolFilters))
    columns = [
        Column(_("Began"), sort="started"),
        Column(_("Who"), lead=True),
        Column(_("Grid"), lead=True),
        Column(_("Took"), number=True),
        Column(_("Length"), number=True, side=True),
        Column(_("Track points"), number=True),
        Column(_("Left out"), number=True),
        Column(_("Source")),
    ]
    listing = Listing(query, patrols.SORTS, Patrol.id, "-started")
    filters = [
        ledgers.by_grid(page),
        ledgers.day("from", _("From")),
        ledgers.day("to", _("To")),
        ledgers.choice("running", _("Under way or ended"), {"true": _("Under way"), "false": _("Ended")}),
    ]
    table = ledgers.table(page, listing, columns, _cells, "patrols")
    head = ledgers.head(page, _("Patrols"), "patrols", goes_out=False, comes_in=False)
    if "patrol.record" in page.can:
        head["new"] = {"href": "/patrols/upload", "label": _("Bring in a track")}
    return page.show(
        "patrols/list.html",
        section="patrols",
        page=head,
        tabs=tabs.patrols(page, "patrols"),
        replay="patrol.read" in page.can or "patrol.record" in page.can,
        **ledgers.filtered(page, filters),
        **table,
    )


def _cells(row: Any) -> list[Cell]:
    return [
        words.minute(row.started_at),
        row.account_name,
        row.grid_name or _("The whole community"),
        _time(row) or {"text": _("under way"), "tag": "care"},
        words.length(row.length_m),
        row.point_count,
        {"text": f"{row.dropped_count:,}", "tone": "quiet"} if row.dropped_count else 0,
        source_names().get(row.source, row.source),
    ]


def source_names() -> dict[str, str]:
    """Where a track comes from."""
    return {"phone": _("A phone"), "gpx": "GPX", "geojson": "GeoJSON"}


def _time(row: Any) -> str:
    return words.span((row.stopped_at - row.started_at).total_seconds()) if row.stopped_at else ""


def _today() -> date:
    return local(datetime.now(UTC)).date()


@pages.get("/patrols/replay")
def replay(page: Read, day: Annotated[Day | None, Query()] = None) -> Response:
    """The patrols of a day under a time slider."""
    on = day or _last_day(page) or _today()
    rows = _of_day(page, on)
    drawn = patrol_maps.replay(
        **ground.frame(page), tracks=f"/patrols/replay/tracks?day={on}", timezone=page.settings.timezone
    )
    return page.show(
        "patrols/replay.html",
        section="patrols",
        tabs=tabs.patrols(page, "patrols"),
        day=on.isoformat(),
        before=on - timedelta(days=1),
        after=on + timedelta(days=1) if on < _today() else None,
        last=None if rows else _last_day(page),
        patrols=[
            {
                "href": f"/patrols/{row.id}",
                "title": row.account_name or row.name or "—",
                "says": _(", ").join(part for part in (_clock(row), row.grid_name, words.length(row.length_m)) if part),
            }
            for row in rows
        ],
        **ground.shown(drawn, page.settings),
    )


def _last_day(page: Page) -> date | None:
    """The last day on which somebody walked, of those that one may see."""
    at = patrols.last_started_at(page.session, page.actor, page.community)
    return local(at).date() if at else None


def _clock(row: Any) -> str:
    ends = f"{local(row.stopped_at):%H:%M}" if row.stopped_at else _("under way")
    return _("{low}–{high}", low=f"{local(row.started_at):%H:%M}", high=ends)


def _of_day(page: Page, day: date) -> Sequence[Any]:
    wanted = patrols.Filter(community=page.community, first=day, last=day)
    return patrols.listed(page.session, page.actor, wanted, most=200)


@pages.get("/patrols/replay/tracks")
def tracks(page: Read, day: Annotated[Day | None, Query()] = None) -> Response:
    """The kept points of a day's patrols: ``parts`` of ``[lon, lat, seconds since 1970]``, at most one in 5 seconds."""
    shown = []
    rows = _of_day(page, day or _today())
    patrols.looked_at(page.session, page.actor, [row.id for row in rows])
    for row in rows:
        parts: dict[int, list[list[float]]] = {}
        for point in patrols.points(page.session, patrols.get(page.session, page.actor, row.id)):
            if not point.kept or point.at is None:
                continue
            part, at = parts.setdefault(point.part, []), point.at.timestamp()
            if not part or at - part[-1][2] >= _STEP_S:
                part.append([round(point.lon, 6), round(point.lat, 6), round(at, 1)])
        shown.append({"id": row.id, "who": row.account_name or row.name or "", "parts": list(parts.values())})
    return JSONResponse({"patrols": shown})


@pages.get("/patrols/{patrol_id}")
def record(patrol_id: Id, page: Read) -> Response:
    """One patrol: its track, its check-ins and cases, and what was left out of it and why."""
    patrol = patrols.get(page.session, page.actor, patrol_id)
    patrols.looked_at(page.session, page.actor, [patrol.id])
    row = patrols.row(page.session, patrol)
    left_out = patrols.dropped(page.session, patrol)
    kept = row.point_count - row.dropped_count
    cases = [check_in.incident_id for check_in in patrols.notes(page.session, patrol)]
    frame = ground.frame(page)
    if patrol.geom is not None:
        west, south, east, north = to_shape(patrol.geom).bounds
        frame["bounds"] = (south, west, north, east)
    drawn = patrol_maps.walked(**frame, points=f"/patrols/{patrol.id}/track")
    return page.show(
        "patrols/record.html",
        section="patrols",
        tabs=tabs.patrols(page, "patrols"),
        patrol={
            "title": row.account_name or row.name or _("Patrol"),
            "subtitle": _(", ").join(
                part for part in (f"{words.day(row.started_at)} {_clock(row)}", row.grid_name) if part
            ),
            "sentence": sentence(row.point_count, kept),
            "replay": f"/patrols/replay?day={local(row.started_at).date()}",
            "facts": _facts(row),
            "recorded": patrol.account_id != page.actor.account_id,
        },
        figures=[
            {"value": words.length(row.length_m), "label": _("Length")},
            {"value": _time(row) or "—", "label": _("Took")},
            {"value": f"{kept:,}", "label": _("Track points")},
            {"value": f"{row.dropped_count:,}", "label": _("Left out")},
        ],
        dropped=drops(left_out),
        check_ins=[
            {
                "href": f"/buildings/{check_in.building_id}",
                "title": name,
                "at": " · ".join(filter(None, [f"{local(check_in.at):%H:%M}", words.length(check_in.distance_m)])),
            }
            for check_in, name in _check_ins(page, patrol)
        ],
        cases=_cases(page, cases),
        **ground.shown(drawn, page.settings),
    )


def sentence(points: int, kept: int) -> str:
    """What of a track is believed."""
    if not points:
        return _("No point has arrived yet.")
    if kept == points:
        return _("All {count} points are believed.", count=f"{points:,}")
    return _(
        "{kept} of {count} points are believed, {left} left out.",
        kept=f"{kept:,}",
        count=f"{points:,}",
        left=f"{points - kept:,}",
    )


def _facts(row: Any) -> list[dict[str, Any]]:
    facts = [
        {"label": _("Grid"), "value": row.grid_name or _("The whole community")},
        {"label": _("Began"), "value": words.minute(row.started_at)},
        {"label": _("Ended"), "value": words.minute(row.stopped_at) if row.stopped_at else _("under way")},
        {"label": _("Source"), "value": source_names().get(row.source, row.source)},
    ]
    return facts + ([{"label": _("Track"), "value": row.name}] if row.name else [])


def _check_ins(page: Page, found: Patrol) -> list[tuple[Any, str]]:
    """The check-ins of a patrol, each with what its building is called."""
    rows = patrols.check_ins(page.session, found)
    passed = buildings.titles(page.session, page.actor, {row.building_id for row in rows})
    names = {row.id: words.building(row.number, row.name, row.code) for row in passed}
    return [(row, names.get(row.building_id, "—")) for row in rows]


def _cases(page: Page, ids: list[int]) -> list[dict[str, Any]]:
    if not ids or "incident.read" not in page.can:
        return []
    return [words.case(row) for row in incidents.chosen(page.session, page.actor, ids)]


@pages.get("/patrols/{patrol_id}/track")
def track(patrol_id: Id, page: Read) -> Response:
    """A patrol for its map: ``parts`` walked without a gap, ``dropped`` points with their reasons, ``check_ins``."""
    found = patrols.get(page.session, page.actor, patrol_id)
    patrols.looked_at(page.session, page.actor, [found.id])
    checked = [
        {"lon": one.lon, "lat": one.lat, "says": name} for one, name in _check_ins(page, found) if one.lon is not None
    ]
    return JSONResponse({**drawn_track(page, found), "check_ins": checked})


def drawn_track(page: Page, found: Patrol) -> dict[str, Any]:
    """``parts`` and ``dropped`` of a patrol, as ``walked.js`` draws them."""
    names = reason_names()
    lines = [] if found.geom is None else shapely.get_parts(shapely.simplify(to_shape(found.geom), _FINE)).tolist()
    left_out = [
        {"lon": one.lon, "lat": one.lat, "reason": one.reason, "says": names.get(one.reason, (one.reason, ""))[0]}
        for one in patrols.points(page.session, found)
        if one.reason and one.lon is not None and one.lat is not None
    ]
    return {"parts": [list(line.coords) for line in lines], "dropped": left_out[:_MOST]}
