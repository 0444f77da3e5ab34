"""A running installation to be killed and attacked, and writers whose every acknowledged word is kept and counted."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import peers
import psycopg

from data.base import processes
from data.base.cluster import Cluster
from data.demo.plan import COMMUNITY as COMMUNITY

sys.path.insert(0, str(peers.ROOT))
from tests.furnished import PASSWORD, furnish

#: How long it is waited for at all.
PATIENCE_S = 180.0


def say(line: str) -> None:
    """One line of progress."""
    print(line, file=sys.stderr, flush=True)


class Installation:
    """A ``wangge serve`` with the demo in a folder of its own."""

    def __init__(self, home: Path) -> None:
        furnish(home)
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        own = {name: value for name, value in os.environ.items() if not name.startswith("WANGGE_")}
        self.environment = own | {
            "WANGGE_HOME": str(home),
            "WANGGE_PORT": str(self.port),
            "WANGGE_DEMO_PASSWORD": PASSWORD,
            "WANGGE_LANGUAGE": "en",
            "WANGGE_BACKUP_PASSPHRASE": PASSWORD,
        }

    def command(self, *arguments: str) -> list[str]:
        """A command of ours."""
        return processes.python("-m", "api.cli", *arguments)

    @contextmanager
    def served(self) -> Iterator[None]:
        """Serve as long as the block runs."""
        with (self.home / "said.log").open("wb") as said:
            self.process = subprocess.Popen(self.command("serve"), env=self.environment, stdout=said, stderr=said)
        try:
            self.wait(lambda: httpx.get(f"{self.address}/readyz", timeout=5).status_code == 200, 600)
            yield
        finally:
            self.process.terminate()
            self.process.wait(120)
            Cluster(self.home).stop()

    def wait(self, good: Any, seconds: float = PATIENCE_S) -> float:
        """Wait until something is so; returns after how long it was."""
        started = time.monotonic()
        while time.monotonic() < started + seconds:
            with suppress(httpx.HTTPError, psycopg.Error, OSError):
                if good():
                    return time.monotonic() - started
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended: {(self.home / 'said.log').read_text()[-2000:]}")
            time.sleep(0.05)
        raise SystemExit(f"not within {seconds:.0f} s: {(self.home / 'logs' / 'serve.log').read_text()[-2000:]}")

    def sign_in(self) -> httpx.Client:
        """Somebody of the staff."""
        client = httpx.Client(base_url=self.address, timeout=60)
        answer = client.post("/api/signin", json={"username": "staff", "password": PASSWORD})
        client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        return client

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """What the database says."""
        with psycopg.connect(Cluster(self.home).dsn()) as connection:
            return connection.execute(query).fetchall()

    def processes(self, victim: str) -> list[int]:
        """The processes of a kind."""
        if victim == "postmaster":
            return [int((self.home / "pg" / "postmaster.pid").read_text().split()[0])]
        if victim == "backend":
            return [
                pid
                for (pid,) in self.ask(
                    "SELECT pid FROM pg_stat_activity WHERE usename = 'wangge' AND pid <> pg_backend_pid()"
                )
            ]
        name = {"server": "web"}.get(victim, victim)
        return [pid for pid, called in descendants(self.process.pid) if called == f"wangge {name}"]


def descendants(pid: int) -> Iterator[tuple[int, str]]:
    """What a process has started, and so on, with what each calls itself."""
    for child, _words in children(pid):
        with suppress(OSError):
            yield child, Path(f"/proc/{child}/comm").read_text().strip()
            yield from descendants(child)


def children(pid: int) -> list[tuple[int, list[bytes]]]:
    """The children of a process, whichever of its threads started them, with the words of their commands."""
    started = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            started += thread.read_text().split()
    found = []
    for child in started:
        with suppress(OSError):
            found.append((int(child), Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")))
    return found


class Writers:
    """Report cases until told to stop; whatever is not acknowledged is tried again as a new one."""

    def __init__(self, installation: Installation, count: int, pause_s: float = 0.0) -> None:
        self.acknowledged: dict[int, float] = {}
        self.answers: Counter[str] = Counter()
        self.stop = threading.Event()
        self._pause_s = pause_s
        with closing(installation.sign_in()) as client:
            me = client.get("/api/me").json()
            self._community = me["permissions"]["incident.report"]["communities"][0]
            self._headers = dict(client.headers) | {
                "cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())
            }
        self._address = installation.address
        self._threads = [threading.Thread(target=self._write, daemon=True) for _number in range(count)]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(90)

    def _write(self) -> None:
        report = {
            "community_id": self._community,
            "category_code": "facility.corridor_light",
            "description": "二层廊灯不亮",
        }
        while not self.stop.is_set():
            with (
                suppress(httpx.HTTPError),
                httpx.Client(base_url=self._address, headers=self._headers, timeout=60) as client,
            ):
                while not self.stop.is_set():
                    began = time.monotonic()
                    answer = client.post("/api/incidents", json=report)
                    self.answers[str(answer.status_code)] += 1
                    if answer.status_code != 201:
                        time.sleep(0.2)
                        continue
                    self.acknowledged[answer.json()["id"]] = began
                    self.stop.wait(self._pause_s)
                continue
            self.answers["cut off"] += 1
            time.sleep(0.1)

    def since(self, instant: float) -> bool:
        """Whether a case that was sent after ``instant`` was acknowledged."""
        return any(began > instant for began in list(self.acknowledged.values())[-200:])
