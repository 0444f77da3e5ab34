"""Notifications 通知 and how they reach people."""

from __future__ import annotations

from api.notifications import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
