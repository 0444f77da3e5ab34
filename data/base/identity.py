"""Resident identity numbers (公民身份号码): checked, read and, for the demo, made.

Eighteen characters: six of the administrative division (GB/T 2260) where the person was first registered,
eight of the date of birth, three of a sequence that is odd for men and even for women, one check character.
Numbers of the first generation had fifteen: no century, no check character. Old ledgers still have them, and
they are brought to eighteen here.

A number can be *well formed* without belonging to anyone. The division is therefore not looked up: divisions
are abolished and founded every year, and numbers outlive them.

Source: GB 11643-1999, clauses 3 and 4; the check character is ISO/IEC 7064, MOD 11-2.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from data.base.language import _

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"

# No person can have a number of these divisions: GB/T 2260 begins with 1 to 8, and 9 as the first character
# marks the permanent residence numbers of foreigners (since December 2023), whose second and third characters
# are a province, and no province is numbered 90 to 99.
UNASSIGNED_PREFIX = "99"


class Sex(StrEnum):
    """Sex by GB/T 2261.1, as far as an identity number tells it."""

    MALE = "1"
    FEMALE = "2"


class Fault(StrEnum):
    """What is wrong with an identity number."""

    LENGTH = "length"
    CHARACTERS = "characters"
    DATE = "date"
    CHECKSUM = "checksum"
    FUTURE = "future"


class NotAnIdentityNumber(ValueError):
    """The text is no identity number.

    Parameters
    ----------
    code
        What is wrong.
    detail
        A sentence that says so. It never repeats the number: it may end up in a log.
    """

    def __init__(self, code: Fault, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Identity:
    """What an identity number tells.

    Attributes
    ----------
    division
        Six digits of GB/T 2260, where the person was first registered.
    born_on, sex
        The birthday and the sex.
    number
        The number in its one normal form: eighteen characters, half-width, ``X`` in capitals.
    converted
        True when fifteen characters were given.
    """

    division: str
    born_on: date
    sex: Sex
    number: str
    converted: bool


def checksum(first17: str) -> str:
    """The check character of the first seventeen digits.

    Raises
    ------
    ValueError
        When these are not seventeen digits.

    Source: GB 11643-1999, 4.2 (weighted sum modulo 11).

    >>> checksum("11010519491231002")
    'X'
    >>> checksum("44052418800101001")
    '4'
    """
    if len(first17) != 17 or not _digits(first17):
        raise ValueError(f"The check character follows from 17 digits, {len(first17)} characters were given.")
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, first17, strict=True))
    return _CHECKS[total % 11]


def check(number: str, *, today: date | None = None) -> Identity:
    """Read an identity number.

    Full-width characters, spaces and a small ``x`` are taken as meant. Fifteen digits are brought to 18: the
    century is the 20th, except for the sequences 996 to 999, kept for people born in the 19th.

    Parameters
    ----------
    number
        The text as somebody wrote it.
    today
        The day that no birthday may lie after; default the day it is.

    Raises
    ------
    NotAnIdentityNumber
        With ``code`` ``length``, ``characters``, ``date``, ``checksum`` or ``future``.

    >>> check("１１０１０５１９４９１２３１００２x").born_on
    datetime.date(1949, 12, 31)
    """
    text = "".join(unicodedata.normalize("NFKC", number).split()).upper()
    if len(text) not in (15, 18):
        raise NotAnIdentityNumber(
            Fault.LENGTH,
            _("An identity number has 18 characters (15 in old papers), here are {count}.", count=len(text)),
        )
    converted = len(text) == 15
    body = text if converted else text[:17]
    if not _digits(body) or not (converted or _digits(text[17]) or text[17] == "X"):
        raise NotAnIdentityNumber(
            Fault.CHARACTERS, _("An identity number consists of digits; only the last character may be an X.")
        )
    if converted:
        century = "18" if body[12:] >= "996" else "19"
        body = f"{body[:6]}{century}{body[6:]}"
    try:
        born_on = date(int(body[6:10]), int(body[10:12]), int(body[12:14]))
    except ValueError:
        raise NotAnIdentityNumber(
            Fault.DATE,
            _(
                "Characters 7 to 14 of an identity number are a birthday; {text} is not a day.",
                text=body[6:14],
            ),
        ) from None
    check_character = checksum(body)
    if not converted and text[17] != check_character:
        raise NotAnIdentityNumber(
            Fault.CHECKSUM, _("The last character of this identity number does not follow from the others.")
        )
    if born_on > (today or _today()):
        raise NotAnIdentityNumber(
            Fault.FUTURE,
            _("The birthday in this identity number, {day}, has not come yet.", day=born_on.isoformat()),
        )
    sex = Sex.MALE if int(body[16]) % 2 else Sex.FEMALE
    return Identity(body[:6], born_on, sex, body + check_character, converted)


def make(division: str, born_on: date, sequence: int, sex: Sex) -> str:
    """A well-formed identity number, for demos and tests.

    Parameters
    ----------
    division
        Six digits. With ``UNASSIGNED_PREFIX`` in front the number cannot belong to anyone.
    born_on
        The birthday.
    sequence
        0 to 499: which of those born on that day, in that division, of that sex.
    sex
        Decides whether the seventeenth character is odd.

    Raises
    ------
    ValueError
        When the division is not six digits or the sequence is out of range.

    >>> make("110105", date(1949, 12, 31), 1, Sex.FEMALE)
    '11010519491231002X'
    """
    if len(division) != 6 or not _digits(division):
        raise ValueError(f"A division has six digits, not {division!r}.")
    if not 0 <= sequence <= 499:
        raise ValueError(f"There are 500 numbers a day for each sex (0 to 499), not number {sequence}.")
    body = f"{division}{born_on:%Y%m%d}{2 * sequence + (sex is Sex.MALE):03d}"
    return body + checksum(body)


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _today() -> date:
    from data.base import settings  # what reads files has none until it meets with a birthday

    return settings.today()
