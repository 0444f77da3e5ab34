"""The private cluster: a PostgreSQL server that the program makes and runs itself.

It lives in one folder, listens on a socket in that folder only, and shares nothing with another server of the machine.
PostgreSQL refuses to run as root, so when root starts us the cluster's processes run as the ``postgres`` user. Who
connects is told by the system (``peer``): its owner and root may be any role, the user of the service none that may do
everything.
``WANGGE_DATABASE_URL`` replaces all of this by any other PostGIS server.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import psycopg

from data.base import processes, settings
from data.base.errors import Busy, WanggeError
from data.base.language import _

OWNER = "wangge"
ADMINISTRATOR = "postgres"
#: As whom requests log in: it owns nothing, and is no member of whoever owns the tables.
REQUESTS = "wangge_request"
#: The roles that the service connects as; whoever adds one makes it in ``data.base.database_roles``.
LOGINS = (OWNER, REQUESTS)
OLDEST_POSTGRES = 15
OLDEST_POSTGIS = (3, 3)
_EXTENSIONS = ("postgis", "btree_gist", "pg_trgm")
_SOCKET_PATH_MAX = 107
_DYING_S = 10
#: How long a server is given that is starting, or is recovering from a crash.
_COMING_S = 120.0
#: The line in which a program of PostgreSQL says what went wrong; after it, it tells what it clears away.
_FAULT = re.compile("error:|FATAL:|PANIC:")
_PORT = 5432  # only a part of the socket's name: nothing listens on the network


class ClusterFailed(WanggeError):
    """The private cluster could not be made, started or stopped."""


@cache
def programs() -> Path:
    """The folder of PostgreSQL's programs, of the newest version on this machine.

    Raises
    ------
    ClusterFailed
        No PostgreSQL ≥ 15 is installed.
    """
    places = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    places += [*Path("/opt/homebrew/opt").glob("postgresql*/bin"), *Path("/usr/local/opt").glob("postgresql*/bin")]
    if found := shutil.which("initdb"):
        places.append(Path(found).resolve().parent)
    versions = {place: _version(place) for place in places if (place / "initdb").exists()}
    fit = {place: version for place, version in versions.items() if version >= OLDEST_POSTGRES}
    if not fit:
        raise ClusterFailed(
            _("PostgreSQL {version} or newer is not installed. Run script/bootstrap.", version=OLDEST_POSTGRES)
        )
    return max(fit, key=lambda place: fit[place])


def _version(place: Path) -> int:
    answer = subprocess.run([place / "postgres", "--version"], capture_output=True, text=True, check=False)
    number = re.search(r"(\d+)", answer.stdout)
    return int(number[1]) if number else 0


@dataclass(frozen=True)
class Cluster:
    """The cluster in ``home``; nothing is touched until a method is called.

    Parameters
    ----------
    home
        The folder that holds the cluster (``pg``), its socket (``run``) and its log (``logs``).
    durable
        Whether a commit waits for the disk. Off only for tests that are thrown away.
    """

    home: Path
    durable: bool = True

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.home / "pg"

    @cached_property
    def socket(self) -> Path:
        """The folder of the socket: below ``home``, or a short one where the path would be too long for a socket."""
        path = self.home / "run"
        if len(str(path / f".s.PGSQL.{_PORT}")) <= _SOCKET_PATH_MAX:
            return path
        digest = hashlib.sha256(str(self.home).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"wangge-{digest}"

    def dsn(self, database: str = "wangge", user: str = OWNER) -> str:
        """A connection string for libpq and asyncpg."""
        return f"postgresql://{user}@/{database}?host={self.socket}&port={_PORT}"

    def prepare(self) -> None:
        """Make the cluster when it does not exist. Safe to run again, also after being cut off half-way."""
        if (self.data / "wangge.ready").exists():
            return
        if self.data.exists():
            shutil.rmtree(self.data)  # never became ready, so it never held anything
        for folder in (self.home, self.data, self.socket, self.home / "logs"):
            folder.mkdir(parents=True, exist_ok=True)
        if self.server_user:
            for folder in (self.data, self.socket, self.home / "logs"):
                shutil.chown(folder, "postgres", "postgres")
        self._run("initdb", "-D", self.data, "-U", ADMINISTRATOR, "-A", "peer", "-E", "UTF8", "--no-locale", "-N")
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(self._configuration())
        self.start()
        with self.administered() as connection:
            connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE")
            # A large load checks its foreign keys once at the end, without locking those they refer to from readers.
            connection.execute(f"GRANT SET ON PARAMETER session_replication_role TO {OWNER}")
        self.create_database("wangge")
        (self.data / "wangge.ready").touch()

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create database ``name`` with our extensions, or as a copy of ``template``."""
        with self.administered() as connection:
            copy = f'TEMPLATE "{template}"' if template else ""
            connection.execute(f'CREATE DATABASE "{name}" OWNER {OWNER} {copy}')
        if template:
            return
        with self.administered(name) as connection:
            for extension in _EXTENSIONS:
                connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
            # Row-level security runs before any function that is not marked leakproof, so without this mark a
            # map window could not use the spatial index. Comparing boxes tells nothing about hidden rows.
            connection.execute("ALTER FUNCTION geometry_overlaps(geometry, geometry) LEAKPROOF")

    def drop_database(self, name: str) -> None:
        """Drop database ``name`` together with its connections."""
        with self.administered() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def running(self) -> bool:
        """Whether the server answers."""
        probe = subprocess.run([programs() / "pg_isready", "-q", "-h", self.socket, "-p", str(_PORT)], check=False)
        return probe.returncode == 0

    def start(self) -> None:
        """Start the server and wait until it answers; one that runs, starts or recovers is left alone."""
        changed = self._say_who_may_connect()
        self._make_socket_folder()
        if not self.running():
            self._clear_away_the_dead()
            if not self._comes():
                log = self.home / "logs" / "postgresql.log"
                self._run("pg_ctl", "start", "-w", "-s", "-D", self.data, "-l", log, "-t", "120")
        elif changed:
            self._run("pg_ctl", "reload", "-s", "-D", self.data)
        if processes.known_user():
            (self.socket / f".s.PGSQL.{_PORT}").chmod(0o777)  # the folder says who comes this far

    def _comes(self) -> bool:
        """Wait for a server that is there and does not answer yet; tells whether it does."""
        deadline = time.monotonic() + _COMING_S
        while self.alive() and time.monotonic() < deadline:
            if self.running():
                return True
            time.sleep(0.1)
        return False

    def _make_socket_folder(self) -> None:
        """Have the socket's folder, for the server alone; started by root, the group of the service may enter too."""
        self.socket.mkdir(parents=True, exist_ok=True, mode=0o700)
        user, group, mode = -1, -1, 0o700
        if self.server_user:
            entry = pwd.getpwnam(self.server_user["user"])
            user, group = entry.pw_uid, entry.pw_gid
        if service := processes.known_user():
            group, mode = service.gid, 0o710
        os.chown(self.socket, user, group, follow_symlinks=False)
        self.socket.chmod(mode)

    def _say_who_may_connect(self) -> bool:
        """Write ``pg_hba.conf`` and ``pg_ident.conf``; tells whether they were others."""
        owner = self.server_user.get("user") or pwd.getpwuid(os.geteuid()).pw_name
        service = processes.known_user()
        pairs = {(user, role): None for user in (owner, "root") for role in (ADMINISTRATOR, *LOGINS)}
        pairs |= {(service.name, role): None for role in LOGINS} if service else {}
        return any(
            [
                self._write("pg_hba.conf", ["local all all peer map=wangge"]),
                self._write("pg_ident.conf", [f'wangge "{user}" "{role}"' for user, role in pairs]),
            ]
        )

    def _write(self, name: str, lines: list[str]) -> bool:
        """Write a file of the data folder, which is there whole or as it was; tells whether it was another one."""
        content = "".join(f"{line}\n" for line in ("# Written by wangge at each start.", *lines))
        path = self.data / name
        if path.exists() and path.read_text() == content:
            return False
        draft = self.data / f"{name}.draft"
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            if self.server_user:
                entry = pwd.getpwnam(self.server_user["user"])
                os.fchown(file.fileno(), entry.pw_uid, entry.pw_gid)
            file.write(content)
        draft.replace(path)
        return True

    def administered(self, database: str = "postgres") -> psycopg.Connection:
        """A connection of the administrator's."""
        return psycopg.connect(self.dsn(database, ADMINISTRATOR), autocommit=True)

    def alive(self) -> bool:
        """Whether the server's first process is there; asked often, so it asks nobody else."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            os.kill(pid, 0)
        except (FileNotFoundError, ProcessLookupError, IndexError, ValueError):
            return False
        except PermissionError:
            pass  # somebody else's, so it is there
        return not _is_zombie(pid)

    def _clear_away_the_dead(self) -> None:
        """Make way after a server that was killed.

        Its children take a moment to notice, and one that computes takes long: they are told to leave. Where nobody
        collects dead processes (a container without an init), PostgreSQL would take the dead server for a running one
        for ever, and so it does where its number was given to another process: then its pid file goes, but only once
        no process has its data folder open any more.
        """
        pid_file = self.data / "postmaster.pid"
        deadline = time.monotonic() + _DYING_S
        while pid_file.exists() and Path("/proc/self").exists():
            words = pid_file.read_text().split()
            pid = int(words[0]) if words else 0
            left = self._processes()
            if pid in left and not _is_zombie(pid):
                return  # it runs, or is starting
            if not left:
                if _is_zombie(pid) or _works_elsewhere(pid):
                    (self.socket / f".s.PGSQL.{_PORT}.lock").unlink(missing_ok=True)
                    pid_file.unlink(missing_ok=True)
                return
            if time.monotonic() > deadline:
                return
            late = time.monotonic() > deadline - _DYING_S / 2
            for child in left:
                with suppress(OSError):
                    if Path(f"/proc/{child}/cmdline").read_text().startswith("postgres:"):
                        os.kill(child, signal.SIGKILL if late else signal.SIGQUIT)
            time.sleep(0.05)

    def _processes(self) -> list[int]:
        """The processes that work in the data folder."""
        found = []
        data = self.data.resolve()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (process / "cwd").readlink() == data:
                    found.append(int(process.name))
        return found

    def stop(self) -> None:
        """Stop the server, letting running transactions end by rolling back."""
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-w", "-s", "-m", "fast", "-D", self.data, "-t", "120")

    @property
    def server_user(self) -> dict[str, str]:
        """How to leave root for the server's programs; empty when we are not root."""
        return {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}

    def _configuration(self) -> str:
        lines = {
            "listen_addresses": "''",
            "unix_socket_directories": f"'{self.socket}'",
            "unix_socket_permissions": "0700",
            "port": _PORT,
            "max_connections": 200,
            "shared_buffers": "'256MB'",
            "work_mem": "'32MB'",
            "maintenance_work_mem": "'512MB'",
            "max_wal_size": "'4GB'",
            "random_page_cost": 1.1,
            "jit": "off",  # our queries are short; compiling them costs more than it saves
            "timezone": "'UTC'",
            "log_min_duration_statement": "'2s'",
            "log_parameter_max_length": 0,  # values may be personal: they never reach a log
            "log_parameter_max_length_on_error": 0,
        }
        if not self.durable:
            lines |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return "\n# wangge\n" + "".join(f"{name} = {value}\n" for name, value in lines.items())

    def _run(self, program: str, *arguments: object) -> None:
        # A server started by pg_ctl inherits its outputs, so a pipe would never close: a file takes them.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [programs() / program, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                check=False,
                **({**self.server_user, "extra_groups": []} if self.server_user else {}),  # type: ignore[call-overload]
            )
            if done.returncode:
                output.seek(0)
                said = output.read().decode(errors="replace").strip().splitlines()
                raise ClusterFailed(
                    _(
                        "{program} failed: {reason}. The server’s log is {log}; `wangge doctor` says more.",
                        program=program,
                        reason=next(filter(_FAULT.search, said), said[-1] if said else done.returncode),
                        log=self.home / "logs" / "postgresql.log",
                    )
                )


def _is_zombie(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def _works_elsewhere(pid: int) -> bool:
    """Whether a process is certainly no server of ours: only one's own can be looked at, and not everywhere."""
    try:
        return not Path(f"/proc/{pid}/exe").readlink().name.startswith("postgres")
    except OSError:
        return False


def private() -> Cluster:
    """The private cluster of this installation."""
    return Cluster(settings.get().home)


def served(home: Path) -> bool:
    """Whether a server looks after ``home``, and with it after the private cluster, at this moment."""
    try:
        with (home / "serve.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Keep every server of the folder ``home`` from running inside the ``with`` block.

    Raises
    ------
    Busy
        One runs now.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(_("The server runs on {home}. Stop it first; nothing was changed.", home=home)) from error
        yield


def refuse_company(connection: psycopg.Connection, database: str) -> None:
    """Raise ``Busy`` when somebody else is connected to ``database``: a worker, a command, a program of one's own."""
    others = connection.execute(
        "SELECT count(*), string_agg(DISTINCT coalesce(nullif(application_name, ''), usename), ', ') "
        "FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
        [database],
    ).fetchone()
    if others and others[0]:
        raise Busy(
            _(
                "{count} connections to the database are open ({names}). Stop what uses it (server, worker, imports) "
                "first; nothing was changed.",
                count=others[0],
                names=others[1],
            )
        )


@contextmanager
def available() -> Iterator[None]:
    """Have the database up inside the ``with`` block.

    With ``WANGGE_DATABASE_URL`` there is nothing to do. Otherwise the private cluster is made and started as needed,
    and stopped again only by the one who started it. One that a server looks after is the server's to start: it is
    waited for.

    Raises
    ------
    Busy
        The server does not bring it up.
    """
    if settings.get().database_url:
        yield
        return
    cluster = private()
    if (cluster.data / "wangge.ready").exists():
        deadline = time.monotonic() + _COMING_S
        while not (up := cluster.running()) and served(cluster.home):
            if time.monotonic() > deadline:
                raise Busy(
                    _(
                        "The server on {home} does not bring its database up. `wangge doctor` says why.",
                        home=cluster.home,
                    )
                )
            time.sleep(0.1)
        if up:
            yield
            return
    cluster.prepare()
    cluster.start()
    try:
        yield
    finally:
        cluster.stop()


def dsn() -> str:
    """The connection string of the database in use, private or not, for the owner of its tables."""
    url = settings.get().database_url
    return _checked("WANGGE_DATABASE_URL", url) if url else private().dsn()


def request_dsn() -> str:
    """The connection string that requests log in with.

    On a server of one's own it is a setting. Without it they log in as the owner, and only change to the role of
    requests in each transaction.
    """
    requests, owner = settings.get().request_database_url, settings.get().database_url
    if requests:
        return _checked("WANGGE_REQUEST_DATABASE_URL", requests)
    return dsn() if owner else private().dsn(user=REQUESTS)


def _checked(setting: str, url: str) -> str:
    if not url.startswith(("postgresql://", "postgres://")):
        raise Busy(_("{setting} must begin with postgresql://, not {start}.", setting=setting, start=url.split(":")[0]))
    return url
