"""XML documents that are safe to open: well formed, without entities, their coordinates numbers.

A kilobyte of entities can expand to gigabytes, or name a file of this machine. And what reads KML and GPX further on
takes a coordinate it cannot read for 0, which would put it into the sea off Africa.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.parsers import expat

from data.base.errors import Invalid
from data.base.language import _
from data.files import encodings
from data.files.formats import ROOTS, Format

#: What is always XML; OpenStreetMap is now and then.
CHECKED = (Format.KML, Format.GPX, Format.OPEN311, Format.XML_2003)
_DEEPEST = 256
_ENCODING = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["']""")
_UTF8 = re.compile(rb"""(<\?xml(?![^>]*encoding)|<\?xml[^>]*encoding\s*=\s*["']utf-?8["']|<(?!\?))""", re.IGNORECASE)


def safe_xml(path: Path, room: Path, form: Format, asked: str | None = None) -> tuple[Path, encodings.Encoding]:
    """An XML document GDAL can open: in UTF-8, well formed, without entities, its coordinates numbers.

    Returns
    -------
    tuple
        ``path`` itself or a copy in UTF-8, and the encoding it was in.

    Raises
    ------
    Invalid
        The sentence names the line.
    """
    content = path.read_bytes()
    declared = declared_encoding(content)
    text, encoding = encodings.decode(content, asked or declared)
    if declared and not asked:
        encoding = encodings.Encoding(encoding.name, encodings.How.DECLARED)
    if text.startswith("<?xml"):
        text = text[text.find("?>") + 2 :]
    clean = text.encode()
    _Check(path, form).run(clean)
    if encoding.name == "UTF-8" and _UTF8.match(content):
        return path, encoding
    copy = room / "utf-8" / path.name
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes(b'<?xml version="1.0" encoding="UTF-8"?>\n' + clean)
    return copy, encoding


def declared_encoding(content: bytes) -> str | None:
    """The encoding that an XML declaration names, if the content agrees; None also for UTF-8 and UTF-16, which show."""
    found = _ENCODING.match(content[:200])
    if not found or found[1].lower().startswith(b"utf"):
        return None
    try:
        name = encodings.known(found[1].decode("ascii"))
    except Invalid:
        return None
    return name if encodings.fits(content, name) else None


class _Check:
    """One pass over a document that stops at the first thing that is wrong."""

    def __init__(self, path: Path, form: Format) -> None:
        self._name = path.name
        self._form = form
        self._depth = 0
        self._inside = ""
        self._text: list[str] = []
        self._parser = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data

    def run(self, content: bytes) -> None:
        try:
            self._parser.Parse(content, True)
        except expat.ExpatError as error:
            raise Invalid(
                _(
                    "Line {line} of “{name}” is not well-formed XML ({reason}). Export the file anew.",
                    line=error.lineno,
                    name=self._name,
                    reason=expat.ErrorString(error.code),
                )
            ) from error

    def _doctype(self, *_declaration: object) -> None:
        raise Invalid(
            _(
                "“{name}” declares a document type or entities, which could pull in other files. Remove the DOCTYPE.",
                name=self._name,
            )
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._fault(_("elements are nested too deeply"))
        local = tag.rpartition(":")[2]
        if self._depth == 1 and ROOTS.get(local) is not self._form:
            raise Invalid(
                _(
                    "“{file}” is XML of a kind that cannot be read here (it begins with <{root}>). "
                    "KML, GPX and OSM can.",
                    file=self._name,
                    root=local[:40],
                )
            )
        self._inside, self._text = local, []
        if self._form is Format.GPX and local in ("wpt", "rtept", "trkpt"):
            for axis, limit in (("lat", 90.0), ("lon", 180.0)):
                self._check_degrees(attributes.get(axis, ""), axis, limit)

    def _data(self, text: str) -> None:
        if self._inside == "coordinates":
            self._text.append(text)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._form is Format.KML and tag.rpartition(":")[2] == "coordinates":
            for position in "".join(self._text).split():
                lon, comma, rest = position.partition(",")
                self._check_degrees(lon, "lon", 360.0)
                self._check_degrees(rest.partition(",")[0] if comma else "", "lat", 90.0)
        self._inside = ""

    def _check_degrees(self, text: str, axis: str, limit: float) -> None:
        try:
            number = float(text)
        except ValueError:
            label = _axis(axis)
            raise self._fault(
                _("the {label} “{value}” is not a number", label=label, value=text[:40])
                if text.strip()
                else _("a {label} is missing", label=label)
            ) from None
        if not -limit <= number <= limit:
            raise self._fault(_("the {label} {value} is out of range", label=_axis(axis), value=text[:40]))

    def _fault(self, what: str) -> Invalid:
        line = self._parser.CurrentLineNumber
        return Invalid(
            _("Line {line} of “{name}”: {fault}. Correct or remove it.", line=line, name=self._name, fault=what),
            line=line,
        )


def _axis(axis: str) -> str:
    return _("longitude") if axis == "lon" else _("latitude")
