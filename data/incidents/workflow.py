"""The workflow of an incident: one table of who may go where, and ``act``, which goes there.

::

                                     ┌──────────── return, escalate ────────────┐
                                     ▼                                          │
    report ──► reported ──triage──► triaged ──assign──► assigned ──start──► in progress ◄──────┐
                                                           │  │                 │              │
                                                           │  └──── hold ──► on hold ──resume──┤
                                                           │                    ▲              │
                                                           │                    └── hold ──────┤
                                                           └──resolve──► resolved ◄──resolve───┤
                                                                            │                  │
                                                                      give feedback            │
                                                                            ▼                  │
                                                                      feedback given ──reopen──┘
                                                                            │
                                                                          close
                                                                            ▼
                         triaged ◄──────────────reopen──────────────────  closed

    Before it is resolved an incident can also be merged into another or rejected; reopened, it is triaged anew.
    note and supervise leave it where it is.

Nothing is closed but after feedback to the one who asked (去有目的，来有问题，后有反馈). What was merged follows its
original to the end. After triage, and when it is escalated, returned or reopened, an incident goes at once to whoever
is there for its place (``duty``); that is a step of its own, without a person.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, text, update
from sqlalchemy.orm import Session, aliased

from data import notifications
from data.accounts import Account
from data.base import access
from data.base.access import Actor, Rows
from data.base.errors import Conflict, Forbidden, Invalid
from data.base.language import _
from data.incidents import duty, finding, kinds, reporting
from data.incidents.tables import Action, Incident, IncidentStep, Level, State, Step, Tier
from data.teams import ServiceTeam


class NotNow(Conflict):
    """This cannot be done with the incident as it stands."""


class MovedOn(Conflict):
    """Somebody else did something with the incident meanwhile."""


_STAY = (Action.NOTE, Action.SUPERVISE)
TRANSITIONS: dict[Step, dict[Action, Step]] = {
    Step.REPORTED: {
        Action.TRIAGE: Step.TRIAGED,
        Action.REJECT: Step.REJECTED,
        Action.MERGE: Step.MERGED,
    },
    Step.TRIAGED: {
        Action.TRIAGE: Step.TRIAGED,
        Action.ASSIGN: Step.ASSIGNED,
        Action.ESCALATE: Step.TRIAGED,
        Action.RETURN: Step.TRIAGED,
        Action.REJECT: Step.REJECTED,
        Action.MERGE: Step.MERGED,
    },
    Step.ASSIGNED: {
        Action.TRIAGE: Step.TRIAGED,
        Action.ASSIGN: Step.ASSIGNED,
        Action.START: Step.IN_PROGRESS,
        Action.RESOLVE: Step.RESOLVED,
        Action.HOLD: Step.ON_HOLD,
        Action.ESCALATE: Step.TRIAGED,
        Action.RETURN: Step.TRIAGED,
        Action.REJECT: Step.REJECTED,
        Action.MERGE: Step.MERGED,
    },
    Step.IN_PROGRESS: {
        Action.ASSIGN: Step.ASSIGNED,
        Action.RESOLVE: Step.RESOLVED,
        Action.HOLD: Step.ON_HOLD,
        Action.ESCALATE: Step.TRIAGED,
        Action.RETURN: Step.TRIAGED,
        Action.REJECT: Step.REJECTED,
        Action.MERGE: Step.MERGED,
    },
    Step.ON_HOLD: {Action.RESUME: Step.IN_PROGRESS, Action.REJECT: Step.REJECTED, Action.MERGE: Step.MERGED},
    Step.RESOLVED: {Action.GIVE_FEEDBACK: Step.FEEDBACK_GIVEN, Action.REOPEN: Step.IN_PROGRESS},
    Step.FEEDBACK_GIVEN: {
        Action.GIVE_FEEDBACK: Step.FEEDBACK_GIVEN,
        Action.CLOSE: Step.CLOSED,
        Action.REOPEN: Step.IN_PROGRESS,
    },
    Step.CLOSED: {Action.REOPEN: Step.TRIAGED},
    Step.MERGED: {Action.REOPEN: Step.TRIAGED},
    Step.REJECTED: {Action.REOPEN: Step.TRIAGED},
}
for _step, _actions in TRANSITIONS.items():
    _actions.update(dict.fromkeys(_STAY, _step))

#: What comes next as a rule at each step.
NEXT: dict[Step, Action] = {
    Step.REPORTED: Action.TRIAGE,
    Step.TRIAGED: Action.ASSIGN,
    Step.ASSIGNED: Action.START,
    Step.IN_PROGRESS: Action.RESOLVE,
    Step.RESOLVED: Action.GIVE_FEEDBACK,
    Step.FEEDBACK_GIVEN: Action.CLOSE,
    Step.ON_HOLD: Action.RESUME,
}
#: What is done with an incident at a step that is to come to a state.
_LEADING: dict[State, dict[Step, Action]] = {
    State.IN_PROGRESS: {
        Step.REPORTED: Action.TRIAGE,
        Step.TRIAGED: Action.ASSIGN,
        Step.ON_HOLD: Action.RESUME,
        Step.RESOLVED: Action.REOPEN,
        Step.FEEDBACK_GIVEN: Action.REOPEN,
        Step.CLOSED: Action.REOPEN,
    },
    State.TO_VERIFY: {Step.ASSIGNED: Action.RESOLVE, Step.IN_PROGRESS: Action.RESOLVE},
    State.ON_HOLD: {Step.ASSIGNED: Action.HOLD, Step.IN_PROGRESS: Action.HOLD},
    State.CLOSED: {Step.RESOLVED: Action.GIVE_FEEDBACK, Step.FEEDBACK_GIVEN: Action.CLOSE},
}
#: The permission each action needs where the incident lies.
PERMISSIONS: dict[Action, str] = {
    **dict.fromkeys(Action, "incident.edit"),
    Action.NOTE: "incident.report",
    Action.SUPERVISE: "incident.supervise",
}
#: What the one an incident is assigned to may do with it without that permission.
WORK = frozenset(
    {Action.START, Action.RESOLVE, Action.GIVE_FEEDBACK, Action.ESCALATE, Action.RETURN, Action.HOLD, Action.RESUME}
)
#: Actions that have to be explained.
EXPLAINED = frozenset({Action.HOLD, Action.RETURN, Action.REOPEN, Action.REJECT, Action.GIVE_FEEDBACK, Action.NOTE})

_LEVELS = tuple(Level)
_TO_NOBODY = frozenset({Action.TRIAGE, Action.ESCALATE, Action.RETURN})


def allowed(session: Session, actor: Actor, incident: Incident) -> list[Action]:
    """What the actor can do with an incident as it stands, in the order of the list of actions."""
    possible = TRANSITIONS[Step(incident.step)]
    found = [action for action in Action if action in possible and _may(actor, incident, action)]
    place = _LEVELS.index(Level(incident.level))
    if place == len(_LEVELS) - 1 and Action.ESCALATE in found:
        found.remove(Action.ESCALATE)
    if place == 0 and Action.RETURN in found:
        found.remove(Action.RETURN)
    if incident.supervised and Action.SUPERVISE in found:
        found.remove(Action.SUPERVISE)
    return found


def leading_to(state: State, step: Step) -> Action | None:
    """What is done with an incident at a step that is to come to a state; ``None`` where nothing leads there."""
    return _LEADING.get(state, {}).get(step)


def check_seen(incident: Incident, step: Step | str | None) -> None:
    """Raise when an incident is not at the step any more at which somebody saw it; ``None``: nobody says.

    Raises
    ------
    MovedOn
    """
    if step is not None and step != incident.step:
        raise MovedOn(_("Somebody else moved this case on meanwhile. Look at it again."), step=incident.step)


def act(
    session: Session,
    actor: Actor,
    incident: Incident,
    action: Action,
    *,
    note: str | None = None,
    public: bool = False,
    tier: Tier | None = None,
    assignee_id: int | None = None,
    service_team_id: int | None = None,
    level: Level | None = None,
    into: Incident | None = None,
) -> IncidentStep:
    """Do something with an incident; of two who act at once, the second is told that it moved on.

    Parameters
    ----------
    incident
        As it was when the actor looked at it.
    note
        What there is to say; for what is held, returned, reopened or rejected why.
    public
        Whether the one who asked may read the note.
    tier
        Of a triage; default the category's.
    assignee_id, level
        Of an assignment; default whoever is there for the place at its level, and the level it has.
    service_team_id
        Of an assignment: the team of the community that does the work, while the assignee sees to it; default none.
    into
        The original that it is merged into.

    Returns
    -------
    IncidentStep
        The step that was asked for. An assignment by rule follows it as a second one.

    Raises
    ------
    NotFound, Forbidden
        The actor may not see it, or not do this.
    NotNow
        The table has no such action where the incident stands.
    MovedOn
        Somebody else acted since the actor looked.
    Invalid
        Something that the action needs was not said.
    """
    looked_at = incident.step
    originals = [into] if action is Action.MERGE and into is not None else []
    for each in sorted([incident, *originals], key=lambda one: one.id):
        finding.hold(session, each)
    require(actor, incident, action)
    check_seen(incident, looked_at)
    step = _go(
        session,
        actor,
        incident,
        action,
        note=note,
        public=public,
        tier=tier,
        assignee_id=assignee_id,
        service_team_id=service_team_id,
        level=level,
        into=into,
    )
    session.flush()
    _tell(session, actor, incident, step)
    return step


def settle(
    session: Session, actor: Actor, incident: Incident, *, note: str | None, feedback: str, public: bool = True
) -> list[IncidentStep]:
    """What was seen to on the spot: resolved, the one who asked told of it, and closed, all at once or nothing.

    What nobody has triaged yet is triaged as settled by the grid, and what nobody has is the actor's.

    Parameters
    ----------
    note
        What was done.
    feedback
        What the one who asked was told.
    public
        Whether the one who asked may read both.

    Returns
    -------
    list of IncidentStep
        What was done, in order; closing it is the last.

    Raises
    ------
    NotFound, Forbidden, NotNow, MovedOn, Invalid
        As ``act`` does for each of them.
    """
    looked_at = incident.step
    finding.hold(session, incident)
    check_seen(incident, looked_at)
    _take_on(session, actor, incident)
    steps = []
    for action, said in ((Action.RESOLVE, note), (Action.GIVE_FEEDBACK, feedback), (Action.CLOSE, None)):
        require(actor, incident, action)
        steps.append(_go(session, actor, incident, action, note=said, public=public and said is not None))
    session.flush()
    for step in steps:
        _tell(session, actor, incident, step)
    return steps


def may_settle(actor: Actor, incident: Incident) -> bool:
    """Whether the actor can say of an incident as it stands that it was seen to on the spot."""
    waiting = incident.step in (Step.REPORTED, Step.TRIAGED)
    return (waiting or Action.RESOLVE in TRANSITIONS[Step(incident.step)]) and _may(actor, incident, Action.ASSIGN)


def _take_on(session: Session, actor: Actor, incident: Incident) -> None:
    """Triage and assign what waits for it, so that it can be resolved; nobody is told of what is settled already."""
    for action, how in ((Action.TRIAGE, {"tier": Tier.GRID}), (Action.ASSIGN, {"assignee_id": actor.account_id})):
        if incident.step == (Step.REPORTED if action is Action.TRIAGE else Step.TRIAGED):
            require(actor, incident, action)
            _go(session, actor, incident, action, note=None, public=False, **how)


def _go(
    session: Session,
    actor: Actor,
    incident: Incident,
    action: Action,
    *,
    note: str | None,
    public: bool,
    **how: Any,
) -> IncidentStep:
    """Take a step from where the incident stands; it is not yet written."""
    then = TRANSITIONS[Step(incident.step)].get(action)
    if then is None:
        raise NotNow(
            _(
                "Case {number} stands at “{step}”; this cannot be done with it there.",
                number=incident.number,
                step=incident.step,
            ),
            step=incident.step,
            allowed=list(allowed(session, actor, incident)),
        )
    note = (note or "").strip() or None
    if action in EXPLAINED and note is None:
        raise Invalid(_("Say in a few words why, or what was told."), field="note")
    now = reporting.now_s()
    # The step and what goes with it hold together only when both are written.
    with session.no_autoflush:
        _take_effect(session, actor, incident, action, now, **how)
        incident.step = then
        step = record(session, actor.account_id, incident, action, now, note=note, public=public)
        if then is Step.TRIAGED:
            _assign_by_rule(session, incident, action, now)
    return step


def _tell(session: Session, actor: Actor, incident: Incident, step: IncidentStep) -> None:
    """Tell whoever is to be told of a step that was taken, and of the assignment by rule that followed it."""
    by = actor.account_id
    told = notifications.tell(session, incident, step.action, occasion=step.id, by=by)
    if step.step == Step.TRIAGED and incident.step == Step.ASSIGNED:
        notifications.tell(session, incident, Action.ASSIGN, occasion=f"{step.id} by rule", by=by, besides=told)


def require(actor: Actor, incident: Incident, action: Action) -> None:
    """Raise unless the actor may do this with incidents of this place, or works on this one.

    Raises
    ------
    NotFound, Forbidden
    """
    if not _may(actor, incident, action):
        access.require(actor, PERMISSIONS[action], incident.community_id, incident.grid_id)
        raise Forbidden(_("This needs the permission “{permission}”.", permission=access.named(PERMISSIONS[action])))


def _may(actor: Actor, incident: Incident, action: Action) -> bool:
    place = (incident.community_id, incident.grid_id)
    if actor.area(PERMISSIONS[action]).covers(*place):
        return True
    works_on_it = actor.stands_for(incident.assignee_id, incident.grid_id)
    return works_on_it and action in WORK and actor.area("incident.read").covers(*place)


def record(
    session: Session,
    account_id: int | None,
    incident: Incident,
    action: Action,
    at: datetime,
    *,
    note: str | None = None,
    public: bool = False,
) -> IncidentStep:
    """Write down that something was done with an incident, and how it stands now."""
    step = IncidentStep(
        incident_id=incident.id,
        community_id=incident.community_id,
        grid_id=incident.grid_id,
        action=action,
        step=incident.step,
        at=at,
        account_id=account_id,
        note=note,
        public=public,
        tier=incident.tier,
        level=incident.level,
        assignee_id=incident.assignee_id,
        service_team_id=incident.service_team_id,
    )
    session.add(step)
    return step


def _take_effect(
    session: Session,
    actor: Actor,
    incident: Incident,
    action: Action,
    now: datetime,
    *,
    tier: Tier | None = None,
    assignee_id: int | None = None,
    service_team_id: int | None = None,
    level: Level | None = None,
    into: Incident | None = None,
) -> None:
    """What an action changes of an incident besides its step."""
    if action is Action.TRIAGE:
        _triage(session, incident, tier)
    elif action is Action.ASSIGN:
        incident.level = Level(level or incident.level)
        chosen = assignee_id or duty.holder(session, incident, Level(incident.level))
        if chosen is None:
            raise Invalid(_("Nobody is there for this place and level. Say to whom it goes."), field="assignee_id")
        if assignee_id is not None:
            duty.check(session, incident, assignee_id)
        if service_team_id is not None:
            duty.check_team(session, actor, incident, service_team_id)
        incident.assignee_id, incident.service_team_id = chosen, service_team_id
    elif action in (Action.START, Action.RESOLVE):
        incident.assignee_id = incident.assignee_id or actor.account_id
        if action is Action.RESOLVE:
            incident.resolved_at = now
    elif action is Action.GIVE_FEEDBACK:
        incident.feedback_at = now
    elif action is Action.CLOSE:
        incident.closed_at = now
    elif action is Action.RESUME:
        _resume(session, incident, now)
    elif action in (Action.ESCALATE, Action.RETURN):
        _climb(incident, 1 if action is Action.ESCALATE else -1)
    elif action is Action.REOPEN:
        _reopen(session, incident, now)
    elif action is Action.MERGE:
        _merge(session, incident, into)
    elif action is Action.SUPERVISE:
        incident.supervised = True
    if action in _TO_NOBODY:
        incident.assignee_id = incident.service_team_id = None
    if action in (Action.CLOSE, Action.REOPEN):
        _those_merged_follow(session, incident)


def _triage(session: Session, incident: Incident, tier: Tier | None) -> None:
    kind = kinds.known(session, incident.category_code)
    chosen = Tier(tier or kind.tier or Tier.GRID)
    incident.tier, incident.level = chosen, duty.LEVEL_OF[chosen]
    incident.supervised = incident.supervised or chosen is Tier.STREET
    incident.due_at = reporting.due(session, incident.community_id, kind, chosen, incident.reported_at)


def _assign_by_rule(session: Session, incident: Incident, action: Action, now: datetime) -> None:
    """Give an incident to whoever is there for it; whoever had it before it was closed gets it back."""
    if action is Action.TRIAGE or (action is Action.REOPEN and incident.assignee_id is None):
        incident.assignee_id = duty.after_triage(session, incident, Tier(incident.tier or Tier.GRID))
    elif incident.assignee_id is None:
        incident.assignee_id = duty.holder(session, incident, Level(incident.level))
    if incident.assignee_id is not None:
        incident.step = Step.ASSIGNED
        record(session, None, incident, Action.ASSIGN, now)


def _resume(session: Session, incident: Incident, now: datetime) -> None:
    """The time on hold does not count against the limit."""
    held_at = session.scalar(
        select(IncidentStep.at)
        .where(IncidentStep.incident_id == incident.id, IncidentStep.step == Step.ON_HOLD)
        .where(IncidentStep.action.in_((Action.HOLD, Action.TAKE_OVER)))
        .order_by(IncidentStep.id.desc())
        .limit(1)
    )
    if held_at is not None and incident.due_at is not None:
        incident.due_at += max(now - held_at, now - now)


def _climb(incident: Incident, by: int) -> None:
    place = _LEVELS.index(Level(incident.level)) + by
    if not 0 <= place < len(_LEVELS):
        raise NotNow(
            _("It lies with the street already; there is no level above.")
            if by > 0
            else _("It lies with the building already; there is no level below.")
        )
    incident.level = _LEVELS[place]
    incident.supervised = incident.supervised or incident.level == Level.STREET


def _reopen(session: Session, incident: Incident, now: datetime) -> None:
    """What was done was not enough. What had come to its end gets a new limit from today."""
    if incident.step in (Step.CLOSED, Step.MERGED, Step.REJECTED):
        kind = kinds.known(session, incident.category_code)
        incident.due_at = reporting.due(session, incident.community_id, kind, incident.tier, now)
    incident.merged_into_id = incident.resolved_at = incident.feedback_at = incident.closed_at = None


def _merge(session: Session, incident: Incident, into: Incident | None) -> None:
    if into is None:
        raise Invalid(_("Say which case it is merged into."), field="into")
    if into.id == incident.id:
        raise Invalid(_("A case cannot be merged into itself."), field="into")
    if into.community_id != incident.community_id:
        raise Invalid(_("The two cases lie in different communities."), field="into")
    if into.step in (Step.MERGED, Step.REJECTED, Step.CLOSED):
        raise NotNow(
            _("Case {number} has come to its end; nothing can be merged into it.", number=into.number), step=into.step
        )
    incident.merged_into_id = into.id
    session.execute(update(Incident).where(Incident.merged_into_id == incident.id).values(merged_into_id=into.id))


def _those_merged_follow(session: Session, incident: Incident) -> None:
    if session.scalar(_ANY_MERGED, {"incident": incident.id}) is None:
        return
    session.execute(
        update(Incident)
        .where(Incident.merged_into_id == incident.id)
        .values(resolved_at=incident.resolved_at, feedback_at=incident.feedback_at, closed_at=incident.closed_at)
    )


_ANY_MERGED = text("SELECT 1 FROM incident WHERE merged_into_id = :incident LIMIT 1")


def hand_along(session: Session, incident: Incident, *, note: str) -> None:
    """Write on an open incident that its place went over to another grid, and give it to whoever is there for it now.

    Whoever has it keeps it where they still see it.
    """
    now = reporting.now_s()
    record(session, None, incident, Action.NOTE, now, note=note)
    if incident.step not in (Step.ASSIGNED, Step.IN_PROGRESS) or incident.assignee_id is None:
        return
    try:
        duty.check(session, incident, incident.assignee_id)
    except Invalid:
        holder = duty.holder(session, incident, Level(incident.level))
        if holder is None:
            return
        incident.assignee_id, incident.step = holder, Step.ASSIGNED
        step = record(session, None, incident, Action.ASSIGN, now, note=note)
        session.flush()
        notifications.tell(session, incident, Action.ASSIGN, occasion=step.id)


def assign_all(
    session: Session,
    actor: Actor,
    ids: Collection[int],
    *,
    assignee_id: int | None = None,
    service_team_id: int | None = None,
    note: str | None = None,
) -> list[IncidentStep]:
    """Assign many incidents, to one person or each to whoever is there for its place: all of them or none.

    Those that nobody has triaged yet are triaged as their category says first.
    """
    steps = []
    for incident_id in sorted(set(ids)):
        incident = finding.get(session, actor, incident_id)
        if incident.step == Step.REPORTED:
            act(session, actor, incident, Action.TRIAGE)
        other_person = incident.assignee_id is None or assignee_id not in (None, incident.assignee_id)
        if other_person or service_team_id not in (None, incident.service_team_id):
            step = act(
                session,
                actor,
                incident,
                Action.ASSIGN,
                assignee_id=assignee_id,
                service_team_id=service_team_id,
                note=note,
            )
            steps.append(step)
    return steps


def steps(session: Session, actor: Actor, incident: Incident, *, public: bool = False) -> Sequence[Row[Any]]:
    """What was done with an incident, the earliest first; with that of the original, if it was merged into one.

    Parameters
    ----------
    public
        Only what the one who asked may read.

    Returns
    -------
    list of Row
        The columns of ``IncidentStep``, ``account_name``, ``assignee_name`` and ``service_team_name``.
    """
    assignee = aliased(Account)
    ids = [incident.id, incident.merged_into_id] if incident.merged_into_id else [incident.id]
    query: Rows = (
        select(
            *IncidentStep.__table__.c,
            Account.name.label("account_name"),
            assignee.name.label("assignee_name"),
            ServiceTeam.name.label("service_team_name"),
        )
        .outerjoin(Account, Account.id == IncidentStep.account_id)
        .outerjoin(assignee, assignee.id == IncidentStep.assignee_id)
        .outerjoin(ServiceTeam, ServiceTeam.id == IncidentStep.service_team_id)
        .where(IncidentStep.incident_id.in_(ids))
        .order_by(IncidentStep.at, IncidentStep.id)
    )
    if public:
        query = query.where(IncidentStep.public)
    return session.execute(access.visible(query, actor, IncidentStep)).all()
