"""The reader itself: loads what reads files, opens none, and forks for each room it is given.

Started by ``confined.start`` with an empty environment, and told who to be if root starts it; nothing else runs it. A
fork puts up the walls before it looks at the first byte, does what the request in its room says, writes the parcel into
the room and ends.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from data.base import language, surfaces
from data.base.errors import WanggeError
from data.files import drivers
from data.files.confined import parcel, walls

_SCRATCH_BYTES = 4 << 30
_GRACE_S = 5


def main() -> None:
    """Serve rooms until whoever started this goes away."""
    line = socket.socket(fileno=int(sys.argv[1]))
    walls.stand_alone()
    _load()
    serving = _Serving(line)
    while serving.goes_on():
        pass
    os._exit(0)


def _load() -> None:
    """Load whatever reads files, so that a fork has it."""
    import geopandas
    import openpyxl
    import pandas
    import pyarrow.csv
    import pyarrow.parquet
    import pyogrio.raw
    import pyproj
    import python_calamine
    import shapely
    from PIL import Image, ImageOps, WebPImagePlugin

    import data.files.pictures
    import data.files.reading

    libraries = (geopandas, openpyxl, pandas, pyarrow, pyogrio, python_calamine, ImageOps, WebPImagePlugin)
    assert all((*libraries, data.files.pictures, data.files.reading))
    Image.preinit()
    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    drivers.forget_others()
    for spoken in language.LANGUAGES:
        language.catalog(spoken)
    language.singulars()
    # What is made only when it is first used is made here, once: the frame of one place and its system.
    frame = geopandas.GeoDataFrame({"a": ["a"], "b": [1]}, geometry=[shapely.Point(0, 0)], crs="EPSG:4326")
    pyproj.CRS("EPSG:4326").to_epsg(min_confidence=70)
    frame.to_csv(os.devnull)
    gc.freeze()


class _Serving:
    """The rooms that are being read: for each its process, and the line to whoever waits for it."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._watch = selectors.DefaultSelector()
        self._watch.register(line, selectors.EVENT_READ)
        self._lines: dict[int, socket.socket] = {}  # by process
        self._ends: dict[int, int] = {}  # process → what tells that it ended

    def goes_on(self) -> bool:
        """Do what is to do next; False when nobody is there any more."""
        for key, _events in self._watch.select():
            if key.fileobj is self._line:
                if not self._begin():
                    return False
            elif key.data[0] == "gone":
                # Whoever waited went away: nobody wants it.
                self._watch.unregister(key.fileobj)
                os.kill(key.data[1], signal.SIGKILL)
            else:
                self._end(key.data[1])
        return True

    def _begin(self) -> bool:
        room, descriptors, _flags, _address = socket.recv_fds(self._line, 4096, 1)
        if not room or not descriptors:
            return False
        line = socket.socket(fileno=descriptors[0])
        process = os.fork()
        if process == 0:
            self._leave()
            line.close()
            _read(Path(room.decode()))
        end = os.pidfd_open(process)
        self._lines[process], self._ends[process] = line, end
        self._watch.register(line, selectors.EVENT_READ, ("gone", process))
        self._watch.register(end, selectors.EVENT_READ, ("ended", process))
        return True

    def _leave(self) -> None:
        """Let go of everything that a fork has of the reader."""
        self._watch.close()
        self._line.close()
        for line in self._lines.values():
            line.close()
        for end in self._ends.values():
            os.close(end)

    def _end(self, process: int) -> None:
        _process, status, usage = os.wait4(process, 0)
        line, end = self._lines.pop(process), self._ends.pop(process)
        self._watch.unregister(end)
        os.close(end)
        if line in {key.fileobj for key in self._watch.get_map().values()}:
            self._watch.unregister(line)
            told = {"code": os.waitstatus_to_exitcode(status), "memory_bytes": usage.ru_maxrss << 10}
            with suppress(OSError):
                line.send(json.dumps(told).encode())
        line.close()


def _read(room: Path) -> None:
    """Read one room; never returns."""
    code = 1
    try:
        reads = walls.readable()
        request = json.loads((room / "request.json").read_text())
        walls.limit(
            memory_bytes=request["memory_bytes"], seconds=request["seconds"] + _GRACE_S, file_bytes=_SCRATCH_BYTES
        )
        os.nice(5)
        if who := [int(number) for number in sys.argv[2:4]]:
            walls.become(who[0], who[1], reads)
        walls.stand_alone()
        os.chdir(room / "work")
        tempfile.tempdir = str(room / "work")
        os.environ |= {"TMPDIR": tempfile.tempdir, "SQLITE_TMPDIR": tempfile.tempdir, "CPL_TMPDIR": tempfile.tempdir}
        walls.confine(reads, room)
        language.use(request["language"])
        with surfaces.using(surfaces.Surface(request["surface"])):
            answer = _answer(request["task"], room, request["arguments"])
        code = _hand_back(room / "result", answer, request["output_bytes"])
    finally:
        os._exit(code)


def _answer(task: str, room: Path, arguments: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {"value": _task(task)(room, arguments)}
    except WanggeError as refusal:
        return {"refused": type(refusal).__name__, "detail": refusal.detail, "facts": refusal.facts}
    except MemoryError:
        return {"refused": "memory"}
    except Exception as error:  # what broke is the file, or us: whoever asked has to know that, and nothing else
        last = traceback.extract_tb(error.__traceback__)[-1]
        return {
            "refused": "broken",
            "detail": f"{type(error).__name__} in {last.name}, {Path(last.filename).name}:{last.lineno}",
        }


def _hand_back(result: Path, answer: dict[str, Any], most_bytes: int) -> int:
    walls.limit_files(most_bytes + (1 << 20))
    for _attempt in range(2):
        try:
            parcel.write(result, answer, most_bytes)
            return 0
        except parcel.TooLarge:
            answer = {"refused": "output"}
        except MemoryError:
            answer = {"refused": "memory"}
    return 1


def _task(name: str) -> Callable[[Path, Mapping[str, Any]], Any]:
    """The function of ours that was asked for: ``data.files.reading:read_room``."""
    module, function = name.split(":")
    task: Callable[[Path, Mapping[str, Any]], Any] = getattr(importlib.import_module(module), function)
    return task


if __name__ == "__main__":
    main()
