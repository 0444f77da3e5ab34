"""What comes out on paper: whole, wherever it is printed from.

Each page goes through Chromium to PDF, as by the browser's own menu, and its text boxes are held against the sheet.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pypdfium2
import pytest
from playwright.sync_api import Page

from tests.browser.stage import DESKTOP, Watched, drawn

pytestmark = pytest.mark.browser

#: pt: how near to the edge of the sheet text may stand.
EDGE = 8
MAPS = ("/map", "/hotspots", "/coverage")


@dataclass
class Sheet:
    """A printed page: its size, and the boxes (left, bottom, right, top) and words on it, in pt."""

    width: float
    height: float
    boxes: list[tuple[float, float, float, float]]
    text: str

    @property
    def filled(self) -> float:
        """The share of the sheet's height above the foot line down to which something stands."""
        body = [bottom for _, bottom, _, _ in self.boxes if bottom > 45]
        return 1 - min(body) / self.height if body else 0


def printed(page: Page) -> list[Sheet]:
    """The sheets of the page that is open."""
    sheets = []
    paper: Any = pypdfium2.PdfDocument(page.pdf(prefer_css_page_size=True))
    for sheet in paper:
        text = sheet.get_textpage()
        boxes = [text.get_rect(number) for number in range(text.count_rects())]
        sheets.append(Sheet(*sheet.get_size(), boxes, text.get_text_bounded()))
    return sheets


def narrow(page: Page) -> list[str]:
    """Labels that stand one character to a line on a sheet of A4."""
    page.set_viewport_size({"width": 718, "height": 1000})
    page.emulate_media(media="print")
    labels: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("main :is(th, td, h1, h2, dt, dd)")].filter((one) => {
            const range = document.createRange();
            range.selectNodeContents(one);
            const lines = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
            return one.textContent.trim().length > 2 && lines.size > 2
                && one.textContent.trim().length / lines.size < 2;
        }).map((one) => one.textContent.trim())"""
    )
    return labels


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("what", ["sheet", "case", "stats", "households", *MAPS])
def test_a_page_comes_out_whole(signed_in: Callable[..., Watched], what: str, language: str) -> None:
    page = signed_in("staff", DESKTOP, language).page
    case = page.request.get("/api/incidents?limit=1").json()["items"][0]["id"]
    address = {"sheet": f"/incidents/{case}/sheet", "case": f"/incidents/{case}"}.get(what, f"/{what.lstrip('/')}")
    page.goto(address)
    if what in MAPS:
        drawn(page)
    if what == "stats":
        page.wait_for_selector("[data-chart][data-ready]")
    sheets = printed(page)
    assert sheets
    for sheet in sheets:
        outside = [
            box
            for box in sheet.boxes
            if box[0] < EDGE or box[2] > sheet.width - EDGE or box[1] < EDGE or box[3] > sheet.height - EDGE
        ]
        assert outside == []
    if len(sheets) > 1:
        assert sheets[0].filled > 0.6, f"the first of {len(sheets)} sheets is nearly empty"
    assert all(len(sheet.text.strip()) > 30 for sheet in sheets), "a sheet holds nothing but its number"
    if what in MAPS:
        assert sheets[0].width > sheets[0].height
    else:
        assert narrow(page) == []


def test_a_list_says_what_is_not_on_the_paper(signed_in: Callable[..., Watched]) -> None:
    page = signed_in("staff", DESKTOP, "en").page
    page.goto("/households")
    said = " ".join(" ".join(sheet.text.split()) for sheet in printed(page))
    assert re.search(r"Rows 1–50 of 1,\d{3} are on this paper\.", said)


@pytest.mark.parametrize("address", MAPS)
def test_a_map_from_the_browsers_own_menu_is_what_the_screen_shows(
    signed_in: Callable[..., Watched], address: str
) -> None:
    page = signed_in("staff", DESKTOP, "en").page
    page.goto(address)
    drawn(page)
    seen = """() => {
        const frame = document.querySelector(".map-frame").getBoundingClientRect();
        const map = document.querySelector(".map-frame > .leaflet-container").getBoundingClientRect();
        return [map.left - frame.left, map.top - frame.top, frame.right - map.right, frame.bottom - map.bottom];
    }"""
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    # The border of the frame is seen on all four sides: the map ends 1 px before it.
    assert [round(gap) for gap in page.evaluate(seen)] == [1, 1, 1, 1]
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    drawn(page)
    assert page.evaluate("document.querySelector('.map-frame > .leaflet-container').style.zoom") == ""
