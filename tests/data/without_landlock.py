"""Plays a machine whose kernel has no Landlock, and reads every hostile file there: run by a test as a program.

The calls of Landlock are answered as an older kernel does, for this process and all that it starts, so nothing of the
program is told to behave otherwise. Prints JSON: what stands around the reader, what was possible, and what got out.
"""

from __future__ import annotations

import ctypes
import json
import struct
import sys
from pathlib import Path

from data.base.errors import Invalid
from data.files import confined
from data.files.confined import walls
from data.files.reading import open_source
from tests.data import hostile


def take_landlock_away() -> None:
    """Let 444, 445 and 446 be calls that the kernel does not have."""
    load, at_least, equal_or_more, answer = walls._LOAD, 444, 447, walls._RETURN
    steps = [
        (load, 0, 0, 0),
        (walls._MORE_OR_EQUAL, 0, 2, at_least),
        (walls._MORE_OR_EQUAL, 1, 0, equal_or_more),
        (answer, 0, 0, walls._ENOSYS),
        (answer, 0, 0, walls._ALLOW),
    ]
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    program = walls._Program(len(steps), code)
    walls._checked(walls._libc.prctl(walls._PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    walls._checked(walls._libc.prctl(walls._PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0), "seccomp")


def main() -> None:
    """Attack."""
    folder, address = Path(sys.argv[1]), sys.argv[2]
    take_landlock_away()
    secret = folder / "server" / "secret.csv"
    secret.parent.mkdir()
    secret.write_text(f"name,value\n{hostile.CANARY},1\nother,2\n")
    beside = Path(__file__)
    tried = confined.trial([secret, beside, Path("/etc/passwd"), Path("/etc/hostname")])
    out, read = [], 0
    for number, (name, make) in enumerate(hostile.all_of_them().items()):
        room = folder / str(number)
        room.mkdir()
        try:
            source = open_source(make(room, secret, address))
            said = source.frame.to_csv() + str(source.notes) + str([dict(one.values) for one in source.rejects])
            read += 1
        except Invalid as refusal:
            said = f"{refusal.detail} {refusal.facts}"
        if hostile.CANARY in said:
            out.append(name)
    print(json.dumps({"tried": tried, "out": out, "read": read, "landlock": walls.landlock_version()}))


if __name__ == "__main__":
    main()
