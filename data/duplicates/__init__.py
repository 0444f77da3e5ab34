"""Duplicates 重复档案: people and households that were recorded twice; found, looked at side by side, and merged.

- ``tables`` what is remembered: by what records are alike, pairs, and what was merged
- ``likeness`` how alike two records are, and why, in words
- ``looking`` finds pairs among what changed
- ``pairs`` reads them, and keeps that two records are two people
- ``merging`` makes one of two, with all that hangs on them, and takes it back
"""

from data.duplicates.likeness import Reason, degree, degree_names, reason_names
from data.duplicates.looking import BATCH, look, look_everywhere
from data.duplicates.merging import UNDO_DAYS, fields, forget, hanging, merge, mergers, now, undo
from data.duplicates.pairs import NEEDED, SORTS, both, get, part, require, selection
from data.duplicates.tables import Duplicate, DuplicateNotFound, Kind, Merger, MergerNotFound, NoUndo

__all__ = [
    "BATCH",
    "NEEDED",
    "SORTS",
    "UNDO_DAYS",
    "Duplicate",
    "DuplicateNotFound",
    "Kind",
    "Merger",
    "MergerNotFound",
    "NoUndo",
    "Reason",
    "both",
    "degree",
    "degree_names",
    "fields",
    "forget",
    "get",
    "hanging",
    "look",
    "look_everywhere",
    "merge",
    "mergers",
    "now",
    "part",
    "reason_names",
    "require",
    "selection",
    "undo",
]
