"""Households, residents, tenancies and special groups over HTTP. All that is personal leaves masked."""

from __future__ import annotations

from fastapi import APIRouter

from api.households import homes, residents, tenancies

api = APIRouter()
for _module in (homes, residents, tenancies):
    api.include_router(_module.api)
