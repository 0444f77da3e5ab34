"""The subjects of the diary and how entries stand, in words; which subject a text is about; the words of a search."""

from __future__ import annotations

import unicodedata
from functools import cache
from itertools import groupby, pairwise

from data.base import reference, secrets
from data.base.language import _
from data.diary.tables import Standing, Subject


def subject_names() -> dict[str, str]:
    """What an entry is about, in the order in which it is offered."""
    return {
        Subject.PETITION: _("Petitions"),
        Subject.FAMILY_PLANNING: _("Family planning"),
        Subject.LOW_INCOME: _("Low-income support"),
        Subject.CIVIL_AFFAIRS: _("Civil affairs"),
        Subject.CIVILITY: _("Civility"),
        Subject.SAFETY: _("Safety"),
        Subject.ORDER: _("Public order"),
        Subject.UTILITIES: _("Light, water, power"),
        Subject.ENVIRONMENT: _("Surroundings"),
        Subject.HUKOU: _("Household registration"),
        Subject.INSURANCE: _("Medical and social insurance"),
        Subject.JOBS: _("Work"),
        Subject.HOUSING: _("Housing and its management"),
        Subject.NEIGHBOURS: _("Between neighbours"),
        Subject.OTHER: _("Something else"),
    }


def standing_names() -> dict[str, str]:
    """How an entry stands."""
    return {Standing.OPEN: _("To be solved"), Standing.STRUCK: _("Struck off"), Standing.NOTED: _("Good to know")}


@cache
def _signs() -> list[tuple[str, Subject]]:
    """Words and the subject that each is a sign of, the longest first."""
    rows = [(row["word"], Subject(row["subject"])) for row in reference.rows("diary_words")]
    return sorted(rows, key=lambda row: -len(row[0]))


def guessed(text: str) -> Subject:
    """What a text is about, by the longest word in it that is a sign of something.

    >>> guessed("三楼的灯坏了").value, guessed("孩子的户口怎么迁").value, guessed("家里都好").value
    ('utilities', 'hukou', 'other')
    """
    plain = unicodedata.normalize("NFKC", text)
    return next((subject for word, subject in _signs() if word in plain), Subject.OTHER)


def _runs(text: str) -> list[str]:
    """The stretches of letters, digits and characters in a text, in one case and width.

    >>> _runs("３楼 灯，坏了！Wi-Fi")
    ['3楼', '灯', '坏了', 'wi', 'fi']
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return ["".join(run) for kept, run in groupby(plain, str.isalnum) if kept]


def _blind(grams: set[str]) -> list[int]:
    """Numbers of 32 bits that tell nothing without the key of the installation; equal for equal pieces."""
    digests = (secrets.blind(f"diary {gram}") for gram in grams)
    return sorted({int.from_bytes(digest[:4], "big", signed=True) for digest in digests})


def written(text: str) -> list[int]:
    """The blind index of a text: of each character in it, and of each pair of neighbours.

    Chinese has no blanks between words, so pairs of characters stand for them, as in the full-text indexes made for it.
    """
    runs = _runs(text)
    return _blind({piece for run in runs for piece in (*run, *(a + b for a, b in pairwise(run)))})


def sought(text: str) -> list[int]:
    """What the blind index of a text has to hold that a search is to find; empty where nothing is sought."""
    runs = _runs(text)
    return _blind({piece for run in runs for piece in ([a + b for a, b in pairwise(run)] or [run])})
