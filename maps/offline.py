"""folium, wholly offline: every script and style comes from our own server, or the page is refused.

folium and its plugins name their assets and point them at CDNs (some unpinned). :func:`parts` walks the element tree
of a map, shadows ``default_js`` and ``default_css`` on each instance by asset name, renders, and makes sure that no
outside address is left in what it returns. The page puts the parts in its own shell: the map needs no iframe, the
inline script carries the page's CSP nonce, and folium's viewport line (which forbids zooming) never reaches a reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import folium
from branca.element import CssLink, Element, Figure, JavascriptLink
from folium.elements import JSCSSMixin

FILES = {
    "leaflet": "leaflet.js",
    "leaflet_css": "leaflet.css",
    "protomaps_leaflet": "protomaps-leaflet.js",
}
"""Asset name → file in ``vendor``."""

LEFT_OUT = frozenset(
    {
        # Every page of ours has Bootstrap's styles already, by Tabler; menus and dialogs are the browser's own.
        "bootstrap", "bootstrap_css",
        # folium lists these on every map for folium.Icon, which is refused below, and for keeping layers in front.
        "jquery", "awesome_markers", "glyphicons_css", "awesome_markers_font_css", "awesome_markers_css",
        "awesome_rotate_css",
    }
)  # fmt: skip
"""Assets that folium asks for and no map of ours needs."""

_ADDRESS = re.compile(r"(?:https?:|wss?:)?//[\w.{}-]+\.[\w{}.-]+[^\s\"'<>`\\)]*", re.IGNORECASE)
_NAMESPACE = "http://www.w3.org/"


class OutsideAsset(ValueError):
    """A map wants something that our own server does not have."""


@dataclass(frozen=True)
class Parts:
    """A rendered map, in the pieces that a page puts in its places."""

    styles: tuple[str, ...]
    scripts: tuple[str, ...]
    html: str
    script: str

    @property
    def text(self) -> str:
        """All pieces in one string, as they reach the reader."""
        return "\n".join((*self.styles, *self.scripts, self.html, self.script))


def _walk(element: Element) -> Iterator[Element]:
    yield element
    for child in element._children.values():
        yield from _walk(child)


def _local(assets: Sequence[tuple[str, str]], vendor: str) -> list[tuple[str, str]]:
    kept = []
    for name, address in assets:
        if name in LEFT_OUT:
            continue
        if name not in FILES:
            raise OutsideAsset(
                f'The map asset "{name}" ({address}) has no local file. Add the package to package.json, its file to '
                "script/assets, and its name to FILES in maps/offline.py."
            )
        kept.append((name, f"{vendor}/{FILES[name]}"))
    return kept


def outside_addresses(text: str, allowed: Sequence[str] = ()) -> list[str]:
    """The addresses of other servers in ``text``, except those that start with one of ``allowed``.

    >>> outside_addresses('<script src="//cdn.example.net/x.js">', allowed=["https://tiles.example.org/"])
    ['//cdn.example.net/x.js']
    """
    return [
        address
        for address in _ADDRESS.findall(text)
        if not address.startswith((_NAMESPACE, *allowed))
    ]  # fmt: skip


def parts(the_map: folium.Map, *, vendor: str = "/static/vendor", allowed: Sequence[str] = ()) -> Parts:
    """Render ``the_map`` with nothing from outside.

    Parameters
    ----------
    the_map
        The map with all its layers. Its elements' asset lists are replaced on the instances, never on the classes.
    vendor
        Where the local files are served.
    allowed
        Beginnings of outside addresses that the settings ask for: the base map's tiles, nothing else.

    Raises
    ------
    OutsideAsset
        An asset has no local file, an element needs one that is left out, or an outside address is left.
    """
    figure = the_map.get_root()
    assert isinstance(figure, Figure)
    for element in _walk(figure):
        if isinstance(element, folium.Icon):
            raise OutsideAsset("folium.Icon needs icon fonts from outside. Use folium.DivIcon.")
        if isinstance(element, JSCSSMixin):
            element.default_js = _local(element.default_js, vendor)
            element.default_css = _local(element.default_css, vendor)
    figure.render()
    links = figure.header._children.values()
    result = Parts(
        styles=tuple(dict.fromkeys(link.url for link in links if isinstance(link, CssLink))),
        scripts=tuple(dict.fromkeys(link.url for link in links if isinstance(link, JavascriptLink))),
        html=figure.html.render(),
        script=figure.script.render(),
    )
    if left := outside_addresses(result.text, allowed):
        raise OutsideAsset(f"The map still points outside: {', '.join(sorted(set(left)))}.")
    return result
