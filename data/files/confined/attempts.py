"""Tries from inside what the walls around a reader must hold back."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def trial(_room: Path, arguments: Mapping[str, Any]) -> Any:
    """What is possible behind the walls that must not be."""
    read = []
    for path in arguments["paths"]:
        with suppress(OSError), Path(path).open("rb") as file:
            file.read(1)
            read.append(path)
    return {
        "read": read,
        "network": _can(_connect),
        "programs": _can(_program),
        "user": os.geteuid(),
        "environment": sorted(os.environ),
    }


def _can(attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def _connect() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("127.0.0.1", 9))


def _program() -> None:
    if (child := os.fork()) == 0:
        os._exit(0)
    os.waitpid(child, 0)
