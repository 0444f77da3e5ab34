"""Longitudes and latitudes as people write them: degrees, minutes and seconds in any typography, and pairs."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

LON, LAT = "lon", "lat"
_DRAWN = str.maketrans(
    {
        **dict.fromkeys("º˚゜⁰", "°"),
        **dict.fromkeys("’‘′´ʹˊ＇‵`", "'"),
        **dict.fromkeys("”“″˝ʺ＂〃", '"'),
        "度": "°",
        "分": "'",
        "秒": '"',
    }
)
_WORDS = {"东经": "E", "西经": "W", "北纬": "N", "南纬": "S", "经度": "E", "纬度": "N"}
_SIDE = r"(?P<{name}>[NSEW东西南北])"
_ANGLE = re.compile(
    rf"{_SIDE.format(name='before')}?\s*[:=]?\s*(?P<sign>[+-])?\s*(?P<d>\d{{1,3}}(?:[.,]\d+)?)\s*"
    r"(?:°\s*|[\s:]\s*(?=\d))?(?:(?P<m>\d{1,2}(?:\.\d+)?)\s*(?:'(?!')\s*|[\s:]\s*(?=\d))?"
    rf"(?:(?P<s>\d{{1,2}}(?:[.,]\d+)?)\s*(?:\"|'')?)?)?\s*{_SIDE.format(name='after')}?",
    re.IGNORECASE,
)
_AXES = {**dict.fromkeys("EW东西", LON), **dict.fromkeys("NS南北", LAT)}
_NEGATIVE = frozenset("WS西南")
_NAMED = {
    "lng": LON,
    "lon": LON,
    "long": LON,
    "longitude": LON,
    "x": LON,
    "经度": LON,
    "lat": LAT,
    "latitude": LAT,
    "y": LAT,
    "纬度": LAT,
}


def angle(text: str) -> tuple[float, str | None] | None:
    """Degrees, and whether they are a longitude or a latitude, where the text says it; None when it is no angle.

    >>> angle("121º30’03.6”"), angle("N31.231"), angle("121,501"), angle("12O.5")
    ((121.501, None), (31.231, 'lat'), (121.501, None), None)
    """
    for word, letter in _WORDS.items():
        text = text.replace(word, letter)
    plain = unicodedata.normalize("NFKC", text.translate(_DRAWN)).strip().replace("\u2032", "'")
    match = _ANGLE.fullmatch(re.sub(r"''", '"', plain))
    if match is None:
        return None
    whole = float(match["d"].replace(",", "."))
    minutes, seconds = float(match["m"] or 0), float((match["s"] or "0").replace(",", "."))
    if minutes >= 60 or seconds >= 60 or (match["m"] and not whole.is_integer()):
        return None
    sides = [side.upper() for side in (match["before"], match["after"]) if side]
    if len({_AXES[side] for side in sides}) > 1:
        return None
    value = round(whole + minutes / 60 + seconds / 3600, 12)
    negative = match["sign"] == "-" or any(side in _NEGATIVE for side in sides)
    return (-value if negative else value), (_AXES[sides[0]] if sides else None)


def has_decimal_comma(cell: Any) -> bool:
    """Whether a cell is an angle with a comma for a point.

    >>> has_decimal_comma("121,501"), has_decimal_comma("121.501")
    (True, False)
    """
    return isinstance(cell, str) and bool(re.fullmatch(r"\s*[+-]?\d{1,3},\d+\s*", cell))


def pair(text: str) -> tuple[float, float] | None:
    """Longitude and latitude of a text with both; the first is the longitude unless the text says otherwise.

    Of four numbers, as collecting apps write them, the first is the latitude: latitude, longitude, height, accuracy.

    >>> pair("121.501,31.231"), pair("31.231°N 121.501°E"), pair("31.2305 121.5005 4.2 5.0")
    ((121.501, 31.231), (121.501, 31.231), (121.5005, 31.2305))
    """
    plain = text.strip().strip("()[]（）【】").strip()
    if plain.startswith("{"):
        return _of_object(plain)
    if point := re.fullmatch(r"(?:SRID=\d+;)?\s*POINT\s*Z?\s*\(\s*(\S+)\s+([^\s)]+)[^)]*\)?", plain, re.IGNORECASE):
        plain = f"{point[1]} {point[2]}"
    parts = [part for part in re.split(r"[,，;；/|、]", plain) if part.strip()]
    if len(parts) != 2:
        parts = plain.replace(",", " ").split()
        if len(parts) == 4 and all(re.fullmatch(r"-?\d+(?:\.\d+)?", part) for part in parts):
            return float(parts[1]), float(parts[0])
        if len(parts) == 3 and all(re.fullmatch(r"-?\d+\.\d+", part) for part in parts[:2]):
            parts = parts[:2]
    if len(parts) != 2:
        return None
    first, second = angle(parts[0]), angle(parts[1])
    if first is None or second is None or (first[1] and first[1] == second[1]):
        return _of_numbers(parts)
    if first[1] == LAT or second[1] == LON:
        first, second = second, first
    return first[0], second[0]


def _of_numbers(parts: list[str]) -> tuple[float, float] | None:
    """A pair of projected coordinates."""
    try:
        x, y = (float(part) for part in parts)
    except ValueError:
        return None
    return x, y


def _of_object(text: str) -> tuple[float, float] | None:
    try:
        found = json.loads(text)
        values = {_NAMED[key.lower()]: float(value) for key, value in found.items() if key.lower() in _NAMED}
        return values[LON], values[LAT]
    except (ValueError, TypeError, AttributeError, KeyError):
        return None
