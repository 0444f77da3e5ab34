"""Patrols 巡查, on the phone and as files."""

from __future__ import annotations

from api.patrols import files, pages, phone, routes

API = (routes.api,)
PAGES = (files.pages, pages.pages, phone.pages)
