"""Incidents 事件: what is wrong where, who sees to it, and how it stands.

The states that lists and maps show are those of the look: 待受理 new, 处置中 in progress, 待核查 to verify, 已办结
closed, 挂起 on hold, 不予受理 declined. They follow from the finer steps of the workflow. Overdue is not a state but a
fact of an open incident.

- ``tables`` what is remembered
- ``kinds`` the categories with their tiers, limits and questions; ``responses`` templates of what is often answered
- ``finding`` filters, rows and counts; ``repeats`` what may be the same case, or the same again
- ``reporting`` how they come in; ``workflow`` what is done with them; ``duty`` who sees to them
"""

from data.incidents.finding import SORTS, Filter, counts, get, narrowed, rows, selection
from data.incidents.kinds import (
    QUESTION_KINDS,
    add_category,
    categories,
    category,
    change_category,
    check_answers,
    limit_days,
    remove_category,
    those_that_come_with,
)
from data.incidents.repeats import NEARBY_M, merged, similar, similar_to
from data.incidents.reporting import (
    change,
    contact,
    due,
    forget_numbers,
    move,
    next_number,
    place,
    remove,
    report,
)
from data.incidents.responses import (
    add_template,
    change_template,
    filled,
    remove_template,
    template,
    templates,
)
from data.incidents.tables import (
    OPEN,
    STATES,
    STEP_OF,
    Action,
    Category,
    CategoryNotFound,
    Incident,
    IncidentCounter,
    IncidentNotFound,
    IncidentStep,
    Level,
    State,
    Step,
    Template,
    TemplateNotFound,
    Tier,
)
from data.incidents.workflow import (
    EXPLAINED,
    PERMISSIONS,
    TRANSITIONS,
    MovedOn,
    NotNow,
    act,
    allowed,
    assign_all,
    require,
    steps,
)

__all__ = [
    "EXPLAINED",
    "NEARBY_M",
    "OPEN",
    "PERMISSIONS",
    "QUESTION_KINDS",
    "SORTS",
    "STATES",
    "STEP_OF",
    "TRANSITIONS",
    "Action",
    "Category",
    "CategoryNotFound",
    "Filter",
    "Incident",
    "IncidentCounter",
    "IncidentNotFound",
    "IncidentStep",
    "Level",
    "MovedOn",
    "NotNow",
    "State",
    "Step",
    "Template",
    "TemplateNotFound",
    "Tier",
    "act",
    "add_category",
    "add_template",
    "allowed",
    "assign_all",
    "categories",
    "category",
    "change",
    "change_category",
    "change_template",
    "check_answers",
    "contact",
    "counts",
    "due",
    "filled",
    "forget_numbers",
    "get",
    "limit_days",
    "merged",
    "move",
    "narrowed",
    "next_number",
    "place",
    "remove",
    "remove_category",
    "remove_template",
    "report",
    "require",
    "rows",
    "selection",
    "similar",
    "similar_to",
    "steps",
    "template",
    "templates",
    "those_that_come_with",
]
