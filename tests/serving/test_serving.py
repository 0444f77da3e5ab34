"""``wangge serve`` as an operator has it.

It starts, says how to sign in, serves one folder once, stops cleanly, and loses nothing when it is killed.
"""

from __future__ import annotations

import json
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
from typing import Any

import httpx
import pytest

from data.base import processes
from data.base.cluster import Cluster
from tests.furnished import PASSWORD

START_S = 600
ROUNDS = 3
#: What the web application says once it answers.
READY = "Ready: http://"


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
        """Start it, and wait until it says so and answers: one whose server was killed answers on for a moment."""
        log = self.home / "said.log"
        before = log.read_text().count(READY) if log.exists() else 0
        with log.open("ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", "serve"], env=self.environment(), stdout=said, stderr=said
            )
        until = time.monotonic() + START_S
        while True:
            assert self.process.poll() is None, self.said()
            if self.said().count(READY) > before:
                assert httpx.get(f"{self.address}/healthz", timeout=START_S).status_code == 200
                return
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
        client = httpx.Client(base_url=self.address, timeout=START_S)
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
        env=other.environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 2
    assert "Another wangge serves" in done.stderr


def test_a_taken_port_is_refused_with_a_sentence(server: Server) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "serve"],
        env=server.environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 2
    assert f"Port {server.port}" in done.stderr


def test_a_folder_that_cannot_be_made_is_refused_with_a_sentence(server: Server) -> None:
    other = Server(server.home / "said.log" / "below a file")
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "serve"],
        env=other.environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 2
    assert f"{other.home}: Not a directory" in done.stderr
    assert "WANGGE_HOME" in done.stderr


@pytest.mark.parametrize("part", ["worker", "web"])
def test_a_part_whose_server_was_killed_meanwhile_ends_and_leaves_the_database_alone(server: Server, part: str) -> None:
    other = Server(server.home / "another")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = subprocess.run(
            [sys.executable, "-m", "api.cli", "part", part, str(listener.fileno())],
            pass_fds=[listener.fileno()],
            env=other.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=600,
            check=False,
        )
    assert done.returncode in (0, -signal.SIGTERM), done.stderr
    assert not (other.home / "pg").exists()


def parts_of(server: Server) -> dict[str, int]:
    """The processes of a server's parts: its children by what they call themselves, and the cluster's first one."""
    assert server.process is not None
    pids = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    found: dict[str, int] = {}
    for pid in pids:
        called = Path(f"/proc/{pid}/comm").read_text().strip()
        if called.startswith("wangge "):
            found[called.removeprefix("wangge ")] = int(pid)
        else:  # it has only just begun
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            found.setdefault(words[words.index(b"part") + 1].decode(), int(pid))
    return found | {"database": int((server.home / "pg" / "postmaster.pid").read_text().split()[0])}


def told(server: Server) -> dict[str, dict[str, object]]:
    """What the server tells of its parts."""
    states: dict[str, dict[str, object]] = json.loads((server.home / "serving.json").read_text())
    return states


@pytest.mark.parametrize("part", ["worker", "web", "database"])
def test_a_part_that_is_killed_is_started_again_and_that_is_told(server: Server, part: str) -> None:
    before, restarts = parts_of(server), told(server)[part]["restarts"]
    os.kill(before[part], signal.SIGKILL)
    until = time.monotonic() + START_S
    with httpx.Client(base_url=server.address, timeout=START_S) as client:
        while told(server)[part]["restarts"] == restarts or client.get("/readyz").json() != {
            "ready": True,
            "parts": {"database": "up", "web": "up", "worker": "up"},
        }:
            assert time.monotonic() < until, server.said()
            time.sleep(0.05)
        assert client.get("/healthz").status_code == 200
    assert parts_of(server)[part] != before[part]
    assert "is up again" in (server.home / "logs" / "serve.log").read_text()
    found = {finding["check"]: finding for finding in doctor(server)["findings"]}
    name = {"worker": "background worker", "web": "web application", "database": "database server"}[part]
    assert found[name]["good"]
    assert "started again" in found[name]["found"]
    assert "signal 9" in found[name]["found"] or part == "database"


def doctor(server: Server) -> dict[str, Any]:
    """What ``wangge doctor`` finds."""
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "doctor", "--json"],
        env=server.environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    findings: dict[str, Any] = json.loads(done.stdout)
    assert findings["good"] == (done.returncode == 0)
    return findings


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_started_by_root_nothing_that_people_talk_to_is_root(server: Server) -> None:
    with closing(server.sign_in()) as client:
        client.get("/map")
    user = processes.known_user()
    assert user is not None
    marker = f"WANGGE_HOME={server.home}".encode()
    owners = {
        process.name: process.stat().st_uid
        for process in Path("/proc").glob("[0-9]*")
        if marker in _environment_of(process) and b"api." in (process / "cmdline").read_bytes()
    }
    assert server.process is not None
    assert owners.pop(str(server.process.pid)) == 0
    assert len(owners) >= 3, "web application, its hands, worker"
    assert set(owners.values()) == {user.uid}
    keys = (server.home / "keys.json").stat()
    assert (keys.st_uid, keys.st_mode & 0o777) == (user.uid, 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_what_a_command_of_root_leaves_is_handed_over(server: Server) -> None:
    left = server.home / "uploads" / "left"
    left.parent.mkdir(exist_ok=True)
    left.write_text("a file of root's")
    outside = server.home.parent / f"{server.home.name}-outside"
    outside.write_text("a file that the service has linked")
    os.link(outside, left.with_name("linked"))
    left.with_name("elsewhere").symlink_to(outside)
    doctor(server)
    user = processes.known_user()
    assert user is not None
    assert (left.stat().st_uid, left.parent.stat().st_uid) == (user.uid, user.uid)
    assert outside.stat().st_uid == 0
    assert (server.home / "pg").stat().st_uid not in (0, user.uid)
    for one in ("linked", "elsewhere", "left"):
        left.with_name(one).unlink()
    outside.unlink()


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


def test_sigterm_while_it_starts_leaves_no_cluster_behind(server: Server) -> None:
    pid_file = server.home / "pg" / "postmaster.pid"
    server.process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "serve"], env=server.environment(), stdout=subprocess.DEVNULL
    )
    until = time.monotonic() + START_S
    while not pid_file.exists():
        assert server.process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    assert server.stop() == 0
    assert not pid_file.exists()


def test_the_doctor_says_what_is_down_and_starts_nothing_for_it(server: Server) -> None:
    findings = doctor(server)
    assert not findings["good"]
    found = {finding["check"]: finding for finding in findings["findings"]}
    assert found["server"]["found"] == "not running"
    assert (found["database"]["good"], found["database"]["found"]) == (False, "not running")
    assert "wangge serve" in found["database"]["mend"]
    assert not (server.home / "pg" / "postmaster.pid").exists()
