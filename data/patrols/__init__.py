"""Patrols 巡查: who walked where, as a phone or a file recorded it.

A phone may be out of reach for hours. So everything it sends can be sent again: a patrol, a check-in and a note bear an
id that the phone made (a UUID), a point its number within the patrol. What is there already is left as it is, and what
comes late or out of order finds its place by its number.

After every batch the whole track is cleaned anew (``spatial.tracks``): which points are kept is a property of all
points together. Points that are dropped stay, each with its reason.

Tracks of staff are personal data: one sees one's own. Those with ``patrol.read`` see what was walked there while an
order of traces was in force (``data.traces``), and that they looked is recorded (``looked_at``); else coverage alone.
"""

from data.patrols.cleaning import cleaned_track, lines, metric, track_of
from data.patrols.noting import Noted, note
from data.patrols.reading import (
    RECORDED_FOR,
    SORTS,
    Filter,
    check_ins,
    dropped,
    get,
    last_started_at,
    listed,
    looked_at,
    notes,
    points,
    row,
    rows,
    seen,
    seen_by,
    selection,
)
from data.patrols.recording import (
    add_points,
    add_track,
    check_in,
    remove,
    require_edit,
    require_own,
    start,
    stop,
)
from data.patrols.tables import (
    AHEAD,
    EARLIEST,
    POINTS_MAX,
    CheckIn,
    Patrol,
    PatrolNote,
    PatrolNotFound,
    PatrolPoint,
    Point,
    Received,
    Source,
    Track,
)

__all__ = [
    "AHEAD",
    "EARLIEST",
    "POINTS_MAX",
    "RECORDED_FOR",
    "SORTS",
    "CheckIn",
    "Filter",
    "Noted",
    "Patrol",
    "PatrolNotFound",
    "PatrolNote",
    "PatrolPoint",
    "Point",
    "Received",
    "Source",
    "Track",
    "add_points",
    "add_track",
    "check_in",
    "check_ins",
    "cleaned_track",
    "dropped",
    "get",
    "last_started_at",
    "lines",
    "listed",
    "looked_at",
    "metric",
    "note",
    "notes",
    "points",
    "remove",
    "require_edit",
    "require_own",
    "row",
    "rows",
    "seen",
    "seen_by",
    "selection",
    "start",
    "stop",
    "track_of",
]
