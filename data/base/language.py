"""The language a person reads: Chinese by default, English by a switch.

Messages are written in English in the code and translated by the ``*.po`` files below ``data/locale/zh``, one file per
feature. They are read as they are, so there is no compile step. ``_`` is the only function the rest of the house
needs; the babel extractor knows it too.

A message that counts (``{count} cases``) is written in the plural. What English says of one stands in
``data/locale/one.po``; Chinese needs no such thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("zh", "en")
_CATALOGS = Path(__file__).resolve().parent.parent / "locale"
_current: ContextVar[str] = ContextVar("wangge_language", default="zh")


def current() -> str:
    """The language of this request, job or command: ``zh`` or ``en``."""
    return _current.get()


def use(language: str) -> None:
    """Speak ``language`` from here on in this context; an unknown one leaves things as they are."""
    if language in LANGUAGES:
        _current.set(language)


@contextmanager
def using(language: str) -> Iterator[None]:
    """Speak ``language`` inside the ``with`` block."""
    token = _current.set(language)
    try:
        yield
    finally:
        _current.reset(token)


@cache
def catalog(language: str) -> dict[str, str]:
    """All translations into ``language``: message → text. Empty for English, which the messages are written in."""
    from babel.messages.pofile import read_po

    texts: dict[str, str] = {}
    for path in sorted((_CATALOGS / language).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=language):
                if message.id and message.string and not message.fuzzy:
                    texts[str(message.id)] = str(message.string)
    return texts


@cache
def singulars() -> dict[str, str]:
    """What English says of one: message → text."""
    from babel.messages.pofile import read_po

    with (_CATALOGS / "one.po").open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file) if message.id}


def _(message: str, /, **values: object) -> str:
    """``message`` in the current language, with ``{name}`` replaced by ``values``.

    >>> with using("en"):
    ...     _("{count} households", count=3), _("{count} households", count=1)
    ('3 households', '1 household')
    """
    text = catalog(current()).get(message, message)
    if current() == "en" and values.get("count") in (1, "1"):
        text = singulars().get(message, text)
    return text.format(**values) if values else text


def named(record: Any, what: str = "name") -> str:
    """The name of a row, or of a piece of one, in the current language: of ``name_zh`` and ``name_en`` the right one.

    >>> with using("zh"):
    ...     named({"role_zh": "网格长", "role_en": "Grid leader"}, "role")
    '网格长'
    """
    key = f"{what}_{current()}"
    return str(record[key] if isinstance(record, Mapping) else getattr(record, key))
