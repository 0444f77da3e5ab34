"""What an edit asks for, and what comes of it: each kind is one function of ``spatial.coverages``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

import numpy as np
import shapely
from sqlalchemy.orm import Session

from data import basemaps
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.plans import figures
from data.plans.standing import Standing
from spatial.coverages import edits, handing, painting, tiling
from spatial.coverages.tiling import Coverage, Edited, NotPossible, Reason
from spatial.partition.proposals import NoDivision, OutOfTime, Weights


class Refused(Invalid):
    """No valid division would come of the edit."""


class EditKind(StrEnum):
    """What can be done with the grids of a plan."""

    MOVE_VERTEX = "move_vertex"
    ADD_VERTEX = "add_vertex"
    DELETE_VERTEX = "delete_vertex"
    RESHAPE = "reshape"
    STRAIGHTEN = "straighten"
    FOLLOW = "follow"
    SIMPLIFY = "simplify"
    DRAW = "draw"
    GIVE = "give"
    SPLIT = "split"
    MERGE = "merge"
    CLOSE = "close"
    HAND_OVER = "hand_over"
    CONTIGUOUS = "contiguous"
    BALANCE = "balance"
    OUTLINE = "outline"
    LOCK = "lock"
    UNLOCK = "unlock"
    RENAME = "rename"
    PROPOSE = "propose"


def kind_names() -> dict[str, str]:
    """The kinds of edits, in words."""
    return {
        "move_vertex": _("Corner moved"),
        "add_vertex": _("Corner added"),
        "delete_vertex": _("Corner removed"),
        "reshape": _("Edge redrawn"),
        "straighten": _("Edge straightened"),
        "follow": _("Edge laid along a street"),
        "simplify": _("Edges smoothed"),
        "draw": _("Grid drawn"),
        "give": _("Ground given"),
        "split": _("Grid split"),
        "merge": _("Grids merged"),
        "close": _("Grid closed"),
        "hand_over": _("Buildings handed over"),
        "contiguous": _("Made one piece"),
        "balance": _("Grids balanced"),
        "outline": _("Outer edge redrawn"),
        "lock": _("Grid locked"),
        "unlock": _("Grid unlocked"),
        "rename": _("Grid renamed"),
        "propose": _("Proposal adopted"),
    }


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of an edit; each kind reads what it needs. Places are longitude and latitude.

    Attributes
    ----------
    key, keys, into
        Grids of the plan: which is meant, which ones, and which takes.
    at, to
        A vertex, and where it goes.
    edge
        With ``RESHAPE``, ``STRAIGHTEN`` and ``FOLLOW``: the edge as it is, corner by corner.
    line
        A new edge, or a cut.
    polygon
        A polygon as GeoJSON.
    buildings
        Ids of buildings.
    """

    kind: EditKind
    key: int | None = None
    keys: Sequence[int] = ()
    into: int | None = None
    at: tuple[float, float] | None = None
    to: tuple[float, float] | None = None
    edge: Sequence[tuple[float, float]] = ()
    line: Sequence[tuple[float, float]] = ()
    polygon: Mapping[str, Any] | None = None
    buildings: Sequence[int] = ()
    tolerance_m: float = 2.0
    outer: bool = False
    name: str | None = None
    least: int | None = None
    most: int | None = None
    count: int | None = None
    #: With ``PROPOSE`` and ``BALANCE``: how much each wish counts, by name (``Weights``); empty for the usual.
    weights: Mapping[str, float] = field(default_factory=dict)
    #: Buildings that stay together, group by group.
    together: Sequence[Sequence[int]] = ()
    #: The same seed proposes the same.
    seed: int = 0
    #: What was proven of a proposal, filled in by it.
    proof: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """What was said of it, without what was not."""
        return {
            name: value
            for name, value in vars(self).items()
            if value not in (None, (), [], {}, False) and (name, value) != ("seed", 0)
        }


@dataclass(frozen=True)
class Watch:
    """Who watches the machine: what ``alive`` raises ends it, ``tell`` is called with the share that is done."""

    alive: Callable[[], None] = lambda: None
    tell: Callable[[float], None] = lambda _share: None


NOBODY_WATCHES = Watch()
#: So many buildings are named.
_NAMED = 5
_USUAL = Weights(households=1.0, compactness=0.3)


def weights(asked: Asked) -> Weights:
    """How much each wish counts.

    Raises
    ------
    Invalid
        There is no such wish, or none counts at all.
    """
    if not asked.weights:
        return _USUAL
    names = [one.name for one in fields(Weights)]
    if set(asked.weights) - set(names) or not any(weight > 0 for weight in asked.weights.values()):
        raise Invalid(_("Say how much each wish counts: {names}.", names=_(", ").join(names)), field="weights")
    return Weights(**(dict.fromkeys(names, 0.0) | dict(asked.weights)))


def refusal(here: Standing, error: NotPossible) -> Refused:
    """An edit that is not possible, in words and degrees."""
    names = _(", ").join(here.rows[key].name for key in error.keys if key in here.rows)
    words = {
        Reason.LOCKED: _("{names} is locked: it neither loses nor gains ground. Unlock it first.", names=names),
        Reason.CROSSING: _("The edge would cross another one. Move it less far."),
        Reason.VANISHES: _("Nothing would be left of {names}. Close the grid, if it is meant so.", names=names),
        Reason.NO_VERTEX: _("There is no such corner on a single edge any more."),
        Reason.NO_EDGE: _("There is no such edge any more."),
        Reason.OUTER_EDGE: _("That would move the community’s outer edge. Say that it is meant so."),
        Reason.OUTSIDE: _("That lies outside the community."),
        Reason.NOT_CUT: _("The line does not cut {names} in two. Draw it across.", names=names),
        Reason.NO_NEIGHBOUR: _("There is no neighbour that could take the ground."),
        Reason.NO_SUCH_AREA: _("There is no such grid in the plan any more."),
        Reason.NOTHING: _("That changes nothing."),
    }
    facts: dict[str, Any] = {"reason": str(error.reason), "keys": list(error.keys)}
    if error.where is not None and not shapely.is_empty(error.where):
        facts["at"] = [round(float(value), 7) for value in shapely.get_coordinates(here.round([error.where]))[0]]
    return Refused(words[error.reason], **facts)


def edge_at(here: Standing, corners: Sequence[tuple[float, float]]) -> tiling.Edge:
    """The edge that runs along a line.

    Raises
    ------
    NotPossible
        There is none.
    """
    line = here.drawn(corners)
    near = [here.coverage.keys[at] for at in here.coverage.around(line)]
    for edge in here.coverage.edges(near) if near else []:
        if shapely.hausdorff_distance(edge.line, line) < 0.02:
            return edge
    raise NotPossible(Reason.NO_EDGE)


def _key(asked: Asked) -> int:
    if asked.key is None:
        raise Invalid(_("Say which grid."), field="key")
    return asked.key


def _fresh(here: Standing) -> int:
    """A key that no grid of the plan has had."""
    return max([*here.rows, 0]) + 1


def _polygon(here: Standing, asked: Asked) -> Any:
    if asked.polygon is None:
        raise Invalid(_("Draw a polygon."), field="polygon")
    return here.flat([shapely.force_2d(shapely.geometry.shape(dict(asked.polygon)))])[0]


def _handed(session: Session, actor: Actor, here: Standing, asked: Asked) -> Edited:
    homes = figures.homes(session, actor, here)
    position = {building: at for at, building in enumerate(homes.ids)}
    chosen = [position[building] for building in asked.buildings if building in position]
    if not chosen:
        raise Invalid(_("Choose buildings that have a place on the map."), field="buildings")
    return handing.hand_over(here.coverage, homes.homes.footprints, chosen, _key(asked))


def _balanced(session: Session, actor: Actor, here: Standing, asked: Asked) -> Edited:
    if not 2 <= len(asked.keys) <= 4:
        raise Invalid(_("Choose 2 to 4 grids that lie side by side."), field="keys")
    least, most = figures.bounds(here)
    homes = figures.homes(session, actor, here).homes
    return handing.balance(
        here.coverage,
        list(asked.keys),
        homes,
        least=asked.least if asked.least is not None else least,
        most=asked.most if asked.most is not None else most,
        weights=weights(asked),
        seconds=20.0,
    )


def _together(homes: figures.Homes, asked: Asked) -> list[list[int]]:
    """Positions of the buildings of each group that stays together, among those that people live in."""
    position = {building: at for at, building in enumerate(homes.living_ids())}
    return [[position[building] for building in group if building in position] for group in asked.together]


def _proposed(session: Session, actor: Actor, here: Standing, asked: Asked, watch: Watch = NOBODY_WATCHES) -> Edited:
    """The best division of all grids that are not locked; of the grids of today each goes on as one of them."""
    least, most = figures.bounds(here)
    free = [key for key in here.coverage.keys if key not in here.coverage.locked]
    locked = len(here.coverage.keys) - len(free)
    count = asked.count if asked.count is not None else len(here.coverage.keys)
    fresh = [_fresh(here) + number for number in range(max(count - locked - len(free), 0))]
    homes = figures.homes(session, actor, here)
    proposal = handing.propose(
        here.coverage,
        free,
        homes.living(),
        least=asked.least if asked.least is not None else least,
        most=asked.most if asked.most is not None else most,
        count=count - locked,
        weights=weights(asked),
        together=_together(homes, asked),
        seed=asked.seed,
        new=fresh,
        seconds=30.0,
        alive=watch.alive,
        tell=watch.tell,
    )
    asked.proof.update(
        {
            "cost": round(proposal.division.cost, 6),
            "bound": None if proposal.division.bound is None else round(proposal.division.bound, 6),
            "proven": proposal.division.proven,
            "gap": None if proposal.division.gap is None else round(proposal.division.gap, 4),
            "wishes": {name: round(cost, 4) for name, cost in proposal.division.costs.items() if cost},
        }
    )
    return painting.redrawn(here.coverage, proposal.areas)


def _followed(session: Session, here: Standing, asked: Asked) -> Edited:
    edge = edge_at(here, asked.edge)
    window = here.round([shapely.envelope(shapely.buffer(edge.line, _BESIDE_M))])[0]
    lines = shapely.get_parts(here.flat(basemaps.lines(session, here.community.id, window)))
    # A wall that is drawn with its thickness is followed along its side.
    lines = np.where(shapely.get_dimensions(lines) == 2, shapely.boundary(lines), lines) if len(lines) else lines
    try:
        return edits.follow(here.coverage, edge, list(lines), _BESIDE_M)
    except NotPossible as error:
        if error.reason is not Reason.NO_EDGE:
            raise
        raise Refused(_("No street and no wall runs beside this edge."), reason=str(error.reason)) from error


#: So far from an edge a street or wall is still beside it.
_BESIDE_M = 30.0


def _locked(here: Standing, asked: Asked, *, lock: bool) -> Edited:
    key = _key(asked)
    here.coverage.polygon(key)
    locked = here.coverage.locked | {key} if lock else here.coverage.locked - {key}
    return Edited(Coverage(here.coverage.areas, locked), [])


def _renamed(here: Standing, asked: Asked) -> Edited:
    here.coverage.polygon(_key(asked))
    if not (asked.name or "").strip():
        raise Invalid(_("Give the grid a name."), field="name")
    return Edited(here.coverage, [])


def _drawn(here: Standing, asked: Asked) -> Edited:
    key = asked.key if asked.key is not None else _fresh(here)
    return painting.draw(here.coverage, key, _polygon(here, asked), snap_m=asked.tolerance_m)


_EDITS: dict[EditKind, Callable[[Session, Actor, Standing, Asked], Edited]] = {
    EditKind.MOVE_VERTEX: lambda _s, _by, here, a: edits.move_vertex(
        here.coverage, here.spot(a.at), here.spot(a.to), outer=a.outer
    ),
    EditKind.ADD_VERTEX: lambda _s, _by, here, a: edits.add_vertex(
        here.coverage, here.spot(a.at), here.spot(a.to or a.at), outer=a.outer, within_m=max(a.tolerance_m, 0.5)
    ),
    EditKind.DELETE_VERTEX: lambda _s, _by, here, a: edits.delete_vertex(here.coverage, here.spot(a.at), outer=a.outer),
    EditKind.RESHAPE: lambda _s, _by, here, a: edits.reshape(
        here.coverage, edge_at(here, a.edge), shapely.get_coordinates(here.drawn(a.line)), outer=a.outer
    ),
    EditKind.STRAIGHTEN: lambda _s, _by, here, a: edits.straighten(here.coverage, edge_at(here, a.edge)),
    EditKind.FOLLOW: lambda session, _by, here, a: _followed(session, here, a),
    EditKind.SIMPLIFY: lambda _s, _by, here, a: edits.simplify(here.coverage, a.tolerance_m, list(a.keys) or None),
    EditKind.DRAW: lambda _s, _by, here, a: _drawn(here, a),
    EditKind.GIVE: lambda _s, _by, here, a: painting.give(here.coverage, _polygon(here, a), _key(a)),
    EditKind.SPLIT: lambda _s, _by, here, a: painting.split(here.coverage, _key(a), here.drawn(a.line), _fresh(here)),
    EditKind.MERGE: lambda _s, _by, here, a: painting.merge(here.coverage, list(a.keys), a.into or (a.keys or [0])[0]),
    EditKind.CLOSE: lambda _s, _by, here, a: painting.close(here.coverage, _key(a), a.into),
    EditKind.HAND_OVER: _handed,
    EditKind.CONTIGUOUS: lambda _s, _by, here, a: handing.make_contiguous(here.coverage, _key(a)),
    EditKind.BALANCE: _balanced,
    EditKind.OUTLINE: lambda _s, _by, here, a: painting.outline(here.coverage, _polygon(here, a)),
    EditKind.LOCK: lambda _s, _by, here, a: _locked(here, a, lock=True),
    EditKind.UNLOCK: lambda _s, _by, here, a: _locked(here, a, lock=False),
    EditKind.RENAME: lambda _s, _by, here, a: _renamed(here, a),
    EditKind.PROPOSE: _proposed,
}


def _none(session: Session, actor: Actor, here: Standing, asked: Asked, error: NoDivision) -> Refused:
    """Why there is no division, as was proven, and by how much the nearest falls short."""
    homes = figures.homes(session, actor, here)
    propose = asked.kind is EditKind.PROPOSE
    ids = homes.living_ids() if propose else homes.ids
    households = (homes.living() if propose else homes.homes).households[error.cells]
    names = [homes.names[homes.position[ids[at]]] for at in error.cells]
    named = _(", ").join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")
    usual = figures.bounds(here)
    least = asked.least if asked.least is not None else usual[0]
    most = asked.most if asked.most is not None else usual[1]
    total = int(households.sum())
    fewest, greatest = -(-total // max(most, 1)), total // max(least, 1)
    match error.reason:
        case "heavy":
            sentence = _(
                "{names}: {count} households in one building or group are more than {most}. Allow more in a grid.",
                names=named,
                count=total if len(names) < 2 else int(households.max()),
                most=most,
            )
        case "total" if fewest <= greatest:
            sentence = _(
                "{total} households make {fewest} to {greatest} grids of {least} to {most} households, and no other "
                "number, beside the grids that are locked.",
                total=total,
                fewest=fewest,
                greatest=greatest,
                least=least,
                most=most,
            )
        case "total" | "piece":
            sentence = _(
                "{names}: {total} households that lie together make no whole number of grids of {least} to {most}.",
                names=named,
                total=total,
                least=least,
                most=most,
            )
        case _ if error.missing:
            sentence = _(
                "There is no such division: with {count} households too few or too many, "
                "the nearest misses the bounds.",
                count=error.missing,
            )
        case _ if names:
            sentence = _(
                "{names} fit into no grid of {least} to {most} households.", names=named, least=least, most=most
            )
        case _:
            sentence = _(
                "There is no such division: proven. "
                "Allow fewer or more households in a grid, or another number of grids."
            )
    return Refused(sentence, reason=error.reason, buildings=[ids[at] for at in error.cells], missing=error.missing)


def computed(session: Session, actor: Actor, here: Standing, asked: Asked, watch: Watch = NOBODY_WATCHES) -> Edited:
    """What an edit comes to; nothing is written.

    Raises
    ------
    Refused
        No valid division would come of it; with ``reason``, ``keys``, and ``at`` where it can be said.
    """
    try:
        if asked.kind is EditKind.PROPOSE:
            return _proposed(session, actor, here, asked, watch)
        return _EDITS[asked.kind](session, actor, here, asked)
    except NotPossible as error:
        raise refusal(here, error) from error
    except NoDivision as error:
        raise _none(session, actor, here, asked, error) from error
    except OutOfTime as error:
        raise Refused(
            _("No division was found in the time, which proves nothing. Choose fewer grids, or wider bounds."),
            reason="large",
        ) from error
