"""What is said of one, in English."""

from __future__ import annotations

from string import Formatter

from data.base import language
from data.base.language import _


def fields(text: str) -> set[str]:
    """The names in braces."""
    return {name for _text, name, _spec, _turn in Formatter().parse(text) if name}


def test_english_says_one_case_and_two_cases() -> None:
    with language.using("en"):
        assert (_("{count} cases", count=1), _("{count} cases", count="1")) == ("1 case", "1 case")
        assert (_("{count} cases", count=2), _("{count} cases", count="{count}")) == ("2 cases", "{count} cases")
    with language.using("zh"):
        assert _("{count} cases", count=1) == "1 件"


def test_what_is_said_of_one_is_said_of_many_in_the_code() -> None:
    known = language.catalog("zh")
    for message, one in language.singulars().items():
        assert message in known, f"nothing says {message!r} any more"
        assert "{count}" in message
        assert fields(one) <= fields(message)
