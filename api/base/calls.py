"""Calls: the answer to a call button, which makes the phone dial."""

from __future__ import annotations

from starlette.responses import Response


def answer(number: str) -> Response:
    """Have htmx open the phone at this number; the page does not show it, and nothing keeps the answer."""
    return Response(status_code=204, headers={"HX-Redirect": f"tel:{number}", "Cache-Control": "no-store"})
