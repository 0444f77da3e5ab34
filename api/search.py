"""The search of the map over HTTP."""

from __future__ import annotations

from fastapi import APIRouter

api = APIRouter(prefix="/api", tags=["search"])
