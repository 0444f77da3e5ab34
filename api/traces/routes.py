"""Orders of traces over HTTP: for which days and why a community asks for tracks."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, status
from pydantic import Field

from api.base.deps import Session, permission
from api.base.fields import Day, Id, Input, Output, PurposeText, Reference
from data import traces, units
from data.base.access import Actor

api = APIRouter(prefix="/api/trace-orders", tags=["patrols"])
Read = Annotated[Actor, permission("coverage.read")]
Order = Annotated[Actor, permission("trace.order")]


class TraceOrderOut(Output):
    """Days for which whoever walks in a community records the track."""

    id: int = Field(examples=[2])
    community_id: int = Field(examples=[3])
    first: date = Field(examples=["2026-07-12"])
    last: date = Field(description="The last day, included.", examples=["2026-07-14"])
    reason: str = Field(examples=["台风“梅花”过境，逐楼排查积水"])


class TraceOrderNew(Input):
    """What is to be ordered."""

    community_id: Reference = Field(examples=[3])
    first: Day = Field(examples=["2026-07-12"])
    last: Day = Field(examples=["2026-07-14"])
    reason: PurposeText = Field(examples=["台风“梅花”过境，逐楼排查积水"])


@api.get("", summary="List orders of traces")
def list_orders(session: Session, actor: Read) -> list[TraceOrderOut]:
    """The orders of the communities one works in, the latest first."""
    return [_order(row) for row in traces.listed(session, actor, None)]


@api.post("", summary="Order traces", status_code=status.HTTP_201_CREATED)
def add_order(session: Session, actor: Order, body: TraceOrderNew) -> TraceOrderOut:
    """For an emergency of at most fourteen days; everybody who walks reads the reason, and it is in the audit."""
    community = units.community(session, actor, body.community_id)
    values = body.model_dump(exclude={"community_id"})
    return _order(traces.order(session, actor, community, **values))


@api.delete("/{order_id}", summary="Lift an order", status_code=status.HTTP_204_NO_CONTENT)
def lift_order(session: Session, actor: Order, order_id: Id) -> None:
    """It ended yesterday; one that has not begun is gone."""
    traces.lift(session, actor, order_id)


def _order(row: Any) -> TraceOrderOut:
    return TraceOrderOut(
        id=row.id,
        community_id=row.community_id,
        first=row.valid.lower,
        last=row.valid.upper - timedelta(days=1),
        reason=row.reason,
    )
