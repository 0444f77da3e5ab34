"""``wangge keys``: which keys there are, which the database was written with, and what to do when they are lost."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli.terminal import report, say
from data.base.language import _

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    keys = typer.Typer(help="The keys of the encrypted fields: show, lost.", no_args_is_help=True)
    keys.command()(show)
    keys.command()(lost)
    app.add_typer(keys, name="keys")


def show(as_json: Json = False) -> None:
    """Say which keys lie here, and with which the database was written."""
    from data import keys
    from data.base import cluster, db, secrets, settings

    with cluster.available(), db.engine().connect() as connection:
        mark = keys.marked(connection)
    held = secrets.stored()
    result: dict[str, Any] = {
        "key_file": str(settings.get().key_file),
        "held": held and held.fingerprint,
        "database": mark,
        "good": held is not None and mark in (None, held.fingerprint),
    }
    line = _(
        "Key file {file}: {held}; database: {database}",
        file=result["key_file"],
        held=result["held"] or _("missing"),
        database=mark or _("none noted yet"),
    )
    report(result, as_json, line)
    if not result["good"]:
        raise typer.Exit(1)


def lost(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: what is lost is known.")] = False,
    as_json: Json = False,
) -> None:
    """Say what is lost with lost keys and, when confirmed, go on with other ones. Stop the server first."""
    from data import attaching, keys
    from data.base import access, cluster, db, settings

    with cluster.available(), cluster.alone(settings.get().home):
        with db.engine().connect() as connection:
            if not keys.is_lost(connection):
                raise keys.NothingLost(_("The keys are those of this database: nothing is lost."))
            fields = list(keys.counted(connection))
        files = keys.unreadable_files()
        for field in fields:
            say(f"  {field.name}: " + _("{lost} of {count} lost", lost=field.unreadable, count=field.count))
        say("  " + _("uploaded files and what belongs to them: {count} lost", count=files))
        say(
            _(
                "These values stay in the database and are shown as “cannot be decrypted” until they are written anew; "
                "exact search no longer finds them, and residents’ tracking codes of before no longer open. If the key "
                "file may still turn up, or there is a backup with its passphrase, stop here."
            )
        )
        if not yes and not typer.confirm(_("Give these values up and go on with other keys?"), err=True):
            raise typer.Exit(1)
        attaching.attach()
        with db.transaction(access.SYSTEM) as session:
            fingerprint = keys.declare_lost(session, fields)
    result = {
        "fingerprint": fingerprint,
        "lost": {field.name: field.unreadable for field in fields},
        "files": files,
    }
    report(result, as_json, _("New keys are in use (fingerprint {mark}). Keep a copy of them.", mark=fingerprint))
