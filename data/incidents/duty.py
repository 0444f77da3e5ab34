"""Who sees to an incident: found by where it lies and at which level."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from data import accounts, units
from data.accounts import Account, Grant, Role, RolePermission
from data.base.errors import Invalid
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
    if level in (Level.BUILDING, Level.GRID):
        if incident.grid_id is None:
            return None
        post = Post.LEADER if level is Level.GRID else Post.BUILDING_WARDEN
        held = _of_post(session, incident.grid_id, post)
        return held if held is not None or level is Level.BUILDING else _of_grant(session, incident.grid_id)
    community = session.get_one(units.Unit, incident.community_id)
    if level is Level.COMMUNITY:
        return _of_grant(session, community.id)
    return _of_grant(session, community.parent_id) if community.parent_id is not None else None


def _of_post(session: Session, grid_id: int, post: Post) -> int | None:
    return session.scalar(
        select(TeamMember.account_id)
        .join(Account, Account.id == TeamMember.account_id)
        .where(TeamMember.grid_id == grid_id, TeamMember.post == post, Account.active)
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
