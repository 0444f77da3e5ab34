"""The web application: its routes, what surrounds them, and the one place where they meet.

``create_app`` is what ``wangge serve`` runs. A feature names its JSON routes in ``API``, its pages in ``PAGES``.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from starlette.middleware.gzip import GZipMiddleware

from api import (
    accounts,
    activities,
    assets,
    audit,
    briefs,
    buildings,
    calendars,
    campaigns,
    coverage,
    diary,
    disputes,
    duplicates,
    duties,
    exchange,
    figures,
    grids,
    hands,
    health,
    hotspots,
    households,
    implementation,
    incidents,
    jobs,
    ledger,
    movements,
    needless,
    notifications,
    patrols,
    phones,
    photos,
    place_codes,
    plans,
    reminders,
    reports,
    rounds,
    search,
    start,
    stats,
    teams,
    tiles,
    today,
    traces,
    units,
    unlocated,
    views,
    visits,
    walks,
)
from api import map as map_
from api.base import bodies, deps, errors, openapi, page, sending, static
from api.base.request import Surroundings
from data import attaching
from data.base import cluster, db
from data.base import settings as all_settings
from data.base.access import Actor
from data.base.settings import Settings

#: Routes are tried in this order; those that are asked for most come first.
_API = (
    *incidents.API,
    *accounts.API,
    *units.API,
    *grids.API,
    *buildings.API,
    *households.API,
    *movements.API,
    *hotspots.API,
    search.api,
    *unlocated.API,
    *exchange.API,
    *audit.API,
    jobs.api,
    *stats.API,
    *views.API,
    *patrols.API,
    *rounds.API,
    *visits.API,
    *phones.API,
    *campaigns.API,
    *diary.API,
    *disputes.API,
    *duplicates.API,
    *teams.API,
    *activities.API,
    *duties.API,
    *figures.API,
    *ledger.API,
    *briefs.API,
    *traces.API,
    *implementation.API,
    *plans.API,
    *coverage.API,
    assets.api,
    *calendars.API,
    *reminders.API,
    *notifications.API,
)
_PAGES = (
    health.pages,
    *accounts.PAGES,
    *map_.PAGES,
    search.pages,
    *start.PAGES,
    *grids.PAGES,
    *buildings.PAGES,
    *households.PAGES,
    *movements.PAGES,
    *incidents.PAGES,
    photos.pages,
    *place_codes.PAGES,
    *reports.PAGES,
    *coverage.PAGES,
    *patrols.PAGES,
    *rounds.PAGES,
    *visits.PAGES,
    *phones.PAGES,
    *campaigns.PAGES,
    *diary.PAGES,
    *disputes.PAGES,
    *duplicates.PAGES,
    *plans.PAGES,
    *today.PAGES,
    *walks.PAGES,
    *teams.PAGES,
    *activities.PAGES,
    *duties.PAGES,
    *figures.PAGES,
    *ledger.PAGES,
    *briefs.PAGES,
    *traces.PAGES,
    *needless.PAGES,
    *unlocated.PAGES,
    *exchange.PAGES,
    *units.PAGES,
    *audit.PAGES,
    *stats.PAGES,
    *hotspots.PAGES,
    *implementation.PAGES,
    *views.PAGES,
    *notifications.PAGES,
    *reminders.PAGES,
    *calendars.PAGES,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """A new application; without ``settings`` those of this process."""
    attaching.attach()
    app = FastAPI(
        title="wangge",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_lifespan,
        form_limits={"max_files": 1, "max_fields": deps.MOST_FIELDS, "max_part_size": deps.LONGEST_FIELD},
    )
    app.state.settings = settings or all_settings.get()
    app.state.transaction = db.transaction
    app.state.actors = deps.Actors()
    app.state.turns, app.state.hands = deps.Turns(deps.TURNS), None
    app.state.reach = health.Reach()
    app.include_router(tiles.api)
    for router in _API:
        app.include_router(router, dependencies=[Depends(deps.no_parameters)])
    for router in _PAGES:
        app.include_router(router)
    app.add_api_route("/api/openapi.json", _document(app), include_in_schema=False)
    app.mount("/static", static.Versioned(directory=static.FOLDER, check_dir=False))
    errors.install(app, page.error)
    app.add_exception_handler(sending.Again, sending.again)
    openapi.install(app)
    # The last one added is the outermost.
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(bodies.Bodies, settings=app.state.settings)
    app.add_middleware(Surroundings, settings=app.state.settings)
    return app


def _document(app: FastAPI) -> Any:
    def describe(_visitor: Annotated[Actor, deps.anyone]) -> dict[str, Any]:
        """The OpenAPI document."""
        return app.openapi()

    return describe


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # What every page needs is made before the first one is asked for; the OpenAPI document takes seconds, and most who
    # wait for a server that was killed need none.
    static.version()
    # What is there now stays; the garbage collector need not look through it while somebody waits.
    gc.freeze()
    # Threads hand over sooner, so that the event loop answers the map while they are at work.
    sys.setswitchinterval(0.001)
    settings: Settings = app.state.settings
    async with (
        hands.at_work(settings.hands_at_work(), "api.incidents.routes", "api.patrols.routes") as app.state.hands,
        tiles.serving(app, cluster.request_dsn()),
    ):
        yield
