"""The frame of every view: a folium map that draws itself from what the page holds, and what stands around it.

A view is a :class:`Picture`: the map and its title, the one plain sentence, period, source, legend, notes, and the same
as a table. The map is a :class:`folium.Map` with one :class:`maps.programs.Drawing`, which hands layers of GeoJSON to
``static/js/views/picture.js``. That script imports nothing, so that it can also stand inside a file that is opened
without a network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from data.base.language import _
from data.views.scenes import GeoJson, Ground, Shape
from maps import symbols

if TYPE_CHECKING:
    import folium

Kind = Literal["area", "line", "mark", "count"]
#: A row of a table.
Row = list[str | int | float | None]


@dataclass(frozen=True)
class Style:
    """How features of one class are drawn, and their line in the legend.

    Attributes
    ----------
    shape
        Of a mark: ``square``, ``disc``, ``ring`` or ``small``, as in :mod:`maps.symbols`.
    hatch
        0 for none, else 1 … 4: how dense the hatching is on paper, so that a copier loses nothing.
    label
        Its words in the legend; empty for none.
    """

    fill: str | None = None
    stroke: str | None = None
    width: float = 1.0
    opacity: float = 1.0
    dash: str = ""
    shape: str = "disc"
    size: float = 9.0
    hatch: int = 0
    label: str = ""


@dataclass
class Layer:
    """Features of one kind: ``styles`` by class; each feature is ``{g: GeoJSON, c: class, t: tooltip, …}``.

    Further keys of a feature: ``n`` a number that is written on it, ``a`` and ``b`` the steps of the time slider from
    which and before which it is seen, ``s`` a number for each step.
    """

    kind: Kind
    styles: dict[str, Style]
    features: list[dict[str, Any]] = field(default_factory=list)

    def add(self, geometry: GeoJson, style: str, tip: str = "", **more: Any) -> None:
        """One feature more."""
        self.features.append({"g": geometry, "c": style, "t": tip, **more})


@dataclass(frozen=True)
class Steps:
    """The time slider: a label and a count for each step (the bars), where it stands at first, and what is counted: in
    the plural, and of one.
    """

    labels: Sequence[str]
    counts: Sequence[int]
    start: int
    says: str
    one: str


@dataclass(frozen=True)
class Table:
    """The same as a table: the heads of the columns, and rows whose first cell is a name."""

    heads: Sequence[str]
    rows: Sequence[Row]


@dataclass(frozen=True)
class Picture:
    """A view that is ready to be shown.

    Attributes
    ----------
    figure
        The folium map.
    legend
        ``{kind, label, style}`` of everything that is drawn, in order.
    left_out
        What is not drawn, how much, and why.
    """

    code: str
    title: str
    sentence: str
    period: str
    source: str
    figure: folium.Map
    legend: Sequence[Mapping[str, Any]]
    left_out: Sequence[str]
    table: Table
    moves: bool = False
    """Whether it has a time slider."""


def place(figure: folium.Map, *, address: str = "", source: str = "") -> None:
    """Say where the drawing's script is: at an address of ours, or here as a text, whose ``export`` is taken off."""
    from maps.programs import Drawing

    for child in figure._children.values():
        if isinstance(child, Drawing):
            child.address, child.source = address, source.replace("export function", "function")


def _words() -> dict[str, str]:
    """What the script says by itself."""
    return {
        "metres": _("{value} m", value="{value}"),
        "kilometres": _("{value} km", value="{value}"),
        "play": _("Play"),
        "pause": _("Stop"),
        "map": _("Map. Arrow keys move it, plus and minus zoom."),
    }


def picture(
    code: str,
    *,
    ground: Ground,
    layers: Sequence[Layer],
    title: str,
    sentence: str,
    period: str,
    source: str,
    table: Table,
    left_out: Sequence[str] = (),
    steps: Steps | None = None,
    veil: bool = False,
) -> Picture:
    """Put layers onto the ground, and what has to be said beside them.

    Parameters
    ----------
    veil
        Whether areas cover the ground, so that it steps back.
    """
    import folium

    from maps.programs import Drawing

    south, west, north, east = ground.bounds
    figure = folium.Map(
        location=((south + north) / 2, (west + east) / 2),
        zoom_start=15,
        tiles=None,
        zoom_control=False,
        attribution_control=False,
        bounce_at_zoom_limits=False,
    )
    ground_layers = _ground(ground, veil)
    drawn = [*ground_layers[:-1], *layers, ground_layers[-1]] if veil else [*ground_layers, *layers]
    figure.add_child(
        Drawing(
            {
                "code": code,
                "bounds": [[south, west], [north, east]],
                "outside": symbols.GROUND["outside"],
                "layers": [_as_dict(layer) for layer in drawn if layer.features],
                "labels": _labels(ground),
                "steps": asdict(steps) if steps else None,
                "words": _words(),
            }
        )
    )
    legend = [
        {"kind": layer.kind, "label": style.label, "style": asdict(style)}
        for layer in (*layers, *reversed(ground_layers))
        for name, style in layer.styles.items()
        if style.label and (layer in layers or any(feature["c"] == name for feature in layer.features))
    ]
    return Picture(code, title, sentence, period, source, figure, legend, tuple(left_out), table, steps is not None)


def _as_dict(layer: Layer) -> dict[str, Any]:
    styles = {
        name: {key: value for key, value in asdict(style).items() if key != "label"}
        for name, style in layer.styles.items()
    }
    return {"kind": layer.kind, "styles": styles, "features": layer.features}


def _ground(ground: Ground, veil: bool) -> list[Layer]:
    """The ground from below: community, greens, water, roads, buildings, and last the boundaries."""
    colours = symbols.GROUND
    flat = Layer(
        "area",
        {
            "community": Style(fill=colours["community"], width=0),
            "landuse": Style(fill=colours["landuse"], width=0),
            "green": Style(fill=colours["green"], width=0),
            "water": Style(fill=colours["water"], width=0),
            "building": Style(fill=colours["other"], stroke=colours["other-edge"], width=0.6),
        },
    )
    casing = Layer("line", {"road": Style(stroke=colours["road-casing"], width=-1)})
    roads = Layer(
        "line",
        {
            "road": Style(stroke=colours["road"], width=-1),
            "path": Style(stroke=colours["path"], width=1, dash="4 3"),
            "wall": Style(stroke=colours["wall"], width=0.8),
            "water": Style(stroke=colours["water"], width=3),
        },
    )
    for shape in ground.communities:
        flat.add(shape.geometry, "community")
    for shape in ground.surroundings:
        is_line = shape.geometry["type"].endswith("LineString")
        if shape.kind in flat.styles and not is_line:
            flat.add(shape.geometry, shape.kind)
        elif shape.kind in roads.styles and is_line:
            roads.add(shape.geometry, shape.kind, m=shape.width_m or 6)
            if shape.kind == "road":
                casing.add(shape.geometry, "road", m=(shape.width_m or 6) + 1)
    houses = Layer(
        "area",
        {
            "other": Style(fill=colours["other"], width=0, opacity=0.6 if veil else 1),
            "residential": Style(
                fill=colours["residential"],
                stroke=colours["residential-edge"],
                width=0.8,
                opacity=0.6 if veil else 1,
                label=_("Residential building"),
            ),
        },
    )
    for shape in ground.buildings:
        houses.add(shape.geometry, shape.kind)
    line = colours["grid-line-thematic"] if veil else colours["grid-line"]
    edges = Layer(
        "line",
        {
            "grid": Style(stroke=line, width=1.3 if veil else 1.6, label=_("Grid boundary")),
            "community": Style(stroke=colours["community-line"], width=3, label=_("Community boundary")),
        },
    )
    for shape in ground.grids:
        edges.add(shape.geometry, "grid")
    for shape in ground.communities:
        edges.add(shape.geometry, "community")
    return [flat, casing, roads, houses, edges]


def _labels(ground: Ground) -> list[dict[str, Any]]:
    """The names on the map: of several communities, of grids, and from near the numbers of buildings; the most
    important first.
    """
    found = [_label(shape, "community") for shape in ground.communities if shape.at]
    # The name of a grid says nothing from so far that its community's may have no room.
    found += [_label(shape, "part" if found else "grid") for shape in ground.grids if shape.at]
    return found + [_label(shape, "building") for shape in ground.buildings if shape.at and shape.name]


def _label(shape: Shape, kind: str) -> dict[str, Any]:
    assert shape.at is not None
    return {"at": [round(shape.at[1], 6), round(shape.at[0], 6)], "t": shape.label or shape.name, "k": kind}
