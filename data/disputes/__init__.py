"""Disputes 矛盾纠纷 between residents, and their mediation 调解 on three levels that act together (三级联动调解).

A dispute is mediated in the house, climbs to the grid and to the community centre when it is not settled there, and is
followed by calls once there is an agreement. Who is in dispute is shown masked.

- ``tables`` what is remembered; ``words`` the words of its closed lists
- ``workflow`` one table of who may go where, and ``act``, which goes there; the calls that follow
- ``writing`` disputes as they come in; ``finding`` filters and rows
- ``warning`` places and parties that come again
"""

from data.disputes.finding import SORTS, Filter, at_buildings, get, parties, row, selection, step_counts, steps
from data.disputes.tables import (
    LEVELS,
    OPEN,
    Action,
    Dispute,
    DisputeCall,
    DisputeNotFound,
    DisputeParty,
    DisputeStep,
    Kind,
    Level,
    NotYet,
    PartyNotFound,
    Step,
)
from data.disputes.warning import DAYS, Again, again, before
from data.disputes.words import action_names, kind_names, level_names, step_names, verbs
from data.disputes.workflow import (
    CALL_DAYS,
    EXPLAINED,
    TRANSITIONS,
    MovedOn,
    NotNow,
    act,
    allowed,
    calls,
    calls_due,
    record_call,
)
from data.disputes.writing import Party, party, remove, report, unmask

__all__ = [
    "CALL_DAYS",
    "DAYS",
    "EXPLAINED",
    "LEVELS",
    "OPEN",
    "SORTS",
    "TRANSITIONS",
    "Action",
    "Again",
    "Dispute",
    "DisputeCall",
    "DisputeNotFound",
    "DisputeParty",
    "DisputeStep",
    "Filter",
    "Kind",
    "Level",
    "MovedOn",
    "NotNow",
    "NotYet",
    "Party",
    "PartyNotFound",
    "Step",
    "act",
    "action_names",
    "again",
    "allowed",
    "at_buildings",
    "before",
    "calls",
    "calls_due",
    "get",
    "kind_names",
    "level_names",
    "parties",
    "party",
    "record_call",
    "remove",
    "report",
    "row",
    "selection",
    "step_counts",
    "step_names",
    "steps",
    "unmask",
    "verbs",
]
