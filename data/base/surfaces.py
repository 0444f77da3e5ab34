"""Where a sentence is read: at a terminal, on a page, or by a program.

What to do is the same everywhere, but it is called differently: an option at the terminal, a field or a button on a
page, a parameter in a call of the API. Whoever words advice says all three with ``choose``; the command line, each
request and each job say once which of them they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum


class Surface(StrEnum):
    """Where somebody reads what we say."""

    TERMINAL = "terminal"
    PAGE = "page"
    PROGRAM = "program"


_current: ContextVar[Surface] = ContextVar("wangge_surface", default=Surface.TERMINAL)


def current() -> Surface:
    """Where what is said now will be read."""
    return _current.get()


@contextmanager
def using(surface: Surface) -> Iterator[None]:
    """Speak for ``surface`` inside the ``with`` block."""
    token = _current.set(surface)
    try:
        yield
    finally:
        _current.reset(token)


def choose(*, terminal: str, page: str, program: str) -> str:
    """The wording for where it will be read.

    >>> with using(Surface.PAGE):
    ...     choose(terminal="Say --layer.", page="Choose the layer.", program="Say layer.")
    'Choose the layer.'
    """
    return {Surface.TERMINAL: terminal, Surface.PAGE: page, Surface.PROGRAM: program}[current()]
