"""The one tree of errors.

::

    WanggeError(detail, **facts)
    ├── NotFound    there is no such thing, or one may not see it
    ├── Forbidden   one may see it but not do this
    ├── Conflict    the world disagrees: it exists already, it overlaps, it changed meanwhile
    ├── Invalid     what was handed in is malformed
    └── Busy        try again later
        └── NoRoom  the disk is full

``detail`` is a sentence for the person who asked: what is wrong, with the values, and what to do. ``facts`` are the
values for programs. Only ``api/base/errors.py`` knows status codes; ``spatial`` raises ``ValueError`` subclasses of its
own.
"""

from __future__ import annotations


class WanggeError(Exception):
    """The base of every error that has a sentence for the person who asked.

    Parameters
    ----------
    detail
        What is wrong, with the values, and what to do.
    **facts
        The same as values, for programs (JSON-serialisable).
    """

    def __init__(self, detail: str, **facts: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts


class NotFound(WanggeError):
    """There is no such thing, or the one who asks may not see it."""


class Forbidden(WanggeError):
    """The thing may be seen, but this may not be done to it."""


class Conflict(WanggeError):
    """The request is well formed, but the world disagrees."""


class Invalid(WanggeError):
    """What was handed in is malformed."""


class Busy(WanggeError):
    """It cannot be done now; the same request may succeed later."""


class NoRoom(Busy):
    """There is no room on the disk for what was handed in."""
