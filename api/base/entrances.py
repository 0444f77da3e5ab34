"""The entrances of the application: what an address begins with tells who reads there, and how they are answered.

===========  ==================  ===========================  ==========================================
prefix       who reads           an error is                  the language, where neither address nor
                                                              cookie says one
===========  ==================  ===========================  ==========================================
``/api/``    programs            problem+json                 what the program says it accepts
``/tiles/``  the map of a page   problem+json                 ours
``/static/`` a page              problem+json                 ours
any other    people              a page, or a piece of one    ours
===========  ==================  ===========================  ==========================================
"""

from __future__ import annotations

from dataclasses import dataclass

from data.base.surfaces import Surface


@dataclass(frozen=True)
class Entrance:
    """What holds for all addresses that begin alike.

    Attributes
    ----------
    reader
        For whom sentences are worded.
    pages
        Whether it has pages: errors are pages then, and the language that an address asks for is kept.
    accepts
        Whether the language follows what is said to be accepted, for whoever has no session.
    """

    prefix: str
    reader: Surface
    pages: bool = False
    accepts: bool = False


#: The first that fits holds; a protocol of its own is a row here.
ENTRANCES = (
    Entrance("/api/", Surface.PROGRAM, accepts=True),
    Entrance("/tiles/", Surface.PAGE),
    Entrance("/static/", Surface.PAGE),
    Entrance("/", Surface.PAGE, pages=True),
)


def of(path: str) -> Entrance:
    """The entrance of an address.

    >>> of("/api/incidents").reader.value, of("/incidents").pages, of("/apiary").pages
    ('program', True, True)
    """
    return next((entrance for entrance in ENTRANCES if path.startswith(entrance.prefix)), ENTRANCES[-1])
