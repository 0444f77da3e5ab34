"""The web application: its routes, what surrounds them, and the one place where they meet.

``create_app`` is what ``wangge serve`` runs. A feature's JSON routes are its module's ``api``, its pages ``pages``.
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
    accounts_pages,
    assets,
    audit,
    audit_pages,
    buildings,
    buildings_pages,
    calendars,
    calendars_pages,
    categories,
    coverage,
    coverage_pages,
    deps,
    dwellings_pages,
    errors,
    exchange,
    exports_pages,
    grids,
    grids_pages,
    hands,
    hotspots,
    hotspots_pages,
    households,
    households_pages,
    imports,
    imports_pages,
    incidents,
    incidents_board,
    incidents_case,
    incidents_pages,
    jobs,
    map_pages,
    notifications,
    notifications_pages,
    openapi,
    patrols,
    patrols_files,
    patrols_pages,
    patrols_phone,
    photos_pages,
    place_codes_pages,
    reminders,
    reminders_pages,
    reports_pages,
    residents_pages,
    responses_pages,
    rounds,
    rounds_pages,
    search,
    security,
    signin_pages,
    static,
    stats,
    stats_pages,
    tenancies_pages,
    tiles,
    tracking_pages,
    units,
    units_pages,
    unlocated,
    unlocated_pages,
    views,
    views_pages,
)
from api.request import Surroundings
from data.base import cluster, db
from data.base import settings as all_settings
from data.base.access import Actor
from data.base.settings import Settings

#: Routes are tried in this order; those that are asked for most come first.
_API = (
    incidents,
    security,
    units,
    grids,
    buildings,
    households,
    hotspots,
    categories,
    search,
    unlocated,
    imports,
    exchange,
    accounts,
    audit,
    jobs,
    stats,
    views,
    patrols,
    rounds,
    coverage,
    assets,
    calendars,
    reminders,
    notifications,
)
_PAGES = (
    signin_pages,
    map_pages,
    grids_pages,
    buildings_pages,
    dwellings_pages,
    households_pages,
    residents_pages,
    tenancies_pages,
    incidents_board,
    incidents_pages,
    incidents_case,
    photos_pages,
    place_codes_pages,
    reports_pages,
    tracking_pages,
    coverage_pages,
    patrols_files,
    patrols_pages,
    patrols_phone,
    rounds_pages,
    unlocated_pages,
    imports_pages,
    exports_pages,
    units_pages,
    accounts_pages,
    audit_pages,
    stats_pages,
    hotspots_pages,
    views_pages,
    notifications_pages,
    reminders_pages,
    calendars_pages,
    responses_pages,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """A new application; without ``settings`` those of this process."""
    app = FastAPI(title="wangge", version="0.1.0", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan)
    app.state.settings = settings or all_settings.get()
    app.state.transaction = db.transaction
    app.state.actors = deps.Actors()
    app.state.turns, app.state.hands = deps.Turns(deps.TURNS), None
    app.include_router(tiles.api)
    for module in _API:
        app.include_router(module.api, dependencies=[Depends(deps.known_parameters)])
    for module in _PAGES:
        app.include_router(module.pages)
    app.add_api_route("/api/openapi.json", _document(app), include_in_schema=False)
    app.mount("/static", static.Versioned(directory=static.FOLDER, check_dir=False))
    errors.install(app)
    openapi.install(app)
    # The last one added is the outermost.
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(Surroundings, settings=app.state.settings)
    return app


def _document(app: FastAPI) -> Any:
    def describe(_visitor: Annotated[Actor, deps.anyone]) -> dict[str, Any]:
        """The OpenAPI document."""
        return app.openapi()

    return describe


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # What every page needs is made before the first one is asked for.
    static.version()
    app.openapi()
    # What is there now stays; the garbage collector need not look through it while somebody waits.
    gc.freeze()
    # Threads hand over sooner, so that the event loop answers the map while they are at work.
    sys.setswitchinterval(0.001)
    async with (
        hands.at_work(app.state.settings.hands_at_work(), "api.incidents", "api.patrols") as app.state.hands,
        tiles.serving(app, cluster.dsn()),
    ):
        yield
