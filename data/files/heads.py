"""Where a table begins and what in it is no row of it (表头识别).

Offices set a title and the head of a form above the header, spread the header over two rows with merged cells, repeat
it in English or as tags, number the columns below it (甲 乙 1 2 3), repeat it where a page begins, and end with totals,
signatures and notes. What is left out is told.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data.base.errors import Invalid
from data.base.language import _
from data.files import columns
from data.files.cells import clean, is_empty, plain

if TYPE_CHECKING:
    import pandas as pd

WITHIN = 20
"""The header is looked for in the first rows only."""


@dataclass
class Head:
    """The header of a table.

    Attributes
    ----------
    row
        Its last row, from 0; the table's rows follow.
    names
        What its columns are called.
    notes
        How that was concluded.
    """

    row: int
    names: list[Any]
    notes: list[str] = field(default_factory=list)


def find(rows: Sequence[Sequence[Any]], said: int | None = None, begins: int = 0) -> Head:
    """The header of a table.

    Parameters
    ----------
    rows
        The first rows of the sheet or file.
    said
        The row that the person says it is, from 1.
    begins
        The first row that can be it.

    Raises
    ------
    Invalid
        There is no such row.
    """
    if said is not None and not (0 < said <= len(rows) and any(not is_empty(cell) for cell in rows[said - 1])):
        raise Invalid(_("There is no header in row {row}: it is empty, or beyond the first rows.", row=said), row=said)
    row = said - 1 if said is not None else begins + _likely(rows[begins:])
    pairs = ((row, row + 1), (row - 1, row))
    for upper, lower in pairs:
        if begins <= upper and lower < len(rows) and _are_two(rows[upper], rows[lower]):
            names = _joined(rows[upper], rows[lower])
            note = _("The header was read from the rows {first} and {last}.", first=upper + 1, last=lower + 1)
            if lower + 1 < len(rows) and _are_two(names, rows[lower + 1]):
                lower += 1
                names = _joined(names, rows[lower])
                note = _("The header was read from the rows {first} to {last}.", first=upper + 1, last=lower + 1)
            return Head(lower, names, [note])
    notes = []
    if row > begins and said is None:
        notes.append(_("The header was taken from row {row}; the rows above are a title.", row=row + 1))
    return Head(row, list(rows[row]), notes)


def _known(cells: Sequence[Any]) -> int:
    """How many cells are headings of any kind of import."""
    return len({word for cell in cells if isinstance(cell, str) and (word := plain(clean(cell))) in columns.headings()})


def _likely(rows: Sequence[Sequence[Any]]) -> int:
    """The row with most headings that are known; else the first about as wide as the widest."""
    known = [_known(row) for row in rows[:WITHIN]]
    if max(known, default=0) >= 2:
        return known.index(max(known))
    widths = [sum(not is_empty(cell) for cell in row) for row in rows]
    widest = max(widths, default=0)
    for position, width in enumerate(widths[:10]):
        if width >= max(widest / 2, 1) and (width > 1 or widest == 1):
            return position
    return 0


def _filled(row: Sequence[Any]) -> set[int]:
    return {at for at, cell in enumerate(row) if not is_empty(cell)}


def _are_two(upper: Sequence[Any], lower: Sequence[Any]) -> bool:
    """Whether two rows are one header: the lower one names what the upper one leaves open, and nothing but headings."""
    above, below = _filled(upper), _filled(lower)
    below -= {at for at in below & above if str(upper[at]).strip() == str(lower[at]).strip()}
    if not below - above or not above - below or not _known(upper):
        return False
    return all(isinstance(lower[at], str) and not re.search(r"\d", str(lower[at])) for at in below) and _known(
        lower
    ) * 2 >= len(below)


def _joined(upper: Sequence[Any], lower: Sequence[Any]) -> list[Any]:
    """Names of a header of two rows: the word below with the group above it where that tells more."""
    width = max(len(upper), len(lower))
    top, low = [*upper, *[None] * (width - len(upper))], [*lower, *[None] * (width - len(lower))]
    words = [plain(str(cell)) for cell in low if not is_empty(cell)]
    names: list[Any] = []
    group = None
    for above, below in zip(top, low, strict=True):
        group = group if is_empty(above) else above
        if is_empty(below):
            names.append(above)
            group = None
            continue
        both = f"{str(group).strip()}{str(below).strip()}" if group is not None else str(below)
        known = plain(both) in columns.headings() or words.count(plain(str(below))) > 1
        names.append(both if known else below)
    return names


# ---- what is no row of the table -----------------------------------------------------------------------------------

_TOTAL = re.compile(
    r"(?:(?:本页)?[合总小共累]\s*计|总数|total|subtotal|sum|grand total)(?:\s*[:：(（\d].*)?",
    re.IGNORECASE | re.DOTALL,
)
_SIGNED = re.compile(
    r"(?:填\s*表|制\s*表|填\s*报|审\s*核|复\s*核|负\s*责|经\s*办|统\s*计|录\s*入|采\s*集|登\s*记|调\s*查|校\s*对|批\s*准|单位负责|网格|社区)"
    r"\s*(?:人|员|单位|部门|长|书记)?\s*(?:日期|时间|签[字名章]|盖章|负责人)?\s*(?:[(（][^)）]*[)）])?\s*[:：].*"
    r"|(?:单位|领导|盖章|签[字名章]|日期|电话|联系人|联系电话|填表日期|制表日期|报送日期)\s*(?:[(（][^)）]*[)）])?\s*[:：].*",
    re.DOTALL,
)
_NOTE = re.compile(
    r"(?:备?\s*注|说\s*明|填表说明|附\s*注|note|notes|remarks?)\s*\d*\s*[:：].*|[(（]?\s*以下(?:空白|无内容|无正文).*"
    r"|第\s*\d+\s*页.*|(?:本表|此表|上表).{4,}",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(r"#[a-z][\w+]*")
_HOW = re.compile(
    r"\*?(?:必填|选填|非必填|可选|可不填|必填项|选填项|文本|文字|字符|数字|数值|整数|日期|时间|下拉|单选|多选)"
    r"|text|string|varchar|number|integer|int|float|date|datetime|required|optional",
    re.IGNORECASE,
)
_EXAMPLE = re.compile(r"(?:填写|填表)?(?:示例|样例|范例|举例)|例[:：如]|example\b|e\.g\.", re.IGNORECASE)
_STEMS = "甲乙丙丁戊己庚辛壬癸"


def beyond(header: Sequence[Any], frame: pd.DataFrame, rows: NDArray[np.int64]) -> tuple[NDArray[np.bool_], list[str]]:
    """Which rows below a header are no rows of the table, and what is told of them.

    Parameters
    ----------
    header
        What the columns are called, one a column of ``frame``.
    rows
        The number of each row as the person sees it.
    """
    out = np.zeros(len(frame), dtype=bool)
    if not frame.shape[1] or frame.shape[1] < 2 or not len(frame):
        return out, []
    why: dict[str, list[int]] = {}

    def leave(positions: Sequence[int], reason: str) -> None:
        for at in positions:
            if not out[at]:
                out[at] = True
                why.setdefault(reason, []).append(int(rows[at]))

    for at in range(min(3, len(frame))):
        cells = [cell for cell in frame.iloc[at].tolist() if not is_empty(cell)]
        if _are_numbers_of_columns(cells):
            leave([at], _("the numbers of the columns"))
        elif len(cells) >= 2 and all(isinstance(cell, str) and _TAG.match(cell.strip()) for cell in cells):
            leave([at], _("tags"))
        elif len(cells) >= 2 and all(isinstance(cell, str) and _HOW.fullmatch(clean(cell)) for cell in cells):
            leave([at], _("how to fill the columns in"))
        elif cells and isinstance(cells[0], str) and _EXAMPLE.match(clean(cells[0])):
            leave([at], _("an example"))
        elif len(cells) * 2 >= frame.shape[1] and _are_headings(cells):
            leave([at], _("the header once more"))
    leave(_repeated(header, frame), _("the header once more"))
    first = _first_texts(frame)
    for pattern, reason in ((_TOTAL, _("a total")), (_SIGNED, _("who signed")), (_NOTE, _("a note"))):
        leave([at for at, text in first if pattern.fullmatch(text)], reason)
    leave(_between(frame), _("a heading between the rows"))
    if not why:
        return out, []
    told = _("; ").join(f"{columns.listed(at)} ({reason})" for reason, at in why.items())
    return out, [_("Rows that are no rows of the table were left out: {rows}.", rows=told)]


def _are_numbers_of_columns(cells: Sequence[Any]) -> bool:
    """Whether a row is 甲 乙 1 2 3, or 1 2 3, or A B 1 2: what stands below the headings of official forms.

    >>> _are_numbers_of_columns(["甲", "乙", 1, 2, 3]), _are_numbers_of_columns([1, 2, 4])
    (True, False)
    >>> _are_numbers_of_columns(["栏次", "①", "②", "③"]), _are_numbers_of_columns(["一", "二", "三"])
    (True, True)
    """
    words = [_counted(str(cell)) for cell in cells]
    if words and words[0] in ("次", "序号", "号", "列号", "行次", "项目"):
        words = words[1:]
    letters = [word for word in words if not word.isdecimal()]
    numbers = [int(word) for word in words if word.isdecimal()]
    if len(words) < 3 or words != [*letters, *map(str, numbers)]:
        return False
    stems = letters == list(_STEMS[: len(letters)]) or letters == [chr(65 + at) for at in range(len(letters))]
    starts = (1, len(letters) + 1) if letters else (1,)
    return stems and (not numbers or numbers in [list(range(start, start + len(numbers))) for start in starts])


def _counted(cell: str) -> str:
    """A number of a column in digits: (1), ①, 第1栏 and 一 are 1."""
    word = re.sub(r"[()]", "", unicodedata.normalize("NFKC", cell)).strip().removeprefix("第").strip("栏列")
    at = _NUMERALS.find(word) + 1 if len(word) == 1 else 0
    return str(at) if at else word.removesuffix(".0")


_NUMERALS = "一二三四五六七八九十"


def _are_headings(cells: Sequence[Any]) -> bool:
    """Whether a row is headings, such as the header in another language, one or two of which may be unknown."""
    known = _known(cells)
    digits = any(not isinstance(cell, str) or re.search(r"\d", cell) for cell in cells)
    return known >= 2 and (known == len(cells) or (known >= 3 and known * 3 >= len(cells) * 2 and not digits))


def _between(frame: pd.DataFrame) -> list[int]:
    """The rows that are one text across the table, such as the name of a grid above its households."""
    if frame.shape[1] < 4:
        return []
    first = frame.iloc[:, 0].tolist()
    likely = [at for at, cell in enumerate(first) if isinstance(cell, str) and _ACROSS.fullmatch(clean(cell))]
    if not likely:
        return []
    filled = [sum(not is_empty(cell) for cell in row) for row in frame.itertuples(index=False)]
    return [at for at in likely if filled[at] == 1] if np.median(filled) >= 3 else []


_ACROSS = re.compile(r"(?=(?:.*[\u4e00-\u9fff]){3})\D*(?:[(（]?共?\s*\d+\s*[户人件条栋间][)）]?)?", re.DOTALL)


def _repeated(header: Sequence[Any], frame: pd.DataFrame) -> list[int]:
    """The rows that say nothing but the header again."""
    same = np.zeros(len(frame), dtype=np.int64)
    filled = np.zeros(len(frame), dtype=np.int64)
    for at, name in enumerate(header):
        cells = frame.iloc[:, at]
        if is_empty(name):
            continue
        same += (cells == name).to_numpy(dtype=bool)
        filled += ~(cells.isna() | (cells == "")).to_numpy(dtype=bool)
    return [int(at) for at in np.flatnonzero((same >= 2) & (same * 5 >= filled * 4))]


def _first_texts(frame: pd.DataFrame) -> list[tuple[int, str]]:
    """The first text of each row that may begin a total, a signature or a note, by position."""
    texts: list[tuple[int, str]] = []
    open_rows = list(range(len(frame)))
    for at in range(frame.shape[1]):
        cells = frame.iloc[:, at].tolist()
        empty = []
        for position in open_rows:
            cell = cells[position]
            if isinstance(cell, str) and cell[:1].isalnum() and cell.isascii() and not _BEGINS.match(cell):
                continue
            if is_empty(cell):
                empty.append(position)
            elif isinstance(cell, str):
                texts.append((position, clean(cell)))
        open_rows = empty
        if not open_rows:
            break
    return sorted(texts)


_BEGINS = re.compile(r"total|sub|sum|grand|note|remark", re.IGNORECASE)
