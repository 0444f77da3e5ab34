"""QR codes of places 二维码."""

from __future__ import annotations

from api.place_codes import pages

PAGES = (pages.pages,)
