"""Whether it lives and can serve, for whoever watches from outside: ``/healthz`` and ``/readyz``, without a sign-in.

They tell up or down of the parts and nothing else. The database is asked once a second at most, however many ask.
"""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Request
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from api import supervision
from api.base import deps
from data.base.access import SYSTEM, Actor
from data.base.errors import WanggeError

pages = APIRouter(include_in_schema=False)
Visitor = Annotated[Actor, deps.anyone]
_ASKED_EVERY_S = 1.0
_ANSWERS_WITHIN_S = 4.0


class Reach:
    """Whether the database answers, remembered for a moment."""

    def __init__(self) -> None:
        self._answers = False
        self._until = 0.0
        self._asking: asyncio.Task[bool] | None = None

    async def answers(self, transaction: deps.Transactions) -> bool:
        """Whether the database answers in time; who comes while it is asked waits for the same answer."""
        if time.monotonic() < self._until:
            return self._answers
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(run_in_threadpool(_answers, transaction))
        try:
            self._answers = await asyncio.wait_for(asyncio.shield(self._asking), _ANSWERS_WITHIN_S)
        except TimeoutError:
            self._answers = False
        self._until = time.monotonic() + _ASKED_EVERY_S
        return self._answers


def _answers(transaction: deps.Transactions) -> bool:
    try:
        with transaction(SYSTEM) as session:
            return bool(session.scalar(text("SELECT true")))
    except (WanggeError, SQLAlchemyError):
        return False


@pages.get("/healthz")
async def alive(_visitor: Visitor) -> Response:
    """The web application lives."""
    return JSONResponse({"alive": True})


@pages.get("/readyz")
async def ready(request: Request, _visitor: Visitor) -> Response:
    """Requests can be served: the database answers. The worker's state is told too; without it only jobs wait."""
    reach: Reach = request.app.state.reach
    answers = await reach.answers(deps.transactions(request))
    parts = {name: "up" if state.up else "down" for name, state in supervision.states().items()}
    told = {"ready": answers, "parts": {**parts, "database": "up" if answers else "down"}}
    return JSONResponse(told, 200 if answers else 503, None if answers else {"Retry-After": "5"})
