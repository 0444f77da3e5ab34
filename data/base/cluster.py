"""The private cluster: a PostgreSQL server that the program makes and runs itself.

It lives in one folder, listens on a socket in that folder only, and shares nothing with another server of the machine.
PostgreSQL refuses to run as root, so when root starts us the cluster's processes run as the ``postgres`` user.
``WANGGE_DATABASE_URL`` replaces all of this by any other PostGIS server.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import psycopg

from data.base import settings
from data.base.errors import Busy, WanggeError
from data.base.language import _

OWNER = "wangge"
OLDEST_POSTGRES = 15
OLDEST_POSTGIS = (3, 3)
_EXTENSIONS = ("postgis", "btree_gist", "pg_trgm")
_SOCKET_PATH_MAX = 107
_DYING_S = 10
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
        self.socket.chmod(0o700)
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(self._configuration())
        self.start()
        with psycopg.connect(self.dsn("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE")
            # A large load checks its foreign keys once at the end, without locking those they refer to from readers.
            connection.execute(f"GRANT SET ON PARAMETER session_replication_role TO {OWNER}")
        self.create_database("wangge")
        (self.data / "wangge.ready").touch()

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create database ``name`` with our extensions, or as a copy of ``template``."""
        with psycopg.connect(self.dsn("postgres", "postgres"), autocommit=True) as connection:
            copy = f'TEMPLATE "{template}"' if template else ""
            connection.execute(f'CREATE DATABASE "{name}" OWNER {OWNER} {copy}')
        if template:
            return
        with psycopg.connect(self.dsn(name, "postgres"), autocommit=True) as connection:
            for extension in _EXTENSIONS:
                connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
            # Row-level security runs before any function that is not marked leakproof, so without this mark a
            # map window could not use the spatial index. Comparing boxes tells nothing about hidden rows.
            connection.execute("ALTER FUNCTION geometry_overlaps(geometry, geometry) LEAKPROOF")

    def drop_database(self, name: str) -> None:
        """Drop database ``name`` together with its connections."""
        with psycopg.connect(self.dsn("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def running(self) -> bool:
        """Whether the server answers."""
        probe = subprocess.run([programs() / "pg_isready", "-q", "-h", self.socket, "-p", str(_PORT)], check=False)
        return probe.returncode == 0

    def start(self) -> None:
        """Start the server and wait until it answers; one that runs already is left alone."""
        if self.running():
            return
        self.socket.mkdir(parents=True, exist_ok=True)
        if self.server_user:
            shutil.chown(self.socket, "postgres", "postgres")
        self.socket.chmod(0o700)
        self._clear_away_the_dead()
        self._run(
            "pg_ctl", "start", "-w", "-s", "-D", self.data, "-l", self.home / "logs" / "postgresql.log", "-t", "120"
        )

    def _clear_away_the_dead(self) -> None:
        """Make way after a server that was killed.

        Its children take a moment to notice. And where nobody collects dead processes (a container without an init),
        PostgreSQL would take the dead server for a running one for ever: then its pid file goes, but only once no
        process has its data folder open any more.
        """
        pid_file = self.data / "postmaster.pid"
        deadline = time.monotonic() + _DYING_S
        while pid_file.exists() and Path("/proc/self").exists():
            pid = pid_file.read_text().split()[0]
            if not Path(f"/proc/{pid}").exists():
                return
            zombie = ") Z " in Path(f"/proc/{pid}/stat").read_text()
            if zombie and not self._processes():
                (self.socket / f".s.PGSQL.{_PORT}.lock").unlink(missing_ok=True)
                pid_file.unlink()
                return
            if time.monotonic() > deadline:
                return
            time.sleep(0.05)

    def _processes(self) -> list[int]:
        """The processes that work in the data folder."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (process / "cwd").readlink() == self.data:
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
                        "{program} failed: {reason}. The server's log is {log}; `wangge doctor` says more.",
                        program=program,
                        reason=next(filter(_FAULT.search, said), said[-1] if said else done.returncode),
                        log=self.home / "logs" / "postgresql.log",
                    )
                )


def private() -> Cluster:
    """The private cluster of this installation."""
    return Cluster(settings.get().home)


@contextmanager
def available() -> Iterator[None]:
    """Have the database up inside the ``with`` block.

    With ``WANGGE_DATABASE_URL`` there is nothing to do. Otherwise the private cluster is made and started as needed,
    and stopped again only by the one who started it.
    """
    if settings.get().database_url:
        yield
        return
    cluster = private()
    if (cluster.data / "wangge.ready").exists() and cluster.running():
        yield
        return
    cluster.prepare()
    cluster.start()
    try:
        yield
    finally:
        cluster.stop()


def dsn() -> str:
    """The connection string of the database in use, private or not."""
    url = settings.get().database_url
    if not url:
        return private().dsn()
    if not url.startswith(("postgresql://", "postgres://")):
        raise Busy(_("WANGGE_DATABASE_URL must begin with postgresql://, not {start}.", start=url.split(":")[0]))
    return url
