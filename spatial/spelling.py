"""Texts as people, phones and spreadsheets write them, in one spelling (书写归一).

The same key, name or address comes in full width, with characters that nobody sees, with an apostrophe or ``="…"`` that
kept a spreadsheet from taking it for a number, with ``.0`` of a program that took it for one, in traditional
characters. What is written otherwise and means the same must be the same text, so everything that compares texts goes
through here: imports, search, addresses.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Any

__all__ = ["half_width", "key", "name", "phone", "simplified", "unseen", "visible", "without_area"]

_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff"
    "\uffa0\ufff9-\ufffc\U000e0000-\U000e0fff]"
)
"""What has no shape of its own. Joiners (U+200C, U+200D) hold emoji together and stay in free text."""
_BLANK = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_HAN = "\u2e80-\u2fdf\u3005\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WIDE = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}
_DASHES = re.compile("[\u2010-\u2015\u2043\u207b\u208b\u2212\ufe58\ufe63\uff0d\u2500]")
_QUOTES = "'\u2018\u2019\uff07`"
_DOTS = re.compile(
    rf"(?<=[{_HAN}])\s*[.\u00b7\u2022\u2027\u2219\u22c5\u2024\u25cf\u25aa\u30fb\uff65\uff0e\u0387\u16eb]"
    rf"\s*(?=[{_HAN}])"
)


_BLANKS = re.compile(r"\s+")
_AS_TEXT = re.compile(r'^(?:=\s*)?["\u201c\u201d]+([^"\u201c\u201d]*)["\u201c\u201d]+$|^=\s*(\d+)$')
_BETWEEN_HAN = re.compile(rf"(?<=[{_HAN}]) | (?=[{_HAN}])")
_WITHIN_NAME = re.compile(rf"(?<=[{_HAN}·]) (?=[{_HAN}·])")
_AS_FRACTION = re.compile(r"^(\d+)\.0+$")
_IN_PHONE = re.compile(r"[\s().-]")
_MOBILE = re.compile(r"(?:\+|00)?(?:86)?0?(1\d{10})")


def unseen(text: str) -> str:
    """A text without characters that nobody sees."""
    return text if text.isascii() else _UNSEEN.sub("", text)


def visible(text: str) -> str:
    """A text without characters that nobody sees; blanks of every width are one ordinary space.

    >>> visible("\\u202d154\\u00a00000\\u202c")
    '154 0000'
    """
    return text if text.isascii() else _BLANK.sub(" ", _UNSEEN.sub("", text))


def half_width(text: str) -> str:
    """Letters and digits of full width as ordinary ones; brackets and commas of Chinese stay.

    >>> half_width("Ａ座１２（东）")
    'A座12（东）'
    """
    return text.translate(_WIDE)


@lru_cache(maxsize=65536)
def key(text: str) -> str:
    """A number or code by which a record is known, in one spelling.

    >>> [key(text) for text in ('="0012"', "'1001", "1001.0", "１００１", "WT－07 ", "\u200e1001")]
    ['0012', '1001', '1001', '1001', 'WT-07', '1001']
    """
    plain = unicodedata.normalize("NFKC", visible(text)).replace("\u200c", "").replace("\u200d", "")
    plain = _BLANKS.sub(" ", _DASHES.sub("-", plain)).strip()
    plain = _AS_TEXT.sub(r"\1\2", plain).strip().lstrip(_QUOTES).strip()
    plain = _BETWEEN_HAN.sub("", plain)
    return _AS_FRACTION.sub(r"\1", plain)


@lru_cache(maxsize=65536)
def name(text: str) -> str:
    """A person's name in one spelling: no spaces within Chinese names, one dot within those of minorities.

    >>> name("李　明"), name("买买提•吐尔逊"), name("John  Smith")
    ('李明', '买买提·吐尔逊', 'John Smith')
    """
    plain = half_width(visible(text)).replace("\u200c", "").replace("\u200d", "")
    plain = "".join(unicodedata.normalize("NFKC", sign) if "\uf900" <= sign <= "\ufaff" else sign for sign in plain)
    plain = _BLANKS.sub(" ", _DOTS.sub("·", plain)).strip().lstrip(_QUOTES).strip()
    return _WITHIN_NAME.sub("", plain)


def phone(text: str) -> str:
    """A phone number in one spelling: a mobile one as its eleven digits, any other in half width with one dash.

    >>> phone("+86 154-0000-0001"), phone("(86)15400000001"), phone("０１０—６２３４５６７８")
    ('15400000001', '15400000001', '010-62345678')
    """
    plain = _DASHES.sub("-", unicodedata.normalize("NFKC", visible(text)))
    plain = _AS_TEXT.sub(r"\1\2", plain.strip()).lstrip(_QUOTES)
    plain = _BLANKS.sub(" ", _AS_FRACTION.sub(r"\1", plain.strip()))
    digits = _IN_PHONE.sub("", plain)
    mobile = _MOBILE.fullmatch(digits)
    return mobile[1] if mobile else plain


def without_area(number: str) -> bool:
    """Whether a phone number is that of a line (固定电话) of seven digits without the code of its area.

    >>> without_area("621 3456"), without_area("021-6213456"), without_area("15400000001")
    (True, False, False)
    """
    return re.fullmatch(r"[2-9]\d{6}", _IN_PHONE.sub("", number)) is not None


def simplified(text: str) -> str:
    """A text in simplified characters.

    >>> simplified("錦繡路12弄3號501室")
    '锦绣路12弄3号501室'
    """
    return text if text.isascii() else _simplified(text)


@lru_cache(maxsize=65536)
def _simplified(text: str) -> str:
    return str(_converter().convert(text))


@cache
def _converter() -> Any:
    from opencc import OpenCC

    return OpenCC("t2s")
