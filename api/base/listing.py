"""Lists over HTTP: paging, filters and GeoJSON, the same for every feature.

``GET`` a list with ``limit``, ``sort`` and the feature's filters; the answer's ``next`` is the address of the page
that follows, until it is empty. With ``f=geojson`` or ``Accept: application/geo+json`` the same rows come as a
FeatureCollection whose ``links`` hold the next page. The cursor in it is opaque and never holds personal data.
"""

import base64
import binascii
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, TypeVar

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from sqlalchemy import func
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from api.base.fields import Code, Line
from data.base import listing
from data.base.access import Rows
from data.base.errors import Invalid
from data.base.language import _

GEOJSON = "application/geo+json"
LIMIT, LIMIT_MAX = 100, 1000
_Item = TypeVar("_Item", bound=BaseModel)
_Filter = TypeVar("_Filter")

CommunityCode = Annotated[Code | None, Query(description="Only of the community with this code.")]
GridCode = Annotated[Code | None, Query(description="Only in the grid with this code.")]
Term = Annotated[Line | None, Query(description="Only with this text in number, name, code or address.")]
#: The same in a list that tells of people: no parameter of an address, for addresses are kept and handed on.
PersonalTerm = Annotated[Line | None, Query(include_in_schema=False, description="Only with this text.")]
#: What tells a model of parameters that a form, not an address, is what it reads.
TYPED: Final = {"typed": True}
BBox = Annotated[
    str | None,
    Query(
        description="Only what meets this box: west,south,east,north in degrees.",
        examples=["121.40,31.20,121.41,31.21"],
        max_length=200,
    ),
]
From = Annotated[
    date | None, Query(alias="from", description="From this day on.", ge=date(1900, 1, 1), le=date(2999, 12, 31))
]
To = Annotated[
    date | None,
    Query(alias="to", description="Up to this day, which is included.", ge=date(1900, 1, 1), le=date(2999, 12, 31)),
]


class Listed(BaseModel, Generic[_Item]):
    """One page of a list."""

    items: list[_Item]
    next: str | None = Field(None, description="The address of the page that follows; empty on the last one.")
    total: int | None = Field(None, description="How many there are on all pages, if `total=true` was asked for.")


class Feature(BaseModel):
    """One record as a GeoJSON feature."""

    type: Literal["Feature"] = "Feature"
    id: int
    geometry: dict[str, Any] | None
    properties: dict[str, Any]


class Link(BaseModel):
    """A link of a FeatureCollection."""

    rel: str
    href: str
    type: str = GEOJSON


class FeatureCollection(BaseModel):
    """One page of a list as GeoJSON (RFC 7946), in longitude and latitude."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: list[Feature]
    links: list[Link]


#: To be given to a list's route: it also answers GeoJSON.
AS_GEOJSON: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One page of the list, as JSON or GeoJSON.",
        "content": {GEOJSON: {"schema": {"$ref": "#/components/schemas/FeatureCollection"}}},
    }
}


Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many on a page.")]
Form = Annotated[Literal["json", "geojson"] | None, Query(description="The form of the answer, instead of `Accept`.")]
Cursor = Annotated[str | None, Query(description="Where the page begins; taken from `next`.", max_length=2000)]


class Parameters(BaseModel):
    """What an address asks for. A parameter that is misspelt is refused: it must not mean "everything".

    ``lang`` stands in any address; it is read before the route is found (``api.base.request``).
    """

    model_config = ConfigDict(extra="forbid")
    #: What holds something personal: it comes in a body or a form, never in an address.
    private: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def names(cls) -> dict[str, str]:
        """The parameters by the names they have in an address, and what each is called here."""
        return {field.alias or name: name for name, field in cls.model_fields.items()}

    @model_validator(mode="before")
    @classmethod
    def _only_known_ones(cls, given: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        known = {*cls.names(), "lang"} - (frozenset() if info.context is TYPED else cls.private)
        if unknown := sorted(set(given) - known):
            raise misspelt(unknown, known)
        return {name: value for name, value in given.items() if name != "lang"}


def misspelt(unknown: list[str], known: Collection[str]) -> Invalid:
    """The error of parameters that there are not."""
    names = ", ".join(sorted(known))
    text = _("There is no parameter {name}. There are: {known}.", name=", ".join(unknown), known=names)
    return Invalid(text, unknown=unknown)


class InCommunity(Parameters):
    """What is asked for where one may ask for one community alone."""

    community: CommunityCode = None


class Days(Parameters):
    """What is asked for where one may ask for some days alone."""

    first: From = None
    last: To = None


class Drawn(Parameters):
    """What is asked for of what can also be drawn."""

    f: Form = None

    def as_geojson(self, request: Request) -> bool:
        """Whether GeoJSON is asked for, by ``f`` or else by what is accepted."""
        return self.f == "geojson" if self.f else GEOJSON in request.headers.get("accept", "")


class Filters(Parameters, Generic[_Filter]):
    """The filters of a feature, written once: lists, counts, pages, tiles and exports read them."""

    def wanted(self) -> _Filter:
        """The same for ``data``."""
        raise NotImplementedError


class Paged(Parameters):
    """Which page of a list is asked for."""

    #: What may be sorted by: name → expression that is never null. Each also with ``-`` before it, highest first.
    SORTS: ClassVar[Mapping[str, Any]]

    limit: Limit = LIMIT
    cursor: Cursor = None
    sort: str
    total: Annotated[bool, Query(description="Whether to count all pages.")] = False

    @field_validator("sort")
    @classmethod
    def _can_be_sorted_by(cls, sort: str) -> str:
        if sort not in (names := _sort_names(cls.SORTS)):
            raise Invalid(_("One can sort by {values}.", values=", ".join(names)), field="query.sort")
        return sort

    @property
    def descending(self) -> bool:
        """Whether the highest comes first."""
        return self.sort.startswith("-")

    @property
    def column(self) -> Any:
        """What is sorted by."""
        return self.SORTS[self.sort.removeprefix("-")]

    def as_geojson(self, request: Request) -> bool:
        """Whether GeoJSON is asked for; never of what lies nowhere."""
        return False


class Placed(Drawn, Paged):
    """The same for records that lie somewhere, of which there is GeoJSON."""


def sorted_by(sorts: Mapping[str, Any], default: str) -> Any:
    """The field ``sort`` of a list."""
    text = "What to sort by; `-` before it: highest first."
    return Query(default, description=text, json_schema_extra={"enum": _sort_names(sorts)})


def _sort_names(sorts: Mapping[str, Any]) -> list[str]:
    return [sign + name for name in sorts for sign in ("", "-")]


def write_cursor(sort: str, value: Any, key: int) -> str:
    """The cursor behind a row with this sort value and id."""
    text = json.dumps([sort, value.isoformat() if isinstance(value, date) else value, key], default=str)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str, sort: str, column: Any) -> tuple[Any, int]:
    """The sort value and id in a cursor.

    Raises
    ------
    Invalid
        It is none of ours, or of another sort.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        made_for, value, key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        kind = column.type.python_type
        if kind is datetime:
            value = datetime.fromisoformat(value)
            fits = value.tzinfo is not None and 1900 <= value.year < 3000
        else:
            fits = type(value) is kind and (kind is not int or abs(value) < 2**63) and "\0" not in str(value)
        if made_for == sort and fits and type(key) is int and 0 < key < 2**63:
            return value, key
    except (ValueError, TypeError, RecursionError, binascii.Error):
        pass
    raise Invalid(_("This cursor belongs to another list or another sort. Begin with the first page."), field="cursor")


def box(text: str | None) -> listing.Box | None:
    """West, south, east, north out of the parameter ``bbox``.

    Raises
    ------
    Invalid
    """
    return listing.box(text) if text else None


def choices(text: str | None, allowed: Collection[str] | None, name: str) -> tuple[str, ...] | None:
    """The values of a parameter that takes a list with commas; ``none`` alone lets nothing through.

    Raises
    ------
    Invalid
        One of them is not ``allowed``.
    """
    if not text:
        return None
    values = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if values == ("none",):
        return ()
    wrong = [value for value in values if allowed is not None and value not in allowed]
    if wrong:
        raise Invalid(
            _("There is no {name} {values}.", name=name, values=", ".join(wrong)), field=f"query.{name}", values=wrong
        )
    return values


def answer(
    request: Request,
    session: Session,
    selection: Rows,
    asked: Paged,
    *,
    key: Any,
    item: Callable[[Any], _Item],
    geom: Any = None,
) -> Response:
    """The page of ``selection`` that was asked for, written out here: the framework would check and copy it thrice.

    Parameters
    ----------
    item
        What a row becomes, masked where it must be.
    geom
        What a feature's geometry is; without it every geometry is null.
    """
    query = selection
    after = read_cursor(asked.cursor, asked.sort, asked.column) if asked.cursor else None
    as_geojson = asked.as_geojson(request)
    if as_geojson and geom is not None:
        query = query.add_columns(func.ST_AsGeoJSON(func.ST_ForcePolygonCCW(geom), 9).label("geojson_"))
    rows = session.execute(
        listing.page(
            query,
            sort=asked.column,
            key=key,
            descending=asked.descending,
            after=after,
            limit=asked.limit + 1,
        )
    ).all()
    follows: str | None = None
    if len(rows) > asked.limit:
        rows = rows[: asked.limit]
        cursor = write_cursor(asked.sort, rows[-1].sort_, rows[-1].id)
        address = request.url.include_query_params(cursor=cursor)
        follows = f"{address.path}?{address.query}"
    items = [item(row) for row in rows]
    if as_geojson:
        return _collection(request, rows, items, follows)
    total = listing.count(session, selection) if asked.total else None
    listed: Listed[_Item] = Listed(items=items, next=follows, total=total)
    return Response(listed.model_dump_json(by_alias=True), media_type="application/json")


def _collection(request: Request, rows: Sequence[Any], items: list[Any], follows: str | None) -> Response:
    features = [
        {
            "type": "Feature",
            "id": row.id,
            "geometry": json.loads(drawn) if (drawn := getattr(row, "geojson_", None)) else None,
            "properties": one.model_dump(mode="json"),
        }
        for row, one in zip(rows, items, strict=True)
    ]
    links = [{"rel": "self", "href": f"{request.url.path}?{request.url.query}".rstrip("?"), "type": GEOJSON}]
    if follows:
        links.append({"rel": "next", "href": follows, "type": GEOJSON})
    return JSONResponse(
        {"type": "FeatureCollection", "features": features, "links": links},
        media_type=GEOJSON,
        headers={"Vary": "Accept"},
    )
