"""Where hands come from: a fork of the web application of before it began, which has loaded all that a hand needs.

Loading takes seconds; a fork begins at once, and shares what was loaded with the others. So the web application forks
this once, while it has neither threads of its own nor connections, keys or an open log. It does nothing but fork again,
a hand for each socket that it is handed, and ends with the web application. Without it hands load for themselves.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from data.base import processes

#: What a hand does: with its socket, the name of whose hand it is, and the modules it will be asked of.
Work = Callable[[socket.socket, str, Sequence[str]], None]
_ANSWERS_WITHIN_S = 5.0
_MOST_BYTES = 4096
_lock = threading.Lock()
_lines: list[socket.socket] = []


def open_here(work: Work, *foreign: int) -> None:
    """Fork the nursery of this process, which must have no threads yet; it lets go of ``foreign`` descriptors.

    Its hands are ``work(socket, name, modules)``.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        for descriptor in foreign:
            os.close(descriptor)
        _serve(theirs, work)
    theirs.close()
    ours.settimeout(_ANSWERS_WITHIN_S)
    _lines.append(ours)


def ask(end: socket.socket, name: str, modules: Sequence[str]) -> int:
    """A hand at the other end of a socket, as a descriptor of its process.

    Raises
    ------
    OSError
        There is no nursery, or it does not answer.
    """
    with _lock:
        if not _lines:
            raise FileNotFoundError("no nursery")
        try:
            socket.send_fds(_lines[0], [json.dumps([name, *modules]).encode()], [end.fileno()])
            _said, descriptors, _flags, _address = socket.recv_fds(_lines[0], _MOST_BYTES, 1)
            return descriptors[0]
        except (OSError, IndexError) as error:
            # What it would say later belonged to nobody.
            _lines.pop().close()
            raise ConnectionError("the nursery is gone") from error


def _serve(line: socket.socket, work: Work) -> None:
    """Fork until nobody is there to ask; never returns."""
    code = 1
    try:
        processes.call_itself("nursery")
        # The leash is not ours: who holds it must see the web application alone let it go.
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for its children
        while True:
            said, descriptors, _flags, _address = socket.recv_fds(line, _MOST_BYTES, 1)
            if not said:
                break
            end = socket.socket(fileno=descriptors[0])
            name, *modules = json.loads(said)
            if (hand := os.fork()) == 0:
                line.close()
                _be_a_hand(work, end, name, modules)
            end.close()
            with suppress(OSError):  # it has ended already, or nobody is there
                process = os.pidfd_open(hand)
                socket.send_fds(line, [b"born"], [process])
                os.close(process)
        code = 0
    finally:
        os._exit(code)


def _be_a_hand(work: Work, end: socket.socket, name: str, modules: Sequence[str]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        work(end, name, modules)
    except Exception:
        traceback.print_exc()
    os._exit(0)
