"""Terms on a page: the headings and words that were mapped once for a community, to be seen and forgotten."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from api.base.fields import Id
from api.base.page import Page, minute_of, needs
from api.exchange.imports_pages import kind_names
from data import terms, units
from data.base.language import _
from data.exchange.importing import learning
from data.files import columns

pages = APIRouter(include_in_schema=False)
Import = Annotated[Page, needs(terms.PERMISSION)]


@pages.get("/exchange/terms")
def listed(page: Import) -> Response:
    """The terms of the community that pages are about, else of all that one imports into."""
    kept = terms.remembered(page.session, page.actor, page.community_id)
    named = units.names(page.session, {term.community_id for term in kept})
    return page.show(
        "exchange/terms.html",
        section="ledger",
        several=page.community_id is None,
        terms=[
            {
                "id": term.id,
                "written": term.written,
                "what": columns.field(term.kind, term.field).label if term.field else _("Heading"),
                "means": learning.meaning(term.kind, term.field, term.means),
                "kind": kind_names()[term.kind][0],
                "community": named.get(term.community_id, ""),
                "at": minute_of(term.at),
            }
            for term in kept
        ],
    )


@pages.post("/exchange/terms/{term_id}/forget")
def forget(term_id: Id, page: Import) -> Response:
    """Read the next files without it."""
    terms.forget(page.session, page.actor, term_id)
    return page.go("/exchange/terms", _("Forgotten."))
