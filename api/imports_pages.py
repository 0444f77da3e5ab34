"""The import in steps on pages: file, columns, preview, in."""

from __future__ import annotations

from fastapi import APIRouter

pages = APIRouter(include_in_schema=False)
