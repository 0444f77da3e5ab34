"""What hands a folium map to the scripts of ours that draw on it.

Their classes are folium's, which takes a second to load: a map imports this where it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from branca.element import MacroElement
from folium.elements import JSCSSMixin
from folium.template import Template


class Program(JSCSSMixin, MacroElement):
    """Hands the map to ``static/js/{module}.js``, put together by the set-up: its ``start(map, config)`` does it."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
            import({{ this.address|tojson }}).then(
                (module) => module.start({{ this._parent.get_name() }}, {{ this.config|tojson }})
            );
        {% endmacro %}
        """
    )

    def __init__(self, module: str, config: Mapping[str, Any], *, static: str = "/static") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "Program"
        self.default_js = [("protomaps_leaflet", "protomaps-leaflet.js")]
        self.address = f"{static}/vendor/ours/js/{module}.js"
        self.config = dict(config)


class Drawn(Program):
    """A program on whose map lines and areas are drawn and dragged."""

    def __init__(self, module: str, config: Mapping[str, Any], *, static: str = "/static") -> None:
        super().__init__(module, config, static=static)
        self.default_js = [*self.default_js, ("geoman", "leaflet-geoman.js")]
        self.default_css = [("geoman_css", "leaflet-geoman.css")]


class Light(Program):
    """A program that needs nothing but Leaflet: every kilobyte is loaded over a phone."""

    def __init__(self, module: str, config: Mapping[str, Any], *, static: str) -> None:
        super().__init__(module, config, static=static)
        self.default_js = []
        self.address = f"{static}/vendor/ours/residents/{module}.js"


class Drawing(MacroElement):
    """Hands the map to ``static/js/views/picture.js``; its text stands in the page itself once ``source`` is given."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        {% if this.source %}
            (() => { {{ this.source }}
                start({{ this._parent.get_name() }}, {{ this.config|tojson }}); })();
        {% else %}
            import({{ this.address|tojson }}).then(
                (module) => module.start({{ this._parent.get_name() }}, {{ this.config|tojson }})
            );
        {% endif %}
        {% endmacro %}
        """
    )

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "Drawing"
        self.config = dict(config)
        self.address = "/static/js/views/picture.js"
        self.source = ""
