"""Pages that a phone keeps, with their scripts, so that they open in a dead zone.

Such a page says nothing about anybody: what it shows comes from the phone’s own storage. So a service worker may keep
it as it is given without token or tabs. It keeps nothing else and looks after no other page.
"""

from __future__ import annotations

import posixpath
import re
from functools import cache

from starlette.responses import Response

from api.base import page as shell
from api.base import static
from data.base import language

_IMPORT = re.compile(r'(?:^|;)(?:import|export)\b[^;"]*"(\.[^"]+)"')


def worker(address: str, kept: Response, kept_at: str) -> Response:
    """The service worker of the page at ``address``; another language or version of the scripts makes it another one.

    Parameters
    ----------
    kept
        The page as it is kept, which ``kept_at`` gives.
    """
    page = bytes(kept.body).decode()
    named = set(re.findall(re.escape(static.address()) + r"([^\"#\s]+)", page))
    text = (
        shell.templates()
        .get_template("worker.js")
        .render(
            address=address,
            page=kept_at,
            version=f"{static.version()} {language.current()}",
            files=[static.address(name) for name in files(frozenset(named))],
        )
    )
    return Response(text, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


@cache
def files(named: frozenset[str]) -> tuple[str, ...]:
    """The static files that a page names, with all that its scripts import."""
    names: set[str] = set()
    waiting = sorted(named)
    while waiting:
        name = waiting.pop()
        path = static.FOLDER / name
        if name in names or not path.is_file():
            continue
        names.add(name)
        if path.suffix == ".js" and "ours" in path.parts:
            steps = _IMPORT.findall(path.read_text("utf-8"))
            waiting += [posixpath.normpath(posixpath.join(posixpath.dirname(name), step)) for step in steps]
    return tuple(sorted(names))
