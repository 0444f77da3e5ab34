"""folium, wholly offline: every script and style comes from our own server, or the page is refused.

folium and its plugins name their assets and point them at CDNs (some unpinned). :func:`parts` walks the element tree
of a map, shadows ``default_js`` and ``default_css`` on each instance by asset name, renders, and makes sure that
nothing is fetched from outside. Addresses are looked for where they are used: the layers' own, and those by which a
piece of HTML fetches something. A text is no address, whatever it says: a grid may be called after a web page. The page
puts the parts in its own shell: the map needs no iframe, the inline script carries the page's CSP nonce, and folium's
viewport line (which forbids zooming) never reaches a reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import folium
    from branca.element import Element


FILES = {
    "geoman": "leaflet-geoman.js",
    "geoman_css": "leaflet-geoman.css",
    "leaflet": "leaflet.js",
    "leaflet_css": "leaflet.css",
    "protomaps_leaflet": "protomaps-leaflet.js",
}
"""Asset name → file in ``vendor``."""

LEFT_OUT = frozenset(
    {
        # Every page of ours has Bootstrap's styles already, by Tabler; menus and dialogs are the browser's own.
        "bootstrap",
        "bootstrap_css",
        # folium lists these on every map for folium.Icon, which is refused below, and for keeping layers in front.
        "jquery",
        "awesome_markers",
        "glyphicons_css",
        "awesome_markers_font_css",
        "awesome_markers_css",
        "awesome_rotate_css",
    }
)
"""Assets that folium asks for and no map of ours needs."""

_USED_BY_LAYERS = ("tiles", "url", "address", "icon_url", "shadow_url")
_FETCHES = frozenset({"src", "srcset", "poster", "data", "background", "action", "formaction", "xlink:href"})
#: Elements whose ``href`` is fetched; that of a link is followed by a person.
_FETCHES_HREF = frozenset({"link", "base", "image", "use", "script", "feimage"})
_IN_STYLE = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])([^"')\s]+)""", re.IGNORECASE)


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
    """An element, what it holds as children, and what it holds beside them, as a popup does its content."""
    from branca.element import Element

    waiting, seen = [element], set[int]()
    while waiting:
        element = waiting.pop(0)
        if id(element) not in seen:
            seen.add(id(element))
            yield element
            waiting += element._children.values()
            waiting += [part for name, part in vars(element).items() if name != "_parent" and isinstance(part, Element)]


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


class _Fetched(HTMLParser):
    """The addresses from which a piece of HTML fetches something."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        for name, value in attrs:
            if name == "style":
                self.addresses += _IN_STYLE.findall(value or "")
            elif name == "srcset":
                self.addresses += [part.split()[0] for part in (value or "").split(",") if part.strip()]
            elif name in _FETCHES or (name == "href" and tag in _FETCHES_HREF):
                self.addresses.append((value or "").strip())

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.addresses += _IN_STYLE.findall(data)


def fetched(html: str) -> list[str]:
    """The addresses from which a piece of HTML fetches something, in order; what it merely says is none of them.

    >>> fetched('<p>see https://example.com/</p><img src="/a.png"><p style="background: url(//example.net/b.png)">')
    ['/a.png', '//example.net/b.png']
    """
    parser = _Fetched()
    parser.feed(html)
    parser.close()
    return parser.addresses


def outside(addresses: Iterable[str], allowed: Sequence[str] = ()) -> list[str]:
    """Those of ``addresses`` that lead to other servers, except those that start with one of ``allowed``.

    >>> outside(["/x.js", "//cdn.example.net/x.js", "data:,"], allowed=["https://tiles.example.org/"])
    ['//cdn.example.net/x.js']
    """
    # Browsers read a backslash as a slash, and what is within a scheme or before it may hold blanks.
    plain = {address: re.sub(r"[\x00-\x20]", "", address).replace("\\", "/") for address in addresses}
    return [address for address, read in plain.items() if _leaves(read) and not read.startswith(tuple(allowed))]


def _leaves(address: str) -> bool:
    try:
        split = urlsplit(address)
    except ValueError:
        return True
    return bool(split.netloc) or split.scheme not in ("", "data", "blob", "about")


def _used(element: Element) -> Iterator[str]:
    """The addresses that an element of a map uses."""
    import folium

    for name in _USED_BY_LAYERS:
        if isinstance(value := getattr(element, name, None), str):
            yield value
    if isinstance(element, folium.Html):
        yield from fetched(element.data)


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
        An asset has no local file, an element needs one that is left out, or something is fetched from outside.
    """
    import folium
    from branca.element import CssLink, Figure, JavascriptLink
    from folium.elements import JSCSSMixin

    figure = the_map.get_root()
    assert isinstance(figure, Figure)
    used: list[str] = []
    for element in _walk(figure):
        used += _used(element)
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
    used += [*result.styles, *result.scripts, *fetched(result.html)]
    if left := outside(used, allowed):
        raise OutsideAsset(f"The map fetches from outside: {', '.join(sorted(set(left)))}.")
    return result
