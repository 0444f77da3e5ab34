"""Who is responsible: teams of grids, guides, line officers, stand-ins and service teams 特色服务队."""

from __future__ import annotations

from api.teams import advising_pages, pages, responsible, routes

API = (routes.api, routes.people)
PAGES = (pages.pages, responsible.pages, advising_pages.pages)
