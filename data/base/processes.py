"""Processes of our own: how Python is started, and as whom.

Python puts the current folder, ``PYTHONPATH`` and the user's own packages before ours, so what lies there would run in
our name. Everything we start is therefore isolated (``python -I``); the project is found by its ``.pth`` file.

Started by root, nothing that people talk to stays root: web application, hands and worker run as ``WANGGE_USER``, the
private cluster as ``postgres``. Root keeps only the one process that starts them (``api.supervision``). In the home::

    home       root, writable for the service, sticky: it cannot replace what belongs to others
    pg, run    postgres; the socket's folder lets the service in, and nobody else
    logs       postgres, writable for the service, sticky
    the rest   the service; the key file readable by it alone

What a command of root's leaves in a home that was handed over is handed over when it ends.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data.base import settings
from data.base.errors import WanggeError
from data.base.language import _

#: What belongs to the cluster, and what root alone writes.
_CLUSTER = ("pg", "run")
_ROOTS = ("serve.lock", "restore.lock", "serving.json", "serve.log")
_HOME_MODE, _LOGS_MODE = 0o1775, 0o1770
_NOLOGIN = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false")


class UserUnfit(WanggeError):
    """The server cannot run as the user that it is told to."""


@dataclass(frozen=True)
class User:
    """A user of the system that processes run as.

    Attributes
    ----------
    name, uid, gid
        Who it is.
    entrance
        What goes before a command where Python or the program lie below a folder that only root may enter.
    """

    name: str
    uid: int
    gid: int
    entrance: tuple[str, ...] = ()

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a command as this user."""
        if self.entrance:
            return subprocess.Popen([*self.entrance, *command], **options)
        return subprocess.Popen(command, user=self.uid, group=self.gid, extra_groups=[], **options)


def python(*arguments: str) -> list[str]:
    """The command that starts our Python, isolated from the folder and the environment it is started in."""
    return [sys.executable, "-I", *arguments]


def call_itself(name: str) -> None:
    """Have ``ps`` and ``top`` call this process ``wangge NAME``: those of a kind share their command."""
    with suppress(OSError):  # where there is no such file it has no such name
        Path("/proc/self/comm").write_text(f"wangge {name}")


def environment() -> dict[str, str]:
    """The environment of a process of ours; as another user it has our home, and none of root's."""
    home = settings.get().home.absolute()
    return {**os.environ, "WANGGE_HOME": str(home), **({"HOME": str(home)} if os.geteuid() == 0 else {})}


def service_user() -> User | None:
    """Whom root starts processes as, made when missing; ``None`` when we are not root.

    Raises
    ------
    UserUnfit
        There is no such user and none can be made, or it cannot read the program.
    """
    if os.geteuid() != 0:
        return None
    name = settings.get().user
    user = known_user() or _make(name)
    if user.uid == 0:
        raise UserUnfit(_("{name} is root. Set WANGGE_USER to a user without rights.", name=name))
    for able in (user, replace(user, entrance=_entrance(user))):
        with suppress(OSError):
            probe = able.start(python("-c", "import api.cli"), cwd="/", env=environment(), stderr=subprocess.DEVNULL)
            if probe.wait() == 0:
                return able
    program = Path(__file__).resolve().parents[2]
    raise UserUnfit(_("{name} cannot read {program}. Move it to where everybody may enter, such as /opt.", **locals()))


def _entrance(user: User) -> tuple[str, ...]:
    """A way in: in a view of the file system of its own, the closed folders hold nothing but Python and the program."""
    needed = dict.fromkeys(Path(one).resolve() for one in (sys.base_prefix, sys.prefix, Path(__file__).parents[2]))
    script, closed = [], dict[Path, list[Path]]()
    for path in needed:
        gate = next((one for one in reversed(path.parents) if not one.stat().st_mode & stat.S_IXOTH), None)
        if gate and not any(path.is_relative_to(one) for one in closed.get(gate, ())):
            closed.setdefault(gate, []).append(path)
    for gate, paths in closed.items():
        # What is kept is held open while the folder is covered, and then put where it was.
        script += [f"exec {number}<{shlex.quote(str(path))}" for number, path in enumerate(paths, 3)]
        script.append(f"mount -t tmpfs -o mode=755,size=1m tmpfs {shlex.quote(str(gate))}")
        for number, path in enumerate(paths, 3):
            place = shlex.quote(str(path))
            script += [f"mkdir -p {place}", f"mount -c --bind /proc/self/fd/{number} {place}", f"exec {number}<&-"]
        script.append(f"mount -o remount,ro {shlex.quote(str(gate))}")
    script.append(f'exec setpriv --reuid {user.uid} --regid {user.gid} --clear-groups -- "$@"')
    return ("unshare", "--mount", "--propagation", "private", "sh", "-ec", "\n".join(script), "sh")


def known_user() -> User | None:
    """The user of the service, if we are root and there is one."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(settings.get().user)
    except KeyError:
        return None
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _make(name: str) -> User:
    program = shutil.which("useradd", path=os.defpath + ":/usr/sbin:/sbin")
    shell = next(filter(os.path.exists, _NOLOGIN), _NOLOGIN[-1])
    if program:
        made = [program, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        subprocess.run([*made, "--shell", shell, name], capture_output=True, check=False)
    user = known_user()
    if user is None:
        raise UserUnfit(_("The user {name} cannot be made. Make it, or set WANGGE_USER to another one.", name=name))
    return user


def hand_over(user: User) -> None:
    """Give the home's files to the user of the service, whoever made them."""
    home = settings.get().home
    postgres = pwd.getpwnam("postgres").pw_uid
    for folder, owner, mode in ((home, 0, _HOME_MODE), (home / "logs", postgres, _LOGS_MODE)):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchown(descriptor, owner, user.gid)
            os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)
    # What has a name outside of the home too is not ours alone: the service may have linked it.
    count: Counter[tuple[int, int]] = Counter()
    folders: list[int] = []
    try:
        for name, place, status in _of_root(home, folders):
            count[status.st_dev, status.st_ino] += 1
            if stat.S_ISDIR(status.st_mode) or count[status.st_dev, status.st_ino] == status.st_nlink:
                with suppress(FileNotFoundError):
                    os.chown(name, user.uid, user.gid, dir_fd=place, follow_symlinks=False)
    finally:
        for place in folders:
            os.close(place)


def _of_root(home: Path, folders: list[int]) -> Iterator[tuple[str, int, os.stat_result]]:
    """Files and folders of root's in the home, with an open folder that they are in."""
    for _path, inner, files, folder in os.fwalk(home):
        folders.append(opened := os.dup(folder))
        top = os.path.samestat(os.fstat(folder), home.stat())
        if top:
            inner[:] = [name for name in inner if name not in _CLUSTER]
        for name in (*inner, *files):
            with suppress(FileNotFoundError):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if status.st_uid == 0 and name not in _ROOTS and not (top and name == "logs"):
                    yield name, opened, status


def tidy() -> None:
    """Hand over what a command of root's has left in a home that was handed over."""
    home = settings.get().home
    user = known_user()
    with suppress(OSError, KeyError):
        if user and home.stat().st_gid == user.gid and home.stat().st_uid == 0:
            hand_over(user)
