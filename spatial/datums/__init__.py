"""Datums and coordinate reference systems of Chinese maps (大地基准): conversion, recognition, a guard.

``offsets`` converts between WGS 84, GCJ-02 and BD-09; ``systems`` reads and applies reference systems;
``guard`` says when a file's coordinates are not on the datum they claim.
"""

from spatial.datums.guard import DatumVerdict, Evidence, Reference, guess_datum
from spatial.datums.offsets import Datum, convert, convert_geometries, in_offset_area
from spatial.datums.systems import (
    NoMetricCrs,
    NoShift,
    Shift,
    UnknownCrs,
    is_usable,
    metric_crs,
    names_a_file,
    parse_crs,
    reproject,
    shift_between,
)

__all__ = [
    "Datum",
    "DatumVerdict",
    "Evidence",
    "NoMetricCrs",
    "NoShift",
    "Reference",
    "Shift",
    "UnknownCrs",
    "convert",
    "convert_geometries",
    "guess_datum",
    "in_offset_area",
    "is_usable",
    "metric_crs",
    "names_a_file",
    "parse_crs",
    "reproject",
    "shift_between",
]
