"""Texts: which characters are kept, and how long a text may be, said once for every table.

What no format can hold is left out on the way in: control characters, halves of surrogate pairs, and the code points
that Unicode keeps for programs' own use (U+FFFE, U+FFFF, U+FDD0…): XML, and so XLSX, KML and GPX, cannot be read any
more with one of them in it. Everything else is somebody's text and stays as it is, whatever it looks like. A column of
text is ``Words``: it cleans what is bound to it, and its length is a constraint of the database, so that no way in
gets round it.

Source: XML 1.0 (fifth edition), 2.2 Characters; Unicode 16, 23.7 Noncharacters.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from sqlalchemy import Dialect, String
from sqlalchemy.types import TypeDecorator

LINE = 200
"""Characters of a text on one line: a name, a code, an address."""
LONG = 4000
"""Characters of a note."""
Long = Annotated[str, "long"]
"""``Mapped[Long]`` is a column of notes, ``Mapped[str]`` one of lines."""

_BREAKS = re.compile("[\x0b\x0c\x85]")
_UNKEPT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
    + "]"
)


def clean(text: str) -> str:
    r"""``text`` without the characters that cannot be kept; the breaks among them become plain ones.

    >>> clean("楼道灯坏了\ufffe\x00"), clean("1\x0b2\r\n3"), clean("👨‍👩‍👧 \u202eabc")
    ('楼道灯坏了', '1\n2\r\n3', '👨\u200d👩\u200d👧 \u202eabc')
    """
    return _UNKEPT.sub("", _BREAKS.sub("\n", text)) if _UNKEPT.search(text) else text


def cleaned(value: Any) -> Any:
    """A value of JSON with all its texts, and the names in it, clean."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {cleaned(name): cleaned(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [cleaned(part) for part in value]
    return value


class Words(TypeDecorator[str]):
    """A column of text: clean, and of ``most`` characters at most (``ck_…_length`` in the database)."""

    impl = String
    cache_ok = True

    def __init__(self, most: int = LINE) -> None:
        super().__init__()
        self.most = most

    @property
    def python_type(self) -> type[str]:
        """What a value is in Python."""
        return str

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Clean it."""
        return clean(value) if isinstance(value, str) else value
