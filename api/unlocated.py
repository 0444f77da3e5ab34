"""Records without a place over HTTP: the list of those still to be placed."""

from __future__ import annotations

from fastapi import APIRouter

api = APIRouter(prefix="/api", tags=["unlocated"])
