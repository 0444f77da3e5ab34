"""``wangge import``: files into a community, by whoever operates the machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.terminal import ready, report, say
from data.base.language import _

if TYPE_CHECKING:
    from data.exchange.importing.batch import Progress, Report

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
#: How a row was located, or why it was not, as a message for ``_``.
_PLACES = {
    "point": "by point",
    "address": "by address",
    "nearest": "by the nearest building",
    "manual": "by hand",
    "outside": "outside every grid",
    "ambiguous": "several places fit",
    "no_such_building": "no such building",
    "no_place": "no place given",
}
Community = Annotated[str, typer.Option(help="The community's code.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(name="import")(import_)


def import_(
    kind: Annotated[str, typer.Argument(help="grids, buildings, households, residents, incidents or basemap.")],
    file: Annotated[
        Path,
        typer.Argument(help="GeoPackage, Shapefile, GeoJSON, KML, DXF, CSV, XLSX and others; the README lists them."),
    ],
    community: Community,
    layer: Annotated[str | None, typer.Option(help="The layer or sheet, where there are several.")] = None,
    crs: Annotated[str | None, typer.Option(help="What the coordinates are in: EPSG:4549, GCJ-02, BD-09 …")] = None,
    encoding: Annotated[str | None, typer.Option(help="What texts are in: UTF-8, GBK …")] = None,
    map_: Annotated[list[str] | None, typer.Option("--map", help="COLUMN=FIELD, or COLUMN= to leave it out.")] = None,
    header: Annotated[int | None, typer.Option(help="Of a table: the row of the headings, from 1.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")] = False,
    accept_valid: Annotated[bool, typer.Option("--accept-valid", help="Import the good rows without the bad.")] = False,
    clean: Annotated[float | None, typer.Option(help="For grids: close gaps up to this width, in metres.")] = None,
    rejects: Annotated[Path | None, typer.Option(help="Where rejects are written; here by default.")] = None,
    as_json: Json = False,
) -> None:
    """Import a file into a community: all of it or, with --accept-valid, its good rows."""
    from data import units
    from data.base import access, db
    from data.exchange import importing

    rejects_path = rejects.with_suffix("") if rejects else Path(f"{file.stem}.rejects")
    try:
        with ready(), progress_bar(as_json) as progress, db.transaction(access.SYSTEM) as session:
            into = units.by_code(session, access.SYSTEM, community, units.Level.COMMUNITY)
            done = importing.run(
                session,
                access.SYSTEM,
                kind,
                file,
                into,
                layer=layer,
                crs=crs,
                encoding=encoding,
                mapping=map_,
                header=header,
                accept_valid=accept_valid,
                clean_m=clean,
                dry_run=dry_run,
                progress=progress,
                rejects_path=rejects_path,
            )
    except importing.Refused as refused:
        say(_("Rejects: {file}", file=refused.facts["rejects_file"]))
        raise
    for note in done.notes:
        say(note)
    report(done.to_json(), as_json, _line(done, dry_run))


def _line(done: Report, dry_run: bool) -> str:
    located = ", ".join(f"{_(_PLACES[name])} {count}" for name, count in {**done.located, **done.unlocated}.items())
    parts = [
        _("Nothing was changed; this would happen:") if dry_run else "",
        _(
            "{read} rows read: {new} new, {updated} updated, {unchanged} unchanged, {repaired} repaired, {rejected} "
            "rejected.",
            read=done.read,
            new=done.new,
            updated=done.updated,
            unchanged=done.unchanged,
            repaired=done.repaired,
            rejected=done.rejected,
        ),
        _("Located: {counts}.", counts=located) if located else "",
        _("Rejects: {file}", file=done.rejects_file) if done.rejects_file else "",
    ]
    return "\n".join(part for part in parts if part)


def how_far(step: str, done: int, total: int | None, left_s: int | None) -> str:
    """What the progress bar says: the step, its rows, and about how long it will still take."""
    rows = _("{done} of {count} rows", done=f"{done:,}", count=f"{total:,}") if total else ""
    left = _("about {count} s left", count=f"{left_s:,}") if left_s else ""
    return _(", ").join(part for part in (_(step), rows, left) if part)


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress]:
    """A progress bar on a terminal, else nothing."""
    from data.exchange.importing import pace
    from data.exchange.importing.batch import silent

    if quiet or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    columns: list[Any] = [SpinnerColumn(), BarColumn(), TextColumn("{task.description}")]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)

        def tell(step: str, done: int, total: int | None) -> None:
            share = pace.share(step, done, total)
            line = how_far(step, done, total, pace.remaining_s(share, bar.tasks[0].elapsed or 0.0))
            bar.update(task, completed=share, description=line)

        yield tell
