"""``wangge serve``: database, web application and background worker in one command; ``wangge worker`` alone."""

from __future__ import annotations

import fcntl
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import copy
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.terminal import ready, say
from data.base import processes
from data.base.errors import Busy
from data.base.language import _

if TYPE_CHECKING:
    from api import supervision

STOP_AFTER_S = 15
#: How many may wait while the web application is started again, and how long a taken port is waited for.
_WAITING, _PREDECESSOR_S = 2048, 3.0


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(serve)
    app.command()(worker)
    app.command(hidden=True)(part)


def serve(
    demo: Annotated[bool, typer.Option(help="Load the demo community when the database is empty.")] = True,
    with_worker: Annotated[bool, typer.Option("--worker/--no-worker", help="Start the background worker too.")] = True,
) -> None:
    """Serve the web application, with its database and background worker, until Ctrl-C; what ends is started again."""
    from api import supervision
    from data import keys
    from data.base import db, settings, takeover
    from data.migrations import migrate

    current = settings.get()
    # Ctrl-C and SIGTERM mean the same from the first moment on, also while the demo is being made.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _listening(current.host, current.port) as listener, _only_server(current.home):
            user = _user()
            with _database() as database:
                takeover.tidy()
                if migrate(db.engine()):
                    say(_("The database has been brought up to date."))
                keys.check(db.engine())
                if demo:
                    _load_demo_once()
                db.engine().dispose()
                if user:
                    processes.hand_over(user)
                _log_to(current.logs / "serve.log", current.log_level)
                listener.listen(_WAITING)
                web = supervision.Process("web", user, str(listener.fileno()), keeps=[listener.fileno()], spare=True)
                parts: list[supervision.Part] = [
                    database,
                    web,
                    *([supervision.Process("worker", user)] if with_worker else []),
                ]
                supervision.Supervisor(parts, current.home / "serving.json").run()
    except KeyboardInterrupt:
        say(_("Stopped."))


def worker() -> None:
    """Work off background jobs (imports, exports) until Ctrl-C, on another machine or beside `serve --no-worker`."""
    from api import supervision
    from data.base import settings

    signal.signal(signal.SIGTERM, _interrupt)
    with ready():
        user = _user()
        if user:
            processes.hand_over(user)
        part = supervision.Process("worker", user)
        try:
            supervision.Supervisor([part], settings.get().home / "working.json").run()
        except KeyboardInterrupt:
            say(_("Stopped."))


def part(name: str, listener: Annotated[int, typer.Argument()] = -1) -> None:
    """Be the part ``name`` of a server that looks after it."""
    processes.call_itself("spare" if name == "web" else name)
    from sqlalchemy.exc import DatabaseError

    from api import supervision
    from data import keys
    from data.base import db, settings

    if name == "web":
        _load_web(listener)
    supervision.wait_for_turn()
    processes.call_itself(name)
    supervision.end_with_supervisor()
    current = settings.get()
    _log_to(current.logs / f"{name}.log", current.log_level)
    with suppress(DatabaseError):  # one that is away is waited for; the server looked at the keys before
        keys.check(db.engine())
    if name == "web":
        _run_web(socket.socket(fileno=listener))
    else:
        from api import worker as background

        background.run()


def _load_web(listener: int) -> None:
    """Load what the web application and its hands need, and then what its first map needs besides."""
    # Loading makes millions of objects that stay: looking for cycles among them takes a sixth of the time.
    gc.disable()
    from api import app, hands, nursery
    from data.base import settings

    assert app
    if settings.get().hands_at_work():
        nursery.open_here(hands.work, listener)
    import folium

    assert folium
    gc.enable()


def _user() -> processes.User | None:
    """Whom the parts run as; who cannot be anybody else goes on as root, and says so."""
    try:
        return processes.service_user()
    except processes.UserUnfit as error:
        say(_("The server runs as root: {reason}", reason=error.detail))
        return None


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket on the address: it outlives the web application, so whoever comes while that is started again waits."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    until = time.monotonic() + _PREDECESSOR_S
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        while True:
            try:
                listener.bind((host, port))
                break
            except OSError as error:
                # One whose server was killed takes a moment to notice.
                if time.monotonic() > until:
                    raise Busy(
                        _("Port {port} of {host} is taken. Set WANGGE_PORT to another one.", port=port, host=host)
                    ) from error
                time.sleep(0.1)
        yield listener


@contextmanager
def _only_server(home: Path) -> Iterator[None]:
    """Refuse to serve the same folder twice."""
    home.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(home / "serve.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(
                _("Another wangge serves {home} already. Set WANGGE_HOME to run several side by side.", home=home)
            ) from error
        yield


@contextmanager
def _database() -> Iterator[supervision.Database]:
    """The database, up as long as the block runs: the private cluster is ours then, whoever started it."""
    from api import supervision
    from data.base import cluster, settings

    if settings.get().database_url:
        yield supervision.Database(None)
        return
    private = cluster.private()
    try:
        if not (private.data / "wangge.ready").exists():
            say(_("Making the database in {home} …", home=private.home))
        private.prepare()
        private.start()
        yield supervision.Database(private)
    finally:
        private.stop()


def _load_demo_once() -> None:
    from api.cli.database import load_demo, sign_ins

    accounts = load_demo(only_if_empty=True)
    if accounts:
        say(sign_ins(accounts))


class _Rolled(RotatingFileHandler):
    """A log that is not led elsewhere by a link, which matters where root writes into a folder of others."""

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        return os.fdopen(os.open(self.baseFilename, flags, 0o640), "a", encoding=self.encoding)


class OneLine(logging.Formatter):
    """One line for one event: what comes from outside can neither begin a line of its own nor move the terminal.

    The lines of a traceback are set in, since an exception says what it was given.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The text of one event."""
        plain = copy(record)
        plain.msg, plain.args = _plain(record.getMessage()), None
        if record.exc_info:
            lines = self.formatException(record.exc_info).split("\n")
            plain.exc_text = "\n".join(f"  {_plain(line)}" for line in lines)
        return super().format(plain)


def _plain(text: str) -> str:
    """``text`` with everything that is no visible character written as an escape.

    >>> _plain("网格 a\\nb\\x1b[31m\\u2028")
    '网格 a\\\\nb\\\\x1b[31m\\\\u2028'
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _log_to(path: Path, level: str) -> None:
    """Into a file that is rolled over at 10 MB; what went wrong also goes to the terminal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = _Rolled(path, maxBytes=10_000_000, backupCount=5, encoding="utf-8")
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.WARNING)
    for handler in (file, terminal):
        handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[file, terminal])


def _run_web(listener: socket.socket) -> None:
    import uvicorn

    from api import connections
    from data.base import settings

    trusted = settings.get().trusted_proxies

    class Server(uvicorn.Server):
        """A server that says when it is ready."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            """Start, then print the address."""
            await super().startup(sockets)
            if self.started:
                host, port = listener.getsockname()[:2]
                say(_("Ready: http://{host}:{port}  (Ctrl-C stops)", host=host, port=port))

    configuration = uvicorn.Config(
        "api.app:create_app",
        factory=True,
        http=connections.Connection,
        ws="none",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=STOP_AFTER_S,
        server_header=False,
        # Whoever may say for whom it asks could be counted as anybody: no one is believed unless the settings say so.
        proxy_headers=bool(trusted),
        forwarded_allow_ips=trusted,
    )
    connections.allow_files()
    Server(configuration).run(sockets=[listener])
