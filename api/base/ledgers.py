"""Ledgers: the list pages of every feature, with the filters and the rows that the API has for the same address.

The parameters of a list are those of the feature's ``…Filters``, which the API, the tiles and the exports read too. An
empty parameter, as a form sends it for a box that was left alone, is as good as none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic import ValidationError
from sqlalchemy import Row

from api.base import errors, listing, sealed, words
from api.base.page import Page
from data import units
from data.base import listing as listing_rules
from data.base.access import Rows
from data.base.errors import Invalid
from data.base.language import _

PER_PAGE = 50
#: The parameter that holds what was typed into the box of a list, sealed.
SOUGHT = "sought"
_PAGING = ("cursor", "back", "start", "sort", "lang")
_Filter = TypeVar("_Filter")
_Parameters = TypeVar("_Parameters", bound=listing.Parameters)
#: A cell of a row: text, a number, nothing, or text with a link, a state, a tag or a tone (see ``_list.html``).
Cell = str | int | float | dict[str, Any] | None


@dataclass(frozen=True)
class Column:
    """A column of a list; ``sort`` names what a click on its head sorts by.

    A phone shows of a row its first column, beside it what is at the ``side``, and below what is in the ``lead``.
    """

    label: str
    number: bool = False
    lead: bool = False
    side: bool = False
    sort: str | None = None


@dataclass(frozen=True)
class Listing:
    """Where the rows of a list come from: a selection, what it can be sorted by, and by what it is at first."""

    query: Rows
    sorts: Mapping[str, Any]
    key: Any
    default: str


def wanted(page: Page, filters: type[listing.Filters[_Filter]], **given: Any) -> _Filter:
    """The filter that the address asks for, in the community that pages are about.

    Parameters
    ----------
    **given
        What the page itself wants, whatever the address says.

    Raises
    ------
    Invalid
        A parameter is not what it should be.
    """
    return filter_of(page, filters, query(page), **given)


def query(page: Page) -> dict[str, str]:
    """What the address asks for, with the text that was typed into the box, which stands in it sealed.

    Raises
    ------
    Invalid
        A text stands in the address for all to read.
    """
    asked = dict(page.request.query_params)
    if asked.get("q"):
        raise Invalid(_("What is searched for stands in no address. Type it into the box of the list."))
    text = sealed.opened(page.actor, asked.pop(SOUGHT, "")).get("q")
    return {**asked, "q": str(text)} if text else asked


def filter_of(page: Page, filters: type[listing.Filters[_Filter]], query: Mapping[str, str], **given: Any) -> _Filter:
    """The filter that a query asks for, wherever it stands; see ``wanted``."""
    here = {"community": page.community} if "community" in filters.names() else {}
    return parameters({**here, **query, **given}, filters).wanted()


def parameters(query: Mapping[str, Any], model: type[_Parameters]) -> _Parameters:
    """What a query asks for, of what ``model`` knows; pages have other parameters too."""
    known = model.names()
    try:
        asked = {name: value for name, value in query.items() if value and name in known}
        return model.model_validate(asked, context=listing.TYPED)
    except ValidationError as error:
        first = error.errors()[0]
        raise Invalid(f"{first['loc'][0]}: {errors.sentence(dict(first))}") from error


def address(page: Page, **changes: str | int | None) -> str:
    """This page with other parameters; an empty one is left out, and so is the place in the list."""
    kept = {name: value for name, value in page.request.query_params.items() if name not in _PAGING[:3]}
    kept.pop("lang", None)
    query = {name: value for name, value in {**kept, **changes}.items() if value not in (None, "")}
    return f"{page.request.url.path}?{urlencode(query)}" if query else page.request.url.path


def rows(page: Page, listed: Listing) -> tuple[Sequence[Row[Any]], dict[str, Any], str]:
    """The rows of the page that was asked for, the context ``paging`` of a list, and what it is sorted by."""
    query = page.request.query_params
    sort = query.get("sort") or listed.default
    if sort.removeprefix("-") not in listed.sorts:
        sort = listed.default
    column = listed.sorts[sort.removeprefix("-")]
    backwards = bool(query.get("back"))
    after = listing.read_cursor(query["cursor"], sort, column) if query.get("cursor") else None
    cut = listing_rules.page(
        listed.query,
        sort=column,
        key=listed.key,
        descending=sort.startswith("-"),
        after=after,
        limit=PER_PAGE + 1,
        backwards=backwards,
    )
    rows = list(page.session.execute(cut).all())
    more = len(rows) > PER_PAGE
    rows = rows[:PER_PAGE]
    if backwards:
        rows.reverse()
    total = listing_rules.count(page.session, listed.query)
    first = max(int(query.get("start", "1")) if query.get("start", "1").isdecimal() else 1, 1)
    if after is None or (backwards and not more):
        first = 1
    paging: dict[str, Any] = {"first": first, "last": first + len(rows) - 1, "total": total}
    paging["previous"] = paging["next"] = None
    if rows and (more if backwards else after is not None):
        cursor = listing.write_cursor(sort, rows[0].sort_, rows[0].id)
        paging["previous"] = address(page, cursor=cursor, back=1, start=max(1, first - PER_PAGE))
    if rows and (after is not None if backwards else more):
        cursor = listing.write_cursor(sort, rows[-1].sort_, rows[-1].id)
        paging["next"] = address(page, cursor=cursor, start=first + len(rows))
    return rows, paging, sort


def first(page: Page, listed: Listing, most: int) -> Sequence[Row[Any]]:
    """The first rows of a list, in the order that it has by itself."""
    column = listed.sorts[listed.default.removeprefix("-")]
    order = column.desc() if listed.default.startswith("-") else column
    return page.session.execute(listed.query.order_by(order, listed.key).limit(most)).all()


def table(
    page: Page, listed: Listing, columns: Sequence[Column], cells: Callable[[Row[Any]], list[Cell]], kind: str
) -> dict[str, Any]:
    """The context of ``_list.html`` for a list whose rows lead to ``/{kind}/{id}``."""
    matches, paging, sort = rows(page, listed)
    heads = []
    for column in columns:
        head = {name: getattr(column, name) for name in ("label", "number", "lead", "side")}
        if column.sort:
            sorted_by = sort.removeprefix("-") == column.sort
            down = sort.startswith("-")
            head["sort"] = address(page, sort=column.sort if not sorted_by or down else f"-{column.sort}")
            head["sorted"] = ("down" if down else "up") if sorted_by else None
        heads.append(head)
    return {
        "columns": heads,
        "rows": [{"id": row.id, "href": f"/{kind}/{row.id}", "cells": cells(row)} for row in matches],
        "paging": paging,
        "totals": None,
        "bulk": [],
    }


def filtered(page: Page, filters: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The context of the row of filters: each with its value, and whether any is set."""
    asked = query(page)
    shown = [_with_value(one, asked.get(one["name"], "")) for one in filters]
    names = {name for name, value in asked.items() if value and name not in _PAGING}
    others = names - {one["name"] for one in filters}
    kept = [{"name": name, "value": asked[name], "says": _says(page, name, asked[name])} for name in sorted(others)]
    return {"filters": shown, "filtered": bool(names), "clear": page.request.url.path, "kept": kept}


def _says(page: Page, name: str, value: str) -> str:
    """What a filter says that another page put into the address, and that has no field of its own."""
    if name == "unit":
        return units.name_by_code(page.session, page.actor, value) or value
    said = {
        "closed_from": _("Closed from {value} on", value=value),
        "closed_to": _("Closed up to {value}", value=value),
        "bbox": _("In a part of the map"),
        "building": _("At one building"),
        "household": _("Of one household"),
        "round": _("Of one round"),
        "account": _("Of one person"),
    }
    if name == "due_soon":
        return _("Due soon") if value == "true" else _("Not due soon")
    if name == "supervised":
        return _("Supervised") if value == "true" else _("Not supervised")
    if name == "reopened":
        return _("Opened again") if value == "true" else _("Never opened again")
    if name == "located":
        return _("With a place") if value == "true" else _("Without a place")
    return said.get(name, "")


def _with_value(one: dict[str, Any], value: str) -> dict[str, Any]:
    """A filter with its value. A list of codes, as the map's address has it, becomes a choice of its own."""
    options = one.get("options")
    if value and options is not None and all(option["value"] != value for option in options):
        names = {option["value"]: option["label"] for option in options}
        label = _(", ").join(names.get(code, code) for code in value.split(","))
        one = {**one, "options": [*options, {"value": value, "label": label}]}
    return {**one, "value": value}


def search(label: str, placeholder: str = "") -> dict[str, Any]:
    """The filter by a text."""
    return {"name": "q", "label": label, "type": "search", "placeholder": placeholder or label}


def choice(name: str, label: str, names: Mapping[str, str], placeholder: str = "") -> dict[str, Any]:
    """A filter by one of several codes."""
    return {
        "name": name,
        "label": label,
        "type": "select",
        "options": words.options(names),
        "placeholder": placeholder,
    }


def day(name: str, label: str) -> dict[str, Any]:
    """A filter by a day."""
    return {"name": name, "label": label, "type": "date"}


def by_grid(page: Page) -> dict[str, Any]:
    """The filter by a grid."""
    return choice("grid", _("Grid"), {grid.code: grid.name for grid in grids_of(page)})


def grids_of(page: Page) -> list[units.Unit]:
    """The grids of the community that pages are about; of several communities none, for they are too many."""
    if page.community_id is None:
        return []
    return units.listed(page.session, page.actor, level=units.Level.GRID, under=page.community_id)


def head(
    page: Page,
    title: str,
    kind: str,
    *,
    new: tuple[str, str] | None = None,
    goes_out: bool = True,
    comes_in: bool = True,
) -> dict[str, Any]:
    """The context ``page`` of a list: its title, and the buttons for those who may use them.

    Parameters
    ----------
    new
        Label of the button that adds a record, and the permission it needs.
    goes_out, comes_in
        Whether this kind of record can be exported, and imported.
    """
    query = {name: value for name, value in page.request.query_params.items() if value and name not in _PAGING}
    export = f"/exchange/export?{urlencode({'layer': kind, **query})}"
    return {
        "title": title,
        "kind": kind,
        "intro": None,
        "new": {"href": f"/{kind}/new", "label": new[0]} if new and new[1] in page.can else None,
        "import": f"/exchange/import?kind={kind}" if comes_in and "exchange.import" in page.can else None,
        "export": export if goes_out and "exchange.export" in page.can else None,
    }
