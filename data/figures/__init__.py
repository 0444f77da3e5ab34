"""Figures: every number that a ledger, a report, a bulletin or somebody's form states, told from the records.

A figure has a code, a name, a sentence that says how it is counted, and one ``SELECT`` of the records behind it. So a
number and the list behind it are the same rows, and nobody fills in what the records know already.

- ``figure`` what a figure is, and the days it is asked for
- ``catalogue`` all of them: those that are written there, and one for each special group, category, subject and kind
- ``counting`` counts them by community and grid, and lists the records behind one
"""

from data.figures.catalogue import FigureNotFound, catalogue, fields, get, needed
from data.figures.counting import Numbers, Record, count, records, share
from data.figures.figure import Field, Figure, Share, Span

__all__ = [
    "Field",
    "Figure",
    "FigureNotFound",
    "Numbers",
    "Record",
    "Share",
    "Span",
    "catalogue",
    "count",
    "fields",
    "get",
    "needed",
    "records",
    "share",
]
