"""Views: pictures of the map that people look at, print, pass on, and show elsewhere by a link.

``scenes`` reads what a picture shows, with as much of it as may be shown there; ``links`` are the addresses under
which a view is seen without a sign-in, until they expire or are revoked. The pictures are made in ``maps.views``.
"""

from __future__ import annotations

from enum import StrEnum


class View(StrEnum):
    """What there is to look at."""

    OVERVIEW = "overview"
    HOTSPOTS = "hotspots"
    LIGHTS = "lights"
    COVERAGE = "coverage"
    REPLAY = "replay"
    TIMELINE = "timeline"
    OVERDUE = "overdue"
    UNPATROLLED = "unpatrolled"
