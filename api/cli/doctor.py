"""``wangge doctor``: says what is missing or broken, and how to mend it."""

from __future__ import annotations

import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.terminal import report
from data.base.language import _

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from data.base import processes

FREE_MIN_BYTES = 2 * 10**9
#: A job that waits for longer than this is waiting for a worker.
WAITS_MAX_S = 3600


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
    findings = [finding for check in (_machine, _files, _reader, _service, _database) for finding in _guarded(check)]
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
    from sqlalchemy.exc import DBAPIError

    from data.base.errors import WanggeError

    try:
        yield from check()
    except (WanggeError, OSError) as error:
        yield Finding(check.__name__.strip("_"), False, str(error), _("Mend this first, then run the check again."))
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()
        yield Finding(
            _("database"),
            False,
            reason[0] if reason else type(error).__name__,
            _("Start the database server, and see whether WANGGE_DATABASE_URL is right."),
        )


def _machine() -> Iterator[Finding]:
    from data.base import cluster, settings

    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= (3, 11), version, _("Install Python 3.11 or newer."))
    if not settings.get().database_url:
        yield Finding("PostgreSQL", True, str(cluster.programs()))
    port = settings.get().port
    with socket.socket() as probe:
        taken = probe.connect_ex((settings.get().host, port)) == 0
    served = cluster.served(settings.get().home)
    yield Finding(
        _("port"),
        not taken or served,
        f"{port} {_('in use') if taken else _('free')}",
        _("Set WANGGE_PORT to a free port."),
    )


def _files() -> Iterator[Finding]:
    from data.base import settings

    home = settings.get().home
    yield Finding(_("folder"), home.is_dir(), str(home), _("It is made by `wangge serve` or `wangge db start`."))
    if home.is_dir():
        free = shutil.disk_usage(home).free
        yield Finding(_("free space"), free > FREE_MIN_BYTES, f"{free / 1e9:.1f} GB", _("Make room on this disk."))
    kept = (settings.get().key_file, settings.get().uploads, home / "scratch")
    for name, path in zip((_("key file"), _("uploads"), _("scratch folder")), kept, strict=True):
        if path.exists():
            private = not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
            yield Finding(name, private, str(path), _("Run: chmod go= {path}", path=path))
    assets = Path(__file__).resolve().parents[1] / "static" / "vendor" / "leaflet.js"
    yield Finding(_("front end"), assets.exists(), str(assets.parent), _("Run script/bootstrap."))


def _reader() -> Iterator[Finding]:
    """What stands around the process that reads files, tried out from inside."""
    from data.base import settings
    from data.files import confined

    tried = confined.trial([settings.get().key_file, Path("/etc/passwd")])
    walls = [
        _("own user {name}", name=tried["own_user"]) if tried["own_user"] else "",
        f"Landlock {tried['landlock']}" if tried["landlock"] else "",
        "bubblewrap" if tried["bubblewrap"] else "",
        "seccomp" if tried["seccomp"] else "",
        _("limits of memory and time"),
    ]
    yield Finding(
        _("reading files"),
        not (tried["read"] or tried["network"] or tried["programs"]),
        _(", ").join(wall for wall in walls if wall),
        _(
            "What reads files can reach more than those. Use a kernel with Landlock (Linux 5.13), "
            "or install bubblewrap."
        ),
    )


def _service() -> Iterator[Finding]:
    """What is looked after, and how it is."""
    from api import supervision
    from data.base import cluster, processes, settings

    home = settings.get().home
    if not cluster.served(home):
        yield Finding(_("server"), True, _("not running"))
        return
    parts = supervision.states()
    words = {"database": _("database server"), "web": _("web application"), "worker": _("background worker")}
    for name, state in parts.items():
        told = _("up since {since}", since=state.since) if state.up else _("down since {since}", since=state.since)
        if state.restarts:
            told += _(", started again {count} times", count=state.restarts)
        if state.last:
            told += _(" (last: {how})", how=state.last)
        mend = _("It is started again by itself. If it stays down, {logs} says why.", logs=settings.get().logs)
        yield Finding(words.get(name, name), state.up, told, mend)
    if "worker" not in parts:
        yield Finding(words["worker"], True, _("not looked after here (`wangge serve --no-worker`)"))
    if user := processes.known_user():
        yield Finding(_("key file’s owner"), _is_of(user), user.name, _("Stop the server and start it again."))


def _is_of(user: processes.User) -> bool:
    from data.base import settings

    keys = settings.get().key_file
    return not keys.exists() or keys.stat().st_uid == user.uid


def _database() -> Iterator[Finding]:
    from sqlalchemy import text
    from sqlalchemy.orm import Session

    from data import accounts, migrations
    from data.base import cluster, db, settings

    private = cluster.private()
    if not settings.get().database_url and not (private.data / "wangge.ready").exists():
        yield Finding(_("database"), False, _("not made yet"), _("Run `wangge serve` or `wangge db start`."))
        return
    if not settings.get().database_url and not private.running():
        yield Finding(_("database"), False, _("not running"), _("Run `wangge serve` or `wangge db start`."))
        return
    with db.engine().connect() as connection:
        version = connection.scalar(text("SHOW server_version"))
        yield Finding(_("database"), True, f"PostgreSQL {version}")
        postgis = connection.scalar(text("SELECT default_version FROM pg_available_extensions WHERE name = 'postgis'"))
        fit = postgis is not None and tuple(map(int, postgis.split(".")[:2])) >= cluster.OLDEST_POSTGIS
        yield Finding("PostGIS", fit, str(postgis), _("Install PostGIS 3.3 or newer on the database server."))
        at, newest = migrations.current(db.engine()), migrations.newest()
        yield Finding(_("tables"), at == newest, f"{at} / {newest}", _("Run `wangge db migrate`."))
        if not fit or at != newest:
            return
        waits = connection.scalar(
            text("SELECT extract(epoch FROM now() - min(created_at)) FROM job WHERE state = 'queued'")
        )
        yield Finding(
            _("jobs"),
            (waits or 0) < WAITS_MAX_S,
            _("the oldest waits for {minutes} min", minutes=round(waits / 60)) if waits else _("none waits"),
            _("See that the background worker runs: `wangge serve`, or `wangge worker`."),
        )
        above = connection.scalar(text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"))
        yield Finding(
            _("database user"),
            not above,
            str(connection.scalar(text("SELECT current_user"))),
            _("Use a database user who is neither superuser nor bypasses row-level security."),
        )
        with Session(connection) as session:
            able = accounts.somebody_administers(session) or not accounts.everybody(session)
        yield Finding(
            _("administrator"),
            able,
            _("there is one") if able else _("nobody can administer everything"),
            _("Run: wangge account grant NAME administrator --everywhere"),
        )
        quick = connection.scalar(
            text("SELECT bool_and(proleakproof) FROM pg_proc WHERE proname = 'geometry_overlaps' AND pronargs = 2")
        )
        yield Finding(
            _("map speed"),
            bool(quick),
            _("spatial indexes serve under row-level security") if quick else _("slow"),
            _("As a superuser run: ALTER FUNCTION geometry_overlaps(geometry, geometry) LEAKPROOF"),
        )
        connection.rollback()
        yield from _as_a_request(connection)


#: Who logs in for requests, and whether they own no table, are no member of whoever does, and make no roles.
_APART = (
    "SELECT session_user, NOT (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb "
    "OR pg_has_role(session_user, c.relowner, 'MEMBER')) FROM pg_roles r, pg_class c "
    "WHERE r.rolname = session_user AND c.oid = 'unit'::regclass"
)


def _as_a_request(connection: Connection) -> Iterator[Finding]:
    """Try what every request does: take the role, set the area, read, decrypt."""
    from sqlalchemy.exc import DBAPIError

    from data import keys
    from data.base import db
    from data.base.errors import WanggeError

    try:
        db.try_as_request(connection)  # as jobs do it, on a login of the owner
        with db.requests().connect() as asking:
            db.try_as_request(asking)
            login, apart = asking.exec_driver_sql(_APART).one()
            asking.rollback()
        yield Finding(_("a request"), True, _("takes its role and reads"))
        alike = db.requests() is db.engine()
        more = _("{user}, who can do more than a request may", user=login)
        if alike:
            more = _("{user}, the owner of the tables; WANGGE_REQUEST_DATABASE_URL can name another login", user=login)
        yield Finding(
            _("login of requests"),
            apart or alike,
            login if apart else more,
            _("Let WANGGE_REQUEST_DATABASE_URL name a role that is a member of wangge_app and of nothing else."),
        )
    except DBAPIError as error:
        connection.rollback()
        said = str(error.orig).strip().splitlines()[0]
        yield Finding(_("a request"), False, said, _("Run `wangge db migrate`: it makes and grants what is missing."))
    try:
        keys.check(db.engine())
        bad = [field for field in keys.sampled(connection) if field.unreadable]
    except WanggeError as error:
        yield Finding(_("keys"), False, error.detail, _("Every command and the server refuse to start until then."))
        return
    told = ", ".join(f"{field.name} {field.unreadable}/{field.count}" for field in bad)
    yield Finding(
        _("keys"),
        not bad,
        _("do not open: {fields}", fields=told) if bad else _("are those of the database"),
        _("These values are shown as unreadable. Write them anew, or restore a backup from before."),
    )
