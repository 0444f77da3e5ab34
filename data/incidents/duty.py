"""Who sees to an incident: found by where it lies and at which level."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from data import accounts, teams, units
from data.accounts import Account, Grant, Role, RolePermission
from data.base import changes, settings
from data.base.access import Actor
from data.base.errors import Invalid, NotFound
from data.base.language import _
from data.incidents.tables import Incident, Level, Tier
from data.teams import Post, TeamMember

#: Where an incident of a tier lies after triage.
LEVEL_OF: dict[Tier, Level] = {Tier.GRID: Level.GRID, Tier.COMMUNITY: Level.COMMUNITY, Tier.STREET: Level.STREET}
#: Whose it becomes after triage, the first who is there. What has to be coordinated stays with the grid's leader, who
#: sees to it together with the community; what is urgent is the street's at once.
_AFTER_TRIAGE: dict[Tier, tuple[Level, ...]] = {
    Tier.GRID: (Level.GRID, Level.COMMUNITY),
    Tier.COMMUNITY: (Level.GRID, Level.COMMUNITY),
    Tier.STREET: (Level.STREET, Level.COMMUNITY, Level.GRID),
}


def after_triage(session: Session, incident: Incident, tier: Tier) -> int | None:
    """The account that gets an incident of a tier; ``None``: nobody is there to get it."""
    for level in _AFTER_TRIAGE[tier]:
        if (found := holder(session, incident, level)) is not None:
            return found
    return None


def holder(session: Session, incident: Incident, level: Level) -> int | None:
    """The account that handles the incidents of this place at a level; ``None``: there is none.

    Of a grid that is its leader, of a building the grid's building warden: whoever holds the post, else whoever has
    the right to handle incidents there. Above, it is whoever has that right at the community, or at its street; of
    several the one whose role stands first, then the one who has had it longest.
    """
    unit_id = incident.grid_id if level in (Level.BUILDING, Level.GRID) else incident.community_id
    if unit_id is None:
        return None
    return _holders.get(session, (unit_id, level, settings.today()), lambda: _find(session, unit_id, level))


#: Who holds what: it is asked at every triage, and changes once a year.
_holders = changes.Kept[int | None](Account, Grant, Role, RolePermission, TeamMember, units.Unit)


def _find(session: Session, unit_id: int, level: Level) -> int | None:
    """Who handles the incidents of a grid (or of the buildings in it), of a community, or of the street above one."""
    if level is Level.BUILDING:
        return _of_post(session, unit_id, Post.BUILDING_WARDEN)
    if level is Level.GRID:
        held = _of_post(session, unit_id, Post.LEADER)
        return held if held is not None else _of_grant(session, unit_id)
    if level is Level.STREET:
        street_id = session.get_one(units.Unit, unit_id).parent_id
        return _of_grant(session, street_id) if street_id is not None else None
    return _of_grant(session, unit_id)


def _of_post(session: Session, grid_id: int, post: Post) -> int | None:
    return session.scalar(
        select(TeamMember.account_id)
        .join(Account, Account.id == TeamMember.account_id)
        .where(TeamMember.grid_id == grid_id, TeamMember.post == post, TeamMember.holds(), Account.active)
        .order_by(TeamMember.id)
        .limit(1)
    )


def _of_grant(session: Session, unit_id: int) -> int | None:
    return session.scalar(
        select(Grant.account_id)
        .join(Role, Role.code == Grant.role_code)
        .join(RolePermission, RolePermission.role_code == Role.code)
        .join(Account, Account.id == Grant.account_id)
        .where(Grant.unit_id == unit_id, RolePermission.permission_code == "incident.edit", Account.active)
        .order_by(Role.position, Grant.id)
        .limit(1)
    )


def check(session: Session, incident: Incident, account_id: int) -> None:
    """Raise unless an account is there, open, and sees the place of an incident.

    Raises
    ------
    Invalid
    """
    account = session.get(Account, account_id)
    if account is None or not account.active:
        raise Invalid(_("There is no such account, or it is closed."), field="assignee_id")
    if not accounts.actor(session, account).area("incident.read").covers(incident.community_id, incident.grid_id):
        raise Invalid(_("{name} does not see the cases of this place.", name=account.name), field="assignee_id")


def check_team(session: Session, actor: Actor, incident: Incident, team_id: int) -> None:
    """Raise unless a service team belongs to the community of an incident.

    Raises
    ------
    Invalid
    """
    try:
        team = teams.service_team(session, actor, team_id)
    except NotFound as error:
        raise Invalid(_("This community has no such service team."), field="service_team_id") from error
    if team.community_id != incident.community_id:
        raise Invalid(_("This community has no such service team."), field="service_team_id")
