"""``wangge backup`` and ``wangge restore``. The passphrase comes from the terminal or ``WANGGE_BACKUP_PASSPHRASE``."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from api.cli import report, say
from data.base.language import _

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(backup)
    app.command()(restore)


def backup(
    file: Annotated[Path | None, typer.Argument(help="Where to write; named by the date when not given.")] = None,
    as_json: Json = False,
) -> None:
    """Write the database, the uploads and the keys to one file, while everything runs."""
    from data import backups
    from data.base import cluster

    path = file or Path(f"wangge-{datetime.now().astimezone():%Y%m%d-%H%M%S}.backup")
    passphrase = _passphrase(confirm=True)
    with cluster.available():
        result = backups.write(path.absolute(), passphrase, say)
    report(result, as_json, _("Written: {path} ({size_mb:.1f} MB)", path=path, size_mb=result["size"] / 1e6))


def restore(
    file: Path,
    replace: Annotated[bool, typer.Option(help="Replace an installation that holds records.")] = False,
    as_json: Json = False,
) -> None:
    """Bring back what ``wangge backup`` wrote. Stop the server first."""
    from data import backups
    from data.base import cluster

    with cluster.available():
        result = backups.restore(file.absolute(), _passphrase(confirm=False), replace=replace, progress=say)
    report(result, as_json, _("Restored: the backup of {made_at}.", **result))


def _passphrase(*, confirm: bool) -> str:
    given = os.environ.get("WANGGE_BACKUP_PASSPHRASE")
    return given or str(typer.prompt(_("Passphrase"), hide_input=True, confirmation_prompt=confirm, err=True))
