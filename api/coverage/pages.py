"""Coverage on a page: what patrols passed on the map, what nobody passed as a list, and whether the rhythm was kept."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ground, tabs, words
from api.base import page as pages_
from api.base.listing import From, To
from api.base.page import Page, local, needs, typed
from data import coverage, glance, rounds, units
from data.base import language, settings
from data.base.errors import Invalid
from data.base.language import _
from data.coverage import Kind, Status
from data.rounds import Rhythm
from maps import coverage as coverage_maps

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("coverage.read")]
Edit = Annotated[Page, needs("patrol.edit")]
Typed = Annotated[FormData, typed]

DISTANCES_M = (10, 15, 25, 50, 100)
#: More places of a kind than this are not listed, only shown on the map.
_MOST = 100

#: Id of a place → its name and code.
_Places = dict[int | None, tuple[str, str]]


@dataclass(frozen=True)
class Asked:
    """What the address asks for: days (the last included), distance, grid, and of several communities one."""

    days: str
    first: date
    last: date
    distance_m: int
    grid: str | None
    community: str | None = None

    @property
    def query(self) -> dict[str, Any]:
        """The same as the parameters of an address."""
        period = {"from": self.first.isoformat(), "to": self.last.isoformat()} if self.days == "custom" else {}
        place = {"community": self.community, "grid": self.grid}
        named = {name: code for name, code in place.items() if code}
        return {"days": self.days, **period, "distance": self.distance_m, **named}


def asked(
    days: Annotated[str, Query(pattern="^(1|7|30|custom)$")] = "7",
    first: From = None,
    last: To = None,
    distance: Annotated[int, Query(ge=5, le=100)] = int(coverage.DISTANCE_M),
    grid: Annotated[str, Query(max_length=64)] = "",
    community: Annotated[str, Query(max_length=64)] = "",
) -> Asked:
    """What the address asks for."""
    today = settings.today()
    if days == "custom" and first and last:
        return Asked(days, first, last, distance, grid or None, community or None)
    days = "7" if days == "custom" else days
    return Asked(days, today - timedelta(days=int(days) - 1), today, distance, grid or None, community or None)


def asked_usually() -> Asked:
    """What is shown when nothing is asked for."""
    return asked(days="7", first=None, last=None, distance=int(coverage.DISTANCE_M), grid="", community="")


Wanted = Annotated[Asked, Depends(asked)]


def _wanted(page: Page, asked: Asked) -> tuple[units.Unit | None, coverage.Filter]:
    """The community that is looked at (None for all of several), and the filter."""
    found = page.glance
    named = next((one for one in found.communities if one.code == asked.community), None) if found else None
    community = named or (found.community if found else None)
    code = community.code if community else None if found else "-"
    return community, coverage.Filter(
        first=asked.first, last=asked.last, community=code, grid=asked.grid or None, distance_m=asked.distance_m
    )


@pages.get("/coverage")
def shown(page: Read, wanted: Wanted) -> Response:
    """The map and the lists of what was passed in a period."""
    wanted, fault, rows = _told(page, wanted)
    community, _filter = _wanted(page, wanted)
    frame = ground.frame(page)
    if community is not None and page.community_id != community.id:
        frame |= {"bounds": glance.bounds(page.session, page.actor, community.id), "community": community.code}
    name = community.name if community else page.glance.name if page.glance else ""
    drawn = coverage_maps.coverage(
        **frame, features=f"/coverage/features?{urlencode(wanted.query)}", title=f"{_('Coverage')} · {name}"
    )
    counts = {kind: Counter(row.status for row in rows if row.kind == kind) for kind in coverage_maps.kind_names()}
    missed = _missed(rows, wanted)
    return page.show(
        "coverage/map.html",
        section="patrols",
        tabs=tabs.patrols(page, "coverage"),
        filters={
            "days": wanted.days,
            "first": wanted.first.isoformat(),
            "last": wanted.last.isoformat(),
            "distance": wanted.distance_m,
            "distances": sorted({*DISTANCES_M, wanted.distance_m}),
            "grid": wanted.grid or "",
            "grids": _grids(page, community),
        },
        sentence=sentence(rows, wanted),
        statuses=coverage_maps.status_names(),
        kinds={code: label for code, label in coverage_maps.kind_names().items() if counts[code]},
        counts=counts,
        totals=sum(counts.values(), Counter()),
        asked_community=wanted.community or "",
        levels=_levels(page, wanted, community, rows),
        fault=fault,
        missed=missed,
        how=_how(wanted),
        rhythm=_rhythm(page, community, wanted),
        **ground.shown(drawn, page.settings),
    )


def _told(page: Page, asked: Asked) -> tuple[Asked, str, Sequence[Any]]:
    """What is shown, why it is not what was asked for if it is not, and the items: whatever the page counts."""
    fault = ""
    usual = replace(asked, distance_m=int(coverage.DISTANCE_M))
    first = page.glance.communities[0].code if page.glance else None
    alone = replace(usual, community=asked.community or first)
    for tried in (asked, usual, alone, replace(asked_usually(), grid=asked.grid, community=alone.community)):
        _community, filter_ = _wanted(page, tried)
        try:
            return tried, fault, coverage.of(page.session, page.actor, filter_)
        except Invalid as error:
            fault = fault or error.detail
    raise Invalid(fault)


@pages.post("/coverage/rhythm")
def set_rhythm(page: Edit, form: Typed) -> Response:
    """Say how often buildings, streets and assets are to be passed, in a grid or the whole community."""
    community = units.by_code(page.session, page.actor, forms.text_in(form, "community"), units.Level.COMMUNITY)
    code = forms.text_in(form, "grid")
    grid = units.by_code(page.session, page.actor, code, units.Level.GRID) if code else None
    for kind in Kind:
        chosen = forms.text_in(form, kind.value)
        coverage.set_rule(
            page.session,
            page.actor,
            community_id=community.id,
            grid_id=grid.id if grid else None,
            kind=kind,
            rhythm=Rhythm(chosen) if chosen in list(Rhythm) else None,
        )
    return page.go(pages_.inside(forms.text_in(form, "next"), "/coverage"), _("Saved."))


@pages.get("/coverage/features")
def features(page: Read, wanted: Wanted) -> Response:
    """The same for the map, as GeoJSON: ``kind id name status last_seen by``."""
    _community, filter_ = _wanted(page, wanted)
    features = ",".join(
        '{{"type":"Feature","geometry":{},"properties":{}}}'.format(
            row.geojson,
            json.dumps(
                {
                    "kind": row.kind,
                    "id": row.id,
                    "name": name_of(row),
                    "status": row.status,
                    "by": row.by,
                    "last_seen": words.minute(row.last_seen_at) if row.last_seen_at else None,
                },
                ensure_ascii=False,
            ),
        )
        for row in coverage.of(page.session, page.actor, filter_)
        if row.geojson
    )
    return Response(f'{{"type":"FeatureCollection","features":[{features}]}}', media_type="application/geo+json")


def name_of(row: Any) -> str:
    """What a place is called: a building by its number, a piece of street by its street."""
    if row.kind == Kind.BUILDING:
        # A name that is a number with 号楼 is told as buildings are told everywhere else.
        return words.building(re.sub(r"\s*号楼$", "", row.name or ""), row.name)
    if row.kind == Kind.STREET:
        return row.name or (_("Path") if row.detail == "path" else _("Road without a name"))
    kind = {"street_lamp": _("Street lamp"), "hydrant": _("Hydrant")}.get(row.detail, row.detail)
    return _("{kind} {number}", kind=kind, number=row.name)


def sentence(rows: Sequence[Any], asked: Asked) -> str:
    """What it comes to: buildings that nobody passed, and how much of the streets was walked.

    It counts what the bars add up to and the list holds: all that is on the map.
    """
    buildings = coverage.tally(row for row in rows if row.kind == Kind.BUILDING)
    period = _period(asked)
    if not buildings.total:
        return _("There is no building here to pass.")
    total, missed, poor = buildings.total, buildings.not_seen, buildings.too_poor
    if missed:
        parts = [_("Of {total} buildings, nobody passed {missed} {period}.", total=total, missed=missed, period=period)]
    elif poor:
        parts = [_("{total} buildings: none is known to have been missed {period}.", total=total, period=period)]
    else:
        parts = [_("All {total} buildings were passed {period}.", total=total, period=period)]
    if poor:
        parts.append(_("For {poor} the GPS is too poor to say.", poor=poor))
    length_m = sum(row.length_m or 0 for row in rows if row.kind == Kind.STREET)
    if length_m:
        seen_m = sum((row.length_m or 0) * row.seen_share for row in rows if row.kind == Kind.STREET)
        parts.append(_("Streets: {seen} of {all} walked.", seen=words.length(seen_m), all=words.length(length_m)))
    return ("" if language.current() == "zh" else " ").join(parts)


def _period(asked: Asked) -> str:
    if asked.days == "1":
        return _("today")
    if asked.days == "custom":
        return _("from {first} to {last}", first=asked.first, last=asked.last)
    return _("in the last {count} days", count=asked.days)


def _grids(page: Page, community: units.Unit | None) -> list[dict[str, str]]:
    if community is None:
        return []
    found = units.listed(page.session, page.actor, level=units.Level.GRID, under=community.id)
    return [{"code": one.code, "name": one.name} for one in found]


def _levels(page: Page, asked: Asked, community: units.Unit | None, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """What was seen in each grid; of several communities in each of them, and in each of their street offices."""
    buildings = [row for row in rows if row.kind == Kind.BUILDING]
    if community:
        grids: _Places = {row.grid_id: (row.grid_name, row.grid_code) for row in buildings}
        return [{"title": _("By grid"), "rows": _shares(buildings, asked, "grid", grids, lambda row: row.grid_id)}]
    communities = {one.id: one for one in page.glance.communities} if page.glance else {}
    names: _Places = {one.id: (one.name, one.code) for one in communities.values()}
    shares = _shares(buildings, asked, "community", names, lambda row: row.community_id)
    found = [{"title": _("By community"), "rows": shares}]
    above = {one.parent_id for one in communities.values() if one.parent_id}
    if len(above) > 1:
        streets: _Places = {id_: (name, "") for id_, name in units.names(page.session, above).items()}
        shares = _shares(buildings, asked, "", streets, lambda row: communities[row.community_id].parent_id)
        found.insert(0, {"title": _("By street office"), "rows": shares})
    return found


def _shares(
    buildings: Sequence[Any],
    asked: Asked,
    narrows: str,
    names: _Places,
    place: Callable[[Any], int | None],
) -> list[dict[str, Any]]:
    """What was seen of the buildings of each place, the least first.

    Parameters
    ----------
    narrows
        The parameter by which a row leads to itself.
    names
        Id of a place → its name and code.
    place
        The place of a building.
    """
    inside: dict[int | None, list[Any]] = {}
    for row in buildings:
        inside.setdefault(place(row), []).append(row)
    bars = []
    for id_, tally in sorted(
        ((id_, coverage.tally(some)) for id_, some in inside.items() if id_ in names), key=lambda one: one[1].share
    ):
        name, code = names[id_]
        kept = _("{kept} of {due} passed as often as planned", kept=tally.kept, due=tally.due)
        bars.append(
            {
                "name": name,
                "href": f"/coverage?{urlencode({**asked.query, narrows: code})}" if narrows and code else "",
                "share": tally.share,
                "poor_share": tally.too_poor / tally.total,
                "says": f"{tally.seen}/{tally.total} · {tally.share:.0%}",
                "rhythm": kept if tally.due else "",
                "late": tally.kept < tally.due,
            }
        )
    return bars


def _rhythm(page: Page, community: units.Unit | None, asked: Asked) -> dict[str, Any] | None:
    """How often each kind is to be passed here, for those who may say so: the rule of the grid or the community."""
    if community is None or not page.may("patrol.edit", community.id, _grid_id(page, asked)):
        return None
    rules = coverage.rules(page.session, page.actor, community=community.code)
    here = {row.kind: row.rhythm for row in rules if row.grid_code == asked.grid}
    names = coverage_maps.kind_names()
    return {
        "community": community.code,
        "grid": asked.grid or "",
        "next": f"/coverage?{urlencode(asked.query)}",
        "kinds": [{"code": code, "label": names[code], "value": here.get(code, "")} for code in names],
        "options": words.options(rounds.rhythm_names()),
    }


def _grid_id(page: Page, asked: Asked) -> int | None:
    return units.by_code(page.session, page.actor, asked.grid, units.Level.GRID).id if asked.grid else None


def _missed(rows: Sequence[Any], asked: Asked) -> list[dict[str, Any]]:
    """What was not passed, kind by kind; streets by name, each with the pieces that are left of it."""
    left = [row for row in rows if row.status != Status.SEEN]
    left.sort(key=lambda row: row.status != Status.NOT_SEEN)
    groups = []
    for kind, label in coverage_maps.kind_names().items():
        if kind == Kind.STREET:
            some = [_street(street, asked) for street in coverage.by_street(rows) if street.missed]
        else:
            some = [_place(row, asked) for row in left if row.kind == kind]
        if some:
            counts = {"count": len(some), "more": max(0, len(some) - _MOST)}
            groups.append({"label": label, "kind": kind, "rows": some[:_MOST], **counts, "says": _left(kind, left)})
    return groups


def _left(kind: str, left: Sequence[Any]) -> str:
    """What the number of places of a kind is made of; of streets it counts names, not pieces."""
    tally = coverage.tally(row for row in left if row.kind == kind)
    if kind == Kind.STREET or not (tally.not_seen and tally.too_poor):
        return ""
    return _("{missed} not passed, {poor} not known", missed=tally.not_seen, poor=tally.too_poor)


def _place(row: Any, asked: Asked, name: str | None = None) -> dict[str, Any]:
    key = f"{row.kind}/{row.id}"
    says = (row.grid_name, words.length(row.length_m), _last(row, asked)) if name is None else (_last(row, asked),)
    return {
        "key": key,
        "href": f"/coverage?{urlencode({**asked.query, 'at': key}, safe='/')}",
        "name": name or name_of(row),
        "status": row.status,
        "status_name": coverage_maps.status_names()[row.status],
        "says": _(", ").join(part for part in says if part),
    }


def _street(street: coverage.Street, asked: Asked) -> dict[str, Any]:
    pieces = [
        _place(row, asked, _(", ").join(part for part in (row.grid_name, words.length(row.length_m)) if part))
        for row in street.missed
    ]
    return {
        "name": name_of(street.pieces[0]),
        "status": street.status,
        "says": _(
            "{share} of {length} walked, {grids}",
            share=f"{street.share:.0%}",
            length=words.length(street.length_m),
            grids=_(", ").join(street.grid_names),
        ),
        "pieces": pieces,
        "pieces_name": _("{count} pieces left", count=len(pieces)),
    }


def _last(row: Any, asked: Asked) -> str:
    """When it was last passed; from another distance than the usual one only the period was looked at."""
    if row.last_seen_at is None:
        return _("never passed") if asked.distance_m == coverage.DISTANCE_M else ""
    days = (settings.today() - local(row.last_seen_at).date()).days
    ago = _("today") if days == 0 else _("{count} days ago", count=days)
    return _("last {ago}, {name}", ago=ago, name=row.by) if row.by else _("last {ago}", ago=ago)


def _how(asked: Asked) -> list[str]:
    """How it is worked out, in words."""
    return [
        _(
            "Passed: with at least 90% certainty somebody came within {distance} m. A point that is known to 5 "
            "m counts "
            "for more than one known to 30 m.",
            distance=asked.distance_m,
        ),
        _("GPS too poor to say: somebody may have come that near, but the points do not tell."),
        _("A piece of street is at most 50 m long and counts when half of it was passed."),
        _("Points that cannot be true (jumps, cars, invented positions) are left out first; each patrol shows which."),
    ]
