"""Our own scripts, styles and pictures, kept by browsers for good and yet never old.

Every address carries the version of all static files together, ``/static/3f9a0c1d2e4b/js/shell.js``: it changes with
any of them, so a browser may keep what it has, and modules that import each other by relative path stay in step.
"""

from __future__ import annotations

import hashlib
import mimetypes
from functools import cache
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parents[1] / "static"
FOR_GOOD = "public, max-age=31536000, immutable"
FOR_NOW = "no-cache"


@cache
def version() -> str:
    """The version of all static files together: twelve hexadecimal digits of their SHA-256."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(FOLDER).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def address(path: str = "") -> str:
    """The address of a static file: ``js/shell.js`` → ``/static/3f9a0c1d2e4b/js/shell.js``."""
    return f"/static/{version()}/{path}"


@cache
def _is_packed(path: Path) -> bool:
    """Whether the set-up has packed a file; it does so before a server starts."""
    return FOLDER in path.parents and ".." not in path.parts and path.is_file()


class Versioned(StaticFiles):
    """The static files; under the present version they may be kept for good, otherwise they are asked for again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file at ``path``, with or without a version before it."""
        first, _slash, rest = path.partition("/")
        versioned = len(first) == 12 and all(digit in "0123456789abcdef" for digit in first)
        name = rest if versioned else path
        packed = FOLDER / f"{name}.gz"
        if "gzip" in Headers(scope=scope).get("accept-encoding", "") and _is_packed(packed):
            response = await super().get_response(f"{name}.gz", scope)
            response.headers["Content-Type"] = mimetypes.guess_type(name)[0] or "application/octet-stream"
            response.headers["Content-Encoding"] = "gzip"
            response.headers["Vary"] = "Accept-Encoding"
        else:
            response = await super().get_response(name, scope)
        response.headers["Cache-Control"] = FOR_GOOD if first == version() else FOR_NOW
        return response
