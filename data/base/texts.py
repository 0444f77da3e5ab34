"""Texts: which characters are kept, and how long a text may be, said once for every table.

What no format can hold is left out on the way in: control characters, halves of surrogate pairs, and the code points
that Unicode keeps for programs' own use (U+FFFE, U+FFFF, U+FDD0…): XML, and so XLSX, KML and GPX, cannot be read any
more with one of them in it. Everything else is somebody's text and stays as it is, whatever it looks like. A column of
text is ``data.base.columns.Words``: it cleans what is bound to it, and its length is a constraint of the database, so
that no way in gets round it.

Source: XML 1.0 (fifth edition), 2.2 Characters; Unicode 16, 23.7 Noncharacters.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any

from data.base import language
from data.base.language import _

LINE = 200
"""Characters of a text on one line: a name, a code, an address."""
LONG = 4000
"""Characters of a note."""
Long = Annotated[str, "long"]
"""``Mapped[Long]`` is a column of notes, ``Mapped[str]`` one of lines."""

UNREADABLE = "cannot be decrypted"
"""What stands for a value that cannot be decrypted, as a message for ``_``."""

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


def says_unreadable(text: str) -> bool:
    """Whether a text is, in any language, what stands for a value that cannot be decrypted.

    >>> says_unreadable(" 无法解密 "), says_unreadable("cannot be decrypted"), says_unreadable("13800006021")
    (True, True, False)
    """
    return text.strip() in _said_of_unreadable()


@cache
def _said_of_unreadable() -> frozenset[str]:
    said = set()
    for spoken in language.LANGUAGES:
        with language.using(spoken):
            said.add(_(UNREADABLE))
    return frozenset(said)
