"""Imports as background jobs: what the worker does for the import pages and the API.

The parameters of a job are those of ``importing.run``, with ``upload_id`` for the file and ``surface`` for where its
sentences are read. Its result is the report with
what the file is (``file``) and the first rejects; one that fails has ``file`` and the rejects among its facts as far as
it came. Beside the uploads lie, sealed, for whoever started the job, all rejects as a file, and of a dry run a look at
where its rows are; a job that was cancelled or went wrong leaves none.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from data import terms, units
from data.base import jobs, scratch, sealed, secrets, surfaces
from data.base.access import Actor
from data.base.errors import NotFound, WanggeError
from data.base.jobs import Job
from data.base.language import _
from data.exchange import importing, sent_back, uploads
from data.files import columns, values
from data.files.values import Reject, Type

SHOWN_REJECTS = 500
MOST_SHOWN = 1500
"""More rows than this are thinned for a look: it shows where, not each."""
_OPTIONS = ("layer", "crs", "encoding", "mapping", "accept_valid", "clean_m", "dry_run", "header")
IMPORT = "import"


def start_import(
    session: Session,
    actor: Actor,
    *,
    kind: str,
    upload: jobs.Upload,
    community: units.Unit,
    language: str,
    mends: importing.Mends | None = None,
    **options: Any,
) -> Job:
    """Start an import of an upload; ``options`` are those of ``importing.run``, ``mends`` mended cells of its rows."""
    importing.require(actor, importing.Kind(kind), community.id)
    params = {"kind": kind, "upload_id": upload.id, "community_id": community.id}
    params |= {name: options[name] for name in _OPTIONS if options.get(name) is not None}
    params["surface"] = surfaces.current()
    if mends:
        params["mended"] = "all" if mends.only is None else "only"
    job = jobs.enqueue(session, actor, IMPORT, params, community_id=community.id, language=language)
    if mends:
        sent_back.keep_mends(job, mends)
    return job


def perform_import(session: Session, actor: Actor, job: Job, progress: Callable[..., None]) -> dict[str, Any]:
    """Do the import of a job; the worker commits it together with the job's end."""
    with surfaces.using(surfaces.Surface(job.params.get("surface", surfaces.Surface.PAGE))):
        return _perform(session, actor, job, progress)


def _perform(session: Session, actor: Actor, job: Job, progress: Callable[..., None]) -> dict[str, Any]:
    params = job.params
    upload = uploads.get(session, actor, params["upload_id"])
    community = units.get(session, actor, params["community_id"])
    read = {name: params[name] for name in ("layer", "crs", "encoding", "mapping", "header") if name in params}
    bring = {name: params[name] for name in ("accept_valid", "clean_m", "dry_run") if name in params}
    progress("Reading", 0, None)
    facts: dict[str, Any] = {}
    with uploads.opened(upload) as path, scratch.folder() as written:
        try:
            known = terms.known(session, community.id, params["kind"])
            opened = importing.inspect(path, params["kind"], known=known, progress=progress, **read)
            facts["file"] = {"name": upload.name, "upload_id": upload.id, **_described(opened)}
            report = importing.bring(
                session,
                actor,
                opened,
                community,
                progress=progress,
                rejects_path=written / str(job.id),
                mends=sent_back.mends_of(job),
                **bring,
            )
            _keep_rejects(report.rejects_file)
            sent_back.keep(job, opened, report.rejects)
        except WanggeError as error:
            error.facts |= {**facts, "fault": type(error).__name__}
            if isinstance(error, importing.Refused):
                _keep_rejects(error.facts.get("rejects_file"))
                sent_back.keep(job, opened, error.rejects)
                error.facts |= _told(error.rejects, error.facts.get("rejects_file"))
                _keep_look(job.id, opened, error.rejects, [], None)
            raise
    if params.get("dry_run"):
        _keep_look(job.id, opened, report.rejects, report.rows, report.geometries)
    told = _told(report.rejects, report.rejects_file)
    return {**report.to_json(), **facts, "notes": report.notes, **told}


# ---- what is told of a job -----------------------------------------------------------------------------------------


def of_upload(session: Session, actor: Actor, upload_id: int) -> list[Job]:
    """One's own imports of an upload, newest first: dry runs and the import itself."""
    query = select(Job).where(
        Job.kind == IMPORT, Job.account_id == actor.account_id, Job.params["upload_id"].as_integer() == upload_id
    )
    return list(session.scalars(query.order_by(Job.id.desc())))


def earlier(session: Session, actor: Actor, community_id: int | None, limit: int) -> list[tuple[Job, jobs.Upload]]:
    """One's own imports with their files, newest first, without the dry runs; of one community or of all."""
    query = (
        select(Job, jobs.Upload)
        .join(jobs.Upload, jobs.Upload.id == Job.params["upload_id"].as_integer())
        .where(Job.kind == IMPORT, Job.account_id == actor.account_id)
        .where(Job.params["dry_run"].as_boolean().is_not(True))
    )
    if community_id is not None:
        query = query.where(Job.community_id == community_id)
    return [(job, upload) for job, upload in session.execute(query.order_by(Job.id.desc()).limit(limit))]


def rejects_file(job: Job) -> Path:
    """The sealed file with all rejects of a job, to be read by ``data.base.sealed``.

    Raises
    ------
    NotFound
        It has none.
    """
    name = (job.result or {}).get("rejects_file")
    path = jobs.papers_folder() / str(name)
    if not name or not path.is_file():
        raise NotFound(_("No row was sent back."))
    return path


def look(job: Job) -> dict[str, Any] | None:
    """Where the rows of a dry run are: a FeatureCollection (EPSG:4326) with ``row`` and ``accepted``; or nowhere."""
    path = _look_path(job.id)
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(b"".join(sealed.read(path)))
    return found


def _keep_rejects(written: Any) -> None:
    """Seal the rejects that were written in clear into a scratch folder, if there are any."""
    if written:
        sealed.write(jobs.papers_folder() / Path(written).name, sealed.read(Path(written)))


def _look_path(job_id: int) -> Path:
    return jobs.papers_folder() / f"{job_id}.look.json"


def _told(rejects: Sequence[Reject], path: Any) -> dict[str, Any]:
    """How many rejects of each kind there are, and the first as the page lists them; all rows are in the file alone."""
    return {
        "reject_kinds": dict(Counter(str(reject.kind) for reject in rejects)),
        "rejects": [
            {"row": reject.row, "kind": reject.kind, "reason": reject.reason, "advice": reject.advice}
            for reject in rejects[:SHOWN_REJECTS]
        ],
        "rejects_file": Path(path).name if path else None,
    }


def _described(opened: importing.Opened) -> dict[str, Any]:
    """What a file is, and its columns: the field of each, and a sample with what is personal masked."""
    source = opened.source
    places = {column: name for name, column in source.places.items()}
    shown = []
    for name, cells in source.sample().items():
        code = opened.mapping.get(name) or places.get(name)
        cell = next((values.as_text(cell) for cell in cells if not values.is_empty(cell)), None)
        shown.append({"name": name, "field": code, "sample": cell and _sample(opened.kind, code, cell)})
    return {
        "format": source.format,
        "layer": source.layer,
        "layers": source.layers,
        "rows": len(source.frame) + len(source.rejects),
        "crs": source.crs,
        "crs_how": source.crs_how,
        "encoding": source.encoding,
        "encoding_how": source.encoding_how,
        "columns": shown,
    }


_PEOPLE = (importing.Kind.HOUSEHOLDS, importing.Kind.RESIDENTS)


def _sample(kind: str, code: str | None, cell: str) -> str:
    """A cell as an example of its column: short, and masked where it may be personal.

    >>> _sample("households", "head_name", "李小明"), _sample("incidents", "description", "来电 13800006021 反映")
    ('李**', '来电 138****6021 反映')
    """
    cell = cell.strip()[:40]
    one = columns.field(kind, code) if code and code not in columns.PLACE_FIELDS else None
    if one and one.sensitive:
        masks = {Type.PHONE: secrets.mask_phone, Type.IDENTITY: secrets.mask_identity}
        return masks.get(one.type, secrets.mask_name)(cell) or ""
    if code is None and kind in _PEOPLE and re.fullmatch(r"[\u3400-\u9fff·]{2,4}", cell):
        return secrets.mask_name(cell) or ""
    cell = re.sub(r"(?<!\d)[1-9]\d{16}[\dXx](?!\d)", lambda found: secrets.mask_identity(found[0]) or "", cell)
    return re.sub(r"(?<!\d)1[3-9]\d{9}(?!\d)", lambda found: secrets.mask_phone(found[0]) or "", cell)


# ---- a look at where the rows are ----------------------------------------------------------------------------------


def _keep_look(job_id: int, opened: importing.Opened, rejects: Sequence[Reject], rows: Sequence[int], at: Any) -> None:
    """Write where the rows of a dry run are, if they are anywhere."""
    source = opened.source
    place_of = dict(zip(source.rows.tolist(), source.geometries, strict=True))
    sent_back = [(reject.row, place_of.get(reject.row)) for reject in rejects[:SHOWN_REJECTS]]
    sent_back = [(row, shape) for row, shape in sent_back if shape is not None and not shape.is_empty]
    accepted = [(row, shape) for row, shape in zip(rows, at if at is not None else (), strict=True) if shape]
    step = max(1, -(-len(accepted) // (MOST_SHOWN - len(sent_back))))
    features = [
        *_features(accepted[::step], accepted=True),
        *_features(sent_back, accepted=False),
    ]
    if not features:
        return
    content = json.dumps({"type": "FeatureCollection", "features": features})
    sealed.write(_look_path(job_id), [content.encode()])


def _features(shown: Sequence[tuple[int, Any]], *, accepted: bool) -> list[dict[str, Any]]:
    if not shown:
        return []
    shapes = np.array([shape for _row, shape in shown], dtype=object)
    # Finer than a pixel of the small map would only make it heavy; a stray row does not make the others coarse.
    low, high = np.quantile(shapely.bounds(shapes), [0.05, 0.95], axis=0)
    shapes = shapely.simplify(shapes, max(high[2] - low[0], high[3] - low[1]) / 3000)
    drawn = shapely.to_geojson(shapely.set_precision(shapes, 1e-6, mode="pointwise"))
    return [
        {"type": "Feature", "geometry": json.loads(geometry), "properties": {"row": int(row), "accepted": accepted}}
        for (row, _shape), geometry in zip(shown, drawn, strict=True)
    ]
