"""``wangge backup`` and ``wangge restore``. The passphrase comes from the terminal or ``WANGGE_BACKUP_PASSPHRASE``."""

from __future__ import annotations

import os
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from api.cli.terminal import ready, report, say
from data.base.language import _

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(backup)
    app.command()(restore)


def backup(
    file: Annotated[Path | None, typer.Argument(help="Where to write; named by the time when not given.")] = None,
    as_json: Json = False,
) -> None:
    """Write the database, the uploads and the keys to one file, while everything runs, and read it back."""
    from data import backups
    from data.base import settings

    passphrase = _passphrase(confirm=True)
    path = file or _named(datetime.now(ZoneInfo(settings.get().timezone)))
    with ready():
        if settings.get().database_url:
            say(
                _(
                    "The database of WANGGE_DATABASE_URL goes into the backup. `wangge restore` brings it back into a "
                    "private cluster (without WANGGE_DATABASE_URL); into another server, pg_restore brings its dump."
                )
            )
        result = backups.write(path.absolute(), passphrase, say)
    report(result, as_json, _("Written: {path} ({size_mb:.1f} MB)", path=path, size_mb=result["size"] / 1e6))


def restore(
    file: Path,
    replace: Annotated[bool, typer.Option("--replace", help="Replace an installation that holds records.")] = False,
    replace_keys: Annotated[
        bool, typer.Option("--replace-keys", help="Replace its keys too, when the backup has other ones.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring back what ``wangge backup`` wrote. Stop the server first."""
    from data import backups
    from data.base import cluster

    with cluster.available():
        result = backups.restore(
            file.absolute(), _passphrase(confirm=False), replace=replace, replace_keys=replace_keys, progress=say
        )
    report(result, as_json, _("Restored: the backup of {made_at}.", **result))


def _named(now: datetime) -> Path:
    """A name by the time it is in the community; a clock that was set back never takes an earlier backup's name."""
    stem = f"wangge-{now:%Y%m%d-%H%M%S}"
    names = (Path(f"{stem}{f'-{number}' if number > 1 else ''}.backup") for number in count(1))
    return next(name for name in names if not name.exists())


def _passphrase(*, confirm: bool) -> str:
    given = os.environ.get("WANGGE_BACKUP_PASSPHRASE")
    return given or str(typer.prompt(_("Passphrase"), hide_input=True, confirmation_prompt=confirm, err=True))
