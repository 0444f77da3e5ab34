"""Files out over HTTP: every list, with its own filters, as a file.

``GET /api/export/{layer}`` takes the parameters of the layer's list. ``POST`` takes the same as a body, and a purpose
for personal fields in full: neither a purpose nor what somebody searched for then stands in an address.

A file is written whole, and recorded, before its first byte leaves: what arrives can be relied on.
"""

import re
import tempfile
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Body, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field, ValidationInfo, create_model, model_validator

from api.base import listing
from api.base.deps import permission, transactions
from api.base.fields import Day, Input, PurposeText
from api.base.listing import BBox, CommunityCode
from api.buildings import routes as buildings
from api.diary import routes as diary
from api.disputes import routes as disputes
from api.grids import routes as grids
from api.households import homes, residents, tenancies
from api.incidents import routes as incidents
from api.movements import routes as movements
from api.units import routes as units
from data import units as unit_records
from data.base import language, settings
from data.base.access import Actor
from data.exchange import exporting, outgoing
from data.exchange.outgoing import Layer
from data.files import writing
from data.files.writing import Format

api = APIRouter(prefix="/api", tags=["export"])

#: The filters of each layer: the same as of its list.
FILTERS: dict[str, type[listing.Filters[Any]]] = {
    "units": units.UnitFilters,
    "grids": grids.GridFilters,
    "buildings": buildings.BuildingFilters,
    "dwellings": buildings.DwellingFilters,
    "households": homes.HouseholdFilters,
    "residents": residents.ResidentFilters,
    "tenancies": tenancies.TenancyFilters,
    "movements": movements.MovementFilters,
    "incidents": incidents.IncidentFilters,
    "diary": diary.EntryFilters,
    "disputes": disputes.DisputeFilters,
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


class Asked(listing.Parameters):
    """What kind of file is asked for, besides the filter."""

    form: Annotated[Format, Query(alias="format", description="The format.", examples=["geojson"])] = Format.GEOJSON
    crs: Annotated[
        str | None,
        Query(
            max_length=100,
            description="The coordinate system: EPSG:4549, GCJ-02, BD-09 …; longitude and latitude when empty.",
            examples=["EPSG:4549"],
        ),
    ] = None
    bbox: BBox = None
    as_of: Annotated[
        Day | None, Query(description="With the grids, special groups and tenancies of this day; today's when empty.")
    ] = None
    community: CommunityCode = None
    headings: Annotated[
        Literal["en", "zh"], Query(description="Field names and codes, or Chinese headings and words.")
    ] = "en"


class InBody(Input):
    """The same in a body, where it is no parameter that is refused but a field."""

    @model_validator(mode="before")
    @classmethod
    def _only_known_ones(cls, given: Any, info: ValidationInfo) -> Any:
        return given


class ForPurpose(InBody):
    """The same of people, who are shown in full for a purpose."""

    purpose: PurposeText | None = Field(
        None, description="What personal fields are needed in full for.", examples=["入户核对"]
    )


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
                session,
                actor,
                layer.name,
                community,
                file,
                format=wanted.form,
                crs=wanted.crs,
                bbox=listing.box(wanted.bbox),
                as_of=wanted.as_of,
                filters=filters,
                headings=wanted.headings,
                unmask_purpose=purpose,
            )
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


def _add_routes(layer: Layer, filters: type[listing.Filters[Any]]) -> None:
    may_export = permission("exchange.export", layer.read)
    name = f"Export{layer.name.title()}"
    in_address: type[Any] = create_model(f"{name}Query", __base__=(filters, Asked))
    in_body: type[Any] = create_model(name, __base__=(ForPurpose if layer.people else InBody, filters, Asked))

    def get(request: Request, actor: Annotated[Actor, may_export], asked: Any) -> Response:
        return send(request, actor, layer, asked, asked.wanted())

    def post(request: Request, actor: Annotated[Actor, may_export], body: Any) -> Response:
        return send(request, actor, layer, body, body.wanted(), getattr(body, "purpose", None))

    get.__annotations__["asked"], post.__annotations__["body"] = (
        Annotated[in_address, Query()],
        Annotated[in_body, Body()],
    )
    masked = " Personal fields are masked." if layer.people else ""
    shown = " With a purpose personal fields are in full where one may see them so; this is recorded."
    api.add_api_route(
        f"/export/{layer.name}",
        get,
        methods=["GET"],
        name=f"export_{layer.name}",
        summary=f"Export {layer.name}",
        description=f"The {layer.name} one may see, by the filter of their list, as a file.{masked}",
        response_class=Response,
        responses=_FILE,
    )
    api.add_api_route(
        f"/export/{layer.name}",
        post,
        methods=["POST"],
        name=f"export_{layer.name}_by_body",
        summary=f"Export {layer.name} by a body",
        description=f"The same as `GET`, with nothing in the address.{shown if layer.people else ''}",
        response_class=Response,
        responses=_FILE,
    )


for _name, _filters in FILTERS.items():
    _add_routes(outgoing.layer(_name), _filters)
