"""``wangge serve`` as an operator has it.

It starts, says how to sign in, serves one folder once, stops cleanly, and loses nothing when it is killed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from data.base.cluster import Cluster

PASSWORD = "open sesame, please"
START_S = 600
ROUNDS = 3


class Server:
    """One ``wangge serve`` on a folder and a port of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        """What the server is told."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("WANGGE_")}
        return own | {
            "WANGGE_HOME": str(self.home),
            "WANGGE_PORT": str(self.port),
            "WANGGE_DEMO_PASSWORD": PASSWORD,
            "WANGGE_LANGUAGE": "en",
        }

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.home / "said.log").open("ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", "serve"], env=self.environment(), stdout=said, stderr=said
            )
        until = time.monotonic() + START_S
        while True:
            assert self.process.poll() is None, self.said()
            try:
                httpx.get(f"{self.address}/api/openapi.json", timeout=5)
                return
            except httpx.TransportError:
                assert time.monotonic() < until, self.said()
                time.sleep(0.05)

    def said(self) -> str:
        """Everything it has printed."""
        return (self.home / "said.log").read_text()

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Stop it by a signal; its exit code."""
        assert self.process is not None
        self.process.send_signal(by)
        return self.process.wait(600)

    def sign_in(self, name: str = "staff") -> httpx.Client:
        """Somebody who is signed in."""
        client = httpx.Client(base_url=self.address, timeout=30)
        answer = client.post("/api/signin", json={"username": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        return client


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with the demo community, up at the start of each test."""
    home = Path(tempfile.mkdtemp(prefix="wangge-"))
    home.chmod(0o755)
    server = Server(home)
    server.start()
    yield server
    if server.process and server.process.poll() is None:
        server.stop()
    Cluster(home).stop()
    shutil.rmtree(home, ignore_errors=True)


def test_it_prints_its_address_and_the_demo_sign_ins(server: Server) -> None:
    assert server.address in server.said()
    assert PASSWORD in server.said()
    assert re.search(r"^\s+leader\s+Grid leader", server.said(), re.MULTILINE)


def test_a_second_server_on_the_same_folder_is_refused_with_a_sentence(server: Server) -> None:
    other = Server(server.home)
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "serve"],
        env=other.environment(), capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Another wangge serves" in done.stderr


def test_a_taken_port_is_refused_with_a_sentence(server: Server) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "serve"],
        env=server.environment(), capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"Port {server.port}" in done.stderr


def test_a_folder_that_cannot_be_made_is_refused_with_a_sentence(server: Server) -> None:
    other = Server(server.home / "said.log" / "below a file")
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "serve"],
        env=other.environment(), capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"{other.home}: Not a directory" in done.stderr
    assert "WANGGE_HOME" in done.stderr


def test_a_worker_whose_server_was_killed_meanwhile_leaves_the_database_alone(server: Server) -> None:
    other = Server(server.home / "another")
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "worker"],
        env=other.environment() | {"WANGGE_SERVER_PID": "1"}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert not (other.home / "pg").exists()


def test_killed_at_any_moment_it_keeps_every_incident_it_acknowledged(server: Server) -> None:
    acknowledged: set[int] = set()
    for round_ in range(ROUNDS):
        with closing(server.sign_in()) as client:
            me = client.get("/api/me").json()
            community = me["permissions"]["incident.report"]["communities"][0]
            report = {"community_id": community, "category_code": "facility.corridor_light", "description": "灯不亮"}
            until, before = time.monotonic() + 0.5 + 0.2 * round_, len(acknowledged)
            while time.monotonic() < until or len(acknowledged) < before + 2:
                answer = client.post("/api/incidents", json=report)
                assert answer.status_code == 201, answer.text
                acknowledged.add(answer.json()["id"])
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        server.start()
        with closing(server.sign_in()) as client:
            found = {number for number in acknowledged if client.get(f"/api/incidents/{number}").status_code == 200}
        assert found == acknowledged


def test_sigterm_stops_server_worker_and_cluster(server: Server) -> None:
    assert server.stop() == 0
    assert not (server.home / "pg" / "postmaster.pid").exists()
    marker = f"WANGGE_HOME={server.home}".encode()
    left = [
        process.name
        for process in Path("/proc").glob("[0-9]*")
        if process.name != str(os.getpid()) and marker in _environment_of(process)
    ]
    assert left == []


def _environment_of(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""
