"""The programs the benches compare with, in an environment of their own, and servers that run as long as a bench."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data import accounts, keys
from data.base import db
from data.base.access import SYSTEM

ROOT = Path(__file__).resolve().parent.parent
_ENVIRONMENT = ROOT / "bench" / ".venv"
_REQUIREMENTS = ROOT / "requirements" / "bench.txt"


_STAMP = _ENVIRONMENT / "installed.txt"


def are_installed() -> bool:
    """Whether the peers (``requirements/bench.txt``) are there."""
    return _STAMP.exists() and _STAMP.read_text() == _REQUIREMENTS.read_text()


def python() -> Path:
    """The Python that has the peers, which are installed when they are not there yet."""
    program = _ENVIRONMENT / "bin" / "python"
    if not are_installed():
        print("installing what is compared with", file=sys.stderr, flush=True)
        venv.create(_ENVIRONMENT, with_pip=True, clear=True)
        subprocess.run(
            [program, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "-r", _REQUIREMENTS],
            check=True,
            stdout=sys.stderr,
        )
        _STAMP.write_text(_REQUIREMENTS.read_text())
    return program


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def served(
    program: Path, app: str, environment: dict[str, str], *, factory: bool = False, workers: int = 1
) -> Iterator[int]:
    """An ASGI application under uvicorn with uvloop and httptools, as ours is served; gives its port.

    Parameters
    ----------
    program
        The Python that runs it.
    app
        ``module:name``, with the folders of the bench and of the repository on the path.
    workers
        Processes that serve it on one socket.
    """
    port = free_port()
    command = [program, "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    command += ["--no-access-log", "--loop", "uvloop", "--http", "httptools", *(["--factory"] if factory else [])]
    command += ["--workers", str(workers)] if workers > 1 else []
    path = os.pathsep.join([str(ROOT), str(ROOT / "bench")])
    process = subprocess.Popen(
        list(map(str, command)),
        env={**os.environ, "PYTHONPATH": path, "WANGGE_PORT": str(port), **environment},
        stdout=sys.stderr,
    )
    try:
        wait(process, port)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def sign_in(dsn: str) -> str:
    """The token of a session of somebody who sees the whole city."""
    engine = db.make_engine(dsn)
    keys.check(engine)
    with db.transaction(SYSTEM, engine) as session:
        name = f"bench{random.randrange(10**9)}"
        account = accounts.add(session, SYSTEM, username=name, name="bench", password="correct horse battery")
        accounts.give(session, SYSTEM, account=account, role_code="administrator", unit=None)
        opened = accounts.sign_in(session, username=name, password="correct horse battery", address="bench")
    engine.dispose()
    return opened.token


@contextmanager
def our_server(
    dsn: str, cache_mb: int, app: str = "api.app:create_app", *, hands: int | None = None, workers: int = 1
) -> Iterator[tuple[int, dict[str, str]]]:
    """Our application on the database; gives its port and the headers of a signed-in browser."""
    environment = {"WANGGE_DATABASE_URL": dsn, "WANGGE_TILE_CACHE_MB": str(cache_mb)}
    if hands is not None:
        environment["WANGGE_HANDS"] = str(hands)
    with served(Path(sys.executable), app, environment, factory=True, workers=workers) as port:
        yield port, {"Accept-Encoding": "gzip", "Cookie": f"wangge_session_{port}={sign_in(dsn)}"}


def cpu_s(postmaster: int) -> tuple[float, float]:
    """CPU seconds so far of the servers that this bench started, with all their processes, and of PostgreSQL's."""
    tick = os.sysconf("SC_CLK_TCK")
    parents: dict[int, int] = {}
    own: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        process = int(stat.parent.name)
        parents[process] = int(fields[1])
        # What the postmaster's children took that have ended is in its own account; readers of ours are no server.
        own[process] = sum(map(int, fields[11 : 15 if process == postmaster else 13])) / tick
    names = {process: _line(process) for process, parent in parents.items() if parent == os.getpid()}
    servers = {process for process, line in names.items() if "uvicorn" in line}
    servers |= {process for process, parent in parents.items() if parent in servers}
    database = {postmaster, *(process for process, parent in parents.items() if parent == postmaster)}
    return sum(own[process] for process in servers), sum(own[process] for process in database)


def _line(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""


def wait(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until somebody listens on ``port``."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit(f"the server ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the server does not listen")
