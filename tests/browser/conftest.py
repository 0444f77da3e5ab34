"""A real server with the demo community, and a real Chromium in front of it.

The server is ``wangge serve`` in a throw-away home, started once a run and shared by its workers. A page fails its test
by an error on the console, an exception in a script, or an answer that nobody expected.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.browser.stage import DESKTOP, PHONE, Watched
from tests.furnished import PASSWORD, furnish

ROOT = Path(__file__).resolve().parents[2]
STARTS_WITHIN_S = 600
WAITS_MS = 20_000
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]


expect.set_options(timeout=WAITS_MS)


@dataclass(frozen=True)
class Server:
    """A running server."""

    address: str
    home: str
    pid: int

    @property
    def log(self) -> str:
        """What the server has said so far."""
        return (Path(self.home).parent / "log").read_text()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of this run."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))[:8]
    home = Path(tempfile.gettempdir()) / f"wangge-browser-{run}"
    home.mkdir(mode=0o755, exist_ok=True)
    told, users = home / "server.json", home / "users"
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            told.write_text(json.dumps(_start(home)))
        users.write_text(str(int(users.read_text()) + 1 if users.exists() else 1))
        found = Server(**json.loads(told.read_text()))
    yield found
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        left = int(users.read_text()) - 1
        users.write_text(str(left))
        if left == 0:
            _stop(found.pid)
            shutil.rmtree(home, ignore_errors=True)


def _start(home: Path) -> dict[str, Any]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    furnish(home / "home")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANGGE_")}
    environment |= {"WANGGE_HOME": str(home / "home"), "WANGGE_PORT": str(port), "WANGGE_DEMO_PASSWORD": PASSWORD}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", "serve"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + STARTS_WITHIN_S
    while not _answers(address):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"the server did not start:\n{(home / 'log').read_text()[-3000:]}")
        time.sleep(0.1)
    process.returncode = 0  # it is stopped by its id, perhaps by another worker
    return {"address": address, "home": str(home / "home"), "pid": process.pid}


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/signin", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _stop(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
        for _ in range(300):
            os.kill(pid, 0)
            if _is_over(pid):
                return
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _is_over(pid: int) -> bool:
    """Whether our child has ended; of another worker's child the signal tells."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's own Chromium. It goes with its module: while it runs, no other event loop can."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert path, "there is no Chromium on this machine: script/bootstrap test installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser, server: Server) -> Iterator[Callable[..., Watched]]:
    """Opens pages: ``opened(size, language)``. Each is in a browser session of its own and is watched."""
    contexts: list[BrowserContext] = []
    pages: list[Watched] = []

    def open_page(size: tuple[int, int] = DESKTOP, language: str = "en") -> Watched:
        context = browser.new_context(
            base_url=server.address,
            viewport={"width": size[0], "height": size[1]},
            reduced_motion="reduce",
            is_mobile=size == PHONE,
            has_touch=size == PHONE,
            locale="zh-CN" if language == "zh" else "en-GB",
        )
        context.set_default_timeout(WAITS_MS)
        context.add_cookies([{"name": "wangge_language", "value": language, "url": server.address}])
        contexts.append(context)
        watched = Watched(context.new_page())
        watched.watch()
        pages.append(watched)
        return watched

    yield open_page
    faults = [fault for watched in pages for fault in watched.faults]
    for context in contexts:
        context.close()
    assert faults == [], f"the server's last words:\n{server.log[-2000:]}"


#: By server and account: a test that is tried again as the last one finds another server.
_cookies: dict[tuple[int, str], list[Any]] = {}


@pytest.fixture
def signed_in(opened: Callable[..., Watched], server: Server) -> Callable[..., Watched]:
    """Opens pages of somebody who has signed in: ``signed_in("staff", size, language)``."""

    def open_page(name: str = "staff", size: tuple[int, int] = DESKTOP, language: str = "en") -> Watched:
        watched = opened(size, language)
        context = watched.page.context
        if (server.pid, name) not in _cookies:
            answer = context.request.post(
                "/signin", form={"name": name, "password": PASSWORD, "next": "/me"}, max_redirects=0
            )
            assert answer.status == 303, answer.text()
            _cookies[server.pid, name] = [one for one in context.cookies() if one["name"].startswith("wangge_session")]
        context.add_cookies(_cookies[server.pid, name])
        return watched

    return open_page
