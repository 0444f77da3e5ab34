"""Palette, states, ramps and symbols of every map, page and legend: written once, here.

The style sheet gets them as CSS variables (:func:`css`, written to ``vendor/symbols.css`` by ``script/assets``), the
map scripts and legends as JSON (:func:`as_dict`). Colour never carries a meaning alone: a state has a shape, an icon
and a word beside it. The module stands alone (standard library only), so that it also runs before anything is
installed.
"""

from __future__ import annotations

import math
import sys
from dataclasses import asdict, dataclass
from typing import Literal

Shape = Literal["square", "disc", "ring", "small"]

PALETTE = {
    "brand": "#0B6B6B",
    "brand-dark": "#084F50",
    "brand-mid": "#5FA8A2",
    "brand-light": "#E6F2F0",
    "ink-1": "#18212B",
    "ink-2": "#465362",
    "ink-3": "#5F6B7A",
    "line": "#E4E2DD",
    "line-2": "#EFEDE8",
    "paper": "#F7F6F3",
    "card": "#FFFFFF",
    "table-head": "#FBFAF8",
    "control-off": "#7F8A97",
    "edit": "#5B2A86",
    "act-now": "#B3261E",
    "advice": "#C98A2B",
    "notice": "#FCF3E3",
    "notice-ink": "#7D4A00",
    "series-2": "#9A5B00",
    "series-rest": "#B8B2A7",
    "track": "#1F5FA8",
    "quiet": "#EEF0F2",
    "brand-fill": "#0B6B6B",
    "brand-hover": "#084F50",
    "act-fill": "#B3261E",
}

#: What changes where the system asks for a dark screen. Maps, charts and pages for paper stay light (:data:`LIGHT`).
DARK = {
    "brand": "#6CC7BF",
    "brand-dark": "#B4E5DF",
    "brand-mid": "#3C8F89",
    "brand-light": "#183B3C",
    "ink-1": "#EEF1F4",
    "ink-2": "#C3CBD4",
    "ink-3": "#A3AEBA",
    "line": "#3A4550",
    "line-2": "#2E3842",
    "paper": "#12181E",
    "card": "#1B232B",
    "table-head": "#202932",
    "control-off": "#7F8A97",
    "act-now": "#FF9B91",
    "notice": "#3A2E16",
    "notice-ink": "#F4CF8F",
    "track": "#8DBBF0",
    "quiet": "#2A333C",
    "brand-fill": "#0E7F7E",
    "brand-hover": "#0B6B6B",
}
LIGHT = (
    ".folium-map",
    ".resident-map",
    ".picture",
    ".picture-alone",
    ".chart",
    ".paper-sheet",
    ".code-sheet",
    ".sign-in-map",
)

GROUND = {
    "outside": "#F3F1EC",
    "community": "#FBFAF7",
    "green": "#DDE7D3",
    "water": "#CFE0EA",
    "landuse": "#F0EBE3",
    "road": "#FFFFFF",
    "road-casing": "#DAD6CD",
    "path": "#CFCABF",
    "wall": "#B9B2A6",
    "residential": "#D6D0C5",
    "residential-edge": "#B9B2A6",
    "other": "#EAE7E0",
    "other-edge": "#DAD6CD",
    "street-name": "#6B6760",
    "building-number": "#4E4942",
    "grid-name": "#084F50",
    "community-line": "#084F50",
    "grid-line": "#0B6B6B",
    "grid-line-thematic": "#3B4650",
}


@dataclass(frozen=True)
class State:
    """How an incident state is drawn: ``fill``, ``ring`` and ``icon`` on the map, ``text`` on ``ground`` as a tag."""

    shape: Shape
    fill: str
    ring: str
    icon: str
    text: str
    ground: str
    sign: str = ""
    """The icon that replaces the category's own: a closed case shows a tick whatever it was about."""


STATES = {
    "new": State("square", "#B3261E", "#FFFFFF", "#FFFFFF", "#9A1F18", "#FCEBE8"),
    "in_progress": State("disc", "#F2BC4E", "#7D4A00", "#3D2400", "#7D4A00", "#FCF1DD"),
    "to_verify": State("ring", "#FFFFFF", "#1F5FA8", "#1F5FA8", "#184E8C", "#E7F0FA"),
    "closed": State("small", "#FFFFFF", "#2E7350", "#2E7350", "#235C3F", "#E6F3EC", "check"),
    "on_hold": State("small", "#FFFFFF", "#7F8A97", "#465362", "#465362", "#EEF0F2", "player-pause"),
    "declined": State("small", "#FFFFFF", "#7F8A97", "#465362", "#465362", "#EEF0F2", "x"),
}

#: The tags of the states on a dark screen: text and ground.
DARK_TAGS = {
    "new": ("#FFB3AB", "#4A1B18"),
    "in_progress": ("#F6CE8B", "#433010"),
    "to_verify": ("#A9CCF5", "#19324F"),
    "closed": ("#A5DDBB", "#17392A"),
    "on_hold": ("#C3CBD4", "#2A333C"),
    "declined": ("#C3CBD4", "#2A333C"),
}

TIERS = {1: "#B3261E", 2: "#D98E1F", 3: "#2E7350"}
SEQUENTIAL = ("#E8F3F1", "#B9DBD6", "#7FBDB6", "#3E9690", "#0B6B6B")
DIVERGING = ("#2F6CAD", "#86B2D9", "#D3E3F0", "#F1EEE8", "#FADFC2", "#EDA360", "#B9540F")
HOTSPOT = {
    "hot_99": "#9E1B2F",
    "hot_95": "#DD6B4F",
    "hot_90": "#F5BFA3",
    "none": "#EFECE6",
    "cold_90": "#A9CBE3",
    "cold_95": "#5A94C4",
}
RAMP_OPACITY = 0.66
HOTSPOT_OPACITY = 0.7

FONT = '-apple-system, "PingFang SC", "HarmonyOS Sans SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif'


def contrast(ink: str, other: str) -> float:
    """The contrast ratio of two colours ``#RRGGBB``, from 1 (equal) to 21 (black on white).

    Source: WCAG 2.2, relative luminance and contrast ratio.

    >>> contrast("#000000", "#FFFFFF")
    21.0
    """

    def luminance(colour: str) -> float:
        channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(ink), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def text_pairs(*, dark: bool = False) -> list[tuple[str, str, str]]:
    """Every pair of text and ground that the pages use: what it is, text colour, ground colour."""
    p = {**PALETTE, **(DARK if dark else {})}
    tags = DARK_TAGS if dark else {code: (state.text, state.ground) for code, state in STATES.items()}
    pairs = [
        ("white on the filled button", "#FFFFFF", p["brand-fill"]),
        ("white on the dark button", "#FFFFFF", p["brand-hover"]),
        ("chosen rail item", p["brand-dark"], p["brand-light"]),
        ("link on card", p["brand"], p["card"]),
        ("link on paper", p["brand"], p["paper"]),
        ("link on a notice", p["brand"], p["notice"]),
        ("notice", p["notice-ink"], p["notice"]),
        ("overdue on card", p["act-now"], p["card"]),
        ("overdue on paper", p["act-now"], p["paper"]),
        ("count on the bell", "#FFFFFF", p["act-fill"]),
        ("white on the last step of a ramp", "#FFFFFF", SEQUENTIAL[4]),
        ("second series", p["series-2"], PALETTE["card"]),
    ]
    for ink in ("ink-1", "ink-2", "ink-3"):
        pairs += [(f"{ink} on {ground}", p[ink], p[ground]) for ground in ("card", "paper", "table-head")]
    pairs += [(f"{ink} on a quiet bar", p[ink], p["quiet"]) for ink in ("ink-1", "ink-2")]
    for name in ("street-name", "building-number", "grid-name"):
        # The halo is white; over a fill the halo is what the letters stand on.
        pairs += [(f"{name} on {ground}", GROUND[name], GROUND[ground]) for ground in ("community", "road")]
    pairs += [(f"tag {code}", text, ground) for code, (text, ground) in tags.items()]
    return pairs


def round_breaks(low: float, high: float, classes: int = 5, *, whole: bool = True) -> list[float]:
    """The inner class limits of ``low … high``: round numbers (1, 2, 2.5 or 5 times a power of ten), equally spaced.

    Returns at most ``classes - 1`` ascending limits; a value belongs to the class above a limit it equals. There are
    fewer when the range holds fewer round numbers, and none when all values are equal.

    With ``whole`` the values are counts: a limit between two whole numbers would say nothing more.

    >>> round_breaks(150, 200)
    [160.0, 180.0, 200.0]
    >>> round_breaks(0, 3)
    [1.0, 2.0, 3.0]
    >>> round_breaks(0, 0.3)
    []
    >>> round_breaks(0, 0.35, whole=False)
    [0.1, 0.2, 0.3]
    """
    if not high > low:
        return []
    power = 10.0 ** math.floor(math.log10((high - low) / classes))
    for step in (factor * power for factor in (1, 2, 2.5, 5, 10, 20)):
        if whole and (step < 1 or step % 1):
            continue
        first = math.floor(low / step) + 1
        last = math.floor(high / step)
        if last - first + 1 <= classes - 1:
            return [float(f"{step * k:.12g}") for k in range(first, last + 1)]
    return []


def as_dict() -> dict[str, object]:
    """All of it as plain values, for the map scripts."""
    return {
        "palette": PALETTE,
        "ground": GROUND,
        "states": {code: asdict(state) for code, state in STATES.items()},
        "sequential": SEQUENTIAL,
        "diverging": DIVERGING,
        "hotspot": HOTSPOT,
        "ramp_opacity": RAMP_OPACITY,
        "hotspot_opacity": HOTSPOT_OPACITY,
        "font": FONT,
    }


def css() -> str:
    """All colours as CSS variables ``--w-…``, and what a dark screen has instead of them."""
    values = {**PALETTE, **{f"ground-{name}": colour for name, colour in GROUND.items()}}
    for code, state in STATES.items():
        name = code.replace("_", "-")
        values |= {f"state-{name}-{part}": getattr(state, part) for part in ("fill", "ring", "icon", "text", "ground")}
    values |= {f"tier-{tier}": colour for tier, colour in TIERS.items()}
    values |= {f"ramp-{step}": colour for step, colour in enumerate(SEQUENTIAL, 1)}
    values |= {f"diverging-{step}": colour for step, colour in enumerate(DIVERGING, 1)}
    lines = [f"  --w-{name}: {value};" for name, value in values.items()]
    dark = dict(DARK)
    for code, (text, ground) in DARK_TAGS.items():
        name = code.replace("_", "-")
        dark |= {f"state-{name}-text": text, f"state-{name}-ground": ground}
    islands = [f"  --w-{name}: {values[name]};" for name in dark]
    return "\n".join(
        [":root {", *lines, f"  --w-font: {FONT};", "}"]
        + ["@media screen and (prefers-color-scheme: dark) {", ".shell {"]
        + [f"  --w-{name}: {value};" for name, value in dark.items()]
        + ["  color-scheme: dark;", "}", f".shell :is({', '.join(LIGHT)}) {{", *islands]
        + ["  color: var(--w-ink-1);", "  color-scheme: light;", "}", "}", ""]
    )


if __name__ == "__main__":
    sys.stdout.write(css())
