"""Esri JSON: the answer of an ArcGIS server (``f=json``), which GDAL reads; here is told what GDAL would not say.

Source: Esri, "ArcGIS REST API": query of a feature layer (``exceededTransferLimit``), geometry objects (curves).
"""

from __future__ import annotations

import re
from pathlib import Path

from data.base.errors import Invalid
from data.base.language import _

_MARK = re.compile(r'"esri(?:Geometry|FieldType)\w+"')
_CURVES = re.compile(rb'"curve(?:Rings|Paths)"')
_CUT_OFF = re.compile(rb'"exceededTransferLimit"\s*:\s*true')
_AROUND = 20_000


def is_it(path: Path, text: str) -> bool:
    """Whether a JSON file that begins with ``text`` is one: it names its types, at its beginning or its end.

    >>> from pathlib import Path
    >>> is_it(Path(__file__), '{"geometryType": "esriGeometryPoint", "features": [{"attributes": {}}]}')
    True
    """
    if not text.startswith("{"):
        return False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4000))
        end = file.read().decode("utf-8", errors="replace")
    around = text[:_AROUND] + end
    return bool(_MARK.search(around)) and '"attributes"' in around


def look_at(path: Path) -> list[str]:
    """What has to be said of a file.

    Raises
    ------
    Invalid
        It holds true curves, which would come in as nothing.
    """
    content = path.read_bytes()
    if _CURVES.search(content):
        raise Invalid(
            _(
                "“{name}” holds true curves. Ask the server for GeoJSON (f=geojson), or for returnTrueCurves=false.",
                name=path.name,
            )
        )
    if _CUT_OFF.search(content):
        return [_("The server handed out only the first part (exceededTransferLimit). Ask it for the others as well.")]
    return []
