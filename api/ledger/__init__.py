"""The ledger of a community, in the form that it has set."""

from __future__ import annotations

from api.ledger import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
