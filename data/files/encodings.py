"""In which encoding bytes were written: declared, evident, or guessed and said.

UTF-8 proves itself. What is not UTF-8 is, in Chinese offices, mostly GBK, sometimes Big5, and Latin-1 where it came
from abroad. GBK and Big5 share most of their byte range, but not their *common* characters: both standards put those
into a block of their own, so text decoded by the right one lies in that block nearly always, by the wrong one less.

Source: GB 2312-1980 (level 1 in rows 16–55), Big5 (level 1 in A440–C67E).
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from enum import StrEnum

from data.base.errors import Invalid
from data.base.language import _

_SAMPLE_BYTES = 1 << 20
_SURE = 0.6
"""The share of common characters from which on text is taken for Chinese; Latin-1 text stays below 0.2."""


class How(StrEnum):
    """How the encoding is known."""

    GIVEN = "given"
    MARKED = "marked"
    DECLARED = "declared"
    EVIDENT = "evident"
    GUESSED = "guessed"


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding by its usual name (``UTF-8``, ``GBK`` …), and how it is known."""

    name: str
    how: How


_CHARACTER_SETS = re.compile(
    r"ascii|utf-8(-sig)?|utf-(16|32)(-[bl]e)?|gbk|gb2312|gb18030|big5(hkscs)?|cp\d{3,4}|iso8859-\d+|koi8-[rtu]|kz1048"
    r"|mac-(roman|cyrillic|greek|latin2|iceland|turkish|croatian)|ptcp154|tis-620|shift_jis(_2004|x0213)?"
    r"|euc_(jp|kr|jis_2004|jisx0213)|johab"
)
"""Encodings of characters by bytes. Python knows others, in which a harmless text says something else than one sees."""
_MARKS = (
    (codecs.BOM_UTF8, "UTF-8-SIG"),
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def known(name: str) -> str:
    """The usual name of an encoding that Python can decode.

    Raises
    ------
    Invalid
        There is no such encoding.

    >>> known("utf8"), known("936"), known("iso-8859-1")
    ('UTF-8', 'GBK', 'ISO-8859-1')
    """
    plain = name.strip().strip("\0")
    pages = {"936": "GBK", "950": "Big5", "54936": "GB18030", "65001": "UTF-8", "88591": "ISO-8859-1"}
    digits = re.sub(r"\D", "", plain)
    plain = pages.get(digits, plain) if re.fullmatch(r"(?i)(cp|ansi|ms|windows|iso)?[\s_-]*\d+", plain) else plain
    try:
        codec = codecs.lookup(plain)
        if not _CHARACTER_SETS.fullmatch(codec.name):
            raise LookupError(codec.name)
    except (LookupError, ValueError) as error:
        raise Invalid(
            _("There is no encoding “{name}”. Usual ones are UTF-8, GBK, GB18030, Big5 and UTF-16.", name=name),
            encoding=name,
        ) from error
    usual = {
        "utf-8": "UTF-8",
        "utf-8-sig": "UTF-8-SIG",
        "gbk": "GBK",
        "gb2312": "GBK",
        "gb18030": "GB18030",
        "big5": "Big5",
        "iso8859-1": "ISO-8859-1",
        "cp1252": "Windows-1252",
        "utf-16": "UTF-16",
        "utf-32": "UTF-32",
    }
    return usual.get(codec.name, codec.name.upper())


def guess(sample: bytes) -> Encoding:
    """The encoding of a piece of text.

    Parameters
    ----------
    sample
        Bytes of text; more of it makes the guess better.

    Examples
    --------
    >>> guess("黑龙江省".encode("gbk")).name, guess("臺北市文山區".encode("big5")).name, guess(b"D\\xebad rat").name
    ('GBK', 'Big5', 'Windows-1252')
    """
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return Encoding(name, How.MARKED)
    wide = _wide(sample)
    if wide:
        return Encoding(wide, How.GUESSED)
    if _is_utf8(sample):
        return Encoding("UTF-8", How.EVIDENT)
    scores = {"GBK": _common_gbk(sample), "Big5": _common_big5(sample)}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] < _SURE:
        return Encoding("Windows-1252", How.GUESSED)
    if best == "GBK" and not _decodes(sample, "gbk"):
        best = "GB18030"
    return Encoding(best, How.GUESSED)


def decode(content: bytes, asked: str | None = None) -> tuple[str, Encoding]:
    """Text of a whole file, and its encoding.

    Parameters
    ----------
    content
        All bytes of the file.
    asked
        The encoding the person says it is in; it is not doubted.

    Raises
    ------
    Invalid
        The bytes are not in that encoding; the sentence says in which line.
    """
    if asked:
        found = Encoding(known(asked), How.GIVEN)
    else:
        found = _whole(content)
    name = "UTF-8-SIG" if found.name == "UTF-8" else found.name
    try:
        text = content.decode(name)
    except UnicodeDecodeError as error:
        raise _broken(content, error, found) from error
    return text.removeprefix("\ufeff"), Encoding(found.name.removesuffix("-SIG"), found.how)


def fits(sample: bytes, name: str) -> bool:
    """Whether ``sample`` can be text in the encoding ``name``."""
    return _decodes(sample, name)


def _whole(content: bytes) -> Encoding:
    encoding = guess(content[:_SAMPLE_BYTES])
    if encoding.how is How.MARKED or encoding.name.startswith("UTF-16"):
        return encoding
    if _decodes(content, "utf-8"):
        return Encoding("UTF-8", How.EVIDENT)
    if encoding.how is How.EVIDENT:
        # The beginning is plain ASCII or sound UTF-8, and the rest is not: judge by the lines that are not ASCII.
        telling = b"\n".join(line for line in content.splitlines() if not line.isascii())
        encoding = guess(telling[:_SAMPLE_BYTES])
    if _mostly_utf8(content):
        return Encoding("UTF-8", How.GUESSED)
    if encoding.name == "GBK" and not _decodes(content, "gbk"):
        return Encoding("GB18030", How.GUESSED)
    if encoding.name == "Windows-1252" and not _decodes(content, "cp1252"):
        return Encoding("ISO-8859-1", How.GUESSED)
    return encoding


def _broken(content: bytes, error: UnicodeDecodeError, encoding: Encoding) -> Invalid:
    line = content.count(b"\n", 0, error.start) + 1
    sentence = (
        _(
            "Line {line} is not in {encoding}. Leave the encoding away, or name the right one.",
            line=line,
            encoding=encoding.name,
        )
        if encoding.how is How.GIVEN
        else _(
            "Line {line} has bytes that are not {encoding}. Save the file anew as UTF-8, or name its encoding.",
            line=line,
            encoding=encoding.name,
        )
    )
    return Invalid(sentence, line=line, encoding=encoding.name)


def _is_utf8(sample: bytes) -> bool:
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        return _is_cut(sample, error)
    return True


def _mostly_utf8(content: bytes) -> bool:
    """Whether a damaged file was UTF-8: at most one broken place in a hundred characters that are not ASCII."""
    text = content.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    whole = sum(len(run) for run in re.findall(r"[^\x00-\x7f\ufffd]+", text))
    return whole >= 100 * broken


def _wide(sample: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of Latin text is zero."""
    pairs = len(sample) // 2
    if pairs < 2 or 0 not in sample:
        return None
    high, low = sample[1 : 2 * pairs : 2].count(0), sample[0 : 2 * pairs : 2].count(0)
    if high > pairs * 0.3 and low < pairs * 0.05:
        return "UTF-16-LE"
    if low > pairs * 0.3 and high < pairs * 0.05:
        return "UTF-16-BE"
    return None


def _decodes(sample: bytes, name: str) -> bool:
    try:
        sample.decode(name)
    except UnicodeDecodeError as error:
        return _is_cut(sample, error)
    except LookupError:
        return False
    return True


def _is_cut(sample: bytes, error: UnicodeDecodeError) -> bool:
    """Whether only the last character is broken, and that because the sample ends there."""
    return len(sample) == _SAMPLE_BYTES and len(sample) - error.start < 4


_PAIR = re.compile(rb"[\x81-\xfe][\x30-\x39][\x81-\xfe][\x30-\x39]|[\x81-\xfe][\x40-\x7e\x80-\xfe]|[\x80-\xff]")


def _common_gbk(sample: bytes) -> float:
    """How common the characters are when read as GBK, 0–1: 1 for level 1 and punctuation, 0.6 for level 2."""
    weights = 0.0
    pairs = _PAIR.findall(sample)
    for pair in pairs:
        if len(pair) == 2 and pair[1] >= 0xA1:
            lead = pair[0]
            weights += 1.0 if 0xB0 <= lead <= 0xD7 or 0xA1 <= lead <= 0xA3 else 0.6 if 0xD8 <= lead <= 0xF7 else 0.0
        elif len(pair) == 4:
            weights += 0.3
    return weights / len(pairs) if pairs else 0.0


def _common_big5(sample: bytes) -> float:
    """The same when read as Big5: 1 for level 1 and punctuation, 0.4 for level 2."""
    weights = 0.0
    pairs = _PAIR.findall(sample)
    for pair in pairs:
        if len(pair) == 2 and (0x40 <= pair[1] <= 0x7E or pair[1] >= 0xA1):
            lead = pair[0]
            weights += 1.0 if 0xA4 <= lead <= 0xC6 or 0xA1 <= lead <= 0xA2 else 0.4 if 0xC9 <= lead <= 0xF9 else 0.0
    return weights / len(pairs) if pairs else 0.0
