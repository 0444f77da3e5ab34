"""Looking after parts: started again after a growing pause, by a clock that never jumps, and told of."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from api import supervision
from api.supervision import FIRST_S, LIVED_S, LONGEST_S, State, Supervisor
from data.base import processes
from data.base.errors import Busy


class Fake:
    """A part that lives as it is told to."""

    def __init__(self, name: str = "worker") -> None:
        self.name = name
        self.starts: list[float] = []
        self.now = 0.0
        self.gone: str | None = None
        self.refuses = False
        self.stopped = False
        self.stood_by: list[float] = []

    def start(self) -> None:
        """Start, unless it is told to refuse."""
        self.starts.append(self.now)
        if self.refuses:
            raise Busy("No.")
        self.gone = None

    def ended(self) -> str | None:
        """How it ended."""
        return self.gone

    def stand_by(self, now: float) -> None:
        """Remember that a spare was asked for."""
        self.stood_by.append(now)

    def stop(self) -> None:
        """Stop."""
        self.stopped = True


def look(supervisor: Supervisor, part: Fake, until: float, step: float = 0.25) -> None:
    """Let the time pass."""
    while part.now < until:
        part.now += step
        supervisor.look(part.now)


def test_the_pause_grows_while_a_part_does_not_live_and_is_short_again_after_a_life(tmp_path: Path) -> None:
    part = Fake()
    supervisor = Supervisor([part], tmp_path / "serving.json")
    part.refuses = True
    look(supervisor, part, 300)
    pauses = [round(after - before, 1) for before, after in zip(part.starts, part.starts[1:], strict=False)]
    assert pauses[:6] == [FIRST_S, 1, 2, 4, 8, 16]
    assert set(pauses[6:]) == {LONGEST_S}

    part.refuses = False
    while part.starts[-1] < 300:
        look(supervisor, part, part.now + 0.25)
    part.gone = "killed"
    look(supervisor, part, part.now + LONGEST_S - 1)
    assert part.gone, "it had not lived"
    look(supervisor, part, part.now + 1 + 2 * LIVED_S)
    assert part.gone is None
    died = part.now
    part.gone = "killed"
    look(supervisor, part, died + 2)
    assert part.starts[-1] - died <= FIRST_S + 0.5


def test_a_part_is_given_a_spare_once_it_has_lived_for_a_while(tmp_path: Path) -> None:
    part = Fake()
    supervisor = Supervisor([part], tmp_path / "serving.json")
    look(supervisor, part, LIVED_S)
    assert not part.stood_by
    look(supervisor, part, LIVED_S + 1)
    assert part.stood_by


class Told:
    """A process in place of ours, which says on its output when it was told to begin."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        code = f"""if True:
            import os, time
            if os.read(0, 1):
                with open({str(path)!r}, "a") as file:
                    print(os.getpid(), file=file, flush=True)
                time.sleep(600)
        """
        monkeypatch.setattr(processes, "python", lambda *_arguments: [sys.executable, "-I", "-c", code])

    def wait(self, count: int) -> list[int]:
        """The processes that have begun, once there are so many."""
        while not self.path.exists() or self.path.read_text().count("\n") < count:
            time.sleep(0.01)
        return [int(line) for line in self.path.read_text().split()]


def spares(of: supervision.Process) -> list[int]:
    """The children of this process that wait."""
    return [of._spare._process.pid] if of._spare else []


def test_a_spare_waits_until_it_is_needed_and_begins_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path / "begun", monkeypatch)
    part = supervision.Process("web", None, spare=True)
    part.start()
    try:
        (first,) = told.wait(1)
        part.stand_by(0.0)
        (spare,) = spares(part)
        part.stand_by(0.0)
        assert spares(part) == [spare], "one is enough"
        os.kill(first, signal.SIGKILL)
        while (how := part.ended()) is None:
            time.sleep(0.01)
        assert "9" in how
        part.start()
        assert told.wait(2) == [first, spare]
    finally:
        part.stop()
    assert not Path(f"/proc/{spare}").exists()


def test_a_spare_that_ends_by_itself_is_made_again_after_a_pause_and_never_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(tmp_path / "begun", monkeypatch)
    part = supervision.Process("web", None, spare=True)
    part.start()
    try:
        (first,) = told.wait(1)
        part.stand_by(0.0)
        (spare,) = spares(part)
        os.kill(spare, signal.SIGKILL)
        while spares(part):
            part.stand_by(1.0)
        part.stand_by(LONGEST_S - 1)
        assert not spares(part)
        part.stand_by(LONGEST_S)
        (other,) = spares(part)
        os.kill(other, signal.SIGKILL)
        os.kill(first, signal.SIGKILL)
        while part.ended() is None:
            time.sleep(0.01)
        while Path(f"/proc/{other}/stat").read_text().split()[2] != "Z":
            time.sleep(0.01)
        part.start()
        assert set(told.wait(2)) & {spare, other} == set()
    finally:
        part.stop()


def test_one_part_that_cannot_be_started_keeps_no_other_from_it(tmp_path: Path) -> None:
    broken, good = Fake("database"), Fake("web")
    broken.refuses = True
    supervisor = Supervisor([broken, good], tmp_path / "serving.json")
    supervisor.look(0.0)
    told = json.loads((tmp_path / "serving.json").read_text())
    assert [told["database"]["up"], told["web"]["up"]] == [False, True]
    assert "No." in told["database"]["last"]


def test_how_the_parts_are_is_told_until_they_are_stopped_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [Fake("database"), Fake("worker")]
    supervisor = Supervisor(parts, tmp_path / "serving.json")
    order: list[str] = []

    def interrupted(_seconds: float) -> None:
        told = json.loads((tmp_path / "serving.json").read_text())
        assert all(state["up"] for state in told.values())
        raise KeyboardInterrupt

    for part in parts:
        monkeypatch.setattr(part, "stop", lambda name=part.name: order.append(name))
    monkeypatch.setattr(supervision.time, "sleep", interrupted)
    monkeypatch.setattr(supervision.signal, "signal", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        supervisor.run()
    assert order == ["worker", "database"]
    assert not (tmp_path / "serving.json").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"worker": 1}', '{"worker": {"other": 1}}'])
def test_what_cannot_be_read_tells_nothing(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "serving.json").write_text(text)
    monkeypatch.setattr(supervision.settings, "get", lambda: type("Settings", (), {"home": tmp_path})())
    assert supervision.states() == {}


def test_a_link_where_the_states_go_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    for name in ("serving.json", "serving.json.draft"):
        (tmp_path / name).symlink_to(victim)
    supervision.write(tmp_path / "serving.json", {"web": State(up=True)})
    assert victim.read_text() == "kept"
    assert json.loads((tmp_path / "serving.json").read_text())["web"]["up"]
