"""Drawing a plan: drawn up from the boundaries of a day or another plan, edited, undone and redone.

Every edit is computed by ``spatial.coverages`` in the community's metric system, whose vertices lie on millimetres, so
what comes back from the database is the same coverage to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from shapely.geometry import mapping
from sqlalchemy import Row, bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from data import grids, units
from data.accounts import Account
from data.base import access
from data.base.access import Actor
from data.base.errors import Conflict, Invalid
from data.base.language import _
from data.plans import editing, workflow
from data.plans.editing import Asked, EditKind
from data.plans.standing import Standing, flat_areas, multi, standing
from data.plans.tables import Action, Plan, PlanEdit, PlanGrid, PlanStep, State
from spatial.coverages import tiling
from spatial.coverages.tiling import Edited


class Outdated(Conflict):
    """Somebody else changed the plan since the actor looked."""


def draw_up(
    session: Session,
    actor: Actor,
    community: units.Unit,
    *,
    name: str,
    from_plan: Plan | None = None,
    on: date | None = None,
) -> Plan:
    """A new plan, from the boundaries of a day (today by default) or from another plan.

    Faults of those boundaries are mended, which stands as the first edit.

    Raises
    ------
    Invalid
        There are no boundaries to begin with, or the plan has no name.
    """
    access.require(actor, "grid.edit", community.id)
    if from_plan is not None:
        before = standing(session, from_plan)
        kept: list[tuple[int, int | None, str, bool]] = [
            (row.key, row.grid_id, row.name, row.locked) for row in before.rows.values()
        ]
        edited = Edited(before.coverage, [])
    else:
        shapes = grids.shapes(session, community.id, on)
        if not shapes:
            raise Invalid(_("This community has no boundaries yet. Import them first."))
        names = units.names(session, set(shapes))
        kept = [(key, grid_id, names[grid_id], False) for key, grid_id in enumerate(shapes, 1)]
        edited = tiling.laid(flat_areas(community, dict(enumerate(shapes.values(), 1))))
    return begin(session, actor, community, name=name, kept=kept, edited=edited, from_plan=from_plan)


def begin(
    session: Session,
    actor: Actor,
    community: units.Unit,
    *,
    name: str,
    kept: Sequence[tuple[int, int | None, str, bool]],
    edited: Edited,
    from_plan: Plan | None = None,
) -> Plan:
    """A new plan of these grids.

    Parameters
    ----------
    kept
        Key, id of the grid (``None``: a new one), name and lock of each.
    edited
        The coverage that they are, with what was mended in it.

    Raises
    ------
    Invalid
        The plan has no name.
    """
    access.require(actor, "grid.edit", community.id)
    if not name.strip():
        raise Invalid(_("Give the plan a name."), field="name")
    plan = Plan(
        community_id=community.id,
        name=name.strip(),
        state=State.DRAFT,
        version=0,
        from_plan_id=from_plan.id if from_plan else None,
        author_id=actor.account_id,
    )
    session.add(plan)
    session.flush()
    here = Standing(plan, community, {}, edited.coverage)
    lasting = [row for row in kept if row[0] in edited.coverage.areas]
    geoms = here.round([edited.coverage.areas[key] for key, *_rest in lasting])
    _write(
        session,
        plan.id,
        {
            key: {"grid_id": grid_id, "name": title, "locked": locked, "geom": multi(geom).wkb_hex}
            for (key, grid_id, title, locked), geom in zip(lasting, geoms, strict=True)
        },
    )
    if edited.moved:
        _log(session, actor, here, EditKind.DRAW, {"kind": "mended"}, {}, {}, edited)
    session.add(PlanStep(plan_id=plan.id, action=Action.DRAW_UP, state=State.DRAFT, account_id=actor.account_id))
    session.flush()
    return plan


_INSERT = insert(PlanGrid).values(
    plan_id=bindparam("plan"),
    key=bindparam("number"),
    grid_id=bindparam("grid"),
    name=bindparam("title"),
    locked=bindparam("lock"),
    geom=func.ST_GeomFromWKB(bindparam("wkb"), 4326),
)


def _write(session: Session, plan_id: int, rows: Mapping[int, Mapping[str, Any] | None]) -> None:
    """Put rows of grids in the place of those with the same keys; ``None`` removes one."""
    session.execute(delete(PlanGrid).where(PlanGrid.plan_id == plan_id, PlanGrid.key.in_(list(rows))))
    values = [
        {
            "plan": plan_id,
            "number": key,
            "grid": row["grid_id"],
            "title": row["name"],
            "lock": row["locked"],
            "wkb": bytes.fromhex(row["geom"]),
        }
        for key, row in rows.items()
        if row is not None
    ]
    if values:
        session.connection().execute(_INSERT, values)


def hold(session: Session, actor: Actor, plan: Plan, version: int | None, *, rebase: bool = False) -> None:
    """Take a plan to change it, unless somebody else did since the actor looked.

    Parameters
    ----------
    version
        The version that the actor saw; ``None`` where nobody looked.
    rebase
        To go on from where the plan stands now.

    Raises
    ------
    Outdated
        With ``version`` (of now), ``name`` (who), and ``kinds`` (what they did).
    NotNow
        Its lines cannot be moved any more.
    """
    access.require(actor, "grid.edit", plan.community_id)
    session.refresh(plan, with_for_update=True)
    if plan.state not in workflow.OPEN:
        raise workflow.NotNow(
            _(
                "The plan “{name}” cannot be changed any more. Send it back, or draw up another from it.",
                name=plan.name,
            ),
            state=plan.state,
        )
    if version is None or version == plan.version or rebase:
        return
    last = session.execute(
        select(PlanEdit.kind, Account.name)
        .outerjoin(Account, Account.id == PlanEdit.account_id)
        .where(PlanEdit.plan_id == plan.id)
        .order_by(PlanEdit.id.desc())
        .limit(max(plan.version - version, 1))
    ).all()
    who = (last[0].name if last else None) or _("wangge itself")
    raise Outdated(
        _("{name} changed this plan meanwhile. Look at it as it is now, or apply this change on top.", name=who),
        version=plan.version,
        kinds=[row.kind for row in last],
    )


def edit(
    session: Session, actor: Actor, plan: Plan, asked: Asked, *, version: int | None, rebase: bool = False
) -> PlanEdit:
    """Edit a plan: computed, checked, written with what it changed.

    Raises
    ------
    Outdated, NotNow
        As ``hold``.
    Refused
        No valid division would come of it; with ``reason``, ``keys``, and ``at`` where it can be said.
    """
    hold(session, actor, plan, version, rebase=rebase)
    here = standing(session, plan)
    edited = editing.computed(session, actor, here, asked)
    return keep(session, actor, here, asked, edited)


def keep(session: Session, actor: Actor, here: Standing, asked: Asked, edited: Edited) -> PlanEdit:
    """Write what came of an edit of a plan that is held."""
    plan, before, after = here.plan, here.coverage, edited.coverage
    keys = [
        key
        for key in sorted({*before.areas, *after.areas})
        if before.areas.get(key) is not after.areas.get(key)
        or (key in before.locked) != (key in after.locked)
        or (asked.kind is EditKind.RENAME and key == asked.key)
    ]
    was: dict[str, Any] = {str(key): _as_row(here.rows.get(key)) for key in keys}
    there = [key for key in keys if key in after.areas]
    geoms = here.round([after.areas[key] for key in there])
    comes: dict[str, Any] = dict.fromkeys(map(str, keys))
    for key, geom in zip(there, geoms, strict=True):
        row = here.rows.get(key)
        renamed = asked.name if asked.name and (key == asked.key or row is None) else None
        comes[str(key)] = {
            "grid_id": row.grid_id if row else None,
            "name": renamed or (row.name if row else _("New grid {number}", number=key)),
            "locked": key in after.locked,
            "geom": multi(geom).wkb_hex,
        }
    _write(session, plan.id, {int(key): row for key, row in comes.items()})
    made = _log(session, actor, here, asked.kind, asked.as_json(), was, comes, edited)
    session.flush()
    return made


def _as_row(row: Row[Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {"grid_id": row.grid_id, "name": row.name, "locked": row.locked, "geom": bytes(row.geom).hex()}


def _log(
    session: Session,
    actor: Actor,
    here: Standing,
    kind: EditKind,
    asked: dict[str, Any],
    before: dict[str, Any],
    after: dict[str, Any],
    edited: Edited,
) -> PlanEdit:
    plan = here.plan
    shapes = here.round([piece.geom for piece in edited.moved])
    moved = [
        {
            "source": piece.source,
            "target": piece.target,
            "area_m2": round(piece.area_m2, 2),
            "why": str(piece.why),
            "geom": mapping(shape),
        }
        for piece, shape in zip(edited.moved, shapes, strict=True)
    ]
    made = PlanEdit(
        plan_id=plan.id,
        parent_id=plan.head_id,
        number=plan.version + 1,
        kind=kind,
        asked=asked,
        before=before,
        after=after,
        moved=moved,
        account_id=actor.account_id,
    )
    session.add(made)
    session.flush()
    plan.head_id, plan.version = made.id, plan.version + 1
    return made


def undo(session: Session, actor: Actor, plan: Plan, *, version: int | None) -> PlanEdit:
    """Take the last edit back.

    Raises
    ------
    Outdated, NotNow
    """
    hold(session, actor, plan, version)
    last = session.get(PlanEdit, plan.head_id) if plan.head_id else None
    if last is None or not last.before:
        raise workflow.NotNow(_("There is nothing to undo."))
    _write(session, plan.id, {int(key): row for key, row in last.before.items()})
    plan.head_id, plan.version = last.parent_id, plan.version + 1
    session.flush()
    return last


def redo(session: Session, actor: Actor, plan: Plan, *, version: int | None) -> PlanEdit:
    """Do the edit again that was undone last.

    Raises
    ------
    Outdated, NotNow
    """
    hold(session, actor, plan, version)
    undone = _next(session, plan)
    if undone is None:
        raise workflow.NotNow(_("There is nothing to redo."))
    _write(session, plan.id, {int(key): row for key, row in undone.after.items()})
    plan.head_id, plan.version = undone.id, plan.version + 1
    session.flush()
    return undone


def _next(session: Session, plan: Plan) -> PlanEdit | None:
    query = select(PlanEdit).where(PlanEdit.plan_id == plan.id, PlanEdit.parent_id.is_not_distinct_from(plan.head_id))
    return session.scalar(query.order_by(PlanEdit.id.desc()).limit(1))


def can_undo(session: Session, plan: Plan) -> tuple[bool, bool]:
    """Whether there is something to undo, and to redo."""
    last = session.get(PlanEdit, plan.head_id) if plan.head_id else None
    return bool(last and last.before), _next(session, plan) is not None


def edits_of(session: Session, plan: Plan, most: int = 200) -> Sequence[Row[Any]]:
    """The edits that a plan consists of now, the last first, with ``by`` and without the shapes that they changed."""
    chain = select(PlanEdit.id, PlanEdit.parent_id).where(PlanEdit.id == plan.head_id).cte(recursive=True)
    chain = chain.union_all(select(PlanEdit.id, PlanEdit.parent_id).join(chain, PlanEdit.id == chain.c.parent_id))
    ids = select(chain.c.id).limit(most)
    columns = (PlanEdit.id, PlanEdit.number, PlanEdit.kind, PlanEdit.asked, PlanEdit.moved, PlanEdit.at)
    query = (
        select(*columns, Account.name.label("by"))
        .outerjoin(Account, Account.id == PlanEdit.account_id)
        .where(PlanEdit.id.in_(ids))
        .order_by(PlanEdit.id.desc())
    )
    return session.execute(query).all()
