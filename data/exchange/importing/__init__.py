"""Files in 导入: what a community hands in becomes grids, buildings, households, residents, incidents and ground.

``run`` is one import from the file to the database, inside the caller's transaction, all or nothing::

    read → match columns → read cells → guard the datum → check, key and locate rows → write → audit

The same file twice changes nothing: each kind has a natural key, and what is there is compared value by value. Rows
that cannot go in are rejects; with ``accept_valid`` the others go in without them. An import runs as the tables'
owner, after its permissions were checked, because COPY knows no row-level security.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from data import accounts as _accounts  # noqa: F401 - the audit, which every write ends in, refers to accounts
from data import coverage as _coverage  # noqa: F401 - it follows what becomes of buildings
from data import units
from data.base import access, audit, bulk, db, settings
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.exchange import columns
from data.exchange.columns import Kind
from data.exchange.importing.batch import Batch, Progress, Refused, Report, silent

if TYPE_CHECKING:
    from data.exchange.reading import Source

__all__ = ["Kind", "Opened", "Refused", "Report", "bring", "inspect", "run"]

#: What an import of each kind needs besides ``exchange.import``.
PERMISSIONS = {
    Kind.GRIDS: "grid.edit",
    Kind.BUILDINGS: "building.edit",
    Kind.HOUSEHOLDS: "household.edit",
    Kind.RESIDENTS: "household.edit",
    Kind.INCIDENTS: "incident.edit",
    Kind.BASEMAP: "building.edit",
}


@dataclass(frozen=True)
class Opened:
    """A file that was read, and which of its columns is which field.

    Attributes
    ----------
    mapping
        Column → field.
    """

    kind: Kind
    source: Source
    mapping: dict[str, str]


def inspect(
    path: str | Path,
    kind: Kind | str,
    *,
    layer: str | None = None,
    crs: str | None = None,
    encoding: str | None = None,
    mapping: Sequence[str] | None = None,
) -> Opened:
    """Read a file and match its columns; nothing of the database is touched.

    Parameters
    ----------
    mapping
        What the person says about columns: ``COLUMN=FIELD``, or ``COLUMN=`` to leave one out.

    Raises
    ------
    Invalid
        The file cannot be read, or the mapping names a column or field that is not there.
    """
    from data.exchange.reading import open_source

    kind = _kind(kind)
    said = dict(item.rpartition("=")[::2] for item in mapping or ())
    source = open_source(path, layer=layer, crs=crs, encoding=encoding, mapping={k: v or None for k, v in said.items()})
    chosen = columns.parse_map(kind, mapping or (), source.columns)
    return Opened(kind, source, columns.match_columns(kind, source.columns, source.sample(), chosen))


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
    _require(actor, kind, community)
    progress("Reading", 0, None)
    opened = inspect(path, kind, layer=layer, crs=crs, encoding=encoding, mapping=mapping)
    return bring(
        session, actor, opened, community, accept_valid=accept_valid, clean_m=clean_m, dry_run=dry_run,
        progress=progress, rejects_path=rejects_path,
    )  # fmt: skip


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
) -> Report:
    """Import a file that was read already; see ``run``."""
    from data.exchange.places import How

    kind, name = opened.kind, opened.source.path.name
    _require(actor, kind, community)
    if not len(opened.source.frame) and not opened.source.rejects:
        raise Invalid(_("“{name}” holds no rows.", name=name))
    batch = _batch(session, actor, community, opened, progress)
    batch.accept_valid, batch.clean_m, batch.progress = accept_valid or dry_run, clean_m, progress
    report = batch.report
    try:
        with session.begin_nested(), bulk.as_owner(session):
            if opened.source.crs_how != How.GIVEN:
                _guard_datum(batch)
            _loader(kind)(batch)
            report.rows, report.geometries = batch.rows, batch.geometries
            if dry_run:
                raise _Undone
            _record(session, actor, community, opened, report)
    except _Undone:
        pass
    except Refused as refused:
        refused.facts["rejects_file"] = _write_rejects(refused.rejects, opened.source, rejects_path)
        raise
    except DBAPIError as error:
        raise db.explain(error) from error
    report.rejects_file = _write_rejects(report.rejects, opened.source, rejects_path)
    return report


def _require(actor: Actor, kind: Kind, community: units.Unit) -> None:
    access.require(actor, "exchange.import", community.id)
    access.require(actor, PERMISSIONS[kind], community.id)


class _Undone(Exception):
    """Takes back what a dry run did."""


def _kind(kind: Kind | str) -> Kind:
    try:
        return Kind(kind)
    except ValueError as error:
        kinds = ", ".join(Kind)
        raise Invalid(_("There is no import of “{kind}”. There are: {kinds}.", kind=kind, kinds=kinds)) from error


def _loader(kind: Kind) -> Callable[[Batch], None]:
    """The function that brings a batch of this kind in; imported when it is needed, for a quick start."""
    load: Callable[[Batch], None] = import_module(f"data.exchange.importing.{kind}").load
    return load


def _batch(session: Session, actor: Actor, community: units.Unit, opened: Opened, progress: Progress) -> Batch:
    """The rows whose cells can be read; the others are rejects already."""
    source = opened.source
    rows = columns.read_rows(
        opened.kind, source.frame, source.rows, opened.mapping, timezone=settings.get().timezone,
        told=lambda done: progress("Checking", done, len(source.rows)),
    )  # fmt: skip
    at = rows.frame.index.to_numpy()
    names = source.columns
    return Batch(
        session=session,
        actor=actor,
        community=community,
        count=len(at),
        values={name: rows.frame[name].tolist() for name in rows.frame.columns},
        geometries=source.geometries[at],
        rows=source.rows[at].tolist(),
        original=lambda place: dict(zip(names, source.frame[names].iloc[at[place]].tolist(), strict=True)),
        report=Report(
            read=len(source.frame) + len(source.rejects), rejects=[*source.rejects, *rows.rejects], notes=source.notes
        ),
    )


def _guard_datum(batch: Batch) -> None:
    from data.exchange.importing import datum

    datum.guard(batch.session, batch.community, batch.geometries)


def _record(session: Session, actor: Actor, community: units.Unit, opened: Opened, report: Report) -> None:
    """One audit row for the import; what it changed in records that were there has rows of its own."""
    path = opened.source.path
    digest = None
    if path.is_file():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    counts = {key: [None, value] for key, value in report.to_json().items() if key != "rejects_file"}
    audit.record(
        session, actor, "import", opened.kind, community_id=community.id,
        changes={"file": [None, path.name], "layer": [None, opened.source.layer], "sha256": [None, digest], **counts},
    )  # fmt: skip


def _write_rejects(rejects: list[columns.Reject], source: Source, path: Path | None) -> str | None:
    if not rejects or path is None:
        return None
    from data.exchange.importing import rejects as files

    return str(files.write(rejects, source, path))
