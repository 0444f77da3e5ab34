"""Files in 导入: what a community hands in becomes grids, buildings, households, residents, incidents and ground.

``run`` is one import from the file to the database, inside the caller's transaction, all or nothing::

    read → match columns → read cells → guard the datum → check, key and locate rows → write → audit

The same file twice changes nothing: each kind has a natural key, and what is there is compared value by value. Rows
that cannot go in are rejects; with ``accept_valid`` the others go in without them. An import runs as the tables'
owner, after its permissions were checked, because COPY knows no row-level security.

What an import says of its rows (new, the same, another, taken) answers whether somebody with that name, number or phone
is there. So households and residents are brought in only by those who may see them in full in the whole community, and
a trial of theirs is recorded like the import itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from data import terms, units
from data.base import access, audit, bulk, db, settings
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.exchange.importing import learning, lengths
from data.exchange.importing.batch import Batch, Progress, Refused, Report, silent
from data.exchange.importing.mends import Mends
from data.exchange.importing.opened import Opened
from data.files import columns, remedies, values
from data.files.columns import Kind
from data.files.contents import Rows
from data.households import UNMASK

if TYPE_CHECKING:
    from data.files.reading import Source

__all__ = ["Kind", "Mends", "Opened", "Refused", "Report", "bring", "inspect", "require", "run"]

#: What an import of each kind needs besides ``exchange.import``. People are brought in by those who may see them in
#: full: an import compares each value with the one that is there, and says what is new, the same or another.
PERMISSIONS = {
    Kind.GRIDS: ("grid.edit",),
    Kind.BUILDINGS: ("building.edit",),
    Kind.HOUSEHOLDS: ("household.edit", UNMASK),
    Kind.RESIDENTS: ("household.edit", UNMASK),
    Kind.INCIDENTS: ("incident.edit",),
    Kind.BASEMAP: ("building.edit",),
}
#: Kinds whose trial is recorded, too: it tells as much of people as the import itself.
_OF_PEOPLE = (Kind.HOUSEHOLDS, Kind.RESIDENTS)


_NAMED = 8


def inspect(
    path: str | Path,
    kind: Kind | str,
    *,
    layer: str | None = None,
    crs: str | None = None,
    encoding: str | None = None,
    mapping: Sequence[str] | None = None,
    header: int | None = None,
    known: terms.Known = terms.NOTHING,
    progress: Progress = silent,
) -> Opened:
    """Read a file and match its columns; nothing of the database is touched.

    Parameters
    ----------
    mapping
        What the person says about columns: ``COLUMN=FIELD``, or ``COLUMN=`` to leave one out.
    header
        Of a table: the row of its headings, from 1, where it is not the one that was recognised.
    known
        What is remembered of such files; what the person says wins over it.
    progress
        Told now and then that it is still reading; it may raise to stop that at once.

    Raises
    ------
    Invalid
        The file cannot be read, or the mapping names a column or field that is not there.
    """
    from data.files.reading import open_source

    kind = _kind(kind)
    said = dict(item.rpartition("=")[::2] for item in mapping or ())
    source = open_source(
        path,
        layer=layer,
        crs=crs,
        encoding=encoding,
        mapping={k: v or None for k, v in said.items()},
        header=header,
        alive=lambda: progress("Reading", 0, None),
    )
    chosen, sample = columns.parse_map(kind, mapping or (), source.columns), source.sample()
    recognised = columns.match_columns(kind, source.columns, sample)
    chosen |= learning.recalled(known, source, recognised, chosen)
    matched = columns.match_columns(kind, source.columns, sample, chosen) if chosen else recognised
    clocks = columns.join_clocks(kind, source.columns, sample, matched)
    for day, clock in clocks.items():
        source.notes.append(
            _("Day and time were read together from the columns “{day}” and “{clock}”.", day=day, clock=clock)
        )
    double = columns.left_out(kind, source.columns, sample, matched, {*chosen, *clocks.values()})
    others = [
        _("“{column}” ({field} is taken from “{instead}”)", column=column, field=one.label, instead=instead)
        for column, one, instead in double
        if source.places or one.name not in columns.PLACE_FIELDS
    ]
    if others:
        listed = _("; ").join(others[:_NAMED]) + (" …" if len(others) > _NAMED else "")
        source.notes.append(
            _("These columns were left out: {columns}. {remedy}", columns=listed, remedy=remedies.name_column())
        )
    said = {column: name for column, name in chosen.items() if name and recognised.get(column) != name}
    opened = Opened(kind, source, matched, clocks, known, said)
    source.notes.extend(_unknown(opened, {column for column, *_rest in double} | {*chosen}))
    return opened


def run(
    session: Session,
    actor: Actor,
    kind: Kind | str,
    path: str | Path,
    community: units.Unit,
    *,
    layer: str | None = None,
    crs: str | None = None,
    encoding: str | None = None,
    mapping: Sequence[str] | None = None,
    header: int | None = None,
    accept_valid: bool = False,
    clean_m: float | None = None,
    dry_run: bool = False,
    progress: Progress = silent,
    rejects_path: Path | None = None,
) -> Report:
    """Import a file into a community.

    Parameters
    ----------
    crs, encoding
        What the coordinates and texts are in, when the file does not say or says it wrongly.
    mapping
        What the person says about columns, as for ``inspect``; it wins over what is recognised.
    header
        Of a table: the row of its headings, from 1.
    accept_valid
        Bring the good rows in without the others.
    clean_m
        For grids: close gaps and overlaps up to this width (metres).
    dry_run
        Do everything and undo it; rejects do not stop it, they are counted.
    progress
        Told how far it is; it may raise to stop the import.
    rejects_path
        Where the rejects are written, without its suffix; nowhere by default.

    Returns
    -------
    Report

    Raises
    ------
    Refused
        There are rejects and ``accept_valid`` is off; nothing was written.
    Invalid, Conflict
        The file as a whole cannot be imported.
    """
    kind = _kind(kind)
    require(actor, kind, community.id)
    progress("Reading", 0, None)
    opened = inspect(
        path,
        kind,
        layer=layer,
        crs=crs,
        encoding=encoding,
        mapping=mapping,
        header=header,
        known=terms.known(session, community.id, kind),
        progress=progress,
    )
    return bring(
        session,
        actor,
        opened,
        community,
        accept_valid=accept_valid,
        clean_m=clean_m,
        dry_run=dry_run,
        progress=progress,
        rejects_path=rejects_path,
    )


def bring(
    session: Session,
    actor: Actor,
    opened: Opened,
    community: units.Unit,
    *,
    accept_valid: bool = False,
    clean_m: float | None = None,
    dry_run: bool = False,
    progress: Progress = silent,
    rejects_path: Path | None = None,
    mends: Mends | None = None,
) -> Report:
    """Import a file that was read already; see ``run``. ``mends`` are cells that a person mended."""
    from data.files.places import How

    handed_in = opened
    opened = replace(opened, source=mends.applied(opened.source)) if mends else opened
    kind, name = opened.kind, opened.source.path.name
    require(actor, kind, community.id)
    if not len(opened.source.frame) and not opened.source.rejects:
        raise Invalid(_("“{name}” holds no rows.", name=name))
    batch = _batch(session, actor, community, opened, progress)
    batch.accept_valid, batch.clean_m, batch.progress = accept_valid or dry_run, clean_m, progress
    report = batch.report
    if mends and mends.only is not None:
        batch.only, report.read = mends.only, len(mends.only)
    try:
        with session.begin_nested(), bulk.as_owner(session):
            if opened.source.crs_how != How.GIVEN:
                _guard_datum(batch, kind)
            with bulk.without_collector():
                _importer(kind).load(batch)
            report.rows, report.geometries = batch.rows, batch.geometries
            if dry_run:
                raise _Undone
            _record(session, actor, community, opened, report)
        learning.learn(session, actor, community, handed_in, mends, report)
    except _Undone:
        if kind in _OF_PEOPLE:
            _record(session, actor, community, opened, report, trial=True)
    except Refused as refused:
        refused.facts["rejects_file"] = _write_rejects(refused.rejects, opened.source, rejects_path)
        raise
    except DBAPIError as error:
        raise db.explain(error) from error
    report.rejects_file = _write_rejects(report.rejects, opened.source, rejects_path)
    return report


def require(actor: Actor, kind: Kind, community_id: int | None) -> None:
    """Raise unless the actor may bring records of this kind into the community.

    Raises
    ------
    NotFound, Forbidden
    """
    for permission in ("exchange.import", *PERMISSIONS[kind]):
        access.require(actor, permission, community_id)


class _Undone(Exception):
    """Takes back what a dry run did."""


def _kind(kind: Kind | str) -> Kind:
    try:
        return Kind(kind)
    except ValueError as error:
        kinds = ", ".join(Kind)
        raise Invalid(_("There is no import of “{kind}”. There are: {kinds}.", kind=kind, kinds=kinds)) from error


def _importer(kind: Kind) -> Any:
    """The file that brings a batch of this kind in by ``load``, to its ``TABLES``; imported late, for a quick start."""
    return import_module(f"data.exchange.importing.{kind}")


def _batch(session: Session, actor: Actor, community: units.Unit, opened: Opened, progress: Progress) -> Batch:
    """The rows whose cells can be read; the others are rejects already."""
    source = opened.source
    rows = columns.read_rows(
        opened.kind,
        source.frame,
        source.rows,
        opened.mapping,
        timezone=settings.get().timezone,
        clocks=opened.clocks,
        terms=opened.known.words,
        progress=lambda done: progress("Checking", done, len(source.rows)),
    )
    at = rows.frame.index.to_numpy()
    original = Rows(source.frame, source.columns)
    batch = Batch(
        session=session,
        actor=actor,
        community=community,
        count=len(at),
        values={name: rows.frame[name].tolist() for name in rows.frame.columns},
        geometries=source.geometries[at],
        rows=source.rows[at].tolist(),
        original=lambda place: original[at[place]],
        report=Report(
            read=len(source.frame) + len(source.rejects),
            rejects=[*source.rejects, *rows.rejects],
            notes=[*source.notes, *rows.notes, *learning.words_recalled(opened)],
        ),
    )
    lengths.check(batch, opened.kind, _importer(opened.kind).TABLES)
    return batch


def _unknown(opened: Opened, told: Collection[str]) -> list[str]:
    """Which columns are no field and stay behind, beside those ``told`` of already."""
    places = {*opened.source.places.values(), *opened.clocks.values(), *told}
    sample = opened.source.sample()
    unknown = [
        name
        for name in opened.source.columns
        if name not in opened.mapping and name not in places and not all(values.is_empty(cell) for cell in sample[name])
    ]
    if not unknown or opened.kind in (Kind.BASEMAP, Kind.GRIDS):
        return []
    listed = ", ".join(unknown[:20]) + (" …" if len(unknown) > 20 else "")
    return [_("Columns that were not recognised and stay out: {columns}.", columns=listed)]


def _guard_datum(batch: Batch, kind: Kind) -> None:
    from data.exchange.importing import datum

    datum.guard(batch, kind)


def _record(
    session: Session, actor: Actor, community: units.Unit, opened: Opened, report: Report, *, trial: bool = False
) -> None:
    """One audit row for the import; what it changed in records that were there has rows of its own."""
    path = opened.source.path
    digest = None
    if path.is_file():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    counts = {key: [None, value] for key, value in report.to_json().items() if key != "rejects_file"}
    if trial:
        counts["trial"] = [None, True]
    audit.record(
        session,
        actor,
        "import",
        opened.kind,
        community_id=community.id,
        changes={"file": [None, path.name], "layer": [None, opened.source.layer], "sha256": [None, digest], **counts},
    )


def _write_rejects(rejects: list[columns.Reject], source: Source, path: Path | None) -> str | None:
    if not rejects or path is None:
        return None
    from data.exchange.importing import rejects as files

    return str(files.write(rejects, source, path))
