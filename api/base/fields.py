"""Types of fields that several features share: what may come in, said once.

Text has no control characters (PostgreSQL stores no NUL), numbers are finite and fit their column, instants carry a
zone, days and instants lie in years that every part of the system can tell.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, Literal, Self

import shapely
from fastapi import Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError
from shapely.geometry.base import BaseGeometry

from data.base.errors import Invalid
from data.base.language import _

ID_MAX = 2**31 - 1
#: What ``data.base.texts`` leaves out of what people type is refused from programs, which ought to know.
_NEVER = r"\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff"
_LINE = rf"^[^\x00-\x1f{_NEVER}]*$"
_TEXT = rf"^[^\x00-\x08\x0b\x0c\x0e-\x1f{_NEVER}]*$"

Id = Annotated[int, Path(ge=1, le=ID_MAX, description="The id of the record.", examples=[1])]
Reference = Annotated[int, Field(ge=1, le=ID_MAX)]
#: A text on one line that is not empty.
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_LINE)]
#: A code or number: short.
Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=_LINE)]
#: A text that may have several lines.
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000, pattern=_TEXT)]
#: What personal data is needed for, in one's own words.
PurposeText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=4000, pattern=_TEXT)]
#: The code of a record in an address.
CodePath = Annotated[Code, Path(description="The code of the record.")]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Day = Annotated[date, Field(ge=date(1800, 1, 1), le=date(2999, 12, 31))]
Instant = Annotated[AwareDatetime, Field(ge=datetime(1900, 1, 1, tzinfo=UTC), le=datetime(2999, 12, 31, tzinfo=UTC))]
Lon = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Lat = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]


def refuse(detail: str) -> PydanticCustomError:
    """The error to raise in a validator, with a sentence of ours."""
    return PydanticCustomError("ours", "{detail}", {"detail": detail})


class Input(BaseModel):
    """A body that is handed in: fields that are not known are refused."""

    model_config = ConfigDict(extra="forbid")


class Change(Input):
    """What of a record is to change: what is left out stays, null empties a field.

    ``needed`` names the fields that can be left out but not emptied.
    """

    needed: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="after")
    def _nothing_needed_is_emptied(self) -> Self:
        for name in sorted(self.needed & self.model_fields_set):
            if getattr(self, name) is None:
                raise refuse(_("{field} cannot be empty.", field=name))
        return self


class Output(BaseModel):
    """A record that is handed out, read from a row or a record."""

    model_config = ConfigDict(from_attributes=True)


class Geometry(BaseModel):
    """A GeoJSON geometry in longitude and latitude (EPSG:4326)."""

    model_config = ConfigDict(
        extra="ignore", json_schema_extra={"examples": [{"type": "Point", "coordinates": [121.4, 31.2]}]}
    )

    type: Literal["Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon"]
    coordinates: list[Any]


def shape(geometry: Geometry) -> BaseGeometry:
    """The shapely geometry of a GeoJSON geometry.

    Raises
    ------
    Invalid
        The coordinates do not make such a geometry, or are no longitudes and latitudes.
    """
    try:
        found = shapely.from_geojson(json.dumps(geometry.model_dump(), allow_nan=False))
    except (shapely.errors.ShapelyError, ValueError) as error:
        raise Invalid(_("The coordinates do not make a {kind}.", kind=geometry.type), field="geometry") from error
    west, south, east, north = found.bounds
    if found.is_empty or not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise Invalid(_("Give coordinates as longitude and latitude in degrees."), field="geometry")
    plain: BaseGeometry = shapely.force_2d(found)
    return plain
