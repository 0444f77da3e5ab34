"""The photos that a form about a case brings along."""

from __future__ import annotations

from starlette.datastructures import FormData, UploadFile

from api.base.page import Page
from data import photos
from data.base.errors import Invalid
from data.base.language import _
from data.incidents import Incident


def sent(form: FormData) -> list[bytes]:
    """The photos that were chosen in a form.

    Raises
    ------
    Invalid
        There are too many.
    """
    pictures = [one.file.read() for one in form.getlist("photo") if isinstance(one, UploadFile) and one.size]
    if len(pictures) > photos.PER_RECORD:
        raise Invalid(_("A step has at most {count} photos.", count=photos.PER_RECORD), field="photo")
    return pictures


def keep(
    page: Page, incident: Incident, pictures: list[bytes], *, step_id: int | None = None, public: bool = False
) -> None:
    """Keep photos with a case, or with a step of it."""
    for content in pictures:
        photos.store(
            page.session,
            page.actor,
            content,
            community_id=incident.community_id,
            grid_id=incident.grid_id,
            incident_id=incident.id,
            step_id=step_id,
            public=public,
        )
