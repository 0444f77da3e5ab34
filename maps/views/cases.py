"""Views of cases: all that are open, broken lights, those overdue, and how they came and went.

Each is a pure function of the ground and the cases. Where a picture leaves the house (``shared``), cases at homes are
counts in cells; the same happens when there are more than a map can show as points.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from data import incidents
from data.base import language
from data.base.language import _
from data.views import scenes
from data.views.scenes import Case, Ground
from maps import symbols
from maps.views.frame import Layer, Picture, Row, Steps, Style, Table, picture

#: More points than these are shown as cells.
MOST_MARKS = 600
LIGHTS = ("facility.corridor_light", "facility.street_light", "facility.unlit_path")
#: Lower limits of the classes of a cell.
CLASSES = (scenes.FEWEST, 10, 20, 50, 100)
#: Cells lie over the ground, so even the lightest of them is darker than it.
_RAMP = (*symbols.SEQUENTIAL[1:], symbols.PALETTE["brand-dark"])
_OPACITY = 0.75


@dataclass(frozen=True)
class Told:
    """What is said around a picture: the days it is about, where it comes from, the instant it is true of.

    Attributes
    ----------
    now
        Aware; its zone is the community's.
    shared
        Whether it leaves the house.
    """

    first: date | None
    last: date
    source: str
    now: datetime
    shared: bool = False

    @property
    def period(self) -> str:
        """The days, in words; without a first one it is about now."""
        if self.first is None:
            return _("As of {minute}", minute=f"{self.now:%Y-%m-%d %H:%M}")
        return _("{low}–{high}", low=self.first.isoformat(), high=self.last.isoformat())

    def day(self, instant: datetime) -> date:
        """The day of an instant in the community's zone."""
        return instant.astimezone(self.zone).date()

    @property
    def zone(self) -> ZoneInfo:
        """The community's zone."""
        zone = self.now.tzinfo
        assert isinstance(zone, ZoneInfo)
        return zone


def overview(ground: Ground, cases: Sequence[Case], caption: Told) -> Picture:
    """The open cases by state."""
    shown = [case for case in cases if case.state in incidents.OPEN]
    late = sum(case.overdue for case in shown)
    by_state = Counter(case.state for case in shown)
    layers, left_out = _placed(ground, shown, caption, lambda case: case.state, _state_styles(by_state))
    kinds = Counter(_category(case) for case in shown).most_common(1)
    sentence = (
        _(
            "{count} cases are open, {late} of them overdue; most are about {kind} ({most}).",
            count=_n(len(shown)),
            late=_n(late),
            kind=kinds[0][0],
            most=_n(kinds[0][1]),
        )
        if shown
        else _("No case is open.")
    )
    names = incidents.words.states()
    states = [state for state in incidents.OPEN if by_state[state]]
    rows: list[Row] = [
        [grid, *(sum(case.state == state for case in inside) for state in states), len(inside)]
        for grid, inside in _by_grid(ground, shown)
    ]
    return picture(
        "overview",
        ground=ground,
        layers=layers,
        title=_("Open cases of {place}", place=ground.name),
        sentence=sentence,
        period=caption.period,
        source=caption.source,
        left_out=left_out,
        table=Table([_("Grid"), *(names[state] for state in states), _("Total")], rows),
    )


def lights(ground: Ground, cases: Sequence[Case], caption: Told) -> Picture:
    """The lights that are broken, by how long they have been waited for."""
    shown = [case for case in cases if case.state in incidents.OPEN]
    limits = ((7, _("Waiting for up to 7 days")), (30, _("Waiting for 8–30 days")), (10**6, _("Waiting for longer")))
    fills = ("#F5BFA3", "#DD6B4F", "#9E1B2F")
    styles = {
        str(limit): Style(fill=fill, stroke="#FFFFFF", width=1.5, size=7 + 1.5 * place, label=label)
        for place, ((limit, label), fill) in enumerate(zip(limits, fills, strict=True))
    }

    def age(case: Case) -> int:
        return (caption.now - case.reported_at).days

    def style_of(case: Case) -> str:
        return next(str(limit) for limit, _label in limits if age(case) <= limit)

    layers, left_out = _placed(ground, shown, caption, style_of, styles)
    by_grid = _by_grid(ground, shown)
    sentence = (
        _(
            "{count} lights are broken, most in {grid} ({most}), the oldest for {days} days.",
            count=_n(len(shown)),
            grid=by_grid[0][0],
            most=_n(len(by_grid[0][1])),
            days=_n(max(map(age, shown))),
        )
        if shown
        else _("No broken light is reported.")
    )
    rows: list[Row] = [[grid, len(inside), max(map(age, inside))] for grid, inside in by_grid]
    return picture(
        "lights",
        ground=ground,
        layers=layers,
        title=_("Broken lights of {place}", place=ground.name),
        sentence=sentence,
        period=caption.period,
        source=caption.source,
        left_out=left_out,
        table=Table([_("Grid"), _("Broken lights"), _("Oldest, in days")], rows),
    )


def overdue(ground: Ground, cases: Sequence[Case], caption: Told) -> Picture:
    """The cases whose time is over, by how long."""
    shown = [case for case in cases if case.overdue and case.due_at]
    limits = ((3, _("Overdue by up to 3 days")), (14, _("Overdue by 4–14 days")), (10**6, _("Overdue by more")))
    styles = {
        str(limit): Style(fill=symbols.PALETTE["act-now"], stroke="#FFFFFF", width=1.5, size=6 + 3 * place, label=label)
        for place, (limit, label) in enumerate(limits)
    }

    def late(case: Case) -> int:
        return max(0, (caption.now - case.due_at).days) if case.due_at else 0

    def style_of(case: Case) -> str:
        return next(str(limit) for limit, _label in limits if late(case) <= limit)

    layers, left_out = _placed(ground, shown, caption, style_of, styles)
    by_grid = _by_grid(ground, shown)
    open_count = sum(case.state in incidents.OPEN for case in cases)
    sentence = (
        _(
            "{count} of {open} open cases are overdue, most of them in {grid} ({most}); the longest by {days} days.",
            count=_n(len(shown)),
            open=_n(open_count),
            grid=by_grid[0][0],
            most=_n(len(by_grid[0][1])),
            days=_n(max(map(late, shown))),
        )
        if shown
        else _("No open case is overdue.")
    )
    rows: list[Row] = [[grid, len(inside), max(map(late, inside))] for grid, inside in by_grid]
    return picture(
        "overdue",
        ground=ground,
        layers=layers,
        title=_("Overdue cases of {place}", place=ground.name),
        sentence=sentence,
        period=caption.period,
        source=caption.source,
        left_out=left_out,
        table=Table([_("Grid"), _("Overdue"), _("Longest, in days")], rows),
    )


def timeline(ground: Ground, cases: Sequence[Case], caption: Told) -> Picture:
    """What was open at which time, with a slider. A case is seen from its report to its end."""
    first = caption.first or (min(caption.day(case.reported_at) for case in cases) if cases else caption.last)
    starts, unit = _steps(first, caption.last)
    spans = [_span(case, starts, caption) for case in cases]
    shown = [(case, span) for case, span in zip(cases, spans, strict=True) if span]
    counts = [0] * (len(starts) + 1)
    for _case, (begin, end) in shown:
        counts[begin] += 1
        counts[end] -= 1
    open_at: list[int] = []
    for change in counts[:-1]:
        open_at.append((open_at[-1] if open_at else 0) + change)
    many = len(shown) > MOST_MARKS
    as_cells = [pair for pair in shown if many or (caption.shared and pair[0].home)]
    as_marks = [pair for pair in shown if not many and not (caption.shared and pair[0].home)]
    layers: list[Layer] = []
    left_out: list[str] = []
    if as_cells:
        layer, missing = _moving_cells(ground, as_cells, len(starts))
        layers.append(layer)
        left_out += _left_out(missing)
    if as_marks:
        marks = Layer("mark", {"case": _mark("in_progress", 7, _("Open at this time"))})
        for case, (begin, end) in as_marks:
            marks.add(_point(case), "case", _tip(case, caption), a=begin, b=end)
        layers.append(marks)
    most = max(range(len(open_at)), key=lambda step: open_at[step])
    labels = [start.isoformat() for start in starts]
    sentence = (
        _(
            "At most {most} cases were open at once ({when}), at the end {last}; {count} were seen in all.",
            most=_n(open_at[most]),
            when=labels[most],
            last=_n(open_at[-1]),
            count=_n(len(shown)),
        )
        if shown
        else _("No case falls into these days.")
    )
    return picture(
        "timeline",
        ground=ground,
        layers=layers,
        title=_("Cases of {place} over time", place=ground.name),
        sentence=sentence,
        period=caption.period,
        source=caption.source,
        left_out=left_out,
        steps=Steps(labels, open_at, len(starts) - 1, _("{count} cases", count="{count}"), _("{count} cases", count=1)),
        table=Table([unit, _("Open")], [[label, count] for label, count in zip(labels, open_at, strict=True)]),
    )


def _steps(first: date, last: date) -> tuple[list[date], str]:
    """The first days of the steps, and what a step is: days, weeks or months, at most about a hundred of them."""
    days = (last - first).days + 1
    if days <= 100:
        return [first + timedelta(days=step) for step in range(days)], _("Day")
    if days <= 400:
        return [first + timedelta(days=step) for step in range(0, days, 7)], _("Week from")
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [date(month // 12, month % 12 + 1, 1) for month in months][-60:], _("Month from")


def _span(case: Case, starts: Sequence[date], caption: Told) -> tuple[int, int] | None:
    """The steps in which a case is seen: from the first, before the second; ``None`` for none."""
    begin = _step_of(caption.day(case.reported_at), starts)
    end = _step_of(caption.day(case.closed_at), starts) + 1 if case.closed_at else len(starts)
    if case.closed_at is None and case.state not in incidents.OPEN:
        end = begin + 1
    if begin >= len(starts) or end <= 0:
        return None
    return (max(begin, 0), max(end, max(begin, 0) + 1)) if caption.day(case.reported_at) <= caption.last else None


def _step_of(day: date, starts: Sequence[date]) -> int:
    """The step a day falls into; −1 before the first one."""
    low, high = 0, len(starts)
    while low < high:
        middle = (low + high) // 2
        if starts[middle] <= day:
            low = middle + 1
        else:
            high = middle
    return low - 1


def _moving_cells(ground: Ground, pairs: Sequence[tuple[Case, tuple[int, int]]], steps: int) -> tuple[Layer, int]:
    cell_style = Style(fill=_RAMP[0], stroke=symbols.PALETTE["brand"], width=1, opacity=_OPACITY)
    layer = Layer("area", {"cell": cell_style})
    limits = (1, *CLASSES[:4])
    for name, style in _cell_styles(limits).items():
        layer.styles[name] = style
    missing, highest = 0, 0
    for cell in scenes.cells([(case.lon, case.lat) for case, _span in pairs], ground):
        if cell.count < scenes.FEWEST:
            missing += cell.count
            continue
        shades = [0] * steps
        for member in cell.members:
            begin, end = pairs[member][1]
            for step in range(begin, end):
                shades[step] += 1
        classes = [sum(count >= limit for limit in limits) for count in shades]
        highest = max(highest, *classes)
        layer.add(cell.geometry, "cell", s=classes, f=_RAMP)
    # What is never reached stands in no legend.
    layer.styles = {
        name: style for name, style in layer.styles.items() if name == "cell" or int(name.split("-")[1]) <= highest
    }
    return layer, missing


def _placed(
    ground: Ground, cases: Sequence[Case], caption: Told, style_of: Callable[[Case], str], styles: dict[str, Style]
) -> tuple[list[Layer], list[str]]:
    """The layers of cases: cells for those that may have no point, marks for the others; and what was left out."""
    many = len(cases) > MOST_MARKS
    hidden = [case for case in cases if many or (caption.shared and case.home)]
    layers: list[Layer] = []
    left_out: list[str] = []
    if hidden:
        cells, missing = counted(ground, hidden)
        layers.append(cells)
        left_out += _left_out(missing)
    open_ones = [case for case in cases if not many and not (caption.shared and case.home)]
    if open_ones:
        used = {style_of(case) for case in open_ones}
        marks = Layer("mark", {name: style for name, style in styles.items() if name in used})
        # What is more urgent lies on top.
        order = {name: place for place, name in enumerate(styles)}
        for case in sorted(open_ones, key=lambda case: order[style_of(case)]):
            marks.add(_point(case), style_of(case), _tip(case, caption))
        layers.append(marks)
    return layers, left_out


def counted(ground: Ground, cases: Sequence[Case]) -> tuple[Layer, int]:
    """Cells coloured by how many cases they have, and how many cases lie in cells that have too few."""
    layer = Layer("area", _cell_styles(CLASSES))
    missing = 0
    for cell in scenes.cells([(case.lon, case.lat) for case in cases], ground):
        if cell.count < scenes.FEWEST:
            missing += cell.count
            continue
        step = sum(cell.count >= limit for limit in CLASSES)
        layer.add(cell.geometry, f"cell-{step}", _("{count} cases", count=_n(cell.count)))
    used = {feature["c"] for feature in layer.features}
    layer.styles = {name: style for name, style in layer.styles.items() if name in used}
    return layer, missing


def _cell_styles(limits: Sequence[int]) -> dict[str, Style]:
    styles = {}
    for place, limit in enumerate(limits):
        top = limits[place + 1] - 1 if place + 1 < len(limits) else None
        label = (
            _("{low}–{high} cases in a cell", low=limit, high=top)
            if top
            else _("{value} cases and more in a cell", value=limit)
        )
        styles[f"cell-{place + 1}"] = Style(
            fill=_RAMP[place], stroke=symbols.PALETTE["brand"], width=1, opacity=_OPACITY, hatch=place, label=label
        )
    return styles


def _left_out(missing: int) -> list[str]:
    if not missing:
        return []
    return [
        _("{count} cases lie in cells with fewer than {fewest} and are not drawn.", count=missing, fewest=scenes.FEWEST)
    ]


def _by_grid(ground: Ground, cases: Sequence[Case]) -> list[tuple[str, list[Case]]]:
    """The cases of each grid that has any, most first; those in none are under a name of their own."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(ground.grid_name(case.grid_id, case.grid_name) or _("In no grid"), []).append(case)
    return sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))


def _state_styles(used: Counter[str]) -> dict[str, Style]:
    names = incidents.words.states()
    # The order of drawing: what waits for somebody lies on top.
    order = ("on_hold", "to_verify", "in_progress", "new")
    return {state: _mark(state, 8, names[state]) for state in order if used[state]}


def _mark(state: str, size: float, label: str) -> Style:
    look = symbols.STATES[state]
    return Style(fill=look.fill, stroke=look.ring, width=2.0, shape=look.shape, size=size, label=label)


def _point(case: Case) -> dict[str, object]:
    return {"type": "Point", "coordinates": [round(case.lon, 6), round(case.lat, 6)]}


def _tip(case: Case, caption: Told) -> str:
    said = [_category(case), incidents.words.states()[case.state], caption.day(case.reported_at).isoformat()]
    return " · ".join(said if caption.shared else [*said, case.number])


def _category(case: Case) -> str:
    return language.named(case, "category")


def _n(value: int) -> str:
    return f"{value:,}"
