"""Files out on a page: what a list or the map shows, with the same filter, as a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ledgers
from api.base import words as labels
from api.base.fields import Code
from api.base.page import Page, needs, typed
from api.exchange import exports as exchange
from api.exchange.exports import FILTERS, Asked
from data.base import access, language, listing
from data.base.errors import Conflict, Forbidden, Invalid, WanggeError
from data.base.language import _
from data.exchange import outgoing
from data.exchange.outgoing import LAYERS, Layer
from data.files.writing import Format

pages = APIRouter(include_in_schema=False)
Export = Annotated[Page, needs("exchange.export")]
Typed = Annotated[FormData, typed]

#: What the form itself says; the rest of it is the filter.
_OWN = ("csrf_token", "once", "layer", "format", "crs", "as_of", "purpose")
_REFUSED = (Invalid, Conflict, Forbidden)


def layer_names(page: Page) -> dict[str, str]:
    """The layers that this person may see, by what they are called."""
    names = {
        "incidents": _("Cases"),
        "diary": _("Diary"),
        "disputes": _("Disputes"),
        "buildings": _("Buildings"),
        "dwellings": _("Dwellings"),
        "households": _("Households"),
        "residents": _("Residents"),
        "tenancies": _("Tenancies"),
        "movements": _("Births, deaths and moves"),
        "grids": _("Grids"),
        "units": _("Units"),
    }
    return {name: label for name, label in names.items() if LAYERS[name].read in page.can}


def _formats() -> list[dict[str, str]]:
    """The formats, those of offices first."""
    hints = {
        Format.XLSX: ("Excel", _("A table; coordinates as columns")),
        Format.CSV: ("CSV", _("A table as text, UTF-8")),
        Format.GPKG: ("GeoPackage", _("For QGIS and other GIS")),
        Format.GEOJSON: ("GeoJSON", _("For the web and programs")),
        Format.SHP: ("Shapefile", _("For older GIS; names of 10 bytes")),
        Format.KML: ("KML", _("For Google Earth")),
        Format.FGB: ("FlatGeobuf", _("For large layers")),
        Format.PARQUET: ("GeoParquet", _("For analysis")),
    }
    return [{"value": form.value, "label": label, "hint": hint} for form, (label, hint) in hints.items()]


def systems(page: Page) -> list[dict[str, str]]:
    """The coordinate systems that are used most: longitude and latitude, the community's own, the web maps'."""
    names = {"": _("Longitude and latitude (WGS 84)"), "EPSG:4490": "CGCS2000"}
    community = page.glance.community if page.glance else None
    if community:
        names[community.metric_crs] = _("{crs}, in metres", crs=community.metric_crs)
    names |= {"GCJ-02": _("GCJ-02 (Amap, Tencent)"), "BD-09": _("BD-09 (Baidu)")}
    return labels.options(names)


@pages.get("/exchange/export")
def choose(page: Export, layer: Annotated[Code, Query()] = "incidents") -> Response:
    """The form of an export, with the filter of the list or map that led here."""
    names = layer_names(page)
    if layer not in names:
        layer = next(iter(names), "incidents")
    return _form(page, outgoing.layer(layer), ledgers.query(page))


@pages.post("/exchange/export")
def export(page: Export, form: Typed) -> Response:
    """The file."""
    texts = {name: value for name, value in form.items() if isinstance(value, str)}
    query = {name: value for name, value in texts.items() if name not in _OWN}
    wanted = outgoing.layer(forms.text_in(form, "layer"))
    try:
        access.require(page.actor, wanted.read)
        usual = {"community": page.community, "headings": language.current(), "format": Format.XLSX}
        own = {name: texts[name] for name in ("format", "crs", "as_of") if texts.get(name)}
        asked = ledgers.parameters({**usual, **own}, Asked)
        return exchange.send(
            page.request,
            page.actor,
            wanted,
            asked,
            _filter(page, wanted, query),
            forms.text_in(form, "purpose") or None,
        )
    except _REFUSED as error:
        return _form(page, wanted, query, error)


def _filter(page: Page, wanted: Layer, query: Mapping[str, str]) -> Any:
    """The filter of a layer, of what there is in the address or the form."""
    return ledgers.filter_of(page, FILTERS[wanted.name], query)


def _form(page: Page, wanted: Layer, query: Mapping[str, str], error: WanggeError | None = None) -> Response:
    names = layer_names(page)
    count = None
    if error is None:
        count = listing.count(page.session, wanted.selection(page.actor, _filter(page, wanted, query)))
    kept = [(name, value) for name, value in query.items() if value and name not in (*_OWN, "lang")]
    grids = {grid.code: grid.name for grid in ledgers.grids_of(page)}
    return page.show(
        "exchange/export.html",
        section="ledger",
        status=forms.status(error),
        layers=[{"value": name, "label": label, "current": name == wanted.name} for name, label in names.items()],
        formats=_formats(),
        systems=systems(page),
        filter=[{"label": _title(name), "value": _word(wanted, name, value, grids)} for name, value in kept],
        query=kept,
        count=count,
        personal=wanted.people,
        may_unmask="person.unmask" in page.can,
        fault=error.detail if error else None,
    )


def _title(name: str) -> str:
    """What a filter is called."""
    names = {
        "q": _("Text"),
        "grid": _("Grid"),
        "community": _("Community"),
        "group": _("Special group"),
        "category": _("Category"),
        "from": _("From"),
        "to": _("To"),
        "overdue": _("Overdue"),
        "located": _("Place"),
        "building": _("Building"),
        "current": _("Time"),
        "bbox": _("Part of the map"),
        "under": _("Above"),
    }
    return names.get(name) or labels.fields().get(name, name)


def _word(layer: Layer, name: str, value: str, grids: dict[str, str]) -> str:
    """What a filter is set to, in words where it is a code."""
    if name == "grid":
        return grids.get(value, value)
    table = {"tenancies": "tenancy"}.get(layer.name, layer.name.removesuffix("s"))
    words = labels.codes(table, {"group": "group_code", "category": "category_code"}.get(name, name))
    flags = {"true": _("yes"), "false": _("no"), "*": _("Any")}
    return _(", ").join(words.get(one) or flags.get(one, one) for one in value.split(","))
