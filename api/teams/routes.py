"""Service teams over HTTP: to whom the work of cases can be given."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, status
from pydantic import Field

from api.base.deps import Session, permission
from api.base.fields import Change, Id, Line, Output, Reference, Text
from api.base.listing import InCommunity
from data import teams, units
from data.base.access import Actor

api = APIRouter(prefix="/api/service-teams", tags=["teams"])
Read = Annotated[Actor, permission("unit.read")]
Edit = Annotated[Actor, permission("unit.edit")]


class ServiceTeamOut(Output):
    """A service team of a community."""

    id: int = Field(examples=[3])
    community_id: int = Field(examples=[3])
    name: str = Field(examples=["修理队"])
    service: str | None = Field(description="What it does.", examples=["小修小补"])
    members: int | None = Field(description="How many people are in it.", examples=[6])


class ServiceTeamChange(Change):
    """What of a service team is to change."""

    needed = frozenset({"name"})

    name: Line | None = Field(None, examples=["修理队"])
    service: Text | None = Field(None, examples=["小修小补"])
    members: Annotated[int, Field(ge=0, le=100_000)] | None = Field(None, examples=[6])


class ServiceTeamNew(ServiceTeamChange):
    """A new service team."""

    community_id: Reference = Field(examples=[3])
    name: Line = Field(examples=["修理队"])


@api.get("", summary="List service teams")
def list_service_teams(session: Session, actor: Read, asked: Annotated[InCommunity, Query()]) -> list[ServiceTeamOut]:
    """The service teams that one may call on, by name."""
    return [ServiceTeamOut.model_validate(team) for team in teams.service_teams(session, actor, asked.community)]


@api.post("", summary="Add a service team", status_code=status.HTTP_201_CREATED)
def add_service_team(session: Session, actor: Edit, body: ServiceTeamNew) -> ServiceTeamOut:
    """A new service team of a community."""
    community = units.community(session, actor, body.community_id)
    values = body.model_dump(exclude={"community_id"})
    return ServiceTeamOut.model_validate(teams.found_service_team(session, actor, community, **values))


@api.patch("/{team_id}", summary="Change a service team")
def change_service_team(session: Session, actor: Edit, team_id: Id, body: ServiceTeamChange) -> ServiceTeamOut:
    """Change what the body names."""
    team = teams.service_team(session, actor, team_id)
    changed = teams.change_service_team(session, actor, team, **body.model_dump(exclude_unset=True))
    return ServiceTeamOut.model_validate(changed)


@api.delete("/{team_id}", summary="Remove a service team", status_code=status.HTTP_204_NO_CONTENT)
def remove_service_team(session: Session, actor: Edit, team_id: Id) -> None:
    """Remove a service team; its cases stay with whoever sees to them."""
    teams.remove_service_team(session, actor, teams.service_team(session, actor, team_id))
