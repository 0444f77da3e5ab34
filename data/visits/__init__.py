"""Visits 走访 of households, and phone visits 电话随访: what is due, and what was recorded.

- ``tables`` what is remembered: visits, and the rhythm in which they are due
- ``due`` which households are due, computed as it is read
- ``recording`` visits as they are recorded, with what came of them; the rhythm as it is changed
"""

from data.visits.due import SOON_DAYS, Count, DueState, Filter, counts, due_names, state_of
from data.visits.recording import get, latest, record, remove, rhythms, set_rhythm
from data.visits.tables import (
    Manner,
    NotYet,
    Outcome,
    RhythmNotFound,
    Visit,
    VisitNotFound,
    VisitRhythm,
    Who,
    call_outcome_names,
    came_of,
    manner_names,
    outcome_names,
    who_names,
)

__all__ = [
    "SOON_DAYS",
    "Count",
    "DueState",
    "Filter",
    "Manner",
    "NotYet",
    "Outcome",
    "RhythmNotFound",
    "Visit",
    "VisitNotFound",
    "VisitRhythm",
    "Who",
    "call_outcome_names",
    "came_of",
    "counts",
    "due_names",
    "get",
    "latest",
    "manner_names",
    "outcome_names",
    "record",
    "remove",
    "rhythms",
    "set_rhythm",
    "state_of",
    "who_names",
]
