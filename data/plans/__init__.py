"""Plans 规划: boundaries of grids drawn anew on a table of their own, until the street approves and their day comes.

- ``tables`` what is remembered; ``workflow`` where a plan stands
- ``standing`` how it stands; ``editing`` what an edit comes to; ``drawing`` drawn up, edited, undone, redone
- ``comparing`` two plans, or one with today; ``figures`` who lives where in it, what is wrong, what would change
- ``talking`` what is said of it; ``filing`` as a file, out and in; ``effect`` how it takes effect
- ``proposing`` the machine's work in the background
"""

from data.plans.comparing import Compared, GridChange, compare, identity, workload
from data.plans.drawing import Outdated, can_undo, draw_up, edit, edits_of, redo, undo
from data.plans.editing import Asked, EditKind, Refused, kind_names
from data.plans.effect import cut_note, enact, take_effect, take_effect_where_due
from data.plans.figures import (
    Consequences,
    Figures,
    Finding,
    Homes,
    Move,
    consequences,
    findings,
    ground,
    homes,
    moving,
)
from data.plans.figures import of as figures_of
from data.plans.filing import FORMATS, HalfDrawn, about, bring_in, write
from data.plans.proposing import PROPOSE_JOB
from data.plans.proposing import ask as ask_for_proposal
from data.plans.proposing import perform as propose
from data.plans.standing import PlanNotFound, Standing, get, listed, selection, standing
from data.plans.tables import Action, Plan, PlanComment, PlanEdit, PlanGrid, PlanStep, State, action_names, state_names
from data.plans.talking import comments, heard, hide, link, linked, say, share, suggest
from data.plans.workflow import OPEN, TRANSITIONS, NotNow, act, allowed, steps

__all__ = [
    "FORMATS",
    "OPEN",
    "PROPOSE_JOB",
    "TRANSITIONS",
    "Action",
    "Asked",
    "Compared",
    "Consequences",
    "EditKind",
    "Figures",
    "Finding",
    "GridChange",
    "HalfDrawn",
    "Homes",
    "Move",
    "NotNow",
    "Outdated",
    "Plan",
    "PlanComment",
    "PlanEdit",
    "PlanGrid",
    "PlanNotFound",
    "PlanStep",
    "Refused",
    "Standing",
    "State",
    "about",
    "act",
    "action_names",
    "allowed",
    "ask_for_proposal",
    "bring_in",
    "can_undo",
    "comments",
    "compare",
    "consequences",
    "cut_note",
    "draw_up",
    "edit",
    "edits_of",
    "enact",
    "figures_of",
    "findings",
    "get",
    "ground",
    "heard",
    "hide",
    "homes",
    "identity",
    "kind_names",
    "link",
    "linked",
    "listed",
    "moving",
    "propose",
    "redo",
    "say",
    "selection",
    "share",
    "standing",
    "state_names",
    "steps",
    "suggest",
    "take_effect",
    "take_effect_where_due",
    "undo",
    "workload",
    "write",
]
