"""Teams over HTTP: service teams, to whom the work of cases can be given; who is responsible; who stands in."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, status
from pydantic import Field

from api.base.deps import Session, permission
from api.base.fields import Change, Day, Id, Input, Line, Output, Reference, Text
from api.base.listing import InCommunity
from data import accounts, buildings, teams, units
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
    founded_on: date | None = Field(description="Empty: before anybody kept records.", examples=["2026-02-20"])


class ServiceTeamChange(Change):
    """What of a service team is to change."""

    needed = frozenset({"name"})

    name: Line | None = Field(None, examples=["修理队"])
    service: Text | None = Field(None, examples=["小修小补"])
    members: Annotated[int, Field(ge=0, le=100_000)] | None = Field(None, examples=[6])
    founded_on: Day | None = Field(None, examples=["2026-02-20"])


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


people = APIRouter(prefix="/api", tags=["teams"])
ReadGrids = Annotated[Actor, permission("grid.read")]
ReadBuildings = Annotated[Actor, permission("grid.read", "building.read")]
Arrange = Annotated[Actor, permission("grid.read", "team.edit")]


class PersonOut(Output):
    """Somebody who is responsible for a grid."""

    post: teams.Post | None = Field(description="Empty for a guide.", examples=["leader"])
    name: str = Field(examples=["陈立新"])
    about: str | None = Field(examples=["社区工作人员"])
    phone: str | None = Field(description="At work, of those who agreed to it.", examples=["0571-85550123"])
    deputy: str | None = Field(description="Who stands in today.", examples=["吴倩"])


class ResponsibleOut(Output):
    """Those who are responsible for a grid, or a building of it."""

    grid_id: int = Field(examples=[7])
    grid: str = Field(examples=["第四网格"])
    people: list[PersonOut]


class StandInOut(Output):
    """Somebody stands in for somebody."""

    id: int = Field(examples=[2])
    grid_id: int = Field(examples=[7])
    account_id: int = Field(description="Who is away.", examples=[12])
    deputy_id: int = Field(description="Who stands in.", examples=[13])
    first: date = Field(examples=["2026-10-01"])
    last: date = Field(description="The last day, included.", examples=["2026-10-07"])


class StandInNew(Input):
    """Who is to stand in for whom."""

    grid_id: Reference = Field(examples=[7])
    account_id: Reference = Field(examples=[12])
    deputy_id: Reference = Field(examples=[13])
    first: Day = Field(examples=["2026-10-01"])
    last: Day = Field(examples=["2026-10-07"])


@people.get("/communities/{community_id}/responsible", summary="Who is responsible")
def list_responsible(session: Session, actor: ReadGrids, community_id: Id) -> list[ResponsibleOut]:
    """Each grid one may see with its team and guides today."""
    units.community(session, actor, community_id)
    return [_responsible(one) for one in teams.of_community(session, actor, community_id)]


@people.get("/buildings/{building_id}/responsible", summary="Who is responsible for a building")
def get_responsible(session: Session, actor: ReadBuildings, building_id: Id) -> ResponsibleOut | None:
    """The team and the guides of its grid, and the wardens who mind it; nothing when it lies in no grid."""
    one = teams.of_building(session, actor, buildings.get(session, actor, building_id))
    return _responsible(one) if one else None


def _responsible(whole: teams.Responsible) -> ResponsibleOut:
    members = [
        PersonOut(
            post=teams.Post(member.post),
            name=member.name,
            about=member.background,
            phone=member.shown_phone,
            deputy=whole.deputies[member.id][0] if member.id in whole.deputies else None,
        )
        for member in whole.members
    ]
    guides = [
        PersonOut(post=None, name=guide.name, about=guide.organisation, phone=guide.shown_phone, deputy=None)
        for guide in whole.guides
    ]
    return ResponsibleOut(grid_id=whole.grid.id, grid=whole.grid.name, people=members + guides)


@people.get("/stand-ins", summary="List stand-ins")
def list_stand_ins(session: Session, actor: ReadGrids) -> list[StandInOut]:
    """Who stands in for whom, the latest first."""
    return [_stand_in(row) for row in accounts.stand_ins(session, actor)]


@people.post("/stand-ins", summary="Have somebody stand in", status_code=status.HTTP_201_CREATED)
def add_stand_in(session: Session, actor: Arrange, body: StandInNew) -> StandInOut:
    """From the first day to the last, the work of the one at the grid is the other's; then it goes back by itself."""
    grid = units.get(session, actor, body.grid_id)
    return _stand_in(accounts.stand_in(session, actor, grid, **body.model_dump(exclude={"grid_id"})))


@people.delete("/stand-ins/{stand_in_id}", summary="End standing in", status_code=status.HTTP_204_NO_CONTENT)
def end_stand_in(session: Session, actor: Arrange, stand_in_id: Id) -> None:
    """Whoever was away is back today."""
    accounts.end_stand_in(session, actor, stand_in_id)


def _stand_in(row: Any) -> StandInOut:
    return StandInOut(
        id=row.id,
        grid_id=row.grid_id,
        account_id=row.account_id,
        deputy_id=row.deputy_id,
        first=row.valid.lower,
        last=row.valid.upper - timedelta(days=1),
    )
