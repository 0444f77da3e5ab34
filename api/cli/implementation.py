"""``wangge report``: reports as files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from api.cli.exchange import Community, Json
from api.cli.terminal import ready, report
from data.base.language import _


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    reports = typer.Typer(help="Reports, out of the records.", no_args_is_help=True)
    reports.command()(implementation)
    reports.callback()(_reports)
    app.add_typer(reports, name="report")


def _reports() -> None:
    """Reports, out of the records."""


def implementation(
    file: Annotated[Path, typer.Argument(help="The file to write, such as report.docx.")],
    community: Community,
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day it tells of.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day, included.")],
    as_json: Json = False,
) -> None:
    """Write the implementation report 实施情况报告 of a community on a period, as DOCX."""
    from api.implementation import document
    from data import implementation, units
    from data.base import access, db
    from data.files import appearing

    system = access.SYSTEM
    with ready(), db.transaction(system) as session:
        place = units.by_code(session, system, community, units.Level.COMMUNITY)
        drafted = implementation.draft(
            session, system, community_id=place.id, first_on=first.date(), last_on=last.date(), keep=False
        )
        with appearing.file(file) as target:
            target.write(document.written(session, system, drafted))
        result = {"file": str(file), "title": implementation.title(drafted.figures), "figures": drafted.figures}
    report(result, as_json, _("Written: {file}", file=file))
