"""The work list of records without a place: choose one, click the map."""

from __future__ import annotations

from fastapi import APIRouter

pages = APIRouter(include_in_schema=False)
