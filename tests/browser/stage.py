"""What the stories in the browser share: a watched page, the map, and what the API says of the same."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, Request, Response

_ALL_TILES = """() => document.querySelectorAll('.leaflet-tile-loaded').length > 0
    && !document.querySelector('.leaflet-tile:not(.leaflet-tile-loaded)')"""
DESKTOP, PHONE = (1440, 900), (390, 844)
# A tile or a count that is not needed any more is given up, and so is what a page was loading when it is left. Only a
# story itself takes the network away.
_FORGIVEN = ("net::ERR_ABORTED", "net::ERR_INTERNET_DISCONNECTED", "net::ERR_NETWORK_CHANGED")


@dataclass
class Watched:
    """A page, what it may do wrong on purpose, and what it did wrong."""

    page: Page
    #: statuses of answers that the test asks for
    expected: set[int] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note every fault from here on."""
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)

    def _console(self, message: ConsoleMessage) -> None:
        # What the browser says of an answer's status is noted by the answer itself.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.faults.append(f"console: {message.text}")

    def _failed(self, request: Request) -> None:
        if request.failure not in _FORGIVEN:
            self.faults.append(f"request: {request.url} {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.faults.append(f"answer: {response.status} {response.url}")


def on_the_map(page: Page, query: str = "") -> None:
    """Open the map and wait until its layers are drawn."""
    page.goto(f"/map{query}")
    drawn(page)


def drawn(page: Page) -> None:
    """Wait until the map has taken its place and all its tiles are drawn."""
    page.wait_for_selector(".leaflet-container[data-ready=true]")
    page.wait_for_function(_ALL_TILES)


def spot(page: Page, lon: float, lat: float) -> tuple[float, float]:
    """Where a place (degrees) is on the page, in pixels."""
    x, y = page.evaluate(
        """([lon, lat]) => {
            const map = window[Object.keys(window).find((name) => /^map_[0-9a-f]{32}$/.test(name))];
            const box = map.getContainer().getBoundingClientRect();
            const at = map.latLngToContainerPoint([lat, lon]);
            return [box.left + at.x, box.top + at.y];
        }""",
        [lon, lat],
    )
    return x, y


def listed(page: Page, path: str) -> list[dict[str, Any]]:
    """All the items of a list of the API, as the one who is signed in on the page sees them."""
    found: list[dict[str, Any]] = []
    following: str | None = path
    while following:
        answer = page.request.get(following)
        assert answer.ok, answer.text()
        body = answer.json()
        found += body["items"]
        following = body["next"]
    return found


def case_of(page: Page, number: str) -> dict[str, Any]:
    """The case with a number."""
    (found,) = (one for one in listed(page, "/api/incidents?limit=1000") if one["number"] == number)
    return found


def text_of(page: Page, selector: str) -> str:
    """The text of an element on one line."""
    return re.sub(r"\s+", " ", page.locator(selector).first.inner_text()).strip()
