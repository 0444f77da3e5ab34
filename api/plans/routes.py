"""Plans over HTTP: drawn up, edited, undone, looked at with all that would change, and taken on step by step."""

from __future__ import annotations

import tempfile
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Path, Query, Request, Response, UploadFile, status
from pydantic import Field
from starlette.responses import StreamingResponse

from api.base import listing
from api.base.deps import Session, permission
from api.base.fields import Code, Day, Geometry, Id, Input, Lat, Line, Lon, Output, Reference, Text, shape
from api.base.listing import InCommunity
from api.base.request import public_address
from api.jobs import JobOut, shown
from api.plans import incoming, tables
from data import plans, units
from data.base.access import Actor
from data.files import writing
from data.plans import Action, Asked, EditKind, State

api = APIRouter(prefix="/api/plans", tags=["plans"])
Read = Annotated[Actor, permission("grid.read")]
Edit = Annotated[Actor, permission("grid.edit")]
Spot = tuple[Lon, Lat]
Corners = Annotated[list[Spot], Field(max_length=10_000)]
Key = Annotated[int, Field(ge=1, le=1_000_000)]
Wish = Literal["households", "people", "special", "compactness", "barriers", "stay"]
Weight = Annotated[float, Field(ge=0, le=100)]
Turn = Annotated[Literal["undo", "redo"], Path(description="Whether back or forth.", examples=["undo"])]


class PlanOut(Output):
    """A plan of a community's boundaries."""

    id: int = Field(examples=[3])
    community_id: int = Field(examples=[3])
    name: str = Field(examples=["均衡户数方案"])
    state: State = Field(examples=["draft"])
    version: int = Field(description="Grows with every edit; send it with the next one.", examples=[12])
    effective_on: date | None = Field(examples=["2026-07-01"])
    from_plan_id: int | None = Field(examples=[None])
    updated_at: datetime = Field(examples=["2026-03-17T02:15:01Z"])


class PlanRow(PlanOut):
    """A plan in the list of plans."""

    author: str | None = Field(examples=["周敏"])
    grids: int = Field(examples=[8])


class PlanNew(Input):
    """A plan to be drawn up: from the boundaries of today, or from another plan."""

    community_id: Reference = Field(examples=[3])
    name: Line = Field(examples=["均衡户数方案"])
    from_plan_id: Reference | None = Field(None, examples=[None])


class EditNew(Input):
    """An edit. Each kind reads what it needs; places are longitude and latitude."""

    version: int | None = Field(None, ge=0, description="The version that was looked at.", examples=[12])
    rebase: bool = Field(False, description="Apply it on top of what others did meanwhile.", examples=[False])
    kind: EditKind = Field(examples=["split"])
    key: Key | None = Field(None, examples=[4])
    keys: list[Key] = Field([], max_length=2000, examples=[[]])
    into: Key | None = Field(None, examples=[None])
    at: Spot | None = Field(None, examples=[None])
    to: Spot | None = Field(None, examples=[None])
    edge: Corners = Field([], description="The edge as it is now, corner by corner.", examples=[[]])
    line: Corners = Field([], examples=[[[121.5, 31.22], [121.51, 31.23]]])
    polygon: Geometry | None = Field(None, examples=[None])
    buildings: list[Reference] = Field([], max_length=5000, examples=[[]])
    tolerance_m: float = Field(2.0, ge=0, le=100, examples=[2.0])
    outer: bool = Field(False, description="Whether the community's outer edge is meant.", examples=[False])
    name: Line | None = Field(None, examples=[None])
    least: int | None = Field(None, ge=0, le=1_000_000, examples=[None])
    most: int | None = Field(None, ge=0, le=1_000_000, examples=[None])
    count: int | None = Field(None, ge=1, le=2000, examples=[None])

    weights: dict[Wish, Weight] = Field(
        {},
        description="With a proposal: how much each wish counts.",
        examples=[{"households": 1.0, "compactness": 0.3}],
    )
    together: list[Annotated[list[Reference], Field(min_length=2, max_length=500)]] = Field(
        [], max_length=200, description="Buildings that stay together, group by group.", examples=[[]]
    )
    seed: int = Field(0, ge=0, le=2**31, description="The same seed proposes the same.", examples=[0])

    def asked(self) -> Asked:
        """The same for ``data``."""
        values = self.model_dump(exclude={"version", "rebase", "polygon"})
        polygon = shape(self.polygon).__geo_interface__ if self.polygon else None
        return Asked(**values, polygon=polygon)


class Seen(Input):
    """The version that was looked at."""

    version: int | None = Field(None, ge=0, examples=[12])


class StepNew(Input):
    """What is done with a plan as a whole."""

    action: Action = Field(examples=["submit"])
    note: Text | None = Field(None, examples=[None])
    effective_on: Day | None = Field(None, description="With an approval: from which day it holds.", examples=[None])


class ShareNew(Input):
    """Whether residents may look at a plan."""

    shared: bool = Field(examples=[True])


class ShareOut(Output):
    """Whether residents may look at a plan, and by which link."""

    shared: bool = Field(examples=[True])
    link: str | None = Field(examples=["https://grid.example/r/plans/3/5f0c6f0e6f5f4a7b9b7f2c11"])


class CommentNew(Input):
    """What is said of a plan, of one of its grids, or in answer."""

    body: Text = Field(examples=["23 号楼离第五网格的服务点更近。"])
    key: Key | None = Field(None, examples=[None])
    answers_id: Reference | None = Field(None, examples=[None])


class CommentOut(Output):
    """A comment on a plan."""

    id: int = Field(examples=[1])
    key: int | None = Field(examples=[5])
    answers_id: int | None = Field(examples=[None])
    body: str = Field(examples=["23 号楼离第五网格的服务点更近。"])
    hidden: bool = Field(examples=[False])
    resident: bool = Field(description="Whether it came by the link for residents.", examples=[False])
    author: str | None = Field(examples=["陈敏"])
    at: datetime = Field(examples=["2026-03-17T02:15:01Z"])


class TableOut(Output):
    """A plan as the planner's table shows it: lines, figures, findings and consequences of one version."""

    plan: PlanOut
    allowed: list[Action] = Field(examples=[["put_up", "submit", "withdraw"]])
    editable: bool = Field(examples=[True])
    can_undo: bool = Field(examples=[True])
    can_redo: bool = Field(examples=[False])
    grids: dict[str, Any] = Field(description="GeoJSON: each grid with its figures.")
    edges: dict[str, Any] = Field(description="GeoJSON: the lines between grids, and around them.")
    today: dict[str, Any] = Field(description="GeoJSON: the boundaries of today.")
    moved: dict[str, Any] = Field(description="GeoJSON: the ground that lies in another grid than today.")
    findings: list[dict[str, Any]] = Field(examples=[[]])
    moves: list[dict[str, Any]] = Field(examples=[[]])
    totals: dict[str, Any] = Field(examples=[{"buildings": 4, "households": 60, "people": 219}])
    bounds: dict[str, int] = Field(examples=[{"household_min": 150, "household_max": 200}])
    edits: list[dict[str, Any]] = Field(description="What it came of, the last first.", examples=[[]])


class AsFile(listing.Parameters):
    """What a plan goes out as."""

    f: Annotated[Literal["gpkg", "csv"], Query(description="Grids as GeoPackage, or building → grid as CSV.")] = "gpkg"


class Hiding(listing.Parameters):
    """What is asked for of a comment."""

    hidden: Annotated[bool, Query(description="False shows it again.")] = True


@api.get("", summary="List plans")
def list_plans(session: Session, actor: Read, asked: Annotated[InCommunity, Query()]) -> list[PlanRow]:
    """The plans one may see, newest first."""
    return [PlanRow.model_validate(row) for row in plans.listed(session, actor, asked.community)]


@api.post("", summary="Draw up a plan", status_code=status.HTTP_201_CREATED)
def draw_up_plan(response: Response, session: Session, actor: Edit, body: PlanNew) -> PlanOut:
    """A new plan. Faults of the boundaries that it begins with are mended, and listed as its first edit."""
    community = units.community(session, actor, body.community_id)
    before = plans.get(session, actor, body.from_plan_id) if body.from_plan_id else None
    plan = plans.draw_up(session, actor, community, name=body.name, from_plan=before)
    response.headers["Location"] = f"/api/plans/{plan.id}"
    return _plan(plan)


@api.get("/{plan_id}", summary="Get a plan")
def get_plan(session: Session, actor: Read, plan_id: Id) -> PlanOut:
    """A plan."""
    return _plan(plans.get(session, actor, plan_id))


@api.get("/{plan_id}/table", summary="Get all of a plan")
def get_plan_table(session: Session, actor: Read, plan_id: Id) -> TableOut:
    """A plan with its lines, figures, findings and consequences."""
    return _table(session, actor, plans.get(session, actor, plan_id))


@api.get("/{plan_id}/geojson", summary="Get a plan as GeoJSON")
def get_plan_geojson(session: Session, actor: Read, plan_id: Id) -> dict[str, Any]:
    """The grids of a plan with their figures, and of the plan its name, author, state and dates."""
    plan = plans.get(session, actor, plan_id)
    return tables.as_file(session, actor, plan)


@api.get("/{plan_id}/file", summary="Get a plan as a file", response_class=StreamingResponse)
def get_plan_file(
    session: Session,
    actor: Read,
    plan_id: Id,
    asked: Annotated[AsFile, Query()],
) -> Response:
    """A plan as GeoPackage (its grids) or CSV (building → grid), with its author, state, scores and days."""
    plan = plans.get(session, actor, plan_id)
    form = writing.parse_format(asked.f)
    file = tempfile.TemporaryFile(prefix="wangge-")  # noqa: SIM115 - closed after the last block
    try:
        plans.write(session, actor, plan, file, form)
    except BaseException:
        file.close()
        raise
    kept_as = {"Content-Disposition": f'attachment; filename="plan-{plan.id}{form.suffix}"'}
    return StreamingResponse(writing.blocks(file), media_type=form.media_type, headers=kept_as)


@api.post("/import", summary="Bring a plan in", status_code=status.HTTP_201_CREATED)
def bring_plan_in(
    response: Response,
    session: Session,
    actor: Edit,
    file: Annotated[UploadFile, File(description="GeoJSON or GeoPackage with the grids, or CSV building → grid.")],
    community: Annotated[Code, Form(description="The code of the community.")],
    name: Annotated[Line | None, Form(description="What the plan is called; as the file when empty.")] = None,
    crs: Annotated[Code | None, Form(description="What its coordinates are in, where the file is silent.")] = None,
    closing: Annotated[bool, Form(description="Whether grids that the file leaves out are closed.")] = False,
    outer: Annotated[bool, Form(description="Whether the community's outer edge is meant to change.")] = False,
) -> PlanOut:
    """A new plan from a file. A half-drawn one is told what it lacks, and nothing is changed."""
    place = units.by_code(session, actor, community, units.Level.COMMUNITY)
    with incoming.kept(file) as path:
        plan = plans.bring_in(
            session, actor, place, path, name=name or path.stem, crs=crs, closing=closing, outer=outer
        )
    response.headers["Location"] = f"/api/plans/{plan.id}"
    return _plan(plan)


@api.post("/{plan_id}/edits", summary="Edit a plan")
def edit_plan(session: Session, actor: Edit, plan_id: Id, body: EditNew) -> TableOut:
    """Edit a plan; answers with all of it as it then is. What followed beyond the hand is in the first of `edits`."""
    plan = plans.get(session, actor, plan_id)
    plans.edit(session, actor, plan, body.asked(), version=body.version, rebase=body.rebase)
    return _table(session, actor, plan)


@api.post("/{plan_id}/share", summary="Share a plan with residents")
def share_plan(request: Request, session: Session, actor: Edit, plan_id: Id, body: ShareNew) -> ShareOut:
    """Let residents look at a plan, while it is up for comment, by a link that needs no account; or no longer."""
    plan = plans.get(session, actor, plan_id)
    plans.share(session, actor, plan, shared=body.shared)
    link = f"{public_address(request)}/r/plans/{plan.id}/{plans.link(plan)}" if plan.shared else None
    return ShareOut(shared=plan.shared, link=link)


@api.post("/{plan_id}/proposals", summary="Let the machine propose", status_code=status.HTTP_202_ACCEPTED)
def propose_division(response: Response, session: Session, actor: Edit, plan_id: Id, body: EditNew) -> JobOut:
    """Divide the ground of a plan in the background; it becomes an edit unless somebody changes the plan meanwhile."""
    plan = plans.get(session, actor, plan_id)
    job = plans.ask_for_proposal(session, actor, plan, body.asked(), version=body.version)
    response.headers["Location"] = f"/api/jobs/{job.id}"
    return shown(job)


@api.post("/{plan_id}/{turn}", summary="Undo or redo an edit of a plan")
def turn_plan(session: Session, actor: Edit, plan_id: Id, turn: Turn, body: Seen) -> TableOut:
    """Take the last edit back, or do the one again that was undone last."""
    plan = plans.get(session, actor, plan_id)
    {"undo": plans.undo, "redo": plans.redo}[turn](session, actor, plan, version=body.version)
    return _table(session, actor, plan)


@api.post("/{plan_id}/steps/new", summary="Take a plan on")
def take_plan_on(session: Session, actor: Edit, plan_id: Id, body: StepNew) -> PlanOut:
    """Put a plan up for comment, submit, send back, approve or withdraw it."""
    plan = plans.get(session, actor, plan_id)
    plans.act(session, actor, plan, body.action, note=body.note, effective_on=body.effective_on)
    return _plan(plan)


@api.get("/{plan_id}/comments", summary="List the comments on a plan")
def list_plan_comments(session: Session, actor: Read, plan_id: Id) -> list[CommentOut]:
    """What was said of a plan, the earliest first."""
    plan = plans.get(session, actor, plan_id)
    return [CommentOut.model_validate(row) for row in plans.comments(session, actor, plan)]


@api.post("/{plan_id}/comments/new", summary="Comment on a plan", status_code=status.HTTP_201_CREATED)
def comment_on_plan(session: Session, actor: Read, plan_id: Id, body: CommentNew) -> list[CommentOut]:
    """Say something of a plan that is up for comment."""
    plan = plans.get(session, actor, plan_id)
    plans.say(session, actor, plan, body=body.body, key=body.key, answers_id=body.answers_id)
    return [CommentOut.model_validate(row) for row in plans.comments(session, actor, plan)]


@api.post("/{plan_id}/comments/{comment_id}/hide", summary="Hide a comment on a plan")
def hide_plan_comment(
    session: Session,
    actor: Edit,
    plan_id: Id,
    comment_id: Id,
    asked: Annotated[Hiding, Query()],
) -> list[CommentOut]:
    """Hide a comment from all but planners, or show it again."""
    plan = plans.get(session, actor, plan_id)
    plans.hide(session, actor, plan, comment_id, hidden=asked.hidden)
    return [CommentOut.model_validate(row) for row in plans.comments(session, actor, plan)]


def _plan(plan: plans.Plan) -> PlanOut:
    return PlanOut.model_validate(plan)


def _table(session: Session, actor: Actor, plan: plans.Plan) -> TableOut:
    return TableOut.model_validate({"plan": _plan(plan), **tables.of(session, actor, plan)})
