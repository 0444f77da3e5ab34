"""Cases 事件, their categories and response templates."""

from __future__ import annotations

from api.incidents import board, case, categories, categories_pages, pages, responses, routes

API = (routes.api, categories.api)
PAGES = (board.pages, pages.pages, case.pages, responses.pages, categories_pages.pages)
