"""Needless work on pages: what is said at the foot of each, and what the community office sees of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, tabs, words
from api.base.page import Page, inside, needs, typed
from data import needless
from data.base.language import _

pages = APIRouter(include_in_schema=False)
Say = Annotated[Page, needs("unit.read")]
Read = Annotated[Page, needs("team.edit")]
Typed = Annotated[FormData, typed]


@pages.post("/needless")
def say(page: Say, form: Typed) -> Response:
    """Note that the work of a page is needless, and go back there; who said it is not kept."""
    path = inside(forms.text_in(form, "page"))
    glance = page.glance
    community = page.community_id or (glance.communities[0].id if glance and glance.communities else None)
    if community is not None:
        needless.say(page.session, page.actor, community, path=path, sentence=forms.text_in(form, "sentence")[:500])
    return page.go(path, _("Thank you. The community office sees it, and not from whom."))


@pages.get("/needless")
def listed(page: Read) -> Response:
    """By page, how often its work was called needless, and what was said."""
    rows = [
        {
            "page": row.page,
            "count": row.count,
            "last": words.day(row.last_on),
            "sentences": (row.sentences or [])[-needless.MOST_SENTENCES :],
        }
        for row in needless.by_page(page.session, page.actor, page.community_id)
    ]
    return page.show(
        "needless/list.html",
        section="settings" if "account.read" in page.can else "me",
        tabs=(tabs.settings if "account.read" in page.can else tabs.notices)(page, "needless"),
        rows=rows,
    )
