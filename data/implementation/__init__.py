"""The implementation report 实施情况报告: what a community did in a period, told from its records.

- ``tables``   a report: its period, what was counted, and the text of its parts
- ``counting`` every number of it
- ``prose``    the text out of the numbers, in Chinese
- ``keeping``  drafting, editing, drafting anew
"""

from data.implementation.keeping import change, draft, get, listed, remove, renew
from data.implementation.prose import HEADINGS, period, title
from data.implementation.tables import ImplementationReport, Part, ReportNotFound, part_names

__all__ = [
    "HEADINGS",
    "ImplementationReport",
    "Part",
    "ReportNotFound",
    "change",
    "draft",
    "get",
    "listed",
    "part_names",
    "period",
    "remove",
    "renew",
    "title",
]
