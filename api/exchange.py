"""Files out over HTTP: every list, with its own filters, as a file.

``GET /api/export/{layer}`` takes the parameters of the layer's list. ``POST`` takes the same as a body, and a purpose
for personal fields in full: neither a purpose nor what somebody searched for then stands in an address.

A file is written whole, and recorded, before its first byte leaves: what arrives can be relied on.
"""

import inspect
import re
import tempfile
import typing
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, create_model

from api import buildings, grids, incidents, listing, units
from api.deps import permission, transactions
from api.fields import Day, Input, Line
from api.households import homes, residents, tenancies
from api.listing import BBox, CommunityCode
from data import units as unit_records
from data.base import language, settings
from data.base.access import Actor
from data.exchange import exporting, outgoing, writing
from data.exchange.outgoing import Layer
from data.exchange.writing import Format

api = APIRouter(prefix="/api", tags=["export"])

#: What reads the filter of each layer out of a request: the same as for its list.
READERS: dict[str, Callable[..., Any]] = {
    "units": units.wanted_units,
    "grids": grids.wanted_grids,
    "buildings": buildings.wanted_buildings,
    "dwellings": buildings.wanted_dwellings,
    "households": homes.wanted_households,
    "residents": residents.wanted_residents,
    "tenancies": tenancies.wanted_tenancies,
    "incidents": incidents.wanted_incidents,
}
_BYTES = {"type": "string", "format": "binary"}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {
            form.media_type: {"schema": {"type": "object"} if form.media_type.endswith("json") else _BYTES}
            for form in Format
        },
    }
}


@dataclass(frozen=True)
class Asked:
    """What kind of file is asked for, besides the filter."""

    form: Format
    crs: str | None
    bbox: str | None
    as_of: date | None
    community: str | None
    headings: Literal["en", "zh"]


def asked(
    file_format: Annotated[
        Format, Query(alias="format", description="The format.", examples=["geojson"])
    ] = Format.GEOJSON,
    crs: Annotated[
        str | None,
        Query(
            max_length=100,
            description="The coordinate system: EPSG:4549, GCJ-02, BD-09 …; longitude and latitude when empty.",
            examples=["EPSG:4549"],
        ),
    ] = None,
    bbox: BBox = None,
    as_of: Annotated[
        Day | None, Query(description="With the grids, special groups and tenancies of this day; today's when empty.")
    ] = None,
    community: CommunityCode = None,
    headings: Annotated[
        Literal["en", "zh"], Query(description="Field names and codes, or Chinese headings and words.")
    ] = "en",
) -> Asked:
    """What kind of file a request asks for."""
    return Asked(file_format, crs, bbox, as_of, community, headings)


def send(
    request: Request, actor: Actor, layer: Layer, wanted: Asked, filters: Any, purpose: str | None = None
) -> Response:
    """The file as an answer. It has a transaction of its own, which has ended when the first byte leaves."""
    file = tempfile.TemporaryFile(prefix="wangge-")  # noqa: SIM115 - closed after the last block
    try:
        with transactions(request)(actor) as session:
            level = unit_records.Level.COMMUNITY
            community = unit_records.by_code(session, actor, wanted.community, level) if wanted.community else None
            exporting.stream(
                session, actor, layer.name, community, file,
                format=wanted.form, crs=wanted.crs, bbox=listing.box(wanted.bbox), as_of=wanted.as_of,
                filters=filters, headings=wanted.headings, unmask_purpose=purpose,
            )  # fmt: skip
            name = community.name if community else None
    except BaseException:
        file.close()
        raise
    return StreamingResponse(
        writing.blocks(file),
        media_type=wanted.form.media_type,
        headers={"Content-Disposition": disposition(layer, wanted, name), "Content-Length": str(file.tell())},
    )


def disposition(layer: Layer, wanted: Asked, community: str | None) -> str:
    """The name under which a browser keeps the file, in UTF-8 and for the oldest ones in ASCII.

    Source: RFC 6266, 4.3 and appendix D (``filename*``), RFC 8187 (its encoding).
    """
    day = (wanted.as_of or settings.today()).strftime("%Y%m%d")
    chinese = "zh" in (wanted.headings, language.current())
    parts = [community, outgoing.title(layer) if chinese else layer.name, day]
    name = re.sub(r'[\\/:*?"<>|\x00-\x1f]', "_", "-".join(part for part in parts if part)) + wanted.form.suffix
    plain = f"{layer.name}-{day}{wanted.form.suffix}"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _add_routes(layer: Layer, read: Callable[..., Any]) -> None:
    may_export = permission("exchange.export", layer.read)
    body_model = _body(layer, read)

    def get(
        request: Request,
        actor: Annotated[Actor, may_export],
        wanted: Annotated[Asked, Depends(asked)],
        filters: Annotated[Any, Depends(read)],
    ) -> Response:
        return send(request, actor, layer, wanted, filters)

    def post(request: Request, actor: Annotated[Actor, may_export], body: BaseModel) -> Response:
        given = {name: getattr(body, name) for name in body_model.model_fields}
        purpose = given.pop("purpose", None)
        wanted, filters = (function(**{name: given[name] for name in _hints(function)}) for function in (asked, read))
        return send(request, actor, layer, wanted, filters, purpose)

    post.__annotations__["body"] = Annotated[body_model, Body()]
    masked = " Personal fields are masked." if layer.people else ""
    shown = " With a purpose personal fields are in full where one may see them so; this is recorded."
    api.add_api_route(
        f"/export/{layer.name}", get, methods=["GET"], name=f"export_{layer.name}", summary=f"Export {layer.name}",
        description=f"The {layer.name} one may see, by the filter of their list, as a file.{masked}",
        response_class=Response, responses=_FILE,
    )  # fmt: skip
    api.add_api_route(
        f"/export/{layer.name}", post, methods=["POST"], name=f"export_{layer.name}_by_body",
        summary=f"Export {layer.name} by a body",
        description=f"The same as `GET`, with nothing in the address.{shown if layer.people else ''}",
        response_class=Response, responses=_FILE,
    )  # fmt: skip


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The parameters of a function and what each may be."""
    hints = typing.get_type_hints(function, include_extras=True)
    hints.pop("return", None)
    return hints


def _body(layer: Layer, read: Callable[..., Any]) -> type[BaseModel]:
    """The parameters of ``GET`` as a body; for people with a purpose."""
    found: dict[str, Any] = {}
    for function in (read, asked):
        defaults = inspect.signature(function).parameters
        found |= {name: (hint, defaults[name].default) for name, hint in _hints(function).items()}
    if layer.people:
        purpose = Field(None, description="What personal fields are needed in full for.", examples=["入户核对"])
        found["purpose"] = (Annotated[Line, Field(min_length=2)] | None, purpose)
    model: type[BaseModel] = create_model(f"Export{layer.name.title()}", __base__=Input, **found)
    return model


for _name, _read in READERS.items():
    _add_routes(outgoing.layer(_name), _read)
