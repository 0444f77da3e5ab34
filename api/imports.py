"""Files in over HTTP: upload one, follow its job, fetch what was rejected."""

from __future__ import annotations

from fastapi import APIRouter

api = APIRouter(prefix="/api", tags=["imports"])
