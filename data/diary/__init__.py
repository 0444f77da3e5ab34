"""The diary 民情日记: what residents say, by subject 业务类别, until it is solved (解决一件，注销一件).

What somebody said during a visit is an entry too, written with the visit; nothing is asked for twice. An entry about
which there is a case is struck off with the case. Week by week it is handed over to the line officer 对口专干 of each
subject, who confirms it.

- ``tables`` what is remembered; ``words`` the subjects, and which of them a text is about
- ``writing`` entries as they are written, changed, struck off; ``finding`` filters, rows, counts, the search
- ``weeks`` who answers for a subject, and what was handed over
"""

from data.diary.finding import (
    PLACE,
    SORTS,
    Filter,
    Mention,
    at_buildings,
    by_grid,
    by_month,
    get,
    latest,
    of_visits,
    row,
    selection,
    state_counts,
)
from data.diary.tables import (
    DiaryEntry,
    DiaryHandover,
    DiaryOfficer,
    EntryNotFound,
    NotYet,
    Standing,
    Subject,
)
from data.diary.weeks import Week, confirm, name_officer, officers, to_take_over, week_of, weeks
from data.diary.words import guessed, standing_names, subject_names
from data.diary.writing import change, file_case, of_visit, remove, reopen, strike, write

__all__ = [
    "PLACE",
    "SORTS",
    "DiaryEntry",
    "DiaryHandover",
    "DiaryOfficer",
    "EntryNotFound",
    "Filter",
    "Mention",
    "NotYet",
    "Standing",
    "Subject",
    "Week",
    "at_buildings",
    "by_grid",
    "by_month",
    "change",
    "confirm",
    "file_case",
    "get",
    "guessed",
    "latest",
    "name_officer",
    "of_visit",
    "of_visits",
    "officers",
    "remove",
    "reopen",
    "row",
    "selection",
    "standing_names",
    "state_counts",
    "strike",
    "subject_names",
    "to_take_over",
    "week_of",
    "weeks",
    "write",
]
