"""What the planner's table shows of a plan, as one answer: lines, figures, findings, consequences, edits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import shapely
from shapely.geometry import mapping
from sqlalchemy.orm import Session

from data import grids, plans
from data.base.access import Actor
from data.base.language import _
from data.plans import Finding, Plan

_PLACES = 8


def of(session: Session, actor: Actor, plan: Plan) -> dict[str, Any]:
    """All that a table shows of a plan, besides the plan."""
    here = plans.standing(session, plan)
    homes = plans.homes(session, actor, here)
    figures = plans.figures_of(here, homes)
    changes = plans.consequences(session, actor, here, homes)
    undo, redo = plans.can_undo(session, plan)
    may_edit = actor.area("grid.edit").covers(plan.community_id)
    names = {figure.key: figure.name for figure in figures}
    shapes = here.round(list(here.coverage.polygons))
    edges = here.coverage.edges()
    lines = here.round([edge.line for edge in edges])
    return {
        "allowed": plans.allowed(session, actor, plan),
        "editable": may_edit and plan.state in plans.OPEN,
        "can_undo": undo,
        "can_redo": redo,
        "grids": _collection((geom, vars(figure)) for geom, figure in zip(shapes, figures, strict=True)),
        "edges": _collection(
            (line, {"left": edge.left, "right": edge.right}) for line, edge in zip(lines, edges, strict=True)
        ),
        "today": _collection(
            (geom, {"grid_id": grid_id}) for grid_id, geom in grids.shapes(session, plan.community_id).items()
        ),
        "moved": _collection(
            (piece["geom"], {name: piece[name] for name in ("source", "target", "area_m2")}) for piece in changes.ground
        ),
        "findings": [_finding(finding, names) for finding in plans.findings(here, homes)],
        "moves": [vars(move) for move in changes.moves],
        "totals": {
            "buildings": changes.buildings,
            **{name: changes.total(name) for name in ("households", "people", "special", "tenancies", "open_cases")},
        },
        "bounds": {
            name: getattr(here.community, name)
            for name in ("household_min", "household_max", "people_min", "people_max")
        },
        "edits": [
            {
                "number": row.number,
                "kind": row.kind,
                "name": plans.kind_names().get(row.kind, row.kind),
                "by": row.by,
                "at": row.at.isoformat(),
                "proof": row.asked.get("proof"),
                "beyond": [piece for piece in row.moved if piece["why"] != "hand"],
            }
            for row in plans.edits_of(session, plan, 50)
        ],
    }


def as_file(session: Session, actor: Actor, plan: Plan) -> dict[str, Any]:
    """A plan as a GeoJSON file: its grids with their figures, and who drew it, where it stands, and its dates."""
    here = plans.standing(session, plan)
    homed = plans.homes(session, actor, here)
    figures = plans.figures_of(here, homed)
    codes = grids.codes(session, [figure.grid_id for figure in figures if figure.grid_id is not None])
    shapes = here.round(list(here.coverage.polygons))
    steps = plans.steps(session, plan)
    return {
        **_collection(
            (geom, {"code": codes.get(figure.grid_id) if figure.grid_id else None, **vars(figure)})
            for geom, figure in zip(shapes, figures, strict=True)
        ),
        "name": plan.name,
        **plans.about(session, actor, plan, here, homed),
        "steps": [{"action": row.action, "at": row.at.isoformat(), "by": row.by} for row in steps],
    }


def _collection(rows: Iterable[tuple[Any, dict[str, Any]]]) -> dict[str, Any]:
    features = [{"type": "Feature", "geometry": _geometry(geom), "properties": properties} for geom, properties in rows]
    return {"type": "FeatureCollection", "features": features}


def _geometry(geom: Any) -> dict[str, Any]:
    return dict(mapping(shapely.transform(geom, lambda corners: corners.round(_PLACES + 1))))


def _finding(finding: Finding, names: dict[int, str]) -> dict[str, Any]:
    west, south, east, north = shapely.bounds(finding.where).tolist()
    return {
        "kind": finding.kind,
        "weight": finding.weight,
        "keys": list(finding.keys),
        "says": says(finding, names),
        "box": [west, south, east, north],
        "geometry": _geometry(finding.where),
    }


def says(finding: Finding, names: dict[int, str]) -> str:
    """A finding in a sentence."""
    grid = names.get(finding.keys[0], "") if finding.keys else ""
    other = _(", ").join(names.get(key, "") for key in finding.keys[1:])
    value = finding.value
    match finding.kind:
        case "households" if finding.most is not None and value > finding.most:
            return _(
                "{grid} has {count} households, {over} over the limit of {most}.",
                grid=grid,
                count=f"{value:.0f}",
                over=f"{value - finding.most:.0f}",
                most=finding.most,
            )
        case "households":
            return _(
                "{grid} has {count} households, fewer than {least}.",
                grid=grid,
                count=f"{value:.0f}",
                least=finding.least,
            )
        case "people" if finding.most is not None and value > finding.most:
            return _("{grid} has {count} people, more than {most}.", grid=grid, count=f"{value:.0f}", most=finding.most)
        case "people":
            return _(
                "{grid} has {count} people, fewer than {least}.", grid=grid, count=f"{value:.0f}", least=finding.least
            )
        case "cut":
            return _(
                "The boundary between {grid} and {other} cuts through {building}.",
                grid=grid,
                other=other,
                building=finding.building,
            )
        case "contiguous":
            return _("{grid} lies in {count} pieces.", grid=grid, count=f"{value:.0f}")
        case "enclosed":
            return _("{grid} lies wholly within {other}.", grid=grid, other=other)
        case "sliver":
            return _("{grid} has a sliver of {area} m².", grid=grid, area=f"{value:.0f}")
        case "barrier":
            return _("A barrier runs through {grid} for {length} m.", grid=grid, length=f"{value:.0f}")
        case "compact":
            return _(
                "{grid} is long or ragged: compactness {value} of 1 (Polsby-Popper).", grid=grid, value=f"{value:.2f}"
            )
        case _:
            return _("{building} lies in none of the grids.", building=finding.building or "")
