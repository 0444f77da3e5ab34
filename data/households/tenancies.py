"""Tenancies: which dwelling is let to whom, from when and until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, delete, func, insert, or_, select
from sqlalchemy.orm import Session

from data import buildings, units
from data.base import access, audit, listing, settings
from data.base.access import Actor, Rows
from data.base.errors import Invalid
from data.base.language import _
from data.buildings import Building, Dwelling
from data.households import homes
from data.households.masks import require_edit, require_unmasked
from data.households.tables import Resident, Tenancy, TenancyNotFound, TenancyTenant


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which tenancies: codes of community and grid, a building or dwelling, whether they hold on a day, a text.

    The day is today, or ``on``.
    """

    community: str | None = None
    grid: str | None = None
    building_id: int | None = None
    dwelling_id: int | None = None
    current: bool | None = None
    text: str | None = None
    on: date | None = None


#: What tenancies can be sorted by.
SORTS: dict[str, Any] = {
    "id": Tenancy.id,
    "building": listing.number_in(Building.number),
    "updated": Tenancy.updated_at,
}


def rows() -> Rows:
    """All tenancies as ``selection`` gives them, for one that the actor was already shown to see."""
    count = select(func.count()).where(TenancyTenant.tenancy_id == Tenancy.id).correlate(Tenancy).scalar_subquery()
    return homes.placed(
        select(*listing.columns(Tenancy), count.label("tenants"), *homes.place_columns()), Tenancy.dwelling_id
    )


def row(session: Session, tenancy: Tenancy) -> Row[Any]:
    """A tenancy as a row of ``rows``, for one that the actor was already shown to see."""
    return session.execute(rows().where(Tenancy.id == tenancy.id)).one()


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The tenancies the actor may see, a row each, **not masked**.

    Beside their columns: ``tenants`` (how many), and where: ``unit room building_id building_number grid_code
    grid_name lon lat``.
    """
    wanted = wanted or Filter()
    query = access.visible(rows(), actor, Tenancy)
    query = units.narrowed(query, Tenancy.community_id, Building.grid_id, wanted.community, wanted.grid)
    if wanted.building_id:
        query = query.where(Dwelling.building_id == wanted.building_id)
    if wanted.dwelling_id:
        query = query.where(Tenancy.dwelling_id == wanted.dwelling_id)
    if wanted.current is not None:
        holds = Tenancy.valid.contains(wanted.on or settings.today())
        query = query.where(holds if wanted.current else ~holds)
    if wanted.text:
        texts = (Dwelling.room, Building.number, Building.address)
        query = query.where(or_(*(listing.containing(column, wanted.text) for column in texts)))
    return query


def get_tenancy(session: Session, actor: Actor, tenancy_id: int) -> Tenancy:
    """The tenancy with this id.

    Raises
    ------
    TenancyNotFound
    """
    found = session.scalar(access.visible(select(Tenancy).where(Tenancy.id == tenancy_id), actor, Tenancy))
    if found is None:
        raise TenancyNotFound(_("Not found, or outside your area."))
    return found


def tenants(session: Session, actor: Actor, tenancy_id: int) -> list[Resident]:
    """The tenants of a tenancy that the actor may see, by id."""
    query = select(Resident).join(TenancyTenant, TenancyTenant.resident_id == Resident.id)
    query = query.where(TenancyTenant.tenancy_id == tenancy_id).order_by(Resident.id)
    return list(session.scalars(access.visible(query, actor, Resident)))


def add_tenancy(
    session: Session,
    actor: Actor,
    dwelling: Dwelling,
    *,
    first: date,
    until: date | None = None,
    tenant_ids: Sequence[int] = (),
    **values: Any,
) -> Tenancy:
    """A dwelling is let from ``first`` on, up to but not including ``until``, to residents of the community."""
    building = buildings.get(session, actor, dwelling.building_id)
    access.require(actor, "household.edit", dwelling.community_id, building.grid_id)
    require_unmasked(values)
    tenancy = Tenancy(
        community_id=dwelling.community_id, dwelling_id=dwelling.id, valid=homes.span(first, until), **values
    )
    session.add(tenancy)
    session.flush()
    if tenant_ids:
        _let_to(session, actor, tenancy, tenant_ids)
    return tenancy


def change_tenancy(
    session: Session, actor: Actor, tenancy: Tenancy, *, tenant_ids: Sequence[int] | None = None, **values: Any
) -> Tenancy:
    """Change fields of a tenancy; ``first`` and ``until`` its days, ``tenant_ids`` to whom it is let."""
    require_edit(session, actor, tenancy)
    require_unmasked(values)
    if "first" in values or "until" in values:
        beginning = values.pop("first", tenancy.valid.lower)
        tenancy.valid = homes.span(beginning, values.pop("until", tenancy.valid.upper))
    for name, value in values.items():
        setattr(tenancy, name, value)
    session.flush()
    if tenant_ids is not None:
        _let_to(session, actor, tenancy, tenant_ids)
    return tenancy


def remove_tenancy(session: Session, actor: Actor, tenancy: Tenancy) -> None:
    """Remove a tenancy."""
    require_edit(session, actor, tenancy)
    session.delete(tenancy)
    session.flush()


def _let_to(session: Session, actor: Actor, tenancy: Tenancy, tenant_ids: Sequence[int]) -> None:
    wanted = set(tenant_ids)
    query = select(Resident.id).where(Resident.id.in_(wanted), Resident.community_id == tenancy.community_id)
    missing = wanted - set(session.scalars(access.visible(query, actor, Resident)))
    if missing:
        raise Invalid(_("Some tenants are no residents of this community."), field="body.tenant_ids")
    before = sorted(session.scalars(select(TenancyTenant.resident_id).where(TenancyTenant.tenancy_id == tenancy.id)))
    if before == sorted(wanted):
        return
    session.execute(delete(TenancyTenant).where(TenancyTenant.tenancy_id == tenancy.id))
    if wanted:
        new = [{"tenancy_id": tenancy.id, "resident_id": resident_id} for resident_id in sorted(wanted)]
        session.execute(insert(TenancyTenant), new)
    audit.record(
        session,
        actor,
        "update",
        "tenancy",
        tenancy.id,
        community_id=tenancy.community_id,
        changes={"tenant_ids": [before, sorted(wanted)]},
    )
