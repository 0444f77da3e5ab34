"""What is set on paper by Typst: documents as PDF with their fonts embedded, and drawings as PNG.

Chinese is set in Noto Sans SC, which comes with the front-end packages; a font of the system's is the second choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from data.base.errors import WanggeError
from data.base.language import _

_FONTS = Path(__file__).resolve().parent.parent / "node_modules" / "@expo-google-fonts" / "noto-sans-sc"
_WEIGHTS = ("400Regular", "700Bold")
#: As Typst and drawings name them.
FAMILIES = ("Noto Sans SC", "Noto Sans CJK SC")


class NotSet(WanggeError):
    """Typst refuses a document: a fault of ours, or a picture in it that is none."""


def pdf(source: str, values: Mapping[str, str] | None = None, files: Mapping[str, bytes] | None = None) -> bytes:
    """A document as PDF.

    Parameters
    ----------
    source
        What Typst reads.
    values
        What it finds in ``sys.inputs``; never read as markup, so a name may hold any character.
    files
        Pictures and data that it names.

    Raises
    ------
    NotSet
    """
    return _compiled(source, "pdf", values or {}, files or {})


def png(svg: str, width_mm: float, ppi: int = 220) -> bytes:
    """A drawing as PNG, so many millimetres wide.

    Raises
    ------
    NotSet
    """
    source = f'#set page(width: auto, height: auto, margin: 0pt)\n#image("drawing.svg", width: {width_mm}mm)'
    return _compiled(source, "png", {}, {"drawing.svg": svg.encode()}, ppi)


def _compiled(
    source: str, kind: str, values: Mapping[str, str], files: Mapping[str, bytes], ppi: int | None = None
) -> bytes:
    # Needed only by those who print.
    import typst

    world: Any = {"main.typ": source.encode(), **files}
    drawn: Any = {"format": kind, "ppi": ppi, "font_paths": _fonts(), "sys_inputs": dict(values)}
    try:
        return bytes(typst.compile(world, **drawn))
    except (typst.TypstError, RuntimeError) as error:
        raise NotSet(_("This could not be set for printing: {reason}", reason=str(error))) from error


@cache
def _fonts() -> Any:
    """The fonts that there are, looked for once."""
    import typst

    return typst.Fonts(font_paths=[_FONTS / weight for weight in _WEIGHTS if (_FONTS / weight).is_dir()])
