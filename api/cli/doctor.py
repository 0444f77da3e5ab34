"""``wangge doctor``: says what is missing or broken, and how to mend it."""

from __future__ import annotations

import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from api.cli import report
from data.base.language import _

FREE_MIN_BYTES = 2 * 10**9


@dataclass(frozen=True)
class Finding:
    """What one check found; ``mend`` says what to do when it is not ``good``."""

    check: str
    good: bool
    found: str
    mend: str = ""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(doctor)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False) -> None:
    """Check the whole installation; exit code 1 when something is broken."""
    findings = [finding for check in (_machine, _files, _database) for finding in _guarded(check)]
    lines = [
        f"{'✓' if finding.good else '✗'} {finding.check}: {finding.found}"
        + (f"\n    → {finding.mend}" if not finding.good else "")
        for finding in findings
    ]
    good = all(finding.good for finding in findings)
    report({"good": good, "findings": [asdict(finding) for finding in findings]}, as_json, "\n".join(lines))
    if not good:
        raise typer.Exit(1)


def _guarded(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of a check; one that cannot go on is a finding itself."""
    from data.base.errors import WanggeError

    try:
        yield from check()
    except (WanggeError, OSError) as error:
        yield Finding(check.__name__.strip("_"), False, str(error), _("Mend this first, then run the check again."))


def _machine() -> Iterator[Finding]:
    from data.base import cluster, settings

    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= (3, 11), version, _("Install Python 3.11 or newer."))
    if not settings.get().database_url:
        yield Finding("PostgreSQL", True, str(cluster.programs()))
    port = settings.get().port
    with socket.socket() as probe:
        taken = probe.connect_ex((settings.get().host, port)) == 0
    served = (settings.get().home / "serve.lock").exists()
    yield Finding(
        _("port"), not taken or served, f"{port} {_('in use') if taken else _('free')}",
        _("Set WANGGE_PORT to a free port."),
    )  # fmt: skip


def _files() -> Iterator[Finding]:
    from data.base import settings

    home = settings.get().home
    yield Finding(_("folder"), home.is_dir(), str(home), _("It is made by `wangge serve` or `wangge db start`."))
    if home.is_dir():
        free = shutil.disk_usage(home).free
        yield Finding(_("free space"), free > FREE_MIN_BYTES, f"{free / 1e9:.1f} GB", _("Make room on this disk."))
    keys = settings.get().key_file
    if keys.exists():
        private = not keys.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        yield Finding(_("key file"), private, str(keys), _("Run: chmod 600 {path}", path=keys))
    assets = Path(__file__).resolve().parents[1] / "static" / "vendor" / "leaflet.js"
    yield Finding(_("front end"), assets.exists(), str(assets.parent), _("Run script/bootstrap."))


def _database() -> Iterator[Finding]:
    from sqlalchemy import text

    from data import migrations
    from data.base import cluster, db, settings

    private = cluster.private()
    if not settings.get().database_url and not (private.data / "wangge.ready").exists():
        yield Finding(_("database"), False, _("not made yet"), _("Run `wangge serve` or `wangge db start`."))
        return
    with cluster.available(), db.engine().connect() as connection:
        version = connection.scalar(text("SHOW server_version"))
        yield Finding(_("database"), True, f"PostgreSQL {version}")
        postgis = connection.scalar(text("SELECT default_version FROM pg_available_extensions WHERE name = 'postgis'"))
        fit = postgis is not None and tuple(map(int, postgis.split(".")[:2])) >= cluster.OLDEST_POSTGIS
        yield Finding("PostGIS", fit, str(postgis), _("Install PostGIS 3.3 or newer on the database server."))
        at, newest = migrations.current(db.engine()), migrations.newest()
        yield Finding(_("tables"), at == newest, f"{at} / {newest}", _("Run `wangge db migrate`."))
        if not fit or at != newest:
            return
        above = connection.scalar(text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"))
        yield Finding(
            _("database user"), not above, str(connection.scalar(text("SELECT current_user"))),
            _("Use a database user who is neither superuser nor bypasses row-level security."),
        )  # fmt: skip
        quick = connection.scalar(
            text("SELECT bool_and(proleakproof) FROM pg_proc WHERE proname = 'geometry_overlaps' AND pronargs = 2")
        )
        yield Finding(
            _("map speed"), bool(quick), _("spatial indexes serve under row-level security") if quick else _("slow"),
            _("As a superuser run: ALTER FUNCTION geometry_overlaps(geometry, geometry) LEAKPROOF"),
        )  # fmt: skip
