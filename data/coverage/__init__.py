"""Coverage 巡查覆盖: which buildings, pieces of street and assets patrols saw, and which nobody passed.

``coverage_pass`` has what one patrol saw of one item on one day, ``coverage_day`` what all of them saw of it that day.
Both are made from tracks and can be made again. When points come (``refresh``), however late, the rows of that patrol
are replaced and the days of those items added up again: that costs as much as the patrol is long, not as the city is
large. When items come or move, the rows of those items are (``follow``): a job of every write to their tables.

What was seen of an item is a mask of ``spatial.coverage.BINS`` equal parts, so that what several patrols saw of a
street can be united. An item counts as seen when half of its parts are; a building or asset is seen wholly or not.
"""

from data.coverage.following import FOLLOW_JOB, attach, follow, follow_all, forget_jobs, perform
from data.coverage.merging import Street, Tally, by_street, tally
from data.coverage.reading import Filter, Level, of, rules, set_rule, shares
from data.coverage.recording import observed, recompute, refresh, remove
from data.coverage.streets import split
from data.coverage.tables import (
    DISTANCE_M,
    CoverageDay,
    CoverageItem,
    CoveragePass,
    CoverageRule,
    Kind,
    Status,
    StreetSegment,
)

__all__ = [
    "DISTANCE_M",
    "FOLLOW_JOB",
    "CoverageDay",
    "CoverageItem",
    "CoveragePass",
    "CoverageRule",
    "Filter",
    "Kind",
    "Level",
    "Status",
    "Street",
    "StreetSegment",
    "Tally",
    "attach",
    "by_street",
    "follow",
    "follow_all",
    "forget_jobs",
    "observed",
    "of",
    "perform",
    "recompute",
    "refresh",
    "remove",
    "rules",
    "set_rule",
    "shares",
    "split",
    "tally",
]
