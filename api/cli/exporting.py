"""``wangge export``: a layer of a community as a file, by whoever operates the machine."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from api.cli.exchange import Community, Json, progress_bar
from api.cli.terminal import ready, report, say
from data.base.errors import Invalid
from data.base.language import _

if TYPE_CHECKING:
    from data.base.listing import Box
    from data.exchange.exporting import Exported
    from data.files.writing import Format

_SUFFIXES = {"json": "geojson", "zip": "shp", "geoparquet": "parquet"}


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(export)


def export(
    layer: Annotated[
        str,
        typer.Argument(
            help="units, grids, buildings, dwellings, households, residents, tenancies or incidents.",
        ),
    ],
    file: Annotated[Path, typer.Argument(help="The file to write; a shapefile is best named .zip.")],
    community: Community,
    format_: Annotated[
        str | None,
        typer.Option("--format", help="gpkg, geojson, shp, fgb, kml, parquet, csv or xlsx; else by the file's name."),
    ] = None,
    crs: Annotated[str | None, typer.Option(help="EPSG:4549, GCJ-02, BD-09 …; else longitude, latitude.")] = None,
    bbox: Annotated[str | None, typer.Option(help="Only what meets west,south,east,north, in degrees.")] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="With the grids, special groups and tenancies of this day."),
    ] = None,
    headings: Annotated[str, typer.Option(help="en: field names and codes; zh: Chinese headings and words.")] = "en",
    purpose: Annotated[
        str | None, typer.Option(help="Write personal data in full, for this purpose. It is recorded.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Export a layer of a community: what lies in a grid with its grid, what has no place without."""
    from data.base import listing
    from data.files import appearing, writing

    chosen = writing.parse_format(format_ or _by_name(file))
    box = listing.box(bbox) if bbox else None
    loose = chosen is writing.Format.SHP and file.suffix.lower() == ".shp"
    if loose:
        from data.files import shapefiles

        with tempfile.TemporaryFile(prefix="wangge-") as archive:
            done = _export(layer, community, archive, chosen, crs, box, as_of, headings, purpose, quiet=as_json)
            files = shapefiles.unpack(archive, file)
    else:
        # The file appears when what is in the audit about it is there to stay.
        with appearing.file(file) as target:
            done = _export(layer, community, target, chosen, crs, box, as_of, headings, purpose, quiet=as_json)
        files = [file]
    for note in done.notes:
        say(note)
    listed = ", ".join(map(str, files))
    report(
        {**done.to_json(), "files": [str(path) for path in files]},
        as_json,
        _("{count} rows in {file}", count=done.rows, file=listed),
    )


def _by_name(file: Path) -> str:
    """The format that the name of a file tells."""
    suffix = file.suffix.lower().removeprefix(".")
    if not suffix:
        raise Invalid(_("Name the format with --format, or by the file’s name: .gpkg, .geojson, .xlsx …"))
    return _SUFFIXES.get(suffix, suffix)


def _export(
    layer: str,
    community: str,
    target: BinaryIO,
    chosen: Format,
    crs: str | None,
    box: Box | None,
    as_of: datetime | None,
    headings: str,
    purpose: str | None,
    *,
    quiet: bool,
) -> Exported:
    from data import units
    from data.base import access, db
    from data.exchange import exporting

    system = access.SYSTEM
    with ready(), progress_bar(quiet) as progress, db.transaction(system) as session:
        return exporting.stream(
            session,
            system,
            layer,
            units.by_code(session, system, community, units.Level.COMMUNITY),
            target,
            format=chosen,
            crs=crs,
            bbox=box,
            as_of=as_of.date() if as_of else None,
            headings=headings,
            unmask_purpose=purpose,
            progress=lambda done, total: progress("Exporting", done, total),
        )
