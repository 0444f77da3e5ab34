"""The walls around a process that reads a stranger's file: what the kernel refuses it, whatever the file makes it try.

Each wall stands by itself, and those that a machine has are all put up::

    own user     started by root, it is somebody who owns nothing
    Landlock     no file but the program's own and one folder         Linux 5.13
    bubblewrap   the same by a file system of its own                 where Landlock is missing and it is installed
    seccomp      no network, no other program, no other process       x86-64 and ARM64
    limits       memory, processor time, size of files                everywhere

Sources: landlock(7), seccomp(2), capabilities(7); ``linux/landlock.h``, ``linux/seccomp.h``, ``linux/audit.h``.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 4, 8, 38, 22
_CAPABILITIES_3, _CAP_DAC_READ_SEARCH = 0x20080522, 2
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
#: Rights over files that each version of Landlock knows, as bits from the lowest.
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_FILE_RIGHTS = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14
"""Those that make sense for what is no folder: execute, write, read, truncate."""
_MADE_WITHIN = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 14
"""In a folder of its own: write, read, list, remove folders and files, make folders and files, truncate."""

#: By machine: the architecture's mark and the numbers of the calls that are refused.
_CALLS = {
    "x86_64": (
        0xC000003E,
        {
            "socket": 41,
            "connect": 42,
            "accept": 43,
            "bind": 49,
            "listen": 50,
            "socketpair": 53,
            "accept4": 288,
            "fork": 57,
            "vfork": 58,
            "execve": 59,
            "execveat": 322,
            "kill": 62,
            "ptrace": 101,
            "process_vm_readv": 310,
            "process_vm_writev": 311,
            "io_uring_setup": 425,
            "bpf": 321,
            "perf_event_open": 298,
            "userfaultfd": 323,
            "keyctl": 250,
            "add_key": 248,
            "request_key": 249,
            "mount": 165,
            "umount2": 166,
            "unshare": 272,
            "setns": 308,
            "pidfd_open": 434,
            "pidfd_getfd": 438,
            "pidfd_send_signal": 424,
            "memfd_create": 319,
            "chmod": 90,
            "fchmod": 91,
            "fchmodat": 268,
            "link": 86,
            "linkat": 265,
            "symlink": 88,
            "symlinkat": 266,
            "mknod": 133,
            "mknodat": 259,
            "shmget": 29,
            "msgget": 68,
            "semget": 64,
            "mq_open": 240,
            "open_by_handle_at": 304,
        },
        {"clone": 56, "clone3": 435},
    ),
    "aarch64": (
        0xC00000B7,
        {
            "socket": 198,
            "connect": 203,
            "accept": 202,
            "bind": 200,
            "listen": 201,
            "socketpair": 199,
            "accept4": 242,
            "execve": 221,
            "execveat": 281,
            "kill": 129,
            "ptrace": 117,
            "process_vm_readv": 270,
            "process_vm_writev": 271,
            "io_uring_setup": 425,
            "bpf": 280,
            "perf_event_open": 241,
            "userfaultfd": 282,
            "keyctl": 219,
            "add_key": 217,
            "request_key": 218,
            "mount": 40,
            "umount2": 39,
            "unshare": 97,
            "setns": 268,
            "pidfd_open": 434,
            "pidfd_getfd": 438,
            "pidfd_send_signal": 424,
            "memfd_create": 279,
            "fchmod": 52,
            "fchmodat": 53,
            "linkat": 37,
            "symlinkat": 36,
            "mknodat": 33,
            "shmget": 194,
            "msgget": 186,
            "semget": 190,
            "mq_open": 180,
            "open_by_handle_at": 265,
        },
        {"clone": 220, "clone3": 435},
    ),
}
_ALLOW, _EACCES, _ENOSYS, _KILL = 0x7FFF0000, 0x00050000 | 13, 0x00050000 | 38, 0x80000000
_CLONE_THREAD = 0x00010000
_LOAD, _EQUAL, _MORE_OR_EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_X32 = 0x40000000


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def landlock_version() -> int:
    """The version of Landlock that the kernel offers; 0 without."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(0, int(_libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)))


def readable() -> list[Path]:
    """Files and folders that the program itself is made of."""
    import data
    import spatial

    code = [Path(str(package.__file__)).parent for package in (data, spatial)]
    system = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo", "/etc/ld.so.cache")
    program = [*(Path(path) for path in system), Path(sys.prefix, "lib"), Path(sys.prefix, "pyvenv.cfg")]
    program += [Path(sys.base_prefix, "lib"), Path(sys.base_prefix, "bin"), Path(sys.prefix, "bin")]
    packages = [Path(path) for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    return [*code, *program, *packages, Path("/dev/null"), Path("/dev/urandom"), Path("/dev/zero")]


def has_seccomp() -> bool:
    """Whether calls of the kernel can be refused on this machine."""
    return (
        sys.platform.startswith("linux") and platform.machine() in _CALLS and Path("/proc/sys/kernel/seccomp").is_dir()
    )


def become(uid: int, gid: int, reads: Iterable[Path]) -> None:
    """Become somebody who owns nothing; for root.

    Where the program itself lies in a folder that only root may enter, the right to enter folders is kept, if Landlock
    then says which.
    """
    kept = 0 if _open_to_all(reads) or not landlock_version() else 1 << _CAP_DAC_READ_SEARCH
    if kept:
        _checked(_libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl")
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if kept:
        header, rights = struct.pack("=Ii", _CAPABILITIES_3, 0), struct.pack("=6I", kept, kept, 0, 0, 0, 0)
        _checked(_libc.capset(header, rights), "capset")


def _open_to_all(places: Iterable[Path]) -> bool:
    """Whether everybody may enter all folders on the way to these places."""
    ways = {way for place in places if place.exists() for way in place.resolve().parents}
    return all(way.stat().st_mode & stat.S_IXOTH for way in ways)


def stand_alone() -> None:
    """End together with the process that started this one, gain no right by any program, show nobody one's memory."""
    if not sys.platform.startswith("linux"):
        return
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    _checked(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl")


def limit(*, memory_bytes: int, seconds: int, file_bytes: int) -> None:
    """Limit what this process may use.

    Parameters
    ----------
    memory_bytes
        Beside what it has mapped already.
    seconds
        Of processor time.
    file_bytes
        The largest file it may write.
    """
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _lower(resource.RLIMIT_AS, _mapped_bytes() + memory_bytes)
    _lower(resource.RLIMIT_CPU, seconds)
    _lower(resource.RLIMIT_FSIZE, file_bytes)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, 256)


def limit_files(file_bytes: int) -> None:
    """Lower the size of the largest file that may still be written."""
    _lower(resource.RLIMIT_FSIZE, file_bytes)


def confine(reads: Iterable[Path], room: Path) -> None:
    """Put up Landlock and seccomp, as far as the machine has them; there is no way back.

    Parameters
    ----------
    reads
        Files and folders that may be read.
    room
        The folder that may be written, too.
    """
    if version := landlock_version():
        _landlock(version, reads, room)
    if has_seccomp():
        _seccomp()


def _lower(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _mapped_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 30


def _landlock(version: int, reads: Iterable[Path], room: Path) -> None:
    rights = (1 << _RIGHTS.get(version, 16)) - 1
    # From version 4 on no TCP, from version 6 on no abstract sockets and signals beyond this process.
    attributes = struct.pack("QQQ", rights, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _checked(_libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(size), 0), "landlock_create_ruleset")
    try:
        for path in reads:
            _allow(ruleset, path, (_READ_FILE | _READ_DIR) & rights)
        _allow(ruleset, room, _MADE_WITHIN & rights)
        _checked(_libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0), "landlock_restrict_self")
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rule = struct.pack("=Qi", rights if path.is_dir() else rights & _FILE_RIGHTS, place)
        _checked(_libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0), "landlock_add_rule")
    finally:
        os.close(place)


def _seccomp() -> None:
    mark, refused, makers = _CALLS[platform.machine()]
    steps = [
        (_LOAD, 0, 0, 4),  # the architecture
        (_EQUAL, 1, 0, mark),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # the number of the call
        (_MORE_OR_EQUAL, 0, 1, _X32),
        (_RETURN, 0, 0, _KILL),
    ]
    for number in refused.values():
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _EACCES)]
    # A thread may be made, a process not; what hides its flags in memory is not there, and the older way is taken.
    steps += [(_EQUAL, 0, 1, makers["clone3"]), (_RETURN, 0, 0, _ENOSYS)]
    steps += [
        (_EQUAL, 0, 3, makers["clone"]),
        (_LOAD, 0, 0, 16),  # its flags
        (_ANY_BIT, 1, 0, _CLONE_THREAD),
        (_RETURN, 0, 0, _EACCES),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    program = _Program(len(steps), code)
    _checked(_libc.prctl(_PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0), "seccomp")


def _checked(answer: int, call: str) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
    return answer
