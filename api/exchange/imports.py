"""Files in over HTTP: hand one in, follow its job, fetch the rows that were sent back.

A file is imported by a job (``GET /api/jobs/{id}``), because that can take minutes and must survive a restart.
"""

from __future__ import annotations

import mimetypes
from itertools import chain
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, File, Form, Response, UploadFile, status
from starlette.responses import JSONResponse, StreamingResponse

from api.base.deps import Session, permission
from api.base.fields import ID_MAX, Code, Id, Line, Text
from api.base.listing import GEOJSON, FeatureCollection
from api.jobs import JobOut, shown
from data import units
from data.base import jobs, language, sealed
from data.base.access import Actor
from data.base.errors import Invalid, NotFound
from data.base.jobs import Job
from data.base.language import _
from data.exchange import background, importing, uploads
from data.exchange.importing import Kind

api = APIRouter(prefix="/api", tags=["imports"])
Import = Annotated[Actor, permission("exchange.import")]
#: Wider gaps between grids are no slips of a pen.
CLEAN_MOST_M = 100.0
_A_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {}, "application/octet-stream": {}}, "description": "The rows as a file."}
}
_A_LOOK: dict[int | str, dict[str, Any]] = {
    200: {"content": {GEOJSON: {"schema": {"$ref": "#/components/schemas/FeatureCollection"}}}}
}


@api.post("/imports", summary="Import a file", status_code=status.HTTP_202_ACCEPTED)
def start_import(
    response: Response,
    session: Session,
    actor: Import,
    kind: Annotated[Kind, Form(description="What the rows of the file are.")],
    community: Annotated[Code, Form(description="The code of the community.")],
    file: Annotated[
        UploadFile | None,
        File(description="GeoPackage, Shapefile, GeoJSON, KML, DXF, CSV, XLSX and others; the README lists them."),
    ] = None,
    upload_id: Annotated[
        int | None, Form(ge=1, le=ID_MAX, description="A file of an earlier job, instead of `file`.")
    ] = None,
    layer: Annotated[Line | None, Form(description="The layer or sheet, where there are several.")] = None,
    crs: Annotated[Line | None, Form(description="What the coordinates are in: EPSG:4549, GCJ-02, BD-09 …")] = None,
    encoding: Annotated[Code | None, Form(description="What texts are in: UTF-8, GBK …")] = None,
    mapping: Annotated[
        list[Text] | None, Form(alias="map", description="COLUMN=FIELD, or COLUMN= to leave a column out.")
    ] = None,
    header: Annotated[
        int | None, Form(ge=1, le=1000, description="Of a table: the row of the headings, from 1.")
    ] = None,
    accept_valid: Annotated[bool, Form(description="Import the good rows without the bad ones.")] = False,
    clean_m: Annotated[
        float | None, Form(gt=0, le=CLEAN_MOST_M, description="For grids: close gaps up to this width, in metres.")
    ] = None,
    dry_run: Annotated[bool, Form(description="Say what would happen, and change nothing.")] = False,
) -> JobOut:
    """Hand in a file and start its import into a community: all of it or, with `accept_valid`, its good rows.

    The answer is the job that does it. Its `result` counts what became of the rows, says which column was taken for
    which field, and lists the rows sent back; a failed one says in `detail` what to do.
    """
    into = units.by_code(session, actor, community, units.Level.COMMUNITY)
    importing.require(actor, kind, into.id)
    if (file is None) == (upload_id is None):
        raise Invalid(_("Hand in either a file or the upload_id of an earlier one."), field="body.file")
    if file is not None:
        upload = uploads.keep(session, actor, file.file, file.filename or "", community_id=into.id)
    else:
        assert upload_id is not None
        upload = uploads.get(session, actor, upload_id)
    job = background.start_import(
        session,
        actor,
        kind=kind,
        upload=upload,
        community=into,
        language=language.current(),
        layer=layer,
        crs=crs,
        encoding=encoding,
        mapping=mapping,
        header=header,
        accept_valid=accept_valid or None,
        clean_m=clean_m,
        dry_run=dry_run or None,
    )
    session.flush()
    session.refresh(job)
    response.headers["Location"] = f"/api/jobs/{job.id}"
    return shown(job)


@api.get(
    "/jobs/{job_id}/rejects",
    summary="Rows that an import sent back",
    response_class=StreamingResponse,
    responses=_A_FILE,
)
def get_rejects(session: Session, actor: Import, job_id: Id) -> StreamingResponse:
    """All rows that an import of one's own sent back, as it got them, with row number, reason and advice.

    Mended, the file can be imported like the first.
    """
    return rejects(_job(session, actor, job_id))


@api.get(
    "/jobs/{job_id}/look",
    summary="Where the rows of a dry run are",
    response_model=FeatureCollection,
    responses=_A_LOOK,
)
def get_look(session: Session, actor: Import, job_id: Id) -> Response:
    """Rows of a dry run of one's own on the map, at most 1,500: each with its `row`, and whether it is `accepted`."""
    found = background.look(_job(session, actor, job_id))
    if found is None:
        raise NotFound(_("The rows of this file are nowhere on the map."))
    return JSONResponse({**found, "links": []}, media_type=GEOJSON)


def rejects(job: Job) -> StreamingResponse:
    """The answer with the file of rejects of a job, under a name that tells what it is."""
    path = background.rejects_file(job)
    content = sealed.read(path)
    first = next(content)  # one that cannot be read is told as an error
    media_type, _encoding = mimetypes.guess_type(path.name)
    name = _("rows-sent-back-{id}{suffix}", id=job.id, suffix=path.suffix)
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return StreamingResponse(chain([first], content), media_type=media_type, headers=headers)


def _job(session: Session, actor: Actor, job_id: int) -> Job:
    """An import of one's own, by one who may still see what it holds."""
    job = jobs.get(session, actor, job_id)
    if job.kind != background.IMPORT:
        raise NotFound(_("Not found, or outside your area."))
    importing.require(actor, Kind(job.params["kind"]), job.community_id)
    return job
