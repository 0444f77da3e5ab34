"""Photos for those who see what they belong to: the picture, a small one, and whether anybody may see it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from api.base.page import Page, needs
from data import photos
from data.base.language import _

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("incident.read")]
Edit = Annotated[Page, needs("incident.edit")]
PhotoId = Annotated[int, Path(ge=1, le=2**63 - 1)]

#: A photo never changes, but who may see it does: browsers of one person keep it for a day, nobody in between does.
HEADERS = {"Cache-Control": "private, max-age=86400, immutable"}


@pages.get("/photos/{photo_id}")
def photo(photo_id: PhotoId, page: Read) -> Response:
    """A photo."""
    return _file(page, photo_id)


@pages.get("/photos/{photo_id}/small")
def small(photo_id: PhotoId, page: Read) -> Response:
    """A photo, small."""
    return _file(page, photo_id, thumbnail=True)


def _file(page: Page, photo_id: int, *, thumbnail: bool = False) -> Response:
    found = photos.get(page.session, page.actor, photo_id)
    content = photos.content(found, thumbnail=thumbnail)
    return Response(content, media_type="image/jpeg", headers=HEADERS)


@pages.post("/photos/{photo_id}/public")
def publish(photo_id: PhotoId, page: Edit) -> Response:
    """Let anybody see a photo who reports the same, or keep it to those who handle the case."""
    found = photos.get(page.session, page.actor, photo_id)
    photos.publish(page.session, page.actor, found, public=not found.public)
    said = _("Residents may see the photo now.") if found.public else _("Only staff see the photo now.")
    return page.go(f"/incidents/{found.incident_id}" if found.incident_id else "/incidents", said)


@pages.post("/photos/{photo_id}/remove")
def remove(photo_id: PhotoId, page: Edit) -> Response:
    """Remove a photo, for instance one with a face in it."""
    found = photos.get(page.session, page.actor, photo_id)
    incident_id = found.incident_id
    photos.remove(page.session, page.actor, found)
    return page.go(f"/incidents/{incident_id}" if incident_id else "/incidents", _("The photo is removed."))
