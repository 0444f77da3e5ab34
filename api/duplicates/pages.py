"""Duplicates on pages: pairs that may be one, both side by side, and what was merged."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ledgers, listing, tabs, words
from api.base.fields import Id
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, needs, typed
from data import buildings, duplicates, households
from data.base.errors import WanggeError
from data.base.language import _
from data.buildings import Building, Dwelling
from data.duplicates import Duplicate, Kind
from data.households import Household, Resident

pages = APIRouter(include_in_schema=False)
Look = Annotated[Page, needs(*duplicates.NEEDED)]
Typed = Annotated[FormData, typed]
#: How long both are shown in full.
SHOWN_S = 60


class Wanted(listing.Parameters):
    """Which pairs: people or households, and whether those that are two."""

    kind: Kind = Kind.RESIDENT
    apart: bool = False


@pages.get("/duplicates")
def listed(page: Look) -> Response:
    """The pairs that may be one, the surest first, as of the last look."""
    asked = ledgers.parameters(page.request.query_params, Wanted)
    reasons, degrees = duplicates.reason_names(), duplicates.degree_names()

    def cells(row: Any) -> list[Cell]:
        return [
            degrees[duplicates.degree(row.score)],
            _called(row.name_a, row.number_a),
            _door(row, "a"),
            _called(row.name_b, row.number_b),
            _door(row, "b"),
            _(", ").join(reasons[reason] for reason in row.reasons),
        ]

    columns = [
        Column(_("How sure"), sort="score"),
        Column(_("One record")),
        Column(_("Dwelling")),
        Column(_("The other record"), lead=True),
        Column(_("Dwelling")),
        Column(_("Why"), lead=True),
    ]
    kinds = {Kind.RESIDENT.value: _("Residents"), Kind.HOUSEHOLD.value: _("Households")}
    filters = [
        ledgers.choice("kind", _("Of what"), {Kind.HOUSEHOLD.value: kinds[Kind.HOUSEHOLD]}, kinds[Kind.RESIDENT]),
        ledgers.choice("apart", _("Which"), {"true": _("Those that are two")}, _("To be looked at")),
    ]
    query = duplicates.selection(page.actor, asked.kind, page.community, apart=asked.apart)
    return page.show(
        "duplicates/list.html",
        section="ledger",
        page=ledgers.head(page, _("Possible duplicates"), "duplicates", goes_out=False, comes_in=False),
        tabs=tabs.ledger(page, "duplicates"),
        **ledgers.filtered(page, filters),
        **ledgers.table(page, Listing(query, duplicates.SORTS, Duplicate.id, "-score"), columns, cells, "duplicates"),
    )


@pages.post("/duplicates/look")
def look(page: Look, _form: Typed) -> Response:
    """Look among what was changed since the last time, which otherwise happens each hour."""
    count = 0
    if page.one_community is not None:
        duplicates.require(page.actor, page.one_community.id)
        count = duplicates.look(page.session, page.one_community.id)
    return page.go("/duplicates", _("{count} records that were changed were looked at.", count=count))


@pages.get("/duplicates/merged")
def merged(page: Look) -> Response:
    """What was merged, and what of it can be taken back."""
    rows = [
        {
            "id": row.id,
            "href": f"/{_kind(row).value}s/{row.resident_id or row.household_id}",
            "title": _called(row.name, row.number),
            "kind": words.kinds()[_kind(row).value],
            "at": words.minute(row.at),
            "who": row.account_name or _("wangge itself"),
            "undone": words.minute(row.undone_at) if row.undone_at else "",
            "can_undo": row.undone_at is None and row.remembered,
        }
        for row in duplicates.mergers(page.session, page.actor, page.community)
    ]
    return page.show("duplicates/merged.html", section="ledger", rows=rows, days=duplicates.UNDO_DAYS)


@pages.post("/duplicates/merged/{merger_id}/undo")
def undo(merger_id: Id, page: Look, _form: Typed) -> Response:
    """Take a merger back."""
    merger = duplicates.undo(page.session, page.actor, merger_id)
    return page.go(f"/{merger.kind.value}s/{merger.gone_id}", _("Taken back. Both records are there again."))


@pages.get("/duplicates/{duplicate_id}")
def record(duplicate_id: Id, page: Look) -> Response:
    """Both records side by side, masked."""
    return _both(page, duplicates.get(page.session, page.actor, duplicate_id))


@pages.post("/duplicates/{duplicate_id}/show")
def show(duplicate_id: Id, page: Look, form: Typed) -> Response:
    """Both in full for a minute, for a stated purpose, which is recorded for each of them."""
    pair = duplicates.get(page.session, page.actor, duplicate_id)
    records: list[Household | Resident] = [*duplicates.both(page.session, pair)]
    if pair.kind is Kind.HOUSEHOLD:
        ids = [home.head_id for home in records if isinstance(home, Household) and home.head_id is not None]
        records += [page.session.get_one(Resident, head_id) for head_id in ids]
    try:
        for one in records:
            households.unmask(page.session, page.actor, one, forms.text_in(form, "purpose"))
    except forms.REFUSED as error:
        return _both(page, pair, error=error)
    answer = _both(page, pair, clear=True)
    answer.headers["Refresh"] = f"{SHOWN_S}; url=/duplicates/{duplicate_id}"
    return answer


@pages.post("/duplicates/{duplicate_id}/merge")
def merge(duplicate_id: Id, page: Look, form: Typed) -> Response:
    """Make one of both, with the values that were chosen."""
    pair = duplicates.get(page.session, page.actor, duplicate_id, lock=True)
    kind, (a_id, b_id) = pair.kind, pair.ids
    stays = forms.text_in(form, "stays")
    kept_id, goes = (b_id, "a") if stays == "b" else (a_id, "b")
    taken = [name for name in duplicates.fields(kind) if forms.text_in(form, f"field-{name}") == goes]
    try:
        with page.attempt():
            duplicates.merge(page.session, page.actor, pair, kept_id=kept_id, taken=taken)
    except forms.REFUSED as error:
        return _both(page, duplicates.get(page.session, page.actor, duplicate_id), error=error)
    said = _("Merged. Within {days} days it can be taken back.", days=duplicates.UNDO_DAYS)
    return page.go(f"/{kind.value}s/{kept_id}", said)


@pages.post("/duplicates/{duplicate_id}/part")
def part(duplicate_id: Id, page: Look, form: Typed) -> Response:
    """Keep that they are two, or ask again."""
    pair = duplicates.get(page.session, page.actor, duplicate_id, lock=True)
    apart = forms.text_in(form, "apart") != "no"
    duplicates.part(page.session, page.actor, pair, apart=apart)
    said = _("Kept: they are two. It is not asked again.") if apart else _("It is asked again.")
    return page.go(f"/duplicates?kind={pair.kind.value}", said)


def _both(page: Page, pair: Duplicate, *, clear: bool = False, error: WanggeError | None = None) -> Response:
    a, b = duplicates.both(page.session, pair)
    rows = [_row(page, pair.kind, name, a, b, clear=clear) for name in duplicates.fields(pair.kind)]
    filled = [sum(row[side] not in (None, "") for row in rows) for side in ("a", "b")]
    stays = "b" if filled[1] > filled[0] else "a"
    other = "a" if stays == "b" else "b"
    differing = [row | {"chosen": stays if row[stays] else other} for row in rows if not row["same"]]
    identities = [getattr(record, "identity_blind", None) for record in (a, b)]
    return page.show(
        "duplicates/pair.html",
        section="ledger",
        status=forms.status(error),
        pair={
            "id": pair.id,
            "degree": duplicates.degree_names()[duplicates.degree(pair.score)],
            "reasons": [duplicates.reason_names()[reason] for reason in pair.reasons],
            "apart": words.minute(pair.apart_at) if pair.apart_at else "",
            "twins": identities[0] is not None and identities[0] == identities[1],
        },
        sides=[
            {
                "side": side,
                "href": f"/{pair.kind.value}s/{record.id}",
                "title": _title(page, record, clear=clear),
                "recorded": words.day(record.created_at),
                "changed": words.day(record.updated_at),
            }
            for side, record in (("a", a), ("b", b))
        ],
        stays=stays,
        differing=differing,
        alike=[row for row in rows if row["same"] and row["a"]],
        clear=clear,
        seconds=SHOWN_S,
        fault=error.detail if error else "",
    )


def _row(page: Page, kind: Kind, name: str, a: Any, b: Any, *, clear: bool) -> dict[str, Any]:
    values = [getattr(record, name) for record in (a, b)]
    shown = [_value(page, name, value, clear=clear) for value in values]
    label, before, after = name, *shown
    for change in words.changes(kind.value, {name: shown}, {}):
        label, before, after = change["label"], change["before"], change["after"]
    return {"name": name, "label": _labels().get(name, label), "a": before, "b": after, "same": values[0] == values[1]}


def _labels() -> dict[str, str]:
    """What fields that hold an id are called."""
    return {"household_id": _("Household"), "head_id": _("Head"), "dwelling_id": _("Dwelling")}


def _value(page: Page, name: str, value: Any, *, clear: bool) -> Any:
    """A value as it is shown: masked unless it is shown in full; what is kept by its id is named."""
    if value is None:
        return None
    if name == "household_id":
        home = page.session.get(Household, value)
        return home.number if home else None
    if name == "head_id":
        head = page.session.get(Resident, value)
        return _name(head, clear=clear) if head else None
    if name == "dwelling_id":
        return _place(page, value)
    if not clear:
        value = households.masked({name: value})[name]
    return value.isoformat() if isinstance(value, date) else value


def _place(page: Page, dwelling_id: int) -> str:
    door = page.session.get_one(Dwelling, dwelling_id)
    house = page.session.get_one(Building, door.building_id)
    return f"{buildings.called(house.number, house.name, house.code)} {words.dwelling(door.unit, door.room)}"


def _name(resident: Resident, *, clear: bool) -> str:
    return resident.name if clear else str(households.masked({"name": resident.name})["name"])


def _title(page: Page, one: Household | Resident, *, clear: bool) -> str:
    if isinstance(one, Resident):
        return _name(one, clear=clear)
    head = page.session.get(Resident, one.head_id) if one.head_id else None
    return f"{_name(head, clear=clear)} · {one.number}" if head else one.number


def _called(name: str | None, number: str | None) -> str:
    masked = households.masked({"name": name})["name"]
    return " · ".join(part for part in (masked, number) if part)


def _door(row: Any, side: str) -> str | None:
    building, unit, room = (getattr(row, f"{name}_{side}") for name in ("building", "unit", "room"))
    return f"{words.building(building)} {words.dwelling(unit, room)}" if building or room else None


def _kind(row: Any) -> Kind:
    return Kind.RESIDENT if row.resident_id else Kind.HOUSEHOLD
