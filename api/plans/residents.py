"""A plan as residents see it, by a link and without an account: its lines, which buildings go over, what was said.

Nothing of the people who live there is on this page, and nothing of the one who writes is kept. Visitors have no area,
so these handlers open transactions of the system and hand out what ``data.plans`` says that everybody may know.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from api.base import deps, forms, words
from api.base.fields import Id, Input, Text
from api.base.page import plain, typed
from api.base.request import sender
from data import grids, plans, reports, units
from data.base import settings
from data.base.access import SYSTEM, Actor
from data.base.errors import Invalid, WanggeError
from data.base.language import _
from data.reports import Effort
from maps import plans as plan_maps

pages = APIRouter(include_in_schema=False)
Visitor = Annotated[Actor, deps.anyone]
Typed = Annotated[FormData, typed]
LinkKey = Annotated[str, Path(max_length=64)]
_HEADERS = {"Referrer-Policy": "no-referrer"}


class Opinion(Input):
    """What a resident says of a plan."""

    body: Text
    key: int | None = None


@pages.get("/r/plans/{plan_id}/{link}")
def shown(request: Request, visitor: Visitor, plan_id: Id, link: LinkKey, sent: str = "") -> Response:
    """A plan that is up for comment."""
    return _page(request, plan_id, link, sent=bool(sent))


@pages.post("/r/plans/{plan_id}/{link}")
def suggest(request: Request, visitor: Visitor, plan_id: Id, link: LinkKey, form: Typed) -> Response:
    """Take in what somebody says of a plan."""
    try:
        with deps.transactions(request)(SYSTEM) as session:
            reports.count(session, Effort.OPINION, sender(request))
        if forms.text_in(form, "website"):
            raise Invalid(_("The field for programs was filled in. Leave it empty."))
        values = forms.read(Opinion, form, ("body", "key"))
        with deps.transactions(request)(SYSTEM) as session:
            plans.suggest(session, plans.linked(session, plan_id, link), **values)
    except (*forms.REFUSED, reports.TooOften) as error:
        return _page(request, plan_id, link, error=error, said=forms.text_in(form, "body"))
    return RedirectResponse(f"/r/plans/{plan_id}/{link}?sent=1", 303)


def _page(
    request: Request, plan_id: int, link: str, *, sent: bool = False, error: WanggeError | None = None, said: str = ""
) -> Response:
    with deps.transactions(request)(SYSTEM) as session:
        plan = plans.linked(session, plan_id, link)
        here = plans.standing(session, plan)
        names = {key: row.name for key, row in here.rows.items()}
        return plain(
            request,
            "plans/residents.html",
            status=forms.status(error),
            headers=_HEADERS,
            plan={"name": plan.name, "effective_on": words.day(plan.effective_on)},
            community_name=session.get_one(units.Unit, plan.community_id).name,
            grids=names,
            sent=sent,
            fault=error.detail if error else None,
            said=said,
            comments=[
                {
                    "by": _("A resident") if row.resident else _("The community"),
                    "at": words.minute(row.at),
                    "grid": names.get(row.key, ""),
                    "body": row.body,
                }
                for row in plans.heard(session, plan)
            ],
            **_drawn(session, here),
        )


def _drawn(session: Any, here: plans.Standing) -> dict[str, Any]:
    """The picture and what goes over, kept as long as the plan stands so."""
    key = (here.plan.id, here.plan.version, settings.today())
    known: dict[Any, dict[str, Any]] = _kept()
    if key not in known:
        while len(known) >= _MOST:
            known.pop(next(iter(known)))
        known[key] = {"picture": picture(session, here), "moves": plans.moving(session, here)}
    return known[key]


_MOST = 32


@lru_cache(maxsize=1)
def _kept() -> dict[Any, dict[str, Any]]:
    return {}


def picture(session: Any, here: plans.Standing) -> str:
    """A plan as a picture against today."""
    # As wide as a phone, so that the names can be read there.
    today = grids.shapes(session, here.community.id)
    moved = [piece["geom"] for piece in plans.ground(session, here)]
    return plan_maps.picture(
        [(row.name, here.coverage.areas[key]) for key, row in here.rows.items()],
        list(here.flat(list(today.values()))),
        list(here.flat(moved)),
        width=380,
        height=300,
        title=_(
            "The plan “{name}”: ground that goes over is hatched, boundaries of today are dashed", name=here.plan.name
        ),
    )
