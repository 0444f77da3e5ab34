"""What to do about a file that cannot be taken as it is, in the words of where it is read (``data.base.surfaces``)."""

from __future__ import annotations

from data.base.language import _
from data.base.surfaces import choose


def say_system() -> str:
    """The coordinate system has to be said."""
    return choose(
        terminal=_("Say which one it is with --crs, such as --crs EPSG:4549."),
        page=_("Choose it under “Coordinate system”."),
        program=_("Say which one it is with `crs`, such as EPSG:4549."),
    )


def check_coordinates() -> str:
    """Coordinates are wrong, or in another system than was thought."""
    return choose(
        terminal=_("Check the coordinates, or say what they are in (--crs)."),
        page=_("Check the coordinates, or choose another coordinate system for the file."),
        program=_("Check the coordinates, or say what they are in (`crs`)."),
    )


def settle_datum(datum: str) -> str:
    """The coordinates look like those of another datum."""
    return choose(
        terminal=_("Say what they are in: --crs {datum}, or --crs EPSG:4326 to take them as they are.", datum=datum),
        page=_("What are they in?"),
        program=_("Say what they are in: `crs` {datum}, or EPSG:4326 to take them as they are.", datum=datum),
    )


def leave_system() -> str:
    """The format knows longitude and latitude alone."""
    return choose(
        terminal=_("Leave --crs away, or choose another format."),
        page=_("Choose WGS 84, or another format."),
        program=_("Leave `crs` away, or choose another format."),
    )


def say_encoding(likely: str) -> str:
    """Texts may be in another encoding than the file says."""
    return choose(
        terminal=_("If they are garbled, say --encoding {likely}.", likely=likely),
        page=_("If they are garbled, choose {likely} under “Text encoding”.", likely=likely),
        program=_("If they are garbled, say {likely} for `encoding`.", likely=likely),
    )


def name_column() -> str:
    """A column that is needed was not recognised."""
    return choose(
        terminal=_("Name it with --map COLUMN=FIELD."),
        page=_("Choose it among the columns of the file."),
        program=_("Name it with `map`: COLUMN=FIELD."),
    )


def choose_layer() -> str:
    """There are several layers."""
    return choose(
        terminal=_("Choose one with --layer."),
        page=_("Choose one of them."),
        program=_("Choose one with `layer`."),
    )


def close_gaps() -> str:
    """There are slivers between grids."""
    return choose(
        terminal=_("--clean closes narrow ones."),
        page=_("A width under “Close gaps and overlaps up to” closes narrow ones."),
        program=_("`clean_m` closes narrow ones."),
    )


def close_overlaps() -> str:
    """Two grids overlap."""
    return choose(
        terminal=_("Draw the two edge to edge, or close overlaps up to a width in metres (--clean)."),
        page=_("Draw the two edge to edge, or give a width under “Close gaps and overlaps up to”."),
        program=_("Draw the two edge to edge, or close overlaps up to a width in metres (`clean_m`)."),
    )
