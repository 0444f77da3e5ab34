"""Phones and papers of people as ledgers have them: two numbers in a cell, digits that were lost, passports."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from data.base import identity
from data.base.language import _
from data.files.cells import Fault, Reading, Remark, as_text, shortened
from spatial import spelling

# ---- phones --------------------------------------------------------------------------------------------------------

_NUMBER = r"(?:\+?(?:86)?[\s-]?1\d{10}|0\d{2,3}[\s-]?\d{7,8})"
_BETWEEN = re.compile(rf"[/、,，;；|\n或和]+|\s+(?={_NUMBER}(?!\d))")
_WORDS = re.compile(r"[(（\[【][^)）\]】]*[)）\]】]|[\u3400-\u9fff]*[:：]|[\u3400-\u9fff]+(?!\d)|^[\u3400-\u9fff]+")


def phone(cell: Any, how: Reading) -> str | Fault | Remark:
    """A phone number; of two in a cell the first, which is told."""
    text = as_text(cell)
    if shortened(cell):
        return _lost(how)
    whole = _phone(text, how)
    if not isinstance(whole, Fault):
        return whole
    numbers = [part for part in _BETWEEN.split(text) if part.strip()]
    read = [_phone(_WORDS.sub("", part), how) for part in numbers]
    good = [part for part in read if not isinstance(part, Fault)]
    if not good or len(good) < len(read):
        return whole
    first = good[0].value if isinstance(good[0], Remark) else good[0]
    if len(good) > 1:
        return Remark(first, _("{label}: the first of several numbers in a cell was kept.", label=how.label))
    return Remark(first, _("{label}: words beside the number were left out.", label=how.label))


def _phone(text: str, how: Reading) -> str | Fault | Remark:
    plain = spelling.phone(text)
    digits = re.sub(r"[\s().-]", "", plain)
    if re.fullmatch(r"1\d*", digits) and 8 < len(digits) < 14 and len(digits) != 11:
        return Fault(
            _(
                "{label} starts like a mobile number but has {count} digits instead of 11.",
                label=how.label,
                count=len(digits),
            ),
            _("Check the number."),
        )
    if spelling.without_area(digits):
        return Remark(plain, _("{label} has seven digits and no area code; it was kept so.", label=how.label))
    if re.fullmatch(r"\+?\d{5,15}((转|x|ext\.?)\d{1,6})?", digits, re.IGNORECASE):
        return plain
    return Fault(_("{label} is not a phone number.", label=how.label), _("Check the number."))


# ---- papers --------------------------------------------------------------------------------------------------------


def lost_digits(cells: Sequence[Any]) -> Callable[[str], bool]:
    """Which identity numbers of a column have been rounded: a spreadsheet keeps fifteen digits of a number.

    One number in a thousand ends in 000 by itself. That is believed where the column's other numbers, which a
    spreadsheet would have rounded as well, do not.
    """
    known = [re.sub(r"\s", "", as_text(cell)) for cell in cells if isinstance(cell, str)]
    digits = [text for text in known if len(text) == 18 and text.isdecimal()]
    rounded = sum(text.endswith("000") for text in digits)
    believed = rounded * 10 <= len(digits)
    return lambda text: len(text) == 18 and text.endswith("000") and not believed


def document(cell: Any, how: Reading, *, lost: Callable[[str], bool]) -> str | Fault | Remark:
    """A resident identity number, or the number of another paper: a passport, a permit, a residence card."""
    text = re.sub(r"\s", "", unicodedata.normalize("NFKC", spelling.visible(as_text(cell)))).upper().lstrip("'‘’")
    text = re.sub(r'^="(.*)"$', r"\1", text)
    text = re.sub(r"^[\u3400-\u9fff]+[:：]?(?=[A-Z0-9])", "", text)
    number = isinstance(cell, float | int) and len(text) == 18 and text.endswith("000")
    if number or lost(text) or shortened(cell) or re.fullmatch(r"\d{15,18}\.0+", text):
        return _lost(how)
    if re.fullmatch(r"\d{8,10}", text):
        return Remark(
            text, _("{label} with {count} digits was kept as that of another paper.", label=how.label, count=len(text))
        )
    if _is_other(text):
        return text
    try:
        return identity.check(text).number
    except identity.NotAnIdentityNumber as fault:
        return Fault(fault.detail, _("Check the document and enter the number again."))


def _is_other(text: str) -> bool:
    """Whether a number has letters where only those of other papers have them.

    >>> [_is_other(text) for text in ("C12345678", "USA110083042101", "H0123456701", "12AB34567", "11010519491231002X")]
    [True, True, True, True, False]
    """
    if re.fullmatch(r"[A-Z]{1,3}\d{5,12}[A-Z]?(\(\w\))?", text):
        return True
    return bool(re.fullmatch(r"[A-Z0-9]{6,12}", text)) and len(re.findall(r"\d", text)) >= 4 and not text.isdecimal()


def _lost(how: Reading) -> Fault:
    return Fault(
        _("{label} has lost its last digits: the spreadsheet kept it as a number.", label=how.label),
        _("Format the column as text and enter the number again."),
    )
