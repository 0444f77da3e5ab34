"""``wangge serve``: database, web application and background worker in one command; ``wangge worker`` alone."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from api.cli import say
from data.base.errors import Busy
from data.base.language import _

STOP_AFTER_S = 20


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(serve)
    app.command()(worker)


def serve(
    demo: Annotated[bool, typer.Option(help="Load the demo community when the database is empty.")] = True,
    with_worker: Annotated[bool, typer.Option("--worker/--no-worker", help="Start the background worker too.")] = True,
) -> None:
    """Serve the web application, with its database and background worker, until Ctrl-C."""
    from data.base import cluster, db, settings
    from data.migrations import migrate

    current = settings.get()
    _refuse_taken_port(current.host, current.port)
    # Ctrl-C and SIGTERM mean the same from the first moment on, also while the demo is being made.
    signal.signal(signal.SIGTERM, _interrupt)
    with _only_server(current.home), _database(cluster):
        if migrate(db.engine()):
            say(_("The database has been brought up to date."))
        if demo:
            _load_demo_once()
        process = _start_worker() if with_worker else None
        try:
            _log_to(current.logs / "web.log", current.log_level)
            _run_web(current.host, current.port)
        finally:
            if process:
                _stop(process)
            db.engine().dispose()


def worker() -> None:
    """Work off background jobs (imports, exports) until Ctrl-C."""
    from api import worker as background
    from data.base import cluster

    server = int(os.environ.get("WANGGE_SERVER_PID", "0"))
    if server:
        # The database is up, and it is the server that stops it: one whose server was killed must not start it again.
        if os.getppid() == server:
            background.run(parent=server)
        return
    with cluster.available():
        background.run()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _refuse_taken_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Busy(
                _("Port {port} of {host} is taken. Set WANGGE_PORT to another one.", port=port, host=host)
            ) from error


@contextmanager
def _only_server(home: Path) -> Iterator[None]:
    """Refuse to serve the same folder twice."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(
                _("Another wangge serves {home} already. Set WANGGE_HOME to run several side by side.", home=home)
            ) from error
        yield


@contextmanager
def _database(cluster: object) -> Iterator[None]:
    """Have the private cluster up, and down again at the end, whoever started it."""
    from data.base import cluster as clusters
    from data.base import settings

    if settings.get().database_url:
        yield
        return
    private = clusters.private()
    if not (private.data / "wangge.ready").exists():
        say(_("Making the database in {home} …", home=private.home))
    private.prepare()
    private.start()
    try:
        yield
    finally:
        private.stop()


def _load_demo_once() -> None:
    from api.cli.database import load_demo, sign_ins

    accounts = load_demo(only_if_empty=True)
    if accounts:
        say(sign_ins(accounts))


def _start_worker() -> subprocess.Popen[bytes]:
    environment = {**os.environ, "WANGGE_SERVER_PID": str(os.getpid())}
    # Its own session, so that Ctrl-C in the terminal reaches the server alone, which then stops the worker.
    return subprocess.Popen([sys.executable, "-m", "api.cli", "worker"], env=environment, start_new_session=True)


def _log_to(path: Path, level: str) -> None:
    """One line a request into a file that is rolled over at 10 MB; what went wrong also goes to the terminal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = RotatingFileHandler(path, maxBytes=10_000_000, backupCount=5, encoding="utf-8")
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.WARNING)
    logging.basicConfig(
        level=level.upper(), handlers=[file, terminal], format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )


def _run_web(host: str, port: int) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        """A server that says when it is ready."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            """Start, then print the address."""
            await super().startup(sockets)
            if self.started:
                say(_("Ready: http://{host}:{port}  (Ctrl-C stops)", host=host, port=port))

    configuration = uvicorn.Config(
        "api.app:create_app", factory=True, host=host, port=port, log_config=None, access_log=False,
        timeout_graceful_shutdown=STOP_AFTER_S, server_header=False,
    )  # fmt: skip
    try:
        Server(configuration).run()
    except KeyboardInterrupt:
        say(_("Stopped."))


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_AFTER_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
